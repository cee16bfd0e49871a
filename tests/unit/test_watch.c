/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_watch - the guardian kills when the page says so, and never for a lesser reason
 */
#include "guard/watch.h"

#include <criterion/criterion.h>

#include "base/guardpage.h"

static const struct leasepage_facts armed = {
	.armed = true,
	.reason = LEASEPAGE_PRIMARY,
	.epoch = 7,
	.kill_at_ms = 10000,
};
static const struct leasepage_facts disarmed = { .reason = LEASEPAGE_PAUSED, .epoch = 7 };
static const struct leasepage_facts new_page = { .reason = LEASEPAGE_NEW };

static enum watch_verdict look(struct watch *w, const struct leasepage_facts *facts, int64_t now)
{
	return watch_look(w, LEASEPAGE_GOOD, facts, false, now);
}

Test(watch, is_due_from_the_deadline_on_and_not_before)
{
	struct watch w = { 0 };

	cr_assert_eq(look(&w, &armed, 9999), WATCH_ARMED);
	cr_assert_eq(look(&w, &armed, 10000), WATCH_DUE);
}

Test(watch, a_renewal_read_after_the_deadline_counts)
{
	struct leasepage_facts renewed = armed;
	struct watch w = { 0 };

	renewed.kill_at_ms = 20000;
	cr_assert_eq(look(&w, &armed, 9000), WATCH_ARMED);
	cr_assert_eq(look(&w, &renewed, 15000), WATCH_ARMED);
}

Test(watch, a_disarmed_page_has_no_deadline)
{
	struct watch w = { 0 };

	cr_assert_eq(look(&w, &armed, 9000), WATCH_ARMED);
	cr_assert_eq(look(&w, &disarmed, 99000), WATCH_DISARMED);
}

Test(watch, a_page_that_cannot_be_believed_leaves_the_deadline_standing)
{
	static const enum leasepage_state states[] = {
		LEASEPAGE_TORN,	      LEASEPAGE_NO_PAGE,     LEASEPAGE_OTHER_VERSION,
		LEASEPAGE_OTHER_BOOT, LEASEPAGE_OTHER_CLOCK,
	};

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct watch w = { 0 };

		cr_assert_eq(look(&w, &armed, 9000), WATCH_ARMED);
		cr_assert_eq(watch_look(&w, states[i], &disarmed, false, 9999), WATCH_ARMED);
		cr_assert_eq(watch_look(&w, states[i], &disarmed, false, 10000), WATCH_DUE);
	}
}

Test(watch, nothing_is_due_before_a_page_was_believed)
{
	struct watch w = { 0 };

	cr_assert_eq(watch_look(&w, LEASEPAGE_OTHER_BOOT, &armed, false, 99999), WATCH_WAITING);
	cr_assert_eq(watch_look(&w, LEASEPAGE_TORN, &armed, false, 99999), WATCH_WAITING);
}

Test(watch, a_new_file_disarms_only_when_an_agent_has_decided)
{
	struct watch w = { 0 };

	cr_assert_eq(look(&w, &armed, 9000), WATCH_ARMED);
	cr_assert_eq(watch_look(&w, LEASEPAGE_GOOD, &new_page, true, 10000), WATCH_DUE);
	cr_assert_eq(watch_look(&w, LEASEPAGE_GOOD, &disarmed, true, 10000), WATCH_DISARMED);
	cr_assert_eq(watch_look(&w, LEASEPAGE_GOOD, &new_page, true, 10000), WATCH_DISARMED);
}

Test(watch, wakes_at_the_deadline_and_every_beat)
{
	struct watch w = { 0 };

	cr_assert_eq(watch_next_ms(&w, 1000), 1000 + GUARDPAGE_BEAT_MS);
	look(&w, &armed, 9000);
	cr_assert_eq(watch_next_ms(&w, 9000), 9000 + GUARDPAGE_BEAT_MS);
	cr_assert_eq(watch_next_ms(&w, 9900), 10000);
	cr_assert_gt(watch_next_ms(&w, 10000), 10000);
	cr_assert_leq(watch_next_ms(&w, 10000), 10100);
}
