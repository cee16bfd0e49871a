/* SPDX-License-Identifier: PostgreSQL */
/*
 * nemesis - what goes wrong, and when
 *
 * Each seed draws a few kinds of faults and leaves the others out, which finds more than a
 * little of everything. Faults are also what scenarios call by name.
 */
#ifndef PGHA_SIM_NEMESIS_H
#define PGHA_SIM_NEMESIS_H

#include "base/base.h"

struct world;

/* enum, name, needs (see below), least and longest duration in ms; 0: an instant */
#define FAULTS(X)                                                              \
	X(ISOLATE, "isolate", 0, 500, 20000)                                   \
	X(CUT_ETCD, "cut-etcd", 0, 500, 20000)                                 \
	X(CUT_ETCD_ONE_WAY, "cut-etcd-one-way", 0, 500, 15000)                 \
	X(CUT_MEMBER, "cut-etcd-member", 0, 500, 20000)                        \
	X(CUT_PEERS, "cut-peers", 0, 500, 20000)                               \
	X(CUT_PAIR_ONE_WAY, "cut-pair-one-way", 0, 500, 20000)                 \
	X(LOSS, "loss", 0, 2000, 30000)                                        \
	X(SLOW_LINK, "slow-link", 0, 1000, 20000)                              \
	X(SPLIT, "split", 0, 1000, 15000)                                      \
	X(MEMBER_DOWN, "etcd-member-down", 0, 1000, 20000)                     \
	X(MEMBER_FREEZE, "etcd-member-freeze", 0, 500, 15000)                  \
	X(MEMBER_STALL, "etcd-member-disk-stall", 0, 500, 20000)               \
	X(MEMBER_CUT, "etcd-member-cut-off", 0, 500, 20000)                    \
	X(ETCD_MOVE, "etcd-leader-change", 0, 0, 0)                            \
	X(ETCD_OUTAGE, "etcd-outage", 0, 1000, 20000)                          \
	X(ETCD_SLOW, "etcd-slow", 0, 2000, 20000)                              \
	X(EARLY_REVOKE, "early-revoke", NEEDS_ETCD_FAULTS, 0, 0)               \
	X(HOST_FREEZE, "host-freeze", NEEDS_GUARD, 200, 15000)                 \
	X(AGENT_FREEZE, "agent-freeze", NEEDS_GUARD, 200, 15000)               \
	X(AGENT_KILL, "agent-kill", NEEDS_GUARD, 100, 15000)                   \
	X(AGENT_STOP, "agent-stop", 0, 2000, 15000)                            \
	X(PG_KILL, "postmaster-kill", 0, 0, 0)                                 \
	X(PG_CRASH, "backend-crash", 0, 0, 0)                                  \
	X(PG_HANG, "postmaster-hang", 0, 500, 20000)                           \
	X(HOST_LOST, "host-lost", 0, 1000, 20000)                              \
	X(DISK_STALL, "disk-stall", 0, 200, 10000)                             \
	X(START_FAILS, "start-fails", 0, 2000, 20000)                          \
	X(COPY_FAILS, "copy-fails", 0, 2000, 30000)                            \
	X(CLOCK_RATE, "clock-rate", NEEDS_BAD_CLOCKS, 0, 0)                    \
	X(COLOCATED, "host-and-member-freeze", NEEDS_GUARD, 500, 12000)        \
	X(SWITCHOVER, "switchover", 0, 0, 0)                                   \
	X(FAILOVER, "failover", 0, 0, 0)                                       \
	X(RESTART, "restart", 0, 0, 0)                                         \
	X(REINIT, "reinit", 0, 0, 0)                                           \
	X(PAUSE, "pause", 0, 1000, 15000)                                      \
	X(CONFIG, "config", 0, 0, 0)                                           \
	X(ETCD_WIPE, "etcd-wipe", NEEDS_LUCK, 0, 0)                            \
	X(ETCD_RESTORE, "etcd-restore", NEEDS_LUCK, 0, 0)                      \
	X(GUARD_FREEZE, "guard-freeze", NEEDS_GUARD | NEEDS_TURN, 200, 15000)  \
	X(BOTH_FREEZE, "agent-and-guard-freeze", NEEDS_GUARD | NEEDS_TURN, 200, 15000) \
	X(GUARD_KILL, "guard-kill", NEEDS_GUARD, 0, 0)                         \
	X(BOTH_KILL, "agent-and-guard-kill", NEEDS_GUARD, 100, 15000)          \
	X(GUARD_FAILS, "guard-start-fails", NEEDS_GUARD, 500, 25000)           \
	X(PG_FREEZE, "postgres-freeze", 0, 200, 15000)                         \
	X(DATA_LOST, "data-lost", NEEDS_STORY, 0, 0)                           \
	X(DATA_FOREIGN, "data-foreign", NEEDS_STORY, 0, 0)                     \
	X(INIT_LOST, "initialize-lost", NEEDS_STORY, 0, 0)                     \
	X(INIT_FOREIGN, "initialize-foreign", NEEDS_STORY, 1000, 10000)        \
	X(RESUME, "resume-in-etcd", NEEDS_STORY, 0, 0)                         \
	X(PAUSE_KEY, "pause-in-etcd", NEEDS_STORY, 1000, 10000)                \
	X(SHORT_WAL, "short-wal", NEEDS_STORY, 0, 0)                           \
	X(STARVED, "replay-starved", NEEDS_STORY, 0, 0)                        \
	X(CUT_PAIR, "cut-pair", NEEDS_STORY, 500, 20000)                       \
	X(FENCE_FAILS, "fence-fails", NEEDS_FENCE, 2000, 30000)                \
	X(FENCE_HANGS, "fence-hangs", NEEDS_FENCE, 2000, 30000)                \
	X(MADE_UP, "made-up-ballot", NEEDS_TURN, 0, 0)

#define NEEDS_GUARD       1
#define NEEDS_ETCD_FAULTS 2
#define NEEDS_BAD_CLOCKS  4
#define NEEDS_LUCK        8 /* drawn less often than others */
#define NEEDS_TURN        32 /* every fourth seed has it for sure, the others never */
#define NEEDS_STORY       16 /* never drawn: what must come of it depends on the rest */
#define NEEDS_FENCE       64 /* a fence command is configured */

enum fault {
#define X(n, t, needs, low, high) FAULT_##n,
	FAULTS(X)
#undef X
	FAULT__MAX
};

struct nemesis {
	bool kinds[FAULT__MAX];
	uint32_t nkinds;
	bool off;
	enum fault poised; /* waits for an agent to ask for something; FAULT__MAX: none does */
	int64_t least_gap_us;
	int64_t most_gap_us;
};

const char *nemesis_name(enum fault fault);
enum fault nemesis_by_name(const char *name);
/* Draws the kinds and begins to strike at from_us. */
void nemesis_init(struct world *world, int64_t from_us);
/* Begins one fault on a node, a member or both (-1: drawn), and ends it after duration_us
 * (0: drawn, < 0: never). */
void nemesis_strike(struct world *world, enum fault fault, int node, int member,
		    int64_t duration_us);
/* An agent has just asked for something: the moment at which half of it is done. */
void nemesis_at_step(struct world *world, uint32_t node);
/* Ends a fault that was begun by nemesis_strike() with the same targets. */
void nemesis_end(struct world *world, enum fault fault, uint32_t node, uint32_t other);
/* Everything is well again and stays so. */
void nemesis_heal(struct world *world);

/* operator.c: commands of an operator; leader and candidate may be "". */
void operator_switchover(struct world *world, const char *leader, const char *candidate);
void operator_failover(struct world *world, const char *candidate);
void operator_restart(struct world *world, uint32_t node);
void operator_reinit(struct world *world, uint32_t node);
/* As a candidate asks that then goes away; `ahead` of what etcd has come to: such a ballot was
 * never given out. */
void operator_seal(struct world *world, uint32_t node, int64_t ahead);
void operator_pause(struct world *world, bool pause);
/* Every agent runs and every host can be reached. */
bool operator_sees_all(const struct world *world);
/* Looks after a while whether some member waits for it, and then at all of them. */
void operator_accept_store(struct world *world, int64_t after_us);
/* Writes the key itself, as another tool does. */
void operator_pause_in_etcd(struct world *world, bool pause);
void operator_patch(struct world *world, const char *json);

#endif
