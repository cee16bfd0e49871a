/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_ready - the question to a real Postgres behind GET /ready/db
 */
#include <signal.h>

#include "io/pgready.h"
#include "pgrig.h"

#define BOUND_MS 900
/* Not the probe, which asks for more. */
#define OURS "query = 'select pg_catalog.pg_is_in_recovery()'"

static struct node *one;

struct heard {
	bool done;
	struct rest_db answer;
};

static void on_answer(void *ctx, const struct rest_db *answer)
{
	struct heard *heard = ctx;

	CHECK(!heard->done, "twice");
	heard->done = true;
	heard->answer = *answer;
}

static struct rest_db ask(void)
{
	struct heard heard = { 0 };
	int64_t began_ms = loop_now_ms();

	pgready_ask(one->pg, began_ms + BOUND_MS, on_answer, &heard);
	while (!heard.done) {
		CHECK(loop_now_ms() < began_ms + BOUND_MS + 1000, "late");
		pgrig_step();
	}
	return heard.answer;
}

static pid_t backend(void)
{
	return node_backend(one, OURS);
}

static void a_server_that_is_not_there_does_not_answer(void)
{
	struct rest_db answer = ask();

	CHECK(!answer.answered && answer.why[0] != '\0');
}

static void a_primary_says_so(void)
{
	struct rest_db answer;

	node_bootstrap(one);
	answer = ask();
	CHECK(answer.answered && !answer.in_recovery, "%s", answer.why);
	CHECK(answer.took_ms < BOUND_MS);
}

/* The connection that is kept is replaced within the same question. */
static void a_dead_connection_is_no_answer(void)
{
	struct rest_db answer;

	CHECK(node_sql(one,
		       "select pg_terminate_backend(pid) from pg_stat_activity where " OURS,
		       NULL));
	answer = ask();
	CHECK(answer.answered, "%s", answer.why);
}

static void a_backend_that_stands_still_is_not_waited_for(void)
{
	struct rest_db answer;
	pid_t pid = backend();

	CHECK(pid > 0);
	CHECK(kill(pid, SIGSTOP) == 0);
	answer = ask();
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(!answer.answered, "it stood still");
	CHECK(answer.took_ms >= BOUND_MS - 50, "%lld", (long long)answer.took_ms);
	answer = ask();
	CHECK(answer.answered, "%s", answer.why);
}

static void a_stop_does_not_wait_for_the_connection(void)
{
	struct rest_db answer;

	CHECK(ask().answered);
	CHECK(node_stop(one, STOP_FAST) == 0, "%s", one->err.msg);
	answer = ask();
	CHECK(!answer.answered);
}

int main(void)
{
	pgrig_begin();
	one = node_new(1);
	node_configure(one);
	RUN(a_server_that_is_not_there_does_not_answer);
	RUN(a_primary_says_so);
	RUN(a_dead_connection_is_no_answer);
	RUN(a_backend_that_stands_still_is_not_waited_for);
	RUN(a_stop_does_not_wait_for_the_connection);
	return 0;
}
