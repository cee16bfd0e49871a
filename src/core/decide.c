/* SPDX-License-Identifier: PostgreSQL */
/*
 * decide - view -> plan: classify, match one rule, fill in targets
 */
#include "core/decide.h"

#include "base/str.h"
#include "core/timeline.h"
#include "core/turn.h"
#include "core/vitals.h"

/* An orderly stop that hangs is made harder after this long even when the lease allows more:
 * a client or a walsender must not hold a switchover up for ever. For a primary, unless
 * primary_stop_timeout says otherwise. */
#define STOP_PATIENCE_MS 10000
#define DISCARD_TRIES    3
/* After a crash the others are asked again so often. */
#define CRASH_AGAIN_MS   25

static int32_t member_index(const struct view *view, const char *name)
{
	for (uint32_t i = 0; i < view->cluster.nmembers; i++)
		if (str_eq(view->cluster.members[i].name, name))
			return (int32_t)i;
	return -1;
}

static bool has_address(const struct member *m)
{
	return m->host[0] != '\0' && m->port != 0;
}

static bool is_usable(const struct member *m)
{
	return m->state == STATE_RUNNING && has_address(m);
}

/* Whom to stream from: the member named by replicatefrom while it is usable, else the leader. */
static int32_t pick_upstream(const struct view *view)
{
	int32_t from = view->tags.replicatefrom[0] == '\0' ?
			       -1 :
			       member_index(view, view->tags.replicatefrom);
	int32_t leader = member_index(view, view->cluster.leader);

	if (view->cluster.leader[0] == '\0' || str_eq(view->cluster.leader, view->name))
		return -1;
	if (from >= 0 && !str_eq(view->cluster.members[from].name, view->name) &&
	    is_usable(&view->cluster.members[from]))
		return from;
	/* A record that lost its address must not cut a standby off from a good leader. */
	return leader >= 0 && has_address(&view->cluster.members[leader]) ? leader : -1;
}

/* Whom to copy from: a running clonefrom member that is not the leader, else the leader. The
 * start of the search depends on our name, so that several clones spread. */
static int32_t pick_source(const struct view *view)
{
	uint32_t n = view->cluster.nmembers;
	uint32_t first = (uint32_t)(unsigned char)view->name[0];

	for (const char *p = view->name; *p != '\0'; p++)
		first = first * 31 + (unsigned char)*p;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = (first + i) % n;
		const struct member *m = &view->cluster.members[k];

		if (m->tags.clonefrom && is_usable(m) && !str_eq(m->name, view->name) &&
		    !str_eq(m->name, view->cluster.leader))
			return (int32_t)k;
	}
	return member_index(view, view->cluster.leader);
}

static void earliest(int64_t *at_ms, int64_t candidate_ms, int64_t now_ms)
{
	if (candidate_ms > now_ms && candidate_ms < *at_ms)
		*at_ms = candidate_ms;
}

static void fill_wake(const struct view *view, struct plan *plan)
{
	int64_t now = view->now_ms;
	int64_t at = now + view->cfg.loop_wait_ms;

	if (view->lease.epoch != 0) {
		earliest(&at, lease_renew_at(&view->lease), now);
		earliest(&at, lease_at(&view->lease, LEASE_FADE_PCT), now);
		earliest(&at, lease_at(&view->lease, LEASE_STOP_PCT), now);
		earliest(&at, lease_at(&view->lease, LEASE_IMMEDIATE_PCT), now);
	}
	earliest(&at, turn_term_end_ms(view), now);
	earliest(&at, turn_promise_end_ms(view), now);
	if (view->accepted_at_ms != 0)
		earliest(&at, view->accepted_at_ms + view->cfg.ttl_ms, now);
	earliest(&at, view->dcs_seen_at_ms + view->cfg.ttl_ms, now);
	earliest(&at, view->adopt_until_ms, now);
	earliest(&at, vitals_give_up_at_ms(view), now);
	earliest(&at, plan->verdict.wait_until_ms, now);
	earliest(&at, view->work_backoff_until_ms, now);
	earliest(&at, view->boot_backoff_until_ms, now);
	earliest(&at, view->unfenced_until_ms, now);
	earliest(&at, view->yield_until_ms, now);
	if (plan->situation.ask == ASK_CRASH)
		earliest(&at, now + CRASH_AGAIN_MS, now);
	if (view->crash_since_ms != 0)
		earliest(&at, view->crash_since_ms + view->cfg.primary_start_timeout_ms, now);
	if (view->cluster.request.scheduled_at_us != 0)
		earliest(&at, now + (view->cluster.request.scheduled_at_us - view->wall_us) / 1000,
			 now);
	plan->wake_at_ms = at;
}

/* A stop under a lease becomes immediate and then a kill before the term allows others in. */
static void fill_stop(const struct view *view, struct plan *plan)
{
	bool standby = plan->situation.role == SROLE_REPLICA;
	int64_t asked_ms = standby ? 0 : view->cfg.primary_stop_timeout_ms;
	int64_t patience_ms = asked_ms > 0 ? asked_ms : STOP_PATIENCE_MS;
	int64_t immediate = view->now_ms + patience_ms;
	int64_t kill = immediate + patience_ms;

	if (plan->situation.mode == MODE_PAUSED || standby) {
		plan->immediate_at_ms = immediate;
		plan->kill_at_ms = kill;
		return;
	}
	/* Under a held lease the fence rules overtake a stop that hangs, should renewals fail. */
	if (view->lease.epoch != 0 && plan->situation.lease != LEASE_HELD) {
		immediate = MIN_OF(immediate, lease_at(&view->lease, LEASE_IMMEDIATE_PCT));
		kill = MIN_OF(kill, lease_at(&view->lease, LEASE_KILL_PCT));
	}
	plan->immediate_at_ms = immediate;
	plan->kill_at_ms = kill;
}

/* A successor was named, and has neither opened yet nor had the time to. Started now, this member
 * would not know whom to follow, and on shared hardware it would be in the successor's way. */
static bool yields(const struct view *view)
{
	int32_t leader = member_index(view, view->cluster.leader);

	if (view->now_ms >= view->yield_until_ms)
		return false;
	return leader < 0 || str_eq(view->cluster.leader, view->name) ||
	       view->cluster.members[leader].role != MROLE_PRIMARY;
}

#define ON_THE_WAY   "the restored cluster recovers to its target, and opens there"
#define PAUSED_THERE "recovery has paused at its target, SELECT pg_wal_replay_resume() opens the " \
		     "cluster there"

static void wait_for(struct plan *plan, const char *note)
{
	plan->pg_verb = PGV_LEAVE;
	str_clip(plan->note, sizeof(plan->note), note);
}

/* A promise to follow nobody is older than the leader that is seen. */
static void fill_follow(const struct view *view, struct plan *plan)
{
	if (view->seal_wanted) {
		plan->pg_verb = PGV_SEAL;
		str_clip(plan->note, sizeof(plan->note),
			 "promised not to receive from a leader as old as this one");
	} else if (plan->upstream < 0) {
		wait_for(plan, "the leader has not published its address yet");
	}
}

/* A disk that lets nothing be removed must not keep the others from trying. */
static void fill_discard(const struct view *view, struct plan *plan, bool backing_off)
{
	if (view->discard_failures >= DISCARD_TRIES) {
		wait_for(plan, "what the bootstrap made here cannot be removed");
		plan->more = MV_UNRACE;
	} else if (backing_off) {
		wait_for(plan, "waiting a while after a failure");
	}
}

/* What writes there would only wait with it, and whoever writes would wait too. */
static void wait_for_disk(const struct view *view, struct plan *plan)
{
	enum pg_verb verb = plan->pg_verb;

	if (view->pg.vitals.disk == DISK_STALLED && verb != PGV_LEAVE && verb != PGV_STOP_FAST &&
	    verb != PGV_KILL)
		wait_for(plan, "the disk stands still");
}

/* Verbs that need a target, or patience after failures, turn into waiting without them. */
static void fill_targets(const struct view *view, struct plan *plan)
{
	bool backing_off = view->now_ms < view->work_backoff_until_ms;

	plan->upstream = view->seal_wanted ? -1 : pick_upstream(view);
	plan->source = -1;

	switch (plan->pg_verb) {
	case PGV_CLONE:
		plan->source = pick_source(view);
		if (plan->source < 0 || !is_usable(&view->cluster.members[plan->source]))
			wait_for(plan, "no running member to copy from");
		else if (backing_off)
			wait_for(plan, "waiting a while after a failed copy");
		return;
	case PGV_REWIND:
		plan->source = member_index(view, view->cluster.leader);
		if (plan->source < 0 || !is_usable(&view->cluster.members[plan->source]))
			wait_for(plan, "the leader is not ready to be rewound from");
		else if (view->cluster.members[plan->source].checkpoint_done == TRI_NO)
			wait_for(plan, "the leader has not finished its checkpoint yet");
		else if (backing_off)
			wait_for(plan, "waiting a while after a failed rewind");
		return;
	case PGV_START_PRIMARY:
		/* What was a standby gets a timeline of its own first: opened as it is, it would
		 * go on with the one that another member writes. The promotion follows. */
		if (timeline_was_standby(&view->pg))
			plan->pg_verb = PGV_START_STANDBY;
		if (backing_off)
			wait_for(plan, "waiting a while after a failure");
		return;
	case PGV_DISCARD:
		fill_discard(view, plan, backing_off);
		return;
	case PGV_START_STANDBY:
		if (yields(view))
			wait_for(plan, "the successor opens first");
		else if (backing_off)
			wait_for(plan, "waiting a while after a failure");
		return;
	case PGV_INITDB:
	case PGV_POST_BOOTSTRAP:
		if (backing_off)
			wait_for(plan, "waiting a while after a failure");
		return;
	case PGV_SEAL:
		if (!view->seal_wanted)
			plan->pg_verb = PGV_LEAVE;
		return;
	case PGV_FOLLOW:
		fill_follow(view, plan);
		return;
	case PGV_STOP_FAST:
		fill_stop(view, plan);
		return;
	case PGV_LEAVE:
		if (view->pg.restoring && view->pg.run == PG_UP)
			wait_for(plan, view->pg.replay_paused ? PAUSED_THERE : ON_THE_WAY);
		return;
	case PGV_KILL:
	case PGV_FETCH:
	case PGV_CHECKPOINT:
	case PGV_FENCE:
	case PGV_PROMOTE:
	case PGV__MAX:
		return;
	}
}

/* What an operator needs to find out whose data it is. */
static void tell_foreign(const struct view *view, struct plan *plan)
{
	if (plan->situation.data != DATA_FOREIGN || plan->note[0] != '\0' ||
	    view->pg.sysid[0] == '\0' || str_eq(view->pg.sysid, view->cluster.sysid))
		return;
	(void)str_printf(plan->note, sizeof(plan->note),
			 "the system identifier here is %s, that of the cluster is %s",
			 view->pg.sysid, view->cluster.sysid);
}

static void tell_wal(const struct view *view, struct plan *plan)
{
	uint64_t lsn = view->wal_gone_lsn;

	if (plan->situation.data == DATA_REPLACE && plan->note[0] == '\0' &&
	    situation_lacks_wal(view))
		(void)str_printf(plan->note, sizeof(plan->note),
				 "the leader has removed the WAL that comes next here, from %X/%X "
				 "on",
				 (unsigned)(lsn >> 32), (unsigned)lsn);
}

static void tell_fence(const struct view *view, struct plan *plan)
{
	if (view->fence_due[0] == '\0' || plan->note[0] != '\0')
		return;
	if (plan->situation.ask == ASK_FENCE)
		(void)str_printf(plan->note, sizeof(plan->note), "to be fenced: '%s'",
				 view->fence_due);
	else if (plan->situation.ask == ASK_RELEASE && view->fence_refused)
		str_clip(plan->note, sizeof(plan->note), view->fence_why);
}

static void tell_hung(const struct view *view, struct plan *plan)
{
	if (plan->situation.ask == ASK_HUNG && plan->note[0] == '\0')
		str_clip(plan->note, sizeof(plan->note), vitals_trouble(&view->pg));
}

void decide(const struct view *view, struct plan *ret)
{
	*ret = (struct plan){ 0 };
	situation_classify(view, &ret->situation, &ret->verdict);
	ret->rule = rules_match(&ret->situation);
	ret->pg_verb = ret->rule->pg_verb;
	ret->lease_verb = ret->rule->lease_verb;
	ret->more = ret->rule->more;

	fill_targets(view, ret);
	wait_for_disk(view, ret);
	tell_foreign(view, ret);
	tell_wal(view, ret);
	tell_fence(view, ret);
	tell_hung(view, ret);
	if (ret->lease_verb == LV_RELEASE)
		str_clip(ret->release_to, sizeof(ret->release_to),
			 ret->situation.ask == ASK_CRASH ? ret->verdict.other :
							   view->handover_to);
	if (ret->more == MV_ANCESTRY && ret->upstream < 0)
		ret->more = MV_NONE;
	fill_wake(view, ret);
}
