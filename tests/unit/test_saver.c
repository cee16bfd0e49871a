/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_saver - the durable record is written beside the loop
 */
#include "io/saver.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/statefile.h"

static char dir[] = "/tmp/pgha-saver-XXXXXX";
static struct loop *loop;
static struct saver *saver;
static uint64_t told[256];
static size_t ntold;
static size_t nfailed;

static void on_saved(void *ctx, uint64_t ticket, const struct err *err)
{
	(void)ctx;
	told[ntold++] = ticket;
	nfailed += err != NULL;
}

static void make(void)
{
	struct err err = { 0 };

	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(loop_new(&loop, &err), 0);
	cr_assert_eq(saver_new(loop, dir, "main.n1", on_saved, NULL, &saver, &err), 0);
}

static void clean(void)
{
	static const char *const names[] = { "state", "state.new", "dynamic.json", "recorder" };

	saver_free(saver);
	loop_free(loop);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(freep) char *path = str_dupf("%s/pgha.main.n1.%s", dir, names[i]);

		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static void wait_until(size_t n)
{
	int64_t until_ms = loop_now_ms() + 10000;

	while (ntold < n && loop_now_ms() < until_ms)
		loop_step(loop, 100);
	cr_assert_eq(ntold, n);
}

Test(saver, answers_come_in_order_and_from_the_loop, .init = make, .fini = clean, .timeout = 30)
{
	struct durable durable = { .cluster_id = 7, .epoch = 1 };
	struct durable read = { 0 };

	for (uint64_t i = 1; i <= 20; i++) {
		durable.epoch = (int64_t)i;
		saver_save(saver, i, &durable);
	}
	cr_assert_eq(ntold, 0);
	wait_until(20);
	for (size_t i = 0; i < 20; i++)
		cr_assert_eq(told[i], i + 1);
	cr_assert_eq(nfailed, 0);
	cr_assert(statefile_load(dir, "main.n1", &read));
	cr_assert_eq(read.epoch, 20);
}

Test(saver, a_record_that_cannot_be_written_is_told, .init = make, .fini = clean, .timeout = 30)
{
	struct durable durable = { .cluster_id = 7 };

	cr_assert_eq(rmdir(dir), 0);
	saver_save(saver, 1, &durable);
	wait_until(1);
	cr_assert_eq(nfailed, 1);
}

/* A pipe in the place of the new file keeps whoever opens it: a disk that stands still. The loop
 * goes on, and what does not fit is refused at once. */
Test(saver, a_disk_that_stands_still_holds_nobody, .init = make, .fini = clean, .timeout = 30)
{
	_cleanup_(freep) char *path = str_dupf("%s/pgha.main.n1.recorder", dir);
	struct durable durable = { .cluster_id = 7 };
	int64_t begun_ms = loop_now_ms();

	cr_assert_eq(mkfifo(path, 0600), 0);
	saver_dump(saver, "test", "text", 4);
	for (uint64_t i = 1; i <= SAVER_JOBS_MAX + 10; i++)
		saver_save(saver, i, &durable);
	saver_cache(saver, dir, "{}");
	while (ntold < 11 && loop_now_ms() - begun_ms < 5000)
		loop_step(loop, 10);
	cr_assert_eq(ntold, 11);
	cr_assert_eq(nfailed, 11);
	cr_assert_lt(loop_now_ms() - begun_ms, 5000);
}
