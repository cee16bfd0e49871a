/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgwork - a request to the local Postgres as a chain of steps
 */
#include "io/pgwork.h"

#include <assert.h>
#include <stdlib.h>

#include "base/str.h"
#include "io/pgdoor.h"

static void finish(struct pgwork *work, struct pgwork **place, int result, const struct err *err)
{
	struct pg *pg = work->pg;
	struct event event = {
		.type = work->event,
		.at_ms = loop_now_ms(),
		.ticket = work->ticket,
		.result = result,
		.err = result < 0 ? err : NULL,
		.text = work->text,
	};

	/* Out of its place first: the answer may bring the next request. */
	*place = NULL;
	loop_timer_off(work->deadline);
	loop_timer_off(work->timer);
	if (result < 0 && work->kind->failed)
		work->kind->failed(work, result);
	if (work->kind->answer)
		work->kind->answer(work, &event);
	if (pg->stop && pg->stop != work)
		pgwork_kick(pg->stop);
	pgdoor_tell(pg, &pg->state.vitals);
	event.pg = &pg->state;
	pg->deliver(pg->ctx, &event);
	pgwork_free(work);
}

struct pgwork **pgwork_place(struct pg *pg)
{
	size_t i = 0;

	while (i < PGWORK_OTHERS_MAX && pg->others[i])
		i++;
	assert(i < PGWORK_OTHERS_MAX);
	return &pg->others[i];
}

static struct pgwork **place_of(struct pgwork *work)
{
	struct pg *pg = work->pg;

	if (pg->hand == work)
		return &pg->hand;
	if (pg->stop == work)
		return &pg->stop;
	for (size_t i = 0; i < PGWORK_OTHERS_MAX; i++) {
		if (pg->others[i] == work)
			return &pg->others[i];
	}
	return NULL;
}

static void end(struct pgwork *work, int result, const struct err *err)
{
	struct pgwork **place = place_of(work);
	struct pgwork *nowhere = work;
	struct err copy = { 0 };

	/* err may be part of what the answer frees. A replaced STOP has no place any more. */
	if (err)
		copy = *err;
	finish(work, place ? place : &nowhere, result, &copy);
}

static void run(struct pgwork *work)
{
	/* Each round is a step of the table; going back is only done by steps that wait. */
	for (;;) {
		const struct pgwork_step *step = &work->kind->steps[work->step];
		struct err err = { 0 };
		int rc;

		if (!step->run) {
			end(work, 0, NULL);
			return;
		}
		work->next = work->step + 1;
		rc = step->run(work, &err);
		if (rc == PGWORK_WAIT)
			return;
		if (rc < 0 || rc == PGWORK_DONE) {
			end(work, MIN_OF(rc, 0), &err);
			return;
		}
		work->step = work->next;
	}
}

void pgwork_resume(struct pgwork *work, int result, const struct err *err)
{
	bool tolerate = work->tolerate;

	work->tolerate = false;
	work->abandons = false;
	loop_timer_off(work->timer);
	work->result = result;
	if (err)
		work->err = *err;
	if (work->ending < 0) {
		end(work, work->ending, &work->ending_err);
		return;
	}
	if (result < 0 && !tolerate) {
		end(work, result, err);
		return;
	}
	work->step = work->next;
	run(work);
}

void pgwork_answered(void *ctx, int result, const struct err *err)
{
	pgwork_resume(ctx, result, err);
}

static void on_defer(void *ctx)
{
	struct pgwork *work = ctx;

	if (work->ending < 0)
		end(work, work->ending, &work->ending_err);
	else
		run(work);
}

static void on_timer(void *ctx)
{
	struct pgwork *work = ctx;
	struct err err = { 0 };
	int rc;

	if (work->abandons) {
		child_free(TAKE(work->child));
		work->end = (struct child_end){ .output = "" };
		rc = err_set(&err, ERR_TIMEOUT, "no answer from the disk");
		pgwork_resume(work, rc, &err);
		return;
	}
	work->polls = false;
	run(work);
}

static void on_deadline(void *ctx)
{
	struct pgwork *work = ctx;
	char why[96];

	if (work->kind->answers_late) {
		if (work->kind->shares_conn && work->pg->conn)
			pgconn_close(work->pg->conn);
		end(work, 0, NULL);
		return;
	}
	(void)str_printf(why, sizeof(why), "'%s' was not finished in time",
			 work->kind->steps[work->step].name);
	pgwork_cancel(work, ERR_TIMEOUT, why);
}

static void work_freep(struct pgwork **work)
{
	pgwork_free(*work);
}

int pgwork_begin(struct pg *pg, const struct pgwork_kind *kind, enum event_type event,
		 uint64_t ticket, const struct pg_req *req, struct pgwork **place, struct err *err)
{
	_cleanup_(work_freep) struct pgwork *work = mem_new(1, sizeof(*work));
	int rc;

	work->pg = pg;
	work->kind = kind;
	work->event = event;
	work->ticket = ticket;
	if (req)
		work->req = *req;
	work->data = mem_new(1, MAX_OF(kind->data_size, (size_t)1));
	rc = loop_timer_new(pg->loop, "postgres step", on_timer, work, &work->timer, err);
	if (rc == 0)
		rc = loop_timer_new(pg->loop, "postgres request deadline", on_deadline, work,
				    &work->deadline, err);
	if (rc == 0)
		rc = loop_defer_new(pg->loop, "postgres request", on_defer, work, &work->defer,
				    err);
	if (rc < 0)
		return rc;
	if (work->req.timeout_ms > 0)
		loop_timer_at(work->deadline, loop_now_ms() + work->req.timeout_ms);
	loop_defer(work->defer);
	*place = TAKE(work);
	return 0;
}

void pgwork_cancel(struct pgwork *work, enum err_code code, const char *why)
{
	if (work->ending < 0)
		return;
	work->ending = err_set(&work->ending_err, code, "%s", why);
	loop_timer_off(work->timer);
	loop_timer_off(work->deadline);
	if (work->conn)
		pgconn_close(work->conn);
	if (work->kind->shares_conn && work->pg->conn)
		pgconn_close(work->pg->conn);
	/* A child that changes files is waited for: what comes next must not meet it. */
	if (work->child && child_running(work->child) && !work->kind->answers_late)
		child_stop(work->child);
	else
		loop_defer(work->defer);
}

void pgwork_free(struct pgwork *work)
{
	if (!work)
		return;
	loop_source_free(work->timer);
	loop_source_free(work->deadline);
	loop_source_free(work->defer);
	child_free(work->child);
	if (work->conn && work->conn_usual && pgconn_idle(work->conn) && !work->pg->spare)
		work->pg->spare = TAKE(work->conn);
	pgconn_free(work->conn);
	if (work->data && work->kind->data_done)
		work->kind->data_done(work->data);
	free(work->data);
	free(work);
}

void pgwork_kick(struct pgwork *work)
{
	/* Only a step that waits by pgwork_again_in() may be run again. */
	if (work->polls && work->ending == 0)
		loop_timer_at(work->timer, 0);
}

void pgwork_jump(struct pgwork *work, size_t step)
{
	work->next = step;
}

int pgwork_again_in(struct pgwork *work, int64_t ms)
{
	work->polls = true;
	loop_timer_at(work->timer, loop_now_ms() + ms);
	return PGWORK_WAIT;
}

void pgwork_abandon_in(struct pgwork *work, int64_t ms)
{
	work->abandons = true;
	loop_timer_at(work->timer, loop_now_ms() + ms);
}

void pgwork_tolerate(struct pgwork *work)
{
	work->tolerate = true;
}
