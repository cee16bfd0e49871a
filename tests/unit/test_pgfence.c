/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgfence - getting the module pgha_fence into Postgres
 */
#include "io/pgfence.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char preload[] = "shared_preload_libraries", run_dir[] = "/run/pgha";

struct place {
	char top[PATH_MAX];
	char bin[PATH_MAX];
	struct config config;
};

static void make_file(const struct place *place, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	int fd;

	cr_assert_gt(str_printf(path, sizeof(path), "%s/%s", place->top, name), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	cr_assert_geq(fd, 0);
	close(fd);
}

static void make_dir(const struct place *place, const char *name)
{
	char path[PATH_MAX];

	cr_assert_gt(str_printf(path, sizeof(path), "%s/%s", place->top, name), 0);
	cr_assert_eq(mkdir(path, 0755), 0);
}

/* A PostgreSQL installation of one version, with the module or without. */
static void setup(struct place *place, bool with_module)
{
	*place = (struct place){ .top = "/tmp/pgha-fence-XXXXXX" };
	cr_assert_not_null(mkdtemp(place->top));
	make_dir(place, "bin");
	make_dir(place, "lib");
	make_file(place, "bin/postgres", 0755);
	if (with_module)
		make_file(place, "lib/pgha_fence.so", 0644);
	cr_assert_gt(str_printf(place->bin, sizeof(place->bin), "%s/bin", place->top), 0);
	place->config.pg.bin_dir = place->bin;
	place->config.run_dir = run_dir;
	(void)str_copy(place->config.scope, sizeof(place->config.scope), "batman");
	(void)str_copy(place->config.name, sizeof(place->config.name), "node1");
}

static void remove_all(const struct place *place)
{
	static const char *const names[] = { "bin/postgres", "bin/other", "lib/pgha_fence.so", "bin",
					     "lib", "" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cr_assert_gt(str_printf(path, sizeof(path), "%s/%s", place->top, names[i]), 0);
		(void)remove(path);
	}
}

static void expect_plan(const struct place *place, const char *base, const char *libraries)
{
	struct pgfence fence;

	pgfence_plan(&place->config, base, &fence);
	cr_expect_str_eq(fence.libraries ? fence.libraries : "(none)", libraries);
	if (fence.libraries)
		cr_expect_str_eq(fence.page, "/run/pgha/batman/node1/lease");
	else
		cr_expect_null(fence.page);
	pgfence_done(&fence);
}

Test(pgfence, is_found_beside_the_programs)
{
	struct place place;

	setup(&place, false);
	cr_expect_not(pgfence_installed(&place.config));
	make_file(&place, "lib/pgha_fence.so", 0644);
	cr_expect(pgfence_installed(&place.config));
	remove_all(&place);
}

Test(pgfence, is_found_through_path_and_links)
{
	struct place place;
	struct place links;
	char from[PATH_MAX];
	char to[PATH_MAX];

	setup(&place, true);
	setup(&links, false);
	/* As Debian's alternatives would have it: the library is beside the real program. */
	cr_assert_gt(str_printf(from, sizeof(from), "%s/bin/postgres", place.top), 0);
	cr_assert_gt(str_printf(to, sizeof(to), "%s/bin/postgres", links.top), 0);
	cr_assert_eq(unlink(to), 0);
	cr_assert_eq(symlink(from, to), 0);
	cr_expect(pgfence_installed(&links.config));

	place.config.pg.bin_dir = NULL;
	cr_assert_gt(str_printf(to, sizeof(to), "/nonexistent::%s/bin:/usr/bin", links.top), 0);
	cr_assert_eq(setenv("PATH", to, 1), 0);
	cr_expect(pgfence_installed(&place.config));
	cr_assert_eq(setenv("PATH", "/nonexistent", 1), 0);
	cr_expect_not(pgfence_installed(&place.config));
	remove_all(&place);
	remove_all(&links);
}

Test(pgfence, joins_what_the_operator_loads)
{
	struct place place;
	struct pair pair = { preload, (char[]){ "auto_explain" } };

	setup(&place, true);
	expect_plan(&place, NULL, "pgha_fence");
	expect_plan(&place, "#shared_preload_libraries = 'x'\n", "pgha_fence");
	expect_plan(&place, "shared_preload_libraries = 'pg_stat_statements, x'\n",
		    "pg_stat_statements, x,pgha_fence");
	/* The configuration of the cluster stands behind the base file. */
	place.config.pg.parameters.items = &pair;
	place.config.pg.parameters.n = 1;
	expect_plan(&place, "shared_preload_libraries = 'x'\n", "auto_explain,pgha_fence");
	remove_all(&place);
}

Test(pgfence, stays_away_from_what_it_cannot_see)
{
	struct place place;
	struct pair pair = { preload, (char[]){ "" } };

	setup(&place, true);
	expect_plan(&place, "include_dir = 'conf.d'\n", "(none)");
	expect_plan(&place, "shared_preload_libraries = 'x'\ninclude 'more'\n", "(none)");
	expect_plan(&place, "#include_dir = 'conf.d'\n", "pgha_fence");
	/* Set by the operator: nothing that is included counts. */
	place.config.pg.parameters.items = &pair;
	place.config.pg.parameters.n = 1;
	expect_plan(&place, "include_dir = 'conf.d'\n", "pgha_fence");
	remove_all(&place);
}

Test(pgfence, is_not_loaded_when_it_is_off_or_missing)
{
	struct place place;

	setup(&place, true);
	place.config.fence.commit_guard = FENCE_COMMIT_OFF;
	expect_plan(&place, NULL, "(none)");
	remove_all(&place);
	setup(&place, false);
	expect_plan(&place, NULL, "(none)");
	place.config.fence.commit_guard = FENCE_COMMIT_REQUIRED;
	expect_plan(&place, NULL, "(none)");
	remove_all(&place);
}

static void expect_over_auto(const struct place *place, const char *text, const char *libraries)
{
	struct pgfence fence;

	pgfence_over_auto(&place->config, text, &fence);
	cr_expect_str_eq(fence.libraries ? fence.libraries : "(none)", libraries);
	cr_expect_eq(fence.page != NULL, fence.libraries != NULL);
	pgfence_done(&fence);
}

Test(pgfence, joins_what_alter_system_loads)
{
	static const char alone[] = "shared_preload_libraries = 'citus, x'\n";
	struct place place;

	setup(&place, true);
	expect_over_auto(&place, NULL, "(none)");
	expect_over_auto(&place, "work_mem = '1MB'\n", "(none)");
	expect_over_auto(&place, alone, "citus, x,pgha_fence");
	expect_over_auto(&place, "shared_preload_libraries = ''\n", "pgha_fence");
	expect_over_auto(&place, "shared_preload_libraries = 'a, pgha_fence'\n", "(none)");
	place.config.fence.commit_guard = FENCE_COMMIT_OFF;
	expect_over_auto(&place, alone, "(none)");
	remove_all(&place);
	setup(&place, false);
	expect_over_auto(&place, alone, "(none)");
	remove_all(&place);
}

Test(pgfence, is_listed_once)
{
	static const char *const lists[][2] = {
		{ "", "pgha_fence" },
		{ " ", "pgha_fence" },
		{ "a", "a,pgha_fence" },
		{ "pgha_fence", "pgha_fence" },
		{ "a, pgha_fence ,b", "a, pgha_fence ,b" },
		{ "$libdir/pgha_fence", "$libdir/pgha_fence" },
		{ "pgha_fence2", "pgha_fence2,pgha_fence" },
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		_cleanup_(freep) char *list = pgfence_libraries(lists[i][0]);

		cr_expect_str_eq(list, lists[i][1]);
	}
}

Test(pgfence, reads_settings_as_postgres_does)
{
	static const char *const texts[][2] = {
		{ "x = 'a'", "a" },
		{ "x='a'\nx 'b' # c\n", "b" },
		{ "  X\t= it''s\n", "it''s" },
		{ "x = 'it''s \\'so\\''", "it's 'so'" },
		{ "x = plain # comment", "plain" },
		{ "x = 'open\ny = 1", "open" },
		{ "y = 1", NULL },
		{ "xx = 1", NULL },
		{ "# x = 1", NULL },
		{ "", NULL },
	};
	bool includes;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(freep) char *value = pgfence_setting_in(texts[i][0], "x", &includes);

		cr_expect_not(includes);
		if (texts[i][1])
			cr_expect_str_eq(value ? value : "(none)", texts[i][1], "%s", texts[i][0]);
		else
			cr_expect_null(value, "%s", texts[i][0]);
	}
	cr_expect_null(pgfence_setting_in(NULL, "x", &includes));
	cr_expect_null(pgfence_setting_in("include_if_exists 'y'", "x", &includes));
	cr_expect(includes);
}
