/* SPDX-License-Identifier: PostgreSQL */
/*
 * confget - the value that counts for a key
 */
#include "wire/confget.h"

#include <assert.h>
#include <string.h>

#include "wire/confkeys.h"
#include "wire/confvalue.h"
#include "wire/yamlscalar.h"

#define POSTGRESQL "postgresql."

static bool is_given(const struct tree_node *node)
{
	return node != NULL && node->type != TREE_NULL;
}

/* The first two parts: "postgresql.callbacks" of "postgresql.callbacks.on_start". */
static const struct tree_node *find_setting(const struct tree_node *local, const char *path)
{
	char top[TREE_PATH_SIZE];
	size_t len = strlen(POSTGRESQL) + strcspn(path + strlen(POSTGRESQL), ".");

	if (str_copy(top, sizeof(top), path) < 0)
		return NULL;
	top[MIN_OF(len, strlen(top))] = '\0';
	return tree_find(local, top);
}

static const struct tree_node *find_exact(const struct confget *get, const struct confkey *key,
					  const char *path)
{
	bool is_both = (key->scope & CONF_LOCAL) && (key->scope & CONF_DYNAMIC);

	if (!(key->scope & CONF_DYNAMIC))
		return tree_find(get->local, path);
	if (!is_both)
		return tree_find(get->dynamic, path);
	if (str_starts(path, POSTGRESQL) && find_setting(get->local, path) != NULL)
		return tree_find(get->local, path);
	return tree_find(get->dynamic, path);
}

const struct tree_node *confget_node(const struct confget *get, const char *path)
{
	const struct confkey *key = confkeys_find(path);
	const struct confkey *alias;
	const struct tree_node *node;

	assert(key != NULL);
	node = find_exact(get, key, path);
	for (size_t i = 0; !is_given(node) && (alias = confkeys_at(i)) != NULL; i++)
		if (alias->alias_of != NULL && strcmp(alias->alias_of, path) == 0)
			node = find_exact(get, alias, alias->path);
	return is_given(node) ? node : NULL;
}

/* What counts: the value given, or the default read in the same way. A value that the check
 * refused leaves the default in force. */
static const struct tree_node *or_default(const struct confget *get, const struct confkey *key,
					  struct tree_node *dflt)
{
	const struct tree_node *node = confget_node(get, key->path);

	if (node != NULL && confvalue_check(key, node, NULL) == 0)
		return node;
	if (key->dflt == NULL)
		return NULL;
	yamlscalar_resolve(dflt, key->dflt);
	return dflt;
}

static void scalar_done(struct tree_node *node)
{
	freep(&node->text);
	freep(&node->raw);
}

bool confget_bool(const struct confget *get, const char *path)
{
	_cleanup_(scalar_done) struct tree_node dflt = { 0 };
	const struct confkey *key = confkeys_find(path);
	const struct tree_node *node = or_default(get, key, &dflt);
	bool value = false;

	if (node == NULL || confvalue_bool(key, node, &value, NULL) < 0)
		return false;
	return value;
}

int64_t confget_int(const struct confget *get, const char *path)
{
	_cleanup_(scalar_done) struct tree_node dflt = { 0 };
	const struct confkey *key = confkeys_find(path);
	const struct tree_node *node = or_default(get, key, &dflt);
	int64_t value = 0;

	if (node == NULL || confvalue_int(key, node, &value, NULL) < 0)
		return 0;
	return value;
}

unsigned confget_word(const struct confget *get, const char *path)
{
	_cleanup_(scalar_done) struct tree_node dflt = { 0 };
	const struct confkey *key = confkeys_find(path);
	const struct tree_node *node = or_default(get, key, &dflt);
	unsigned value = 0;

	if (node == NULL || confvalue_word(key, node, &value, NULL) < 0)
		return 0;
	return value;
}

char *confget_text(const struct confget *get, const char *path)
{
	const struct tree_node *node = confget_node(get, path);

	if (tree_is_scalar(node) && node->text[0] != '\0')
		return str_dup(node->text);
	return str_dup(confkeys_find(path)->dflt);
}

void confget_add_string(struct strings *strings, const char *text)
{
	strings->items = mem_grow(strings->items, strings->n + 1, sizeof(strings->items[0]));
	strings->items[strings->n++] = str_dup(text);
}

void confget_add_pair(struct pairs *pairs, const char *name, const char *value)
{
	struct pair pair = { .name = str_dup(name), .value = str_dup(value) };

	pairs->items = mem_grow(pairs->items, pairs->n + 1, sizeof(pairs->items[0]));
	pairs->items[pairs->n++] = pair;
}

static void split_commas(const char *text, struct strings *ret)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		size_t from = strspn(text, " \t");
		size_t to = len;
		_cleanup_(freep) char *part = NULL;

		while (to > from && (text[to - 1] == ' ' || text[to - 1] == '\t'))
			to--;
		if (to > from) {
			part = str_ndup(text + from, to - from);
			confget_add_string(ret, part);
		}
		text += len + (text[len] == ',');
	}
}

void confget_strings(const struct confget *get, const char *path, struct strings *ret)
{
	const struct tree_node *node = confget_node(get, path);
	const char *dflt = confkeys_find(path)->dflt;
	const struct tree_node *it;

	if (node == NULL && dflt != NULL)
		split_commas(dflt, ret);
	if (tree_is_scalar(node))
		split_commas(node->text, ret);
	for (it = node != NULL ? node->first : NULL; it != NULL; it = it->next)
		if (tree_is_scalar(it))
			confget_add_string(ret, it->text);
}

void confget_pairs(const struct confget *get, const char *path, struct pairs *ret)
{
	const struct tree_node *node = confget_node(get, path);
	const struct tree_node *it;

	if (node == NULL || node->type != TREE_MAP)
		return;
	for (it = node->first; it != NULL; it = it->next) {
		_cleanup_(freep) char *line = NULL;

		if (it->bad || !tree_is_scalar(it))
			continue;
		line = str_ndup(it->text, strcspn(it->text, "\r\n"));
		confget_add_pair(ret, it->key, line);
	}
}

/* "--jobs" is taken for "jobs"; a value in quotes within the YAML quotes loses them, as it would
 * in a shell. */
static void add_option(struct pairs *ret, const char *name, const struct tree_node *value)
{
	_cleanup_(freep) char *bare = NULL;
	size_t len;

	name += strspn(name, "-");
	if (*name == '\0')
		return;
	if (value == NULL || (value->type == TREE_BOOL && value->flag)) {
		confget_add_pair(ret, name, NULL);
		return;
	}
	if (!tree_is_scalar(value) || value->type == TREE_BOOL || value->text[0] == '\0')
		return;
	len = strlen(value->text);
	if (len >= 2 && (value->text[0] == '"' || value->text[0] == '\'') &&
	    value->text[len - 1] == value->text[0])
		bare = str_ndup(value->text + 1, len - 2);
	confget_add_pair(ret, name, bare != NULL ? bare : value->text);
}

void confget_options(const struct confget *get, const char *path, struct pairs *ret)
{
	const struct tree_node *node = confget_node(get, path);
	const struct tree_node *it;

	for (it = node != NULL ? node->first : NULL; it != NULL; it = it->next) {
		if (node->type == TREE_MAP)
			add_option(ret, it->key, it);
		else if (it->type == TREE_MAP && it->first != NULL)
			add_option(ret, it->first->key, it->first);
		else if (tree_is_scalar(it))
			add_option(ret, it->text, NULL);
	}
}
