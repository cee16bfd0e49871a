/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restfeed - listeners of GET /events, eager, slow and dead ones
 */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "restrig.h"

#define PORT 21260

struct server {
	struct restrig rig;
	int64_t epoch;
};

struct client {
	int fd;
	struct buf got;
	size_t seen; /* of it */
};

static void publish(struct server *s, int64_t leader_until_ms)
{
	struct status *status = restrig_primary(leader_until_ms);

	status->leader_known = true;
	str_copy(status->leader, sizeof(status->leader), "one");
	status->leader_epoch = s->epoch;
	board_publish(s->rig.board, status);
	status_free(status);
}

static struct server *server_new(int port)
{
	struct server *s = mem_new(1, sizeof(*s));

	restrig_init(&s->rig, port);
	restrig_start(&s->rig);
	return s;
}

static void server_free(struct server *s)
{
	restrig_done(&s->rig);
	free(s);
}

static struct client ask(const struct server *s, const char *path, const char *headers)
{
	struct client c = { .fd = restrig_dial(s->rig.config.listen_port, -1) };
	_cleanup_(freep) char *text =
		str_dupf("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers);

	restrig_send(c.fd, text);
	return c;
}

static void hang_up(struct client *c)
{
	closep(&c->fd);
	buf_done(&c->got);
}

/* False: nothing came in time; *ret_ended: the server closed. */
static bool more(struct client *c, int wait_ms, bool *ret_ended)
{
	struct pollfd fd = { .fd = c->fd, .events = POLLIN };
	char chunk[4096];
	ssize_t n;

	*ret_ended = false;
	if (poll(&fd, 1, wait_ms) <= 0)
		return false;
	n = recv(c->fd, chunk, sizeof(chunk), 0);
	*ret_ended = n <= 0;
	if (n > 0)
		buf_add(&c->got, chunk, (size_t)n);
	return n > 0;
}

/* Waits for a text behind what was waited for before. */
static void expect(struct client *c, const char *what, int wait_ms)
{
	int64_t until_ms = loop_now_ms() + wait_ms;
	const char *at = NULL;
	bool ended;

	while (!(at = c->got.data ? strstr(c->got.data + c->seen, what) : NULL)) {
		int64_t left_ms = until_ms - loop_now_ms();

		CHECK(left_ms > 0 && (more(c, (int)left_ms, &ended) || !ended), "no '%s' in: %s",
		      what, c->got.data ?: "");
	}
	c->seen = (size_t)(at - c->got.data) + strlen(what);
}

static struct client listen_to(const struct server *s, const char *headers)
{
	struct client c = ask(s, "/events", headers);

	expect(&c, "HTTP/1.1 200 OK\r\n", RESTRIG_WAIT_MS);
	expect(&c, "text/event-stream", RESTRIG_WAIT_MS);
	return c;
}

static bool is_primary(const struct server *s)
{
	struct client c = ask(s, "/primary", "");
	bool yes;

	expect(&c, "HTTP/1.1 ", RESTRIG_WAIT_MS);
	expect(&c, "\r\n", RESTRIG_WAIT_MS);
	yes = strstr(c.got.data, " 200 ") != NULL;
	hang_up(&c);
	return yes;
}

static void a_listener_hears_of_changes_at_once(void)
{
	struct server *s = server_new(PORT);
	struct client early = ask(s, "/events", "");
	struct client c;

	expect(&early, " 503 ", RESTRIG_WAIT_MS);
	hang_up(&early);
	publish(s, 0);
	c = listen_to(s, "");
	expect(&c, "event: state\n", RESTRIG_WAIT_MS);
	expect(&c, "\"lease\": false", RESTRIG_WAIT_MS);
	publish(s, loop_now_ms() + 60000);
	/* Well before anything that looks once a second. */
	expect(&c, "event: lease\n", 700);
	expect(&c, "\"held\": true", 700);
	expect(&c, "event: role\n", 700);
	expect(&c, "\"primary\": true", 700);
	s->epoch = 9;
	publish(s, loop_now_ms() + 60000);
	expect(&c, "event: leader\n", 700);
	expect(&c, "\"epoch\": 9", 700);
	CHECK(is_primary(s));
	hang_up(&c);
	server_free(s);
}

/* Nothing is published meanwhile. */
static void a_lease_ends_by_the_clock(void)
{
	struct server *s = server_new(PORT + 1);
	int64_t until_ms;
	struct client c;

	publish(s, 0);
	c = listen_to(s, "");
	expect(&c, "event: state\n", RESTRIG_WAIT_MS);
	until_ms = loop_now_ms() + 1000;
	publish(s, until_ms);
	expect(&c, "\"held\": true", 900);
	expect(&c, "\"held\": false", RESTRIG_WAIT_MS);
	CHECK(loop_now_ms() >= until_ms && loop_now_ms() < until_ms + 700, "%lld ms late",
	      (long long)(loop_now_ms() - until_ms));
	expect(&c, "\"primary\": false", RESTRIG_WAIT_MS);
	hang_up(&c);
	server_free(s);
}

static void a_client_that_comes_back_misses_nothing(void)
{
	struct server *s = server_new(PORT + 2);
	_cleanup_(freep) char *header = NULL;
	const char *id;
	struct client c;

	publish(s, 0);
	c = listen_to(s, "");
	expect(&c, "id: ", RESTRIG_WAIT_MS);
	expect(&c, "\n", RESTRIG_WAIT_MS);
	id = strstr(c.got.data, "id: ") + 4;
	header = str_dupf("Last-Event-ID: %.*s\r\n", (int)strcspn(id, "\n"), id);
	hang_up(&c);
	for (s->epoch = 1; s->epoch <= 3; s->epoch++)
		publish(s, 0);
	c = listen_to(s, header);
	expect(&c, "event: leader\n", RESTRIG_WAIT_MS);
	expect(&c, "\"epoch\": 1", RESTRIG_WAIT_MS);
	expect(&c, "\"epoch\": 2", RESTRIG_WAIT_MS);
	expect(&c, "\"epoch\": 3", RESTRIG_WAIT_MS);
	CHECK(!strstr(c.got.data, "event: state"), "%s", c.got.data);
	hang_up(&c);
	c = listen_to(s, "Last-Event-ID: 1-1\r\n");
	expect(&c, "event: state\n", RESTRIG_WAIT_MS);
	expect(&c, "\"missed\": true", RESTRIG_WAIT_MS);
	hang_up(&c);
	server_free(s);
}

static void a_listener_that_does_not_read_holds_nobody_back(void)
{
	struct server *s = server_new(PORT + 3);
	int small = 2048;
	struct client slow, c;
	int64_t began_ms;

	publish(s, 0);
	slow = ask(s, "/events", "");
	setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	c = listen_to(s, "");
	expect(&c, "event: state\n", RESTRIG_WAIT_MS);
	began_ms = loop_now_ms();
	for (s->epoch = 1; s->epoch <= 3000; s->epoch++)
		publish(s, 0);
	/* Publishing never waits for a reader. */
	CHECK(loop_now_ms() - began_ms < 10000, "%lld ms", (long long)(loop_now_ms() - began_ms));
	CHECK(!is_primary(s));
	/* It is also too much for the other one, who hears so and goes on from there. */
	s->epoch = 77777;
	publish(s, 0);
	expect(&c, "77777", RESTRIG_WAIT_MS);
	hang_up(&slow);
	hang_up(&c);
	server_free(s);
}

static void places_are_few_and_come_back(void)
{
	struct server *s = server_new(PORT + 4);
	struct client c[REST_LISTENERS_MAX], late;
	int64_t until_ms;
	bool in = false;

	publish(s, loop_now_ms() + 600000);
	for (size_t i = 0; i < REST_LISTENERS_MAX; i++)
		c[i] = listen_to(s, "");
	late = ask(s, "/events", "");
	expect(&late, " 503 ", RESTRIG_WAIT_MS);
	expect(&late, "too many listeners", RESTRIG_WAIT_MS);
	hang_up(&late);
	CHECK(is_primary(s), "others are served");
	/* Heartbeats come, and find out who is gone. */
	hang_up(&c[0]);
	expect(&c[1], ":\n\n", REST_BEAT_MS + RESTRIG_WAIT_MS);
	until_ms = loop_now_ms() + 3 * REST_BEAT_MS;
	while (!in && loop_now_ms() < until_ms) {
		late = ask(s, "/events", "");
		expect(&late, "HTTP/1.1 ", RESTRIG_WAIT_MS);
		expect(&late, "\r\n", RESTRIG_WAIT_MS);
		in = strstr(late.got.data, " 200 ") != NULL;
		hang_up(&late);
		(void)poll(NULL, 0, 200);
	}
	CHECK(in, "the place of a client that is gone");
	for (size_t i = 1; i < REST_LISTENERS_MAX; i++)
		hang_up(&c[i]);
	server_free(s);
}

static void streams_end_with_the_server(void)
{
	struct server *s = server_new(PORT + 5);
	struct client c;
	bool ended = false;

	publish(s, 0);
	c = listen_to(s, "");
	expect(&c, "event: state\n", RESTRIG_WAIT_MS);
	rest_free(s->rig.rest);
	s->rig.rest = NULL;
	for (int i = 0; i < 10 && !ended; i++)
		(void)more(&c, RESTRIG_WAIT_MS, &ended);
	CHECK(ended);
	CHECK(str_ends(c.got.data, "\r\n0\r\n\r\n"), "in order: %s", c.got.data);
	hang_up(&c);
	server_free(s);
}

int main(void)
{
	restrig_files(4096);
	log_level_set(LOG_ERROR);
	RUN(a_listener_hears_of_changes_at_once);
	RUN(a_lease_ends_by_the_clock);
	RUN(a_client_that_comes_back_misses_nothing);
	RUN(a_listener_that_does_not_read_holds_nobody_back);
	RUN(places_are_few_and_come_back);
	RUN(streams_end_with_the_server);
	return 0;
}
