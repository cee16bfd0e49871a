/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_peersecret - a secret that others can read is none
 */
#include "io/peersecret.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static char path[64];
static struct config config;

static void setup(void)
{
	int fd;

	str_copy(path, sizeof(path), "/tmp/pgha-secret-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(dprintf(fd, "0123456789abcdef\n"), 17);
	cr_assert_eq(close(fd), 0);
	config = (struct config){ .restapi.peer_secret_file = path };
	str_clip(config.scope, sizeof(config.scope), "main");
	str_clip(config.name, sizeof(config.name), "n1");
}

static void teardown(void)
{
	unlink(path);
}

TestSuite(peersecret, .init = setup, .fini = teardown);

Test(peersecret, a_file_of_its_owner_alone_is_read)
{
	struct peersign sign = { 0 };
	struct err err = { 0 };

	cr_assert_eq(peersecret_load(&config, &sign, &err), 0, "%s", err.msg);
	cr_assert_eq(sign.nsecrets, 1);
	cr_assert_str_eq(sign.secrets[0], "0123456789abcdef");
	cr_assert_str_eq(sign.name, "n1");
	cr_assert_str_eq(sign.scope, "main");
	cr_assert(sign.required);
	config.restapi.peer_auth = PEER_OPTIONAL;
	cr_assert_eq(peersecret_load(&config, &sign, &err), 0, "%s", err.msg);
	cr_assert_not(sign.required);
}

Test(peersecret, without_a_file_nothing_is_signed)
{
	struct peersign sign = { .nsecrets = 1 };

	config.restapi.peer_secret_file = NULL;
	cr_assert_eq(peersecret_load(&config, &sign, NULL), 0);
	cr_assert_eq(sign.nsecrets, 0);
}

Test(peersecret, one_that_others_can_reach_is_refused_with_what_to_do)
{
	static const mode_t bad[] = { 0640, 0604, 0620, 0602, 0644 };
	struct peersign sign = { .nsecrets = 1 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };

		cr_assert_eq(chmod(path, bad[i]), 0);
		cr_assert_eq(peersecret_load(&config, &sign, &err), -ERR_CONFIG);
		cr_assert(str_starts(err.msg, "restapi.peer_secret_file: "), "%s", err.msg);
		cr_assert(strstr(err.msg, "chmod 600"), "%s", err.msg);
		cr_assert_eq(sign.nsecrets, 1);
	}
}

Test(peersecret, so_is_one_that_is_not_there)
{
	struct peersign sign = { 0 };
	struct err err = { 0 };

	unlink(path);
	cr_assert_eq(peersecret_load(&config, &sign, &err), -ERR_CONFIG);
	cr_assert(strstr(err.msg, path) && strstr(err.msg, "openssl rand"), "%s", err.msg);
}

Test(peersecret, so_is_an_empty_one)
{
	struct peersign sign = { 0 };
	struct err err = { 0 };

	cr_assert_eq(truncate(path, 0), 0);
	cr_assert_eq(peersecret_load(&config, &sign, &err), -ERR_CONFIG);
	cr_assert(strstr(err.msg, "empty"), "%s", err.msg);
}
