/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_seal - a standby that is told to receive from nobody receives nothing, whatever its
 * recovery is busy with
 */
#include <signal.h>
#include <unistd.h>

#include "io/pgdir.h"
#include "pgrig.h"

#define SEALED_MS 5000

static struct node *one, *two;

static bool confirms(void)
{
	return node_number(one, "select count(*) from pg_stat_replication") > 0;
}

/* Until the probe finds no walreceiver; nobody receives from then on. */
static void seal_two(void)
{
	int64_t began_ms = loop_now_ms();
	long long received;

	CHECK(node_from(two, PGOP_FOLLOW, NULL) == 0, "%s", two->err.msg);
	do {
		CHECK(loop_now_ms() < began_ms + SEALED_MS, "it goes on receiving");
		node_until(two, PG_UP, ROLE_REPLICA);
	} while (two->state.receiving);
	printf("   sealed after %d ms\n", (int)(loop_now_ms() - began_ms));
	CHECK(node_backend(two, "backend_type = 'walreceiver'") == 0);
	received = node_number(two, "select pg_last_wal_receive_lsn() - '0/0'");
	CHECK(node_sql(one, "insert into t select generate_series(1, 1000)", NULL));
	for (int i = 0; i < 5; i++)
		node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(!two->state.receiving && !confirms());
	CHECK(node_number(two, "select pg_last_wal_receive_lsn() - '0/0'") == received);
}

static void follow_again(void)
{
	CHECK(node_from(two, PGOP_FOLLOW, one) == 0, "%s", two->err.msg);
	do
		node_until(two, PG_UP, ROLE_REPLICA);
	while (!two->state.streaming);
}

static void the_setting_is_enough_as_a_rule(void)
{
	node_bootstrap(one);
	CHECK(node_sql(one, "create table t (a int)", NULL));
	node_join(two, one);
	seal_two();
	follow_again();
}

static void paused_replay_holds_no_walreceiver(void)
{
	/* 13 knows only that it was asked for, which is not less than the agent knows. */
	const char *paused = pgdir_major(two->data_dir) < 14 ?
				     "select pg_is_wal_replay_paused()::int" :
				     "select (pg_get_wal_replay_pause_state() = 'paused')::int";

	CHECK(node_sql(two, "select pg_wal_replay_pause()", NULL));
	CHECK(node_sql(one, "insert into t values (1)", NULL));
	while (node_number(two, paused) == 0)
		CHECK(node_sql(one, "insert into t values (1)", NULL));
	CHECK(confirms());
	seal_two();
	CHECK(two->state.replay_paused && !two->state.replay_waits);
	CHECK(node_sql(two, "select pg_wal_replay_resume()", NULL));
	follow_again();
}

/* It waits for a reader who needs what is to be removed. */
static void nor_does_a_conflict(void)
{
	pid_t reader;

	reader = node_sql_begin(two, "begin isolation level repeatable read; "
				     "select count(*), pg_sleep(100) from t");
	while (node_backend(two, "wait_event = 'PgSleep'") == 0)
		;
	CHECK(node_sql(one, "delete from t", NULL));
	while (node_backend(two, "backend_type = 'startup' and wait_event like "
				 "'RecoveryConflict%'") == 0)
		CHECK(node_sql(one, "vacuum t", NULL));
	CHECK(confirms());
	seal_two();
	CHECK(node_backend(two, "backend_type = 'startup' and wait_event like "
				"'RecoveryConflict%'") != 0);
	CHECK(!two->state.replay_waits);
	/* And it receives again as soon as it may. */
	CHECK(node_from(two, PGOP_FOLLOW, one) == 0);
	CHECK(node_sql(two, "select pg_terminate_backend(pid) from pg_stat_activity "
			    "where wait_event = 'PgSleep'", NULL));
	rig_kill(reader, SIGKILL);
	follow_again();
}

/* The setting that names somebody again is in force: that walreceiver is left alone. */
static void who_follows_again_is_left_alone(void)
{
	pid_t pid = node_backend(two, "backend_type = 'walreceiver'");

	CHECK(pid != 0);
	for (int i = 0; i < 20; i++) {
		node_until(two, PG_UP, ROLE_REPLICA);
		CHECK(two->state.receiving);
	}
	CHECK(node_backend(two, "backend_type = 'walreceiver'") == pid);
	/* As is that of a server that an agent finds, before it was told anything. */
	node_restart_agent(two);
	for (int i = 0; i < 20; i++)
		node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(node_backend(two, "backend_type = 'walreceiver'") == pid);
}

static void start_two_again(void)
{
	CHECK(node_stop(two, STOP_KILL) == 0, "%s", two->err.msg);
	CHECK(node_from(two, PGOP_START_STANDBY, NULL) == 0, "%s", two->err.msg);
	node_until(two, PG_UP, ROLE_REPLICA);
}

static void replays_all(void)
{
	int64_t until_ms = loop_now_ms() + SEALED_MS;

	do {
		CHECK(loop_now_ms() < until_ms, "it never comes to the end");
		node_until(two, PG_UP, ROLE_REPLICA);
	} while (!two->state.replay_waits);
}

/* What it holds and has not replayed yet does not show in its position. */
static void a_started_one_tells_when_it_has_replayed_all(void)
{
	uint64_t end;

	CHECK(node_sql(one, "insert into t select generate_series(1, 100000)", NULL));
	end = (uint64_t)node_number(one, "select pg_current_wal_flush_lsn() - '0/0'");
	do
		node_until(two, PG_UP, ROLE_REPLICA);
	while (two->state.receive_lsn < end);
	CHECK(!two->state.replay_waits); /* only asked where nobody is followed */
	start_two_again();
	replays_all();
	CHECK(two->state.receive_lsn == 0 && two->state.replay_lsn >= end);
}

int main(void)
{
	pgrig_begin();
	one = node_new(2051);
	two = node_new(2052);
	node_param(two, "max_standby_streaming_delay", "-1");
	node_configure(two);
	RUN(the_setting_is_enough_as_a_rule);
	RUN(paused_replay_holds_no_walreceiver);
	RUN(nor_does_a_conflict);
	RUN(who_follows_again_is_left_alone);
	RUN(a_started_one_tells_when_it_has_replayed_all);
	return 0;
}
