/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgjobs - what port.pg asks of the model Postgres: stop, start and the short questions
 *
 * The long ones, which bring data from elsewhere, are in pgcopy.c.
 */
#include "pgjobs.h"

#include <assert.h>

#include "mutant.h"
#include "node.h"
#include "oracle.h"
#include "world.h"

#define DEFAULT_TIMEOUT_MS INT64_C(60000)

void pgjobs_done(struct world *world, uint32_t node, uint64_t ticket, uint64_t life, int result,
		 const char *text)
{
	struct msg *msg = msg_new(EVENT_PG_DONE);

	if (life != world->nodes[node].life) {
		msg_free(msg);
		return;
	}
	msg->event.ticket = ticket;
	msg->event.result = result;
	if (result < 0)
		(void)err_set(&msg->err, (enum err_code)-result, "%s", text);
	else
		str_clip(msg->text, sizeof(msg->text), text);
	modelpg_facts(world, node, false, &msg->pg);
	msg->event.pg = &msg->pg;
	node_post(world, &world->nodes[node], rng_range(&world->rng, 100, 4000), msg);
}

void pgjobs_job_ends(struct world *world, uint32_t node, int result, const char *text)
{
	struct pgm_job *job = &world->nodes[node].pg.job;

	if (!job->active)
		return;
	job->active = false;
	job->gen++;
	world_trace(world, "%s: %s ends: %s (%d)", world->nodes[node].name, pg_op_name(job->op),
		    text, result);
	pgjobs_done(world, node, job->ticket, job->life, result, text);
}

/* ---- stop ---- */

static void stop_answered(struct world *world, uint32_t node, int result, const char *text)
{
	struct pgm_stop *stop = &world->nodes[node].pg.stop;

	for (uint32_t i = 0; i < stop->n; i++)
		pgjobs_done(world, node, stop->tickets[i], stop->lives[i], result, text);
	*stop = (struct pgm_stop){ .gen = stop->gen + 1 };
}

static void on_killed(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen == pg->life && modelpg_has_process(pg))
		modelpg_exited(world, ev->who, false);
}

void pgjobs_kill_all(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (!modelpg_has_process(pg))
		return;
	/* A process that waits for the disk dies when the disk comes back, and does not get to
	 * say anything before that. */
	pg->kill_sent = true;
	pg->doomed = pg->doomed || pg->disk_stalled > 0;
	world_after(world, rng_skewed(&world->rng, 500, 30000),
		    (struct ev){ .what = "pg-killed",
				 .fn = on_killed,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK,
				 .gen = pg->life });
}

static void on_left(struct world *world, struct ev *ev)
{
	struct pgm_stop *stop = &world->nodes[ev->who].pg.stop;

	if (ev->gen != stop->gen)
		return;
	stop->leaving = false;
	pgjobs_notice(world, ev->who);
}

/* A primary counts as down when its last record is where it has to be; then its archiver may work
 * for seconds before the stop has ended. */
static void leave(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	pg->stop.leaving = pg->stop.active && pg->primary && rng_chance(&world->rng, 700);
	modelpg_exited(world, node, true);
	if (pg->stop.leaving)
		world_after(world, rng_skewed(&world->rng, 5000, 5000000),
			    (struct ev){ .what = "pg-left",
					 .fn = on_left,
					 .who = node,
					 .hold = HOLD_HOST,
					 .gen = pg->stop.gen });
}

static void on_drain(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen != pg->life || pg->state != PGM_STOPPING)
		return;
	if (!pg->stop.checkpointed) {
		if (pg->primary)
			modelpg_checkpoint(world, pg);
		pg->stop.checkpointed = true;
	}
	if (!pg->primary || pgstream_drained(world, ev->who)) {
		leave(world, ev->who);
		return;
	}
	world_after(world, 10000,
		    (struct ev){ .what = "pg-drain",
				 .fn = on_drain,
				 .who = ev->who,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
}

static void stop_fast(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (pg->state != PGM_UP && pg->state != PGM_STARTING)
		return; /* on its way already, or nobody left who would listen */
	if (modelpg_hangs(pg))
		return; /* a hanging postmaster takes no signal but SIGKILL */
	if (pg->state == PGM_STARTING) {
		modelpg_exited(world, node, false);
		return;
	}
	pg->state = PGM_STOPPING;
	world_after(world, rng_skewed(&world->rng, 30000, 2500000),
		    (struct ev){ .what = "pg-shutdown",
				 .fn = on_drain,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
}

static void stop_immediate(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (!modelpg_hangs(pg) && pg->state != PGM_LEFTOVERS)
		pgjobs_kill_all(world, node);
}

static void stop_apply(struct world *world, uint32_t node)
{
	switch (world->nodes[node].pg.stop.mode) {
	case STOP_FAST:
		stop_fast(world, node);
		return;
	case STOP_IMMEDIATE:
		stop_immediate(world, node);
		return;
	case STOP_KILL:
		pgjobs_kill_all(world, node);
		return;
	case STOP__MAX:
		break;
	}
	assert(false);
}

void pgjobs_thawed(struct world *world, uint32_t node)
{
	if (world->nodes[node].pg.stop.active)
		stop_apply(world, node);
}

static void on_escalate(struct world *world, struct ev *ev)
{
	struct pgm_stop *stop = &world->nodes[ev->who].pg.stop;

	if (!stop->active || ev->gen != stop->gen || (enum stop_mode)ev->a <= stop->mode ||
	    node_now_ms(world, &world->nodes[ev->who]) < ev->b)
		return;
	stop->mode = (enum stop_mode)ev->a;
	world_trace(world, "%s: stop becomes harder (%d)", world->nodes[ev->who].name, stop->mode);
	stop_apply(world, ev->who);
}

static void on_stop_timeout(struct world *world, struct ev *ev)
{
	struct pgm_stop *stop = &world->nodes[ev->who].pg.stop;

	if (stop->active && ev->gen == stop->gen)
		stop_answered(world, ev->who, -ERR_TIMEOUT, "Postgres has not ended in time");
}

static void escalate_at(struct world *world, uint32_t node, int64_t at_ms, enum stop_mode mode)
{
	const struct node *n = &world->nodes[node];

	if (at_ms == 0)
		return;
	world_at(world, MAX_OF(world->now_us, clock_true_us(&n->clock, at_ms)),
		 (struct ev){ .what = "stop-escalates",
			      .fn = on_escalate,
			      .who = node,
			      .hold = HOLD_HOST | HOLD_AGENT,
			      .gen = n->pg.stop.gen,
			      .a = mode,
			      .b = at_ms });
}

void pgjobs_arm(struct world *world, uint32_t node)
{
	const struct pgm_stop *stop = &world->nodes[node].pg.stop;

	if (!stop->active)
		return;
	escalate_at(world, node, stop->immediate_at_ms, STOP_IMMEDIATE);
	escalate_at(world, node, stop->kill_at_ms, STOP_KILL);
}

/* An answer may be on its way while the next order is given, so that one in vain is no fault. */
static void stopped_in_vain(struct world *world, uint32_t node, bool busy)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (busy || pg->vain_agent != world->nodes[node].life || pg->vain_life != pg->life)
		pg->vain_stops = 0;
	pg->vain_agent = world->nodes[node].life;
	pg->vain_life = pg->life;
	if (!busy && ++pg->vain_stops > 1)
		oracle_fail(world, "I11 quiescence",
			    "%s stops a Postgres that was down, %u times in a row",
			    world->nodes[node].name, pg->vain_stops);
}

static void request_stop(struct world *world, uint32_t node, uint64_t ticket,
			 const struct pg_req *req)
{
	struct modelpg *pg = &world->nodes[node].pg;
	struct pgm_stop *stop = &pg->stop;
	int64_t timeout_ms = req->timeout_ms ? req->timeout_ms : DEFAULT_TIMEOUT_MS;
	bool busy = pg->job.active;

	pgjobs_interrupt(world, node);
	if (!modelpg_has_process(pg)) {
		stopped_in_vain(world, node, busy);
		pgjobs_done(world, node, ticket, world->nodes[node].life, 0, "was not running");
		return;
	}
	assert(stop->n < PGM_TICKETS_MAX);
	stop->tickets[stop->n] = ticket;
	stop->lives[stop->n++] = world->nodes[node].life;
	if (stop->active && req->stop <= stop->mode)
		return; /* as hard already */
	stop->active = true;
	stop->mode = req->stop;
	stop_apply(world, node);
	if (mutant_is(world, MUTANT_STOP_UNPROVEN)) {
		stop_answered(world, node, 0, "stopped");
		return;
	}
	stop->immediate_at_ms = req->immediate_at_ms;
	stop->kill_at_ms = req->kill_at_ms;
	pgjobs_arm(world, node);
	world_after(world, timeout_ms * 1000,
		    (struct ev){ .what = "stop-timeout",
				 .fn = on_stop_timeout,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .gen = stop->gen });
}

/* ---- start and promote ---- */

static void start_job_noticed(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (!pg->job.active ||
	    (pg->job.op != PGOP_START_STANDBY && pg->job.op != PGOP_START_PRIMARY))
		return;
	if (pg->state == PGM_UP)
		pgjobs_job_ends(world, node, 0, "started");
	else if (pg->state == PGM_DOWN)
		pgjobs_job_ends(world, node, -ERR_CHILD, "Postgres ended while it started");
}

void pgjobs_notice(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (pg->stop.active && pg->state == PGM_DOWN && !pg->stop.leaving)
		stop_answered(world, node, 0, "stopped");
	start_job_noticed(world, node);
	if (pg->job.active && pg->state == PGM_DOWN &&
	    (pg->job.op == PGOP_PROMOTE || pg->job.op == PGOP_POST_BOOTSTRAP ||
	     pg->job.op == PGOP_FOLLOW || pg->job.op == PGOP_APPLY))
		pgjobs_job_ends(world, node, -ERR_STATE, "Postgres ended meanwhile");
}

static void start(struct world *world, uint32_t node, const struct pg_req *req)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (modelpg_has_process(pg) || pg->dir != DIR_PRESENT) {
		pgjobs_job_ends(world, node, -ERR_STATE, "nothing that can be started");
		return;
	}
	if (req->op == PGOP_START_STANDBY)
		pg->upstream = req->upstream;
	modelpg_start(world, node, req->op == PGOP_START_PRIMARY);
}

static void on_promoted(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;
	uint64_t uid;

	/* Once signalled it happens, whether or not anybody still waits for it. */
	if (ev->gen != pg->life || pg->primary || pg->state != PGM_UP || pg->doomed)
		return;
	uid = ++world->next_timeline_uid;
	wal_switch(&pg->wal, MAX_OF(wal_timeline(&pg->wal), pg->above_timeline) + 1, uid);
	pg->standby_signal = false;
	pg->primary = true;
	pg->control = CONTROL_IN_PRODUCTION;
	modelpg_checkpoint(world, pg);
	world_trace(world, "%s: promoted to timeline %u at %lx", world->nodes[ev->who].name,
		    wal_timeline(&pg->wal), (unsigned long)pg->wal.end_lsn);
	oracle_promoted(world, ev->who);
	oracle_writable(world, ev->who);
	if (pg->job.active && pg->job.op == PGOP_PROMOTE)
		pgjobs_job_ends(world, ev->who, 0, "promoted");
}

static void on_promote_waits(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (ev->gen != pg->life || pg->state != PGM_UP || pg->primary)
		return;
	if (!pg->local_replay_done) {
		pg->local_replay_done = true;
		pg->replay_lsn = pg->wal.end_lsn;
	}
	world_after(world, rng_skewed(&world->rng, 20000, 2000000),
		    (struct ev){ .what = "pg-promoted",
				 .fn = on_promoted,
				 .who = ev->who,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
}

static void promote(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (pg->state != PGM_UP || pg->primary || modelpg_hangs(pg)) {
		pgjobs_job_ends(world, node, -ERR_STATE, "no running standby");
		return;
	}
	if (pg->short_wal) {
		pg->short_wal = false;
		pg->job.active = false;
		modelpg_exited(world, node, true);
		pg->job.active = true;
		pgjobs_job_ends(world, node, PGOP_RESTARTED, "stopped, to be started again");
		return;
	}
	if (!mutant_is(world, MUTANT_TIMELINE_REUSED))
		pg->above_timeline = MAX_OF(pg->above_timeline, pg->job.req.above_timeline);
	/* The walreceiver ends at once; what it has received is replayed first. */
	pg->receiver = (struct pgm_receiver){ .gen = pg->receiver.gen + 1 };
	world_after(world, rng_range(&world->rng, 1000, 10000),
		    (struct ev){ .what = "pg-promotes",
				 .fn = on_promote_waits,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK | HOLD_PG,
				 .gen = pg->life });
}

/* ---- short ones ---- */

static void follow(struct world *world, uint32_t node, const struct pg_req *req)
{
	struct modelpg *pg = &world->nodes[node].pg;
	bool same = str_eq(pg->upstream.host, req->upstream.host) &&
		    str_eq(pg->upstream.slot, req->upstream.slot);

	if (pg->primary || !modelpg_has_process(pg)) {
		pgjobs_job_ends(world, node, -ERR_STATE, "no running standby");
		return;
	}
	pg->upstream = req->upstream;
	if (!same)
		pgstream_start(world, node);
	pgjobs_job_ends(world, node, 0, same ? "unchanged" : "reloaded");
}

static void post_bootstrap(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	if (pg->state != PGM_UP || !pg->primary || !pg->boot_unfinished) {
		pgjobs_job_ends(world, node, -ERR_STATE, "no new cluster runs here");
		return;
	}
	if (pg->clone_fails > 0 && rng_chance(&world->rng, 300)) {
		pgjobs_job_ends(world, node, -ERR_CHILD, "post_bootstrap failed");
		return;
	}
	pg->boot_unfinished = false;
	oracle_writable(world, node);
	pgjobs_job_ends(world, node, 0, "bootstrapped");
}

static void on_job(struct world *world, struct ev *ev)
{
	struct modelpg *pg = &world->nodes[ev->who].pg;

	if (!pg->job.active || ev->gen != pg->job.gen)
		return;
	switch (pg->job.op) {
	case PGOP_START_STANDBY:
	case PGOP_START_PRIMARY:
		start(world, ev->who, &pg->job.req);
		return;
	case PGOP_PROMOTE:
		promote(world, ev->who);
		return;
	case PGOP_FOLLOW:
		follow(world, ev->who, &pg->job.req);
		return;
	case PGOP_APPLY:
		modelpg_settings(world, ev->who);
		pgjobs_job_ends(world, ev->who, 0, "applied");
		return;
	case PGOP_POST_BOOTSTRAP:
		post_bootstrap(world, ev->who);
		return;
	case PGOP_REWIND:
	case PGOP_CLONE:
	case PGOP_INITDB:
	case PGOP_DISCARD:
		pgcopy_begin(world, ev->who);
		return;
	case PGOP_PROBE:
	case PGOP_ANCESTRY:
	case PGOP_CHECKPOINT:
	case PGOP_STOP:
	case PGOP_WAL_END:
	case PGOP_SLOTS:
	case PGOP_EXAMINE:
	case PGOP_PRE_PROMOTE:
	case PGOP__MAX:
		break;
	}
	assert(false);
}

static void on_job_timeout(struct world *world, struct ev *ev)
{
	struct pgm_job *job = &world->nodes[ev->who].pg.job;

	/* A promotion that was signalled goes on, as does a start. */
	if (!job->active || ev->gen != job->gen)
		return;
	pgcopy_abandon(world, ev->who);
	pgjobs_job_ends(world, ev->who, -ERR_TIMEOUT, "took too long");
}

static void begin_job(struct world *world, uint32_t node, uint64_t ticket,
		      const struct pg_req *req)
{
	struct modelpg *pg = &world->nodes[node].pg;
	struct pgm_job *job = &pg->job;
	int64_t timeout_ms = req->timeout_ms ? req->timeout_ms : DEFAULT_TIMEOUT_MS;

	if (job->active || pg->stop.active)
		oracle_fail(world, "one pair of hands", "%s: %s asked while %s is under way",
			    world->nodes[node].name, pg_op_name(req->op),
			    job->active ? pg_op_name(job->op) : "stop");
	*job = (struct pgm_job){
		.active = true,
		.op = req->op,
		.ticket = ticket,
		.life = world->nodes[node].life,
		.gen = job->gen + 1,
		.req = *req,
	};
	world_after(world, rng_skewed(&world->rng, 500, 40000),
		    (struct ev){ .what = "pg-job",
				 .fn = on_job,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_DISK,
				 .gen = job->gen });
	world_after(world, timeout_ms * 1000,
		    (struct ev){ .what = "pg-job-timeout",
				 .fn = on_job_timeout,
				 .who = node,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .gen = job->gen });
}

void pgjobs_interrupt(struct world *world, uint32_t node)
{
	if (!world->nodes[node].pg.job.active)
		return;
	pgcopy_abandon(world, node);
	pgjobs_job_ends(world, node, -ERR_CANCELED, "interrupted by a stop");
}

void pgjobs_orphan(struct world *world, uint32_t node)
{
	struct modelpg *pg = &world->nodes[node].pg;

	pgcopy_abandon(world, node);
	pg->job.active = false;
	pg->job.gen++;
	/* The shutdown that was signalled goes on; nobody makes it harder any more. */
	pg->stop = (struct pgm_stop){ .gen = pg->stop.gen + 1,
				      .checkpointed = pg->stop.checkpointed };
}

void pgjobs_request(struct world *world, uint32_t node, uint64_t ticket, const struct pg_req *req)
{
	oracle_pg_request(world, node, req);
	if (mutant_on_pg(world, node, ticket, req))
		return;
	if (req->op == PGOP_STOP)
		request_stop(world, node, ticket, req);
	else if (pg_op_changes(req->op))
		begin_job(world, node, ticket, req);
	else
		pgask_request(world, node, ticket, req);
}
