/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgprogress - how far a program of Postgres says it is
 */
#include <criterion/criterion.h>

#include "io/pgprogress.h"

Test(pgprogress, takes_the_newest_line)
{
	int64_t done = 0, total = 0;

	cr_assert(pgprogress_read("waiting for checkpoint\n    0/22893 kB (0%), 0/1 tablespace\n"
				  " 9216/22893 kB (40%), 0/1 tablespace (/data/base/5)\n",
				  &done, &total));
	cr_assert_eq(done, INT64_C(9216) * 1024);
	cr_assert_eq(total, INT64_C(22893) * 1024);
	cr_assert(pgprogress_read("need to copy 84 MB\n  100/86720 kB (0%) copied\r"
				  "86720/86720 kB (100%) copied",
				  &done, &total));
	cr_assert_eq(done, total);
}

Test(pgprogress, tells_nothing_where_nothing_is_told)
{
	static const char *const texts[] = {
		"", "pg_basebackup: error", "12 kB (", "/12 kB (1%)", "a/b kB (1%)", "5/0 kB (0%)",
		"1/99999999999999999999 kB (1%)",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int64_t done = -1, total = -1;

		cr_assert(!pgprogress_read(texts[i], &done, &total), "%s", texts[i]);
		cr_assert_eq(done, -1);
	}
}

Test(pgprogress, keeps_what_came_before_a_cut_line)
{
	int64_t done = 0, total = 0;

	cr_assert(pgprogress_read("4/8 kB (50%)\n7/8 kB", &done, &total));
	cr_assert_eq(done, 4096);
}
