/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgprogress - how far a program of Postgres says it is
 */
#include "io/pgprogress.h"

#include "base/parse.h"
#include "base/str.h"

#define MARK   " kB ("
#define DIGITS 15
#define KIB    1024

static const char *digits_before(const char *from, const char *end)
{
	while (end > from && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return end;
}

static bool read_number(const char *from, const char *end, int64_t *ret)
{
	char text[DIGITS + 1];
	const size_t len = (size_t)(end - from);

	if (len == 0 || len > DIGITS)
		return false;
	memcpy(text, from, len);
	text[len] = '\0';
	return parse_int(text, 0, INT64_MAX / KIB, ret, NULL) == 0;
}

/* "done/total" that ends at `end`. */
static bool read_pair(const char *text, const char *end, int64_t *ret_done, int64_t *ret_total)
{
	const char *total = digits_before(text, end);
	const char *done;

	if (total == text || total[-1] != '/')
		return false;
	done = digits_before(text, total - 1);
	return read_number(total, end, ret_total) && read_number(done, total - 1, ret_done);
}

bool pgprogress_read(const char *text, int64_t *ret_done_bytes, int64_t *ret_total_bytes)
{
	int64_t done = 0, total = 0;
	bool found = false;

	for (const char *at = strstr(text, MARK); at != NULL; at = strstr(at + 1, MARK))
		found = read_pair(text, at, &done, &total) || found;
	if (!found || total == 0)
		return false;
	*ret_done_bytes = done * KIB;
	*ret_total_bytes = total * KIB;
	return true;
}
