/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_life - bootstrap, start, probe, promote, follow, stop, and what a crash leaves behind
 */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/child.h"
#include "io/pgdir.h"
#include "io/pgproc.h"
#include "pgrig.h"

static struct node *one, *two;

static void bootstraps_a_cluster(void)
{
	struct pg_state look;

	pg_look(one->pg, &look);
	CHECK(look.run == PG_DOWN && look.dir == DIR_EMPTY);
	CHECK(node_do(one, PGOP_INITDB) == 0, "%s", one->err.msg);
	CHECK(node_has(one, "pgha.bootstrap") && !node_has(one, "pgha.whole"));
	CHECK(node_do(one, PGOP_PROBE) == 0);
	CHECK(one->state.run == PG_DOWN && one->state.dir == DIR_PRESENT);
	CHECK(one->state.boot_unfinished && one->state.can_rewind);
	CHECK(one->state.control == CONTROL_SHUT_DOWN && one->state.control_end_lsn > 0);
	CHECK(strlen(one->state.sysid) > 10);
	CHECK(one->state.server_version == pgdir_major(one->data_dir) * 10000);

	CHECK(node_do(one, PGOP_INITDB) == -(int)ERR_STATE);
	CHECK(node_do(one, PGOP_START_PRIMARY) == 0, "%s", one->err.msg);
	CHECK(one->state.run == PG_STARTING && one->state.role == ROLE_PRIMARY);
	CHECK(one->state.postmaster_pid > 0);
	node_until(one, PG_UP, ROLE_PRIMARY);
	CHECK(one->sql_ok && one->state.timeline == 1 && one->state.flush_lsn > 0);
	CHECK(one->state.server_version / 10000 == pgdir_major(one->data_dir));
	CHECK(one->state.control == CONTROL_IN_PRODUCTION && !one->state.standby_signal);
	CHECK(one->state.postmaster_start_us > 0 && !one->state.pending_restart);
}

static void makes_roles_twice_without_harm(void)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char script[] = "sh -c 'echo \"$1\" > $0 && psql -XAt -c \"show synchronous_commit\" \"$1\" >> "
			"$0'";
	_cleanup_(buf_done) struct buf command = { 0 };
	_cleanup_(freep) char *path = str_dupf("%s:/usr/bin:/bin", pgrig_bin());

	buf_printf(&command, "%s %s/boot.out", script, rig_dir());
	one->config.bootstrap.post_bootstrap = command.data;
	node_configure(one);
	setenv("PATH", path, 1);
	for (int i = 0; i < 2; i++)
		CHECK(node_do(one, PGOP_POST_BOOTSTRAP) == 0, "%s", one->err.msg);
	one->config.bootstrap.post_bootstrap = NULL;
	CHECK(!node_has(one, "pgha.bootstrap") && !one->state.boot_unfinished);
	CHECK(node_number(one, "select count(*) from pg_authid where rolname in "
			       "('replicator', 'rewinder') and rolcanlogin and "
			       "rolpassword like 'SCRAM-SHA-256$%'") == 2);
	CHECK(node_number(one, "select rolreplication::int from pg_roles where rolname = "
			       "'replicator'") == 1);
	CHECK(node_number(one, "select (has_function_privilege('rewinder', "
			       "'pg_ls_dir(text, bool, bool)', 'execute') and "
			       "has_function_privilege('rewinder', 'pg_read_binary_file(text, "
			       "bigint, bigint, bool)', 'execute'))::int") == 1);
	buf_printf(&text, "grep -q '^dbname=postgres user=postgres ' %s/boot.out && "
			  "grep -qx local %s/boot.out", rig_dir(), rig_dir());
	CHECK(access(text.data, F_OK) != 0);
	{
		const char *argv[] = { "sh", "-c", text.data, NULL };
		struct child_spec spec = { .name = "sh", .argv = argv };
		_cleanup_(buf_done) struct buf output = { 0 };
		int code = 1;

		CHECK(child_run(&spec, 5000, &output, &code, NULL) == 0 && code == 0);
	}
}

static void keeps_passwords_out_of_the_log(void)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	const char *argv[] = { "grep", "-c", "-e", "se'cr", "-e", "SCRAM-SHA", NULL, NULL };
	struct child_spec spec = { .name = "grep", .argv = argv };
	_cleanup_(buf_done) struct buf output = { 0 };
	int code = 0;

	buf_printf(&path, "%s.startup.log", one->data_dir);
	argv[6] = path.data;
	CHECK(child_run(&spec, 5000, &output, &code, NULL) == 0);
	CHECK(code == 1, "%s", output.data);
}

static void writes_our_settings(void)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	CHECK(node_has(one, "postgresql.base.conf") && node_has(one, "postgresql.conf.backup"));
	CHECK(node_has(one, "pg_hba.conf.backup"));
	CHECK(node_sql(one, "show cluster_name", &text) && str_eq(text.data, "test\n"));
	CHECK(node_number(one, "show max_connections") == 30);
	CHECK(node_number(one, "select count(*) from pg_settings where source = 'command line' and "
			       "name in ('port', 'max_connections', 'wal_level', 'hot_standby')") == 4);
}

static void tells_what_needs_a_restart(void)
{
	node_param(one, "work_mem", "7MB");
	node_configure(one);
	CHECK(node_do(one, PGOP_APPLY) == 0, "%s", one->err.msg);
	CHECK(str_eq(one->text, "settings changed, Postgres reloads"), "%s", one->text);
	while (node_number(one, "select setting from pg_settings where name = 'work_mem'") != 7168)
		pgrig_step();
	CHECK(node_do(one, PGOP_APPLY) == 0);
	CHECK(str_eq(one->text, "no change"), "%s", one->text);
	CHECK(node_do(one, PGOP_PROBE) == 0 && !one->state.pending_restart);

	/* One on the command line, which Postgres does not count as pending. */
	node_param(one, "max_connections", "40");
	node_configure(one);
	CHECK(node_do(one, PGOP_APPLY) == 0);
	do
		CHECK(node_do(one, PGOP_PROBE) == 0);
	while (!one->state.pending_restart);
	node_param(one, "max_connections", "30");
	node_configure(one);
	CHECK(node_do(one, PGOP_APPLY) == 0);
	do
		CHECK(node_do(one, PGOP_PROBE) == 0);
	while (one->state.pending_restart);
}

static void handles_slots(void)
{
	struct pg_req req = { .op = PGOP_SLOTS, .drop_others = true, .nslots = 2 };
	uint64_t lsn;

	CHECK(node_sql(one, "select pg_create_physical_replication_slot('stale')", NULL));
	str_copy(req.slots[0].name, NAME_SIZE, "node2");
	str_copy(req.slots[1].name, NAME_SIZE, "node3");
	CHECK(node_req(one, &req) == 0, "%s", one->err.msg);
	CHECK(str_eq(one->text, "slots: 2 made, 0 advanced, 1 dropped"), "%s", one->text);
	CHECK(node_do(one, PGOP_PROBE) == 0);
	CHECK(one->nslots == 2 && str_eq(one->slots[0].name, "node2") && one->slots[0].lsn > 0);
	lsn = one->slots[0].lsn;

	CHECK(node_sql(one, "create table t as select generate_series(1, 1000) as a", NULL));
	CHECK(node_do(one, PGOP_PROBE) == 0);
	req.slots[1].advance_lsn = one->state.flush_lsn;
	CHECK(node_req(one, &req) == 0, "%s", one->err.msg);
	CHECK(str_eq(one->text, "slots: 0 made, 1 advanced, 0 dropped"), "%s", one->text);
	CHECK(node_do(one, PGOP_PROBE) == 0);
	CHECK(one->slots[0].lsn == lsn && one->slots[1].lsn > lsn);

	/* A name that Postgres refuses does not keep the other from being made. */
	str_copy(req.slots[0].name, NAME_SIZE, "No Slot");
	str_copy(req.slots[1].name, NAME_SIZE, "node4");
	CHECK(node_req(one, &req) == -(int)ERR_SQL);
	CHECK(node_number(one, "select count(*) from pg_replication_slots where slot_name = 'node4'") ==
	      1);
	req.nslots = 0;
	CHECK(node_req(one, &req) == 0);
	CHECK(node_number(one, "select count(*) from pg_replication_slots") == 0);
}

static void clones_and_streams(void)
{
	CHECK(node_from(two, PGOP_CLONE, one) == 0, "%s", two->err.msg);
	CHECK(str_eq(two->text, "copied from 'node1' by pg_basebackup"), "%s", two->text);
	CHECK(two->state.dir == DIR_PRESENT && two->state.standby_signal);
	CHECK(!node_has(two, "pgha.whole"));
	CHECK(node_from(two, PGOP_START_STANDBY, one) == 0, "%s", two->err.msg);
	CHECK(two->state.role == ROLE_UNKNOWN);
	do
		node_until(two, PG_UP, ROLE_REPLICA);
	while (!two->state.streaming);
	CHECK(str_eq(two->state.upstream_host, "127.0.0.1") && two->state.upstream_port == 22001);
	CHECK(str_eq(two->state.sysid, one->state.sysid) && two->state.timeline == 1);
	CHECK(two->state.receive_lsn > 0 && two->state.replay_lsn > 0);
	CHECK(node_do(one, PGOP_PROBE) == 0 && one->nwalsenders == 1);
	CHECK(str_eq(one->walsenders[0].application_name, "node2"));
	CHECK(str_eq(one->walsenders[0].state, "streaming"));
	CHECK(str_eq(one->walsenders[0].usename, "replicator"));
}

static void tells_ancestry(void)
{
	CHECK(node_from(two, PGOP_ANCESTRY, one) == 0, "%s", two->err.msg);
	CHECK(two->has_history && two->history.timeline == 1 && two->history.n == 0);
	/* One that is not promoted yet has not decided it; 13 does not tell which it is. */
	if (pgdir_major(two->data_dir) < 14)
		return;
	CHECK(node_from(one, PGOP_ANCESTRY, two) == -(int)ERR_STATE);
	CHECK(strstr(one->err.msg, "is in recovery"), "%s", one->err.msg);
}

static bool wal_is_gone(struct node *node, const struct node *upstream, uint64_t lsn)
{
	struct pg_req req = { .op = PGOP_ANCESTRY, .wal_lsn = lsn };

	str_copy(req.upstream.name, NAME_SIZE, upstream->config.name);
	str_copy(req.upstream.host, HOST_SIZE, "127.0.0.1");
	req.upstream.port = upstream->config.pg.port;
	CHECK(node_req(node, &req) == 0 && node->has_history, "%s", node->err.msg);
	return node->wal_gone;
}

/* By its code: the server's words depend on its language. */
static void tells_which_wal_is_gone(void)
{
	CHECK(node_do(two, PGOP_PROBE) == 0);
	CHECK(!wal_is_gone(two, one, two->state.replay_lsn));
	for (int i = 0; i < 3; i++)
		CHECK(node_sql(one, "create table w(); drop table w; select pg_switch_wal()", NULL) &&
		      node_sql(one, "checkpoint", NULL));
	CHECK(wal_is_gone(two, one, 0x1000100));
	CHECK(node_do(one, PGOP_PROBE) == 0);
	CHECK(!wal_is_gone(two, one, one->state.flush_lsn));
	/* Nobody has written there yet. */
	CHECK(!wal_is_gone(two, one, one->state.flush_lsn + 64 * 1024 * 1024));
	/* The question leaves nothing behind. */
	while (node_number(one, "select count(*) from pg_stat_replication where application_name "
				"<> 'node2'") != 0)
		pgrig_step();
}

static void promotes(void)
{
	int64_t began_ms, took_ms;

	CHECK(node_stop(one, STOP_FAST) == 0, "%s", one->err.msg);
	CHECK(one->state.run == PG_DOWN && one->state.control == CONTROL_SHUT_DOWN);
	CHECK(one->state.control_end_lsn > 0 && one->exits == 1);
	CHECK(one->at_exit.run == PG_DOWN || one->at_exit.run == PG_STOPPING);
	node_until(two, PG_UP, ROLE_REPLICA);
	/* The standby has received the shutdown checkpoint: its end is what we computed. */
	CHECK(two->state.receive_lsn == one->state.control_end_lsn, "%llx %llx",
	      (unsigned long long)two->state.receive_lsn,
	      (unsigned long long)one->state.control_end_lsn);

	began_ms = loop_now_ms();
	CHECK(node_do(two, PGOP_PROMOTE) == 0, "%s", two->err.msg);
	took_ms = loop_now_ms() - began_ms;
	fprintf(stderr, "   promotion took %lld ms\n", (long long)took_ms);
	CHECK(two->state.role == ROLE_PRIMARY);
	CHECK(node_do(two, PGOP_PROBE) == 0);
	CHECK(two->state.timeline == 2 && two->state.role == ROLE_PRIMARY);
	CHECK(two->state.flush_lsn > 0);
	CHECK(node_sql(two, "insert into t values (2)", NULL));
	CHECK(node_do(two, PGOP_CHECKPOINT) == 0, "%s", two->err.msg);

	CHECK(node_from(one, PGOP_ANCESTRY, two) == 0, "%s", one->err.msg);
	CHECK(one->history.timeline == 2 && one->history.n == 1);
	CHECK(one->history.entries[0].timeline == 1 &&
	      one->history.entries[0].end_lsn >= one->state.control_end_lsn);
}

static void old_primary_follows(void)
{
	CHECK(node_from(one, PGOP_START_STANDBY, two) == 0, "%s", one->err.msg);
	do
		node_until(one, PG_UP, ROLE_REPLICA);
	while (!one->state.streaming || one->state.timeline != 2);
	CHECK(one->state.upstream_port == 22002);
	/* What the new primary wrote arrives. */
	CHECK(node_do(two, PGOP_PROBE) == 0);
	do
		node_until(one, PG_UP, ROLE_REPLICA);
	while (one->state.replay_lsn < two->state.flush_lsn);
	CHECK(node_number(one, "select count(*) from t where a = 2") == 2);
}

static void follows_another_by_reload(void)
{
	int64_t pid = one->state.postmaster_pid;
	struct pg_req req = { .op = PGOP_FOLLOW };

	/* Nobody there: the standby goes on without. */
	str_copy(req.upstream.name, NAME_SIZE, "nobody");
	str_copy(req.upstream.host, HOST_SIZE, "127.0.0.1");
	req.upstream.port = 22099;
	CHECK(node_req(one, &req) == 0, "%s", one->err.msg);
	do
		node_until(one, PG_UP, ROLE_REPLICA);
	while (one->state.streaming);
	/* The timeline that it received is not forgotten. */
	CHECK(one->state.timeline == 2);
	CHECK(node_from(one, PGOP_FOLLOW, two) == 0, "%s", one->err.msg);
	do
		node_until(one, PG_UP, ROLE_REPLICA);
	while (!one->state.streaming);
	CHECK(one->state.postmaster_pid == pid);
	CHECK(node_from(one, PGOP_FOLLOW, two) == 0 && str_eq(one->text, "no change"));
	CHECK(node_from(two, PGOP_FOLLOW, one) == -(int)ERR_STATE);
}

static void agent_restart_adopts(void)
{
	struct pg_state look;
	int64_t pid = one->state.postmaster_pid;

	node_restart_agent(one);
	pg_look(one->pg, &look);
	CHECK(look.postmaster_pid == pid && look.run == PG_STARTING && look.role == ROLE_UNKNOWN);
	CHECK(look.dir == DIR_PRESENT && look.standby_signal);
	CHECK(str_eq(look.sysid, two->state.sysid));
	node_until(one, PG_UP, ROLE_REPLICA);
	/* Settings are applied without losing whom it follows. */
	CHECK(node_do(one, PGOP_APPLY) == 0 && str_eq(one->text, "no change"), "%s", one->text);
	/* Its end is seen although it is not our child any more. */
	one->exits = 0;
	kill((pid_t)pid, SIGINT);
	while (one->exits == 0)
		pgrig_step();
	CHECK(one->at_exit.run == PG_DOWN || one->at_exit.run == PG_LEFTOVERS);
	CHECK(node_from(one, PGOP_START_STANDBY, two) == 0, "%s", one->err.msg);
	node_until(one, PG_UP, ROLE_REPLICA);
}

static void refuses_the_impossible(void)
{
	CHECK(node_do(two, PGOP_START_PRIMARY) == -(int)ERR_STATE);
	CHECK(strstr(two->err.msg, "Postgres runs"), "%s", two->err.msg);
	CHECK(node_from(two, PGOP_CLONE, one) == -(int)ERR_STATE);
	CHECK(node_from(two, PGOP_REWIND, one) == -(int)ERR_STATE);
	CHECK(node_do(two, PGOP_INITDB) == -(int)ERR_STATE);
}

static void stops_both(void)
{
	CHECK(node_stop(one, STOP_FAST) == 0);
	CHECK(one->state.control == CONTROL_SHUT_DOWN_IN_RECOVERY);
	CHECK(one->state.control_end_lsn == 0 && one->state.min_recovery_lsn > 0);
	CHECK(one->state.timeline == 2);
	CHECK(node_stop(two, STOP_IMMEDIATE) == 0);
	CHECK(two->state.control == CONTROL_IN_PRODUCTION);
	CHECK(node_stop(two, STOP_FAST) == 0); /* a goal, reached already */
}

int main(void)
{
	pgrig_begin();
	one = node_new(1);
	two = node_new(2);
	RUN(bootstraps_a_cluster);
	RUN(makes_roles_twice_without_harm);
	RUN(keeps_passwords_out_of_the_log);
	RUN(writes_our_settings);
	RUN(tells_what_needs_a_restart);
	RUN(handles_slots);
	RUN(clones_and_streams);
	RUN(tells_ancestry);
	RUN(tells_which_wal_is_gone);
	RUN(promotes);
	RUN(old_primary_follows);
	RUN(follows_another_by_reload);
	RUN(agent_restart_adopts);
	RUN(refuses_the_impossible);
	RUN(stops_both);
	return 0;
}
