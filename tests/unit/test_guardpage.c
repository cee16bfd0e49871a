/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_guardpage - one guardian a page, and its last killing is not forgotten
 */
#include "base/guardpage.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char run_dir[] = "/tmp/pgha-test-guardpage-XXXXXX";

static void make_run_dir(void)
{
	cr_assert_not_null(mkdtemp(run_dir));
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *ftw _unused_)
{
	return remove(path);
}

static void remove_run_dir(void)
{
	(void)nftw(run_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(guardpage, .init = make_run_dir, .fini = remove_run_dir);

static const struct guardpage_facts killed = {
	.pid = 1,
	.start_ticks = 2,
	.by_agent = true,
	.state = GUARDPAGE_FENCED,
	.strengths = GUARDPAGE_LOCKED | GUARDPAGE_NICE,
	.beat_at_ms = 5,
	.lease_inode = 6,
	.epoch = 7,
	.kill_at_ms = 8,
	.kills = 9,
	.kill_epoch = 10,
	.kill_begun_at_ms = 11,
	.kill_due_at_ms = 12,
	.kill_postmaster_pid = 13,
	.kill_processes = 14,
	.kill_left = 15,
	.kill_proven_at_ms = 16,
	.dog = GUARDPAGE_DOG_ACTIVE,
	.dog_timeout_s = 17,
	.dog_petted_at_ms = 18,
};

static int open_writer(struct leasepage *page, struct guardpage_facts *last, struct err *err)
{
	return guardpage_open_writer(page, run_dir, "demo", "n1", last, err);
}

Test(guardpage, every_fact_arrives)
{
	_cleanup_(leasepage_done) struct leasepage writer = LEASEPAGE_CLOSED;
	_cleanup_(leasepage_done) struct leasepage reader = LEASEPAGE_CLOSED;
	struct guardpage_facts facts = { 0 };
	struct err err = { 0 };

	cr_assert_eq(open_writer(&writer, &facts, &err), 0, "%s", err.msg);
	guardpage_write(&writer, &killed);
	cr_assert_eq(guardpage_open_reader(&reader, run_dir, "demo", "n1", &err), 0);
	cr_assert_eq(guardpage_read(&reader, &facts), LEASEPAGE_GOOD);
	cr_assert_eq(memcmp(&facts, &killed, sizeof(facts)), 0);
}

Test(guardpage, a_new_one_knows_nothing)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct guardpage_facts facts = killed;
	struct err err = { 0 };

	cr_assert_eq(open_writer(&page, &facts, &err), 0, "%s", err.msg);
	cr_assert_eq(facts.pid, 0);
	cr_assert_eq(facts.kills, 0);
	cr_assert_eq(guardpage_read(&page, &facts), LEASEPAGE_NO_PAGE);
}

Test(guardpage, the_next_guardian_knows_what_the_one_before_killed)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct guardpage_facts facts = { 0 };
	struct err err = { 0 };

	cr_assert_eq(open_writer(&page, &facts, &err), 0, "%s", err.msg);
	guardpage_write(&page, &killed);
	leasepage_done(&page);
	cr_assert_eq(open_writer(&page, &facts, &err), 0, "%s", err.msg);
	cr_assert_eq(facts.kill_epoch, 10);
	cr_assert_eq(facts.kill_proven_at_ms, 16);
}

Test(guardpage, a_second_guardian_is_refused_until_the_first_is_gone)
{
	_cleanup_(leasepage_done) struct leasepage first = LEASEPAGE_CLOSED;
	_cleanup_(leasepage_done) struct leasepage second = LEASEPAGE_CLOSED;
	struct guardpage_facts facts = { 0 };
	struct err err = { 0 };

	cr_assert_eq(open_writer(&first, &facts, &err), 0, "%s", err.msg);
	guardpage_write(&first, &killed);
	cr_assert_eq(open_writer(&second, &facts, &err), -ERR_STATE);
	cr_assert_not_null(strstr(err.msg, "another guardian (pid 1)"), "%s", err.msg);
	leasepage_done(&first);
	cr_assert_eq(open_writer(&second, &facts, &err), 0, "%s", err.msg);
}

Test(guardpage, is_not_taken_for_a_lease_page)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct guardpage_facts own = { 0 };
	struct leasepage_facts facts = { .epoch = 99 };
	struct err err = { 0 };

	cr_assert_eq(open_writer(&page, &own, &err), 0, "%s", err.msg);
	guardpage_write(&page, &killed);
	cr_assert_eq(leasepage_read(&page, &facts), LEASEPAGE_NO_PAGE);
	cr_assert_eq(facts.epoch, 99);
}

Test(guardpage, every_state_has_words)
{
	for (unsigned i = 0; i < GUARDPAGE_STATE__MAX; i++)
		cr_assert_gt(strlen(guardpage_state_text((enum guardpage_state)i)), 8);
	cr_assert_str_eq(guardpage_state_text(GUARDPAGE_STATE__MAX), "invalid");
}
