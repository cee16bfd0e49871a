/* SPDX-License-Identifier: PostgreSQL */
/*
 * operator - commands as an operator gives them, to any agent that listens
 */
#include "nemesis.h"
#include "world.h"

static struct node *anybody(struct world *world)
{
	uint32_t first = (uint32_t)rng_below(&world->rng, world->nnodes);

	for (uint32_t i = 0; i < world->nnodes; i++) {
		struct node *node = &world->nodes[(first + i) % world->nnodes];

		if (node->agent && node->agent_frozen == 0 && node->host_frozen == 0)
			return node;
	}
	return NULL;
}

static void ask(struct world *world, struct node *node, const struct command *command)
{
	if (node && node->agent)
		node_command(world, node, command);
}

void operator_switchover(struct world *world, const char *leader, const char *candidate)
{
	struct command command = { .type = CMD_SWITCHOVER };

	(void)str_copy(command.leader, sizeof(command.leader), leader);
	(void)str_copy(command.candidate, sizeof(command.candidate), candidate);
	ask(world, anybody(world), &command);
}

void operator_failover(struct world *world, const char *candidate)
{
	struct command command = { .type = CMD_FAILOVER };

	/* The candidate that an operator names is taken however far it is behind. */
	world->oracle.forced_until_us = world->now_us + 60000000;
	(void)str_copy(command.candidate, sizeof(command.candidate), candidate);
	ask(world, anybody(world), &command);
}

void operator_restart(struct world *world, uint32_t node)
{
	struct command command = { .type = CMD_RESTART };

	ask(world, &world->nodes[node], &command);
}

void operator_reinit(struct world *world, uint32_t node)
{
	struct command command = { .type = CMD_REINIT };

	ask(world, &world->nodes[node], &command);
}

void operator_seal(struct world *world, uint32_t node, int64_t ahead)
{
	struct command command = { .type = CMD_SEAL };

	if (!world->nodes[node].agent)
		return;
	command.ballot = agent_view(world->nodes[node].agent)->cluster.revision;
	if (ahead > 0)
		command.ballot = world->etcd.store.revision + ahead;
	(void)str_copy(command.scope, sizeof(command.scope), WORLD_SCOPE);
	(void)str_copy(command.candidate, sizeof(command.candidate), "nobody");
	ask(world, &world->nodes[node], &command);
}

void operator_patch(struct world *world, const char *json)
{
	char text[128];
	struct command command = { .type = CMD_PATCH_CONFIG, .json = text };

	(void)str_copy(text, sizeof(text), json);
	ask(world, anybody(world), &command);
}

bool operator_sees_all(const struct world *world)
{
	for (uint32_t i = 0; i < world->nnodes; i++) {
		const struct node *node = &world->nodes[i];

		if (!node->agent || node->agent_frozen > 0 || node->host_frozen > 0 ||
		    node->pg.disk_stalled > 0)
			return false;
		for (uint32_t j = 0; j < world->nnodes; j++)
			if (i != j && !net_open(&world->net, NET_NODE(i), NET_NODE(j)))
				return false;
	}
	return true;
}

/* hactl dcs accept: all that wait for it are told, when all are there. */
static void on_accept(struct world *world, struct ev *ev)
{
	struct command command = { .type = CMD_ACCEPT_STORE };
	bool again = world->nemesis.off;
	bool sees_all = operator_sees_all(world);

	for (uint32_t i = 0; i < world->nnodes; i++) {
		struct node *node = &world->nodes[i];

		if (!node->agent || !agent_view(node->agent)->regressed)
			continue;
		again = true;
		if (!sees_all)
			continue;
		world_trace(world, "operator accepts the store at %s", node->name);
		node_command(world, node, &command);
	}
	if (again)
		world_after(world, 1000000, (struct ev){ .what = "accept", .fn = on_accept });
	(void)ev;
}

void operator_accept_store(struct world *world, int64_t after_us)
{
	world_after(world, after_us, (struct ev){ .what = "accept", .fn = on_accept });
}

void operator_pause_in_etcd(struct world *world, bool pause)
{
	const struct eversion *key = estore_get(&world->etcd.store, WORLD_PREFIX "config");
	_cleanup_(freep) char *text = NULL;
	bool changed;

	text = restmsg_config_merge(key ? key->value : "{}",
				    pause ? "{\"pause\":true}" : "{\"pause\":null}", &changed);
	modeletcd_put(world, WORLD_PREFIX "config", text);
}

static void on_resume(struct world *world, struct ev *ev);

static void resume_until_heard(struct world *world)
{
	world_after(world, 1000000, (struct ev){ .what = "resume", .fn = on_resume });
}

/* An operator who resumes looks whether it worked, and at the end whether it stays: a store that is
 * put back brings the pause back with it. */
static void on_resume(struct world *world, struct ev *ev)
{
	(void)ev;
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (world->nodes[i].paused || !world->nodes[i].agent) {
			operator_patch(world, "{\"pause\":null}");
			resume_until_heard(world);
			return;
		}
	if (world->nemesis.off)
		resume_until_heard(world);
}

void operator_pause(struct world *world, bool pause)
{
	operator_patch(world, pause ? "{\"pause\":true}" : "{\"pause\":null}");
	if (!pause)
		resume_until_heard(world);
}
