/* SPDX-License-Identifier: PostgreSQL */
/*
 * guard - the guardian and the fence module, as far as they read the page
 *
 * The guardian wakes at the kill time, or when it is thawed after it, reads the page again and
 * kills every process of that Postgres.
 */
#include "mutant.h"
#include "node.h"
#include "world.h"

static void kill_now(struct world *world, struct node *node)
{
	world_trace(world, "%s: the guardian kills Postgres", node->name);
	if (mutant_is(world, MUTANT_GUARD_POSTMASTER_ONLY))
		modelpg_kill_postmaster(world, node->id, true);
	else
		pgjobs_kill_all(world, node->id);
}

static bool due(const struct world *world, const struct node *node)
{
	return node->has_page && node->page.armed &&
	       node_now_ms(world, node) >= node->page.kill_at_ms + mutant_guard_delay_ms(world);
}

/* By pid; a page that names none leaves it to the pid file. A dead postmaster's children are
 * found by their data directory. */
static bool identified(const struct node *node)
{
	return node->page.postmaster_pid == 0 || node->pg.pid == 0 ||
	       node->page.postmaster_pid == node->pg.pid;
}

static void on_guard(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];
	bool late = ev->a > 0 && world->now_us - ev->a > 1000;

	/* The mutant believes what it read before it was frozen. */
	if (!(late && mutant_is(world, MUTANT_GUARD_STALE)) &&
	    (ev->gen != node->guard_gen || !due(world, node)))
		return;
	if (modelpg_has_process(&node->pg) && identified(node))
		kill_now(world, node);
	/* What is started while the page says so dies as well. */
	world_after(world, 50000, (struct ev){ .what = "guard",
					       .fn = on_guard,
					       .who = node->id,
					       .hold = HOLD_HOST | HOLD_GUARD,
					       .gen = node->guard_gen });
}

void guard_page_changed(struct world *world, struct node *node)
{
	int64_t at_us;

	node->guard_gen++;
	if (!world->guard || !node->page.armed)
		return;
	at_us = clock_true_us(&node->clock, node->page.kill_at_ms + mutant_guard_delay_ms(world));
	world_at(world, MAX_OF(at_us, world->now_us),
		 (struct ev){ .what = "guard",
			      .fn = on_guard,
			      .who = node->id,
			      .hold = HOLD_HOST | HOLD_GUARD,
			      .gen = node->guard_gen,
			      .a = MAX_OF(at_us, world->now_us) });
}

void guard_thawed(struct world *world, struct node *node)
{
	/* Without the module a backend may be faster than the guardian after a thaw: said in
	 * the manual, so not a finding here. */
	if (world->guard && !world->module && node->guard_frozen == 0 && due(world, node))
		modelpg_vanish(world, node->id);
}

bool guard_gate_open(const struct world *world, const struct node *node)
{
	int64_t gate_ms = node->page.gate_at_ms;

	if (mutant_is(world, MUTANT_GATE_LATE))
		gate_ms += node->page.ttl_ms / 2;
	return !world->module || mutant_is(world, MUTANT_NO_GATE) || !node->has_page ||
	       !node->page.armed || node_now_ms(world, node) < gate_ms;
}
