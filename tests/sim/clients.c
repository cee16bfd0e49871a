/* SPDX-License-Identifier: PostgreSQL */
/*
 * clients - sessions that commit all the time to whoever takes writes
 */
#include "clients.h"

#include "world.h"

#define THINK_MIN_US INT64_C(10000)
#define THINK_MAX_US INT64_C(250000)

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

/* The commit record is on disk. A client hears of it unless the module cuts it off. */
static void on_flush(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];
	uint64_t id;

	think(world, (uint32_t)ev->a);
	if (ev->gen != node->pg.life || !modelpg_writable(&node->pg) || node->pg.doomed)
		return;
	id = ++world->clients.next_id;
	oracle_commit(world, ev->who, id, modelpg_commit(world, ev->who, id));
	if (guard_gate_open(world, node))
		oracle_ack(world, ev->who, id);
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
	    (!client->local && (node->pg.state != PGM_UP || node->pg.silent))) {
		think(world, (uint32_t)ev->a);
		return;
	}
	world_after(world, rng_skewed(&world->rng, 200, 12000),
		    (struct ev){ .what = "flush",
				 .fn = on_flush,
				 .who = node->id,
				 .hold = HOLD_HOST | HOLD_DISK,
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
