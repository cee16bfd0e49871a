/* SPDX-License-Identifier: PostgreSQL */
/*
 * clients - sessions that commit all the time to whoever takes writes
 *
 * Every node has local clients, which no cut can keep away; others come over the network. What
 * was acknowledged is remembered with its true time. Where standbys have to confirm a commit, the
 * client waits for them, unless its transaction asked for less.
 */
#ifndef PGHA_SIM_CLIENTS_H
#define PGHA_SIM_CLIENTS_H

#include "base/base.h"

#define CLIENTS_MAX 10

struct world;

struct client {
	bool local;
	uint32_t node; /* local: its host; else: where it tries now */
	uint64_t waits_id; /* a commit that standbys have to confirm; 0: none */
	uint64_t waits_lsn;
	uint64_t life; /* of the Postgres that it waits at */
};

struct clients {
	uint32_t n;
	struct client list[CLIENTS_MAX];
	uint64_t next_id;
	bool quiet; /* no more commits */
};

void clients_init(struct world *world);
/* Standbys have confirmed more to this node. */
void clients_confirmed(struct world *world, uint32_t node);

#endif
