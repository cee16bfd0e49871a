/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgwalend - the newest commit in what pg_waldump says
 */
#include <criterion/criterion.h>

#include "io/pgwalend.h"

#define BLOCK   8192
#define SEGMENT (16U * 1024 * 1024)

#define COMMIT(lsn, desc)                                                                     \
	"rmgr: Transaction len (rec/tot):     34/    34, tx:        726, lsn: " lsn           \
	", prev 0/015375B8, desc: " desc " 2026-11-21 15:08:01.976053 UTC\n"
#define END "pg_waldump: error: error in WAL record at 0/1537650: invalid record length at " \
	    "0/1537688: wanted 24, got 0\n"

#define KNOWN 0x1537590

static int parse(const char *text, uint64_t known, bool complete, uint64_t *ret, struct err *err)
{
	struct pgwalend_range range = { .start = 0x1500000, .known = known, .block_bytes = BLOCK,
					.segment_bytes = SEGMENT, .complete = complete };

	return pgwalend_parse(text, &range, ret, err);
}

static uint64_t end_of(const char *text)
{
	struct err err = { 0 };
	uint64_t lsn = 99;

	cr_assert_eq(parse(text, KNOWN, false, &lsn, &err), 0, "%s", err.msg);
	return lsn;
}

Test(pgwalend, finds_the_end_of_the_newest_commit)
{
	cr_assert_eq(end_of(COMMIT("0/01537590", "COMMIT") COMMIT("0/015375F8", "COMMIT") END),
		     0x1537620);
	cr_assert_eq(end_of(END COMMIT("0/015375F8", "COMMIT_PREPARED")), 0x1537620);
	cr_assert_eq(end_of(COMMIT("A/015375F8", "PREPARE") END), 0xA01537620);
}

Test(pgwalend, counts_only_what_somebody_may_have_been_told)
{
	cr_assert_eq(end_of(COMMIT("0/01537590", "COMMIT") COMMIT("0/015375F8", "ABORT") END),
		     0x15375B8);
	cr_assert_eq(end_of(COMMIT("0/015375F8", "ABORT_PREPARED") END), 0x1537620);
	cr_assert_eq(end_of(COMMIT("0/015375F8", "ASSIGNMENT") END), KNOWN);
}

Test(pgwalend, takes_the_known_end_when_there_is_none)
{
	cr_assert_eq(end_of(END), KNOWN);
}

Test(pgwalend, takes_the_end_of_the_last_segment_for_the_end_of_the_wal)
{
	uint64_t lsn = 99;

	cr_assert_eq(parse(COMMIT("0/01FFFFD0", "COMMIT"), 0x1FFFFD0, true, &lsn, NULL), 0);
	cr_assert_eq(lsn, 0x1FFFFF8);
	cr_assert_eq(parse("", 0x2000000, true, &lsn, NULL), 0);
	cr_assert_eq(lsn, 0x2000000);
}

/* What stands between the switch of a segment and its end is empty. */
Test(pgwalend, does_not_take_the_end_of_a_switched_segment_for_the_end_of_the_wal)
{
	const char *nothing = "pg_waldump: fatal: could not find a valid record after 0/1500000\n";
	uint64_t lsn = 99;

	cr_assert_lt(parse(nothing, 0x1500001, false, &lsn, NULL), 0);
	cr_assert_eq(parse(nothing, 0x1500000, false, &lsn, NULL), 0);
	cr_assert_eq(lsn, 0x1500000);
}

Test(pgwalend, fails_when_it_stopped_before_the_known_end)
{
	uint64_t lsn = 99;

	cr_assert_lt(parse(COMMIT("0/01537590", "COMMIT") END, 0x1537689, false, &lsn, NULL), 0);
	cr_assert_eq(lsn, 99);
	cr_assert_eq(parse(COMMIT("0/01537590", "COMMIT") END, 0x1537688, false, &lsn, NULL), 0);
}

Test(pgwalend, fails_when_the_disk_does_not_tell)
{
	uint64_t lsn = 99;

	cr_assert_lt(parse(COMMIT("0/015375F8", "COMMIT")
			   "pg_waldump: error: could not read from file 000000010000000000000002, "
			   "offset 8192: Input/output error\n", KNOWN, false, &lsn, NULL), 0);
	cr_assert_lt(parse("pg_waldump: error: could not find file \"000000010000000000000000\": "
			   "No such file or directory\n", KNOWN, false, &lsn, NULL), 0);
	cr_assert_lt(parse("", KNOWN, false, &lsn, NULL), 0);
	cr_assert_eq(lsn, 99);
}

Test(pgwalend, passes_over_lines_that_are_cut)
{
	cr_assert_eq(end_of(COMMIT("0/01537590", "COMMIT")
			    "rmgr: Transaction len (rec/tot): 34/ 34, desc: COMMIT\n"
			    "rmgr: Transaction len (rec/tot):, lsn: 0/2000000, desc: COMMIT\n"
			    "rmgr: Transaction len (rec/tot): 34/34, lsn: x/y, desc: COMMIT\n" END),
		     0x15375B8);
}

Test(pgwalend, steps_over_page_headers)
{
	/* Ends on its page; ends exactly with it; goes on behind the next header. */
	cr_assert_eq(pgwalend_behind(0x2000 + 24, 34, BLOCK, SEGMENT), 0x2000 + 64);
	cr_assert_eq(pgwalend_behind(0x4000 - 40, 40, BLOCK, SEGMENT), 0x4000);
	cr_assert_eq(pgwalend_behind(0x4000 - 24, 34, BLOCK, SEGMENT), 0x4000 + 24 + 16);
	/* Over a whole page between, and into the longer header of the next segment. */
	cr_assert_eq(pgwalend_behind(0x4000 - 24, 24 + 8168 + 8, BLOCK, SEGMENT),
		     0x6000 + 24 + 8);
	cr_assert_eq(pgwalend_behind(SEGMENT - 24, 32, BLOCK, SEGMENT), SEGMENT + 40 + 8);
}

Test(pgwalend, begins_before_the_known_end)
{
	cr_assert_eq(pgwalend_start(0x1536000, BLOCK), 0x1436000);
	cr_assert_eq(pgwalend_start(BLOCK, BLOCK), 0);
	/* A record ends here: what comes behind it is all that counts. */
	cr_assert_eq(pgwalend_start(0x15375B8, BLOCK), 0x15375B8);
}
