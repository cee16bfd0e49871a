/* SPDX-License-Identifier: PostgreSQL */
/*
 * migratekeys - what of Patroni's configuration carries over, key by key
 *
 * The table of keys says what is supported, and the check of a file what is wrong with it. Here is
 * only what an operator has to know of the features that are missing.
 */
#include "cli/migratekeys.h"

#include <stdlib.h>

#include "cli/node.h"
#include "wire/confcheck.h"
#include "wire/yamltree.h"

static const struct {
	const char *path;
	const char *why;
	const char *todo;
} missing[] = {
	{ "synchronous_mode",
	  "synchronous replication is not managed: commits would no longer wait for a standby",
	  "set it to off if that may be, else stay with Patroni for now" },
	{ "slots", "permanent slots are neither made nor kept on standbys",
	  "make such a slot anew after each change of the leader, or stay with Patroni for now" },
	{ "ignore_slots", "a physical slot that belongs to no member is removed while it is unused",
	  "keep its reader connected, or read from an archive" },
	{ "standby_cluster", "a cluster that follows another primary cannot be run",
	  "stay with Patroni for now" },
	{ "tags.nostream", "the member streams like any other",
	  "take its hosts out of what clients use, if that was the point" },
	{ "postgresql.parameters_primary", "one set of settings holds in every role",
	  "put what all roles can do with into postgresql.parameters" },
	{ "postgresql.parameters_replica", "one set of settings holds in every role",
	  "put what all roles can do with into postgresql.parameters" },
	{ "postgresql.pg_hba_primary", "one set of lines holds in every role",
	  "put what all roles can do with into postgresql.pg_hba" },
	{ "postgresql.pg_hba_replica", "one set of lines holds in every role",
	  "put what all roles can do with into postgresql.pg_hba" },
};

/* One document, and where findings of it are. */
struct source {
	struct migrate *migrate;
	const struct tree_node *root;
	const char *where;
	const char *prefix; /* of shown paths */
	bool is_file;
	const struct conf_problems *problems;
};

static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return strncmp(path, above, len) == 0 && (path[len] == '\0' || path[len] == '.');
}

static void add(const struct source *s, enum migrate_verdict verdict, int line, const char *path,
		const char *why, const char *todo)
{
	_cleanup_(freep) char *where = line > 0 ? str_dupf("%s:%d", s->where, line) :
						  str_dup(s->where);
	_cleanup_(freep) char *key = str_dupf("%s%s", s->prefix, path);

	migrate_add(s->migrate, verdict, where, key, why, todo);
}

/* "...; do this instead" */
static void add_text(const struct source *s, enum migrate_verdict verdict,
		     const struct conf_problem *problem)
{
	const char *cut = strstr(problem->text, "; ");
	_cleanup_(freep) char *why = cut != NULL ? str_ndup(problem->text,
							    (size_t)(cut - problem->text)) :
						   str_dup(problem->text);

	add(s, verdict, problem->line, problem->path, why, cut != NULL ? cut + 2 : "");
}

static bool add_missing(const struct source *s, const struct conf_problem *problem, bool stops)
{
	enum migrate_verdict verdict = stops ? MIGRATE_STOPS : MIGRATE_LOST;

	for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
		if (!is_below(problem->path, missing[i].path))
			continue;
		add(s, verdict, problem->line, problem->path, missing[i].why, missing[i].todo);
		return true;
	}
	return false;
}

static void add_problem(const struct source *s, const struct conf_problem *problem)
{
	const struct confkey *key = confkeys_find(problem->path);
	bool later = key != NULL && (key->flags & CONF_LATER) != 0;
	bool unsafe = later && (key->flags & CONF_UNSAFE) != 0;
	bool stops = problem->fatal || unsafe;

	if (later && add_missing(s, problem, stops))
		return;
	if (later)
		add(s, stops ? MIGRATE_STOPS : MIGRATE_LOST, problem->line, problem->path,
		    "pgha does not do this in this version", "do without it, or stay with Patroni");
	else
		add_text(s, stops ? MIGRATE_STOPS : MIGRATE_NOTE, problem);
}

static void add_problems(const struct source *s)
{
	for (size_t i = 0; i < s->problems->n; i++) {
		const struct conf_problem *it = &s->problems->items[i];

		/* The cluster is there: only what keeps the agent from starting counts. */
		if (!it->fatal && is_below(it->path, "bootstrap"))
			continue;
		add_problem(s, it);
	}
}

static bool is_told(const struct source *s, const char *path)
{
	for (size_t i = 0; i < s->problems->n; i++)
		if (is_below(s->problems->items[i].path, path))
			return true;
	return false;
}

/* true: its children have rows of their own. */
static bool visit(const struct source *s, const struct tree_node *node)
{
	char path[TREE_PATH_SIZE];
	const struct confkey *key;

	tree_path(s->root, node, path);
	key = strchr(node->key, '.') == NULL ? confkeys_find(path) : NULL;
	if (key == NULL || key->type == CONF_REFUSED || node->type == TREE_NULL)
		return false;
	if (s->is_file && str_eq(path, "bootstrap")) {
		add(s, MIGRATE_MOOT, node->line, path,
		    "the cluster is there, nothing of it is looked at", "");
		return false;
	}
	if (key->type == CONF_MAP)
		return node->type == TREE_MAP;
	if (key->flags & CONF_NOOP)
		add(s, MIGRATE_MOOT, node->line, path, key->help, "");
	else if (!is_told(s, path))
		add(s, MIGRATE_CARRIES, 0, path, "", "");
	return false;
}

static void walk(const struct source *s)
{
	const struct tree_node *node = s->root->first;

	while (node != NULL)
		node = visit(s, node) ? tree_next(s->root, node) : tree_skip(s->root, node);
}

void migratekeys_dynamic(struct migrate *migrate, const struct tree_node *config)
{
	_cleanup_(conf_problems_done) struct conf_problems problems = { 0 };
	_cleanup_(buf_done) struct buf json = { 0 };
	_cleanup_(tree_done) struct tree copy = { 0 };
	struct source s = { .migrate = migrate, .where = "etcd", .prefix = "config.",
			    .problems = &problems };

	/* The check marks what is bad. */
	tree_to_json(config, &json);
	if (tree_from_json(json.data, json.len, &copy, NULL) < 0 || copy.root->type != TREE_MAP)
		return;
	confcheck_dynamic(copy.root, &problems);
	s.root = config;
	add_problems(&s);
	walk(&s);
}

/* ---- the file of a member ---- */

static void confdoc_freep(struct confdoc **docp)
{
	confdoc_free(*docp);
}

static void config_freep(struct config **configp)
{
	config_free(*configp);
}

/* Everything that pghad would say of it. */
static void find_problems(const struct migrate_file *file, struct conf_problems *problems,
			  struct err *err)
{
	_cleanup_(confdoc_freep) struct confdoc *doc = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	/* What is wrong with the dynamic document is told once, of etcd. */
	const char *dynamic = file->picture != NULL ? "{}" : NULL;

	if (confdoc_parse(file->text, file->len, NULL, &doc, err) == 0 &&
	    conf_build(doc, dynamic, &config, problems, err) < 0)
		return; /* *problems says it all */
}

static bool is_same_namespace(const char *written, const char *space)
{
	size_t len;

	written += strspn(written, "/");
	len = strlen(written);
	while (len > 0 && written[len - 1] == '/')
		len--;
	return len == strlen(space) && strncmp(written, space, len) == 0;
}

static void compare_identity(const struct source *s, const struct migrate_file *file)
{
	const char *scope = node_str(s->root, "scope");
	const char *name = node_str(s->root, "name");
	const char *space = node_text(s->root, "namespace");
	_cleanup_(freep) char *why = NULL;

	if (file->picture == NULL)
		return;
	if (*scope != '\0' && !str_eq(scope, file->picture->name)) {
		why = str_dupf("it is of cluster '%s', not '%s'", scope, file->picture->name);
		add(s, MIGRATE_STOPS, 0, "scope", why, "name a file of this cluster");
		return;
	}
	space = space != NULL ? space : "service";
	if (!is_same_namespace(space, file->namespace_)) {
		why = str_dupf("its keys are below '%s', those that were read below '%s'", space,
			       file->namespace_);
		add(s, MIGRATE_STOPS, 0, "namespace", why, "name a file of this cluster");
	} else if (*name != '\0' && picture_member(file->picture, name) == NULL) {
		why = str_dupf("the cluster has no member '%s'", name);
		add(s, MIGRATE_NOTE, 0, "name", why,
		    "keep the names: a member of another name is a new one, and copies the data");
	}
}

void migrate_file(struct migrate *migrate, const struct migrate_file *file)
{
	_cleanup_(conf_problems_done) struct conf_problems problems = { 0 };
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct yamltree_twins twins = { 0 };
	struct source s = { .migrate = migrate, .where = file->name, .prefix = "",
			    .is_file = true, .problems = &problems };
	struct err err = { 0 };
	int r;

	r = yamltree_parse(file->text, file->len, &tree, &twins, &err);
	free(twins.items);
	if (r < 0 || tree.root == NULL) {
		add(&s, MIGRATE_STOPS, 0, "", r < 0 ? err.msg : "it is empty",
		    "name a configuration file of Patroni's");
		return;
	}
	s.root = tree.root;
	find_problems(file, &problems, &err);
	compare_identity(&s, file);
	add_problems(&s);
	walk(&s);
}
