/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstart - START_STANDBY and START_PRIMARY
 *
 * The postmaster is our child in a session of its own: its pid is known from its first moment,
 * and it outlives us. It is started when it has its sockets and has begun recovery, which its pid
 * file tells.
 */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "io/fsx.h"
#include "io/pgdial.h"
#include "io/pgdir.h"
#include "io/pgfence.h"
#include "io/pgfiles.h"
#include "io/pgfork.h"
#include "io/pggroup.h"
#include "io/pgkinds.h"
#include "io/pgnumber.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

#define LOOK_EVERY_MS 10
#define COLLECTOR_MS  500   /* for which a log collector outlives its postmaster */
#define START_MS      60000 /* where pg_ctl_timeout is not configured */
#define AUTO_BYTES_MAX (4 * 1024 * 1024)

enum {
	S_CHECK = 0, S_CONTROL, S_FILES, S_FORK, S_FORK_VERIFY, S_SYNC, S_SPAWN, S_WAIT, S_KEEP,
};

struct start {
	struct pgconf_want want;
	struct pgfork fork;
	int64_t until_ms;
	int64_t ended_at_ms; /* 0: the postmaster lives */
};

static const struct config_bootstrap *custom_bootstrap(const struct pg *pg)
{
	const struct config_bootstrap *boot = &pg->config->bootstrap;

	return pg->state.boot_unfinished && boot->method_command ? boot : NULL;
}

/* -- before ------------------------------------------------------------------------------- */

static int check_module(const struct pg *pg, struct err *err)
{
	if (pg->config->fence.commit_guard == FENCE_COMMIT_REQUIRED &&
	    !pgfence_installed(pg->config))
		return err_set(err, ERR_STATE,
			       "fence.commit_guard is required, and " PGFENCE_MODULE
			       " is not installed for this version of PostgreSQL");
	return PGWORK_NEXT;
}

static int step_check(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;
	int rc;

	if (pgwatch_exit_pending(pg))
		return pgwork_again_in(work, LOOK_EVERY_MS);
	rc = pgwatch_must_be_down(pg, err);
	if (rc < 0)
		return rc;
	switch (pg->state.dir) {
	case DIR_PRESENT:
		return check_module(pg, err);
	case DIR_EMPTY:
		return err_set(err, ERR_STATE, "the data directory '%s' is empty",
			       pg->config->pg.data_dir);
	case DIR_HALF:
		return err_set(err, ERR_STATE, "the data directory '%s' is half rewound",
			       pg->config->pg.data_dir);
	case DIR_UNKNOWN:
	case DIR_BROKEN:
	case DIR__MAX:
		break;
	}
	return err_set(err, ERR_STATE, "'%s' is no usable data directory", pg->config->pg.data_dir);
}

static int step_control(struct pgwork *work, struct err *err)
{
	(void)pgwatch_control_stale(work->pg);
	return pgtool_control(work, work->pg->config->pg.data_dir, err);
}

static int write_signals(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	const struct config *config = work->pg->config;
	const struct config_bootstrap *boot = custom_bootstrap(work->pg);

	if (!boot || start->want.standby)
		return pgfiles_signals(config, start->want.standby, err);
	/* A restored cluster recovers to the target that the operator named. */
	if (boot->method_keep_recovery_conf)
		return 0;
	return pgfiles_recovery_signal(config, boot->method_recovery_conf.n > 0, err);
}

static void want_of_bootstrap(struct pgwork *work)
{
	struct start *start = work->data;
	const struct config_bootstrap *boot = custom_bootstrap(work->pg);

	if (!boot || start->want.standby)
		return;
	start->want.keep_recovery = boot->method_keep_recovery_conf;
	if (boot->method_recovery_conf.n > 0)
		start->want.recovery = &boot->method_recovery_conf;
}

static int step_files(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	struct pg *pg = work->pg;
	struct pgcontrol control;
	bool changed = false;
	int rc = pgtool_control_read(work, &control, err);

	if (rc < 0)
		return rc;
	pgwatch_control_keep(pg, &work->control_seen, &control);
	start->want.major = pgdir_major(pg->config->pg.data_dir);
	start->want.standby = work->req.op == PGOP_START_STANDBY;
	start->want.upstream = work->req.upstream;
	want_of_bootstrap(work);
	rc = pgfiles_restore(pg->config, err);
	if (rc == 0)
		rc = pgfiles_write(pg->config, &start->want, &changed, err);
	if (rc == 0 && custom_bootstrap(pg) && !start->want.standby)
		rc = pgfiles_trust(pg->config, err);
	if (rc == 0)
		rc = write_signals(work, err);
	if (rc == 0 && start->want.standby)
		rc = pgnumber_prune(pg->config->pg.data_dir, control.timeline, err);
	if (rc < 0)
		return rc;
	pg->armed = false;
	pg->follows = start->want.upstream;
	pg->follows_known = true;
	return pgdial_pgpass(pg, NULL, err);
}

/* A look at files that fails is told and keeps nobody from starting: in all other cases than the
 * one that is mended here it would have been for nothing. */
static void fork_failed(const struct err *why)
{
	log_warning("cannot tell whether WAL of a new timeline is in the way: %s", why->msg);
}

static int step_fork(struct pgwork *work, struct err *err _unused_)
{
	struct start *start = work->data;
	struct pg *pg = work->pg;
	struct err why = { 0 };
	int rc = 0;

	pg->fork_stays = false;
	if (start->want.standby)
		rc = pgfork_find(pg->config->pg.data_dir, &pg->control, &start->fork, &why);
	if (rc < 0)
		fork_failed(&why);
	if (rc != PGFORK_SHORT)
		pgwork_jump(work, S_SYNC);
	return PGWORK_NEXT;
}

static int step_fork_verify(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	const struct pgfork *fork = &start->fork;
	struct err why = { 0 };
	int rc = pgfork_verify(&start->fork, &why);

	if (rc == PGFORK_MORE)
		return pgwork_again_in(work, 0);
	work->pg->fork_stays = rc != 0;
	if (rc < 0)
		fork_failed(&why);
	if (rc == PGFORK_DIFFERS)
		log_warning("'%s' ends before the fork and is not alike '%s': both are left as "
			    "they are",
			    fork->path, fork->older_path);
	if (rc != 0)
		return PGWORK_NEXT;
	/* Files were compared over a while: nobody may have been started meanwhile. */
	rc = pgwatch_must_be_down(work->pg, err);
	if (rc == 0)
		rc = pgfork_set_aside(fork, err);
	if (rc < 0)
		return rc;
	log_notice("'%s' is set aside: of timeline %u only WAL from before its beginning was "
		   "received, which '%s' has too",
		   fork->path, fork->timeline, fork->older_path);
	return PGWORK_NEXT;
}

static int step_sync(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };

	pgfiles_paths(work->pg->config, &words);
	return pgtool_sync(work, &words, err);
}

/* -- the postmaster ----------------------------------------------------------------------- */

/* Where ALTER SYSTEM has set what Postgres loads, our file does not count. */
static void add_module(const struct config *config, struct words *ret)
{
	_cleanup_(pgfence_done) struct pgfence fence = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];

	if (str_printf(path, sizeof(path), "%s/postgresql.auto.conf", config->pg.data_dir) < 0 ||
	    fsx_read(path, AUTO_BYTES_MAX, &text, NULL) != 0)
		return;
	pgfence_over_auto(config, text.data, &fence);
	if (!fence.libraries)
		return;
	words_add(ret, "--shared_preload_libraries=%s", fence.libraries);
	words_add(ret, "--pgha_fence.page=%s", fence.page);
}

static void command_line(struct pgwork *work, const struct pgcontrol *control, struct words *ret)
{
	struct start *start = work->data;
	const struct config *config = work->pg->config;

	pgtool_program(work->pg, "postgres", ret);
	words_add(ret, "-D");
	words_add(ret, "%s", config->pg.data_dir);
	words_add(ret, "--config-file=%s/%s.conf", pgconf_dir(config), pgconf_stem(config));
	pgconf_command_line(config, &start->want, control, ret);
	add_module(config, ret);
}

struct environment {
	const char *entries[4];
	char arenas[64];
	char grandparent[64];
};

/* Memory arenas as Patroni lets them be set. No share for backends in our own protection against
 * the out-of-memory killer. And a pid in a stale postmaster.pid that somebody else has now, which
 * Postgres would take for a running postmaster, unless it is that of its grandparent. */
static void environment(const struct pg *pg, struct environment *env)
{
	const char *arenas = getenv("PG_MALLOC_ARENA_MAX");
	struct pgproc_pidfile stale;
	size_t n = 0;

	if (arenas && str_printf(env->arenas, sizeof(env->arenas), "MALLOC_ARENA_MAX=%s",
				 arenas) > 0)
		env->entries[n++] = env->arenas;
	if (!getenv("PG_OOM_ADJUST_FILE"))
		env->entries[n++] = "PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj";
	if (pgproc_pidfile_read(pg->config->pg.data_dir, &stale, NULL) == 0) {
		(void)str_printf(env->grandparent, sizeof(env->grandparent),
				 "PG_GRANDPARENT_PID=%d", (int)stale.pid);
		env->entries[n++] = env->grandparent;
	}
	env->entries[n] = NULL;
}

static int step_spawn(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(closep) int log_fd = -1;
	struct start *start = work->data;
	struct pg *pg = work->pg;
	struct pgproc proc = { .pidfd = -1 };
	struct environment env;
	struct child_spec spec = { .name = "postgres", .env = env.entries,
				   .work_dir = pg->config->pg.data_dir };
	int rc;

	/* Once more: files were written and synced meanwhile. */
	rc = pgwatch_must_be_down(pg, err);
	if (rc < 0)
		return rc;
	log_fd = pglog_open(&pg->log, pg->config->pg.data_dir, err);
	if (log_fd < 0)
		return log_fd;
	command_line(work, &pg->control, &words);
	environment(pg, &env);
	spec.argv = (const char *const *)words.items;
	rc = child_detach(&spec, log_fd, &proc.pid, &proc.pidfd, err);
	if (rc < 0)
		return rc;
	if (pggroup_add(proc.pid, err) < 0)
		log_warning("Postgres gets no control group of its own: %s", err->msg);
	rc = pgwatch_adopt(pg, &proc, err);
	if (rc < 0) {
		(void)child_pidfd_signal(proc.pidfd, SIGKILL);
		pgproc_done(&proc);
		return rc;
	}
	pg->life.unborn = true;
	pg->life.may_write = !start->want.standby;
	pg->state.run = PG_STARTING;
	pg->state.role = pg->life.may_write ? ROLE_PRIMARY : ROLE_UNKNOWN;
	start->until_ms = loop_now_ms() + (pg->config->pg.pg_ctl_timeout_ms > 0 ?
						   pg->config->pg.pg_ctl_timeout_ms :
						   START_MS);
	return PGWORK_NEXT;
}

static int start_failed(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	char reason[ERR_MSG_MAX / 2];

	if (start->ended_at_ms == 0)
		start->ended_at_ms = loop_now_ms();
	pglog_reason(&work->pg->log, work->pg->config->pg.data_dir, reason, sizeof(reason));
	if (!reason[0] && loop_now_ms() - start->ended_at_ms < COLLECTOR_MS)
		return pgwork_again_in(work, LOOK_EVERY_MS);
	return err_set(err, ERR_CHILD, "Postgres did not start: %s",
		       reason[0] ? reason : "it ended without a reason in its log");
}

static int step_wait(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	struct pg *pg = work->pg;

	if (!pgwatch_runs(pg))
		return start_failed(work, err);
	pgwatch_look(pg);
	if (pg->life.file.pid == pg->life.proc.pid && pg->life.file.status != PGPROC_EARLY) {
		pg->life.unborn = false;
		return PGWORK_NEXT;
	}
	if (loop_now_ms() >= start->until_ms) {
		pg->life.unborn = false;
		return err_set(err, ERR_TIMEOUT,
			       "Postgres runs and is not ready to begin recovery");
	}
	return pgwork_again_in(work, LOOK_EVERY_MS);
}

static int step_keep(struct pgwork *work, struct err *err _unused_)
{
	struct err why = { 0 };

	/* Copies for a time when the files are lost: their lack stops nothing now. */
	if (pgfiles_backup(work->pg->config, &why) < 0)
		log_warning("cannot copy the configuration: %s", why.msg);
	return PGWORK_DONE;
}

static void failed(struct pgwork *work, int result _unused_)
{
	/* From now on its end is an event of its own. */
	work->pg->life.unborn = false;
}

static const struct pgwork_step steps[] = {
	[S_CHECK] = { "check", step_check },
	[S_CONTROL] = { "pg_controldata", step_control },
	[S_FILES] = { "settings", step_files },
	[S_FORK] = { "WAL of a new timeline", step_fork },
	[S_FORK_VERIFY] = { "WAL of a new timeline", step_fork_verify },
	[S_SYNC] = { "sync", step_sync },
	[S_SPAWN] = { "start", step_spawn },
	[S_WAIT] = { "wait for the postmaster", step_wait },
	[S_KEEP] = { "keep settings", step_keep },
	{ NULL, NULL },
};

const struct pgwork_kind pgstart_kind = {
	.steps = steps,
	.data_size = sizeof(struct start),
	.failed = failed,
};
