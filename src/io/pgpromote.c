/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgpromote - PROMOTE and PRE_PROMOTE
 *
 * The connection is opened before the order is given, and asked every few milliseconds afterwards,
 * so that the end of recovery is known when it happens. From that moment on this postmaster
 * counts as one that may write, whatever becomes of the request.
 *
 * Where a promotion would end with a PANIC because of WAL that was received only in part, Postgres
 * is stopped instead, and the answer says so: the next start mends it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>

#include "base/log.h"
#include "base/str.h"
#include "io/pgdial.h"
#include "io/pgfork.h"
#include "io/pgkinds.h"
#include "io/pgnumber.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

#define ASK_EVERY_MS 5
#define ASK_MS       2000
#define PROMOTE_MS   60000 /* where neither the request nor pg_ctl_timeout says */

enum { P_CONNECT = 0, P_FORK, P_NUMBER, P_ORDER, P_ASK, P_ASKED, P_ARCHIVE, P_STOP, P_DOWN };

struct promote {
	int64_t until_ms;
	bool restarts;
	bool asked; /* the answer waited for is that of the question, not of a connection */
	bool pause;
	bool in_recovery;
};

static int step_connect(struct pgwork *work, struct err *err)
{
	pgwatch_look(work->pg);
	if (!pgwatch_runs(work->pg))
		return err_set(err, ERR_STATE, "Postgres does not run");
	/* A standby whose connections are all taken can be promoted all the same. */
	pgwork_tolerate(work);
	return pgdial_step_local(work, PGDIAL_STATEMENT_MS, err);
}

static int64_t usual_ms(const struct pg *pg)
{
	return pg->config->pg.pg_ctl_timeout_ms > 0 ? pg->config->pg.pg_ctl_timeout_ms : PROMOTE_MS;
}

static int step_fork(struct pgwork *work, struct err *err)
{
	struct promote *promote = work->data;
	struct pg *pg = work->pg;
	struct pgfork fork;
	struct err why = { 0 };
	int rc = 0;

	if (pg->control_known)
		rc = pgfork_find(pg->config->pg.data_dir, &pg->control, &fork, &why);
	if (rc < 0)
		log_warning("cannot tell whether WAL of a new timeline is in the way: %s",
			    why.msg);
	if (rc != PGFORK_SHORT)
		return PGWORK_NEXT;
	if (pg->fork_stays)
		return err_set(err, ERR_STATE,
			       "'%s' ends before what was replayed, and '%s' is not alike",
			       fork.path, fork.older_path);
	log_notice("of timeline %" PRIu32 " only WAL from before its beginning was received: "
		   "Postgres is started again before it is promoted",
		   fork.timeline);
	promote->restarts = true;
	pgwork_jump(work, P_STOP);
	return PGWORK_NEXT;
}

/* The row of history files ends with the number that the new timeline has to be above of. */
static int step_number(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words made = { 0 };
	struct pg *pg = work->pg;
	uint32_t above = work->req.above_timeline;
	uint32_t own = MAX_OF(pg->life.timeline, pg->state.control_timeline);
	int rc;

	if (above == 0)
		return PGWORK_NEXT;
	if (own == 0)
		return err_set(err, ERR_STATE, "the timeline is not known yet");
	rc = pgnumber_reserve(pg->config->pg.data_dir, own, above, &made, err);
	if (rc < 0 || made.n == 0)
		return rc;
	log_notice("the new timeline gets a number above %" PRIu32 ": another promotion may have "
		   "begun those between", above);
	return pgtool_sync(work, &made, err);
}

/* What pg_ctl promote does (PostgreSQL 12 to 18), without a program that has to be loaded first. A
 * file that is left over is also removed by the server itself, when it starts. */
static int step_order(struct pgwork *work, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	struct promote *promote = work->data;
	struct pg *pg = work->pg;
	char path[PATH_MAX];

	promote->until_ms = loop_now_ms() + usual_ms(pg);
	pg->life.may_write = true;
	if (str_printf(path, sizeof(path), "%s/promote", pg->config->pg.data_dir) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", pg->config->pg.data_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot create '%s'", path);
	if (pgwatch_runs(pg) && child_pidfd_signal(pg->life.proc.pidfd, SIGUSR1) >= 0)
		return PGWORK_NEXT;
	/* Any SIGUSR1, and its own processes send them, would have it obeyed later. */
	(void)unlink(path);
	return err_set(err, ERR_IO, "cannot signal the postmaster");
}

static int step_ask(struct pgwork *work, struct err *err)
{
	struct promote *promote = work->data;
	struct pgquery q;

	if (!pgwatch_runs(work->pg))
		return err_set(err, ERR_STATE, "Postgres ended during its promotion");
	if (work->req.timeout_ms <= 0 && loop_now_ms() >= promote->until_ms)
		return err_set(err, ERR_TIMEOUT, "Postgres is still in recovery");
	if (promote->pause) {
		promote->pause = false;
		return pgwork_again_in(work, ASK_EVERY_MS);
	}
	pgwork_tolerate(work);
	promote->asked = pgconn_idle(work->conn);
	if (!promote->asked)
		return pgdial_step_local(work, PGDIAL_STATEMENT_MS, err);
	q = pgdial_query(work, ASK_MS);
	pgquery_in_recovery(&q, &promote->in_recovery);
	return PGWORK_WAIT;
}

static int step_asked(struct pgwork *work, struct err *err _unused_)
{
	struct promote *promote = work->data;
	struct pg *pg = work->pg;

	if (work->result < 0 || (promote->asked && promote->in_recovery))
		promote->pause = true;
	if (work->result < 0 || !promote->asked || promote->in_recovery) {
		pgwork_jump(work, P_ASK);
		return PGWORK_NEXT;
	}
	pg->life.seen = ROLE_PRIMARY;
	pg->state.role = ROLE_PRIMARY;
	pg->state.run = PG_UP;
	pg->follows = (struct upstream){ 0 };
	return PGWORK_NEXT;
}

static int step_archive(struct pgwork *work, struct err *err _unused_)
{
	const struct pg_req *req = &work->req;
	struct err why = { 0 };

	if (req->above_timeline > req->known_timeline &&
	    pgnumber_archive(work->pg->config->pg.data_dir, req->known_timeline,
			     req->above_timeline, &why) < 0)
		log_warning("an archive will lack the timelines that were passed over: %s",
			    why.msg);
	return PGWORK_DONE;
}

/* -- instead of it ------------------------------------------------------------------------ */

static int step_stop(struct pgwork *work, struct err *err)
{
	struct promote *promote = work->data;
	struct pg *pg = work->pg;

	if (child_pidfd_signal(pg->life.proc.pidfd, SIGINT) < 0 && pgwatch_runs(pg))
		return err_set(err, ERR_IO, "cannot signal the postmaster");
	promote->until_ms = loop_now_ms() + usual_ms(pg);
	return PGWORK_NEXT;
}

/* Whoever is left of it is for a STOP to kill. */
static int step_down(struct pgwork *work, struct err *err)
{
	const struct promote *promote = work->data;

	if (!pgwatch_runs(work->pg) && !pgwatch_exit_pending(work->pg))
		return PGWORK_DONE;
	if (loop_now_ms() >= promote->until_ms)
		return err_set(err, ERR_TIMEOUT, "Postgres does not end");
	return pgwork_again_in(work, ASK_EVERY_MS);
}

static void answer(struct pgwork *work, struct event *event)
{
	const struct promote *promote = work->data;

	if (event->result == 0 && promote->restarts)
		event->result = PGOP_RESTARTED;
}

static const struct pgwork_step steps[] = {
	[P_CONNECT] = { "connect", step_connect },
	[P_FORK] = { "WAL of a new timeline", step_fork },
	[P_NUMBER] = { "number of the timeline", step_number },
	[P_ORDER] = { "order to promote", step_order },
	[P_ASK] = { "wait for the end of recovery", step_ask },
	[P_ASKED] = { "wait for the end of recovery", step_asked },
	[P_ARCHIVE] = { "archive", step_archive },
	[P_STOP] = { "stop before a restart", step_stop },
	[P_DOWN] = { "stop before a restart", step_down },
	{ NULL, NULL },
};

const struct pgwork_kind pgpromote_kind = {
	.steps = steps,
	.data_size = sizeof(struct promote),
	.answer = answer,
};

/* -- pre_promote -------------------------------------------------------------------------- */

static int script_run(struct pgwork *work, struct err *err)
{
	const char *script = work->pg->config->pg.pre_promote;

	if (!script)
		return PGWORK_DONE;
	return pgtool_command(work, "pre_promote", script, NULL, 0, err);
}

static const struct pgwork_step script_steps[] = {
	{ "pre_promote", script_run },
	{ NULL, NULL },
};

const struct pgwork_kind pgpromote_script_kind = {
	.steps = script_steps,
};
