/* SPDX-License-Identifier: PostgreSQL */
/*
 * world - everything a simulated run consists of, its time and its trace
 */
#include "world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void world_mix(struct world *world, uint64_t value)
{
	world->hash ^= value + UINT64_C(0x9e3779b97f4a7c15) + (world->hash << 6) +
		       (world->hash >> 2);
	world->hash *= UINT64_C(0x100000001b3);
}

void world_mix_text(struct world *world, const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	world_mix(world, hash);
}

void world_trace(struct world *world, const char *fmt, ...)
{
	va_list ap;

	world_mix_text(world, fmt);
	if (!world->options.trace)
		return;
	printf("%10.3f ", (double)world->now_us / 1000.0);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void world_at(struct world *world, int64_t at_us, struct ev ev)
{
	assert(at_us >= world->now_us);
	ev.at_us = at_us;
	ev.tie = rng_next(&world->rng);
	evq_push(&world->queue, &ev);
}

void world_after(struct world *world, int64_t delay_us, struct ev ev)
{
	world_at(world, world->now_us + delay_us, ev);
}

int64_t world_rate(struct world *world)
{
	if (world->bad_clocks)
		return rng_range(&world->rng, -99000, 99000);
	return rng_range(&world->rng, -400, 400);
}

static bool held(const struct node *node, uint32_t hold)
{
	return ((hold & HOLD_HOST) && node->host_frozen > 0) ||
	       ((hold & HOLD_AGENT) && node->agent_frozen > 0) ||
	       ((hold & HOLD_GUARD) && node->guard_frozen > 0) ||
	       ((hold & HOLD_PG) && node->pg.frozen > 0) ||
	       ((hold & HOLD_DISK) && node->pg.disk_stalled > 0);
}

static void keep(struct node *node, const struct ev *ev)
{
	if (node->nheld == node->held_cap) {
		node->held_cap = node->held_cap ? node->held_cap * 2 : 16;
		node->held = mem_grow(node->held, node->held_cap, sizeof(*node->held));
	}
	node->held[node->nheld++] = *ev;
}

/* Events of one kind keep their order, as what comes over one connection does; the kinds come
 * in any order, as processes that wake up together do. */
static uint64_t release_tie(struct world *world, const struct ev *evs, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (evs[j].fn == evs[i].fn)
			return (evs[j].tie & ~UINT64_C(0xffffffff)) + i;
	return (rng_below(&world->rng, 1000) << 32) + i;
}

void world_release(struct world *world, struct node *node)
{
	size_t n = node->nheld;
	struct ev *evs = TAKE(node->held);

	node->nheld = 0;
	node->held_cap = 0;
	for (size_t i = 0; i < n; i++) {
		evs[i].tie = release_tie(world, evs, i);
		evs[i].at_us = world->now_us;
		evq_push(&world->queue, &evs[i]);
	}
	free(evs);
}

bool world_step(struct world *world)
{
	struct ev ev;

	if (world->stop || !evq_pop(&world->queue, &ev))
		return false;
	world->now_us = ev.at_us;
	if (ev.hold && held(&world->nodes[ev.who], ev.hold)) {
		keep(&world->nodes[ev.who], &ev);
		return true;
	}
	world->steps++;
	world_mix(world, (uint64_t)ev.at_us);
	world_mix_text(world, ev.what);
	world_mix(world, ev.who);
	ev.fn(world, &ev);
	evq_drop(&ev);
	oracle_step(world);
	return !world->stop;
}

void world_run(struct world *world, int64_t until_us)
{
	if (world->options.until_ms > 0)
		until_us = MIN_OF(until_us, world->options.until_ms * 1000);
	while (world->queue.n > 0 && world->queue.heap[0].at_us <= until_us)
		if (!world_step(world))
			return;
	if (world->now_us < until_us)
		world->now_us = until_us;
}

static bool drawn(struct world *world, enum tristate fixed, uint32_t permille)
{
	bool yes = rng_chance(&world->rng, permille);

	return fixed == TRI_UNKNOWN ? yes : fixed == TRI_YES;
}

/* Some clusters have one standby confirm each commit, others all of them. */
static uint32_t drawn_sync(struct world *world)
{
	uint32_t all = world->nnodes - 1;
	uint64_t draw = rng_below(&world->rng, 1000);

	if (world->options.sync != SYNC_DRAWN)
		return MIN_OF(world->options.sync, all);
	if (draw < 600)
		return 0;
	return draw < 850 ? 1 : all;
}

/* By the seed itself, and not drawn: seeds that are known for something stay what they are. */
static enum failsafe_mode failsafe_of(const struct options *options)
{
	if (options->scenario)
		return options->failsafe;
	return options->seed % 8 == 7 ? FAILSAFE_QUORUM :
	       options->seed % 4 == 3 ? FAILSAFE_ALL :
					FAILSAFE_OFF;
}

struct world *world_new(const struct options *options)
{
	struct world *world = mem_new(1, sizeof(*world));

	world->options = *options;
	if (world->options.etcd_members == 0)
		world->options.etcd_members = 3;
	rng_init(&world->rng, options->seed);
	world->bad_clocks = drawn(world, options->bad_clocks, 400);
	/* By the number, so that what the seeds draw stays what it was. */
	world->hung_fence = options->hung_fence == TRI_YES ||
			    (options->hung_fence == TRI_UNKNOWN && options->seed % 3 == 1);
	world->guard = drawn(world, options->guard, 700);
	world->guard_unit = rng_chance(&world->rng, 400) && world->guard;
	world->guard_required = drawn(world, options->guard_required, 300) && world->guard;
	world->module = drawn(world, options->module, 500) && world->guard;
	/* Without a draw: seeds that have none stay what they are. */
	world->fence = options->fence == TRI_UNKNOWN ? options->seed % 5 == 2 :
						       options->fence == TRI_YES;
	world->wide_lag = rng_chance(&world->rng, 300);
	world->failsafe = failsafe_of(options);
	world->net.delay_us = rng_range(&world->rng, 50, 1500);
	world->net.jitter_us = rng_range(&world->rng, 100, 15000);
	world->nnodes = options->nodes ? options->nodes :
					 (uint32_t)(rng_chance(&world->rng, 700) ?
							    3 :
							    rng_range(&world->rng, 2, 5));
	world->sync = drawn_sync(world);
	modeletcd_init(world);
	world->etcd.faults = drawn(world, options->etcd_faults, 500);
	world->etcd.loses_events = world->etcd.faults;
	world->nemesis.poised = FAULT__MAX;
	oracle_init(world);
	for (uint32_t i = 0; i < world->nnodes; i++)
		node_init(world, i);
	clients_init(world);
	return world;
}

void world_free(struct world *world)
{
	if (!world)
		return;
	for (uint32_t i = 0; i < world->nnodes; i++)
		node_done(world, i);
	evq_done(&world->queue);
	eclient_done(world);
	modeletcd_done(world);
	oracle_done(world);
	free(world);
}
