/* SPDX-License-Identifier: PostgreSQL */
/*
 * tree - a configuration document in memory, with the line of every value
 */
#include "wire/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void tree_done(struct tree *tree)
{
	struct tree_node *node;

	if (tree == NULL)
		return;
	node = tree->chain;
	while (node != NULL) {
		struct tree_node *next = node->chain;

		free(node->key);
		free(node->text);
		free(node->raw);
		free(node);
		node = next;
	}
	*tree = (struct tree){ 0 };
}

/* Lines start at 1; what came from no file has none. */
static int too_much(int line, const char *more, int max, const char *of, struct err *err)
{
	int r = err_set(err, ERR_RANGE, "%s than %d %s", more, max, of);

	if (line > 0)
		(void)err_wrap(err, "line %d", line);
	return r;
}

int tree_add(struct tree *tree, struct tree_node *parent, const char *key, enum tree_type type,
	     int line, struct tree_node **ret, struct err *err)
{
	struct tree_node *node;

	if (tree->nnodes >= TREE_NODES_MAX)
		return too_much(line, "more", TREE_NODES_MAX, "values", err);
	if (parent != NULL && parent->depth + 1 >= TREE_DEPTH_MAX)
		return too_much(line, "nested deeper", TREE_DEPTH_MAX, "levels", err);

	node = mem_new(1, sizeof(*node));
	node->type = type;
	node->line = line;
	node->key = str_dup(key);
	node->chain = tree->chain;
	tree->chain = node;
	tree->nnodes++;
	*ret = node;

	if (parent == NULL) {
		tree->root = node;
		return 0;
	}
	node->parent = parent;
	node->depth = parent->depth + 1;
	if (parent->last != NULL)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	return 0;
}

void tree_unlink(struct tree_node *node)
{
	struct tree_node *parent = node->parent;
	struct tree_node *before = NULL;
	struct tree_node *it;

	if (parent == NULL)
		return;
	for (it = parent->first; it != NULL && it != node; it = it->next)
		before = it;
	if (before != NULL)
		before->next = node->next;
	else
		parent->first = node->next;
	if (parent->last == node)
		parent->last = before;
	node->parent = NULL;
	node->next = NULL;
}

void tree_set_text(struct tree_node *node, const char *text, size_t len)
{
	free(node->text);
	node->text = str_ndup(text, len);
}

const struct tree_node *tree_skip(const struct tree_node *root, const struct tree_node *node)
{
	while (node != root) {
		if (node->next != NULL)
			return node->next;
		node = node->parent;
	}
	return NULL;
}

const struct tree_node *tree_next(const struct tree_node *root, const struct tree_node *node)
{
	if (node->first != NULL)
		return node->first;
	return tree_skip(root, node);
}

static int copy_one(struct tree *tree, struct tree_node *parent, const char *key,
		    const struct tree_node *src, struct tree_node **ret, struct err *err)
{
	struct tree_node *node;
	int r;

	r = tree_add(tree, parent, key, src->type, src->line, &node, err);
	if (r < 0)
		return r;
	node->flag = src->flag;
	node->num = src->num;
	node->text = str_dup(src->text);
	node->raw = str_dup(src->raw);
	*ret = node;
	return 0;
}

int tree_copy(struct tree *tree, struct tree_node *parent, const char *key,
	      const struct tree_node *src, struct tree_node **ret, struct err *err)
{
	const struct tree_node *from = src;
	struct tree_node *top;
	struct tree_node *to;
	int r;

	r = copy_one(tree, parent, key != NULL ? key : src->key, src, &top, err);
	if (r < 0)
		return r;
	to = top;
	/* `to` walks the copy in step with `from`: down with a first child, along with a
	 * sibling, up when there is neither. */
	for (;;) {
		if (from->first != NULL) {
			from = from->first;
		} else {
			while (from != src && from->next == NULL) {
				from = from->parent;
				to = to->parent;
			}
			if (from == src)
				break;
			from = from->next;
			to = to->parent;
		}
		r = copy_one(tree, to, from->key, from, &to, err);
		if (r < 0)
			return r;
	}
	*ret = top;
	return 0;
}

static struct tree_node *child_mutable(struct tree_node *map, const char *key, size_t len)
{
	struct tree_node *it;

	for (it = map->first; it != NULL; it = it->next)
		if (it->key != NULL && strlen(it->key) == len && memcmp(it->key, key, len) == 0)
			return it;
	return NULL;
}

int tree_put(struct tree *tree, const char *path, enum tree_type type, int line,
	     struct tree_node **ret, struct err *err)
{
	struct tree_node *at = tree->root;
	int r;

	if (at == NULL) {
		r = tree_add(tree, NULL, NULL, TREE_MAP, line, &at, err);
		if (r < 0)
			return r;
	}
	for (;;) {
		size_t len = strcspn(path, ".");
		bool is_last = path[len] == '\0';
		struct tree_node *old = child_mutable(at, path, len);
		_cleanup_(freep) char *key = str_ndup(path, len);

		if (old != NULL && (is_last || old->type != TREE_MAP)) {
			tree_unlink(old);
			old = NULL;
		}
		if (old == NULL) {
			r = tree_add(tree, at, key, is_last ? type : TREE_MAP, line, &old, err);
			if (r < 0)
				return r;
		}
		at = old;
		if (is_last)
			break;
		path += len + 1;
	}
	*ret = at;
	return 0;
}

/* One key of a map that is laid over another: true where both are maps, to be merged in turn. */
static int patch_one(struct tree *tree, struct tree_node *dst, const struct tree_node *src,
		     struct tree_node **ret_both, struct err *err)
{
	struct tree_node *old = child_mutable(dst, src->key, strlen(src->key));

	*ret_both = NULL;
	if (old != NULL && old->type == TREE_MAP && src->type == TREE_MAP) {
		*ret_both = old;
		return 0;
	}
	if (old != NULL)
		tree_unlink(old);
	return src->type == TREE_NULL ? 0 : tree_copy(tree, dst, NULL, src, &old, err);
}

int tree_patch(struct tree *tree, const struct tree_node *src, struct err *err)
{
	struct {
		struct tree_node *dst;
		const struct tree_node *next;
	} levels[TREE_DEPTH_MAX];
	size_t n = 0;

	levels[n].dst = tree->root;
	levels[n++].next = src->first;
	while (n > 0) {
		const struct tree_node *at = levels[n - 1].next;
		struct tree_node *both;
		int r;

		if (at == NULL) {
			n--;
			continue;
		}
		levels[n - 1].next = at->next;
		r = patch_one(tree, levels[n - 1].dst, at, &both, err);
		if (r < 0)
			return r;
		if (both == NULL)
			continue;
		assert(n < TREE_DEPTH_MAX);
		levels[n].dst = both;
		levels[n++].next = at->first;
	}
	return 0;
}

const struct tree_node *tree_child(const struct tree_node *map, const char *key)
{
	const struct tree_node *it;

	if (map == NULL || map->type != TREE_MAP)
		return NULL;
	for (it = map->first; it != NULL; it = it->next)
		if (!it->bad && it->key != NULL && str_eq(it->key, key))
			return it;
	return NULL;
}

const struct tree_node *tree_find(const struct tree_node *root, const char *path)
{
	char part[TREE_PATH_SIZE];

	while (root != NULL) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(part))
			return NULL;
		memcpy(part, path, len);
		part[len] = '\0';
		root = tree_child(root, part);
		if (path[len] == '\0')
			break;
		path += len + 1;
	}
	return root;
}

static void path_part(const struct tree_node *node, char *dst, size_t size)
{
	const struct tree_node *it;
	unsigned index = 0;

	if (node->key != NULL) {
		str_clip(dst, size, node->key);
		return;
	}
	for (it = node->parent != NULL ? node->parent->first : NULL; it != NULL && it != node;
	     it = it->next)
		index++;
	str_printf(dst, size, "[%u]", index);
}

void tree_path(const struct tree_node *root, const struct tree_node *node,
	       char ret_path[TREE_PATH_SIZE])
{
	const struct tree_node *up[TREE_DEPTH_MAX];
	char part[TREE_PATH_SIZE];
	size_t n = 0;
	size_t len = 0;

	for (; node != root && node != NULL && n < ARRAY_LEN(up); node = node->parent)
		up[n++] = node;
	ret_path[0] = '\0';
	while (n > 0) {
		const struct tree_node *at = up[--n];

		path_part(at, part, sizeof(part));
		if (len > 0 && at->key != NULL && len + 1 < TREE_PATH_SIZE)
			ret_path[len++] = '.';
		str_clip(ret_path + len, TREE_PATH_SIZE - len, part);
		len += strlen(ret_path + len);
	}
}

bool tree_is_scalar(const struct tree_node *node)
{
	return node != NULL && node->type != TREE_MAP && node->type != TREE_LIST &&
	       node->type != TREE_NULL;
}

const char *tree_type_name(enum tree_type type)
{
	static const char *const names[TREE__MAX] = {
		[TREE_NULL] = "nothing",   [TREE_BOOL] = "a boolean",
		[TREE_INT] = "a number",   [TREE_FLOAT] = "a fraction",
		[TREE_STRING] = "a text",  [TREE_MAP] = "a map of keys",
		[TREE_LIST] = "a list",
	};

	return names[type];
}
