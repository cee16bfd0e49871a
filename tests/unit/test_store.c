/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store - which answers of etcd's to a read are believed
 */
#include "agent/state.h"
#include "base/log.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define NOW_MS INT64_C(100000)

static struct agent *agent;
static struct config config = { .prefix = "/service/one/" };
static uint64_t read_ticket, write_ticket;
static uint32_t nreads, nwrites, nwarnings;

static void on_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	(void)ctx;
	if (req->op == ETCD_TXN) {
		write_ticket = ticket;
		nwrites++;
	}
	if (req->op != ETCD_RANGE)
		return;
	read_ticket = ticket;
	nreads++;
}

static void on_watch(void *ctx, const char *prefix, int64_t from_revision)
{
	(void)ctx;
	(void)prefix;
	(void)from_revision;
}

static void on_line(void *ctx, const struct log_line *line)
{
	(void)ctx;
	if (line->level == LOG_WARNING)
		nwarnings++;
}

/* A read is under way, sent when events up to 10 were known. */
static void setup(void)
{
	agent = calloc(1, sizeof(*agent));
	agent->config = &config;
	agent->port.etcd = on_etcd;
	agent->port.watch = on_watch;
	agent->view.now_ms = NOW_MS;
	agent->view.cfg.ttl_ms = 5000;
	agent->view.cfg.retry_timeout_ms = 2000;
	agent->stream_revision = 10;
	nreads = nwrites = nwarnings = 0;
	log_sink_set(on_line, NULL);
	store_start(agent);
	cr_assert_eq(nreads, 1);
}

static void teardown(void)
{
	log_sink_set(NULL, NULL);
	free(agent);
}

TestSuite(store, .init = setup, .fini = teardown);

static void answer(int64_t revision)
{
	struct etcd_rep rep = { .op = ETCD_RANGE, .revision = revision };
	struct event ev = { .type = EVENT_ETCD, .sent_at_ms = NOW_MS, .rep = &rep };
	struct pending p;

	cr_assert(state_take(agent, read_ticket, &p));
	store_answer(agent, &p, &ev);
}

Test(store, believes_a_read_as_new_as_the_events)
{
	answer(10);
	cr_assert_eq(agent->read_at_ms, NOW_MS);
	cr_assert_eq(nwarnings, 0);
}

Test(store, warns_of_a_read_older_than_what_was_known_when_it_was_sent)
{
	answer(9);
	cr_assert_eq(agent->read_at_ms, 0);
	cr_assert_eq(agent->stream_revision, 10);
	cr_assert_eq(nwarnings, 1);
}

/* That is how it comes on two connections, and no sign of a member that lags. */
Test(store, passes_over_a_read_that_events_have_overtaken)
{
	agent->stream_revision = 12;
	answer(11);
	cr_assert_eq(agent->read_at_ms, 0);
	cr_assert_eq(agent->stream_revision, 12);
	cr_assert_eq(nwarnings, 0);
	agent->view.now_ms = agent->read_retry_at_ms;
	store_cycle(agent);
	cr_assert_eq(nreads, 2);
	answer(12);
	cr_assert_eq(agent->read_at_ms, agent->view.now_ms);
}

static void answer_write(int code, bool succeeded, int64_t revision)
{
	struct etcd_rep rep = { .op = ETCD_TXN, .error_code = code, .succeeded = succeeded,
				.revision = revision };
	struct event ev = { .type = EVENT_ETCD, .sent_at_ms = NOW_MS, .rep = &rep };
	struct pending p;

	cr_assert(state_take(agent, write_ticket, &p));
	store_answer(agent, &p, &ev);
}

/* Each answer begins a step, and each step would ask again: a thousand times in a second. */
Test(store, does_not_repeat_at_once_what_etcd_refuses)
{
	agent->view.cluster.request = (struct request){ .present = true, .mod_revision = 9 };
	store_clear_request(agent, "");
	answer_write(8 /* no space */, false, 0);
	cr_assert_eq(nwarnings, 1);
	store_clear_request(agent, "");
	cr_assert_eq(nwrites, 1);
	cr_assert_eq(agent->refused_wake_ms, NOW_MS + 250);
	agent->view.now_ms += 250;
	store_clear_request(agent, "");
	cr_assert_eq(nwrites, 2);
	answer_write(8, false, 0);
	cr_assert_eq(nwarnings, 1, "it is told once");
	agent->view.now_ms += 250;
	store_clear_request(agent, "");
	answer_write(0, true, 11);
	cr_assert_eq(agent->refused_kinds, 0);
}

Test(store, knows_by_the_answer_that_a_request_is_cleared)
{
	agent->view.cluster.request = (struct request){ .present = true, .mod_revision = 9 };
	store_clear_request(agent, "");
	answer_write(0, true, 11);
	cr_assert_not(agent->view.cluster.request.present);
	agent->view.cluster.request = (struct request){ .present = true, .mod_revision = 12 };
	store_clear_request(agent, "");
	agent->view.cluster.request.mod_revision = 14; /* another one, before the answer */
	answer_write(0, true, 13);
	cr_assert(agent->view.cluster.request.present);
	store_clear_request(agent, "");
	answer_write(0, false, 15);
	cr_assert(agent->view.cluster.request.present);
	store_clear_request(agent, "");
	cr_assert_eq(nwrites, 3, "a read comes first");
}
