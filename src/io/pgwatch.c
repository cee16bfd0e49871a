/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgwatch - the postmaster under watch, and the facts that need no SQL
 */
#include "io/pgwatch.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/str.h"
#include "io/child.h"
#include "io/pgconf.h"
#include "io/pgdir.h"
#include "io/pgdoor.h"
#include "io/pgready.h"
#include "io/pgkinds.h"
#include "io/pgwal.h"

/* -- the postmaster's life ---------------------------------------------------------------- */

bool pgwatch_runs(const struct pg *pg)
{
	return pg->life.proc.pid != 0;
}

/* What only a server that serves has. */
static void ends_serving(struct pg *pg)
{
	pg->state.role = ROLE_UNKNOWN;
	pg->state.streaming = pg->state.receiver_silent = false;
	pg->state.receiver_age_ms = 0;
	pg->state.pending_restart = false;
	pg->state.flush_lsn = pg->state.receive_lsn = pg->state.replay_lsn = 0;
}

void pgwatch_forget(struct pg *pg)
{
	siginfo_t info;

	loop_source_freep(&pg->life.source);
	/* One that we started is our child; one that we found is not, and that is no failure. */
	if (pg->life.proc.pid != 0)
		(void)child_pidfd_wait(pg->life.proc.pidfd, &info, WEXITED | WNOHANG);
	pgproc_done(&pg->life.proc);
	pg->life = (struct pglife){ .proc.pidfd = -1 };
	pg->state.run = PG_UNKNOWN;
	pg->state.postmaster_pid = 0;
	pg->state.postmaster_start_us = 0;
	ends_serving(pg);
	pg->nchanges = 0;
	pg->settings_at_ms = 0;
	pg->slots_at_ms = 0;
	/* A probe that waits for an answer hears that there will be none: until it has ended
	 * there is no other. */
	if (pg->conn)
		pgconn_lost(pg->conn);
	pgconn_free(TAKE(pg->spare));
	pg->spare_at_ms = 0;
	pgdoor_forget(pg);
	pgready_forget(pg);
}

static void tell_exit(struct pg *pg)
{
	struct err err = { 0 };

	if (pgwork_begin(pg, &pgprobe_exit_kind, EVENT_PG_EXIT, 0, NULL, pgwork_place(pg),
			 &err) < 0)
		log_error("the end of Postgres cannot be reported: %s", err.msg);
}

static void on_exit_of(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	struct pg *pg = ctx;
	/* START tells of one that never came up. */
	bool told = pg->life.unborn || pg->life.shut;

	pgwatch_forget(pg);
	pgwatch_look(pg);
	if (pg->stop)
		pgwork_kick(pg->stop);
	if (pg->hand)
		pgwork_kick(pg->hand);
	if (!told)
		tell_exit(pg);
}

bool pgwatch_shut(struct pg *pg)
{
	if (!pgwatch_runs(pg) || pg->life.shut || pg->life.seen != ROLE_PRIMARY)
		return false;
	(void)pgwatch_control_stale(pg); /* notes what is read now */
	pg->life.shut = true;
	if (!pgwatch_control_reread(pg)) {
		pg->life.shut = false;
		return false;
	}
	ends_serving(pg);
	pg->state.run = PG_DOWN;
	tell_exit(pg);
	return true;
}

int pgwatch_adopt(struct pg *pg, struct pgproc *proc, struct err *err)
{
	int rc;

	pgwatch_forget(pg);
	rc = loop_fd_new(pg->loop, "postmaster", proc->pidfd, LOOP_READ, on_exit_of, pg,
			 &pg->life.source, err);
	if (rc < 0)
		return rc;
	/* Nothing else is as urgent as the end of Postgres. */
	loop_rank(pg->life.source, LOOP_FIRST);
	pg->life.proc = *proc;
	proc->pidfd = -1;
	pg->state.postmaster_pid = pg->life.proc.pid;
	return 0;
}

/* -- looking ------------------------------------------------------------------------------ */

static pid_t own_session(const struct pg *pg)
{
	/* pg_rewind and others run postgres in single-user mode: that is our own doing. */
	if (pg->hand && pg->hand->child && child_running(pg->hand->child))
		return child_pid(pg->hand->child);
	return 0;
}

/* What was read of it for the postmaster that runs still holds. */
static bool pid_file_unchanged(struct pg *pg)
{
	char path[PATH_MAX];

	return pgwatch_runs(pg) &&
	       str_printf(path, sizeof(path), "%s/postmaster.pid", pg->config->pg.data_dir) > 0 &&
	       pgdir_unchanged(path, &pg->life.file_stamp);
}

static void find_postmaster(struct pg *pg)
{
	const char *data_dir = pg->config->pg.data_dir;
	struct pgproc proc = { .pidfd = -1 };
	struct pgproc_pidfile file;
	struct err err = { 0 };
	int rc;

	if (pid_file_unchanged(pg))
		return;
	rc = pgproc_pidfile_read(data_dir, &file, &err);
	if (rc == 0 && !pgwatch_runs(pg)) {
		rc = pgproc_open(data_dir, file.pid, &proc, &err);
		if (rc == 0 && proc.session != own_session(pg))
			rc = pgwatch_adopt(pg, &proc, &err);
		pgproc_done(&proc);
	}
	if (rc < 0)
		log_warning("cannot tell whether Postgres runs: %s", err.msg);
	if (rc != 0 || !pgwatch_runs(pg) || file.pid != pg->life.proc.pid) {
		pg->life.file_stamp = (struct pgdir_stamp){ 0 };
		return;
	}
	pg->life.file = file;
	pg->life.unborn = pg->life.unborn && file.status == PGPROC_EARLY;
}

static enum pg_run run_without_postmaster(struct pg *pg)
{
	struct err err = { 0 };
	int n = pgproc_scan(pg->config->pg.data_dir, own_session(pg), NULL, 0, &err);

	if (n < 0) {
		log_warning("cannot tell whether Postgres runs: %s", err.msg);
		return PG_UNKNOWN;
	}
	if (n == 0)
		return PG_DOWN;
	return pg->stop ? PG_STOPPING : PG_LEFTOVERS;
}

void pgwatch_look(struct pg *pg)
{
	pgdir_look_again(pg->config->pg.data_dir, &pg->seen, &pg->state);
	find_postmaster(pg);
	if (!pgwatch_runs(pg)) {
		pg->state.run = run_without_postmaster(pg);
		return;
	}
	if (pg->life.shut)
		pg->state.run = PG_DOWN;
	else if (pg->stop || pg->life.file.status == PGPROC_STOPPING)
		pg->state.run = PG_STOPPING;
	else if (pg->state.run != PG_UP && pg->state.run != PG_SILENT)
		pg->state.run = PG_STARTING;
}

bool pgwatch_exit_pending(const struct pg *pg)
{
	for (size_t i = 0; i < PGWORK_OTHERS_MAX; i++) {
		if (pg->others[i] && pg->others[i]->kind == &pgprobe_exit_kind)
			return true;
	}
	return false;
}

int pgwatch_must_be_down(struct pg *pg, struct err *err)
{
	pgwatch_look(pg);
	switch (pg->state.run) {
	case PG_DOWN:
		if (pgwatch_runs(pg))
			break; /* its last processes are still leaving */
		return 0;
	case PG_UNKNOWN:
		return err_set(err, ERR_STATE, "cannot tell whether Postgres runs");
	case PG_LEFTOVERS:
		return err_set(err, ERR_STATE, "processes of a dead postmaster are still there");
	case PG_STARTING:
	case PG_UP:
	case PG_SILENT:
	case PG_STOPPING:
	case PG_RUN__MAX:
		break;
	}
	return err_set(err, ERR_STATE, "Postgres runs");
}

/* -- control file ------------------------------------------------------------------------- */

static bool control_stamp(const struct pg *pg, struct control_stamp *ret)
{
	char path[PATH_MAX];
	struct stat st;

	if (str_printf(path, sizeof(path), "%s/global/pg_control", pg->config->pg.data_dir) < 0 ||
	    stat(path, &st) < 0)
		return false;
	*ret = (struct control_stamp){ (int64_t)st.st_ino, st.st_mtim.tv_sec, st.st_mtim.tv_nsec };
	return true;
}

static bool same_stamp(const struct control_stamp *a, const struct control_stamp *b)
{
	return a->inode == b->inode && a->s == b->s && a->ns == b->ns;
}

bool pgwatch_control_stale(struct pg *pg)
{
	/* Noted before the file is read: what is written meanwhile makes it stale again. */
	if (!control_stamp(pg, &pg->control_next))
		return false;
	return !pg->control_known || !same_stamp(&pg->control_next, &pg->control_stamp);
}

bool pgwatch_control_reread(struct pg *pg)
{
	struct pgcontrol control = pg->control;

	if (!pg->control_known || (pgwatch_runs(pg) && !pg->life.shut) ||
	    !pgcontrol_reread_shut_down(pg->config->pg.data_dir, &control))
		return false;
	pgwatch_control_keep(pg, &pg->control_next, &control);
	return true;
}

/* Whether the file, as it is now, has been read already, and differently from what somebody read
 * who began earlier. Clocks of file systems tick slowly: of two reads of one moment the shutdown is
 * the later one. */
static bool is_outdated(const struct pg *pg, const struct control_stamp *seen,
			const struct pgcontrol *control)
{
	struct control_stamp now;

	if (!pg->control_known || !control_stamp(pg, &now) || !same_stamp(&now, &pg->control_stamp))
		return false;
	return !same_stamp(&now, seen) ||
	       (pg->control.state == CONTROL_SHUT_DOWN && control &&
		control->state != CONTROL_SHUT_DOWN);
}

void pgwatch_control_keep(struct pg *pg, const struct control_stamp *seen,
			  const struct pgcontrol *control)
{
	if (!is_outdated(pg, seen, control)) {
		pg->control_known = control != NULL;
		if (control)
			pg->control = *control;
		pg->control_stamp = *seen;
	}
	pgwatch_control_apply(pg);
}

void pgwatch_control_apply(struct pg *pg)
{
	struct control_stamp stamp;

	if (pg->state.dir == DIR_EMPTY || !control_stamp(pg, &stamp)) {
		pg->control_known = false;
		pg->state.control = CONTROL_UNKNOWN;
		pg->state.sysid[0] = '\0';
		return;
	}
	if (pg->control_known)
		pgcontrol_apply(&pg->control, &pg->state);
	else if (pg->state.dir == DIR_PRESENT)
		pg->state.dir = DIR_BROKEN;
}

/* -- sweeping ----------------------------------------------------------------------------- */

static void on_swept(void *ctx, const struct child_end *end)
{
	struct pg *pg = ctx;
	struct err err = { 0 };

	if (!child_ok(end) && child_failed(end, "rm", &err) < 0)
		log_warning("cannot delete a replaced data directory: %s", err.msg);
	child_free(pg->sweeper);
	pg->sweeper = NULL;
}

bool pgwatch_sweeps(const struct pg *pg)
{
	return pg->sweeper != NULL;
}

void pgwatch_sweep(struct pg *pg)
{
	struct words words = { 0 };
	struct child_spec spec = { .name = "rm", .c_locale = true };
	struct pgdir dir;
	char wal[PATH_MAX];
	struct err err = { 0 };
	int rubbish = 0;
	int rc = pgdir_init(&dir, pg->config->pg.data_dir, &err);

	if (pg->sweeper || rc < 0 || pgdir_mend(&dir, &rubbish, &err) < 0 || rubbish == 0)
		return;
	words_add(&words, "rm");
	words_add(&words, "-rf");
	words_add(&words, "--one-file-system");
	words_add(&words, "--");
	if (rubbish & PGDIR_RUBBISH_STAGED) {
		if (pgwal_of_staged(&dir, pgconf_initdb_waldir(pg->config), wal))
			words_add(&words, "%s", wal);
		words_add(&words, "%s", dir.staged);
	}
	if (rubbish & PGDIR_RUBBISH_OLD) {
		words_add(&words, "%s", dir.old);
		if (pgwal_of_old(&dir, wal))
			words_add(&words, "%s", wal);
	}
	spec.argv = (const char *const *)words.items;
	if (child_spawn(pg->loop, &spec, on_swept, pg, &pg->sweeper, &err) < 0)
		log_warning("cannot delete a replaced data directory: %s", err.msg);
	words_done(&words);
}
