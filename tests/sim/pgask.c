/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgask - questions to the model Postgres that change little: probes, ancestry, slots
 */
#include <assert.h>
#include <stdlib.h>

#include "node.h"
#include "pgjobs.h"
#include "world.h"

struct ask {
	uint64_t ticket;
	uint64_t life;
	struct pg_req req;
};

static void fill_walsenders(struct world *world, uint32_t node, struct msg *msg)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < world->nnodes; i++) {
		const struct modelpg *to = &world->nodes[i].pg;
		struct walsender *sender;

		if (!pgstream_is_sender(world, node, i))
			continue;
		sender = &msg->walsenders[n++];
		(void)str_copy(sender->application_name, sizeof(sender->application_name),
			       world->nodes[i].name);
		(void)str_copy(sender->client_addr, sizeof(sender->client_addr),
			       world->nodes[i].host);
		(void)str_copy(sender->state, sizeof(sender->state), "streaming");
		(void)str_copy(sender->sync_state, sizeof(sender->sync_state), "async");
		sender->sent_lsn = to->receiver.sent_lsn;
		sender->write_lsn = sender->flush_lsn = sender->replay_lsn = to->wal.end_lsn;
	}
	msg->event.walsenders = msg->walsenders;
	msg->event.nwalsenders = n;
}

static void fill_slots(struct world *world, uint32_t node, struct msg *msg)
{
	const struct modelpg *pg = &world->nodes[node].pg;

	for (uint32_t i = 0; i < pg->nslots; i++) {
		(void)str_copy(msg->slots[i].name, sizeof(msg->slots[i].name), pg->slots[i]);
		msg->slots[i].lsn = pg->wal.end_lsn;
	}
	msg->event.slots = msg->slots;
	msg->event.nslots = pg->nslots;
}

static void answer_probe(struct world *world, uint32_t node, const struct ask *ask)
{
	const struct modelpg *pg = &world->nodes[node].pg;
	struct msg *msg = msg_new(EVENT_PG_PROBE);

	msg->event.ticket = ask->ticket;
	modelpg_facts(world, node, true, &msg->pg);
	msg->event.pg = &msg->pg;
	msg->event.probe_sql_ok = msg->pg.run == PG_UP;
	if (msg->pg.run == PG_UP) {
		fill_slots(world, node, msg);
		if (pg->primary)
			fill_walsenders(world, node, msg);
	}
	node_post(world, &world->nodes[node], 0, msg);
}

static void answer_ancestry(struct world *world, uint32_t node, const struct ask *ask)
{
	int from = pgstream_node_of(world, ask->req.upstream.host);
	const struct modelpg *source;
	struct msg *msg;

	if (from < 0 || !net_open(&world->net, NET_NODE(node), NET_NODE((uint32_t)from)) ||
	    world->nodes[from].host_down || world->nodes[from].host_frozen) {
		pgjobs_done(world, node, ask->ticket, ask->life, -ERR_TIMEOUT, "no answer");
		return;
	}
	source = &world->nodes[from].pg;
	if (source->state != PGM_UP || modelpg_hangs(source)) {
		pgjobs_done(world, node, ask->ticket, ask->life, -ERR_CONNECT, "refused");
		return;
	}
	msg = msg_new(EVENT_PG_DONE);
	msg->event.ticket = ask->ticket;
	modelpg_history(source, &msg->history);
	msg->event.history = &msg->history;
	(void)str_copy(msg->text, sizeof(msg->text), source->sysid);
	node_post(world, &world->nodes[node], 0, msg);
}

static bool wanted(const struct pg_req *req, const char *name)
{
	for (uint32_t i = 0; i < req->nslots; i++)
		if (str_eq(req->slots[i].name, name))
			return true;
	return false;
}

static bool slot_active(const struct world *world, uint32_t node, const char *name)
{
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (pgstream_is_sender(world, node, i) &&
		    str_eq(world->nodes[i].pg.upstream.slot, name))
			return true;
	return false;
}

static void drop_slots(struct world *world, uint32_t node, const struct pg_req *req)
{
	struct modelpg *pg = &world->nodes[node].pg;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < pg->nslots; i++) {
		if (req->drop_others && !wanted(req, pg->slots[i]) &&
		    !slot_active(world, node, pg->slots[i]))
			continue;
		if (kept != i)
			memcpy(pg->slots[kept], pg->slots[i], NAME_SIZE);
		kept++;
	}
	pg->nslots = kept;
}

static bool has_slot(const struct modelpg *pg, const char *name)
{
	for (uint32_t i = 0; i < pg->nslots; i++)
		if (str_eq(pg->slots[i], name))
			return true;
	return false;
}

static void answer_slots(struct world *world, uint32_t node, const struct ask *ask)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (pg->state != PGM_UP || modelpg_hangs(pg)) {
		pgjobs_done(world, node, ask->ticket, ask->life, -ERR_CONNECT, "not running");
		return;
	}
	drop_slots(world, node, &ask->req);
	for (uint32_t i = 0; i < ask->req.nslots; i++) {
		if (has_slot(pg, ask->req.slots[i].name))
			continue;
		assert(pg->nslots < PGM_SLOTS_MAX);
		(void)str_copy(pg->slots[pg->nslots++], NAME_SIZE, ask->req.slots[i].name);
	}
	pgjobs_done(world, node, ask->ticket, ask->life, 0, "");
}

static void answer_checkpoint(struct world *world, uint32_t node, const struct ask *ask)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (pg->state != PGM_UP || modelpg_hangs(pg)) {
		pgjobs_done(world, node, ask->ticket, ask->life, -ERR_CONNECT, "not running");
		return;
	}
	if (pg->primary)
		modelpg_checkpoint(world, pg);
	pgjobs_done(world, node, ask->ticket, ask->life, 0, "");
}

/* Only commits are acknowledged; what checkpoints and the like add is nobody's loss. */
static void answer_wal_end(struct world *world, uint32_t node, const struct ask *ask)
{
	const struct modelpg *pg = &world->nodes[node].pg;
	struct msg *msg;

	if (pg->state != PGM_DOWN || pg->dir != DIR_PRESENT || ask->req.wal_lsn == 0) {
		pgjobs_done(world, node, ask->ticket, ask->life, -ERR_STATE, "not known");
		return;
	}
	msg = msg_new(EVENT_PG_DONE);
	msg->event.ticket = ask->ticket;
	msg->event.commit_lsn = MAX_OF(ask->req.wal_lsn,
				       pg->wal.n > 0 ? pg->wal.recs[pg->wal.n - 1].lsn : 0);
	node_post(world, &world->nodes[node], 0, msg);
}

static void on_ask(struct world *world, struct ev *ev)
{
	const struct ask *ask = ev->data;

	if (ask->life != world->nodes[ev->who].life)
		return;
	switch (ask->req.op) {
	case PGOP_PROBE:
		answer_probe(world, ev->who, ask);
		return;
	case PGOP_ANCESTRY:
		answer_ancestry(world, ev->who, ask);
		return;
	case PGOP_CHECKPOINT:
		answer_checkpoint(world, ev->who, ask);
		return;
	case PGOP_SLOTS:
		answer_slots(world, ev->who, ask);
		return;
	case PGOP_WAL_END:
		answer_wal_end(world, ev->who, ask);
		return;
	case PGOP_PRE_PROMOTE:
		pgjobs_done(world, ev->who, ask->ticket, ask->life, 0, "");
		return;
	case PGOP_START_STANDBY:
	case PGOP_START_PRIMARY:
	case PGOP_STOP:
	case PGOP_PROMOTE:
	case PGOP_FOLLOW:
	case PGOP_APPLY:
	case PGOP_REWIND:
	case PGOP_CLONE:
	case PGOP_INITDB:
	case PGOP_DISCARD:
	case PGOP_POST_BOOTSTRAP:
	case PGOP_EXAMINE:
	case PGOP__MAX:
		break;
	}
	assert(false);
}

static int64_t duration_us(struct world *world, const struct modelpg *pg, const struct pg_req *req)
{
	int64_t timeout_us = (req->timeout_ms ? req->timeout_ms : 3000) * 1000;

	if (req->op == PGOP_CHECKPOINT)
		return rng_skewed(&world->rng, 5000, 1500000);
	if (req->op == PGOP_ANCESTRY) {
		int from = pgstream_node_of(world, req->upstream.host);

		if (from < 0 || !net_open(&world->net, NET_NODE(pg->node),
					  NET_NODE((uint32_t)from)))
			return timeout_us;
		return rng_skewed(&world->rng, 1000, 50000);
	}
	/* A hanging postmaster is noticed by the deadline only. */
	if (modelpg_hangs(pg) && modelpg_has_process(pg))
		return timeout_us;
	return rng_skewed(&world->rng, 300, 20000);
}

void pgask_request(struct world *world, uint32_t node, uint64_t ticket, const struct pg_req *req)
{
	struct ask *ask = mem_new(1, sizeof(*ask));

	*ask = (struct ask){ .ticket = ticket, .life = world->nodes[node].life, .req = *req };
	world_after(world, duration_us(world, &world->nodes[node].pg, req),
		    (struct ev){ .what = pg_op_name(req->op),
				 .fn = on_ask,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .data = ask,
				 .drop = free });
}
