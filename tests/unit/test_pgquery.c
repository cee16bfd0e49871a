/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgquery - the parts that need no server
 */
#include "io/pgquery.h"

#include <criterion/criterion.h>

Test(pgquery, reads_a_history_file)
{
	struct history history = { 0 };
	struct err err = { 0 };

	cr_assert_eq(pgquery_history_parse("1\t0/4000060\tno recovery target specified\n"
					   "\n# a comment\n"
					   "2\t1/A0000F8\tbefore 2026-11-21 06:00:00+00\n",
					   &history, &err),
		     0, "%s", err.msg);
	cr_assert_eq(history.n, 2);
	cr_assert_eq(history.entries[0].timeline, 1);
	cr_assert_eq(history.entries[0].end_lsn, 0x4000060);
	cr_assert_eq(history.entries[1].timeline, 2);
	cr_assert_eq(history.entries[1].end_lsn, UINT64_C(0x10A0000F8));
}

Test(pgquery, keeps_the_newest_of_a_long_history)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct history history = { 0 };

	for (unsigned int i = 1; i <= HISTORY_MAX + 3; i++)
		buf_printf(&text, "%u\t0/%X000000\twhy\n", i, i);
	cr_assert_eq(pgquery_history_parse(text.data, &history, NULL), 0);
	cr_assert_eq(history.n, HISTORY_MAX);
	cr_assert_eq(history.entries[0].timeline, 4);
	cr_assert_eq(history.entries[HISTORY_MAX - 1].timeline, HISTORY_MAX + 3);
}

Test(pgquery, refuses_a_broken_history)
{
	struct history history = { 0 };

	cr_assert_eq(pgquery_history_parse("1 and a half\n", &history, NULL), -ERR_PARSE);
	cr_assert_eq(pgquery_history_parse("1\t0-0\n", &history, NULL), -ERR_PARSE);
	cr_assert_eq(pgquery_history_parse("", &history, NULL), 0);
	cr_assert_eq(history.n, 0);
}
