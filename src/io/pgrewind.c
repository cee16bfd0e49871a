/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgrewind - REWIND: a diverged data directory becomes a copy of another server's past
 *
 * The mark PGDIR_REWINDING is durable before pg_rewind runs. It is taken away after success, and
 * after a failure only when pg_rewind had not begun to write: with --progress it says "need to
 * copy" right before it does (PostgreSQL 13 to 18), so its silence proves that nothing changed.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "io/pgconf.h"
#include "io/pgdial.h"
#include "io/pgdir.h"
#include "io/pgfiles.h"
#include "io/pgkinds.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

#define ANSWER_MS     5000
#define CHECKPOINT_MS 900000
#define BEGAN_WRITING "need to copy"
#define NOTHING_TO_DO "no rewind required"
#define NO_RECOVERY   "single-user mode" /* in its complaint that recovering the target failed */

/* clang-format off */
enum {
	R_CHECK = 0, R_CONTROL, R_RESOLVE, R_CONNECT, R_ASK, R_ASKED, R_CHECKPOINT, R_CHECKPOINTED,
	R_AS_SUPER, R_SUPER_CHECKPOINT, R_FILES, R_MARK, R_SYNC, R_RECOVER, R_REWIND, R_RAN,
	R_UNMARK, R_SYNC_END, R_READ, R_DONE,
};
/* clang-format on */

struct rewind {
	struct pgcontrol control;
	struct pgquery_upstream up;
	bool had_signal;    /* standby.signal was there */
	bool unclean;       /* the server was not shut down */
	bool marked;
	bool recovered;     /* our own recovery was tried */
	bool ran;           /* pg_rewind was started */
	bool nothing_to_do;
};

static bool config_elsewhere(const struct config *config)
{
	return config->pg.config_dir && !str_eq(config->pg.config_dir, config->pg.data_dir);
}

static const char *restore_command(const struct config *config)
{
	const char *value = pgconf_pair(&config->pg.recovery_conf, "restore_command");

	value = value ? value : pgconf_param(config, "restore_command");
	return value && value[0] ? value : NULL;
}

/* -- before ------------------------------------------------------------------------------- */

static int step_check(struct pgwork *work, struct err *err)
{
	struct rewind *rewind = work->data;
	struct pg *pg = work->pg;
	int rc = pgwatch_must_be_down(pg, err);

	if (rc < 0)
		return rc;
	if (pg->state.dir != DIR_PRESENT)
		return err_set(err, ERR_STATE, "'%s' is no usable data directory",
			       pg->config->pg.data_dir);
	rewind->had_signal = pg->state.standby_signal;
	(void)pgwatch_control_stale(pg);
	return pgtool_control(work, pg->config->pg.data_dir, err);
}

static int step_control(struct pgwork *work, struct err *err)
{
	struct rewind *rewind = work->data;
	int rc = pgtool_control_read(work, &rewind->control, err);

	if (rc < 0)
		return rc;
	pgwatch_control_keep(work->pg, &work->control_seen, &rewind->control);
	rewind->unclean = rewind->control.state != CONTROL_SHUT_DOWN &&
			  rewind->control.state != CONTROL_SHUT_DOWN_IN_RECOVERY;
	if (!rewind->control.wal_log_hints && !rewind->control.checksums)
		return err_set(err, ERR_STATE,
			       "pg_rewind needs wal_log_hints or checksums, and has neither here");
	return pgdial_pgpass(work->pg, &work->req.upstream, err);
}

static int step_connect(struct pgwork *work, struct err *err)
{
	return pgdial_step_upstream(work, pgdial_rewind_auth(work->pg), false, CHECKPOINT_MS, err);
}

static int step_ask(struct pgwork *work, struct err *err _unused_)
{
	struct rewind *rewind = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	pgquery_upstream(&q, &rewind->up);
	return PGWORK_WAIT;
}

static int step_asked(struct pgwork *work, struct err *err)
{
	struct rewind *rewind = work->data;

	if (!str_eq(rewind->up.sysid, rewind->control.sysid))
		return err_set(err, ERR_CONFIG,
			       "'%s' is another cluster: its system identifier is %s, ours is %s",
			       work->req.upstream.name, rewind->up.sysid, rewind->control.sysid);
	if (rewind->up.in_recovery)
		return err_set(err, ERR_STATE, "'%s' is in recovery", work->req.upstream.name);
	/* Its control file must name the new timeline: before 16 pg_rewind finds no difference. */
	if (rewind->up.control_timeline == rewind->up.timeline)
		pgwork_jump(work, R_FILES);
	return PGWORK_NEXT;
}

static int step_checkpoint(struct pgwork *work, struct err *err _unused_)
{
	struct pgquery q = pgdial_query(work, CHECKPOINT_MS);

	pgwork_tolerate(work);
	pgquery_checkpoint(&q);
	return PGWORK_WAIT;
}

static int step_checkpointed(struct pgwork *work, struct err *err)
{
	if (work->result == 0) {
		pgwork_jump(work, R_FILES);
		return PGWORK_NEXT;
	}
	/* 42501: not for a rewind role that is no superuser. */
	if (str_eq(work->err.sqlstate, "42501"))
		return PGWORK_NEXT;
	*err = work->err;
	return err_wrap(err, "checkpoint on '%s'", work->req.upstream.name);
}

static int step_as_super(struct pgwork *work, struct err *err)
{
	return pgdial_step_upstream(work, &work->pg->config->pg.superuser, false, CHECKPOINT_MS,
				    err);
}

static int step_super_checkpoint(struct pgwork *work, struct err *err _unused_)
{
	struct pgquery q = pgdial_query(work, CHECKPOINT_MS);

	pgquery_checkpoint(&q);
	return PGWORK_WAIT;
}

/* Settings of a standby, for pg_rewind reads restore_command from them. Without a signal file:
 * single-user mode, which recovers the target, refuses to be a standby. */
static int step_files(struct pgwork *work, struct err *err)
{
	const struct config *config = work->pg->config;
	struct pgconf_want want = { .major = pgdir_major(config->pg.data_dir), .standby = true,
				    .upstream = work->req.upstream };
	struct rewind *rewind = work->data;
	bool changed = false;
	int rc;

	pgconn_close(work->conn);
	rc = pgfiles_write(config, &want, &changed, err);
	if (rc == 0 && rewind->unclean)
		rc = pgfiles_signals(config, false, err);
	return rc;
}

static int step_mark(struct pgwork *work, struct err *err)
{
	struct rewind *rewind = work->data;
	int rc = pgwatch_must_be_down(work->pg, err);

	if (rc == 0)
		rc = pgdir_mark(work->pg->config->pg.data_dir, PGDIR_REWINDING, err);
	if (rc == 0)
		rewind->marked = true;
	return rc;
}

static int step_sync(struct pgwork *work, struct err *err)
{
	const struct config *config = work->pg->config;
	struct rewind *rewind = work->data;
	int rc = pgtool_sync_path(work, config->pg.data_dir, err);

	/* Before 15 pg_rewind cannot recover a target whose settings are elsewhere. */
	if (!rewind->unclean || !config_elsewhere(config) || pgdir_major(config->pg.data_dir) >= 15)
		pgwork_jump(work, R_REWIND);
	return rc;
}

/* -- the work ----------------------------------------------------------------------------- */

static int step_recover(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	const struct config *config = work->pg->config;
	struct rewind *rewind = work->data;

	rewind->recovered = true;
	pgtool_program(work->pg, "postgres", &words);
	words_add(&words, "--single");
	words_add(&words, "-D");
	words_add(&words, "%s", config->pg.data_dir);
	words_add(&words, "--config-file=%s/%s.conf", pgconf_dir(config), pgconf_stem(config));
	/* What waits to be archived must be kept for the archive of the server that lives. */
	words_add(&words, "-carchive_mode=on");
	words_add(&words, "-carchive_command=false");
	words_add(&words, "template1");
	return pgtool_run(work, "postgres", &words, err);
}

static void add_options(struct words *words, const struct pairs *options)
{
	for (size_t i = 0; i < options->n && words_room(words, 1); i++) {
		if (options->items[i].value)
			words_add(words, "--%s=%s", options->items[i].name,
				  options->items[i].value);
		else
			words_add(words, "--%s", options->items[i].name);
	}
}

static int step_rewind(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(buf_done) struct buf conninfo = { 0 };
	const struct config *config = work->pg->config;
	bool elsewhere = config_elsewhere(config);
	int32_t major = pgdir_major(config->pg.data_dir);
	struct rewind *rewind = work->data;

	pgdial_conninfo(work, pgdial_rewind_auth(work->pg),
			config->pg.database ? config->pg.database : "postgres", &conninfo);
	pgtool_program(work->pg, "pg_rewind", &words);
	words_add(&words, "--progress");
	words_add(&words, "--target-pgdata=%s", config->pg.data_dir);
	words_add(&words, "--source-server=%s", conninfo.data);
	if (rewind->recovered)
		words_add(&words, "--no-ensure-shutdown");
	if (elsewhere && major >= 15)
		words_add(&words, "--config-file=%s/%s.conf", pgconf_dir(config),
			  pgconf_stem(config));
	if (restore_command(config) && (!elsewhere || major >= 15))
		words_add(&words, "--restore-target-wal");
	add_options(&words, &config->pg.rewind_options);
	rewind->ran = true;
	pgwork_tolerate(work);
	return pgtool_run(work, "pg_rewind", &words, err);
}

/* Whether pg_rewind may have changed a file. What was cut out of its output may have said so. */
static bool began_writing(const struct pgwork *work)
{
	const struct rewind *rewind = work->data;

	return rewind->ran && (!work->end.output || strstr(work->end.output, BEGAN_WRITING) ||
			       strstr(work->end.output, "\n...\n"));
}

static int step_ran(struct pgwork *work, struct err *err)
{
	struct rewind *rewind = work->data;
	const char *said = work->end.output;

	if (work->result == 0) {
		rewind->nothing_to_do = strstr(said, NOTHING_TO_DO) != NULL;
		return PGWORK_NEXT;
	}
	if (!began_writing(work) && strstr(said, NO_RECOVERY) && !rewind->recovered) {
		log_notice("pg_rewind could not recover the data directory, trying it ourselves");
		pgwork_jump(work, R_RECOVER);
		return PGWORK_NEXT;
	}
	*err = work->err;
	return work->result;
}

/* -- afterwards --------------------------------------------------------------------------- */

/* The files must be on disk before the mark goes; pg_rewind has synced them. Whoever starts it by
 * hand must not get a second primary. */
static int step_unmark(struct pgwork *work, struct err *err)
{
	const char *data_dir = work->pg->config->pg.data_dir;
	struct rewind *rewind = work->data;
	int rc = pgfiles_touch(data_dir, "standby.signal", err);

	if (rc == 0)
		rc = pgdir_unmark(data_dir, PGDIR_REWINDING, err);
	if (rc == 0)
		rewind->marked = false;
	return rc;
}

static int step_sync_end(struct pgwork *work, struct err *err)
{
	return pgtool_sync_path(work, work->pg->config->pg.data_dir, err);
}

static int step_read(struct pgwork *work, struct err *err)
{
	(void)pgwatch_control_stale(work->pg);
	return pgtool_control(work, work->pg->config->pg.data_dir, err);
}

static int step_done(struct pgwork *work, struct err *err)
{
	struct rewind *rewind = work->data;
	int rc = pgtool_control_read(work, &rewind->control, err);

	if (rc < 0)
		return rc;
	pgwatch_look(work->pg);
	pgwatch_control_keep(work->pg, &work->control_seen, &rewind->control);
	(void)str_printf(work->text, sizeof(work->text), "%s '%s'%s",
			 rewind->nothing_to_do ? "no rewind was required from" : "rewound to",
			 work->req.upstream.name,
			 rewind->recovered ? " after recovery in single-user mode" : "");
	return PGWORK_DONE;
}

/* Before the first byte was written the directory is what it was, and usable. */
static void failed(struct pgwork *work, int result _unused_)
{
	const struct config *config = work->pg->config;
	struct rewind *rewind = work->data;
	struct err err = { 0 };

	if (rewind->marked && began_writing(work)) {
		log_warning("'%s' is half rewound and can only be replaced", config->pg.data_dir);
	} else {
		if (rewind->had_signal && pgfiles_signals(config, true, &err) < 0)
			log_warning("%s", err.msg);
		if (rewind->marked && pgdir_unmark(config->pg.data_dir, PGDIR_REWINDING, &err) < 0)
			log_warning("%s", err.msg);
	}
	pgwatch_look(work->pg);
}

static const struct pgwork_step steps[] = {
	[R_CHECK] = { "check", step_check },
	[R_CONTROL] = { "pg_controldata", step_control },
	[R_RESOLVE] = { "resolve upstream", pgdial_resolve },
	[R_CONNECT] = { "connect to upstream", step_connect },
	[R_ASK] = { "ask upstream", step_ask },
	[R_ASKED] = { "ask upstream", step_asked },
	[R_CHECKPOINT] = { "checkpoint on upstream", step_checkpoint },
	[R_CHECKPOINTED] = { "checkpoint on upstream", step_checkpointed },
	[R_AS_SUPER] = { "checkpoint on upstream", step_as_super },
	[R_SUPER_CHECKPOINT] = { "checkpoint on upstream", step_super_checkpoint },
	[R_FILES] = { "settings", step_files },
	[R_MARK] = { "mark", step_mark },
	[R_SYNC] = { "sync", step_sync },
	[R_RECOVER] = { "recovery in single-user mode", step_recover },
	[R_REWIND] = { "pg_rewind", step_rewind },
	[R_RAN] = { "pg_rewind", step_ran },
	[R_UNMARK] = { "mark", step_unmark },
	[R_SYNC_END] = { "sync", step_sync_end },
	[R_READ] = { "pg_controldata", step_read },
	[R_DONE] = { "control file", step_done },
	{ NULL, NULL },
};

const struct pgwork_kind pgrewind_kind = {
	.steps = steps,
	.data_size = sizeof(struct rewind),
	.failed = failed,
};
