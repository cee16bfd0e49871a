/* SPDX-License-Identifier: PostgreSQL */
/*
 * modelpg - one Postgres: its processes and what can be known of them
 */
#include "modelpg.h"

#include <assert.h>

#include "base/parse.h"
#include "mutant.h"
#include "node.h"
#include "oracle.h"
#include "world.h"

#define FIRST_LSN UINT64_C(0x3000000)
#define LATE_MS   1000 /* a write that takes longer counts as stalled */

void modelpg_init(struct modelpg *pg, uint32_t node)
{
	*pg = (struct modelpg){ .node = node, .dir = DIR_EMPTY };
}

void modelpg_done(struct modelpg *pg)
{
	wal_done(&pg->wal);
}

bool modelpg_writable(const struct modelpg *pg)
{
	if (!pg->primary || pg->boot_unfinished || pg->disk_stalled > 0 || pg->frozen > 0)
		return false;
	return pg->state == PGM_UP || pg->state == PGM_LEFTOVERS;
}

bool modelpg_may_commit(const struct modelpg *pg)
{
	return pg->primary && !pg->boot_unfinished &&
	       (pg->state == PGM_UP || pg->state == PGM_LEFTOVERS);
}

bool modelpg_hangs(const struct modelpg *pg)
{
	return pg->silent || pg->frozen > 0;
}

bool modelpg_has_process(const struct modelpg *pg)
{
	return pg->state != PGM_DOWN;
}

static void bump_by(struct world *world, struct modelpg *pg, uint64_t bytes)
{
	wal_add(&pg->wal, pg->wal.end_lsn + bytes, 0);
	pgstream_advance(world, pg->node);
}

void modelpg_bump(struct world *world, struct modelpg *pg)
{
	bump_by(world, pg, 120);
}

uint64_t modelpg_commit(struct world *world, uint32_t node, uint64_t id)
{
	struct modelpg *pg = &world->nodes[node].pg;
	uint64_t bytes = (uint64_t)rng_skewed(&world->rng, 8, 2000) * 8;

	wal_add(&pg->wal, pg->wal.end_lsn + bytes, id);
	pgstream_advance(world, node);
	return pg->wal.end_lsn;
}

void modelpg_checkpoint(struct world *world, struct modelpg *pg)
{
	pg->checkpoint_lsn = pg->wal.end_lsn;
	pg->control_timeline = wal_timeline(&pg->wal);
	bump_by(world, pg, 120);
}

static void on_checkpoint(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen != pg->life || pg->state != PGM_UP)
		return;
	if (pg->primary && pg->wal.end_lsn > pg->checkpoint_lsn + 120 && !world->clients.quiet)
		modelpg_checkpoint(world, pg);
	if (!pg->primary) {
		/* A restartpoint. */
		pg->checkpoint_lsn = MAX_OF(pg->checkpoint_lsn, pg->replay_lsn);
		pg->min_recovery_lsn = MAX_OF(pg->min_recovery_lsn, pg->replay_lsn);
		pg->control_timeline = wal_timeline_at(&pg->wal, pg->replay_lsn);
	}
	world_after(world, rng_range(&world->rng, 5000000, 30000000),
		    (struct ev){ .what = "pg-checkpoint",
				 .fn = on_checkpoint,
				 .who = ev->who,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
}

/* ---- start ---- */

void modelpg_came_up(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	pg->state = PGM_UP;
	world_trace(world, "%s: postgres up as %s on timeline %u at %lx", world->nodes[node].name,
		    pg->primary ? "primary" : "standby", wal_timeline(&pg->wal),
		    (unsigned long)pg->wal.end_lsn);
	if (pg->primary) {
		pg->control = CONTROL_IN_PRODUCTION;
		modelpg_checkpoint(world, pg);
		oracle_writable(world, node);
	} else {
		pg->control = CONTROL_IN_ARCHIVE_RECOVERY;
	}
	pgjobs_notice(world, node);
}

static void on_replayed(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen != pg->life || pg->primary || pg->doomed)
		return;
	pg->local_replay_done = true;
	pg->replay_lsn = pg->wal.end_lsn;
	pgstream_start(world, ev->who);
	if (pg->state == PGM_STARTING && pg->replay_lsn >= pg->min_recovery_lsn)
		modelpg_came_up(world, ev->who);
}

static void on_started(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen != pg->life || pg->state != PGM_STARTING || pg->doomed)
		return;
	if (pg->start_fails > 0) {
		world_trace(world, "%s: postgres failed to start", world->nodes[ev->who].name);
		modelpg_exited(world, ev->who, false);
		return;
	}
	if (!pg->standby_signal) {
		pg->primary = true;
		pg->local_replay_done = true;
		modelpg_came_up(world, ev->who);
		return;
	}
	/* Consistent already, but the rest of its own WAL may still be on its way through
	 * recovery: until then positions look older than they are. */
	world_after(world, rng_skewed(&world->rng, 1000, 2500000),
		    (struct ev){ .what = "pg-replayed",
				 .fn = on_replayed,
				 .who = ev->who,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
	if (pg->replay_lsn >= pg->min_recovery_lsn)
		modelpg_came_up(world, ev->who);
}

/* As the agent has it in the configuration: 'ANY n (*)', or nothing. */
void modelpg_settings(struct world *world, uint32_t node)
{
	const struct agent *agent = world->nodes[node].agent;
	const struct pairs *settings;
	uint64_t n;

	if (!agent)
		return;
	settings = &agent_config(agent)->pg.parameters;
	for (size_t i = 0; i < settings->n; i++) {
		const char *value = settings->items[i].value;
		char number[2] = { 0 };

		if (!str_eq(settings->items[i].name, "synchronous_standby_names"))
			continue;
		if (value && str_starts(value, "ANY "))
			number[0] = value[4];
		n = 0;
		if (number[0] != '\0')
			(void)parse_uint(number, WORLD_NODES_MAX, &n, NULL);
		world->nodes[node].pg.sync_count = (uint32_t)n;
		return;
	}
	world->nodes[node].pg.sync_count = 0;
}

void modelpg_start(struct world *world, uint32_t node, bool as_primary)
{
	struct modelpg *pg = &world->nodes[node].pg;

	assert(pg->state == PGM_DOWN && pg->dir == DIR_PRESENT);
	if (pg->stop.leaving) /* of an agent that is no more */
		pg->stop = (struct pgm_stop){ .gen = pg->stop.gen + 1 };
	oracle_starting(world, node, as_primary);
	pg->state = PGM_STARTING;
	modelpg_settings(world, node);
	pg->life++;
	pg->pid = rng_range(&world->rng, 300, 4000000);
	pg->standby_signal = !as_primary;
	pg->primary = false;
	pg->silent = false;
	pg->starved = false;
	pg->kill_sent = false;
	pg->doomed = false;
	pg->local_replay_done = false;
	pg->receive_lsn = 0;
	pg->receive_timeline = 0;
	pg->replay_lsn = MIN_OF(MAX_OF(pg->checkpoint_lsn, pg->min_recovery_lsn),
				pg->wal.end_lsn);
	pg->receiver = (struct pgm_receiver){ .gen = pg->receiver.gen + 1 };
	world_after(world, rng_skewed(&world->rng, 60000, 2000000),
		    (struct ev){ .what = "pg-started",
				 .fn = on_started,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
	world_after(world, rng_range(&world->rng, 5000000, 30000000),
		    (struct ev){ .what = "pg-checkpoint",
				 .fn = on_checkpoint,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
}

/* ---- the end ---- */

static void report_exit(struct world *world, uint32_t node)
{
	struct msg *msg = msg_new(EVENT_PG_EXIT);

	modelpg_facts(world, node, false, &msg->pg);
	msg->event.pg = &msg->pg;
	node_post(world, &world->nodes[node], rng_range(&world->rng, 100, 3000), msg);
}

void modelpg_exited(struct world *world, uint32_t node, bool clean)
{
	struct modelpg *pg = &world->nodes[node].pg;

	world_trace(world, "%s: postgres gone%s", world->nodes[node].name,
		    clean ? " after a clean stop" : "");
	if (clean)
		pg->control = pg->primary ? CONTROL_SHUT_DOWN : CONTROL_SHUT_DOWN_IN_RECOVERY;
	/* A restartpoint at the end moves it, but only as far as pages were written. */
	if (clean && !pg->primary && rng_chance(&world->rng, 500)) {
		pg->min_recovery_lsn = MAX_OF(pg->min_recovery_lsn, pg->replay_lsn);
		pg->control_timeline = wal_timeline_at(&pg->wal, pg->min_recovery_lsn);
	}
	pgstream_stop(world, node);
	pg->state = PGM_DOWN;
	pg->primary = false;
	pg->life++;
	pg->pid = 0;
	pg->silent = false;
	if (pg->frozen > 0) {
		pg->frozen = 0;
		world_release(world, &world->nodes[node]);
	}
	report_exit(world, node);
	pgjobs_notice(world, node);
}

static void on_leftovers_end(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen != pg->life || pg->state != PGM_LEFTOVERS)
		return;
	modelpg_exited(world, ev->who, false);
}

void modelpg_kill_postmaster(struct world *world, uint32_t node, bool leftovers)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (!modelpg_has_process(pg) || pg->state == PGM_LEFTOVERS)
		return;
	if (!leftovers || !pg->primary || pg->state != PGM_UP || pg->kill_sent) {
		modelpg_exited(world, node, false);
		return;
	}
	world_trace(world, "%s: postmaster dead, backends are not", world->nodes[node].name);
	pgstream_stop(world, node);
	pg->state = PGM_LEFTOVERS;
	pg->life++;
	pg->pid = 0;
	report_exit(world, node);
	pgjobs_notice(world, node);
	world_after(world, rng_skewed(&world->rng, 1000000, 80000000),
		    (struct ev){ .what = "pg-leftovers-end",
				 .fn = on_leftovers_end,
				 .who = node,
				 .hold = HOLD_HOST,
				 .gen = pg->life });
}

static void on_backend_recovered(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen != pg->life || pg->state != PGM_STARTING || pg->doomed)
		return;
	pg->primary = !pg->standby_signal;
	if (!pg->primary) {
		pg->replay_lsn = pg->wal.end_lsn;
		pg->local_replay_done = true;
		pgstream_start(world, ev->who);
	}
	modelpg_came_up(world, ev->who);
}

/* One backend died badly: the postmaster restarts them all, which is none of our business. */
void modelpg_backend_crash(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (pg->state != PGM_UP || pg->job.active || pg->frozen > 0 || pg->kill_sent)
		return;
	pgstream_stop(world, node);
	pg->state = PGM_STARTING;
	pg->primary = false;
	pg->life++;
	world_after(world, rng_skewed(&world->rng, 100000, 2000000),
		    (struct ev){ .what = "pg-recovered",
				 .fn = on_backend_recovered,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
}

void modelpg_vanish(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (modelpg_has_process(pg))
		modelpg_exited(world, node, false);
}

void modelpg_replaced(struct world *world, uint32_t node, bool empty)
{
	struct modelpg *pg = &world->nodes[node].pg;

	/* The disk first: whoever looks because Postgres has ended sees the new one. */
	if (!empty) {
		(void)str_copy(pg->sysid, sizeof(pg->sysid), "6999999999999999999");
	} else {
		wal_done(&pg->wal);
		pg->dir = DIR_EMPTY;
		pg->standby_signal = false;
		pg->boot_unfinished = false;
		pg->sysid[0] = '\0';
		pg->nslots = 0;
	}
	modelpg_vanish(world, node);
	if (empty) {
		pg->control_timeline = 0;
		pg->checkpoint_lsn = 0;
		pg->min_recovery_lsn = 0;
	}
}

/* ---- facts ---- */

static enum pg_run run_of(const struct modelpg *pg, bool sql)
{
	switch (pg->state) {
	case PGM_DOWN:
		return PG_DOWN;
	case PGM_LEFTOVERS:
		return PG_LEFTOVERS;
	case PGM_STARTING:
		return sql ? (modelpg_hangs(pg) ? PG_SILENT : PG_STARTING) : PG_UNKNOWN;
	case PGM_UP:
		return sql ? (modelpg_hangs(pg) ? PG_SILENT : PG_UP) : PG_UNKNOWN;
	case PGM_STOPPING:
		return sql ? PG_STOPPING : PG_UNKNOWN;
	case PGM__MAX:
		break;
	}
	assert(false);
	return PG_UNKNOWN;
}

static void sql_facts(const struct world *world, const struct modelpg *pg, struct pg_state *ret)
{
	ret->role = pg->primary ? ROLE_PRIMARY : ROLE_REPLICA;
	if (pg->primary) {
		ret->timeline = wal_timeline(&pg->wal);
		ret->flush_lsn = pg->wal.end_lsn;
		return;
	}
	/* The walreceiver's, else what IDENTIFY_SYSTEM tells: of what was replayed. */
	ret->timeline = pg->receive_timeline ? pg->receive_timeline :
					       wal_timeline_at(&pg->wal, pg->replay_lsn);
	ret->receive_lsn = pg->receive_lsn;
	ret->replay_lsn = pg->replay_lsn;
	ret->replay_starved = pg->starved;
	ret->replay_waits = pg->local_replay_done && !pg->starved;
	if (pg->receiver.connected) {
		const struct modelpg *from = &world->nodes[pg->receiver.from].pg;

		ret->streaming = true;
		ret->receiving = true;
		ret->latest_end_lsn = MIN_OF(from->wal.end_lsn, pg->receiver.sent_lsn);
		(void)str_copy(ret->upstream_host, sizeof(ret->upstream_host),
			       world->nodes[pg->receiver.from].host);
		ret->upstream_port = 5432;
		(void)str_copy(ret->upstream_slot, sizeof(ret->upstream_slot), pg->upstream.slot);
	}
}

static void tell_vitals(struct world *world, uint32_t node, struct vitals *ret)
{
	const struct modelpg *pg = &world->nodes[node].pg;
	bool stalls = pg->disk_stalled > 0 &&
		      node_now_ms(world, &world->nodes[node]) - pg->stalled_since_ms >= LATE_MS;

	ret->disk = stalls ? DISK_STALLED : DISK_OK;
	ret->disk_since_at_ms = stalls ? pg->stalled_since_ms : 0;
	if (pg->state != PGM_UP)
		return;
	ret->door = pg->silent ? DOOR_STOPPED : DOOR_OPEN;
	ret->door_since_at_ms = pg->silent ? pg->silent_since_ms : 0;
}

void modelpg_facts(struct world *world, uint32_t node, bool sql, struct pg_state *ret)
{
	const struct modelpg *pg = &world->nodes[node].pg;

	bool lie = mutant_is(world, MUTANT_STOP_UNPROVEN) && pg->state == PGM_STOPPING;

	*ret = (struct pg_state){ .run = lie ? PG_DOWN : run_of(pg, sql),
				  .dir = pg->dir,
				  .standby_signal = pg->standby_signal,
				  .boot_unfinished = pg->boot_unfinished,
				  .can_rewind = true,
				  .postmaster_pid = pg->pid };
	if (pg->dir != DIR_PRESENT)
		return;
	tell_vitals(world, node, &ret->vitals);
	(void)str_copy(ret->sysid, sizeof(ret->sysid), pg->sysid);
	ret->server_version = 150020;
	ret->control = pg->control;
	ret->control_timeline = pg->control_timeline;
	ret->control_checkpoint_lsn = pg->checkpoint_lsn;
	ret->min_recovery_lsn = pg->min_recovery_lsn;
	if (pg->state == PGM_DOWN &&
	    (pg->control == CONTROL_SHUT_DOWN || pg->control == CONTROL_SHUT_DOWN_IN_RECOVERY))
		ret->control_end_lsn = pg->wal.end_lsn;
	if (pg->state != PGM_DOWN && pg->state != PGM_LEFTOVERS)
		ret->postmaster_start_us = WORLD_EPOCH_US + (int64_t)pg->life;
	if (sql && pg->state == PGM_UP && !modelpg_hangs(pg))
		ret->module.presence = world->module ? MODULE_READY : MODULE_ABSENT;
	if (sql && pg->state == PGM_UP && !modelpg_hangs(pg))
		sql_facts(world, pg, ret);
}

void modelpg_history(const struct modelpg *pg, struct history *ret)
{
	uint32_t last = pg->wal.ntimelines ? pg->wal.ntimelines - 1 : 0;
	uint32_t first = last > HISTORY_MAX ? last - HISTORY_MAX : 0;

	*ret = (struct history){ .timeline = wal_timeline(&pg->wal) };
	for (uint32_t i = first; i < last; i++)
		ret->entries[ret->n++] = (struct history_entry){
			.timeline = pg->wal.timelines[i].number,
			.end_lsn = pg->wal.timelines[i].end_lsn,
		};
}
