/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_fork - a standby that received the first bytes of a new timeline, and no more
 *
 * The primary of the new timeline sends the segment of the fork from its beginning. What a standby
 * has of it when that one dies at once is put there by hand: the history file, and a segment that
 * ends before what was replayed from the old timeline's.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fsx.h"
#include "io/pgfork.h"
#include "pgrig.h"

#define SEGMENT_BYTES (16 * 1024 * 1024)
#define PAGE_BYTES    8192

static struct node *one, *two, *three, *four;
static char short_file[] = "pg_wal/000000020000000000000000";
static char aside_file[128];

static void read_wal(const struct node *node, const char *file, struct buf *ret)
{
	char path[256];

	str_printf(path, sizeof(path), "%s/%s", node->data_dir, file);
	CHECK(fsx_read(path, SEGMENT_BYTES, ret, NULL) == 0, "%s", path);
}

static void write_wal(const struct node *node, const char *file, const struct buf *bytes)
{
	char path[256];

	str_printf(path, sizeof(path), "%s/%s", node->data_dir, file);
	CHECK(fsx_replace(path, bytes->data, bytes->len, NULL) == 0, "%s", path);
}

static void wal_position(struct node *node, const char *sql, char ret[64])
{
	_cleanup_(buf_done) struct buf text = { 0 };

	CHECK(node_sql(node, sql, &text));
	str_clip(ret, 64, text.data);
	ret[strcspn(ret, "\n")] = '\0';
}

static void catch_up(struct node *node, struct node *upstream)
{
	char sql[128], flushed[64];

	wal_position(upstream, "select pg_current_wal_flush_lsn()", flushed);
	str_printf(sql, sizeof(sql), "select (pg_last_wal_replay_lsn() >= '%s')::int", flushed);
	for (int i = 0; node_number(node, sql) != 1; i++)
		CHECK(i < 500, "%s has not replayed %s", node->config.name, flushed);
}

/* `node` has the first `pages` pages of the segment in which timeline 2 begins. */
static void begin_segment(struct node *node, size_t pages)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(buf_done) struct buf part = { 0 };
	_cleanup_(buf_done) struct buf history = { 0 };
	static char zeros[SEGMENT_BYTES];

	read_wal(three, "pg_wal/00000002.history", &history);
	read_wal(three, short_file, &whole);
	CHECK(whole.len == SEGMENT_BYTES);
	buf_add(&part, whole.data, pages * PAGE_BYTES);
	buf_add(&part, zeros, SEGMENT_BYTES - part.len);
	write_wal(node, "pg_wal/00000002.history", &history);
	write_wal(node, short_file, &part);
}

static void spoil(struct node *node, size_t at)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };

	read_wal(node, short_file, &bytes);
	bytes.data[at] = (char)(bytes.data[at] ^ 1);
	write_wal(node, short_file, &bytes);
}

/* The same segment of timeline 1 ends after so many pages. */
static void write_older(struct node *node, size_t pages)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	char name[64];

	str_clip(name, sizeof(name), short_file);
	name[strlen("pg_wal/0000000")] = '1';
	read_wal(node, name, &bytes);
	memset(bytes.data + pages * PAGE_BYTES, 0, bytes.len - pages * PAGE_BYTES);
	write_wal(node, name, &bytes);
}

/* One begins a segment, fills half of it, and ends; three goes on, on timeline 2. */
static void the_primary_and_its_successor_die(void)
{
	char name[64];

	node_bootstrap(one);
	node_join(two, one);
	node_join(three, one);
	node_join(four, one);
	CHECK(node_sql(one, "create table t (a int, b text)", NULL));
	CHECK(node_sql(one, "select pg_switch_wal()", NULL));
	CHECK(node_sql(one, "insert into t select g, repeat(md5(g::text), 10) from "
			    "generate_series(1, 1000) g", NULL));
	catch_up(two, one);
	catch_up(three, one);
	catch_up(four, one);
	wal_position(one, "select pg_walfile_name(pg_current_wal_flush_lsn())", name);
	str_printf(short_file, sizeof(short_file), "pg_wal/00000002%s", name + 8);
	str_printf(aside_file, sizeof(aside_file), "%s.pgha-aside", short_file);
	CHECK(node_stop(one, STOP_FAST) == 0);
	CHECK(node_do(three, PGOP_PROMOTE) == 0, "%s", three->err.msg);
	CHECK(node_sql(three, "insert into t values (0, 'timeline 2')", NULL));
	CHECK(node_stop(three, STOP_FAST) == 0);
}

/* It looks for new timelines each time that it finds no upstream: every five seconds. */
static void look_around(struct node *node)
{
	int64_t until_ms = loop_now_ms() + 7000;

	do
		node_until(node, PG_UP, ROLE_REPLICA);
	while (loop_now_ms() < until_ms);
}

static void a_promotion_is_not_ordered_where_it_would_panic(void)
{
	int exits = two->exits;

	begin_segment(two, 16);
	look_around(two);
	CHECK(node_do(two, PGOP_PROMOTE) == PGOP_RESTARTED, "%d %s", two->result, two->err.msg);
	CHECK(two->state.run == PG_DOWN && two->exits == exits + 1);
	CHECK(node_has(two, "standby.signal"));
	CHECK(node_from(two, PGOP_START_STANDBY, NULL) == 0, "%s", two->err.msg);
	CHECK(!node_has(two, short_file) && node_has(two, aside_file));
	node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(node_do(two, PGOP_PROMOTE) == 0, "%s", two->err.msg);
	node_until(two, PG_UP, ROLE_PRIMARY);
	CHECK(two->state.timeline == 3);
	CHECK(node_number(two, "select count(*) from t") == 1000);
}

static bool is_short(struct node *node)
{
	struct pgcontrol control = { .timeline = 1, .wal_block_bytes = PAGE_BYTES,
				     .wal_segment_bytes = SEGMENT_BYTES };
	struct pgfork fork;
	struct err err = { 0 };
	int rc = pgfork_find(node->data_dir, &control, &fork, &err);

	CHECK(rc >= 0, "%s", err.msg);
	return rc == PGFORK_SHORT;
}

/* Restarted with it, Postgres would never get to what it had replayed before. */
static void a_start_sets_it_aside(void)
{
	CHECK(node_stop(four, STOP_FAST) == 0);
	begin_segment(four, 0);
	CHECK(is_short(four));
	CHECK(node_from(four, PGOP_START_STANDBY, NULL) == 0, "%s", four->err.msg);
	CHECK(!node_has(four, short_file) && node_has(four, aside_file));
	node_until(four, PG_UP, ROLE_REPLICA);
	CHECK(node_number(four, "select count(*) from t") == 1000);
}

static void what_may_be_needed_stays(void)
{
	_cleanup_(buf_done) struct buf whole = { 0 };

	CHECK(node_stop(four, STOP_FAST) == 0);
	/* It has all from before the fork. */
	read_wal(three, short_file, &whole);
	write_wal(four, short_file, &whole);
	CHECK(!is_short(four));
	/* Another past than that of the older timeline's. */
	begin_segment(four, 16);
	spoil(four, 3 * PAGE_BYTES + 100);
	CHECK(is_short(four));
	CHECK(node_from(four, PGOP_START_STANDBY, three) == 0, "%s", four->err.msg);
	CHECK(node_has(four, short_file));
	CHECK(node_stop(four, STOP_IMMEDIATE) == 0);
	/* The older one has less. */
	begin_segment(four, 16);
	write_older(four, 8);
	CHECK(!is_short(four));
}

int main(void)
{
	pgrig_begin();
	one = node_new(61);
	two = node_new(62);
	three = node_new(63);
	four = node_new(64);
	RUN(the_primary_and_its_successor_die);
	RUN(a_promotion_is_not_ordered_where_it_would_panic);
	RUN(a_start_sets_it_aside);
	RUN(what_may_be_needed_stays);
	return 0;
}
