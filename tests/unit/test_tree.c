/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tree - a configuration document in memory
 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "wire/tree.h"

static void read_json(const char *json, struct tree *ret)
{
	struct err err = { 0 };

	cr_assert_eq(tree_from_json(json, strlen(json), ret, &err), 0, "%s", err.msg);
}

static void expect_same(const char *json)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };

	read_json(json, &tree);
	tree_to_json(tree.root, &text);
	cr_assert_str_eq(text.data, json);
}

Test(tree, writes_json_as_it_was_read)
{
	expect_same("{}");
	expect_same("[]");
	expect_same("{\"a\":{},\"b\":[],\"c\":[[],{}],\"d\":null}");
	expect_same("{\"a\":[1,-2,true,false,null,\"x\",{\"b\":{\"c\":[3]}}],\"z\":1.5}");
	expect_same("[0.1,1e+20,12345678.12345679,1.2345678901234568e+17]");
	expect_same("{\"a\":\"\\u00E9\\uD83D\\uDE00 \\\" \\\\ \\n\"}");
}

Test(tree, refuses_json_that_is_broken_or_too_deep)
{
	static const char *const bad[] = { "", "{", "5", "{\"a\":}", "[1,]", "nul" };
	_cleanup_(buf_done) struct buf deep = { 0 };
	struct tree tree = { 0 };
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(tree_from_json(bad[i], strlen(bad[i]), &tree, &err), 0, "%s", bad[i]);
	for (int i = 0; i < 100; i++)
		buf_ch(&deep, '[');
	for (int i = 0; i < 100; i++)
		buf_ch(&deep, ']');
	cr_assert_lt(tree_from_json(deep.data, deep.len, &tree, &err), 0);
	cr_assert(strstr(err.msg, "nested deeper") != NULL);
	cr_assert_null(tree.root);
}

static void *read_deep(void *text)
{
	struct tree tree = { 0 };
	struct buf *deep = text;

	cr_assert_eq(tree_from_json(deep->data, deep->len, &tree, NULL), -ERR_RANGE);
	return NULL;
}

/* As a client of the REST server may send it, whose thread has a small stack. */
Test(tree, needs_no_stack_for_json_that_is_too_deep)
{
	_cleanup_(buf_done) struct buf deep = { 0 };
	pthread_attr_t attr;
	pthread_t thread;

	for (int i = 0; i < 2000; i++)
		buf_str(&deep, "{\"a\":[");
	pthread_attr_init(&attr);
	cr_assert_eq(pthread_attr_setstacksize(&attr, 64 * 1024), 0);
	cr_assert_eq(pthread_create(&thread, &attr, read_deep, &deep), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
}

Test(tree, finds_values_by_their_path)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	char path[TREE_PATH_SIZE];

	read_json("{\"a\":{\"b\":{\"c\":7}},\"d\":[1,{\"e\":2}]}", &tree);
	cr_assert_eq(tree_find(tree.root, "a.b.c")->num, 7);
	cr_assert_null(tree_find(tree.root, "a.b.x"));
	cr_assert_null(tree_find(tree.root, "a.b.c.d"));
	cr_assert_null(tree_find(NULL, "a"));
	tree_path(tree.root, tree_find(tree.root, "a.b.c"), path);
	cr_assert_str_eq(path, "a.b.c");
	tree_path(tree.root, tree_find(tree.root, "d")->last->first, path);
	cr_assert_str_eq(path, "d[1].e");
}

Test(tree, passes_over_what_a_check_refused)
{
	_cleanup_(tree_done) struct tree tree = { 0 };

	read_json("{\"a\":1}", &tree);
	tree.root->first->bad = true;
	cr_assert_null(tree_find(tree.root, "a"));
}

Test(tree, walks_every_value_once_and_in_order)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf seen = { 0 };
	const struct tree_node *node;

	read_json("{\"a\":{\"b\":1},\"c\":2,\"d\":{\"e\":{\"f\":3}},\"g\":4}", &tree);
	for (node = tree_next(tree.root, tree.root); node != NULL;
	     node = tree_next(tree.root, node))
		buf_str(&seen, node->key);
	cr_assert_str_eq(seen.data, "abcdefg");
	buf_clear(&seen);
	for (node = tree.root->first; node != NULL; node = tree_skip(tree.root, node))
		buf_str(&seen, node->key);
	cr_assert_str_eq(seen.data, "acdg");
}

Test(tree, puts_a_value_in_place_of_the_old_one)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree_node *node;

	cr_assert_eq(tree_put(&tree, "a.b.c", TREE_STRING, 0, &node, NULL), 0);
	tree_set_text(node, "old", 3);
	cr_assert_eq(tree_put(&tree, "a.b.c", TREE_STRING, 0, &node, NULL), 0);
	tree_set_text(node, "new", 3);
	cr_assert_eq(tree_put(&tree, "a.d", TREE_NULL, 0, &node, NULL), 0);
	/* A scalar in the way gives way to a map. */
	cr_assert_eq(tree_put(&tree, "a.d.e", TREE_NULL, 0, &node, NULL), 0);
	tree_to_json(tree.root, &text);
	cr_assert_str_eq(text.data, "{\"a\":{\"b\":{\"c\":\"new\"},\"d\":{\"e\":null}}}");
}

Test(tree, copies_a_whole_subtree)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree_node *copy;

	read_json("{\"a\":{\"b\":[1,[2,{\"c\":3}],4],\"d\":\"x\"}}", &tree);
	cr_assert_eq(tree_copy(&tree, tree.root, "z", tree_find(tree.root, "a"), &copy, NULL), 0);
	tree_to_json(copy, &text);
	cr_assert_str_eq(text.data, "{\"b\":[1,[2,{\"c\":3}],4],\"d\":\"x\"}");
	cr_assert_str_eq(copy->key, "z");
}
