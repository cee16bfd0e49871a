/* SPDX-License-Identifier: PostgreSQL */
/*
 * drillload - writers of a drill: who was acknowledged what, and when nobody was
 */
#include "cli/drillload.h"

#include <stdlib.h>

#include "base/str.h"

#define PACE_MS      10  /* between two rows: enough to see an outage, no load to speak of */
#define AGAIN_MS     20  /* before the next attempt to connect */
#define CONNECT_MS   1500
#define STATEMENT_MS 1500
#define FOUND        0x80

static const struct sql insert = {
	.name = "drill",
	.text = "INSERT INTO " DRILLLOAD_TABLE " (writer, seq) VALUES ($1, $2)",
	.kind = SQL_QUERY,
	.nparams = 2,
};

static void go_on_in(struct drillload_writer *w, int64_t ms)
{
	if (!w->load->stopped)
		loop_timer_at(w->timer, loop_now_ms() + ms);
}

static void acknowledged(struct drillload_writer *w)
{
	struct drillload *load = w->load;
	const int64_t now_ms = loop_now_ms();
	const int64_t from_ms = MAX_OF(load->last_ack_ms, load->marked_ms);

	w->fates[w->row] = FATE_ACKNOWLEDGED;
	w->acknowledged++;
	if (load->marked_ms != 0 && now_ms - from_ms > load->gap_ms) {
		load->gap_ms = now_ms - from_ms;
		load->gap_from_ms = from_ms;
	}
	load->last_ack_ms = now_ms;
}

static void note_failure(struct drillload *load, const struct err *err)
{
	load->newest = *err;
	if (load->marked_ms != 0)
		load->failed_at_ms = loop_now_ms();
}

static void on_written(void *ctx, int result, const struct err *err)
{
	struct drillload_writer *w = ctx;

	if (result == 0) {
		acknowledged(w);
		go_on_in(w, PACE_MS);
		return;
	}
	note_failure(w->load, err);
	/* The server itself said no: then the row is not there. */
	if (err->code == ERR_SQL && str_starts(err->sqlstate, "25")) {
		w->refused++;
		w->fates[w->row] = FATE_NONE;
	} else {
		w->unknown++;
		w->fates[w->row] = FATE_UNKNOWN;
	}
	pgconn_close(w->conn);
	go_on_in(w, AGAIN_MS);
}

static void write_row(struct drillload_writer *w)
{
	_cleanup_(freep) char *number = NULL;
	_cleanup_(freep) char *row = NULL;
	const struct pgconn_call call = { .done = on_written, .ctx = w };
	const char *values[2];

	if (w->row + 1 >= DRILLLOAD_ROWS_MAX)
		return;
	w->row++;
	number = str_dupf("%d", w->number);
	row = str_dupf("%lld", (long long)w->row);
	values[0] = number;
	values[1] = row;
	w->fates[w->row] = FATE_UNKNOWN;
	pgconn_exec(w->conn, &insert, values, loop_now_ms() + STATEMENT_MS, &call);
}

static void on_connected(void *ctx, int result, const struct err *err)
{
	struct drillload_writer *w = ctx;

	if (result == 0) {
		write_row(w);
		return;
	}
	note_failure(w->load, err);
	go_on_in(w, AGAIN_MS);
}

static void on_timer(void *ctx)
{
	struct drillload_writer *w = ctx;

	if (w->load->stopped)
		return;
	if (pgconn_idle(w->conn))
		write_row(w);
	else if (pgconn_closed(w->conn))
		pgconn_open(w->conn, w->load->params, w->load->nparams,
			    loop_now_ms() + CONNECT_MS, on_connected, w);
}

int drillload_start(struct drillload *load, struct loop *loop, const struct pgconn_param *params,
		    size_t nparams, int nwriters, struct err *err)
{
	int r = 0;

	*load = (struct drillload){ .loop = loop, .params = params, .nparams = nparams };
	for (int i = 0; r >= 0 && i < nwriters && i < DRILLLOAD_WRITERS_MAX; i++) {
		struct drillload_writer *w = &load->writers[i];

		w->load = load;
		w->number = i;
		w->fates = mem_new(DRILLLOAD_ROWS_MAX, sizeof(*w->fates));
		load->nwriters++;
		r = pgconn_new(loop, &w->conn, err);
		if (r >= 0)
			r = loop_timer_new(loop, "drill writer", on_timer, w, &w->timer, err);
		if (r >= 0)
			loop_timer_at(w->timer, loop_now_ms());
	}
	return r;
}

void drillload_mark(struct drillload *load)
{
	load->marked_ms = loop_now_ms();
	load->gap_ms = 0;
	load->gap_from_ms = 0;
}

void drillload_stop(struct drillload *load)
{
	load->stopped = true;
	for (int i = 0; i < load->nwriters; i++) {
		loop_timer_off(load->writers[i].timer);
		pgconn_close(load->writers[i].conn);
	}
}

void drillload_done(struct drillload *load)
{
	for (int i = 0; i < load->nwriters; i++) {
		pgconn_free(load->writers[i].conn);
		loop_source_free(load->writers[i].timer);
		free(load->writers[i].fates);
	}
	load->nwriters = 0;
}

int64_t drillload_acknowledged(const struct drillload *load)
{
	int64_t n = 0;

	for (int i = 0; i < load->nwriters; i++)
		n += load->writers[i].acknowledged;
	return n;
}

int64_t drillload_unknown(const struct drillload *load)
{
	int64_t n = 0;

	for (int i = 0; i < load->nwriters; i++)
		n += load->writers[i].unknown;
	return n;
}

void drillload_found(struct drillload *load, int64_t writer, int64_t row)
{
	if (writer < 0 || writer >= load->nwriters || row <= 0 || row >= DRILLLOAD_ROWS_MAX)
		return;
	load->writers[writer].fates[row] |= FOUND;
}

int64_t drillload_lost(const struct drillload *load)
{
	int64_t n = 0;

	for (int i = 0; i < load->nwriters; i++)
		for (int64_t row = 1; row <= load->writers[i].row; row++)
			n += load->writers[i].fates[row] == FATE_ACKNOWLEDGED;
	return n;
}
