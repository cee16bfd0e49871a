/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_vitals - what is wrong with a Postgres that has not ended
 */
#include <criterion/criterion.h>

#include "base/str.h"
#include "core/vitals.h"

static const char *trouble(enum pg_door door, enum pg_disk disk, bool receiver_silent)
{
	struct pg_state pg = { .vitals = { .door = door, .disk = disk },
			       .receiver_silent = receiver_silent };

	return vitals_trouble(&pg);
}

Test(vitals, find_no_trouble_in_what_is_not_known)
{
	cr_assert_str_empty(trouble(DOOR_UNKNOWN, DISK_UNKNOWN, false));
	cr_assert_str_empty(trouble(DOOR_OPEN, DISK_OK, false));
}

Test(vitals, have_words_for_every_trouble_of_their_own)
{
	const char *said[] = {
		trouble(DOOR_FULL, DISK_OK, false),    trouble(DOOR_CLOSED, DISK_OK, false),
		trouble(DOOR_SILENT, DISK_OK, false),  trouble(DOOR_STOPPED, DISK_OK, false),
		trouble(DOOR_OPEN, DISK_FULL, false),  trouble(DOOR_OPEN, DISK_FAILED, false),
		trouble(DOOR_OPEN, DISK_STALLED, false), trouble(DOOR_OPEN, DISK_OK, true),
	};

	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		cr_assert_str_not_empty(said[i]);
		for (size_t j = 0; j < i; j++)
			cr_assert_str_neq(said[i], said[j]);
	}
}

Test(vitals, name_the_worst_first)
{
	cr_assert(strstr(trouble(DOOR_STOPPED, DISK_STALLED, true), "stands still"));
	cr_assert(strstr(trouble(DOOR_SILENT, DISK_FAILED, true), "takes no writes"));
	cr_assert(strstr(trouble(DOOR_SILENT, DISK_FULL, true), "no new connection"));
	cr_assert(strstr(trouble(DOOR_FULL, DISK_FULL, true), "disk of the WAL is full"));
	cr_assert(strstr(trouble(DOOR_FULL, DISK_OK, true), "slot is taken"));
}

Test(vitals, give_up_after_the_configured_time_and_what_is_fenced_only)
{
	static struct view v = { .hung_after_ms = 10000 };

	v.pg.vitals = (struct vitals){ .door = DOOR_SILENT, .door_since_at_ms = 5000,
				       .disk = DISK_STALLED, .disk_since_at_ms = 4000 };
	cr_assert_eq(vitals_give_up_at_ms(&v), 0);
	v.fence_hung = true;
	cr_assert_eq(vitals_give_up_at_ms(&v), 15000);
	v.fence_stalled = true;
	cr_assert_eq(vitals_give_up_at_ms(&v), 14000);
	v.fence_hung = false;
	v.pg.vitals.disk = DISK_FULL;
	cr_assert_eq(vitals_give_up_at_ms(&v), 0);
	v.fence_hung = true;
	for (int door = 0; door < DOOR__MAX; door++) {
		v.pg.vitals.door = (enum pg_door)door;
		cr_assert_eq(vitals_give_up_at_ms(&v) != 0, vitals_shut(&v.pg.vitals));
	}
}

Test(vitals, take_only_silence_for_a_closed_way_in)
{
	for (int door = 0; door < DOOR__MAX; door++) {
		struct vitals v = { .door = (enum pg_door)door };

		cr_assert_eq(vitals_shut(&v), door == DOOR_SILENT || door == DOOR_STOPPED);
	}
}
