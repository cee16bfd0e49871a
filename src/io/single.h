/* SPDX-License-Identifier: PostgreSQL */
/*
 * single - no second agent under this member's name
 *
 * Before anything is done in etcd in that name, the own member key is read. Whoever answers GET
 * /liveness at the address in that key is another agent of the same name: then this one ends, as
 * Patroni 4.1.4 does (contract 5.1). Silence means that the key was left behind by an earlier
 * life. A lease is adopted by name, so two agents of one name would be two primaries.
 *
 * While it is not known, requests to etcd are held. That must not keep a Postgres that runs here
 * without an agent because etcd is away, so after SINGLE_WAIT_MS the agent begins without etcd:
 * it can then do what needs no lease, above all end one, and give the promises that a leader needs
 * to go on without etcd.
 */
#ifndef PGHA_IO_SINGLE_H
#define PGHA_IO_SINGLE_H

#include "base/err.h"
#include "core/config.h"
#include "io/etcd.h"
#include "io/http.h"
#include "io/loop.h"

#define SINGLE_WAIT_MS 2000

struct single;

/* The agent may begin, and answer REST: called once, from the loop. When the name is taken, also
 * when that is found out after the agent has begun, the reason is logged and the loop quits with
 * exit code 1. */
struct single_next {
	void *ctx;
	loop_fn begin;
};

/* instance  what REST_INSTANCE_HEADER says of ourselves, who listen when the agent has begun; kept
 * known     an earlier life of this boot left its lease page: nothing has to be asked
 * config    needed during the call only */
int single_new(struct loop *loop, struct http *http, struct etcd *etcd,
	       const struct config *config, const char *instance, bool known,
	       const struct single_next *next, struct single **ret, struct err *err) _must_check_;
void single_free(struct single *single);
/* True when the answer was to this module's own question. */
bool single_answered(struct single *single, const struct etcd_answer *answer);

#endif
