/* SPDX-License-Identifier: PostgreSQL */
/*
 * rank - who may be promoted, and in which order
 */
#include "core/rank.h"

#include "base/str.h"
#include "core/timeline.h"
#include "core/turn.h"

static const char *const rank_names[RANK__MAX] = {
#define X(n, t) [RANK_##n] = t,
	RANKS(X)
#undef X
};

const char *rank_name(enum rank rank)
{
	return rank_names[rank];
}

const struct member *rank_member(const struct cluster *cluster, const char *name)
{
	for (uint32_t i = 0; i < cluster->nmembers; i++)
		if (str_eq(cluster->members[i].name, name))
			return &cluster->members[i];
	return NULL;
}

const struct gone_member *rank_gone(const struct cluster *cluster, const char *name)
{
	for (uint32_t i = 0; i < cluster->ngone; i++)
		if (str_eq(cluster->gone[i].name, name))
			return &cluster->gone[i];
	return NULL;
}

const struct vote *rank_vote(const struct view *view, const char *name)
{
	for (uint32_t i = 0; i < view->nvotes; i++)
		if (str_eq(view->votes[i].name, name))
			return &view->votes[i];
	return NULL;
}

static bool is_barred(const struct tags *tags)
{
	return tags->nofailover || tags->failover_priority <= 0;
}

bool rank_others_exist(const struct view *view)
{
	for (uint32_t i = 0; i < view->cluster.nmembers; i++) {
		const struct member *m = &view->cluster.members[i];

		if (!str_eq(m->name, view->name) && !is_barred(&m->tags) &&
		    m->state == STATE_RUNNING && m->role != MROLE_UNINITIALIZED)
			return true;
	}
	return false;
}

static void say(struct verdict *ret, enum rank rank, int64_t wait_until_ms, const char *other,
		const char *why)
{
	ret->rank = rank;
	ret->wait_until_ms = wait_until_ms;
	str_clip(ret->other, sizeof(ret->other), other);
	str_clip(ret->why, sizeof(ret->why), why);
}

static uint64_t my_lsn(const struct view *view)
{
	if (view->pg.role == ROLE_PRIMARY)
		return view->pg.flush_lsn;
	return MAX_OF(view->pg.receive_lsn, view->pg.replay_lsn);
}

/* A position that is this far behind what the last leader published is not promoted. */
static bool lags(const struct view *view, uint64_t lsn)
{
	uint64_t optime = view->cluster.status_optime_lsn;

	return optime > lsn && optime - lsn > (uint64_t)view->cfg.maximum_lag_bytes;
}

static bool has_release(const struct view *view)
{
	return turn_released(view) && view->cluster.leader[0] == '\0';
}

/* Whether the answers at hand still count. */
static bool vote_is_usable(const struct view *view, const struct vote *vote)
{
	return vote->asked_at_ms != 0 && (vote->answered || vote->failed) &&
	       vote->asked_at_ms >= view->election_since_ms &&
	       view->now_ms - vote->asked_at_ms <= RANK_VOTE_AGE_MS;
}

static const char *lost_fence(const struct view *view)
{
	if (view->dog_required && view->dog_margin)
		return "watchdog.mode is required, and ttl less its safety_margin leaves no time: "
		       "set that to -1";
	if (view->dog_lost)
		return "the watchdog does not work here, and watchdog.mode is required";
	if (view->module_lost)
		return "Postgres runs without pgha_fence here, and fence.commit_guard is required";
	return "no guardian watches here, and fence.guard is required";
}

/* Only those in the list were asked to leave a leader without etcd alone. */
static bool is_listed(const struct view *view)
{
	const struct failsafe_key *key = &view->cluster.failsafe;
	bool listed = !turn_failsafe_counts(view) || key->n == 0;

	for (uint32_t i = 0; i < key->n && !listed; i++)
		listed = str_eq(key->names[i], view->name);
	return listed;
}

/* Things about ourselves that bar us whatever the others say; NULL: none. */
static const char *unfit_me(const struct view *view)
{
	const struct pg_state *pg = &view->pg;

	if (is_barred(&view->tags))
		return "tagged nofailover, or failover_priority is 0";
	if (view->guard_lost_since_ms != 0)
		return lost_fence(view);
	if (pg->run != PG_UP || pg->role != ROLE_REPLICA)
		return "Postgres does not run as a standby here";
	if (pg->sysid[0] != '\0' && view->cluster.init == INIT_SET &&
	    !str_eq(pg->sysid, view->cluster.sysid))
		return "the system identifier is not the cluster's";
	if (my_lsn(view) == 0)
		return "the received position is not known";
	if (pg->vitals.disk == DISK_STALLED || pg->vitals.disk == DISK_FAILED)
		return "the disk of the WAL takes no writes here";
	if (!is_listed(view))
		return "is not in the failsafe list of the last leader";
	if (view->now_ms < view->unfenced_until_ms)
		return "could not fence the last leader a moment ago";
	if (view->mode == MODE_PAUSED && !str_eq(view->cluster.request.candidate, view->name) &&
	    !str_eq(view->cluster.release.to, view->name))
		return "the cluster is paused";
	return NULL;
}

/* A named successor goes first while it can; true when *ret is settled by that. */
static bool by_name(const struct view *view, struct verdict *ret)
{
	const struct release *rel = &view->cluster.release;
	int64_t until = view->release_seen_at_ms + RANK_SUCCESSOR_MS;

	if (has_release(view) && my_lsn(view) < rel->lsn) {
		until = view->release_seen_at_ms + RANK_BEHIND_TERMS * view->cfg.ttl_ms;
		if (view->now_ms < until) {
			say(ret, RANK_WAIT, until, rel->from,
			    "lacks WAL that the old leader had when it ended in good order");
			return true;
		}
	} else if (has_release(view) && str_eq(rel->to, view->name)) {
		say(ret, RANK_BEST, 0, "", "named as successor, has all WAL");
		return true;
	} else if (has_release(view) && rel->to[0] != '\0' && view->now_ms < until) {
		say(ret, RANK_WAIT, until, rel->to, "the old leader named a successor");
		return true;
	}
	return false;
}

/* An operator named this member, for now and not for later. */
static bool is_named(const struct view *view)
{
	const struct request *req = &view->cluster.request;

	return req->present && str_eq(req->candidate, view->name) && req->scheduled_at_us == 0;
}

/* The candidate that an operator named, if it is another one that can do it. */
static bool waits_for_candidate(const struct view *view, struct verdict *ret)
{
	const struct request *req = &view->cluster.request;
	const struct vote *vote;

	if (!req->present || req->candidate[0] == '\0' || req->scheduled_at_us != 0)
		return false;
	vote = rank_vote(view, req->candidate);
	if (vote == NULL || vote->failed || vote->nofailover)
		return false;
	if (view->now_ms >= view->election_since_ms + RANK_SUCCESSOR_MS)
		return false;
	say(ret, RANK_WAIT, view->election_since_ms + RANK_SUCCESSOR_MS, req->candidate,
	    "an operator named another candidate");
	return true;
}

/* > 0: the peer comes before us; < 0: after us; 0 cannot happen, names differ. */
static int compare(const struct view *view, const struct vote *vote, bool *ret_ahead)
{
	uint64_t mine = my_lsn(view);

	*ret_ahead = false;
	if (vote->timeline != 0 && view->pg.timeline != 0 && vote->timeline != view->pg.timeline) {
		*ret_ahead = vote->timeline > view->pg.timeline;
		return *ret_ahead ? 1 : -1;
	}
	if (vote->lsn != mine) {
		*ret_ahead = vote->lsn > mine;
		return *ret_ahead ? 1 : -1;
	}
	if (vote->failover_priority != view->tags.failover_priority)
		return vote->failover_priority > view->tags.failover_priority ? 1 : -1;
	return strcmp(vote->name, view->name) < 0 ? 1 : -1;
}

static bool is_patroni(const struct view *view, const char *name)
{
	const struct member *m = rank_member(&view->cluster, name);
	const struct gone_member *gone = rank_gone(&view->cluster, name);

	return (m != NULL && !m->is_pgha) || (gone != NULL && !gone->is_pgha);
}

/* Its position cannot change any more. A Patroni member does not seal; what it tells counts as it
 * does among its own. */
static bool is_final(const struct view *view, const struct vote *vote)
{
	return is_patroni(view, vote->name) ||
	       (vote->sealed != 0 && vote->sealed >= view->ballot);
}

/* It answers, and in a moment it will know how much it has: that may be more than anybody else. Who
 * has given the key back knew it then. */
static bool comes_up(const struct view *view, const struct vote *vote)
{
	return vote->comes_up && !is_patroni(view, vote->name) &&
	       !(has_release(view) && str_eq(view->cluster.release.from, vote->name));
}

static bool has_confirmed(const struct sync_key *sync, const char *name)
{
	if (str_eq(sync->leader, name))
		return true;
	for (uint32_t i = 0; i < sync->nstandbys; i++)
		if (str_eq(sync->standbys[i], name))
			return true;
	return false;
}

static bool is_passed_over(const struct vote *vote)
{
	return vote->nofailover || vote->watchdog_failed;
}

static bool is_elsewhere(const struct view *view, const struct vote *vote)
{
	return vote->timeline != 0 && view->pg.timeline != 0 &&
	       vote->timeline != view->pg.timeline;
}

/* Whose key has gone does not go first, whatever it has: it may be received from. */
static bool is_gone(const struct view *view, const struct vote *vote)
{
	return rank_gone(&view->cluster, vote->name) != NULL;
}

/* A member that cannot lead has WAL that is missing here. */
static bool is_short_of(const struct view *view, const struct vote *vote)
{
	bool ahead;

	return is_gone(view, vote) && vote_is_usable(view, vote) && vote->answered &&
	       !vote->failed && vote->in_recovery && compare(view, vote, &ahead) > 0 && ahead;
}

/* With synchronous replication a commit is on its leader and on all voters but `quorum`, so one
 * of any quorum + 1 of them has it; and as these have stopped receiving, no other is confirmed. */
static bool has_quorum(const struct view *view)
{
	const struct sync_key *sync = &view->cluster.sync;
	int32_t n = has_confirmed(sync, view->name) ? 1 : 0;

	/* Whoever led has every commit of its own. */
	if (!sync->present || str_eq(sync->leader, view->name))
		return true;
	for (uint32_t i = 0; i < view->nvotes; i++) {
		const struct vote *vote = &view->votes[i];

		if (vote->answered && !vote->failed && !is_passed_over(vote) &&
		    has_confirmed(sync, vote->name) && is_final(view, vote) &&
		    !is_short_of(view, vote))
			n++;
	}
	return n > sync->quorum;
}

/* The member that cannot lead, its key having gone, and has most of what is missing here. */
static const struct vote *richest_gone(const struct view *view)
{
	const struct vote *richest = NULL;

	for (uint32_t i = 0; i < view->cluster.ngone; i++) {
		const struct vote *vote = rank_vote(view, view->cluster.gone[i].name);

		if (vote == NULL || !is_short_of(view, vote) || is_elsewhere(view, vote) ||
		    view->cluster.gone[i].host[0] == '\0')
			continue;
		if (richest == NULL || vote->lsn > richest->lsn)
			richest = vote;
	}
	return richest;
}

/* Whom to receive from before leading; NULL: nobody, or it has taken too long, and no synchronous
 * commit can be there alone. */
static const struct vote *must_fetch(const struct view *view)
{
	const struct vote *richest = richest_gone(view);

	if (richest == NULL || !view->election_open)
		return NULL;
	if (view->now_ms < view->election_since_ms + RANK_FETCH_MS)
		return richest;
	return has_quorum(view) ? NULL : richest;
}

uint32_t rank_promises(enum failsafe_mode mode, uint32_t n)
{
	return mode == FAILSAFE_QUORUM ? n / 2 + 1 : n;
}

/* Its answer is bound to our ballot: it promises no leader of before that anything any more. */
static bool is_free(const struct view *view, const char *name)
{
	const struct vote *vote = rank_vote(view, name);

	if (str_eq(name, view->name))
		return view->sealed && view->promised >= view->ballot;
	return vote != NULL && vote->answered && !vote->failed && vote->sealed >= view->ballot;
}

/* Where a leader without etcd may live by the promises of most, whoever follows it needs so many
 * of the same list that every such majority has one of them in it. A sign of that leader which is
 * newer than the ballot sets the voters free again, so it ends what they said. */
static bool meets_every_majority(const struct view *view)
{
	const struct cluster *c = &view->cluster;
	const struct failsafe_key *key = &c->failsafe;
	int64_t beat = c->beat_present ? c->beat_mod_revision : 0;
	uint32_t needed = key->n - MIN_OF(key->n, rank_promises(FAILSAFE_QUORUM, key->n) - 1);
	uint32_t n = 0;

	if (!key->present || key->mark != FAILSAFE_QUORUM || needed <= 1 ||
	    turn_released(view))
		return true;
	if (view->ballot <= view->last_epoch || view->ballot <= beat)
		return false;
	for (uint32_t i = 0; i < key->n; i++)
		n += is_free(view, key->names[i]);
	return n >= needed;
}

/* It cannot lead, and its vote is one that a candidate may need. */
static bool is_needed(const struct view *view)
{
	return view->election_open && !meets_every_majority(view);
}

/* All answers are there: stand in line. */
static void stand_in_line(const struct view *view, struct verdict *ret)
{
	int64_t retry_at = view->now_ms + RANK_VOTE_AGE_MS;
	int64_t turn_at;
	int64_t before = 0;
	const char *other = "";
	const struct vote *fetch = must_fetch(view);

	for (uint32_t i = 0; i < view->nvotes; i++) {
		const struct vote *vote = &view->votes[i];
		bool ahead;

		if (vote->failed || !vote->answered || is_gone(view, vote))
			continue;
		retry_at = MIN_OF(retry_at, vote->asked_at_ms + RANK_VOTE_AGE_MS);
		if (!vote->in_recovery) {
			say(ret, RANK_WAIT, retry_at, vote->name, "a primary is still alive there");
			return;
		}
		if (vote->regressed) {
			say(ret, RANK_WAIT, retry_at, vote->name,
			    "takes this etcd for wiped or restored: hactl dcs accept");
			return;
		}
		if (is_passed_over(vote))
			continue;
		if (compare(view, vote, &ahead) < 0)
			continue;
		if (ahead) {
			say(ret, RANK_WAIT, retry_at, vote->name, "has more WAL than this member");
			return;
		}
		before++;
		other = vote->name;
	}
	if (fetch == NULL && !has_quorum(view)) {
		say(ret, RANK_WAIT, retry_at, "",
		    "too few of the synchronous standbys tell a final position");
		return;
	}
	/* What is received first comes from one that is sealed, and nothing is taken with it. Our
	 * own vote counts again when that is over. */
	if (fetch == NULL && !meets_every_majority(view)) {
		say(ret, RANK_WAIT, retry_at, "",
		    "too few members of the failsafe list are free of a promise to the old leader");
		return;
	}
	turn_at = MAX_OF(view->election_since_ms, view->ballot_at_ms) + before * RANK_STEP_MS;
	if (before > 0 && view->now_ms < turn_at)
		say(ret, RANK_WAIT, turn_at, other, "equal position, but goes first by order");
	else if (view->now_ms < MIN_OF(view->step_aside_until_ms, turn_at + RANK_ASIDE_MS))
		say(ret, RANK_WAIT, MIN_OF(view->step_aside_until_ms, turn_at + RANK_ASIDE_MS), "",
		    "failed as leader a moment ago, others go first");
	else if (fetch != NULL)
		say(ret, RANK_FETCH, view->election_since_ms + RANK_FETCH_MS, fetch->name,
		    "has more WAL than this member, and lost etcd: it cannot lead");
	else
		say(ret, RANK_BEST, 0, "", "no reachable member is ahead");
}

/* A store that forgot the history leaves our own record of it. */
static uint32_t cluster_timeline(const struct view *view)
{
	return view->cluster.history_timeline != 0 ? view->cluster.history_timeline :
						     view->known_timeline;
}

/* While the key may be taken, only final positions count: asked for under our ballot. Whoever has
 * answered and still receives is asked once more; it must not hold the election up for ever. */
static bool is_asked(const struct view *view, const struct vote *vote)
{
	if (!vote_is_usable(view, vote))
		return false;
	if (!view->election_open)
		return true;
	if (view->ballot == 0 || vote->ballot != view->ballot)
		return false;
	if (comes_up(view, vote))
		return view->now_ms >= view->ballot_at_ms + RANK_START_MS;
	return vote->failed || !vote->in_recovery || is_final(view, vote) ||
	       view->now_ms >= view->ballot_at_ms + RANK_SEAL_MS;
}

void rank_me(const struct view *view, struct verdict *ret)
{
	bool alone = true;
	const char *unfit = unfit_me(view);
	const struct request *req = &view->cluster.request;
	const struct member *old = turn_patroni_gone(view);
	/* A failover may be forced upon what lags; a switchover whose leader died may not. */
	bool forced = is_named(view) && req->leader[0] == '\0';

	if (unfit != NULL) {
		say(ret, RANK_NEVER, 0, "", unfit);
		return;
	}
	if (by_name(view, ret))
		return;
	if (!forced && lags(view, my_lsn(view))) {
		say(ret, RANK_NEVER, 0, "", "lags more than maximum_lag_on_failover");
		return;
	}
	/* Not only with check_timeline: it would begin a timeline whose number is in use, and no
	 * server could tell the two apart. */
	if (!forced && timeline_local(&view->pg) < cluster_timeline(view)) {
		say(ret, RANK_NEVER, 0, "", "is on an older timeline than the cluster");
		return;
	}
	if (old != NULL && (rank_vote(view, old->name) == NULL ||
			    !vote_is_usable(view, rank_vote(view, old->name)))) {
		say(ret, RANK_UNKNOWN, 0, old->name, "has to tell that it gave the lead away");
		return;
	}
	/* A switchover whose leader died in it may lose nothing that was confirmed. */
	if (is_named(view) && (forced || !view->cluster.sync.present) &&
	    meets_every_majority(view)) {
		say(ret, RANK_BEST, 0, "", "named as candidate by an operator");
		return;
	}
	for (uint32_t i = 0; i < view->cluster.nmembers; i++) {
		const struct member *m = &view->cluster.members[i];
		const struct vote *vote = rank_vote(view, m->name);

		if (str_eq(m->name, view->name) || m->api_url[0] == '\0' ||
		    (is_barred(&m->tags) && !is_needed(view)))
			continue;
		alone = false;
		if (vote == NULL || !is_asked(view, vote)) {
			say(ret, RANK_UNKNOWN, 0, m->name, "its position has to be asked for");
			return;
		}
	}
	for (uint32_t i = 0; i < view->cluster.ngone && view->election_open; i++) {
		const char *name = view->cluster.gone[i].name;
		const struct vote *vote = rank_vote(view, name);

		if (str_eq(name, view->last_leader))
			continue;
		alone = false;
		if (vote == NULL || !is_asked(view, vote)) {
			say(ret, RANK_UNKNOWN, 0, name,
			    "lost etcd, its position has to be asked for all the same");
			return;
		}
	}
	if (view->election_open && !alone && !view->sealed && must_fetch(view) == NULL) {
		say(ret, RANK_UNKNOWN, 0, "", "stops receiving before it compares positions");
		return;
	}
	if (!waits_for_candidate(view, ret))
		stand_in_line(view, ret);
}

/* What bars a peer by itself, wherever its WAL ends. */
static const char *unfit_peer(const struct vote *vote)
{
	if (vote->failed)
		return "does not answer";
	if (!vote->in_recovery)
		return "does not run as a standby";
	if (vote->nofailover || vote->failover_priority <= 0)
		return "is tagged nofailover";
	if (vote->watchdog_failed)
		return "lacks a fence that it requires (watchdog, guardian or module)";
	if (vote->regressed)
		return "takes this etcd for wiped or restored";
	return NULL;
}

const char *rank_unfit(const struct view *view, const struct vote *vote)
{
	const char *why = unfit_peer(vote);

	if (why != NULL)
		return why;
	if (!vote->streaming)
		return "does not stream at the moment";
	if (is_elsewhere(view, vote))
		return "is on another timeline";
	if (view->pg.flush_lsn > vote->lsn &&
	    view->pg.flush_lsn - vote->lsn > (uint64_t)view->cfg.maximum_lag_bytes)
		return "lags more than maximum_lag_on_failover";
	return NULL;
}

/* Better of two fit successors: more WAL, then priority, then name. */
static bool is_better(const struct vote *a, const struct vote *b)
{
	if (a->lsn != b->lsn)
		return a->lsn > b->lsn;
	if (a->failover_priority != b->failover_priority)
		return a->failover_priority > b->failover_priority;
	return strcmp(a->name, b->name) < 0;
}

void rank_successor(const struct view *view, struct verdict *ret)
{
	const struct request *req = &view->cluster.request;
	const char *only = view->mode != MODE_SHUTDOWN && req->present ? req->candidate : "";
	const struct vote *best = NULL;
	const char *why = "the cluster has no other member";
	const char *whose = "";

	for (uint32_t i = 0; i < view->cluster.nmembers; i++) {
		const struct member *m = &view->cluster.members[i];
		const struct vote *vote = rank_vote(view, m->name);
		const char *unfit;

		if (str_eq(m->name, view->name) || m->api_url[0] == '\0')
			continue;
		if (only[0] != '\0' && !str_eq(m->name, only))
			continue;
		if (vote == NULL || !vote_is_usable(view, vote)) {
			say(ret, RANK_UNKNOWN, 0, m->name, "its position has to be asked for");
			return;
		}
		unfit = rank_unfit(view, vote);
		if (unfit != NULL) {
			why = unfit;
			whose = m->name;
			continue;
		}
		if (best == NULL || is_better(vote, best))
			best = vote;
	}
	if (best != NULL)
		say(ret, RANK_BEST, 0, best->name, "fit to take over");
	else
		say(ret, RANK_NEVER, 0, whose, why);
}

/* Nobody can stream from a server that is down; what was received before is final. */
static const char *unfit_heir(const struct view *view, const struct vote *vote)
{
	const char *why = unfit_peer(vote);

	return why == NULL && is_elsewhere(view, vote) ? "is on another timeline" : why;
}

static void say_missing(const struct view *view, const struct vote *vote, struct verdict *ret)
{
	uint64_t end = view->crash_commit_lsn;

	say(ret, RANK_NEVER, 0, vote->name, "");
	(void)str_printf(ret->why, sizeof(ret->why),
			 "lacks %llu bytes of WAL with commits: it has %X/%X of %X/%X",
			 (unsigned long long)(end - vote->lsn), (unsigned)(vote->lsn >> 32),
			 (unsigned)vote->lsn, (unsigned)(end >> 32), (unsigned)end);
}

void rank_heir(const struct view *view, struct verdict *ret)
{
	const struct vote *best = NULL;
	const struct vote *ahead = NULL; /* of those who lack something */
	const char *why = "the cluster has no other member";
	const char *missing = NULL;
	const char *whose = "";
	bool settled = view->now_ms - view->crash_down_at_ms >= CRASH_SETTLED_MS;
	bool moves = false; /* what somebody has may still become more */

	if (!view->crash_read || view->crash_commit_lsn == 0) {
		say(ret, view->crash_read ? RANK_NEVER : RANK_UNKNOWN, 0, "",
		    "the end of the WAL here is not known");
		return;
	}
	for (uint32_t i = 0; i < view->cluster.nmembers; i++) {
		const struct member *m = &view->cluster.members[i];
		const struct vote *vote = rank_vote(view, m->name);
		const char *unfit;

		if (str_eq(m->name, view->name) || m->api_url[0] == '\0' || is_barred(&m->tags))
			continue;
		if (vote == NULL || !vote_is_usable(view, vote)) {
			missing = m->name;
			continue;
		}
		unfit = unfit_heir(view, vote);
		moves = moves || vote->failed || (unfit == NULL && vote->streaming);
		if (unfit != NULL) {
			why = unfit;
			whose = m->name;
		} else if (vote->lsn < view->crash_commit_lsn) {
			ahead = ahead == NULL || is_better(vote, ahead) ? vote : ahead;
		} else if (best == NULL || is_better(vote, best)) {
			best = vote;
		}
	}
	if (missing != NULL &&
	    (best == NULL || view->now_ms - view->crash_down_at_ms < RANK_HEIR_MS))
		say(ret, RANK_UNKNOWN, 0, missing, "its position has to be asked for");
	else if (best != NULL)
		say(ret, RANK_BEST, 0, best->name, "has every commit");
	else if (moves && !settled)
		say(ret, RANK_WAIT, view->crash_down_at_ms + CRASH_SETTLED_MS,
		    ahead != NULL ? ahead->name : whose, "may still get what it lacks");
	else if (ahead != NULL)
		say_missing(view, ahead, ret);
	else
		say(ret, RANK_NEVER, 0, whose, why);
}
