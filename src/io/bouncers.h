/* SPDX-License-Identifier: PostgreSQL */
/*
 * bouncers - the admin consoles of PgBouncers: PAUSE, and RESUME
 *
 * All of them at once, each on a connection of its own with its own deadline: one that is dead,
 * hangs or refuses the password costs no more than that, and is named in the log. Where clients go
 * on because there is a new primary, the operator's command points the PgBouncers at it first; then
 * they read their configuration again and replace their connections.
 */
#ifndef PGHA_IO_BOUNCERS_H
#define PGHA_IO_BOUNCERS_H

#include "agent/port.h"
#include "base/err.h"
#include "io/loop.h"
#include "io/resolve.h"

struct bouncers;

/* From the loop, once for each run. result 0: every console did it; else -err_code of one. */
typedef void (*bouncers_fn)(void *ctx, uint64_t ticket, int result, const struct err *err);

int bouncers_new(struct loop *loop, struct resolve *resolve, bouncers_fn done, void *ctx,
		struct bouncers **ret, struct err *err) _must_check_;
void bouncers_free(struct bouncers *bouncers);
/* Copies what it needs. */
void bouncers_configure(struct bouncers *bouncers, const struct config *config);
/* Only when the answer to the one before has come. */
void bouncers_run(struct bouncers *bouncers, uint64_t ticket, const struct pooler_req *req);

#endif
