/* SPDX-License-Identifier: PostgreSQL */
/*
 * confcheck - a document against the key table
 */
#include "wire/confcheck.h"

#include <string.h>

#include "wire/confkeys.h"
#include "wire/confvalue.h"

#define DCS "bootstrap.dcs"

/* One walk over one document. */
struct check {
	const struct tree_node *root;
	const struct tree_node *file; /* root of the whole local file; NULL: dynamic document */
	const char *prefix;           /* of the paths that are reported: "", "bootstrap.dcs." */
	bool is_dynamic;              /* bootstrap.dcs or the dynamic document */
	bool is_change;               /* the dynamic document before it is written */
	struct conf_problems *problems;
};

static bool is_given(const struct tree_node *node)
{
	return node != NULL && node->type != TREE_NULL;
}

static void report(const struct check *check, const struct tree_node *node, bool fatal,
		   const char *path, const char *fmt, ...) _printf_(5, 6);

static void report(const struct check *check, const struct tree_node *node, bool fatal,
		   const char *path, const char *fmt, ...)
{
	_cleanup_(freep) char *full = str_dupf("%s%s", check->prefix, path);
	va_list ap;

	va_start(ap, fmt);
	/* The agent runs on with what it has, whatever somebody put into etcd. */
	if (check->file == NULL)
		confproblem_vadd(check->problems, 0, false, full, CONFPROBLEM_DYNAMIC, fmt, ap);
	else
		confproblem_vadd(check->problems, node != NULL ? node->line : 0, fatal, full, "",
				 fmt, ap);
	va_end(ap);
}

/* "postgresql.<method>" stands for anything, so a misspelt key would pass as a method: it counts
 * as one only if it looks like it or is listed. */
static bool is_method(const struct check *check, const struct tree_node *node, const char *path)
{
	const struct tree_node *list;
	const struct tree_node *it;

	if (node->type != TREE_MAP)
		return false;
	if (tree_child(node, "command") != NULL)
		return true;
	if (str_starts(path, "bootstrap.")) {
		list = tree_find(check->root, "bootstrap.method");
		return tree_is_scalar(list) && str_eq(list->text, node->key);
	}
	list = tree_find(check->root, "postgresql.create_replica_methods");
	if (list == NULL)
		list = tree_find(check->root, "postgresql.create_replica_method");
	if (tree_is_scalar(list))
		return strstr(list->text, node->key) != NULL;
	for (it = list != NULL ? list->first : NULL; it != NULL; it = it->next)
		if (tree_is_scalar(it) && str_eq(it->text, node->key))
			return true;
	return false;
}

static const struct confkey *find_row(const struct check *check, const struct tree_node *node,
				      const char *path)
{
	const struct confkey *key = confkeys_find(path);

	if (key == NULL || !str_ends(key->path, CONF_METHOD))
		return key;
	return is_method(check, node, path) ? key : NULL;
}

static void report_unknown(const struct check *check, const struct tree_node *node,
			   const char *path)
{
	const struct confkey *similar = confkeys_similar(path);

	if (strchr(node->key, '.') != NULL && confkeys_find(path) != NULL)
		report(check, node, false, path,
		       "keys are nested, not joined by dots; ignored as it stands");
	else if (similar != NULL)
		report(check, node, false, path, "not a known key, ignored; did you mean '%s'?",
		       similar->path);
	else
		report(check, node, false, path, "not a known key, ignored");
}

static void report_refused(const struct check *check, const struct tree_node *node,
			   const struct confkey *key)
{
	if (str_eq(key->path, "citus"))
		report(check, node, true, key->path,
		       "Citus clusters are not supported; remove this section");
	else
		report(check, node, true, key->path,
		       "pgha speaks etcd v3 only, not %s; move the settings to etcd3: host, hosts, "
		       "url or srv, and protocol, username, password, cacert, cert, key",
		       key->help);
}

/* Whether a key that this version lacks asks for something. */
static bool is_active(const struct confkey *key, const struct tree_node *node)
{
	unsigned index = 0;
	int64_t num = 0;
	bool flag = false;

	switch (key->type) {
	case CONF_BOOL:
		return confvalue_bool(key, node, &flag, NULL) == 0 && flag;
	case CONF_INT:
		return confvalue_int(key, node, &num, NULL) == 0 &&
		       !str_eq(key->dflt, node->text);
	case CONF_WORD:
		if (confvalue_word(key, node, &index, NULL) < 0)
			return false;
		/* off, disable, disabled */
		return index != 0 && !str_starts(node->text, "disable");
	case CONF_MAP:
		return is_given(tree_child(node, "host")) || is_given(tree_child(node, "port")) ||
		       is_given(tree_child(node, "restore_command"));
	case CONF_SECONDS:
	case CONF_BYTES:
	case CONF_TEXT:
	case CONF_NAME:
	case CONF_ADDRESS:
	case CONF_LISTEN:
	case CONF_PATH:
	case CONF_OPEN:
	case CONF_PAIRS:
	case CONF_OPTIONS:
	case CONF_LIST:
	case CONF_COMMAS:
	case CONF_ANY:
	case CONF_REFUSED:
	case CONF__MAX:
		return node->first != NULL || (node->text != NULL && node->text[0] != '\0');
	}
	return false;
}

/* What would go wrong if a key of CONF_UNSAFE were ignored. */
static const char *danger_of(const struct confkey *key)
{
	if (str_eq(key->path, "standby_cluster"))
		return "this version cannot run a standby cluster and would promote a primary of "
		       "its own; remove the section";
	return "this version does not manage synchronous replication, and commits would not be "
	       "confirmed by a standby; set it to off";
}

static void check_later(const struct check *check, const struct tree_node *node,
			const struct confkey *key, const char *path)
{
	if (!(key->flags & CONF_LATER) || !is_active(key, node))
		return;
	if (key->flags & CONF_UNSAFE)
		report(check, node, !check->is_change, path, "%s", danger_of(key));
	else
		report(check, node, false, path, "not supported by this version, ignored");
}

/* false: nothing below it needs to be looked at. */
static bool check_scope(const struct check *check, const struct tree_node *node,
			const struct confkey *key, const char *path)
{
	unsigned here = check->is_dynamic ? CONF_DYNAMIC : CONF_LOCAL | CONF_BOOTSTRAP;

	if (key->scope & here)
		return true;
	if (check->is_dynamic)
		report(check, node, false, path,
		       "belongs into the file of each member, ignored here");
	else
		report(check, node, false, path,
		       "belongs into the dynamic configuration (hactl edit-config; for a new "
		       "cluster "
		       "bootstrap.dcs), ignored here");
	return false;
}

static void check_alias(const struct check *check, const struct tree_node *node,
			const struct confkey *key, const char *path)
{
	if (key->alias_of == NULL || strstr(key->alias_of, CONF_METHOD) != NULL)
		return;
	if (is_given(tree_find(check->root, key->alias_of)))
		report(check, node, false, path, "'%s' is given too and counts", key->alias_of);
}

/* YAML turned a bare word into something else than what is written there. */
static void check_quotes(const struct check *check, const struct tree_node *node,
			 const struct confkey *key, const char *path)
{
	if ((key->type != CONF_TEXT && key->type != CONF_NAME) || !tree_is_scalar(node) ||
	    node->raw == NULL)
		return;
	if (str_ends(path, "password"))
		report(check, node, false, path,
		       "YAML reads this as a number or boolean and not as it is written; quote it");
	else
		report(check, node, false, path,
		       "YAML reads '%.40s' as '%.40s'; quote it if that is not meant", node->raw,
		       node->text);
}

/* Only documents of etcd are looked up after a failed check, and those are ours to write to. */
static void mark_bad(const struct check *check, const struct tree_node *node)
{
	if (check->file == NULL)
		((struct tree_node *)node)->bad = true;
}

/* Each on its own: one bad setting must not take the others with it. */
static void check_pairs(const struct check *check, const struct tree_node *map)
{
	const struct tree_node *it;

	for (it = map->first; it != NULL; it = it->next) {
		char path[TREE_PATH_SIZE];
		struct err err = { 0 };

		if (confvalue_pair(it, &err) == 0)
			continue;
		tree_path(check->root, it, path);
		report(check, it, true, path, "%s", err.msg);
		mark_bad(check, it);
	}
}

static void check_value(const struct check *check, const struct tree_node *node,
			const struct confkey *key, const char *path)
{
	struct err err = { 0 };

	if (confvalue_check(key, node, &err) == 0) {
		check_quotes(check, node, key, path);
		check_later(check, node, key, path);
		if (key->type == CONF_PAIRS)
			check_pairs(check, node);
		return;
	}
	if (str_eq(path, "bootstrap.users"))
		return;
	report(check, node, !(key->flags & CONF_NOOP), path, "%s%s", err.msg,
	       check->file == NULL ? "; the default stays in force" : "");
	mark_bad(check, node);
}

/* true: look at the children too. */
static bool visit(const struct check *check, const struct tree_node *node)
{
	char path[TREE_PATH_SIZE];
	const struct confkey *key = NULL;
	const struct confkey *parent;

	tree_path(check->root, node, path);
	/* A key "a.b" is not b below a. */
	if (strchr(node->key, '.') == NULL)
		key = find_row(check, node, path);
	if (key == NULL) {
		char above[TREE_PATH_SIZE];

		tree_path(check->root, node->parent, above);
		parent = confkeys_find(above);
		if (parent == NULL || parent->type != CONF_OPEN)
			report_unknown(check, node, path);
		return false;
	}
	if (key->type == CONF_REFUSED && !check->is_dynamic) {
		report_refused(check, node, key);
		return false;
	}
	if (!is_given(node) || !check_scope(check, node, key, path))
		return false;
	if (str_eq(path, "bootstrap.users")) {
		report(check, node, false, path,
		       "users are not created from here; do that in bootstrap.post_bootstrap");
		return false;
	}
	check_alias(check, node, key, path);
	check_value(check, node, key, path);
	if (str_eq(path, DCS))
		return false; /* walked on its own */
	return (key->type == CONF_MAP || key->type == CONF_OPEN) && node->type == TREE_MAP;
}

static void walk(const struct check *check)
{
	const struct tree_node *node = check->root->first;

	while (node != NULL)
		node = visit(check, node) ? tree_next(check->root, node)
					  : tree_skip(check->root, node);
}

static bool has_other_store(const struct tree_node *root)
{
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++)
		if (key->type == CONF_REFUSED && tree_find(root, key->path) != NULL)
			return true;
	return false;
}

static void check_required(const struct check *check)
{
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		char above[TREE_PATH_SIZE];
		const struct tree_node *parent;
		char *dot;

		if (!(key->flags & CONF_REQUIRED) || is_given(tree_find(check->root, key->path)))
			continue;
		/* The other store's section was refused with the advice to make this one. */
		if (str_eq(key->path, "etcd3") && has_other_store(check->root))
			continue;
		str_clip(above, sizeof(above), key->path);
		dot = strrchr(above, '.');
		if (dot != NULL)
			*dot = '\0';
		parent = dot != NULL ? tree_find(check->root, above) : check->root;
		/* A missing section is reported once, not key by key. */
		if (parent == NULL || parent->type != TREE_MAP)
			continue;
		report(check, dot != NULL ? parent : NULL, true, key->path, "required: %s",
		       key->help);
	}
}

void confcheck_file(const struct tree_node *root, struct conf_problems *problems)
{
	struct check check = { .root = root, .file = root, .prefix = "", .problems = problems };

	walk(&check);
	check_required(&check);

	check.root = tree_find(root, DCS);
	check.prefix = DCS ".";
	check.is_dynamic = true;
	if (check.root != NULL && check.root->type == TREE_MAP)
		walk(&check);
}

void confcheck_change(const struct tree_node *root, struct conf_problems *problems)
{
	struct check check = { .root = root,
			       .file = root,
			       .prefix = "",
			       .is_dynamic = true,
			       .is_change = true,
			       .problems = problems };

	walk(&check);
}

void confcheck_dynamic(struct tree_node *root, struct conf_problems *problems)
{
	struct check check = { .root = root, .prefix = "", .is_dynamic = true,
			       .problems = problems };

	walk(&check);
}
