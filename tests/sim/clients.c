/* SPDX-License-Identifier: PostgreSQL */
/*
 * clients - sessions that commit all the time to whoever takes writes
 */
#include "clients.h"

#include "world.h"

#define THINK_MIN_US INT64_C(10000)
#define THINK_MAX_US INT64_C(250000)
#define PATIENCE_MIN_US INT64_C(300000)
#define PATIENCE_MAX_US INT64_C(8000000)

static void on_think(struct world *world, struct ev *ev);

static void think(struct world *world, uint32_t id)
{
	const struct client *client = &world->clients.list[id];

	world_after(world, rng_range(&world->rng, THINK_MIN_US, THINK_MAX_US),
		    (struct ev){ .what = "client",
				 .fn = on_think,
				 .who = client->local ? client->node : 0,
				 .hold = client->local ? HOLD_HOST : 0,
				 .a = id });
}

/* A client hears of its commit unless the module cuts it off. */
static void acknowledge(struct world *world, uint32_t node, uint64_t id, uint32_t confirmed)
{
	if (guard_gate_open(world, &world->nodes[node]))
		oracle_ack(world, node, id, confirmed);
}

/* Sessions that wait end with their postmaster, and with a shutdown. */
static bool still_served(const struct world *world, const struct client *client)
{
	const struct modelpg *pg = &world->nodes[client->node].pg;

	return client->life == pg->life && pg->state == PGM_UP && pg->primary && !pg->doomed;
}

/* The client loses patience and cancels, or finds its connection dead. To one that cancels
 * Postgres says COMMIT, with a warning; the module closes the connection instead. */
static void on_wait_ends(struct world *world, struct ev *ev)
{
	struct client *client = &world->clients.list[ev->a];
	uint64_t id = client->waits_id;

	if (id != (uint64_t)ev->b)
		return;
	client->waits_id = 0;
	think(world, (uint32_t)ev->a);
	if (still_served(world, client) && !world->module)
		acknowledge(world, client->node, id, 0);
}

static void wait_for_standbys(struct world *world, uint32_t client_id, uint32_t node, uint64_t id,
			      uint64_t lsn)
{
	struct client *client = &world->clients.list[client_id];

	client->node = node;
	client->waits_id = id;
	client->waits_lsn = lsn;
	client->life = world->nodes[node].pg.life;
	world_after(world, rng_range(&world->rng, PATIENCE_MIN_US, PATIENCE_MAX_US),
		    (struct ev){ .what = "sync-wait-ends",
				 .fn = on_wait_ends,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_PG,
				 .a = client_id,
				 .b = (int64_t)id });
}

void clients_confirmed(struct world *world, uint32_t node)
{
	const struct modelpg *pg = &world->nodes[node].pg;

	for (uint32_t i = 0; i < world->clients.n; i++) {
		struct client *client = &world->clients.list[i];
		uint64_t id = client->waits_id;

		if (id == 0 || client->node != node || !still_served(world, client) ||
		    pgstream_confirmed(world, node, client->waits_lsn) < pg->sync_count)
			continue;
		client->waits_id = 0;
		acknowledge(world, node, id, pg->sync_count);
		think(world, i);
	}
}

/* The commit record is on disk. A share of the transactions asks for no more than that. */
static void on_flush(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];
	bool sync = node->pg.sync_count > 0 && !rng_chance(&world->rng, 100);
	uint64_t id;
	uint64_t lsn;

	if (ev->gen != node->pg.life || !modelpg_writable(&node->pg) || node->pg.doomed) {
		think(world, (uint32_t)ev->a);
		return;
	}
	id = ++world->clients.next_id;
	lsn = modelpg_commit(world, ev->who, id);
	oracle_commit(world, ev->who, id, lsn);
	if (sync && !mutant_is(world, MUTANT_SYNC_SKIPPED)) {
		wait_for_standbys(world, (uint32_t)ev->a, ev->who, id, lsn);
		return;
	}
	think(world, (uint32_t)ev->a);
	acknowledge(world, ev->who, id, sync ? node->pg.sync_count : 0);
}

static bool reaches(struct world *world, const struct client *client, const struct node *node)
{
	if (client->local)
		return true;
	return node->host_frozen == 0 &&
	       net_open(&world->net, NET_CLIENTS, NET_NODE(node->id));
}

static void on_think(struct world *world, struct ev *ev)
{
	struct client *client = &world->clients.list[ev->a];
	struct node *node;

	if (!client->local)
		client->node = (uint32_t)rng_below(&world->rng, world->nnodes);
	node = &world->nodes[client->node];
	/* Nobody gets a new session where only leftovers run, but a local one goes on. */
	if (world->clients.quiet || !modelpg_writable(&node->pg) ||
	    !reaches(world, client, node) || !guard_gate_open(world, node) ||
	    (!client->local && (node->pg.state != PGM_UP || modelpg_hangs(&node->pg)))) {
		think(world, (uint32_t)ev->a);
		return;
	}
	world_after(world, rng_skewed(&world->rng, 200, 12000),
		    (struct ev){ .what = "flush",
				 .fn = on_flush,
				 .who = node->id,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = node->pg.life,
				 .a = ev->a });
}

void clients_init(struct world *world)
{
	struct clients *clients = &world->clients;

	for (uint32_t i = 0; i < world->nnodes + 2; i++)
		clients->list[clients->n++] = (struct client){ .local = i < world->nnodes,
							       .node = i % world->nnodes };
	for (uint32_t i = 0; i < clients->n; i++)
		think(world, i);
}
