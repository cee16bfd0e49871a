/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_statefile - the durable record comes back as it was written, or not at all
 */
#include "io/statefile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64];
static char path[128];

static void setup(void)
{
	str_copy(dir, sizeof(dir), "/tmp/pgha-state-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert(str_printf(path, sizeof(path), "%s/pgha.demo.n1.state", dir) > 0);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

TestSuite(statefile, .init = setup, .fini = teardown);

static const struct durable sample = {
	.cluster_id = UINT64_C(17496614320493254894),
	.revision = 123456,
	.epoch = 99,
	.accepted = 42,
	.regressed = true,
	.promised = 98,
	.sealed = true,
	.timeline = 7,
	.sysid = "7710500522913725001",
};

static void save(const struct durable *durable)
{
	struct err err = { 0 };

	cr_assert_eq(statefile_save(dir, "demo.n1", durable, &err), 0, "%s", err.msg);
}

static void write_text(const char *text)
{
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

Test(statefile, a_record_comes_back_whole)
{
	struct durable d = { 0 };

	save(&sample);
	cr_assert(statefile_load(dir, "demo.n1", &d));
	cr_assert_eq(d.cluster_id, sample.cluster_id);
	cr_assert_eq(d.revision, sample.revision);
	cr_assert_eq(d.epoch, sample.epoch);
	cr_assert_eq(d.accepted, sample.accepted);
	cr_assert(d.regressed);
	cr_assert_eq(d.promised, 98);
	cr_assert(d.sealed);
	cr_assert_eq(d.timeline, sample.timeline);
	cr_assert_str_eq(d.sysid, sample.sysid);
}

Test(statefile, an_empty_record_is_one)
{
	struct durable d = sample;

	save(&(struct durable){ 0 });
	cr_assert(statefile_load(dir, "demo.n1", &d));
	cr_assert_eq(d.revision, 0);
	cr_assert_not(d.regressed);
	cr_assert_str_eq(d.sysid, "");
}

Test(statefile, a_record_of_another_member_is_not_read)
{
	struct durable d = { 0 };

	save(&sample);
	cr_assert_not(statefile_load(dir, "demo.n2", &d));
}

Test(statefile, a_damaged_record_is_none)
{
	struct durable d = { 0 };
	char text[1024];
	FILE *file;
	size_t n;

	save(&sample);
	file = fopen(path, "re");
	cr_assert_not_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	cr_assert_eq(fclose(file), 0);
	text[n] = '\0';

	*strstr(text, "123456") = '9';
	write_text(text);
	cr_assert_not(statefile_load(dir, "demo.n1", &d));
	text[n / 2] = '\0';
	write_text(text);
	cr_assert_not(statefile_load(dir, "demo.n1", &d));
	cr_assert_eq(d.revision, 0);
}
