/* SPDX-License-Identifier: PostgreSQL */
/*
 * restserve - the thread of the REST server
 *
 * libmicrohttpd is driven from here rather than by a thread of its own, so that everything about
 * connections happens in one place: accepting them, putting the idle and slow ones out, waking
 * those that waited for the loop or listen to events.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parse.h"
#include "io/restaccess.h"
#include "io/restfeed.h"
#include "io/restpriv.h"
#include "wire/restroute.h"

#define SWEEP_MS 1000
/* 413: its name changed between the versions of libmicrohttpd. */
#define TOO_LONG 413

/* Connections that wait for us are not put out; one client alone must not fill its share with
 * them, or its health checks would find no room. */
static_assert(REST_TASKS_MAX + REST_LISTENERS_MAX + REST_ASKERS_MAX < REST_CONNS_PER_IP,
	      "places for others");

struct visit {
	char *path;
	char *query; /* into path's memory; NULL none */
	bool begun;
	bool known;   /* it was looked whether a member signed it */
	bool refused; /* answered as soon as the body was read */
	int code;
	const char *text;
	struct buf body;
	struct rest_task *task; /* answered */
	struct restaccess_who who; /* of a write, and of a member */
	char *why;                 /* it is not who it says; NULL nothing */
	struct restdb_asker asker;
};

struct rest_serve {
	struct rest *rest;
	struct MHD_Daemon *daemon;
	struct rest_settings *settings;
	int listen_fd;
	uint64_t next_id;
	struct rest_task *tasks[REST_TASKS_MAX]; /* with the loop; NULL where free */
	size_t body_bytes;
	struct restconns conns;
	struct restaccess access;
	struct restfeed feed;
	struct restdb_askers askers;
	bool closing; /* the server of this moment ends: no new task for the loop */
	bool stopping;
};

/* ---- connections ---- */

static struct restconn *conn_open(struct rest_serve *serve, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;

	if (serve->settings->tls) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
		resttls_prepare(info->tls_session, serve->settings->tls);
	}
	return restconns_open(&serve->conns, connection);
}

/* MHD_NotifyConnectionCallback */
static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct rest_serve *serve = ctx;

	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		*socket_context = conn_open(serve, connection);
	else
		restconns_close(&serve->conns, *socket_context);
}

static bool accept_one(struct rest_serve *serve)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	struct in6_addr from;
	int fd = accept4(serve->listen_fd, (struct sockaddr *)&addr, &len,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	if (!allow_address((const struct sockaddr *)&addr, &from) ||
	    !restconns_make_room(&serve->conns, &from)) {
		close(fd);
		return true;
	}
	/* Closes the socket itself when it fails. */
	(void)MHD_add_connection(serve->daemon, fd, (const struct sockaddr *)&addr, len);
	return true;
}

static void accept_some(struct rest_serve *serve)
{
	for (int i = 0; i < REST_ACCEPTS_AT_ONCE; i++)
		if (!accept_one(serve))
			return;
}

/* ---- answers ---- */

static void add_extra_headers(const struct rest_serve *serve, struct MHD_Response *response)
{
	const struct pairs *headers = &serve->settings->headers;

	if (serve->settings->server)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER,
					      serve->settings->server);
	for (size_t i = 0; i < headers->n; i++)
		(void)MHD_add_response_header(response, headers->items[i].name,
					      headers->items[i].value);
}

/* A member believes what is signed for its own question only. */
static void add_signature(const struct rest_serve *serve, struct MHD_Response *response,
			  const struct restaccess_who *who, int code, const char *body, size_t len)
{
	const struct peersign *sign = &serve->settings->sign;
	const struct peersign_answer says = { .from = sign->name,
					      .to = who->peer,
					      .nonce = who->nonce,
					      .status = code,
					      .body = body,
					      .body_len = len };
	char text[PEERSIGN_TEXT_SIZE];

	if (who->peer[0] == '\0' || sign->nsecrets == 0)
		return;
	peersign_answer(sign, &says, text);
	(void)MHD_add_response_header(response, PEERSIGN_HEADER, text);
}

static enum MHD_Result queue_answer(struct rest_serve *serve, struct MHD_Connection *connection,
				    const struct visit *visit, int code, const char *content_type,
				    char *body, size_t len, uint64_t lsn)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;
	char number[24];

	if (!response) {
		free(body);
		return MHD_NO;
	}
	if (content_type)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					      content_type);
	if (code == MHD_HTTP_UNAUTHORIZED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					      "Basic realm=\"Patroni\"");
	if (code == RESTACCESS_TOO_MANY)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	(void)str_printf(number, sizeof(number), "%" PRIu64, lsn);
	if (lsn != 0)
		(void)MHD_add_response_header(response, "lsn", number);
	if (visit->path && str_eq(visit->path, "/liveness"))
		(void)MHD_add_response_header(response, REST_INSTANCE_HEADER,
					      rest_instance(serve->rest));
	add_signature(serve, response, &visit->who, code, body, len);
	add_extra_headers(serve, response);
	rc = MHD_queue_response(connection, (unsigned int)code, response);
	MHD_destroy_response(response);
	restconns_move(restconns_of(connection), RESTCONN_SENDING);
	return rc;
}

static enum MHD_Result queue_text(struct rest_serve *serve, struct MHD_Connection *connection,
				  const struct visit *visit, int code, const char *text)
{
	return queue_answer(serve, connection, visit, code, "text/html", str_dup(text),
			    strlen(text), 0);
}

static enum MHD_Result answer_events(struct rest_serve *serve, struct MHD_Connection *connection,
				     const struct visit *visit)
{
	const char *last_id =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID");
	struct MHD_Response *response = restfeed_open(&serve->feed, connection, last_id);
	enum MHD_Result rc;

	if (!response)
		return queue_text(serve, connection, visit, MHD_HTTP_SERVICE_UNAVAILABLE,
				  serve->closing ? "the server ends" : "too many listeners");
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				      "text/event-stream");
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	/* nginx would keep the events until it has a buffer full of them. */
	(void)MHD_add_response_header(response, "X-Accel-Buffering", "no");
	add_extra_headers(serve, response);
	rc = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	restconns_move(restconns_of(connection), RESTCONN_SENDING);
	return rc;
}

static bool wants_open_metrics(struct MHD_Connection *connection, const struct visit *visit)
{
	/* Headers are looked through for the one path only. */
	if (!str_starts(visit->path, "/metrics"))
		return false;
	return restmsg_wants_open_metrics(
		visit->path, MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_ACCEPT));
}

static enum MHD_Result queue_read(struct rest_serve *serve, struct MHD_Connection *connection,
				  const struct visit *visit, struct rest_answer *answer)
{
	size_t len = answer->status_only ? 0 : answer->body.len;
	enum MHD_Result rc = queue_answer(serve, connection, visit, answer->code,
					  answer->status_only ? NULL : answer->content_type,
					  buf_take(&answer->body), len, 0);

	rest_answer_done(answer);
	return rc;
}

static void want_db(struct rest_serve *serve)
{
	struct rest *rest = serve->rest;

	if (serve->askers.asked)
		return;
	serve->askers.asked = true;
	pthread_mutex_lock(&rest->lock);
	rest->db.wanted = true;
	pthread_mutex_unlock(&rest->lock);
	(void)!eventfd_write(rest->tasks_fd, 1);
}

/* Comes here twice: before Postgres was asked, and with its answer. */
static enum MHD_Result answer_ready_db(struct rest_serve *serve,
				       struct MHD_Connection *connection, const char *method,
				       struct visit *visit, const struct status *status)
{
	const struct rest_db *db = visit->asker.done ? &visit->asker.answer : NULL;
	struct rest_answer answer;

	restmsg_ready_db(status, loop_now_ms(), method, visit->query, db, &answer);
	if (db || answer.code != MHD_HTTP_OK)
		return queue_read(serve, connection, visit, &answer);
	rest_answer_done(&answer);
	if (serve->closing || !restdb_wait(&serve->askers, &visit->asker, connection))
		return queue_text(serve, connection, visit, MHD_HTTP_SERVICE_UNAVAILABLE,
				  "too many requests at once");
	want_db(serve);
	return MHD_YES;
}

static enum MHD_Result answer_read(struct rest_serve *serve, struct MHD_Connection *connection,
				   const char *method, struct visit *visit)
{
	const struct restroute *route = restroute_find(method, visit->path);
	struct board_page *page = board_take(serve->rest->board);
	struct rest_answer answer = { 0 };

	if (!page)
		return queue_text(serve, connection, visit, MHD_HTTP_SERVICE_UNAVAILABLE,
				  "starting");
	if (route && route->id == ROUTE_EVENTS) {
		board_give_back(page);
		return answer_events(serve, connection, visit);
	}
	if (route && route->id == ROUTE_READY_DB) {
		enum MHD_Result rc = answer_ready_db(serve, connection, method, visit,
						     board_status(page));

		board_give_back(page);
		return rc;
	}
	if (str_eq(method, "GET") && wants_open_metrics(connection, visit))
		restmsg_open_metrics(board_status(page), loop_now_ms(), &answer);
	else
		restmsg_get_prepared(board_status(page), board_prepared(page), loop_now_ms(),
				     method, visit->path, visit->query, &answer);
	board_give_back(page);
	return queue_read(serve, connection, visit, &answer);
}

/* ---- writes ---- */

static void tell(struct rest_serve *serve, const char *method, const struct visit *visit,
		 bool refused, int code, const char *text)
{
	const struct restaccess_deed deed = {
		.who = &visit->who,
		.method = method,
		.path = visit->path,
		.body = visit->body.data,
		.body_len = visit->body.len,
		.refused = refused,
		.code = code,
		.text = text,
	};

	restaccess_tell(&serve->access, &deed);
}

/* The length that was told beforehand; UINT64_MAX for more than can be read off. */
static uint64_t told_length(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t bytes = 0;

	if (length && parse_uint(length, UINT64_MAX, &bytes, NULL) < 0)
		return UINT64_MAX;
	return bytes;
}

static void refuse(struct visit *visit, int code, const char *text)
{
	visit->refused = true;
	visit->code = code;
	visit->text = text;
}

static enum MHD_Result begin_write(struct rest_serve *serve, struct MHD_Connection *connection,
				   const char *method, struct visit *visit)
{
	uint64_t length = told_length(connection);
	const char *text = "";
	int code = restaccess_check(&serve->access, serve->settings, connection, visit->path,
				    &visit->who, &text);

	if (code != 0)
		tell(serve, method, visit, true, code, text);
	if (code == 0 && length > REST_BODY_MAX) {
		code = TOO_LONG;
		text = "the body is too long";
	}
	/* The body is read to its end before the refusal is sent: a client that is still sending
	 * when the connection closes never gets to read it. Only up to a point. */
	if (code != 0)
		refuse(visit, code, text);
	if (code != 0 && length > REST_DISCARD_MAX)
		return queue_text(serve, connection, visit, code, text);
	return MHD_YES;
}

static void add_body(struct rest_serve *serve, struct visit *visit, const char *data,
		     size_t len)
{
	if (visit->refused)
		return;
	if (visit->body.len + len > REST_BODY_MAX) {
		refuse(visit, TOO_LONG, "the body is too long");
	} else if (serve->body_bytes + len > REST_BODIES_MAX) {
		refuse(visit, MHD_HTTP_SERVICE_UNAVAILABLE, "too many requests at once");
	} else {
		serve->body_bytes += len;
		buf_add(&visit->body, data, len);
		return;
	}
	serve->body_bytes -= visit->body.len;
	buf_done(&visit->body);
}

static struct rest_task **free_place(struct rest_serve *serve)
{
	for (size_t i = 0; i < REST_TASKS_MAX; i++)
		if (!serve->tasks[i])
			return &serve->tasks[i];
	return NULL;
}

static void hand_over(struct rest_serve *serve, struct MHD_Connection *connection,
		      struct visit *visit, struct rest_task *task)
{
	struct rest *rest = serve->rest;

	task->id = ++serve->next_id;
	task->connection = connection;
	task->request = visit;
	*free_place(serve) = task;
	restconns_move(restconns_of(connection), RESTCONN_BUSY);
	MHD_suspend_connection(connection);
	pthread_mutex_lock(&rest->lock);
	task->next = rest->asked;
	rest->asked = task;
	pthread_mutex_unlock(&rest->lock);
	(void)!eventfd_write(rest->tasks_fd, 1);
}

static enum MHD_Result do_write(struct rest_serve *serve, struct MHD_Connection *connection,
				const char *method, struct visit *visit)
{
	bool has_body = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						    MHD_HTTP_HEADER_CONTENT_LENGTH) != NULL;
	struct board_page *page = board_take(serve->rest->board);
	bool paused = page && board_status(page)->pause;
	struct rest_task *task;
	struct buf text = { 0 };
	int code;

	board_give_back(page);
	if (!page || serve->closing)
		return queue_text(serve, connection, visit, MHD_HTTP_SERVICE_UNAVAILABLE,
				  page ? "the server ends" : "starting");
	if (!free_place(serve))
		return queue_text(serve, connection, visit, MHD_HTTP_SERVICE_UNAVAILABLE,
				  "too many requests at once");
	task = mem_new(1, sizeof(*task));
	code = restmsg_command(method, visit->path, has_body, visit->body.data ?: "",
			       visit->body.len, paused, loop_wall_us(), &task->command, &text);
	if (code > 0) {
		size_t len = text.len;

		rest_task_free(task);
		tell(serve, method, visit, false, code, text.data);
		return queue_answer(serve, connection, visit, code, "text/html", buf_take(&text),
				    len, 0);
	}
	buf_done(&text);
	hand_over(serve, connection, visit, task);
	return MHD_YES;
}

static enum MHD_Result answer_write(struct rest_serve *serve, struct MHD_Connection *connection,
				    const char *method, struct visit *visit)
{
	struct rest_task *task = TAKE(visit->task);
	char *body = TAKE(task->body);
	enum MHD_Result rc;

	/* A document is no outcome in words. */
	tell(serve, method, visit, false, task->code,
	     str_eq(task->content_type, "text/html") ? body : NULL);
	rc = queue_answer(serve, connection, visit, task->code, task->content_type, body,
			  strlen(body), task->lsn);
	rest_task_free(task);
	return rc;
}

/* It was read whole. */
static void check_peer(struct rest_serve *serve, struct MHD_Connection *connection,
		       const char *method, struct visit *visit)
{
	const struct restaccess_asks asks = { .method = method,
					      .path = visit->path,
					      .query = visit->query,
					      .body = visit->body.data,
					      .body_len = visit->body.len };
	struct rest *rest = serve->rest;

	visit->known = true;
	if (visit->refused || restaccess_check_peer(&serve->access, serve->settings, connection,
						    &asks, &visit->who, &visit->why))
		return;
	refuse(visit, MHD_HTTP_FORBIDDEN, visit->why);
	tell(serve, method, visit, true, visit->code, visit->why);
	pthread_mutex_lock(&rest->lock);
	rest->peers.calls_refused++;
	rest->peers.refused_wall_us = loop_wall_us();
	pthread_mutex_unlock(&rest->lock);
}

/* MHD_AccessHandlerCallback: called with the header, with each piece of the body, at its end, and
 * again when a suspended connection goes on. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection,
				  const char *url _unused_, const char *method,
				  const char *version _unused_, const char *upload,
				  size_t *upload_len, void **request_context)
{
	struct rest_serve *serve = ctx;
	struct visit *visit = *request_context;
	bool reads = str_eq(method, "GET") || str_eq(method, "HEAD") || str_eq(method, "OPTIONS");

	if (!visit)
		return MHD_NO;
	if (!visit->begun) {
		visit->begun = true;
		/* An answer queued at the header closes the connection after it. */
		return reads ? MHD_YES : begin_write(serve, connection, method, visit);
	}
	if (*upload_len > 0) {
		if (!reads)
			add_body(serve, visit, upload, *upload_len);
		*upload_len = 0;
		return MHD_YES;
	}
	if (!visit->known)
		check_peer(serve, connection, method, visit);
	if (visit->refused)
		return queue_text(serve, connection, visit, visit->code, visit->text);
	if (reads)
		return answer_read(serve, connection, method, visit);
	if (visit->task)
		return answer_write(serve, connection, method, visit);
	return do_write(serve, connection, method, visit);
}

/* The request line has been read: keeps the path as it was sent. */
static void *on_uri(void *ctx _unused_, const char *uri,
		    struct MHD_Connection *connection _unused_)
{
	struct visit *visit = mem_new(1, sizeof(*visit));

	visit->path = str_dup(uri);
	visit->query = strchr(visit->path, '?');
	if (visit->query)
		*visit->query++ = '\0';
	return visit;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request_context,
			 enum MHD_RequestTerminationCode code _unused_)
{
	struct rest_serve *serve = ctx;
	struct visit *visit = TAKE(*request_context);

	/* It may stay open for the next request. */
	restconns_move(restconns_of(connection), RESTCONN_WAITING);
	if (!visit)
		return;
	serve->body_bytes -= visit->body.len;
	buf_done(&visit->body);
	rest_task_free(visit->task);
	free(visit->why);
	free(visit->path);
	free(visit);
}

/* ---- the thread ---- */

static struct MHD_Daemon *start_daemon(struct rest_serve *serve, const struct resttls *tls)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem options[8];
	size_t n = 0;

	if (tls) {
		flags |= MHD_USE_TLS;
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, tls->cert };
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key };
	}
	if (tls && tls->key_password)
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_KEY_PASSWORD, 0,
							tls->key_password };
	if (tls && tls->ca)
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST, 0, tls->ca };
	if (tls && tls->priorities)
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0,
							tls->priorities };
	options[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	return MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, serve, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, serve, MHD_OPTION_NOTIFY_COMPLETED, on_completed, serve,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, serve, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)ARRAY_LEN(serve->conns.items), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)REST_HEADER_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)(REST_IDLE_MS / 1000), MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/* Lets a suspended connection go on. */
static void resume(struct rest_task *task)
{
	restconns_move(restconns_of(task->connection), RESTCONN_SENDING);
	MHD_resume_connection(task->connection);
	task->connection = NULL;
}

static void take_answer(struct rest_serve *serve, struct rest_task *task)
{
	struct visit *visit = task->request;

	for (size_t i = 0; i < REST_TASKS_MAX; i++)
		if (serve->tasks[i] == task)
			serve->tasks[i] = NULL;
	/* The connection ended with an earlier server, see stop_daemon(). */
	if (!task->connection) {
		rest_task_free(task);
		return;
	}
	visit->task = task;
	resume(task);
}

static void stop_daemon(struct rest_serve *serve)
{
	static const struct rest_db ending = { .why = "the server ends" };

	if (!serve->daemon)
		return;
	/* libmicrohttpd cannot stop while connections are suspended. Their tasks stay with the
	 * loop until it answers. */
	for (size_t i = 0; i < REST_TASKS_MAX; i++) {
		struct rest_task *task = serve->tasks[i];

		if (!task || !task->connection)
			continue;
		refuse(task->request, MHD_HTTP_SERVICE_UNAVAILABLE,
		       "the server ends; the request may still be carried out");
		resume(task);
	}
	/* Once to wake them, once to send; a request that comes meanwhile must not be suspended. */
	serve->closing = true;
	restfeed_close(&serve->feed);
	restdb_answer(&serve->askers, &ending);
	(void)MHD_run(serve->daemon);
	(void)MHD_run(serve->daemon);
	MHD_stop_daemon(TAKE(serve->daemon));
	serve->closing = serve->feed.closing = false;
}

static void take_settings(struct rest_serve *serve, struct rest_settings *settings)
{
	struct rest_settings *old = serve->settings;
	bool same = old && resttls_equal(old->tls, settings->tls);

	if (settings->listen_fd >= 0) {
		closep(&serve->listen_fd);
		serve->listen_fd = settings->listen_fd;
		settings->listen_fd = -1;
	}
	if (!same)
		stop_daemon(serve);
	serve->settings = settings;
	if (!same)
		serve->daemon = start_daemon(serve, settings->tls);
	/* The certificate was tried before it came here, so what is missing is memory. */
	assert(serve->daemon);
	rest_settings_free(old);
}

static void take_news(struct rest_serve *serve)
{
	struct rest *rest = serve->rest;
	struct rest_settings *settings;
	struct rest_task *answered;
	struct rest_db db;
	bool db_answered;
	eventfd_t count;

	(void)!eventfd_read(rest->wake_fd, &count);
	pthread_mutex_lock(&rest->lock);
	settings = TAKE(rest->settings);
	answered = TAKE(rest->answered);
	db_answered = rest->db.answered;
	db = rest->db.answer;
	rest->db.answered = false;
	serve->stopping = rest->stop;
	pthread_mutex_unlock(&rest->lock);
	while (answered) {
		struct rest_task *task = answered;

		answered = task->next;
		take_answer(serve, task);
	}
	if (db_answered) {
		serve->askers.asked = false;
		restdb_answer(&serve->askers, &db);
	}
	if (settings)
		take_settings(serve, settings);
}

static int wait_ms(const struct rest_serve *serve)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	int wait = serve->conns.n > 0 ? SWEEP_MS : -1;
	int feed_ms = restfeed_wait_ms(&serve->feed);
	int db_ms = restdb_wait_ms(&serve->askers);

	/* Who listens or waits has a connection. */
	if (feed_ms >= 0)
		wait = MIN_OF(wait, feed_ms);
	if (db_ms >= 0)
		wait = MIN_OF(wait, db_ms);
	if (MHD_get_timeout(serve->daemon, &timeout) == MHD_YES &&
	    (wait < 0 || timeout < (MHD_UNSIGNED_LONG_LONG)wait))
		wait = timeout > SWEEP_MS ? SWEEP_MS : (int)timeout;
	return wait;
}

static void one_round(struct rest_serve *serve)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(serve->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd fds[] = {
		{ .fd = serve->rest->wake_fd, .events = POLLIN },
		{ .fd = info->epoll_fd, .events = POLLIN },
		{ .fd = serve->listen_fd, .events = POLLIN },
	};

	if (poll(fds, ARRAY_LEN(fds), wait_ms(serve)) < 0 && errno != EINTR)
		return;
	if (fds[0].revents)
		take_news(serve);
	if (fds[2].revents)
		accept_some(serve);
	restconns_sweep(&serve->conns);
	restfeed_look(&serve->feed);
	restdb_sweep(&serve->askers);
	(void)MHD_run(serve->daemon);
}

void *restserve_run(void *arg)
{
	struct rest_serve *serve = mem_new(1, sizeof(*serve));

	(void)pthread_setname_np(pthread_self(), "rest");
	restconns_init(&serve->conns);
	serve->rest = arg;
	serve->feed.board = serve->rest->board;
	serve->listen_fd = -1;
	take_news(serve);
	while (!serve->stopping)
		one_round(serve);
	stop_daemon(serve);
	closep(&serve->listen_fd);
	rest_settings_free(serve->settings);
	restaccess_done(&serve->access);
	free(serve);
	return NULL;
}
