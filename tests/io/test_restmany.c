/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restmany - more clients than there is room for, and what every answer carries
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/http.h"
#include "io/rest.h"
#include "rig.h"

#define PORT    21300
#define CLIENTS 3000
#define HOSTS   20 /* addresses that they come from */
#define WAIT_MS 5000

struct server {
	struct loop *loop;
	struct http *http;
	struct board *board;
	struct rest *rest;
	struct config_restapi config;
};

static void on_command(void *ctx, uint64_t id, const struct command *command _unused_)
{
	struct server *s = ctx;

	rest_reply(s->rest, id, 200, "text/html", "done");
}

static void publish(struct server *s)
{
	struct status *status = status_new();

	str_clip(status->name, sizeof(status->name), "one");
	str_clip(status->scope, sizeof(status->scope), "demo");
	status->made_at_ms = loop_now_ms();
	status->loop_deadline_ms = loop_now_ms() + 60000;
	status->state = STATE_RUNNING;
	status->role = MROLE_PRIMARY;
	status->sql_ok = status->writable = status->dcs_ok = true;
	status->leader_until_ms = loop_now_ms() + 60000;
	status->tags_json = str_dup("{}");
	status->cluster_json = str_dup("{\"members\": [], \"scope\": \"demo\"}");
	status->history_json = str_dup("[]");
	status->config_json = str_dup("{\"ttl\": 5}");
	status->pg.role = ROLE_PRIMARY;
	status->pg.run = PG_UP;
	board_publish(s->board, status);
}

static void server_init(struct server *s, int port)
{
	struct err err = { 0 };

	str_clip(s->config.listen_host, sizeof(s->config.listen_host), "127.0.0.1");
	s->config.listen_port = (uint16_t)port;
	s->board = board_new();
	CHECK(loop_new(&s->loop, &err) == 0, "%s", err.msg);
	CHECK(http_new(s->loop, &s->http, &err) == 0, "%s", err.msg);
	CHECK(rest_new(s->loop, http_resolve(s->http), s->board, on_command, s, &s->rest, &err) ==
		      0,
	      "%s", err.msg);
	CHECK(rest_bind(s->rest, &s->config, &err) == 0, "%s", err.msg);
	CHECK(rest_start(s->rest, &err) == 0, "%s", err.msg);
	publish(s);
}

static void server_done(struct server *s)
{
	rest_free(s->rest);
	http_free(s->http);
	board_free(s->board);
	loop_free(s->loop);
}

/* From 127.0.1.`host`; -1 when there is no room in the queue of the listener. */
static int dial(const struct server *s, int host)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + host) };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(s->config.listen_port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0, "%s", strerror(errno));
	CHECK(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0, "%s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The answer to one request, or what came until the server went quiet. */
static char *ask(struct server *s, int fd, const char *request)
{
	int64_t until_ms = loop_now_ms() + WAIT_MS;
	struct buf got = { 0 };
	char chunk[4096];
	ssize_t n = 1;

	CHECK(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	while (n != 0) {
		(void)loop_step(s->loop, 1);
		CHECK(loop_now_ms() < until_ms, "%s", got.data ?: "nothing");
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n > 0)
			buf_add(&got, chunk, (size_t)n);
		else if (n < 0 && errno != EAGAIN)
			break;
	}
	return buf_take(&got);
}

#define ASK_PRIMARY "GET /primary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* They open and say nothing. Whoever comes next is served all the same. */
static void thousands_of_silent_clients_keep_nobody_out(void)
{
	static struct server s;
	static int fds[CLIENTS];
	int64_t worst_ms = 0;

	server_init(&s, PORT);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = dial(&s, i % HOSTS);
		if (i % 100 != 99)
			continue;
		int64_t began_ms = loop_now_ms();
		int fd = dial(&s, HOSTS);
		_cleanup_(freep) char *answer = NULL;

		CHECK(fd >= 0);
		answer = ask(&s, fd, ASK_PRIMARY);
		CHECK(answer && str_starts(answer, "HTTP/1.1 200 "), "after %d: %s", i,
		      answer ?: "nothing");
		worst_ms = MAX_OF(worst_ms, loop_now_ms() - began_ms);
		close(fd);
	}
	fprintf(stderr, "   %d clients; the worst answer in between took %lld ms\n", CLIENTS,
		(long long)worst_ms);
	CHECK(worst_ms < 1000, "%lld", (long long)worst_ms);
	for (int i = 0; i < CLIENTS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	server_done(&s);
}

static void put_header(struct pairs *pairs, const char *name, const char *value)
{
	pairs->items = mem_grow(pairs->items, pairs->n + 1, sizeof(*pairs->items));
	pairs->items[pairs->n++] = (struct pair){ .name = str_dup(name), .value = str_dup(value) };
}

static void configured_headers_go_with_every_answer(void)
{
	static const char *const requests[] = {
		ASK_PRIMARY,
		"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"OPTIONS /replica HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"POST /reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"POST /switchover HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		"Content-Length: 1\r\n\r\nx",
	};
	static struct server s;

	put_header(&s.config.http_extra_headers, "X-Frame-Options", "SAMEORIGIN");
	put_header(&s.config.https_extra_headers, "Strict-Transport-Security", "max-age=1");
	server_init(&s, PORT + 1);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		int fd = dial(&s, 0);
		_cleanup_(freep) char *answer = NULL;

		CHECK(fd >= 0);
		answer = ask(&s, fd, requests[i]);
		CHECK(answer && strstr(answer, "X-Frame-Options: SAMEORIGIN\r\n"), "%s: %s",
		      requests[i], answer ?: "nothing");
		CHECK(!strstr(answer, "Strict-Transport-Security"), "%s", answer);
		close(fd);
	}
	server_done(&s);
}

static int nwarnings;

static void take_line(void *ctx _unused_, const struct log_line *line)
{
	nwarnings += line->level == LOG_WARNING && strstr(line->text, "may send commands") != NULL;
}

/* Told at the start, and again when it becomes so, not with each reload. */
static void who_may_send_commands_is_told(void)
{
	static const char *const own[] = { "127.0.0.1", "127.1.2.3", "::1", "localhost" };
	static struct server s;
	struct config_restapi c = { .listen_port = 8008 };

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		str_clip(c.listen_host, sizeof(c.listen_host), own[i]);
		CHECK(!rest_is_open(&c), "%s", own[i]);
	}
	str_clip(c.listen_host, sizeof(c.listen_host), "0.0.0.0");
	CHECK(rest_is_open(&c));
	c.username = (char *)"u";
	CHECK(!rest_is_open(&c));
	c.username = NULL;
	c.verify_client = VERIFY_OPTIONAL;
	CHECK(!rest_is_open(&c));
	c.verify_client = VERIFY_NONE;
	c.allowlist_include_members = true;
	CHECK(!rest_is_open(&c));

	log_level_set(LOG_WARNING);
	log_sink_set(take_line, NULL);
	server_init(&s, PORT + 2);
	CHECK(nwarnings == 0);
	str_clip(s.config.listen_host, sizeof(s.config.listen_host), "0.0.0.0");
	rest_configure(s.rest, &s.config);
	CHECK(nwarnings == 1);
	rest_configure(s.rest, &s.config);
	CHECK(nwarnings == 1);
	s.config.username = (char *)"u";
	s.config.password = (char *)"p";
	rest_configure(s.rest, &s.config);
	s.config.username = s.config.password = NULL;
	rest_configure(s.rest, &s.config);
	CHECK(nwarnings == 2);
	server_done(&s);
}

int main(void)
{
	struct rlimit files = { .rlim_cur = 8192, .rlim_max = 8192 };

	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	log_level_set(LOG_ERROR);
	RUN(thousands_of_silent_clients_keep_nobody_out);
	RUN(configured_headers_go_with_every_answer);
	RUN(who_may_send_commands_is_told);
	return 0;
}
