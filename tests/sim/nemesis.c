/* SPDX-License-Identifier: PostgreSQL */
/*
 * nemesis - what goes wrong, and when
 */
#include "nemesis.h"

#include <assert.h>

#include "world.h"

struct fault_row {
	const char *name;
	uint32_t needs;
	int64_t least_ms;
	int64_t most_ms;
};

static const struct fault_row rows[FAULT__MAX] = {
#define X(n, t, needs_, low, high) \
	[FAULT_##n] = { .name = t, .needs = needs_, .least_ms = low, .most_ms = high },
	FAULTS(X)
#undef X
};

const char *nemesis_name(enum fault fault)
{
	return rows[fault].name;
}

enum fault nemesis_by_name(const char *name)
{
	for (size_t i = 0; i < FAULT__MAX; i++)
		if (str_eq(rows[i].name, name))
			return (enum fault)i;
	return FAULT__MAX;
}

/* ---- cuts; `add` is 1 to begin and -1 to end ---- */

static void cut_etcd(struct world *world, uint32_t node, int add)
{
	for (uint32_t i = 0; i < world->etcd.nmembers; i++)
		net_cut_both(&world->net, NET_NODE(node), NET_MEMBER(i), add);
}

static void cut_peers(struct world *world, uint32_t node, int add)
{
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (i != node)
			net_cut_both(&world->net, NET_NODE(node), NET_NODE(i), add);
}

static void cut_member_off(struct world *world, uint32_t member, int add)
{
	for (uint32_t i = 0; i < world->etcd.nmembers; i++)
		if (i != member)
			net_cut_both(&world->net, NET_MEMBER(member), NET_MEMBER(i), add);
	modeletcd_recheck(world);
}

/* Everything with an even number on one side, the rest on the other. */
static void split(struct world *world, uint32_t odd, int add)
{
	uint32_t ends[NET_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < world->nnodes; i++)
		ends[n++] = NET_NODE(i);
	for (uint32_t i = 0; i < world->etcd.nmembers; i++)
		ends[n++] = NET_MEMBER(i);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = i + 1; j < n; j++)
			if (((ends[i] + ends[j] + odd) & 1) != 0)
				net_cut_both(&world->net, ends[i], ends[j], add);
	modeletcd_recheck(world);
}

static void all_members_down(struct world *world, int add)
{
	for (uint32_t i = 0; i < world->etcd.nmembers; i++) {
		int16_t *down = &world->etcd.members[i].down;

		*down = (int16_t)(*down + add);
		if (*down < 0)
			*down = 0;
	}
	modeletcd_recheck(world);
}

static void member_count(struct world *world, int16_t *counter, int add)
{
	*counter = (int16_t)(*counter + add);
	if (*counter < 0)
		*counter = 0;
	modeletcd_recheck(world);
}

static void pg_count(int16_t *counter, int add)
{
	*counter = (int16_t)(*counter + add);
	if (*counter < 0)
		*counter = 0;
}

static void agent_kill(struct world *world, struct node *node, int add)
{
	if (add > 0) {
		node_agent_kill(world, node);
		node->stay_down = true;
	} else if (!node->agent && !node->host_down) {
		node_agent_start(world, node);
	}
}

static void agent_stop(struct world *world, struct node *node, int add)
{
	if (add > 0)
		node_agent_stop(world, node);
	else if (!node->agent && !node->host_down)
		node_agent_start(world, node);
	else
		node->stay_down = false;
}

static void hang(struct world *world, struct node *node, int add)
{
	struct modelpg *pg = &node->pg;

	if (add > 0 && !pg->silent)
		pg->silent_since_ms = node_now_ms(world, node);
	pg->silent = add > 0 && modelpg_has_process(pg) && pg->state != PGM_LEFTOVERS;
}

static void early_revoke(struct world *world)
{
	if (world->oracle.leader_lease != 0)
		modeletcd_early_revoke(world, world->oracle.leader_lease);
}

/* A member that is down at this moment finds a store that may have grown past its record: the
 * manual says so. Those that run know at once. */
static void regress(struct world *world, enum fault fault, uint32_t other)
{
	int64_t back = fault == FAULT_ETCD_WIPE ? 0 : (int64_t)rng_skewed(&world->rng, 1, 400);

	if (!operator_sees_all(world))
		return;
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (!agent_view(world->nodes[i].agent)->cluster.leader_known)
			return; /* only just started: it knows its record and no more */
	modeletcd_regress(world, back, (other & 1) != 0);
	if (world->options.scenario)
		return; /* it says itself when */
	operator_accept_store(world, (int64_t)rng_skewed(&world->rng, 1000000, 25000000));
}

static void apply_network(struct world *world, enum fault fault, uint32_t id, uint32_t other,
			  int add)
{
	uint32_t member = other % world->etcd.nmembers;
	uint32_t npeers = MAX_OF(world->nnodes - 1, 1U);
	uint32_t peer = (id + 1 + other % npeers) % world->nnodes;

	if (fault == FAULT_ISOLATE || fault == FAULT_CUT_ETCD)
		cut_etcd(world, id, add);
	if (fault == FAULT_ISOLATE || fault == FAULT_CUT_PEERS)
		cut_peers(world, id, add);
	if (fault == FAULT_ISOLATE)
		net_cut_both(&world->net, NET_NODE(id), NET_CLIENTS, add);
	if (fault == FAULT_CUT_MEMBER)
		net_cut_both(&world->net, NET_NODE(id), NET_MEMBER(member), add);
	if (fault == FAULT_CUT_PAIR_ONE_WAY)
		net_cut(&world->net, NET_NODE(id), NET_NODE(peer), add);
	if (fault == FAULT_CUT_PAIR)
		net_cut_both(&world->net, NET_NODE(id), NET_NODE(peer), add);
	if (fault == FAULT_SLOW_LINK)
		net_slow_both(&world->net, NET_NODE(id),
			      other & 1 ? NET_MEMBER(member) : NET_NODE(peer), add);
	for (uint32_t i = 0; i < world->etcd.nmembers; i++) {
		if (fault == FAULT_CUT_ETCD_ONE_WAY && (other & 1))
			net_cut(&world->net, NET_NODE(id), NET_MEMBER(i), add);
		if (fault == FAULT_CUT_ETCD_ONE_WAY && !(other & 1))
			net_cut(&world->net, NET_MEMBER(i), NET_NODE(id), add);
		if (fault == FAULT_LOSS)
			net_loss_both(&world->net, NET_NODE(id), NET_MEMBER(i),
				      add > 0 ? (uint16_t)(50 + other % 400) : 0);
	}
}

static void apply_etcd(struct world *world, enum fault fault, uint32_t other, int add)
{
	uint32_t id = other % world->etcd.nmembers;
	struct emember *member = &world->etcd.members[id];

	if (fault == FAULT_MEMBER_DOWN)
		member_count(world, &member->down, add);
	if (fault == FAULT_MEMBER_FREEZE || fault == FAULT_COLOCATED)
		modeletcd_freeze(world, id, add);
	if (fault == FAULT_MEMBER_STALL)
		member_count(world, &member->stalled, add);
	if (fault == FAULT_MEMBER_CUT)
		cut_member_off(world, id, add);
	if (fault == FAULT_ETCD_MOVE)
		modeletcd_move_leader(world);
	if (fault == FAULT_ETCD_OUTAGE)
		all_members_down(world, add);
	if (fault == FAULT_ETCD_SLOW)
		world->etcd.slow = add > 0;
	if (fault == FAULT_EARLY_REVOKE)
		early_revoke(world);
	if (fault == FAULT_ETCD_WIPE || fault == FAULT_ETCD_RESTORE)
		regress(world, fault, other);
}

static void apply_host(struct world *world, enum fault fault, uint32_t id, int add)
{
	struct node *node = &world->nodes[id];

	if (fault == FAULT_HOST_FREEZE || fault == FAULT_COLOCATED)
		node_host_freeze(world, node, add);
	if (fault == FAULT_AGENT_FREEZE || fault == FAULT_BOTH_FREEZE)
		node_agent_freeze(world, node, add);
	if (fault == FAULT_GUARD_FREEZE || fault == FAULT_BOTH_FREEZE)
		node_guard_freeze(world, node, add);
	if (fault == FAULT_GUARD_KILL || (fault == FAULT_GUARD_FAILS && add > 0) ||
	    (fault == FAULT_BOTH_KILL && add > 0))
		guard_kill(world, node);
	if (fault == FAULT_GUARD_FAILS)
		pg_count(&node->guard_fails, add);
	if (fault == FAULT_AGENT_KILL || fault == FAULT_BOTH_KILL)
		agent_kill(world, node, add);
	if (fault == FAULT_AGENT_STOP)
		agent_stop(world, node, add);
	if (fault == FAULT_HOST_LOST && add > 0)
		node_host_down(world, node);
	if (fault == FAULT_HOST_LOST && add < 0)
		node_host_up(world, node);
	if (fault == FAULT_CLOCK_RATE)
		node_clock_rate(world, node, world_rate(world));
}

static void apply_pg(struct world *world, enum fault fault, uint32_t id, uint32_t other, int add)
{
	struct node *node = &world->nodes[id];

	if (fault == FAULT_PG_KILL)
		modelpg_kill_postmaster(world, id, (other & 1) != 0);
	if (fault == FAULT_PG_CRASH)
		modelpg_backend_crash(world, id);
	if (fault == FAULT_PG_HANG)
		hang(world, node, add);
	if (fault == FAULT_DISK_STALL)
		node_disk_stall(world, node, add);
	if (fault == FAULT_PG_FREEZE)
		node_pg_freeze(world, node, add);
	if (fault == FAULT_START_FAILS)
		pg_count(&node->pg.start_fails, add);
	if (fault == FAULT_DATA_LOST || fault == FAULT_DATA_FOREIGN)
		modelpg_replaced(world, id, fault == FAULT_DATA_LOST);
	if (fault == FAULT_SHORT_WAL)
		node->pg.short_wal = true;
	if (fault == FAULT_STARVED)
		node->pg.starved = true;
	if (fault == FAULT_COPY_FAILS) {
		pg_count(&node->pg.clone_fails, add);
		pg_count(&node->pg.rewind_fails, add);
	}
}

static void apply_operator(struct world *world, enum fault fault, uint32_t id, uint32_t other,
			   int add)
{
	uint32_t npeers = MAX_OF(world->nnodes - 1, 1U);
	uint32_t peer = (id + 1 + other % npeers) % world->nnodes;

	if (fault == FAULT_SWITCHOVER)
		operator_switchover(world, world->oracle.leader,
				    other & 8 ? world->nodes[peer].name : "");
	if (fault == FAULT_FAILOVER)
		operator_failover(world, world->nodes[peer].name);
	if (fault == FAULT_RESTART)
		operator_restart(world, id);
	if (fault == FAULT_REINIT)
		operator_reinit(world, id);
	if (fault == FAULT_PAUSE)
		operator_pause(world, add > 0);
	if (fault == FAULT_INIT_LOST)
		modeletcd_put(world, WORLD_PREFIX "initialize", NULL);
	if (fault == FAULT_INIT_FOREIGN)
		modeletcd_put(world, WORLD_PREFIX "initialize",
			      add > 0 ? "7000000000000000999" : world->nodes[id].pg.sysid);
	if (fault == FAULT_RESUME || fault == FAULT_PAUSE_KEY)
		operator_pause_in_etcd(world, fault == FAULT_PAUSE_KEY && add > 0);
	if (fault == FAULT_MADE_UP)
		operator_seal(world, id, 20 + other * 20);
	if (fault == FAULT_CONFIG)
		operator_patch(world, other & 1 ? "{\"ttl\":4}" :
						  other & 2 ? "{\"ttl\":6}" :
							      "{\"loop_wait\":2}");
}

static void apply_fence(struct world *world, enum fault fault, int add)
{
	if (fault == FAULT_FENCE_FAILS)
		pg_count(&world->fence_fails, add);
	if (fault == FAULT_FENCE_HANGS)
		pg_count(&world->fence_hangs, add);
}

static void apply(struct world *world, enum fault fault, uint32_t id, uint32_t other, int add)
{
	if (fault == FAULT_SPLIT)
		split(world, other & 1, add);
	apply_network(world, fault, id, other, add);
	apply_etcd(world, fault, other, add);
	apply_host(world, fault, id, add);
	apply_pg(world, fault, id, other, add);
	apply_operator(world, fault, id, other, add);
	apply_fence(world, fault, add);
}

void nemesis_end(struct world *world, enum fault fault, uint32_t node, uint32_t other)
{
	world_trace(world, "NEMESIS ends %s n%u %u", rows[fault].name, node + 1, other);
	apply(world, fault, node, other, -1);
}

static void on_end(struct world *world, struct ev *ev)
{
	if (!world->nemesis.off)
		nemesis_end(world, (enum fault)ev->gen, (uint32_t)ev->a, (uint32_t)ev->b);
}

void nemesis_strike(struct world *world, enum fault fault, int node, int member,
		    int64_t duration_us)
{
	const struct fault_row *row = &rows[fault];
	uint32_t id = node >= 0 ? (uint32_t)node : (uint32_t)rng_below(&world->rng, world->nnodes);
	uint32_t other = member >= 0 ? (uint32_t)member :
				       (uint32_t)rng_below(&world->rng, 1000);
	int leader = oracle_leader(world);

	/* The leader is where it hurts. */
	if (node < 0 && leader >= 0 && rng_chance(&world->rng, 400))
		id = (uint32_t)leader;
	if (member < 0 && world->etcd.leader >= 0 && rng_chance(&world->rng, 300))
		other = (uint32_t)world->etcd.leader;
	world_trace(world, "NEMESIS %s n%u %u", row->name, id + 1, other);
	if (world->oracle.coverage)
		world->oracle.coverage->faults[fault]++;
	apply(world, fault, id, other, 1);
	if (duration_us == 0)
		duration_us = rng_skewed(&world->rng, row->least_ms, row->most_ms) * 1000;
	if (row->most_ms == 0 || duration_us < 0)
		return;
	world_after(world, duration_us, (struct ev){ .what = "fault-ends",
						     .fn = on_end,
						     .gen = fault,
						     .a = id,
						     .b = other });
}

static bool possible(struct world *world, enum fault fault)
{
	uint32_t needs = rows[fault].needs;

	return !(needs & NEEDS_STORY) &&
	       (!(needs & NEEDS_TURN) || world->options.seed % 4 == 3) &&
	       (!(needs & NEEDS_GUARD) || world->guard) &&
	       (!(needs & NEEDS_FENCE) || world->fence) &&
	       (!(needs & NEEDS_ETCD_FAULTS) || world->etcd.faults) &&
	       (!(needs & NEEDS_BAD_CLOCKS) || world->bad_clocks) &&
	       (!(needs & NEEDS_LUCK) || rng_chance(&world->rng, 300));
}

/* Things that break off in the middle of what an agent has begun. */
static bool can_wait(enum fault fault)
{
	return fault == FAULT_HOST_FREEZE || fault == FAULT_AGENT_FREEZE ||
	       fault == FAULT_AGENT_KILL || fault == FAULT_GUARD_KILL ||
	       fault == FAULT_BOTH_KILL || fault == FAULT_GUARD_FREEZE ||
	       fault == FAULT_BOTH_FREEZE || fault == FAULT_PG_FREEZE ||
	       fault == FAULT_PG_KILL || fault == FAULT_PG_HANG || fault == FAULT_HOST_LOST ||
	       fault == FAULT_ISOLATE || fault == FAULT_CUT_ETCD || fault == FAULT_DISK_STALL;
}

static void on_poised(struct world *world, struct ev *ev)
{
	if (!world->nemesis.off)
		nemesis_strike(world, (enum fault)ev->gen, (int)ev->a, -1, 0);
}

void nemesis_at_step(struct world *world, uint32_t node)
{
	enum fault fault = world->nemesis.poised;

	if (fault == FAULT__MAX || !rng_chance(&world->rng, 400))
		return;
	world->nemesis.poised = FAULT__MAX;
	world_after(world, rng_skewed(&world->rng, 1, 30000),
		    (struct ev){ .what = "nemesis", .fn = on_poised, .gen = fault, .a = node });
}

static void strike_or_wait(struct world *world, enum fault fault)
{
	if (can_wait(fault) && rng_chance(&world->rng, 400))
		world->nemesis.poised = fault;
	else
		nemesis_strike(world, fault, -1, -1, 0);
}

static void on_strike(struct world *world, struct ev *ev)
{
	struct nemesis *nemesis = &world->nemesis;
	uint64_t pick;

	if (nemesis->off)
		return;
	if (nemesis->nkinds > 0) {
		pick = rng_below(&world->rng, nemesis->nkinds);
		for (size_t i = 0; i < FAULT__MAX; i++)
			if (nemesis->kinds[i] && pick-- == 0) {
				strike_or_wait(world, (enum fault)i);
				break;
			}
	}
	world_after(world,
		    rng_range(&world->rng, nemesis->least_gap_us, nemesis->most_gap_us),
		    (struct ev){ .what = "nemesis", .fn = on_strike });
	(void)ev;
}

void nemesis_init(struct world *world, int64_t from_us)
{
	struct nemesis *nemesis = &world->nemesis;
	uint32_t density = (uint32_t)rng_range(&world->rng, 30, 300);

	nemesis->poised = FAULT__MAX;
	for (size_t i = 0; i < FAULT__MAX; i++) {
		bool always = (rows[i].needs & NEEDS_TURN) != 0;

		nemesis->kinds[i] = possible(world, (enum fault)i) &&
				    (always || rng_chance(&world->rng, density));
		nemesis->nkinds += nemesis->kinds[i];
		if (nemesis->kinds[i])
			world_trace(world, "seed draws %s", rows[i].name);
	}
	nemesis->least_gap_us = rng_range(&world->rng, 50000, 2000000);
	nemesis->most_gap_us = nemesis->least_gap_us + rng_range(&world->rng, 1000000, 12000000);
	world_at(world, from_us, (struct ev){ .what = "nemesis", .fn = on_strike });
}

void nemesis_heal(struct world *world)
{
	world_trace(world, "NEMESIS heals everything");
	world->nemesis.off = true;
	world->fence_fails = 0;
	world->fence_hangs = 0;
	world->nemesis.poised = FAULT__MAX;
	for (uint32_t i = 0; i < world->nnodes; i++)
		node_host_up(world, &world->nodes[i]);
	net_heal(&world->net);
	modeletcd_heal(world);
	for (uint32_t i = 0; i < world->nnodes; i++) {
		struct node *node = &world->nodes[i];

		node->pg.start_fails = 0;
		node->pg.clone_fails = 0;
		node->pg.rewind_fails = 0;
		node->pg.silent = false;
		node->guard_fails = 0;
		if (node->pg.frozen > 0)
			node_pg_freeze(world, node, -node->pg.frozen);
		if (node->host_frozen > 0)
			node_host_freeze(world, node, -node->host_frozen);
		if (node->agent_frozen > 0)
			node_agent_freeze(world, node, -node->agent_frozen);
		if (node->guard_frozen > 0)
			node_guard_freeze(world, node, -node->guard_frozen);
		if (node->pg.disk_stalled > 0)
			node_disk_stall(world, node, -node->pg.disk_stalled);
		node->stay_down = false;
		if (!node->agent)
			node_boot_later(world, node);
	}
	operator_pause(world, false);
	operator_accept_store(world, 1000000);
}
