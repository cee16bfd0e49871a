/* SPDX-License-Identifier: PostgreSQL */
/*
 * single - no second agent under this member's name
 *
 * Before the agent begins, its own member key is read. Whoever answers GET /liveness at the
 * address in that key is another agent of the same name: then this one ends, as Patroni 4.1.4
 * does (contract 5.1). Silence means that the key was left behind by an earlier life. The check
 * is bounded: a Postgres that runs here must not stay without an agent because etcd is away.
 */
#ifndef PGHA_IO_SINGLE_H
#define PGHA_IO_SINGLE_H

#include "base/err.h"
#include "core/config.h"
#include "io/etcd.h"
#include "io/http.h"
#include "io/loop.h"

struct single;

/* clear is called once, from the loop, when the agent may begin; when it may not, the reason is
 * logged and the loop quits with exit code 1.
 * known   an earlier life of this boot left its lease page: nothing has to be asked */
int single_new(struct loop *loop, struct http *http, struct etcd *etcd,
	       const struct config *config, bool known, loop_fn clear, void *ctx,
	       struct single **ret, struct err *err) _must_check_;
void single_free(struct single *single);
/* True when the answer was to this module's own question. */
bool single_answered(struct single *single, const struct etcd_answer *answer);

#endif
