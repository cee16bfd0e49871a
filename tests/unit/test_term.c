/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_term - how often the lease of etcd is kept alive
 */
#include "agent/state.h"
#include "core/lease.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define NOW_MS INT64_C(100000)
#define EPOCH  17

static struct agent *agent;
static struct config config;
static uint32_t nkept;
static uint64_t kept_ticket, proof_ticket;

static void on_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	(void)ctx;
	cr_assert(req->urgent);
	if (req->op == ETCD_TXN) {
		proof_ticket = ticket;
		return;
	}
	cr_assert_eq(req->op, ETCD_KEEPALIVE);
	kept_ticket = ticket;
	nkept++;
}

static void on_page(void *ctx, const struct page_update *page)
{
	(void)ctx;
	(void)page;
}

static void answer(void)
{
	struct etcd_rep rep = { .op = ETCD_KEEPALIVE, .ttl_s = 5 };
	struct event ev = { .type = EVENT_ETCD, .sent_at_ms = agent->view.now_ms, .rep = &rep };
	struct pending p;

	cr_assert(state_take(agent, kept_ticket, &p));
	term_kept(agent, &p, &ev);
}

/* A step that something else brought about; what it sends is answered at once. */
static uint32_t kept_after(int64_t ms)
{
	uint32_t before = nkept;

	agent->view.now_ms += ms;
	term_cycle(agent);
	if (nkept > before)
		answer();
	return nkept - before;
}

/* It follows, and has kept its lease alive just now. */
static void setup(void)
{
	agent = calloc(1, sizeof(*agent));
	agent->config = &config;
	agent->port.etcd = on_etcd;
	agent->port.page = on_page;
	agent->view.now_ms = NOW_MS;
	agent->view.cfg.ttl_ms = 5000;
	agent->session = (struct session){ .lease_id = 7, .ttl_ms = 5000 };
	nkept = 0;
	cr_assert_eq(kept_after(0), 1);
}

static void teardown(void)
{
	free(agent);
}

TestSuite(term, .init = setup, .fini = teardown);

Test(term, of_a_follower_is_kept_with_what_wakes_it_anyway)
{
	cr_assert_eq(kept_after(1249), 0);
	cr_assert_eq(kept_after(1), 1);
}

/* Whatever else there is: long before etcd would forget it. */
Test(term, of_a_follower_has_a_moment_of_its_own)
{
	cr_assert_eq(agent->session.next_keep_ms, NOW_MS + 1875);
}

Test(term, of_a_leader_is_kept_six_times)
{
	agent->view.lease.epoch = EPOCH;
	cr_assert_eq(kept_after(1250), 1);
	cr_assert_eq(agent->session.next_keep_ms, agent->view.now_ms + 833);
	cr_assert_eq(kept_after(832), 0);
	cr_assert_eq(kept_after(1), 1);
}

/* The term counts from the older of proof and keepalive. */
Test(term, is_kept_at_once_by_who_takes_the_key)
{
	agent->view.now_ms += 1200;
	term_keep_soon(agent);
	cr_assert_eq(kept_after(0), 1);
}

Test(term, is_not_kept_twice_by_who_takes_the_key)
{
	agent->view.now_ms += 100;
	term_keep_soon(agent);
	cr_assert_eq(kept_after(0), 0);
	cr_assert_eq(agent->session.next_keep_ms, NOW_MS + 833);
	cr_assert_eq(kept_after(733), 1);
}

Test(term, of_a_new_leader_is_kept_as_a_leaders)
{
	agent->view.now_ms += 1200;
	term_proven(agent, EPOCH, agent->view.now_ms);
	cr_assert_eq(lease_newest_ms(&agent->view.lease), NOW_MS);
	cr_assert_eq(kept_after(0), 1);
	cr_assert_eq(lease_newest_ms(&agent->view.lease), agent->view.now_ms);
}

Test(term, that_could_not_be_kept_is_tried_again_soon)
{
	struct etcd_rep rep = { .op = ETCD_KEEPALIVE };
	struct event ev = { .type = EVENT_ETCD, .result = -ERR_TIMEOUT, .rep = &rep };
	struct pending p;

	agent->view.now_ms += 1875;
	term_cycle(agent);
	cr_assert(state_take(agent, kept_ticket, &p));
	term_kept(agent, &p, &ev);
	cr_assert_eq(kept_after(99), 0);
	cr_assert_eq(kept_after(1), 1);
}

/* It leads, and a renewal is due. */
static void prove_after(int64_t ms)
{
	(void)str_copy(agent->view.name, sizeof(agent->view.name), "n1");
	term_proven(agent, EPOCH, agent->view.now_ms);
	agent->view.now_ms += ms;
	agent->session.next_keep_ms = agent->session.keep_from_ms = agent->view.now_ms;
	term_prove(agent);
}

Test(term, is_kept_when_the_proof_is_answered)
{
	struct pending p;

	prove_after(833);
	cr_assert_eq(kept_after(0), 0);
	cr_assert_eq(kept_after(1), 0);
	cr_assert(state_take(agent, proof_ticket, &p));
	cr_assert_eq(kept_after(0), 1);
}

Test(term, is_kept_beside_a_slow_proof)
{
	prove_after(833);
	cr_assert_eq(kept_after(0), 0);
	cr_assert_eq(term_wake_ms(agent), agent->view.now_ms + 50);
	cr_assert_eq(kept_after(49), 0);
	cr_assert_eq(kept_after(1), 1);
}

Test(term, that_fades_is_kept_at_once)
{
	prove_after(2500);
	cr_assert_eq(kept_after(0), 1);
}

Test(term, of_a_renewal_wakes_once_for_both)
{
	prove_after(0);
	agent->view.now_ms += 700;
	agent->next_proof_ms = agent->view.now_ms;
	agent->session.next_keep_ms = agent->session.keep_from_ms = agent->view.now_ms + 130;
	term_join(agent);
	cr_assert_leq(term_wake_ms(agent), agent->view.now_ms);
}
