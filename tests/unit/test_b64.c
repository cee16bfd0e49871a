/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_b64 - base64, as etcd's JSON gateway wants it
 */
#include <criterion/criterion.h>

#include "wire/b64.h"

static void check_pair(const char *data, size_t len, const char *text)
{
	struct buf encoded = { 0 };
	struct buf decoded = { 0 };

	b64_encode(data, len, &encoded);
	cr_assert_str_eq(encoded.data ? encoded.data : "", text);
	cr_assert_eq(b64_decode(text, strlen(text), &decoded, NULL), 0);
	cr_assert_eq(decoded.len, len);
	cr_assert(len == 0 || memcmp(decoded.data, data, len) == 0);
	buf_done(&encoded);
	buf_done(&decoded);
}

Test(b64, matches_the_vectors_of_rfc_4648)
{
	check_pair("", 0, "");
	check_pair("f", 1, "Zg==");
	check_pair("fo", 2, "Zm8=");
	check_pair("foo", 3, "Zm9v");
	check_pair("foob", 4, "Zm9vYg==");
	check_pair("fooba", 5, "Zm9vYmE=");
	check_pair("foobar", 6, "Zm9vYmFy");
	check_pair("\xfb\xff\xfe\0\0", 5, "+//+AAA=");
}

Test(b64, brings_every_byte_and_length_back)
{
	char data[300];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 256);
	for (size_t len = 0; len <= sizeof(data); len++) {
		struct buf encoded = { 0 };
		struct buf decoded = { 0 };

		b64_encode(data, len, &encoded);
		cr_assert_eq(encoded.len, (len + 2) / 3 * 4);
		cr_assert_eq(b64_decode(encoded.data, encoded.len, &decoded, NULL), 0);
		cr_assert_eq(decoded.len, len);
		cr_assert(len == 0 || memcmp(decoded.data, data, len) == 0);
		buf_done(&encoded);
		buf_done(&decoded);
	}
}

Test(b64, refuses_what_is_no_base64_and_leaves_the_buffer_alone)
{
	static const char *const bad[] = { "Z",	   "Zg",     "Zg=",  "=",	"====", "Zg==Zg==",
					   "Zm9 ", "Zm\n9v", "Z===", "Zm9-",	"Zm_v", "Zh==",
					   "Zm9=", "\xff\xff\xff\xff" };
	struct buf out = { 0 };
	struct err err = { 0 };

	buf_str(&out, "kept");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_assert_eq(b64_decode(bad[i], strlen(bad[i]), &out, &err), -ERR_PARSE, "'%s'",
			     bad[i]);
		cr_assert_str_eq(out.data, "kept");
		cr_assert_eq(out.len, 4);
	}
	cr_assert_eq(b64_decode("Zm\0v", 4, &out, &err), -ERR_PARSE);
	buf_done(&out);
}
