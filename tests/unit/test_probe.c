/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_probe - when the local Postgres is looked at
 */
#include "agent/state.h"
#include "core/situation.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define NOW_MS INT64_C(100000)

static struct agent *agent;
static struct config config;
static uint32_t nprobes;
static bool brief; /* the newest */

static void on_pg(void *ctx, uint64_t ticket, const struct pg_req *req)
{
	struct pending p;

	(void)ctx;
	cr_assert_eq(req->op, PGOP_PROBE);
	nprobes++;
	brief = req->brief;
	cr_assert(state_take(agent, ticket, &p)); /* answered at once */
}

/* A standby that streams, just looked at. */
static void setup(void)
{
	agent = calloc(1, sizeof(*agent));
	agent->config = &config;
	agent->port.pg = on_pg;
	agent->view.now_ms = agent->probe_at_ms = NOW_MS;
	agent->view.cfg.loop_wait_ms = 1000;
	agent->view.pg = (struct pg_state){ .run = PG_UP, .role = ROLE_REPLICA, .streaming = true };
	nprobes = 0;
}

static void teardown(void)
{
	free(agent);
}

TestSuite(probe, .init = setup, .fini = teardown);

static uint32_t probes_after(int64_t ms)
{
	uint32_t before = nprobes;

	agent->view.now_ms += ms;
	probe_cycle(agent);
	return nprobes - before;
}

Test(probe, goes_with_what_wakes_the_agent_a_moment_before)
{
	cr_assert_eq(probes_after(799), 0);
	cr_assert_eq(probes_after(1), 1);
	cr_assert_not(brief);
	cr_assert_eq(probe_wake_ms(agent), NOW_MS + 800 + 1000);
}

/* Whether it still receives is what a leader whose Postgres crashed waits for. */
Test(probe, is_repeated_until_a_standby_has_lost_its_leader)
{
	agent->leader_down_at_ms = NOW_MS;
	cr_assert_eq(probe_wake_ms(agent), NOW_MS + 20);
	cr_assert_eq(probes_after(20), 1);
	cr_assert(brief);
	cr_assert_eq(probes_after(20), 1);
	agent->view.pg.streaming = false;
	cr_assert_eq(probes_after(20), 0);
}

Test(probe, is_not_repeated_for_longer_than_a_crashed_leader_waits)
{
	agent->leader_down_at_ms = NOW_MS;
	cr_assert_eq(probes_after(CRASH_SETTLED_MS - 1), 1);
	cr_assert_eq(probes_after(20), 0);
	cr_assert_eq(probe_wake_ms(agent), agent->probe_at_ms + 1000);
}

Test(probe, of_an_election_has_no_early_moment)
{
	agent->view.election_since_ms = NOW_MS;
	cr_assert_eq(probes_after(99), 0);
	cr_assert_eq(probes_after(1), 1);
}
