/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_decide - golden decisions: a view, the rule it must meet, and the targets of the plan
 */
#include <criterion/criterion.h>

#include "base/str.h"
#include "core/decide.h"

#define NOW 100000

static struct member *add(struct view *v, const char *name, const char *host)
{
	struct member *m = &v->cluster.members[v->cluster.nmembers++];

	str_clip(m->name, sizeof(m->name), name);
	str_clip(m->host, sizeof(m->host), host);
	str_clip(m->api_url, sizeof(m->api_url), "http://x/patroni");
	m->port = 5432;
	m->is_pgha = true;
	m->state = STATE_RUNNING;
	m->tags.failover_priority = 1;
	return m;
}

/* Member 'b' of 'a', 'b', 'c'; 'a' leads with epoch 50, its newest beat came 500 ms ago. */
static struct view follower(void)
{
	struct view v = { .now_ms = NOW, .dcs_seen_at_ms = NOW - 100, .cluster_read_at_ms = 1000 };

	str_clip(v.name, sizeof(v.name), "b");
	v.tags.failover_priority = 1;
	v.cfg = (struct config_ha){ .ttl_ms = 5000, .loop_wait_ms = 1000, .use_slots = true,
				    .maximum_lag_bytes = 1048576, .use_pg_rewind = true,
				    .primary_start_timeout_ms = 300000, .has_bootstrap = true };
	v.cluster.leader_known = true;
	v.cluster.init = INIT_SET;
	str_clip(v.cluster.sysid, SYSID_SIZE, "7000000000000000001");
	str_clip(v.cluster.leader, NAME_SIZE, "a");
	v.cluster.leader_epoch = v.last_epoch = 50;
	v.cluster.beat_present = true;
	v.cluster.beat_epoch = 50;
	v.sign_at_ms = NOW - 500;
	v.sign_ttl_ms = 5000;
	add(&v, "a", "10.0.0.1");
	add(&v, "b", "10.0.0.2");
	add(&v, "c", "10.0.0.3");
	v.pg = (struct pg_state){ .run = PG_UP, .role = ROLE_REPLICA, .dir = DIR_PRESENT,
				  .standby_signal = true, .can_rewind = true, .timeline = 2,
				  .control_timeline = 2, .receive_lsn = 9000, .replay_lsn = 9000,
				  .streaming = true };
	str_clip(v.pg.sysid, SYSID_SIZE, "7000000000000000001");
	return v;
}

/* The same member as the leader of epoch 60, proven 1 s ago. */
static struct view leader(void)
{
	struct view v = follower();

	str_clip(v.cluster.leader, NAME_SIZE, "b");
	v.cluster.leader_epoch = v.last_epoch = v.cluster.beat_epoch = 60;
	lease_proven(&v.lease, 60, 1, NOW - 1000, 5000);
	v.pg.role = ROLE_PRIMARY;
	v.pg.standby_signal = false;
	v.pg.flush_lsn = 9000;
	return v;
}

static struct plan plan_of(const struct view *v)
{
	struct plan plan;

	decide(v, &plan);
	return plan;
}

static void vote(struct view *v, const char *name, uint64_t lsn)
{
	struct vote *w = &v->votes[v->nvotes++];

	*w = (struct vote){ .asked_at_ms = NOW - 50, .answered = true,
			    .in_recovery = true, .streaming = true,
			    .failover_priority = 1, .timeline = 2, .lsn = lsn };
	str_clip(w->name, NAME_SIZE, name);
}

/* The election of a key that is gone: everybody answered. */
static struct view election(void)
{
	struct view v = follower();

	v.cluster.leader[0] = '\0';
	v.cluster.leader_epoch = 0;
	v.leader_gone_at_ms = v.election_since_ms = NOW - 50;
	vote(&v, "a", 8000);
	vote(&v, "c", 8000);
	return v;
}

Test(decide, promotes_what_was_a_standby_instead_of_opening_it)
{
	struct view v = follower();

	str_clip(v.cluster.leader, sizeof(v.cluster.leader), v.name);
	lease_proven(&v.lease, v.cluster.leader_epoch, 7, NOW, 5000);
	v.pg.run = PG_DOWN;
	v.pg.role = ROLE_UNKNOWN;
	v.pg.dir = DIR_PRESENT;
	v.pg.standby_signal = true;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_STANDBY);
	v.pg.standby_signal = false;
	v.pg.control = CONTROL_SHUT_DOWN_IN_RECOVERY;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_STANDBY);
	v.pg.control = CONTROL_IN_PRODUCTION;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_PRIMARY);
}

Test(decide, lets_the_successor_open_before_it_starts_as_a_standby)
{
	struct view v = election();

	v.pg.run = PG_DOWN;
	v.yield_until_ms = NOW + 700;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	cr_assert_leq(plan_of(&v).wake_at_ms, NOW + 700);
	v.yield_until_ms = NOW; /* long enough: somebody may need this member to be elected */
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_STANDBY);
}

Test(decide, starts_as_a_standby_as_soon_as_the_successor_has_opened)
{
	struct view v = follower();

	v.pg.run = PG_DOWN;
	v.pg.streaming = false;
	v.yield_until_ms = NOW + 700;
	v.upstream = (struct history){ .timeline = 2 };
	v.upstream_epoch = 50;
	v.cluster.members[0].role = MROLE_REPLICA;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	v.cluster.members[0].role = MROLE_PRIMARY;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_STANDBY);
}

Test(decide, asks_again_for_a_past_older_than_the_leaders_own_key)
{
	struct view v = follower();
	struct situation s;
	struct verdict verdict = { 0 };

	v.pg.run = PG_DOWN;
	v.pg.dir = DIR_PRESENT;
	v.pg.control = CONTROL_SHUT_DOWN_IN_RECOVERY;
	v.pg.timeline = v.pg.control_timeline = 3;
	v.upstream_epoch = v.cluster.leader_epoch;
	v.upstream = (struct history){ .timeline = 2 };
	for (uint32_t i = 0; i < v.cluster.nmembers; i++)
		v.cluster.members[i].timeline = 3;
	situation_classify(&v, &s, &verdict);
	cr_assert_eq(s.data, DATA_CHECK);
	v.upstream.timeline = 3;
	situation_classify(&v, &s, &verdict);
	cr_assert_eq(s.data, DATA_READY);
}

Test(decide, follows_the_leader)
{
	struct view v = follower();
	struct plan plan = plan_of(&v);

	cr_assert_eq(plan.rule->id, 512);
	cr_assert_eq(plan.upstream, 0);
	cr_assert_leq(plan.wake_at_ms, NOW + 1000);
}

Test(decide, keeps_its_source_when_the_leaders_record_lost_its_address)
{
	struct view v = follower();
	struct plan plan;

	v.cluster.members[0].host[0] = '\0';
	plan = plan_of(&v);
	cr_assert_eq(plan.pg_verb, PGV_LEAVE);
	cr_assert_eq(plan.upstream, -1);
}

Test(decide, cascades_from_the_named_member_while_it_is_usable)
{
	struct view v = follower();

	str_clip(v.tags.replicatefrom, NAME_SIZE, "c");
	cr_assert_eq(plan_of(&v).upstream, 2);
	v.cluster.members[2].state = STATE_STOPPED;
	cr_assert_eq(plan_of(&v).upstream, 0);
}

Test(decide, takes_over_a_key_whose_beat_was_silent_for_a_term_and_not_a_moment_earlier)
{
	struct view v = election();

	str_clip(v.cluster.leader, NAME_SIZE, "a");
	v.cluster.leader_epoch = 50;
	v.pg.streaming = false;
	v.sign_at_ms = NOW - 4999;
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_OTHER);
	v.sign_at_ms = NOW - 5000;
	cr_assert_eq(plan_of(&v).rule->id, 420);
	v.cluster.members[2].is_pgha = false; /* a Patroni member does not beat */
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_OTHER);
}

Test(decide, waits_out_the_term_of_a_key_that_vanished_early)
{
	struct view v = election();

	v.sign_at_ms = NOW - 4999;
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_RECENT);
	cr_assert_neq(plan_of(&v).lease_verb, LV_ACQUIRE);
	v.sign_at_ms = NOW - 5000;
	cr_assert_eq(plan_of(&v).rule->id, 421);
}

Test(decide, waits_for_the_longer_of_two_terms)
{
	struct view v = election();

	v.sign_at_ms = NOW - 5000;
	v.sign_ttl_ms = 30000; /* granted before the configuration was changed */
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_RECENT);
}

Test(decide, trusts_the_expiry_of_a_mended_etcd)
{
	struct view v = election();

	v.sign_at_ms = NOW - 100;
	v.etcd_known = v.etcd_fixed = true;
	cr_assert_eq(plan_of(&v).rule->id, 421);
}

Test(decide, believes_a_release_of_the_newest_epoch_only)
{
	struct view v = election();

	v.cluster.release = (struct release){ .present = true, .from = "a", .epoch = 50 };
	cr_assert_eq(plan_of(&v).rule->id, 421);
	v.cluster.release.epoch = 49;
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_RECENT);
}

/* The key of 'a', which Patroni runs, was gone 300 ms ago; 'b' has asked everybody since. */
static struct view left_by_patroni(void)
{
	struct view v = election();

	str_clip(v.last_leader, NAME_SIZE, "a");
	v.cluster.members[0].is_pgha = false;
	v.cluster.beat_present = false;
	v.sign_at_ms = v.leader_gone_at_ms = v.election_since_ms = NOW - 300;
	v.nvotes = 0;
	for (uint32_t i = 0; i < v.cluster.nmembers; i++) {
		if (str_eq(v.cluster.members[i].name, "b"))
			continue;
		v.votes[v.nvotes++] = (struct vote){ .asked_at_ms = NOW - 200, .answered = true,
						     .in_recovery = true, .yielded = true,
						     .lsn = 9000, .timeline = 2 };
		str_clip(v.votes[v.nvotes - 1].name, NAME_SIZE, v.cluster.members[i].name);
	}
	v.cluster.request = (struct request){ .present = true };
	str_clip(v.cluster.request.candidate, NAME_SIZE, "b");
	return v;
}

Test(decide, believes_a_patroni_leader_that_says_it_gave_the_lead_away)
{
	struct view v = left_by_patroni();

	cr_assert_eq(plan_of(&v).rule->id, 421);
	/* Asked before the key was gone: it may have become primary since. */
	v.votes[0].asked_at_ms = NOW - 301;
	v.election_since_ms = NOW - 400;
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_RECENT);
	v = left_by_patroni();
	v.votes[0].yielded = false;
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_RECENT);
	v = left_by_patroni();
	v.votes[0].answered = false;
	v.votes[0].failed = true;
	cr_assert_eq(plan_of(&v).rule->id, 423);
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_RECENT);
	/* One of ours would have left a marker. */
	v = left_by_patroni();
	v.cluster.members[0].is_pgha = true;
	cr_assert_eq(plan_of(&v).situation.leader, LEADER_RECENT);
}

Test(decide, asks_a_patroni_leader_also_when_it_is_named_itself)
{
	struct view v = left_by_patroni();

	v.nvotes = 0;
	cr_assert_eq(plan_of(&v).rule->id, 422);
}

Test(decide, a_stop_has_the_time_that_primary_stop_timeout_gives)
{
	struct view v = leader();

	v.handover_begun = true;
	cr_assert_eq(plan_of(&v).rule->id, 203);
	cr_assert_eq(plan_of(&v).immediate_at_ms, NOW + 10000);
	cr_assert_eq(plan_of(&v).kill_at_ms, NOW + 20000);
	v.cfg.primary_stop_timeout_ms = 3000;
	cr_assert_eq(plan_of(&v).immediate_at_ms, NOW + 3000);
	cr_assert_eq(plan_of(&v).kill_at_ms, NOW + 6000);
	/* A standby has nothing that others wait for. */
	v = follower();
	v.mode = MODE_SHUTDOWN;
	v.cfg.primary_stop_timeout_ms = 3000;
	cr_assert_eq(plan_of(&v).rule->id, 210);
	cr_assert_eq(plan_of(&v).immediate_at_ms, NOW + 10000);
}

Test(decide, stops_in_good_time_and_kills_when_the_term_is_over)
{
	struct view v = leader();

	cr_assert_eq(plan_of(&v).rule->id, 321);
	v.now_ms = NOW - 1000 + 2500;
	cr_assert_eq(plan_of(&v).rule->id, 322);
	v.now_ms = NOW - 1000 + 3300;
	cr_assert_eq(plan_of(&v).rule->id, 112);
	cr_assert_eq(plan_of(&v).immediate_at_ms, NOW - 1000 + 3600);
	cr_assert_eq(plan_of(&v).kill_at_ms, NOW - 1000 + 3750);
	v.now_ms = NOW - 1000 + 3600;
	cr_assert_eq(plan_of(&v).rule->id, 111);
}

Test(decide, serves_reads_while_etcd_is_silent)
{
	struct view v = leader();

	v.now_ms += 60000;
	lease_drop(&v.lease);
	v.pg.run = PG_DOWN;
	v.pg.role = ROLE_UNKNOWN;
	cr_assert_eq(plan_of(&v).rule->id, 600);
}

Test(decide, recreates_its_key_when_that_vanished_early)
{
	struct view v = leader();

	v.cluster.leader[0] = '\0';
	v.cluster.leader_epoch = 0;
	cr_assert_eq(plan_of(&v).rule->id, 401);
}

Test(decide, restarts_a_crashed_primary_and_gives_up_in_time)
{
	struct view v = leader();

	v.pg.run = PG_DOWN;
	v.pg.control = CONTROL_IN_PRODUCTION;
	v.crash_since_ms = NOW;
	cr_assert_eq(plan_of(&v).rule->id, 324);
	v.cfg.primary_start_timeout_ms = 60000;
	v.crash_since_ms = NOW - 60000;
	cr_assert_eq(plan_of(&v).rule->id, 311);
	v.cluster.nmembers = 2;
	v.cluster.members[0].state = STATE_STOPPED; /* nobody else could */
	cr_assert_eq(plan_of(&v).rule->id, 324);
}

Test(decide, does_not_give_up_a_primary_that_serves_and_crashes_again_and_again)
{
	struct view v = leader();

	v.pg.run = PG_DOWN;
	v.pg.control = CONTROL_IN_PRODUCTION;
	v.crash_since_ms = NOW - 10;
	v.start_failures = v.vain_starts = START_TRIES;
	cr_assert_eq(plan_of(&v).rule->id, 311);
	v.vain_starts = 0; /* each of them served */
	cr_assert_eq(plan_of(&v).rule->id, 324);
	v.pg.run = PG_STARTING;
	cr_assert_eq(plan_of(&v).rule->id, 329);
	v.pg.run = PG_DOWN;
	v.crash_since_ms = NOW - v.cfg.primary_start_timeout_ms;
	cr_assert_eq(plan_of(&v).rule->id, 311);
}

/* The leader's postmaster died a moment ago and nothing of it is left; commits end at 9000. */
static struct view crashed(void)
{
	struct view v = leader();

	v.pg.run = PG_DOWN;
	v.pg.role = ROLE_UNKNOWN;
	v.pg.control = CONTROL_IN_PRODUCTION;
	v.crash_since_ms = v.election_since_ms = NOW - 60;
	v.crash_look = v.crash_read = true;
	v.crash_down_at_ms = NOW - 55;
	v.crash_commit_lsn = 9000;
	return v;
}

Test(decide, hands_a_crashed_primary_over_to_who_has_every_commit)
{
	struct view v = crashed();
	struct plan plan;

	cr_assert_eq(plan_of(&v).rule->id, 309);
	cr_assert_leq(plan_of(&v).wake_at_ms, NOW + 25);
	vote(&v, "a", 8999);
	vote(&v, "c", 9000);
	plan = plan_of(&v);
	cr_assert_eq(plan.rule->id, 307);
	cr_assert_str_eq(plan.release_to, "c");
	v.votes[1].failover_priority = 0;
	cr_assert_eq(plan_of(&v).rule->id, 309, "what the other lacks may be on its way");
	v.votes[0].streaming = false;
	cr_assert_eq(plan_of(&v).rule->id, 324, "nothing is on its way to who receives nothing");
	v.votes[0].failed = true;
	cr_assert_eq(plan_of(&v).rule->id, 309, "it may answer next time");
	v.votes[0].failed = false;
	v.votes[0].streaming = true;
	v.now_ms = v.crash_down_at_ms + CRASH_SETTLED_MS;
	cr_assert_eq(plan_of(&v).rule->id, 324);
}

Test(decide, looks_for_an_heir_only_for_a_moment)
{
	struct view v = crashed();

	v.now_ms = v.crash_down_at_ms + CRASH_LOOK_MS - 1;
	cr_assert_eq(plan_of(&v).rule->id, 309);
	v.now_ms++;
	cr_assert_eq(plan_of(&v).rule->id, 324);
	v = crashed();
	v.crash_commit_lsn = 0; /* cannot be read: nobody can be trusted to have all */
	cr_assert_eq(plan_of(&v).rule->id, 324);
}

Test(decide, does_not_wait_for_everybody_when_one_has_all)
{
	struct view v = crashed();

	vote(&v, "c", 9000);
	v.now_ms = v.crash_down_at_ms + RANK_HEIR_MS - 1;
	cr_assert_eq(plan_of(&v).rule->id, 309);
	v.now_ms++;
	cr_assert_eq(plan_of(&v).rule->id, 307);
}

Test(decide, gives_a_crashed_primary_up_when_told_to)
{
	struct view v = crashed();

	vote(&v, "a", 100);
	vote(&v, "c", 100);
	v.now_ms = v.crash_down_at_ms + CRASH_SETTLED_MS;
	v.cfg.on_primary_crash = CRASH_FAILOVER;
	cr_assert_eq(plan_of(&v).rule->id, 311);
	cr_assert_str_empty(plan_of(&v).release_to, "nobody is named who lacks something");
	v.cfg.on_primary_crash = CRASH_AUTO;
	v.cfg.primary_start_timeout_ms = 0;
	cr_assert_eq(plan_of(&v).rule->id, 311);
	v.now_ms--;
	cr_assert_eq(plan_of(&v).rule->id, 309, "first who has it all");
}

/* A new cluster that the operator's command restored, on its way to the operator's target. */
static struct view restoring(void)
{
	struct view v = leader();

	v.pg.role = ROLE_REPLICA;
	v.pg.standby_signal = v.pg.restoring = v.pg.boot_unfinished = true;
	v.cluster.init = INIT_PENDING;
	v.init_mine = true;
	return v;
}

Test(decide, leaves_a_restored_cluster_to_its_target)
{
	struct view v = restoring();
	struct plan plan = plan_of(&v);

	cr_assert_eq(plan.rule->id, 329);
	cr_assert_str_eq(plan.note, "the restored cluster recovers to its target, and opens there");
	v.pg.replay_paused = true;
	plan = plan_of(&v);
	cr_assert_str_eq(plan.note, "recovery has paused at its target, SELECT pg_wal_replay_resume() "
				    "opens the cluster there");
	/* A standby that came to lead would wait for nothing. */
	v.pg.restoring = false;
	cr_assert_eq(plan_of(&v).rule->id, 323);
}

Test(decide, starts_a_restored_cluster_again_as_it_was)
{
	struct view v = restoring();

	v.pg.run = PG_DOWN;
	v.pg.role = ROLE_UNKNOWN;
	v.pg.control = CONTROL_IN_ARCHIVE_RECOVERY;
	cr_assert_eq(plan_of(&v).rule->id, 324);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_PRIMARY);
	v.pg.restoring = false;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_STANDBY);
}

Test(decide, gives_up_a_primary_that_crashed_again_and_again_for_too_long)
{
	struct view v = crashed();

	vote(&v, "a", 100);
	vote(&v, "c", 100);
	v.now_ms = v.crash_down_at_ms + CRASH_SETTLED_MS;
	v.start_failures = 7;
	v.has_served = true;
	v.unsteady_since_ms = v.now_ms - v.cfg.primary_start_timeout_ms + 1;
	cr_assert_eq(plan_of(&v).rule->id, 324);
	v.unsteady_since_ms--;
	cr_assert_eq(plan_of(&v).rule->id, 311);
}

Test(decide, gives_a_primary_up_that_never_lasts)
{
	struct view v = crashed();

	vote(&v, "a", 100);
	vote(&v, "c", 100);
	v.now_ms = v.crash_down_at_ms + CRASH_SETTLED_MS;
	v.vain_starts = START_TRIES - 1;
	cr_assert_eq(plan_of(&v).rule->id, 324);
	v.vain_starts = START_TRIES;
	cr_assert_eq(plan_of(&v).rule->id, 311);
	v.votes[1].lsn = 9000;
	cr_assert_eq(plan_of(&v).rule->id, 307, "who has it all comes first");
}

Test(decide, lets_a_promotion_open_where_no_time_is_given_to_crashed_ones)
{
	struct view v = follower();

	v.cfg.primary_start_timeout_ms = 0;
	str_clip(v.cluster.leader, sizeof(v.cluster.leader), v.name);
	lease_proven(&v.lease, v.cluster.leader_epoch, 7, NOW, 5000);
	v.crash_since_ms = NOW;
	cr_assert_eq(plan_of(&v).rule->id, 323);
	v.crash_since_ms = NOW - CRASH_FLOOR_MS + 1;
	cr_assert_eq(plan_of(&v).rule->id, 323, "a promotion takes its time");
	v.crash_since_ms = NOW - CRASH_FLOOR_MS;
	cr_assert_eq(plan_of(&v).rule->id, 308, "it does not come to an end");
	v.cluster.members[0].state = v.cluster.members[2].state = STATE_STOPPED;
	cr_assert_eq(plan_of(&v).rule->id, 323, "nobody else could");
}

Test(decide, clients_of_poolers_wait_just_before_the_stop)
{
	struct view v = leader();

	v.handover_asked = true;
	v.poolers = true;
	v.election_since_ms = NOW - 60;
	vote(&v, "a", 8900);
	vote(&v, "c", 9000);
	cr_assert_eq(plan_of(&v).rule->id, 202);
	v.handover_checkpointed = true;
	cr_assert_eq(plan_of(&v).rule->id, 205);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	v.poolers_asked = true;
	cr_assert_eq(plan_of(&v).rule->id, 203);
	/* Nobody is made to wait again by a stop that has begun. */
	v.poolers_asked = false;
	v.handover_begun = true;
	cr_assert_eq(plan_of(&v).rule->id, 203);
}

Test(decide, hands_over_by_steps)
{
	struct view v = leader();

	v.handover_asked = true;
	v.election_since_ms = NOW - 60;
	cr_assert_eq(plan_of(&v).rule->id, 201);
	vote(&v, "a", 8900);
	vote(&v, "c", 9000);
	cr_assert_eq(plan_of(&v).rule->id, 202);
	cr_assert_str_eq(plan_of(&v).verdict.other, "c");
	v.handover_checkpointed = true;
	cr_assert_eq(plan_of(&v).rule->id, 203);
	v.handover_begun = true;
	str_clip(v.handover_to, NAME_SIZE, "c");
	v.pg.run = PG_DOWN;
	cr_assert_eq(plan_of(&v).rule->id, 204);
	cr_assert_str_eq(plan_of(&v).release_to, "c");
}

Test(decide, rewinds_what_diverged_and_copies_what_cannot_be_rewound)
{
	struct view v = follower();

	v.pg.run = PG_DOWN;
	v.pg.role = ROLE_UNKNOWN;
	v.pg.standby_signal = false;
	v.pg.control = CONTROL_SHUT_DOWN;
	v.pg.timeline = 0; /* never seen running in this life */
	v.pg.control_timeline = 1;
	v.pg.control_end_lsn = 9000;
	cr_assert_eq(plan_of(&v).rule->id, 502);
	v.upstream_epoch = 50;
	v.upstream = (struct history){ .timeline = 2, .n = 1, .entries = { { 1, 8000 } } };
	cr_assert_eq(plan_of(&v).rule->id, 504);
	v.cluster.members[0].checkpoint_done = TRI_NO;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	v.pg.can_rewind = false;
	cr_assert_eq(plan_of(&v).rule->id, 506);
	v.cfg.remove_on_rewind_failure = true;
	cr_assert_eq(plan_of(&v).rule->id, 505);
	v.upstream.entries[0].end_lsn = 9000;
	cr_assert_eq(plan_of(&v).rule->id, 503);
}

Test(decide, removes_what_a_failed_bootstrap_made_before_it_gives_the_race_back)
{
	struct view v = follower();

	v.cluster.init = INIT_PENDING;
	v.cluster.leader[0] = '\0';
	v.cluster.leader_epoch = v.last_epoch = 0;
	v.init_mine = v.boot_failed = true;
	v.pg = (struct pg_state){ .run = PG_DOWN, .dir = DIR_PRESENT, .boot_unfinished = true };
	v.cluster.release.present = true;
	cr_assert_eq(plan_of(&v).rule->id, 609);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_DISCARD);
	cr_assert_eq(plan_of(&v).more, MV_NONE);
	/* A disk that does not let it go must not keep the others waiting. */
	v.discard_failures = 2;
	v.work_backoff_until_ms = NOW + 1;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	cr_assert_eq(plan_of(&v).more, MV_NONE);
	v.discard_failures = 3;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	cr_assert_eq(plan_of(&v).more, MV_UNRACE);
	/* What is finished is nobody's rubbish. */
	v.pg.boot_unfinished = false;
	cr_assert_eq(plan_of(&v).rule->id, 611);
}

Test(decide, what_is_left_of_data_that_was_to_be_replaced_is_replaced)
{
	struct view v = follower();

	/* By pg_rewind it may only be mended where the settings have it. */
	v.pg = (struct pg_state){ .run = PG_DOWN, .dir = DIR_HALF };
	cr_assert_eq(plan_of(&v).rule->id, 506);
	v.pg.emptied = true;
	cr_assert_eq(plan_of(&v).rule->id, 505);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_CLONE);
	/* And whatever happens meanwhile, nobody takes it for a server. */
	v.cluster.leader[0] = '\0';
	v.cluster.leader_epoch = 0;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
}

Test(decide, restarts_a_standby_whose_replay_waits_for_higher_settings)
{
	struct view v = follower();

	v.pg.run = PG_UP;
	v.pg.role = ROLE_REPLICA;
	v.pg.replay_paused = true;
	cr_assert_eq(plan_of(&v).rule->id, 512);
	v.pg.replay_starved = true;
	v.starved_since_ms = NOW - 14999;
	cr_assert_eq(plan_of(&v).rule->id, 512);
	v.starved_since_ms = NOW - 15000;
	cr_assert_eq(plan_of(&v).rule->id, 306);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_STOP_FAST);
	v.mode = MODE_PAUSED;
	cr_assert_neq(plan_of(&v).pg_verb, PGV_STOP_FAST);
	v.mode = MODE_AUTO;
	v.pg.role = ROLE_PRIMARY;
	cr_assert_neq(plan_of(&v).rule->id, 306);
}

/* A standby that does not stream and knows that it descends from the leader. */
static struct view behind(void)
{
	struct view v = follower();

	v.pg.run = PG_UP;
	v.pg.role = ROLE_REPLICA;
	v.pg.timeline = 1;
	v.pg.receive_lsn = 7000;
	v.pg.replay_lsn = 7500;
	v.position_lsn = 7500;
	v.position_since_ms = NOW - 5000;
	v.not_streaming_since_ms = NOW - 5000;
	v.upstream_epoch = 50;
	v.upstream = (struct history){ .timeline = 2, .n = 1, .entries = { { 1, 8000 } } };
	return v;
}

Test(decide, replaces_a_standby_whose_next_wal_the_leader_has_removed)
{
	struct view v = behind();

	cr_assert_eq(plan_of(&v).rule->id, 511);
	v.wal_asked_at_ms = NOW - 29999;
	cr_assert_eq(plan_of(&v).rule->id, 512);
	v.wal_asked_at_ms = NOW - 30000;
	cr_assert_eq(plan_of(&v).rule->id, 511);

	v.wal_asked_at_ms = NOW - 1000;
	v.wal_gone_lsn = 7500;
	cr_assert_eq(plan_of(&v).rule->id, 510);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_STOP_FAST);
	cr_assert_not_null(strstr(plan_of(&v).note, "removed the WAL that comes next here, from "
						    "0/1D4C on"));
	/* It got further after all. */
	v.pg.replay_lsn = 7501;
	cr_assert_eq(plan_of(&v).rule->id, 512);
	v.pg.replay_lsn = 7500;
	v.pg.run = PG_DOWN;
	v.pg.control = CONTROL_SHUT_DOWN_IN_RECOVERY;
	cr_assert_eq(plan_of(&v).rule->id, 505);
	/* Another leader may have it. */
	v.cluster.leader_epoch = v.last_epoch = 51;
	cr_assert_eq(plan_of(&v).rule->id, 502);
}

Test(decide, does_not_ask_for_wal_before_the_own_is_replayed)
{
	struct view v = behind();

	v.pg.receive_lsn = 0;
	cr_assert_eq(plan_of(&v).rule->id, 512);
}

Test(decide, gives_an_archive_time_to_bring_the_wal)
{
	struct view v = behind();

	v.pg.has_restore_command = true;
	v.wal_gone_lsn = 7500;
	v.position_since_ms = NOW - 119999;
	cr_assert_eq(plan_of(&v).rule->id, 512);
	v.position_since_ms = -20000;
	cr_assert_eq(plan_of(&v).rule->id, 510);
	v.pg.has_restore_command = false;
	str_clip(v.tags.replicatefrom, NAME_SIZE, "c");
	cr_assert_eq(plan_of(&v).rule->id, 510);
	v.position_since_ms = -19999;
	cr_assert_eq(plan_of(&v).rule->id, 512);
}

Test(decide, copies_from_a_clonefrom_member_before_the_leader)
{
	struct view v = follower();

	v.pg = (struct pg_state){ .run = PG_DOWN, .dir = DIR_EMPTY };
	cr_assert_eq(plan_of(&v).rule->id, 500);
	cr_assert_eq(plan_of(&v).source, 0);
	v.cluster.members[2].tags.clonefrom = true;
	cr_assert_eq(plan_of(&v).source, 2);
	v.work_backoff_until_ms = NOW + 1;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
}

Test(decide, never_touches_data_of_another_cluster)
{
	struct view v = follower();

	v.pg.run = PG_DOWN;
	str_clip(v.pg.sysid, SYSID_SIZE, "7999999999999999999");
	cr_assert_eq(plan_of(&v).rule->id, 507);
	cr_assert_str_eq(plan_of(&v).note, "the system identifier here is 7999999999999999999, that "
					   "of the cluster is 7000000000000000001");
}

Test(decide, races_only_where_a_bootstrap_is_allowed)
{
	struct view v = follower();

	v.pg = (struct pg_state){ .run = PG_DOWN, .dir = DIR_EMPTY };
	v.cluster.leader[0] = '\0';
	v.cluster.leader_epoch = v.last_epoch = 0;
	v.cluster.init = INIT_ABSENT;
	cr_assert_eq(plan_of(&v).rule->id, 610);
	v.cfg.has_bootstrap = false;
	cr_assert_eq(plan_of(&v).rule->id, 614);
	v.cfg.has_bootstrap = true;
	v.cluster.init = INIT_GARBAGE; /* unreadable is not absent */
	cr_assert_neq(plan_of(&v).more, MV_RACE);
}

Test(decide, does_nothing_in_pause_by_itself)
{
	struct view v = leader();

	v.mode = MODE_PAUSED;
	v.now_ms = NOW + 60000;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
}

/* A leader that gave its term up because its Postgres hangs. */
static struct view hung(enum pg_disk disk)
{
	struct view v = leader();

	v.hung_given_up = true;
	v.pg.vitals.disk = disk;
	v.pg.vitals.door = disk == DISK_STALLED ? DOOR_OPEN : DOOR_STOPPED;
	return v;
}

Test(decide, kills_what_hangs_and_renews_no_more)
{
	struct view v = hung(DISK_OK);

	cr_assert_eq(plan_of(&v).rule->id, 100);
	cr_assert_eq(plan_of(&v).lease_verb, LV_LAPSE);
	cr_assert_str_eq(plan_of(&v).note, "the postmaster is stopped");
	/* Neither a hand-over nor an operation under way, nor a dead postmaster, changes it. */
	v.handover_begun = true;
	v.job = VJOB_STOPPING;
	v.pg.run = PG_LEFTOVERS;
	cr_assert_eq(plan_of(&v).rule->id, 100);
	v.mode = MODE_PAUSED;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
}

Test(decide, gives_the_key_back_when_all_that_hung_is_dead_and_the_disk_is_well)
{
	struct view v = hung(DISK_OK);

	v.pg.run = PG_DOWN;
	cr_assert_eq(plan_of(&v).lease_verb, LV_RELEASE);
	v.pg.vitals.disk = DISK_STALLED;
	cr_assert_eq(plan_of(&v).rule->id, 102);
	cr_assert_eq(plan_of(&v).lease_verb, LV_LAPSE);
	/* Nobody else can lead: it starts again. */
	v = hung(DISK_OK);
	v.pg.run = PG_DOWN;
	v.cluster.nmembers = 1;
	v.cluster.members[0] = v.cluster.members[1];
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_PRIMARY);
}

Test(decide, starts_nothing_on_a_disk_that_stands_still)
{
	struct view v = leader();

	v.pg.run = PG_DOWN;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_START_PRIMARY);
	v.pg.vitals.disk = DISK_STALLED;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	cr_assert_str_eq(plan_of(&v).note, "the disk stands still");
	v = follower();
	v.pg.vitals.disk = DISK_STALLED;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
}

/* A leader that has to have a guardian, without one for this long. */
static struct view unguarded(int64_t for_ms)
{
	struct view v = leader();

	v.guard_required = true;
	v.guard_lost_since_ms = NOW - for_ms;
	v.handover_asked = situation_unguarded(&v, GUARD_GRACE);
	v.election_since_ms = NOW - 50;
	return v;
}

Test(decide, hands_over_when_the_required_guardian_stays_away)
{
	struct view v = unguarded(1249);

	cr_assert_not(v.handover_asked);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	v = unguarded(1250);
	cr_assert(v.handover_asked);
	cr_assert_eq(plan_of(&v).rule->id, 201, "%u", plan_of(&v).rule->id);
}

Test(decide, stops_after_a_term_without_the_required_guardian_though_nobody_can_take_over)
{
	struct view v = unguarded(4999);

	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
	v = unguarded(5000);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_STOP_FAST, "%u", plan_of(&v).rule->id);
	cr_assert_eq(plan_of(&v).rule->id, 203);
	/* Not where nothing is to be stopped by itself. */
	v.mode = MODE_PAUSED;
	v.handover_asked = false;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_LEAVE);
}

/* A standby that holds the key, and is to be promoted. */
static struct view chosen(void)
{
	struct view v = follower();

	str_clip(v.cluster.leader, sizeof(v.cluster.leader), v.name);
	v.cluster.leader_epoch = v.last_epoch = v.cluster.beat_epoch = 60;
	lease_proven(&v.lease, 60, 7, NOW, 5000);
	return v;
}

Test(decide, fences_the_old_leader_before_it_promotes)
{
	struct view v = chosen();
	struct plan plan = plan_of(&v);

	cr_assert_eq(plan.pg_verb, PGV_PROMOTE);
	str_clip(v.fence_due, sizeof(v.fence_due), "a");
	plan = plan_of(&v);
	cr_assert_eq(plan.rule->id, 325);
	cr_assert_eq(plan.pg_verb, PGV_FENCE);
	cr_assert_eq(plan.lease_verb, LV_KEEP);
	cr_assert_str_eq(plan.note, "to be fenced: 'a'");

	/* A restart or a new copy that an operator wants does not hide it. */
	v.reinit = true;
	v.restart = RESTART_STOPPING;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_FENCE);

	v.restart = RESTART_NONE;
	v.pg.run = PG_DOWN;
	v.pg.role = ROLE_UNKNOWN;
	plan = plan_of(&v);
	cr_assert_eq(plan.rule->id, 326);
	cr_assert_eq(plan.pg_verb, PGV_START_STANDBY);
}

Test(decide, gives_the_key_back_when_the_old_leader_cannot_be_fenced)
{
	struct view v = chosen();
	struct plan plan;

	str_clip(v.fence_due, sizeof(v.fence_due), "a");
	str_clip(v.fence_why, sizeof(v.fence_why), "'a' could not be fenced: no power");
	v.fence_refused = true;
	plan = plan_of(&v);
	cr_assert_eq(plan.rule->id, 308);
	cr_assert_eq(plan.pg_verb, PGV_LEAVE);
	cr_assert_eq(plan.lease_verb, LV_RELEASE);
	cr_assert_str_eq(plan.note, "'a' could not be fenced: no power");

	v.cfg.pause = true;
	v.mode = MODE_PAUSED;
	cr_assert_eq(plan_of(&v).lease_verb, LV_RELEASE);
}

Test(decide, fences_in_pause_whom_an_operator_replaces)
{
	struct view v = chosen();

	v.mode = MODE_PAUSED;
	v.promote_pending = true;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_PROMOTE);
	str_clip(v.fence_due, sizeof(v.fence_due), "a");
	cr_assert_eq(plan_of(&v).rule->id, 229);
	cr_assert_eq(plan_of(&v).pg_verb, PGV_FENCE);
}

/* Nobody leads, everybody answered: this standby is the best placed. */
static struct view best_placed(void)
{
	struct view v = election();

	v.etcd_known = v.etcd_fixed = true;
	return v;
}

Test(decide, does_not_lead_without_the_module_that_is_required)
{
	struct view v = best_placed();

	cr_assert_eq(plan_of(&v).lease_verb, LV_ACQUIRE);
	v.module_required = v.module_lost = true;
	v.guard_lost_since_ms = NOW;
	cr_assert_eq(plan_of(&v).situation.rank, RANK_NEVER);
	cr_assert_eq(plan_of(&v).lease_verb, LV_KEEP);
	cr_assert(strstr(plan_of(&v).verdict.why, "pgha_fence") != NULL);
}

Test(decide, hands_over_where_the_module_is_missing_and_stops_after_a_term)
{
	struct view v = leader();

	v.module_required = v.module_lost = v.handover_asked = true;
	v.guard_lost_since_ms = NOW - v.cfg.ttl_ms / 2;
	v.election_since_ms = NOW - 500;
	cr_assert_eq(plan_of(&v).situation.ask, ASK_SEEK);
	vote(&v, "a", 9000);
	vote(&v, "c", 9000);
	cr_assert_eq(plan_of(&v).situation.ask, ASK_PREPARE);

	v.nvotes = 0;
	v.guard_lost_since_ms = NOW - v.cfg.ttl_ms;
	cr_assert_eq(plan_of(&v).rule->id, 203);
}

Test(decide, gives_the_key_back_where_a_fence_is_missing_that_is_required)
{
	struct view v = chosen();

	v.module_required = v.module_lost = true;
	v.guard_lost_since_ms = NOW - 10;
	cr_assert_eq(plan_of(&v).pg_verb, PGV_PROMOTE); /* which asks once more itself */
	v.guard_lost_since_ms = NOW - v.cfg.ttl_ms;
	cr_assert_eq(plan_of(&v).rule->id, 308);
	cr_assert_eq(plan_of(&v).lease_verb, LV_RELEASE);
}

Test(decide, says_that_the_margin_leaves_the_watchdog_no_time)
{
	struct view v = best_placed();

	v.dog_required = v.dog_lost = v.dog_margin = true;
	v.guard_lost_since_ms = NOW;
	cr_assert(strstr(plan_of(&v).verdict.why, "safety_margin") != NULL);
	v.dog_margin = false;
	cr_assert(strstr(plan_of(&v).verdict.why, "does not work here") != NULL);
}
