/* SPDX-License-Identifier: PostgreSQL */
/*
 * evq - what will happen, ordered by time and then by a drawn number, so that races are explored
 */
#ifndef PGHA_SIM_EVQ_H
#define PGHA_SIM_EVQ_H

#include "base/base.h"

struct world;
struct ev;

typedef void (*ev_fn)(struct world *world, struct ev *ev);
typedef void (*ev_drop_fn)(void *data);

/* While the node `who` is in one of these states, the event waits for its end. */
#define HOLD_HOST  UINT32_C(1) /* the whole host is frozen */
#define HOLD_AGENT UINT32_C(2) /* the agent is frozen */
#define HOLD_GUARD UINT32_C(8) /* the guardian is frozen */
#define HOLD_PG    UINT32_C(16) /* every process of its Postgres is frozen */
#define HOLD_DISK  UINT32_C(4) /* the disk under the data directory is stalled */

struct ev {
	int64_t at_us; /* true time */
	uint64_t tie;
	uint64_t seq;
	const char *what; /* static; for the trace */
	ev_fn fn;
	uint32_t who;  /* node, member or client, as fn reads it */
	uint32_t hold; /* HOLD_*: who is a node */
	uint64_t gen;  /* fn compares it with the present life and ignores what is stale */
	int64_t a;
	int64_t b;
	void *data; /* a handler that keeps it sets it to NULL */
	ev_drop_fn drop; /* frees data */
};

struct evq {
	struct ev *heap;
	size_t n;
	size_t cap;
	uint64_t seq;
};

void evq_push(struct evq *evq, const struct ev *ev);
bool evq_pop(struct evq *evq, struct ev *ret);
void evq_done(struct evq *evq);
/* Frees what the event carries; harmless when there is nothing. */
void evq_drop(struct ev *ev);

#endif
