/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgwatch - of two reads of the control file the newer one counts, whichever ends first
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/pgwatch.h"
#include "core/config.h"

static char dir[64];
static char path[128];
static struct config config;
static struct pg pg;

static void setup(void)
{
	char global[96];

	(void)str_printf(dir, sizeof(dir), "/tmp/pgha-pgwatch-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	(void)str_printf(global, sizeof(global), "%s/global", dir);
	(void)str_printf(path, sizeof(path), "%s/pg_control", global);
	cr_assert_eq(mkdir(global, 0700), 0);
	cr_assert_eq(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	config.pg.data_dir = dir;
	pg.config = &config;
	pg.state.dir = DIR_PRESENT;
}

static void teardown(void)
{
	char global[96];

	(void)str_printf(global, sizeof(global), "%s/global", dir);
	(void)unlink(path);
	(void)rmdir(global);
	(void)rmdir(dir);
}

TestSuite(pgwatch, .init = setup, .fini = teardown);

static void written_at(time_t s)
{
	const struct timespec times[2] = { { .tv_sec = s }, { .tv_sec = s } };

	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Somebody begins to read. */
static struct control_stamp begun(void)
{
	(void)pgwatch_control_stale(&pg);
	return pg.control_next;
}

static void ends(struct control_stamp seen, enum pg_control state)
{
	struct pgcontrol control = { .state = state };

	pgwatch_control_keep(&pg, &seen, &control);
}

Test(pgwatch, a_read_that_took_long_does_not_count_over_a_newer_one)
{
	struct control_stamp slow, quick;

	written_at(1000);
	slow = begun();
	written_at(1001);
	quick = begun();
	ends(quick, CONTROL_SHUT_DOWN);
	ends(slow, CONTROL_SHUTTING_DOWN);
	cr_assert_eq(pg.state.control, CONTROL_SHUT_DOWN);
	cr_assert(!pgwatch_control_stale(&pg));
}

Test(pgwatch, a_read_that_was_overtaken_by_a_change_is_not_the_last)
{
	struct control_stamp seen;

	written_at(1000);
	seen = begun();
	written_at(1001);
	/* Somebody else looks meanwhile, and reads nothing. */
	(void)begun();
	ends(seen, CONTROL_SHUTTING_DOWN);
	cr_assert_eq(pg.state.control, CONTROL_SHUTTING_DOWN);
	cr_assert(pgwatch_control_stale(&pg));
}

Test(pgwatch, within_one_tick_of_the_clock_the_shutdown_was_last)
{
	struct control_stamp seen;

	written_at(1000);
	seen = begun();
	ends(seen, CONTROL_SHUT_DOWN);
	ends(seen, CONTROL_SHUTTING_DOWN);
	cr_assert_eq(pg.state.control, CONTROL_SHUT_DOWN);
	written_at(1001);
	ends(begun(), CONTROL_IN_PRODUCTION);
	cr_assert_eq(pg.state.control, CONTROL_IN_PRODUCTION);
}
