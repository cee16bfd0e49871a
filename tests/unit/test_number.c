/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_number - the transaction that gives a promotion the number of its timeline
 */
#include "agent/state.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define NOW_MS INT64_C(100000)

static struct agent *agent;
static struct config config;
static int64_t asked_timeout_ms; /* of the newest request; 0: nothing was asked */

static void on_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	(void)ctx;
	(void)ticket;
	asked_timeout_ms = req->timeout_ms;
	cr_assert(req->urgent);
}

/* It holds a lease and has to promote. */
static void setup(void)
{
	agent = calloc(1, sizeof(*agent));
	agent->config = &config;
	agent->port.etcd = on_etcd;
	agent->view.now_ms = NOW_MS;
	agent->view.lease.epoch = 17;
	str_clip(agent->view.name, sizeof(agent->view.name), "n2");
	asked_timeout_ms = 0;
}

static void teardown(void)
{
	free(agent);
}

TestSuite(number, .init = setup, .fini = teardown);

Test(number, is_asked_for_within_half_a_term)
{
	agent->session.ttl_ms = 5000;
	number_take(agent);
	cr_assert_eq(asked_timeout_ms, 2500);
}

/* It took the key in an earlier life, and no lease was granted to this one yet. */
Test(number, is_asked_for_by_an_agent_without_a_session)
{
	number_take(agent);
	cr_assert_eq(asked_timeout_ms, 1000);
}

Test(number, is_asked_for_once_at_a_time)
{
	number_take(agent);
	asked_timeout_ms = 0;
	agent->view.now_ms += 60000;
	number_take(agent);
	cr_assert_eq(asked_timeout_ms, 0);
}
