/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_diff - unified differences; the expected texts are those of Python's difflib
 */
#include <criterion/criterion.h>

#include "cli/diff.h"

static void check(const char *before, const char *after, const char *expected)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	diff_unified(before, after, false, &text);
	cr_assert_str_eq(text.data != NULL ? text.data : "", expected);
}

Test(diff, says_nothing_about_equal_texts)
{
	check("a\nb\n", "a\nb\n", "");
	check("", "", "");
	check("a\n", "a\n\n", "");
}

Test(diff, shows_three_lines_around_a_change)
{
	check("a\nb\nc\nd\ne\nf\ng\nh\ni\n", "a\nb\nc\nd\nE\nf\ng\nh\ni\n",
	      "--- \n+++ \n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n");
}

Test(diff, begins_a_new_hunk_behind_seven_equal_lines_not_six)
{
	check("1\na\nb\nc\nd\ne\nf\n2\n", "x\na\nb\nc\nd\ne\nf\ny\n",
	      "--- \n+++ \n@@ -1,8 +1,8 @@\n-1\n+x\n a\n b\n c\n d\n e\n f\n-2\n+y\n");
	check("1\na\nb\nc\nd\ne\nf\ng\n2\n", "x\na\nb\nc\nd\ne\nf\ng\ny\n",
	      "--- \n+++ \n@@ -1,4 +1,4 @@\n-1\n+x\n a\n b\n c\n@@ -6,4 +6,4 @@\n e\n f\n g\n-2\n+y\n");
}

Test(diff, counts_ranges_of_one_line_without_a_length)
{
	check("a\n", "b\n", "--- \n+++ \n@@ -1 +1 @@\n-a\n+b\n");
	check("a\n", "a\nb\n", "--- \n+++ \n@@ -1 +1,2 @@\n a\n+b\n");
}

Test(diff, adds_to_the_front_and_takes_from_the_end)
{
	check("b\nc\n", "a\nb\n", "--- \n+++ \n@@ -1,2 +1,2 @@\n+a\n b\n-c\n");
}

Test(diff, shows_a_parameter_as_patronictl_does)
{
	check("loop_wait: 2\npostgresql:\n  parameters:\n    max_connections: 50\n"
	      "  use_pg_rewind: true\nretry_timeout: 5\nttl: 20\n",
	      "loop_wait: 2\npostgresql:\n  parameters:\n    max_connections: 50\n"
	      "    work_mem: 6MB\n  use_pg_rewind: true\nretry_timeout: 5\nttl: 30\n",
	      "--- \n+++ \n@@ -2,6 +2,7 @@\n postgresql:\n   parameters:\n"
	      "     max_connections: 50\n+    work_mem: 6MB\n   use_pg_rewind: true\n"
	      " retry_timeout: 5\n-ttl: 20\n+ttl: 30\n");
}

Test(diff, colours_changes_when_asked_to)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	diff_unified("a\n", "b\n", true, &text);
	cr_assert_str_eq(text.data, "--- \n+++ \n\033[36m@@ -1 +1 @@\033[0m\n"
				    "\033[31m-a\033[0m\n\033[32m+b\033[0m\n");
}
