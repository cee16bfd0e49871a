/* SPDX-License-Identifier: PostgreSQL */
/*
 * treejson - JSON text to tree and back
 *
 * Both ways with a bounded stack instead of recursion.
 */
#include "wire/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/jtext.h"

static void json_putp(json_t **jsonp)
{
	json_decref(*jsonp);
}

static void add_json_string(struct buf *text, const char *s)
{
	_cleanup_(json_putp) json_t *value = json_string(s);
	_cleanup_(freep) char *dump = NULL;

	/* json_string() refuses bytes that are not UTF-8; the reader then gets an empty string. */
	if (value != NULL)
		dump = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	buf_str(text, dump != NULL ? dump : "\"\"");
}

/* JSON knows neither a leading or trailing dot, nor infinity: those travel as strings. */
static void add_float(struct buf *text, const char *s)
{
	_cleanup_(json_putp) json_t *value = json_loads(s, JSON_DECODE_ANY, NULL);

	if (value != NULL && json_is_number(value))
		buf_str(text, s);
	else
		add_json_string(text, s);
}

static void add_value(struct buf *text, const struct tree_node *node)
{
	switch (node->type) {
	case TREE_NULL:
		buf_str(text, "null");
		return;
	case TREE_BOOL:
		buf_str(text, node->flag ? "true" : "false");
		return;
	case TREE_INT:
		buf_printf(text, "%lld", (long long)node->num);
		return;
	case TREE_FLOAT:
		add_float(text, node->text);
		return;
	case TREE_STRING:
		add_json_string(text, node->text);
		return;
	case TREE_MAP:
		buf_ch(text, '{');
		return;
	case TREE_LIST:
		buf_ch(text, '[');
		return;
	case TREE__MAX:
		return;
	}
}

static void close_node(struct buf *text, const struct tree_node *node)
{
	if (node->type == TREE_MAP)
		buf_ch(text, '}');
	if (node->type == TREE_LIST)
		buf_ch(text, ']');
}

void tree_to_json(const struct tree_node *root, struct buf *ret_text)
{
	const struct tree_node *node = root;

	if (root == NULL) {
		buf_str(ret_text, "null");
		return;
	}
	for (;;) {
		if (node != root && node->key != NULL) {
			add_json_string(ret_text, node->key);
			buf_ch(ret_text, ':');
		}
		add_value(ret_text, node);
		if (node->first != NULL) {
			node = node->first;
			continue;
		}
		close_node(ret_text, node);
		while (node != root && node->next == NULL) {
			node = node->parent;
			close_node(ret_text, node);
		}
		if (node == root)
			return;
		buf_ch(ret_text, ',');
		node = node->next;
	}
}

static enum tree_type type_of_json(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return TREE_MAP;
	case JSON_ARRAY:
		return TREE_LIST;
	case JSON_STRING:
		return TREE_STRING;
	case JSON_INTEGER:
		return TREE_INT;
	case JSON_REAL:
		return TREE_FLOAT;
	case JSON_TRUE:
	case JSON_FALSE:
		return TREE_BOOL;
	case JSON_NULL:
		return TREE_NULL;
	}
	return TREE_NULL;
}

/* As few digits as read back as the same number: the document is written again as it was. */
static char *real_text(double value)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return str_dup(text);
}

static int add_json(struct tree *tree, struct tree_node *parent, const char *key,
		    const json_t *value, struct tree_node **ret, struct err *err)
{
	struct tree_node *node;
	int r;

	r = tree_add(tree, parent, key, type_of_json(value), 0, &node, err);
	if (r < 0)
		return r;
	if (node->type == TREE_STRING)
		node->text = str_dup(json_string_value(value));
	if (node->type == TREE_FLOAT)
		node->text = real_text(json_real_value(value));
	if (node->type == TREE_INT) {
		node->num = json_integer_value(value);
		node->text = str_dupf("%lld", (long long)node->num);
	}
	if (node->type == TREE_BOOL) {
		node->flag = json_is_true(value);
		node->text = str_dup(node->flag ? "True" : "False");
	}
	*ret = node;
	return 0;
}

/* One open object or array of the walk. */
struct level {
	const json_t *value;
	struct tree_node *node;
	void *iter;   /* of an object: the member to come */
	size_t index; /* of an array: the item to come */
};

static const json_t *next_child(struct level *level, const char **ret_key)
{
	const json_t *child;

	*ret_key = NULL;
	if (level->node->type == TREE_LIST)
		return json_array_get(level->value, level->index++);
	if (level->iter == NULL)
		return NULL;
	*ret_key = json_object_iter_key(level->iter);
	child = json_object_iter_value(level->iter);
	level->iter = json_object_iter_next((json_t *)level->value, level->iter);
	return child;
}

static struct level open_level(const json_t *value, struct tree_node *node)
{
	struct level level = { .value = value, .node = node };

	if (node->type == TREE_MAP)
		level.iter = json_object_iter((json_t *)value);
	return level;
}

static int fill(struct tree *tree, const json_t *root, struct err *err)
{
	struct level stack[TREE_DEPTH_MAX];
	struct tree_node *node;
	size_t n = 0;
	int r;

	r = add_json(tree, NULL, NULL, root, &node, err);
	if (r < 0)
		return r;
	stack[n++] = open_level(root, node);
	while (n > 0) {
		const char *key;
		const json_t *child = next_child(&stack[n - 1], &key);

		if (child == NULL) {
			n--;
			continue;
		}
		/* tree_add() refuses what is too deep, before the stack is full. */
		r = add_json(tree, stack[n - 1].node, key, child, &node, err);
		if (r < 0)
			return r;
		if (node->type == TREE_MAP || node->type == TREE_LIST)
			stack[n++] = open_level(child, node);
	}
	return 0;
}

int tree_from_json(const char *json, size_t len, struct tree *ret, struct err *err)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(json_putp) json_t *root = NULL;
	json_error_t where;
	int r = jtext_check_depth(json, len, err);

	if (r < 0)
		return r;
	root = json_loadb(json, len, 0, &where);
	if (root == NULL)
		return err_set(err, ERR_PARSE, "not JSON: %s", where.text);
	r = fill(&tree, root, err);
	if (r < 0)
		return r;
	*ret = tree;
	tree = (struct tree){ 0 };
	return 0;
}
