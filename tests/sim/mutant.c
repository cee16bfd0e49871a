/* SPDX-License-Identifier: PostgreSQL */
/*
 * mutant - safety rules taken away at the port boundary, one at a time
 */
#include "mutant.h"

#include "pgjobs.h"
#include "world.h"

#define LEADER_KEY WORLD_PREFIX "leader"

static const char *const names[MUTANT__MAX] = {
#define X(n, t) [MUTANT_##n] = t,
	MUTANTS(X)
#undef X
};

const char *mutant_name(enum mutant mutant)
{
	return names[mutant];
}

enum mutant mutant_by_name(const char *name)
{
	for (size_t i = 0; i < MUTANT__MAX; i++)
		if (str_eq(names[i], name))
			return (enum mutant)i;
	return MUTANT__MAX;
}

bool mutant_is(const struct world *world, enum mutant mutant)
{
	return world->options.mutant == mutant;
}

int64_t mutant_guard_delay_ms(const struct world *world)
{
	if (mutant_is(world, MUTANT_NO_GUARD))
		return 3600000;
	return mutant_is(world, MUTANT_GUARD_LATE) ? 2500 : 0;
}

/* A renewal: it compares the leader key with what it already holds. */
static bool is_renewal(const struct etcd_req *req)
{
	bool holds = false;

	if (req->op != ETCD_TXN)
		return false;
	for (uint32_t i = 0; i < req->ncmps; i++)
		if (str_eq(req->cmps[i].key, LEADER_KEY) && req->cmps[i].target != ETCD_CMP_LEASE &&
		    !(req->cmps[i].target == ETCD_CMP_CREATE && req->cmps[i].number == 0))
			holds = true;
	for (uint32_t i = 0; i < req->nthen; i++)
		if (str_eq(req->then_ops[i].key, LEADER_KEY))
			return false;
	return holds;
}

static int64_t held_lease(const struct world *world, uint32_t node)
{
	return world->nodes[node].has_page ? world->nodes[node].page.lease_id : 0;
}

void mutant_on_request(struct world *world, struct eattempt *attempt)
{
	struct etcd_req *req = &attempt->req;

	if (!is_renewal(req))
		return;
	if (mutant_is(world, MUTANT_KEEPALIVE_PROOF) && held_lease(world, attempt->node) != 0) {
		attempt->disguised = true;
		req->op = ETCD_KEEPALIVE;
		req->lease_id = held_lease(world, attempt->node);
	}
	if (mutant_is(world, MUTANT_READ_PROOF)) {
		attempt->disguised = true;
		req->op = ETCD_RANGE;
		req->serializable = true;
		(void)str_copy(req->key, sizeof(req->key), LEADER_KEY);
	}
}

static bool names_us(const struct world *world, const struct eattempt *attempt,
		     const struct etcd_rep *rep)
{
	for (size_t i = 0; i < rep->kvs.n; i++)
		if (str_eq(rep->kvs.items[i].value, world->nodes[attempt->node].name))
			return true;
	return false;
}

void mutant_on_reply(struct world *world, const struct eattempt *attempt, int64_t newest_sent_ms,
		     struct event *event)
{
	struct etcd_rep *rep = (struct etcd_rep *)event->rep;

	if (mutant_is(world, MUTANT_REPLY_TIME))
		event->sent_at_ms = node_now_ms(world, &world->nodes[attempt->node]);
	if (mutant_is(world, MUTANT_LATE_ATTEMPT))
		event->sent_at_ms = newest_sent_ms;
	if (!attempt->disguised || rep->error_code != 0)
		return;
	if (mutant_is(world, MUTANT_KEEPALIVE_PROOF))
		rep->succeeded = rep->ttl_s > 0;
	if (mutant_is(world, MUTANT_READ_PROOF))
		rep->succeeded = names_us(world, attempt, rep);
	etcd_kvs_done(&rep->kvs);
	rep->kvs = (struct etcd_kvs){ 0 };
	rep->op = ETCD_TXN;
}

bool mutant_on_pg(struct world *world, uint32_t node, uint64_t ticket, const struct pg_req *req)
{
	if (req->op != PGOP_STOP)
		return false;
	if (mutant_is(world, MUTANT_DROP_STOP)) {
		pgjobs_done(world, node, ticket, world->nodes[node].life, 0, "stopped");
		return true;
	}
	return false;
}
