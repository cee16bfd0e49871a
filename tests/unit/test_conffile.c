/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_conffile - what is said about a configuration, and what becomes of it
 */
#include <criterion/criterion.h>

#include "confload.h"
#include "mutate.h"

#define LOAD _cleanup_(confload_done) struct confload load

Test(conffile, warns_of_a_passphrase_that_postgres_would_log)
{
	LOAD = confload(CONFLOAD_MINIMAL "    rewind: {username: r, sslpassword: x}\n");

	cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
	confload_done(&load);
	load = confload(CONFLOAD_LOCAL
			"postgresql:\n  listen: 127.0.0.1:5432\n  connect_address: 127.0.0.1:5432\n"
			"  data_dir: /var/lib/pg/data\n  authentication:\n"
			"    superuser: {username: postgres, password: secret}\n"
			"    replication: {username: replicator, sslpassword: key-secret}\n");
	cr_assert_eq(load.problems.n, 1, "%s", load.text.data);
	cr_assert_eq(load.problems.nfatal, 0);
	cr_assert(strstr(load.text.data, "replication.sslpassword") != NULL, "%s", load.text.data);
	cr_assert_null(strstr(load.text.data, "key-secret"));
}

/* Loads and expects this line among the problems. */
static void expect_problem(const char *text, const char *line)
{
	LOAD = confload(text);

	cr_assert_not_null(load.doc, "%s", load.err.msg);
	cr_assert(confload_says(&load, line), "'%s' is not in:\n%s", line,
		  load.text.data != NULL ? load.text.data : "(nothing)");
}

static void expect_dynamic(const char *json, const char *line)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL, json);

	cr_assert_not_null(load.config, "%s", load.err.msg);
	cr_assert(confload_says(&load, line), "'%s' is not in:\n%s", line,
		  load.text.data != NULL ? load.text.data : "(nothing)");
}

Test(conffile, loads_the_smallest_file_without_a_word)
{
	LOAD = confload(CONFLOAD_MINIMAL);

	cr_assert_eq(load.r, 0, "%s", load.err.msg);
	cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
	cr_assert_str_eq(load.config->prefix, "/service/main/");
	cr_assert_eq(load.config->ha.ttl_ms, 5000);
	cr_assert_eq(load.config->ha.loop_wait_ms, 1000);
	cr_assert_eq(load.config->ha.retry_timeout_ms, 3000);
	cr_assert_eq(load.config->ha.maximum_lag_bytes, 1048576);
	cr_assert_eq(load.config->ha.primary_start_timeout_ms, 300000);
	cr_assert_eq(load.config->ha.member_slots_ttl_ms, 1800000);
	cr_assert(load.config->ha.use_slots);
	cr_assert_not(load.config->ha.has_bootstrap);
	cr_assert_eq(load.config->ha.proof, PROOF_AUTO);
	cr_assert_str_eq(load.config->tags_json, "{}");
	cr_assert_str_eq(load.config->bootstrap.dcs_json, "{}");
}

/* A file of Patroni 4 as its example has it, with the etcd section of version 3. */
static const char patroni_file[] =
	"scope: batman\n"
	"#namespace: /service/\n"
	"name: postgresql0\n"
	"restapi:\n"
	"  listen: 127.0.0.1:8008\n"
	"  connect_address: 127.0.0.1:8008\n"
	"etcd3:\n"
	"  host: 127.0.0.1:2379\n"
	"bootstrap:\n"
	"  dcs:\n"
	"    ttl: 30\n"
	"    loop_wait: 10\n"
	"    retry_timeout: 10\n"
	"    maximum_lag_on_failover: 1048576\n"
	"    postgresql:\n"
	"      use_pg_rewind: true\n"
	"      pg_hba:\n"
	"      - host replication replicator 127.0.0.1/32 md5\n"
	"      - host all all 0.0.0.0/0 md5\n"
	"      parameters:\n"
	"  initdb:\n"
	"  - encoding: UTF8\n"
	"  - data-checksums\n"
	"postgresql:\n"
	"  listen: 127.0.0.1:5432\n"
	"  connect_address: 127.0.0.1:5432\n"
	"  data_dir: /data/postgresql0\n"
	"  pgpass: /tmp/pgpass0\n"
	"  authentication:\n"
	"    replication: {username: replicator, password: rep-pass}\n"
	"    superuser: {username: postgres, password: patroni}\n"
	"    rewind:\n"
	"      username: rewind_user\n"
	"      password: rewind_password\n"
	"  parameters:\n"
	"    unix_socket_directories: '..'\n"
	"tags:\n"
	"    noloadbalance: false\n"
	"    clonefrom: false\n"
	"    nosync: false\n"
	"    nostream: false\n";

Test(conffile, loads_a_file_written_for_patroni_unchanged)
{
	LOAD = confload(patroni_file);

	cr_assert_eq(load.r, 0, "%s", load.err.msg);
	cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
	cr_assert_eq(load.config->ha.ttl_ms, 30000);
	cr_assert_eq(load.config->ha.loop_wait_ms, 10000);
	cr_assert(load.config->ha.use_pg_rewind);
	cr_assert(load.config->ha.has_bootstrap);
	cr_assert_eq(load.config->pg.pg_hba.n, 2);
	cr_assert_str_eq(load.config->pg.pgpass, "/tmp/pgpass0");
	cr_assert_str_eq(load.config->pg.rewind.username, "rewind_user");
	cr_assert_str_eq(confload_guc(&load, "unix_socket_directories"), "..");
	cr_assert_eq(load.config->bootstrap.initdb.n, 2);
	cr_assert_str_eq(load.config->bootstrap.initdb.items[0].value, "UTF8");
	cr_assert_null(load.config->bootstrap.initdb.items[1].value);
	cr_assert_str_eq(load.config->bootstrap.dcs_json,
			 "{\"ttl\":30,\"loop_wait\":10,\"retry_timeout\":10,"
			 "\"maximum_lag_on_failover\":1048576,\"postgresql\":{\"use_pg_rewind\":true,"
			 "\"pg_hba\":[\"host replication replicator 127.0.0.1/32 md5\","
			 "\"host all all 0.0.0.0/0 md5\"],\"parameters\":null}}");
}

Test(conffile, loads_its_own_example)
{
	_cleanup_(buf_done) struct buf sample = { 0 };

	conf_print_sample(&sample);
	LOAD = confload(sample.data);
	cr_assert_eq(load.r, 0, "%s", load.err.msg);
	cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
	cr_assert_str_eq(load.config->name, "node1");
}

/* "#key: value" -> "key: value", "#  key: value" -> "   key: value". */
static char *uncomment(const char *text)
{
	struct buf out = { 0 };

	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		size_t blanks = strspn(text, " ");
		const char *rest = text + blanks;

		if (*rest == '#' && rest[1] == ' ' && rest[2] == ' ') {
			buf_add(&out, text, blanks);
			buf_add(&out, rest, len - blanks);
			out.data[out.len - (len - blanks)] = ' ';
			/* The '#' stood for nothing: take the column away again. */
			memmove(out.data + out.len - (len - blanks),
				out.data + out.len - (len - blanks) + 1, len - blanks - 1);
			out.len--;
		} else if (*rest == '#' && rest[1] != ' ') {
			buf_add(&out, text, blanks);
			buf_add(&out, rest + 1, len - blanks - 1);
		} else {
			buf_add(&out, text, len);
		}
		buf_ch(&out, '\n');
		text += len + (text[len] == '\n');
	}
	return buf_take(&out);
}

Test(conffile, loads_its_own_example_with_every_comment_taken_away)
{
	_cleanup_(buf_done) struct buf sample = { 0 };
	_cleanup_(freep) char *all = NULL;

	conf_print_sample(&sample);
	all = uncomment(sample.data);
	LOAD = confload(all);
	cr_assert_eq(load.r, 0, "%s", load.text.data != NULL ? load.text.data : load.err.msg);
	/* The example shows two names for one thing here and there, but no unknown key. */
	cr_assert_not(confload_says(&load, "not a known key"), "%s", load.text.data);
	cr_assert_str_eq(load.config->bootstrap.post_bootstrap, "/usr/local/bin/create-users.sh");
	cr_assert_str_eq(load.config->tags.replicatefrom, "node2");
}

Test(conffile, prints_the_example_that_is_packaged)
{
	_cleanup_(freep) char *packaged = confload_read(SRCDIR, "packaging/pgha.yml.example");
	_cleanup_(buf_done) struct buf sample = { 0 };

	conf_print_sample(&sample);
	cr_assert_not_null(packaged);
	cr_assert_str_eq(sample.data, packaged);
}

Test(conffile, the_example_asks_for_a_password)
{
	_cleanup_(freep) char *packaged = confload_read(SRCDIR, "packaging/pgha.yml.example");
	LOAD = confload(packaged);

	cr_assert_not_null(load.config, "%s", load.text.data);
	cr_assert_not_null(load.config->restapi.username);
	cr_assert_not_null(load.config->restapi.password);
}

Test(conffile, reports_every_problem_in_one_pass_in_the_order_of_lines)
{
	LOAD = confload("scope: bat/man\n"
			"nam: x\n"
			"restapi: [1]\n"
			"bootstrap:\n"
			"  dcs:\n"
			"    ttl: 1\n"
			"postgresql:\n"
			"  listen: a:99999\n"
			"  data_dir: data\n");

	cr_assert_eq(load.r, -(int)ERR_CONFIG);
	cr_assert_null(load.config);
	cr_assert_str_eq(load.text.data,
		"f:1: error: scope: 'bat/man' is not valid; allowed is 1 to 63 of A-Z a-z 0-9 . _ -\n"
		"f:2: warning: nam: not a known key, ignored; did you mean 'name'?\n"
		"f:3: error: restapi: allowed is a map of the keys below it, not a list\n"
		"f:6: error: bootstrap.dcs.ttl: '1' is not valid; allowed is a whole number, 2 to 3600\n"
		"f:7: error: postgresql.connect_address: required: Address that other members and clients "
		"reach this Postgres by\n"
		"f:7: error: postgresql.authentication: required: Roles that the agent uses\n"
		"f:8: error: postgresql.listen: 'a:99999': the port after the last ':' must be 1 to 65535\n"
		"f:9: error: postgresql.data_dir: 'data' is not valid; allowed is an absolute path\n"
		"f: error: name: required: Name of this member, unique in the cluster\n"
		"f: error: etcd3: required: Where etcd is; one of host, hosts, url, proxy, srv\n");
	cr_assert_eq(load.problems.nfatal, 9);
	cr_assert(strstr(load.err.msg, "line 1: scope: ") == load.err.msg);
}

Test(conffile, does_not_report_twice_what_was_checked_before)
{
	struct conf_problems problems = { 0 };
	struct confdoc *doc = NULL;
	struct config *config = NULL;
	const char *text = CONFLOAD_MINIMAL "foo: 1\n";

	cr_assert_eq(confdoc_parse(text, strlen(text), NULL, &doc, NULL), 0);
	confdoc_check(doc, &problems);
	cr_assert_eq(problems.n, 1);
	cr_assert_eq(conf_build(doc, NULL, &config, &problems, NULL), 0);
	cr_assert_eq(problems.n, 1);
	config_free(config);
	confdoc_free(doc);
	conf_problems_done(&problems);
}

Test(conffile, refuses_the_other_stores_by_their_names)
{
	static const char *const stores[] = { "etcd", "consul", "zookeeper", "exhibitor",
					      "kubernetes", "raft" };

	for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
		_cleanup_(freep) char *text = str_dupf(CONFLOAD_MINIMAL "%s: {host: x}\n", stores[i]);
		_cleanup_(freep) char *line = str_dupf("f:14: error: %s: pgha speaks etcd v3 only, "
						       "not ", stores[i]);

		expect_problem(text, line);
		expect_problem(text, "move the settings to etcd3: host, hosts, url or srv");
	}
	expect_problem(CONFLOAD_MINIMAL "citus: {group: 0}\n",
		       "f:14: error: citus: Citus clusters are not supported");
}

Test(conffile, does_not_also_miss_etcd3_where_another_store_stands)
{
	LOAD = confload("scope: a\nname: b\nrestapi: {listen: \"127.0.0.1:8008\"}\n"
			"etcd: {host: x}\n" CONFLOAD_POSTGRESQL);

	cr_assert_eq(load.problems.nfatal, 1, "%s", load.text.data);
}

Test(conffile, warns_of_unknown_keys_and_of_dots)
{
	expect_problem(CONFLOAD_MINIMAL "foo: 1\n", "f:14: warning: foo: not a known key, ignored\n");
	expect_problem(CONFLOAD_MINIMAL "  data_dri: 1\n",
		       "f:14: warning: postgresql.data_dri: not a known key, ignored; did you mean "
		       "'postgresql.data_dir'?\n");
	expect_problem(CONFLOAD_MINIMAL "log.level: DEBUG\n",
		       "f:14: warning: log.level: keys are nested, not joined by dots");
	expect_problem(CONFLOAD_MINIMAL "scope: again\n",
		       "f:14: warning: scope: given twice, first in line 1; this one counts");
}

Test(conffile, warns_of_keys_that_do_not_count_where_they_stand)
{
	expect_problem(CONFLOAD_MINIMAL "ttl: 30\n",
		       "f:14: warning: ttl: belongs into the dynamic configuration");
	expect_problem(CONFLOAD_MINIMAL "  use_slots: false\n",
		       "f:14: warning: postgresql.use_slots: belongs into the dynamic configuration");
	expect_problem(CONFLOAD_MINIMAL "bootstrap: {dcs: {tags: {a: b}}}\n",
		       "f:14: warning: bootstrap.dcs.tags: belongs into the file of each member");
	expect_dynamic("{\"postgresql\":{\"listen\":\"*:1\",\"data_dir\":\"/x\"}}",
		       "f: warning: postgresql.data_dir: in the dynamic configuration: belongs into "
		       "the file of each member");
}

Test(conffile, refuses_features_whose_absence_would_break_a_promise)
{
	static const char *const active[] = {
		"synchronous_mode: on",	    "synchronous_mode: quorum", "synchronous_mode: 'true'",
		"standby_cluster: {host: a}", "standby_cluster: {port: 5432}",
	};
	static const char *const inactive[] = {
		"synchronous_mode: off", "synchronous_mode: false", "synchronous_mode: null",
		"standby_cluster: {}",	 "standby_cluster: {create_replica_methods: [x]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(active); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "bootstrap: {dcs: {%s}}\n", active[i]);
		LOAD = confload(text);

		cr_assert_eq(load.problems.nfatal, 1, "%s", active[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(inactive); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "bootstrap: {dcs: {%s}}\n", inactive[i]);
		LOAD = confload(text);

		cr_assert_eq(load.problems.n, 0, "%s: %s", inactive[i], load.text.data);
	}
	expect_problem(CONFLOAD_MINIMAL "bootstrap: {dcs: {synchronous_mode: quorum}}\n",
		       "f:14: error: bootstrap.dcs.synchronous_mode: this version does not manage "
		       "synchronous replication");
}

Test(conffile, does_not_stop_for_what_arrives_dynamically)
{
	expect_dynamic("{\"synchronous_mode\":true}",
		       "f: warning: synchronous_mode: in the dynamic configuration: this version does "
		       "not manage synchronous replication");
	expect_dynamic("{\"standby_cluster\":{\"host\":\"a\"}}",
		       "f: warning: standby_cluster: in the dynamic configuration: ");
}

Test(conffile, warns_of_features_that_can_be_left_out)
{
	static const char *const active[] = {
		"slots: {a: {type: physical}}", "ignore_slots: [{name: a}]",
		"synchronous_node_count: 2",	"primary_race_backoff: 5",
		"synchronous_mode_strict: true", "permanent_slots: {a: null}",
		"postgresql: {parameters_replica: {a: 1}}",
	};
	static const char *const inactive[] = {
		"failsafe_mode: true", "failsafe_mode: false",
		"slots: {}", "ignore_slots: []", "synchronous_node_count: 1",
		"maximum_lag_on_syncnode: -1",
	};

	for (size_t i = 0; i < ARRAY_LEN(active); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "bootstrap: {dcs: {%s}}\n", active[i]);

		expect_problem(text, ": not supported by this version, ignored\n");
	}
	for (size_t i = 0; i < ARRAY_LEN(inactive); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "bootstrap: {dcs: {%s}}\n", inactive[i]);
		LOAD = confload(text);

		cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
	}
	expect_problem(CONFLOAD_MINIMAL "tags: {nostream: true}\n",
		       "f:14: warning: tags.nostream: not supported by this version");
}

Test(conffile, says_nothing_of_a_watchdog_that_is_off)
{
	static const char *const modes[] = { "off", "false", "'off'", "disable", "disabled" };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "watchdog: {mode: %s}\n", modes[i]);
		LOAD = confload(text);

		cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
		cr_assert_eq(load.config->watchdog.mode, WATCHDOG_OFF);
	}
}

Test(conffile, says_nothing_of_a_watchdog_that_is_wanted)
{
	static const struct {
		const char *text;
		int mode;
	} modes[] = {
		{ "automatic", WATCHDOG_AUTOMATIC }, { "auto", WATCHDOG_AUTOMATIC },
		{ "on", WATCHDOG_AUTOMATIC },	     { "required", WATCHDOG_REQUIRED },
		{ "require", WATCHDOG_REQUIRED },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		_cleanup_(freep) char *text =
			str_dupf(CONFLOAD_MINIMAL "watchdog: {mode: %s}\n", modes[i].text);
		LOAD = confload(text);

		cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
		cr_assert_eq((int)load.config->watchdog.mode, modes[i].mode);
	}
}

Test(conffile, takes_users_as_a_warning)
{
	LOAD = confload(CONFLOAD_MINIMAL "bootstrap:\n  users:\n    admin: {password: x}\n");

	cr_assert_eq(load.r, 0);
	cr_assert_eq(load.problems.n, 1);
	cr_assert_str_eq(load.text.data, "f:15: warning: bootstrap.users: users are not created from "
					 "here; do that in bootstrap.post_bootstrap\n");
}

Test(conffile, lets_a_bad_dynamic_value_leave_the_default)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL,
				"{\"ttl\":1,\"loop_wait\":\"x\",\"retry_timeout\":7,"
				"\"pgha\":{\"lease_proof\":\"maybe\"},\"pause\":5}");

	cr_assert_eq(load.r, 0);
	cr_assert_eq(load.problems.nfatal, 0);
	cr_assert_eq(load.problems.n, 4);
	cr_assert_eq(load.config->ha.ttl_ms, 5000);
	cr_assert_eq(load.config->ha.loop_wait_ms, 1000);
	cr_assert_eq(load.config->ha.retry_timeout_ms, 7000);
	cr_assert_eq(load.config->ha.proof, PROOF_AUTO);
	cr_assert(confload_says(&load, "f: warning: ttl: in the dynamic configuration: '1' is not "
				       "valid; allowed is a whole number, 2 to 3600; the default stays "
				       "in force\n"));
}

Test(conffile, survives_a_dynamic_document_that_is_none)
{
	static const char *const documents[] = { "", "{", "[]", "5", "null", "{\"a\":" };

	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		expect_dynamic(documents[i], "f: warning: the dynamic configuration is ignored: ");
}

Test(conffile, takes_bootstrap_dcs_only_where_there_is_no_dynamic_document)
{
	const char *text = CONFLOAD_MINIMAL "bootstrap: {dcs: {ttl: 40}}\n";
	LOAD = confload(text);
	_cleanup_(confload_done) struct confload other = confload_dynamic(text, "{}");

	cr_assert_eq(load.config->ha.ttl_ms, 40000);
	cr_assert_eq(other.config->ha.ttl_ms, 5000);
	cr_assert_str_eq(other.config->bootstrap.dcs_json, "{\"ttl\":40}");
}

Test(conffile, stops_at_what_is_no_yaml_and_names_the_line)
{
	LOAD = confload("a: 1\n b: 2\n");

	cr_assert_lt(load.r, 0);
	cr_assert_null(load.doc);
	cr_assert(strstr(load.err.msg, "line 2: ") == load.err.msg, "%s", load.err.msg);
	_cleanup_(confload_done) struct confload empty = confload("# nothing\n");
	cr_assert_lt(empty.r, 0);
	cr_assert_str_eq(empty.err.msg, "holds no settings");
}

Test(conffile, merges_the_environment_over_the_file)
{
	static const char *const env[] = {
		"PATH=/bin", "HOME=/home/pg", "PATRONI_NAME=other", "PATRONI_SUPERUSER_PASSWORD=0123",
		"PATRONI_ETCD3_HOSTS=127.0.0.1:1,localhost:2", "PATRONI_RESTAPI_ALLOWLIST=['x', y]",
		"PATRONI_RESTAPI_HTTP_EXTRA_HEADERS=X-A: b, X-C: d", "PATRONI_LOGLEVEL=DEBUG",
		"PATRONI_ETCD3_USE_PROXIES=on", "PATRONI_SCOPE=", NULL,
	};
	LOAD = confload_env(CONFLOAD_MINIMAL, NULL, env);

	cr_assert_eq(load.r, 0, "%s", load.err.msg);
	cr_assert_eq(load.problems.n, 0, "%s", load.text.data);
	cr_assert_str_eq(load.config->name, "other");
	cr_assert_str_eq(load.config->scope, "main", "an empty variable does not count");
	cr_assert_str_eq(load.config->pg.superuser.password, "0123");
	cr_assert_str_eq(load.config->pg.superuser.username, "postgres");
	cr_assert_eq(load.config->etcd.nendpoints, 2);
	cr_assert_str_eq(load.config->etcd.endpoints[1].host, "localhost");
	cr_assert(load.config->etcd.use_proxies);
	cr_assert_eq(load.config->restapi.allowlist.n, 2);
	cr_assert_str_eq(load.config->restapi.allowlist.items[0], "x");
	cr_assert_str_eq(load.config->restapi.http_extra_headers.items[1].value, "d");
	cr_assert_eq(load.config->log.level, 0);
	cr_assert_str_eq(load.config->pg.pgpass, "/home/pg/pgpass");
}

Test(conffile, reports_variables_it_cannot_use)
{
	static const char *const env[] = { "PATRONI_CONSUL_HOST=x", "PATRONI_FOO=1",
					   "PATRONI_RESTAPI_ALLOWLIST=[a", NULL };
	LOAD = confload_env(CONFLOAD_MINIMAL, NULL, env);

	cr_assert_eq(load.problems.nfatal, 2, "%s", load.text.data);
	cr_assert(confload_says(&load, "f: error: PATRONI_CONSUL_HOST: pgha speaks etcd v3 only"));
	cr_assert(confload_says(&load, "f: warning: PATRONI_FOO: not a known variable, ignored"));
	cr_assert(confload_says(&load, "f: error: restapi.allowlist: its variable is no YAML: "));
}

Test(conffile, takes_the_whole_configuration_from_the_environment)
{
	static const char *const env[] = { "PATRONI_CONFIGURATION=" CONFLOAD_MINIMAL,
					   "PATRONI_NAME=ignored", NULL };
	LOAD = confload_env(NULL, NULL, env);
	_cleanup_(confload_done) struct confload file =
		confload_env("scope: s\n", NULL, env);

	cr_assert_eq(load.r, 0, "%s", load.err.msg);
	cr_assert_str_eq(load.config->name, "node1");
	/* Where there is a file, the file and the single variables count. */
	cr_assert_lt(file.r, 0);
	cr_assert_not(confload_says(&file, "name: required"));
}

Test(conffile, tells_what_differs)
{
	static const struct {
		const char *dynamic;
		unsigned diff;
	} cases[] = {
		{ "{}", 0 },
		{ "{\"ttl\":6}", CONFIG_DIFF_HA },
		{ "{\"pause\":true}", CONFIG_DIFF_HA },
		{ "{\"postgresql\":{\"parameters\":{\"max_connections\":200}}}",
		  CONFIG_DIFF_PG_RESTART },
		{ "{\"postgresql\":{\"parameters\":{\"work_mem\":\"8MB\"}}}", CONFIG_DIFF_PG_FILES },
		{ "{\"postgresql\":{\"pg_hba\":[\"local all all trust\"]}}", CONFIG_DIFF_PG_FILES },
		{ "{\"postgresql\":{\"callbacks\":{\"on_start\":\"x\"}}}", CONFIG_DIFF_OTHER },
	};
	LOAD = confload_dynamic(CONFLOAD_MINIMAL, "{}");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(confload_done) struct confload other =
			confload_dynamic(CONFLOAD_MINIMAL, cases[i].dynamic);

		cr_assert_eq(config_diff(load.config, other.config), cases[i].diff, "%s",
			     cases[i].dynamic);
	}
	_cleanup_(confload_done) struct confload local = confload_dynamic(
		CONFLOAD_MINIMAL "tags: {a: b}\n"
				 "ctl: {insecure: true}\n", "{}");
	cr_assert_eq(config_diff(load.config, local.config), CONFIG_DIFF_TAGS | CONFIG_DIFF_OTHER);
	_cleanup_(confload_done) struct confload fence =
		confload_dynamic(CONFLOAD_MINIMAL "fence: {commit_guard: off}\n", "{}");
	cr_assert_eq(config_diff(load.config, fence.config), CONFIG_DIFF_PG_FILES);
	_cleanup_(confload_done) struct confload rest = confload_dynamic(
		"scope: main\nnamespace: x\nname: node1\nrestapi: {listen: \"127.0.0.1:1\"}\n"
		"etcd3: {host: \"127.0.0.1:2379\", username: u, password: p}\n" CONFLOAD_POSTGRESQL, "{}");
	cr_assert_eq(config_diff(load.config, rest.config),
		     CONFIG_DIFF_AGENT | CONFIG_DIFF_ETCD | CONFIG_DIFF_REST);
}

Test(conffile, frees_nothing_gladly)
{
	config_free(NULL);
	confdoc_free(NULL);
	conf_problems_done(NULL);
}

/* Whatever comes out must be a configuration or an explanation. */
Test(conffile, survives_500_damaged_files)
{
	_cleanup_(buf_done) struct buf sample = { 0 };
	uint64_t state = 20240607;
	unsigned nloaded = 0;

	conf_print_sample(&sample);
	for (int i = 0; i < 500; i++) {
		struct buf text = { 0 };

		buf_str(&text, i % 2 == 0 ? sample.data : patroni_file);
		mutate(&text, &state);
		buf_ch(&text, '\0');
		LOAD = { 0 };
		load.r = confdoc_parse(text.data, text.len - 1, NULL, &load.doc, &load.err);
		if (load.r >= 0)
			load.r = conf_build(load.doc, NULL, &load.config, &load.problems,
					    &load.err);
		cr_assert_eq(load.r < 0, load.config == NULL);
		cr_assert(load.r >= 0 || load.err.msg[0] != '\0');
		cr_assert(load.r >= 0 || load.doc == NULL || load.problems.nfatal > 0);
		nloaded += load.r >= 0;
		buf_done(&text);
	}
	/* Damage of both kinds must have been seen, or nothing was tested. */
	cr_assert_gt(nloaded, 50);
	cr_assert_lt(nloaded, 450);
}
