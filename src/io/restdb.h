/* SPDX-License-Identifier: PostgreSQL */
/*
 * restdb - the question of GET /ready/db: one for all who ask
 *
 * The thread suspends who asks and has the loop ask Postgres, unless it is asking already; the
 * answer goes to all who wait then. Everybody is answered after REST_DB_MS at the latest, by the
 * thread's own clock: the loop may be what is stuck. For rest.c and restserve.c only.
 */
#ifndef PGHA_IO_RESTDB_H
#define PGHA_IO_RESTDB_H

#include "io/restconns.h"

/* ---- the loop's side ---- */

struct restdb {
	struct loop_source *timer; /* until the next question may begin */
	rest_ask_fn ask;           /* NULL: nobody can be asked */
	void *ctx;
	bool asking;
	int64_t asked_at_ms; /* the newest question; 0 none */

	/* behind the lock of struct rest */
	bool wanted;
	bool answered;
	struct rest_db answer;
};

int restdb_init(struct restdb *db, struct loop *loop, struct err *err) _must_check_;
void restdb_done(struct restdb *db);
/* Somebody wants to know. */
void restdb_want(struct restdb *db);

/* ---- the thread's side ---- */

struct restdb_asker {
	struct MHD_Connection *connection; /* NULL: does not wait */
	int64_t until_ms;
	bool done; /* answered, or given up */
	struct rest_db answer;
};

struct restdb_askers {
	bool asked; /* the loop was told, and has not answered */
	struct restdb_asker *items[REST_ASKERS_MAX]; /* NULL where free */
};

/* Suspends the connection; false: too many wait. *asker lives until it is done. */
bool restdb_wait(struct restdb_askers *askers, struct restdb_asker *asker,
		 struct MHD_Connection *connection);
/* Resumes all: their requests are handled again. */
void restdb_answer(struct restdb_askers *askers, const struct rest_db *answer);
/* Resumes those whose time is over. */
void restdb_sweep(struct restdb_askers *askers);
int restdb_wait_ms(const struct restdb_askers *askers); /* -1 for ever */

#endif
