/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pct - parts of URLs
 */
#include <criterion/criterion.h>

#include "wire/pct.h"

static void check_decoded(const char *text, bool form, const char *want)
{
	char out[32];

	cr_assert(pct_decode(text, strlen(text), form, out, sizeof(out)), "%s", text);
	cr_assert_str_eq(out, want);
}

Test(pct, decodes)
{
	check_decoded("", true, "");
	check_decoded("a%41%6a%6Ab", true, "aAjjb");
	check_decoded("a+b%2B", true, "a b+");
	check_decoded("a+b", false, "a+b");
	check_decoded("%", true, "%");
	check_decoded("%4", true, "%4");
	check_decoded("%zz%4x", true, "%zz%4x");
	check_decoded("%c3%a9", true, "\xc3\xa9");
}

Test(pct, refuses_what_does_not_fit_or_hides_a_nul)
{
	char out[4] = "xxx";

	cr_assert(pct_decode("abc", 3, true, out, sizeof(out)));
	cr_assert_not(pct_decode("abcd", 4, true, out, sizeof(out)));
	cr_assert_str_eq(out, "");
	cr_assert_not(pct_decode("a%00", 4, true, out, sizeof(out)));
	cr_assert_not(pct_decode("a\0b", 3, true, out, sizeof(out)));
}

Test(pct, finds_the_first_segment)
{
	cr_assert(pct_has_segment("/cluster", "cluster"));
	cr_assert(pct_has_segment("//cluster/x", "cluster"));
	cr_assert(pct_has_segment("cluster/", "cluster"));
	cr_assert_not(pct_has_segment("/clusters", "cluster"));
	cr_assert_not(pct_has_segment("/cluste", "cluster"));
	cr_assert_not(pct_has_segment("/x/cluster", "cluster"));
	cr_assert_not(pct_has_segment("/", "cluster"));
}
