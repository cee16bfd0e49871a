/* SPDX-License-Identifier: PostgreSQL */
/*
 * confenv - PATRONI_* variables over the local file
 */
#include "wire/confenv.h"

#include <string.h>

#include "wire/confkeys.h"
#include "wire/yamltree.h"

#define PREFIX        "PATRONI_"
#define VARIABLE_SIZE 96

/* Names from before the section became part of them. */
static const struct {
	const char *variable;
	const char *path;
} old_names[] = {
	{ "PATRONI_LOGLEVEL", "log.level" },
	{ "PATRONI_LOGFORMAT", "log.format" },
	{ "PATRONI_LOG_DATEFMT", "log.dateformat" },
};

/* Of other stores: refused as their sections are. */
static const char *const other_stores[] = {
	"ETCD", "CONSUL", "ZOOKEEPER", "EXHIBITOR", "KUBERNETES", "RAFT", "CITUS",
};

const char *confenv_get(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env != NULL && *env != NULL; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static const struct confkey *key_of(const char *variable)
{
	const struct confkey *key;
	char name[VARIABLE_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(old_names); i++)
		if (strcmp(variable, old_names[i].variable) == 0)
			return confkeys_find(old_names[i].path);
	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++)
		if (confkeys_env(key, name, sizeof(name)) && strcmp(variable, name) == 0)
			return key;
	return NULL;
}

static bool is_open_with(const char *value, char bracket)
{
	value += strspn(value, " \t\r\n");
	return *value == bracket;
}

/* The value as a YAML document of one key, so that lists and maps come out as in a file. */
static int parse_value(const struct confkey *key, const char *value, struct tree *ret,
		       struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	bool is_map = key->type == CONF_PAIRS || key->type == CONF_ANY;

	if (is_map && !is_open_with(value, '{') && !is_open_with(value, '['))
		buf_printf(&text, "value: {%s}\n", value);
	else if (!is_map && !is_open_with(value, '[') && !is_open_with(value, '-'))
		buf_printf(&text, "value: [%s]\n", value);
	else
		buf_printf(&text, "value:\n %s\n", value);
	return yamltree_parse(text.data, text.len, ret, NULL, err);
}

static int put_structured(struct tree *tree, const struct confkey *key, const char *value,
			  struct conf_problems *problems, struct err *err)
{
	_cleanup_(tree_done) struct tree parsed = { 0 };
	const struct tree_node *parsed_value;
	struct err why = { 0 };
	struct tree_node *node;
	struct tree_node *slot;
	char parent[TREE_PATH_SIZE];
	char *dot;
	int r;

	if (parse_value(key, value, &parsed, &why) < 0) {
		confproblem_add(problems, 0, true, key->path, "its variable is no YAML: %s",
				why.msg);
		return 0;
	}
	parsed_value = tree_child(parsed.root, "value");
	if (parsed_value == NULL)
		return 0;
	/* Made once so that the way to it exists, then replaced by the copy. */
	r = tree_put(tree, key->path, TREE_NULL, 0, &slot, err);
	if (r < 0)
		return r;
	str_clip(parent, sizeof(parent), key->path);
	dot = strrchr(parent, '.');
	node = slot->parent;
	tree_unlink(slot);
	return tree_copy(tree, node, dot != NULL ? dot + 1 : parent,
			 parsed_value, &slot, err);
}

static int put_variable(struct tree *tree, const struct confkey *key, const char *value,
			struct conf_problems *problems, struct err *err)
{
	struct tree_node *node;
	int r;

	if (key->type == CONF_LIST || key->type == CONF_COMMAS || key->type == CONF_PAIRS ||
	    str_eq(key->path, "log.loggers") || str_eq(key->path, "log.static_fields"))
		return put_structured(tree, key, value, problems, err);
	r = tree_put(tree, key->path, TREE_STRING, 0, &node, err);
	if (r < 0)
		return r;
	tree_set_text(node, value, strlen(value));
	return 0;
}

static bool is_other_store(const char *variable, const char **ret_store)
{
	for (size_t i = 0; i < ARRAY_LEN(other_stores); i++) {
		size_t len = strlen(other_stores[i]);

		if (strncmp(variable + strlen(PREFIX), other_stores[i], len) == 0 &&
		    variable[strlen(PREFIX) + len] == '_') {
			*ret_store = other_stores[i];
			return true;
		}
	}
	return false;
}

static void report_unknown(const char *variable, struct conf_problems *problems)
{
	const char *store = NULL;

	if (is_other_store(variable, &store))
		confproblem_add(problems, 0, true, variable,
				"pgha speaks etcd v3 only; unset it and use PATRONI_ETCD3_HOSTS "
				"and the like");
	else
		confproblem_add(problems, 0, false, variable, "not a known variable, ignored");
}

int confenv_merge(struct tree *tree, const char *const *env, struct conf_problems *problems,
		  size_t *ret_n, struct err *err)
{
	size_t n = 0;

	for (; env != NULL && *env != NULL; env++) {
		const char *equals = strchr(*env, '=');
		_cleanup_(freep) char *variable = NULL;
		const struct confkey *key;
		int r;

		if (!str_starts(*env, PREFIX) || equals == NULL || equals[1] == '\0')
			continue;
		variable = str_ndup(*env, (size_t)(equals - *env));
		if (strcmp(variable, "PATRONI_CONFIGURATION") == 0)
			continue;
		key = key_of(variable);
		if (key == NULL) {
			report_unknown(variable, problems);
			continue;
		}
		r = put_variable(tree, key, equals + 1, problems, err);
		if (r < 0)
			return r;
		n++;
	}
	*ret_n = n;
	return 0;
}
