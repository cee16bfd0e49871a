/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_yamltree - YAML text to tree
 *
 * What a word means was taken from PyYAML 6.0.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wire/yamlscalar.h"
#include "wire/yamltree.h"

/* clang-format off */
static const struct {
	const char *word;
	enum tree_type type;
	const char *text;
} words[] = {
	{ "yes", TREE_BOOL, "True" },
	{ "No", TREE_BOOL, "False" },
	{ "TRUE", TREE_BOOL, "True" },
	{ "on", TREE_BOOL, "True" },
	{ "Off", TREE_BOOL, "False" },
	{ "oN", TREE_STRING, "oN" },
	{ "y", TREE_STRING, "y" },
	{ "n", TREE_STRING, "n" },
	{ "~", TREE_NULL, NULL },
	{ "null", TREE_NULL, NULL },
	{ "Null", TREE_NULL, NULL },
	{ "NULL", TREE_NULL, NULL },
	{ "nULL", TREE_STRING, "nULL" },
	{ "0", TREE_INT, "0" },
	{ "7", TREE_INT, "7" },
	{ "-7", TREE_INT, "-7" },
	{ "+7", TREE_INT, "7" },
	{ "017", TREE_INT, "15" },
	{ "018", TREE_STRING, "018" },
	{ "-017", TREE_INT, "-15" },
	{ "0x1F", TREE_INT, "31" },
	{ "0xfg", TREE_STRING, "0xfg" },
	{ "0b101", TREE_INT, "5" },
	{ "0b2", TREE_STRING, "0b2" },
	{ "1_000", TREE_INT, "1000" },
	{ "_1", TREE_STRING, "_1" },
	{ "190:20:30", TREE_INT, "685230" },
	{ "10:60", TREE_STRING, "10:60" },
	{ "1:2:3", TREE_INT, "3723" },
	{ "08:30", TREE_STRING, "08:30" },
	{ "9223372036854775807", TREE_INT, "9223372036854775807" },
	{ "0o17", TREE_STRING, "0o17" },
	{ "1.", TREE_FLOAT, "1.0" },
	{ "1.5", TREE_FLOAT, "1.5" },
	{ ".5", TREE_FLOAT, "0.5" },
	{ "-.5", TREE_STRING, "-.5" },
	{ "1.50", TREE_FLOAT, "1.5" },
	{ "1e3", TREE_STRING, "1e3" },
	{ "1.0e3", TREE_STRING, "1.0e3" },
	{ "1.0e+3", TREE_FLOAT, "1000.0" },
	{ "1.5E-7", TREE_FLOAT, "1.5e-07" },
	{ "123456789012345680.0", TREE_FLOAT, "1.2345678901234568e+17" },
	{ "0.1", TREE_FLOAT, "0.1" },
	{ "1_0.5", TREE_FLOAT, "10.5" },
	{ ".", TREE_STRING, "." },
	{ "-.inf", TREE_FLOAT, "-inf" },
	{ "+.INF", TREE_FLOAT, "inf" },
	{ ".nan", TREE_FLOAT, "nan" },
	{ ".Nan", TREE_STRING, ".Nan" },
	{ "1.2.3", TREE_STRING, "1.2.3" },
	{ "100.0", TREE_FLOAT, "100.0" },
	{ "1e", TREE_STRING, "1e" },
	{ "0.00001", TREE_FLOAT, "1e-05" },
	{ "5432", TREE_INT, "5432" },
	{ "127.0.0.1", TREE_STRING, "127.0.0.1" },
	{ "2001-12-14x", TREE_STRING, "2001-12-14x" },
	{ "-0", TREE_INT, "0" },
	{ "+0", TREE_INT, "0" },
	{ "00", TREE_INT, "0" },
	{ "0_7", TREE_INT, "7" },
	{ "0x_f", TREE_INT, "15" },
	{ "-0b11", TREE_INT, "-3" },
	{ "1.5e+", TREE_STRING, "1.5e+" },
	{ "1e+5", TREE_STRING, "1e+5" },
	{ "12e03", TREE_STRING, "12e03" },
	{ "3.0", TREE_FLOAT, "3.0" },
	{ "-3.25", TREE_FLOAT, "-3.25" },
	{ "1000000.0", TREE_FLOAT, "1000000.0" },
	{ "1e400.0", TREE_STRING, "1e400.0" },
	{ "4:59", TREE_INT, "299" },
	{ "4:5:61", TREE_STRING, "4:5:61" },
};
/* clang-format on */

static int parse(const char *text, struct tree *ret, struct err *err)
{
	return yamltree_parse(text, strlen(text), ret, NULL, err);
}

static void expect_json(const char *yaml, const char *json)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct err err = { 0 };

	cr_assert_eq(parse(yaml, &tree, &err), 0, "%s: %s", yaml, err.msg);
	tree_to_json(tree.root, &text);
	cr_assert_str_eq(text.data, json);
}

static void expect_error(const char *yaml, const char *message)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct err err = { 0 };

	cr_assert_lt(parse(yaml, &tree, &err), 0, "%s", yaml);
	cr_assert(strstr(err.msg, message) != NULL, "'%s' is not in '%s'", message, err.msg);
	cr_assert_null(tree.root);
}

Test(yamltree, reads_words_as_pyyaml_does)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		_cleanup_(tree_done) struct tree tree = { 0 };
		_cleanup_(buf_done) struct buf text = { 0 };
		const struct tree_node *node;

		buf_printf(&text, "k: %s\n", words[i].word);
		cr_assert_eq(yamltree_parse(text.data, text.len, &tree, NULL, NULL), 0);
		node = tree_find(tree.root, "k");
		cr_assert_eq(node->type, words[i].type, "%s", words[i].word);
		cr_assert(str_eq(node->text, words[i].text), "%s is %s", words[i].word, node->text);
	}
}

Test(yamltree, keeps_the_word_as_it_was_written)
{
	_cleanup_(tree_done) struct tree tree = { 0 };

	cr_assert_eq(parse("a: 0123\nb: 123\nc: on\n", &tree, NULL), 0);
	cr_assert_str_eq(tree_find(tree.root, "a")->raw, "0123");
	cr_assert_null(tree_find(tree.root, "b")->raw);
	cr_assert_str_eq(tree_find(tree.root, "c")->raw, "on");
}

Test(yamltree, takes_integers_beyond_64_bits_as_text)
{
	expect_json("a: 9223372036854775808\n", "{\"a\":\"9223372036854775808\"}");
	expect_json("a: 9223372036854775807\n", "{\"a\":9223372036854775807}");
	expect_json("a: 0xffffffffffffffff\n", "{\"a\":\"0xffffffffffffffff\"}");
}

Test(yamltree, takes_quoted_words_as_texts)
{
	expect_json("a: 'on'\nb: \"5\"\nc: |\n  1\nd: ''\n",
		    "{\"a\":\"on\",\"b\":\"5\",\"c\":\"1\\n\",\"d\":\"\"}");
}

Test(yamltree, honours_the_tags_of_json_types_only)
{
	expect_json("a: !!str 5\nb: !!int '5'\nc: !!map {d: !!seq [1]}\n",
		    "{\"a\":\"5\",\"b\":5,\"c\":{\"d\":[1]}}");
	expect_error("a: !!python/object:os.system x\n", "line 1: the tag");
	expect_error("a:\n  !!set {b: null}\n", "line 2: the tag");
	expect_error("a: !mine x\n", "is not supported");
}

Test(yamltree, knows_the_line_of_each_value)
{
	_cleanup_(tree_done) struct tree tree = { 0 };

	cr_assert_eq(parse("# one\na:\n  b: 1\n  c:\n  - x\n  - y: z\n", &tree, NULL), 0);
	cr_assert_eq(tree_find(tree.root, "a")->line, 2);
	cr_assert_eq(tree_find(tree.root, "a.b")->line, 3);
	cr_assert_eq(tree_find(tree.root, "a.c")->first->line, 5);
	cr_assert_eq(tree_find(tree.root, "a.c")->last->first->line, 6);
}

Test(yamltree, copies_what_an_alias_names)
{
	expect_json("a: &x {p: [1, 2]}\nb: *x\nc: &y 5\nd: *y\n",
		    "{\"a\":{\"p\":[1,2]},\"b\":{\"p\":[1,2]},\"c\":5,\"d\":5}");
	expect_json("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
	expect_error("a: *x\n", "line 1: '*x' has no '&x' before it");
	expect_error("a: &x\n  b: *x\n", "line 2: '*x' refers to itself");
}

Test(yamltree, merges_maps_and_keeps_the_own_keys)
{
	expect_json("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  p: 3\n",
		    "{\"a\":{\"p\":1,\"q\":2},\"b\":{\"p\":3,\"q\":2}}");
	expect_json("a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}\n",
		    "{\"a\":{\"p\":1},\"b\":{\"p\":2,\"q\":2},\"c\":{\"p\":1,\"q\":2}}");
	expect_error("a: {<<: 5}\n", "'<<' needs a map");
}

Test(yamltree, lets_the_last_of_two_equal_keys_count_and_tells)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct yamltree_twins twins = { 0 };
	const char *text = "a:\n  b: 1\n  c: 2\n  b: 3\n";

	cr_assert_eq(yamltree_parse(text, strlen(text), &tree, &twins, NULL), 0);
	cr_assert_eq(tree_find(tree.root, "a.b")->num, 3);
	cr_assert_eq(twins.n, 1);
	cr_assert_str_eq(twins.items[0].path, "a.b");
	cr_assert_eq(twins.items[0].first_line, 2);
	cr_assert_eq(twins.items[0].line, 4);
	free(twins.items);
}

Test(yamltree, refuses_what_is_no_map_of_keys)
{
	expect_error("- a\n", "line 1: the file must hold keys and values, not a list");
	expect_error("word\n", "not a text");
	expect_error("a: 1\n---\nb: 2\n", "line 3: a second document");
	expect_error("? [a]\n: 1\n", "a key must be a plain word");
	expect_error("'': 1\n", "an empty key");
	expect_error("a: \"x\\0y\"\n", "zero byte");
}

Test(yamltree, leaves_an_empty_text_empty)
{
	static const char *const texts[] = { "", "# only this\n", "---\n", "\n\n" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct tree tree = { 0 };

		cr_assert_eq(parse(texts[i], &tree, NULL), 0);
		cr_assert_null(tree.root);
		tree_done(&tree);
	}
}

Test(yamltree, names_the_line_of_a_syntax_error)
{
	expect_error("a: 1\n\tb: 2\n", "line 2: ");
	expect_error("a: [1, 2\nb: 3\n", "line 2: ");
	expect_error("a: 'x\n", "(begun in line 1)");
	expect_error("a: @x\n", "tabs cannot indent");
	expect_error("a: \x01\n", "byte 3: ");
	expect_error("a: \xff\n", "byte 3: ");
}

/* One map inside the other: the root is a level of its own. */
static void nested(struct buf *text, unsigned levels)
{
	for (unsigned i = 0; i < levels; i++)
		buf_str(text, "{a: ");
	buf_ch(text, '1');
	for (unsigned i = 0; i < levels; i++)
		buf_ch(text, '}');
}

Test(yamltree, reads_up_to_the_permitted_depth)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	nested(&text, TREE_DEPTH_MAX - 1);
	struct tree tree = { 0 };
	cr_assert_eq(yamltree_parse(text.data, text.len, &tree, NULL, NULL), 0);
	tree_done(&tree);
	buf_clear(&text);
	nested(&text, TREE_DEPTH_MAX);
	expect_error(text.data, "nested deeper than 32 levels");
	buf_clear(&text);
	nested(&text, 5000);
	expect_error(text.data, "nested deeper");
}

Test(yamltree, stops_aliases_that_multiply)
{
	expect_error("a: &a [x, x, x, x, x, x, x, x, x, x]\n"
		     "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
		     "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
		     "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
		     "e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n",
		     "more than 20000 values");
}

Test(yamltree, refuses_more_than_a_megabyte)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree tree = { 0 };
	struct err err = { 0 };

	buf_str(&text, "a: 1\n#");
	while (text.len < YAMLTREE_SIZE_MAX)
		buf_ch(&text, 'x');
	cr_assert_eq(yamltree_parse(text.data, text.len, &tree, NULL, &err), 0);
	tree_done(&tree);
	buf_ch(&text, 'x');
	cr_assert_lt(yamltree_parse(text.data, text.len, &tree, NULL, &err), 0);
	cr_assert_str_eq(err.msg, "1048577 bytes; at most 1048576 are read");
}
