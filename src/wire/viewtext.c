/* SPDX-License-Identifier: PostgreSQL */
/*
 * viewtext - a view as one word of text and back, for the flight recorder
 */
#include "wire/viewtext.h"

#include <inttypes.h>

#include "base/parse.h"
#include "wire/b64.h"

/* So many zeros in a row are worth a count of their own. */
#define RUN_MIN 8

/* FNV-1a: against a file that was cut or touched, not against an enemy. */
static uint64_t checksum(const unsigned char *bytes, size_t n)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum & INT64_MAX;
}

static void add_count(struct buf *b, size_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_ch(b, (char)(n | 0x80));
	buf_ch(b, (char)n);
}

static size_t zeros_at(const unsigned char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && bytes[i] == 0)
		i++;
	return i;
}

/* Up to the next run of zeros, or the end. */
static size_t literals_at(const unsigned char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t zeros = zeros_at(bytes + i, n - i);

		if (zeros >= RUN_MIN || i + zeros == n)
			break;
		i += zeros + 1;
	}
	return i;
}

void viewtext_add(const struct view *view, struct buf *ret_text)
{
	const unsigned char *bytes = (const unsigned char *)view;
	_cleanup_(buf_done) struct buf packed = { 0 };
	const size_t n = sizeof(*view);

	for (size_t at = 0; at < n;) {
		size_t zeros = zeros_at(bytes + at, n - at);
		size_t literals = literals_at(bytes + at + zeros, n - at - zeros);

		add_count(&packed, zeros);
		add_count(&packed, literals);
		buf_add(&packed, bytes + at + zeros, literals);
		at += zeros + literals;
	}
	buf_printf(ret_text, "%zu:%" PRIu64 ":", n, checksum(bytes, n));
	b64_encode(packed.data, packed.len, ret_text);
}

static bool read_count(const struct buf *packed, size_t *at, size_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; shift < 28 && *at < packed->len; shift += 7) {
		unsigned char c = (unsigned char)packed->data[(*at)++];

		*ret |= (size_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return true;
	}
	return false;
}

static bool unpack(const struct buf *packed, unsigned char *bytes, size_t n)
{
	size_t from = 0, to = 0;

	while (to < n) {
		size_t zeros, literals;

		if (!read_count(packed, &from, &zeros) || !read_count(packed, &from, &literals) ||
		    zeros > n - to || literals > n - to - zeros ||
		    literals > packed->len - from || zeros + literals == 0)
			return false;
		memset(bytes + to, 0, zeros);
		memcpy(bytes + to + zeros, packed->data + from, literals);
		to += zeros + literals;
		from += literals;
	}
	return from == packed->len;
}

/* A number up to the next colon. */
static bool take_number(const char **text, size_t *len, uint64_t *ret)
{
	char word[24];
	size_t n = 0;

	while (n < *len && (*text)[n] != ':')
		n++;
	if (n == *len || str_printf(word, sizeof(word), "%.*s", (int)n, *text) <= 0 ||
	    parse_uint(word, UINT64_MAX, ret, NULL) < 0)
		return false;
	*text += n + 1;
	*len -= n + 1;
	return true;
}

int viewtext_read(const char *text, size_t len, struct view *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf packed = { 0 };
	uint64_t size = 0, sum = 0;

	if (!take_number(&text, &len, &size) || !take_number(&text, &len, &sum))
		return err_set(err, ERR_PARSE, "this is no recorded view");
	if (size != sizeof(*ret))
		return err_set(err, ERR_PARSE,
			       "recorded by another version: a view had %" PRIu64
			       " bytes there, and has %zu here",
			       size, sizeof(*ret));
	if (b64_decode(text, len, &packed, err) < 0)
		return -(int)ERR_PARSE;
	if (!unpack(&packed, (unsigned char *)ret, sizeof(*ret)) ||
	    checksum((const unsigned char *)ret, sizeof(*ret)) != sum)
		return err_set(err, ERR_PARSE, "the recorded view is damaged");
	return 0;
}
