/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_timeline - may this data follow that server
 */
#include <criterion/criterion.h>

#include "core/timeline.h"

/* Timeline 1 ended at 1000, 2 at 2000; the upstream is on 3. */
static const struct history upstream = { .timeline = 3,
					 .n = 2,
					 .entries = { { 1, 1000 }, { 2, 2000 } } };

static struct pg_state stopped(uint32_t timeline, uint64_t end)
{
	return (struct pg_state){ .run = PG_DOWN, .control = CONTROL_SHUT_DOWN,
				  .control_timeline = timeline, .control_end_lsn = end,
				  .control_checkpoint_lsn = end };
}

static struct pg_state standby(uint32_t timeline, uint64_t received)
{
	return (struct pg_state){ .run = PG_UP, .role = ROLE_REPLICA, .timeline = timeline,
				  .receive_lsn = received, .replay_lsn = received / 2 };
}

Test(timeline, follows_up_to_the_fork_and_no_further)
{
	struct pg_state at = stopped(2, 2000);
	struct pg_state past = stopped(2, 2001);

	cr_assert_eq(timeline_compare(&at, &upstream), ANCESTRY_FOLLOWS);
	cr_assert_eq(timeline_compare(&past, &upstream), ANCESTRY_DIVERGED);
}

Test(timeline, keeps_the_position_that_a_standby_told_while_it_ran)
{
	struct pg_state down = standby(2, 2001);

	down.run = PG_DOWN;
	down.control = CONTROL_SHUT_DOWN_IN_RECOVERY;
	down.control_timeline = 1;
	down.min_recovery_lsn = 1500;
	cr_assert_eq(timeline_compare(&down, &upstream), ANCESTRY_DIVERGED);
	down.receive_lsn = 2000;
	cr_assert_eq(timeline_compare(&down, &upstream), ANCESTRY_FOLLOWS);
}

Test(timeline, uses_what_a_running_standby_received)
{
	struct pg_state at = standby(1, 1000);
	struct pg_state past = standby(1, 1001);

	cr_assert_eq(timeline_compare(&at, &upstream), ANCESTRY_FOLLOWS);
	cr_assert_eq(timeline_compare(&past, &upstream), ANCESTRY_DIVERGED);
}

Test(timeline, of_the_same_number_follows)
{
	struct pg_state same = standby(3, 99999);

	cr_assert_eq(timeline_compare(&same, &upstream), ANCESTRY_FOLLOWS);
}

Test(timeline, ahead_of_the_upstream_or_unknown_to_it_diverged)
{
	struct pg_state ahead = standby(4, 10);
	struct history gap = { .timeline = 5, .n = 1, .entries = { { 1, 1000 } } };
	struct pg_state two = stopped(2, 10);

	cr_assert_eq(timeline_compare(&ahead, &upstream), ANCESTRY_DIVERGED);
	cr_assert_eq(timeline_compare(&two, &gap), ANCESTRY_DIVERGED);
}

Test(timeline, of_a_crashed_primary_is_unclean_unless_its_checkpoint_is_past_the_fork)
{
	struct pg_state crashed = stopped(2, 0);

	crashed.control = CONTROL_IN_PRODUCTION;
	crashed.control_checkpoint_lsn = 1500;
	cr_assert_eq(timeline_compare(&crashed, &upstream), ANCESTRY_UNCLEAN);
	crashed.control_checkpoint_lsn = 2500;
	cr_assert_eq(timeline_compare(&crashed, &upstream), ANCESTRY_DIVERGED);
}

Test(timeline, is_unknown_without_facts)
{
	struct history none = { 0 };
	struct pg_state at = stopped(2, 2000);
	struct pg_state blank = { .run = PG_DOWN };

	cr_assert_eq(timeline_compare(&at, &none), ANCESTRY_UNKNOWN);
	cr_assert_eq(timeline_compare(&blank, &upstream), ANCESTRY_UNKNOWN);
}

Test(timeline, gives_each_promotion_a_number_of_its_own)
{
	struct pg_state local = standby(3, 1000);

	cr_assert_eq(timeline_next(&local, 0, 0), 4);
	cr_assert_eq(timeline_next(&local, 3, 3), 4);
	cr_assert_eq(timeline_next(&local, 5, 0), 6); /* the cluster went on without us */
	cr_assert_eq(timeline_next(&local, 5, 7), 8); /* promotions nobody saw the end of */
	cr_assert_eq(timeline_next(&local, 3, 3 + TIMELINE_GAP_MAX), 4 + TIMELINE_GAP_MAX);
	cr_assert_eq(timeline_next(&local, 3, 4 + TIMELINE_GAP_MAX), 4);
}

Test(timeline, tells_on_which_timeline_a_position_lies)
{
	struct history h = { .timeline = 5, .n = 2, .entries = { { 1, 1000 }, { 3, 2000 } } };

	cr_assert_eq(timeline_at(&h, 999), 1);
	cr_assert_eq(timeline_at(&h, 1000), 3);
	cr_assert_eq(timeline_at(&h, 1999), 3);
	cr_assert_eq(timeline_at(&h, 2000), 5);
	h.n = 0;
	cr_assert_eq(timeline_at(&h, 1), 5);
}

Test(timeline, who_is_sent_more_than_the_fork_receives_the_present_one)
{
	struct history first = { .timeline = 1 };

	cr_assert(!timeline_sends_present(&upstream, 1001)); /* of timeline 2, perhaps */
	cr_assert(!timeline_sends_present(&upstream, 2000));
	cr_assert(timeline_sends_present(&upstream, 2001));
	cr_assert(!timeline_sends_present(&first, 2001)); /* there is no fork to compare with */
}
