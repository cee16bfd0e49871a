/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_rank - who may be promoted, and in which order
 */
#include <criterion/criterion.h>

#include "base/str.h"
#include "core/rank.h"

/* A standby 'b' among 'a', 'b', 'c', at position 5000, asked at 10000, now 10100. */
static struct view three(void)
{
	struct view v = { .now_ms = 10100, .election_since_ms = 10000 };
	static const char *const names[] = { "a", "b", "c" };

	v.cfg.maximum_lag_bytes = 1000;
	v.tags.failover_priority = 1;
	str_clip(v.name, sizeof(v.name), "b");
	v.pg = (struct pg_state){ .run = PG_UP, .role = ROLE_REPLICA, .timeline = 3,
				  .receive_lsn = 5000, .replay_lsn = 4000 };
	v.cluster.leader_known = true;
	v.cluster.init = INIT_SET;
	v.cluster.status_optime_lsn = 5000;
	for (uint32_t i = 0; i < 3; i++) {
		struct member *m = &v.cluster.members[v.cluster.nmembers++];

		str_clip(m->name, sizeof(m->name), names[i]);
		str_clip(m->api_url, sizeof(m->api_url), "http://x/patroni");
		m->tags.failover_priority = 1;
		m->state = STATE_RUNNING;
		if (i == 1)
			continue;
		v.votes[v.nvotes] = (struct vote){ .asked_at_ms = 10000, .answered = true,
						   .in_recovery = true, .streaming = true,
						   .failover_priority = 1,
						   .timeline = 3, .lsn = 4000 };
		str_clip(v.votes[v.nvotes++].name, NAME_SIZE, names[i]);
	}
	return v;
}

static struct verdict ask(const struct view *v)
{
	struct verdict verdict = { 0 };

	rank_me(v, &verdict);
	return verdict;
}

Test(rank, is_best_with_the_most_wal)
{
	struct view v = three();

	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, waits_behind_a_reachable_member_that_is_ahead)
{
	struct view v = three();

	v.votes[1].lsn = 5001;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	cr_assert_str_eq(ask(&v).other, "c");
	v.now_ms += 1000000; /* however long: then it asks anew, it never goes ahead */
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
}

Test(rank, does_not_wait_for_the_unreachable)
{
	struct view v = three();

	v.votes[1] = (struct vote){ .asked_at_ms = 10000, .failed = true, .name = "c" };
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, prefers_the_newer_timeline_to_the_longer_wal)
{
	struct view v = three();

	v.votes[0].timeline = 4;
	v.votes[0].lsn = 10;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	v.votes[0].timeline = 2;
	v.votes[0].lsn = 999999;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, orders_equals_by_priority_then_name_a_moment_apart)
{
	struct view v = three();

	v.votes[0].lsn = 5000;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	cr_assert_eq(ask(&v).wait_until_ms, 10000 + RANK_STEP_MS);
	v.now_ms = 10000 + RANK_STEP_MS;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.now_ms = 10100;
	v.tags.failover_priority = 2;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, is_never_for_a_member_that_needs_a_guardian_and_has_none)
{
	struct view v = three();

	v.guard_required = true;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.guard_lost_since_ms = v.now_ms;
	cr_assert_eq(ask(&v).rank, RANK_NEVER);
	cr_assert_not_null(strstr(ask(&v).why, "fence.guard"), "%s", ask(&v).why);
	v.dog_lost = true;
	cr_assert_not_null(strstr(ask(&v).why, "watchdog.mode"), "%s", ask(&v).why);
}

Test(rank, is_never_for_the_barred_and_the_lagging)
{
	struct view v = three();

	v.tags.nofailover = true;
	cr_assert_eq(ask(&v).rank, RANK_NEVER);
	v = three();
	v.tags.failover_priority = 0;
	cr_assert_eq(ask(&v).rank, RANK_NEVER);
	v = three();
	v.cluster.status_optime_lsn = 6000;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.cluster.status_optime_lsn = 6001;
	cr_assert_eq(ask(&v).rank, RANK_NEVER);
	v = three();
	v.pg.role = ROLE_PRIMARY;
	cr_assert_eq(ask(&v).rank, RANK_NEVER);
	v = three();
	v.unfenced_until_ms = v.now_ms + 1;
	cr_assert_eq(ask(&v).rank, RANK_NEVER);
}

/* Where all of them have just failed, one of them leads, and not after ten seconds. */
Test(rank, lets_others_go_first_after_a_failure_but_not_for_long)
{
	struct view v = three();

	v.step_aside_until_ms = 20000;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	cr_assert_eq(ask(&v).wait_until_ms, 10000 + RANK_ASIDE_MS);
	v.now_ms = 10000 + RANK_ASIDE_MS;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.now_ms = 10100;
	v.step_aside_until_ms = 10400;
	cr_assert_eq(ask(&v).wait_until_ms, 10400);
	v.now_ms = 10400;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

/* It crashed as leader before; whoever crashed since says that it has everything. */
Test(rank, goes_at_once_when_named_even_after_a_failure)
{
	struct view v = three();

	v.step_aside_until_ms = 20000;
	v.last_epoch = 9;
	v.cluster.release = (struct release){ .present = true, .epoch = 9, .lsn = 5000 };
	str_clip(v.cluster.release.to, NAME_SIZE, "b");
	v.release_seen_at_ms = 10000;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.unfenced_until_ms = 20000;
	cr_assert_eq(ask(&v).rank, RANK_NEVER);
}

Test(rank, asks_before_it_goes_and_forgets_old_answers)
{
	struct view v = three();

	v.votes[0].asked_at_ms = 9999; /* before this election */
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v = three();
	v.nvotes = 1;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
}

Test(rank, waits_while_a_primary_is_still_alive)
{
	struct view v = three();

	v.votes[0].in_recovery = false;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
}

Test(rank, lets_the_named_successor_go_first_for_a_while)
{
	struct view v = three();

	v.cluster.release = (struct release){ .present = true, .from = "a", .to = "c", .epoch = 9,
					      .lsn = 5000 };
	v.last_epoch = 9;
	v.release_seen_at_ms = 10000;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	v.now_ms = 10000 + RANK_SUCCESSOR_MS;
	v.votes[0].asked_at_ms = v.votes[1].asked_at_ms = v.now_ms;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, of_the_successor_needs_all_wal_of_the_old_leader)
{
	struct view v = three();

	v.cluster.release = (struct release){ .present = true, .from = "a", .to = "b", .epoch = 9,
					      .lsn = 5001 };
	v.last_epoch = 9;
	v.release_seen_at_ms = 10000;
	v.cfg.ttl_ms = 5000;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	cr_assert_eq(ask(&v).wait_until_ms, 10000 + RANK_BEHIND_TERMS * 5000);
	v.cluster.release.lsn = 5000;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

/* A Patroni member that takes the key leaves the marker standing, and an agent that has just
 * started has seen nobody lead. */
Test(rank, believes_no_marker_that_may_be_older_than_the_last_leader)
{
	struct view v = three();

	v.cluster.release = (struct release){ .present = true, .from = "a", .to = "b", .epoch = 9,
					      .lsn = 5000 };
	v.release_seen_at_ms = 10000;
	v.votes[1].lsn = 6000;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	cr_assert_str_eq(ask(&v).other, "c");
	v.last_epoch = 9;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.last_epoch = 0;
	for (uint32_t i = 0; i < v.cluster.nmembers; i++)
		v.cluster.members[i].is_pgha = true; /* each of them takes it away */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, finds_a_fit_successor_for_a_leader)
{
	struct view v = three();
	struct verdict verdict = { 0 };

	v.pg.role = ROLE_PRIMARY;
	v.pg.flush_lsn = 5000;
	v.votes[1].lsn = 4500;
	rank_successor(&v, &verdict);
	cr_assert_eq(verdict.rank, RANK_BEST);
	cr_assert_str_eq(verdict.other, "c");
	v.votes[1].nofailover = true;
	rank_successor(&v, &verdict);
	cr_assert_str_eq(verdict.other, "a");
	v.votes[0].streaming = false;
	rank_successor(&v, &verdict);
	cr_assert_eq(verdict.rank, RANK_NEVER);
	v.votes[0].streaming = true;
	v.votes[0].lsn = 3999;
	rank_successor(&v, &verdict);
	cr_assert_eq(verdict.rank, RANK_NEVER);
}

Test(rank, never_leads_from_an_older_timeline_unless_named)
{
	struct view v = three();

	v.pg.timeline = 3;
	v.cluster.history_timeline = 4;
	cr_assert_eq(ask(&v).rank, RANK_NEVER);
	v.cluster.history_timeline = 3;
	cr_assert_neq(ask(&v).rank, RANK_NEVER);
}

Test(rank, counts_only_final_positions_while_the_key_may_be_taken)
{
	struct view v = three();

	v.election_open = true;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN); /* no ballot yet */
	v.ballot = 70;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN); /* the answers are of before it */
	v.votes[0].ballot = 70;
	v.votes[1].ballot = 69;
	v.sealed = true;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.votes[1].ballot = 70;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.sealed = false; /* this member itself still receives */
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.sealed = true;
	v.votes[1] = (struct vote){ .name = "c", .asked_at_ms = 10000, .ballot = 70,
				    .failed = true };
	cr_assert_eq(ask(&v).rank, RANK_BEST); /* who does not answer holds nobody up */
}

/* An election under ballot 70, at 10000; all are of pgha, and the others have sealed. */
static struct view open_election(void)
{
	struct view v = three();

	v.election_open = true;
	v.ballot = 70;
	v.ballot_at_ms = 10000;
	v.sealed = true;
	for (uint32_t i = 0; i < 3; i++)
		v.cluster.members[i].is_pgha = true;
	for (uint32_t i = 0; i < 2; i++) {
		v.votes[i].ballot = 70;
		v.votes[i].sealed = 70;
	}
	return v;
}

Test(rank, waits_a_moment_for_whoever_answers_and_still_receives)
{
	struct view v = open_election();

	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.votes[0].sealed = 69;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.now_ms = 10000 + RANK_SEAL_MS - 1;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.now_ms++;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v = open_election();
	v.votes[0].sealed = 75; /* under a later ballot it is final all the more */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

/* It may have more than anybody else, and knows it in a moment. */
Test(rank, waits_for_a_member_whose_server_comes_up_but_not_for_ever)
{
	struct view v = open_election();

	v.votes[0].failed = true; /* an answer without a position */
	v.votes[0].sealed = 0;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.votes[0].comes_up = true;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.now_ms = v.votes[0].asked_at_ms = v.votes[1].asked_at_ms = 10000 + RANK_START_MS - 1;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.now_ms++;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v = open_election();
	v.votes[0].comes_up = true; /* it replays what it holds, and told how far */
	v.votes[0].sealed = 0;
	v.now_ms = v.votes[0].asked_at_ms = v.votes[1].asked_at_ms = 10000 + RANK_SEAL_MS;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.cluster.members[0].is_pgha = false; /* as among Patroni's own */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.cluster.members[0].is_pgha = true;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.cluster.release = (struct release){ .present = true, .from = "a" };
	cr_assert_eq(ask(&v).rank, RANK_BEST); /* it gave the key back, and knew then what it had */
}

Test(rank, a_patroni_member_counts_with_what_it_tells)
{
	struct view v = open_election();

	v.votes[0].sealed = 0;
	v.cluster.members[0].is_pgha = false;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.votes[0].lsn = 6000;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	cr_assert_str_eq(ask(&v).other, "a");
}

/* 'x' led; every commit was on it and on all of a, b, c but so many. */
static void with_sync(struct view *v, int32_t quorum)
{
	static const char *const names[] = { "a", "b", "c" };
	struct sync_key *sync = &v->cluster.sync;

	*sync = (struct sync_key){ .present = true, .leader = "x", .quorum = quorum };
	for (uint32_t i = 0; i < 3; i++)
		str_clip(sync->standbys[sync->nstandbys++], NAME_SIZE, names[i]);
}

Test(rank, enough_synchronous_standbys_have_to_tell_a_final_position)
{
	struct view v = open_election();

	with_sync(&v, 2); /* one of the three had it: all have to be heard */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.votes[1].failed = true;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	with_sync(&v, 1); /* two had it: two are enough */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.now_ms = 10000 + RANK_SEAL_MS;
	v.votes[0].sealed = 0; /* it goes on confirming */
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	with_sync(&v, 0); /* all three had it: this one alone is enough */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.cluster.sync.present = false;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

/* The agent of 'c' has lost etcd; it answers, and has sealed at this position. */
static struct view open_election_with_gone(uint64_t lsn)
{
	struct view v = open_election();
	struct gone_member *gone = &v.cluster.gone[v.cluster.ngone++];

	v.cluster.nmembers = 2;
	*gone = (struct gone_member){ .is_pgha = true, .port = 5432 };
	str_clip(gone->name, sizeof(gone->name), "c");
	str_clip(gone->host, sizeof(gone->host), "10.0.0.3");
	v.votes[1].lsn = lsn;
	return v;
}

Test(rank, asks_a_member_whose_key_has_gone)
{
	struct view v = open_election_with_gone(4000);

	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.votes[1].ballot = 69;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	cr_assert_str_eq(ask(&v).other, "c");
	v.votes[1] = (struct vote){ .name = "c", .asked_at_ms = 10000, .ballot = 70,
				    .failed = true };
	cr_assert_eq(ask(&v).rank, RANK_BEST); /* dead, or cut off from us too */
	v = open_election_with_gone(4000);
	v.votes[1].ballot = 0;
	str_clip(v.last_leader, sizeof(v.last_leader), "c");
	cr_assert_eq(ask(&v).rank, RANK_BEST); /* its term is over, that is enough */
}

Test(rank, whose_key_has_gone_never_goes_first)
{
	struct view v = open_election_with_gone(5000);

	str_clip(v.cluster.gone[0].name, NAME_SIZE, "A");
	str_clip(v.votes[1].name, NAME_SIZE, "A");
	cr_assert_eq(ask(&v).rank, RANK_BEST); /* equal, and first by name */
}

Test(rank, receives_first_what_only_one_has_that_cannot_lead)
{
	struct view v = open_election_with_gone(6000);

	cr_assert_eq(ask(&v).rank, RANK_FETCH);
	cr_assert_str_eq(ask(&v).other, "c");
	v.sealed = false; /* it receives from there */
	cr_assert_eq(ask(&v).rank, RANK_FETCH);
	v.pg.receive_lsn = 6000;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN); /* and stops again before it leads */
	v.sealed = true;
	cr_assert_eq(ask(&v).rank, RANK_BEST);

	v = open_election_with_gone(6000);
	v.votes[0].lsn = 5500; /* another one is nearer, and can lead: that one receives */
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	cr_assert_str_eq(ask(&v).other, "a");
}

Test(rank, gives_up_receiving_in_time_without_synchronous_commits)
{
	struct view v = open_election_with_gone(6000);

	v.election_since_ms = 10100 - RANK_FETCH_MS + 1;
	cr_assert_eq(ask(&v).rank, RANK_FETCH);
	v.election_since_ms--;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v = open_election_with_gone(6000);
	v.votes[1].timeline = 4; /* nothing of it fits here */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.votes[1].timeline = 3;
	v.votes[1].in_recovery = false; /* opened by somebody's hand */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, never_gives_up_what_may_be_a_synchronous_commit)
{
	struct view v = open_election_with_gone(6000);

	with_sync(&v, 2); /* one of the three had it, and that may be 'c' */
	v.election_since_ms = 1;
	cr_assert_eq(ask(&v).rank, RANK_FETCH);
	v.votes[1].timeline = 4;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	v.votes[1].timeline = 3;
	with_sync(&v, 1); /* two had it, so this one or 'a' too */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.votes[1].lsn = 5000;
	with_sync(&v, 2);
	cr_assert_eq(ask(&v).rank, RANK_BEST); /* its word counts as a voter's */
}

Test(rank, whoever_is_passed_over_is_no_voter)
{
	struct view v = open_election();

	with_sync(&v, 1);
	v.votes[1].failed = true;
	v.votes[0].nofailover = true;
	v.votes[0].lsn = 9000;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
}

Test(rank, the_leader_of_the_record_has_every_commit)
{
	struct view v = open_election();

	with_sync(&v, 2);
	v.votes[0].failed = true;
	v.votes[1].failed = true;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	str_clip(v.cluster.sync.leader, NAME_SIZE, "b");
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, a_switchover_whose_leader_died_loses_nothing_that_was_confirmed)
{
	struct view v = open_election();

	with_sync(&v, 2);
	v.votes[0].failed = true;
	v.cluster.request = (struct request){ .present = true, .leader = "x", .candidate = "b" };
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	v.cluster.request.leader[0] = '\0'; /* a failover is by order */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

/* 'b' has sealed under ballot 90; 'a' led with epoch 70, and most could let it be. */
static struct view voted(void)
{
	struct view v = three();
	struct failsafe_key *key = &v.cluster.failsafe;

	v.election_open = v.sealed = true;
	v.last_epoch = 70;
	v.ballot = v.promised = 90;
	v.ballot_at_ms = 10000;
	key->present = true;
	key->mark = FAILSAFE_QUORUM;
	for (key->n = 0; key->n < 3; key->n++)
		str_clip(key->names[key->n], NAME_SIZE, v.cluster.members[key->n].name);
	v.votes[0] = (struct vote){ .asked_at_ms = 10000, .failed = true, .ballot = 90,
				    .name = "a" };
	v.votes[1].ballot = v.votes[1].sealed = 90;
	return v;
}

Test(rank, needs_a_vote_of_every_majority_that_may_have_promised)
{
	struct view v = voted();

	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.votes[1].sealed = 0; /* it answers, and has promised the old leader */
	v.now_ms = 10000 + RANK_SEAL_MS;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	cr_assert_not_null(strstr(ask(&v).why, "failsafe list"));
	v.cluster.failsafe.mark = FAILSAFE_ALL; /* then our own word is enough */
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.cluster.failsafe.mark = FAILSAFE_QUORUM;
	v.cluster.release = (struct release){ .present = true, .epoch = 70 };
	cr_assert_eq(ask(&v).rank, RANK_BEST, "it has ended, and said so");
}

Test(rank, needs_no_vote_beside_its_own_of_two_members)
{
	struct view v = voted();

	v.cluster.failsafe.n = 2;
	v.votes[1].sealed = 0;
	v.now_ms = 10000 + RANK_SEAL_MS;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.cluster.failsafe.n = 3;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
}

/* The one that may not lead votes all the same; of two more nothing has to be asked. */
Test(rank, asks_the_barred_where_their_votes_are_needed)
{
	struct view v = voted();

	v.cluster.members[2].tags.nofailover = v.votes[1].nofailover = true;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.cluster.nmembers--; /* of 'a' not even the key is there, so nobody else is asked */
	v.cluster.members[0] = v.cluster.members[1];
	v.cluster.members[1] = v.cluster.members[2];
	v.cluster.members[1].tags.nofailover = true;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.nvotes = 0;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.ballot = 0; /* the first thing to be had */
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.cluster.failsafe.mark = FAILSAFE_OFF;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

/* While it receives its own seal is open, so its own vote is missing. */
Test(rank, goes_on_receiving_while_votes_are_missing)
{
	struct view v = open_election_with_gone(6000);
	struct failsafe_key *key = &v.cluster.failsafe;

	v.last_epoch = 60;
	key->present = true;
	key->mark = FAILSAFE_QUORUM;
	for (key->n = 0; key->n < 3; key->n++)
		str_clip(key->names[key->n], NAME_SIZE, v.cluster.members[key->n].name);
	v.votes[0] = (struct vote){ .asked_at_ms = 10000, .failed = true, .ballot = 70,
				    .name = "a" };
	v.votes[1].sealed = v.promised = v.ballot;
	cr_assert_eq(ask(&v).rank, RANK_FETCH);
	v.sealed = false;
	cr_assert_eq(ask(&v).rank, RANK_FETCH);
	v.pg.receive_lsn = 6000;
	cr_assert_eq(ask(&v).rank, RANK_UNKNOWN);
	v.sealed = true;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, counts_no_vote_that_a_sign_of_the_old_leader_has_ended)
{
	struct view v = voted();

	v.cluster.beat_present = true;
	v.cluster.beat_mod_revision = 89;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
	v.cluster.beat_mod_revision = 91;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	v.cluster.beat_present = false;
	v.last_epoch = 91;
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
}

Test(rank, lets_no_operator_name_a_leader_beside_a_promised_one)
{
	struct view v = voted();

	v.votes[1].sealed = 0;
	v.now_ms = 10000 + RANK_SEAL_MS;
	v.cluster.request.present = true;
	str_clip(v.cluster.request.candidate, NAME_SIZE, "b");
	cr_assert_eq(ask(&v).rank, RANK_WAIT);
	v.votes[1].sealed = 90;
	cr_assert_eq(ask(&v).rank, RANK_BEST);
}

Test(rank, takes_no_half_for_most)
{
	cr_assert_eq(rank_promises(FAILSAFE_ALL, 5), 5);
	cr_assert_eq(rank_promises(FAILSAFE_QUORUM, 2), 2);
	cr_assert_eq(rank_promises(FAILSAFE_QUORUM, 3), 2);
	cr_assert_eq(rank_promises(FAILSAFE_QUORUM, 4), 3);
	cr_assert_eq(rank_promises(FAILSAFE_QUORUM, 5), 3);
}
