/* SPDX-License-Identifier: PostgreSQL */
/*
 * final - what must hold after all faults have ended
 *
 * One primary, everybody streaming from it, every row that was not given up on every member;
 * and then, with nobody writing, no rule changes and nothing is written but renewals.
 */
#include <stdio.h>

#include "oracle.h"
#include "world.h"

#define SETTLE_US INT64_C(120000000)
#define CALM_US   INT64_C(6000000)
#define REREAD_US INT64_C(36000000)
#define QUIET_US  INT64_C(12000000)

static bool not_yet(char *ret_why, size_t size, const char *name, const char *what)
{
	(void)str_printf(ret_why, size, "%s %s", name, what);
	return false;
}

static bool member_settled(const struct world *world, uint32_t id, uint32_t leader, char *ret_why,
			   size_t size)
{
	const struct node *node = &world->nodes[id];
	const struct modelpg *pg = &node->pg;

	if (!node->agent)
		return not_yet(ret_why, size, node->name, "has no agent");
	if (pg->state != PGM_UP)
		return not_yet(ret_why, size, node->name, "does not run");
	if (pg->stop.active)
		return not_yet(ret_why, size, node->name, "is being stopped");
	if (id == leader)
		return (pg->primary && !pg->boot_unfinished) ||
		       not_yet(ret_why, size, node->name, "leads and is no primary");
	if (pg->primary)
		return not_yet(ret_why, size, node->name, "is a second primary");
	return pgstream_is_sender(world, leader, id) ||
	       not_yet(ret_why, size, node->name, "does not stream from the leader");
}

bool final_settled(const struct world *world, char *ret_why, size_t size)
{
	int leader = oracle_leader(world);

	if (leader < 0)
		return not_yet(ret_why, size, "etcd", "names no leader");
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (!member_settled(world, i, (uint32_t)leader, ret_why, size))
			return false;
	return true;
}

static bool settle(struct world *world)
{
	int64_t until_us = world->now_us + SETTLE_US;
	int64_t since_us = -1;
	char why[160] = "";

	while (world->now_us < until_us && !world->stop) {
		world_run(world, world->now_us + 250000);
		if (!final_settled(world, why, sizeof(why))) {
			since_us = -1;
			continue;
		}
		if (since_us < 0)
			since_us = world->now_us;
		if (world->now_us - since_us >= CALM_US)
			return true;
	}
	if (!world->stop)
		oracle_fail(world, "I10 liveness", "all faults ended %ld s ago, and %s",
			    (long)(SETTLE_US / 1000000), why);
	return false;
}

static void check_rows(struct world *world)
{
	for (uint32_t node = 0; node < world->nnodes; node++)
		for (size_t i = 0; i < world->oracle.ncommits; i++) {
			const struct commit *commit = &world->oracle.commits[i];

			if (commit->acked_us == 0 || commit->lost ||
			    wal_has(&world->nodes[node].pg.wal, i + 1))
				continue;
			oracle_fail(world, "rows at the end",
				    "%s lacks row %zu, acknowledged by %s at %.3f ms",
				    world->nodes[node].name, i + 1,
				    world->nodes[commit->node].name,
				    (double)commit->acked_us / 1000.0);
			return;
		}
}

static bool is_renewal(const char *key)
{
	return str_eq(key, WORLD_PREFIX "pgha/beat") || str_eq(key, WORLD_PREFIX "status");
}

static void check_quiet(struct world *world, size_t log_start, const uint16_t *rules)
{
	const struct estore *store = &world->etcd.store;

	for (size_t i = log_start; i < store->nlog; i++) {
		const char *key = store->keys[store->log[i].key].name;

		if (!is_renewal(key))
			oracle_fail(world, "I11 quiescence",
				    "'%s' was written while nothing changed", key);
	}
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (world->nodes[i].last_rule != rules[i])
			oracle_fail(world, "I11 quiescence",
				    "%s went from rule %u to %u while nothing changed",
				    world->nodes[i].name, rules[i], world->nodes[i].last_rule);
}

void final_check(struct world *world)
{
	uint16_t rules[WORLD_NODES_MAX];
	uint64_t changes;
	size_t log_start;

	nemesis_heal(world);
	world->etcd.loses_events = false;
	if (!settle(world))
		return;
	world->clients.quiet = true;
	/* An event that a watch lost is made up for by the next complete read. */
	world_run(world, world->now_us + (world->etcd.faults ? REREAD_US : CALM_US));
	if (world->stop)
		return;
	check_rows(world);
	for (uint32_t i = 0; i < world->nnodes; i++)
		rules[i] = world->nodes[i].last_rule;
	changes = world->oracle.rule_changes;
	log_start = world->etcd.store.nlog;
	world_run(world, world->now_us + QUIET_US);
	if (world->stop)
		return;
	check_quiet(world, log_start, rules);
	if (world->oracle.rule_changes != changes)
		oracle_fail(world, "I11 quiescence", "rules changed %lu times and came back",
			    (unsigned long)(world->oracle.rule_changes - changes));
}
