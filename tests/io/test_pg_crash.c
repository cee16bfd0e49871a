/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_crash - servers that die, hang, or will not come up, and how they are stopped
 */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/child.h"
#include "io/pgproc.h"
#include "pgrig.h"

#define SESSIONS_MAX 40

static struct node *one;

static int living(const struct node *node)
{
	return pgproc_scan(node->data_dir, 0, NULL, 0, NULL);
}

static void start(void)
{
	CHECK(node_do(one, PGOP_START_PRIMARY) == 0, "%s", one->err.msg);
	node_until(one, PG_UP, ROLE_PRIMARY);
}

/* Until then no other is sent, and what the agent knows is of before. */
static void a_probe_under_way_ends_with_postgres(void)
{
	struct pg_req probe = { .op = PGOP_PROBE, .timeout_ms = 20000 };
	struct pg_req stop = { .op = PGOP_STOP, .stop = STOP_KILL };
	int64_t until_ms = loop_now_ms() + 10000;
	bool probed = false, stopped = false;
	uint64_t asked, ordered;

	start();
	node_restart_agent(one);
	kill((pid_t)one->state.postmaster_pid, SIGSTOP);
	asked = node_send(one, &probe);
	for (int i = 0; i < 5; i++)
		pgrig_step();
	ordered = node_send(one, &stop);
	while (!probed || !stopped) {
		CHECK(loop_now_ms() < until_ms, "probed %d stopped %d", probed, stopped);
		pgrig_step();
		probed = probed || one->answered == asked;
		stopped = stopped || one->answered == ordered;
		CHECK(!stopped || one->state.run == PG_DOWN, "%d", one->state.run);
	}
}

static void wait_exit(void)
{
	int seen = one->exits;
	int64_t until_ms = loop_now_ms() + 10000;

	while (one->exits == seen) {
		CHECK(loop_now_ms() < until_ms);
		pgrig_step();
	}
}

static void dead_postmaster_is_not_a_dead_postgres(void)
{
	pid_t client;
	long long before;

	node_bootstrap(one);
	CHECK(node_sql(one, "create table t (a int)", NULL));
	CHECK(node_sql(one, "create procedure busy() language plpgsql as $$ begin loop "
			    "insert into t values (1); commit; end loop; end $$", NULL));
	client = node_sql_begin(one, "call busy()");
	do
		before = node_number(one, "select count(*) from t");
	while (before == 0);
	/* Nothing waits: the end is an event. */
	kill((pid_t)one->state.postmaster_pid, SIGKILL);
	wait_exit();
	CHECK(one->at_exit.run == PG_LEFTOVERS, "%d", one->at_exit.run);
	CHECK(one->at_exit.postmaster_pid == 0 && one->at_exit.role == ROLE_UNKNOWN);
	CHECK(one->at_exit.control == CONTROL_IN_PRODUCTION && one->at_exit.control_end_lsn == 0);
	CHECK(node_do(one, PGOP_PROBE) == 0 && one->state.run == PG_LEFTOVERS && !one->sql_ok);
	CHECK(node_do(one, PGOP_START_PRIMARY) == -(int)ERR_STATE);
	CHECK(strstr(one->err.msg, "processes of a dead postmaster"), "%s", one->err.msg);

	/* Even the mildest stop leaves none of them. */
	CHECK(node_stop(one, STOP_FAST) == 0, "%s", one->err.msg);
	CHECK(one->state.run == PG_DOWN && living(one) == 0);
	rig_kill(client, SIGKILL);
}

static void starts_after_a_crash(void)
{
	start();
	CHECK(node_number(one, "select count(*) from t") > 0);
	CHECK(one->state.timeline == 1);
}

static void survives_the_crash_of_a_backend(void)
{
	pid_t client = node_sql_begin(one, "select pg_sleep(100)");
	int64_t pid = one->state.postmaster_pid;
	pid_t backend;
	int exits = one->exits;

	do
		backend = node_backend(one, "query like 'select pg_sleep%' and pid <> "
					    "pg_backend_pid() and backend_type = 'client backend'");
	while (backend == 0);
	kill(backend, SIGKILL);
	/* All connections end; the probe makes a new one. */
	node_until(one, PG_UP, ROLE_PRIMARY);
	CHECK(one->state.postmaster_pid == pid && one->exits == exits);
	rig_kill(client, SIGKILL);
}

static void a_stopped_postmaster_is_silent(void)
{
	struct pg_req req = { .op = PGOP_PROBE, .timeout_ms = 400 };
	pid_t pid = (pid_t)one->state.postmaster_pid;
	int64_t began_ms;

	kill(pid, SIGSTOP);
	node_restart_agent(one); /* without a connection */
	began_ms = loop_now_ms();
	CHECK(node_req(one, &req) == 0);
	CHECK(loop_now_ms() - began_ms < 1500);
	CHECK(one->state.run == PG_SILENT && !one->sql_ok, "%d", one->state.run);
	CHECK(one->state.role == ROLE_UNKNOWN && one->err.code == ERR_TIMEOUT);
	kill(pid, SIGCONT);
	node_until(one, PG_UP, ROLE_PRIMARY);
}

static void probe_until(enum pg_door door)
{
	int64_t until_ms = loop_now_ms() + 20000;

	while (one->state.vitals.door != door) {
		CHECK(loop_now_ms() < until_ms, "door %d instead of %d", one->state.vitals.door,
		      door);
		CHECK(node_do(one, PGOP_PROBE) == 0, "%s", one->err.msg);
		pgrig_step();
	}
}

/* The session that is kept goes on answering, whatever the postmaster does. */
static void a_closed_door_is_found_behind_an_open_session(void)
{
	pid_t pid = (pid_t)one->state.postmaster_pid;
	_cleanup_(buf_done) struct buf from = { 0 }, to = { 0 };
	int64_t since_ms;

	probe_until(DOOR_OPEN);
	since_ms = loop_now_ms();
	kill(pid, SIGSTOP);
	probe_until(DOOR_STOPPED);
	CHECK(one->state.run == PG_UP && one->sql_ok);
	CHECK(one->state.vitals.door_since_at_ms >= since_ms);
	since_ms = one->state.vitals.door_since_at_ms;
	kill(pid, SIGCONT);
	probe_until(DOOR_OPEN);
	CHECK(one->state.vitals.door_since_at_ms > since_ms);

	/* Another may be there, who knows: nobody listens, that is all. */
	buf_printf(&from, "%s/.s.PGSQL.22001", rig_dir());
	buf_printf(&to, "%s.away", from.data);
	one->config.pg.use_unix_socket = true;
	node_configure(one);
	CHECK(rename(from.data, to.data) == 0);
	probe_until(DOOR_CLOSED);
	CHECK(one->state.run == PG_UP && one->sql_ok);
	CHECK(rename(to.data, from.data) == 0);
	probe_until(DOOR_OPEN);
	one->config.pg.use_unix_socket = false;
	node_configure(one);
}

/* What a debugger holds is not stopped by a signal: only the missing answer tells. */
static void silence_is_an_answer_that_did_not_come(void)
{
	pid_t pid = (pid_t)one->state.postmaster_pid;
	int64_t held_at_ms = loop_now_ms();

	one->config.ha.retry_timeout_ms = 500;
	CHECK(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0);
	CHECK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
	CHECK(waitpid(pid, NULL, __WALL) == pid);
	probe_until(DOOR_SILENT);
	CHECK(one->state.run == PG_UP && one->sql_ok);
	CHECK(one->state.vitals.door_since_at_ms >= held_at_ms);
	CHECK(loop_now_ms() - one->state.vitals.door_since_at_ms >= 500);
	CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
	probe_until(DOOR_OPEN);
	one->config.ha.retry_timeout_ms = 0;
}

static void a_silent_server_keeps_its_last_role(void)
{
	struct pg_req req = { .op = PGOP_PROBE, .timeout_ms = 300 };
	pid_t pid = (pid_t)one->state.postmaster_pid;
	struct pgproc procs[64];
	int n = pgproc_scan(one->data_dir, 0, procs, ARRAY_LEN(procs), NULL);

	CHECK(n > 3 && n < 64);
	for (int i = 0; i < n; i++)
		kill(procs[i].pid, SIGSTOP);
	CHECK(node_req(one, &req) == 0);
	CHECK(one->state.run == PG_SILENT && one->state.role == ROLE_PRIMARY);
	for (int i = 0; i < n; i++)
		kill(procs[i].pid, SIGCONT);
	node_until(one, PG_UP, ROLE_PRIMARY);
	CHECK(one->state.postmaster_pid == pid);
}

static void too_many_clients_is_an_answer(void)
{
	pid_t clients[SESSIONS_MAX];

	for (int i = 0; i < SESSIONS_MAX; i++)
		clients[i] = node_sql_begin(one, "select pg_sleep(1000)");
	do {
		node_restart_agent(one);
		CHECK(node_do(one, PGOP_PROBE) == 0);
	} while (one->sql_ok || one->err.code == ERR_TIMEOUT);
	CHECK(one->state.run == PG_UP, "%d", one->state.run);
	CHECK(str_eq(one->err.sqlstate, "53300"), "%s %s", one->err.sqlstate, one->err.msg);
	probe_until(DOOR_FULL);
	for (int i = 0; i < SESSIONS_MAX; i++)
		rig_kill(clients[i], SIGKILL);
	CHECK(node_stop(one, STOP_FAST) == 0);
	start();
}

static void stop_grows_harder_with_time(void)
{
	struct pg_req req = { .op = PGOP_STOP, .stop = STOP_FAST };
	int64_t began_ms = loop_now_ms();

	/* It hears neither the fast nor the immediate order. */
	kill((pid_t)one->state.postmaster_pid, SIGSTOP);
	req.immediate_at_ms = began_ms + 200;
	req.kill_at_ms = began_ms + 500;
	CHECK(node_req(one, &req) == 0, "%s", one->err.msg);
	CHECK(loop_now_ms() - began_ms >= 500 && loop_now_ms() - began_ms < 3000);
	CHECK(one->state.run == PG_DOWN && living(one) == 0);
	start();
}

static void a_harder_stop_overtakes(void)
{
	struct pg_req fast = { .op = PGOP_STOP, .stop = STOP_FAST };
	struct pg_req kill_now = { .op = PGOP_STOP, .stop = STOP_KILL };
	pid_t client = node_sql_begin(one, "select pg_sleep(100)");
	int canceled = one->canceled;
	pid_t backend;
	uint64_t ticket;

	do
		backend = node_backend(one, "query like 'select pg_sleep(100)%' and pid <> "
					    "pg_backend_pid()");
	while (backend == 0);
	/* A backend that does not end keeps a fast shutdown waiting. */
	kill(backend, SIGSTOP);
	(void)node_send(one, &fast);
	while (one->state.run != PG_STOPPING)
		CHECK(node_do(one, PGOP_PROBE) == 0);
	CHECK(node_do(one, PGOP_PROBE) == 0 && one->state.run == PG_STOPPING);
	CHECK(node_do(one, PGOP_START_PRIMARY) == -(int)ERR_STATE);
	ticket = node_send(one, &kill_now);
	CHECK(node_wait(one, ticket) == 0, "%s", one->err.msg);
	CHECK(one->canceled == canceled + 1);
	CHECK(one->state.run == PG_DOWN && living(one) == 0);
	rig_kill(client, SIGKILL);
}

static void stop_interrupts_a_start(void)
{
	struct pg_req begin = { .op = PGOP_START_PRIMARY };
	struct pg_req stop = { .op = PGOP_STOP, .stop = STOP_IMMEDIATE };
	uint64_t started = node_send(one, &begin);
	uint64_t stopped = node_send(one, &stop);

	CHECK(node_wait(one, started) == -(int)ERR_CANCELED, "%d", one->result);
	CHECK(node_wait(one, stopped) == 0 && one->state.run == PG_DOWN && living(one) == 0);
	start();
}

static void scripts_run_around_stop_and_promote(void)
{
	_cleanup_(buf_done) struct buf stop = { 0 };
	_cleanup_(buf_done) struct buf path = { 0 };
	char bad[] = "/bin/sh -c 'echo not today; exit 3'", good[] = "true";

	buf_printf(&path, "%s/stopped", rig_dir());
	buf_printf(&stop, "touch '%s'", path.data);
	one->config.pg.before_stop = stop.data;
	one->config.pg.pre_promote = bad;
	node_configure(one);
	CHECK(node_do(one, PGOP_PRE_PROMOTE) == -(int)ERR_CHILD);
	CHECK(strstr(one->err.msg, "exit code 3: not today"), "%s", one->err.msg);
	one->config.pg.pre_promote = good;
	CHECK(node_do(one, PGOP_PRE_PROMOTE) == 0);
	CHECK(node_stop(one, STOP_KILL) == 0 && access(path.data, F_OK) != 0);
	start();
	CHECK(node_stop(one, STOP_FAST) == 0 && access(path.data, F_OK) == 0);
	one->config.pg.before_stop = NULL;
	one->config.pg.pre_promote = NULL;
	node_configure(one);
	CHECK(node_do(one, PGOP_PRE_PROMOTE) == 0);
}

static void tells_why_a_start_failed(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(22001),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1, exits = one->exits;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	CHECK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 1) == 0);
	CHECK(node_do(one, PGOP_START_PRIMARY) == -(int)ERR_CHILD);
	CHECK(strstr(one->err.msg, "could not bind"), "%s", one->err.msg);
	close(fd);
	/* Its end was the answer, not an event of its own. */
	CHECK(one->exits == exits && one->state.run == PG_DOWN);

	node_param(one, "shared_preload_libraries", "no_such_library");
	node_configure(one);
	CHECK(node_do(one, PGOP_START_PRIMARY) == -(int)ERR_CHILD);
	CHECK(strstr(one->err.msg, "no_such_library"), "%s", one->err.msg);
	node_param(one, "shared_preload_libraries", "");
	/* With a collector the reason is in its file. */
	node_param(one, "logging_collector", "on");
	node_configure(one);
	start();
	CHECK(node_stop(one, STOP_FAST) == 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	CHECK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 1) == 0);
	CHECK(node_do(one, PGOP_START_PRIMARY) == -(int)ERR_CHILD);
	CHECK(strstr(one->err.msg, "could not bind"), "%s", one->err.msg);
	close(fd);
	/* The collector outlives its postmaster until it has read the pipe to its end. */
	CHECK(node_stop(one, STOP_KILL) == 0);
	node_param(one, "logging_collector", "off");
	node_configure(one);
}

static void a_recycled_pid_is_not_postgres(void)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	struct pg_state look;
	FILE *f;

	buf_printf(&path, "%s/postmaster.pid", one->data_dir);
	f = fopen(path.data, "we");
	CHECK(f != NULL);
	fprintf(f, "%d\n%s\n1\n22001\n%s\n127.0.0.1\n 1 2\nready   \n", (int)getpid(),
		one->data_dir, rig_dir());
	fclose(f);
	node_restart_agent(one);
	pg_look(one->pg, &look);
	CHECK(look.run == PG_DOWN && look.postmaster_pid == 0);
	CHECK(node_stop(one, STOP_KILL) == 0);
	start();
	CHECK(node_stop(one, STOP_FAST) == 0);
}

int main(void)
{
	pgrig_begin();
	one = node_new(1);
	RUN(dead_postmaster_is_not_a_dead_postgres);
	RUN(starts_after_a_crash);
	RUN(survives_the_crash_of_a_backend);
	RUN(a_stopped_postmaster_is_silent);
	RUN(a_closed_door_is_found_behind_an_open_session);
	RUN(silence_is_an_answer_that_did_not_come);
	RUN(a_silent_server_keeps_its_last_role);
	RUN(too_many_clients_is_an_answer);
	RUN(stop_grows_harder_with_time);
	RUN(a_harder_stop_overtakes);
	RUN(stop_interrupts_a_start);
	RUN(scripts_run_around_stop_and_promote);
	RUN(a_probe_under_way_ends_with_postgres);
	RUN(tells_why_a_start_failed);
	RUN(a_recycled_pid_is_not_postgres);
	return 0;
}
