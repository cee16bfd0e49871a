/* SPDX-License-Identifier: PostgreSQL */
/*
 * chain - one history: every primary goes on from what the ones before it wrote
 */
#include "chain.h"

#include <assert.h>

#include "wire/record.h"
#include "world.h"

static bool link_is_whole(const struct world *world, uint32_t a, uint32_t b)
{
	const struct net *net = &world->net;

	return net_open(net, NET_NODE(a), NET_NODE(b)) && net->slow[a][b] == 0 &&
	       net->slow[b][a] == 0 && net->loss_permille[a][b] == 0 &&
	       net->loss_permille[b][a] == 0;
}

/* It answers whoever reaches it, and knows its own position. */
static bool can_answer(const struct world *world, const struct node *node)
{
	char key[NAME_SIZE + sizeof(WORLD_PREFIX "members/")];

	(void)str_printf(key, sizeof(key), "%s%s", WORLD_PREFIX "members/", node->name);
	return node->agent && node->agent_frozen == 0 && node->host_frozen == 0 &&
	       !node->host_down && node->pg.state == PGM_UP && !modelpg_hangs(&node->pg) &&
	       estore_get(&world->etcd.store, key) != NULL;
}

static void key_was_taken(struct world *world)
{
	struct chain *chain = &world->oracle.chain;
	int taker = oracle_leader(world);

	chain->epoch = world->oracle.leader_epoch;
	for (uint32_t i = 0; i < world->nnodes && taker >= 0; i++)
		chain->asked[i] = chain->heard_us[i][taker] != 0 &&
				  world->now_us - chain->heard_us[i][taker] >= CHAIN_ASK_US;
}

void chain_step(struct world *world)
{
	struct chain *chain = &world->oracle.chain;

	if (world->oracle.leader_epoch != 0 && world->oracle.leader_epoch != chain->epoch)
		key_was_taken(world);
	for (uint32_t i = 0; i < world->nnodes; i++) {
		bool answers = can_answer(world, &world->nodes[i]);

		for (uint32_t k = 0; k < world->nnodes; k++) {
			int64_t *since_us = &chain->heard_us[i][k];

			if (!answers || i == k || !link_is_whole(world, i, k))
				*since_us = 0;
			else if (*since_us == 0)
				*since_us = world->now_us;
		}
	}
}

void chain_received(struct world *world, uint32_t node)
{
	const struct wal *wal = &world->nodes[node].pg.wal;

	for (uint32_t i = 0; i < wal->ntimelines; i++) {
		assert(wal->timelines[i].uid < CHAIN_UIDS);
		world->oracle.chain.received[wal->timelines[i].uid] = true;
	}
}

void chain_confirmed(struct world *world, uint32_t node)
{
	world->oracle.chain.received[wal_uid(&world->nodes[node].pg.wal)] = true;
}

/* The newest timeline that etcd's history names; 0: none. */
static uint32_t named_by_etcd(const struct world *world)
{
	const struct eversion *key = estore_get(&world->etcd.store, WORLD_PREFIX "history");
	uint32_t timeline;
	struct err err;

	if (!key ||
	    record_history_timeline(key->value, strlen(key->value), &timeline, &err) < 0)
		return 0;
	return timeline;
}

static bool is_link(const struct world *world, const struct term *term)
{
	const struct chain *chain = &world->oracle.chain;

	return chain->received[term->uid] || chain->asked[term->node] ||
	       term->timeline <= named_by_etcd(world);
}

void chain_opens(struct world *world, uint32_t node)
{
	struct oracle *oracle = &world->oracle;
	const struct wal *wal = &world->nodes[node].pg.wal;
	bool forced = world->now_us <= oracle->forced_until_us;

	for (uint32_t i = oracle->nterms; i > 0; i--) {
		struct term *term = &oracle->terms[i - 1];

		if (wal_knows(wal, term->uid))
			return;
		if (term->given_up)
			continue;
		if (!forced && is_link(world, term)) {
			oracle_fail(world, "I5 one chain of histories",
				    "%s opens for writes on timeline %u, whose history lacks "
				    "timeline %u on which %s took writes before",
				    world->nodes[node].name, wal_timeline(wal), term->timeline,
				    world->nodes[term->node].name);
			return;
		}
		term->given_up = true;
		oracle->chain.given_up += !forced;
		world_trace(world, "timeline %u of %s, which nobody else has, is given up",
			    term->timeline, world->nodes[term->node].name);
	}
}
