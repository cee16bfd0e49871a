/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_when - times that operators write
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "cli/when.h"

/* 2026-11-21T07:00:00.123456 UTC */
#define NOW_US INT64_C(1795244400123456)

static void use_zone(void)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
}

static void check(const char *text, const char *iso, int64_t at_us)
{
	struct when when;
	struct err err = { 0 };

	cr_assert_eq(when_parse(text, NOW_US, &when, &err), 0, "%s: %s", text, err.msg);
	cr_assert_not(when.now);
	cr_assert_str_eq(when.iso, iso);
	cr_assert_eq(when.at_us, at_us, "%s: %lld", text, (long long)when.at_us);
}

TestSuite(when, .init = use_zone);

Test(when, takes_now_and_nothing_for_now)
{
	const char *const texts[] = { NULL, "", "now" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct when when = { 0 };

		cr_assert_eq(when_parse(texts[i], NOW_US, &when, NULL), 0);
		cr_assert(when.now);
		cr_assert_str_eq(when.iso, "");
	}
}

Test(when, keeps_the_offset_that_was_given)
{
	check("2030-01-01T10:00:00+02:00", "2030-01-01T10:00:00+02:00", 1893484800000000);
	check("2030-01-01T08:00:00Z", "2030-01-01T08:00:00+00:00", 1893484800000000);
	check("2030-01-01 05:30 -0230", "2030-01-01T05:30:00-02:30", 1893484800000000);
	check("2030-01-01 08:00 UTC", "2030-01-01T08:00:00+00:00", 1893484800000000);
}

Test(when, means_local_time_without_a_zone)
{
	check("2030-01-01T09:00", "2030-01-01T09:00:00+01:00", 1893484800000000);
	check("2030-07-01T09:00", "2030-07-01T09:00:00+02:00", 1909119600000000);
}

Test(when, completes_a_date_or_a_time_alone)
{
	check("2030-01-01", "2030-01-01T00:00:00+01:00", 1893452400000000);
	check("23:15", "2026-11-21T23:15:00+01:00", 1795299300000000);
}

Test(when, keeps_fractions)
{
	check("2030-01-01T08:00:00.250000+00:00", "2030-01-01T08:00:00.250000+00:00",
	      1893484800250000);
}

Test(when, refuses_what_is_no_time)
{
	const char *const texts[] = { "tomorrow", "2030-13-01", "2030-01-01T25:00", "+02:00",
				      "2030-01-01T10:00:00+02:00 and a lot of text behind it" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct when when;
		struct err err = { 0 };

		cr_assert_lt(when_parse(texts[i], NOW_US, &when, &err), 0, "%s", texts[i]);
		cr_assert(strstr(err.msg, "Unable to parse scheduled timestamp ("), "%s", err.msg);
	}
}

Test(when, stamps_in_local_time)
{
	char text[WHEN_SIZE];

	when_stamp(NOW_US, true, text);
	cr_assert_str_eq(text, "2026-11-21 08:00:00.12345");
	when_stamp(NOW_US, false, text);
	cr_assert_str_eq(text, "2026-11-21 08:00:00");
	when_example(NOW_US, text);
	cr_assert_str_eq(text, "2026-11-21T09:00");
}
