/* SPDX-License-Identifier: PostgreSQL */
/*
 * node - shorthands for asking and building trees
 */
#include "cli/node.h"

#include "base/parse.h"

const char *node_text(const struct tree_node *map, const char *key)
{
	const struct tree_node *node = map != NULL ? tree_child(map, key) : NULL;

	if (node == NULL || !tree_is_scalar(node) || node->type == TREE_NULL)
		return NULL;
	return node->text;
}

const char *node_str(const struct tree_node *map, const char *key)
{
	const char *text = node_text(map, key);

	return text != NULL ? text : "";
}

bool node_int(const struct tree_node *map, const char *key, int64_t *ret)
{
	const struct tree_node *node = map != NULL ? tree_child(map, key) : NULL;

	if (node == NULL || node->type != TREE_INT)
		return false;
	*ret = node->num;
	return true;
}

bool node_bool(const struct tree_node *map, const char *key, bool fallback)
{
	const char *text = node_text(map, key);
	bool flag;

	if (text == NULL || parse_bool(text, &flag, NULL) < 0)
		return fallback;
	return flag;
}

bool node_truthy(const struct tree_node *map, const char *key)
{
	const struct tree_node *node = map != NULL ? tree_child(map, key) : NULL;

	if (node == NULL)
		return false;
	switch (node->type) {
	case TREE_NULL:
		return false;
	case TREE_BOOL:
		return node->flag;
	case TREE_INT:
		return node->num != 0;
	case TREE_FLOAT:
		return !str_eq(node->text, "0.0");
	case TREE_STRING:
		return *node->text != '\0';
	case TREE_MAP:
	case TREE_LIST:
		return node->first != NULL;
	case TREE__MAX:
		break;
	}
	return false;
}

struct tree_node *node_add(struct tree *tree, struct tree_node *parent, const char *key,
			   enum tree_type type)
{
	struct tree_node *node;

	if (tree_add(tree, parent, key, type, 0, &node, NULL) < 0)
		return NULL;
	return node;
}

void node_add_text(struct tree *tree, struct tree_node *parent, const char *key,
		   const char *text)
{
	struct tree_node *node = node_add(tree, parent, key, TREE_STRING);

	if (node != NULL)
		tree_set_text(node, text, strlen(text));
}

void node_add_int(struct tree *tree, struct tree_node *parent, const char *key, int64_t number)
{
	struct tree_node *node = node_add(tree, parent, key, TREE_INT);

	if (node == NULL)
		return;
	node->num = number;
	node->text = str_dupf("%lld", (long long)number);
}

void node_add_bool(struct tree *tree, struct tree_node *parent, const char *key, bool flag)
{
	struct tree_node *node = node_add(tree, parent, key, TREE_BOOL);

	if (node == NULL)
		return;
	node->flag = flag;
	node->text = str_dup(flag ? "True" : "False");
}

void node_add_copy(struct tree *tree, struct tree_node *parent, const char *key,
		   const struct tree_node *source)
{
	struct tree_node *copy;

	(void)tree_copy(tree, parent, key, source, &copy, NULL);
}
