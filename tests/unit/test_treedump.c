/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_treedump - YAML and JSON as PyYAML and Python write them
 */
#include <criterion/criterion.h>

#include "wire/treedump.h"

static void check_yaml(const char *json, bool flow, const char *expected)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };

	cr_assert_eq(tree_from_json(json, strlen(json), &tree, NULL), 0);
	treedump_yaml(tree.root, flow, &text);
	cr_assert_str_eq(text.data, expected);
}

static void check_json(const char *json, const char *expected)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };

	cr_assert_eq(tree_from_json(json, strlen(json), &tree, NULL), 0);
	treedump_json(tree.root, &text);
	cr_assert_str_eq(text.data, expected);
}

Test(treedump, sorts_keys_and_does_not_indent_lists)
{
	check_yaml("{\"ttl\":20,\"postgresql\":{\"use_pg_rewind\":true,\"pg_hba\":"
		   "[\"host all all 0.0.0.0/0 md5\",\"local all all peer\"]},\"pause\":null}",
		   false,
		   "pause: null\n"
		   "postgresql:\n"
		   "  pg_hba:\n"
		   "  - host all all 0.0.0.0/0 md5\n"
		   "  - local all all peer\n"
		   "  use_pg_rewind: true\n"
		   "ttl: 20\n");
}

Test(treedump, writes_a_list_of_maps_as_a_block)
{
	check_yaml("[{\"b\":1,\"a\":{\"c\":\"d\"}},{\"a\":[]}]", false,
		   "- a:\n    c: d\n  b: 1\n- a: []\n");
}

Test(treedump, writes_flow_maps_on_one_line)
{
	check_yaml("{\"mytag\":\"Abc\",\"clonefrom\":true}", true,
		   "{clonefrom: true, mytag: Abc}\n");
}

Test(treedump, writes_empty_collections_in_brackets)
{
	check_yaml("{}", false, "{}\n");
	check_yaml("[]", false, "[]\n");
}

Test(treedump, quotes_texts_that_would_mean_something_else)
{
	check_yaml("[\"on\",\"no\",\"null\",\"\",\"10\",\"017\",\"1.5\",\"12345678901234567890\"]",
		   false,
		   "- 'on'\n- 'no'\n- 'null'\n- ''\n- '10'\n- '017'\n- '1.5'\n"
		   "- '12345678901234567890'\n");
	check_yaml("[\"2026-11-21T06:02:38.763986+00:00\",\"2026-11-21\",\"=\",\"a: b\",\"a #b\"]",
		   false,
		   "- '2026-11-21T06:02:38.763986+00:00'\n- '2026-11-21'\n- '='\n- 'a: b'\n"
		   "- 'a #b'\n");
}

Test(treedump, leaves_texts_plain_that_only_look_like_numbers)
{
	check_yaml("[\"08\",\"_1\",\"0o17\",\"1e5\",\"16MB\",\"0/4042DD8\",\"2001-1-1\",\"oN\"]",
		   false,
		   "- 08\n- _1\n- 0o17\n- 1e5\n- 16MB\n- 0/4042DD8\n- 2001-1-1\n- oN\n");
}

Test(treedump, writes_floats_as_python_does)
{
	check_yaml("[1.5,100.0,1e20]", false, "- 1.5\n- 100.0\n- 1.0e+20\n");
	check_json("[1.5,100.0]", "[1.5, 100.0]");
}

Test(treedump, writes_json_on_one_line_with_blanks)
{
	check_json("{\"b\":[1,{\"x\":null}],\"a\":true,\"e\":{},\"l\":[]}",
		   "{\"b\": [1, {\"x\": null}], \"a\": true, \"e\": {}, \"l\": []}");
}

Test(treedump, escapes_what_is_not_ascii_in_json_only)
{
	check_json("[\"\303\251\\\\u00C9 \\n\"]", "[\"\\u00e9\\\\u00C9 \\n\"]");
	check_yaml("[\"\303\251\"]", false, "- \303\251\n");
}

Test(treedump, shows_bytes_that_are_not_utf8_as_question_marks)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf yaml = { 0 };
	struct tree_node *root, *node;

	cr_assert_eq(tree_add(&tree, NULL, NULL, TREE_MAP, 0, &root, NULL), 0);
	cr_assert_eq(tree_add(&tree, root, "a\377", TREE_STRING, 0, &node, NULL), 0);
	tree_set_text(node, "\302x", 2);
	treedump_yaml(tree.root, false, &yaml);
	cr_assert_str_eq(yaml.data, "a?: ?x\n");
}

Test(treedump, takes_a_scalar_or_nothing_for_the_root)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	treedump_json(NULL, &text);
	cr_assert_str_eq(text.data, "null");
}
