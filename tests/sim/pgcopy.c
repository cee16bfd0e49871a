/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgcopy - initdb, base backup and pg_rewind of the model Postgres
 *
 * A new directory is made beside and swapped in when it is whole, so a failure leaves the old
 * one. pg_rewind works in place: once its first byte is written, only a replacement helps.
 */
#include <assert.h>

#include "mutant.h"
#include "node.h"
#include "oracle.h"
#include "pgjobs.h"
#include "world.h"

static bool source_answers(const struct world *world, uint32_t node, int from)
{
	const struct modelpg *source;

	if (from < 0 || (uint32_t)from == node)
		return false;
	source = &world->nodes[from].pg;
	return source->state == PGM_UP && !modelpg_hangs(source) && !source->boot_unfinished &&
	       !world->nodes[from].host_down && !world->nodes[from].host_frozen &&
	       net_open(&world->net, NET_NODE(node), NET_NODE((uint32_t)from));
}

/* ---- clone ---- */

static void clone_swap_in(struct world *world, uint32_t node, const struct modelpg *source)
{
	struct modelpg *pg = &world->nodes[node].pg;

	oracle_replaces_data(world, node, source->node);
	wal_copy(&pg->wal, &source->wal);
	chain_received(world, node);
	pg->dir = DIR_PRESENT;
	pg->half = false;
	pg->standby_signal = true;
	pg->boot_unfinished = false;
	pg->control = source->primary ? CONTROL_IN_PRODUCTION : CONTROL_IN_ARCHIVE_RECOVERY;
	pg->control_timeline = wal_timeline(&source->wal);
	pg->checkpoint_lsn = MIN_OF(source->checkpoint_lsn, source->wal.end_lsn);
	pg->min_recovery_lsn = pg->wal.end_lsn;
	pg->nslots = 0;
	(void)str_copy(pg->sysid, sizeof(pg->sysid), source->sysid);
}

static void on_clone_step(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;
	int from = pgstream_node_of(world, pg->job.req.upstream.host);

	if (!pg->job.active || ev->gen != pg->job.gen)
		return;
	if (!source_answers(world, ev->who, from) ||
	    world->nodes[from].pg.life != (uint64_t)ev->b ||
	    (pg->clone_fails > 0 && rng_chance(&world->rng, 400))) {
		pgjobs_job_ends(world, ev->who, -ERR_CHILD, "the base backup broke off");
		return;
	}
	if (ev->a > 0) {
		world_after(world, rng_range(&world->rng, 50000, 600000),
			    (struct ev){ .what = "clone",
					 .fn = on_clone_step,
					 .who = ev->who,
					 .hold = HOLD_HOST | HOLD_DISK,
					 .gen = ev->gen,
					 .a = ev->a - 1,
					 .b = ev->b });
		return;
	}
	clone_swap_in(world, ev->who, &world->nodes[from].pg);
	pgjobs_job_ends(world, ev->who, 0, "a base backup");
}

static void begin_clone(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;
	int from = pgstream_node_of(world, pg->job.req.upstream.host);

	if (modelpg_has_process(pg) || !source_answers(world, node, from)) {
		pgjobs_job_ends(world, node, -ERR_CONNECT, "no server to copy from");
		return;
	}
	world_after(world, rng_range(&world->rng, 50000, 500000),
		    (struct ev){ .what = "clone",
				 .fn = on_clone_step,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK,
				 .gen = pg->job.gen,
				 .a = rng_range(&world->rng, 0, 8),
				 .b = (int64_t)world->nodes[from].pg.life });
}

/* ---- rewind ---- */

static void rewind_finish(struct world *world, uint32_t node, const struct modelpg *source)
{
	struct modelpg *pg = &world->nodes[node].pg;
	uint64_t common = wal_common(&pg->wal, &source->wal);

	/* Changed pages come from the source as they are now, and its pg_wal as well: from here on
	 * this is a copy of the source that still has to be recovered. */
	wal_copy(&pg->wal, &source->wal);
	chain_received(world, node);
	pg->dir = DIR_PRESENT;
	pg->half = false;
	pg->standby_signal = true;
	pg->control = CONTROL_IN_ARCHIVE_RECOVERY;
	pg->checkpoint_lsn = common;
	pg->control_timeline = wal_timeline(&source->wal);
	pg->min_recovery_lsn = source->wal.end_lsn;
	pgjobs_job_ends(world, node, 0, "pg_rewind");
}

static void on_rewind_step(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;
	int from = pgstream_node_of(world, pg->job.req.upstream.host);

	if (!pg->job.active || ev->gen != pg->job.gen)
		return;
	if (!source_answers(world, ev->who, from) ||
	    world->nodes[from].pg.life != (uint64_t)ev->b ||
	    (pg->rewind_fails > 0 && rng_chance(&world->rng, 300))) {
		pgjobs_job_ends(world, ev->who, -ERR_CHILD, "pg_rewind failed");
		return;
	}
	if (ev->a == 0) {
		rewind_finish(world, ev->who, &world->nodes[from].pg);
		return;
	}
	if (!pg->half && wal_extends(&pg->wal, &world->nodes[from].pg.wal)) {
		pgjobs_job_ends(world, ev->who, 0, "no rewind required");
		return;
	}
	if (!pg->half)
		oracle_rewinds(world, ev->who, (uint32_t)from);
	/* From here on the directory is neither the old one nor the new one. */
	pg->half = true;
	pg->dir = mutant_is(world, MUTANT_REWIND_UNMARKED) ? DIR_PRESENT : DIR_HALF;
	world_after(world, rng_range(&world->rng, 30000, 500000),
		    (struct ev){ .what = "rewind",
				 .fn = on_rewind_step,
				 .who = ev->who,
				 .hold = HOLD_HOST | HOLD_DISK,
				 .gen = ev->gen,
				 .a = ev->a - 1,
				 .b = ev->b });
}

/* pg_rewind recovers a server that did not shut down cleanly first (13 and newer), which ends
 * in a shutdown checkpoint of its own. */
static void single_user_recovery(struct world *world, struct modelpg *pg)
{
	if (pg->control != CONTROL_IN_PRODUCTION || pg->standby_signal)
		return;
	modelpg_checkpoint(world, pg);
	pg->control = CONTROL_SHUT_DOWN;
}

static void begin_rewind(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;
	int from = pgstream_node_of(world, pg->job.req.upstream.host);

	if (modelpg_has_process(pg) || pg->dir != DIR_PRESENT) {
		pgjobs_job_ends(world, node, -ERR_STATE, "nothing that can be rewound");
		return;
	}
	if (!source_answers(world, node, from) ||
	    !str_eq(pg->sysid, world->nodes[from].pg.sysid)) {
		pgjobs_job_ends(world, node, -ERR_CONNECT, "no server to rewind from");
		return;
	}
	single_user_recovery(world, pg);
	world_after(world, rng_range(&world->rng, 30000, 500000),
		    (struct ev){ .what = "rewind",
				 .fn = on_rewind_step,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK,
				 .gen = pg->job.gen,
				 .a = rng_range(&world->rng, 1, 5),
				 .b = (int64_t)world->nodes[from].pg.life });
}

/* ---- initdb ---- */

static void on_initdb(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (!pg->job.active || ev->gen != pg->job.gen)
		return;
	if (pg->clone_fails > 0 && rng_chance(&world->rng, 300)) {
		pgjobs_job_ends(world, ev->who, -ERR_CHILD, "initdb failed");
		return;
	}
	oracle_initdb(world, ev->who);
	wal_begin(&pg->wal, ++world->next_timeline_uid, UINT64_C(0x1500000));
	pg->dir = DIR_PRESENT;
	pg->boot_unfinished = true;
	pg->standby_signal = false;
	pg->control = CONTROL_SHUT_DOWN;
	pg->control_timeline = 1;
	pg->checkpoint_lsn = pg->wal.end_lsn - 120;
	pg->min_recovery_lsn = 0;
	pg->nslots = 0;
	(void)str_printf(pg->sysid, sizeof(pg->sysid), "7%018lu",
			 (unsigned long)rng_below(&world->rng, UINT64_C(1000000000000000000)));
	pgjobs_job_ends(world, ev->who, 0, "initdb");
}

static void begin_initdb(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (modelpg_has_process(pg) || (pg->dir != DIR_EMPTY && !pg->boot_unfinished)) {
		pgjobs_job_ends(world, node, -ERR_STATE, "the data directory is not empty");
		return;
	}
	world_after(world, rng_range(&world->rng, 200000, 2500000),
		    (struct ev){ .what = "initdb",
				 .fn = on_initdb,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK,
				 .gen = pg->job.gen });
}

/* ---- discard ---- */

static void discard(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (modelpg_has_process(pg) || pg->dir != DIR_PRESENT || !pg->boot_unfinished) {
		pgjobs_job_ends(world, node, -ERR_STATE, "nothing that a bootstrap of ours made");
		return;
	}
	if (pg->clone_fails > 0 && rng_chance(&world->rng, 200)) {
		pgjobs_job_ends(world, node, -ERR_IO, "cannot be removed");
		return;
	}
	oracle_discards(world, node);
	wal_done(&pg->wal);
	pg->dir = DIR_EMPTY;
	pg->boot_unfinished = false;
	pg->sysid[0] = '\0';
	pg->control = CONTROL_UNKNOWN;
	pg->nslots = 0;
	pgjobs_job_ends(world, node, 0, "discarded");
}

void pgcopy_begin(struct world *world, uint32_t node)
{
	const struct pgm_job *job = &world->nodes[node].pg.job;

	if (job->op == PGOP_CLONE)
		begin_clone(world, node);
	else if (job->op == PGOP_REWIND)
		begin_rewind(world, node);
	else if (job->op == PGOP_DISCARD)
		discard(world, node);
	else
		begin_initdb(world, node);
}

void pgcopy_abandon(struct world *world, uint32_t node)
{
	const struct pgm_job *job = &world->nodes[node].pg.job;

	if (job->active && job->op == PGOP_REWIND && world->nodes[node].pg.half)
		world_trace(world, "%s: pg_rewind died half way", world->nodes[node].name);
}
