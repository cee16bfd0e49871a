/* SPDX-License-Identifier: PostgreSQL */
/*
 * b64 - base64, as etcd's JSON gateway wants it
 */
#include "wire/b64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* What is handed to a buffer at once: of values of a megabyte, three bytes at a time would take
 * longer than the loop may be held. */
#define CHUNK_BYTES 3072

static void encode_triple(const unsigned char *in, size_t n, char quad[4])
{
	uint32_t bits = (uint32_t)in[0] << 16;

	if (n > 1)
		bits |= (uint32_t)in[1] << 8;
	if (n > 2)
		bits |= in[2];
	quad[0] = alphabet[bits >> 18];
	quad[1] = alphabet[(bits >> 12) & 63];
	quad[2] = n > 1 ? alphabet[(bits >> 6) & 63] : '=';
	quad[3] = n > 2 ? alphabet[bits & 63] : '=';
}

void b64_encode(const void *data, size_t len, struct buf *ret_text)
{
	const unsigned char *in = data;
	char chunk[CHUNK_BYTES / 3 * 4];
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		encode_triple(in + i, MIN_OF(len - i, (size_t)3), chunk + n);
		n += 4;
		if (n == sizeof(chunk)) {
			buf_add(ret_text, chunk, n);
			n = 0;
		}
	}
	buf_add(ret_text, chunk, n);
}

/* Value of each character, and one more: 0 is none of the alphabet. */
static const uint8_t values[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};

/* One group of four characters into three bytes; ret_n says how many of them count. Padding is
 * allowed only where the text ends. */
static bool decode_quad(const char *quad, bool last, unsigned char bytes[3], size_t *ret_n)
{
	size_t npad = 0;
	uint32_t bits = 0;

	if (last && quad[3] == '=')
		npad = quad[2] == '=' ? 2 : 1;
	for (size_t i = 0; i < 4 - npad; i++) {
		uint32_t value = values[(unsigned char)quad[i]];

		if (value == 0)
			return false;
		bits |= (value - 1) << (18 - 6 * i);
	}
	bytes[0] = (unsigned char)(bits >> 16);
	bytes[1] = (unsigned char)(bits >> 8);
	bytes[2] = (unsigned char)bits;
	*ret_n = 3 - npad;
	return (npad < 1 || bytes[2] == 0) && (npad < 2 || bytes[1] == 0);
}

int b64_decode(const char *text, size_t len, struct buf *ret_data, struct err *err)
{
	unsigned char chunk[CHUNK_BYTES];
	size_t begin = ret_data->len;
	size_t n = 0;

	if (len % 4 != 0)
		return err_set(err, ERR_PARSE, "base64 text of %zu characters, no multiple of 4",
			       len);
	for (size_t i = 0; i < len; i += 4) {
		size_t got;

		if (!decode_quad(text + i, i + 4 == len, chunk + n, &got)) {
			ret_data->len = begin;
			if (ret_data->data)
				ret_data->data[begin] = 0;
			return err_set(err, ERR_PARSE, "no base64 text at character %zu", i);
		}
		n += got;
		if (n == sizeof(chunk)) {
			buf_add(ret_data, chunk, n);
			n = 0;
		}
	}
	if (n > 0)
		buf_add(ret_data, chunk, n);
	return 0;
}
