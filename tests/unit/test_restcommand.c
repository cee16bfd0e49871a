/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restcommand - REST writes as commands, and changes of the dynamic configuration
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wire/record.h"
#include "wire/restmsg.h"

#define NOW_US 1893488400000000 /* 2030-01-01T09:00:00Z */

/* Every test leaves the last command and text here; checked by one line each. */
static struct command command;
static struct buf text;

static int send_as(const char *method, const char *path, const char *body, bool paused)
{
	int code;

	command_done(&command);
	buf_clear(&text);
	code = restmsg_command(method, path, body != NULL, body, body ? strlen(body) : 0, paused,
			       NOW_US, &command, &text);
	cr_assert_eq(code == 0, command.type != CMD_NONE);
	cr_assert(code == 0 || text.len > 0);
	cr_assert(code == 0 || !command.json);
	return code;
}

static int post(const char *path, const char *body)
{
	return send_as("POST", path, body, false);
}

static void check_refused(int got, int code, const char *why)
{
	cr_assert_eq(got, code, "%d %s", got, text.data);
	cr_assert_str_eq(text.data, why);
}

Test(restcommand, routes_by_method_and_first_segment)
{
	static const struct {
		const char *method;
		const char *path;
		enum command_type type;
	} cases[] = {
		{ "PATCH", "/config", CMD_PATCH_CONFIG },
		{ "PUT", "/config/x", CMD_PUT_CONFIG },
		{ "POST", "/reload", CMD_RELOAD },
		{ "POST", "//restart", CMD_RESTART },
		{ "DELETE", "/restart", CMD_DELETE_RESTART },
		{ "POST", "/reinitialize", CMD_REINIT },
		{ "DELETE", "/switchover", CMD_DELETE_SWITCHOVER },
		{ "POST", "/dcs-accept", CMD_ACCEPT_STORE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *body = cases[i].type <= CMD_PUT_CONFIG ? "{\"a\":1}" : NULL;

		cr_assert_eq(send_as(cases[i].method, cases[i].path, body, false), 0);
		cr_assert_eq(command.type, cases[i].type);
	}
}

Test(restcommand, does_not_know_other_writes)
{
	check_refused(post("/config", "{\"a\":1}"), 501, "Unsupported method ('POST')");
	check_refused(send_as("DELETE", "/config", NULL, false), 501,
		      "Unsupported method ('DELETE')");
	cr_assert_eq(post("/citus", "{}"), 501);
	cr_assert_eq(post("/mpp", "{}"), 501);
	cr_assert_eq(post("/sigterm", NULL), 501);
	cr_assert_eq(post("/", NULL), 501);
	cr_assert_eq(send_as("DELETE", "/failover", NULL, false), 501);
	cr_assert_eq(send_as("post", "/reload", NULL, false), 501);
}

Test(restcommand, takes_the_question_of_a_leader_without_etcd)
{
	struct command asked = { 0 };
	struct buf answer = { 0 };
	const char *body = "{\"name\":\"a\",\"conn_url\":\"postgres://h:1/postgres\","
			   "\"api_url\":\"http://h:8008/patroni\",\"slots\":{\"b\":77}}";
	struct failsafe_question q;

	cr_assert_eq(restmsg_command("POST", "/failsafe", true, body, strlen(body), false, 0, &asked,
				     &answer),
		     0);
	cr_assert_eq(asked.type, CMD_FAILSAFE);
	cr_assert_eq(record_question_parse(asked.json, strlen(asked.json), &q, NULL), 0);
	cr_assert_str_eq(q.name, "a");
	cr_assert_eq(q.epoch, 0);
	cr_assert_eq(q.status.nslots, 1);
	cr_assert_eq(q.status.slots[0].lsn, 77);
	command_done(&asked);
	buf_done(&answer);
	cr_assert_eq(post("/failsafe", "{\"conn_url\":\"x\"}"), 400);
	cr_assert_eq(post("/failsafe", "{\"name\":\"a/b\"}"), 400);
	cr_assert_eq(post("/failsafe", "{\"name\":\"a\",\"pgha\":{\"epoch\":7}}"), 400);
	cr_assert_eq(post("/failsafe", "{}"), 400);
}

Test(restcommand, takes_suppositions)
{
	cr_assert_eq(post("/explain", NULL), 0);
	cr_assert_eq(command.type, CMD_EXPLAIN);
	cr_assert_eq(command.nifs, 0);
	cr_assert_eq(post("/explain", "{\"if\":\"n1 gone\"}"), 0);
	cr_assert_eq(command.nifs, 1);
	cr_assert_eq(post("/explain", "{\"if\":[\"n1 gone\",\"n2 lagging 20MB\"]}"), 0);
	cr_assert_eq(command.nifs, 2);
	cr_assert_eq(command.ifs[1].bytes, 20971520);
	cr_assert_eq(post("/explain", "{\"if\":[]}"), 0);
	check_refused(post("/explain", "{\"if\":[7]}"), 400, "\"if\" is a text, or a list of texts");
	check_refused(post("/explain", "{\"if\":\"etcd slow\"}"), 400,
		      "cannot understand 'etcd slow'; there are " WHATIF_FORMS);
	check_refused(post("/explain", "{\"if\":[\"paused\",\"paused\",\"paused\",\"paused\","
				       "\"paused\",\"paused\",\"paused\",\"paused\",\"paused\"]}"),
		      400, "more than 8 suppositions at once");
	cr_assert_eq(post("/doctor", NULL), 0);
	cr_assert_eq(command.type, CMD_DOCTOR);
}

Test(restcommand, a_seal_names_ballot_scope_and_candidate)
{
	cr_assert_eq(post("/seal", "{\"ballot\":17,\"scope\":\"demo\",\"candidate\":\"n2\"}"), 0);
	cr_assert_eq(command.type, CMD_SEAL);
	cr_assert_eq(command.ballot, 17);
	cr_assert_str_eq(command.scope, "demo");
	cr_assert_str_eq(command.candidate, "n2");
	cr_assert_eq(post("/seal", "{\"ballot\":0,\"scope\":\"demo\",\"candidate\":\"n2\"}"), 400);
	cr_assert_eq(post("/seal", "{\"ballot\":17,\"candidate\":\"n2\"}"), 400);
	cr_assert_eq(post("/seal", "{\"ballot\":17,\"scope\":\"demo\",\"candidate\":\"../x\"}"), 400);
}

Test(restcommand, never_acts_on_a_body_it_cannot_read)
{
	static const char *const bad[] = { "{", "[]", "7", "null", "force", "{\"a\":1e999}",
					   "{\"a\":\"\xff\"}", "{}{}" };
	static const char *const posts[] = { "/restart", "/reinitialize", "/switchover",
					     "/failover" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		for (size_t j = 0; j < ARRAY_LEN(posts); j++)
			cr_assert_eq(post(posts[j], bad[i]), 400, "%s %s", posts[j], bad[i]);
		cr_assert_eq(send_as("PATCH", "/config", bad[i], false), 400);
		cr_assert_eq(send_as("PUT", "/config", bad[i], false), 400);
	}
	cr_assert_eq(post("/reload", "garbage"), 0, "the body of a reload is ignored");
}

Test(restcommand, demands_a_body_where_one_is_needed)
{
	cr_assert_eq(send_as("PATCH", "/config", NULL, false), 411);
	cr_assert_eq(send_as("PUT", "/config", NULL, false), 411);
	cr_assert_eq(post("/switchover", NULL), 411);
	cr_assert_eq(post("/failover", NULL), 411);
	cr_assert_eq(send_as("PATCH", "/config", "", false), 400);
	cr_assert_eq(send_as("PATCH", "/config", "{}", false), 400);
	cr_assert_eq(post("/switchover", "{}"), 400);
	cr_assert_eq(post("/restart", ""), 0);
	cr_assert_eq(post("/restart", "{}"), 0);
	cr_assert_eq(post("/reinitialize", ""), 0);
}

Test(restcommand, survives_large_and_deep_bodies)
{
	struct buf body = { 0 };

	buf_str(&body, "{\"a\":");
	for (int i = 0; i < 10000; i++)
		buf_ch(&body, '[');
	cr_assert_eq(send_as("PATCH", "/config", body.data, false), 400);
	buf_clear(&body);
	buf_str(&body, "{\"a\":\"");
	for (int i = 0; i < 1024 * 1024; i++)
		buf_ch(&body, 'x');
	buf_str(&body, "\"}");
	cr_assert_eq(send_as("PATCH", "/config", body.data, false), 0);
	cr_assert_eq(strlen(command.json), body.len);
	buf_done(&body);
}

Test(restcommand, keeps_the_document_of_a_config_write)
{
	cr_assert_eq(send_as("PATCH", "/config", "{ \"pause\" : true, \"x\": null }", true), 0);
	cr_assert_str_eq(command.json, "{\"pause\":true,\"x\":null}");
}

Test(restcommand, reads_restart_filters)
{
	cr_assert_eq(post("/restart", "{\"role\":\"primary\",\"postgres_version\":\"15.2\","
				      "\"timeout\":\"2min\",\"restart_pending\":false,"
				      "\"schedule\":\"2030-01-01T11:00:00+01:00\"}"), 0);
	cr_assert_str_eq(command.role, "primary");
	cr_assert_str_eq(command.postgres_version, "15.2");
	cr_assert_eq(command.timeout_ms, 120000);
	cr_assert(command.restart_pending);
	cr_assert(command.scheduled);
	cr_assert_eq(command.scheduled_at_us, NOW_US + INT64_C(3600000000));
	cr_assert_eq(command.scheduled_offset_min, 60);
	cr_assert_eq(post("/restart", "{\"timeout\":10}"), 0);
	cr_assert_eq(command.timeout_ms, 10000);
	cr_assert_not(command.scheduled);
	cr_assert_not(command.restart_pending);
	cr_assert_eq(post("/restart", "{\"timeout\":\" 1500 ms \"}"), 0);
	cr_assert_eq(command.timeout_ms, 2000);
	cr_assert_eq(post("/restart", "{\"timeout\":2.5}"), 0);
	cr_assert_eq(command.timeout_ms, 2000);
}

Test(restcommand, refuses_bad_restart_filters_with_patronis_texts)
{
	const char *const timeout = "Timeout should be a positive number of seconds";
	const char *const role = "PostgreSQL role should be either primary, standby_leader, or "
				 "replica";

	check_refused(post("/restart", "{\"foo\":1,\"role\":\"x\"}"), 400,
		      "Unknown filter for the scheduled restart: foo");
	check_refused(post("/restart", "{\"role\":\"x\",\"foo\":1}"), 400, role);
	check_refused(post("/restart", "{\"role\":\"master\"}"), 400, role);
	check_refused(post("/restart", "{\"role\":7}"), 400, role);
	check_refused(post("/restart", "{\"timeout\":0}"), 400, timeout);
	check_refused(post("/restart", "{\"timeout\":-1}"), 400, timeout);
	check_refused(post("/restart", "{\"timeout\":0.5}"), 400, timeout);
	check_refused(post("/restart", "{\"timeout\":true}"), 400, timeout);
	check_refused(post("/restart", "{\"timeout\":null}"), 400, timeout);
	check_refused(post("/restart", "{\"timeout\":\"soon\"}"), 400, timeout);
	check_refused(post("/restart", "{\"timeout\":1e300}"), 400, timeout);
	check_refused(post("/restart", "{\"timeout\":\"\"}"), 400, timeout);
	check_refused(post("/restart", "{\"postgres_version\":\"15\"}"), 400,
		      "Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: 15");
	check_refused(post("/restart", "{\"postgres_version\":\"9.6\"}"), 400,
		      "Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: 9.6");
	check_refused(post("/restart", "{\"postgres_version\":\"1.2.3.4\"}"), 400,
		      "Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: 1.2.3.4");
	check_refused(post("/restart", "{\"postgres_version\":\"a.b\"}"), 400,
		      "Invalid PostgreSQL version: a.b");
	check_refused(post("/restart", "{\"postgres_version\":16.1}"), 400,
		      "Invalid PostgreSQL version: 16.1");
	cr_assert_eq(post("/restart", "{\"postgres_version\":\"9.6.1\"}"), 0);
}

Test(restcommand, checks_schedules)
{
	const char *const unreadable = "Unable to parse scheduled timestamp. It should be in an "
				       "unambiguous format, e.g. ISO 8601";

	check_refused(post("/restart", "{\"schedule\":\"2031-01-01T10:00:00\"}"), 400,
		      "Timezone information is mandatory for the scheduled restart");
	check_refused(post("/restart", "{\"schedule\":\"2030-01-01T08:59:59Z\"}"), 422,
		      "Cannot schedule restart in the past");
	check_refused(post("/restart", "{\"schedule\":\"tomorrow\"}"), 422, unreadable);
	check_refused(post("/restart", "{\"schedule\":null}"), 422, unreadable);
	check_refused(post("/restart", "{\"schedule\":7}"), 422, unreadable);
	check_refused(send_as("POST", "/restart", "{\"x\":1,\"schedule\":null}", true), 500,
		      "Can't schedule restart in the paused state");
	cr_assert_eq(send_as("POST", "/restart", "{\"role\":\"replica\"}", true), 0);
	cr_assert_eq(post("/restart", "{\"schedule\":\"2030-01-01T09:00:00Z\"}"), 0);
}

Test(restcommand, reads_reinitialize)
{
	cr_assert_eq(post("/reinitialize", NULL), 0);
	cr_assert_not(command.force || command.from_leader);
	cr_assert_eq(post("/reinitialize", "{\"force\":true,\"from_leader\":\"ON\"}"), 0);
	cr_assert(command.force && command.from_leader);
	cr_assert_eq(post("/reinitialize", "{\"force\":1,\"from_leader\":\"maybe\",\"x\":2}"), 0);
	cr_assert(command.force);
	cr_assert_not(command.from_leader);
	cr_assert_eq(post("/reinitialize", "{\"force\":null,\"from_leader\":[]}"), 0);
	cr_assert_not(command.force || command.from_leader);
}

Test(restcommand, reads_a_switchover)
{
	cr_assert_eq(post("/switchover", "{\"leader\":\"a\"}"), 0);
	cr_assert_eq(command.type, CMD_SWITCHOVER);
	cr_assert_str_eq(command.leader, "a");
	cr_assert_str_eq(command.candidate, "");
	cr_assert_eq(post("/switchover", "{\"leader\":\"a\",\"candidate\":\"\",\"member\":\"b\","
					 "\"scheduled_at\":\"\"}"), 0);
	cr_assert_str_eq(command.candidate, "b");
	cr_assert_not(command.scheduled);
	cr_assert_eq(post("/switchover", "{\"leader\":\"a\",\"scheduled_at\":"
					 "\"2030-01-01T10:00+01:00\"}"), 0);
	cr_assert(command.scheduled);
	cr_assert_eq(command.scheduled_at_us, NOW_US);
}

Test(restcommand, reads_a_failover)
{
	cr_assert_eq(post("/failover", "{\"candidate\":\"b\"}"), 0);
	cr_assert_eq(command.type, CMD_FAILOVER);
	cr_assert_str_eq(command.candidate, "b");
	cr_assert_eq(post("/failover", "{\"candidate\":\"b\",\"leader\":\"a\"}"), 0);
	cr_assert_eq(command.type, CMD_SWITCHOVER, "one that names the leader is a switchover");
	cr_assert_eq(send_as("POST", "/failover", "{\"member\":\"b\"}", true), 0);
}

Test(restcommand, refuses_handovers_in_patronis_order)
{
	const char *const same = "Switchover target and source are the same";

	check_refused(post("/failover", "{\"leader\":\"a\"}"), 400,
		      "Failover could be performed only to a specific candidate");
	check_refused(post("/switchover", "{\"candidate\":\"b\",\"scheduled_at\":\"x\"}"), 400,
		      "Switchover could be performed only from a specific leader");
	check_refused(post("/failover", "{\"candidate\":\"b\",\"leader\":\"b\","
					"\"scheduled_at\":\"x\"}"), 400,
		      "Failover can't be scheduled");
	check_refused(send_as("POST", "/switchover", "{\"leader\":\"a\",\"scheduled_at\":\"x\"}",
			      true), 400, "Can't schedule switchover in the paused state");
	check_refused(post("/switchover", "{\"leader\":\"a\",\"scheduled_at\":"
					  "\"2031-01-01T10:00:00\"}"), 400,
		      "Timezone information is mandatory for the scheduled switchover");
	check_refused(post("/switchover", "{\"leader\":\"a\",\"candidate\":\"a\","
					  "\"scheduled_at\":\"2029-01-01T10:00:00Z\"}"), 422,
		      "Cannot schedule switchover in the past");
	check_refused(send_as("POST", "/switchover", "{\"leader\":\"a\"}", true), 400,
		      "Switchover is possible only to a specific candidate in a paused state");
	check_refused(post("/switchover", "{\"leader\":\"a\",\"candidate\":\"a\"}"), 400, same);
	check_refused(post("/failover", "{\"leader\":\"a\",\"candidate\":\"a\"}"), 400, same);
	check_refused(post("/switchover", "{\"leader\":7}"), 412, "leader name does not match");
	check_refused(post("/switchover", "{\"leader\":\"a/b\"}"), 412,
		      "leader name does not match");
	check_refused(post("/switchover", "{\"leader\":\"a\",\"candidate\":[\"b\"]}"), 412,
		      "candidate does not exists");
}

static void check_merge(const char *old, const char *patch, const char *want, bool want_changed)
{
	_cleanup_(freep) char *merged = NULL;
	bool changed = !want_changed;

	merged = restmsg_config_merge(old, patch, &changed);
	cr_assert_str_eq(merged, want);
	cr_assert_eq(changed, want_changed, "%s + %s", old, patch);
}

Test(restcommand, merges_a_patch_as_patroni_does)
{
	check_merge("{\"a\":1,\"b\":2}", "{\"a\":null}", "{\"b\":2}", true);
	check_merge("{\"a\":1}", "{\"c\":null}", "{\"a\":1}", false);
	check_merge("{\"a\":null}", "{\"a\":null}", "{}", false);
	check_merge("{\"a\":100}", "{\"a\":\"100\"}", "{\"a\":100}", false);
	check_merge("{\"a\":true}", "{\"a\":\"True\"}", "{\"a\":true}", false);
	check_merge("{\"a\":true}", "{\"a\":\"true\"}", "{\"a\":\"true\"}", true);
	check_merge("{\"b\":1,\"a\":1}", "{\"b\":2,\"z\":0}", "{\"b\":2,\"a\":1,\"z\":0}", true);
	check_merge("{\"a\":[1,2]}", "{\"a\":[2]}", "{\"a\":[2]}", true);
	check_merge("{\"a\":[1,2]}", "{\"a\":[1,2]}", "{\"a\":[1,2]}", false);
	check_merge("{\"a\":{\"b\":{\"c\":1}},\"x\":1}", "{\"a\":{\"b\":{\"c\":2,\"d\":3},\"e\":4}}",
		    "{\"a\":{\"b\":{\"c\":2,\"d\":3},\"e\":4},\"x\":1}", true);
	check_merge("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":null}}", "{\"a\":{}}", true);
	check_merge("{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":1}}", false);
	check_merge("{\"a\":1}", "{\"a\":{\"b\":null}}", "{\"a\":{\"b\":null}}", true);
	check_merge("{\"a\":{}}", "{\"a\":1}", "{\"a\":1}", true);
	check_merge("{}", "{}", "{}", false);
}

Test(restcommand, merges_only_objects)
{
	bool changed = false;
	struct buf deep = { 0 };

	cr_assert_null(restmsg_config_merge(NULL, "{}", &changed));
	cr_assert_null(restmsg_config_merge("{}", NULL, &changed));
	cr_assert_null(restmsg_config_merge("[]", "{}", &changed));
	cr_assert_null(restmsg_config_merge("{}", "7", &changed));
	cr_assert_null(restmsg_config_merge("{}", "{", &changed));
	for (int i = 0; i < 64; i++)
		buf_str(&deep, "{\"a\":");
	deep.data[deep.len - 1] = '1';
	deep.len -= 5;
	buf_str(&deep, "{}");
	for (int i = 0; i < 63; i++)
		buf_ch(&deep, '}');
	_cleanup_(freep) char *merged = restmsg_config_merge(deep.data, deep.data, &changed);

	cr_assert_str_eq(merged, deep.data);
	cr_assert(restmsg_config_equal(deep.data, merged));
	buf_done(&deep);
}

Test(restcommand, compares_configurations_by_text)
{
	cr_assert(restmsg_config_equal("{}", " { } "));
	cr_assert(restmsg_config_equal("{\"a\":100,\"b\":{\"c\":true}}",
				       "{\"b\":{\"c\":\"True\"},\"a\":\"100\"}"));
	cr_assert_not(restmsg_config_equal("{\"a\":1}", "{\"b\":1}"));
	cr_assert_not(restmsg_config_equal("{\"a\":1}", "{\"a\":1,\"b\":1}"));
	cr_assert_not(restmsg_config_equal("{\"a\":{}}", "{\"a\":null}"));
	cr_assert_not(restmsg_config_equal("{\"a\":{\"x\":1}}", "{\"a\":{\"x\":2}}"));
	cr_assert_not(restmsg_config_equal("{\"a\":{\"x\":1}}", "{\"a\":{}}"));
	cr_assert_not(restmsg_config_equal("{\"a\":[1]}", "{\"a\":[2]}"));
	cr_assert_not(restmsg_config_equal("[]", "[]"));
	cr_assert_not(restmsg_config_equal(NULL, NULL));
	cr_assert_not(restmsg_config_equal("{}", "garbage"));
}
