/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstop - STOP, until no process of the data directory is left
 *
 * Level by level: fast (SIGINT), immediate (SIGQUIT), and at the end every process by SIGKILL.
 * What a postmaster leaves behind when it ends is killed in any mode, for nobody else would. The
 * proof is an empty scan of /proc; a process that cannot die now, because it waits for a disk,
 * keeps the request open.
 *
 * A fast stop that takes long is looked at: what it waits for is told, and ends up in the answer.
 * Once the shutdown checkpoint is on disk nothing can be lost any more; then a standby that lags is
 * not waited for if the successor has everything. The archiver is, until the request says
 * otherwise: nobody else may archive what it has left.
 */
#include <signal.h>

#include "base/log.h"
#include "base/str.h"
#include "io/pgcontrol.h"
#include "io/pgkinds.h"
#include "io/pgleft.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

#define KILL_EVERY_MS   20
#define SCRIPT_MS       60000 /* for before_stop, where no harder mode is due earlier */
#define HAND_EVERY_MS   20
#define EXIT_EVERY_MS   5
#define SLOWLY_AFTER_MS 5000 /* processes that do not die are looked at less often */
#define SLOWLY_MS       500
#define LOOK_EVERY_MS   250 /* at who is left, when a stop takes longer than that */
#define SAY_AFTER_MS    1000
#define TRACE_EVERY_MS  5 /* at the control file, while a stop in a hand-over is young */
#define LAGGARD_MS      500 /* for standbys other than the successor */

enum { S_HAND = 0, S_SCRIPT, S_SIGNAL, S_CONTROL, S_READ };

struct stop {
	bool told;            /* the signal of `mode` was sent */
	enum stop_mode mode;
	int64_t told_at_ms;
	int64_t clients_gone_at_ms;
	int64_t only_laggards_since_ms; /* 0: somebody else is left too */
	bool cut_short;
	char said[ERR_MSG_MAX];
	int64_t killing_since_ms;
	int64_t warned_at_ms;
	struct pgproc receiver; /* the walsender that sends to the successor; pid 0: not watched */
	struct loop_source *receiver_source;
};

static bool due(int64_t at_ms)
{
	return at_ms > 0 && loop_now_ms() >= at_ms;
}

/* The mode that the request and the clock ask for now. */
static enum stop_mode mode_now(const struct pgwork *work)
{
	const struct pg_req *req = &work->req;
	const struct stop *stop = work->data;

	if (req->stop == STOP_KILL || due(req->kill_at_ms))
		return STOP_KILL;
	if (req->stop == STOP_IMMEDIATE || due(req->immediate_at_ms) || stop->cut_short)
		return STOP_IMMEDIATE;
	return STOP_FAST;
}

/* -- the other operation ------------------------------------------------------------------ */

static int step_hand(struct pgwork *work, struct err *err _unused_)
{
	struct pg *pg = work->pg;

	if (!pg->life.shut)
		pg->state.run = PG_STOPPING;
	if (!pg->hand)
		return PGWORK_NEXT;
	pgwork_cancel(pg->hand, ERR_CANCELED, "interrupted by a stop");
	/* A child of it that cannot die must not keep Postgres alive. */
	if (mode_now(work) == STOP_KILL)
		return PGWORK_NEXT;
	return pgwork_again_in(work, HAND_EVERY_MS);
}

/* -- before_stop -------------------------------------------------------------------------- */

static int step_script(struct pgwork *work, struct err *err)
{
	const char *script = work->pg->config->pg.before_stop;
	int64_t until_ms = loop_now_ms() + SCRIPT_MS;

	work->result = 0;
	pgwatch_look(work->pg);
	if (!script || !pgwatch_runs(work->pg) || mode_now(work) == STOP_KILL)
		return PGWORK_NEXT;
	if (work->req.immediate_at_ms > 0)
		until_ms = MIN_OF(until_ms, work->req.immediate_at_ms);
	if (work->req.kill_at_ms > 0)
		until_ms = MIN_OF(until_ms, work->req.kill_at_ms);
	pgwork_tolerate(work);
	return pgtool_command(work, "before_stop", script, NULL, until_ms, err);
}

/* -- the successor ------------------------------------------------------------------------ */

static void receiver_done(struct stop *stop)
{
	loop_source_freep(&stop->receiver_source);
	pgproc_done(&stop->receiver);
}

/* It ends once the shutdown checkpoint has been received there; the postmaster lives on for 20 ms
 * and more, and as long as its archiver does. */
static void on_receiver_end(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	struct pgwork *work = ctx;

	receiver_done(work->data);
	if (pgwatch_shut(work->pg))
		log_debug("Postgres has shut down, and the successor has everything");
}

/* Without it the end of the postmaster tells the same a little later. */
static void watch_receiver(struct pgwork *work)
{
	struct stop *stop = work->data;
	struct err err = { 0 };

	if (work->req.receiver_pid == 0 || stop->receiver_source)
		return;
	stop->receiver.pidfd = -1;
	if (pgproc_open(work->pg->config->pg.data_dir, (pid_t)work->req.receiver_pid,
			&stop->receiver, &err) != 0)
		return;
	if (loop_fd_new(work->pg->loop, "walsender", stop->receiver.pidfd, LOOP_READ,
			on_receiver_end, work, &stop->receiver_source, &err) < 0) {
		log_debug("the successor's walsender is not watched: %s", err.msg);
		receiver_done(stop);
		return;
	}
	loop_rank(stop->receiver_source, LOOP_FIRST);
}

static void forget(void *data)
{
	struct stop *stop = data;

	if (stop->receiver_source)
		receiver_done(stop);
}

/* -- signals ------------------------------------------------------------------------------ */

static int tell(struct pgwork *work, int signo, const char *how, struct err *err)
{
	struct stop *stop = work->data;
	struct pg *pg = work->pg;

	stop->told = true;
	stop->told_at_ms = loop_now_ms();
	log_info("stopping Postgres, %s", how);
	if (child_pidfd_signal(pg->life.proc.pidfd, signo) < 0 && pgwatch_runs(pg))
		return err_set(err, ERR_IO, "cannot signal the postmaster");
	return 0;
}

/* -- what it waits for -------------------------------------------------------------------- */

/* Nobody is left but standbys that the successor's success does not depend on. */
static bool only_laggards(const struct pgwork *work, const struct pgleft *left)
{
	return work->req.receiver_pid != 0 && !left->receiver && left->walsenders > 0 &&
	       left->clients == 0 && !left->archiver && left->shut_down;
}

static void weigh(struct pgwork *work, const struct pgleft *left)
{
	struct stop *stop = work->data;
	int64_t now_ms = loop_now_ms();

	if (!only_laggards(work, left)) {
		stop->only_laggards_since_ms = 0;
		return;
	}
	if (stop->only_laggards_since_ms == 0)
		stop->only_laggards_since_ms = now_ms;
	if (now_ms - stop->only_laggards_since_ms < LAGGARD_MS)
		return;
	stop->cut_short = true;
	log_notice("Postgres has shut down and the successor has everything; what other standbys "
		   "lack they get from it: %s not waited for any longer", work->text);
}

/* What is known of the reason stays, for the answer and for the mode that follows. */
static void look(struct pgwork *work)
{
	struct stop *stop = work->data;
	struct pgleft left;
	int64_t since_ms = loop_now_ms() - stop->told_at_ms;

	if (since_ms < LOOK_EVERY_MS ||
	    pgleft_look(work->pg->config->pg.data_dir, work->pg->config->scope,
			work->req.receiver_pid, &left, NULL) < 0)
		return;
	pgleft_text(&left, work->text, sizeof(work->text));
	weigh(work, &left);
	if (since_ms < SAY_AFTER_MS || work->text[0] == '\0' || str_eq(work->text, stop->said))
		return;
	str_clip(stop->said, sizeof(stop->said), work->text);
	log_notice("the stop of Postgres waits for %s", work->text);
}

static void say_harder(const struct pgwork *work, const char *how)
{
	const struct stop *stop = work->data;

	if (stop->told_at_ms == 0 || stop->cut_short)
		return;
	log_warning("Postgres has not ended in %lld ms and waits for %s: %s",
		    (long long)(loop_now_ms() - stop->told_at_ms),
		    work->text[0] != '\0' ? work->text : "nobody that can be seen", how);
}

/* For the trace of a hand-over: nothing waits for this. */
static bool clients_may_be_left(const struct pgwork *work)
{
	const struct stop *stop = work->data;

	return stop->clients_gone_at_ms == 0 && work->req.receiver_pid != 0;
}

static void look_for_clients(struct pgwork *work)
{
	struct stop *stop = work->data;

	if (clients_may_be_left(work) &&
	    pgcontrol_says_shutting_down(work->pg->config->pg.data_dir))
		stop->clients_gone_at_ms = loop_now_ms();
}

static void answer(struct pgwork *work, struct event *event)
{
	const struct stop *stop = work->data;

	event->clients_gone_at_ms = stop->clients_gone_at_ms;
}

/* -- signals, one after the other --------------------------------------------------------- */

/* When the next harder mode is due, or a look at processes. */
static int64_t next_look_ms(const struct pgwork *work, enum stop_mode mode)
{
	const struct pg_req *req = &work->req;
	const struct stop *stop = work->data;
	int64_t now_ms = loop_now_ms();
	int64_t at_ms = now_ms + (mode == STOP_FAST ? LOOK_EVERY_MS : 1000);

	if (mode == STOP_FAST && clients_may_be_left(work) &&
	    now_ms - stop->told_at_ms < LOOK_EVERY_MS)
		at_ms = now_ms + TRACE_EVERY_MS;

	if (mode == STOP_FAST && req->immediate_at_ms > now_ms)
		at_ms = MIN_OF(at_ms, req->immediate_at_ms);
	if (req->kill_at_ms > now_ms)
		at_ms = MIN_OF(at_ms, req->kill_at_ms);
	return at_ms - now_ms;
}

static int kill_all(struct pgwork *work, struct err *err)
{
	struct stop *stop = work->data;
	int64_t now_ms = loop_now_ms();
	int n = pgproc_kill_round(work->pg->config->pg.data_dir, 0, err);

	if (n < 0)
		return n;
	if (n == 0 && !pgwatch_runs(work->pg))
		return PGWORK_NEXT;
	if (stop->killing_since_ms == 0)
		stop->killing_since_ms = now_ms;
	if (now_ms - stop->killing_since_ms < SLOWLY_AFTER_MS)
		return pgwork_again_in(work, KILL_EVERY_MS);
	if (now_ms - stop->warned_at_ms > 60000) {
		stop->warned_at_ms = now_ms;
		log_warning("%d processes of Postgres do not die, perhaps waiting for a disk", n);
	}
	return pgwork_again_in(work, SLOWLY_MS);
}

static int step_signal(struct pgwork *work, struct err *err)
{
	struct stop *stop = work->data;
	enum stop_mode mode = mode_now(work);
	int rc = 0;

	pgwatch_look(work->pg);
	if (!pgwatch_runs(work->pg))
		return kill_all(work, err);
	if (stop->told && stop->mode == STOP_FAST) {
		look_for_clients(work);
		look(work);
		mode = mode_now(work);
	}
	if (mode != stop->mode) {
		stop->mode = mode;
		stop->told = false;
	}
	switch (mode) {
	case STOP_FAST:
		if (stop->told)
			break;
		watch_receiver(work);
		rc = tell(work, SIGINT, "fast", err);
		break;
	case STOP_IMMEDIATE:
		if (!stop->told)
			say_harder(work, "it is stopped without further waiting");
		if (!stop->told)
			rc = tell(work, SIGQUIT, "immediately", err);
		break;
	case STOP_KILL:
	case STOP__MAX:
		if (!stop->told)
			say_harder(work, "every process of it is killed");
		if (!stop->told)
			log_info("stopping Postgres by killing its processes");
		stop->told = true;
		return kill_all(work, err);
	}
	return rc < 0 ? rc : pgwork_again_in(work, next_look_ms(work, mode));
}

/* -- afterwards --------------------------------------------------------------------------- */

/* The end of WAL is what a hand-over needs next. */
static int step_control(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;
	bool stale;

	if (pgwatch_exit_pending(pg))
		return pgwork_again_in(work, EXIT_EVERY_MS);
	pgwatch_look(pg);
	/* Somebody else started it again meanwhile. */
	if (pg->state.run != PG_DOWN) {
		pgwork_jump(work, S_SIGNAL);
		return PGWORK_NEXT;
	}
	stale = pgwatch_control_stale(pg);
	/* Also where it looks as it was: what a primary did last may have left no other time. */
	if (pg->state.dir == DIR_PRESENT && pgwatch_control_reread(pg)) {
		pg->state.timeline = pg->state.control_timeline;
		return PGWORK_DONE;
	}
	if (pg->state.dir != DIR_PRESENT || !stale) {
		pgwatch_control_apply(pg);
		return PGWORK_DONE;
	}
	pgwork_tolerate(work);
	return pgtool_control(work, pg->config->pg.data_dir, err);
}

static int step_read(struct pgwork *work, struct err *err _unused_)
{
	struct pgcontrol control;
	int rc = pgtool_control_read(work, &control, NULL);

	pgwatch_control_keep(work->pg, &work->control_seen, rc == 0 ? &control : NULL);
	work->pg->state.timeline = work->pg->state.control_timeline;
	return PGWORK_DONE;
}

static const struct pgwork_step steps[] = {
	[S_HAND] = { "end the running operation", step_hand },
	[S_SCRIPT] = { "before_stop", step_script },
	[S_SIGNAL] = { "stop", step_signal },
	[S_CONTROL] = { "pg_controldata", step_control },
	[S_READ] = { "control file", step_read },
	{ NULL, NULL },
};

const struct pgwork_kind pgstop_kind = {
	.steps = steps,
	.data_size = sizeof(struct stop),
	.data_done = forget,
	.answer = answer,
};
