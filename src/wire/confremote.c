/* SPDX-License-Identifier: PostgreSQL */
/*
 * confremote - what of the dynamic configuration can run programs on the host of a member
 */
#include "wire/confremote.h"

#include <string.h>

#include "wire/confkeys.h"

#define DCS "bootstrap.dcs."

enum verdict { REMOTE_FREE, REMOTE_DEEPER, REMOTE_GUARDED };

bool confremote_is_setting(const char *name)
{
	/* plperl.on_init is Perl that is run, pltcl.start_proc a function. */
	static const char *const ends[] = { "_command",	    "_library", "_libraries", "_directory",
					    "_directories", "_path",	"_file",      "_keyfile",
					    "_dir",	    "_init",	".start_proc" };
	/* include is a directive of postgresql.conf, and log_filename may hold slashes. */
	static const char *const others[] = { "jit_provider", "log_filename",
					      "include",      "include_dir",
					      "include_if_exists", "pgha_fence.page" };
	_cleanup_(freep) char *lower = str_dup(name);

	for (char *s = lower; *s != '\0'; s++)
		*s = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
	if (str_eq(lower, "search_path")) /* of schemas */
		return false;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_eq(lower, others[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (str_ends(lower, ends[i]))
			return true;
	return str_starts(lower, "pljava."); /* where its machine and its classes are */
}

static bool is_among_settings(const struct tree_node *root, const struct tree_node *node)
{
	const struct confkey *above;
	char path[TREE_PATH_SIZE];

	if (node->parent == NULL || node->parent == root)
		return false;
	tree_path(root, node->parent, path);
	above = confkeys_find(path);
	return above != NULL && above->type == CONF_PAIRS;
}

static enum verdict judge(const struct tree_node *root, const struct tree_node *node,
			  char ret_path[TREE_PATH_SIZE])
{
	const struct confkey *key;

	tree_path(root, node, ret_path);
	if (node->type == TREE_NULL)
		return REMOTE_FREE;
	if (is_among_settings(root, node))
		return confremote_is_setting(node->key) ? REMOTE_GUARDED : REMOTE_FREE;
	key = confkeys_find(ret_path);
	if (key == NULL)
		return REMOTE_FREE;
	/* What is no map is no method, whatever its name. */
	if ((key->flags & CONF_EXEC) && (key->type != CONF_OPEN || node->type == TREE_MAP))
		return REMOTE_GUARDED;
	return node->type == TREE_MAP && (key->type == CONF_MAP || key->type == CONF_PAIRS) ?
		       REMOTE_DEEPER :
		       REMOTE_FREE;
}

static bool has_setting(const struct tree_node *map, const char *name)
{
	const struct tree_node *it;

	for (it = map != NULL && map->type == TREE_MAP ? map->first : NULL; it != NULL;
	     it = it->next)
		if (str_ieq(it->key, name) && it->type != TREE_NULL)
			return true;
	return false;
}

/* The dynamic value would not count anyway. Among the settings each stands for itself, else the
 * local key hides the dynamic one as a whole. */
static bool is_given_locally(const struct tree_node *local, const struct tree_node *node,
			     const char *path)
{
	static const char parameters[] = "postgresql.parameters";
	char top[TREE_PATH_SIZE];
	size_t len = strcspn(path, ".");

	if (str_starts(path, parameters) && path[sizeof(parameters) - 1] == '.')
		return has_setting(tree_find(local, parameters), node->key);
	len += path[len] == '.' ? 1 + strcspn(path + len + 1, ".") : 0;
	str_clip(top, sizeof(top), path);
	top[MIN_OF(len, sizeof(top) - 1)] = '\0';
	return tree_find(local, top) != NULL;
}

static void report(const struct tree_node *node, const char *path, struct conf_problems *problems)
{
	const bool is_etcd = node->line == 0; /* else it stands in bootstrap.dcs */
	_cleanup_(freep) char *full = str_dupf("%s%s", is_etcd ? "" : DCS, path);

	if (is_etcd)
		confproblem_add(problems, 0, false, full,
				CONFPROBLEM_DYNAMIC
				"not applied, because the file of this member says "
				CONFREMOTE_KEY ": false; set it in the files of the members, or "
				"take it away with hactl edit-config");
	else
		confproblem_add(problems, node->line, false, full,
				"not applied, because of " CONFREMOTE_KEY
				": false; it counts outside bootstrap.dcs, in the file of each "
				"member");
}

void confremote_withhold(struct tree_node *dynamic, const struct tree_node *local,
			 struct conf_problems *problems, struct strings *withheld)
{
	const struct tree_node *node = dynamic->first;

	while (node != NULL) {
		const struct tree_node *at = node;
		char path[TREE_PATH_SIZE];
		enum verdict verdict = judge(dynamic, at, path);

		node = verdict == REMOTE_DEEPER ? tree_next(dynamic, at) : tree_skip(dynamic, at);
		if (verdict != REMOTE_GUARDED)
			continue;
		if (!is_given_locally(local, at, path)) {
			report(at, path, problems);
			confget_add_string(withheld, path);
		}
		tree_unlink((struct tree_node *)at);
	}
}

static bool is_same(const struct tree_node *before, const struct tree_node *node, const char *path)
{
	const struct tree_node *old = before != NULL ? tree_find(before, path) : NULL;
	_cleanup_(buf_done) struct buf a = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };

	if (old == NULL)
		return false;
	tree_to_json(old, &a);
	tree_to_json(node, &b);
	return str_eq(a.data, b.data);
}

bool confremote_brings(const struct tree_node *before, const struct tree_node *after,
		       char ret_path[TREE_PATH_SIZE])
{
	const struct tree_node *node = after->first;

	while (node != NULL) {
		enum verdict verdict = judge(after, node, ret_path);

		if (verdict == REMOTE_GUARDED && !is_same(before, node, ret_path))
			return true;
		node = verdict == REMOTE_DEEPER ? tree_next(after, node) : tree_skip(after, node);
	}
	return false;
}
