/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_model - what a leader knows of its standbys better than they tell
 */
#include "agent/state.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#include "core/rank.h"

#define NOW_MS INT64_C(100000)
#define FORK   UINT64_C(0x4000000)

static struct agent *agent;

/* A leader that began timeline 2 a moment ago; n2 streams from it, and its agent has not looked
 * since. */
static void setup(void)
{
	struct view *v;

	agent = calloc(1, sizeof(*agent));
	v = &agent->view;
	v->now_ms = NOW_MS;
	v->cfg.maximum_lag_bytes = 1 << 20;
	str_clip(v->name, sizeof(v->name), "n1");
	v->lease.epoch = 7;
	v->pg.run = PG_UP;
	v->pg.role = ROLE_PRIMARY;
	v->pg.timeline = 2;
	v->pg.flush_lsn = FORK + 0x200;
	agent->own_history = (struct history){ .timeline = 2, .n = 1, .entries = { { 1, FORK } } };
	agent->nwalsenders = 1;
	agent->walsenders_at_ms = NOW_MS;
	str_clip(agent->walsenders[0].application_name, NAME_SIZE, "n2");
	str_clip(agent->walsenders[0].state, sizeof(agent->walsenders[0].state), "streaming");
	agent->walsenders[0].sent_lsn = FORK + 0x200;
	agent->walsenders[0].flush_lsn = FORK + 0x200;
}

static void teardown(void)
{
	free(agent);
}

/* NULL: fit to take over. */
static const char *unfit_when_it_tells(uint32_t timeline)
{
	struct vote told = { .answered = true, .in_recovery = true, .streaming = true,
			     .failover_priority = 1, .timeline = timeline, .lsn = FORK };
	struct event ev = { .type = EVENT_PEER, .vote = &told };
	struct pending p = { .since_ms = NOW_MS };
	struct vote *vote = &agent->view.votes[0];

	agent->view.nvotes = 1;
	*vote = (struct vote){ .asked_at_ms = NOW_MS };
	str_clip(vote->name, sizeof(vote->name), "n2");
	str_clip(p.name, sizeof(p.name), "n2");
	model_fold_vote(agent, &p, &ev);
	return rank_unfit(&agent->view, vote);
}

TestSuite(model, .init = setup, .fini = teardown);

Test(model, who_was_sent_what_lies_beyond_the_fork_is_on_our_timeline)
{
	cr_assert_null(unfit_when_it_tells(2));
	cr_assert_null(unfit_when_it_tells(1), "its agent looked before it came to timeline 2");
}

Test(model, what_lies_before_the_fork_is_of_both_timelines)
{
	agent->walsenders[0].sent_lsn = FORK;
	cr_assert_str_eq(unfit_when_it_tells(1), "is on another timeline");
	agent->walsenders[0].sent_lsn = FORK + 1;
	cr_assert_null(unfit_when_it_tells(1));
}

Test(model, without_the_fork_of_the_present_timeline_only_the_standby_can_tell)
{
	agent->own_history.timeline = 1;
	cr_assert_str_eq(unfit_when_it_tells(1), "is on another timeline");
	agent->own_history = (struct history){ .timeline = 2 };
	cr_assert_str_eq(unfit_when_it_tells(1), "is on another timeline");
}

/* The first moments of a timeline: what the peer told is of before, and what our walsenders tell
 * says nothing yet. */
Test(model, who_streams_is_judged_when_the_fork_is_known)
{
	struct history own = agent->own_history;
	struct vote *vote = &agent->view.votes[0];

	agent->own_history = (struct history){ .timeline = 1 };
	(void)unfit_when_it_tells(1);
	cr_assert_not(vote->answered);
	model_fold_own_history(agent, &own);
	cr_assert(vote->answered);
	cr_assert_null(rank_unfit(&agent->view, vote));
}

Test(model, who_tells_our_timeline_or_does_not_stream_is_judged_at_once)
{
	struct vote *vote = &agent->view.votes[0];

	agent->own_history = (struct history){ .timeline = 1 };
	cr_assert_null(unfit_when_it_tells(2));
	cr_assert(vote->answered);
	agent->nwalsenders = 0;
	cr_assert_str_eq(unfit_when_it_tells(1), "does not stream at the moment");
	cr_assert(vote->answered);
}

/* An agent that was started anew has not read it, and does not: etcd's history tells of the
 * timeline, so that it began long ago. */
Test(model, a_fork_that_is_not_read_is_not_waited_for)
{
	struct vote *vote = &agent->view.votes[0];

	agent->own_history = (struct history){ 0 };
	agent->view.cluster.history_timeline = 2;
	cr_assert_str_eq(unfit_when_it_tells(1), "is on another timeline");
	cr_assert(vote->answered);
}

Test(model, another_members_walsender_tells_nothing)
{
	str_clip(agent->walsenders[0].application_name, NAME_SIZE, "n3");
	cr_assert_str_eq(unfit_when_it_tells(1), "does not stream at the moment");
}

static void no_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	(void)ctx;
	(void)ticket;
	(void)req;
}

static int64_t no_clock(void *ctx)
{
	(void)ctx;
	return NOW_MS;
}

/* The read that shows it left before the key was cleared. */
Test(model, hands_over_for_no_request_that_was_given_up)
{
	static struct config config = { .prefix = "/service/one/" };
	struct view *v = &agent->view;

	agent->config = &config;
	agent->port.etcd = no_etcd;
	agent->port.now_ms = no_clock;
	str_clip(v->cluster.leader, sizeof(v->cluster.leader), "n1");
	v->cluster.request = (struct request){ .present = true, .mod_revision = 20 };
	model_refresh(agent);
	cr_assert(v->handover_asked);
	store_refuse_request(agent, "it takes too long");
	model_refresh(agent);
	cr_assert_not(v->handover_asked);
	v->cluster.request.mod_revision = 21;
	model_refresh(agent);
	cr_assert(v->handover_asked);
}
