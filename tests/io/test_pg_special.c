/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_special - settings that bend the usual way: custom bootstrap, sockets, other places
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/child.h"
#include "io/pgdir.h"
#include "io/pgproc.h"
#include "pgrig.h"

static struct node *one, *two, *three, *four;

static void talks_over_the_socket(void)
{
	one->config.pg.use_unix_socket = true;
	one->config.pg.use_unix_socket_repl = true;
	node_configure(one);
	node_bootstrap(one);
	CHECK(node_number(one, "select count(*) from pg_stat_activity where application_name = "
			       "'Patroni heartbeat' and client_addr is null") >= 1);
	CHECK(node_number(one, "select count(*) from pg_stat_activity where application_name = "
			       "'Patroni heartbeat' and client_addr is not null") == 0);
	CHECK(node_sql(one, "create table t as select 1 as a", NULL));
	CHECK(node_do(one, PGOP_CHECKPOINT) == 0);
}

static void a_standby_starts_with_enough(void)
{
	node_param(two, "max_connections", "20");
	node_configure(two);
	CHECK(node_from(two, PGOP_CLONE, one) == 0, "%s", two->err.msg);
	/* The primary had 30: with less the standby would stop at once. */
	CHECK(node_from(two, PGOP_START_STANDBY, one) == 0, "%s", two->err.msg);
	node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(node_number(two, "show max_connections") == 30);
	CHECK(node_do(two, PGOP_PROBE) == 0 && two->state.pending_restart);
	CHECK(node_stop(two, STOP_FAST) == 0);
	node_param(two, "max_connections", "30");
	node_configure(two);
	CHECK(node_from(two, PGOP_START_STANDBY, one) == 0);
	node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(node_do(two, PGOP_PROBE) == 0 && !two->state.pending_restart);
	CHECK(node_stop(two, STOP_FAST) == 0);
}

static void until_paused(struct node *node)
{
	int64_t until_ms = loop_now_ms() + 30000;

	do {
		CHECK(loop_now_ms() < until_ms, "replay is not paused");
		node_until(node, PG_UP, ROLE_REPLICA);
	} while (!node->state.replay_paused);
}

/* From 14 on a hot standby pauses where the primary's settings were raised above its own; before
 * that it ends. */
static void until_starved(struct node *node)
{
	if (pgdir_major(node->data_dir) < 14) {
		node_until(node, PG_DOWN, ROLE_UNKNOWN);
		return;
	}
	until_paused(node);
	CHECK(node->state.replay_starved);
	CHECK(node_stop(node, STOP_FAST) == 0);
}

static void a_raised_setting_starves_replay(void)
{
	CHECK(node_from(two, PGOP_START_STANDBY, one) == 0);
	node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(node_sql(two, "select pg_wal_replay_pause()", NULL));
	until_paused(two);
	CHECK(!two->state.replay_starved);
	CHECK(node_sql(two, "select pg_wal_replay_resume()", NULL));

	CHECK(node_stop(one, STOP_FAST) == 0);
	node_param(one, "max_connections", "40");
	node_configure(one);
	CHECK(node_do(one, PGOP_START_PRIMARY) == 0, "%s", one->err.msg);
	node_until(one, PG_UP, ROLE_PRIMARY);
	until_starved(two);
	CHECK(node_from(two, PGOP_START_STANDBY, one) == 0);
	node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(!two->state.replay_paused && !two->state.replay_starved);
	CHECK(node_number(two, "show max_connections") == 40);
	CHECK(node_stop(two, STOP_FAST) == 0);
}

static void a_stale_pid_of_somebody_else_is_no_hindrance(void)
{
	char *const argv[] = { (char[]){ "sleep" }, (char[]){ "100" }, NULL };
	pid_t stranger = rig_spawn("stranger", argv);
	char path[200];
	FILE *f;

	str_printf(path, sizeof(path), "%s/postmaster.pid", two->data_dir);
	f = fopen(path, "we");
	CHECK(f != NULL);
	fprintf(f, "%d\n%s\n1\n22002\n%s\n127.0.0.1\n 1 2\nready   \n", (int)stranger,
		two->data_dir, rig_dir());
	fclose(f);
	CHECK(node_from(two, PGOP_START_STANDBY, one) == 0, "%s", two->err.msg);
	node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(kill(stranger, 0) == 0);
	rig_kill(stranger, SIGKILL);
}

static void a_second_agent_changes_nothing(void)
{
	struct node *other = mem_new(1, sizeof(*other));
	struct pg_state look;

	*other = *two;
	other->pg = NULL;
	node_restart_agent(other);
	/* It may look, and end Postgres, and nothing else. */
	pg_look(other->pg, &look);
	CHECK(look.postmaster_pid == two->state.postmaster_pid);
	CHECK(node_from(other, PGOP_FOLLOW, one) == -(int)ERR_STATE);
	CHECK(strstr(other->err.msg, "another agent"), "%s", other->err.msg);
	CHECK(node_stop(other, STOP_FAST) == 0);
	while (two->state.run != PG_DOWN)
		CHECK(node_do(two, PGOP_PROBE) == 0);
	CHECK(node_from(other, PGOP_CLONE, one) == -(int)ERR_STATE);
	pg_free(other->pg);
	free(other);
}

static void settings_may_live_elsewhere(void)
{
	static char etc[128], stem[] = "main";

	str_printf(etc, sizeof(etc), "%s/etc2", rig_dir());
	CHECK(mkdir(etc, 0700) == 0);
	two->config.pg.config_dir = etc;
	two->config.pg.config_base_name = stem;
	node_configure(two);
	CHECK(node_from(two, PGOP_START_STANDBY, one) == 0, "%s", two->err.msg);
	node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(node_do(two, PGOP_PROMOTE) == 0, "%s", two->err.msg);
	CHECK(node_sql(two, "insert into t values (2)", NULL));
	CHECK(node_sql(one, "insert into t values (-1)", NULL));
	/* Not shut down, so that the rewind must find the settings to recover with. */
	CHECK(node_stop(two, STOP_KILL) == 0);
	CHECK(node_do(two, PGOP_START_PRIMARY) == 0, "%s", two->err.msg);
	node_until(two, PG_UP, ROLE_PRIMARY);
	CHECK(node_sql(two, "insert into t values (3)", NULL));
	CHECK(node_do(one, PGOP_PROBE) == 0);
	CHECK(node_sql(one, "insert into t values (-2)", NULL));
	CHECK(node_stop(two, STOP_KILL) == 0);
	CHECK(two->state.control == CONTROL_IN_PRODUCTION);
	CHECK(node_stop(one, STOP_FAST) == 0);
	CHECK(node_do(one, PGOP_START_PRIMARY) == 0);
	node_until(one, PG_UP, ROLE_PRIMARY);
	CHECK(node_from(two, PGOP_REWIND, one) == 0, "%s", two->err.msg);
	/* Before 15 pg_rewind cannot be told where the settings are. */
	CHECK(str_eq(two->text, pgdir_major(two->data_dir) >= 15 ?
				       "rewound to 'node1'" :
				       "rewound to 'node1' after recovery in single-user mode"),
	      "%s", two->text);
	CHECK(node_from(two, PGOP_START_STANDBY, one) == 0, "%s", two->err.msg);
	node_until(two, PG_UP, ROLE_REPLICA);
	CHECK(node_number(two, "select count(*) from t where a in (2, 3)") == 0);
}

static bool gets_in(const struct node *node, const char *password)
{
	char conninfo[256], entry[64];
	const char *argv[] = { pgrig_program("psql"), "-XAtqc", "select 1", conninfo, NULL };
	const char *env[] = { entry, NULL };
	struct child_spec spec = { .name = "psql", .argv = argv, .env = env };
	_cleanup_(buf_done) struct buf output = { 0 };
	int code = 1;

	str_printf(conninfo, sizeof(conninfo), "host=%s port=%u user=postgres dbname=postgres",
		   rig_dir(), node->config.pg.port);
	str_printf(entry, sizeof(entry), "PGPASSWORD=%s", password);
	CHECK(child_run(&spec, 10000, &output, &code, NULL) == 0);
	return code == 0;
}

static void bootstraps_from_a_backup(void)
{
	static char script[640], target_name[] = "recovery_target_action", target[] = "promote";
	static char restore_name[] = "restore_command", restore[] = "false";
	static struct pair recovery[2];
	struct config_bootstrap *boot = &three->config.bootstrap;

	/* A backup that knows other passwords than the configured ones, of a server that would
	 * store them in a way that pg_hba.conf, as configured, lets nobody in with. */
	CHECK(node_sql(one, "alter role replicator password 'another'", NULL));
	CHECK(node_sql(one, "alter role postgres password 'another'", NULL));
		str_printf(script, sizeof(script),
		   "sh -c 'for a; do case $a in --datadir=*) d=${a#*=};; esac; done; "
		   "PGPASSWORD=another %s -D $d -X stream "
		   "-c fast -h 127.0.0.1 -p 22001 -U replicator && "
		   "echo password_encryption = md5 >>$d/postgresql.base.conf && "
		   "test \"$3\" = --extra=1' sh",
		   pgrig_program("pg_basebackup"));
	recovery[0] = (struct pair){ target_name, target };
	recovery[1] = (struct pair){ restore_name, restore };
	boot->method_command = script;
	boot->method_recovery_conf.items = recovery;
	boot->method_recovery_conf.n = 2;
	boot->method_params.items = NULL;
	node_configure(three);
	/* The command fails at its end: nothing of it stays. */
	CHECK(node_do(three, PGOP_INITDB) == -(int)ERR_CHILD, "%d", three->result);
	CHECK(node_do(three, PGOP_PROBE) == 0 && three->state.dir == DIR_EMPTY);
	{
		static char extra[] = "extra", value[] = "1";
		static struct pair params[1];

		params[0] = (struct pair){ extra, value };
		boot->method_params.items = params;
		boot->method_params.n = 1;
	}
	CHECK(node_do(three, PGOP_INITDB) == 0, "%s", three->err.msg);
	CHECK(three->state.boot_unfinished || node_has(three, PGDIR_BOOTSTRAP));
	CHECK(!node_has(three, PGDIR_ASIDE));
	/* It recovers as the operator asked, and trusts the superuser meanwhile. */
	CHECK(node_do(three, PGOP_START_PRIMARY) == 0, "%s", three->err.msg);
	node_until(three, PG_UP, ROLE_PRIMARY);
	CHECK(three->state.timeline == 2, "%u", three->state.timeline);
	CHECK(gets_in(three, "nonsense"));
	CHECK(node_do(three, PGOP_POST_BOOTSTRAP) == 0, "%s", three->err.msg);
	CHECK(!node_has(three, PGDIR_BOOTSTRAP));
	/* The configured password holds now, and is asked for. */
	while (gets_in(three, "nonsense"))
		pgrig_step();
	CHECK(node_sql(three, "select 1", NULL));
}

/* A bootstrap that is given up leaves what was there before it, and nothing else. */
static void discards_only_its_own_making(void)
{
	static char waldir_name[] = "waldir", waldir[300];
	static struct pair options[1];
	char sibling[300];

	str_printf(waldir, sizeof(waldir), "%s/wal4", rig_dir());
	str_printf(sibling, sizeof(sibling), "%s.precious", four->data_dir);
	CHECK(mkdir(waldir, 0700) == 0);
	options[0] = (struct pair){ waldir_name, waldir };
	four->config.bootstrap.initdb.items = options;
	four->config.bootstrap.initdb.n = 1;
	node_configure(four);
	CHECK(node_do(four, PGOP_DISCARD) == 0, "%s", four->err.msg);
	CHECK(node_do(four, PGOP_INITDB) == 0, "%s", four->err.msg);
	CHECK(mkdir(sibling, 0700) == 0);
	CHECK(!pgdir_empty(waldir) && node_has(four, PGDIR_BOOTSTRAP));
	CHECK(node_do(four, PGOP_START_PRIMARY) == 0, "%s", four->err.msg);
	node_until(four, PG_UP, ROLE_PRIMARY);
	CHECK(node_do(four, PGOP_DISCARD) == -(int)ERR_STATE, "%d", four->result);
	CHECK(node_stop(four, STOP_FAST) == 0);
	CHECK(node_do(four, PGOP_DISCARD) == 0, "%s", four->err.msg);
	CHECK(four->state.dir == DIR_EMPTY && four->state.sysid[0] == '\0');
	CHECK(!four->state.boot_unfinished && pgdir_empty(waldir) && pgdir_exists(sibling));

	node_bootstrap(four);
	CHECK(!pgdir_empty(waldir));
	CHECK(node_stop(four, STOP_FAST) == 0);
	CHECK(node_do(four, PGOP_DISCARD) == -(int)ERR_STATE, "%d", four->result);
	CHECK(four->state.dir == DIR_PRESENT && !pgdir_empty(waldir));
}

int main(void)
{
	pgrig_begin();
	one = node_new(1);
	two = node_new(2);
	three = node_new(3);
	four = node_new(4);
	RUN(talks_over_the_socket);
	RUN(a_standby_starts_with_enough);
	RUN(a_raised_setting_starves_replay);
	RUN(a_stale_pid_of_somebody_else_is_no_hindrance);
	RUN(a_second_agent_changes_nothing);
	RUN(settings_may_live_elsewhere);
	RUN(bootstraps_from_a_backup);
	RUN(discards_only_its_own_making);
	return 0;
}
