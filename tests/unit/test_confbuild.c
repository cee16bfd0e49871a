/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_confbuild - what each section of a file becomes
 */
#include <criterion/criterion.h>

#include "base/log.h"
#include "confload.h"

#define LOAD _cleanup_(confload_done) struct confload load

static void expect_problem(const char *text, const char *line)
{
	LOAD = confload(text);

	cr_assert_not_null(load.doc, "%s", load.err.msg);
	cr_assert(confload_says(&load, line), "'%s' is not in:\n%s", line,
		  load.text.data != NULL ? load.text.data : "(nothing)");
}

/* A complete file with another etcd3 section. */
static struct confload with_etcd(const char *section)
{
	_cleanup_(freep) char *text =
		str_dupf("scope: main\nname: node1\nrestapi: {listen: \"10.0.0.1:8008\"}\n"
			 "etcd3: %s\n"
			 "postgresql:\n"
			 "  listen: 10.0.0.1:5432\n"
			 "  connect_address: 10.0.0.1:5432\n"
			 "  data_dir: /d/data\n"
			 "  authentication: {superuser: {username: a}, replication: {username: b}}\n",
			 section);

	return confload(text);
}

Test(confbuild, takes_the_namespace_without_slashes_at_its_ends)
{
	static const struct {
		const char *text;
		const char *prefix;
	} cases[] = {
		{ "service", "/service/main/" }, { "/service/", "/service/main/" },
		{ "//db//ha//", "/db/ha/main/" }, { "/", "/main/" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "namespace: '%s'\n", cases[i].text);
		LOAD = confload(text);

		cr_assert_str_eq(load.config->prefix, cases[i].prefix);
	}
	expect_problem(CONFLOAD_MINIMAL "namespace: a b\n", "f:14: error: namespace: 'a b' is not");
	expect_problem(CONFLOAD_MINIMAL "namespace: a/../b\n", "f:14: error: namespace: '..' is not");
}

Test(confbuild, refuses_names_that_cannot_be_keys)
{
	static const char *const names[] = {
		"''", "a/b", "'a b'", "é", ".", "..", "[a]", "__patroni_strict_sync_replica_placeholder__",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(freep) char *text = str_dupf(CONFLOAD_MINIMAL "name: %s\n", names[i]);
		LOAD = confload(text);

		cr_assert_eq(load.problems.nfatal, 1, "%s", names[i]);
	}
	_cleanup_(confload_done) struct confload good = confload(
		CONFLOAD_MINIMAL
		"name: a.B_9-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
	cr_assert_eq(good.r, 0, "%s", good.err.msg);
}

Test(confbuild, keeps_timing_within_its_bounds)
{
	static const struct {
		const char *dcs;
		bool ok;
		int64_t ttl_ms;
		int64_t loop_wait_ms;
		size_t nproblems;
	} cases[] = {
		{ "ttl: 2", true, 2000, 1000, 1 },
		{ "ttl: 3", true, 3000, 1000, 0 },
		{ "ttl: '3'", true, 3000, 1000, 0 },
		{ "ttl: 30.0", true, 30000, 1000, 0 },
		{ "ttl: 3600, loop_wait: 3599", true, 3600000, 3599000, 0 },
		{ "ttl: 10, loop_wait: 10", true, 10000, 5000, 1 },
		{ "ttl: 10, loop_wait: 9", true, 10000, 9000, 0 },
		{ "ttl: 2, loop_wait: 7", true, 2000, 1000, 2 },
		{ "ttl: 1", false, 0, 0, 1 },
		{ "ttl: 3601", false, 0, 0, 1 },
		{ "ttl: 2.5", false, 0, 0, 1 },
		{ "ttl: true", false, 0, 0, 1 },
		{ "ttl: [5]", false, 0, 0, 1 },
		{ "loop_wait: 0", false, 0, 0, 1 },
		{ "retry_timeout: 0", false, 0, 0, 1 },
		{ "retry_timeout: -1", false, 0, 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "bootstrap: {dcs: {%s}}\n", cases[i].dcs);
		LOAD = confload(text);

		cr_assert_eq(load.problems.n, cases[i].nproblems, "%s: %s", cases[i].dcs,
			     load.text.data);
		cr_assert_eq(load.r >= 0, cases[i].ok, "%s", cases[i].dcs);
		if (load.config == NULL)
			continue;
		cr_assert_eq(load.config->ha.ttl_ms, cases[i].ttl_ms);
		cr_assert_eq(load.config->ha.loop_wait_ms, cases[i].loop_wait_ms);
	}
	expect_problem(CONFLOAD_MINIMAL "bootstrap: {dcs: {ttl: 10, loop_wait: 10}}\n",
		       "f:14: warning: bootstrap.dcs.loop_wait: 10 s is not less than ttl (10 s); 5 s "
		       "is used\n");
}

Test(confbuild, reads_the_numbers_of_the_cluster)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL,
				"{\"maximum_lag_on_failover\":0,\"master_start_timeout\":9,"
				"\"primary_stop_timeout\":4,\"master_stop_timeout\":8,"
				"\"member_slots_ttl\":\"2h\",\"check_timeline\":\"yes\","
				"\"max_timelines_history\":7,\"pause\":true,"
				"\"pgha\":{\"lease_proof\":\"PHANTOM\"},"
				"\"postgresql\":{\"use_slots\":\"off\",\"use_pg_rewind\":1,"
				"\"remove_data_directory_on_rewind_failure\":true,"
				"\"remove_data_directory_on_diverged_timelines\":true}}");
	const struct config_ha *ha = &load.config->ha;

	cr_assert_eq(ha->maximum_lag_bytes, 0);
	cr_assert_eq(ha->primary_start_timeout_ms, 9000, "the old name counts");
	cr_assert_eq(ha->primary_stop_timeout_ms, 4000, "the new name counts before the old");
	cr_assert(confload_says(&load, "master_stop_timeout: in the dynamic configuration: "
				       "'primary_stop_timeout' is given too and counts"));
	cr_assert_eq(ha->member_slots_ttl_ms, 7200000);
	cr_assert(ha->check_timeline && ha->pause && ha->use_pg_rewind);
	cr_assert(ha->remove_on_rewind_failure && ha->remove_on_diverged_timelines);
	cr_assert_not(ha->use_slots);
	cr_assert_eq(ha->max_timelines_history, 7);
	cr_assert_eq(ha->proof, PROOF_PHANTOM);
}

Test(confbuild, lets_a_local_key_hide_the_dynamic_one_as_a_whole)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL "  callbacks: {on_start: mine}\n"
						 "  use_pg_rewind: false\n",
				"{\"postgresql\":{\"use_pg_rewind\":true,\"database\":\"theirs\","
				"\"callbacks\":{\"on_start\":\"theirs\",\"on_stop\":\"theirs\"}}}");

	cr_assert_not(load.config->ha.use_pg_rewind);
	cr_assert_str_eq(load.config->pg.callback_on_start, "mine");
	cr_assert_null(load.config->pg.callback_on_stop);
	cr_assert_str_eq(load.config->pg.database, "theirs");
}

Test(confbuild, reads_etcd_endpoints_in_every_form)
{
	static const struct {
		const char *section;
		const char *host;
		uint16_t port;
		uint32_t n;
		bool tls;
	} cases[] = {
		{ "{host: 'a:1'}", "a", 1, 1, false },
		{ "{host: a}", "a", 2379, 1, false },
		{ "{host: a, port: 99}", "a", 99, 1, false },
		{ "{hosts: 'a:1, b:2,c'}", "a", 1, 3, false },
		{ "{hosts: ['a:1', 'b:2']}", "a", 1, 2, false },
		{ "{hosts: ['[fd00::1]:5']}", "fd00::1", 5, 1, false },
		{ "{url: 'https://u:p%40ss@a:7/x'}", "a", 7, 1, true },
		{ "{url: 'http://a', protocol: https}", "a", 2379, 1, false },
		{ "{host: 'a:1', protocol: https}", "a", 1, 1, true },
		{ "{proxy: 'http://p:8'}", "p", 8, 1, false },
		{ "{hosts: ['https://a:1']}", "a", 1, 1, true },
		{ "{url: 'http://a:1', hosts: 'b:2'}", "a", 1, 1, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		LOAD = with_etcd(cases[i].section);

		cr_assert_eq(load.r, 0, "%s: %s", cases[i].section, load.err.msg);
		cr_assert_eq(load.config->etcd.nendpoints, cases[i].n, "%s", cases[i].section);
		cr_assert_str_eq(load.config->etcd.endpoints[0].host, cases[i].host);
		cr_assert_eq(load.config->etcd.endpoints[0].port, cases[i].port);
		cr_assert_eq(load.config->etcd.endpoints[0].tls, cases[i].tls, "%s",
			     cases[i].section);
	}
	LOAD = with_etcd("{url: 'https://u:p%40ss@a:7', cacert: /c}");
	cr_assert_str_eq(load.config->etcd.username, "u");
	cr_assert_str_eq(load.config->etcd.password, "p@ss");
	_cleanup_(confload_done) struct confload proxy = with_etcd("{proxy: 'http://p:8'}");
	cr_assert(proxy.config->etcd.use_proxies);
	_cleanup_(confload_done) struct confload srv =
		with_etcd("{discovery_srv: example.com, srv_suffix: x}");
	cr_assert_str_eq(srv.config->etcd.srv, "example.com");
	cr_assert_str_eq(srv.config->etcd.srv_suffix, "x");
	cr_assert_eq(srv.config->etcd.nendpoints, 0);
}

Test(confbuild, refuses_etcd_sections_that_lead_nowhere)
{
	static const struct {
		const char *section;
		const char *line;
	} cases[] = {
		{ "{}", "error: etcd3: one of host, hosts, url, proxy or srv is required" },
		{ "{username: a}", "error: etcd3: one of host, hosts" },
		{ "{host: 'a:b'}", "error: etcd3.host: " },
		{ "{hosts: ['a:1', {b: 2}]}", "error: etcd3.hosts: " },
		{ "{srv: 'exa mple.com'}", "error: etcd3.srv: 'exa mple.com' is no domain name" },
		{ "{srv: 'example..com'}", "error: etcd3.srv: 'example..com' is no domain name" },
		{ "{srv: 'https://a'}", "error: etcd3.srv: 'https://a' is no domain name" },
		{ "{srv: a.b, srv_suffix: 'x.y'}", "error: etcd3.srv_suffix: 'x.y' cannot be part" },
		{ "{host: 'a:1', srv_suffix: x}", "warning: etcd3.srv_suffix: is used only with srv" },
		{ "{url: 'ftp://u:secret@a'}", "error: etcd3.url: 'ftp://' is no http or https URL" },
		{ "{host: 'a:1', protocol: spdy}", "error: etcd3.protocol: 'spdy' is not valid; "
						   "allowed is http or https" },
		{ "{host: 'a:1', cacert: /c}", "warning: etcd3.protocol: certificates are given but" },
		{ "{host: 'a:1', protocol: https}", "warning: etcd3.cacert: without it" },
		{ "{host: 'a:1', username: u}", "warning: etcd3.username: username and password" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		LOAD = with_etcd(cases[i].section);

		cr_assert(confload_says(&load, cases[i].line), "%s: %s", cases[i].section,
			  load.text.data);
		cr_assert_not(confload_says(&load, "secret"), "a password was printed");
	}
}

Test(confbuild, keeps_no_more_endpoints_than_fit)
{
	LOAD = with_etcd("{hosts: 'a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q'}");

	cr_assert_eq(load.config->etcd.nendpoints, ENDPOINTS_MAX);
	cr_assert(confload_says(&load, "warning: etcd3.hosts: more than 16 endpoints; 'q' is not used"));
}

Test(confbuild, gives_rest_the_address_that_others_use)
{
	LOAD = confload(CONFLOAD_MINIMAL);

	cr_assert_str_eq(load.config->restapi.connect_host, "127.0.0.1");
	cr_assert_eq(load.config->restapi.connect_port, 8008);
	expect_problem(CONFLOAD_MINIMAL "restapi: {listen: '0.0.0.0:8008'}\n",
		       "error: restapi.connect_address: '0.0.0.0' means every address and cannot be "
		       "reached from elsewhere");
	expect_problem(CONFLOAD_MINIMAL "restapi: {listen: '[::]:8008'}\n",
		       "error: restapi.connect_address: '::' means every address");
	expect_problem(CONFLOAD_MINIMAL "restapi: {listen: 'a:1', connect_address: '*:8008'}\n",
		       "error: restapi.connect_address: ");
	expect_problem(CONFLOAD_MINIMAL "restapi: {listen: 'a,b:1'}\n",
		       "error: restapi.listen: one address only");
	_cleanup_(confload_done) struct confload both = confload(
		CONFLOAD_MINIMAL "restapi: {listen: '0.0.0.0:8008', connect_address: '10.0.0.1'}\n");
	cr_assert_eq(both.r, 0, "%s", both.err.msg);
	cr_assert_eq(both.config->restapi.connect_port, 8008);
}

Test(confbuild, protects_rest_as_told)
{
	LOAD = confload(CONFLOAD_MINIMAL
			"restapi:\n  listen: 127.0.0.1:8008\n"
			"  authentication: {username: u, password: p}\n"
			"  certfile: /c\n  cafile: /ca\n  verify_client: Required\n"
			"  allowlist: 10.0.0.0/8,db1\n  http_extra_headers: {X: y}\n");

	cr_assert_eq(load.r, 0, "%s", load.text.data);
	cr_assert_eq(load.config->restapi.verify_client, VERIFY_REQUIRED);
	cr_assert_eq(load.config->restapi.allowlist.n, 2);
	cr_assert_str_eq(load.config->ctl.username, "u", "ctl falls back");
	cr_assert_str_eq(load.config->ctl.cacert, "/ca");
	expect_problem(CONFLOAD_MINIMAL "restapi: {listen: 'a:1', peer_auth: required}\n",
		       "error: restapi.peer_auth: needs restapi.peer_secret_file");
	expect_problem(CONFLOAD_MINIMAL "restapi: {listen: 'a:1', verify_client: required}\n",
		       "error: restapi.verify_client: needs restapi.certfile");
	expect_problem(CONFLOAD_MINIMAL
		       "restapi: {listen: 'a:1', authentication: {username: u}}\n",
		       "error: restapi.authentication: username and password are needed both");
	expect_problem(CONFLOAD_MINIMAL
		       "restapi: {listen: 'a:1', http_extra_headers: {X: \"a\\r\\nb: c\"}}\n",
		       "error: restapi.http_extra_headers.X: must be one line");
}

Test(confbuild, warns_of_loopback_only_where_etcd_is_elsewhere)
{
	_cleanup_(freep) char *text = str_dup(CONFLOAD_MINIMAL "etcd3: {host: '10.0.0.9:2379'}\n");
	LOAD = confload(text);

	cr_assert_eq(load.r, 0);
	cr_assert(confload_says(&load, "warning: postgresql.connect_address: '127.0.0.1' is reached "
				       "from this machine only"));
	cr_assert(confload_says(&load, "restapi.connect_address: '127.0.0.1' is reached"));
}

Test(confbuild, splits_what_postgres_listens_on)
{
	static const struct {
		const char *text;
		const char *hosts; /* NULL: refused */
		uint16_t port;
	} cases[] = {
		{ "'*:5432'", "*", 5432 },
		{ "'10.0.0.1'", "10.0.0.1", 5432 },
		{ "'10.0.0.1,127.0.0.1:6000'", "10.0.0.1,127.0.0.1", 6000 },
		{ "'10.0.0.1, ::1:6000'", "10.0.0.1,::1", 6000 },
		{ "'[::1],localhost:1'", "::1,localhost", 1 },
		{ "'[::1]'", "::1", 5432 },
		{ "'a:0'", NULL, 0 },
		{ "'a:65536'", NULL, 0 },
		{ "'a:x'", NULL, 0 },
		{ "':5432'", NULL, 0 },
		{ "'a,:5432'", NULL, 0 },
		{ "'a b:5432'", NULL, 0 },
		{ "5432", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "  listen: %s\n", cases[i].text);
		LOAD = confload(text);

		cr_assert_eq(load.r >= 0, cases[i].hosts != NULL, "%s", cases[i].text);
		if (load.config == NULL)
			continue;
		cr_assert_str_eq(load.config->pg.listen, cases[i].hosts);
		cr_assert_eq(load.config->pg.port, cases[i].port);
	}
	expect_problem(CONFLOAD_MINIMAL "  connect_address: 0.0.0.0:5432\n",
		       "error: postgresql.connect_address: '0.0.0.0' means every address");
}

Test(confbuild, fills_in_the_paths)
{
	LOAD = confload(CONFLOAD_MINIMAL);
	static const char *const home[] = { "HOME=/home/me", NULL };
	_cleanup_(confload_done) struct confload with_home =
		confload_env(CONFLOAD_MINIMAL, NULL, home);

	cr_assert_str_eq(load.config->pg.config_dir, "/var/lib/pg/data");
	cr_assert_str_eq(load.config->state_dir, "/var/lib/pg");
	cr_assert_str_eq(load.config->run_dir, "/run/pgha");
	cr_assert_str_eq(load.config->pg.pgpass, "/var/lib/pg/pgpass.node1");
	cr_assert_str_eq(with_home.config->pg.pgpass, "/home/me/pgpass");
	cr_assert_null(load.config->pg.bin_dir);
	_cleanup_(confload_done) struct confload given = confload(
		CONFLOAD_MINIMAL "  data_dir: /a/b///\n  config_dir: /etc/pg/\n  pgpass: /x/pass\n"
				 "pgha: {state_dir: /var/lib/pgha, run_dir: /tmp/run}\n");
	cr_assert_str_eq(given.config->pg.data_dir, "/a/b");
	cr_assert_str_eq(given.config->pg.config_dir, "/etc/pg");
	cr_assert_str_eq(given.config->state_dir, "/var/lib/pgha");
	cr_assert_str_eq(given.config->run_dir, "/tmp/run");
	cr_assert_str_eq(given.config->pg.pgpass, "/x/pass");
}

Test(confbuild, refuses_paths_that_would_lose_data)
{
	expect_problem(CONFLOAD_MINIMAL "  data_dir: data\n", "error: postgresql.data_dir: 'data' is not");
	expect_problem(CONFLOAD_MINIMAL "  data_dir: /\n", "error: postgresql.data_dir: '/' cannot be");
	expect_problem(CONFLOAD_MINIMAL "pgha: {state_dir: /var/lib/pg/data/state}\n",
		       "error: pgha.state_dir: must not be inside postgresql.data_dir");
	expect_problem(CONFLOAD_MINIMAL "pgha: {state_dir: state}\n",
		       "error: pgha.state_dir: 'state' is not valid; allowed is an absolute path");
}

Test(confbuild, lets_rewind_use_the_superuser_unless_it_has_its_own)
{
	LOAD = confload(CONFLOAD_MINIMAL);

	cr_assert_str_eq(load.config->pg.rewind.username, "postgres");
	cr_assert_str_eq(load.config->pg.rewind.password, "secret");
	expect_problem(CONFLOAD_MINIMAL "  authentication: {superuser: {username: a}}\n",
		       "error: postgresql.authentication.replication: required");
	expect_problem(CONFLOAD_MINIMAL
		       "  authentication: {superuser: {}, replication: {username: b}}\n",
		       "error: postgresql.authentication.superuser.username: required");
	expect_problem(CONFLOAD_MINIMAL "  authentication:\n    superuser: {username: a, password: 0123}\n"
					"    replication: {username: b, sslmode: maybe}\n",
		       "error: postgresql.authentication.replication.sslmode: 'maybe' is not valid; "
		       "allowed is disable, allow, prefer, require, verify-ca or verify-full");
}

Test(confbuild, does_not_print_a_password_it_warns_of)
{
	LOAD = confload(CONFLOAD_MINIMAL
			"  authentication:\n    superuser: {username: a, password: 0123456}\n"
			"    replication: {username: b}\n");

	cr_assert(confload_says(&load, "superuser.password: YAML reads this as a number"));
	cr_assert_not(confload_says(&load, "0123456"));
	cr_assert_not(confload_says(&load, "42798"));
}

Test(confbuild, reads_replica_methods_in_order)
{
	LOAD = confload(CONFLOAD_MINIMAL "  create_replica_methods: [wal_e, basebackup, missing]\n"
					 "  wal_e: {command: fetch, no_leader: 1, retries: 3, no_params: on}\n"
					 "  basebackup: [verbose, {max-rate: 100M}, pgdata]\n");
	const struct config_postgresql *pg = &load.config->pg;

	cr_assert_eq(load.r, 0, "%s", load.text.data);
	cr_assert_eq(pg->nmethods, 2);
	cr_assert_str_eq(pg->methods[0].name, "wal_e");
	cr_assert_str_eq(pg->methods[0].command, "fetch");
	cr_assert(pg->methods[0].no_leader && pg->methods[0].no_params);
	cr_assert_not(pg->methods[0].keep_data);
	cr_assert_eq(pg->methods[0].params.n, 1);
	cr_assert_str_eq(pg->methods[0].params.items[0].value, "3");
	cr_assert_str_eq(pg->methods[1].name, "basebackup");
	cr_assert_eq(pg->basebackup.n, 2);
	cr_assert_null(pg->basebackup.items[0].value);
	cr_assert_str_eq(pg->basebackup.items[1].value, "100M");
	cr_assert(confload_says(&load, "'missing' has no section postgresql.missing"));
	cr_assert(confload_says(&load, "the option 'pgdata' is set by pghad, ignored"));
	_cleanup_(confload_done) struct confload none = confload(CONFLOAD_MINIMAL);
	cr_assert_eq(none.config->pg.nmethods, 1);
	cr_assert_str_eq(none.config->pg.methods[0].name, "basebackup");
}

Test(confbuild, reads_options_as_a_list_or_a_map)
{
	LOAD = confload(CONFLOAD_MINIMAL
			"  basebackup: {verbose: true, checkpoint: \"'fast'\", label: 5, no: false}\n"
			"  rewind: [debug, target-pgdata]\n");
	const struct pairs *options = &load.config->pg.basebackup;

	cr_assert_eq(options->n, 3);
	cr_assert_null(options->items[0].value);
	cr_assert_str_eq(options->items[1].value, "fast");
	cr_assert_str_eq(options->items[2].value, "5");
	cr_assert_eq(load.config->pg.rewind_options.n, 1);
	expect_problem(CONFLOAD_MINIMAL "  basebackup: [{a: 1, b: 2}]\n",
		       "error: postgresql.basebackup: each item must be");
	expect_problem(CONFLOAD_MINIMAL "bootstrap: {initdb: [{pgdata: /x}]}\n",
		       "error: bootstrap.initdb: the option 'pgdata' is not allowed");
}

Test(confbuild, reads_a_bootstrap_method_of_the_operator)
{
	LOAD = confload(CONFLOAD_MINIMAL
			"bootstrap:\n  method: pitr\n  pitr:\n    command: restore\n"
			"    no_params: true\n    keep_existing_recovery_conf: yes\n    bucket: b\n"
			"    recovery_conf: {restore_command: x}\n  post_init: finish\n"
			"  pg_hba: [local all all trust]\n");
	const struct config_bootstrap *bootstrap = &load.config->bootstrap;

	cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
	cr_assert_str_eq(bootstrap->method, "pitr");
	cr_assert_str_eq(bootstrap->method_command, "restore");
	cr_assert(bootstrap->method_no_params && bootstrap->method_keep_recovery_conf);
	cr_assert_eq(bootstrap->method_params.n, 1);
	cr_assert_str_eq(bootstrap->method_params.items[0].name, "bucket");
	cr_assert_eq(bootstrap->method_recovery_conf.n, 1);
	cr_assert_str_eq(bootstrap->post_bootstrap, "finish");
	cr_assert_eq(bootstrap->pg_hba.n, 1);
	expect_problem(CONFLOAD_MINIMAL "bootstrap: {method: pitr}\n",
		       "error: bootstrap.method: 'pitr' needs a section bootstrap.pitr with a command");
}

Test(confbuild, maps_the_levels_of_the_log)
{
	static const struct {
		const char *word;
		int32_t level;
	} cases[] = {
		{ "debug", LOG_DEBUG },	    { "INFO", LOG_INFO },   { "WARN", LOG_WARNING },
		{ "WARNING", LOG_WARNING }, { "ERROR", LOG_ERROR }, { "FATAL", LOG_CRITICAL },
		{ "CRITICAL", LOG_CRITICAL }, { "NOTICE", LOG_NOTICE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "log: {level: %s, type: json}\n", cases[i].word);
		LOAD = confload(text);

		cr_assert_eq(load.config->log.level, cases[i].level, "%s", cases[i].word);
		cr_assert(load.config->log.json);
	}
	expect_problem(CONFLOAD_MINIMAL "log: {level: LOUD}\n", "error: log.level: 'LOUD' is not valid");
}

Test(confbuild, knows_what_the_guardian_is_to_this_member)
{
	static const struct {
		const char *text;
		int guard;
	} cases[] = {
		{ "", FENCE_GUARD_AUTO },
		{ "fence: {guard: auto}\n", FENCE_GUARD_AUTO },
		{ "fence: {guard: required}\n", FENCE_GUARD_REQUIRED },
		{ "fence: {guard: off}\n", FENCE_GUARD_OFF },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(freep) char *text = str_dupf(CONFLOAD_MINIMAL "%s", cases[i].text);
		LOAD = confload(text);

		cr_assert_eq((int)load.config->fence.guard, cases[i].guard, "%s", cases[i].text);
	}
	expect_problem(CONFLOAD_MINIMAL "fence: {guard: perhaps}\n", "fence.guard");
}

Test(confbuild, reads_the_fence_command)
{
	LOAD = confload(CONFLOAD_MINIMAL "fence:\n  command: [/sbin/fence, '-a', 'b c']\n"
					 "  command_timeout: 7\n  command_failure: promote\n");
	const struct config_fence *fence = &load.config->fence;

	cr_assert_eq(fence->command.n, 3);
	cr_assert_str_eq(fence->command.items[0], "/sbin/fence");
	cr_assert_str_eq(fence->command.items[2], "b c");
	cr_assert_eq(fence->command_timeout_ms, 7000);
	cr_assert_eq((int)fence->command_failure, FENCE_FAILURE_PROMOTE);
}

Test(confbuild, has_no_fence_command_unless_told_and_refuses_without_success)
{
	LOAD = confload(CONFLOAD_MINIMAL);

	cr_assert_eq(load.config->fence.command.n, 0);
	cr_assert_eq(load.config->fence.command_timeout_ms, 20000);
	cr_assert_eq((int)load.config->fence.command_failure, FENCE_FAILURE_REFUSE);
	expect_problem(CONFLOAD_MINIMAL "fence: {command: []}\n", "fence.command: must begin");
	expect_problem(CONFLOAD_MINIMAL "fence: {command: ['', a]}\n", "fence.command: must begin");
	expect_problem(CONFLOAD_MINIMAL "fence: {command: '/sbin/fence -a'}\n", "fence.command");
	expect_problem(CONFLOAD_MINIMAL "fence: {command_timeout: 0}\n", "fence.command_timeout");
	expect_problem(CONFLOAD_MINIMAL "fence: {command_failure: ignore}\n",
		       "fence.command_failure");
}

Test(confbuild, reads_the_consoles_of_pgbouncer)
{
	LOAD = confload(CONFLOAD_MINIMAL "pgbouncer:\n  hosts: [10.0.0.8:6433, pool]\n"
					 "  password: pw\n  pause_timeout: 500ms\n"
					 "  command: [/sbin/point, x]\n");
	const struct config_poolers *poolers = &load.config->poolers;

	cr_assert_eq(poolers->n, 2);
	cr_assert_str_eq(poolers->consoles[0].host, "10.0.0.8");
	cr_assert_eq(poolers->consoles[0].port, 6433);
	cr_assert_str_eq(poolers->consoles[1].host, "pool");
	cr_assert_eq(poolers->consoles[1].port, 6432);
	cr_assert_str_eq(poolers->username, "pgbouncer");
	cr_assert_str_eq(poolers->password, "pw");
	cr_assert_eq(poolers->pause_ms, 500);
	cr_assert_eq(poolers->hold_ms, 15000);
	cr_assert_eq(poolers->command.n, 2);
	expect_problem(CONFLOAD_MINIMAL "pgbouncer: {password: pw}\n", "pgbouncer.hosts: names no");
	expect_problem(CONFLOAD_MINIMAL "pgbouncer: {hosts: ['a:b:c:d']}\n", "pgbouncer.hosts");
	expect_problem(CONFLOAD_MINIMAL "pgbouncer: {hosts: [a], hold_timeout: 0}\n",
		       "pgbouncer.hold_timeout");
	expect_problem(CONFLOAD_MINIMAL "pgbouncer: {hosts: [a], command: []}\n",
		       "pgbouncer.command: must begin");
}

Test(confbuild, reads_what_becomes_of_a_server_that_hangs)
{
	_cleanup_(confload_done) struct confload usual = confload_dynamic(CONFLOAD_MINIMAL, "{}");
	_cleanup_(confload_done) struct confload load = confload_dynamic(
		CONFLOAD_MINIMAL "fence: {hung_postgres: fence, hung_after: 30}\n", "{}");

	cr_assert_not(usual.config->fence.hung_postgres);
	cr_assert_not(usual.config->fence.stalled_disk);
	cr_assert_eq(usual.config->fence.hung_after_ms, 10000);
	cr_assert(load.config->fence.hung_postgres);
	cr_assert_not(load.config->fence.stalled_disk);
	cr_assert_eq(load.config->fence.hung_after_ms, 30000);
	expect_problem(CONFLOAD_MINIMAL "fence: {stalled_disk: perhaps}\n", "fence.stalled_disk");
	expect_problem(CONFLOAD_MINIMAL "fence: {hung_after: 0}\n", "fence.hung_after");
}

Test(confbuild, publishes_tags_as_patroni_does)
{
	static const struct {
		const char *tags;
		const char *json;
	} cases[] = {
		{ "{}", "{}" },
		{ "{nofailover: false, clonefrom: false, nosync: no, nostream: off}", "{}" },
		{ "{nofailover: true, clonefrom: true}", "{\"nofailover\":true,\"clonefrom\":true}" },
		{ "{nofailover: false, failover_priority: 2}",
		  "{\"nofailover\":false,\"failover_priority\":2}" },
		{ "{nosync: false, sync_priority: 0}", "{\"nosync\":false,\"sync_priority\":0}" },
		{ "{mine: false, b: 1.5, c: [1, {d: e}]}",
		  "{\"mine\":false,\"b\":1.5,\"c\":[1,{\"d\":\"e\"}]}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(freep) char *text = str_dupf(CONFLOAD_MINIMAL "tags: %s\n", cases[i].tags);
		LOAD = confload(text);

		cr_assert_str_eq(load.config->tags_json, cases[i].json);
	}
}

Test(confbuild, lets_the_boolean_of_two_tags_count)
{
	static const struct {
		const char *tags;
		bool nofailover;
		int32_t priority;
		bool conflict;
	} cases[] = {
		{ "{}", false, 1, false },
		{ "{nofailover: true}", true, 0, false },
		{ "{failover_priority: 5}", false, 5, false },
		{ "{failover_priority: 0}", true, 0, false },
		{ "{failover_priority: -1}", true, 0, false },
		{ "{nofailover: true, failover_priority: 1}", true, 0, true },
		{ "{nofailover: true, failover_priority: 0}", true, 0, false },
		{ "{nofailover: false, failover_priority: 0}", false, 1, true },
		{ "{nofailover: false, failover_priority: 3}", false, 3, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(freep) char *text = str_dupf(CONFLOAD_MINIMAL "tags: %s\n", cases[i].tags);
		LOAD = confload(text);

		cr_assert_eq(load.config->tags.nofailover, cases[i].nofailover, "%s", cases[i].tags);
		cr_assert_eq(load.config->tags.failover_priority, cases[i].priority, "%s",
			     cases[i].tags);
		cr_assert_eq(load.problems.n, cases[i].conflict ? 1 : 0);
	}
	expect_problem(CONFLOAD_MINIMAL "tags: {nofailover: true, failover_priority: 1}\n",
		       "f:14: warning: tags.nofailover: Conflicting configuration between nofailover: "
		       "True and failover_priority: 1. Defaulting to nofailover: True\n");
	expect_problem(CONFLOAD_MINIMAL "tags: {nosync: true, sync_priority: 2}\n",
		       "Conflicting configuration between nosync: True and sync_priority: 2. Defaulting "
		       "to nosync: True\n");
}
