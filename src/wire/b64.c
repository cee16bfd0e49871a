/* SPDX-License-Identifier: PostgreSQL */
/*
 * b64 - base64, as etcd's JSON gateway wants it
 */
#include "wire/b64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void b64_encode(const void *data, size_t len, struct buf *ret_text)
{
	const unsigned char *in = data;
	char quad[4];

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			bits |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			bits |= in[i + 2];
		quad[0] = alphabet[bits >> 18];
		quad[1] = alphabet[(bits >> 12) & 63];
		quad[2] = i + 1 < len ? alphabet[(bits >> 6) & 63] : '=';
		quad[3] = i + 2 < len ? alphabet[bits & 63] : '=';
		buf_add(ret_text, quad, sizeof(quad));
	}
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* One group of four characters into three bytes; ret_n says how many of them count. Padding is
 * allowed only where the text ends. */
static bool decode_quad(const char *quad, bool last, unsigned char bytes[3], size_t *ret_n)
{
	size_t npad = 0;
	uint32_t bits = 0;

	if (last && quad[3] == '=')
		npad = quad[2] == '=' ? 2 : 1;
	for (size_t i = 0; i < 4 - npad; i++) {
		int value = value_of(quad[i]);

		if (value < 0)
			return false;
		bits |= (uint32_t)value << (18 - 6 * i);
	}
	bytes[0] = (unsigned char)(bits >> 16);
	bytes[1] = (unsigned char)(bits >> 8);
	bytes[2] = (unsigned char)bits;
	*ret_n = 3 - npad;
	return (npad < 1 || bytes[2] == 0) && (npad < 2 || bytes[1] == 0);
}

int b64_decode(const char *text, size_t len, struct buf *ret_data, struct err *err)
{
	size_t begin = ret_data->len;

	if (len % 4 != 0)
		return err_set(err, ERR_PARSE, "base64 text of %zu characters, no multiple of 4",
			       len);
	for (size_t i = 0; i < len; i += 4) {
		unsigned char bytes[3];
		size_t n;

		if (!decode_quad(text + i, i + 4 == len, bytes, &n)) {
			ret_data->len = begin;
			if (ret_data->data)
				ret_data->data[begin] = 0;
			return err_set(err, ERR_PARSE, "no base64 text at character %zu", i);
		}
		buf_add(ret_data, bytes, n);
	}
	return 0;
}
