/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgconf - the texts of the settings that we own
 */
#include "io/pgconf.h"

#include <stdlib.h>

#include "base/parse.h"
#include "base/str.h"
#include "io/pgdsn.h"

#define RECOVERY_HEADER "# recovery.conf\n"
#define SCRAM           "scram-sha-256"
#define BLANKS          " \t"

/* Settings that exist for standbys only. They are written into the block of a standby, and in
 * postgresql.auto.conf they would win over it. */
static const char *const recovery_names[] = {
	"archive_cleanup_command", "primary_conninfo",     "primary_slot_name",
	"promote_trigger_file",    "recovery_end_command", "recovery_min_apply_delay",
	"recovery_target",         "recovery_target_action", "recovery_target_inclusive",
	"recovery_target_lsn",     "recovery_target_name", "recovery_target_time",
	"recovery_target_timeline", "recovery_target_xid", "restore_command",
	"standby_mode",            "trigger_file",
};

/* What an operator may say about them, in recovery_conf or in parameters. */
static const char *const recovery_free[] = {
	"archive_cleanup_command", "promote_trigger_file", "recovery_end_command",
	"recovery_min_apply_delay", "restore_command",
};

/* On the command line, in this order: nothing in a file can change them there. */
static const char *const controlled_names[] = {
	"listen_addresses", "port", "cluster_name", "wal_level", "hot_standby", "max_connections",
	"max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction",
	"track_commit_timestamp", "max_replication_slots", "max_worker_processes", "wal_log_hints",
};

static bool listed(const char *const *names, size_t n, const char *name, size_t len)
{
	char copy[NAME_SIZE];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, name, len);
	copy[len] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (str_ieq(names[i], copy))
			return true;
	}
	return false;
}

static bool is_recovery(const char *name)
{
	return listed(recovery_names, ARRAY_LEN(recovery_names), name, strlen(name));
}

const char *pgconf_pair(const struct pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++) {
		if (str_ieq(pairs->items[i].name, name))
			return pairs->items[i].value;
	}
	return NULL;
}

const char *pgconf_param(const struct config *config, const char *name)
{
	return pgconf_pair(&config->pg.parameters, name);
}

const char *pgconf_initdb_waldir(const struct config *config)
{
	if (config->bootstrap.method_command)
		return NULL;
	return pgconf_pair(&config->bootstrap.initdb, "waldir");
}

/* Whether a line of pg_hba.conf has this word, a comment at its end left out. */
static bool has_word(const char *line, const char *word)
{
	const char *end = line + strcspn(line, "#");

	for (line += strspn(line, BLANKS); line < end; line += strspn(line, BLANKS)) {
		size_t len = strcspn(line, BLANKS "#");

		if (len == strlen(word) && strncmp(line, word, len) == 0)
			return true;
		line += len;
	}
	return false;
}

bool pgconf_wants_scram(const struct config *config)
{
	const struct strings *lines = &config->pg.pg_hba;
	const char *set = pgconf_param(config, "password_encryption");

	if (set)
		return str_ieq(set, SCRAM);
	if (lines->n == 0)
		lines = &config->bootstrap.pg_hba;
	for (size_t i = 0; i < lines->n; i++) {
		if (has_word(lines->items[i], SCRAM))
			return true;
	}
	return false;
}

/* -- pieces ------------------------------------------------------------------------------- */

static void setting(struct buf *ret, const char *name, const char *value)
{
	buf_printf(ret, "%s = '", name);
	for (; value && *value; value++) {
		if (*value == '\'' || *value == '\\')
			buf_ch(ret, *value);
		/* A line feed would end the setting: no value of a file can hold one. */
		if (*value == '\n' || *value == '\r')
			buf_ch(ret, ' ');
		else
			buf_ch(ret, *value);
	}
	buf_str(ret, "'\n");
}

const char *pgconf_dir(const struct config *config)
{
	return config->pg.config_dir ? config->pg.config_dir : config->pg.data_dir;
}

const char *pgconf_stem(const struct config *config)
{
	return config->pg.config_base_name ? config->pg.config_base_name : "postgresql";
}

char *pgconf_pgpass_path(const struct config *config)
{
	if (config->pg.pgpass)
		return str_dup(config->pg.pgpass);
	return str_dupf("%s.pgpass", config->pg.data_dir);
}

void pgconf_conninfo(const struct config *config, const struct upstream *upstream, int32_t major,
		     struct buf *ret)
{
	_cleanup_(freep) char *passfile = pgconf_pgpass_path(config);
	struct pgdsn dsn = {
		.dbname = config->pg.database,
		.auth = &config->pg.replication,
		.passfile = passfile,
		.host = upstream->host,
		.port = upstream->port,
		.application_name = config->name,
		.krbsrvname = config->pg.krbsrvname,
		.major = major,
		.defaults = true,
	};

	pgdsn_text(&dsn, ret);
}

/* -- postgresql.conf ---------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct pair *const *x = a;
	const struct pair *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Between two looks for WAL, of which there will be none from a leader that has ended: a promotion
 * that falls into this pause waits for its end. */
#define ARMED_RETRY "5ms"

/* The value as this version spells it; NULL: the version does not have the setting. */
static const char *spelled(const struct pair *pair)
{
	if (str_ieq(pair->name, "wal_level") &&
	    (str_ieq(pair->value, "hot_standby") || str_ieq(pair->value, "archive")))
		return "replica";
	/* Became wal_keep_size in 13. */
	if (str_ieq(pair->name, "wal_keep_segments"))
		return NULL;
	return pair->value;
}

static void keep_size(const struct config *config, struct buf *ret)
{
	const char *segments = pgconf_param(config, "wal_keep_segments");
	int64_t n = 0;
	char text[32];

	if (!segments || pgconf_param(config, "wal_keep_size") ||
	    parse_int(segments, 0, INT32_MAX, &n, NULL) < 0)
		return;
	(void)str_printf(text, sizeof(text), "%lldMB", (long long)n * 16);
	setting(ret, "wal_keep_size", text);
}

/* What we set in place of the operator's value, which is part of ours. */
static bool is_replaced(const struct pgconf_want *want, const char *name)
{
	return want->libraries && (str_ieq(name, "shared_preload_libraries") ||
				   str_ieq(name, "pgha_fence.page"));
}

static void fence_settings(const struct config *config, const struct pgconf_want *want,
			   struct buf *ret)
{
	if (config->fence.commit_guard == FENCE_COMMIT_OFF)
		setting(ret, "pgha_fence.enabled", "off");
	if (!want->libraries)
		return;
	setting(ret, "shared_preload_libraries", want->libraries);
	setting(ret, "pgha_fence.page", want->page);
}

static void parameters(const struct config *config, const struct pgconf_want *want,
		       struct buf *ret)
{
	const struct pairs *all = &config->pg.parameters;
	_cleanup_(freep) const struct pair **sorted = mem_new(all->n + 1, sizeof(*sorted));

	for (size_t i = 0; i < all->n; i++)
		sorted[i] = &all->items[i];
	qsort(sorted, all->n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < all->n; i++) {
		const char *value = spelled(sorted[i]);

		if (want->armed && str_ieq(sorted[i]->name, "wal_retrieve_retry_interval"))
			value = ARMED_RETRY;
		if (!value || is_recovery(sorted[i]->name) || is_replaced(want, sorted[i]->name) ||
		    str_ieq(sorted[i]->name, "hba_file") || str_ieq(sorted[i]->name, "ident_file"))
			continue;
		setting(ret, sorted[i]->name, value);
	}
	keep_size(config, ret);
}

static void file_setting(const struct config *config, const char *name, const char *file,
			 struct buf *ret)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	const char *set = pgconf_param(config, name);

	/* Postgres resolves a relative name against PGDATA, the operator means config_dir. */
	if (set && set[0] == '/')
		buf_str(&path, set);
	else
		buf_printf(&path, "%s/%s", pgconf_dir(config), set ? set : file);
	setting(ret, name, path.data);
}

static const char *recovery_value(const struct config *config, const char *name)
{
	const char *value = pgconf_pair(&config->pg.recovery_conf, name);

	return value ? value : pgconf_param(config, name);
}

/* Emptied explicitly: the included base file or ALTER SYSTEM may hold a target, and a standby
 * that stops at one would never follow. */
static void no_targets(struct buf *ret)
{
	setting(ret, "recovery_target", "");
	setting(ret, "recovery_target_lsn", "");
	setting(ret, "recovery_target_name", "");
	setting(ret, "recovery_target_time", "");
	setting(ret, "recovery_target_timeline", "latest");
	setting(ret, "recovery_target_xid", "");
}

static void recovery_block(const struct config *config, const struct pgconf_want *want,
			   struct buf *ret)
{
	_cleanup_(buf_done) struct buf conninfo = { 0 };

	buf_str(ret, "\n" RECOVERY_HEADER);
	if (want->recovery) {
		for (size_t i = 0; i < want->recovery->n; i++)
			setting(ret, want->recovery->items[i].name, want->recovery->items[i].value);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(recovery_free); i++) {
		const char *value = recovery_value(config, recovery_free[i]);

		if (str_eq(recovery_free[i], "promote_trigger_file") && want->major >= 16)
			continue;
		if (value)
			setting(ret, recovery_free[i], value);
	}
	if (want->upstream.host[0]) {
		pgconf_conninfo(config, &want->upstream, want->major, &conninfo);
		setting(ret, "primary_conninfo", conninfo.data);
		if (want->upstream.slot[0])
			setting(ret, "primary_slot_name", want->upstream.slot);
	}
	no_targets(ret);
}

void pgconf_main_text(const struct config *config, const struct pgconf_want *want, const char *old,
		      struct buf *ret)
{
	const char *block = old ? strstr(old, "\n" RECOVERY_HEADER) : NULL;

	buf_clear(ret);
	buf_str(ret, "# Do not edit this file manually!\n"
		     "# It will be overwritten by pgha!\n");
	if (config->pg.custom_conf)
		buf_printf(ret, "include '%s'\n\n", config->pg.custom_conf);
	else
		buf_printf(ret, "include '%s.base.conf'\n\n", pgconf_stem(config));
	parameters(config, want, ret);
	fence_settings(config, want, ret);
	file_setting(config, "hba_file", "pg_hba.conf", ret);
	file_setting(config, "ident_file", "pg_ident.conf", ret);
	if (want->keep_recovery && block)
		buf_str(ret, block);
	else if (want->standby || want->recovery)
		recovery_block(config, want, ret);
}

void pgconf_lines_text(const struct strings *lines, struct buf *ret)
{
	buf_clear(ret);
	buf_str(ret, "# Do not edit this file manually!\n"
		     "# It will be overwritten by pgha!\n");
	for (size_t i = 0; i < lines->n; i++)
		buf_printf(ret, "%s\n", lines->items[i]);
}

bool pgconf_auto_clean(const char *text, struct buf *ret)
{
	bool found = false;

	buf_clear(ret);
	while (*text) {
		size_t len = strcspn(text, "\n") + 1;
		size_t blank = strspn(text, " \t");
		const char *name = text + blank;

		if (text[len - 1] == '\0')
			len--;
		if (listed(recovery_names, ARRAY_LEN(recovery_names), name,
			   strcspn(name, " \t=\n")))
			found = true;
		else
			buf_add(ret, text, len);
		text += len;
	}
	return found;
}

/* -- password file ------------------------------------------------------------------------ */

static const struct auth *rewind_auth(const struct config *config)
{
	return config->pg.rewind.username ? &config->pg.rewind : &config->pg.superuser;
}

static void pgpass_lines(const struct config *config, const char *host, uint16_t port,
			 struct buf *ret)
{
	const struct auth *super = &config->pg.superuser;
	const struct auth *replication = &config->pg.replication;
	const struct auth *rewinder = rewind_auth(config);

	pgdsn_pgpass_line(host, port, replication, ret);
	pgdsn_pgpass_line(host, port, super, ret);
	if (!str_eq(rewinder->username, super->username))
		pgdsn_pgpass_line(host, port, rewinder, ret);
}

void pgconf_pgpass_text(const struct config *config, const char *socket_dir,
			const struct upstream *ups, size_t nup, struct buf *ret)
{
	buf_clear(ret);
	for (size_t i = 0; i < nup; i++) {
		if (ups[i].host[0])
			pgpass_lines(config, ups[i].host, ups[i].port, ret);
	}
	/* libpq says "localhost" for a socket in its default directory. */
	pgpass_lines(config, "localhost", config->pg.port, ret);
	pgpass_lines(config, "127.0.0.1", config->pg.port, ret);
	pgpass_lines(config, "::1", config->pg.port, ret);
	if (socket_dir)
		pgpass_lines(config, socket_dir, config->pg.port, ret);
	if (config->pg.connect_host[0])
		pgpass_lines(config, config->pg.connect_host, config->pg.connect_port, ret);
}

/* -- service file ------------------------------------------------------------------------- */

static const struct service {
	const char *name;
	size_t at; /* in struct config_postgresql */
} services[] = {
	{ "pgha_superuser", offsetof(struct config_postgresql, superuser) },
	{ "pgha_replication", offsetof(struct config_postgresql, replication) },
	{ "pgha_rewind", offsetof(struct config_postgresql, rewind) },
};

static const struct auth *auth_of(const struct config *config, const struct service *service)
{
	return (const struct auth *)((const char *)&config->pg + service->at);
}

const char *pgconf_service(const struct config *config, const struct auth *auth)
{
	if (!auth || !auth->sslpassword || !auth->sslpassword[0])
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		if (auth_of(config, &services[i]) == auth)
			return services[i].name;
	return NULL;
}

char *pgconf_service_path(const struct config *config)
{
	_cleanup_(freep) char *pgpass = pgconf_pgpass_path(config);

	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		if (pgconf_service(config, auth_of(config, &services[i])))
			return str_dupf("%s.service", pgpass);
	return NULL;
}

int pgconf_service_text(const struct config *config, struct buf *ret, struct err *err)
{
	buf_clear(ret);
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		const struct auth *auth = auth_of(config, &services[i]);
		size_t len;

		if (!pgconf_service(config, auth))
			continue;
		/* libpq takes lines, and blanks at their ends away. */
		len = strlen(auth->sslpassword);
		if (strchr(auth->sslpassword, '\n') || strchr(" \t\r", auth->sslpassword[len - 1]))
			return err_set(err, ERR_CONFIG,
				       "the sslpassword of '%s' has a newline, or a blank at its "
				       "end: libpq reads it from a line",
				       auth->username);
		buf_printf(ret, "[%s]\nsslpassword=%s\n", services[i].name, auth->sslpassword);
	}
	return 0;
}

/* -- command line ------------------------------------------------------------------------- */

static const char *controlled_value(const struct config *config, const char *name,
				    char text[NAME_SIZE])
{
	const char *value = pgconf_param(config, name);
	struct pair pair = { .name = (char *)(uintptr_t)name, .value = (char *)(uintptr_t)value };

	if (str_eq(name, "listen_addresses"))
		return config->pg.listen;
	if (str_eq(name, "cluster_name"))
		return config->scope;
	if (str_eq(name, "hot_standby"))
		return "on";
	if (str_eq(name, "port")) {
		(void)str_printf(text, NAME_SIZE, "%u", config->pg.port);
		return text;
	}
	return value ? spelled(&pair) : NULL;
}

int32_t pgconf_floor(const struct pgcontrol *control, const char *name)
{
	const struct {
		const char *name;
		int32_t value;
	} known[] = {
		{ "max_connections", control->max_connections },
		{ "max_worker_processes", control->max_worker_processes },
		{ "max_wal_senders", control->max_wal_senders },
		{ "max_prepared_transactions", control->max_prepared_transactions },
		{ "max_locks_per_transaction", control->max_locks_per_transaction },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq(known[i].name, name))
			return known[i].value;
	}
	return 0;
}

static bool must_raise(const struct pgcontrol *control, const char *name, const char *value,
		       int32_t *ret)
{
	int64_t wanted = 0;

	*ret = pgconf_floor(control, name);
	/* What is not configured is Postgres' default, which is not known here: the value that
	 * was in force is always enough. */
	return *ret > 0 && (!value || (parse_int(value, 0, INT32_MAX, &wanted, NULL) == 0 &&
				       wanted < *ret));
}

void pgconf_command_line(const struct config *config, const struct pgconf_want *want,
			 const struct pgcontrol *control, struct words *ret)
{
	/* A restored cluster that recovers is under the same rule as a standby. */
	bool recovers = want->standby || want->recovery || want->keep_recovery;
	char text[NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(controlled_names); i++) {
		const char *name = controlled_names[i];
		const char *value = controlled_value(config, name, text);
		int32_t raised = 0;

		if (recovers && control && must_raise(control, name, value, &raised))
			words_add(ret, "--%s=%d", name, raised);
		else if (value)
			words_add(ret, "--%s=%s", name, value);
	}
}

const char *pgconf_on_command_line(const struct config *config, const char *name,
				   char text[NAME_SIZE])
{
	if (!listed(controlled_names, ARRAY_LEN(controlled_names), name, strlen(name)))
		return NULL;
	return controlled_value(config, name, text);
}
