/* SPDX-License-Identifier: PostgreSQL */
/*
 * crash - the leader's Postgres ended by itself: who goes on?
 *
 * What it committed is on this disk. Once no process of it is left, the end of the newest commit is
 * read there, from the last known position on, and the others are asked where they are. One that
 * has all of it takes over at once, for nothing can be lost; otherwise Postgres is started again
 * here. The decisions are in the table (307, 309); here the facts for them are kept.
 */
#include "agent/state.h"

#include <inttypes.h>

#include "base/log.h"

#define WAL_END_MS 900

void crash_began(struct agent *a)
{
	struct view *v = &a->view;

	if (!state_leads(a) || v->mode != MODE_AUTO || v->restart != RESTART_NONE ||
	    v->handover_begun || v->pg.boot_unfinished ||
	    v->cfg.on_primary_crash == CRASH_RESTART)
		return;
	v->crash_look = true;
	v->crash_down_at_ms = 0;
	v->crash_read = false;
	v->crash_commit_lsn = 0;
	/* Others see by the member key that this one does not serve, and look where they are. */
	a->member_urgent = true;
	trace_mark(a, TRACE_CRASHED);
	recorder_add(&a->recorder, v->now_ms, "crash: known up to %" PRIX64, v->pg.flush_lsn);
}

static bool ended_in_good_order(const struct pg_state *pg)
{
	return pg->control == CONTROL_SHUT_DOWN || pg->control == CONTROL_SHUT_DOWN_IN_RECOVERY;
}

void crash_refresh(struct agent *a)
{
	struct view *v = &a->view;
	bool runs = v->pg.run == PG_UP || v->pg.run == PG_STARTING;

	if (!v->crash_look)
		return;
	if (!state_leads(a) || v->mode != MODE_AUTO || runs || v->handover_begun) {
		v->crash_look = false;
		return;
	}
	if (v->pg.run != PG_DOWN || a->job.ticket != 0 || a->settle_ticket != 0)
		return;
	/* Somebody shut it down, as for a restart by hand: it starts again as quickly as it
	 * stopped. */
	if (ended_in_good_order(&v->pg)) {
		v->crash_look = false;
		return;
	}
	if (v->crash_down_at_ms == 0)
		v->crash_down_at_ms = v->now_ms;
}

void crash_ask(struct agent *a)
{
	const struct view *v = &a->view;
	struct pg_req req = { .op = PGOP_WAL_END, .timeout_ms = WAL_END_MS,
			      .wal_lsn = v->pg.flush_lsn, .timeline = v->pg.timeline };

	if (!v->crash_read)
		job_ask(a, TICKET_WAL_END, &req);
	act_ask_votes(a);
}

void crash_fold_end(struct agent *a, const struct event *ev)
{
	struct view *v = &a->view;

	if (!v->crash_look || v->crash_down_at_ms == 0)
		return;
	v->crash_read = true;
	v->crash_commit_lsn = ev->result == 0 ? ev->commit_lsn : 0;
	a->again = true;
	recorder_add(&a->recorder, v->now_ms, "crash: commits end at %" PRIX64,
		     v->crash_commit_lsn);
	if (ev->result < 0)
		log_warning("where the commits end on this disk cannot be read: %s",
			    ev->err != NULL ? ev->err->msg : "no reason given");
}

/* What the released key promises: a successor that has this has everything. */
uint64_t crash_commits_end(const struct view *v)
{
	return v->crash_look && v->crash_read && v->pg.run == PG_DOWN ? v->crash_commit_lsn : 0;
}

void crash_say_start(struct agent *a)
{
	const struct view *v = &a->view;
	const struct verdict *verdict = &a->plan.verdict;

	if (!v->crash_look)
		return;
	log_notice("Postgres crashed and is started again here: %s%s%s%s",
		   rank_others_exist(v) ? "" : "no other member could lead; ",
		   verdict->other[0] != '\0' ? verdict->other : "",
		   verdict->other[0] != '\0' ? " " : "", verdict->why);
}

void crash_say_release(struct agent *a, const char *to)
{
	const struct view *v = &a->view;
	const struct verdict *verdict = &a->plan.verdict;

	if (!v->crash_look)
		return;
	if (to[0] != '\0')
		log_notice("Postgres crashed here, and '%s' has every commit, up to %X/%X: handing "
			   "over to it",
			   to, (unsigned)(v->crash_commit_lsn >> 32),
			   (unsigned)v->crash_commit_lsn);
	else if (v->start_failures >= START_TRIES)
		log_warning("Postgres crashed here %u times in a row soon after its start, and the "
			    "key is given up; commits may be lost: %s%s%s",
			    v->start_failures, verdict->other,
			    verdict->other[0] != '\0' ? " " : "", verdict->why);
	else
		log_warning("Postgres crashed here, and the key is given up as configured by "
			    "on_primary_crash or primary_start_timeout; commits may be lost: "
			    "%s%s%s", verdict->other, verdict->other[0] != '\0' ? " " : "",
			    verdict->why);
}
