/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdial - how to reach the local server and others; for the pg modules only
 *
 * Names are resolved by a child, because the C library's resolver blocks; addresses go to libpq
 * as hostaddr, the name beside it for certificates and the password file.
 */
#ifndef PGHA_IO_PGDIAL_H
#define PGHA_IO_PGDIAL_H

#include "io/pgquery.h"
#include "io/pgwork.h"

#define PGDIAL_CONNECT_MS 3000
#define PGDIAL_STATEMENT_MS 2000

/* Opens `conn` to the local server: as superuser, or with the replication protocol as the
 * replication user. statement_ms: the server's own limit; 0 none. */
void pgdial_local(struct pg *pg, struct pgconn *conn, bool replication, int64_t statement_ms,
		  int64_t deadline_ms, pgconn_fn done, void *ctx);

/* Whether a refusal was about settings that only a superuser may make: they are left out from then
 * on, as long as the role is the same, and it can be tried again. */
bool pgdial_turns_plain(struct pg *pg, const struct err *err);

/* The same without a password, for who wants to know no more than whether anybody answers: no key
 * has to be derived, and a server that asks for a password (28P01) has answered. */
void pgdial_knock(struct pg *pg, struct pgconn *conn, int64_t deadline_ms, pgconn_fn done,
		  void *ctx);

/* Whether it was opened as the role that is configured now. */
bool pgdial_is_ours(const struct pg *pg, const struct pgconn *conn);

/* Opens the spare connection if there is none, without waiting for it. */
void pgdial_spare(struct pg *pg);

/* -- steps of a chain, on work->conn ------------------------------------------------------ */

/* As superuser to the local server; with PGDIAL_STATEMENT_MS it may be the spare one. */
int pgdial_step_local(struct pgwork *work, int64_t statement_ms, struct err *err);
/* The upstream's host becomes work->hostaddr. */
int pgdial_resolve(struct pgwork *work, struct err *err);
/* To work->req.upstream, after pgdial_resolve() was a step. Bounded by PGDIAL_CONNECT_MS. */
int pgdial_step_upstream(struct pgwork *work, const struct auth *auth, bool replication,
			 int64_t statement_ms, struct err *err);
/* What a statement on work->conn begins with; its answer goes to the next step. */
struct pgquery pgdial_query(struct pgwork *work, int64_t timeout_ms);

/* The conninfo of the upstream for programs, without a password. dbname may be NULL. */
void pgdial_conninfo(struct pgwork *work, const struct auth *auth, const char *dbname,
		     struct buf *ret);
/* The conninfo of the local server for the superuser's programs, without a password. */
void pgdial_local_conninfo(struct pg *pg, struct buf *ret);
/* Writes the password file for the followed upstream and, unless NULL, another one. */
int pgdial_pgpass(struct pg *pg, const struct upstream *up, struct err *err) _must_check_;
const struct auth *pgdial_rewind_auth(const struct pg *pg);

#endif
