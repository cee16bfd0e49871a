/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgready - does the local server answer a query at this moment?
 *
 * For who asks the member whether it is ready. The connection is kept for a while between
 * questions, because opening one costs the server a process and the loop the derivation of a key;
 * one that turns out to be dead is replaced within the same question.
 */
#ifndef PGHA_IO_PGREADY_H
#define PGHA_IO_PGREADY_H

#include "io/pg.h"

struct pgready;

typedef void (*pgready_fn)(void *ctx, const struct rest_db *answer);

/* Answered by done, at the deadline at the latest; maybe from inside the call. Never while an
 * earlier question is under way. */
void pgready_ask(struct pg *pg, int64_t deadline_ms, pgready_fn done, void *ctx);
/* That life of the postmaster is over. For the pg modules, as the next one. */
void pgready_forget(struct pg *pg);
void pgready_free(struct pgready *ready); /* NULL is fine */

#endif
