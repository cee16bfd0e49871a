/* SPDX-License-Identifier: PostgreSQL */
/*
 * port - struct port of the simulator: everything an agent asks for becomes an event
 */
#include <assert.h>
#include <stdlib.h>

#include "mutant.h"
#include "node.h"
#include "oracle.h"
#include "pgjobs.h"
#include "world.h"

static int64_t port_now_ms(void *ctx)
{
	const struct node *node = ctx;

	return node_now_ms(node->world, node);
}

static int64_t port_wall_us(void *ctx)
{
	const struct node *node = ctx;

	return WORLD_EPOCH_US + node->world->now_us + node->wall_off_us;
}

static void on_wake(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];
	struct msg *msg;

	if (ev->gen != node->wake_gen || !node->agent)
		return;
	msg = msg_new(EVENT_TIMER);
	node_post(world, node, 0, msg);
}

void port_arm(struct node *node)
{
	struct world *world = node->world;
	int64_t at_us = clock_true_us(&node->clock, node->wake_at_ms);

	node->wake_gen++;
	/* A timer is late more often than not, sometimes by much. */
	at_us = MAX_OF(at_us, world->now_us) + rng_skewed(&world->rng, 1, 12000);
	world_at(world, at_us,
		 (struct ev){ .what = "wake",
			      .fn = on_wake,
			      .who = node->id,
			      .hold = HOLD_HOST | HOLD_AGENT,
			      .gen = node->wake_gen });
}

static void port_wake_at(void *ctx, int64_t at_ms)
{
	struct node *node = ctx;

	node->wake_at_ms = at_ms;
	port_arm(node);
}

static void port_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	struct node *node = ctx;

	assert(ticket != 0);
	world_trace(node->world, "%s: etcd #%lu op %d key '%s' cmps %u then %u", node->name,
		    (unsigned long)ticket, req->op,
		    req->ncmps ? req->cmps[0].key : req->key, req->ncmps, req->nthen);
	eclient_call(node->world, node->id, ticket, req);
}

static void port_watch(void *ctx, const char *prefix, int64_t start_revision)
{
	struct node *node = ctx;

	ewatch_start(node->world, node->id, prefix, start_revision);
}

static void port_pg(void *ctx, uint64_t ticket, const struct pg_req *req)
{
	struct node *node = ctx;

	assert(ticket != 0);
	if (req->op != PGOP_PROBE)
		nemesis_at_step(node->world, node->id);
	if (req->op != PGOP_PROBE)
		world_trace(node->world, "%s: pg #%lu %s mode %d upstream '%s'", node->name,
			    (unsigned long)ticket, pg_op_name(req->op), req->stop,
			    req->upstream.name);
	pgjobs_request(node->world, node->id, ticket, req);
}

/* ---- peers ---- */

struct question {
	uint64_t ticket;
	uint64_t life;
	uint32_t target;
	uint32_t asker;
	uint64_t command; /* SEAL: the one that the target answers */
	struct peer_req req;
	char name[NAME_SIZE];
};

static void peer_failed(struct world *world, const struct question *question, enum err_code code)
{
	struct msg *msg = msg_new(EVENT_PEER);

	if (question->life != world->nodes[question->asker].life) {
		msg_free(msg);
		return;
	}
	msg->event.ticket = question->ticket;
	msg->event.result = err_set(&msg->err, code, "no answer from '%s'", question->name);
	(void)str_copy(msg->vote.name, sizeof(msg->vote.name), question->name);
	msg->vote.failed = true;
	msg->event.vote = &msg->vote;
	node_post(world, &world->nodes[question->asker], 0, msg);
}

static void on_peer_timeout(struct world *world, struct ev *ev)
{
	peer_failed(world, ev->data, ERR_TIMEOUT);
}

static void on_peer_refused(struct world *world, struct ev *ev)
{
	peer_failed(world, ev->data, ERR_CONNECT);
}

static void peer_told(struct world *world, const struct question *question, const char *body,
		      size_t len)
{
	struct msg *msg = msg_new(EVENT_PEER);

	msg->event.ticket = question->ticket;
	(void)str_copy(msg->vote.name, sizeof(msg->vote.name), question->name);
	msg->vote.answered = true;
	restmsg_vote_parse(body, len, &msg->vote);
	msg->event.vote = &msg->vote;
	if (question->life == world->nodes[question->asker].life)
		node_post(world, &world->nodes[question->asker],
			  rng_skewed(&world->rng, 200, 8000), msg);
	else
		msg_free(msg);
}

static void peer_answers(struct world *world, const struct question *question)
{
	struct node *target = &world->nodes[question->target];
	struct rest_answer answer = { 0 };

	restmsg_get(target->status, node_now_ms(world, target), "GET", "/patroni", NULL, &answer);
	peer_told(world, question, answer.body.data, answer.body.len);
	rest_answer_done(&answer);
}

static void on_seal_timeout(struct world *world, struct ev *ev)
{
	struct node *target = &world->nodes[ev->who];

	for (uint32_t i = 0; i < NODE_SEALING_MAX; i++) {
		struct question *question = target->sealing[i];

		if (!question || question->command != ev->gen)
			continue;
		target->sealing[i] = NULL;
		peer_failed(world, question, ERR_TIMEOUT);
		free(question);
	}
}

/* The question lies with the target until it answers, or until the asker has waited enough. */
static void peer_seals(struct world *world, const struct question *asked)
{
	struct node *target = &world->nodes[asked->target];
	struct command command = { .type = CMD_SEAL, .ballot = asked->req.ballot };
	struct question *question = mem_new(1, sizeof(*question));
	uint32_t i = 0;

	while (i < NODE_SEALING_MAX && target->sealing[i])
		i++;
	assert(i < NODE_SEALING_MAX);
	*question = *asked;
	(void)str_copy(command.scope, sizeof(command.scope), asked->req.scope);
	(void)str_copy(command.candidate, sizeof(command.candidate), asked->req.candidate);
	node_command(world, target, &command);
	question->command = target->next_command;
	target->sealing[i] = question;
	world_after(world, asked->req.timeout_ms * 1000,
		    (struct ev){ .what = "seal-timeout",
				 .fn = on_seal_timeout,
				 .who = target->id,
				 .gen = question->command });
}

void port_forget(struct node *node)
{
	for (uint32_t i = 0; i < NODE_SEALING_MAX; i++) {
		struct question *question = TAKE(node->sealing[i]);

		if (question)
			peer_failed(node->world, question, ERR_CONNECT);
		free(question);
	}
}

static void seal_answered(struct node *node, uint64_t command, int code, const char *body)
{
	for (uint32_t i = 0; i < NODE_SEALING_MAX; i++) {
		struct question *question = node->sealing[i];

		if (!question || question->command != command)
			continue;
		node->sealing[i] = NULL;
		if (code == 200)
			oracle_sealed(node->world, node->id, question->req.ballot);
		if (net_open(&node->world->net, NET_NODE(node->id), NET_NODE(question->asker)))
			peer_told(node->world, question, body, strlen(body));
		else
			peer_failed(node->world, question, ERR_TIMEOUT);
		free(question);
	}
}

static void on_peer_asked(struct world *world, struct ev *ev)
{
	const struct question *question = ev->data;

	if (!world->nodes[question->target].status)
		peer_failed(world, question, ERR_CONNECT);
	else if (question->req.ballot != 0)
		peer_seals(world, question);
	else
		peer_answers(world, question);
}

static bool peer_reachable(const struct world *world, const struct node *node, int target)
{
	const struct node *peer;

	if (target < 0)
		return false;
	peer = &world->nodes[target];
	return !peer->host_down && peer->host_frozen == 0 && peer->agent_frozen == 0 &&
	       net_open(&world->net, NET_NODE(node->id), NET_NODE(peer->id));
}

int port_peer_of(const struct world *world, const char *api_url)
{
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (str_eq(world->nodes[i].api_url, api_url))
			return (int)i;
	return -1;
}

static void port_peer(void *ctx, uint64_t ticket, const struct peer_req *req)
{
	struct node *node = ctx;
	struct world *world = node->world;
	struct question *question = mem_new(1, sizeof(*question));
	int target = port_peer_of(world, req->api_url);
	int64_t delay_us = rng_skewed(&world->rng, 300, 30000);
	ev_fn fn = on_peer_asked;

	*question = (struct question){ .ticket = ticket, .life = node->life, .asker = node->id };
	question->req = *req;
	(void)str_copy(question->name, sizeof(question->name), req->name);
	if (!peer_reachable(world, node, target)) {
		delay_us = MAX_OF(req->timeout_ms, 1) * 1000;
		fn = on_peer_timeout;
	} else if (!world->nodes[target].status) {
		fn = on_peer_refused;
	}
	question->target = target < 0 ? 0 : (uint32_t)target;
	world_after(world, delay_us,
		    (struct ev){ .what = "peer",
				 .fn = fn,
				 .who = node->id,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .data = question,
				 .drop = free });
}

/* ---- what needs no answer ---- */

static void port_configure(void *ctx, const struct config *config)
{
	(void)ctx;
	(void)config;
}

/* The postmaster's name is not compared: the models know every process by the data directory. */
static bool same_page(const struct page_update *a, const struct page_update *b)
{
	return a->armed == b->armed && a->epoch == b->epoch && a->lease_id == b->lease_id &&
	       a->asked_at_ms == b->asked_at_ms && a->ttl_ms == b->ttl_ms &&
	       a->kill_at_ms == b->kill_at_ms && a->gate_at_ms == b->gate_at_ms &&
	       a->proven == b->proven && a->postmaster_pid == b->postmaster_pid;
}

static void port_page(void *ctx, const struct page_update *page)
{
	struct node *node = ctx;

	if (node->has_page && same_page(&node->page, page))
		return;
	if (mutant_is(node->world, MUTANT_PAUSE_ARMED) && node->page.armed && !page->armed)
		return;
	if (node->page.armed != page->armed || node->page.epoch != page->epoch)
		nemesis_at_step(node->world, node->id);
	node->page = *page;
	node->has_page = true;
	world_trace(node->world, "%s: page armed %d epoch %ld asked %ld kill %ld", node->name,
		    page->armed, (long)page->epoch, (long)page->asked_at_ms,
		    (long)page->kill_at_ms);
	oracle_page(node->world, node->id);
	guard_page_changed(node->world, node);
}

struct record {
	uint64_t ticket;
	uint64_t boot;
	struct durable durable;
};

static void on_saved(struct world *world, struct ev *ev)
{
	struct node *node = &world->nodes[ev->who];
	const struct record *record = ev->data;
	struct msg *msg;

	if (record->boot != node->boots)
		return; /* the host was lost before it reached the disk */
	node->durable = record->durable;
	node->has_durable = true;
	if (ev->gen != node->life)
		return;
	msg = msg_new(EVENT_SAVED);
	msg->event.ticket = record->ticket;
	node_post(world, node, 0, msg);
}

static void port_save(void *ctx, uint64_t ticket, const struct durable *durable)
{
	struct node *node = ctx;
	struct record *record = mem_new(1, sizeof(*record));

	*record = (struct record){ .ticket = ticket, .boot = node->boots, .durable = *durable };
	world_trace(node->world, "%s: record #%lu revision %ld epoch %ld regressed %d", node->name,
		    (unsigned long)ticket, (long)durable->revision, (long)durable->epoch,
		    durable->regressed);
	world_after(node->world, rng_skewed(&node->world->rng, 200, 20000),
		    (struct ev){ .what = "saved",
				 .fn = on_saved,
				 .who = node->id,
				 .hold = HOLD_HOST | HOLD_DISK,
				 .gen = node->life,
				 .data = record,
				 .drop = free });
}

static void port_promise(void *ctx, uint64_t ticket, const struct promise_req *req)
{
	struct node *node = ctx;

	plea_ask(node->world, node, ticket, req);
}

static void port_publish(void *ctx, struct status *status)
{
	struct node *node = ctx;

	if (status->rule_id != node->last_rule) {
		world_trace(node->world, "%s: rule %u %s (%s)", node->name, status->rule_id,
			    status->rule_name, status->situation);
		node->last_rule = status->rule_id;
		oracle_rule(node->world, node->id, status->rule_id);
	}
	if (!node->status)
		node->status = status_new();
	status_copy(node->status, status);
}

static void port_answer(void *ctx, uint64_t command_id, int code, const char *content_type,
			const char *body)
{
	struct node *node = ctx;

	(void)content_type;
	world_trace(node->world, "%s: answers command %lu: %d %s", node->name,
		    (unsigned long)command_id, code, body ? body : "");
	if (command_id == node->next_command)
		node->last_answer = code;
	seal_answered(node, command_id, code, body ? body : "");
	plea_answered(node->world, node, command_id, code);
}

static void port_accept(void *ctx, uint64_t command_id, uint64_t lsn)
{
	struct node *node = ctx;

	world_trace(node->world, "%s: promises, at %lx", node->name, (unsigned long)lsn);
	plea_answered(node->world, node, command_id, 200);
}

static void port_callback(void *ctx, enum callback what, enum member_role role)
{
	(void)ctx;
	(void)what;
	(void)role;
}

static void port_fence(void *ctx, uint64_t ticket, const struct fence_req *req)
{
	struct node *node = ctx;

	fencecmd_run(node->world, node, ticket, req);
}

/* All of them do at once what they are asked. */
static void port_poolers(void *ctx, uint64_t ticket, const struct pooler_req *req)
{
	struct node *node = ctx;
	struct msg *msg = msg_new(EVENT_POOLERS);

	world_trace(node->world, "%s: clients of the poolers %s", node->name,
		    req->pause ? "wait" : "go on");
	msg->event.ticket = ticket;
	node_post(node->world, node, rng_range(&node->world->rng, 1000, 20000), msg);
}

static void port_cache_config(void *ctx, const char *json)
{
	struct node *node = ctx;

	free(node->cache_json);
	node->cache_json = str_dup(json);
}

static void port_dump(void *ctx, const char *why, const char *text, size_t len)
{
	struct node *node = ctx;

	(void)text;
	world_trace(node->world, "%s: flight record, %zu bytes: %s", node->name, len, why);
}

static void port_reload(void *ctx)
{
	(void)ctx;
}

static void port_quit(void *ctx, int exit_code)
{
	struct node *node = ctx;

	node->quit = true;
	node->exit_code = exit_code;
}

void port_bind(struct node *node)
{
	node->port = (struct port){
		.ctx = node,
		.now_ms = port_now_ms,
		.wall_us = port_wall_us,
		.wake_at = port_wake_at,
		.etcd = port_etcd,
		.watch = port_watch,
		.pg = port_pg,
		.peer = port_peer,
		.promise = port_promise,
		.configure = port_configure,
		.page = port_page,
		.save = port_save,
		.publish = port_publish,
		.answer = port_answer,
		.accept = port_accept,
		.callback = port_callback,
		.fence = port_fence,
		.poolers = port_poolers,
		.cache_config = port_cache_config,
		.dump = port_dump,
		.reload = port_reload,
		.quit = port_quit,
	};
}
