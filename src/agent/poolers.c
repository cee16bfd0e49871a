/* SPDX-License-Identifier: PostgreSQL */
/*
 * poolers - clients of PgBouncer wait through a hand-over
 *
 * The old leader makes them wait, just before its stop. Who lets them go: the new one as soon as it
 * is open; the old one, when it goes on serving, or at the latest when hold_timeout is over. An
 * agent that dies in between is no exception: whoever leads next does it, and so does this member,
 * started again, as soon as it leads.
 */
#include <inttypes.h>

#include "agent/state.h"
#include "base/log.h"

#define RESUME_MS       2000
#define AGAIN_MS        250
#define AGAIN_SLOWLY_MS 5000
#define FAST_TRIES      20

void poolers_configured(struct agent *a)
{
	const struct config_poolers *c = &a->config->poolers;

	a->view.poolers = c->n > 0 && c->pause_ms > 0;
	if (!a->started)
		a->poolers.resume_due = true;
}

static void ask(struct agent *a, const struct pooler_req *req)
{
	struct poolers *p = &a->poolers;

	p->pausing = req->pause;
	p->ticket = state_ticket(a, TICKET_POOLERS, 0, "");
	recorder_add(&a->recorder, a->view.now_ms, "poolers: %s", req->pause ? "pause" : "resume");
	a->port.poolers(a->port.ctx, p->ticket, req);
}

void poolers_pause(struct agent *a)
{
	struct pooler_req req = { .pause = true, .timeout_ms = a->config->poolers.pause_ms };

	if (a->poolers.ticket != 0)
		return;
	a->poolers.held_since_ms = a->view.now_ms;
	a->poolers.failures = 0;
	ask(a, &req);
}

void poolers_moved(struct agent *a)
{
	a->poolers.resume_due = true;
	a->poolers.moved = true;
	a->poolers.failures = 0;
	a->poolers.retry_ms = 0;
}

static void pause_answered(struct agent *a, const struct event *ev)
{
	a->view.poolers_asked = true;
	a->again = true;
	trace_mark(a, TRACE_PAUSED);
	if (ev->result < 0)
		log_warning("not every client of PgBouncer waits: %s; the hand-over goes on",
			    ev->err != NULL ? ev->err->msg : "no reason given");
}

static void resume_answered(struct agent *a, const struct event *ev)
{
	struct poolers *p = &a->poolers;

	if (ev->result == 0) {
		if (p->held_since_ms != 0 || p->failures > 0)
			log_notice("the clients of PgBouncer go on");
		*p = (struct poolers){ 0 };
		return;
	}
	/* One that is dead lets nobody wait, but one that cannot be reached may. */
	p->moved = false;
	p->resume_due = true;
	p->held_since_ms = 0;
	p->retry_ms = a->view.now_ms + (p->failures < FAST_TRIES ? AGAIN_MS : AGAIN_SLOWLY_MS);
	if (p->failures++ == 0)
		log_warning("clients of PgBouncer may still be waiting: %s; trying again",
			    ev->err != NULL ? ev->err->msg : "no reason given");
}

void poolers_answered(struct agent *a, const struct event *ev)
{
	a->poolers.ticket = 0;
	if (a->poolers.pausing)
		pause_answered(a, ev);
	else
		resume_answered(a, ev);
}

static bool another_serves(const struct view *v)
{
	const struct member *leader = rank_member(&v->cluster, v->cluster.leader);

	return leader != NULL && !str_eq(leader->name, v->name) && leader->role == MROLE_PRIMARY &&
	       leader->state == STATE_RUNNING;
}

static bool is_held_too_long(const struct agent *a)
{
	const struct poolers *p = &a->poolers;

	return p->held_since_ms != 0 &&
	       a->view.now_ms - p->held_since_ms >= a->config->poolers.hold_ms;
}

/* Where it stops itself, or is about to, the clients wait on. */
static bool serves(const struct agent *a)
{
	const struct view *v = &a->view;
	enum situation_ask ask = a->plan.situation.ask;

	return state_leads(a) && v->pg.run == PG_UP && v->pg.role == ROLE_PRIMARY &&
	       a->job.ticket == 0 && !v->handover_begun && ask != ASK_PAUSE &&
	       ask != ASK_HANDOVER;
}

void poolers_cycle(struct agent *a)
{
	struct poolers *p = &a->poolers;
	struct view *v = &a->view;
	struct pooler_req req = { .moved = p->moved, .timeout_ms = RESUME_MS };
	bool held = p->held_since_ms != 0;

	if (a->config->poolers.n == 0 || p->ticket != 0 || v->now_ms < p->retry_ms)
		return;
	if (!is_held_too_long(a) && !((held || p->resume_due) && serves(a)))
		return;
	/* The new one has most probably done so long ago, and points them at itself first. */
	if (is_held_too_long(a) && !another_serves(v))
		log_warning("the clients of PgBouncer have waited for %" PRId64 " ms, as long as "
			    "pgbouncer.hold_timeout allows: they go on, wherever that leads",
			    v->now_ms - p->held_since_ms);
	v->poolers_asked = v->handover_begun;
	ask(a, &req);
}

int64_t poolers_wake_ms(const struct agent *a)
{
	const struct poolers *p = &a->poolers;
	int64_t at_ms = INT64_MAX;

	if (a->config->poolers.n == 0 || p->ticket != 0)
		return at_ms;
	if (p->held_since_ms != 0)
		at_ms = p->held_since_ms + a->config->poolers.hold_ms;
	if (p->resume_due && p->retry_ms > a->view.now_ms)
		at_ms = MIN_OF(at_ms, p->retry_ms);
	return at_ms;
}
