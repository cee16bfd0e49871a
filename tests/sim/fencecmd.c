/* SPDX-License-Identifier: PostgreSQL */
/*
 * fencecmd - the operator's fence command: it takes a while, and kills the victim's Postgres
 *
 * Over a network of its own, so that it reaches whoever is cut off. It may fail, and it may hang
 * until it is ended.
 */
#include <stdlib.h>

#include "node.h"
#include "world.h"

#define DONE  0
#define HANGS 1
#define FAILS 2

static int victim_of(const struct world *world, const char *name)
{
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (str_eq(world->nodes[i].name, name))
			return (int)i;
	return -1;
}

static void answer(struct world *world, struct node *node, uint64_t ticket, enum err_code code,
		   const char *why)
{
	struct msg *msg = msg_new(EVENT_FENCE);

	msg->event.ticket = ticket;
	if (code != ERR_NONE)
		msg->event.result = err_set(&msg->err, code, "%s", why);
	node_post(world, node, 0, msg);
}

static void on_end(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];
	uint64_t ticket = node->fence_ticket;

	if (ev->gen != node->fence_gen)
		return; /* it was ended */
	node->fence_ticket = 0;
	if (ev->b == DONE && !mutant_is(world, MUTANT_FENCE_SKIPPED)) {
		world_trace(world, "%s: the fence command kills Postgres of %s", node->name,
			    world->nodes[ev->a].name);
		modelpg_vanish(world, (uint32_t)ev->a);
		oracle_fenced(world, (uint32_t)ev->a);
	}
	if (ticket == 0)
		return; /* the agent that asked is gone */
	if (ev->b == DONE)
		answer(world, node, ticket, ERR_NONE, "");
	else if (ev->b == HANGS)
		answer(world, node, ticket, ERR_TIMEOUT, "stopped before it had finished");
	else
		answer(world, node, ticket, ERR_CHILD, "exit code 1");
}

static void end_running(struct world *world, struct node *node)
{
	if (node->fence_ticket == 0)
		return;
	node->fence_gen++;
	answer(world, node, node->fence_ticket, ERR_CANCELED, "ended");
	node->fence_ticket = 0;
}

void fencecmd_run(struct world *world, struct node *node, uint64_t ticket,
		  const struct fence_req *req)
{
	int64_t takes_us = rng_skewed(&world->rng, 20000, 3000000);
	int how = world->fence_hangs > 0 ? HANGS : world->fence_fails > 0 ? FAILS : DONE;
	int victim;

	end_running(world, node);
	if (!req)
		return;
	victim = victim_of(world, req->victim.name);
	world_trace(world, "%s: fence #%lu '%s' epoch %ld how %d", node->name,
		    (unsigned long)ticket, req->victim.name, (long)req->victim.epoch, how);
	node->fence_ticket = ticket;
	node->fence_gen++;
	if (how == HANGS)
		takes_us = req->timeout_ms * 1000;
	world_after(world, takes_us,
		    (struct ev){ .what = "fence",
				 .fn = on_end,
				 .who = node->id,
				 .hold = HOLD_HOST,
				 .gen = node->fence_gen,
				 .a = victim < 0 ? 0 : victim,
				 .b = victim < 0 ? FAILS : how });
}
