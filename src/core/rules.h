/* SPDX-License-Identifier: PostgreSQL */
/*
 * rules - THE table: situations -> what to do, and why
 *
 * The first row that matches wins. Rows are ordered by danger: 1xx fence, 2xx operator, 3xx
 * leading, 4xx election, 5xx following, 6xx bootstrap. Ids are stable and never reused: they
 * stand in logs, in the history and in GET /patroni. A row looks at the situation only.
 */
#ifndef PGHA_CORE_RULES_H
#define PGHA_CORE_RULES_H

#include "core/situation.h"

/* Goals for the local Postgres; repeating one is harmless. */
#define PG_VERBS(X)                                                                        \
	X(LEAVE, "leave")                                                                  \
	X(STOP_FAST, "stop-fast") /* ends as immediate, then kill, at the lease's times */ \
	X(KILL, "kill")           /* every process, at once */                             \
	X(CHECKPOINT, "checkpoint")                                                        \
	X(START_STANDBY, "start-standby")                                                  \
	X(START_PRIMARY, "start-primary")                                                  \
	X(FENCE, "fence")         /* run the operator's command against the old leader */  \
	X(PROMOTE, "promote")                                                              \
	X(FOLLOW, "follow")                                                                \
	X(FETCH, "fetch")       /* receive from a member that is sealed */                \
	X(SEAL, "seal") /* follow nobody, where that was promised; else leave */           \
	X(REWIND, "rewind")                                                                \
	X(CLONE, "clone")                                                                  \
	X(INITDB, "initdb")                                                                \
	X(DISCARD, "discard")     /* the data of our own failed bootstrap */               \
	X(POST_BOOTSTRAP, "post-bootstrap")

/* What happens to the lease. */
#define LEASE_VERBS(X)                                                                   \
	X(KEEP, "keep")         /* renew, if there is one */                             \
	X(LAPSE, "lapse")       /* do not renew: let it run out */                       \
	X(ADOPT, "adopt")       /* prove a key that names us */                          \
	X(ACQUIRE, "acquire")                                                            \
	X(TAKEOVER, "takeover") /* delete a stale key by its beat, then acquire */       \
	X(RELEASE, "release")   /* delete the key, with proof that Postgres ended */

/* What happens to the initialize key, and what is asked for. */
#define MORE_VERBS(X)                                                         \
	X(NONE, "none")                                                       \
	X(RACE, "race")         /* claim the bootstrap */                     \
	X(UNRACE, "unrace")     /* give it back */                            \
	X(ENROL, "enrol")       /* write our system identifier as the cluster's */ \
	X(VOTES, "votes")       /* ask the peers for their positions */       \
	X(PAUSE, "pause")       /* have the poolers make their clients wait */ \
	X(HEIR, "heir")         /* where do commits end here, and who has them all? */ \
	X(ANCESTRY, "ancestry") /* ask the leader for its history */          \
	X(QUIT, "quit")         /* nothing is left to do: end the agent */

#define X(n, t) PGV_##n,
enum pg_verb { PG_VERBS(X) PGV__MAX };
#undef X
#define X(n, t) LV_##n,
enum lease_verb { LEASE_VERBS(X) LV__MAX };
#undef X
#define X(n, t) MV_##n,
enum more_verb { MORE_VERBS(X) MV__MAX };
#undef X

/* Masks of IS(value); 0 = any. */
struct rule {
	uint16_t id;
	const char *name;
	uint32_t leader, lease, pg, role, data, job, mode, rank, ask, store;
	enum pg_verb pg_verb;
	enum lease_verb lease_verb;
	enum more_verb more;
	const char *why;
};

size_t rules_count(void);
const struct rule *rules_at(size_t index);
/* Never NULL: the last row matches everything. */
const struct rule *rules_match(const struct situation *situation);
bool rules_matches(const struct rule *rule, const struct situation *situation);
const struct rule *rules_by_id(uint16_t id);

const char *rules_pg_verb_name(enum pg_verb verb);
const char *rules_lease_verb_name(enum lease_verb verb);
const char *rules_more_verb_name(enum more_verb verb);

/* One bit for each value of each dimension, so that a rule matches iff (bits & mask) == bits:
 * for the exhaustive test, which asks some millions of times. */
uint64_t rules_bits(const struct situation *situation);
uint64_t rules_mask(const struct rule *rule);

#endif
