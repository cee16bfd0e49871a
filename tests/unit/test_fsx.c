/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_fsx - small files that must survive a power cut
 */
#include "io/fsx.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char path[128];

static void setup(void)
{
	str_copy(dir, sizeof(dir), "/tmp/pgha-fsx-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert(str_printf(path, sizeof(path), "%s/file", dir) > 0);
}

static void teardown(void)
{
	char file[192];

	unlink(path);
	str_printf(file, sizeof(file), "%s.new", path);
	unlink(file);
	str_printf(file, sizeof(file), "%s/a/b/c", dir);
	rmdir(file);
	str_printf(file, sizeof(file), "%s/a/b", dir);
	rmdir(file);
	str_printf(file, sizeof(file), "%s/a", dir);
	rmdir(file);
	rmdir(dir);
}

TestSuite(fsx, .init = setup, .fini = teardown);

Test(fsx, a_replaced_file_is_read_back_whole)
{
	struct buf got = { 0 };
	struct err err = { 0 };

	cr_assert_eq(fsx_replace(path, "one", 3, &err), 0, "%s", err.msg);
	cr_assert_eq(fsx_replace(path, "second\0x", 8, &err), 0, "%s", err.msg);
	cr_assert_eq(fsx_read(path, 8, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.len, 8);
	cr_assert_eq(memcmp(got.data, "second\0x", 8), 0);
	buf_done(&got);
}

Test(fsx, a_stale_new_file_is_overwritten)
{
	struct buf got = { 0 };
	struct err err = { 0 };
	char stale[192];

	str_printf(stale, sizeof(stale), "%s.new", path);
	cr_assert_eq(fsx_replace(stale, "a long leftover of a crash", 26, &err), 0);
	cr_assert_eq(fsx_replace(path, "x", 1, &err), 0, "%s", err.msg);
	cr_assert_eq(access(stale, F_OK), -1);
	cr_assert_eq(fsx_read(path, 100, &got, &err), 0);
	cr_assert_str_eq(got.data, "x");
	buf_done(&got);
}

Test(fsx, a_failed_replacement_leaves_the_old_content)
{
	struct buf got = { 0 };
	struct err err = { 0 };
	char stale[192];

	cr_assert_eq(fsx_replace(path, "old", 3, &err), 0);
	/* A directory in the place of the temporary file makes its creation fail. */
	str_printf(stale, sizeof(stale), "%s.new", path);
	cr_assert_eq(mkdir(stale, 0700), 0);
	cr_assert_eq(fsx_replace(path, "new", 3, &err), -ERR_IO);
	cr_assert_eq(rmdir(stale), 0);
	cr_assert_eq(fsx_read(path, 100, &got, &err), 0);
	cr_assert_str_eq(got.data, "old");
	buf_done(&got);
}

Test(fsx, the_mode_does_not_depend_on_the_umask)
{
	struct err err = { 0 };
	struct stat st;

	umask(0777);
	cr_assert_eq(fsx_replace_mode(path, "x", 1, 0640, &err), 0, "%s", err.msg);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(fsx_replace(path, "x", 1, &err), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(fsx, a_missing_file_is_an_answer_and_a_long_one_a_failure)
{
	struct buf got = { 0 };
	struct err err = { 0 };

	cr_assert_eq(fsx_read(path, 3, &got, &err), FSX_MISSING);
	cr_assert_eq(fsx_replace(path, "four", 4, &err), 0);
	cr_assert_eq(fsx_read(path, 3, &got, &err), -ERR_RANGE);
	cr_assert_eq(fsx_read(path, 4, &got, &err), 0);
	buf_done(&got);
}

Test(fsx, a_fifo_or_a_directory_is_refused_without_waiting)
{
	struct buf got = { 0 };
	struct err err = { 0 };

	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(fsx_read(path, 100, &got, &err), -ERR_STATE);
	cr_assert_eq(fsx_read(dir, 100, &got, &err), -ERR_STATE);
	buf_done(&got);
}

Test(fsx, removing_twice_is_fine)
{
	struct err err = { 0 };

	cr_assert_eq(fsx_replace(path, "x", 1, &err), 0);
	cr_assert_eq(fsx_remove(path, &err), 0);
	cr_assert_eq(access(path, F_OK), -1);
	cr_assert_eq(fsx_remove(path, &err), 0);
}

Test(fsx, directories_are_made_with_their_parents)
{
	struct err err = { 0 };
	struct stat st;
	char deep[192];

	umask(077);
	str_printf(deep, sizeof(deep), "%s/a/b/c", dir);
	cr_assert_eq(fsx_mkdirs(deep, 0750, &err), 0, "%s", err.msg);
	cr_assert_eq(fsx_mkdirs(deep, 0700, &err), 0);
	cr_assert_eq(stat(deep, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0750);
}

Test(fsx, a_file_in_the_way_of_a_directory_is_named)
{
	struct err err = { 0 };
	char deep[192];

	cr_assert_eq(fsx_replace(path, "x", 1, &err), 0);
	str_printf(deep, sizeof(deep), "%s/sub", path);
	cr_assert_eq(fsx_mkdirs(deep, 0750, &err), -ERR_STATE);
	cr_assert_not_null(strstr(err.msg, path));
}
