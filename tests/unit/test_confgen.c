/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_confgen - what is made of a server can be used, and says what the server said
 */
#include <criterion/criterion.h>

#include "tests/lib/confload.h"
#include "wire/confgen.h"
#include "wire/confget.h"

static char *print(const struct confgen *gen)
{
	struct buf text = { 0 };

	confgen_print(gen, &text);
	return buf_take(&text);
}

static const char *parameter(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->pg.parameters.n; i++)
		if (str_ieq(config->pg.parameters.items[i].name, name))
			return config->pg.parameters.items[i].value;
	return NULL;
}

static struct confload load(const struct confgen *gen)
{
	_cleanup_(freep) char *text = print(gen);
	struct confload load = { 0 };

	load.r = confdoc_parse(text, strlen(text), NULL, &load.doc, &load.err);
	cr_assert_eq(load.r, 0, "%s\n%s", load.err.msg, text);
	load.r = conf_build(load.doc, NULL, &load.config, &load.problems, &load.err);
	cr_assert_eq(load.r, 0, "%s\n%s", load.err.msg, text);
	return load;
}

Test(confgen, is_usable_with_next_to_nothing)
{
	struct confgen gen = { .data_dir = "/srv/pg/data" };
	struct confload l = load(&gen);
	_cleanup_(freep) char *text = print(&gen);

	cr_assert_str_eq(l.config->scope, "main");
	cr_assert_str_eq(l.config->pg.data_dir, "/srv/pg/data");
	cr_assert_eq(l.problems.n, 0);
	cr_assert(strstr(text, "scope: main    # CHECK") != NULL);
	cr_assert(strstr(text, "etcd3:\n  hosts: 127.0.0.1:2379    # CHECK") != NULL);
	cr_assert(strstr(text, "CREATE ROLE replicator LOGIN") != NULL);
	confload_done(&l);
}

/* Whatever stands in a setting comes back as it was. */
Test(confgen, keeps_values_as_they_are)
{
	static const char *const hostile[] = {
		"it's",	     "a: b # c", "on",	  "007",       "1e3",	   "~",	 "'",	 "''",
		"- x",	     "{a}",	 "[1]",	  "&anchor",   "*alias",   "!t", "%d %m", "\\n\\\\",
		"\xC3\xA4",  " blank ",	 "10:30", "0x1F",      "null",	   "\"", "a,b",	 "yes",
		"/a/b.c-d_", "128MB",	 "-1",	  "12345678901", "2030-01-01", "=",	 "@",	 "`",
	};

	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct confgen gen = { .data_dir = "/d" };
		struct confload l;

		confget_add_pair(&gen.own, "archive_command", hostile[i]);
		confget_add_pair(&gen.shared, "application_name", hostile[i]);
		confget_add_pair(&gen.auth, "username", "x");
		confget_add_pair(&gen.auth, "password", hostile[i]);
		confget_add_string(&gen.pg_hba, hostile[i]);
		l = load(&gen);
		cr_assert_str_eq(parameter(l.config, "archive_command"), hostile[i]);
		cr_assert_str_eq(parameter(l.config, "application_name"), hostile[i]);
		cr_assert_str_eq(l.config->pg.superuser.password, hostile[i]);
		cr_assert_str_eq(l.config->pg.pg_hba.items[0], hostile[i]);
		confload_done(&l);
		confgen_done(&gen);
	}
}

Test(confgen, takes_names_that_cannot_be_used_for_a_hint)
{
	struct confgen gen = { .data_dir = "/d", .scope = "15/main", .name = "a b" };
	struct confload l = load(&gen);
	_cleanup_(freep) char *text = print(&gen);

	cr_assert_str_eq(l.config->scope, "15-main");
	cr_assert(strstr(text, "scope: 15-main    # CHECK") != NULL);
	cr_assert_str_eq(l.config->name, "node1");
	confload_done(&l);

	gen.scope = "shop";
	freep(&text);
	text = print(&gen);
	cr_assert(strstr(text, "scope: shop\n") != NULL);
}

Test(confgen, listens_where_others_reach_it)
{
	static const char *const cases[][2] = {
		{ "localhost", "listen: 'localhost,192.0.2.7:5433'    # CHECK" },
		{ "", "listen: '192.0.2.7:5433'    # CHECK" },
		{ "*", "listen: '*:5433'\n" },
		{ "10.0.0.1, 127.0.0.1", "listen: '10.0.0.1,127.0.0.1:5433'\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct confgen gen = { .data_dir = "/d", .address = "192.0.2.7", .port = "5433",
				       .listen = cases[i][0] };
		struct confload l = load(&gen);
		_cleanup_(freep) char *text = print(&gen);

		cr_assert(strstr(text, cases[i][1]) != NULL, "%s", text);
		cr_assert(strstr(text, "connect_address: '192.0.2.7:5433'\n") != NULL);
		confload_done(&l);
	}
}

Test(confgen, knows_where_settings_belong)
{
	cr_assert_eq(confgen_place("max_connections"), CONFGEN_SHARED);
	cr_assert_eq(confgen_place("work_mem"), CONFGEN_SHARED);
	cr_assert_eq(confgen_place("archive_command"), CONFGEN_OWN);
	cr_assert_eq(confgen_place("ssl_passphrase_command"), CONFGEN_OWN);
	cr_assert_eq(confgen_place("port"), CONFGEN_NOWHERE);
	cr_assert_eq(confgen_place("recovery_target_time"), CONFGEN_NOWHERE);
	cr_assert_eq(confgen_place("primary_conninfo"), CONFGEN_NOWHERE);
	cr_assert_eq(confgen_place("[superuser]"), CONFGEN_NOWHERE);
}
