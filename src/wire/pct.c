/* SPDX-License-Identifier: PostgreSQL */
/*
 * pct - parts of URLs: percent-encoded text, the first segment of a path
 */
#include "wire/pct.h"

#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool pct_decode(const char *text, size_t len, bool form, char *dst, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high = text[i] == '%' && i + 2 < len ? hex_value(text[i + 1]) : -1;
		int low = high >= 0 ? hex_value(text[i + 2]) : -1;
		char c = form && text[i] == '+' ? ' ' : text[i];

		if (low >= 0) {
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (!c || n + 1 >= size) {
			dst[0] = 0;
			return false;
		}
		dst[n++] = c;
	}
	dst[n] = 0;
	return true;
}

bool pct_has_segment(const char *path, const char *segment)
{
	const char *begin = path + strspn(path, "/");
	size_t len = strcspn(begin, "/");

	return strlen(segment) == len && memcmp(segment, begin, len) == 0;
}
