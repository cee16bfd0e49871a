/* SPDX-License-Identifier: PostgreSQL */
/*
 * net - who can reach whom, how late, and what gets lost
 */
#include "net.h"

#include <string.h>

#include "world.h"

void net_cut(struct net *net, uint32_t from, uint32_t to, int add)
{
	int16_t *cuts = &net->cuts[from][to];

	*cuts = (int16_t)(*cuts + add);
	if (*cuts < 0)
		*cuts = 0; /* everything was healed while this fault was still on */
}

void net_cut_both(struct net *net, uint32_t a, uint32_t b, int add)
{
	net_cut(net, a, b, add);
	net_cut(net, b, a, add);
}

void net_slow_both(struct net *net, uint32_t a, uint32_t b, int add)
{
	int16_t level = (int16_t)(net->slow[a][b] + add);

	if (level < 0)
		level = 0;
	net->slow[a][b] = level;
	net->slow[b][a] = level;
}

void net_loss_both(struct net *net, uint32_t a, uint32_t b, uint16_t permille)
{
	net->loss_permille[a][b] = permille;
	net->loss_permille[b][a] = permille;
}

void net_heal(struct net *net)
{
	memset(net->cuts, 0, sizeof(net->cuts));
	memset(net->slow, 0, sizeof(net->slow));
	memset(net->loss_permille, 0, sizeof(net->loss_permille));
}

bool net_open(const struct net *net, uint32_t a, uint32_t b)
{
	return net->cuts[a][b] <= 0 && net->cuts[b][a] <= 0;
}

bool net_pass(struct world *world, uint32_t from, uint32_t to, int64_t *ret_delay_us)
{
	const struct net *net = &world->net;
	int64_t delay_us = net->delay_us;

	if (from == to) {
		*ret_delay_us = 30;
		return true;
	}
	if (net->cuts[from][to] > 0)
		return false;
	if (net->loss_permille[from][to] > 0 &&
	    rng_chance(&world->rng, net->loss_permille[from][to]))
		return false;
	delay_us += rng_skewed(&world->rng, 0, net->jitter_us);
	if (net->slow[from][to] > 0)
		delay_us += rng_range(&world->rng, 50000, 900000);
	*ret_delay_us = delay_us;
	return true;
}
