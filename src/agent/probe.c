/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe - when the local Postgres is looked at
 */
#include "agent/state.h"

#include "core/rank.h"

#define SOON_MS    100
/* A start or a hand-over takes a moment; one that takes longer is looked at less often. */
#define AT_ONCE_MS 20
#define MOMENT_MS  2000
#define EARLY_PART 5 /* of loop_wait */

/* The old leader has ended in good order just now, and nobody leads yet. */
static bool is_handing_over(const struct agent *a)
{
	const struct view *v = &a->view;

	return v->cluster.release.present && v->cluster.leader[0] == '\0' &&
	       v->now_ms - v->release_seen_at_ms < MOMENT_MS;
}

/* The leader's Postgres has ended just now, and this one received from it a moment before. Until it
 * is known to have come to the end of that, a crashed leader waits. */
static bool is_cut_off(const struct agent *a)
{
	const struct view *v = &a->view;

	return a->leader_down_at_ms != 0 &&
	       v->now_ms - a->leader_down_at_ms < CRASH_SETTLED_MS && v->pg.run == PG_UP &&
	       v->pg.role == ROLE_REPLICA && v->pg.streaming;
}

/* How long after the newest probe the next one is due. */
static int64_t every_ms(const struct agent *a)
{
	const struct view *v = &a->view;

	if (is_handing_over(a) || is_cut_off(a) || a->plan.pg_verb == PGV_FETCH ||
	    (v->pg.run == PG_STARTING && v->now_ms - v->pg_changed_at_ms < MOMENT_MS))
		return AT_ONCE_MS;
	if (v->pg.run == PG_STARTING || v->pg.run == PG_STOPPING || v->pg.run == PG_LEFTOVERS ||
	    v->election_since_ms != 0 || v->not_streaming_since_ms != 0)
		return SOON_MS;
	return v->cfg.loop_wait_ms;
}

/* At rest it goes with what wakes the agent a moment before, as a renewal does. */
static bool is_due(const struct agent *a)
{
	int64_t every = every_ms(a);
	int64_t early = every == a->view.cfg.loop_wait_ms ? every / EARLY_PART : 0;

	return a->probe_now || a->view.now_ms - a->probe_at_ms >= every - early;
}

int64_t probe_wake_ms(const struct agent *a)
{
	return a->probe_at_ms + every_ms(a);
}

void probe_cycle(struct agent *a)
{
	struct pg_req req = { .op = PGOP_PROBE };

	if (!is_due(a) || state_waits_for(a, TICKET_PROBE))
		return;
	/* All that counts then is how far the old leader's WAL has come here. */
	req.brief = is_handing_over(a) || is_cut_off(a);
	a->probe_now = false;
	a->probe_at_ms = a->view.now_ms;
	job_ask(a, TICKET_PROBE, &req);
}
