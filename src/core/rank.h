/* SPDX-License-Identifier: PostgreSQL */
/*
 * rank - who may be promoted, and in which order
 *
 * Comparison by timeline, then received position, then failover_priority, then name. A member
 * that is reachable and ahead always goes first; equal ones go one after the other, a moment
 * apart, so that the etcd transaction seldom has to decide.
 */
#ifndef PGHA_CORE_RANK_H
#define PGHA_CORE_RANK_H

#include "core/view.h"

#define RANKS(X)                                                         \
	X(UNKNOWN, "unknown") /* answers of peers are missing or too old */ \
	X(NEVER, "never")     /* not allowed, or not able */             \
	X(WAIT, "wait")       /* somebody else goes first */             \
	X(FETCH, "fetch")     /* receives first what one that cannot lead has more */ \
	X(BEST, "best")

enum rank {
#define X(n, t) RANK_##n,
	RANKS(X)
#undef X
	RANK__MAX
};

/* Answers of peers older than this are asked for again. */
#define RANK_VOTE_AGE_MS 3000
/* Between two equal candidates. */
#define RANK_STEP_MS 250
/* So long after its ballot an election waits for a peer that has answered and still receives. */
#define RANK_SEAL_MS 1500
/* ... and so long for one whose server comes up and cannot tell yet how much it has. */
#define RANK_START_MS 5000
/* So long an election waits for the WAL of a member that cannot lead, its key having gone. Not
 * bounded by time while a synchronous commit may be there and nowhere else. */
#define RANK_FETCH_MS 5000
/* So much later comes who gave the lead up by itself a moment ago. Not for as long as it stands
 * aside: where every member has just failed, one of them has to lead. */
#define RANK_ASIDE_MS 1000
/* How long a successor named by a release, or by an operator, is waited for. */
#define RANK_SUCCESSOR_MS 3000
/* Terms during which nobody leads who lacks WAL that an orderly release says there is: whoever
 * wrote it can come back and lead. */
#define RANK_BEHIND_TERMS 3

/* Somebody who has all is not kept waiting for others who do not answer longer than this. */
#define RANK_HEIR_MS 150
/* After a crash: how long a member is looked for that has every commit, and how long when all have
 * answered and none has, but one still receives: some of it may be on its way to that disk. */
#define CRASH_LOOK_MS    1000
#define CRASH_SETTLED_MS 300

struct verdict {
	enum rank rank;
	int64_t wait_until_ms;   /* WAIT: look again then */
	char other[NAME_SIZE];   /* who stands in front; "" nobody in particular */
	char why[REASON_SIZE];
};

/* May this member take the key, going by view? Assumes that the key may be taken at all. */
void rank_me(const struct view *view, struct verdict *ret);

/* The leader looks for a successor: the candidate of the request, or the best of all.
 * RANK_BEST   ret->other is fit
 * RANK_UNKNOWN  answers are missing
 * RANK_NEVER  nobody is fit; ret->why says why */
void rank_successor(const struct view *view, struct verdict *ret);

/* The leader's Postgres has crashed: who has everything that was committed?
 * RANK_BEST   ret->other has
 * RANK_UNKNOWN  answers are missing, or the end of our WAL is not known yet
 * RANK_WAIT   nobody has, but somebody may still get what is missing
 * RANK_NEVER  nobody has; ret->why says what is missing */
void rank_heir(const struct view *view, struct verdict *ret);

/* How many of n, the leader among them, have to leave it alone. Any election that needs more than
 * the rest meets one of them. */
uint32_t rank_promises(enum failsafe_mode mode, uint32_t n);

/* One peer as seen by rank_successor(), for reports: NULL if fit, else why not. */
const char *rank_unfit(const struct view *view, const struct vote *vote);

/* Is there another member that could lead, as far as etcd's keys tell? */
bool rank_others_exist(const struct view *view);
const struct member *rank_member(const struct cluster *cluster, const char *name);
const struct gone_member *rank_gone(const struct cluster *cluster, const char *name);
const struct vote *rank_vote(const struct view *view, const char *name);
const char *rank_name(enum rank rank);

#endif
