/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgask - requests that talk to a server and change no file: ancestry, checkpoint, slots
 */
#include <stdlib.h>

#include "base/str.h"
#include "core/timeline.h"
#include "io/pgdial.h"
#include "io/pgkinds.h"
#include "io/pgtool.h"

#define ANSWER_MS     3000
#define STREAM_MS     1500
#define SLOTS_FRESH_MS 2000
#define CHECKPOINT_MS 3600000 /* of a server that is very slow in writing */

static const struct auth *replication_auth(const struct pgwork *work)
{
	return &work->pg->config->pg.replication;
}

/* -- ancestry ----------------------------------------------------------------------------- */

struct past {
	struct pgquery_identity identity;
	struct history history;
	bool wal_gone;
};

static int ancestry_connect(struct pgwork *work, struct err *err)
{
	return pgdial_step_upstream(work, replication_auth(work), true, PGDIAL_STATEMENT_MS, err);
}

static int ancestry_identify(struct pgwork *work, struct err *err)
{
	struct past *a = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	/* Reported by servers from 14 on. A server that is still in recovery has not decided its
	 * timeline yet. */
	if (str_eq(pgconn_parameter(work->conn, "in_hot_standby"), "on"))
		return err_set(err, ERR_STATE, "'%s' is in recovery", work->req.upstream.name);
	pgquery_identify(&q, &a->identity);
	return PGWORK_WAIT;
}

static int ancestry_history(struct pgwork *work, struct err *err)
{
	struct past *a = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);
	const char *own = work->pg->state.sysid;

	if (own[0] && !str_eq(own, a->identity.sysid))
		return err_set(err, ERR_CONFIG,
			       "'%s' is another cluster: its system identifier is %s, ours is %s",
			       work->req.upstream.name, a->identity.sysid, own);
	a->history.timeline = a->identity.timeline;
	/* The first timeline has no history file. */
	if (a->identity.timeline <= 1)
		return PGWORK_NEXT;
	pgquery_history(&q, a->identity.timeline, &a->history);
	return PGWORK_WAIT;
}

/* The server is asked as a standby would ask it, from the beginning of the segment on: its answer
 * is a code, while the walreceiver's complaint in our own log is a text in any language. */
static int ancestry_wal(struct pgwork *work, struct err *err _unused_)
{
	struct past *a = work->data;
	struct pgquery q = pgdial_query(work, STREAM_MS);
	uint64_t lsn = work->req.wal_lsn;
	uint32_t segment = work->pg->control.wal_segment_bytes;

	if (lsn == 0 || !work->pg->control_known || segment == 0)
		return PGWORK_DONE;
	pgwork_tolerate(work);
	pgquery_wal(&q, lsn - lsn % segment, timeline_at(&a->history, lsn));
	return PGWORK_WAIT;
}

static int ancestry_wal_said(struct pgwork *work, struct err *err _unused_)
{
	struct past *a = work->data;

	a->wal_gone = work->result == -(int)ERR_SQL &&
		      str_eq(work->err.sqlstate, PGQUERY_WAL_GONE);
	return PGWORK_DONE;
}

static void ancestry_answer(struct pgwork *work, struct event *event)
{
	struct past *a = work->data;

	if (event->result != 0)
		return;
	event->history = &a->history;
	event->wal_gone = a->wal_gone;
}

static const struct pgwork_step ancestry_steps[] = {
	{ "resolve upstream", pgdial_resolve },
	{ "connect to upstream", ancestry_connect },
	{ "identify upstream", ancestry_identify },
	{ "timeline history", ancestry_history },
	{ "WAL of upstream", ancestry_wal },
	{ "WAL of upstream", ancestry_wal_said },
	{ NULL, NULL },
};

const struct pgwork_kind pgask_ancestry_kind = {
	.steps = ancestry_steps,
	.data_size = sizeof(struct past),
	.answer = ancestry_answer,
};

/* -- checkpoint --------------------------------------------------------------------------- */

static int checkpoint_connect(struct pgwork *work, struct err *err)
{
	return pgdial_step_local(work, 0, err);
}

static int checkpoint_run(struct pgwork *work, struct err *err _unused_)
{
	struct pgquery q = pgdial_query(work, CHECKPOINT_MS);

	pgquery_checkpoint(&q);
	return PGWORK_WAIT;
}

static const struct pgwork_step checkpoint_steps[] = {
	{ "connect", checkpoint_connect },
	{ "checkpoint", checkpoint_run },
	{ NULL, NULL },
};

const struct pgwork_kind pgask_checkpoint_kind = {
	.steps = checkpoint_steps,
};

/* -- slots -------------------------------------------------------------------------------- */

struct slots {
	struct pgquery_slots have;
	uint32_t next_want;
	uint32_t next_have;
	uint32_t made, moved, dropped, failed;
};

enum { SLOT_CONNECT = 0, SLOT_LIST, SLOT_MAKE, SLOT_MADE, SLOT_DROP, SLOT_DROPPED };

static struct pgquery_slot *slot_named(struct pgquery_slots *have, const char *name)
{
	for (uint32_t i = 0; i < have->n; i++) {
		if (str_eq(have->items[i].name, name))
			return &have->items[i];
	}
	return NULL;
}

static bool must_advance(const struct pgquery_slot *slot, const struct slot_want *want)
{
	return slot->physical && !slot->active && !slot->lost && want->advance_lsn > 0 &&
	       slot->restart_lsn > 0 && slot->restart_lsn < want->advance_lsn;
}

static bool wanted(const struct pg_req *req, const char *name)
{
	for (uint32_t i = 0; i < req->nslots; i++) {
		if (str_eq(req->slots[i].name, name))
			return true;
	}
	return false;
}

static bool is_superfluous(const struct pg_req *req, const struct pgquery_slot *slot)
{
	if (!slot->name[0] || slot->temporary || slot->active)
		return false;
	return (slot->in_the_way && req->another_leads) ||
	       (slot->physical && !wanted(req, slot->name));
}

/* By the newest probe, which is looked at in every cycle; what comes meanwhile is for the next. */
static bool slots_in_order(struct pgwork *work)
{
	struct pgquery_slots *have = &work->pg->slots;
	const struct pg_req *req = &work->req;

	if (work->pg->slots_at_ms == 0 || loop_now_ms() - work->pg->slots_at_ms > SLOTS_FRESH_MS)
		return false;
	for (uint32_t i = 0; i < req->nslots; i++) {
		const struct pgquery_slot *slot = slot_named(have, req->slots[i].name);

		if (!slot || (slot->lost && slot->physical && !slot->active) ||
		    must_advance(slot, &req->slots[i]))
			return false;
	}
	for (uint32_t i = 0; req->drop_others && i < have->n; i++) {
		if (is_superfluous(req, &have->items[i]))
			return false;
	}
	return true;
}

static int slots_connect(struct pgwork *work, struct err *err)
{
	if (slots_in_order(work))
		return PGWORK_DONE;
	return pgdial_step_local(work, PGDIAL_STATEMENT_MS, err);
}

static int slots_list(struct pgwork *work, struct err *err _unused_)
{
	struct slots *slots = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	pgquery_slots(&q, &slots->have);
	return PGWORK_WAIT;
}

/* A failure with one slot must not keep the others from being made. */
static int slots_make(struct pgwork *work, struct err *err _unused_)
{
	struct slots *slots = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	while (slots->next_want < work->req.nslots) {
		const struct slot_want *want = &work->req.slots[slots->next_want++];
		struct pgquery_slot *slot = slot_named(&slots->have, want->name);

		if (!slot) {
			slots->made++;
			pgwork_tolerate(work);
			pgquery_slot_create(&q, want->name);
			return PGWORK_WAIT;
		}
		if (slot->lost && slot->physical && !slot->active) {
			/* Useless for ever: dropped, and made in the next round. */
			slot->name[0] = '\0';
			slots->next_want--;
			slots->dropped++;
			pgwork_tolerate(work);
			pgquery_slot_drop(&q, want->name);
			return PGWORK_WAIT;
		}
		if (must_advance(slot, want)) {
			slots->moved++;
			pgwork_tolerate(work);
			pgquery_slot_advance(&q, want->name, want->advance_lsn);
			return PGWORK_WAIT;
		}
	}
	pgwork_jump(work, SLOT_DROP);
	return PGWORK_NEXT;
}

static int note_failure(struct pgwork *work, size_t next, struct err *err)
{
	struct slots *slots = work->data;

	if (work->result < 0)
		slots->failed++;
	if (!pgconn_idle(work->conn)) {
		*err = work->err;
		return work->result;
	}
	pgwork_jump(work, next);
	return PGWORK_NEXT;
}

static int slots_made(struct pgwork *work, struct err *err)
{
	return note_failure(work, SLOT_MAKE, err);
}

static int slots_drop(struct pgwork *work, struct err *err)
{
	struct slots *slots = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	while (work->req.drop_others && slots->next_have < slots->have.n) {
		const struct pgquery_slot *slot = &slots->have.items[slots->next_have++];

		if (!is_superfluous(&work->req, slot))
			continue;
		slots->dropped++;
		pgwork_tolerate(work);
		pgquery_slot_drop(&q, slot->name);
		return PGWORK_WAIT;
	}
	(void)str_printf(work->text, sizeof(work->text), "slots: %u made, %u advanced, %u dropped",
			 slots->made, slots->moved, slots->dropped);
	if (slots->failed == 0)
		return PGWORK_DONE;
	*err = work->err;
	return err_wrap(err, "%u of %u changes of slots failed, the last one", slots->failed,
			slots->made + slots->moved + slots->dropped);
}

static int slots_dropped(struct pgwork *work, struct err *err)
{
	return note_failure(work, SLOT_DROP, err);
}

static const struct pgwork_step slots_steps[] = {
	[SLOT_CONNECT] = { "connect", slots_connect },
	[SLOT_LIST] = { "list slots", slots_list },
	[SLOT_MAKE] = { "make slots", slots_make },
	[SLOT_MADE] = { "make slots", slots_made },
	[SLOT_DROP] = { "drop slots", slots_drop },
	[SLOT_DROPPED] = { "drop slots", slots_dropped },
	{ NULL, NULL },
};

const struct pgwork_kind pgask_slots_kind = {
	.steps = slots_steps,
	.data_size = sizeof(struct slots),
};
