/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_setup - which cluster, which etcd, which credentials
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/setup.h"

static int load(const char *text, struct setup_args args, struct setup *ret, struct err *err)
{
	char path[] = "/tmp/pgha-test-setup-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	int r;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	args.file = path;
	r = setup_load(&args, ret, err);
	unlink(path);
	return r;
}

Test(setup, reads_the_file_of_a_daemon)
{
	static const char text[] =
		"scope: demo\nnamespace: /db/ha/\nname: n1\n"
		"restapi:\n  listen: 0.0.0.0:8008\n  connect_address: 10.0.0.1:8008\n"
		"  authentication: {username: u, password: p}\n"
		"etcd3:\n  hosts: [e1:2379, e2:2380]\n"
		"postgresql:\n  listen: nonsense\n";
	_cleanup_(setup_done) struct setup setup = { 0 };
	struct err err = { 0 };

	cr_assert_eq(load(text, (struct setup_args){ 0 }, &setup, &err), 0, "%s", err.msg);
	cr_assert_str_eq(setup.config->scope, "demo");
	cr_assert_str_eq(setup.config->namespace_, "db/ha");
	cr_assert_eq(setup.config->etcd.nendpoints, 2);
	cr_assert_str_eq(setup.config->etcd.endpoints[1].host, "e2");
	cr_assert_eq(setup.config->etcd.endpoints[1].port, 2380);
	cr_assert_str_eq(setup.config->ctl.username, "u");
	cr_assert_str_eq(setup.rest_url, "http://10.0.0.1:8008");
}

Test(setup, reads_a_file_for_the_client_only)
{
	_cleanup_(setup_done) struct setup setup = { 0 };
	struct err err = { 0 };

	cr_assert_eq(load("etcd3:\n  host: e1:2379\nctl:\n  insecure: true\n",
			  (struct setup_args){ 0 }, &setup, &err),
		     0, "%s", err.msg);
	cr_assert_str_eq(setup.config->scope, "");
	cr_assert_str_eq(setup.config->namespace_, "service");
	cr_assert(setup.config->ctl.insecure);
	cr_assert_str_eq(setup.rest_url, "");
}

Test(setup, says_where_the_file_is_wrong)
{
	_cleanup_(setup_done) struct setup setup = { 0 };
	_cleanup_(setup_done) struct setup other = { 0 };
	struct err err = { 0 };

	cr_assert_lt(load("scope: demo\netcd3:\n  host: e1:notaport\n", (struct setup_args){ 0 },
			  &setup, &err),
		     0);
	cr_assert(strstr(err.msg, "line 3"), "%s", err.msg);
	cr_assert_lt(load("a: [", (struct setup_args){ 0 }, &other, &err), 0);
	cr_assert(strstr(err.msg, "/tmp/pgha-test-setup-"), "%s", err.msg);
}

Test(setup, takes_the_environment_over_the_file)
{
	static const char *const env[] = { "PATRONI_SCOPE=other", "PATRONI_ETCD3_HOSTS=e7:2379,e8:2379",
					   NULL };
	_cleanup_(setup_done) struct setup setup = { 0 };
	struct err err = { 0 };

	cr_assert_eq(load("scope: demo\n", (struct setup_args){ .env = env }, &setup, &err), 0, "%s",
		     err.msg);
	cr_assert_str_eq(setup.config->scope, "other");
	cr_assert_eq(setup.config->etcd.nendpoints, 2);
	cr_assert_str_eq(setup.config->etcd.endpoints[1].host, "e8");
}

Test(setup, takes_the_command_line_over_both)
{
	static const char *const env[] = { "DCS_URL=etcd3://wrong:1", NULL };
	_cleanup_(setup_done) struct setup setup = { 0 };

	cr_assert_eq(load("scope: demo\netcd3: {host: 'e1:1', username: u, password: p}\n",
			  (struct setup_args){ .env = env,
					       .dcs_url = "etcd3://a,b:2380/my/ns/",
					       .insecure = true },
			  &setup, NULL),
		     0);
	cr_assert_eq(setup.config->etcd.nendpoints, 2);
	cr_assert_str_eq(setup.config->etcd.endpoints[0].host, "a");
	cr_assert_eq(setup.config->etcd.endpoints[0].port, 2379);
	cr_assert_eq(setup.config->etcd.endpoints[1].port, 2380);
	cr_assert_str_eq(setup.config->namespace_, "my/ns");
	cr_assert_str_eq(setup.config->etcd.username, "u");
	cr_assert(setup.config->ctl.insecure);
}

static int apply(const char *url, struct config *config, struct err *err)
{
	*config = (struct config){ 0 };
	return setup_apply_url(url, config, err);
}

Test(setup, reads_addresses_of_etcd)
{
	struct config config;
	struct err err = { 0 };

	cr_assert_eq(apply("localhost", &config, NULL), 0);
	cr_assert_eq(config.etcd.endpoints[0].port, 2379);
	cr_assert_eq(apply("//h:1", &config, NULL), 0);
	cr_assert_str_eq(config.etcd.endpoints[0].host, "h");
	cr_assert_eq(apply("etcd3://", &config, NULL), 0);
	cr_assert_str_eq(config.etcd.endpoints[0].host, "localhost");
	cr_assert_eq(apply("https://[::1]:2379/x", &config, NULL), 0);
	cr_assert_str_eq(config.etcd.endpoints[0].host, "::1");
	cr_assert(config.etcd.endpoints[0].tls);
	cr_assert_eq(apply("etcd3://me:se:cret@h", &config, NULL), 0);
	cr_assert_str_eq(config.etcd.username, "me");
	cr_assert_str_eq(config.etcd.password, "se:cret");
	free(config.etcd.username);
	free(config.etcd.password);
	cr_assert_eq(apply("etcd3://m%40e:a%2Fb%@h/ns", &config, NULL), 0);
	cr_assert_str_eq(config.etcd.username, "m@e");
	cr_assert_str_eq(config.etcd.password, "a/b%");
	cr_assert_str_eq(config.namespace_, "ns");
	free(config.etcd.username);
	free(config.etcd.password);

	cr_assert_lt(apply("consul://h:8500", &config, &err), 0);
	cr_assert(strstr(err.msg, "Unknown dcs scheme: consul"), "%s", err.msg);
	cr_assert_lt(apply("etcd3://h:port", &config, NULL), 0);
}

/* The URL may stand in a script or a unit, whose output goes to a log. */
Test(setup, keeps_the_password_of_a_bad_address_to_itself)
{
	_cleanup_(setup_done) struct setup setup = { 0 };
	struct err err = { 0 };

	cr_assert_lt(load("scope: demo\n",
			  (struct setup_args){ .dcs_url = "etcd3://me:secret@h:port" }, &setup,
			  &err),
		     0);
	cr_assert(strstr(err.msg, "-d: ") != NULL && strstr(err.msg, "h:port") != NULL, "%s",
		  err.msg);
	cr_assert_null(strstr(err.msg, "secret"), "%s", err.msg);
}

/* With a section that is no map hactl would go on as if it were not there. */
Test(setup, refuses_sections_of_another_type)
{
	static const char *const texts[] = {
		"scope: x\netcd3: 10.0.0.5:2379\n",
		"scope: x\netcd3: [10.0.0.5:2379]\n",
		"scope: x\nctl: true\n",
		"scope: x\nctl: {authentication: me}\n",
		"scope: x\nrestapi: 10.0.0.5:8008\n",
		"scope: x\nrestapi: {authentication: [me, secret]}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(setup_done) struct setup setup = { 0 };
		struct err err = { 0 };

		cr_assert_lt(load(texts[i], (struct setup_args){ 0 }, &setup, &err), 0, "%s",
			     texts[i]);
		cr_assert(strstr(err.msg, "line 2: ") != NULL, "%s", err.msg);
	}
}

Test(setup, insists_on_a_file_that_was_named_and_not_on_others)
{
	static const char *const named[] = { "HACTL_CONFIG=/nonexistent/a.yml", NULL };
	static const char *const home[] = { "HOME=/nonexistent", NULL };
	const struct setup_args by_env = { .env = named }, by_home = { .env = home };
	_cleanup_(setup_done) struct setup setup = { 0 };
	struct err err = { 0 };
	_cleanup_(freep) char *file = NULL;
	bool asked;

	file = setup_find_file(&by_env, &asked);
	cr_assert_str_eq(file, "/nonexistent/a.yml");
	cr_assert(asked);
	cr_assert_lt(setup_load(&by_env, &setup, &err), 0);
	cr_assert(strstr(err.msg, "/nonexistent/a.yml not existing or no read rights"), "%s", err.msg);
	free(setup_find_file(&by_home, &asked));
	cr_assert_not(asked);
}

Test(setup, looks_in_the_home_directory_before_etc)
{
	char dir[] = "/tmp/pgha-test-setup-XXXXXX";
	_cleanup_(freep) char *home = NULL;
	_cleanup_(freep) char *sub = NULL;
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *found = NULL;
	const char *env[] = { NULL, NULL };
	struct setup_args args = { .env = env };
	FILE *file;
	bool asked;

	cr_assert_not_null(mkdtemp(dir));
	home = str_dupf("XDG_CONFIG_HOME=%s", dir);
	sub = str_dupf("%s/patroni", dir);
	path = str_dupf("%s/patroni/patronictl.yaml", dir);
	env[0] = home;
	cr_assert_eq(mkdir(sub, 0700), 0);
	file = fopen(path, "we");
	cr_assert_not_null(file);
	fclose(file);
	found = setup_find_file(&args, &asked);
	cr_assert_str_eq(found, path);
	cr_assert_not(asked);
	unlink(path);
	rmdir(sub);
	rmdir(dir);
}
