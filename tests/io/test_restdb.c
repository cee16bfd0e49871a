/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restdb - GET /ready/db: many askers, one question, and a bound for each
 */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "restrig.h"

#define PORT   21280
#define ASKERS 50

static const struct rest_db yes = { .answered = true, .took_ms = 3 };

struct server {
	struct restrig rig;
	bool silent; /* nobody answers */
	uint32_t questions;
	int64_t asked_at_ms;
};

static void on_ask(void *ctx, int64_t deadline_ms)
{
	struct server *s = ctx;

	s->questions++;
	s->asked_at_ms = loop_now_ms();
	CHECK(deadline_ms - s->asked_at_ms > REST_DB_MS / 2 &&
	      deadline_ms - s->asked_at_ms <= REST_DB_MS);
	if (!s->silent)
		rest_db(s->rig.rest, &yes);
}

static void publish(struct server *s, bool writable)
{
	struct status *status = restrig_primary(loop_now_ms() + 60000);

	status->writable = writable;
	board_publish(s->rig.board, status);
	status_free(status);
}

static struct server *server_new(int port)
{
	struct server *s = mem_new(1, sizeof(*s));

	restrig_init(&s->rig, port);
	rest_ask(s->rig.rest, on_ask, s);
	restrig_start(&s->rig);
	publish(s, true);
	return s;
}

static void server_free(struct server *s)
{
	restrig_done(&s->rig);
	free(s);
}

static int ask(const struct server *s, const char *method, const char *path)
{
	_cleanup_(freep) char *text =
		str_dupf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
	int fd = restrig_dial(s->rig.config.listen_port, -1);

	restrig_send(fd, text);
	return fd;
}

static bool is_answered(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* The whole answer, without the loop. */
static char *take(int fd)
{
	struct timeval limit = { .tv_sec = RESTRIG_WAIT_MS / 1000 };
	struct buf got = { 0 };
	char chunk[4096];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		buf_add(&got, chunk, (size_t)n);
	close(fd);
	return buf_take(&got);
}

static void expect(int fd, int code, const char *part)
{
	_cleanup_(freep) char *text = take(fd);
	char line[32];

	str_printf(line, sizeof(line), "HTTP/1.1 %d ", code);
	CHECK(str_starts(text, line) && strstr(text, part), "%s", text);
}

static void step_until(struct server *s, uint32_t questions)
{
	int64_t until_ms = loop_now_ms() + RESTRIG_WAIT_MS;

	while (s->questions < questions) {
		CHECK(loop_now_ms() < until_ms);
		loop_step(s->rig.loop, 100);
	}
}

static void many_askers_share_one_question(void)
{
	struct server *s = server_new(PORT);
	int64_t first_ms;
	int fds[ASKERS];

	s->silent = true;
	fds[0] = ask(s, "GET", "/ready/db");
	step_until(s, 1);
	first_ms = s->asked_at_ms;
	for (size_t i = 1; i < ASKERS; i++)
		fds[i] = ask(s, i % 2 ? "GET" : "OPTIONS", "/ready/db");
	/* All of them were read when two others were answered, one after the other: each is a
	 * round of the thread. */
	for (int i = 0; i < 2; i++)
		expect(ask(s, "GET", "/ready"), 200, "\"ready\": true");
	CHECK(!is_answered(fds[0]) && s->questions == 1);
	rest_db(s->rig.rest, &yes);
	for (size_t i = 0; i < ASKERS; i++)
		expect(fds[i], 200, i == 0 || i % 2 ? "\"took_ms\": 3" : "\r\n\r\n");
	loop_step(s->rig.loop, 0);
	CHECK(s->questions == 1, "%u", s->questions);
	/* Who comes then gets a fresh answer, but Postgres is not asked all the time. */
	s->silent = false;
	fds[0] = ask(s, "GET", "/ready/db");
	step_until(s, 2);
	CHECK(s->asked_at_ms >= first_ms + REST_DB_EVERY_MS);
	expect(fds[0], 200, "\"answered\": true");
	server_free(s);
}

/* The loop stands still all the time. */
static void silence_is_an_answer_in_time(void)
{
	struct server *s = server_new(PORT + 1);
	int64_t began_ms = loop_now_ms();
	int fd = ask(s, "GET", "/ready/db");
	int64_t took_ms;

	expect(ask(s, "GET", "/primary"), 200, "primary");
	CHECK(!is_answered(fd));
	expect(fd, 503, "no answer in time");
	took_ms = loop_now_ms() - began_ms;
	CHECK(took_ms >= REST_DB_MS && took_ms < REST_DB_MS + 600, "%lld ms", (long long)took_ms);
	CHECK(s->questions == 0);
	server_free(s);
}

static void who_is_not_ready_asks_nobody(void)
{
	struct server *s = server_new(PORT + 2);

	publish(s, false);
	expect(ask(s, "GET", "/ready/db"), 503, "does not take writes yet");
	for (int i = 0; i < 5; i++)
		loop_step(s->rig.loop, 20);
	CHECK(s->questions == 0);
	server_free(s);
}

static void a_role_that_changed_is_not_ready(void)
{
	const struct rest_db recovering = { .answered = true, .in_recovery = true };
	const struct rest_db gone = { .why = "connection refused" };
	struct server *s = server_new(PORT + 3);
	int fd;

	s->silent = true;
	fd = ask(s, "GET", "/ready/db");
	step_until(s, 1);
	rest_db(s->rig.rest, &recovering);
	expect(fd, 503, "changed its role");
	fd = ask(s, "GET", "/ready/db");
	step_until(s, 2);
	rest_db(s->rig.rest, &gone);
	expect(fd, 503, "connection refused");
	server_free(s);
}

static bool any_answered(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_answered(fds[i]))
			return true;
	return false;
}

static void waiting_askers_take_no_place_from_others(void)
{
	struct server *s = server_new(PORT + 4);
	int64_t until_ms = loop_now_ms() + RESTRIG_WAIT_MS;
	int fds[REST_ASKERS_MAX + 1];
	size_t refused = 0;

	s->silent = true;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask(s, "GET", "/ready/db");
	/* Whichever it is that is refused, by then all others wait. */
	while (!any_answered(fds, ARRAY_LEN(fds)))
		CHECK(loop_now_ms() < until_ms);
	step_until(s, 1);
	expect(ask(s, "GET", "/primary"), 200, "primary");
	rest_db(s->rig.rest, &yes);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		_cleanup_(freep) char *text = take(fds[i]);

		if (strstr(text, "too many requests at once"))
			refused++;
		else
			CHECK(str_starts(text, "HTTP/1.1 200 "), "%s", text);
	}
	CHECK(refused == 1, "%zu", refused);
	server_free(s);
}

static void who_waits_at_the_end_is_told(void)
{
	struct server *s = server_new(PORT + 5);
	int fd = ask(s, "GET", "/ready/db");

	s->silent = true;
	step_until(s, 1);
	rest_free(s->rig.rest);
	s->rig.rest = NULL;
	expect(fd, 503, "the server ends");
	server_free(s);
}

int main(void)
{
	restrig_files(4096);
	log_level_set(LOG_ERROR);
	RUN(many_askers_share_one_question);
	RUN(silence_is_an_answer_in_time);
	RUN(who_is_not_ready_asks_nobody);
	RUN(a_role_that_changed_is_not_ready);
	RUN(waiting_askers_take_no_place_from_others);
	RUN(who_waits_at_the_end_is_told);
	return 0;
}
