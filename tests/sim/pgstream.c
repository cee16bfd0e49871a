/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstream - walreceivers of the model Postgres and those who send to them
 *
 * A standby connects only where its own WAL is part of the sender's history, and to a slot that
 * exists. What was sent before the sender died arrives before the connection ends.
 */
#include <assert.h>
#include <stdlib.h>

#include "modelpg.h"
#include "node.h"
#include "oracle.h"
#include "world.h"

#define RECEIVER_TIMEOUT_US INT64_C(10000000)

struct batch {
	uint64_t start_lsn;
	uint64_t end_lsn;
	uint32_t ntimelines;
	struct wal_timeline *timelines;
	size_t n;
	struct wal_rec *recs;
};

static void batch_free(void *data)
{
	struct batch *batch = data;

	free(batch->timelines);
	free(batch->recs);
	free(batch);
}

int pgstream_node_of(const struct world *world, const char *host)
{
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (str_eq(world->nodes[i].host, host))
			return (int)i;
	return -1;
}

bool pgstream_is_sender(const struct world *world, uint32_t from, uint32_t to)
{
	const struct pgm_receiver *receiver = &world->nodes[to].pg.receiver;

	return receiver->connected && receiver->from == from &&
	       receiver->from_life == world->nodes[from].pg.life;
}

bool pgstream_drained(const struct world *world, uint32_t node)
{
	uint64_t end_lsn = world->nodes[node].pg.wal.end_lsn;

	for (uint32_t i = 0; i < world->nnodes; i++)
		if (pgstream_is_sender(world, node, i) &&
		    world->nodes[i].pg.wal.end_lsn < end_lsn)
			return false;
	return true;
}

static bool has_slot(const struct modelpg *pg, const char *name)
{
	if (name[0] == '\0')
		return true;
	for (uint32_t i = 0; i < pg->nslots; i++)
		if (str_eq(pg->slots[i], name))
			return true;
	return false;
}

static bool can_send(const struct world *world, const struct modelpg *from,
		     const struct modelpg *to)
{
	return from->state == PGM_UP && !modelpg_hangs(from) &&
	       !world->nodes[from->node].host_down &&
	       net_open(&world->net, NET_NODE(from->node), NET_NODE(to->node)) &&
	       str_eq(from->sysid, to->sysid) && has_slot(from, to->upstream.slot) &&
	       wal_extends(&to->wal, &from->wal);
}

static void on_try(struct world *world, struct ev *ev);

static void try_later(struct world *world, struct modelpg *pg, int64_t delay_us)
{
	world_after(world, delay_us,
		    (struct ev){ .what = "walreceiver",
				 .fn = on_try,
				 .who = pg->node,
				 .hold = HOLD_HOST,
				 .gen = pg->receiver.gen });
}

static void disconnect(struct world *world, struct modelpg *pg)
{
	uint64_t gen = pg->receiver.gen + 1;

	pg->receiver = (struct pgm_receiver){ .gen = gen };
	if (!pg->primary && (pg->state == PGM_UP || pg->state == PGM_STARTING) &&
	    pg->local_replay_done && pg->upstream.host[0] != '\0')
		try_later(world, pg, rng_skewed(&world->rng, 5000, 5000000));
}

static void on_disconnect(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen == pg->receiver.gen && pg->receiver.connected)
		disconnect(world, pg);
}

static void disconnect_at(struct world *world, struct modelpg *pg, int64_t at_us)
{
	world_at(world, MAX_OF(at_us, world->now_us),
		 (struct ev){ .what = "walreceiver-ends",
			      .fn = on_disconnect,
			      .who = pg->node,
			      .hold = HOLD_HOST,
			      .gen = pg->receiver.gen });
}

uint32_t pgstream_confirmed(const struct world *world, uint32_t node, uint64_t lsn)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < world->nnodes; i++)
		if (pgstream_is_sender(world, node, i) &&
		    world->nodes[i].pg.receiver.told_lsn >= lsn)
			n++;
	return n;
}

/* The sender hears what is on the standby's disk; over a cut link when it is mended. */
static void on_told(struct world *world, struct ev *ev)
{
	struct pgm_receiver *receiver = &world->nodes[ev->a].pg.receiver;

	if (ev->gen != receiver->gen || !receiver->connected)
		return;
	if (!net_open(&world->net, NET_NODE((uint32_t)ev->a), NET_NODE(ev->who))) {
		world_after(world, 200000, *ev);
		return;
	}
	receiver->told_lsn = MAX_OF(receiver->told_lsn, (uint64_t)ev->b);
	clients_confirmed(world, ev->who);
}

static void tell_sender(struct world *world, const struct modelpg *pg)
{
	int64_t delay_us;

	if (world->sync == 0)
		return;
	if (!net_pass(world, NET_NODE(pg->node), NET_NODE(pg->receiver.from), &delay_us))
		delay_us = 250000;
	world_after(world, delay_us,
		    (struct ev){ .what = "wal-told",
				 .fn = on_told,
				 .who = pg->receiver.from,
				 .hold = HOLD_HOST | HOLD_PG,
				 .gen = pg->receiver.gen,
				 .a = pg->node,
				 .b = (int64_t)pg->wal.end_lsn });
}

static void take_timelines(struct wal *wal, const struct batch *batch)
{
	for (uint32_t i = 0; i < batch->ntimelines; i++)
		wal->timelines[i] = batch->timelines[i];
	wal->ntimelines = batch->ntimelines;
}

static void on_batch(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;
	const struct batch *batch = ev->data;

	if (ev->gen != pg->receiver.gen || !pg->receiver.connected ||
	    batch->end_lsn <= pg->wal.end_lsn)
		return;
	assert(batch->start_lsn == pg->wal.end_lsn);
	oracle_received(world, ev->who);
	for (size_t i = 0; i < batch->n; i++)
		wal_add(&pg->wal, batch->recs[i].lsn, batch->recs[i].id);
	if (batch->end_lsn > pg->wal.end_lsn)
		wal_add(&pg->wal, batch->end_lsn, 0);
	take_timelines(&pg->wal, batch);
	chain_received(world, ev->who);
	pg->receive_lsn = pg->wal.end_lsn;
	if (!pg->starved)
		pg->replay_lsn = pg->wal.end_lsn;
	pg->receive_timeline = wal_timeline(&pg->wal);
	tell_sender(world, pg);
	if (pg->state == PGM_STARTING && pg->replay_lsn >= pg->min_recovery_lsn)
		modelpg_came_up(world, ev->who);
	pgstream_advance(world, ev->who);
}

/* The timelines of `wal` up to the one that lsn lies on. */
static uint32_t timelines_until(const struct wal *wal, uint64_t lsn)
{
	uint32_t n = 1;

	while (n < wal->ntimelines && wal->timelines[n - 1].end_lsn < lsn)
		n++;
	return n;
}

static struct batch *batch_new(const struct wal *wal, uint64_t start_lsn)
{
	struct batch *batch = mem_new(1, sizeof(*batch));
	size_t first = wal->n;

	while (first > 0 && wal->recs[first - 1].lsn > start_lsn)
		first--;
	batch->start_lsn = start_lsn;
	batch->end_lsn = wal->end_lsn;
	batch->ntimelines = timelines_until(wal, wal->end_lsn);
	batch->timelines = mem_new(batch->ntimelines, sizeof(*batch->timelines));
	memcpy(batch->timelines, wal->timelines, batch->ntimelines * sizeof(*batch->timelines));
	batch->n = wal->n - first;
	if (batch->n > 0) {
		batch->recs = mem_new(batch->n, sizeof(*batch->recs));
		memcpy(batch->recs, wal->recs + first, batch->n * sizeof(*batch->recs));
	}
	return batch;
}

static void send_batch(struct world *world, struct modelpg *to, const struct modelpg *from)
{
	struct pgm_receiver *receiver = &to->receiver;
	struct batch *batch;
	int64_t delay_us;

	if (receiver->sent_lsn >= from->wal.end_lsn)
		return;
	batch = batch_new(&from->wal, receiver->sent_lsn);
	receiver->sent_lsn = from->wal.end_lsn;
	if (!net_pass(world, NET_NODE(from->node), NET_NODE(to->node), &delay_us))
		delay_us = 250000; /* lost once, TCP sends it again */
	receiver->last_arrival_us = MAX_OF(receiver->last_arrival_us + 1, world->now_us + delay_us);
	world_at(world, receiver->last_arrival_us,
		 (struct ev){ .what = "wal",
			      .fn = on_batch,
			      .who = to->node,
			      .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
			      .gen = receiver->gen,
			      .data = batch,
			      .drop = batch_free });
}

static void pump_later(struct world *world, struct modelpg *to, int64_t delay_us);

static void on_pump(struct world *world, struct ev *ev)
{
	struct modelpg *to = &world->nodes[ev->who].pg;
	struct pgm_receiver *receiver = &to->receiver;

	if (ev->gen != receiver->gen || !receiver->connected)
		return;
	receiver->pump_pending = false;
	if (world->nodes[receiver->from].pg.life != receiver->from_life)
		return; /* the sender is gone; its end is on the way */
	if (net_open(&world->net, NET_NODE(receiver->from), NET_NODE(ev->who)) &&
	    !world->nodes[receiver->from].host_frozen &&
	    world->nodes[receiver->from].pg.frozen == 0) {
		receiver->cut_since_us = 0;
		send_batch(world, to, &world->nodes[receiver->from].pg);
		return;
	}
	if (receiver->cut_since_us == 0)
		receiver->cut_since_us = world->now_us;
	if (world->now_us - receiver->cut_since_us > RECEIVER_TIMEOUT_US)
		disconnect(world, to);
	else
		pump_later(world, to, 200000);
}

static void pump_later(struct world *world, struct modelpg *to, int64_t delay_us)
{
	to->receiver.pump_pending = true;
	world_after(world, delay_us,
		    (struct ev){ .what = "walsender",
				 .fn = on_pump,
				 .who = to->node,
				 .gen = to->receiver.gen });
}

void pgstream_advance(struct world *world, uint32_t node)
{
	for (uint32_t i = 0; i < world->nnodes; i++) {
		struct modelpg *to = &world->nodes[i].pg;

		if (pgstream_is_sender(world, node, i) && !to->receiver.pump_pending)
			pump_later(world, to, rng_skewed(&world->rng, 100, 3000));
	}
}

static void on_try(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;
	int from = pgstream_node_of(world, pg->upstream.host);

	if (ev->gen != pg->receiver.gen || pg->receiver.connected || pg->primary)
		return;
	if (from < 0 || (uint32_t)from == ev->who ||
	    !can_send(world, &world->nodes[from].pg, pg)) {
		try_later(world, pg, rng_skewed(&world->rng, 200000, 5000000));
		return;
	}
	pg->receiver.connected = true;
	pg->receiver.from = (uint32_t)from;
	pg->receiver.from_life = world->nodes[from].pg.life;
	pg->receiver.sent_lsn = pg->wal.end_lsn;
	pg->receive_lsn = pg->wal.end_lsn;
	pg->receive_timeline = wal_timeline(&pg->wal);
	world_trace(world, "%s: streams from %s at %lx", world->nodes[ev->who].name,
		    world->nodes[from].name, (unsigned long)pg->wal.end_lsn);
	tell_sender(world, pg);
	pump_later(world, pg, 1000);
}

void pgstream_start(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	pg->receiver = (struct pgm_receiver){ .gen = pg->receiver.gen + 1 };
	if (pg->primary || !pg->local_replay_done || pg->upstream.host[0] == '\0')
		return;
	try_later(world, pg, rng_range(&world->rng, 2000, 60000));
}

void pgstream_stop(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	pg->receiver = (struct pgm_receiver){ .gen = pg->receiver.gen + 1 };
	for (uint32_t i = 0; i < world->nnodes; i++) {
		struct modelpg *to = &world->nodes[i].pg;
		bool heard = net_open(&world->net, NET_NODE(node), NET_NODE(i)) &&
			     !world->nodes[node].host_down;

		if (!pgstream_is_sender(world, node, i))
			continue;
		disconnect_at(world, to,
			      heard ? MAX_OF(to->receiver.last_arrival_us + 1,
					     world->now_us + 500) :
				      world->now_us + RECEIVER_TIMEOUT_US);
	}
}
