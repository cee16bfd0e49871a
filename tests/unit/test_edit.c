/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_edit - changes to the dynamic configuration
 */
#include <criterion/criterion.h>

#include "cli/edit.h"

static void load(struct tree *config, const char *json)
{
	cr_assert_eq(tree_from_json(json, strlen(json), config, NULL), 0);
}

static void check(const struct tree *config, const char *expected)
{
	_cleanup_(buf_done) struct buf json = { 0 };

	tree_to_json(config->root, &json);
	cr_assert_str_eq(json.data, expected);
}

static void set(const char *before, const char *assignment, const char *after)
{
	_cleanup_(tree_done) struct tree config = { 0 };
	struct err err = { 0 };

	load(&config, before);
	cr_assert_eq(edit_set(&config, assignment, &err), 0, "%s", err.msg);
	check(&config, after);
}

Test(edit, sets_a_value_with_its_yaml_type)
{
	set("{\"ttl\":20}", "ttl=30", "{\"ttl\":30}");
	set("{}", "ttl='30'", "{\"ttl\":\"30\"}");
	set("{}", "pause=on", "{\"pause\":true}");
	set("{}", " a = b c ", "{\"a\":\"b c\"}");
	set("{}", "slots={a: {type: physical}, b: 0}",
	    "{\"slots\":{\"a\":{\"type\":\"physical\"},\"b\":0}}");
	set("{}", "l=[1, x]", "{\"l\":[1,\"x\"]}");
	set("{}", "x=a=b", "{\"x\":\"a=b\"}");
}

Test(edit, makes_the_maps_on_the_way_and_replaces_what_is_no_map)
{
	set("{}", "a.b.c=1", "{\"a\":{\"b\":{\"c\":1}}}");
	set("{\"a\":5}", "a.b=1", "{\"a\":{\"b\":1}}");
	set("{\"a\":{\"x\":1}}", "a.b=2", "{\"a\":{\"x\":1,\"b\":2}}");
}

Test(edit, keeps_dots_in_the_names_of_parameters)
{
	set("{}", "postgresql.parameters.pg_stat_statements.max=100",
	    "{\"postgresql\":{\"parameters\":{\"pg_stat_statements.max\":100}}}");
	set("{\"postgresql\":{\"parameters\":{\"a.b\":1,\"c\":2}}}",
	    "postgresql.parameters.a.b=null", "{\"postgresql\":{\"parameters\":{\"c\":2}}}");
}

Test(edit, removes_with_null_and_takes_empty_maps_along)
{
	set("{\"ttl\":20,\"x\":1}", "x=null", "{\"ttl\":20}");
	set("{\"a\":{\"b\":{\"c\":1}},\"d\":2}", "a.b.c=null", "{\"d\":2}");
	set("{\"a\":{\"b\":{\"c\":1},\"e\":3}}", "a.b.c=", "{\"a\":{\"e\":3}}");
	set("{\"d\":2}", "a.b.c=null", "{\"d\":2}");
	set("{\"d\":2}", "d=null", "{}");
}

Test(edit, refuses_what_is_no_assignment)
{
	const char *const texts[] = { "ttl", "=5", ".a=1", "a.=1", "a..b=1", "  =1",
				      "a\377=1", "a\nb=1" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(tree_done) struct tree config = { 0 };
		struct err err = { 0 };

		load(&config, "{}");
		cr_assert_lt(edit_set(&config, texts[i], &err), 0, "%s", texts[i]);
		cr_assert(strstr(err.msg, "Invalid parameter setting"), "%s", err.msg);
	}
}

Test(edit, refuses_a_value_that_is_no_yaml)
{
	_cleanup_(tree_done) struct tree config = { 0 };
	struct err err = { 0 };

	load(&config, "{\"ttl\":20}");
	cr_assert_lt(edit_set(&config, "ttl={a: [", &err), 0);
	cr_assert(strstr(err.msg, "ttl"), "%s", err.msg);
	check(&config, "{\"ttl\":20}");
}

Test(edit, refuses_a_path_that_is_too_deep)
{
	_cleanup_(tree_done) struct tree config = { 0 };
	_cleanup_(buf_done) struct buf path = { 0 };

	for (int i = 0; i < TREE_DEPTH_MAX; i++)
		buf_str(&path, "a.");
	buf_str(&path, "b=1");
	load(&config, "{}");
	cr_assert_lt(edit_set(&config, path.data, NULL), 0);
}

Test(edit, applies_a_file_like_a_patch)
{
	static const char yaml[] = "ttl: 30\npause: null\npostgresql:\n  parameters:\n    work_mem: 6MB\n";
	_cleanup_(tree_done) struct tree config = { 0 };
	struct err err = { 0 };

	load(&config, "{\"ttl\":20,\"pause\":true,\"postgresql\":{\"use_slots\":true}}");
	cr_assert_eq(edit_apply(&config, yaml, strlen(yaml), &err), 0, "%s", err.msg);
	check(&config, "{\"ttl\":30,\"postgresql\":{\"use_slots\":true,\"parameters\":"
		       "{\"work_mem\":\"6MB\"}}}");
}

Test(edit, leaves_the_configuration_alone_when_the_file_is_bad)
{
	_cleanup_(tree_done) struct tree config = { 0 };

	load(&config, "{\"ttl\":20}");
	cr_assert_lt(edit_apply(&config, "- a\n", 4, NULL), 0);
	cr_assert_lt(edit_apply(&config, "a: [", 4, NULL), 0);
	check(&config, "{\"ttl\":20}");
}

Test(edit, reads_an_empty_text_as_an_empty_map)
{
	_cleanup_(tree_done) struct tree config = { 0 };

	cr_assert_eq(edit_parse("", 0, &config, NULL), 0);
	check(&config, "{}");
}
