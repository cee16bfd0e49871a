/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_poolers - who lets the clients of PgBouncer go on, and when
 */
#include "agent/state.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define NOW_MS INT64_C(100000)

static struct agent *agent;
static struct config config;
static struct pooler_req asked; /* the newest */
static uint32_t requests;

static int64_t fake_now(void *ctx)
{
	(void)ctx;
	return agent->view.now_ms;
}

static void fake_poolers(void *ctx, uint64_t ticket, const struct pooler_req *req)
{
	(void)ctx;
	(void)ticket;
	asked = *req;
	requests++;
}

/* A leader that serves, in a life that began just now. */
static void setup(void)
{
	struct view *v;

	agent = calloc(1, sizeof(*agent));
	agent->config = &config;
	config.poolers = (struct config_poolers){ .n = 1, .pause_ms = 2000, .hold_ms = 15000 };
	agent->port.now_ms = fake_now;
	agent->port.poolers = fake_poolers;
	v = &agent->view;
	v->now_ms = NOW_MS;
	str_clip(v->name, NAME_SIZE, "n1");
	str_clip(v->cluster.leader, NAME_SIZE, "n1");
	v->pg.run = PG_UP;
	v->pg.role = ROLE_PRIMARY;
	lease_proven(&v->lease, 7, 1, NOW_MS, 60000);
	requests = 0;
	asked = (struct pooler_req){ 0 };
	poolers_configured(agent);
	agent->started = true;
}

static void teardown(void)
{
	free(agent);
}

TestSuite(poolers, .init = setup, .fini = teardown);

static void answer(int result)
{
	struct pending p;
	struct err err = { .code = ERR_CONNECT, .msg = "nobody there" };
	struct event ev = { .type = EVENT_POOLERS, .result = result,
			    .err = result < 0 ? &err : NULL };

	cr_assert(state_take(agent, agent->poolers.ticket, &p));
	poolers_answered(agent, &ev);
}

static void pass(int64_t ms)
{
	agent->view.now_ms += ms;
	poolers_cycle(agent);
}

/* As after the first cycle: whatever an earlier life left is over. */
static void past_the_start(void)
{
	pass(0);
	answer(0);
	requests = 0;
}

static void hold(void)
{
	past_the_start();
	poolers_pause(agent);
	cr_assert(asked.pause);
	cr_assert_eq(asked.timeout_ms, 2000);
	answer(0);
	cr_assert(agent->view.poolers_asked);
	requests = 0;
}

Test(poolers, a_leader_lets_go_once_in_each_life)
{
	cr_assert(agent->view.poolers);
	pass(0);
	cr_assert_eq(requests, 1);
	cr_assert_not(asked.pause);
	cr_assert_not(asked.moved);
	answer(0);
	pass(20000);
	cr_assert_eq(requests, 1);
}

Test(poolers, a_standby_leaves_them_alone)
{
	agent->view.lease = (struct lease){ 0 };
	agent->view.pg.role = ROLE_REPLICA;
	pass(60000);
	cr_assert_eq(requests, 0);
	/* Until it leads. */
	agent->view.pg.role = ROLE_PRIMARY;
	lease_proven(&agent->view.lease, 8, 1, agent->view.now_ms, 60000);
	poolers_moved(agent);
	pass(0);
	cr_assert_eq(requests, 1);
	cr_assert(asked.moved);
}

Test(poolers, clients_wait_while_the_stop_goes_on)
{
	hold();
	agent->view.handover_begun = true;
	pass(14999);
	cr_assert_eq(requests, 0);
	cr_assert_eq(poolers_wake_ms(agent), NOW_MS + 15000);
}

Test(poolers, nobody_waits_longer_than_hold_timeout)
{
	hold();
	agent->view.handover_begun = true;
	agent->view.pg.run = PG_DOWN;
	pass(15000);
	cr_assert_eq(requests, 1);
	cr_assert_not(asked.pause);
}

Test(poolers, nor_on_a_member_that_leads_no_more)
{
	hold();
	agent->view.lease = (struct lease){ 0 };
	agent->view.pg.role = ROLE_REPLICA;
	str_clip(agent->view.cluster.leader, NAME_SIZE, "n2");
	pass(15000);
	cr_assert_eq(requests, 1);
}

Test(poolers, who_goes_on_serving_lets_go_at_once)
{
	hold();
	agent->plan.situation.ask = ASK_HANDOVER;
	pass(0);
	cr_assert_eq(requests, 0);
	agent->plan.situation.ask = ASK_SEEK;
	pass(0);
	cr_assert_eq(requests, 1);
	cr_assert_not(asked.pause);
	cr_assert_not(agent->view.poolers_asked, "another hand-over has them wait again");
}

Test(poolers, a_failed_pause_holds_nothing_up)
{
	past_the_start();
	poolers_pause(agent);
	answer(-(int)ERR_TIMEOUT);
	cr_assert(agent->view.poolers_asked);
	/* Some of them may wait all the same. */
	cr_assert_neq(agent->poolers.held_since_ms, 0);
}

Test(poolers, tries_until_everybody_goes_on)
{
	hold();
	pass(0);
	for (uint32_t i = 1; i <= 100; i++) {
		cr_assert_eq(requests, i);
		answer(-(int)ERR_CONNECT);
		pass(0);
		cr_assert_eq(requests, i);
		lease_proven(&agent->view.lease, 7, 1, agent->view.now_ms, 60000);
		pass(5000);
	}
	answer(0);
	lease_proven(&agent->view.lease, 7, 1, agent->view.now_ms, 60000);
	pass(20000);
	cr_assert_eq(requests, 101);
}
