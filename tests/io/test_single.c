/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_single - no second agent under a member's name
 */
#include "io/single.h"

#include <signal.h>

#include "base/log.h"
#include "rig.h"

#define PORT      21400
#define FAKE_PORT 21450
#define INSTANCE  "0123456789abcdef0123456789abcdef"

struct start {
	struct loop *loop;
	struct http *http;
	struct etcd *etcd;
	struct single *single;
	int64_t made_at_ms;
	int64_t begun_at_ms; /* 0: not yet */
	bool quit;
	int64_t heard_at_ms; /* of etcd, by the agent's own request */
};

static struct rig_etcd rig;

static void on_answer(void *ctx, const struct etcd_answer *answer)
{
	struct start *s = ctx;

	if (!single_answered(s->single, answer))
		s->heard_at_ms = loop_now_ms();
}

static void on_begin(void *ctx)
{
	struct start *s = ctx;

	CHECK(s->begun_at_ms == 0);
	s->begun_at_ms = loop_now_ms();
}

static struct start *start_new(int port, bool known)
{
	struct start *s = mem_new(1, sizeof(*s));
	struct etcd_handler handler = { .ctx = s, .answer = on_answer };
	struct single_next next = { s, on_begin };
	struct config config = { .name = "one", .prefix = "/service/demo/" };
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = 15000, .key = "/service/demo/" };
	struct err err = { 0 };

	config.etcd.nendpoints = 1;
	str_copy(config.etcd.endpoints[0].host, HOST_SIZE, "127.0.0.1");
	config.etcd.endpoints[0].port = (uint16_t)port;
	CHECK(loop_new(&s->loop, &err) == 0, "%s", err.msg);
	CHECK(http_new(s->loop, &s->http, &err) == 0, "%s", err.msg);
	CHECK(etcd_new(s->loop, s->http, &handler, &s->etcd, &err) == 0, "%s", err.msg);
	etcd_configure(s->etcd, &config.etcd, 5000);
	s->made_at_ms = loop_now_ms();
	CHECK(single_new(s->loop, s->http, s->etcd, &config, INSTANCE, known, &next, &s->single,
			 &err) == 0,
	      "%s", err.msg);
	/* What an agent that begins early would ask. */
	etcd_request(s->etcd, 1, &req);
	return s;
}

static void start_free(struct start *s)
{
	single_free(s->single);
	etcd_free(s->etcd);
	http_free(s->http);
	loop_free(s->loop);
	free(s);
}

static void run_until(struct start *s, const int64_t *what, int64_t ms)
{
	int64_t until_ms = s->made_at_ms + ms;

	while (!s->quit && !(what && *what) && loop_now_ms() < until_ms)
		s->quit = !loop_step(s->loop, 20);
}

static void put_member(const char *name, const char *value)
{
	struct buf out = { 0 };
	char args[400];

	str_printf(args, sizeof(args), "put /service/demo/members/%s '%s'", name, value);
	rig_etcdctl(&rig, 0, args, &out);
	CHECK(out.data && str_starts(out.data, "OK"), "%s", out.data ? out.data : "");
	buf_done(&out);
}

static void put_url(const char *name, int port)
{
	char value[300];

	str_printf(value, sizeof(value),
		   "{\"conn_url\":\"postgres://127.0.0.1:5432/postgres\",\"api_url\":"
		   "\"http://127.0.0.1:%d/patroni\",\"state\":\"running\",\"role\":\"replica\","
		   "\"version\":\"4.1.4\"}",
		   port);
	put_member(name, value);
}

static void a_free_name_starts_at_once(void)
{
	struct start *s;

	/* A member whose name only begins like ours is somebody else. */
	put_url("one2", PORT);
	s = start_new(PORT, false);
	run_until(s, &s->heard_at_ms, 5000);
	CHECK(s->heard_at_ms && s->begun_at_ms && s->begun_at_ms - s->made_at_ms < 1000);
	run_until(s, NULL, 1500);
	CHECK(!s->quit);
	start_free(s);
}

static void a_name_left_behind_starts_at_once(void)
{
	struct start *s;

	put_url("one", FAKE_PORT);
	s = start_new(PORT, false);
	run_until(s, &s->heard_at_ms, 5000);
	CHECK(s->heard_at_ms && s->begun_at_ms && s->begun_at_ms - s->made_at_ms < 1000);
	start_free(s);
}

static void a_name_in_use_ends_the_start(void)
{
	static const char refusal[] = "HTTP/1.1 503 Service Unavailable\r\n"
				      "Content-Length: 0\r\n\r\n";
	struct rig_fake *fake = rig_fake_start(FAKE_PORT + 1, RIG_ANSWER, refusal);
	struct start *s;

	put_url("one", FAKE_PORT + 1);
	s = start_new(PORT, false);
	run_until(s, &s->heard_at_ms, 5000);
	CHECK(s->quit && !s->begun_at_ms && !s->heard_at_ms);
	CHECK(loop_run(s->loop) == 1);
	start_free(s);
	/* An earlier life of this boot is its own proof. */
	s = start_new(PORT, true);
	run_until(s, &s->heard_at_ms, 5000);
	CHECK(s->heard_at_ms && !s->quit);
	start_free(s);
	rig_fake_stop(fake);
}

static void a_silent_one_does_not_hold_up_the_agent(void)
{
	struct rig_fake *fake = rig_fake_start(FAKE_PORT + 2, RIG_SILENT, NULL);
	struct start *s;

	put_url("one", FAKE_PORT + 2);
	s = start_new(PORT, false);
	run_until(s, &s->begun_at_ms, 5000);
	CHECK(s->begun_at_ms - s->made_at_ms < SINGLE_WAIT_MS + 300, "%lld",
	      (long long)(s->begun_at_ms - s->made_at_ms));
	CHECK(!s->heard_at_ms, "etcd is held");
	run_until(s, &s->heard_at_ms, 6000);
	CHECK(s->heard_at_ms && !s->quit);
	start_free(s);
	rig_fake_stop(fake);
}

static void garbage_in_the_key_is_nobody(void)
{
	static const char *const values[] = {
		"garbage", "{}", "{\"api_url\":\"ftp://x\"}", "{\"api_url\":7}",
		"{\"conn_url\":\"postgres://h:1/p\",\"api_url\":\"http://\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct start *s;

		put_member("one", values[i]);
		s = start_new(PORT, false);
		run_until(s, &s->heard_at_ms, 5000);
		CHECK(s->heard_at_ms && !s->quit, "%s", values[i]);
		start_free(s);
	}
}

static void an_etcd_that_is_away_is_asked_when_it_comes_back(void)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct rig_fake *fake = rig_fake_start(FAKE_PORT + 3, RIG_ANSWER, answer);
	struct start *s;

	put_url("one", FAKE_PORT + 3);
	rig_kill(rig.pid[0], SIGKILL);
	s = start_new(PORT, false);
	run_until(s, &s->begun_at_ms, 5000);
	CHECK(s->begun_at_ms - s->made_at_ms >= SINGLE_WAIT_MS - 50);
	CHECK(!s->heard_at_ms);
	rig_etcd_start_one(&rig, 0, PORT);
	run_until(s, &s->heard_at_ms, 20000);
	CHECK(s->quit && !s->heard_at_ms, "the other one is found all the same");
	start_free(s);
	rig_fake_stop(fake);
}

/* It began without etcd and listens by now, at the address in its own key. */
static void its_own_answer_is_no_other_agent(void)
{
	static const char *const instances[] = { INSTANCE, "0123456789abcdef0123456789abcdee" };

	for (size_t i = 0; i < ARRAY_LEN(instances); i++) {
		char answer[200];
		struct rig_fake *fake;
		struct start *s;

		str_printf(answer, sizeof(answer),
			   "HTTP/1.1 200 OK\r\nX-Pgha-Instance: %s\r\nContent-Length: 0\r\n\r\n",
			   instances[i]);
		fake = rig_fake_start(FAKE_PORT + 4, RIG_ANSWER, answer);
		put_url("one", FAKE_PORT + 4);
		rig_kill(rig.pid[0], SIGKILL);
		s = start_new(PORT, false);
		run_until(s, &s->begun_at_ms, 5000);
		rig_etcd_start_one(&rig, 0, PORT);
		run_until(s, &s->heard_at_ms, 20000);
		CHECK(s->quit == (i != 0) && !s->heard_at_ms == (i != 0), "%s", instances[i]);
		start_free(s);
		rig_fake_stop(fake);
	}
}

int main(void)
{
	log_level_set(LOG_CRITICAL);
	rig_begin("starting etcd");
	rig_etcd_start(&rig, 1, PORT);
	RUN(a_free_name_starts_at_once);
	RUN(a_name_left_behind_starts_at_once);
	RUN(a_name_in_use_ends_the_start);
	RUN(a_silent_one_does_not_hold_up_the_agent);
	RUN(garbage_in_the_key_is_nobody);
	RUN(an_etcd_that_is_away_is_asked_when_it_comes_back);
	RUN(its_own_answer_is_no_other_agent);
	return 0;
}
