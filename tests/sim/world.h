/* SPDX-License-Identifier: PostgreSQL */
/*
 * world - everything a simulated run consists of, its time and its trace
 *
 * One process, one source of chance, virtual time in microseconds. Nothing outside of this
 * struct and of the agents themselves may influence a run.
 */
#ifndef PGHA_SIM_WORLD_H
#define PGHA_SIM_WORLD_H

#include "clients.h"
#include "eclient.h"
#include "evq.h"
#include "modeletcd.h"
#include "mutant.h"
#include "nemesis.h"
#include "net.h"
#include "node.h"
#include "oracle.h"
#include "rng.h"

#define WORLD_EPOCH_US INT64_C(1893456000000000) /* wall clock at true time 0: 2030-01-01 */
#define WORLD_NODES_MAX 5
#define WORLD_SCOPE     "demo"
#define WORLD_PREFIX    "/service/" WORLD_SCOPE "/"

#define SYNC_DRAWN UINT32_MAX

struct options {
	uint64_t seed;
	uint32_t nodes; /* 0: drawn */
	uint32_t etcd_members;
	bool trace;
	int64_t until_ms; /* 0: to the end */
	const char *scenario; /* file, or NULL: chance rules */
	enum mutant mutant;
	/* what a scenario fixes; unknown: drawn */
	enum tristate guard;
	enum tristate guard_required;
	enum tristate module;
	enum tristate etcd_faults;
	enum tristate bad_clocks;
	uint32_t sync; /* standbys that confirm each commit; SYNC_DRAWN: by chance */
	enum tristate fence; /* a fence command */
	bool fence_promotes; /* fence.command_failure */
	enum tristate hung_fence; /* a server that hangs, or its disk, gives the lease up */
	enum failsafe_mode failsafe; /* of a scenario */
	bool poolers;       /* clients come through PgBouncer */
	bool keep_diverged; /* neither pg_rewind nor a new copy is allowed */
	uint32_t nofailover; /* n1, n2, ... by its number: it has that tag; 0: nobody */
};

struct world {
	struct options options;
	struct rng rng;
	struct evq queue;
	int64_t now_us; /* true time */
	uint64_t hash;  /* of the trace */
	uint64_t steps;
	bool stop;      /* an invariant broke */

	bool guard;     /* a guardian runs on every host */
	bool guard_unit; /* ... started by a unit of its own, too */
	bool guard_required; /* no guardian, no lead */
	bool module;    /* ... and the fence module is loaded */
	bool fence;     /* every member has a fence command */
	int16_t fence_fails;
	int16_t fence_hangs;
	bool bad_clocks; /* rates of up to 10 % */
	bool wide_lag;
	bool hung_fence;
	uint32_t sync;   /* synchronous_standby_names: 'ANY n (*)'; 0: none */
	enum failsafe_mode failsafe; /* in bootstrap.dcs */

	uint32_t nnodes;
	struct node nodes[WORLD_NODES_MAX];
	struct modeletcd etcd;
	struct eclient eclient;
	struct net net;
	struct clients clients;
	struct oracle oracle;
	struct nemesis nemesis;
	uint64_t next_timeline_uid;
};

struct world *world_new(const struct options *options);
void world_free(struct world *world);

/* Puts an event on the queue; ev.at_us and ev.tie are filled in. */
void world_at(struct world *world, int64_t at_us, struct ev ev);
void world_after(struct world *world, int64_t delay_us, struct ev ev);
/* One event. false: nothing left, or an invariant broke. */
bool world_step(struct world *world);
/* Until that true time, or until an invariant breaks. */
void world_run(struct world *world, int64_t until_us);
/* Puts what a frozen node or a stalled disk held back on the queue again. */
void world_release(struct world *world, struct node *node);
/* A clock rate for a host. */
int64_t world_rate(struct world *world);

void world_mix(struct world *world, uint64_t value);
void world_mix_text(struct world *world, const char *text);
/* One line of the trace. */
void world_trace(struct world *world, const char *fmt, ...) _printf_(2, 3);

#endif
