/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_lease - the arithmetic of the term, both sides of every edge
 */
#include <criterion/criterion.h>

#include "core/lease.h"

Test(lease, is_none_until_proven)
{
	struct lease lease = { 0 };

	cr_assert_eq(lease_state(&lease, 0), LEASE_NONE);
	cr_assert_eq(lease_state(&lease, INT64_MAX / 2), LEASE_NONE);
	cr_assert_eq(lease_at(&lease, LEASE_KILL_PCT), 0);
	cr_assert_eq(lease_renew_at(&lease), 0);
}

Test(lease, counts_from_when_the_request_left)
{
	struct lease lease = { 0 };

	lease_proven(&lease, 7, 99, 1000 /* asked */, 10000 /* ttl */);
	cr_assert_eq(lease_state(&lease, 5999), LEASE_HELD);
	cr_assert_eq(lease_state(&lease, 6000), LEASE_FADING);
	cr_assert_eq(lease_state(&lease, 7599), LEASE_FADING);
	cr_assert_eq(lease_state(&lease, 7600), LEASE_ENDING);
	cr_assert_eq(lease_state(&lease, 8199), LEASE_ENDING);
	cr_assert_eq(lease_state(&lease, 8200), LEASE_OVER);
	cr_assert_eq(lease_at(&lease, LEASE_KILL_PCT), 8500);
	cr_assert_eq(lease_at(&lease, LEASE_GATE_PCT), 9000);
	cr_assert_eq(lease_renew_at(&lease), 1000 + 10000 / 6);
}

Test(lease, is_not_shortened_by_an_older_proof_that_arrives_late)
{
	struct lease lease = { 0 };

	lease_proven(&lease, 7, 99, 2000, 10000);
	lease_proven(&lease, 7, 99, 1000, 10000);
	cr_assert_eq(lease.asked_at_ms, 2000);
	lease_proven(&lease, 7, 99, 3000, 10000);
	cr_assert_eq(lease.asked_at_ms, 3000);
}

/* ttl was changed: the new lease counts from when its grant left; a renewal of the old one may
 * have overtaken that. */
Test(lease, moved_to_another_lease_is_of_that_one_s_term)
{
	struct lease lease = { 0 };

	lease_proven(&lease, 7, 99, 2000, 30000);
	lease_proven(&lease, 7, 100, 1500, 5000);
	cr_assert_eq(lease.lease_id, 100);
	cr_assert_eq(lease_at(&lease, 100), 6500);
	lease_proven(&lease, 7, 101, 1400, 30000);
	cr_assert_eq(lease.lease_id, 101);
	cr_assert_eq(lease_at(&lease, 100), 31400);
}

Test(lease, of_a_new_epoch_replaces_the_old_one_whatever_its_time)
{
	struct lease lease = { 0 };

	lease_proven(&lease, 7, 99, 2000, 10000);
	lease_proven(&lease, 8, 98, 1500, 4000);
	cr_assert_eq(lease.epoch, 8);
	cr_assert_eq(lease.asked_at_ms, 1500);
	cr_assert_eq(lease.ttl_ms, 4000);
	cr_assert_eq(lease.lease_id, 98);
}

Test(lease, fences_before_any_slewed_clock_lets_another_in)
{
	struct lease lease = { 0 };
	int64_t ttl = 5000;

	/* Ours runs 10 % slow, the other's 10 % fast: real time of the gate is 0.8 T / 0.9, of the
	 * takeover T / 1.1. */
	lease_proven(&lease, 1, 1, 0, ttl);
	cr_assert_lt(lease_at(&lease, LEASE_GATE_PCT) * 11, ttl * 9);
	cr_assert_lt(LEASE_KILL_PCT, LEASE_GATE_PCT);
	cr_assert_lt(LEASE_IMMEDIATE_PCT, LEASE_KILL_PCT);
	cr_assert_lt(LEASE_STOP_PCT, LEASE_IMMEDIATE_PCT);
}

Test(lease, lives_by_promises_where_no_newer_proof_is)
{
	struct lease lease = { 0 };

	cr_assert(!lease_promised(&lease, 1, 1), "nothing to extend");
	lease_proven(&lease, 7, 99, 1000, 10000);
	cr_assert(lease_promised(&lease, 6200 /* asked */, 6300 /* now */));
	cr_assert_eq(lease_state(&lease, 5999), LEASE_HELD);
	cr_assert_eq(lease_state(&lease, 6300), LEASE_FAILSAFE);
	cr_assert_eq(lease_state(&lease, 12799), LEASE_FAILSAFE);
	cr_assert_eq(lease_state(&lease, 12800), LEASE_ENDING);
	cr_assert_eq(lease_at(&lease, LEASE_KILL_PCT), 6200 + 7500);
	/* An older promise takes nothing away, a newer proof is one again. */
	cr_assert(lease_promised(&lease, 6000, 6300));
	cr_assert_eq(lease_newest_ms(&lease), 6200);
	lease_proven(&lease, 7, 99, 7000, 10000);
	cr_assert_eq(lease_state(&lease, 7100), LEASE_HELD);
	cr_assert_eq(lease_state(&lease, 12500), LEASE_FADING);
}

Test(lease, is_not_won_back_by_a_promise_that_comes_too_late)
{
	struct lease lease = { 0 };

	lease_proven(&lease, 7, 99, 1000, 10000);
	cr_assert(!lease_promised(&lease, 7000, 7600), "the stop has begun");
	cr_assert_eq(lease_state(&lease, 7600), LEASE_ENDING);
	cr_assert(lease_promised(&lease, 7000, 7599));
}

Test(lease, takes_no_promise_over_to_another_epoch_or_term)
{
	struct lease lease = { 0 };

	lease_proven(&lease, 7, 99, 1000, 10000);
	cr_assert(lease_promised(&lease, 6200, 6300));
	lease_proven(&lease, 7, 99, 6100, 30000);
	cr_assert_eq(lease_newest_ms(&lease), 6100);
	cr_assert(lease_promised(&lease, 6200, 6300));
	lease_proven(&lease, 8, 99, 3000, 30000);
	cr_assert_eq(lease_newest_ms(&lease), 3000);
}

Test(lease, is_gone_when_dropped)
{
	struct lease lease = { 0 };

	lease_proven(&lease, 7, 99, 1000, 10000);
	lease_drop(&lease);
	cr_assert_eq(lease_state(&lease, 1001), LEASE_NONE);
}
