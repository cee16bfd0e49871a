/* SPDX-License-Identifier: PostgreSQL */
/*
 * moves - everything that may happen next in the small cluster
 */
#ifndef PGHA_STATES_MOVES_H
#define PGHA_STATES_MOVES_H

#include "state.h"

/* name, text for a trace */
#define MOVES(X)                                                        \
	X(TICK, "time passes")                                          \
	X(RUN, "decides")                                               \
	X(WATCH, "hears what stands in etcd, decides")                  \
	X(ETCD, "'s letter is carried out by etcd")                     \
	X(ANSWER, "hears the answer, decides")                          \
	X(LOST, "'s letter or its answer is lost")                      \
	X(EXPIRE, "the leader key expires")                             \
	X(STOPPED, "'s Postgres has ended")                             \
	X(OPENED, "'s Postgres is open for writes")                     \
	X(GUARD, "'s guardian kills Postgres")                          \
	X(CUT, "is cut off")                                            \
	X(HEAL, "is connected again")                                   \
	X(FREEZE, "'s agent is frozen")                                 \
	X(FREEZE_HOST, "'s host is frozen")                             \
	X(THAW, "thaws")                                                \
	X(KILL, "'s agent is killed")                                   \
	X(RESTART, "'s agent is started")                               \
	X(CRASH, "'s Postgres is killed, every process of it")          \
	X(REVOKE, "etcd revokes the leader's lease early")              \
	X(ETCD_DOWN, "etcd is away")                                    \
	X(ETCD_UP, "etcd is back, leases begin anew")                   \
	X(SWITCHOVER, "is asked for as the next leader")                \
	X(LEAVE, "'s agent is told to end")

enum move {
#define X(n, t) MOVE_##n,
	MOVES(X)
#undef X
	MOVE__MAX
};

const char *moves_text(enum move move);
/* Makes the move for member i; false where it cannot happen now. *ret_rule: the rule that a
 * decision took, 0 without one. */
bool moves_make(const struct rules_of_play *play, struct state *s, enum move move, uint32_t i,
		uint16_t *ret_rule);
/* Moves that are not about one member: only tried with i = 0. */
bool moves_is_common(enum move move);

#endif
