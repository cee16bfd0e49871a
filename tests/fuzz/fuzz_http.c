/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_http - any bytes on a connection to the REST server
 *
 * The whole of it: libmicrohttpd, routes, access, bodies, and the way through the loop and back.
 * Whatever comes, the answer is nothing or one of HTTP, and the next client is served.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/http.h"
#include "io/rest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PORT_FIRST   22900
#define PORTS        90
#define QUIET_MS     10   /* of a stream that stays open, of a request that is not whole */
#define PATIENCE_MS  5000 /* for an answer to a good request */
#define CHECK_EVERY  64   /* inputs, after which a client of good will comes */
#define LONG_MS      INT64_C(1000000000)

struct server {
	struct loop *loop;
	struct http *http;
	struct board *board;
	struct rest *rest;
	struct config_restapi config;
	uint32_t ninputs;
};

static void on_command(void *ctx, uint64_t id, const struct command *command)
{
	struct server *s = ctx;

	assert(command->type != CMD_NONE);
	rest_reply(s->rest, id, 200, "text/html", "done by the loop");
}

static void on_ask(void *ctx, int64_t deadline_ms _unused_)
{
	const struct rest_db answer = { .answered = true };
	struct server *s = ctx;

	rest_db(s->rest, &answer);
}

static void publish(struct server *s)
{
	struct status *status = status_new();

	str_clip(status->name, sizeof(status->name), "one");
	str_clip(status->scope, sizeof(status->scope), "demo");
	status->made_at_ms = loop_now_ms();
	status->loop_deadline_ms = loop_now_ms() + LONG_MS;
	status->state = STATE_RUNNING;
	status->role = MROLE_PRIMARY;
	status->sql_ok = status->writable = status->dcs_ok = true;
	status->leader_until_ms = loop_now_ms() + LONG_MS;
	status->dcs_last_seen_at_ms = status->made_at_ms;
	status->ttl_ms = 5000;
	status->tags_json = str_dup("{\"clonefrom\": true}");
	status->cluster_json = str_dup("{\"members\": [], \"scope\": \"demo\"}");
	status->history_json = str_dup("[]");
	status->config_json = str_dup("{\"ttl\": 5}");
	status->pg.role = ROLE_PRIMARY;
	status->pg.run = PG_UP;
	board_publish(s->board, status);
	status_free(status);
}

static void bind_somewhere(struct server *s)
{
	struct err err = { 0 };

	for (int i = 0; i < PORTS; i++) {
		s->config.listen_port = (uint16_t)(PORT_FIRST + (getpid() + i) % PORTS);
		if (rest_bind(s->rest, &s->config, &err) == 0)
			return;
	}
	assert(!"a port is free");
}

static struct server *server(void)
{
	static struct server *s;
	struct err err = { 0 };

	if (s)
		return s;
	log_level_set(LOG_CRITICAL);
	s = mem_new(1, sizeof(*s));
	str_clip(s->config.listen_host, sizeof(s->config.listen_host), "127.0.0.1");
	s->config.username = str_dup("user");
	s->config.password = str_dup("secret");
	s->board = board_new();
	assert(loop_new(&s->loop, &err) == 0);
	assert(http_new(s->loop, &s->http, &err) == 0);
	assert(rest_new(s->loop, http_resolve(s->http), s->board, on_command, s, &s->rest,
			&err) == 0);
	rest_ask(s->rest, on_ask, s);
	bind_somewhere(s);
	publish(s);
	assert(rest_start(s->rest, &err) == 0);
	return s;
}

/* libFuzzer's clock interrupts; the kernel goes on with it all the same. */
static void finish_connect(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof(error);

	assert(errno == EINTR);
	while (poll(&pfd, 1, PATIENCE_MS) < 0)
		assert(errno == EINTR);
	assert(pfd.revents & POLLOUT);
	assert(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0);
}

static int dial(const struct server *s)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(s->config.listen_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	/* Reset at the end, or the ports of clients would run out. */
	struct linger linger = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(fd >= 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		finish_connect(fd);
	assert(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	return fd;
}

/* Sends what the server takes and reads until it ends the connection or goes quiet: a stream does
 * not end, and of half a request libmicrohttpd may not see that the client left, until its time is
 * over. */
static void talk(struct server *s, int fd, const char *bytes, size_t len, struct buf *answer)
{
	int64_t until_ms = loop_now_ms() + PATIENCE_MS;
	int64_t heard_at_ms = loop_now_ms();
	char chunk[4096];
	size_t sent = 0;

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (sent < len)
			pfd.events |= POLLOUT;
		if (poll(&pfd, 1, 1) == 0)
			(void)loop_step(s->loop, 0);
		assert(loop_now_ms() < until_ms);
		if (loop_now_ms() > heard_at_ms + QUIET_MS)
			return;
		if (pfd.revents & POLLOUT) {
			n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
			sent = n > 0 ? sent + (size_t)n : len;
			heard_at_ms = loop_now_ms();
			if (sent == len)
				(void)shutdown(fd, SHUT_WR);
		}
		if (!(pfd.revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n <= 0)
			return;
		buf_add(answer, chunk, (size_t)n);
		heard_at_ms = loop_now_ms();
	}
}

static void check_answer(const struct buf *answer)
{
	static const char version[] = "HTTP/1.";
	const char *at = answer->data;

	if (answer->len == 0)
		return;
	assert(answer->len > sizeof("HTTP/1.1 200 ") && str_starts(at, version));
	assert(at[9] >= '1' && at[9] <= '5');
	assert(strstr(at, "\r\n"));
}

static void check_service(struct server *s)
{
	static const char good[] = "GET /primary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fd = dial(s);
	int64_t until_ms = loop_now_ms() + PATIENCE_MS;

	talk(s, fd, good, strlen(good), &answer);
	while (answer.len == 0 && loop_now_ms() < until_ms)
		talk(s, fd, "", 0, &answer);
	(void)close(fd);
	assert(answer.len > 0 && str_starts(answer.data, "HTTP/1.1 200 "));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server *s = server();
	_cleanup_(buf_done) struct buf answer = { 0 };
	int fd = dial(s);

	if (size == 0)
		(void)shutdown(fd, SHUT_WR);
	talk(s, fd, (const char *)data, size, &answer);
	(void)close(fd);
	check_answer(&answer);
	if (s->ninputs++ % CHECK_EVERY == 0)
		check_service(s);
	return 0;
}
