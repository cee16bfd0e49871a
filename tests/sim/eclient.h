/* SPDX-License-Identifier: PostgreSQL */
/*
 * eclient - a node's way to etcd: attempts over endpoints, as io/etcd makes them
 *
 * One call of the agent becomes one or more attempts; each remembers when it left. The first
 * usable answer wins and is reported with the send time of its own attempt. An attempt that was
 * given up may still be executed by etcd.
 */
#ifndef PGHA_SIM_ECLIENT_H
#define PGHA_SIM_ECLIENT_H

#include "modeletcd.h"

struct ecall {
	uint64_t id; /* 0: unused */
	uint64_t ticket;
	uint64_t life;
	uint32_t node;
	uint32_t next_member;
	uint32_t attempts;
	uint32_t open;    /* attempts without an answer */
	int64_t newest_sent_ms;
	int64_t deadline_us;
	int64_t patience_us; /* then the next endpoint is tried as well */
	struct etcd_req req;
};

#define ECALLS_MAX 256

struct eclient {
	uint64_t next_id;
	struct ecall calls[ECALLS_MAX];
	uint32_t preferred[8]; /* by node: the endpoint that answered last */
};

void eclient_done(struct world *world);
void eclient_call(struct world *world, uint32_t node, uint64_t ticket, const struct etcd_req *req);
/* The member has executed the attempt; takes both over. */
void eclient_answer(struct world *world, struct eattempt *attempt, struct etcd_rep *rep);
/* Nothing listens there; takes the attempt over. */
void eclient_refused(struct world *world, struct eattempt *attempt);
/* The agent of this node is gone: nobody waits for its calls. */
void eclient_forget(struct world *world, uint32_t node);

#endif
