/* SPDX-License-Identifier: PostgreSQL */
/*
 * clients - sessions that commit all the time to whoever takes writes
 *
 * Every node has local clients, which no cut can keep away; others come over the network. What
 * was acknowledged is remembered with its true time.
 */
#ifndef PGHA_SIM_CLIENTS_H
#define PGHA_SIM_CLIENTS_H

#include "base/base.h"

#define CLIENTS_MAX 10

struct world;

struct client {
	bool local;
	uint32_t node; /* local: its host; else: where it tries now */
};

struct clients {
	uint32_t n;
	struct client list[CLIENTS_MAX];
	uint64_t next_id;
	bool quiet; /* no more commits */
};

void clients_init(struct world *world);

#endif
