/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_seal - what a promise to a candidate binds to, and what becomes of a ballot that was made up
 */
#include "agent/state.h"

#include <criterion/criterion.h>

#include <stdlib.h>

#define NOW_MS INT64_C(100000)
#define KNOWN  INT64_C(100) /* revision of etcd that this member has heard of */
#define MADE_UP INT64_C(5000000)

static struct agent *agent;
static struct config config;

/* A standby that heard of etcd up to KNOWN. */
static void setup(void)
{
	struct view *v;

	agent = calloc(1, sizeof(*agent));
	agent->config = &config;
	str_clip(config.scope, sizeof(config.scope), "s");
	agent->durable.revision = KNOWN;
	agent->next_ticket = 7;
	v = &agent->view;
	v->now_ms = v->dcs_seen_at_ms = NOW_MS;
	str_clip(v->name, sizeof(v->name), "n2");
	v->cfg.ttl_ms = 5000;
	v->pg.run = PG_UP;
	v->pg.role = ROLE_REPLICA;
	v->cluster.leader_known = true;
}

static void teardown(void)
{
	free(agent);
}

static void asked(int64_t ballot)
{
	struct command cmd = { .type = CMD_SEAL, .ballot = ballot };

	str_clip(cmd.scope, sizeof(cmd.scope), "s");
	str_clip(cmd.candidate, sizeof(cmd.candidate), "n3");
	agent->seal.asked[0].command_id = 0;
	seal_command(agent, 1, &cmd);
	cr_assert_eq(agent->seal.asked[0].command_id, 1, "it did not promise %ld", (long)ballot);
}

/* As an answer of etcd to something that was asked after all that went before. */
static void heard(int64_t revision)
{
	seal_heard(agent, ++agent->next_ticket, revision);
	agent->durable.revision = MAX_OF(agent->durable.revision, revision);
	seal_refresh(agent);
}

static bool is_sealed(void)
{
	cr_assert_eq(agent->durable.sealed, agent->seal.until_ms != 0);
	cr_assert_eq(agent->durable.promised, agent->view.promised);
	return agent->seal.until_ms != 0;
}

TestSuite(seal, .init = setup, .fini = teardown);

Test(seal, a_ballot_that_etcd_has_given_out_binds)
{
	asked(KNOWN);
	heard(KNOWN + 50);
	cr_assert(is_sealed());
	cr_assert_eq(agent->view.promised, KNOWN);
}

Test(seal, a_ballot_newer_than_what_was_heard_binds_when_etcd_has_come_to_it)
{
	asked(KNOWN + 40);
	heard(KNOWN + 40);
	cr_assert_eq(agent->seal.doubt.ballot, 0);
	cr_assert(is_sealed());
	cr_assert_eq(agent->view.promised, KNOWN + 40);
}

Test(seal, a_ballot_that_etcd_never_gave_out_is_void)
{
	agent->view.promised = agent->durable.promised = 60;
	asked(MADE_UP);
	cr_assert(is_sealed());
	cr_assert_eq(agent->view.promised, MADE_UP);
	seal_heard(agent, agent->next_ticket, KNOWN + 50); /* it was asked before */
	cr_assert_eq(agent->view.promised, MADE_UP);
	heard(KNOWN + 50);
	cr_assert(!is_sealed());
	cr_assert_eq(agent->view.promised, 60);
	asked(KNOWN + 51); /* the next election */
}

Test(seal, a_vote_given_beside_a_made_up_ballot_stays)
{
	asked(KNOWN + 40);
	asked(MADE_UP);
	heard(KNOWN + 50);
	cr_assert(is_sealed());
	cr_assert_eq(agent->view.promised, KNOWN + 50); /* which of both is not known */
}

Test(seal, a_vote_given_after_a_made_up_ballot_stays)
{
	asked(MADE_UP);
	asked(KNOWN + 40);
	heard(KNOWN + 50);
	cr_assert(is_sealed());
	cr_assert_eq(agent->view.promised, KNOWN + 50);
}

Test(seal, a_vote_that_is_known_for_good_stays_as_it_was_given)
{
	asked(MADE_UP);
	asked(KNOWN - 10);
	asked(MADE_UP);
	heard(KNOWN + 50);
	cr_assert(is_sealed());
	cr_assert_eq(agent->view.promised, KNOWN - 10);
}

Test(seal, two_made_up_ballots_are_both_void)
{
	asked(MADE_UP);
	asked(MADE_UP + 1);
	seal_heard(agent, agent->next_ticket, KNOWN + 50);
	cr_assert_eq(agent->view.promised, MADE_UP + 1);
	heard(KNOWN + 50);
	cr_assert_eq(agent->view.promised, KNOWN + 50);
}

Test(seal, a_made_up_ballot_does_not_outlive_a_restart_of_the_agent)
{
	agent->durable.promised = MADE_UP;
	agent->durable.sealed = true;
	agent->next_ticket = 0;
	seal_start(agent);
	cr_assert(is_sealed());
	heard(KNOWN + 50);
	cr_assert_eq(agent->view.promised, KNOWN + 50);
	cr_assert(is_sealed()); /* there may have been others: for its whole time */
}

Test(seal, a_position_is_final_at_the_end_of_its_own_wal)
{
	struct view *v = &agent->view;

	asked(KNOWN);
	agent->seal.kept = true;
	agent->seal.done_at_ms = NOW_MS;
	v->now_ms = v->pg_seen_at_ms = v->position_since_ms = NOW_MS + 1000;
	seal_refresh(agent);
	cr_assert_not(v->sealed); /* it replays what it holds, and has received nothing since */
	cr_assert(seal_replays(agent));
	v->pg.replay_waits = true;
	seal_refresh(agent);
	cr_assert(v->sealed);
	cr_assert_not(seal_replays(agent));
	v->pg.replay_waits = false;
	v->pg.receive_lsn = 5000; /* a receiver begins at the end */
	seal_refresh(agent);
	cr_assert(v->sealed);
	v->pg.receive_lsn = 0;
	v->now_ms = v->pg_seen_at_ms = v->position_since_ms + 9999;
	seal_refresh(agent);
	cr_assert_not(v->sealed);
	v->now_ms = v->pg_seen_at_ms = v->position_since_ms + 10000; /* held up by readers */
	agent->seal.until_ms = v->now_ms + 1000;
	seal_refresh(agent);
	cr_assert(v->sealed);
}
