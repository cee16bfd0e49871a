/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdoor - whether the local server lets new sessions in
 */
#include "io/pgdoor.h"

#include <limits.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "io/canary.h"
#include "io/pgdial.h"
#include "io/pgwatch.h"

#define EVERY_MS  5000
#define AGAIN_MS  1000 /* after one that was not answered */
#define ANSWER_MS 3000 /* unless retry_timeout says otherwise */
#define SEGMENT_BYTES (16 * 1024 * 1024) /* of WAL, unless the control file says otherwise */

#define TOO_MANY_CLIENTS "53300"

struct pgdoor {
	struct pg *pg;
	struct pgconn *conn;
	bool asking;
	int64_t asked_at_ms;
	int64_t next_at_ms;
	enum pg_door door;
	int64_t since_at_ms;
};

static void become(struct pgdoor *d, enum pg_door door, int64_t since_ms)
{
	bool was_shut = d->door == DOOR_SILENT || d->door == DOOR_STOPPED;
	bool is_shut = door == DOOR_SILENT || door == DOOR_STOPPED;

	/* Stopped or silent: nobody was let in since the first that was not. */
	if (d->door != door && !(was_shut && is_shut))
		d->since_at_ms = since_ms;
	d->door = door;
}

static void answered(struct pgdoor *d, int result, const struct err *err)
{
	int64_t now_ms = loop_now_ms();

	if (result == 0)
		become(d, DOOR_OPEN, now_ms);
	else if (result == -(int)ERR_SQL)
		become(d, str_eq(err->sqlstate, TOO_MANY_CLIENTS) ? DOOR_FULL : DOOR_OPEN, now_ms);
	else if (result == -(int)ERR_TIMEOUT)
		become(d, DOOR_SILENT, d->asked_at_ms);
	else if (d->door != DOOR_SILENT && d->door != DOOR_STOPPED)
		become(d, DOOR_CLOSED, d->asked_at_ms);
	/* Else: who does not accept is soon refused by the kernel, for want of room. */
	d->next_at_ms = now_ms + (d->door == DOOR_OPEN ? EVERY_MS : AGAIN_MS);
	if (d->door != DOOR_OPEN && err)
		log_debug("a new connection to Postgres: %s", err->msg);
}

static void on_answer(void *ctx, int result, const struct err *err)
{
	struct pgdoor *d = ctx;

	d->asking = false;
	answered(d, result, err);
	pgconn_close(d->conn);
}

static int64_t answer_ms(const struct pg *pg)
{
	int64_t ms = pg->config->ha.retry_timeout_ms;

	return ms > 0 ? ms : ANSWER_MS;
}

static void ask(struct pgdoor *d)
{
	int64_t wait_ms = answer_ms(d->pg);

	d->asked_at_ms = loop_now_ms();
	d->asking = true;
	pgdial_knock(d->pg, d->conn, d->asked_at_ms + wait_ms, on_answer, d);
}

static void close_conn(struct pgdoor *d)
{
	d->asking = false;
	pgconn_close(d->conn);
}

static struct pgdoor *door_of(struct pg *pg)
{
	struct err err = { 0 };

	if (pg->door)
		return pg->door;
	pg->door = mem_new(1, sizeof(*pg->door));
	pg->door->pg = pg;
	if (pgconn_new(pg->loop, &pg->door->conn, &err) < 0) {
		log_warning("new connections to Postgres cannot be tried: %s", err.msg);
		pgdoor_free(TAKE(pg->door));
	}
	return pg->door;
}

static bool is_ready(const struct pg *pg)
{
	enum pgproc_status status = pg->life.file.status;

	return pgwatch_runs(pg) && !pg->life.unborn && !pg->stop &&
	       (status == PGPROC_READY || status == PGPROC_STANDBY);
}

static void look_at_disk(struct pg *pg)
{
	uint32_t segment = pg->control_known ? pg->control.wal_segment_bytes : 0;
	char dir[PATH_MAX];

	if (!pg->canary)
		pg->canary = canary_new();
	if (str_printf(dir, sizeof(dir), "%s/pg_wal", pg->config->pg.data_dir) > 0)
		canary_look(pg->canary, dir, segment > 0 ? segment : SEGMENT_BYTES,
			    answer_ms(pg));
}

void pgdoor_look(struct pg *pg)
{
	struct pgdoor *d = door_of(pg);
	int64_t now_ms = loop_now_ms();

	look_at_disk(pg);
	if (!d)
		return;
	if (!is_ready(pg)) {
		pgdoor_forget(pg);
		return;
	}
	/* Connections to it would only fill the queue of its socket. */
	if (pgproc_stopped(&pg->life.proc)) {
		close_conn(d);
		become(d, DOOR_STOPPED, now_ms);
		d->next_at_ms = 0;
		return;
	}
	if (d->door == DOOR_STOPPED)
		become(d, DOOR_SILENT, now_ms);
	if (!d->asking && now_ms >= d->next_at_ms)
		ask(d);
}

void pgdoor_forget(struct pg *pg)
{
	struct pgdoor *d = pg->door;

	if (!d)
		return;
	close_conn(d);
	d->next_at_ms = 0;
	become(d, DOOR_UNKNOWN, loop_now_ms());
}

void pgdoor_tell(const struct pg *pg, struct vitals *ret)
{
	*ret = (struct vitals){ 0 };
	if (pg->canary)
		canary_tell(pg->canary, ret);
	if (!pg->door)
		return;
	ret->door = pg->door->door;
	ret->door_since_at_ms = pg->door->since_at_ms;
}

void pgdoor_free(struct pgdoor *door)
{
	if (!door)
		return;
	pgconn_free(door->conn);
	free(door);
}
