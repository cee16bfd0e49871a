/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_stop - a fast stop that something holds up ends within its bound, and says what it was
 */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/pgcontrol.h"
#include "pgrig.h"

#define PATIENCE_MS 1500

static struct node *one;
static int64_t began_ms; /* the newest stop */
static int64_t took_ms;

static void begin(const char *archive_command)
{
	bool again = one != NULL;

	if (!again)
		one = node_new(3001);
	node_param(one, "archive_mode", "on");
	node_param(one, "archive_command", archive_command);
	node_configure(one);
	if (!again)
		node_bootstrap(one);
	else
		CHECK(node_do(one, PGOP_START_PRIMARY) == 0, "%s", one->err.msg);
	node_until(one, PG_UP, ROLE_PRIMARY);
	CHECK(!pgcontrol_says_shut_down(one->data_dir));
}

/* Fast, with a bound; killed as long again later. */
static int stop(pid_t receiver, int64_t patience_ms)
{
	struct pg_req req = { .op = PGOP_STOP, .receiver_pid = receiver };
	int rc;

	began_ms = loop_now_ms();
	req.immediate_at_ms = began_ms + patience_ms;
	req.kill_at_ms = began_ms + 2 * patience_ms;
	rc = node_req(one, &req);
	took_ms = loop_now_ms() - began_ms;
	fprintf(stderr, "   took %lld ms, waited for '%s'\n", (long long)took_ms, one->text);
	CHECK(one->state.run == PG_DOWN);
	return rc;
}

static void waits_for_nobody_in_a_transaction(void)
{
	begin("true");
	(void)node_sql_begin(one, "begin; create table t (); select pg_sleep(600)");
	while (node_backend(one, "query like '%pg_sleep(600)' and pid <> pg_backend_pid()") == 0)
		pgrig_step();
	CHECK(stop(0, 20000) == 0, "%s", one->err.msg);
	CHECK(took_ms < 10000 && one->state.control == CONTROL_SHUT_DOWN);
	CHECK(pgcontrol_says_shut_down(one->data_dir));
}

static void client_that_does_not_end(void)
{
	pid_t backend;

	begin("true");
	(void)node_sql_begin(one, "select pg_sleep(600)");
	do {
		pgrig_step();
		backend = node_backend(one, "query = 'select pg_sleep(600)'");
	} while (backend == 0);
	CHECK(kill(backend, SIGSTOP) == 0);
	CHECK(stop(0, PATIENCE_MS) == 0, "%s", one->err.msg);
	CHECK(took_ms >= PATIENCE_MS && took_ms < 20000);
	CHECK(strstr(one->text, "1 client ('postgres postgres [local]"), "%s", one->text);
	CHECK(one->state.control != CONTROL_SHUT_DOWN && one->state.control_end_lsn == 0);
}

static void checkpoint_that_does_not_end(void)
{
	begin("true");
	CHECK(kill(node_backend(one, "backend_type = 'checkpointer'"), SIGSTOP) == 0);
	CHECK(stop(0, PATIENCE_MS) == 0, "%s", one->err.msg);
	CHECK(took_ms >= PATIENCE_MS && took_ms < 20000);
	CHECK(str_eq(one->text, "the checkpoint"), "%s", one->text);
	CHECK(one->state.control != CONTROL_SHUT_DOWN);
}

/* All that was committed is on disk by then: it counts as an orderly end. */
static void archiver_that_is_stuck(void)
{
	begin("sleep 600");
	CHECK(stop(0, PATIENCE_MS) == 0, "%s", one->err.msg);
	CHECK(took_ms >= PATIENCE_MS && took_ms < 20000);
	CHECK(str_starts(one->text, "the archiver ('archiving "), "%s", one->text);
	CHECK(one->state.control == CONTROL_SHUT_DOWN && one->state.control_end_lsn != 0);
}

static pid_t receiver(const char *name)
{
	static char no_loop[] = "--no-loop", sync[] = "--synchronous", often[] = "-s1";
	char dir[160], conninfo[256];
	_cleanup_(freep) char *program = str_dup(pgrig_program("pg_receivewal"));
	char *argv[] = { program, no_loop, sync, often, NULL, conninfo, NULL };
	char option[200];

	str_printf(dir, sizeof(dir), "%s/%s", rig_dir(), name);
	CHECK(mkdir(dir, 0700) == 0 || errno == EEXIST);
	str_printf(option, sizeof(option), "-D%s", dir);
	str_printf(conninfo, sizeof(conninfo),
		   "-dhost=127.0.0.1 port=%u user=replicator application_name=%s",
		   one->config.pg.port, name);
	argv[4] = option;
	setenv("PGPASSWORD", "se'cr:et\\", 1);
	return rig_spawn(name, argv);
}

static pid_t walsender(const char *name)
{
	int64_t until_ms = loop_now_ms() + 20000;

	while (loop_now_ms() < until_ms) {
		CHECK(node_do(one, PGOP_PROBE) == 0);
		for (uint32_t i = 0; i < one->nwalsenders; i++)
			if (str_eq(one->walsenders[i].application_name, name) &&
			    str_eq(one->walsenders[i].state, "streaming"))
				return (pid_t)one->walsenders[i].pid;
	}
	CHECK(false, "no walsender '%s'", name);
	return 0;
}

static void standby_that_lags(void)
{
	pid_t laggard, successor;

	begin("true");
	laggard = receiver("laggard");
	(void)receiver("successor");
	CHECK(walsender("laggard") != 0);
	successor = walsender("successor");
	CHECK(kill(laggard, SIGSTOP) == 0);
	CHECK(stop(successor, 30000) == 0, "%s", one->err.msg);
	CHECK(took_ms < 20000, "not the bound's doing");
	CHECK(one->clients_gone_at_ms >= began_ms && one->clients_gone_at_ms < began_ms + took_ms,
	      "clients were there until %lld", (long long)(one->clients_gone_at_ms - began_ms));
	CHECK(strstr(one->text, "1 walsender ('walsender replicator 127.0.0.1"), "%s", one->text);
	CHECK(one->state.control == CONTROL_SHUT_DOWN && one->state.control_end_lsn != 0);
}

/* It has to have everything: the bound is all that ends this. */
static void successor_that_lags(void)
{
	pid_t laggard, successor;

	begin("true");
	laggard = receiver("successor");
	successor = walsender("successor");
	CHECK(kill(laggard, SIGSTOP) == 0);
	CHECK(stop(successor, 2 * PATIENCE_MS) == 0, "%s", one->err.msg);
	CHECK(took_ms >= 2 * PATIENCE_MS && took_ms < 20000);
	CHECK(one->state.control == CONTROL_SHUT_DOWN);
}

/* Whoever is to lead has everything and nobody can write: the archiver is no reason to wait. */
static void counts_as_down_when_the_successor_has_everything(void)
{
	struct pg_req req = { .op = PGOP_STOP };
	uint64_t stopping;
	int exits;

	begin("sleep 600");
	(void)receiver("successor");
	req.receiver_pid = walsender("successor");
	began_ms = loop_now_ms();
	req.immediate_at_ms = began_ms + 20000;
	exits = one->exits;
	stopping = node_send(one, &req);
	while (one->exits == exits && loop_now_ms() < req.immediate_at_ms)
		pgrig_step();
	CHECK(one->exits == exits + 1 && one->answered != stopping);
	CHECK(one->at_exit.run == PG_DOWN && one->at_exit.role == ROLE_UNKNOWN);
	CHECK(one->at_exit.control == CONTROL_SHUT_DOWN && one->at_exit.control_end_lsn != 0);
	CHECK(node_has(one, "postmaster.pid"), "the archiver holds it");
	CHECK(node_do(one, PGOP_PROBE) == 0 && one->state.run == PG_DOWN);
	CHECK(one->state.control_end_lsn == one->at_exit.control_end_lsn);
	CHECK(node_do(one, PGOP_START_STANDBY) != 0, "while it is leaving");
	CHECK(stop(0, PATIENCE_MS) == 0, "%s", one->err.msg);
	CHECK(one->exits == exits + 1 && one->state.control == CONTROL_SHUT_DOWN);
}

/* The walsender ended because the successor went away, not because that has everything. */
static void does_not_count_as_down_before_the_checkpoint(void)
{
	struct pg_req req = { .op = PGOP_STOP };
	int64_t until_ms;
	pid_t checkpointer, successor;
	int exits;

	begin("true");
	successor = receiver("successor");
	req.receiver_pid = walsender("successor");
	checkpointer = node_backend(one, "backend_type = 'checkpointer'");
	CHECK(kill(checkpointer, SIGSTOP) == 0);
	req.immediate_at_ms = loop_now_ms() + 2 * PATIENCE_MS;
	exits = one->exits;
	(void)node_send(one, &req);
	CHECK(kill(successor, SIGKILL) == 0);
	until_ms = loop_now_ms() + PATIENCE_MS;
	while (kill((pid_t)req.receiver_pid, 0) == 0 && loop_now_ms() < until_ms)
		pgrig_step();
	CHECK(kill((pid_t)req.receiver_pid, 0) < 0, "its walsender is still there");
	while (loop_now_ms() < until_ms)
		pgrig_step();
	CHECK(one->exits == exits && node_has(one, "postmaster.pid"));
	CHECK(kill(checkpointer, SIGCONT) == 0);
	CHECK(stop(0, 20000) == 0, "%s", one->err.msg);
	CHECK(one->exits == exits + 1 && one->state.control == CONTROL_SHUT_DOWN);
}

int main(void)
{
	pgrig_begin();
	RUN(waits_for_nobody_in_a_transaction);
	RUN(client_that_does_not_end);
	RUN(checkpoint_that_does_not_end);
	RUN(archiver_that_is_stuck);
	RUN(standby_that_lags);
	RUN(successor_that_lags);
	RUN(counts_as_down_when_the_successor_has_everything);
	RUN(does_not_count_as_down_before_the_checkpoint);
	return 0;
}
