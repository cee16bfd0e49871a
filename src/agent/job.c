/* SPDX-License-Identifier: PostgreSQL */
/*
 * job - one operation on the local Postgres at a time
 *
 * Goals are repeated by every cycle; a goal that is already being worked on is left alone. Only
 * a stop may interrupt, and only a harder stop may overtake a stop.
 */
#include "agent/state.h"

#include <assert.h>

#include "base/log.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS   60000
#define START_PROVES_MS  10000 /* a server that lived so long counts as started */
#define BOOT_STARTS      3 /* a new cluster that does not start after so many is given up */

static const char *const op_names[PGOP__MAX] = {
#define X(n, t, m) [PGOP_##n] = t,
	PG_OPS(X)
#undef X
};

static const bool op_changes[PGOP__MAX] = {
#define X(n, t, m) [PGOP_##n] = m,
	PG_OPS(X)
#undef X
};

const char *pg_op_name(enum pg_op op)
{
	return op_names[op];
}

bool pg_op_changes(enum pg_op op)
{
	return op_changes[op];
}

enum view_job job_view(const struct agent *a)
{
	if (a->job.ticket == 0)
		return a->settle_ticket != 0 ? VJOB_BUSY : VJOB_IDLE;
	return a->job.op == PGOP_STOP ? VJOB_STOPPING : VJOB_BUSY;
}

static bool is_working_on(const struct agent *a, const struct pg_req *req)
{
	/* A stop succeeded and the look that follows is awaited: there is nothing to stop. */
	if (a->job.ticket == 0)
		return req->op == PGOP_STOP && a->settle_ticket != 0 &&
		       a->job.op == PGOP_STOP && a->view.pg.run == PG_DOWN;
	if (req->op != PGOP_STOP)
		return true; /* one pair of hands */
	return a->job.op == PGOP_STOP && a->job.stop >= req->stop;
}

void job_run(struct agent *a, const struct pg_req *req)
{
	assert(op_changes[req->op]);
	if (is_working_on(a, req))
		return;

	if (req->op != PGOP_FOLLOW && req->op != PGOP_APPLY)
		log_info("Postgres: %s%s", op_names[req->op],
			 req->op != PGOP_STOP		   ? "" :
			 req->stop == STOP_KILL	   ? " (every process, at once)" :
			 req->stop == STOP_IMMEDIATE ? " (immediate)" :
						       " (fast)");
	/* The answer to an operation that is overtaken finds no ticket and is dropped. */
	a->job.op = req->op;
	a->job.stop = req->stop;
	a->job.since_ms = a->view.now_ms;
	a->job.ticket = state_ticket(a, TICKET_JOB, 0, "");
	if (req->op == PGOP_PROMOTE || req->op == PGOP_START_PRIMARY)
		a->view.pg.role = ROLE_PRIMARY; /* from now on it may take writes */
	if (req->op == PGOP_PROMOTE)
		trace_mark(a, TRACE_PROMOTE);
	if (req->op == PGOP_START_PRIMARY || req->op == PGOP_START_STANDBY)
		a->view.has_served = false;
	if (req->op == PGOP_START_PRIMARY || req->op == PGOP_PROMOTE)
		a->pg_begun_ms = a->view.now_ms;
	if (req->op == PGOP_START_PRIMARY)
		a->view.pg.run = PG_STARTING;
	if (req->op == PGOP_START_STANDBY) {
		a->view.pg.role = ROLE_REPLICA;
		a->view.pg.standby_signal = true;
		a->view.pg.restoring = false;
	}
	recorder_add(&a->recorder, a->view.now_ms, "job %s", op_names[req->op]);
	a->member_urgent = true;
	a->board_dirty = true; /* its beginning is an event */
	a->port.pg(a->port.ctx, a->job.ticket, req);
}

void job_ask(struct agent *a, enum ticket_kind kind, const struct pg_req *req)
{
	if (state_waits_for(a, kind))
		return;
	a->port.pg(a->port.ctx, state_ticket(a, kind, a->view.cluster.leader_epoch, ""), req);
}

static void back_off(struct agent *a, uint32_t failures)
{
	int64_t wait = BACKOFF_FIRST_MS;

	for (uint32_t i = 1; i < failures && wait < BACKOFF_MAX_MS; i++)
		wait *= 2;
	a->view.work_backoff_until_ms = a->view.now_ms + MIN_OF(wait, BACKOFF_MAX_MS);
}

static void bootstrap_failed(struct agent *a)
{
	a->view.boot_failed = true;
	a->view.discard_failures = 0;
	a->view.work_backoff_until_ms = 0;
}

/* A life that served longer than it took to begin, and longer than the first pause, was worth its
 * start: a pause would only be time without a primary. */
static bool was_worth_it(const struct agent *a)
{
	int64_t took_ms = a->served_since_ms - a->pg_begun_ms;

	return a->view.has_served &&
	       a->view.now_ms - a->served_since_ms >= MAX_OF(took_ms, BACKOFF_FIRST_MS);
}

/* Whatever ends soon after each start must not be started again and again without a pause. */
void job_exited(struct agent *a)
{
	struct view *v = &a->view;

	if (a->job.ticket != 0 || (!job_start_is_young(a) && !v->pg.restoring))
		return;
	v->start_failures++;
	if (!v->has_served)
		v->vain_starts++;
	a->hasty_ends = was_worth_it(a) ? 0 : a->hasty_ends + 1;
	if (a->hasty_ends > 1)
		back_off(a, a->hasty_ends - 1);
	/* A target that is not in the archive will not be there the next time. */
	if (v->pg.restoring && v->start_failures >= BOOT_STARTS)
		bootstrap_failed(a);
}

bool job_start_is_young(const struct agent *a)
{
	return a->pg_started_at_ms != 0 &&
	       a->view.now_ms - a->pg_started_at_ms < START_PROVES_MS;
}

static void start_failed(struct agent *a)
{
	a->view.start_failures++;
	a->view.vain_starts++;
	a->hasty_ends++;
	back_off(a, a->hasty_ends);
}

static void start_ended(struct agent *a, const struct event *ev)
{
	if (ev->result == 0) {
		a->pg_started_at_ms = a->view.now_ms;
		if (a->view.restart == RESTART_STOPPING)
			a->view.restart = RESTART_STARTING;
		return;
	}
	start_failed(a);
	if (a->job.op == PGOP_START_PRIMARY)
		crash_began(a);
	if (a->view.pg.boot_unfinished && a->view.start_failures >= BOOT_STARTS)
		bootstrap_failed(a);
}

static void rewind_ended(struct agent *a, const struct event *ev)
{
	if (ev->result == 0) {
		a->view.rewind_failures = 0;
		model_forget_position(a);
		str_clip(a->note, sizeof(a->note), ev->text != NULL ? ev->text : "rewound");
		log_notice("this member came back by pg_rewind: %s", a->note);
		return;
	}
	a->view.rewind_failures++;
	back_off(a, a->view.rewind_failures);
}

static void clone_ended(struct agent *a, const struct event *ev)
{
	if (ev->result != 0) {
		a->view.start_failures++;
		back_off(a, a->view.start_failures);
		return;
	}
	a->view.reinit = false;
	model_forget_position(a);
	a->view.rewind_failures = 0;
	a->view.start_failures = 0;
	str_clip(a->note, sizeof(a->note), ev->text != NULL ? ev->text : "a new base backup");
	log_notice("this member came back by a new copy: %s", a->note);
}

static void bootstrap_ended(struct agent *a, const struct event *ev)
{
	if (ev->result == 0)
		return;
	bootstrap_failed(a);
}

static void discard_ended(struct agent *a, const struct event *ev)
{
	if (ev->result != 0) {
		a->view.discard_failures++;
		back_off(a, a->view.discard_failures);
		return;
	}
	a->view.discard_failures = 0;
	a->view.start_failures = 0;
	model_forget_position(a);
	log_notice("what the failed bootstrap made is removed: %s",
		   ev->text != NULL ? ev->text : "");
}

static void promote_ended(struct agent *a, const struct event *ev)
{
	if (ev->result == 0) {
		a->view.promote_pending = false;
		poolers_moved(a);
		trace_mark(a, TRACE_OPEN);
		trace_end(a, "took over");
		a->checkpoint_pending = true;
		a->checkpoint_retry_ms = 0;
		return;
	}
	if (ev->result == PGOP_RESTARTED)
		return;
	start_failed(a);
}

static void count(struct job_telemetry *job, enum pg_op op, int result, int64_t took_ms)
{
	static_assert(PGOP__MAX <= TELEMETRY_JOBS, "one for each operation");
	job->name = op_names[op];
	if (result < 0) {
		job->failed++;
		return;
	}
	job->done++;
	job->took_ms = took_ms;
}

void job_answer(struct agent *a, const struct event *ev)
{
	enum pg_op op = a->job.op;
	int64_t took = a->view.now_ms - a->job.since_ms;

	a->job.ticket = 0;
	/* A stop may be repeated, and what waits for it is in a hurry; but a hand-over has to know
	 * how it ended. */
	if (op != PGOP_STOP || a->view.handover_begun)
		a->settle_ticket = a->next_ticket;
	a->probe_now = true;
	a->again = true;
	a->member_urgent = true;
	a->board_dirty = true; /* a primary that was promoted serves from now on */
	recorder_add(&a->recorder, a->view.now_ms, "job %s ended result=%d", op_names[op],
		     ev->result);
	count(&a->telemetry.jobs[op], op, ev->result, took);
	if (ev->result < 0)
		log_warning("Postgres: %s failed after %lld ms: %s", op_names[op], (long long)took,
			    ev->err != NULL ? ev->err->msg : "no reason given");
	else if (ev->result == 0 && op != PGOP_FOLLOW && op != PGOP_APPLY)
		log_info("Postgres: %s done in %lld ms", op_names[op], (long long)took);

	switch (op) {
	case PGOP_START_STANDBY:
	case PGOP_START_PRIMARY:
		start_ended(a, ev);
		return;
	case PGOP_REWIND:
		rewind_ended(a, ev);
		return;
	case PGOP_CLONE:
		clone_ended(a, ev);
		return;
	case PGOP_INITDB:
	case PGOP_POST_BOOTSTRAP:
		bootstrap_ended(a, ev);
		return;
	case PGOP_DISCARD:
		discard_ended(a, ev);
		return;
	case PGOP_PROMOTE:
		promote_ended(a, ev);
		return;
	case PGOP_FOLLOW:
		seal_followed(a, a->following.host[0] == '\0', ev->result == 0);
		if (ev->result < 0) /* told again by the next cycle */
			a->following = (struct upstream){ 0 };
		return;
	case PGOP_STOP:
		trace_stopped(a, ev);
		return;
	case PGOP_APPLY:
	case PGOP_PROBE:
	case PGOP_ANCESTRY:
	case PGOP_CHECKPOINT:
	case PGOP_WAL_END:
	case PGOP_SLOTS:
	case PGOP_EXAMINE:
	case PGOP_PRE_PROMOTE:
	case PGOP__MAX:
		return;
	}
}
