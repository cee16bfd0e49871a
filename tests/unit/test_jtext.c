/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_jtext - JSON text: read with bounds, written byte for byte as Python's json.dumps does
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wire/jtext.h"

static void check_text(const char *in, const char *compact, const char *spaced)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;
	_cleanup_(freep) char *short_text = NULL;
	_cleanup_(freep) char *long_text = NULL;

	cr_assert_eq(jtext_load(in, strlen(in), &value, NULL), 0, "%s", in);
	short_text = jtext_print(value, JTEXT_COMPACT);
	long_text = jtext_print(value, JTEXT_SPACED);
	cr_assert_str_eq(short_text, compact);
	cr_assert_str_eq(long_text, spaced);
}

Test(jtext, prints_both_styles_with_keys_in_order)
{
	check_text("{}", "{}", "{}");
	check_text("[]", "[]", "[]");
	check_text("7", "7", "7");
	check_text(" {\"b\" :1,\"a\":[ ], \"c\":[1,{\"d\":{}},\"x\"] , \"e\":{\"f\":null}}\n",
		   "{\"b\":1,\"a\":[],\"c\":[1,{\"d\":{}},\"x\"],\"e\":{\"f\":null}}",
		   "{\"b\": 1, \"a\": [], \"c\": [1, {\"d\": {}}, \"x\"], \"e\": {\"f\": null}}");
	check_text("[true,false,null,[[],[1]],-3]", "[true,false,null,[[],[1]],-3]",
		   "[true, false, null, [[], [1]], -3]");
}

/* Texts as python3 -c 'import json; print(json.dumps(...))' gives them. */
Test(jtext, escapes_as_python_does)
{
	const char *in = "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\/ / \\\" \\\\ \\b\\f\\n\\r\\t"
			 "\\u000b\\u001f\x7f\"";
	const char *out = "\"caf\\u00e9 \\u20ac \\ud83d\\ude00 / / \\\" \\\\ \\b\\f\\n\\r\\t"
			  "\\u000b\\u001f\\u007f\"";

	check_text(in, out, out);
	check_text("{\"\xc3\xa9\":1}", "{\"\\u00e9\":1}", "{\"\\u00e9\": 1}");
}

Test(jtext, prints_numbers_as_python_does)
{
	static const char *const same[] = { "1.4",   "0.1",  "1.0",   "-2.5",	    "100000.0",
					    "1e+16", "0.0",  "1e-05", "0.0001",	    "123456789.125",
					    "5e-324", "-0.0", "1.7976931348623157e+308",
					    "1234567890123456.8" };

	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		check_text(same[i], same[i], same[i]);
	check_text("1E2", "100.0", "100.0");
	check_text("0.30000000000000004", "0.30000000000000004", "0.30000000000000004");
	check_text("9007199254740993.0", "9007199254740992.0", "9007199254740992.0");
	check_text("123456789012345680.0", "1.2345678901234568e+17", "1.2345678901234568e+17");
	check_text("-9223372036854775808", "-9223372036854775808", "-9223372036854775808");
}

Test(jtext, replaces_bytes_that_are_no_utf_8)
{
	struct buf buf = { 0 };

	jtext_add_string(&buf, "a\xff\xc3(\xed\xa0\x80\xf8\xc0\x80z", 11);
	cr_assert_str_eq(buf.data, "\"a\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffdz\"");
	buf_clear(&buf);
	jtext_add_string(&buf, "\xe2\x82", 2);
	cr_assert_str_eq(buf.data, "\"\\ufffd\\ufffd\"");
	buf_done(&buf);
}

Test(jtext, speaks_values_as_python_does)
{
	static const struct {
		const char *json;
		const char *text;
	} cases[] = { { "\"a b\"", "a b" }, { "true", "True" },   { "false", "False" },
		      { "null", "None" },   { "100", "100" },	  { "1.40", "1.4" },
		      { "[1,2]", "[1, 2]" } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(jtext_unrefp) json_t *value = NULL;
		_cleanup_(buf_done) struct buf buf = { 0 };

		cr_assert_eq(jtext_load(cases[i].json, strlen(cases[i].json), &value, NULL), 0);
		jtext_add_python(&buf, value);
		cr_assert_str_eq(buf.data, cases[i].text);
	}
}

static int load(const char *text, size_t len)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;
	struct err err = { 0 };
	int r = jtext_load(text, len, &value, &err);

	cr_assert_eq(r == 0, value != NULL);
	cr_assert_eq(r == 0, err.msg[0] == 0);
	return r;
}

Test(jtext, refuses_what_is_no_json)
{
	static const char *const bad[] = { "",	      " ",	   "{",	       "}",	    "{]",
					   "nul",     "'a'",	   "\"",	       "\"\\\"",  "1e999",
					   "[1,]",    "{\"a\"}",   "1 2",      "{\"a\":1}x", "NaN",
					   "\"\xff\"", "\"\\ud800\"", "\"\\u0000\"",
					   "99999999999999999999", "\"\n\"" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(load(bad[i], strlen(bad[i])), 0, "%s", bad[i]);
	cr_assert_lt(load("{}\0", 3), 0);
	cr_assert_lt(load("\"a\0b\"", 5), 0);
	cr_assert_lt(load(NULL, 0), 0);
}

Test(jtext, bounds_nesting_before_it_parses)
{
	struct buf buf = { 0 };

	for (int i = 0; i < JTEXT_DEPTH_MAX; i++)
		buf_ch(&buf, '[');
	for (int i = 0; i < JTEXT_DEPTH_MAX; i++)
		buf_ch(&buf, ']');
	cr_assert_eq(load(buf.data, buf.len), 0);
	check_text(buf.data, buf.data, buf.data);
	buf_clear(&buf);
	for (int i = 0; i < JTEXT_DEPTH_MAX + 1; i++)
		buf_ch(&buf, '[');
	cr_assert_eq(load(buf.data, buf.len), -ERR_RANGE);
	buf_clear(&buf);
	buf_str(&buf, "\"\\\"[[[[");
	for (int i = 0; i < 1000; i++)
		buf_ch(&buf, '{');
	buf_ch(&buf, '"');
	cr_assert_eq(load(buf.data, buf.len), 0, "brackets inside of a text are text");
	buf_done(&buf);
}

Test(jtext, reads_numbers_only_from_numbers_and_digits)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	const char *text = "{\"a\":5,\"b\":\"-6\",\"c\":\" 7\",\"d\":true,\"e\":1.0,\"f\":null,"
			   "\"g\":\"0x10\",\"h\":-1}";
	int64_t n = 99;

	cr_assert_eq(jtext_load_object(text, strlen(text), &doc, NULL), 0);
	cr_assert(jtext_int(json_object_get(doc, "a"), &n) && n == 5);
	cr_assert(jtext_int(json_object_get(doc, "b"), &n) && n == -6);
	for (const char *key = "cdefgz"; *key; key++) {
		char name[] = { *key, 0 };

		cr_assert_not(jtext_int(json_object_get(doc, name), &n));
	}
	cr_assert_eq(n, -6);
	cr_assert_eq(jtext_lsn(doc, "a"), 5);
	cr_assert_eq(jtext_lsn(doc, "h"), 0);
	cr_assert_eq(jtext_load_object("[]", 2, &doc, NULL), -ERR_PARSE);
}

static char *quoted(size_t len, char c)
{
	char *text = mem_new(len + 64, 1);

	str_copy(text, 16, "{\"a\":1,\"v\":\"");
	memset(text + 12, c, len);
	str_copy(text + 12 + len, 16, "\",\"z\":\"e\"}");
	return text;
}

Test(jtext, takes_long_texts_where_they_stand)
{
	static const size_t lens[] = { 0, 1, JTEXT_LONG, JTEXT_LONG + 1, 1000000 };

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		_cleanup_(freep) char *text = quoted(lens[i], 'x');
		_cleanup_(jtext_unrefp) json_t *doc = NULL;
		const char *value;
		size_t len;

		cr_assert_eq(jtext_load_long(text, strlen(text), &doc, NULL), 0);
		value = jtext_long(json_object_get(doc, "v"), text, strlen(text), &len);
		cr_assert_eq(len, lens[i]);
		cr_assert_eq(strspn(value, "x"), len);
		cr_assert_eq(value == text + 12, lens[i] > JTEXT_LONG);
		cr_assert_str_eq(jtext_string(doc, "z"), "e");
	}
}

Test(jtext, copies_long_texts_with_escapes)
{
	_cleanup_(freep) char *text = quoted(JTEXT_LONG + 10, 'x');
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	const char *value;
	size_t len;

	memcpy(text + 12, "\\\"", 2);
	cr_assert_eq(jtext_load_long(text, strlen(text), &doc, NULL), 0);
	value = jtext_long(json_object_get(doc, "v"), text, strlen(text), &len);
	cr_assert_eq(len, JTEXT_LONG + 9);
	cr_assert_eq(value[0], '"');
}

/* What somebody else put there must not lead out of the text. */
Test(jtext, believes_no_place_that_is_none)
{
	static const char *const texts[] = { "@", "@1", "@1+", "@+", "@x+1", "@0+999", "@999+1",
					     "@18446744073709551615+1", "@1+18446744073709551615",
					     "@1+2x", "1+2" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(jtext_unrefp) json_t *string = json_string(texts[i]);
		size_t len;

		cr_assert_str_eq(jtext_long(string, "{}", 2, &len), texts[i]);
		cr_assert_eq(len, strlen(texts[i]));
	}
}

Test(jtext, long_texts_without_an_end_are_no_json)
{
	_cleanup_(freep) char *text = quoted(JTEXT_LONG + 10, 'x');
	_cleanup_(jtext_unrefp) json_t *doc = NULL;

	cr_assert_lt(jtext_load_long(text, JTEXT_LONG + 15, &doc, NULL), 0);
	cr_assert_lt(jtext_load_long("", 0, &doc, NULL), 0);
	cr_assert_lt(jtext_load_long("\"", 1, &doc, NULL), 0);
	cr_assert_null(doc);
}
