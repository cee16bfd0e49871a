/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_job - how long a primary waits before it is started again
 */
#include "agent/state.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define NOW_MS INT64_C(100000)

static struct agent *agent;
static struct config config;

static void on_pg(void *ctx, uint64_t ticket, const struct pg_req *req)
{
	(void)ctx;
	(void)ticket;
	(void)req;
}

static void setup(void)
{
	agent = calloc(1, sizeof(*agent));
	agent->config = &config;
	agent->port.pg = on_pg;
	agent->view.now_ms = NOW_MS;
	agent->view.pg.role = ROLE_PRIMARY;
}

static void teardown(void)
{
	free(agent);
}

TestSuite(job, .init = setup, .fini = teardown);

static void tell(enum pg_run run)
{
	struct pg_state pg = { .run = run, .role = ROLE_PRIMARY };
	struct event ev = { .type = EVENT_PG_PROBE, .at_ms = agent->view.now_ms, .pg = &pg };

	model_fold_pg(agent, &ev);
	model_refresh(agent);
}

/* From the order until it serves, from then until it ends; what the next start has to wait. */
static int64_t pause_after(int64_t starting_ms, int64_t serving_ms)
{
	struct view *v = &agent->view;
	struct event done = { .type = EVENT_PG_DONE, .result = starting_ms < 0 ? -ERR_IO : 0 };

	v->now_ms = MAX_OF(v->now_ms, v->work_backoff_until_ms);
	job_run(agent, &(struct pg_req){ .op = PGOP_START_PRIMARY });
	v->now_ms += llabs(starting_ms);
	job_answer(agent, &done);
	if (starting_ms >= 0 && serving_ms > 0)
		tell(PG_UP);
	v->now_ms += serving_ms;
	if (starting_ms >= 0)
		job_exited(agent);
	tell(PG_DOWN);
	return MAX_OF(v->work_backoff_until_ms - v->now_ms, 0);
}

Test(job, a_primary_that_served_longer_than_its_start_took_is_started_again_at_once)
{
	for (int i = 0; i < 20; i++)
		cr_assert_eq(pause_after(200, 1000), 0);
	cr_assert_eq(agent->view.start_failures, 20);
	cr_assert_neq(agent->view.unsteady_since_ms, 0, "it is given up one day, to one that could");
	cr_assert_eq(agent->view.vain_starts, 0);
}

Test(job, one_that_served_a_moment_only_waits_longer_each_time)
{
	cr_assert_eq(pause_after(200, 999), 0);
	cr_assert_eq(pause_after(200, 999), 1000);
	cr_assert_eq(pause_after(200, 999), 2000);
	cr_assert_eq(pause_after(200, 999), 4000);
}

Test(job, what_a_moment_is_depends_on_how_long_the_start_took)
{
	cr_assert_eq(pause_after(3000, 2999), 0);
	cr_assert_eq(pause_after(3000, 2999), 1000);
	cr_assert_eq(pause_after(3000, 3000), 0);
}

Test(job, a_life_that_was_worth_its_start_ends_the_row)
{
	cr_assert_eq(pause_after(200, 10), 0);
	cr_assert_eq(pause_after(200, 10), 1000);
	cr_assert_eq(pause_after(200, 1500), 0);
	cr_assert_eq(pause_after(200, 10), 0);
	cr_assert_eq(pause_after(200, 10), 1000);
}

Test(job, one_that_never_served_waits_from_the_second_time_on)
{
	cr_assert_eq(pause_after(200, 0), 0);
	cr_assert_eq(pause_after(200, 0), 1000);
	cr_assert_eq(pause_after(200, 0), 2000);
	cr_assert_eq(agent->view.vain_starts, START_TRIES);
}

Test(job, a_start_that_fails_makes_the_next_one_wait)
{
	cr_assert_eq(pause_after(-200, 0), 1000);
	cr_assert_eq(pause_after(-200, 0), 2000);
	cr_assert_eq(pause_after(200, 1000), 0);
	cr_assert_eq(pause_after(-200, 0), 1000);
}
