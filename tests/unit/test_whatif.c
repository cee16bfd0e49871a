/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_whatif - suppositions: what they change, who would lead, and what it would cost
 */
#include <criterion/criterion.h>

#include "base/str.h"
#include "core/whatif.h"

#define NOW 100000
#define END 9500

/* 'a' leads 'b' and 'c', all in good health: what each test starts from. */
static struct view view;
static struct vote votes[2];
static struct whatif ifs[WHATIFS_MAX];
static uint32_t nifs;
static struct whatif_answer answer;

static void add(const char *name)
{
	struct member *m = &view.cluster.members[view.cluster.nmembers++];

	str_clip(m->name, sizeof(m->name), name);
	str_clip(m->host, sizeof(m->host), "10.0.0.1");
	str_clip(m->api_url, sizeof(m->api_url), "http://x/patroni");
	m->port = 5432;
	m->is_pgha = true;
	m->state = STATE_RUNNING;
	m->tags.failover_priority = 1;
}

static struct vote standby(const char *name, uint64_t lsn)
{
	struct vote vote = { .asked_at_ms = NOW, .answered = true, .heard = true,
			     .in_recovery = true, .streaming = true, .failover_priority = 1,
			     .timeline = 2, .lsn = lsn };

	str_clip(vote.name, sizeof(vote.name), name);
	return vote;
}

static void setup(void)
{
	view = (struct view){ .now_ms = NOW, .dcs_seen_at_ms = NOW - 100,
			      .cluster_read_at_ms = 1000, .sign_at_ms = NOW - 500,
			      .sign_ttl_ms = 5000, .last_epoch = 50, .etcd_known = true,
			      .etcd_fixed = true };
	str_clip(view.name, sizeof(view.name), "a");
	view.tags.failover_priority = 1;
	view.cfg = (struct config_ha){ .ttl_ms = 5000, .loop_wait_ms = 1000, .use_slots = true,
				       .maximum_lag_bytes = 1048576, .use_pg_rewind = true,
				       .primary_start_timeout_ms = 300000 };
	view.cluster.leader_known = true;
	view.cluster.revision = 70;
	view.cluster.init = INIT_SET;
	view.cluster.history_timeline = 2;
	str_clip(view.cluster.sysid, SYSID_SIZE, "7000000000000000001");
	str_clip(view.cluster.leader, NAME_SIZE, "a");
	str_clip(view.last_leader, NAME_SIZE, "a");
	view.cluster.leader_epoch = 50;
	add("a");
	add("b");
	add("c");
	view.pg = (struct pg_state){ .run = PG_UP, .role = ROLE_PRIMARY, .dir = DIR_PRESENT,
				     .can_rewind = true, .timeline = 2, .control_timeline = 2,
				     .flush_lsn = END };
	str_clip(view.pg.sysid, SYSID_SIZE, "7000000000000000001");
	lease_proven(&view.lease, 50, 1, NOW - 400, 5000);
	votes[0] = standby("b", END);
	votes[1] = standby("c", END);
	nifs = 0;
}

static void suppose(const char *text)
{
	struct err err = { 0 };

	cr_assert_eq(whatif_parse(text, &ifs[nifs++], &err), 0, "%s", err.msg);
}

static struct whatif_case asked(void)
{
	return (struct whatif_case){ .view = &view, .votes = votes, .nvotes = 2, .ifs = ifs,
				     .nifs = nifs };
}

static void run(void)
{
	struct whatif_case c = asked();
	struct err err = { 0 };

	cr_assert_eq(whatif_check(&c, &err), 0, "%s", err.msg);
	whatif_run(&c, &answer);
}

static const struct whatif_member *member(const char *name)
{
	for (uint32_t i = 0; i < answer.nmembers; i++)
		if (str_eq(answer.members[i].name, name))
			return &answer.members[i];
	cr_assert(false, "no member '%s'", name);
	return NULL;
}

static uint16_t rule_of(const char *name, uint32_t step)
{
	cr_assert_lt(step, member(name)->nsteps, "%s has %u steps", name, member(name)->nsteps);
	return member(name)->steps[step].rule->id;
}

/* The same cluster as 'b' sees it. */
static void ask_b(void)
{
	str_clip(view.name, sizeof(view.name), "b");
	lease_drop(&view.lease);
	view.pg.role = ROLE_REPLICA;
	view.pg.standby_signal = true;
	view.pg.streaming = true;
	view.pg.receive_lsn = view.pg.replay_lsn = END;
	votes[0] = (struct vote){ .asked_at_ms = NOW, .answered = true, .heard = true,
				  .failover_priority = 1, .timeline = 2, .lsn = END };
	str_clip(votes[0].name, sizeof(votes[0].name), "a");
}

static void check_misread(const char *text, const char *why)
{
	struct whatif w;
	struct err err = { 0 };

	cr_assert_lt(whatif_parse(text, &w, &err), 0, "'%s' was understood", text);
	cr_assert_neq(strstr(err.msg, why), NULL, "'%s': %s", text, err.msg);
}

TestSuite(whatif, .init = setup);

Test(whatif, understands_its_forms)
{
	char text[WHATIF_TEXT_MAX];

	suppose("  n1   GONE ");
	cr_assert_eq(ifs[0].kind, WHATIF_GONE);
	cr_assert_str_eq(whatif_text(&ifs[0], text), "n1 gone");
	suppose("etcd gone");
	cr_assert_eq(ifs[1].kind, WHATIF_STORE_GONE);
	cr_assert_str_eq(whatif_text(&ifs[1], text), "etcd gone");
	suppose("n2 lagging 20MB");
	cr_assert_eq(ifs[2].kind, WHATIF_LAGGING);
	cr_assert_eq(ifs[2].bytes, 20971520);
	cr_assert_str_eq(whatif_text(&ifs[2], text), "n2 lagging 20971520B");
	suppose("paused");
	cr_assert_eq(ifs[3].kind, WHATIF_PAUSED);
	suppose("n1 crashed");
	cr_assert_eq(ifs[4].kind, WHATIF_CRASHED);
	suppose("n1 nofailover");
	cr_assert_eq(ifs[5].kind, WHATIF_NOFAILOVER);
}

Test(whatif, tells_the_forms_when_it_does_not_understand)
{
	check_misread("", "'MEMBER lagging SIZE'");
	check_misread("n1", "'MEMBER gone'");
	check_misread("n1 is gone", "'MEMBER gone'");
	check_misread("n1 lagging", "'MEMBER lagging SIZE'");
	check_misread("etcd slow", "'etcd gone'");
	check_misread("n1 etcd", "there are");
	check_misread("n1 paused", "there are");
	check_misread("n2 lagging much", "'much' is no size");
	check_misread("n2 lagging -5MB", "is no size");
	check_misread("n2 lagging 5 MB please", "there are");
}

Test(whatif, refuses_what_is_not_of_this_cluster)
{
	struct whatif_case c;
	struct err err = { 0 };

	suppose("n7 gone");
	c = asked();
	cr_assert_lt(whatif_check(&c, &err), 0);
	cr_assert_str_eq(err.msg, "there is no member 'n7': the members are a, b, c");
	nifs = 0;
	suppose("a lagging 1MB");
	c = asked();
	cr_assert_lt(whatif_check(&c, &err), 0);
	cr_assert_neq(strstr(err.msg, "'a' leads"), NULL);
	view.cluster.leader_known = false;
	nifs = 0;
	c = asked();
	cr_assert_eq(whatif_check(&c, &err), -ERR_STATE);
}

Test(whatif, of_equals_the_first_by_name_would_lead)
{
	run();
	cr_assert(answer.supposed_lost);
	cr_assert_eq(answer.end, WHATIF_ELECTED);
	cr_assert_str_eq(answer.winner, "b");
	cr_assert_eq(rule_of("a", 0), 321);
	cr_assert_eq(rule_of("b", 0), 512);
	cr_assert_eq(rule_of("b", 1), 421);
	cr_assert_eq(member("c")->verdict.rank, RANK_WAIT);
	cr_assert_str_eq(member("c")->verdict.other, "b");
	cr_assert_eq(answer.lost_to_lsn - answer.lost_from_lsn, 0);
	cr_assert_eq(answer.free_least_ms, 4167);
	cr_assert_eq(answer.free_most_ms, 5500);
	cr_assert_eq(answer.election_ms, RANK_SEAL_MS);
}

Test(whatif, beats_need_no_tick_of_etcd)
{
	view.etcd_fixed = false;
	run();
	cr_assert_eq(answer.free_most_ms, 5000);
}

Test(whatif, more_wal_wins_and_the_rest_is_what_is_lost)
{
	votes[0].lsn = 8000;
	votes[1].lsn = 9000;
	run();
	cr_assert_str_eq(answer.winner, "c");
	cr_assert_eq(answer.lost_from_lsn, 9000);
	cr_assert_eq(answer.lost_to_lsn, END);
	cr_assert_str_eq(member("b")->verdict.why, "has more WAL than this member");
}

Test(whatif, who_lags_does_not_win)
{
	suppose("b lagging 100B");
	run();
	cr_assert_str_eq(answer.winner, "c");
	cr_assert_eq(member("b")->lsn, END - 100);
}

Test(whatif, who_lags_too_much_never_wins)
{
	view.cluster.status_optime_lsn = view.pg.flush_lsn = 90000000;
	suppose("b lagging 20MB");
	suppose("c lagging 20MB");
	run();
	cr_assert_eq(answer.end, WHATIF_NOBODY);
	cr_assert_str_eq(member("b")->verdict.why, "lags more than maximum_lag_on_failover");
}

Test(whatif, tags_of_all_count)
{
	suppose("b nofailover");
	run();
	cr_assert_str_eq(answer.winner, "c");
	cr_assert_eq(member("b")->verdict.rank, RANK_NEVER);
}

Test(whatif, a_standby_tells_the_same)
{
	ask_b();
	suppose("a gone");
	run();
	cr_assert(!answer.supposed_lost);
	cr_assert_str_eq(answer.winner, "b");
	cr_assert_eq(member("a")->who, WHATIF_LOST);
	cr_assert_eq(member("a")->nsteps, 0);
	cr_assert_eq(rule_of("b", 1), 421);
	cr_assert_eq(member("c")->verdict.rank, RANK_WAIT);
}

Test(whatif, whoever_is_gone_does_not_win)
{
	suppose("a gone");
	suppose("b gone");
	run();
	cr_assert_str_eq(answer.winner, "c");
	nifs = 0;
	votes[0].failed = true;
	votes[0].heard = false;
	suppose("c gone");
	run();
	cr_assert_eq(answer.end, WHATIF_NOBODY);
	cr_assert_eq(member("b")->who, WHATIF_SILENT);
}

Test(whatif, who_lost_etcd_before_is_asked_and_does_not_lead)
{
	struct gone_member *gone = &view.cluster.gone[view.cluster.ngone++];

	view.cluster.nmembers = 2;
	str_clip(gone->name, sizeof(gone->name), "c");
	str_clip(gone->host, sizeof(gone->host), "10.0.0.3");
	gone->port = 5432;
	gone->is_pgha = true;
	votes[1].failed = true;
	votes[1].heard = false;
	run();
	cr_assert_str_eq(answer.winner, "b");
	votes[1] = standby("c", END);
	votes[0].lsn = END - 100;
	run();
	cr_assert_str_eq(answer.winner, "b");
	cr_assert_eq(member("b")->verdict.rank, RANK_FETCH);
}

Test(whatif, a_synchronous_standby_alone_may_lead)
{
	view.cluster.sync.present = true;
	str_clip(view.cluster.sync.leader, NAME_SIZE, "a");
	view.cluster.sync.nstandbys = 1;
	str_clip(view.cluster.sync.standbys[0], NAME_SIZE, "c");
	run();
	cr_assert(answer.synchronous);
	cr_assert_eq(answer.end, WHATIF_ELECTED);
	nifs = 0;
	suppose("c gone");
	run();
	cr_assert_eq(answer.end, WHATIF_NOBODY);
	cr_assert_str_eq(member("b")->verdict.why,
			 "too few of the synchronous standbys tell a final position");
}

Test(whatif, in_pause_nobody_leads)
{
	suppose("paused");
	run();
	cr_assert_eq(answer.end, WHATIF_NOBODY);
	cr_assert_str_eq(member("b")->verdict.why, "the cluster is paused");
}

Test(whatif, without_etcd_the_primary_ends)
{
	suppose("etcd gone");
	run();
	cr_assert_eq(answer.end, WHATIF_NOBODY);
	cr_assert_eq(rule_of("a", 0), 321);
	cr_assert_eq(rule_of("a", 1), 322);
	cr_assert_eq(member("a")->steps[1].at_ms, 2100);
	cr_assert_eq(rule_of("a", 2), 112);
	cr_assert_eq(member("a")->steps[2].at_ms, 2900);
	cr_assert_eq(rule_of("b", 1), 520);
}

static void list(enum failsafe_mode mode)
{
	struct failsafe_key *key = &view.cluster.failsafe;

	view.cfg.failsafe = mode;
	*key = (struct failsafe_key){ .present = true, .mark = (uint8_t)mode, .n = 3 };
	for (uint32_t i = 0; i < 3; i++)
		str_clip(key->names[i], NAME_SIZE, view.cluster.members[i].name);
}

Test(whatif, without_etcd_promises_keep_the_primary)
{
	list(FAILSAFE_ALL);
	suppose("etcd gone");
	run();
	cr_assert_eq(answer.end, WHATIF_STAYS);
	cr_assert_str_eq(answer.winner, "a");
	cr_assert_eq(rule_of("a", 1), 327);
	suppose("c gone");
	run();
	cr_assert_eq(answer.end, WHATIF_NOBODY);
	list(FAILSAFE_QUORUM);
	run();
	cr_assert_eq(answer.end, WHATIF_STAYS);
}

Test(whatif, a_crash_is_handed_over_to_who_has_all)
{
	votes[0].lsn = END - 1;
	suppose("a crashed");
	run();
	cr_assert_eq(answer.end, WHATIF_HANDED);
	cr_assert_str_eq(answer.winner, "c");
	cr_assert_eq(answer.free_most_ms, 0);
	cr_assert_eq(rule_of("a", 0), 307);
}

Test(whatif, a_crash_is_mended_in_place_where_nobody_has_all)
{
	votes[0].lsn = votes[1].lsn = END - 1;
	suppose("a crashed");
	run();
	cr_assert_eq(answer.end, WHATIF_STAYS);
	cr_assert_str_eq(answer.winner, "a");
	cr_assert_eq(rule_of("a", 0), 309);
	cr_assert_eq(rule_of("a", 1), 324);
}

Test(whatif, a_crash_is_failed_over_where_told_so)
{
	view.cfg.on_primary_crash = CRASH_FAILOVER;
	votes[0].lsn = votes[1].lsn = END - 1;
	suppose("a crashed");
	run();
	cr_assert_eq(answer.end, WHATIF_ELECTED);
	cr_assert_str_eq(answer.winner, "b");
	cr_assert_eq(answer.lost_to_lsn - answer.lost_from_lsn, 1);
	cr_assert_eq(answer.free_least_ms, 0);
}

Test(whatif, changes_nothing_that_was_handed_in)
{
	static struct view before;
	struct whatif_case c;

	suppose("a crashed");
	suppose("b lagging 1kB");
	before = view;
	c = asked();
	whatif_run(&c, &answer);
	cr_assert_eq(memcmp(&before, &view, sizeof(view)), 0);
}
