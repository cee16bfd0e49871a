/* SPDX-License-Identifier: PostgreSQL */
/*
 * modeletcd - etcd's members: who leads, who may answer what
 */
#include "modeletcd.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "eclient.h"
#include "oracle.h"
#include "world.h"

#define ELECTION_TIMEOUT_US INT64_C(1000000)
#define LESSOR_TICK_US      INT64_C(500000)
#define COMPACT_EVERY_US    INT64_C(15000000)

void modeletcd_attempt_free(void *data)
{
	struct eattempt *attempt = data;

	etcd_req_done(&attempt->req);
	free(attempt);
}

static bool alive(const struct modeletcd *etcd, uint32_t member)
{
	return etcd->members[member].down == 0 && etcd->members[member].frozen == 0;
}

static bool can_commit(const struct modeletcd *etcd, uint32_t member)
{
	return alive(etcd, member) && etcd->members[member].stalled == 0;
}

static bool linked(const struct world *world, uint32_t a, uint32_t b)
{
	return a == b || net_open(&world->net, NET_MEMBER(a), NET_MEMBER(b));
}

static uint32_t followers_of(const struct world *world, uint32_t leader)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < world->etcd.nmembers; i++)
		if (can_commit(&world->etcd, i) && linked(world, leader, i))
			count++;
	return count;
}

static bool may_lead(const struct world *world, uint32_t member)
{
	return can_commit(&world->etcd, member) &&
	       followers_of(world, member) * 2 > world->etcd.nmembers;
}

bool modeletcd_in_quorum(const struct world *world, uint32_t member)
{
	const struct modeletcd *etcd = &world->etcd;

	return etcd->leader >= 0 && may_lead(world, (uint32_t)etcd->leader) &&
	       can_commit(etcd, member) && linked(world, member, (uint32_t)etcd->leader);
}

static void update_applied(struct world *world)
{
	struct modeletcd *etcd = &world->etcd;

	for (uint32_t i = 0; i < etcd->nmembers; i++)
		if (modeletcd_in_quorum(world, i))
			etcd->members[i].applied = etcd->store.revision;
}

static int64_t lease_us(const struct modeletcd *etcd, int64_t ttl_s)
{
	return ttl_s * 1000000 * 1000000 / (1000000 + etcd->rate_ppm);
}

static void take_office(struct world *world, uint32_t member)
{
	struct modeletcd *etcd = &world->etcd;

	etcd->leader = (int)member;
	etcd->term++;
	etcd->rate_ppm = world_rate(world);
	for (uint32_t i = 0; i < etcd->nmembers; i++)
		if (modeletcd_in_quorum(world, i))
			etcd->members[i].thinks_leader = i == member;
	/* A new lessor knows nothing of the renewals that its predecessor saw. */
	for (size_t i = 0; i < ESTORE_LEASES_MAX; i++) {
		struct elease *lease = &etcd->store.leases[i];

		if (lease->id != 0)
			lease->expires_us = world->now_us + lease_us(etcd, lease->ttl_s) +
					    ELECTION_TIMEOUT_US;
	}
	update_applied(world);
	world_trace(world, "etcd member %u leads, term %lu", member, (unsigned long)etcd->term);
	ewatch_pump(world);
}

static void on_election(struct world *world, struct ev *ev)
{
	struct modeletcd *etcd = &world->etcd;
	uint32_t first = (uint32_t)rng_below(&world->rng, etcd->nmembers);

	if (ev->gen != etcd->election_gen)
		return;
	etcd->election_pending = false;
	for (uint32_t i = 0; i < etcd->nmembers; i++) {
		uint32_t member = (first + i) % etcd->nmembers;

		if (!may_lead(world, member))
			continue;
		take_office(world, member);
		return;
	}
	modeletcd_recheck(world);
}

static void hold_election(struct world *world)
{
	struct modeletcd *etcd = &world->etcd;

	etcd->election_pending = true;
	etcd->election_gen++;
	world_after(world, rng_range(&world->rng, ELECTION_TIMEOUT_US, 2 * ELECTION_TIMEOUT_US),
		    (struct ev){ .what = "etcd-election",
				 .fn = on_election,
				 .gen = etcd->election_gen });
}

static void depose(struct world *world)
{
	struct modeletcd *etcd = &world->etcd;
	struct emember *old = &etcd->members[etcd->leader];

	memcpy(old->old_leases, etcd->store.leases, sizeof(old->old_leases));
	world_trace(world, "etcd member %d leads no more", etcd->leader);
	etcd->leader = -1;
}

void modeletcd_recheck(struct world *world)
{
	struct modeletcd *etcd = &world->etcd;

	if (etcd->leader >= 0 && may_lead(world, (uint32_t)etcd->leader)) {
		for (uint32_t i = 0; i < etcd->nmembers; i++)
			if (modeletcd_in_quorum(world, i))
				etcd->members[i].thinks_leader = (int)i == etcd->leader;
		update_applied(world);
		ewatch_pump(world);
		return;
	}
	if (etcd->leader >= 0)
		depose(world);
	if (!etcd->election_pending)
		hold_election(world);
}

void modeletcd_move_leader(struct world *world)
{
	struct modeletcd *etcd = &world->etcd;

	if (etcd->leader < 0)
		return;
	etcd->members[etcd->leader].thinks_leader = false;
	depose(world);
	if (!etcd->election_pending)
		hold_election(world);
}

void modeletcd_early_revoke(struct world *world, int64_t lease_id)
{
	struct etcd_rep rep = { 0 };

	if (world->etcd.leader < 0 || !estore_lease(&world->etcd.store, lease_id))
		return;
	world_trace(world, "etcd revokes live lease %lx early", (unsigned long)lease_id);
	oracle_lease_ends(world, lease_id, -1);
	estore_revoke(&world->etcd.store, lease_id, &rep);
	world->etcd.n_early_revokes++;
	etcd_rep_done(&rep);
	update_applied(world);
	ewatch_pump(world);
}

void modeletcd_put(struct world *world, const char *key, const char *value)
{
	estore_put(&world->etcd.store, key, value);
	update_applied(world);
	ewatch_pump(world);
}

static void revoke_as_resumed(struct world *world, uint32_t member)
{
	struct emember *m = &world->etcd.members[member];

	for (size_t i = 0; i < ESTORE_LEASES_MAX; i++) {
		const struct elease *old = &m->old_leases[i];

		/* It believes what it knew before the pause; the proposals that it sends on are
		 * committed by whoever leads now. */
		if (old->id != 0 && old->renewed_us + old->ttl_s * 1000000 < world->now_us &&
		    rng_chance(&world->rng, 500))
			modeletcd_early_revoke(world, old->id);
	}
}

void modeletcd_freeze(struct world *world, uint32_t member, int add)
{
	struct emember *m = &world->etcd.members[member];
	bool led = m->thinks_leader;

	if (add > 0 && m->frozen == 0) {
		m->frozen_at_us = world->now_us;
		memcpy(m->old_leases, world->etcd.store.leases, sizeof(m->old_leases));
	}
	m->frozen = (int16_t)(m->frozen + add);
	if (m->frozen < 0)
		m->frozen = 0;
	modeletcd_recheck(world);
	if (add < 0 && m->frozen == 0 && led && world->etcd.faults)
		revoke_as_resumed(world, member);
}

void modeletcd_heal(struct world *world)
{
	struct modeletcd *etcd = &world->etcd;

	for (uint32_t i = 0; i < etcd->nmembers; i++) {
		etcd->members[i].down = 0;
		etcd->members[i].stalled = 0;
		if (etcd->members[i].frozen > 0)
			modeletcd_freeze(world, i, -etcd->members[i].frozen);
	}
	etcd->slow = 0;
	modeletcd_recheck(world);
}

void modeletcd_regress(struct world *world, int64_t back, bool other_cluster)
{
	struct modeletcd *etcd = &world->etcd;
	int64_t revision = back > 0 ? MAX_OF(etcd->store.revision - back, INT64_C(1)) : 0;

	world_trace(world, "etcd is %s at revision %ld, was %ld",
		    back > 0 ? "restored" : "made anew", (long)revision,
		    (long)etcd->store.revision);
	estore_restore(&etcd->store, revision, etcd->store.cluster_id + other_cluster,
		       world->now_us);
	for (uint32_t i = 0; i < etcd->nmembers; i++) {
		etcd->members[i].applied = etcd->store.revision;
		etcd->members[i].thinks_leader = false;
		memset(etcd->members[i].old_leases, 0, sizeof(etcd->members[i].old_leases));
	}
	oracle_store_regressed(world);
	ewatch_lose_all(world);
	modeletcd_recheck(world);
}

static void on_lessor_tick(struct world *world, struct ev *ev)
{
	struct modeletcd *etcd = &world->etcd;
	bool revoked = false;

	(void)ev;
	for (size_t i = 0; i < ESTORE_LEASES_MAX && etcd->leader >= 0; i++) {
		struct elease *lease = &etcd->store.leases[i];
		struct etcd_rep rep = { 0 };

		if (lease->id == 0 || lease->expires_us > world->now_us)
			continue;
		world_trace(world, "etcd lease %lx expires", (unsigned long)lease->id);
		oracle_lease_ends(world, lease->id, -1);
		estore_revoke(&etcd->store, lease->id, &rep);
		etcd_rep_done(&rep);
		revoked = true;
	}
	if (revoked) {
		update_applied(world);
		ewatch_pump(world);
	}
	world_after(world, LESSOR_TICK_US, (struct ev){ .what = "lessor", .fn = on_lessor_tick });
}

static void on_compact(struct world *world, struct ev *ev)
{
	(void)ev;
	estore_compact(&world->etcd.store, world->etcd.store.revision - 20);
	world_after(world, COMPACT_EVERY_US, (struct ev){ .what = "compact", .fn = on_compact });
}

void modeletcd_init(struct world *world)
{
	struct modeletcd *etcd = &world->etcd;

	*etcd = (struct modeletcd){ .leader = -1, .nmembers = world->options.etcd_members };
	estore_init(&etcd->store, UINT64_C(0xc1a551c) + rng_below(&world->rng, 1000));
	etcd->next_lease_id = rng_range(&world->rng, 1000, 1 << 30);
	etcd->fsync_us = rng_range(&world->rng, 500, 12000);
	etcd->term = 2;
	take_office(world, (uint32_t)rng_below(&world->rng, etcd->nmembers));
	world_after(world, rng_range(&world->rng, 0, LESSOR_TICK_US),
		    (struct ev){ .what = "lessor", .fn = on_lessor_tick });
	world_after(world, COMPACT_EVERY_US, (struct ev){ .what = "compact", .fn = on_compact });
}

void modeletcd_done(struct world *world)
{
	estore_done(&world->etcd.store);
}

/* ---- answering ---- */

static void answer(struct world *world, struct eattempt *attempt, struct etcd_rep *rep)
{
	rep->op = attempt->req.op;
	rep->member_id = 1000 + attempt->member;
	rep->raft_term = world->etcd.term;
	eclient_answer(world, attempt, rep);
}

static void answer_unavailable(struct world *world, struct eattempt *attempt)
{
	struct etcd_rep rep = { .error_code = ESTORE_UNAVAILABLE };

	(void)str_copy(rep.error_text, sizeof(rep.error_text), "etcdserver: no leader");
	answer(world, attempt, &rep);
}

/* Old revisions only as far back as half a second: that is how long a follower lags. */
static int64_t stale_revision(const struct world *world)
{
	const struct estore *store = &world->etcd.store;
	int64_t back = 3;

	return store->revision > back ? store->revision - back : store->revision;
}

static void read_range(struct world *world, struct eattempt *attempt, bool linearizable)
{
	struct modeletcd *etcd = &world->etcd;
	struct etcd_rep rep = { 0 };
	int64_t revision = etcd->members[attempt->member].applied;

	if (linearizable)
		revision = etcd->store.revision;
	else if (rng_chance(&world->rng, 30))
		revision = MIN_OF(revision, stale_revision(world));
	if (linearizable && etcd->faults && rng_chance(&world->rng, 3)) {
		revision = stale_revision(world);
		etcd->n_stale_reads++;
	}
	estore_range(&etcd->store, attempt->req.key, revision, &rep);
	answer(world, attempt, &rep);
}

static void renew(struct world *world, struct eattempt *attempt)
{
	struct modeletcd *etcd = &world->etcd;
	struct elease *lease = estore_lease(&etcd->store, attempt->req.lease_id);
	struct etcd_rep rep = { .lease_id = attempt->req.lease_id,
				.cluster_id = etcd->store.cluster_id,
				.revision = etcd->store.revision };

	if (lease) {
		lease->renewed_us = world->now_us;
		lease->expires_us = world->now_us + lease_us(etcd, lease->ttl_s);
		rep.ttl_s = lease->ttl_s;
	}
	answer(world, attempt, &rep);
}

static void keepalive(struct world *world, struct eattempt *attempt)
{
	struct modeletcd *etcd = &world->etcd;
	struct emember *member = &etcd->members[attempt->member];
	struct etcd_rep rep = { .lease_id = attempt->req.lease_id,
				.cluster_id = etcd->store.cluster_id,
				.revision = member->applied };

	if (modeletcd_in_quorum(world, attempt->member)) {
		renew(world, attempt);
		return;
	}
	if (!member->thinks_leader || !etcd->faults) {
		if (rng_chance(&world->rng, 500))
			answer_unavailable(world, attempt);
		else
			modeletcd_attempt_free(attempt); /* the asker's deadline passes */
		return;
	}
	for (size_t i = 0; i < ESTORE_LEASES_MAX; i++)
		if (member->old_leases[i].id == attempt->req.lease_id)
			rep.ttl_s = member->old_leases[i].ttl_s;
	etcd->n_stale_keepalives++;
	answer(world, attempt, &rep);
}

static void commit(struct world *world, struct eattempt *attempt)
{
	struct modeletcd *etcd = &world->etcd;
	const struct etcd_req *req = &attempt->req;
	struct etcd_rep rep = { 0 };

	switch (req->op) {
	case ETCD_RANGE:
		read_range(world, attempt, true);
		return;
	case ETCD_TXN:
		estore_txn(&etcd->store, req, &rep);
		break;
	case ETCD_GRANT: {
		int64_t ttl_s = MAX_OF(req->ttl_s, 2); /* etcd's floor: 1.5 election timeouts */

		estore_grant(&etcd->store, ++etcd->next_lease_id, ttl_s, world->now_us,
			     lease_us(etcd, ttl_s), &rep);
		break;
	}
	case ETCD_REVOKE:
		oracle_lease_ends(world, req->lease_id, (int)attempt->node);
		estore_revoke(&etcd->store, req->lease_id, &rep);
		break;
	case ETCD_KEEPALIVE:
	case ETCD_OP__MAX:
		assert(false);
		return;
	}
	oracle_etcd_commit(world, attempt, &rep);
	update_applied(world);
	ewatch_pump(world);
	answer(world, attempt, &rep);
}

static void on_commit(struct world *world, struct ev *ev)
{
	struct eattempt *attempt = ev->data;

	ev->data = NULL;
	if (attempt->lineage != world->etcd.store.lineage) {
		modeletcd_attempt_free(attempt); /* it went with the old members */
		return;
	}
	if (modeletcd_in_quorum(world, attempt->member)) {
		commit(world, attempt);
		return;
	}
	/* The proposal may be lost with its leader, or committed by the next one long after the
	 * asker gave up; etcd itself forgets it after some seconds. */
	if (world->now_us - attempt->arrived_us > 5000000 || rng_chance(&world->rng, 200)) {
		modeletcd_attempt_free(attempt);
		return;
	}
	world_after(world, 200000,
		    (struct ev){ .what = "etcd-retry",
				 .fn = on_commit,
				 .data = attempt,
				 .drop = modeletcd_attempt_free });
}

static int64_t commit_delay_us(struct world *world)
{
	int64_t delay_us = rng_skewed(&world->rng, world->etcd.fsync_us,
				      world->etcd.fsync_us * 6);

	if (world->etcd.slow > 0)
		delay_us += rng_range(&world->rng, 100000, 600000);
	return delay_us;
}

static void propose(struct world *world, struct eattempt *attempt)
{
	if (!modeletcd_in_quorum(world, attempt->member) && rng_chance(&world->rng, 300)) {
		answer_unavailable(world, attempt);
		return;
	}
	world_after(world, commit_delay_us(world),
		    (struct ev){ .what = "etcd-commit",
				 .fn = on_commit,
				 .who = attempt->member,
				 .data = attempt,
				 .drop = modeletcd_attempt_free });
}

static void on_thawed_request(struct world *world, struct ev *ev)
{
	struct eattempt *attempt = ev->data;

	ev->data = NULL;
	modeletcd_receive(world, attempt);
}

void modeletcd_receive(struct world *world, struct eattempt *attempt)
{
	struct emember *member = &world->etcd.members[attempt->member];

	if (attempt->arrived_us == 0) {
		attempt->arrived_us = world->now_us;
		attempt->lineage = world->etcd.store.lineage;
	}
	if (attempt->lineage != world->etcd.store.lineage) {
		modeletcd_attempt_free(attempt);
		return;
	}
	if (member->down > 0) {
		eclient_refused(world, attempt);
		return;
	}
	if (member->frozen > 0) {
		/* It lies in the socket and is executed when the member wakes up. */
		world_after(world, 100000,
			    (struct ev){ .what = "etcd-asleep",
					 .fn = on_thawed_request,
					 .data = attempt,
					 .drop = modeletcd_attempt_free });
		return;
	}
	if (attempt->req.op == ETCD_KEEPALIVE)
		keepalive(world, attempt);
	else if (attempt->req.op == ETCD_RANGE && attempt->req.serializable)
		read_range(world, attempt, false);
	else
		propose(world, attempt);
}
