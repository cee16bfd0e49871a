/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_number - promotions that pass over timeline numbers, and who follows across the gap
 */
#include <sys/stat.h>
#include <unistd.h>

#include "io/pgnumber.h"
#include "pgrig.h"

static struct node *one, *two, *three, *four;

static void promote_above(struct node *node, uint32_t above, uint32_t known)
{
	struct pg_req req = { .op = PGOP_PROMOTE, .above_timeline = above,
			      .known_timeline = known };

	CHECK(node_req(node, &req) == 0, "%s", node->err.msg);
	CHECK(node_do(node, PGOP_PROBE) == 0);
}

static void until_on(struct node *node, uint32_t timeline)
{
	int64_t until_ms = loop_now_ms() + 60000;

	do {
		CHECK(loop_now_ms() < until_ms, "%s is on timeline %u, streaming %d",
		      node->config.name, node->state.timeline, node->state.streaming);
		node_until(node, PG_UP, ROLE_REPLICA);
	} while (!node->state.streaming || node->state.timeline != timeline);
}

static void until_row(struct node *node, int row)
{
	int64_t until_ms = loop_now_ms() + 60000;
	char sql[64];

	str_printf(sql, sizeof(sql), "select count(*) from t where a = %d", row);
	while (node_number(node, sql) != 1) {
		CHECK(loop_now_ms() < until_ms, "%s has no row %d", node->config.name, row);
		CHECK(node_do(node, PGOP_PROBE) == 0);
	}
}

static void archives(struct node *node)
{
	char command[256];

	str_printf(command, sizeof(command),
		   "test ! -f \"%s/archive/%%f\" && cp \"%%p\" \"%s/archive/%%f\"", rig_dir(),
		   rig_dir());
	node_param(node, "archive_mode", "on");
	node_param(node, "archive_command", command);
	node_configure(node);
}

static bool archived(const char *name)
{
	char path[256];

	str_printf(path, sizeof(path), "%s/archive/%s", rig_dir(), name);
	return access(path, F_OK) == 0;
}

static void three_members_and_a_copy(void)
{
	char path[256];

	str_printf(path, sizeof(path), "%s/archive", rig_dir());
	CHECK(mkdir(path, 0700) == 0);
	archives(one);
	archives(two);
	archives(three);
	node_bootstrap(one);
	CHECK(node_sql(one, "create table t (a int)", NULL));
	node_join(two, one);
	node_join(three, one);
	CHECK(node_from(four, PGOP_CLONE, one) == 0, "%s", four->err.msg);
}

static void the_number_is_above_the_one_named(void)
{
	CHECK(node_stop(one, STOP_FAST) == 0);
	promote_above(two, 3, 1);
	CHECK(two->state.timeline == 4, "timeline %u", two->state.timeline);
	CHECK(node_has(two, "pg_wal/00000002.history") && node_has(two, "pg_wal/00000003.history"));
	CHECK(node_sql(two, "insert into t values (4)", NULL));
	CHECK(node_sql(two, "select pg_switch_wal()", NULL));
	CHECK(node_from(one, PGOP_ANCESTRY, two) == 0, "%s", one->err.msg);
	CHECK(one->history.timeline == 4 && one->history.n == 1);
	CHECK(one->history.entries[0].timeline == 1);
}

static void standbys_follow_across_the_gap(void)
{
	CHECK(node_from(three, PGOP_FOLLOW, two) == 0, "%s", three->err.msg);
	until_on(three, 4);
	until_row(three, 4);
	CHECK(node_has(three, "pg_wal/00000002.history"));
	/* The old primary, which was shut down. */
	CHECK(node_from(one, PGOP_START_STANDBY, two) == 0, "%s", one->err.msg);
	until_on(one, 4);
	until_row(one, 4);
	/* Started again, with all those files: a real timeline comes behind them. */
	CHECK(node_stop(one, STOP_FAST) == 0);
	CHECK(node_from(one, PGOP_START_STANDBY, two) == 0, "%s", one->err.msg);
	until_on(one, 4);
	CHECK(node_has(one, "pg_wal/00000003.history"));
}

static void the_archive_has_no_gap(void)
{
	int64_t until_ms = loop_now_ms() + 60000;
	char command[256];

	while (!archived("00000002.history") || !archived("00000003.history") ||
	       !archived("00000004.history")) {
		CHECK(loop_now_ms() < until_ms, "not archived");
		CHECK(node_do(two, PGOP_PROBE) == 0);
	}
	/* From the archive alone, with the copy of timeline 1. */
	str_printf(command, sizeof(command), "cp \"%s/archive/%%f\" \"%%p\"", rig_dir());
	node_param(four, "restore_command", command);
	node_configure(four);
	CHECK(node_do(four, PGOP_START_STANDBY) == 0, "%s", four->err.msg);
	node_until(four, PG_UP, ROLE_REPLICA);
	until_row(four, 4);
}

static void a_promotion_that_never_came_leaves_nothing(void)
{
	_cleanup_(words_done) struct words made = { 0 };

	CHECK(node_stop(three, STOP_FAST) == 0);
	CHECK(pgnumber_reserve(three->data_dir, 4, 6, &made, NULL) == 0 && made.n == 2);
	CHECK(pgnumber_archive(three->data_dir, 4, 6, NULL) == 0);
	CHECK(node_has(three, "pg_wal/archive_status/00000006.history.ready"));
	CHECK(node_from(three, PGOP_START_STANDBY, two) == 0, "%s", three->err.msg);
	until_on(three, 4);
	CHECK(!node_has(three, "pg_wal/00000005.history"));
	CHECK(!node_has(three, "pg_wal/00000006.history"));
	CHECK(!node_has(three, "pg_wal/archive_status/00000006.history.ready"));
	CHECK(node_has(three, "pg_wal/00000003.history"));
}

static void a_running_standby_does_not_follow_a_reserved_number(void)
{
	_cleanup_(words_done) struct words made = { 0 };
	int64_t until_ms;

	CHECK(pgnumber_reserve(three->data_dir, 4, 6, &made, NULL) == 0 && made.n == 2);
	CHECK(node_stop(two, STOP_FAST) == 0);
	/* It looks for new timelines each time that it finds no upstream: every five seconds. */
	until_ms = loop_now_ms() + 6000;
	do
		node_until(three, PG_UP, ROLE_REPLICA);
	while (loop_now_ms() < until_ms);
	CHECK(three->state.timeline == 4);
	promote_above(three, 6, 4);
	CHECK(three->state.timeline == 7, "timeline %u", three->state.timeline);
	CHECK(node_sql(three, "insert into t values (7)", NULL));
	CHECK(node_from(two, PGOP_ANCESTRY, three) == 0, "%s", two->err.msg);
	CHECK(two->history.n == 2 && two->history.entries[1].timeline == 4);
	CHECK(node_from(two, PGOP_START_STANDBY, three) == 0, "%s", two->err.msg);
	until_on(two, 7);
	until_row(two, 7);
}

static void nothing_real_is_ever_replaced(void)
{
	_cleanup_(words_done) struct words made = { 0 };
	struct err err = { 0 };

	CHECK(pgnumber_reserve(three->data_dir, 1, 7, &made, NULL) == 0 && made.n == 0);
	CHECK(pgnumber_prune(three->data_dir, 1, NULL) == 0);
	CHECK(node_has(three, "pg_wal/00000006.history"));
	CHECK(node_has(three, "pg_wal/00000007.history"));
	CHECK(pgnumber_reserve(three->data_dir, 7, 7000000, &made, &err) == -(int)ERR_RANGE);
}

int main(void)
{
	pgrig_begin();
	one = node_new(41);
	two = node_new(42);
	three = node_new(43);
	four = node_new(44);
	RUN(three_members_and_a_copy);
	RUN(the_number_is_above_the_one_named);
	RUN(standbys_follow_across_the_gap);
	RUN(the_archive_has_no_gap);
	RUN(a_promotion_that_never_came_leaves_nothing);
	RUN(a_running_standby_does_not_follow_a_reserved_number);
	RUN(nothing_real_is_ever_replaced);
	return 0;
}
