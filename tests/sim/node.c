/* SPDX-License-Identifier: PostgreSQL */
/*
 * node - one host: boots, starts its agent, hands it events, freezes, dies
 */
#include "node.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "pgjobs.h"
#include "world.h"

struct msg *msg_new(enum event_type type)
{
	struct msg *msg = mem_new(1, sizeof(*msg));

	msg->event.type = type;
	return msg;
}

void msg_free(void *data)
{
	struct msg *msg = data;

	etcd_rep_done(&msg->rep);
	etcd_watch_msg_done(&msg->watch);
	command_done(&msg->command);
	free(msg);
}

int64_t node_now_ms(const struct world *world, const struct node *node)
{
	return clock_local_ms(&node->clock, world->now_us);
}

static void boot(struct world *world, struct node *node)
{
	clock_boot(&node->clock, world->now_us,
		   rng_range(&world->rng, 3000000, INT64_C(400000000000)), world_rate(world));
	node->has_page = false;
	node->page = (struct page_update){ 0 };
	node->boots++;
}

static void on_boot(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];

	if (!node->agent && !node->host_down)
		node_agent_start(world, node);
}

void node_boot_later(struct world *world, struct node *node)
{
	world_after(world, rng_range(&world->rng, 100000, 1500000),
		    (struct ev){ .what = "boot", .fn = on_boot, .who = node->id });
}

void node_init(struct world *world, uint32_t id)
{
	struct node *node = &world->nodes[id];

	*node = (struct node){ .world = world, .id = id };
	(void)str_printf(node->name, sizeof(node->name), "n%u", id + 1);
	(void)str_printf(node->host, sizeof(node->host), "10.0.0.%u", id + 1);
	(void)str_printf(node->api_url, sizeof(node->api_url), "http://10.0.0.%u:8008/patroni",
			 id + 1);
	node->wall_off_us = rng_range(&world->rng, -2000000, 2000000);
	modelpg_init(&node->pg, id);
	port_bind(node);
	boot(world, node);
	world_after(world, rng_range(&world->rng, 0, 800000),
		    (struct ev){ .what = "boot", .fn = on_boot, .who = id });
}

void node_done(struct world *world, uint32_t id)
{
	struct node *node = &world->nodes[id];

	if (node->agent)
		agent_free(node->agent);
	plea_forget(node);
	status_free(node->status);
	free(node->cache_json);
	for (size_t i = 0; i < node->nheld; i++)
		evq_drop(&node->held[i]);
	free(node->held);
	modelpg_done(&node->pg);
}

/* ---- configuration ---- */

static struct confdoc *local_file(const struct world *world, const struct node *node)
{
	const char *mend = world->options.keep_diverged ? "false" : "true";
	static const char *const failsafe[FAILSAFE__MAX] = {
		"", "    failsafe_mode: true\n", "    failsafe_mode: quorum\n" };
	/* Without a draw, so that the other stories stay what they are. */
	const char *crash = world->options.seed % 8 == 3 ? "restart" :
			    world->options.seed % 8 == 6 ? "failover" :
							    "auto";
	char sync_names[24] = "";
	struct buf text = { 0 };
	struct confdoc *doc = NULL;
	struct err err;

	if (world->sync > 0)
		(void)str_printf(sync_names, sizeof(sync_names), "ANY %u (*)", world->sync);
	buf_printf(&text, "fence: {guard: %s, hung_postgres: %s, stalled_disk: %s, hung_after: 3",
		   world->guard_required ? "required" : "auto",
		   world->hung_fence ? "fence" : "report", world->hung_fence ? "fence" : "report");
	if (world->fence)
		buf_printf(&text,
			   ", command: [/usr/sbin/fence], command_timeout: 5, "
			   "command_failure: %s",
			   world->options.fence_promotes ? "promote" : "refuse");
	buf_str(&text, "}\n");
	if (world->options.poolers)
		buf_str(&text, "pgbouncer: {hosts: '10.0.2.1:6432'}\n");
	buf_printf(&text,
		   "scope: " WORLD_SCOPE "\nname: %s\n"
		   "restapi: {listen: '%s:8008', connect_address: '%s:8008'}\n"
		   "etcd3: {hosts: ['10.0.1.1:2379', '10.0.1.2:2379', '10.0.1.3:2379']}\n"
		   "bootstrap:\n  dcs:\n    ttl: 5\n    loop_wait: 1\n    retry_timeout: 3\n"
		   "    maximum_lag_on_failover: %s\n    primary_start_timeout: 8\n"
		   "    on_primary_crash: %s\n"
		   "%s"
		   "    postgresql:\n      use_pg_rewind: %s\n      use_slots: true\n"
		   "      parameters: {synchronous_standby_names: '%s'}\n"
		   "postgresql:\n  listen: '%s:5432'\n  connect_address: '%s:5432'\n"
		   "  data_dir: /var/lib/postgresql/data\n"
		   "  remove_data_directory_on_rewind_failure: %s\n"
		   "  remove_data_directory_on_diverged_timelines: %s\n"
		   "  authentication:\n    superuser: {username: postgres, password: s}\n"
		   "    replication: {username: replicator, password: r}\n"
		   "    rewind: {username: rewinder, password: w}\n",
		   node->name, node->host, node->host, world->wide_lag ? "16777216" : "65536",
		   crash, failsafe[world->failsafe], mend, sync_names, node->host, node->host,
		   mend, mend);
	if (world->options.nofailover == node->id + 1)
		buf_str(&text, "tags: {nofailover: true}\n");
	if (confdoc_parse(text.data, text.len, NULL, &doc, &err) < 0) {
		log_critical("the simulator's own configuration: %s", err.msg);
		abort();
	}
	buf_done(&text);
	return doc;
}

/* ---- the agent's life ---- */

static void after_step(struct world *world, struct node *node);

static void step(struct world *world, struct node *node, struct event *event)
{
	event->at_ms = node_now_ms(world, node);
	world_trace(world, "%s: event %s #%lu result %d", node->name,
		    event_type_name(event->type), (unsigned long)event->ticket, event->result);
	agent_step(node->agent, event);
	after_step(world, node);
}

static void on_restart(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];

	if (!node->agent && !node->host_down && !node->stay_down && ev->gen == node->life)
		node_agent_start(world, node);
}

static void note_pause(struct world *world, struct node *node)
{
	bool paused = agent_config(node->agent)->ha.pause;

	if (node->paused && !paused)
		node->unpaused_at_us = world->now_us;
	node->paused = paused;
}

static void after_step(struct world *world, struct node *node)
{
	note_pause(world, node);
	if (!node->quit)
		return;
	world_trace(world, "%s: agent quits with %d", node->name, node->exit_code);
	node_agent_kill(world, node);
	/* The unit restarts what did not end in good order; at the end everything is started. */
	if (node->exit_code != 0 || world->nemesis.off)
		world_after(world, 500000, (struct ev){ .what = "unit-restart",
							.fn = on_restart,
							.who = node->id,
							.gen = node->life });
}

static void fill_start(const struct world *world, const struct node *node,
		       struct start_facts *ret)
{
	(void)world;
	*ret = (struct start_facts){ .page_found = node->has_page && node->page.proven };
	if (!node->has_page || !node->page.armed)
		return;
	ret->lease_epoch = node->page.epoch;
	ret->lease_id = node->page.lease_id;
	ret->lease_asked_at_ms = node->page.asked_at_ms;
	ret->lease_ttl_ms = node->page.ttl_ms;
}

void node_etcd_info(struct world *world, struct node *node, int64_t delay_us)
{
	struct msg *msg = msg_new(EVENT_ETCD_INFO);
	bool fixed = !world->etcd.faults;

	if (mutant_is(world, MUTANT_TRUST_EXPIRY))
		fixed = true;
	msg->event.etcd_members = world->etcd.nmembers;
	msg->event.etcd_all_fixed = fixed;
	(void)str_copy(msg->event.etcd_min_version, VERSION_SIZE, fixed ? "3.5.16" : "3.4.23");
	node_post(world, node, delay_us, msg);
}

void node_agent_start(struct world *world, struct node *node)
{
	struct err err;
	struct msg *msg;

	assert(!node->agent && !node->host_down);
	node->life++;
	node->quit = false;
	node->stay_down = false;
	node->unguarded_us = 0;
	node->agent = agent_new(&node->port, local_file(world, node), node->cache_json,
				node->has_durable ? &node->durable : NULL,
				rng_next(&world->rng), &err);
	if (!node->agent) {
		log_critical("agent_new: %s", err.msg);
		abort();
	}
	if (!guard_watches(node))
		oracle_thawed(world, node->id);
	guard_wanted(world, node);
	world_trace(world, "%s: agent starts, life %lu", node->name, (unsigned long)node->life);
	msg = msg_new(EVENT_START);
	fill_start(world, node, &msg->start);
	msg->event.start = &msg->start;
	modelpg_facts(world, node->id, false, &msg->pg);
	msg->event.pg = &msg->pg;
	step(world, node, &msg->event);
	msg_free(msg);
	if (node->agent)
		node_etcd_info(world, node, rng_range(&world->rng, 2000, 400000));
}

void node_agent_kill(struct world *world, struct node *node)
{
	if (!node->agent)
		return;
	world_trace(world, "%s: agent gone", node->name);
	agent_free(node->agent);
	plea_forget(node);
	node->agent = NULL;
	node->life++;
	node->wake_gen++;
	status_free(node->status);
	node->status = NULL;
	node->last_rule = 0;
	node->fence_ticket = 0; /* the command goes on, and nobody hears of it */
	eclient_forget(world, node->id);
	ewatch_stop(world, node->id);
	pgjobs_orphan(world, node->id);
	port_forget(node);
}

void node_agent_stop(struct world *world, struct node *node)
{
	struct msg *msg;

	if (!node->agent)
		return;
	node->stay_down = true;
	msg = msg_new(EVENT_STOP);
	node_post(world, node, 0, msg);
}

static void on_msg(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];
	struct msg *msg = ev->data;

	if (ev->gen != node->life || !node->agent)
		return;
	step(world, node, &msg->event);
}

void node_post(struct world *world, struct node *node, int64_t delay_us, struct msg *msg)
{
	msg->event.err = msg->event.result < 0 ? &msg->err : NULL;
	msg->event.text = msg->text;
	if (!node->agent) {
		msg_free(msg);
		return;
	}
	world_after(world, delay_us,
		    (struct ev){ .what = event_type_name(msg->event.type),
				 .fn = on_msg,
				 .who = node->id,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .gen = node->life,
				 .data = msg,
				 .drop = msg_free });
}

void node_command(struct world *world, struct node *node, const struct command *command)
{
	struct msg *msg = msg_new(EVENT_COMMAND);

	msg->command = *command;
	msg->command.json = str_dup(command->json);
	msg->event.command = &msg->command;
	msg->event.ticket = ++node->next_command;
	node->last_answer = 0;
	node_post(world, node, 0, msg);
}

/* ---- freezing and dying ---- */

static int16_t count(int16_t value, int add)
{
	int sum = value + add;

	return (int16_t)MAX_OF(sum, 0);
}

void node_agent_freeze(struct world *world, struct node *node, int add)
{
	node->agent_frozen = count(node->agent_frozen, add);
	world_trace(world, "%s: agent frozen %d", node->name, node->agent_frozen);
	if (node->agent_frozen > 0)
		return;
	if (!guard_watches(node))
		oracle_thawed(world, node->id);
	world_release(world, node);
}

void node_guard_freeze(struct world *world, struct node *node, int add)
{
	if (node->guard_frozen == 0)
		node->guard_frozen_us = world->now_us;
	node->guard_frozen = count(node->guard_frozen, add);
	world_trace(world, "%s: guardian frozen %d", node->name, node->guard_frozen);
	if (node->guard_frozen > 0)
		return;
	oracle_thawed(world, node->id);
	world_release(world, node);
}

void node_host_freeze(struct world *world, struct node *node, int add)
{
	node->host_frozen = count(node->host_frozen, add);
	world_trace(world, "%s: host frozen %d", node->name, node->host_frozen);
	if (node->host_frozen > 0)
		return;
	oracle_thawed(world, node->id);
	world_release(world, node);
}

void node_clock_rate(struct world *world, struct node *node, int64_t rate_ppm)
{
	clock_set_rate(&node->clock, world->now_us, rate_ppm);
	guard_page_changed(world, node);
	if (node->agent)
		port_arm(node);
	pgjobs_arm(world, node->id);
}

void node_pg_freeze(struct world *world, struct node *node, int add)
{
	if (add > 0 && !modelpg_has_process(&node->pg))
		return;
	node->pg.frozen = count(node->pg.frozen, add);
	world_trace(world, "%s: postgres frozen %d", node->name, node->pg.frozen);
	if (node->pg.frozen > 0)
		return;
	world_release(world, node);
	pgjobs_thawed(world, node->id);
}

void node_disk_stall(struct world *world, struct node *node, int add)
{
	if (add > 0 && node->pg.disk_stalled == 0)
		node->pg.stalled_since_ms = node_now_ms(world, node);
	node->pg.disk_stalled = count(node->pg.disk_stalled, add);
	world_trace(world, "%s: disk stalled %d", node->name, node->pg.disk_stalled);
	if (add > 0 && node->pg.kill_sent && modelpg_has_process(&node->pg))
		node->pg.doomed = true;
	if (node->pg.disk_stalled == 0)
		world_release(world, node);
}

void node_host_down(struct world *world, struct node *node)
{
	if (node->host_down)
		return;
	world_trace(world, "%s: host lost", node->name);
	node->host_down = true;
	node->fence_gen++;
	node_agent_kill(world, node);
	modelpg_vanish(world, node->id);
	node->host_frozen = 0;
	node->agent_frozen = 0;
	node->pg.disk_stalled = 0;
	node->has_page = false;
	node->guard_up = false;
	node->guard_starting = false;
	node->guard_frozen = 0;
	node->guard_gen++;
	world_release(world, node);
	for (uint32_t i = 0; i < NET_MAX; i++)
		if (i != NET_NODE(node->id))
			net_cut_both(&world->net, NET_NODE(node->id), i, 1);
}

void node_host_up(struct world *world, struct node *node)
{
	if (!node->host_down)
		return;
	world_trace(world, "%s: host boots", node->name);
	node->host_down = false;
	for (uint32_t i = 0; i < NET_MAX; i++)
		if (i != NET_NODE(node->id))
			net_cut_both(&world->net, NET_NODE(node->id), i, -1);
	boot(world, node);
	oracle_rebooted(world, node->id);
	node_boot_later(world, node);
}
