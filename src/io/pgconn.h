/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgconn - one connection to Postgres, never waited for
 *
 * libpq in its non-blocking form on the loop: connect, one statement at a time, each with a
 * deadline of its own. A deadline that passes closes the connection; the statement's own
 * statement_timeout ends it on the server. Values travel as parameters, never inside the text.
 * Addresses must be literal: resolving a name is done before, see resolve.h.
 */
#ifndef PGHA_IO_PGCONN_H
#define PGHA_IO_PGCONN_H

#include "base/err.h"
#include "io/loop.h"
#include "io/pgrows.h"

#define PGCONN_PARAMS_MAX 40 /* key/value pairs of one connection */
#define PGCONN_ROUND_MAX  4  /* statements of one round */

struct pgconn;

struct pgconn_param {
	const char *key; /* as libpq calls it */
	const char *value; /* NULL or "": left out */
};

/* result: 0, or -err_code with *err set. From the loop, never from inside the call. */
typedef void (*pgconn_fn)(void *ctx, int result, const struct err *err);

/* How an answer is taken. */
struct pgconn_call {
	/* Turns rows into *ret; its failure becomes the result. NULL: rows are not looked at. */
	int (*read)(const struct pgrows *rows, void *ret, struct err *err);
	void *ret; /* stays valid until done was called or the connection is closed */
	pgconn_fn done;
	void *ctx;
};

/* One statement of a round, without parameters, and how its rows are taken. */
struct pgconn_part {
	const struct sql *sql;
	int (*read)(const struct pgrows *rows, void *ret, struct err *err);
	void *ret; /* as above */
};

int pgconn_new(struct loop *loop, struct pgconn **ret, struct err *err) _must_check_;
void pgconn_free(struct pgconn *conn); /* NULL is fine; nothing is called any more */
void pgconn_freep(struct pgconn **conn);

/* Replaces what was open before. ERR_CONNECT: nobody answered; ERR_SQL with err.sqlstate: the
 * server refused, e.g. 57P03 while it starts; ERR_TIMEOUT. */
void pgconn_open(struct pgconn *conn, const struct pgconn_param *params, size_t n,
		 int64_t deadline_ms, pgconn_fn done, void *ctx);
/* Closes at once; a statement under way is dropped and nobody called. */
void pgconn_close(struct pgconn *conn);
/* The server has ended: what is under way fails with ERR_CONNECT, from the loop. */
void pgconn_lost(struct pgconn *conn);
/* Open and no statement under way. */
bool pgconn_idle(const struct pgconn *conn);
/* Neither open nor being opened. */
bool pgconn_closed(const struct pgconn *conn);

/* Whether it is this role's. */
bool pgconn_is_of(const struct pgconn *conn, const char *user);

/* values: sql->nparams texts, NULL for SQL NULL. The connection must be idle. */
void pgconn_exec(struct pgconn *conn, const struct sql *sql, const char *const *values,
		 int64_t deadline_ms, const struct pgconn_call *call);

/* The first n of these statements in one message, which is one transaction; the server keeps their
 * plans. They end with the first that fails, and pgconn_round_read() tells how many did not.
 * A connection has one table of parts for all its rounds: only its `ret` may change. */
void pgconn_round(struct pgconn *conn, const struct pgconn_part *parts, uint32_t n,
		  int64_t deadline_ms, pgconn_fn done, void *ctx);
uint32_t pgconn_round_read(const struct pgconn *conn);

/* What the server reported at connect ("in_hot_standby", "server_version"); NULL: nothing. */
const char *pgconn_parameter(const struct pgconn *conn, const char *name);
int32_t pgconn_server_version(const struct pgconn *conn); /* 150020; 0 when not open */

/* The text that the server stores for a password, so that the password itself is neither sent
 * nor logged. algorithm: "scram-sha-256" or "md5". Heap; NULL with *err on failure. */
char *pgconn_password_verifier(struct pgconn *conn, const char *user, const char *password,
			       const char *algorithm, struct err *err);

#endif
