/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_drillwindow - the time of day in which an operator allows a drill
 */
#include <criterion/criterion.h>

#include <string.h>

#include "cli/drillwindow.h"

static int left(const char *text, int minute)
{
	struct err err = { 0 };
	int left_min = -1;

	cr_assert_eq(drillwindow_check(text, minute, &left_min, &err), 0, "%s", err.msg);
	return left_min;
}

Test(drillwindow, is_open_between_its_ends)
{
	cr_assert_eq(left("02:00-04:30", 119), 0);
	cr_assert_eq(left("02:00-04:30", 120), 150);
	cr_assert_eq(left("02:00-04:30", 269), 1);
	cr_assert_eq(left("02:00-04:30", 270), 0);
	cr_assert_eq(left("0:00-24:00", 1439), 1);
}

Test(drillwindow, goes_over_midnight)
{
	cr_assert_eq(left("23:30-00:30", 1409), 0);
	cr_assert_eq(left("23:30-00:30", 1410), 60);
	cr_assert_eq(left("23:30-00:30", 0), 30);
	cr_assert_eq(left("23:30-00:30", 29), 1);
	cr_assert_eq(left("23:30-00:30", 30), 0);
}

Test(drillwindow, now_is_open)
{
	cr_assert_gt(left("now", 0), 5);
}

Test(drillwindow, refuses_what_is_no_window)
{
	static const char *const bad[] = { "",	    "02:00",	   "2-4",	  "02:00-25:00",
					   "02:60-03:00", "02:00-04:00x", "a:00-b:00", "later" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };
		int left_min;

		cr_assert_lt(drillwindow_check(bad[i], 0, &left_min, &err), 0, "%s", bad[i]);
		cr_assert(strstr(err.msg, "02:00-04:30"), "%s", err.msg);
	}
}
