/* SPDX-License-Identifier: PostgreSQL */
/*
 * situation - the view reduced to one small enum per dimension
 */
#include "core/situation.h"

#include "base/str.h"
#include "core/timeline.h"
#include "core/turn.h"

/* A standby that streams from nobody this long has its ancestry compared with the leader's. */
#define CHECK_AFTER_MS 1500
/* It is asked again so often whether the leader still has the WAL that comes next. */
#define WAL_AGAIN_MS 30000
/* Only a standby that got nothing from its other sources for so long is replaced. */
#define WAL_PATIENCE_MS 120000
#define RAISE_AFTER_MS 15000
/* pg_rewind is tried this often, then it is given up. */
#define REWIND_TRIES 3

#define X(n, t) t,
static const char *const leader_names[] = { LEADERS(X) };
static const char *const pg_names[] = { PGS(X) };
static const char *const role_names[] = { ROLES(X) };
static const char *const data_names[] = { DATAS(X) };
static const char *const job_names[] = { JOBS(X) };
static const char *const mode_names[] = { MODES(X) };
static const char *const ask_names[] = { ASKS(X) };
static const char *const store_names[] = { STORES(X) };
#undef X

const char *situation_leader_name(enum leader_claim leader)
{
	return leader_names[leader];
}

const char *situation_mode_name(enum mode mode)
{
	return mode_names[mode];
}

const char *situation_text(const struct situation *s, char dst[SITUATION_TEXT_MAX])
{
	(void)str_printf(dst, SITUATION_TEXT_MAX,
			 "leader=%s lease=%s pg=%s role=%s data=%s job=%s mode=%s rank=%s ask=%s "
			 "store=%s",
			 leader_names[s->leader], lease_state_name(s->lease), pg_names[s->pg],
			 role_names[s->role], data_names[s->data], job_names[s->job],
			 mode_names[s->mode], rank_name(s->rank), ask_names[s->ask],
			 store_names[s->store]);
	return dst;
}

bool situation_unguarded(const struct view *view, int64_t part)
{
	return view->guard_lost_since_ms != 0 &&
	       view->now_ms - view->guard_lost_since_ms >= view->cfg.ttl_ms / part;
}

bool situation_may_write(const struct situation *s)
{
	return s->pg != SPG_DOWN && s->role != SROLE_REPLICA;
}

/* Our picture of etcd is too old to mean anything. */
static bool is_blind(const struct view *view)
{
	return !view->cluster.leader_known ||
	       view->now_ms - view->dcs_seen_at_ms >= view->cfg.ttl_ms;
}

static enum leader_claim classify_leader(const struct view *view)
{
	const struct cluster *c = &view->cluster;

	if (is_blind(view) || view->regressed)
		return LEADER_UNKNOWN;
	if (c->leader[0] == '\0')
		return turn_may_take(view) ? LEADER_VACANT : LEADER_RECENT;
	if (str_eq(c->leader, view->name))
		return LEADER_ME;
	return turn_beat_is_stale(view) ? LEADER_STALE : LEADER_OTHER;
}

bool situation_may_take(const struct view *view)
{
	enum leader_claim claim = classify_leader(view);

	return claim == LEADER_VACANT || claim == LEADER_STALE;
}

static enum lease_state classify_lease(const struct view *view)
{
	enum lease_state state = lease_state(&view->lease, view->now_ms);

	if (state == LEASE_NONE && view->now_ms < view->adopt_until_ms)
		return LEASE_ADOPT;
	return state;
}

static enum situation_pg classify_pg(const struct view *view)
{
	switch (view->pg.run) {
	case PG_DOWN:
		return SPG_DOWN;
	case PG_LEFTOVERS:
		return SPG_LEFTOVERS;
	case PG_STARTING:
		return SPG_STARTING;
	case PG_UP:
		return SPG_UP;
	case PG_STOPPING:
		return SPG_STOPPING;
	case PG_UNKNOWN: /* not looked at yet: it may run */
	case PG_SILENT:
	case PG_RUN__MAX:
		break;
	}
	return SPG_SILENT;
}

/* standby.signal is removed durably before Postgres leaves recovery (12 to 18, StartupXLOG), so a
 * server that still has the file and was never seen as a primary takes no writes. */
static enum situation_role classify_role(const struct view *view)
{
	const struct pg_state *pg = &view->pg;

	if (pg->role == ROLE_PRIMARY)
		return SROLE_PRIMARY;
	/* It opens when it has come to its target, and a promotion would end it before. */
	if (pg->restoring)
		return SROLE_UNKNOWN;
	if (pg->role == ROLE_REPLICA)
		return SROLE_REPLICA;
	if (pg->run != PG_UNKNOWN && pg->run != PG_LEFTOVERS && pg->standby_signal)
		return SROLE_REPLICA;
	return SROLE_UNKNOWN;
}

static bool is_foreign(const struct view *view)
{
	const struct pg_state *pg = &view->pg;

	if (pg->dir == DIR_BROKEN)
		return true;
	return view->cluster.init == INIT_SET && pg->sysid[0] != '\0' &&
	       !str_eq(pg->sysid, view->cluster.sysid);
}

/* Which way back diverged data may take. */
static enum situation_data way_back(const struct view *view)
{
	const struct config_ha *cfg = &view->cfg;
	bool rewindable = cfg->use_pg_rewind && view->pg.can_rewind && view->pg.dir != DIR_HALF;
	bool tried = view->rewind_failures > 0 || view->pg.dir == DIR_HALF;

	if (rewindable && view->rewind_failures < REWIND_TRIES)
		return DATA_REWIND;
	if (cfg->remove_on_diverged_timelines)
		return DATA_REPLACE;
	/* A server that pg_rewind cannot serve at all counts as a failed rewind. */
	if (cfg->remove_on_rewind_failure && (tried || cfg->use_pg_rewind))
		return DATA_REPLACE;
	return DATA_STUCK;
}

/* The answer was given before the leader's promotion, which its own key tells of by now. */
static bool upstream_is_old(const struct view *view)
{
	const struct member *leader = rank_member(&view->cluster, view->cluster.leader);

	return view->upstream_epoch != view->cluster.leader_epoch ||
	       (leader != NULL && leader->timeline > view->upstream.timeline &&
		!view->upstream_foreign);
}

/* Somebody else than the leader may still bring what it has removed: an archive that lags, or the
 * member that this one streams from. */
static bool may_get_wal(const struct view *view)
{
	if (!view->pg.has_restore_command && view->tags.replicatefrom[0] == '\0')
		return false;
	return view->now_ms - view->position_since_ms < WAL_PATIENCE_MS;
}

/* Whatever brings WAL moves the end. */
bool situation_lacks_wal(const struct view *view)
{
	return view->wal_gone_lsn != 0 && !may_get_wal(view) &&
	       timeline_local_end(&view->pg) <= view->wal_gone_lsn;
}

/* A receiver was begun in this life of the standby, so the WAL that is here ends where it began or
 * came to. */
static bool asks_for_wal(const struct view *view)
{
	if (view->pg.run != PG_UP || view->pg.receive_lsn == 0 || may_get_wal(view))
		return false;
	return view->wal_asked_at_ms == 0 || view->now_ms - view->wal_asked_at_ms >= WAL_AGAIN_MS;
}

static enum situation_data compare_data(const struct view *view)
{
	bool rewindable = view->cfg.use_pg_rewind && view->pg.can_rewind;

	if (upstream_is_old(view))
		return DATA_CHECK;
	if (view->upstream_foreign)
		return DATA_FOREIGN;

	switch (timeline_compare(&view->pg, &view->upstream)) {
	case ANCESTRY_FOLLOWS:
		if (situation_lacks_wal(view))
			return DATA_REPLACE;
		return asks_for_wal(view) ? DATA_CHECK : DATA_READY;
	case ANCESTRY_DIVERGED:
		return way_back(view);
	case ANCESTRY_UNCLEAN:
		/* pg_rewind finds out where the WAL ends. Without it, recovery as a standby does,
		 * and the running server is compared again. */
		return rewindable && view->rewind_failures < REWIND_TRIES ? DATA_REWIND
									  : DATA_READY;
	case ANCESTRY_UNKNOWN:
	case ANCESTRY__MAX:
		break;
	}
	return view->pg.run == PG_DOWN ? DATA_READY : DATA_CHECK;
}

static enum situation_data classify_data(const struct view *view, enum leader_claim leader)
{
	const struct pg_state *pg = &view->pg;

	if (pg->dir == DIR_UNKNOWN)
		return DATA_UNKNOWN;
	if (pg->dir == DIR_EMPTY)
		return DATA_EMPTY;
	if (is_foreign(view)) /* an unfinished bootstrap of ours lost its race: nobody needs it */
		return pg->boot_unfinished && pg->dir == DIR_PRESENT ? DATA_REPLACE : DATA_FOREIGN;
	if (pg->dir == DIR_HALF)
		return pg->emptied ? DATA_REPLACE : way_back(view);
	if (pg->boot_unfinished)
		return DATA_BOOT;
	if (leader != LEADER_OTHER)
		return DATA_READY;
	if (pg->run == PG_DOWN)
		return compare_data(view);
	if (pg->run == PG_UP && pg->role == ROLE_REPLICA && view->not_streaming_since_ms != 0 &&
	    view->now_ms - view->not_streaming_since_ms >= CHECK_AFTER_MS)
		return compare_data(view);
	return DATA_READY;
}

/* Somebody has data: an etcd without the cluster's key has lost it, and nobody makes another. */
static bool others_have_data(const struct view *view)
{
	for (uint32_t i = 0; i < view->cluster.nmembers; i++) {
		const struct member *m = &view->cluster.members[i];

		if (!str_eq(m->name, view->name) &&
		    (m->role == MROLE_PRIMARY || m->role == MROLE_STANDBY_LEADER ||
		     (m->role == MROLE_REPLICA && m->state == STATE_RUNNING)))
			return true;
	}
	return false;
}

/* Without a cluster in etcd: may this member make one, or bring one along? */
static bool may_found(const struct view *view)
{
	if (view->tags.nofailover || view->tags.failover_priority <= 0)
		return false;
	if (view->guard_lost_since_ms != 0)
		return false;
	if (view->now_ms < view->boot_backoff_until_ms)
		return false;
	if (view->pg.dir == DIR_EMPTY)
		return view->cfg.has_bootstrap && !others_have_data(view);
	/* Existing data: only what was a primary founds a cluster, a standby waits for it. */
	return view->pg.dir == DIR_PRESENT && !view->pg.standby_signal;
}

static enum situation_store classify_store(const struct view *view)
{
	if (view->regressed)
		return STORE_REGRESSED;
	switch (view->cluster.init) {
	case INIT_ABSENT:
		return may_found(view) ? STORE_FRESH : STORE_PENDING;
	case INIT_PENDING:
		return view->init_mine ? STORE_MINE : STORE_PENDING;
	case INIT_SET:
		return STORE_LIVE;
	case INIT_GARBAGE: /* unreadable is not the same as absent: nobody bootstraps over it */
	case INIT_UNKNOWN:
	case INIT__MAX:
		break;
	}
	return STORE_UNKNOWN;
}

/* The crash of a moment ago, before anything was started again. */
static bool is_crashed(const struct view *view, const struct situation *s)
{
	return view->crash_look && view->crash_down_at_ms != 0 && s->pg == SPG_DOWN &&
	       s->data == DATA_READY && view->mode == MODE_AUTO && rank_others_exist(view);
}

/* A member that has every commit takes over; for a moment it is looked for. */
static bool looks_for_heir(const struct view *view, const struct situation *s,
			   const struct verdict *verdict)
{
	int64_t looked_ms = view->now_ms - view->crash_down_at_ms;

	if (!is_crashed(view, s))
		return false;
	if (verdict->rank == RANK_BEST)
		return true;
	return verdict->rank != RANK_NEVER && looked_ms < CRASH_LOOK_MS;
}

/* Leading has failed long enough, and somebody else could. */
static bool gives_up_leading(const struct view *view, const struct situation *s)
{
	const struct config_ha *cfg = &view->cfg;
	int64_t timeout_ms = cfg->primary_start_timeout_ms;

	if (view->hung_given_up && rank_others_exist(view))
		return true;
	if (view->crash_since_ms == 0 || !rank_others_exist(view))
		return false;
	/* No time for a crashed one, by configuration, is no time after its end; a server that
	 * starts, opens or restarts its own backends has not ended. */
	if (timeout_ms == 0 || cfg->on_primary_crash == CRASH_FAILOVER) {
		if (is_crashed(view, s))
			return true;
		timeout_ms = MAX_OF(timeout_ms, CRASH_FLOOR_MS);
	}
	if (view->now_ms - view->crash_since_ms >= timeout_ms)
		return true;
	/* One that serves and ends again and again starts well: what it committed meanwhile is
	 * worth more than a primary elsewhere that lacks it, but not for ever. */
	if (is_crashed(view, s) && view->unsteady_since_ms != 0 &&
	    view->now_ms - view->unsteady_since_ms >= timeout_ms)
		return true;
	return view->vain_starts >= START_TRIES;
}

/* An operator who restarts one member after the other comes first, unless this one is needed: with
 * paused replay it cannot be promoted. */
static bool must_raise(const struct view *view, const struct situation *s)
{
	if (view->mode != MODE_AUTO || !view->pg.replay_starved || s->role != SROLE_REPLICA)
		return false;
	return s->leader != LEADER_OTHER || view->now_ms - view->starved_since_ms >= RAISE_AFTER_MS;
}

/* Until every process of it is dead, and while its disk stands still: then nothing is known of what
 * it wrote last, and what is held is left to run out. */
static bool hangs_for_good(const struct view *view, const struct situation *s)
{
	bool holds = s->leader == LEADER_ME || s->lease == LEASE_HELD || s->lease == LEASE_FADING ||
		     s->lease == LEASE_ENDING || s->lease == LEASE_OVER;

	return view->hung_given_up && holds &&
	       (s->pg != SPG_DOWN || view->pg.vitals.disk == DISK_STALLED);
}

static enum situation_ask classify_ask(const struct view *view, const struct situation *s,
				       const struct verdict *verdict)
{
	bool leads = s->leader == LEADER_ME && s->lease != LEASE_NONE && s->lease != LEASE_ADOPT;

	if (hangs_for_good(view, s))
		return ASK_HUNG;
	if (view->boot_failed && s->store == STORE_MINE)
		return ASK_RELEASE;
	if (leads && view->handover_begun)
		return ASK_HANDOVER;
	if (leads && looks_for_heir(view, s, verdict))
		return ASK_CRASH;
	/* Others may have what is required and missing here; a primary hands over below. */
	if (leads && s->role == SROLE_REPLICA && s->pg == SPG_UP && view->mode == MODE_AUTO &&
	    situation_unguarded(view, GUARD_GRACE))
		return ASK_RELEASE;
	if (leads && gives_up_leading(view, s))
		return ASK_RELEASE;
	if (leads && view->handover_asked && s->role == SROLE_PRIMARY && s->pg == SPG_UP) {
		/* Where leading without a guardian is out of the question, a whole term of looking
		 * for a successor is enough. */
		if (verdict->rank != RANK_BEST)
			return view->mode == MODE_AUTO && situation_unguarded(view, 1) ?
				       ASK_HANDOVER :
				       ASK_SEEK;
		if (!view->handover_checkpointed)
			return ASK_PREPARE;
		return view->poolers && !view->poolers_asked ? ASK_PAUSE : ASK_HANDOVER;
	}
	/* Before what an operator wants of this server: that must not hide it. */
	if (leads && view->fence_due[0] != '\0')
		return view->fence_refused ? ASK_RELEASE : ASK_FENCE;
	if (view->restart == RESTART_STOPPING)
		return ASK_RESTART;
	if (view->reinit)
		return ASK_REINIT;
	if (must_raise(view, s))
		return ASK_RAISE;
	if (leads && view->promote_pending)
		return ASK_TAKE;
	return ASK_NONE;
}

void situation_classify(const struct view *view, struct situation *ret, struct verdict *verdict)
{
	ret->leader = classify_leader(view);
	ret->lease = classify_lease(view);
	ret->pg = classify_pg(view);
	ret->role = classify_role(view);
	ret->data = classify_data(view, ret->leader);
	ret->job = (enum situation_job)view->job;
	ret->mode = view->mode;
	ret->store = classify_store(view);

	if (ret->leader == LEADER_ME && view->crash_look)
		rank_heir(view, verdict);
	else if (ret->leader == LEADER_ME)
		rank_successor(view, verdict);
	else
		rank_me(view, verdict);
	ret->rank = verdict->rank;
	ret->ask = classify_ask(view, ret, verdict);
}
