/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_successor - what a release leaves for Patroni members to read
 */
#include "agent/state.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define NOW_MS  INT64_C(100000)
#define DOWN_MS (NOW_MS - 50)
#define END_LSN UINT64_C(0x3000128)

/* A leader whose Postgres has just ended in good order, and what it sent. */
static struct agent *agent;
static struct config config;
static char failover[256]; /* as the release leaves it; "-" untouched */
static char marker[512];
static uint32_t releases;
static char asked[NAME_SIZE];

static int64_t fake_now(void *ctx)
{
	(void)ctx;
	return NOW_MS;
}

static void fake_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	(void)ctx;
	(void)ticket;
	releases++;
	for (uint32_t i = 0; i < req->nthen; i++) {
		const struct etcd_txn_op *op = &req->then_ops[i];

		if (op->value != NULL && str_eq(op->key, "/service/s/failover"))
			str_clip(failover, sizeof(failover), op->value);
		if (op->value != NULL && str_eq(op->key, "/service/s/pgha/release"))
			str_clip(marker, sizeof(marker), op->value);
	}
}

static void fake_peer(void *ctx, uint64_t ticket, const struct peer_req *req)
{
	(void)ctx;
	(void)ticket;
	str_clip(asked, sizeof(asked), req->name);
}

static void add_member(const char *name, bool is_pgha)
{
	struct member *m = &agent->view.cluster.members[agent->view.cluster.nmembers++];

	str_clip(m->name, sizeof(m->name), name);
	str_clip(m->api_url, sizeof(m->api_url), "http://10.0.0.9:8008/patroni");
	m->is_pgha = is_pgha;
	m->state = STATE_RUNNING;
}

static void setup(void)
{
	struct view *v;

	agent = calloc(1, sizeof(*agent));
	agent->config = &config;
	str_clip(config.prefix, sizeof(config.prefix), "/service/s/");
	agent->port.now_ms = fake_now;
	agent->port.etcd = fake_etcd;
	agent->port.peer = fake_peer;
	v = &agent->view;
	v->now_ms = NOW_MS;
	str_clip(v->name, sizeof(v->name), "n1");
	v->lease.epoch = 7;
	v->cfg.retry_timeout_ms = 3000;
	v->cluster.leader_epoch = 7;
	str_clip(v->cluster.leader, sizeof(v->cluster.leader), "n1");
	v->pg.run = PG_DOWN;
	v->pg.control = CONTROL_SHUT_DOWN;
	v->pg.control_end_lsn = END_LSN;
	v->pg.control_checkpoint_lsn = END_LSN - 0x78;
	v->pg.control_timeline = 1;
	v->pg_changed_at_ms = DOWN_MS;
	v->handover_begun = true;
	add_member("n1", true);
	str_clip(failover, sizeof(failover), "-");
	marker[0] = asked[0] = '\0';
	releases = 0;
}

static void teardown(void)
{
	free(agent);
}

static void told(const char *name, int64_t asked_at_ms, uint64_t lsn)
{
	struct vote *vote = &agent->view.votes[agent->view.nvotes++];

	str_clip(vote->name, sizeof(vote->name), name);
	vote->asked_at_ms = asked_at_ms;
	vote->heard = true;
	vote->in_recovery = true;
	vote->lsn = lsn;
}

TestSuite(successor, .init = setup, .fini = teardown);

Test(successor, among_our_own_the_request_is_done_with_the_release)
{
	add_member("n2", true);
	store_release(agent, "n2");
	cr_assert_eq(releases, 1);
	cr_assert_str_eq(failover, "{}");
	cr_assert(strstr(marker, "\"n2\"") != NULL, "%s", marker);
}

Test(successor, a_member_of_patroni_is_named_where_it_looks)
{
	add_member("n2", false);
	told("n2", DOWN_MS, END_LSN);
	store_release(agent, "n2");
	cr_assert_eq(releases, 1);
	cr_assert_str_eq(failover, "{\"leader\":\"n1\",\"member\":\"n2\"}");
	cr_assert(agent->release_names);
}

Test(successor, members_of_patroni_let_one_of_ours_go_first)
{
	add_member("n2", true);
	add_member("n3", false);
	store_release(agent, "n2");
	cr_assert_eq(releases, 1);
	cr_assert_str_eq(failover, "{\"leader\":\"n1\",\"member\":\"n2\"}");
}

Test(successor, what_was_told_before_the_end_does_not_count)
{
	add_member("n2", false);
	told("n2", DOWN_MS - 1, END_LSN);
	store_release(agent, "n2");
	cr_assert_eq(releases, 0, "released before it told that it has everything");
	cr_assert_str_eq(asked, "n2");
	asked[0] = '\0';
	store_release(agent, "n2");
	cr_assert_str_eq(asked, "", "asked twice");
	cr_assert_eq(releases, 0);
}

Test(successor, who_lacks_a_byte_is_not_named)
{
	add_member("n2", false);
	told("n2", DOWN_MS, END_LSN - 1);
	store_release(agent, "n2");
	cr_assert_eq(releases, 1);
	cr_assert_str_eq(failover, "{}");
	cr_assert(strstr(marker, "\"n2\"") == NULL, "%s", marker);
}

Test(successor, who_does_not_answer_is_not_waited_for_for_ever)
{
	add_member("n2", false);
	agent->view.pg_changed_at_ms = NOW_MS - 2000;
	store_release(agent, "n2");
	cr_assert_eq(releases, 1);
	cr_assert_str_eq(failover, "{}");
	cr_assert_not(agent->release_names);
}

Test(successor, the_end_of_an_agent_names_it_too)
{
	add_member("n2", false);
	told("n2", DOWN_MS, END_LSN);
	agent->view.handover_begun = false;
	agent->view.mode = MODE_SHUTDOWN;
	store_release(agent, "n2");
	cr_assert_str_eq(failover, "{\"leader\":\"n1\",\"member\":\"n2\"}");
}

Test(successor, nobody_named_leaves_the_request_alone_without_a_hand_over)
{
	add_member("n2", false);
	agent->view.handover_begun = false;
	store_release(agent, "");
	cr_assert_eq(releases, 1);
	cr_assert_str_eq(failover, "-");
}
