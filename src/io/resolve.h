/* SPDX-License-Identifier: PostgreSQL */
/*
 * resolve - host names to addresses without holding up the loop
 *
 * Answers are kept. One older than RESOLVE_FRESH_MS is still given out while it is looked up
 * again, and one that cannot be renewed stays in use: a name server that is away must not take
 * etcd away. A name that was never found is asked for again after RESOLVE_RETRY_MS.
 */
#ifndef PGHA_IO_RESOLVE_H
#define PGHA_IO_RESOLVE_H

#include "base/err.h"
#include "core/types.h"
#include "io/loop.h"

#define RESOLVE_FRESH_MS  60000
#define RESOLVE_RETRY_MS  2000
#define RESOLVE_HOSTS_MAX 128 /* distinct names kept */
#define RESOLVE_ADDRS_MAX 8   /* addresses of one name */
#define RESOLVE_TEXT_MAX  (RESOLVE_ADDRS_MAX * 48)

struct resolve;
struct resolve_ask;

/* addrs: numeric addresses separated by commas, IPv6 in brackets, in the order to be tried;
 * NULL: not found, *err says why. Called from the loop. */
typedef void (*resolve_fn)(void *ctx, const char *addrs, const struct err *err);

int resolve_new(struct loop *loop, struct resolve **ret, struct err *err) _must_check_;
void resolve_free(struct resolve *resolve); /* after all asks were answered or cancelled */

/* What is known now, or NULL. Starts a look-up where the answer is missing or old. Valid until
 * the loop runs again. A numeric host is its own answer. */
const char *resolve_known(struct resolve *resolve, const char *host);

/* Calls fn once, from the loop. resolve_cancel() before that ends it without a call. NULL when
 * RESOLVE_HOSTS_MAX names are being looked up already. */
struct resolve_ask *resolve_start(struct resolve *resolve, const char *host, resolve_fn fn,
				  void *ctx);
void resolve_cancel(struct resolve_ask *ask);

/* True for an IPv4 or IPv6 address (without brackets). */
bool resolve_is_numeric(const char *host);

#endif
