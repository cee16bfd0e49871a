/* SPDX-License-Identifier: PostgreSQL */
/*
 * drillload - writers of a drill: who was acknowledged what, and when nobody was
 *
 * Each writer has one connection that names all members and lets libpq find the primary. It inserts
 * a row, waits for the commit and goes on; when that fails it connects anew. A row whose commit was
 * acknowledged must be there in the end; one whose fate is unknown may be.
 */
#ifndef PGHA_CLI_DRILLLOAD_H
#define PGHA_CLI_DRILLLOAD_H

#include "base/err.h"
#include "core/types.h"
#include "io/loop.h"
#include "io/pgconn.h"

#define DRILLLOAD_WRITERS_MAX 8
#define DRILLLOAD_ROWS_MAX    65536 /* of each writer */
#define DRILLLOAD_TABLE       "public.pgha_drill"

enum drillload_fate { FATE_NONE = 0, FATE_ACKNOWLEDGED, FATE_UNKNOWN };

struct drillload;

struct drillload_writer {
	struct drillload *load;
	int number;
	struct pgconn *conn;
	struct loop_source *timer; /* the next thing it does */
	int64_t row;               /* that is being written; 0 none */
	uint8_t *fates;            /* by row */
	int64_t acknowledged, unknown, refused;
};

struct drillload {
	struct loop *loop;
	const struct pgconn_param *params;
	size_t nparams;
	struct drillload_writer writers[DRILLLOAD_WRITERS_MAX];
	int nwriters;
	bool stopped;
	int64_t last_ack_ms;    /* 0: none yet */
	int64_t gap_from_ms;    /* of the longest time without an acknowledgement since the mark */
	int64_t gap_ms;
	int64_t marked_ms;      /* from when on gaps count; 0: not yet */
	int64_t failed_at_ms;   /* the newest attempt that failed since the mark; 0: none did */
	struct err newest;      /* why */
};

/* params stay the caller's and must stay. */
int drillload_start(struct drillload *load, struct loop *loop, const struct pgconn_param *params,
		    size_t nparams, int nwriters, struct err *err) _must_check_;
/* From now on the longest time without an acknowledgement is looked for. */
void drillload_mark(struct drillload *load);
/* Nothing new is begun; what is under way is of unknown fate. */
void drillload_stop(struct drillload *load);
void drillload_done(struct drillload *load);
int64_t drillload_acknowledged(const struct drillload *load);
int64_t drillload_unknown(const struct drillload *load);
/* A row of the table in the end. */
void drillload_found(struct drillload *load, int64_t writer, int64_t row);
/* Acknowledged rows that were not found. */
int64_t drillload_lost(const struct drillload *load);

#endif
