/* SPDX-License-Identifier: PostgreSQL */
/*
 * net - who can reach whom, how late, and what gets lost
 *
 * Endpoints are small numbers: the nodes, then the etcd members, then the clients' network.
 * Cuts are one-way and counted, so that overlapping faults heal independently.
 */
#ifndef PGHA_SIM_NET_H
#define PGHA_SIM_NET_H

#include "base/base.h"

struct world;

#define NET_NODE(i)   ((uint32_t)(i))
#define NET_MEMBER(i) ((uint32_t)(8 + (i)))
#define NET_CLIENTS   UINT32_C(15)
#define NET_MAX       16

struct net {
	int16_t cuts[NET_MAX][NET_MAX];      /* from, to: > 0 nothing passes */
	int16_t slow[NET_MAX][NET_MAX];      /* > 0: some hundred milliseconds more */
	uint16_t loss_permille[NET_MAX][NET_MAX];
	int64_t delay_us; /* least one-way delay */
	int64_t jitter_us;
};

void net_cut(struct net *net, uint32_t from, uint32_t to, int add);
void net_cut_both(struct net *net, uint32_t a, uint32_t b, int add);
void net_slow_both(struct net *net, uint32_t a, uint32_t b, int add);
void net_loss_both(struct net *net, uint32_t a, uint32_t b, uint16_t permille);
void net_heal(struct net *net);
/* Both ways open; says nothing about loss. */
bool net_open(const struct net *net, uint32_t a, uint32_t b);
/* One message: false when it is lost, else how long it takes. */
bool net_pass(struct world *world, uint32_t from, uint32_t to, int64_t *ret_delay_us);

#endif
