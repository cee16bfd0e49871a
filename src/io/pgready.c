/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgready - does the local server answer a query at this moment?
 */
#include "io/pgready.h"

#include <assert.h>
#include <stdlib.h>

#include "base/str.h"
#include "io/pgdial.h"
#include "io/pgwatch.h"

#define KEEP_MS 30000 /* a connection that nobody asks over */

struct pgready {
	struct pg *pg;
	struct pgconn *conn;
	struct loop_source *timer; /* of KEEP_MS */
	pgready_fn done;           /* NULL: nobody asks */
	void *ctx;
	int64_t asked_at_ms;
	int64_t deadline_ms;
	bool kept; /* the connection is of an earlier question, and may be dead */
	bool in_recovery;
};

static void finish(struct pgready *r, int result, const char *why)
{
	struct rest_db answer = { .answered = result == 0,
				  .in_recovery = r->in_recovery,
				  .took_ms = loop_now_ms() - r->asked_at_ms };
	pgready_fn done = TAKE(r->done);

	str_clip(answer.why, sizeof(answer.why), why);
	if (result == 0)
		loop_timer_at(r->timer, loop_now_ms() + KEEP_MS);
	else
		pgconn_close(r->conn);
	done(r->ctx, &answer);
}

static void dial(struct pgready *r);

static void on_answer(void *ctx, int result, const struct err *err)
{
	struct pgready *r = ctx;

	if (result < 0 && r->kept && loop_now_ms() < r->deadline_ms) {
		dial(r);
		return;
	}
	finish(r, result, result < 0 ? err->msg : "");
}

static void query(struct pgready *r)
{
	struct pgquery q = { .conn = r->conn, .deadline_ms = r->deadline_ms,
			     .done = on_answer, .ctx = r };

	pgquery_in_recovery(&q, &r->in_recovery);
}

static void on_open(void *ctx, int result, const struct err *err)
{
	struct pgready *r = ctx;

	if (result < 0)
		finish(r, result, err->msg);
	else
		query(r);
}

static void dial(struct pgready *r)
{
	r->kept = false;
	pgdial_local(r->pg, r->conn, false, PGDIAL_STATEMENT_MS, r->deadline_ms, on_open, r);
}

static void on_keep(void *ctx)
{
	struct pgready *r = ctx;

	if (!r->done)
		pgconn_close(r->conn);
}

static int make(struct pg *pg, struct err *err)
{
	struct pgready *r;
	int rc;

	if (pg->ready)
		return 0;
	r = mem_new(1, sizeof(*r));
	r->pg = pg;
	rc = pgconn_new(pg->loop, &r->conn, err);
	if (rc == 0)
		rc = loop_timer_new(pg->loop, "ready", on_keep, r, &r->timer, err);
	if (rc < 0) {
		pgready_free(r);
		return rc;
	}
	pg->ready = r;
	return 0;
}

void pgready_ask(struct pg *pg, int64_t deadline_ms, pgready_fn done, void *ctx)
{
	struct rest_db none = { .why = "no postmaster runs" };
	struct err err = { 0 };
	struct pgready *r;

	if (make(pg, &err) < 0)
		str_clip(none.why, sizeof(none.why), err.msg);
	if (!pg->ready || !pg->config || !pgwatch_runs(pg)) {
		done(ctx, &none);
		return;
	}
	r = pg->ready;
	assert(!r->done);
	r->done = done;
	r->ctx = ctx;
	r->asked_at_ms = loop_now_ms();
	r->deadline_ms = deadline_ms;
	r->kept = pgconn_idle(r->conn);
	loop_timer_off(r->timer);
	if (r->kept)
		query(r);
	else
		dial(r);
}

void pgready_forget(struct pg *pg)
{
	struct pgready *r = pg->ready;

	if (!r)
		return;
	/* Who waits hears that there will be no answer. */
	if (r->done)
		pgconn_lost(r->conn);
	else
		pgconn_close(r->conn);
}

void pgready_free(struct pgready *ready)
{
	if (!ready)
		return;
	pgconn_free(ready->conn);
	loop_source_free(ready->timer);
	free(ready);
}
