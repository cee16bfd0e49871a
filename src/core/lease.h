/* SPDX-License-Identifier: PostgreSQL */
/*
 * lease - how long we may believe that we lead
 *
 * Pure arithmetic on CLOCK_BOOTTIME milliseconds handed in by the caller. BOOTTIME, because a
 * suspended machine must wake up knowing that its lease is gone. The term counts from the moment
 * the proven attempt left, because etcd may have started counting as early as that. The fractions
 * leave room for clocks slewed by 10 % on both hosts: (1 - 0.1) / (1 + 0.1) = 0.818.
 *
 * There are two kinds of proof for one epoch: a write that etcd committed, and, while etcd is away,
 * the promise of the others that none of them takes over before a term has gone by. Both count from
 * when the question left, and the newer one says until when.
 */
#ifndef PGHA_CORE_LEASE_H
#define PGHA_CORE_LEASE_H

#include "base/base.h"

/* Percent of the term, counted from the send time of the newest proof. */
#define LEASE_FADE_PCT      50
#define LEASE_STOP_PCT      66
#define LEASE_IMMEDIATE_PCT 72
#define LEASE_KILL_PCT      75
#define LEASE_GATE_PCT      80
/* A renewal leaves six times in a term. */
#define LEASE_RENEWALS      6

#define LEASE_STATES(X)                                                          \
	X(NONE, "none")     /* never proven, or given up */                      \
	X(ADOPT, "adopt")   /* not proven, but a primary found running at start  \
	                     * has a bounded moment to be adopted */             \
	X(HELD, "held")     /* proven, before fade time */                       \
	X(FADING, "fading") /* the newest proof is older than half a term */     \
	X(FAILSAFE, "failsafe") /* ... and the others have promised since */     \
	X(ENDING, "ending") /* the orderly stop must have begun */               \
	X(OVER, "over")     /* immediate stop time has passed */

enum lease_state {
#define X(n, t) LEASE_##n,
	LEASE_STATES(X)
#undef X
	LEASE__MAX
};

struct lease {
	int64_t epoch; /* create revision of the leader key; 0: no lease */
	int64_t lease_id;
	int64_t asked_at_ms; /* send time of the newest proven attempt */
	int64_t ttl_ms;      /* term that etcd granted */
	int64_t promised_at_ms; /* send time of what the others promised; 0: nothing */
};

/* Records a committed proof. An older proof of the same epoch and lease that arrives late changes
 * nothing. The first one under another lease (ttl was changed) may count from an earlier moment:
 * since then the key hangs on that lease, for its term. The caller takes none for a lease that it
 * has left.
 * asked_at_ms  when the attempt that was answered left
 * ttl_ms       term granted by etcd, greater than 0 */
void lease_proven(struct lease *lease, int64_t epoch, int64_t lease_id, int64_t asked_at_ms,
		  int64_t ttl_ms);
/* Records what the others promised for this epoch: it counts like a proof, but it is none that
 * anything may be begun under. Nothing is won back by it: a term that has come to its end stays
 * there, because others may have been let in since. false: it came too late.
 * asked_at_ms  when the earliest of the questions left that they promised upon */
bool lease_promised(struct lease *lease, int64_t asked_at_ms, int64_t now_ms);
void lease_drop(struct lease *lease);
/* When the newest proof of either kind left; 0 without a lease. */
int64_t lease_newest_ms(const struct lease *lease);
/* Anything but ADOPT, which is not a matter of arithmetic. */
enum lease_state lease_state(const struct lease *lease, int64_t now_ms);
/* The instant at `pct` percent of the term by the newest proof; 0 without a lease. */
int64_t lease_at(const struct lease *lease, int64_t pct);
/* When the next renewal has to leave. */
int64_t lease_renew_at(const struct lease *lease);
const char *lease_state_name(enum lease_state state);

#endif
