/* SPDX-License-Identifier: PostgreSQL */
/*
 * module - what the parts of the Postgres module share
 *
 * No type of Postgres in here. The globals are settings, which Postgres itself writes.
 */
#ifndef PGHA_FENCE_MODULE_H
#define PGHA_FENCE_MODULE_H

#include "fence/gate.h"

#define MODULE_NAME "pgha_fence"

/* Settings; pgha_fence.c says what they mean. */
extern bool module_enabled;
extern bool module_fail_closed;
extern bool module_sync_truth;
extern bool module_die_with_postmaster;

/* In shared memory, for all processes of the server. */
#define MODULE_COUNTERS(X)                                                             \
	X(REFUSED, "refused")         /* commits that became errors */                 \
	X(WITHHELD, "withheld")       /* durable behind the gate, client cut off */    \
	X(UNCONFIRMED, "unconfirmed") /* synchronous wait cut short, client cut off */ \
	X(BLIND, "blind")             /* of REFUSED: without a page to believe */

enum module_counter {
#define X(n, t) MODULE_##n,
	MODULE_COUNTERS(X)
#undef X
	MODULE__MAX
};

/* counters.c. Without shared memory (a module loaded too late) nothing is counted. */
void counters_request(void);
void counters_attach(void);
struct gate_belief *counters_belief(void);
void counters_add(enum module_counter counter);
uint64_t counters_get(enum module_counter counter);
const char *counters_name(enum module_counter counter);

/* commit.c: the checks. gate is borrowed for ever. */
void commit_install(struct gate *gate);

#endif
