/* SPDX-License-Identifier: PostgreSQL */
/*
 * confguc - the settings of Postgres that are in force
 */
#include "wire/confguc.h"

#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

#define MB_PER_SEGMENT 16

enum kind { GUC_FIXED, GUC_LEVEL, GUC_NUMBER, GUC_BOOL, GUC_MEGABYTES };

struct controlled {
	const char *name;
	enum kind kind;
	const char *dflt; /* NULL: from elsewhere in the configuration */
	int64_t min;
};

/* The order is the one in which Patroni puts them on the command line. */
static const struct controlled controlled[] = {
	{ "listen_addresses", GUC_FIXED, NULL, 0 },
	{ "port", GUC_FIXED, NULL, 0 },
	{ "cluster_name", GUC_FIXED, NULL, 0 },
	{ "wal_level", GUC_LEVEL, "replica", 0 },
	{ "hot_standby", GUC_FIXED, "on", 0 },
	{ "max_connections", GUC_NUMBER, "100", 25 },
	{ "max_wal_senders", GUC_NUMBER, "10", 3 },
	{ "max_prepared_transactions", GUC_NUMBER, "0", 0 },
	{ "max_locks_per_transaction", GUC_NUMBER, "64", 32 },
	{ "track_commit_timestamp", GUC_BOOL, "off", 0 },
	{ "max_replication_slots", GUC_NUMBER, "10", 4 },
	{ "max_worker_processes", GUC_NUMBER, "8", 2 },
	{ "wal_log_hints", GUC_BOOL, "on", 0 },
};

/* Also dynamic only, but written to the file: a change needs no restart. */
static const struct controlled wal_keep = { "wal_keep_size", GUC_MEGABYTES, "128MB", 16 };

static const char *const never[] = {
	"data_directory", "config_file", "external_pid_file", "primary_conninfo",
	"primary_slot_name",
};

bool confguc_is_ours(const char *name)
{
	_cleanup_(freep) char *start = str_ndup(name, strlen("recovery_target"));

	if (str_ieq(start, "recovery_target"))
		return true;
	return str_ieq(name, "primary_conninfo") || str_ieq(name, "primary_slot_name") ||
	       str_ieq(name, "standby_mode");
}

static bool is_never(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (str_ieq(name, never[i]))
			return true;
	return confguc_is_ours(name);
}

bool confguc_is_controlled(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(controlled); i++)
		if (str_ieq(name, controlled[i].name))
			return true;
	return false;
}

static bool is_wal_keep(const char *name)
{
	return str_ieq(name, "wal_keep_size") || str_ieq(name, "wal_keep_segments");
}

/* Postgres compares the names of settings without regard to case. */
static const struct tree_node *find_guc(const struct tree_node *map, const char *name)
{
	const struct tree_node *it;

	for (it = map != NULL ? map->first : NULL; it != NULL; it = it->next)
		if (str_ieq(it->key, name) && tree_is_scalar(it) && !it->bad)
			return it;
	return NULL;
}

static const char *guc_text(const struct tree_node *node)
{
	if (node->type == TREE_BOOL)
		return node->flag ? "on" : "off";
	return node->text;
}

/* Megabytes of a wal_keep_size, whose bare numbers are megabytes. */
static int read_megabytes(const char *text, int64_t *ret)
{
	int64_t bytes = 0;
	int r = parse_size(text, 1024 * 1024, &bytes, NULL);

	if (r == 0)
		*ret = bytes / (1024 * 1024);
	return r;
}

/* The value as Postgres should see it, or NULL when it is not accepted. */
static char *accept(const struct controlled *guc, const struct tree_node *node)
{
	const char *text = guc_text(node);
	int64_t num = 0;
	bool flag = false;

	switch (guc->kind) {
	case GUC_FIXED:
		return NULL;
	case GUC_LEVEL:
		if (str_ieq(text, "hot_standby") || str_ieq(text, "replica"))
			return str_dup("replica");
		return str_ieq(text, "logical") ? str_dup("logical") : NULL;
	case GUC_NUMBER:
		return parse_int(text, guc->min, 262143, &num, NULL) == 0 ? str_dup(text) : NULL;
	case GUC_BOOL:
		return parse_bool(text, &flag, NULL) == 0 ? str_dup(flag ? "on" : "off") : NULL;
	case GUC_MEGABYTES:
		return read_megabytes(text, &num) == 0 && num >= guc->min ? str_dup(text) : NULL;
	}
	return NULL;
}

static void report(struct conf_problems *problems, const struct tree_node *node, const char *name,
		   const char *fmt, ...) _printf_(4, 5);

/* A value without a line came from etcd. */
static void report(struct conf_problems *problems, const struct tree_node *node, const char *name,
		   const char *fmt, ...)
{
	_cleanup_(freep) char *path = str_dupf("postgresql.parameters.%s", name);
	va_list ap;

	va_start(ap, fmt);
	confproblem_vadd(problems, node->line, false, path,
			 node->line == 0 ? CONFPROBLEM_DYNAMIC : "", fmt, ap);
	va_end(ap);
}

static void warn_value(const struct controlled *guc, const struct tree_node *node,
		       struct conf_problems *problems)
{
	if (guc->kind == GUC_FIXED) {
		bool flag = false;

		/* hot_standby: on is what happens anyway. */
		if (guc->dflt != NULL && parse_bool(guc_text(node), &flag, NULL) == 0 && flag)
			return;
		report(problems, node, guc->name, "set by pghad and never from here, ignored");
		return;
	}
	if (guc->kind == GUC_NUMBER || guc->kind == GUC_MEGABYTES)
		report(problems, node, guc->name,
		       "'%.40s' is not accepted, the least is %lld%s; '%s' is used", guc_text(node),
		       (long long)guc->min, guc->kind == GUC_MEGABYTES ? "MB" : "", guc->dflt);
	else
		report(problems, node, guc->name, "'%.40s' is not accepted; '%s' is used",
		       guc_text(node), guc->dflt);
}

static void add_controlled(const struct controlled *guc, const struct tree_node *dynamic,
			   const char *fixed, struct pairs *ret, struct conf_problems *problems)
{
	const struct tree_node *node = find_guc(dynamic, guc->name);
	_cleanup_(freep) char *value = node != NULL ? accept(guc, node) : NULL;

	if (node != NULL && value == NULL)
		warn_value(guc, node, problems);
	if (value == NULL)
		value = str_dup(fixed != NULL ? fixed : guc->dflt);
	confget_add_pair(ret, guc->name, value);
}

/* Before Postgres 13 it was counted in segments; one of the two is enough to say it. */
static void add_wal_keep(const struct tree_node *dynamic, struct pairs *ret,
			 struct conf_problems *problems)
{
	const struct tree_node *segments = find_guc(dynamic, "wal_keep_segments");
	_cleanup_(freep) char *size = NULL;
	int64_t num = 0;

	if (find_guc(dynamic, wal_keep.name) != NULL || segments == NULL) {
		add_controlled(&wal_keep, dynamic, NULL, ret, problems);
		return;
	}
	if (parse_int(guc_text(segments), 1, INT32_MAX / MB_PER_SEGMENT, &num, NULL) < 0) {
		confproblem_add(
			problems, segments->line, false, "postgresql.parameters.wal_keep_segments",
			"'%.40s' is not accepted, the least is 1; wal_keep_size '%s' is used",
			guc_text(segments), wal_keep.dflt);
		num = 8;
	}
	size = str_dupf("%lldMB", (long long)num * MB_PER_SEGMENT);
	confget_add_pair(ret, wal_keep.name, size);
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static bool has_pair(const struct pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (str_ieq(pairs->items[i].name, name))
			return true;
	return false;
}

/* The name is written into postgresql.conf as it stands. */
static bool is_name(const char *name)
{
	const char *const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_$.";
	size_t len = strlen(name);

	return len > 0 && strspn(name, allowed) == len && strchr("0123456789$.", name[0]) == NULL;
}

/* The settings that are free: the first map that has one wins. */
static void add_free(const struct tree_node *map, bool is_local, struct pairs *ret,
		     struct conf_problems *problems)
{
	const struct tree_node *it;

	/* Whoever wrote a list instead is told so by the check of types; its items have no name. */
	if (map == NULL || map->type != TREE_MAP)
		return;
	for (it = map->first; it != NULL; it = it->next) {
		_cleanup_(freep) char *line = NULL;

		if (!tree_is_scalar(it) || it->bad)
			continue;
		if (!is_name(it->key)) {
			report(problems, it, it->key,
			       "not a name that a setting of Postgres can have, ignored");
			continue;
		}
		if (is_never(it->key)) {
			report(problems, it, it->key, "set by pghad and never from here, ignored");
			continue;
		}
		if (confguc_is_controlled(it->key) || is_wal_keep(it->key)) {
			if (is_local)
				report(problems, it, it->key,
				       "must be the same on all members: it counts only in the "
				       "dynamic configuration, ignored here");
			continue;
		}
		line = str_ndup(guc_text(it), strcspn(guc_text(it), "\r\n"));
		if (!has_pair(ret, it->key))
			confget_add_pair(ret, it->key, line);
	}
}

/* What accept() takes, for people. */
static void allowed_of(const struct controlled *guc, char dst[64])
{
	switch (guc->kind) {
	case GUC_FIXED:
		str_clip(dst, 64, "nothing: pghad sets it");
		break;
	case GUC_LEVEL:
		str_clip(dst, 64, "replica or logical");
		break;
	case GUC_BOOL:
		str_clip(dst, 64, "on or off");
		break;
	case GUC_NUMBER:
		str_printf(dst, 64, "a whole number, %lld to 262143", (long long)guc->min);
		break;
	case GUC_MEGABYTES:
		str_printf(dst, 64, "a size, %lldMB or more", (long long)guc->min);
		break;
	}
}

static void check_controlled(const struct controlled *guc, const struct tree_node *parameters,
			     struct conf_problems *problems)
{
	const struct tree_node *node = find_guc(parameters, guc->name);
	_cleanup_(freep) char *value = node != NULL ? accept(guc, node) : NULL;
	_cleanup_(freep) char *path = str_dupf("postgresql.parameters.%s", guc->name);
	char allowed[64];

	/* Those that the agent sets are ignored, which is told elsewhere. */
	if (node == NULL || value != NULL || guc->kind == GUC_FIXED)
		return;
	allowed_of(guc, allowed);
	confproblem_add(problems, node->line, true, path, "'%.40s' is not valid; allowed is %s",
			guc_text(node), allowed);
}

void confguc_check(const struct tree_node *parameters, struct conf_problems *problems)
{
	const struct tree_node *it;

	if (parameters == NULL || parameters->type != TREE_MAP)
		return;
	for (size_t i = 0; i < ARRAY_LEN(controlled); i++)
		check_controlled(&controlled[i], parameters, problems);
	check_controlled(&wal_keep, parameters, problems);
	for (it = parameters->first; it != NULL; it = it->next) {
		_cleanup_(freep) char *path = str_dupf("postgresql.parameters.%s", it->key);

		if (!is_name(it->key))
			confproblem_add(problems, it->line, true, path,
					"not a name that a setting of Postgres can have");
	}
}

void confguc_build(const struct confget *get, struct config *config,
		   struct conf_problems *problems)
{
	const struct tree_node *dynamic = tree_find(get->dynamic, "postgresql.parameters");
	const struct tree_node *local = tree_find(get->local, "postgresql.parameters");
	_cleanup_(freep) char *port = str_dupf("%u", config->pg.port);
	struct pairs *ret = &config->pg.parameters;
	const char *const fixed[] = { config->pg.listen, port, config->scope };
	size_t first_free;

	for (size_t i = 0; i < ARRAY_LEN(controlled); i++)
		add_controlled(&controlled[i], dynamic, i < ARRAY_LEN(fixed) ? fixed[i] : NULL, ret,
			       problems);
	first_free = ret->n;
	add_free(local, true, ret, problems);
	add_free(dynamic, false, ret, problems);
	add_wal_keep(dynamic, ret, problems);
	/* A standby whose source has just been promoted asks again after this long; the default
	 * of 5 s would be a part of every failover. */
	if (!has_pair(ret, "wal_retrieve_retry_interval"))
		confget_add_pair(ret, "wal_retrieve_retry_interval", "100ms");
	qsort(ret->items + first_free, ret->n - first_free, sizeof(ret->items[0]), compare_pairs);
}
