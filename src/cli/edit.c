/* SPDX-License-Identifier: PostgreSQL */
/*
 * edit - changes to the dynamic configuration
 */
#include "cli/edit.h"

#include <ctype.h>
#include <stdlib.h>

#include "wire/restmsg.h"
#include "wire/yamltree.h"

#define PARAMETERS "postgresql.parameters."

void edit_empty(struct tree *ret)
{
	struct tree_node *root;

	*ret = (struct tree){ 0 };
	(void)tree_add(ret, NULL, NULL, TREE_MAP, 0, &root, NULL);
}

/* The value alone is no map, which the parser wants: it is given one, and indented so that
 * several lines remain one value. */
static int parse_value(const char *text, struct tree *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf yaml = { 0 };
	int r;

	buf_str(&yaml, "value:\n  ");
	for (; *text != '\0'; text++) {
		buf_ch(&yaml, *text);
		if (*text == '\n')
			buf_str(&yaml, "  ");
	}
	buf_ch(&yaml, '\n');
	r = yamltree_parse(yaml.data, yaml.len, ret, NULL, err);
	if (r < 0)
		return err_wrap(err, "value");
	return 0;
}

/* The map below `map` by this name, made where there is none. Lookups are const; the node is
 * ours to change. */
static struct tree_node *enter(struct tree *config, struct tree_node *map, const char *key)
{
	struct tree_node *child = (struct tree_node *)tree_child(map, key);

	if (child != NULL && child->type == TREE_MAP)
		return child;
	if (child != NULL)
		tree_unlink(child);
	if (tree_add(config, map, key, TREE_MAP, 0, &child, NULL) < 0)
		return NULL;
	return child;
}

static int set_leaf(struct tree *config, struct tree_node *map, const char *key,
		    const struct tree_node *value, struct err *err)
{
	struct tree_node *old = (struct tree_node *)tree_child(map, key);
	struct tree_node *copy;

	if (old != NULL)
		tree_unlink(old);
	if (value != NULL && value->type != TREE_NULL)
		return tree_copy(config, map, key, value, &copy, err);
	/* Nothing is left of a section whose last key went. */
	while (map->first == NULL && map->parent != NULL) {
		struct tree_node *parent = map->parent;

		tree_unlink(map);
		map = parent;
	}
	return 0;
}

static int set_path(struct tree *config, char *path, const struct tree_node *value,
		    struct err *err)
{
	const bool is_parameter = str_starts(path, PARAMETERS);
	struct tree_node *map = config->root;
	const char *whole = path;

	for (;;) {
		const bool in_parameters = is_parameter && path == whole + strlen(PARAMETERS);
		char *dot = in_parameters ? NULL : strchr(path, '.');

		if (dot == NULL)
			return set_leaf(config, map, path, value, err);
		*dot = '\0';
		map = enter(config, map, path);
		if (map == NULL)
			return err_set(err, ERR_RANGE, "the path is nested too deeply");
		path = dot + 1;
	}
}

/* Bytes of a well-formed UTF-8 character at s; 0 when there is none. */
static size_t utf8_length(const char *s)
{
	const unsigned char c = (unsigned char)*s;
	const size_t len =
		c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if (((unsigned char)s[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

/* Dotted names without empty parts; what comes from a keyboard, not any bytes. */
static bool is_path(const char *path)
{
	if (*path == '\0' || *path == '.' || str_ends(path, ".") || strstr(path, "..") != NULL)
		return false;
	while (*path != '\0') {
		size_t len = utf8_length(path);

		if (len == 0 || (unsigned char)*path < 0x20)
			return false;
		path += len;
	}
	return true;
}

int edit_set(struct tree *config, const char *assignment, struct err *err)
{
	const char *equals = strchr(assignment, '=');
	_cleanup_(tree_done) struct tree value = { 0 };
	_cleanup_(freep) char *path = NULL;
	char *end;
	int r;

	if (equals == NULL)
		return err_set(err, ERR_PARSE, "Invalid parameter setting %s", assignment);
	while (isspace((unsigned char)*assignment))
		assignment++;
	path = str_ndup(assignment, (size_t)(equals - assignment));
	for (end = path + strlen(path); end > path && isspace((unsigned char)end[-1]); end--)
		end[-1] = '\0';
	if (!is_path(path))
		return err_set(err, ERR_PARSE, "Invalid parameter setting %s", assignment);
	r = parse_value(equals + 1, &value, err);
	if (r < 0)
		return err_wrap(err, "%s", path);
	return set_path(config, path, tree_child(value.root, "value"), err);
}

int edit_parse(const char *yaml, size_t len, struct tree *ret, struct err *err)
{
	int r;

	r = yamltree_parse(yaml, len, ret, NULL, err);
	if (r < 0)
		return r;
	if (ret->root == NULL)
		edit_empty(ret);
	return 0;
}

int edit_apply(struct tree *config, const char *yaml, size_t len, struct err *err)
{
	_cleanup_(tree_done) struct tree patch = { 0 };
	_cleanup_(tree_done) struct tree result = { 0 };
	_cleanup_(buf_done) struct buf old_json = { 0 };
	_cleanup_(buf_done) struct buf patch_json = { 0 };
	_cleanup_(freep) char *merged = NULL;
	bool changed;
	int r;

	r = edit_parse(yaml, len, &patch, err);
	if (r < 0)
		return r;
	tree_to_json(config->root, &old_json);
	tree_to_json(patch.root, &patch_json);
	merged = restmsg_config_merge(old_json.data, patch_json.data, &changed);
	if (merged == NULL)
		return err_set(err, ERR_PARSE, "the configuration cannot be changed this way");
	r = tree_from_json(merged, strlen(merged), &result, err);
	if (r < 0)
		return r;
	tree_done(config);
	*config = result;
	result = (struct tree){ 0 };
	return 0;
}
