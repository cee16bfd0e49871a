/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restmany - more clients than there is room for, and what every answer carries
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "restrig.h"

#define PORT    21300
#define CLIENTS 3000
#define HOSTS   20 /* addresses that they come from */

static void server_init(struct restrig *s, int port)
{
	restrig_init(s, port);
	restrig_start(s);
	restrig_publish(s, loop_now_ms() + 60000);
}

/* From 127.0.1.`host`; -1 when there is no room in the queue of the listener. */
static int dial(const struct restrig *s, int host)
{
	return restrig_dial(s->config.listen_port, host);
}

/* The answer to one request, or what came until the server went quiet. */
static char *ask(struct restrig *s, int fd, const char *request)
{
	int64_t until_ms = loop_now_ms() + RESTRIG_WAIT_MS;
	struct buf got = { 0 };
	char chunk[4096];
	ssize_t n = 1;

	restrig_send(fd, request);
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
	static struct restrig s;
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
	restrig_done(&s);
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
	static const char *const named[] = { "Server: Patroni/4.1.4\r\n", "Server: Patroni\r\n" };
	static struct restrig s;

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
		CHECK(!strstr(answer, "Server:"), "%s", answer);
		close(fd);
	}
	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		int64_t until_ms = loop_now_ms() + RESTRIG_WAIT_MS;
		bool found = false;

		s.config.server_tokens = i == 0 ? SERVER_MINIMAL : SERVER_PRODUCT;
		rest_configure(s.rest, &s.config);
		while (!found) {
			int fd = dial(&s, 0);
			_cleanup_(freep) char *answer = ask(&s, fd, ASK_PRIMARY);

			found = strstr(answer ?: "", named[i]) != NULL;
			CHECK(loop_now_ms() < until_ms, "%s", answer ?: "nothing");
			close(fd);
		}
	}
	restrig_done(&s);
}

static int nwarnings;
static uint32_t noverheard;

static void take_line(void *ctx _unused_, const struct log_line *line)
{
	nwarnings += line->level == LOG_WARNING && strstr(line->text, "may send commands") != NULL;
	noverheard += line->level == LOG_WARNING && strstr(line->text, "in clear") != NULL;
}

/* Told at the start, and again when it becomes so, not with each reload. */
static void who_may_send_commands_is_told(void)
{
	static const char *const own[] = { "127.0.0.1", "127.1.2.3", "::1", "localhost" };
	static struct restrig s;
	struct config_restapi c = { .listen_port = 8008 };

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		str_clip(c.listen_host, sizeof(c.listen_host), own[i]);
		CHECK(!rest_is_open(&c), "%s", own[i]);
	}
	str_clip(c.listen_host, sizeof(c.listen_host), "0.0.0.0");
	CHECK(rest_is_open(&c));
	CHECK(!rest_is_overheard(&c), "there is no password");
	c.username = (char *)"u";
	CHECK(!rest_is_open(&c));
	CHECK(rest_is_overheard(&c));
	c.certfile = (char *)"f";
	CHECK(!rest_is_overheard(&c));
	c.certfile = NULL;
	str_clip(c.listen_host, sizeof(c.listen_host), "127.0.0.1");
	CHECK(!rest_is_overheard(&c));
	str_clip(c.listen_host, sizeof(c.listen_host), "0.0.0.0");
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
	rest_configure(s.rest, &s.config);
	CHECK(noverheard == 1);
	s.config.username = s.config.password = NULL;
	rest_configure(s.rest, &s.config);
	CHECK(nwarnings == 2);
	restrig_done(&s);
}

int main(void)
{
	restrig_files(8192);
	log_level_set(LOG_ERROR);
	RUN(thousands_of_silent_clients_keep_nobody_out);
	RUN(configured_headers_go_with_every_answer);
	RUN(who_may_send_commands_is_told);
	return 0;
}
