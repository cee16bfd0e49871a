/* SPDX-License-Identifier: PostgreSQL */
/*
 * mutant - safety rules taken away at the port boundary, one at a time
 *
 * The agent itself is never changed. A mutant makes the outside lie to it, or makes the outside
 * not do what the agent asked, in the way in which an implementation without that rule would
 * behave; some seed must then break an invariant, which shows that the simulator can see it.
 */
#ifndef PGHA_SIM_MUTANT_H
#define PGHA_SIM_MUTANT_H

#include "agent/event.h"
#include "agent/port.h"

struct world;
struct eattempt;

/* name, text, seeds within which it has to be caught */
#define MUTANTS(X)                                                                            \
	X(NONE, "none")                                                                       \
	X(REPLY_TIME, "reply-time")       /* a term counts from the answer's arrival */       \
	X(LATE_ATTEMPT, "late-attempt")  /* ... from when the newest attempt left */         \
	X(KEEPALIVE_PROOF, "keepalive-proof") /* a keepalive answered OK proves the term */   \
	X(READ_PROOF, "read-proof")       /* a read that names us proves the term */          \
	X(DROP_STOP, "drop-stop")         /* stops are answered and not carried out */        \
	X(STOP_UNPROVEN, "stop-unproven") /* a stop is answered before the processes are gone */ \
	X(GUARD_LATE, "guard-late")       /* the guardian acts half a term late */            \
	X(GUARD_POSTMASTER_ONLY, "guard-postmaster-only")                                     \
	X(GUARD_STALE, "guard-stale") /* it acts on what it read before it was frozen */       \
	X(NO_GUARD, "no-guard")           /* it is installed and does nothing */              \
	X(NO_GATE, "no-gate")             /* the module is loaded and refuses nothing */      \
	X(GATE_LATE, "gate-late")         /* ... or half a term late */                       \
	X(PAUSE_ARMED, "pause-armed")     /* the page is never disarmed */                    \
	X(TIMELINE_REUSED, "timeline-reused") /* a promotion takes the next number it knows of */ \
	X(SYNC_SKIPPED, "sync-skipped")   /* a commit is acknowledged before any standby has it */ \
	X(FENCE_SKIPPED, "fence-skipped") /* the fence command is answered and not run */     \
	X(TRUST_EXPIRY, "trust-expiry")   /* unfixed etcd taken for a fixed one */            \
	X(REWIND_UNMARKED, "rewind-unmarked") /* a half rewound directory looks whole */

enum mutant {
#define X(n, t) MUTANT_##n,
	MUTANTS(X)
#undef X
	MUTANT__MAX
};

const char *mutant_name(enum mutant mutant);
/* MUTANT__MAX: no such name. */
enum mutant mutant_by_name(const char *name);
bool mutant_is(const struct world *world, enum mutant mutant);
int64_t mutant_guard_delay_ms(const struct world *world);
/* May change the request of an attempt before it leaves. */
void mutant_on_request(struct world *world, struct eattempt *attempt);
/* May change what the agent is told. */
void mutant_on_reply(struct world *world, const struct eattempt *attempt, int64_t newest_sent_ms,
		     struct event *event);
/* True: the request was dealt with. */
bool mutant_on_pg(struct world *world, uint32_t node, uint64_t ticket, const struct pg_req *req);

#endif
