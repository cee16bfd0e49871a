/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgprobe - what the local Postgres is at this moment
 *
 * With a postmaster: one round of SQL over a connection that is kept. What its refusal means
 * follows from the SQLSTATE: 57P03 is a server that is not ready, every other code an answer of a
 * server that lives. Silence is neither up nor down. Without a postmaster: processes left over,
 * files, and the control file.
 */
#include <stdlib.h>

#include "base/str.h"
#include "io/pgdial.h"
#include "io/pgdir.h"
#include "io/pgdoor.h"
#include "io/pgguc.h"
#include "io/pgkinds.h"
#include "io/pgreceiver.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

#define PROBE_MS         1500 /* all of its SQL, unless the request says otherwise */
#define SETTINGS_EVERY_MS 10000
#define RELOADED_MS      1000
#define IDENTIFY_EVERY_MS 5000
#define TURN_MS          10 /* one probe at a time: how often the second looks */
#define CONTROL_MS       1000 /* for the control file; a stalled disk must not delay more */

struct probe {
	int64_t until_ms;
	bool sql_ok;
	struct err why; /* nobody answered; code ERR_NONE: somebody did, or nobody was asked */
	bool repeated; /* a statement failed on the way; asked a second time */
	struct pgquery_facts facts;
	uint32_t nfacts; /* how many were read */
	struct pgquery_receiver receiver;
	struct slot_pos positions[SLOTS_MAX];
	struct pgquery_settings *settings; /* large, and asked for now and then only */
	struct pgquery_identity identity;
};

/* clang-format off */
enum {
	S_TURN = 0, S_LOOK, S_CONTROL, S_CONTROL_READ, S_FINISH,
	S_CONNECT, S_CONNECTED, S_STATE, S_STATE_READ, S_RECEIVER, S_RECEIVER_READ,
	S_SETTINGS, S_SETTINGS_READ, S_STARVED, S_STARVED_READ, S_IDENTIFY,
	S_IDENTIFY_ASK, S_IDENTIFY_READ,
};
/* clang-format on */

static struct pgquery query(struct pgwork *work)
{
	struct probe *probe = work->data;

	return (struct pgquery){
		.conn = work->pg->conn,
		.deadline_ms = probe->until_ms,
		.done = pgwork_answered,
		.ctx = work,
	};
}

/* What is reported of a server that did not tell its role this time. */
static enum pg_role role_unheard(const struct pg *pg)
{
	if (pg->life.shut)
		return ROLE_UNKNOWN;
	if (pg->life.may_write)
		return ROLE_PRIMARY;
	return pg->life.seen;
}

/* -- before SQL --------------------------------------------------------------------------- */

/* They share a connection, so they go one after the other, in the order of their tickets. */
static int step_turn(struct pgwork *work, struct err *err _unused_)
{
	struct pg *pg = work->pg;

	if (work->event == EVENT_PG_EXIT) {
		loop_timer_at(work->deadline, loop_now_ms() + CONTROL_MS);
		pgwork_jump(work, S_CONTROL);
		return PGWORK_NEXT;
	}
	for (size_t i = 0; i < PGWORK_OTHERS_MAX; i++) {
		if (pg->others[i] && pg->others[i]->kind == work->kind &&
		    pg->others[i]->ticket < work->ticket)
			return pgwork_again_in(work, TURN_MS);
	}
	return PGWORK_NEXT;
}

static int step_look(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pg *pg = work->pg;
	int64_t timeout_ms = work->req.timeout_ms > 0 ? work->req.timeout_ms : PROBE_MS;

	probe->until_ms = loop_now_ms() + timeout_ms;
	loop_timer_at(work->deadline, probe->until_ms + CONTROL_MS);
	pgwatch_look(pg);
	pgdoor_look(pg);
	if (pgwatch_runs(pg))
		pg->state.role = role_unheard(pg);
	if (pgwatch_runs(pg) && !pg->life.unborn && !pg->life.shut)
		pgwork_jump(work, S_CONNECT);
	return PGWORK_NEXT;
}

static int step_control(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;

	if (!pgwatch_control_stale(pg)) {
		pgwatch_control_apply(pg);
		pgwork_jump(work, S_FINISH);
		return PGWORK_NEXT;
	}
	if (pgwatch_control_reread(pg)) {
		pgwork_jump(work, S_FINISH);
		return PGWORK_NEXT;
	}
	pgwork_tolerate(work);
	return pgtool_control(work, pg->config->pg.data_dir, err);
}

static int step_control_read(struct pgwork *work, struct err *err _unused_)
{
	struct pgcontrol control;
	struct err why = { 0 };
	struct probe *probe = work->data;
	int rc = pgtool_control_read(work, &control, &why);

	pgwatch_control_keep(work->pg, &work->control_seen, rc == 0 ? &control : NULL);
	if (rc < 0 && probe->why.code == ERR_NONE)
		probe->why = why;
	return PGWORK_NEXT;
}

/* A server that is not up has no positions but those on disk. */
static int step_finish(struct pgwork *work, struct err *err _unused_)
{
	struct pg_state *s = &work->pg->state;

	if (s->run != PG_DOWN && s->run != PG_LEFTOVERS)
		return PGWORK_DONE;
	s->timeline = s->control_timeline;
	s->module = (struct module_state){ 0 };
	s->streaming = s->receiver_silent = false;
	s->receiver_age_ms = 0;
	s->receiving = false;
	s->replay_waits = false;
	s->upstream_host[0] = '\0';
	s->upstream_slot[0] = '\0';
	s->upstream_port = 0;
	s->latest_end_lsn = 0;
	s->flush_lsn = 0;
	s->receive_lsn = 0;
	s->replay_lsn = 0;
	return PGWORK_DONE;
}

/* -- SQL ---------------------------------------------------------------------------------- */

static void unheard(struct pgwork *work, enum pg_run run)
{
	struct probe *probe = work->data;
	struct pg *pg = work->pg;

	probe->why = work->err;
	/* It ended while it was asked. A shutdown under way is told by the pid file, and stays
	 * that. */
	if (!pgwatch_runs(pg))
		pgwatch_look(pg);
	if (pgwatch_runs(pg) && pg->state.run != PG_STOPPING && !pg->life.shut)
		pg->state.run = run;
	pg->state.role = role_unheard(pg);
	pgwork_jump(work, S_CONTROL);
}

static enum pg_run run_by_failure(const struct pgwork *work)
{
	enum pgproc_status status = work->pg->life.file.status;

	if (work->result == -(int)ERR_SQL)
		return str_eq(work->err.sqlstate, "57P03") ? PG_STARTING : PG_UP;
	if (work->result == -(int)ERR_CONNECT &&
	    (status == PGPROC_EARLY || status == PGPROC_STARTING))
		return PG_STARTING;
	return PG_SILENT;
}

static int step_connect(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;
	struct probe *probe = work->data;

	if (pg->conn && pgconn_idle(pg->conn) && pgdial_is_ours(pg, pg->conn)) {
		pgwork_jump(work, S_STATE);
		return PGWORK_NEXT;
	}
	if (!pg->conn) {
		int rc = pgconn_new(pg->loop, &pg->conn, err);

		if (rc < 0)
			return rc;
	}
	pgwork_tolerate(work);
	pgdial_local(pg, pg->conn, false, PGDIAL_STATEMENT_MS, probe->until_ms, pgwork_answered,
		     work);
	return PGWORK_WAIT;
}

static int step_connected(struct pgwork *work, struct err *err _unused_)
{
	if (work->result < 0 && pgdial_turns_plain(work->pg, &work->err)) {
		pgwork_jump(work, S_CONNECT);
		return PGWORK_NEXT;
	}
	if (work->result < 0)
		unheard(work, run_by_failure(work));
	return PGWORK_NEXT;
}

static int step_state(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pgquery q = query(work);

	probe->facts.state = work->pg->state;
	pgwork_tolerate(work);
	pgquery_facts(&q, work->req.brief, &probe->facts);
	return PGWORK_WAIT;
}

/* Standby: what the walreceiver receives; else the newest seen in this life, for the control file
 * lags behind; the control file at least. */
static void settle_timeline(struct pg *pg)
{
	struct pg_state *s = &pg->state;

	if (s->timeline == 0)
		s->timeline = MAX_OF(pg->life.timeline, s->control_timeline);
	pg->life.timeline = s->timeline;
}

static void heard(struct pgwork *work)
{
	struct probe *probe = work->data;
	struct pg *pg = work->pg;
	enum pg_run run = pg->state.run;
	/* A promotion takes files away before it lets the role be seen, and the look at them that
	 * came before the question may have come before that as well. */
	bool new = run != PG_UP || pg->life.seen != probe->facts.state.role;

	pg->state = probe->facts.state;
	pg->state.run = run == PG_STOPPING ? run : PG_UP;
	pg->life.seen = pg->state.role;
	/* A promotion that was ordered and is under way may end it at any moment. */
	if (pg->state.role == ROLE_PRIMARY)
		pg->life.may_write = true;
	pg->state.replay_starved = pg->life.starved && pg->state.replay_paused;
	settle_timeline(pg);
	if (new)
		pgdir_look_again(pg->config->pg.data_dir, &pg->seen, &pg->state);
	pgdial_spare(pg);
	probe->sql_ok = true;
}

static int step_state_read(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;

	probe->nfacts = pgconn_round_read(work->pg->conn);
	/* It said so, and has shut down since. */
	if (probe->nfacts >= PGQUERY_STATE &&
	    (work->pg->life.shut || !pgwatch_runs(work->pg))) {
		unheard(work, PG_DOWN);
		return PGWORK_NEXT;
	}
	if (probe->nfacts >= PGQUERY_STATE) {
		heard(work);
		return PGWORK_NEXT;
	}
	/* The kept connection may have ended since the last probe, and a promotion may come between
	 * two functions of one statement: once more. */
	if (!probe->repeated && work->result != -(int)ERR_TIMEOUT) {
		probe->repeated = true;
		if (work->result == -(int)ERR_CONNECT)
			pgconn_close(work->pg->conn);
		pgwork_jump(work, S_CONNECT);
		return PGWORK_NEXT;
	}
	pgconn_close(work->pg->conn);
	unheard(work, run_by_failure(work));
	return PGWORK_NEXT;
}

static int step_receiver(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pgquery q = query(work);

	work->pg->state.replay_waits = false;
	if (!pgreceiver_unwanted(work->pg)) {
		pgwork_jump(work, S_SETTINGS);
		return PGWORK_NEXT;
	}
	/* Until the answer is here. */
	work->pg->state.receiving = true;
	pgwork_tolerate(work);
	pgquery_walreceiver(&q, &probe->receiver);
	return PGWORK_WAIT;
}

static int step_receiver_read(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pg *pg = work->pg;
	bool waits = work->result == 0 && probe->receiver.replay_waits;

	if (work->result == 0)
		pgreceiver_seen(pg, probe->receiver.pid);
	/* The position was asked for before: it is the end if replay waited then as well. */
	pg->state.replay_waits = waits && pg->life.waits;
	pg->life.waits = waits;
	return PGWORK_NEXT;
}

static int step_settings(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pgquery q = query(work);

	if (probe->nfacts >= PGQUERY_SLOTS) {
		work->pg->slots = probe->facts.slots;
		work->pg->slots_at_ms = loop_now_ms();
	}
	if (work->req.brief || !pgconn_idle(work->pg->conn))
		return PGWORK_DONE;
	work->pg->state.pending_restart = work->pg->nchanges > 0;
	if (work->pg->state.replay_paused && !work->pg->life.paused)
		work->pg->settings_at_ms = 0;
	work->pg->life.paused = work->pg->state.replay_paused;
	if (loop_now_ms() < work->pg->settings_at_ms) {
		pgwork_jump(work, S_IDENTIFY);
		return PGWORK_NEXT;
	}
	if (!probe->settings)
		probe->settings = mem_new(1, sizeof(*probe->settings));
	pgwork_tolerate(work);
	pgquery_settings(&q, probe->settings);
	return PGWORK_WAIT;
}

static int step_settings_read(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pg *pg = work->pg;

	if (work->result < 0) {
		pgwork_jump(work, S_IDENTIFY);
		return PGWORK_NEXT;
	}
	pg->nchanges = pgguc_changes(pg->config, probe->settings, pg->changes);
	pg->state.pending_restart = pg->nchanges > 0;
	/* The postmaster reads its files in its own time after a reload, and the sessions after
	 * it: what stands on the command line is seen now, the others by a second look. */
	pg->settings_at_ms = loop_now_ms() + (pg->settings_reloaded ? RELOADED_MS :
								      SETTINGS_EVERY_MS);
	pg->settings_reloaded = false;
	return PGWORK_NEXT;
}

/* Replay may be paused by an operator, or because it came to where the primary raised settings:
 * the control file tells which, and only that one ends with a restart. */
static int step_starved(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;

	if (pg->state.role != ROLE_REPLICA || !pg->state.replay_paused) {
		pg->life.starved = false;
		pgwork_jump(work, S_IDENTIFY);
		return PGWORK_NEXT;
	}
	pgwork_tolerate(work);
	return pgtool_control(work, pg->config->pg.data_dir, err);
}

static int step_starved_read(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pg *pg = work->pg;
	struct pgcontrol control;

	pg->life.starved = pgtool_control_read(work, &control, NULL) == 0 &&
			   pgguc_starved(&control, probe->settings);
	pg->state.replay_starved = pg->life.starved;
	return PGWORK_NEXT;
}

/* -- timeline of a standby that receives nothing ------------------------------------------ */

static int step_identify(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;
	struct probe *probe = work->data;
	int rc;

	if (pg->state.role != ROLE_REPLICA || pg->state.streaming ||
	    loop_now_ms() < pg->life.identify_at_ms)
		return PGWORK_DONE;
	pg->life.identify_at_ms = loop_now_ms() + IDENTIFY_EVERY_MS;
	rc = work->conn ? 0 : pgconn_new(pg->loop, &work->conn, err);
	if (rc < 0)
		return rc;
	pgwork_tolerate(work);
	pgdial_local(pg, work->conn, true, PGDIAL_STATEMENT_MS, probe->until_ms, pgwork_answered,
		     work);
	return PGWORK_WAIT;
}

static int step_identify_ask(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pgquery q = { .conn = work->conn, .deadline_ms = probe->until_ms,
			     .done = pgwork_answered, .ctx = work };

	/* pg_hba.conf need not let us in; then the control file has to do. */
	if (work->result < 0)
		return PGWORK_DONE;
	pgwork_tolerate(work);
	pgquery_identify(&q, &probe->identity);
	return PGWORK_WAIT;
}

static int step_identify_read(struct pgwork *work, struct err *err _unused_)
{
	struct probe *probe = work->data;
	struct pg *pg = work->pg;

	if (work->result == 0 && pgwatch_runs(pg)) {
		pg->life.timeline = MAX_OF(pg->life.timeline, probe->identity.timeline);
		pg->state.timeline = pg->life.timeline;
	}
	return PGWORK_DONE;
}

/* -- answer ------------------------------------------------------------------------------- */

static void answer(struct pgwork *work, struct event *event)
{
	struct probe *probe = work->data;
	const struct pgquery_slots *slots = &probe->facts.slots;

	if (work->event == EVENT_PG_EXIT) {
		pglog_reason(&work->pg->log, work->pg->config->pg.data_dir, work->text,
			     sizeof(work->text));
		return;
	}
	event->probe_sql_ok = probe->sql_ok;
	event->probe_brief = work->req.brief;
	event->changes = work->pg->changes;
	event->nchanges = work->pg->nchanges;
	/* A server that did not answer is a fact, not a failure of the probe. */
	if (!probe->sql_ok) {
		event->err = probe->why.code != ERR_NONE ? &probe->why : NULL;
		return;
	}
	event->walsenders = probe->facts.walsenders.items;
	event->nwalsenders = probe->facts.walsenders.n;
	for (uint32_t i = 0; i < slots->n; i++) {
		(void)str_copy(probe->positions[i].name, NAME_SIZE, slots->items[i].name);
		probe->positions[i].lsn = slots->items[i].restart_lsn;
	}
	event->slots = probe->positions;
	event->nslots = slots->n;
}

static void forget(void *data)
{
	struct probe *probe = data;

	free(probe->settings);
}

/* clang-format off */
static const struct pgwork_step steps[] = {
	[S_TURN]          = { "probe", step_turn },
	[S_LOOK]          = { "look", step_look },
	[S_CONTROL]       = { "pg_controldata", step_control },
	[S_CONTROL_READ]  = { "control file", step_control_read },
	[S_FINISH]        = { "facts", step_finish },
	[S_CONNECT]       = { "connect", step_connect },
	[S_CONNECTED]     = { "connect", step_connected },
	[S_STATE]         = { "state", step_state },
	[S_STATE_READ]    = { "state", step_state_read },
	[S_RECEIVER]      = { "walreceiver", step_receiver },
	[S_RECEIVER_READ] = { "walreceiver", step_receiver_read },
	[S_SETTINGS]      = { "settings", step_settings },
	[S_SETTINGS_READ] = { "settings", step_settings_read },
	[S_STARVED]       = { "pg_controldata", step_starved },
	[S_STARVED_READ]  = { "pg_controldata", step_starved_read },
	[S_IDENTIFY]      = { "identify", step_identify },
	[S_IDENTIFY_ASK]  = { "identify", step_identify_ask },
	[S_IDENTIFY_READ] = { "identify", step_identify_read },
	{ NULL, NULL },
};
/* clang-format on */

const struct pgwork_kind pgprobe_kind = {
	.steps = steps,
	.data_size = sizeof(struct probe),
	.shares_conn = true,
	.answers_late = true,
	.answer = answer,
	.data_done = forget,
};

const struct pgwork_kind pgprobe_exit_kind = {
	.steps = steps,
	.data_size = sizeof(struct probe),
	.answers_late = true,
	.answer = answer,
	.data_done = forget,
};
