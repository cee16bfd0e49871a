/* SPDX-License-Identifier: PostgreSQL */
/*
 * eclient - a node's way to etcd
 */
#include "eclient.h"

#include <assert.h>
#include <stdlib.h>

#include "mutant.h"
#include "node.h"
#include "oracle.h"
#include "world.h"

struct reply {
	struct eattempt *attempt;
	struct etcd_rep rep;
};

static void reply_free(void *data)
{
	struct reply *reply = data;

	if (reply->attempt)
		modeletcd_attempt_free(reply->attempt);
	etcd_rep_done(&reply->rep);
	free(reply);
}

static struct ecall *find(struct world *world, uint64_t id)
{
	for (size_t i = 0; i < ECALLS_MAX; i++)
		if (id != 0 && world->eclient.calls[i].id == id)
			return &world->eclient.calls[i];
	return NULL;
}

static void call_free(struct ecall *call)
{
	etcd_req_done(&call->req);
	*call = (struct ecall){ 0 };
}

void eclient_done(struct world *world)
{
	for (size_t i = 0; i < ECALLS_MAX; i++)
		call_free(&world->eclient.calls[i]);
}

void eclient_forget(struct world *world, uint32_t node)
{
	for (size_t i = 0; i < ECALLS_MAX; i++)
		if (world->eclient.calls[i].id != 0 && world->eclient.calls[i].node == node)
			call_free(&world->eclient.calls[i]);
}

static void fail(struct world *world, struct ecall *call, enum err_code code)
{
	struct msg *msg = msg_new(EVENT_ETCD);

	msg->event.ticket = call->ticket;
	msg->event.result = err_set(&msg->err, code, "no etcd member answered");
	node_post(world, &world->nodes[call->node], 0, msg);
	call_free(call);
}

static void on_arrival(struct world *world, struct ev *ev)
{
	struct eattempt *attempt = ev->data;

	ev->data = NULL;
	modeletcd_receive(world, attempt);
}

static void attempt(struct world *world, struct ecall *call)
{
	struct node *node = &world->nodes[call->node];
	struct eattempt *next = mem_new(1, sizeof(*next));
	int64_t delay_us;

	etcd_req_copy(&next->req, &call->req);
	next->call = call->id;
	next->node = call->node;
	next->life = call->life;
	next->member = call->next_member;
	next->sent_ms = node_now_ms(world, node);
	next->sent_true_us = world->now_us;
	call->newest_sent_ms = next->sent_ms;
	call->next_member = (call->next_member + 1) % world->etcd.nmembers;
	call->attempts++;
	call->open++;
	mutant_on_request(world, next);
	if (!net_pass(world, NET_NODE(call->node), NET_MEMBER(next->member), &delay_us)) {
		modeletcd_attempt_free(next);
		return;
	}
	world_after(world, delay_us,
		    (struct ev){ .what = "etcd-arrival",
				 .fn = on_arrival,
				 .who = next->member,
				 .data = next,
				 .drop = modeletcd_attempt_free });
}

static void on_patience(struct world *world, struct ev *ev)
{
	struct ecall *call = find(world, ev->gen);

	if (!call)
		return;
	if (world->now_us >= call->deadline_us) {
		fail(world, call, ERR_TIMEOUT);
		return;
	}
	if (call->attempts < 2 * world->etcd.nmembers)
		attempt(world, call);
	world_at(world, MIN_OF(world->now_us + call->patience_us, call->deadline_us),
		 (struct ev){ .what = "etcd-patience",
			      .fn = on_patience,
			      .who = call->node,
			      .hold = HOLD_HOST | HOLD_AGENT,
			      .gen = call->id });
}

static struct ecall *unused(struct world *world)
{
	for (size_t i = 0; i < ECALLS_MAX; i++)
		if (world->eclient.calls[i].id == 0)
			return &world->eclient.calls[i];
	assert(false); /* an agent that asks without end */
	return NULL;
}

void eclient_call(struct world *world, uint32_t node, uint64_t ticket, const struct etcd_req *req)
{
	struct ecall *call = unused(world);

	assert(req->timeout_ms > 0);
	*call = (struct ecall){
		.id = ++world->eclient.next_id,
		.ticket = ticket,
		.life = world->nodes[node].life,
		.node = node,
		.next_member = world->eclient.preferred[node] % world->etcd.nmembers,
		.deadline_us = world->now_us + req->timeout_ms * 1000,
		.patience_us = MAX_OF(req->timeout_ms * 1000 / 3, 100000),
	};
	if (req->urgent)
		call->patience_us = MIN_OF(call->patience_us, 150000);
	etcd_req_copy(&call->req, req);
	attempt(world, call);
	for (uint32_t i = 1; req->everywhere && i < world->etcd.nmembers; i++)
		attempt(world, call);
	world_at(world, MIN_OF(world->now_us + call->patience_us, call->deadline_us),
		 (struct ev){ .what = "etcd-patience",
			      .fn = on_patience,
			      .who = node,
			      .hold = HOLD_HOST | HOLD_AGENT,
			      .gen = call->id });
}

static void deliver(struct world *world, struct ecall *call, struct reply *reply)
{
	struct msg *msg = msg_new(EVENT_ETCD);

	world->eclient.preferred[call->node] = reply->attempt->member;
	msg->rep = reply->rep;
	reply->rep = (struct etcd_rep){ 0 };
	msg->event.ticket = call->ticket;
	msg->event.rep = &msg->rep;
	msg->event.sent_at_ms = reply->attempt->sent_ms;
	mutant_on_reply(world, reply->attempt, call->newest_sent_ms, &msg->event);
	oracle_answered(world, reply->attempt);
	node_post(world, &world->nodes[call->node], 0, msg);
	call_free(call);
}

static void on_reply(struct world *world, struct ev *ev)
{
	struct reply *reply = ev->data;
	struct ecall *call = find(world, reply->attempt->call);

	if (!call)
		return;
	call->open--;
	if (reply->rep.error_code != ESTORE_UNAVAILABLE) {
		deliver(world, call, reply);
		return;
	}
	if (call->attempts < world->etcd.nmembers)
		attempt(world, call);
	else if (call->open == 0)
		deliver(world, call, reply);
}

static void send_back(struct world *world, struct reply *reply)
{
	int64_t delay_us;

	if (!net_pass(world, NET_MEMBER(reply->attempt->member), NET_NODE(reply->attempt->node),
		      &delay_us)) {
		reply_free(reply);
		return;
	}
	world_after(world, delay_us,
		    (struct ev){ .what = "etcd-reply",
				 .fn = on_reply,
				 .who = reply->attempt->node,
				 .hold = HOLD_HOST,
				 .data = reply,
				 .drop = reply_free });
}

void eclient_answer(struct world *world, struct eattempt *attempt_, struct etcd_rep *rep)
{
	struct reply *reply = mem_new(1, sizeof(*reply));

	reply->attempt = attempt_;
	reply->rep = *rep;
	*rep = (struct etcd_rep){ 0 };
	send_back(world, reply);
}

void eclient_refused(struct world *world, struct eattempt *attempt_)
{
	struct etcd_rep rep = { .error_code = ESTORE_UNAVAILABLE };

	(void)str_copy(rep.error_text, sizeof(rep.error_text), "connection refused");
	eclient_answer(world, attempt_, &rep);
}
