/* SPDX-License-Identifier: PostgreSQL */
/*
 * plea - POST /failsafe between agents: a leader without etcd asks, the other's loop answers
 */
#include <stdlib.h>

#include "node.h"
#include "world.h"

/* Apart from the ids of an operator's commands. */
#define PLEA_IDS (UINT64_C(1) << 40)

struct plea {
	uint64_t ticket;
	uint64_t life;
	uint32_t asker;
	uint32_t target;
	int64_t sent_ms; /* the asker's clock */
	int64_t epoch;
	char *body;
	uint64_t command_id; /* at the one that is asked */
};

static void plea_free(void *data)
{
	struct plea *plea = data;

	free(plea->body);
	free(plea);
}

static struct plea *plea_copy(const struct plea *plea)
{
	struct plea *copy = mem_new(1, sizeof(*copy));

	*copy = *plea;
	copy->body = NULL;
	return copy;
}

static void keep_ticket(struct node *node, uint64_t ticket)
{
	for (size_t i = 0; i < ARRAY_LEN(node->plea_tickets); i++) {
		if (node->plea_tickets[i] != 0)
			continue;
		node->plea_tickets[i] = ticket;
		return;
	}
}

/* A question is answered once. */
static bool take_ticket(struct node *node, uint64_t ticket)
{
	for (size_t i = 0; i < ARRAY_LEN(node->plea_tickets); i++) {
		if (node->plea_tickets[i] != ticket)
			continue;
		node->plea_tickets[i] = 0;
		return true;
	}
	return false;
}

static void on_plea_answer(struct world *world, struct ev *ev)
{
	const struct plea *plea = ev->data;
	struct node *node = &world->nodes[plea->asker];
	struct msg *msg;

	if (plea->life != node->life || !node->agent || !take_ticket(node, plea->ticket))
		return;
	msg = msg_new(EVENT_PROMISE);
	msg->event.ticket = plea->ticket;
	msg->event.sent_at_ms = plea->sent_ms;
	msg->event.accepted = ev->a == 200;
	(void)str_copy(msg->text, sizeof(msg->text), "refused");
	if (ev->a == 0)
		msg->event.result = err_set(&msg->err, ERR_TIMEOUT, "no answer");
	if (ev->a == 200)
		oracle_promised(world, plea->asker, plea->target, plea->epoch, plea->sent_ms);
	node_post(world, node, 0, msg);
}

static void plea_reply(struct world *world, const struct plea *plea, int64_t code)
{
	struct plea *copy = plea_copy(plea);

	if (code != 0 && !net_open(&world->net, NET_NODE(plea->target), NET_NODE(plea->asker))) {
		plea_free(copy);
		return; /* the asker's own patience ends it */
	}
	world_after(world, code != 0 ? rng_skewed(&world->rng, 200, 8000) : 0,
		    (struct ev){ .what = "plea answer",
				 .fn = on_plea_answer,
				 .who = plea->asker,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .a = code,
				 .data = copy,
				 .drop = plea_free });
}

static void on_plea_timeout(struct world *world, struct ev *ev)
{
	plea_reply(world, ev->data, 0);
}

static void keep_waiting(struct node *target, struct plea *plea)
{
	for (size_t i = 0; i < ARRAY_LEN(target->pleas); i++) {
		if (target->pleas[i])
			continue;
		target->pleas[i] = plea;
		return;
	}
	plea_free(plea);
}

static void on_plea(struct world *world, struct ev *ev)
{
	const struct plea *plea = ev->data;
	struct node *target = &world->nodes[plea->target];
	struct msg *msg;
	struct plea *copy;
	struct buf text = { 0 };
	int code;

	if (!target->agent)
		return;
	msg = msg_new(EVENT_COMMAND);
	code = restmsg_command("POST", "/failsafe", true, plea->body, strlen(plea->body), false,
			       0, &msg->command, &text);
	if (code != 0)
		oracle_fail(world, "scenario", "POST /failsafe is refused with %d: %s", code,
			    text.data);
	buf_done(&text);
	msg->event.command = &msg->command;
	msg->event.ticket = PLEA_IDS + ++target->next_plea;
	copy = plea_copy(plea);
	copy->command_id = msg->event.ticket;
	keep_waiting(target, copy);
	node_post(world, target, 0, msg);
}

void plea_answered(struct world *world, struct node *target, uint64_t command_id, int code)
{
	for (size_t i = 0; i < ARRAY_LEN(target->pleas); i++) {
		struct plea *plea = target->pleas[i];

		if (!plea || plea->command_id != command_id)
			continue;
		target->pleas[i] = NULL;
		plea_reply(world, plea, code);
		plea_free(plea);
	}
}

void plea_forget(struct node *node)
{
	for (size_t i = 0; i < ARRAY_LEN(node->pleas); i++) {
		if (node->pleas[i])
			plea_free(node->pleas[i]);
		node->pleas[i] = NULL;
	}
	memset(node->plea_tickets, 0, sizeof(node->plea_tickets));
}

void plea_ask(struct world *world, struct node *node, uint64_t ticket,
	      const struct promise_req *req)
{
	struct plea plea = { .ticket = ticket, .life = node->life, .asker = node->id,
			     .sent_ms = node_now_ms(world, node),
			     .epoch = agent_view(node->agent)->lease.epoch };
	int target = port_peer_of(world, req->api_url);
	struct plea *copy;

	world_trace(world, "%s: asks '%s' for its promise", node->name, req->name);
	keep_ticket(node, ticket);
	plea.target = target < 0 ? 0 : (uint32_t)target;
	world_after(world, MAX_OF(req->timeout_ms, 1) * 1000,
		    (struct ev){ .what = "plea timeout",
				 .fn = on_plea_timeout,
				 .who = node->id,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .data = plea_copy(&plea),
				 .drop = plea_free });
	if (target < 0 || world->nodes[target].host_down ||
	    !net_open(&world->net, NET_NODE(node->id), NET_NODE((uint32_t)target)))
		return;
	copy = plea_copy(&plea);
	copy->body = str_dup(req->body);
	/* A request may lie in a socket for as long as the one that is asked stands still. */
	world_after(world, rng_skewed(&world->rng, 300, 30000),
		    (struct ev){ .what = "plea",
				 .fn = on_plea,
				 .who = (uint32_t)target,
				 .hold = HOLD_HOST | HOLD_AGENT,
				 .data = copy,
				 .drop = plea_free });
}
