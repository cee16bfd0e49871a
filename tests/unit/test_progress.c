/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_progress - bars, what is left, and when it will be over
 */
#include "cli/progress.h"

#include <criterion/criterion.h>

#include "core/rules.h"

#define MB  (INT64_C(1024) * 1024)
#define SEC INT64_C(1000000)

static void expect(const struct catchup *catchup, const char *wanted)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	progress_catchup(&text, false, catchup);
	cr_assert_str_eq(text.data != NULL ? text.data : "", wanted);
}

Test(progress, of_a_standby_is_what_it_has_replayed_since_it_began)
{
	struct catchup c = { 0 };

	progress_note(&c, 100 * MB, 10 * SEC);
	expect(&c, ".................... 0 %, 100 MB to replay");
	progress_note(&c, 80 * MB, 12 * SEC);
	expect(&c, "####................ 20 %, 80.0 MB to replay");
	/* Not known for a moment: as it was. */
	progress_note(&c, -1, 12 * SEC);
	expect(&c, "####................ 20 %, 80.0 MB to replay");
	progress_note(&c, 50 * MB, 20 * SEC);
	expect(&c, "##########.......... 50 %, 50.0 MB to replay, about 11 s left");
}

Test(progress, begins_anew_when_the_standby_falls_back_further)
{
	struct catchup c = { 0 };

	progress_note(&c, 10 * MB, SEC);
	progress_note(&c, 5 * MB, 2 * SEC);
	progress_note(&c, 20 * MB, 3 * SEC);
	expect(&c, ".................... 0 %, 20.0 MB to replay");
	progress_note(&c, 15 * MB, 9 * SEC);
	expect(&c, "#####............... 25 %, 15.0 MB to replay, about 19 s left");
}

Test(progress, ends_where_next_to_nothing_is_left)
{
	struct catchup c = { 0 };

	progress_note(&c, CATCHUP_LEAST_BYTES - 1, SEC);
	cr_assert_not(progress_catches_up(&c));
	progress_note(&c, CATCHUP_LEAST_BYTES, SEC);
	cr_assert(progress_catches_up(&c));
	progress_note(&c, 0, 2 * SEC);
	cr_assert_not(progress_catches_up(&c));
	expect(&c, "");
}

Test(progress, of_a_huge_copy_is_not_more_than_all_of_it)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	progress_bar(&text, false, INT64_MAX, INT64_MAX);
	progress_bar(&text, false, 2, 1);
	progress_bar(&text, false, 1, 0);
	cr_assert_str_eq(text.data, "########################################....................");
}

/* A rule that was given another name would be no step any more. */
Test(progress, steps_are_rules)
{
	int found = 0;

	for (size_t i = 0; i < rules_count(); i++)
		found += progress_step(rules_at(i)->name) > 0;
	cr_assert_eq(found, PROGRESS_STEPS - 1);
	cr_assert_eq(progress_step("lead"), 0);
	cr_assert_eq(progress_step(""), 0);
}
