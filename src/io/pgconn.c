/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgconn - one connection to Postgres, never waited for
 */
#include "io/pgconn.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"

enum conn_state { CONN_CLOSED = 0, CONN_CONNECTING, CONN_IDLE, CONN_BUSY, CONN__MAX };

struct pgconn {
	struct loop *loop;
	PGconn *pq;
	enum conn_state state;
	struct loop_source *fd_source;
	struct loop_source *timer;
	struct loop_source *defer; /* delivers what was known at once */
	struct pgconn_call call;   /* of the open or the statement under way */
	const struct sql *sql;     /* NULL while connecting; of a round its first */
	PGresult *result;          /* of a round: what ended it too early */
	struct pgconn_part round[PGCONN_ROUND_MAX];
	uint32_t nround;   /* 0: a single statement is under way */
	uint32_t nread;    /* of the newest round */
	uint32_t ntold;    /* statements in it that only have others planned */
	uint32_t planned;  /* bits: what this session was told of the table */
	struct buf text;   /* of a round */
	struct err round_err;
	int pending; /* what `defer` delivers */
	struct err pending_err;
};

/* -- errors ------------------------------------------------------------------------------- */

/* libpq ends its messages with a line feed and may give several lines: one for each address. */
static void one_line(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; *src && n + 1 < size; src++) {
		char c = *src;

		if (c == '\n' || c == '\t')
			c = ' ';
		if (c == ' ' && (n == 0 || dst[n - 1] == ' '))
			continue;
		dst[n++] = c;
	}
	while (n > 0 && dst[n - 1] == ' ')
		n--;
	dst[n] = '\0';
}

static bool is_sqlstate(const char *s)
{
	for (int i = 0; i < 5; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'Z')))
			return false;
	}
	return s[5] == ':' && s[6] == ' ';
}

/* With verbose errors a refusal reads "FATAL:  57P03: the database system is starting up". Words
 * depend on the server's language, the code does not, and libpq has no other way to tell it for
 * a connection that was never made. */
static const char *refusal_state(const char *msg)
{
	const char *found = NULL;

	for (const char *at = strstr(msg, ":  "); at; at = strstr(at + 3, ":  ")) {
		if (is_sqlstate(at + 3))
			found = at + 3;
	}
	return found;
}

static int connect_error(const char *msg, struct err *err)
{
	const char *state = refusal_state(msg);
	char text[ERR_MSG_MAX];
	int rc;

	if (!state) {
		one_line(text, sizeof(text), msg);
		return err_set(err, ERR_CONNECT, "%s", text);
	}
	one_line(text, sizeof(text), state + 7);
	/* The verbose form adds where in its source the server was. */
	if (strstr(text, " LOCATION: "))
		*strstr(text, " LOCATION: ") = '\0';
	rc = err_set(err, ERR_SQL, "%s", text);
	memcpy(err->sqlstate, state, 5);
	err->sqlstate[5] = '\0';
	return rc;
}

static int result_error(const PGresult *result, const struct sql *sql, struct err *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	char text[ERR_MSG_MAX];
	char more[ERR_MSG_MAX];
	int rc;

	one_line(text, sizeof(text), primary ? primary : PQresultErrorMessage(result));
	one_line(more, sizeof(more), detail ? detail : "");
	/* No code: not the server speaks but libpq, the connection is gone. */
	if (!state)
		return err_set(err, ERR_CONNECT, "%s: %s", sql->name, text);
	rc = err_set(err, ERR_SQL, "%s: %s%s%s", sql->name, text, more[0] ? ": " : "", more);
	(void)str_copy(err->sqlstate, sizeof(err->sqlstate), state);
	return rc;
}

/* -- life --------------------------------------------------------------------------------- */

static void drop_notice(void *arg _unused_, const char *message)
{
	char text[ERR_MSG_MAX];

	one_line(text, sizeof(text), message);
	log_debug("Postgres says: %s", text);
}

void pgconn_close(struct pgconn *conn)
{
	/* The source first: the loop must take the fd out of its set while it is open. */
	loop_source_freep(&conn->fd_source);
	loop_timer_off(conn->timer);
	loop_timer_off(conn->defer);
	PQclear(conn->result);
	conn->result = NULL;
	PQfinish(conn->pq);
	conn->pq = NULL;
	conn->planned = 0;
	conn->state = CONN_CLOSED;
}

static void finish(struct pgconn *conn, int result, const struct err *err)
{
	struct pgconn_call call = conn->call;

	loop_timer_off(conn->timer);
	/* The callback may free the connection: nothing is touched after it. */
	call.done(call.ctx, result, err);
}

static void fail(struct pgconn *conn, int result, const struct err *err)
{
	struct err copy = *err;

	pgconn_close(conn);
	finish(conn, result, &copy);
}

static void on_deadline(void *ctx)
{
	struct pgconn *conn = ctx;
	struct err err = { 0 };
	int rc = err_set(&err, ERR_TIMEOUT, "no answer from Postgres to '%s' in time",
			 conn->sql ? conn->sql->name : "connect");

	fail(conn, rc, &err);
}

static void on_defer(void *ctx)
{
	struct pgconn *conn = ctx;

	fail(conn, conn->pending, &conn->pending_err);
}

/* Fails later, from the loop. */
static void fail_soon(struct pgconn *conn, int result, const struct err *err)
{
	conn->pending = result;
	conn->pending_err = *err;
	loop_source_freep(&conn->fd_source);
	loop_timer_off(conn->timer);
	loop_defer(conn->defer);
}

void pgconn_lost(struct pgconn *conn)
{
	struct err err = { 0 };
	int rc;

	if (conn->state != CONN_CONNECTING && conn->state != CONN_BUSY) {
		pgconn_close(conn);
		return;
	}
	rc = err_set(&err, ERR_CONNECT, "Postgres has ended");
	fail_soon(conn, rc, &err);
}

int pgconn_new(struct loop *loop, struct pgconn **ret, struct err *err)
{
	_cleanup_(pgconn_freep) struct pgconn *conn = mem_new(1, sizeof(*conn));
	int rc;

	conn->loop = loop;
	rc = loop_timer_new(loop, "postgres deadline", on_deadline, conn, &conn->timer, err);
	if (rc < 0)
		return rc;
	rc = loop_defer_new(loop, "postgres failure", on_defer, conn, &conn->defer, err);
	if (rc < 0)
		return rc;
	*ret = TAKE(conn);
	return 0;
}

void pgconn_free(struct pgconn *conn)
{
	if (!conn)
		return;
	loop_source_free(conn->fd_source);
	loop_source_free(conn->timer);
	loop_source_free(conn->defer);
	PQclear(conn->result);
	PQfinish(conn->pq);
	buf_done(&conn->text);
	free(conn);
}

void pgconn_freep(struct pgconn **conn)
{
	pgconn_free(*conn);
	*conn = NULL;
}

bool pgconn_idle(const struct pgconn *conn)
{
	return conn->state == CONN_IDLE;
}

bool pgconn_closed(const struct pgconn *conn)
{
	return conn->state == CONN_CLOSED;
}

bool pgconn_is_of(const struct pgconn *conn, const char *user)
{
	return conn->pq && str_eq(PQuser(conn->pq), user);
}

/* -- connect ------------------------------------------------------------------------------ */

static void on_connecting(void *ctx, int fd, uint32_t ready);
static void on_ready(void *ctx, int fd, uint32_t ready);

static int watch(struct pgconn *conn, uint32_t want, loop_fd_fn fn, struct err *err)
{
	loop_source_freep(&conn->fd_source);
	return loop_fd_new(conn->loop, "postgres connection", PQsocket(conn->pq), want, fn, conn,
			   &conn->fd_source, err);
}

static void connected(struct pgconn *conn)
{
	struct err err = { 0 };
	int rc = 0;

	PQsetErrorVerbosity(conn->pq, PQERRORS_DEFAULT);
	if (PQsetnonblocking(conn->pq, 1) != 0)
		rc = err_set(&err, ERR_CONNECT, "cannot make the connection non-blocking");
	if (rc == 0)
		rc = watch(conn, LOOP_READ, on_ready, &err);
	if (rc < 0) {
		fail(conn, rc, &err);
		return;
	}
	conn->state = CONN_IDLE;
	finish(conn, 0, NULL);
}

static void on_connecting(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	struct pgconn *conn = ctx;
	struct err err = { 0 };
	int rc = 0;

	/* libpq may close this socket and open one with the same number for the next address,
	 * which epoll would not notice: the watch is made anew each time. */
	loop_source_freep(&conn->fd_source);
	switch (PQconnectPoll(conn->pq)) {
	case PGRES_POLLING_READING:
		rc = watch(conn, LOOP_READ, on_connecting, &err);
		break;
	case PGRES_POLLING_WRITING:
		rc = watch(conn, LOOP_WRITE, on_connecting, &err);
		break;
	case PGRES_POLLING_OK:
		connected(conn);
		return;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
		/* The server asked for one, so it lives; that none was given is our own affair. */
		if (PQconnectionNeedsPassword(conn->pq)) {
			rc = err_set(&err, ERR_SQL, "the server wants a password");
			(void)str_copy(err.sqlstate, sizeof(err.sqlstate), "28P01");
			break;
		}
		rc = connect_error(PQerrorMessage(conn->pq), &err);
		break;
	}
	if (rc < 0)
		fail(conn, rc, &err);
}

void pgconn_open(struct pgconn *conn, const struct pgconn_param *params, size_t n,
		 int64_t deadline_ms, pgconn_fn done, void *ctx)
{
	const char *keys[PGCONN_PARAMS_MAX + 1] = { 0 };
	const char *values[PGCONN_PARAMS_MAX + 1] = { 0 };
	struct err err = { 0 };
	size_t used = 0;
	int rc;

	assert(n <= PGCONN_PARAMS_MAX);
	pgconn_close(conn);
	conn->call = (struct pgconn_call){ .done = done, .ctx = ctx };
	conn->sql = NULL;
	conn->state = CONN_CONNECTING;
	for (size_t i = 0; i < n; i++) {
		if (!params[i].value || !params[i].value[0])
			continue;
		keys[used] = params[i].key;
		values[used++] = params[i].value;
	}

	conn->pq = PQconnectStartParams(keys, values, 0);
	assert(conn->pq);
	PQsetNoticeProcessor(conn->pq, drop_notice, NULL);
	PQsetErrorVerbosity(conn->pq, PQERRORS_VERBOSE);
	if (PQstatus(conn->pq) == CONNECTION_BAD)
		rc = connect_error(PQerrorMessage(conn->pq), &err);
	else
		rc = watch(conn, LOOP_WRITE, on_connecting, &err);
	loop_timer_at(conn->timer, deadline_ms);
	if (rc < 0)
		fail_soon(conn, rc, &err);
}

/* -- statements --------------------------------------------------------------------------- */

static bool is_stream(const struct pgconn *conn, ExecStatusType status)
{
	return status == PGRES_COPY_BOTH && conn->sql->kind == SQL_STREAM;
}

static bool has_columns(const PGresult *result, const struct sql *sql)
{
	return PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) >= sql->ncolumns;
}

/* -err_code of a statement that failed; else what its reader says of its rows. */
static int take_result(const PGresult *result, const struct pgconn_part *part, bool stream,
		       struct err *err)
{
	struct pgrows rows = { .result = result, .sql = part->sql };
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && !stream)
		return result_error(result, part->sql, err);
	if (!has_columns(result, part->sql))
		return err_set(err, ERR_PROTOCOL, "%s: %d columns instead of %d", part->sql->name,
			       PQnfields(result), part->sql->ncolumns);
	return part->read ? part->read(&rows, part->ret, err) : 0;
}

static void answered(struct pgconn *conn)
{
	const struct pgconn_part part = { conn->sql, conn->call.read, conn->call.ret };
	PGresult *result = conn->result;
	bool stream = is_stream(conn, PQresultStatus(result));
	struct err err = { 0 };
	int rc;

	conn->result = NULL;
	conn->state = CONN_IDLE;
	rc = take_result(result, &part, stream, &err);
	PQclear(result);
	if (rc == -(int)ERR_CONNECT) {
		fail(conn, rc, &err);
		return;
	}
	if (stream) /* it would go on for ever */
		pgconn_close(conn);
	finish(conn, rc, rc < 0 ? &err : NULL);
}

/* What a walsender has to complain of it says after it has agreed to stream. */
static bool first_message(struct pgconn *conn)
{
	char *data = NULL;
	int n = PQgetCopyData(conn->pq, &data, 1);

	PQfreemem(data);
	if (n >= 0)
		return n > 0;
	PQclear(conn->result);
	conn->result = PQgetResult(conn->pq);
	return true;
}

/* The first result counts; what a server adds to an error after it is dropped. True at the end. */
static bool collect(struct pgconn *conn)
{
	if (conn->result && is_stream(conn, PQresultStatus(conn->result)))
		return first_message(conn);
	/* Bounded by what the server may send for one statement. */
	while (!PQisBusy(conn->pq)) {
		PGresult *result = PQgetResult(conn->pq);
		ExecStatusType status = PQresultStatus(result);

		if (!result)
			return true;
		if (!conn->result)
			conn->result = result;
		else
			PQclear(result);
		if (is_stream(conn, status))
			return first_message(conn);
		/* No other statement of ours copies. Waiting for its end would be for ever. */
		if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN ||
		    status == PGRES_COPY_BOTH)
			return true;
	}
	return false;
}

/* A round: each result is taken as it comes. True at the end of all. */
static bool collect_round(struct pgconn *conn)
{
	/* Bounded by what the server may send for the statements of one message. */
	while (!PQisBusy(conn->pq)) {
		PGresult *result = PQgetResult(conn->pq);

		if (!result)
			return true;
		if (conn->round_err.code == ERR_NONE && conn->ntold > 0 &&
		    PQresultStatus(result) == PGRES_COMMAND_OK)
			conn->ntold--;
		else if (conn->round_err.code == ERR_NONE && conn->nread < conn->nround &&
			 take_result(result, &conn->round[conn->nread], false,
				     &conn->round_err) == 0)
			conn->nread++;
		PQclear(result);
	}
	return false;
}

static void round_answered(struct pgconn *conn)
{
	struct err err = conn->round_err;

	conn->state = CONN_IDLE;
	if (err.code == ERR_NONE && conn->nread < conn->nround)
		err_set(&err, ERR_PROTOCOL, "%s: no answer", conn->round[conn->nread].sql->name);
	if (err.code == ERR_CONNECT) {
		fail(conn, -(int)err.code, &err);
		return;
	}
	/* What of it was planned is not known; the next one begins anew. */
	if (err.code != ERR_NONE)
		conn->planned = 0;
	finish(conn, -(int)err.code, err.code != ERR_NONE ? &err : NULL);
}

static void lost(struct pgconn *conn)
{
	struct err err = { 0 };
	int rc = connect_error(PQerrorMessage(conn->pq), &err);

	/* An idle connection may die unseen: the next statement will tell. */
	if (conn->state == CONN_BUSY)
		fail(conn, rc, &err);
	else
		pgconn_close(conn);
}

/* A server that closes says why first; that reason is a result. */
static bool lost_with_reason(struct pgconn *conn)
{
	struct err err = { 0 };

	if (conn->state != CONN_BUSY)
		return false;
	if (conn->nround > 0) {
		(void)collect_round(conn);
		err = conn->round_err;
	} else if (collect(conn) && conn->result) {
		result_error(conn->result, conn->sql, &err);
	}
	if (err.code == ERR_NONE)
		return false;
	fail(conn, -(int)err.code, &err);
	return true;
}

static void on_ready(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	struct pgconn *conn = ctx;
	int left = PQflush(conn->pq);

	if (left < 0 || !PQconsumeInput(conn->pq)) {
		if (!lost_with_reason(conn))
			lost(conn);
		return;
	}
	loop_fd_want(conn->fd_source, left > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	if (conn->state != CONN_BUSY) {
		(void)PQisBusy(conn->pq); /* takes notices and parameter changes in */
		if (PQstatus(conn->pq) != CONNECTION_OK)
			lost(conn);
		return;
	}
	if (conn->nround > 0 && collect_round(conn))
		round_answered(conn);
	else if (conn->nround == 0 && collect(conn))
		answered(conn);
}

/* Replication commands have no parameters in the protocol. A number cannot carry anything else. */
static int send_replication(struct pgconn *conn, const struct sql *sql, const char *const *values)
{
	char text[128];
	uint64_t number = 0;

	if (sql->nparams == 0)
		return PQsendQuery(conn->pq, sql->text);
	if (parse_uint(values[0], UINT32_MAX, &number, NULL) < 0 ||
	    str_printf(text, sizeof(text), "%s %llu", sql->text, (unsigned long long)number) < 0)
		return 0;
	return PQsendQuery(conn->pq, text);
}

static int send_stream(struct pgconn *conn, const struct sql *sql, const char *const *values)
{
	char text[128];
	uint64_t lsn = 0, timeline = 0;

	if (parse_lsn(values[0], &lsn, NULL) < 0 ||
	    parse_uint(values[1], UINT32_MAX, &timeline, NULL) < 0 ||
	    str_printf(text, sizeof(text), "%s %X/%X TIMELINE %u", sql->text,
		       (unsigned)(lsn >> 32), (unsigned)lsn, (unsigned)timeline) < 0)
		return 0;
	return PQsendQuery(conn->pq, text);
}

static int send_statement(struct pgconn *conn, const struct sql *sql, const char *const *values)
{
	switch (sql->kind) {
	case SQL_QUERY:
		return PQsendQueryParams(conn->pq, sql->text, sql->nparams, NULL, values, NULL,
					 NULL, 0);
	case SQL_SIMPLE:
		return PQsendQuery(conn->pq, sql->text);
	case SQL_REPLICATION:
		return send_replication(conn, sql, values);
	case SQL_STREAM:
		return send_stream(conn, sql, values);
	case SQL_KIND__MAX:
		break;
	}
	return 0;
}

/* `sent`: as libpq's functions that send tell it. */
static void flush(struct pgconn *conn, int sent)
{
	struct err err = { 0 };
	int left = sent ? PQflush(conn->pq) : -1;
	int rc;

	if (left < 0) {
		rc = connect_error(PQerrorMessage(conn->pq), &err);
		fail_soon(conn, rc, &err);
		return;
	}
	loop_fd_want(conn->fd_source, left > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

void pgconn_exec(struct pgconn *conn, const struct sql *sql, const char *const *values,
		 int64_t deadline_ms, const struct pgconn_call *call)
{
	assert(conn->state == CONN_IDLE);
	conn->call = *call;
	conn->sql = sql;
	conn->nround = 0;
	conn->state = CONN_BUSY;
	loop_timer_at(conn->timer, deadline_ms);
	flush(conn, send_statement(conn, sql, values));
}

/* Plans are kept under the names of the statements. A first one that failed half way may have left
 * some: so they begin with none. */
static void round_text(struct pgconn *conn)
{
	struct buf *text = &conn->text;

	buf_clear(text);
	conn->ntold = 0;
	if (conn->planned == 0) {
		buf_printf(text, "DEALLOCATE ALL;");
		conn->ntold++;
	}
	for (uint32_t i = 0; i < conn->nround; i++) {
		const struct sql *sql = conn->round[i].sql;

		if (!(conn->planned & (1U << i))) {
			buf_printf(text, "PREPARE pgha_%s AS %s;", sql->name, sql->text);
			conn->ntold++;
			conn->planned |= 1U << i;
		}
		buf_printf(text, "EXECUTE pgha_%s;", sql->name);
	}
}

void pgconn_round(struct pgconn *conn, const struct pgconn_part *parts, uint32_t n,
		  int64_t deadline_ms, pgconn_fn done, void *ctx)
{
	assert(conn->state == CONN_IDLE && n > 0 && n <= PGCONN_ROUND_MAX);
	conn->call = (struct pgconn_call){ .done = done, .ctx = ctx };
	memcpy(conn->round, parts, n * sizeof(parts[0]));
	conn->nround = n;
	conn->nread = 0;
	conn->round_err = (struct err){ 0 };
	conn->sql = parts[0].sql;
	conn->state = CONN_BUSY;
	round_text(conn);
	loop_timer_at(conn->timer, deadline_ms);
	flush(conn, PQsendQuery(conn->pq, conn->text.data));
}

uint32_t pgconn_round_read(const struct pgconn *conn)
{
	return conn->nread;
}

const char *pgconn_parameter(const struct pgconn *conn, const char *name)
{
	return conn->pq ? PQparameterStatus(conn->pq, name) : NULL;
}

int32_t pgconn_server_version(const struct pgconn *conn)
{
	return conn->pq ? PQserverVersion(conn->pq) : 0;
}

char *pgconn_password_verifier(struct pgconn *conn, const char *user, const char *password,
			       const char *algorithm, struct err *err)
{
	/* With a named algorithm this is arithmetic only: nothing is asked of the server. */
	char *made = PQencryptPasswordConn(conn->pq, password, user, algorithm);
	char *ret;

	if (!made) {
		err_set(err, ERR_STATE, "cannot prepare the password of '%s' for %s", user,
			algorithm);
		return NULL;
	}
	ret = str_dup(made);
	PQfreemem(made);
	return ret;
}
