/* SPDX-License-Identifier: PostgreSQL */
/*
 * oracle - knows the truth, and says when a promise is broken
 */
#include "oracle.h"

#include <assert.h>
#include <stdlib.h>

#include "wire/record.h"
#include "world.h"

#define LEADER_KEY  WORLD_PREFIX "leader"
#define STATUS_KEY  WORLD_PREFIX "status"
#define RELEASE_KEY WORLD_PREFIX "pgha/release"

/* Without the module, the bound: whoever runs first, guardian or agent, after both were away has
 * killed all of Postgres so much later: being scheduled, and the kill itself (30 ms here). */
#define FENCE_US        INT64_C(60000)
/* A term of 6 s, 2 s until a frozen one is noticed, a checkpoint and a stop. */
#define UNGUARDED_US    INT64_C(15000000)
#define RESUME_GRACE_US INT64_C(4000000)

void oracle_init(struct world *world)
{
	world->oracle = (struct oracle){ 0 };
}

void oracle_done(struct world *world)
{
	free(world->oracle.commits);
}

void oracle_fail(struct world *world, const char *invariant, const char *fmt, ...)
{
	struct oracle *oracle = &world->oracle;
	va_list ap;

	if (oracle->invariant[0] != '\0')
		return;
	(void)str_copy(oracle->invariant, sizeof(oracle->invariant), invariant);
	va_start(ap, fmt);
	if (str_vprintf(oracle->evidence, sizeof(oracle->evidence), fmt, ap) < 0)
		(void)str_copy(oracle->evidence, sizeof(oracle->evidence), fmt);
	va_end(ap);
	world_trace(world, "BROKEN: %s: %s", oracle->invariant, oracle->evidence);
	world->stop = true;
}

static const char *name_of(const struct world *world, uint32_t node)
{
	return world->nodes[node].name;
}

int oracle_leader(const struct world *world)
{
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (str_eq(world->nodes[i].name, world->oracle.leader))
			return (int)i;
	return -1;
}

/* In pause nobody ends a primary for its lease, and says so; the moment of resuming is part of
 * that, because the primary has to learn of it. */
static bool pause_excuses(const struct world *world, const struct node *node)
{
	return node->paused || (node->unpaused_at_us > 0 &&
				world->now_us - node->unpaused_at_us < RESUME_GRACE_US);
}

static int64_t gate_ms(const struct proof *proof)
{
	return proof->asked_ms + proof->ttl_ms * 80 / 100;
}

/* The newest moment at which it had asked all whose word counts; by the list that etcd holds. */
static int64_t promised_ms(const struct world *world, uint32_t node)
{
	const struct proof *proof = &world->oracle.proofs[node];
	const struct promises *promises = &world->oracle.promises[node];
	const struct eversion *key = estore_get(&world->etcd.store, WORLD_PREFIX "failsafe");
	/* Whoever is alone in the list asks nobody. */
	bool asked = promises->epoch == proof->epoch && promises->lineage == proof->lineage;
	struct failsafe_key list;
	int64_t times[ORACLE_NODES] = { 0 };
	uint32_t n = 0, needed;
	struct err err;

	if (world->failsafe == FAILSAFE_OFF || key == NULL ||
	    record_failsafe_parse(key->value, strlen(key->value), &list, &err) < 0)
		return 0;
	for (uint32_t i = 0; i < world->nnodes; i++) {
		bool listed = false;
		int64_t sent;
		uint32_t at;

		for (uint32_t k = 0; k < list.n; k++)
			listed = listed || str_eq(list.names[k], world->nodes[i].name);
		if (!listed || i == node)
			continue;
		sent = asked ? promises->sent_ms[i] : 0;
		for (at = n++; at > 0 && times[at - 1] < sent; at--)
			times[at] = times[at - 1];
		times[at] = sent;
	}
	needed = (world->failsafe == FAILSAFE_QUORUM ? (n + 1) / 2 + 1 : n + 1) - 1;
	return needed == 0 ? INT64_MAX / 4 : times[needed - 1];
}

static bool proven(const struct world *world, uint32_t node)
{
	struct proof proof = world->oracle.proofs[node];

	if (proof.epoch == 0)
		return false;
	proof.asked_ms = MAX_OF(proof.asked_ms, promised_ms(world, node));
	return node_now_ms(world, &world->nodes[node]) < gate_ms(&proof);
}

/* ---- after every step ---- */

static void refresh_leader(struct world *world)
{
	struct oracle *oracle = &world->oracle;
	const struct eversion *key;

	if (oracle->revision == world->etcd.store.revision)
		return;
	oracle->revision = world->etcd.store.revision;
	key = estore_get(&world->etcd.store, LEADER_KEY);
	(void)str_copy(oracle->leader, sizeof(oracle->leader), key ? key->value : "");
	oracle->leader_epoch = key ? key->create_revision : 0;
	oracle->leader_lease = key ? key->lease_id : 0;
}

/* Thawed this moment: whoever is woken by a timer has to be scheduled before it can act. */
static bool just_thawed(const struct world *world, uint32_t node)
{
	int64_t thawed_us = world->oracle.thawed_us[node];

	return thawed_us > 0 && world->now_us - thawed_us < FENCE_US;
}

static bool agent_cannot_act(const struct world *world, const struct node *node)
{
	return !node->agent || node->agent_frozen > 0 || just_thawed(world, node->id);
}

/* The two that end a primary are both away, frozen or dead, or the whole host is. The module lets
 * nothing through even then. Without it nothing does: a primary may take writes past its term until
 * the first of the two runs again, and FENCE_US from there. That is the bound, and no more. */
static bool nobody_fences(const struct world *world, const struct node *node)
{
	return (!guard_watches(node) || just_thawed(world, node->id)) &&
	       agent_cannot_act(world, node);
}

static void check_proof_before_write(struct world *world, uint32_t id)
{
	struct node *node = &world->nodes[id];
	const struct proof *proof = &world->oracle.proofs[id];

	if (!modelpg_writable(&node->pg) || node->pg.doomed || node->host_frozen > 0 ||
	    pause_excuses(world, node) || proven(world, id) || just_thawed(world, id) ||
	    nobody_fences(world, node))
		return;
	oracle_fail(world, "I2 proof before write",
		    "%s takes writes at local %ld ms; newest proof: epoch %ld asked at %ld ms, "
		    "ttl %ld ms, so commits end at %ld ms",
		    node->name, (long)node_now_ms(world, node), (long)proof->epoch,
		    (long)proof->asked_ms, (long)proof->ttl_ms, (long)gate_ms(proof));
}

/* Where leading without a guardian is out of the question, an agent that could has to end it: it
 * looks for a successor first, for a term at most. */
static void check_guarded(struct world *world, struct node *node)
{
	bool excused = !world->guard_required || guard_watches(node) ||
		       !modelpg_writable(&node->pg) || modelpg_hangs(&node->pg) ||
		       pause_excuses(world, node) || agent_cannot_act(world, node) ||
		       node->host_frozen > 0 || agent_view(node->agent)->regressed;

	if (excused)
		node->unguarded_us = 0;
	else if (node->unguarded_us == 0)
		node->unguarded_us = world->now_us;
	else if (world->now_us - node->unguarded_us > UNGUARDED_US)
		oracle_fail(world, "B1 no guardian, no lead",
			    "%s takes writes, no guardian has watched it for %ld ms",
			    node->name, (long)(world->now_us - node->unguarded_us) / 1000);
}

void oracle_step(struct world *world)
{
	refresh_leader(world);
	chain_step(world);
	for (uint32_t i = 0; i < world->nnodes; i++) {
		check_proof_before_write(world, i);
		check_guarded(world, &world->nodes[i]);
	}
}

void oracle_thawed(struct world *world, uint32_t node)
{
	world->oracle.thawed_us[node] = world->now_us;
}

void oracle_rebooted(struct world *world, uint32_t node)
{
	world->oracle.proofs[node] = (struct proof){ 0 };
	world->oracle.promises[node] = (struct promises){ 0 };
	world->nodes[node].paused = false;
}

/* What was proven before stays so until it runs out. */
void oracle_store_regressed(struct world *world)
{
	world->oracle.revision = 0;
	world->oracle.release = (struct release){ 0 };
	/* Who led is forgotten with the store: the manual says so. */
	memset(world->oracle.unfenced, 0, sizeof(world->oracle.unfenced));
	refresh_leader(world);
}

void oracle_rule(struct world *world, uint32_t node, uint16_t rule_id)
{
	(void)node;
	world->oracle.rule_changes++;
	world_mix(world, rule_id);
	if (rule_id < ORACLE_RULES)
		world->oracle.reached[rule_id] = true;
	if (world->oracle.coverage && rule_id < ORACLE_RULES)
		world->oracle.coverage->rules[rule_id]++;
}

/* ---- etcd ---- */

static bool touches(const struct etcd_txn_op *op, const char *key)
{
	return op->prefix ? str_starts(key, op->key) : str_eq(op->key, key);
}

static void check_release(struct world *world, uint32_t by, const char *how)
{
	const struct modelpg *pg = &world->nodes[by].pg;

	world->oracle.nreleases++;
	if (!pg->primary || !modelpg_has_process(pg) || pg->doomed)
		return;
	oracle_fail(world, "I8 release",
		    "%s's key (epoch %ld) was given up by its own %s while its primary still has "
		    "processes",
		    name_of(world, by), (long)world->oracle.leader_epoch, how);
}

static void note_release(struct world *world, const struct etcd_txn_op *op)
{
	struct release release = { 0 };
	struct err err;

	if (op->type == ETCD_PUT && str_eq(op->key, RELEASE_KEY) && op->value &&
	    record_release_parse(op->value, strlen(op->value), &release, &err) == 0) {
		world->oracle.release = release;
		world->oracle.release.present = true;
	}
}

/* The key by itself: a proof that writes it anew has the same holder. */
static void note_holder(struct world *world, uint32_t by, const struct etcd_txn_op *op)
{
	if (!str_eq(op->key, LEADER_KEY))
		return;
	if (op->type == ETCD_PUT)
		world->oracle.unfenced[by] = true;
	if (op->type == ETCD_DELETE && str_eq(world->oracle.leader, name_of(world, by)))
		world->oracle.unfenced[by] = false;
}

/* Whether this transaction shows, by Raft, that its sender held the key when it was executed. */
static bool is_proof(const struct etcd_req *req, const struct eversion *key, const char *name)
{
	bool compared = false;
	bool wrote = false;

	for (uint32_t i = 0; i < req->ncmps; i++)
		compared = compared || str_eq(req->cmps[i].key, LEADER_KEY);
	for (uint32_t i = 0; i < req->nthen; i++)
		wrote = wrote || req->then_ops[i].type != ETCD_GET;
	return compared && wrote && key && str_eq(key->value, name);
}

void oracle_etcd_commit(struct world *world, struct eattempt *attempt, const struct etcd_rep *rep)
{
	const struct etcd_req *req = &attempt->req;
	const struct eversion *key = estore_get(&world->etcd.store, LEADER_KEY);
	const struct elease *lease;

	if (req->op != ETCD_TXN || rep->error_code != 0 || !rep->succeeded)
		return;
	for (uint32_t i = 0; i < req->nthen; i++) {
		note_release(world, &req->then_ops[i]);
		note_holder(world, attempt->node, &req->then_ops[i]);
		if (req->then_ops[i].type == ETCD_DELETE &&
		    touches(&req->then_ops[i], LEADER_KEY) &&
		    str_eq(world->oracle.leader, name_of(world, attempt->node)))
			check_release(world, attempt->node, "transaction");
	}
	if (!is_proof(req, key, name_of(world, attempt->node)))
		return;
	lease = estore_lease(&world->etcd.store, key->lease_id);
	attempt->proof_epoch = key->create_revision;
	attempt->proof_ttl_ms = lease ? lease->ttl_s * 1000 : 0;
}

void oracle_answered(struct world *world, const struct eattempt *attempt)
{
	struct proof *proof = &world->oracle.proofs[attempt->node];

	if (attempt->proof_epoch == 0 || attempt->disguised ||
	    attempt->life != world->nodes[attempt->node].life)
		return;
	if (attempt->lineage < proof->lineage ||
	    (attempt->lineage == proof->lineage &&
	     (attempt->proof_epoch < proof->epoch ||
	      (attempt->proof_epoch == proof->epoch && attempt->sent_ms <= proof->asked_ms))))
		return;
	*proof = (struct proof){ .lineage = attempt->lineage,
				 .epoch = attempt->proof_epoch,
				 .asked_ms = attempt->sent_ms,
				 .ttl_ms = attempt->proof_ttl_ms };
}

void oracle_promised(struct world *world, uint32_t asker, uint32_t by, int64_t epoch,
		     int64_t sent_ms)
{
	struct promises *promises = &world->oracle.promises[asker];
	uint32_t lineage = world->oracle.proofs[asker].lineage;

	if (promises->epoch != epoch || promises->lineage != lineage)
		*promises = (struct promises){ .lineage = lineage, .epoch = epoch };
	promises->sent_ms[by] = MAX_OF(promises->sent_ms[by], sent_ms);
}

void oracle_lease_ends(struct world *world, int64_t lease_id, int by_node)
{
	refresh_leader(world);
	if (lease_id != world->oracle.leader_lease || by_node < 0)
		return;
	if (str_eq(world->oracle.leader, name_of(world, (uint32_t)by_node)))
		check_release(world, (uint32_t)by_node, "revoke");
}

/* ---- Postgres ---- */

void oracle_starting(struct world *world, uint32_t node, bool as_primary)
{
	struct modelpg *pg = &world->nodes[node].pg;

	(void)as_primary;
	if (pg->half)
		oracle_fail(world, "I7 data",
			    "%s starts Postgres on a directory that is half rewound",
			    name_of(world, node));
}

static void check_epoch(struct world *world, uint32_t node, const struct term *last)
{
	const struct proof *proof = &world->oracle.proofs[node];

	if (!proven(world, node) && !pause_excuses(world, &world->nodes[node]))
		oracle_fail(world, "I2 proof before write",
			    "%s opens for writes at local %ld ms without an unexpired proof "
			    "(epoch %ld, commits end at %ld ms)",
			    name_of(world, node),
			    (long)node_now_ms(world, &world->nodes[node]), (long)proof->epoch,
			    (long)gate_ms(proof));
	if (last && !pause_excuses(world, &world->nodes[node]) &&
	    (proof->lineage < last->lineage ||
	     (proof->lineage == last->lineage &&
	      (proof->epoch < last->epoch ||
	       (proof->epoch == last->epoch && node != last->node)))))
		oracle_fail(world, "I5 epochs grow",
			    "%s opens for writes under epoch %ld after %s did under %ld",
			    name_of(world, node), (long)proof->epoch, name_of(world, last->node),
			    (long)last->epoch);
}

static void check_timeline(struct world *world, uint32_t node)
{
	struct oracle *oracle = &world->oracle;
	const struct wal *wal = &world->nodes[node].pg.wal;
	uint64_t uid = wal_uid(wal);

	assert(uid < ARRAY_LEN(oracle->owners));
	if (oracle->owners[uid] != 0 && oracle->owners[uid] != node + 1)
		oracle_fail(world, "I5 one writer for a timeline",
			    "%s writes on timeline %u, which %s began", name_of(world, node),
			    wal_timeline(wal), name_of(world, oracle->owners[uid] - 1));
	if (wal_timeline(wal) < oracle->timeline_max)
		oracle_fail(world, "I5 timelines grow",
			    "%s opens for writes on timeline %u after timeline %u was in use",
			    name_of(world, node), wal_timeline(wal), oracle->timeline_max);
	chain_opens(world, node);
	oracle->owners[uid] = node + 1;
	oracle->timeline_max = wal_timeline(wal);
}

/* All standbys had it, and whoever was promoted was one of them; or enough of them to meet the
 * members that were asked. */
static void check_confirmed(struct world *world, uint32_t node, size_t i)
{
	struct oracle *oracle = &world->oracle;
	const struct commit *commit = &oracle->commits[i];

	if (commit->confirmed == 0)
		return;
	if (commit->confirmed + 1 >= world->nnodes) {
		oracle_fail(world, "I3 sync durability",
			    "%s opens for writes without row %zu, which %s acknowledged at %.3f ms "
			    "after all %u standbys had confirmed it",
			    name_of(world, node), i + 1, name_of(world, commit->node),
			    (double)commit->acked_us / 1000.0, commit->confirmed);
		return;
	}
	oracle->unheard++;
}

static uint64_t count_lost(struct world *world, uint32_t node)
{
	struct oracle *oracle = &world->oracle;
	uint64_t lost = 0;

	for (size_t i = 0; i < oracle->ncommits; i++) {
		struct commit *commit = &oracle->commits[i];

		if (commit->acked_us == 0 || commit->lost ||
		    wal_has(&world->nodes[node].pg.wal, i + 1))
			continue;
		commit->lost = true;
		lost++;
		check_confirmed(world, node, i);
	}
	return lost;
}

static uint64_t published_optime(const struct world *world)
{
	const struct eversion *key = estore_get(&world->etcd.store, STATUS_KEY);
	struct status_key status;
	struct err err;

	if (!key || record_status_parse(key->value, strlen(key->value), &status, &err) < 0)
		return 0;
	return status.optime_lsn;
}

static void check_loss(struct world *world, uint32_t node, struct term *term)
{
	const struct oracle *oracle = &world->oracle;
	const struct wal *wal = &world->nodes[node].pg.wal;
	uint64_t begin_lsn = wal->ntimelines > 1 ? wal->timelines[wal->ntimelines - 2].end_lsn :
						   wal->end_lsn;
	uint64_t allowed = world->wide_lag ? 16777216 : 65536;

	if (term->lost == 0)
		return;
	if (term->orderly)
		oracle_fail(world, "orderly switchover keeps every row",
			    "%s took over by name from %s and lacks %lu acknowledged rows "
			    "(handed over at %lx, begins at %lx)",
			    name_of(world, node), oracle->release.from,
			    (unsigned long)term->lost, (unsigned long)oracle->release.lsn,
			    (unsigned long)begin_lsn);
	if (world->now_us > oracle->forced_until_us &&
	    begin_lsn + allowed < published_optime(world))
		oracle_fail(world, "I4 async bound",
			    "%s begins at %lx, more than %lu bytes behind the published %lx",
			    name_of(world, node), (unsigned long)begin_lsn,
			    (unsigned long)allowed, (unsigned long)published_optime(world));
}

/* Servers tell timelines by their number alone: two with the same one follow each other. */
void oracle_promoted(struct world *world, uint32_t node)
{
	struct oracle *oracle = &world->oracle;
	uint32_t number = wal_timeline(&world->nodes[node].pg.wal);

	assert(number < ARRAY_LEN(oracle->numbers));
	if (oracle->numbers[number] != 0)
		oracle_fail(world, "I5 a timeline's number is its own",
			    "%s begins timeline %u, and there has been another one",
			    name_of(world, node), number);
	oracle->numbers[number] = wal_uid(&world->nodes[node].pg.wal);
}

void oracle_writable(struct world *world, uint32_t node)
{
	struct oracle *oracle = &world->oracle;
	const struct modelpg *pg = &world->nodes[node].pg;
	struct term *last = oracle->nterms ? &oracle->terms[oracle->nterms - 1] : NULL;
	struct term *term;

	if (pg->boot_unfinished)
		return; /* nobody is let in yet */
	if (!proven(world, node) && just_thawed(world, node))
		return; /* it takes no write: the module refuses, the guardian is on its way */
	/* After a crash of a backend it restarts by itself, and nobody is there to end it. */
	if (!proven(world, node) && nobody_fences(world, &world->nodes[node]))
		return;
	check_epoch(world, node, last);
	check_timeline(world, node);
	assert(oracle->nterms < ORACLE_TERMS);
	term = &oracle->terms[oracle->nterms++];
	*term = (struct term){ .node = node,
			       .lineage = oracle->proofs[node].lineage,
			       .epoch = oracle->proofs[node].epoch,
			       .timeline = wal_timeline(&pg->wal),
			       .uid = wal_uid(&pg->wal),
			       .since_us = world->now_us };
	if (last && last->node != node) {
		term->orderly = oracle->release.present &&
				oracle->release.epoch == last->epoch &&
				str_eq(oracle->release.to, name_of(world, node));
	}
	term->lost = count_lost(world, node);
	oracle->lost += term->lost;
	world_trace(world, "%s takes writes: epoch %ld, timeline %u, %lu acknowledged rows lost%s",
		    name_of(world, node), (long)term->epoch, term->timeline,
		    (unsigned long)term->lost, term->orderly ? ", orderly" : "");
	check_loss(world, node, term);
}

void oracle_commit(struct world *world, uint32_t node, uint64_t id, uint64_t lsn)
{
	struct oracle *oracle = &world->oracle;
	uint64_t uid = wal_uid(&world->nodes[node].pg.wal);

	assert(id == oracle->ncommits + 1);
	if (oracle->ncommits == oracle->commits_cap) {
		oracle->commits_cap = oracle->commits_cap ? oracle->commits_cap * 2 : 1024;
		oracle->commits = mem_grow(oracle->commits, oracle->commits_cap,
					   sizeof(*oracle->commits));
	}
	oracle->commits[oracle->ncommits++] = (struct commit){ .node = node, .lsn = lsn };
	if (oracle->owners[uid] != node + 1)
		oracle_fail(world, "I5 one writer for a timeline",
			    "%s commits on timeline %u, which is not its own",
			    name_of(world, node), wal_timeline(&world->nodes[node].pg.wal));
}

void oracle_ack(struct world *world, uint32_t node, uint64_t id, uint32_t confirmed)
{
	struct oracle *oracle = &world->oracle;
	const struct term *last = &oracle->terms[oracle->nterms - 1];

	assert(oracle->nterms > 0);
	oracle->commits[id - 1].acked_us = world->now_us;
	oracle->commits[id - 1].confirmed = confirmed;
	oracle->acked++;
	oracle->confirmed += confirmed > 0;
	if (confirmed > 0)
		chain_confirmed(world, node);
	if (last->node == node)
		return;
	oracle->commits[id - 1].lost = true;
	if (!pause_excuses(world, &world->nodes[node]) &&
	    (world->module || !nobody_fences(world, &world->nodes[node])))
		oracle_fail(world, "I1 single writer",
			    "%s acknowledges row %lu at %.3f ms; %s takes writes since %.3f ms "
			    "under epoch %ld",
			    name_of(world, node), (unsigned long)id,
			    (double)world->now_us / 1000.0, name_of(world, last->node),
			    (double)last->since_us / 1000.0, (long)last->epoch);
}

void oracle_sealed(struct world *world, uint32_t node, int64_t ballot)
{
	const struct node *who = &world->nodes[node];

	if (!who->has_durable || !who->durable.sealed || who->durable.promised < ballot)
		oracle_fail(world, "I6 votes",
			    "%s promised ballot %ld, and its disk does not know", name_of(world, node),
			    (long)ballot);
	if (who->pg.receiver.connected)
		oracle_fail(world, "I6 votes",
			    "%s promised ballot %ld, and its walreceiver runs", name_of(world, node),
			    (long)ballot);
}

void oracle_received(struct world *world, uint32_t node)
{
	const struct agent *agent = world->nodes[node].agent;

	if (agent && agent_view(agent)->sealed)
		oracle_fail(world, "I6 votes",
			    "%s promised ballot %ld, told its position as final, and receives more",
			    name_of(world, node), (long)agent_view(agent)->promised);
}

void oracle_initdb(struct world *world, uint32_t node)
{
	for (uint32_t i = 0; i < world->nnodes; i++) {
		const struct modelpg *pg = &world->nodes[i].pg;

		if (pg->dir != DIR_EMPTY && !pg->boot_unfinished)
			oracle_fail(world, "I7 data",
				    "%s makes a new cluster while %s holds the data of one",
				    name_of(world, node), name_of(world, i));
	}
}

/* Only what never took a write of a client may go without a copy that replaces it. */
void oracle_discards(struct world *world, uint32_t node)
{
	const struct modelpg *pg = &world->nodes[node].pg;

	for (size_t i = 0; i < world->oracle.ncommits; i++)
		if (wal_has(&pg->wal, i + 1))
			oracle_fail(world, "I7 data", "%s discards data that holds row %zu",
				    name_of(world, node), i + 1);
}

static bool held_elsewhere(const struct world *world, uint32_t node, uint64_t id)
{
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (i != node && wal_has(&world->nodes[i].pg.wal, id))
			return true;
	return false;
}

/* Rows that only `node` holds must not go, unless a failover gave them up already. */
static void check_superset(struct world *world, uint32_t node, uint32_t source, const char *what)
{
	const struct oracle *oracle = &world->oracle;
	const struct modelpg *old = &world->nodes[node].pg;

	if (old->dir != DIR_PRESENT)
		return;
	for (size_t i = 0; i < oracle->ncommits; i++) {
		if (oracle->commits[i].acked_us == 0 || oracle->commits[i].lost ||
		    !wal_has(&old->wal, i + 1) || held_elsewhere(world, node, i + 1))
			continue;
		oracle_fail(world, "I7 data",
			    "%s is replaced (%s) by a copy of %s and is the only holder of row %zu",
			    name_of(world, node), what, name_of(world, source), i + 1);
		return;
	}
}

void oracle_replaces_data(struct world *world, uint32_t node, uint32_t source)
{
	check_superset(world, node, source, "clone");
}

void oracle_rewinds(struct world *world, uint32_t node, uint32_t source)
{
	check_superset(world, node, source, "rewind");
}

/* ---- what agents do ---- */

void oracle_page(struct world *world, uint32_t node)
{
	const struct page_update *page = &world->nodes[node].page;
	const struct proof *proof = &world->oracle.proofs[node];

	int64_t asked_ms = MAX_OF(proof->asked_ms, promised_ms(world, node));

	if (!page->armed || (page->epoch == proof->epoch && page->asked_at_ms <= asked_ms))
		return;
	oracle_fail(world, "I2 proof before write",
		    "%s's page claims epoch %ld asked at %ld ms; proven is epoch %ld asked at "
		    "%ld ms",
		    name_of(world, node), (long)page->epoch, (long)page->asked_at_ms,
		    (long)proof->epoch, (long)proof->asked_ms);
}

void oracle_fenced(struct world *world, uint32_t victim)
{
	world->oracle.unfenced[victim] = false;
}

/* Whoever led before has given the key back, or was fenced. */
static void check_fenced(struct world *world, uint32_t node)
{
	if (!world->fence || world->options.fence_promotes)
		return;
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (i != node && world->oracle.unfenced[i])
			oracle_fail(world, "I15 fenced first",
				    "%s is promoted; %s held the key, and has neither given it "
				    "back nor been fenced",
				    name_of(world, node), name_of(world, i));
}

void oracle_pg_request(struct world *world, uint32_t node, const struct pg_req *req)
{
	if (req->op != PGOP_PROMOTE && req->op != PGOP_START_PRIMARY)
		return;
	check_fenced(world, node);
	if (!proven(world, node))
		oracle_fail(world, "I2 proof before write",
			    "%s is told to %s without an unexpired proof of the lease",
			    name_of(world, node), pg_op_name(req->op));
}
