/* SPDX-License-Identifier: PostgreSQL */
/*
 * ewatch - the watch streams of the model etcd
 *
 * A stream hangs on one member and shows what that member knows. When the link breaks the
 * events wait in TCP; the node gives up after a while, and with etcd's faults on some events
 * never arrive or arrive twice.
 */
#include <stdlib.h>

#include "modeletcd.h"
#include "node.h"
#include "world.h"

#define RETRY_US INT64_C(250000)

static void watch_done(void *data)
{
	struct msg *msg = data;

	msg_free(msg);
}

static void lose(struct world *world, uint32_t node, int64_t compact_revision)
{
	struct ewatch *watch = &world->etcd.watches[node];
	struct msg *msg = msg_new(EVENT_WATCH_LOST);

	watch->active = false;
	msg->watch.canceled = true;
	msg->watch.compact_revision = compact_revision;
	msg->event.watch = &msg->watch;
	msg->event.result = -ERR_CONNECT;
	node_post(world, &world->nodes[node], rng_range(&world->rng, 1000, 20000), msg);
}

static void on_events(struct world *world, struct ev *ev)
{
	struct msg *msg = ev->data;

	/* A stream that was restarted in between is another stream. */
	if (ev->gen != world->etcd.watches[ev->who].gen)
		return;
	ev->data = NULL;
	node_post(world, &world->nodes[ev->who], 0, msg);
}

static void add_event(struct msg *msg, struct world *world, const struct echange *change)
{
	struct etcd_kvs *kvs = &msg->watch.events;

	kvs->items = mem_grow(kvs->items, kvs->n + 1, sizeof(*kvs->items));
	estore_event(&world->etcd.store, change, &kvs->items[kvs->n++]);
}

/* Everything in the log that this member knows and the stream has not carried yet. */
static struct msg *collect(struct world *world, struct ewatch *watch)
{
	const struct estore *store = &world->etcd.store;
	int64_t known = world->etcd.members[watch->member].applied;
	struct msg *msg = NULL;
	size_t first = store->nlog;

	while (first > 0 && store->log[first - 1].revision >= watch->next_revision)
		first--;
	for (size_t i = first; i < store->nlog && store->log[i].revision <= known; i++) {
		const struct echange *change = &store->log[i];

		watch->next_revision = change->revision + 1;
		if (!str_starts(store->keys[change->key].name, watch->prefix))
			continue;
		if (world->etcd.loses_events && rng_chance(&world->rng, 10))
			continue;
		if (!msg)
			msg = msg_new(EVENT_WATCH);
		add_event(msg, world, change);
		if (world->etcd.loses_events && rng_chance(&world->rng, 10))
			add_event(msg, world, change);
	}
	if (msg) {
		msg->watch.revision = watch->next_revision - 1;
		msg->watch.raft_term = world->etcd.term;
		msg->event.watch = &msg->watch;
	}
	return msg;
}

static void send_events(struct world *world, uint32_t node)
{
	struct ewatch *watch = &world->etcd.watches[node];
	struct msg *msg = collect(world, watch);
	int64_t delay_us = 0;

	if (!msg)
		return;
	if (!net_pass(world, NET_MEMBER(watch->member), NET_NODE(node), &delay_us))
		delay_us = 300000; /* lost once, TCP sends it again */
	watch->last_arrival_us = MAX_OF(watch->last_arrival_us + 1, world->now_us + delay_us);
	world_at(world, watch->last_arrival_us,
		 (struct ev){ .what = "watch-events",
			      .fn = on_events,
			      .who = node,
			      .gen = watch->gen,
			      .data = msg,
			      .drop = watch_done });
}

static void on_retry(struct world *world, struct ev *ev);

static void pump_one(struct world *world, uint32_t node)
{
	struct ewatch *watch = &world->etcd.watches[node];
	const struct emember *member = &world->etcd.members[watch->member];

	if (!watch->active)
		return;
	if (member->frozen > 0)
		return; /* modeletcd_recheck() comes by when it wakes up */
	if (member->down == 0 &&
	    net_open(&world->net, NET_MEMBER(watch->member), NET_NODE(node))) {
		watch->stuck_since_us = 0;
		send_events(world, node);
		return;
	}
	if (watch->stuck_since_us == 0) {
		watch->stuck_since_us = world->now_us;
		world_after(world, RETRY_US,
			    (struct ev){ .what = "watch-retry",
					 .fn = on_retry,
					 .who = node,
					 .gen = watch->gen });
	}
}

static void on_retry(struct world *world, struct ev *ev)
{
	struct ewatch *watch = &world->etcd.watches[ev->who];
	const struct emember *member = &world->etcd.members[watch->member];

	if (!watch->active || ev->gen != watch->gen || watch->stuck_since_us == 0)
		return;
	if ((member->down > 0 && net_open(&world->net, NET_MEMBER(watch->member),
					  NET_NODE(ev->who))) ||
	    world->now_us - watch->stuck_since_us > watch->patience_us) {
		lose(world, ev->who, 0);
		return;
	}
	watch->stuck_since_us = 0;
	pump_one(world, ev->who);
}

void ewatch_pump(struct world *world)
{
	for (uint32_t node = 0; node < world->nnodes; node++)
		pump_one(world, node);
}

void ewatch_lose_all(struct world *world)
{
	for (uint32_t node = 0; node < world->nnodes; node++) {
		struct ewatch *watch = &world->etcd.watches[node];

		watch->gen++;
		if (watch->active)
			lose(world, node, 0);
	}
}

void ewatch_stop(struct world *world, uint32_t node)
{
	world->etcd.watches[node].active = false;
	world->etcd.watches[node].gen++;
}

static void on_connect(struct world *world, struct ev *ev)
{
	struct ewatch *watch = &world->etcd.watches[ev->who];
	const struct modeletcd *etcd = &world->etcd;

	if (ev->gen != watch->gen)
		return;
	if (watch->next_revision > 0 && watch->next_revision <= etcd->store.compacted) {
		lose(world, ev->who, etcd->store.compacted);
		return;
	}
	if (watch->next_revision <= 0)
		watch->next_revision = etcd->members[watch->member].applied + 1;
	watch->active = true;
	pump_one(world, ev->who);
}

void ewatch_start(struct world *world, uint32_t node, const char *prefix, int64_t start_revision)
{
	struct ewatch *watch = &world->etcd.watches[node];
	uint32_t member = (uint32_t)rng_below(&world->rng, world->etcd.nmembers);
	uint64_t gen = watch->gen + 1;

	*watch = (struct ewatch){
		.gen = gen,
		.member = member,
		.next_revision = start_revision,
		.patience_us = rng_range(&world->rng, 2000000, 8000000),
	};
	(void)str_copy(watch->prefix, sizeof(watch->prefix), prefix);
	if (!net_open(&world->net, NET_MEMBER(member), NET_NODE(node)) ||
	    world->etcd.members[member].down > 0) {
		lose(world, node, 0);
		return;
	}
	world_after(world, rng_range(&world->rng, 500, 8000),
		    (struct ev){ .what = "watch-connect",
				 .fn = on_connect,
				 .who = node,
				 .gen = gen });
}
