/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgdir - a data directory is replaced, and never lost
 */
#include "io/pgdir.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "io/pgwal.h"

static char top[64];
static struct pgdir dir;

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *ftw _unused_)
{
	return remove(path);
}

static void setup(void)
{
	char data[128];

	(void)str_copy(top, sizeof(top), "/tmp/pgha-pgdir-XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	(void)str_printf(data, sizeof(data), "%s/data", top);
	cr_assert_eq(pgdir_init(&dir, data, NULL), 0);
}

static void teardown(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(pgdir, .init = setup, .fini = teardown);
TestSuite(pgwal, .init = setup, .fini = teardown);

/* In one of a few buffers, so that two can stand in one statement. */
static const char *in(const char *base, const char *name)
{
	static char paths[4][PATH_MAX];
	static int next;
	char *path = paths[next++ % 4];

	(void)str_printf(path, PATH_MAX, "%s/%s", base, name);
	return path;
}

static void put(const char *path, const char *name, const char *text)
{
	char file[PATH_MAX];
	FILE *f;

	(void)str_printf(file, sizeof(file), "%s/%s", path, name);
	f = fopen(file, "we");
	cr_assert_not_null(f, "%s", file);
	fputs(text, f);
	fclose(f);
}

/* A data directory as far as anybody here looks; `who` tells it from others. */
static void make(const char *path, const char *who)
{
	char global[PATH_MAX];

	cr_assert_eq(mkdir(path, 0700), 0, "%s", path);
	(void)str_printf(global, sizeof(global), "%s/global", path);
	cr_assert_eq(mkdir(global, 0700), 0);
	put(path, "PG_VERSION", "15\n");
	put(global, "pg_control", "control");
	put(path, who, "");
}

static bool is(const char *path, const char *who)
{
	return pgdir_has(path, who);
}

static enum data_dir looked(void)
{
	struct pg_state state = { 0 };

	pgdir_look(dir.data, &state);
	return state.dir;
}

Test(pgdir, what_is_discarded_is_rubbish_at_one_instant)
{
	int rubbish = 0;

	make(dir.data, "a");
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_WHOLE, NULL), 0);
	cr_assert_eq(mkdir(dir.staged, 0700), 0);
	cr_assert_lt(pgdir_discard(&dir, NULL), 0);
	cr_assert_eq(looked(), DIR_PRESENT);
	cr_assert_eq(rmdir(dir.staged), 0);
	cr_assert_eq(pgdir_discard(&dir, NULL), 0);
	cr_assert_eq(looked(), DIR_EMPTY);
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert_eq(rubbish, PGDIR_RUBBISH_STAGED);
	cr_assert_eq(looked(), DIR_EMPTY);
}

Test(pgdir, tells_what_it_is)
{
	struct pg_state state = { 0 };

	cr_assert_eq(looked(), DIR_EMPTY);
	cr_assert_eq(mkdir(dir.data, 0700), 0);
	cr_assert_eq(looked(), DIR_EMPTY);
	put(dir.data, "something", "");
	cr_assert_eq(looked(), DIR_BROKEN);
	cr_assert_eq(unlink(in(dir.data, "something")), 0);
	cr_assert_eq(rmdir(dir.data), 0);
	make(dir.data, "a");
	put(dir.data, "standby.signal", "");
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_BOOTSTRAP, NULL), 0);
	pgdir_look(dir.data, &state);
	cr_assert_eq(state.dir, DIR_PRESENT);
	cr_assert(state.standby_signal);
	cr_assert(state.boot_unfinished);
	cr_assert_eq(state.server_version, 150000);
	state.server_version = 150020;
	pgdir_look(dir.data, &state);
	cr_assert_eq(state.server_version, 150020, "what is better known stays");
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_REWINDING, NULL), 0);
	cr_assert_eq(looked(), DIR_HALF);
	cr_assert_eq(pgdir_unmark(dir.data, PGDIR_REWINDING, NULL), 0);
	cr_assert_eq(pgdir_unmark(dir.data, PGDIR_REWINDING, NULL), 0);
	cr_assert_eq(looked(), DIR_PRESENT);
	cr_assert(!state.emptied);
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_EMPTIED, NULL), 0);
	pgdir_look(dir.data, &state);
	cr_assert(state.dir == DIR_HALF && state.emptied);
}

/* Until clocks of the file system have gone on: from then on nothing is read without a reason. */
static void settle(const char *path)
{
	struct pgdir_stamp stamp = { 0 };

	for (int i = 0; i < 500 && !pgdir_unchanged(path, &stamp); i++)
		(void)poll(NULL, 0, 20);
	cr_assert(pgdir_unchanged(path, &stamp));
}

/* What is remembered is what a fresh look tells. */
static void check_again(struct pgdir_seen *seen)
{
	struct pg_state fresh = { .server_version = 150020 };
	struct pg_state again = fresh;

	pgdir_look(dir.data, &fresh);
	pgdir_look_again(dir.data, seen, &again);
	cr_assert_eq(again.dir, fresh.dir, "%d, not %d", again.dir, fresh.dir);
	cr_assert_eq(again.standby_signal, fresh.standby_signal);
	cr_assert_eq(again.boot_unfinished, fresh.boot_unfinished);
	cr_assert_eq(again.emptied, fresh.emptied);
	cr_assert_eq(again.server_version, fresh.server_version);
}

Test(pgdir, sees_every_change_though_it_reads_only_what_changed)
{
	struct pgdir_seen seen = { 0 };

	check_again(&seen);
	make(dir.data, "a");
	check_again(&seen);
	put(dir.data, "standby.signal", "");
	check_again(&seen);
	settle(dir.data);
	settle(in(dir.data, "PG_VERSION"));
	check_again(&seen);
	check_again(&seen);
	cr_assert_neq(seen.dir.inode, 0, "it is remembered");
	cr_assert_eq(unlink(in(dir.data, "global/pg_control")), 0);
	check_again(&seen);
	put(dir.data, "global/pg_control", "x");
	check_again(&seen);
	put(dir.data, "PG_VERSION", "16\n");
	check_again(&seen);
	cr_assert_eq(unlink(in(dir.data, "standby.signal")), 0);
	check_again(&seen);
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_BOOTSTRAP, NULL), 0);
	check_again(&seen);
	cr_assert_eq(rename(dir.data, dir.old), 0);
	check_again(&seen);
	make(dir.data, "b");
	check_again(&seen);
}

Test(pgdir, lost_and_found_is_nothing)
{
	cr_assert_eq(mkdir(dir.data, 0700), 0);
	cr_assert_eq(mkdir(in(dir.data, "lost+found"), 0700), 0);
	cr_assert(pgdir_empty(dir.data));
	cr_assert_eq(looked(), DIR_EMPTY);
}

Test(pgdir, marks_are_no_files)
{
	struct stat st;

	make(dir.data, "a");
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_REWINDING, NULL), 0);
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_REWINDING, NULL), 0, "twice is no failure");
	cr_assert_eq(lstat(in(dir.data, PGDIR_REWINDING), &st), 0);
	cr_assert(S_ISFIFO(st.st_mode), "pg_rewind and pg_basebackup pass over it");
}

Test(pgdir, swaps_a_whole_one_in)
{
	make(dir.data, "old");
	make(dir.staged, "new");
	cr_assert_eq(pgdir_swap(&dir, NULL), -ERR_STATE, "it is not known to be whole");
	cr_assert(is(dir.data, "old"));
	cr_assert_eq(pgdir_mark(dir.staged, PGDIR_WHOLE, NULL), 0);
	cr_assert_eq(pgdir_swap(&dir, NULL), 0);
	cr_assert(is(dir.data, "new") && is(dir.old, "old"));
	cr_assert_not(is(dir.data, PGDIR_WHOLE) || pgdir_exists(dir.staged));
}

Test(pgdir, swaps_into_nothing)
{
	int rubbish = -1;

	make(dir.staged, "new");
	cr_assert_eq(pgdir_mark(dir.staged, PGDIR_WHOLE, NULL), 0);
	cr_assert_eq(pgdir_swap(&dir, NULL), 0);
	cr_assert(is(dir.data, "new"));
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert_eq(rubbish, 0);
}

/* A crash after each step of a swap. */

Test(pgdir, crash_before_the_swap_keeps_the_old_one)
{
	int rubbish = 0;

	make(dir.data, "old");
	make(dir.staged, "new");
	cr_assert_eq(pgdir_mark(dir.staged, PGDIR_WHOLE, NULL), 0);
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert(is(dir.data, "old"));
	cr_assert_eq(rubbish, PGDIR_RUBBISH_STAGED);
}

Test(pgdir, crash_in_the_middle_of_the_swap_finishes_it)
{
	int rubbish = 0;

	make(dir.old, "old");
	make(dir.staged, "new");
	cr_assert_eq(pgdir_mark(dir.staged, PGDIR_WHOLE, NULL), 0);
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert(is(dir.data, "new") && !is(dir.data, PGDIR_WHOLE));
	cr_assert_eq(rubbish, PGDIR_RUBBISH_OLD);
}

Test(pgdir, crash_with_a_half_copy_brings_the_old_one_back)
{
	int rubbish = 0;

	/* It cannot come to this by itself; an operator's hand may have. */
	make(dir.old, "old");
	make(dir.staged, "new");
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert(is(dir.data, "old"));
	cr_assert_eq(rubbish, PGDIR_RUBBISH_STAGED);
}

Test(pgdir, crash_after_the_swap_forgets_the_old_one)
{
	int rubbish = 0;

	make(dir.data, "new");
	make(dir.old, "old");
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_WHOLE, NULL), 0);
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert(is(dir.data, "new") && !is(dir.data, PGDIR_WHOLE));
	cr_assert_eq(rubbish, PGDIR_RUBBISH_OLD);
}

Test(pgdir, the_old_one_stays_while_nothing_usable_stands_in_its_place)
{
	int rubbish = 0;

	make(dir.old, "old");
	cr_assert_eq(mkdir(dir.data, 0700), 0);
	put(dir.data, "stray", "");
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert_eq(rubbish, 0);
	cr_assert(is(dir.old, "old"));
}

/* A command of the operator's that works on the data directory itself. */

Test(pgdir, what_stood_aside_comes_back)
{
	int rubbish = 0;

	make(dir.data, "old");
	cr_assert_eq(pgdir_set_aside(&dir, NULL), 0);
	cr_assert_not(pgdir_exists(dir.data));
	make(dir.data, "half");
	/* The agent dies here. */
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert(is(dir.data, "old") && is(dir.staged, "half"));
	cr_assert_not(is(dir.data, PGDIR_ASIDE));
	cr_assert_eq(rubbish, PGDIR_RUBBISH_STAGED);
}

Test(pgdir, what_a_command_made_is_kept)
{
	int rubbish = 0;

	make(dir.data, "old");
	cr_assert_eq(pgdir_set_aside(&dir, NULL), 0);
	make(dir.data, "new");
	cr_assert_eq(pgdir_keep_new(&dir, NULL), 0);
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert(is(dir.data, "new"));
	cr_assert_eq(rubbish, PGDIR_RUBBISH_OLD);
}

Test(pgdir, nothing_comes_back_where_nothing_was)
{
	int rubbish = 0;

	cr_assert_eq(pgdir_set_aside(&dir, NULL), 0);
	make(dir.data, "half");
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert(pgdir_empty(dir.data));
	cr_assert(is(dir.staged, "half"));
}

Test(pgdir, a_crash_before_setting_aside_changes_nothing)
{
	int rubbish = 0;

	make(dir.data, "old");
	cr_assert_eq(pgdir_mark(dir.data, PGDIR_ASIDE, NULL), 0);
	cr_assert_eq(pgdir_mend(&dir, &rubbish, NULL), 0);
	cr_assert(is(dir.data, "old") && !is(dir.data, PGDIR_ASIDE));
	cr_assert_eq(rubbish, 0);
}

Test(pgdir, follows_a_link)
{
	struct pgdir linked;
	const char *real = in(top, "elsewhere");
	const char *link = in(top, "link");

	make(real, "a");
	cr_assert_eq(symlink(real, link), 0);
	cr_assert_eq(pgdir_init(&linked, link, NULL), 0);
	cr_assert_str_eq(linked.data, real);
	cr_assert(str_ends(linked.staged, "/elsewhere.pgha-new"));
	cr_assert_eq(pgdir_check(&linked, NULL), 0);
}

Test(pgdir, refuses_what_cannot_be_replaced)
{
	struct err err = { 0 };
	struct pgdir bad;
	const char *link = in(top, "dangling");

	cr_assert_eq(symlink("/nonexistent/x", link), 0);
	cr_assert_eq(pgdir_init(&bad, link, NULL), 0);
	cr_assert_eq(pgdir_check(&bad, &err), -ERR_CONFIG);
	cr_assert(strstr(err.msg, "leads nowhere"), "%s", err.msg);
	cr_assert_eq(pgdir_init(&bad, "/proc", NULL), 0);
	cr_assert_lt(pgdir_check(&bad, &err), 0);
	cr_assert_eq(pgdir_init(&bad, "relative", NULL), 0);
	cr_assert_eq(pgdir_check(&bad, &err), -ERR_CONFIG);
}

Test(pgdir, makes_missing_parents)
{
	struct pgdir deep;
	const char *path = in(top, "a/b/data");

	cr_assert_eq(pgdir_init(&deep, path, NULL), 0);
	cr_assert_eq(pgdir_check(&deep, NULL), 0);
	cr_assert(pgdir_exists(in(top, "a/b")));
}

/* -- WAL elsewhere ------------------------------------------------------------------------ */

static void link_wal(const char *data, const char *target)
{
	char path[PATH_MAX];

	(void)str_printf(path, sizeof(path), "%s/pg_wal", data);
	(void)unlink(path);
	cr_assert_eq(symlink(target, path), 0);
}

static void fill(const char *path)
{
	cr_assert_eq(mkdir(path, 0700), 0);
	put(path, "000000010000000000000001", "");
}

Test(pgwal, is_inside_unless_asked)
{
	struct pgwal wal;

	cr_assert_eq(pgwal_choose(&wal, &dir, NULL, NULL), 0);
	cr_assert_str_eq(wal.use, "");
	make(dir.data, "a");
	cr_assert_eq(pgwal_choose(&wal, &dir, NULL, NULL), 0);
	cr_assert_str_eq(wal.use, "");
}

Test(pgwal, takes_turns)
{
	struct pgwal wal;
	char w[PATH_MAX], other[PATH_MAX];

	(void)str_copy(w, sizeof(w), in(top, "wal"));
	(void)str_copy(other, sizeof(other), in(top, "wal.pgha-new"));
	make(dir.data, "a");
	cr_assert_eq(pgwal_choose(&wal, &dir, w, NULL), 0);
	cr_assert_str_eq(wal.use, w);
	fill(w);
	link_wal(dir.data, w);
	cr_assert_eq(pgwal_choose(&wal, &dir, w, NULL), 0);
	cr_assert_str_eq(wal.use, other);
	cr_assert_str_eq(wal.clean, "");
	/* Also without the option: where it is, it stays. */
	cr_assert_eq(pgwal_choose(&wal, &dir, NULL, NULL), 0);
	cr_assert_str_eq(wal.use, other);
	/* Left by an attempt that failed: ours, for the present one uses its twin. */
	fill(other);
	cr_assert_eq(pgwal_choose(&wal, &dir, w, NULL), 0);
	cr_assert_str_eq(wal.clean, other);
	link_wal(dir.data, other);
	cr_assert_eq(pgwal_choose(&wal, &dir, w, NULL), 0);
	cr_assert_str_eq(wal.use, w);
	cr_assert_str_eq(wal.clean, w);
}

Test(pgwal, leaves_the_files_of_others_alone)
{
	struct pgwal wal;
	const char *w = in(top, "wal"), *elsewhere = in(top, "elsewhere");

	make(dir.data, "a");
	fill(w);
	cr_assert_eq(pgwal_choose(&wal, &dir, w, NULL), -ERR_STATE);
	fill(elsewhere);
	link_wal(dir.data, elsewhere);
	cr_assert_eq(pgwal_choose(&wal, &dir, w, NULL), -ERR_STATE);
	cr_assert_eq(pgwal_choose(&wal, &dir, "relative", NULL), -ERR_CONFIG);
}

Test(pgwal, of_the_old_one_is_not_that_of_the_new_one)
{
	char path[PATH_MAX];

	make(dir.data, "new");
	make(dir.old, "old");
	cr_assert_not(pgwal_of_old(&dir, path));
	link_wal(dir.old, "/wal/a");
	cr_assert(pgwal_of_old(&dir, path));
	cr_assert_str_eq(path, "/wal/a");
	link_wal(dir.data, "/wal/a");
	cr_assert_not(pgwal_of_old(&dir, path));
	link_wal(dir.data, "/wal/b");
	cr_assert(pgwal_of_old(&dir, path));
}
