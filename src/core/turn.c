/* SPDX-License-Identifier: PostgreSQL */
/*
 * turn - when the key of a leader may be taken
 */
#include "core/turn.h"

#include "base/str.h"

int64_t turn_term_end_ms(const struct view *view)
{
	int64_t ttl = MAX_OF(view->sign_ttl_ms, view->cfg.ttl_ms);

	return view->sign_at_ms == 0 ? 0 : view->sign_at_ms + ttl;
}

static bool all_beat(const struct cluster *cluster)
{
	for (uint32_t i = 0; i < cluster->nmembers; i++)
		if (!cluster->members[i].is_pgha)
			return false;
	return cluster->nmembers > 0;
}

bool turn_beat_is_stale(const struct view *view)
{
	const struct cluster *c = &view->cluster;

	/* Whoever hears nothing of etcd cannot tell a silent leader from its own deafness. */
	if (view->now_ms - view->dcs_seen_at_ms >= view->cfg.ttl_ms / 2 || turn_promised(view))
		return false;
	if (c->leader[0] == '\0' || !c->beat_present || c->beat_epoch != c->leader_epoch)
		return false;
	return all_beat(c) && view->now_ms >= turn_term_end_ms(view);
}

/* Whoever led by the store that was given up may do so for a term yet, and the members have to find
 * each other first. */
static bool just_accepted(const struct view *view)
{
	return view->accepted_at_ms != 0 &&
	       view->now_ms < view->accepted_at_ms + MAX_OF(view->sign_ttl_ms, view->cfg.ttl_ms);
}

const struct member *turn_patroni_gone(const struct view *view)
{
	const struct cluster *c = &view->cluster;

	if (!c->leader_known || c->leader[0] != '\0' || view->last_leader[0] == '\0')
		return NULL;
	for (uint32_t i = 0; i < c->nmembers; i++)
		if (str_eq(c->members[i].name, view->last_leader))
			return c->members[i].is_pgha ? NULL : &c->members[i];
	return NULL;
}

/* Patroni deletes its key when its server has ended, and leaves no marker to prove it. What it
 * answers to a question that was asked later stands in: a key that etcd lost too early is that of
 * one who still says that it is the primary. */
static bool patroni_yielded(const struct view *view)
{
	const struct member *m = turn_patroni_gone(view);

	for (uint32_t i = 0; m != NULL && i < view->nvotes; i++) {
		const struct vote *vote = &view->votes[i];

		if (str_eq(vote->name, m->name))
			return vote->answered && vote->yielded && view->leader_gone_at_ms != 0 &&
			       vote->asked_at_ms >= view->leader_gone_at_ms;
	}
	return false;
}

bool turn_failsafe_counts(const struct view *view)
{
	const struct failsafe_key *key = &view->cluster.failsafe;

	/* What a leader of ours lives by holds until it is taken back; a list that others left
	 * behind means nothing where the mode is off. */
	return key->present && (key->mark != FAILSAFE_OFF || view->cfg.failsafe != FAILSAFE_OFF);
}

int64_t turn_promise_ms(int64_t ttl_ms)
{
	return ttl_ms + ttl_ms / 5;
}

int64_t turn_promise_end_ms(const struct view *view)
{
	const struct release *r = &view->cluster.release;
	int64_t ttl = MAX_OF(view->sign_ttl_ms, view->cfg.ttl_ms);
	int64_t end = view->promise_until_ms;

	/* Its Postgres has ended: it said so itself. */
	if (end != 0 && r->present && r->epoch >= view->promise_epoch &&
	    str_eq(r->from, view->promise_to))
		end = 0;
	if (view->started_at_ms != 0 &&
	    (turn_failsafe_counts(view) || !view->cluster.leader_known))
		end = MAX_OF(end, view->started_at_ms + turn_promise_ms(ttl));
	return end;
}

bool turn_promised(const struct view *view)
{
	return view->now_ms < turn_promise_end_ms(view);
}

/* A Patroni leader leaves an older marker standing: only one that we saw the epoch of, or one in a
 * cluster where everybody removes it, tells about the last leader. */
bool turn_released(const struct view *view)
{
	const struct release *r = &view->cluster.release;

	return r->present && r->epoch >= view->last_epoch &&
	       (view->last_epoch != 0 || all_beat(&view->cluster));
}

/* The takeover rule for a key that is absent (architecture, "two clocks agree"). */
bool turn_may_take(const struct view *view)
{
	const struct cluster *c = &view->cluster;

	if (just_accepted(view) || turn_promised(view))
		return false;
	if (turn_released(view))
		return true;
	if (view->etcd_known && view->etcd_fixed)
		return true;
	if (c->init != INIT_SET && view->last_epoch == 0)
		return true; /* no leader has ever been: the first bootstrap */
	if (patroni_yielded(view))
		return true;
	return view->now_ms >= turn_term_end_ms(view);
}
