/* SPDX-License-Identifier: PostgreSQL */
/*
 * model - the last known world: newest fact wins, stamped with the local time it was seen
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/timeline.h"
#include "core/turn.h"

static bool is_serving(const struct view *v)
{
	return v->pg.run == PG_UP && v->pg.role == ROLE_PRIMARY;
}

static bool is_on_ours(const struct agent *a, const struct walsender *w)
{
	const struct history *own = &a->own_history;

	return own->timeline == a->view.pg.timeline && timeline_sends_present(own, w->sent_lsn);
}

/* Where the timeline that we began a moment ago begins is still being read: history_cycle() does so
 * for each that etcd's history does not tell of. */
static bool fork_comes(const struct agent *a)
{
	const struct view *v = &a->view;

	return is_serving(v) && !v->crash_look && v->pg.timeline > 1 &&
	       v->cluster.history_timeline != v->pg.timeline &&
	       a->own_history.timeline != v->pg.timeline;
}

/* What a peer tells of itself is up to a second old, and a walreceiver may not know yet that its
 * connection is dead. Of who streams from here our own walsenders know better; also that it has
 * come to our timeline, when we began that a moment ago. */
static void refresh_vote(const struct agent *a, struct vote *vote)
{
	/* A list from before the question says nothing of one that came since. */
	if (vote->heard && !vote->failed)
		vote->answered = !state_leads(a) || a->view.crash_look ||
				 a->walsenders_at_ms >= vote->asked_at_ms;
	if (!state_leads(a) || !vote->answered)
		return;
	vote->streaming = false;
	for (uint32_t i = 0; i < a->nwalsenders; i++) {
		const struct walsender *w = &a->walsenders[i];

		if (!str_eq(w->application_name, vote->name))
			continue;
		vote->streaming = vote->streaming || str_eq(w->state, "streaming");
		vote->lsn = MAX_OF(vote->lsn, w->flush_lsn);
		if (is_on_ours(a, w))
			vote->timeline = a->view.pg.timeline;
	}
	/* It may be on ours all the same: that cannot be told before the fork is known. */
	if (vote->heard && vote->streaming && vote->timeline != 0 &&
	    vote->timeline != a->view.pg.timeline && fork_comes(a))
		vote->answered = false;
}

void model_fold_own_history(struct agent *a, const struct history *history)
{
	a->own_history = *history;
	for (uint32_t i = 0; i < a->view.nvotes; i++)
		refresh_vote(a, &a->view.votes[i]);
	a->again = true;
}

void model_fold_vote(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;

	for (uint32_t i = 0; i < v->nvotes; i++) {
		struct vote *vote = &v->votes[i];

		if (!str_eq(vote->name, p->name) || vote->asked_at_ms != p->since_ms)
			continue;
		if (ev->result < 0 || ev->vote == NULL) {
			vote->failed = true;
		} else {
			*vote = *ev->vote;
			str_clip(vote->name, sizeof(vote->name), p->name);
			vote->asked_at_ms = p->since_ms;
			vote->ballot = p->number;
			vote->heard = true;
			refresh_vote(a, vote);
		}
	}
}

/* Data that went another way than the leader's: its receiver comes to the end of the old timeline
 * and begins again, and each probe may catch it streaming. Only the leader's timeline counts. */
static bool is_streaming(const struct view *v)
{
	for (uint32_t i = 0; i < v->cluster.nmembers; i++)
		if (str_eq(v->cluster.members[i].name, v->cluster.leader) &&
		    v->cluster.members[i].timeline > v->pg.timeline)
			return false;
	return v->pg.streaming;
}

/* What a primary that does not serve has as a clock, and a standby that does not stream. */
static void fold_clocks(struct agent *a)
{
	struct view *v = &a->view;
	bool planned = v->restart != RESTART_NONE || v->handover_begun || v->fence_due[0] != '\0';

	if (!v->has_served && is_serving(v)) {
		v->has_served = true;
		a->served_since_ms = v->now_ms;
	}
	if (is_serving(v) || v->start_failures == 0)
		v->vain_starts = 0;
	if (v->start_failures == 0) {
		v->unsteady_since_ms = 0;
		a->hasty_ends = 0;
	} else if (v->unsteady_since_ms == 0) {
		v->unsteady_since_ms = v->now_ms;
	}
	if (!state_leads(a) || is_serving(v) || planned || v->pg.boot_unfinished)
		v->crash_since_ms = 0;
	else if (v->crash_since_ms == 0)
		v->crash_since_ms = v->now_ms;

	if (v->position_lsn != timeline_local_end(&v->pg)) {
		v->position_lsn = timeline_local_end(&v->pg);
		v->position_since_ms = v->now_ms;
	}
	if (v->pg.run != PG_UP || v->pg.role != ROLE_REPLICA || is_streaming(v))
		v->not_streaming_since_ms = 0;
	else if (v->not_streaming_since_ms == 0)
		v->not_streaming_since_ms = v->now_ms;
}

/* Where its WAL ended is known while it answers; the control file of a server that is down need
 * not tell. Whatever replaces the data makes it forgotten. */
static void carry_position(struct pg_state *pg, const struct pg_state *old)
{
	if (pg->run == PG_UP || !str_eq(pg->sysid, old->sysid))
		return;
	pg->timeline = old->timeline;
	pg->flush_lsn = old->flush_lsn;
	pg->receive_lsn = old->receive_lsn;
	pg->replay_lsn = old->replay_lsn;
}

void model_forget_position(struct agent *a)
{
	struct pg_state *pg = &a->view.pg;

	pg->timeline = 0;
	pg->flush_lsn = 0;
	pg->receive_lsn = 0;
	pg->replay_lsn = 0;
	a->view.wal_gone_lsn = 0;
	a->view.wal_asked_at_ms = 0;
}

static void say_changes(const struct agent *a)
{
	if (a->nchanges == 0)
		log_notice("no setting of Postgres waits for a restart any more");
	for (uint32_t i = 0; i < a->nchanges; i++)
		log_notice("a restart of Postgres is pending: %s: %s -> %s", a->changes[i].name,
			   a->changes[i].old_value, a->changes[i].new_value);
}

static void fold_changes(struct agent *a, const struct event *ev)
{
	uint32_t n = MIN_OF(ev->nchanges, (uint32_t)SETTING_CHANGES_MAX);
	bool same = n == a->nchanges;

	for (uint32_t i = 0; i < n; i++) {
		const struct setting_change *now = &ev->changes[i];
		struct setting_change *old = &a->changes[i];

		same = same && str_eq(now->name, old->name) &&
		       str_eq(now->old_value, old->old_value) &&
		       str_eq(now->new_value, old->new_value);
		*old = *now;
	}
	a->nchanges = n;
	if (same)
		return;
	say_changes(a);
	a->member_urgent = true;
	a->board_dirty = true;
}

static void fold_slots(struct agent *a, const struct event *ev)
{
	uint32_t n = MIN_OF(ev->nslots, (uint32_t)SLOTS_MAX);

	a->status_moved = a->status_moved || n != a->nslots;
	a->nslots = n;
	for (uint32_t i = 0; i < n; i++) {
		if (a->slots[i].lsn != ev->slots[i].lsn ||
		    !str_eq(a->slots[i].name, ev->slots[i].name))
			a->status_moved = true;
		a->slots[i] = ev->slots[i];
	}
}

static void fold_probe(struct agent *a, const struct event *ev)
{
	a->sql_ok = ev->probe_sql_ok;
	if (ev->probe_brief)
		return;
	a->walsenders_at_ms = a->probe_at_ms;
	a->nwalsenders = MIN_OF(ev->nwalsenders, (uint32_t)MEMBERS_MAX);
	fold_slots(a, ev);
	for (uint32_t i = 0; i < a->nwalsenders; i++)
		a->walsenders[i] = ev->walsenders[i];
	for (uint32_t i = 0; i < a->view.nvotes; i++)
		refresh_vote(a, &a->view.votes[i]);
	fold_changes(a, ev);
}

/* What others see of this member by its key and by REST: told at once, not with the next round. */
static bool shows_differently(const struct pg_state *old, const struct pg_state *now)
{
	return old->run != now->run || old->role != now->role || old->timeline != now->timeline ||
	       old->streaming != now->streaming ||
	       (!now->streaming && old->receive_lsn != now->receive_lsn);
}

static void trace_pg(struct agent *a, const struct pg_state *old)
{
	const struct view *v = &a->view;

	if (v->pg.run == PG_DOWN && old->run != PG_DOWN && (v->handover_begun || v->crash_look))
		trace_mark(a, TRACE_ENDED);
	if (!v->pg.streaming || old->streaming || a->trace.at_ms[TRACE_RELEASED] == 0)
		return;
	trace_mark(a, TRACE_STREAMS);
	trace_end(a, "handed over");
}

void model_fold_pg(struct agent *a, const struct event *ev)
{
	struct view *v = &a->view;
	enum pg_run before = v->pg.run;
	enum pg_role role = v->pg.role;
	struct pg_state old;
	bool opening = a->job.ticket != 0 &&
		       (a->job.op == PGOP_PROMOTE || a->job.op == PGOP_START_PRIMARY);

	if (ev->pg == NULL)
		return;
	old = v->pg;
	v->pg = *ev->pg;
	carry_position(&v->pg, &old);
	/* Postgres takes its signal file away a moment before it opens. */
	if (old.restoring && old.run == PG_UP && v->pg.boot_unfinished && v->pg.run == PG_UP &&
	    v->pg.role == ROLE_REPLICA)
		v->pg.restoring = true;
	v->pg_seen_at_ms = v->now_ms;
	/* A promotion under way may already have opened it for writes, and a start may do so at
	 * any moment: where the lease ends, both have to be stopped. */
	if (opening && v->pg.run == PG_DOWN && a->job.op == PGOP_START_PRIMARY)
		v->pg.run = PG_STARTING;
	if (opening && v->pg.run != PG_DOWN && role == ROLE_PRIMARY)
		v->pg.role = ROLE_PRIMARY;
	if (!v->pg.replay_starved)
		v->starved_since_ms = 0;
	else if (v->starved_since_ms == 0)
		v->starved_since_ms = v->now_ms;
	if (v->pg.replay_starved && !old.replay_starved)
		log_warning("replay is paused: the primary's settings were raised above ours%s",
			    v->cfg.pause ? ", a restart is due after the pause" :
					   ", a restart with them follows");
	if (v->pg.run != before) {
		v->pg_changed_at_ms = v->now_ms;
		recorder_add(&a->recorder, v->now_ms, "pg run %d -> %d role %d", before,
			     v->pg.run, v->pg.role);
	}
	trace_pg(a, &old);
	if (shows_differently(&old, &v->pg))
		a->member_urgent = a->board_dirty = true;
	if (v->pg.run == PG_DOWN)
		a->following = (struct upstream){ 0 };
	if (v->pg.run == PG_UP && a->job.ticket == 0 && !job_start_is_young(a) &&
	    (!state_leads(a) || is_serving(v)))
		v->start_failures = 0;
	if (ev->type == EVENT_PG_PROBE)
		fold_probe(a, ev);
	if (v->pg.run != PG_UP)
		a->sql_ok = false;
	fences_say_module(a);
}

/* Names in the key that may be taken, or hand-over: since when, so that old answers of peers do
 * not count. */
static void refresh_election(struct agent *a)
{
	struct view *v = &a->view;
	bool open = v->cluster.leader_known &&
		    (v->cluster.leader[0] == '\0' || turn_beat_is_stale(v));

	if (open || v->handover_asked || v->crash_look) {
		if (v->election_since_ms == 0) {
			v->election_since_ms = v->now_ms;
			if (open)
				trace_vacant(a);
		}
		return;
	}
	if (a->waiting.phase == WAITING_VOTES)
		return;
	v->election_since_ms = 0;
	v->nvotes = 0;
}

static bool request_is_due(const struct agent *a)
{
	const struct request *r = &a->view.cluster.request;

	return r->scheduled_at_us == 0 || r->scheduled_at_us <= a->view.wall_us;
}

/* Does the request in etcd ask this leader to hand over? */
static bool request_is_for_us(const struct agent *a)
{
	const struct request *r = &a->view.cluster.request;

	if (!r->present || r->mod_revision == a->refused_revision || !request_is_due(a))
		return false;
	if (r->leader[0] != '\0' && !str_eq(r->leader, a->view.name))
		return false;
	if (a->view.mode == MODE_PAUSED && (r->candidate[0] == '\0' || r->scheduled_at_us != 0))
		return false;
	return !str_eq(r->candidate, a->view.name);
}

/* Its shutdown checkpoint is on disk and every connected standby has received it. */
bool model_ended_clean(const struct view *v)
{
	return v->pg.run == PG_DOWN && v->pg.control == CONTROL_SHUT_DOWN &&
	       v->pg.control_end_lsn != 0;
}

/* The stop of a hand-over that had to be made hard, or a crash in it: what the successor lacks is
 * not known, so this member keeps the key and recovers. */
static void give_handover_up(struct agent *a)
{
	struct view *v = &a->view;

	v->handover_to[0] = '\0';
	if (v->mode == MODE_SHUTDOWN)
		return;
	v->handover_begun = false;
	log_warning("Postgres did not end in good order: unless another member has every commit, "
		    "this one goes on as the leader");
	if (v->cluster.request.present)
		store_refuse_request(a, "Postgres did not end in good order");
	crash_began(a);
}

static void refresh_handover(struct agent *a)
{
	struct view *v = &a->view;
	bool leads = state_leads(a);
	bool settled = a->job.ticket == 0 && a->settle_ticket == 0;
	bool was_asked = v->handover_asked;

	if (!leads) {
		v->handover_asked = false;
		v->handover_begun = false;
		v->handover_checkpointed = false;
		v->poolers_asked = false;
		v->handover_to[0] = '\0';
		return;
	}
	if (v->handover_begun && v->pg.run == PG_DOWN && settled && !model_ended_clean(v))
		give_handover_up(a);
	/* It ended before it was to be stopped: who was found for that may lack something. */
	if (!v->handover_begun && v->pg.run == PG_DOWN && settled && !model_ended_clean(v))
		v->handover_to[0] = '\0';
	v->handover_asked = v->mode == MODE_SHUTDOWN || request_is_for_us(a) ||
			    (v->mode == MODE_AUTO && situation_unguarded(v, GUARD_GRACE));
	if (v->handover_asked && !was_asked)
		trace_mark(a, TRACE_ASKED);
	if (!v->handover_asked && !v->handover_begun) {
		v->handover_checkpointed = false;
		v->poolers_asked = false;
		v->handover_to[0] = '\0';
	}
}

/* Facts that follow from others and from the time, before each decision. */
void model_refresh(struct agent *a)
{
	struct view *v = &a->view;
	bool down = v->pg.run == PG_DOWN;

	v->job = job_view(a);
	v->job_op = (uint8_t)a->job.op;
	v->mode = a->stopping ? MODE_SHUTDOWN : v->cfg.pause ? MODE_PAUSED : MODE_AUTO;
	fences_refresh(a);

	/* A lease that is over by the clock is forgotten once nothing can write under it. */
	if (v->lease.epoch != 0 && lease_state(&v->lease, v->now_ms) == LEASE_OVER &&
	    (down || v->pg.role == ROLE_REPLICA || v->mode == MODE_PAUSED)) {
		term_lost(a);
		a->board_dirty = true;
	}
	if (v->lease.epoch == 0)
		v->promote_pending = false;
	if (v->adopt_until_ms != 0 && (down || v->lease.epoch != 0))
		v->adopt_until_ms = 0;
	if (v->cluster.init != INIT_PENDING && v->cluster.init != INIT_UNKNOWN)
		v->init_mine = false;
	if (v->cluster.init == INIT_ABSENT || v->cluster.init == INIT_SET)
		v->boot_failed = false;
	hang_refresh(a);
	refresh_handover(a);
	crash_refresh(a);
	refresh_election(a);
	fence_refresh(a);
	fold_clocks(a);
}
