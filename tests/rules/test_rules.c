/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_rules - every situation there is, against what may never happen
 *
 * All combinations of the dimensions are enumerated, feasible or not: some millions, packed into
 * bits so that a match is one AND. The properties are written down once, independent of the rows.
 */
#include <criterion/criterion.h>

#include "core/rules.h"

#define RULES_MAX 128

static uint64_t masks[RULES_MAX];
static uint64_t fired[RULES_MAX];

typedef void (*visit_fn)(const struct situation *s, const struct rule *rule);

static size_t first_match(uint64_t bits)
{
	size_t n = rules_count();

	for (size_t i = 0; i < n; i++)
		if ((bits & masks[i]) == bits)
			return i;
	cr_assert_fail("a situation has no row");
	return n;
}

/* clang-format off */
static void visit_tail(struct situation *s, visit_fn visit)
{
	for (uint32_t mode = 0; mode < MODE__MAX; mode++)
	for (uint32_t rank = 0; rank < RANK__MAX; rank++)
	for (uint32_t ask = 0; ask < ASK__MAX; ask++)
	for (uint32_t store = 0; store < STORE__MAX; store++) {
		size_t hit;

		s->mode = (enum mode)mode;
		s->rank = (enum rank)rank;
		s->ask = (enum situation_ask)ask;
		s->store = (enum situation_store)store;
		hit = first_match(rules_bits(s));
		fired[hit]++;
		visit(s, rules_at(hit));
	}
}

static void every_situation(visit_fn visit)
{
	struct situation s;

	cr_assert_leq(rules_count(), RULES_MAX);
	for (size_t i = 0; i < rules_count(); i++) {
		masks[i] = rules_mask(rules_at(i));
		fired[i] = 0;
	}
	for (uint32_t leader = 0; leader < LEADER__MAX; leader++)
	for (uint32_t lease = 0; lease < LEASE__MAX; lease++)
	for (uint32_t pg = 0; pg < SPG__MAX; pg++)
	for (uint32_t role = 0; role < SROLE__MAX; role++)
	for (uint32_t data = 0; data < DATA__MAX; data++)
	for (uint32_t job = 0; job < JOB__MAX; job++) {
		s = (struct situation){ .leader = (enum leader_claim)leader,
					.lease = (enum lease_state)lease,
					.pg = (enum situation_pg)pg,
					.role = (enum situation_role)role,
					.data = (enum situation_data)data,
					.job = (enum situation_job)job };
		visit_tail(&s, visit);
	}
}
/* clang-format on */

/* The text is made only for a failure, to keep the millions cheap. */
#define PROPERTY(holds, s, rule, text)                                                         \
	do {                                                                                   \
		if (!(holds)) {                                                                \
			char buf_[SITUATION_TEXT_MAX];                                         \
			cr_assert_fail("%s: rule %d in %s", text, (rule)->id,                  \
				       situation_text(s, buf_));                               \
		}                                                                              \
	} while (0)

static bool stops(const struct rule *rule)
{
	return rule->pg_verb == PGV_STOP_FAST || rule->pg_verb == PGV_KILL;
}

static void unproven_primary_is_stopped(const struct situation *s, const struct rule *rule)
{
	bool proven = s->lease == LEASE_HELD || s->lease == LEASE_FADING ||
		      s->lease == LEASE_FAILSAFE;
	bool graced = s->lease == LEASE_ADOPT && s->leader != LEADER_OTHER;

	if (s->mode == MODE_PAUSED || !situation_may_write(s))
		return;
	PROPERTY(proven || graced || stops(rule), s, rule, "a possible primary is left running");
	PROPERTY(s->leader != LEADER_OTHER || rule->pg_verb == PGV_KILL, s, rule,
		 "a possible primary lives beside another leader");
}

Test(rules, leave_no_possible_primary_running_without_a_proven_lease)
{
	every_situation(unproven_primary_is_stopped);
}

static void writable_needs_lease(const struct situation *s, const struct rule *rule)
{
	if (rule->pg_verb != PGV_PROMOTE && rule->pg_verb != PGV_START_PRIMARY &&
	    rule->pg_verb != PGV_POST_BOOTSTRAP)
		return;
	PROPERTY(s->leader == LEADER_ME, s, rule, "writable without the key");
	if (rule->pg_verb != PGV_POST_BOOTSTRAP)
		PROPERTY(s->lease == LEASE_HELD, s, rule, "writable without a held lease");
	PROPERTY(s->data == DATA_READY || s->data == DATA_BOOT || s->mode == MODE_PAUSED, s, rule,
		 "writable with unfit data");
}

Test(rules, make_nothing_writable_without_a_held_lease)
{
	every_situation(writable_needs_lease);
}

/* What an operator wants fenced first is not opened before. */
static void fenced_first(const struct situation *s, const struct rule *rule)
{
	if (s->ask == ASK_FENCE)
		PROPERTY(rule->pg_verb != PGV_PROMOTE && rule->pg_verb != PGV_START_PRIMARY, s,
			 rule, "opened before the old leader is fenced");
	if (rule->pg_verb != PGV_FENCE)
		return;
	PROPERTY(s->ask == ASK_FENCE && s->leader == LEADER_ME, s, rule, "fences unasked");
	PROPERTY(s->lease == LEASE_HELD || s->lease == LEASE_FADING, s, rule,
		 "fences without a lease");
	PROPERTY(s->pg == SPG_UP && s->role == SROLE_REPLICA, s, rule,
		 "fences what another can do better");
	PROPERTY(rule->lease_verb == LV_KEEP, s, rule, "lets the lease go while it fences");
}

Test(rules, open_nothing_before_the_old_leader_is_fenced)
{
	every_situation(fenced_first);
}

/* What the others promise keeps a primary that runs. It begins nothing: nobody is made writable,
 * handed over to or given up by it, for which etcd would be needed. */
static void promises_begin_nothing(const struct situation *s, const struct rule *rule)
{
	enum pg_verb verb = rule->pg_verb;

	if (s->lease != LEASE_FAILSAFE)
		return;
	PROPERTY(verb != PGV_PROMOTE && verb != PGV_START_PRIMARY && verb != PGV_POST_BOOTSTRAP, s,
		 rule, "something is begun under promises");
	if (s->mode == MODE_AUTO && s->ask == ASK_NONE && s->leader != LEADER_OTHER &&
	    s->pg == SPG_UP && s->role == SROLE_PRIMARY)
		PROPERTY(!stops(rule), s, rule, "a promised primary is stopped");
}

Test(rules, keep_a_primary_by_promises_and_begin_nothing)
{
	every_situation(promises_begin_nothing);
}

static void key_is_taken_by_right(const struct situation *s, const struct rule *rule)
{
	bool vacant = s->leader == LEADER_VACANT;
	bool own = s->lease == LEASE_HELD || s->lease == LEASE_FADING ||
		   s->lease == LEASE_FAILSAFE;
	bool runs_primary = s->pg == SPG_UP && s->role == SROLE_PRIMARY;
	bool new_cluster = s->store == STORE_MINE && s->data == DATA_BOOT;

	if (rule->lease_verb == LV_TAKEOVER)
		PROPERTY(s->leader == LEADER_STALE && s->rank == RANK_BEST, s, rule,
			 "a key is deleted that is not stale");
	if (rule->lease_verb == LV_ADOPT)
		PROPERTY(s->leader == LEADER_ME, s, rule, "somebody else's key is adopted");
	if (rule->lease_verb != LV_ACQUIRE)
		return;
	PROPERTY(vacant || (s->leader == LEADER_RECENT && own && runs_primary), s, rule,
		 "a key is taken while another's term may run");
	PROPERTY(s->rank == RANK_BEST || runs_primary || new_cluster, s, rule,
		 "a key is taken out of turn");
}

Test(rules, take_the_key_only_by_right)
{
	every_situation(key_is_taken_by_right);
}

static void key_is_released_by_proof(const struct situation *s, const struct rule *rule)
{
	if (rule->lease_verb != LV_RELEASE)
		return;
	PROPERTY(s->leader == LEADER_ME, s, rule, "somebody else's key is released");
	PROPERTY(s->pg == SPG_DOWN || s->role == SROLE_REPLICA, s, rule,
		 "a key is released while Postgres may take writes");
}

Test(rules, release_the_key_only_when_nothing_can_write)
{
	every_situation(key_is_released_by_proof);
}

static void data_is_kept(const struct situation *s, const struct rule *rule)
{
	enum pg_verb verb = rule->pg_verb;

	if (verb != PGV_CLONE && verb != PGV_REWIND && verb != PGV_INITDB && verb != PGV_DISCARD)
		return;
	PROPERTY(s->pg == SPG_DOWN && s->job == JOB_IDLE, s, rule, "data is changed under Postgres");
	if (verb == PGV_INITDB)
		PROPERTY(s->data == DATA_EMPTY && s->store == STORE_MINE, s, rule, "initdb over data");
	if (verb == PGV_DISCARD)
		PROPERTY(s->data == DATA_BOOT && s->store == STORE_MINE && s->ask == ASK_RELEASE &&
				 s->leader != LEADER_ME,
			 s, rule, "data is removed that no bootstrap of ours gave up");
	if (verb == PGV_REWIND)
		PROPERTY(s->data == DATA_REWIND && s->leader == LEADER_OTHER, s, rule, "rewind");
	if (verb == PGV_CLONE)
		PROPERTY(s->leader == LEADER_OTHER && s->store == STORE_LIVE &&
				 (s->data == DATA_EMPTY || s->data == DATA_REPLACE ||
				  s->ask == ASK_REINIT),
			 s, rule, "data is replaced that nobody gave up");
}

Test(rules, never_touch_data_that_nobody_gave_up)
{
	every_situation(data_is_kept);
}

static void pause_is_quiet(const struct situation *s, const struct rule *rule)
{
	bool asked = s->ask == ASK_RESTART || s->ask == ASK_REINIT || s->ask == ASK_PREPARE ||
		     s->ask == ASK_HANDOVER || s->ask == ASK_TAKE || s->ask == ASK_FENCE;

	/* To follow is a reload of a running standby: nothing starts, stops or changes its role. */
	if (s->mode == MODE_PAUSED && rule->pg_verb != PGV_FOLLOW)
		PROPERTY(rule->pg_verb == PGV_LEAVE || asked, s, rule, "acts in pause");
	if (rule->pg_verb == PGV_FOLLOW)
		PROPERTY(s->pg == SPG_UP && s->role == SROLE_REPLICA && s->leader == LEADER_OTHER,
			 s, rule, "follows without a leader, or as no standby");
}

/* What is fetched comes from one that promised to receive no more, while nobody leads. */
static void fetch_is_for_candidates(const struct situation *s, const struct rule *rule)
{
	bool open = s->leader == LEADER_VACANT || s->leader == LEADER_STALE;

	if (rule->pg_verb == PGV_FETCH)
		PROPERTY(open && s->rank == RANK_FETCH && s->pg == SPG_UP &&
				 s->role == SROLE_REPLICA && s->mode == MODE_AUTO,
			 s, rule, "fetches as no candidate");
	if (s->rank == RANK_FETCH)
		PROPERTY(rule->lease_verb != LV_TAKEOVER && rule->more != MV_VOTES, s, rule,
			 "takes the key before it has fetched");
}

Test(rules, fetch_only_what_an_election_needs)
{
	every_situation(fetch_is_for_candidates);
}

Test(rules, do_nothing_to_postgres_in_pause_unasked)
{
	every_situation(pause_is_quiet);
}

/* A store that knows less than we do is believed in nothing, and takes no primary away. */
static void regressed_store_changes_nothing(const struct situation *s, const struct rule *rule)
{
	enum pg_verb verb = rule->pg_verb;
	bool keeps = s->lease == LEASE_HELD || s->lease == LEASE_FADING ||
		     s->lease == LEASE_FAILSAFE;
	bool asked = s->ask == ASK_RESTART || s->ask == ASK_REINIT;

	if (s->store != STORE_REGRESSED)
		return;
	PROPERTY(verb != PGV_PROMOTE && verb != PGV_START_PRIMARY && verb != PGV_POST_BOOTSTRAP &&
			 verb != PGV_INITDB && verb != PGV_CLONE && verb != PGV_REWIND,
		 s, rule, "acts upon a regressed store");
	PROPERTY(rule->lease_verb != LV_ACQUIRE && rule->lease_verb != LV_TAKEOVER &&
			 rule->lease_verb != LV_ADOPT,
		 s, rule, "takes a key in a regressed store");
	PROPERTY(rule->more != MV_RACE && rule->more != MV_ENROL, s, rule,
		 "founds a cluster in a regressed store");
	if (s->leader == LEADER_UNKNOWN && s->mode == MODE_AUTO && keeps && !asked &&
	    s->pg != SPG_LEFTOVERS && situation_may_write(s))
		PROPERTY(!stops(rule), s, rule, "a proven primary goes with a regressed store");
}

Test(rules, believe_nothing_of_a_regressed_store)
{
	every_situation(regressed_store_changes_nothing);
}

static void one_pair_of_hands(const struct situation *s, const struct rule *rule)
{
	if (s->job == JOB_BUSY || s->job == JOB_STOPPING)
		PROPERTY(rule->pg_verb == PGV_LEAVE || stops(rule) ||
				 rule->pg_verb == PGV_CHECKPOINT,
			 s, rule, "two operations at once");
}

Test(rules, let_only_a_stop_interrupt)
{
	every_situation(one_pair_of_hands);
}

/* Whoever hangs for too long keeps nothing: no proof of life is sent for it, what may write is
 * killed, and the key goes with the term, not before. */
static void hung_runs_out(const struct situation *s, const struct rule *rule)
{
	bool holds = s->leader == LEADER_ME || s->leader == LEADER_VACANT ||
		     s->leader == LEADER_RECENT || s->leader == LEADER_STALE;

	if (s->ask != ASK_HUNG || s->mode == MODE_PAUSED || !holds)
		return;
	PROPERTY(rule->lease_verb == LV_LAPSE, s, rule, "a hung primary is renewed or released");
	PROPERTY(rule->pg_verb == (s->pg == SPG_DOWN ? PGV_LEAVE : PGV_KILL), s, rule,
		 "a hung primary is not killed");
}

Test(rules, let_what_hangs_run_out)
{
	every_situation(hung_runs_out);
}

static void look(const struct situation *s, const struct rule *rule)
{
	(void)s;
	(void)rule;
}

Test(rules, have_no_row_that_cannot_fire)
{
	every_situation(look);
	for (size_t i = 0; i < rules_count(); i++)
		cr_assert_gt(fired[i], 0, "rule %d can never fire", rules_at(i)->id);
}

Test(rules, have_stable_ascending_ids_and_a_why)
{
	for (size_t i = 0; i < rules_count(); i++) {
		cr_assert_not_null(rules_at(i)->why);
		cr_assert_lt(strlen(rules_at(i)->why), WHY_SIZE, "rule %d is cut where it is shown",
			     rules_at(i)->id);
		cr_assert_not_null(rules_at(i)->name);
		if (i > 0)
			cr_assert_lt(rules_at(i - 1)->id, rules_at(i)->id);
		cr_assert_eq(rules_by_id(rules_at(i)->id), rules_at(i));
	}
}

Test(rules, lead_fence_and_yield_by_their_ids)
{
	struct situation s = { .leader = LEADER_ME, .lease = LEASE_HELD, .pg = SPG_UP,
			       .role = SROLE_PRIMARY, .data = DATA_READY, .store = STORE_LIVE };

	cr_assert_eq(rules_match(&s)->id, 321);
	s.lease = LEASE_NONE;
	cr_assert_eq(rules_match(&s)->id, 113);
	s.leader = LEADER_OTHER;
	cr_assert_eq(rules_match(&s)->id, 110);
}
