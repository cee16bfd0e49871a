/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_ready - the question to a real Postgres behind GET /ready/db
 */
#include <signal.h>

#include "io/pgdial.h"
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

/* ---- several statements in one message ---- */

struct round {
	bool done;
	int result;
	char sqlstate[6];
	int64_t values[3];
};

static void on_round(void *ctx, int result, const struct err *err)
{
	struct round *round = ctx;

	round->done = true;
	round->result = result;
	round->sqlstate[0] = '\0';
	if (err != NULL)
		str_clip(round->sqlstate, sizeof(round->sqlstate), err->sqlstate);
}

static int read_value(const struct pgrows *rows, void *ret, struct err *err)
{
	return pgrows_int(rows, 0, 0, ret, err);
}

static uint32_t run(struct pgconn *conn, struct round *round, uint32_t n, const char *second)
{
	const struct sql sqls[] = {
		{ .name = "a", .text = "select 1", .ncolumns = 1 },
		{ .name = "b", .text = second, .ncolumns = 1 },
		{ .name = "c", .text = "select 3", .ncolumns = 1 },
	};
	struct pgconn_part parts[3];

	*round = (struct round){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		parts[i] = (struct pgconn_part){ &sqls[i], read_value, &round->values[i] };
	pgconn_round(conn, parts, n, loop_now_ms() + BOUND_MS, on_round, round);
	while (!round->done)
		pgrig_step();
	return pgconn_round_read(conn);
}

static void a_round_ends_with_the_first_that_fails(void)
{
	struct round round = { 0 };
	struct pgconn *conn;
	struct err err = { 0 };

	CHECK(pgconn_new(pgrig_loop(), &conn, &err) == 0, "%s", err.msg);
	pgdial_local(one->pg, conn, false, PGDIAL_STATEMENT_MS, loop_now_ms() + BOUND_MS, on_round,
		     &round);
	while (!round.done)
		pgrig_step();
	CHECK(round.result == 0);
	CHECK(run(conn, &round, 1, "select 2") == 1 && round.result == 0);
	CHECK(round.values[0] == 1 && round.values[1] == 0);
	/* The first has its plan already, the others get theirs. */
	CHECK(run(conn, &round, 3, "select 2") == 3 && round.result == 0);
	CHECK(round.values[1] == 2 && round.values[2] == 3);
	CHECK(node_number(one, "select count(*) from pg_stat_activity where query like "
			       "'%EXECUTE pgha_c%' and query not like '%PREPARE%' and "
			       "pid <> pg_backend_pid()") == 0);
	CHECK(run(conn, &round, 3, "select 2") == 3 && round.result == 0);
	CHECK(node_number(one, "select count(*) from pg_stat_activity where query = "
			       "'EXECUTE pgha_a;EXECUTE pgha_b;EXECUTE pgha_c;'") == 1);
	pgconn_close(conn);
	round.done = false;
	pgdial_local(one->pg, conn, false, PGDIAL_STATEMENT_MS, loop_now_ms() + BOUND_MS, on_round,
		     &round);
	while (!round.done)
		pgrig_step();
	/* One fails when it is planned, one when it runs; the session can be used afterwards. */
	CHECK(run(conn, &round, 3, "select nothing") == 1 && round.result == -(int)ERR_SQL);
	CHECK(str_eq(round.sqlstate, "42703"), "%s", round.sqlstate);
	CHECK(run(conn, &round, 3, "select 1 / pg_backend_pid(), 1 / (pg_backend_pid() * 0)") == 1);
	CHECK(round.result == -(int)ERR_SQL && str_eq(round.sqlstate, "22012"));
	CHECK(round.values[0] == 1 && round.values[2] == 0);
	CHECK(run(conn, &round, 3, "select 2") == 3 && round.result == 0);
	pgconn_free(conn);
}

int main(void)
{
	pgrig_begin();
	one = node_new(1);
	node_configure(one);
	RUN(a_server_that_is_not_there_does_not_answer);
	RUN(a_primary_says_so);
	RUN(a_round_ends_with_the_first_that_fails);
	RUN(a_dead_connection_is_no_answer);
	RUN(a_backend_that_stands_still_is_not_waited_for);
	RUN(a_stop_does_not_wait_for_the_connection);
	return 0;
}
