/* SPDX-License-Identifier: PostgreSQL */
/*
 * guard - the guardian and the fence module, as far as they read the page
 *
 * The guardian wakes at the kill time, or when it is thawed after it, reads the page again and
 * kills every process of that Postgres. The agent starts one where none is and is told what becomes
 * of it, as io/guardian does it; on some hosts a unit of its own starts it too.
 */
#include "mutant.h"
#include "node.h"
#include "oracle.h"
#include "world.h"

#define CHECK_US  INT64_C(500000)
#define SILENT_US INT64_C(1500000)
#define RETRY_US  INT64_C(100000)
#define RETRY_MAX_US INT64_C(5000000)

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
	if (!node->guard_up || !node->page.armed)
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

bool guard_gate_open(const struct world *world, const struct node *node)
{
	int64_t gate_ms = node->page.gate_at_ms;

	if (mutant_is(world, MUTANT_GATE_LATE))
		gate_ms += node->page.ttl_ms / 2;
	return !world->module || mutant_is(world, MUTANT_NO_GATE) || !node->has_page ||
	       !node->page.armed || node_now_ms(world, node) < gate_ms;
}

/* ---- its process ---- */

bool guard_watches(const struct node *node)
{
	return node->guard_up && node->guard_frozen == 0;
}

static enum guard_presence presence_of(const struct world *world, const struct node *node)
{
	if (!node->guard_up)
		return GUARD_STARTING;
	if (node->guard_frozen > 0 && world->now_us - node->guard_frozen_us > SILENT_US)
		return GUARD_SILENT;
	return GUARD_ALIVE;
}

static void tell_agent(struct world *world, struct node *node)
{
	enum guard_presence now = presence_of(world, node);
	struct msg *msg;

	if (now == node->guard_told)
		return;
	node->guard_told = now;
	msg = msg_new(EVENT_GUARD);
	msg->guard = (struct guard_state){ .presence = now, .pid = node->guard_up ? 77 : 0,
					   .by_agent = true, .kill_proven_late_ms = -1 };
	msg->event.guard = &msg->guard;
	node_post(world, node, 0, msg);
}

static void on_guard_up(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];

	if (ev->gen != node->boots || !node->guard_starting)
		return;
	node->guard_starting = false;
	if (node->guard_fails > 0)
		return;
	world_trace(world, "%s: a guardian watches", node->name);
	node->guard_up = true;
	node->guard_frozen = 0;
	node->guard_retry_us = RETRY_US;
	if (!node->agent || node->agent_frozen > 0)
		oracle_thawed(world, node->id);
	guard_page_changed(world, node);
}

static void start_one(struct world *world, struct node *node, int64_t delay_us)
{
	if (node->guard_up || node->guard_starting)
		return;
	node->guard_starting = true;
	world_after(world, delay_us + rng_range(&world->rng, 5000, 150000),
		    (struct ev){ .what = "guard-up",
				 .fn = on_guard_up,
				 .who = node->id,
				 .hold = HOLD_HOST,
				 .gen = node->boots });
}

static void on_check(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];

	if (ev->gen != node->life || !node->agent)
		return;
	if (!node->guard_up && !node->guard_starting && world->now_us >= node->guard_retry_us) {
		int64_t pause_us = MIN_OF(MAX_OF(2 * ev->b, RETRY_US), RETRY_MAX_US);

		node->guard_retry_us = world->now_us + pause_us;
		ev->b = pause_us;
		start_one(world, node, 0);
	}
	if (node->guard_up)
		ev->b = 0;
	tell_agent(world, node);
	world_after(world, node->guard_up ? CHECK_US : CHECK_US / 25,
		    (struct ev){ .what = "guard-check",
				 .fn = on_check,
				 .who = node->id,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .gen = node->life,
				 .b = ev->b });
}

static void on_end(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];

	if (ev->gen != node->life || !node->agent)
		return;
	start_one(world, node, 0);
	tell_agent(world, node);
}

void guard_wanted(struct world *world, struct node *node)
{
	node->guard_told = GUARD_OFF;
	if (!world->guard)
		return;
	world_after(world, 0, (struct ev){ .what = "guard-check",
					   .fn = on_check,
					   .who = node->id,
					   .hold = HOLD_HOST | HOLD_AGENT,
					   .gen = node->life });
}

void guard_kill(struct world *world, struct node *node)
{
	if (!node->guard_up)
		return;
	world_trace(world, "%s: guardian killed", node->name);
	node->guard_up = false;
	node->guard_frozen = 0;
	node->guard_gen++;
	node->guard_retry_us = 0;
	if (world->guard_unit)
		start_one(world, node, 200000);
	/* Its end wakes the agent: that does not wait for the next usual look. */
	if (node->agent)
		world_after(world, 1000, (struct ev){ .what = "guard-ends",
						      .fn = on_end,
						      .who = node->id,
						      .hold = HOLD_HOST | HOLD_AGENT,
						      .gen = node->life });
}
