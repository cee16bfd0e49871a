/* SPDX-License-Identifier: PostgreSQL */
/*
 * prober - tries to commit one row on every node every few milliseconds, and notes what happened
 *
 * prober TABLE PERIOD_MS DEADLINE_MS FILE NAME=CONNINFO[|CONNINFO...] ...
 *
 * PERIOD_MS 0: the next attempt follows at once, but after a refusal.
 *
 * A target with one conninfo is pinned to that server whatever its role; with several it moves
 * on when one refuses, as a routed client would. Each commit carries an id of its own. FILE gets
 * a line per attempt whose row may exist:
 *     ok|unknown TARGET ID INVOKE_NS DONE_NS TIMELINE POSITION HOST
 * where POSITION is the end of the WAL before the row was committed, in bytes,
 * and at the end, per target and SQLSTATE, a count of the attempts that were refused:
 *     refused TARGET SQLSTATE COUNT
 * then "end". Times are CLOCK_MONOTONIC of this machine, which all hosts of a test share. A
 * statement without an answer within the deadline is `unknown` and its connection is closed, so
 * that an answer delayed by the network is never mistaken for one given now.
 */
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TARGETS_MAX 16
#define ALTERNATIVES_MAX 8
#define STATES_MAX 32
#define NS_PER_MS 1000000LL
#define ID_SPAN 1000000000LL
#define CONNECT_DEADLINE_NS (1000 * NS_PER_MS)
#define RECONNECT_NS (20 * NS_PER_MS)
#define PAUSE_NS (5 * NS_PER_MS) /* after a refusal, of those who pause for nothing else */

enum phase { OFF, CONNECTING, IDLE, BUSY };

struct refusal {
	char sqlstate[6];
	long count;
};

struct target {
	const char *name;
	const char *conninfo[ALTERNATIVES_MAX];
	int nconninfo;
	int at;
	int64_t index;
	int64_t seq;
	int64_t period_ns;
	enum phase phase;
	bool broken; /* sending failed, perhaps half way */
	bool noted;  /* the outcome of the attempt is known, ReadyForQuery is still to come */
	PGconn *conn;
	PostgresPollingStatusType polling;
	int64_t due_ns;   /* next attempt, or next connect */
	int64_t since_ns; /* when the attempt or the connect began */
	struct refusal refusals[STATES_MAX];
	int nrefusals;
};

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t current_id(const struct target *t)
{
	return t->index * ID_SPAN + t->seq;
}

static const char *host_of(const struct target *t)
{
	const char *host = t->conn ? PQhost(t->conn) : NULL;

	return host && *host ? host : "-";
}

static void note(FILE *out, struct target *t, const char *what, int64_t done_ns,
		 const char *timeline, const char *position)
{
	if (t->noted)
		return;
	t->noted = true;
	fprintf(out, "%s %s %" PRId64 " %" PRId64 " %" PRId64 " %s %s %s\n", what, t->name,
		current_id(t), t->since_ns, done_ns, timeline, position, host_of(t));
}

static void refuse(struct target *t, const char *sqlstate)
{
	int i;

	for (i = 0; i < t->nrefusals; i++)
		if (strcmp(t->refusals[i].sqlstate, sqlstate) == 0)
			break;
	if (i == STATES_MAX)
		i = STATES_MAX - 1;
	if (i == t->nrefusals) {
		snprintf(t->refusals[i].sqlstate, sizeof(t->refusals[i].sqlstate), "%s", sqlstate);
		t->nrefusals++;
	}
	t->refusals[i].count++;
}

static void disconnect(struct target *t, int64_t now, int64_t pause_ns)
{
	PQfinish(t->conn);
	t->conn = NULL;
	t->phase = OFF;
	t->at = (t->at + 1) % t->nconninfo;
	t->due_ns = now + pause_ns;
}

static void connect_start(struct target *t, int64_t now)
{
	t->conn = PQconnectStart(t->conninfo[t->at]);
	t->since_ns = now;
	t->phase = CONNECTING;
	t->polling = PGRES_POLLING_WRITING;
	if (!t->conn || PQstatus(t->conn) == CONNECTION_BAD)
		disconnect(t, now, RECONNECT_NS);
}

static void connect_step(struct target *t, int64_t now)
{
	t->polling = PQconnectPoll(t->conn);
	if (t->polling == PGRES_POLLING_FAILED) {
		disconnect(t, now, RECONNECT_NS);
	} else if (t->polling == PGRES_POLLING_OK) {
		t->phase = IDLE;
		t->due_ns = now;
	}
}

static void attempt(struct target *t, const char *table, int64_t now)
{
	char sql[256];

	t->seq++;
	/* The file name of the current WAL position begins with the timeline; unlike
	 * pg_control_checkpoint() it is right from the first commit after a promotion. */
	snprintf(sql, sizeof(sql),
		 "INSERT INTO %s (id) VALUES (%" PRId64
		 ") RETURNING substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8), "
		 "pg_current_wal_insert_lsn() - '0/0'",
		 table, current_id(t));
	t->since_ns = now;
	t->due_ns = now + (t->period_ns != 0 ? t->period_ns : PAUSE_NS);
	t->phase = BUSY;
	t->noted = false;
	t->broken = !PQsendQuery(t->conn, sql) || PQflush(t->conn) < 0;
}

/* Errors of the connection tell nothing about the row: it may be committed. */
static bool tells_outcome(const char *sqlstate)
{
	return sqlstate && strncmp(sqlstate, "57P", 3) != 0 && strncmp(sqlstate, "08", 2) != 0;
}

static void answer(FILE *out, struct target *t, PGresult *res, int64_t now)
{
	char timeline[9] = "0";
	const char *sqlstate;

	if (PQresultStatus(res) == PGRES_TUPLES_OK) {
		snprintf(timeline, sizeof(timeline), "%s", PQgetvalue(res, 0, 0));
		note(out, t, "ok", now, timeline, PQgetvalue(res, 0, 1));
		if (t->period_ns == 0)
			t->due_ns = now;
		return;
	}
	sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	if (!tells_outcome(sqlstate)) {
		note(out, t, "unknown", now, "0", "0");
		return;
	}
	if (!t->noted)
		refuse(t, sqlstate);
	t->noted = true;
}

static void busy_step(FILE *out, struct target *t, int64_t now)
{
	bool lost = t->broken || PQflush(t->conn) < 0 || !PQconsumeInput(t->conn);
	bool refused = false;
	PGresult *res;

	/* An answer may have arrived together with the end of the connection. */
	while (!PQisBusy(t->conn)) {
		res = PQgetResult(t->conn);
		if (!res) {
			t->phase = IDLE;
			break;
		}
		answer(out, t, res, now);
		refused |= PQresultStatus(res) != PGRES_TUPLES_OK;
		PQclear(res);
	}
	if (lost || PQstatus(t->conn) == CONNECTION_BAD || (refused && t->nconninfo > 1)) {
		note(out, t, "unknown", now, "0", "0");
		disconnect(t, now, RECONNECT_NS);
	}
}

static void expire(FILE *out, struct target *t, int64_t now, int64_t deadline_ns)
{
	if (t->phase == CONNECTING && now - t->since_ns > CONNECT_DEADLINE_NS) {
		disconnect(t, now, RECONNECT_NS);
	} else if (t->phase == BUSY && now - t->since_ns > deadline_ns) {
		note(out, t, "unknown", now, "0", "0");
		disconnect(t, now, RECONNECT_NS);
	}
}

static bool add_target(struct target *t, int64_t index, char *arg, int64_t period_ns)
{
	char *rest = strchr(arg, '=');
	char *one;

	if (!rest)
		return false;
	*rest++ = '\0';
	t->name = arg;
	t->index = index + 1;
	t->period_ns = period_ns;
	while ((one = strsep(&rest, "|")) != NULL && t->nconninfo < ALTERNATIVES_MAX)
		t->conninfo[t->nconninfo++] = one;
	return t->nconninfo > 0;
}

static int wanted(const struct target *t)
{
	if (t->phase == CONNECTING)
		return t->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	return t->phase == BUSY || t->phase == IDLE ? POLLIN : 0;
}

static void step(FILE *out, struct target *t, const struct pollfd *pfd)
{
	int64_t now = now_ns();

	if (!pfd->revents)
		return;
	if (t->phase == CONNECTING)
		connect_step(t, now);
	else if (t->phase == BUSY)
		busy_step(out, t, now);
	else if (t->phase == IDLE && (!PQconsumeInput(t->conn) ||
				      PQstatus(t->conn) == CONNECTION_BAD))
		disconnect(t, now, RECONNECT_NS);
}

static bool round_of(FILE *out, struct target *targets, int n, const char *table,
		     int64_t deadline_ns)
{
	struct pollfd pfds[TARGETS_MAX];
	int64_t now = now_ns();
	int i;

	for (i = 0; i < n; i++) {
		struct target *t = &targets[i];

		expire(out, t, now, deadline_ns);
		if (t->phase == OFF && now >= t->due_ns)
			connect_start(t, now);
		else if (t->phase == IDLE && now >= t->due_ns)
			attempt(t, table, now);
		pfds[i] = (struct pollfd){ .fd = t->conn ? PQsocket(t->conn) : -1,
					   .events = (short)wanted(t) };
	}
	if (poll(pfds, (nfds_t)n, 1) < 0)
		return errno == EINTR;
	/* Answers are read in one pass, so two of them are at most that pass apart. */
	for (i = 0; i < n; i++)
		if (targets[i].conn)
			step(out, &targets[i], &pfds[i]);
	return true;
}

static void finish(FILE *out, struct target *targets, int n)
{
	for (int i = 0; i < n; i++) {
		if (targets[i].phase == BUSY)
			note(out, &targets[i], "unknown", now_ns(), "0", "0");
		for (int k = 0; k < targets[i].nrefusals; k++)
			fprintf(out, "refused %s %s %ld\n", targets[i].name,
				targets[i].refusals[k].sqlstate, targets[i].refusals[k].count);
		PQfinish(targets[i].conn);
	}
	fprintf(out, "end\n");
}

int main(int argc, char **argv)
{
	static struct target targets[TARGETS_MAX];
	int n = argc - 5;
	FILE *out;

	if (n < 1 || n > TARGETS_MAX)
		return 2;
	for (int i = 0; i < n; i++)
		if (!add_target(&targets[i], i, argv[5 + i],
				strtoll(argv[2], NULL, 10) * NS_PER_MS))
			return 2;
	out = fopen(argv[4], "we");
	if (!out)
		return 1;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	/* An answer is to be noted when it comes, however busy the machine; where that is not
	 * permitted it is noted later, which hides nothing. */
	(void)sched_setscheduler(0, SCHED_RR, &(struct sched_param){ .sched_priority = 1 });
	while (!stopping)
		if (!round_of(out, targets, n, argv[1], strtoll(argv[3], NULL, 10) * NS_PER_MS))
			return 1;
	finish(out, targets, n);
	return fclose(out) == 0 ? 0 : 1;
}
