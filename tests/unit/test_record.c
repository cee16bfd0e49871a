/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_record - the cluster's keys <-> structs
 *
 * Literals are what a Patroni 4.1.4 cluster keeps in etcd.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/leasepage.h"
#include "base/str.h"
#include "wire/record.h"

static int member(const char *text, struct member *ret)
{
	return record_member_parse("node1", text, strlen(text), ret, NULL);
}

Test(record, writes_a_member_as_patroni_does)
{
	_cleanup_(freep) char *text = NULL;
	struct member_out out = {
		.conn_host = "127.0.0.1",
		.conn_port = 15433,
		.database = "postgres",
		.api_url = "http://127.0.0.1:18009/patroni",
		.state = STATE_RUNNING,
		.role = MROLE_REPLICA,
		.tags_json = "{\"clonefrom\": true, \"mytag\": \"Abc\"}",
		.has_lsn = true,
		.in_recovery = true,
		.xlog_location_lsn = 67108864,
		.replay_lsn = 67108864,
		.receive_lsn = 67108864,
		.replication_state = "streaming",
		.timeline = 1,
	};

	text = record_member_text(&out);
	cr_assert_str_eq(text,
			 "{\"conn_url\":\"postgres://127.0.0.1:15433/postgres\","
			 "\"api_url\":\"http://127.0.0.1:18009/patroni\",\"state\":\"running\","
			 "\"role\":\"replica\",\"version\":\"4.1.4\",\"tags\":{\"clonefrom\":true,"
			 "\"mytag\":\"Abc\"},\"xlog_location\":67108864,\"replay_lsn\":67108864,"
			 "\"receive_lsn\":67108864,\"replication_state\":\"streaming\","
			 "\"timeline\":1}");
}

static const struct member_out full_member = {
	.conn_host = "fd00::1",
	.conn_port = 5432,
	.database = "p\xc3\xa9",
	.api_url = "https://[fd00::1]:8008/patroni",
	.proxy_url = "postgres://proxy:6432/postgres",
	.state = STATE_STARTING,
	.role = MROLE_PRIMARY,
	.checkpoint_pending = true,
	.tags_json = "{}",
	.pending_restart = true,
	.pending_restart_reason_json = "{\"max_connections\":{\"old_value\":\"50\"}}",
	.has_lsn = true,
	.xlog_location_lsn = 9,
	.replay_lsn = 5,
	.scheduled_restart_json = "{\"schedule\":\"2030-01-01T10:00:00+02:00\"}",
	.pause = true,
	.pgha_version = "0.1.0",
	.trouble = "the postmaster is stopped",
};

Test(record, writes_every_field_of_a_member)
{
	_cleanup_(freep) char *text = record_member_text(&full_member);

	cr_assert_str_eq(text, "{\"conn_url\":\"postgres://[fd00::1]:5432/p\\u00e9\","
			       "\"api_url\":\"https://[fd00::1]:8008/patroni\",\"state\":\"starting\","
			       "\"role\":\"primary\",\"version\":\"4.1.4\","
			       "\"proxy_url\":\"postgres://proxy:6432/postgres\","
			       "\"checkpoint_after_promote\":false,\"pending_restart\":true,"
			       "\"pending_restart_reason\":{\"max_connections\":{\"old_value\":\"50\"}},"
			       "\"xlog_location\":9,"
			       "\"scheduled_restart\":{\"schedule\":\"2030-01-01T10:00:00+02:00\"},"
			       "\"pause\":true,\"pgha\":{\"version\":\"0.1.0\","
			       "\"trouble\":\"the postmaster is stopped\"}}");
}

Test(record, reads_back_the_member_it_wrote)
{
	_cleanup_(freep) char *text = record_member_text(&full_member);
	struct member m;

	cr_assert_eq(member(text, &m), 0);
	cr_assert_str_eq(m.name, "node1");
	cr_assert_str_eq(m.host, "fd00::1");
	cr_assert_eq(m.port, 5432);
	cr_assert_str_eq(m.api_url, "https://[fd00::1]:8008/patroni");
	cr_assert_str_eq(m.version, "4.1.4");
	cr_assert(m.is_pgha);
	cr_assert_eq(m.state, STATE_STARTING);
	cr_assert_eq(m.role, MROLE_PRIMARY);
	cr_assert_eq(m.checkpoint_done, TRI_NO);
	cr_assert(m.pause);
	cr_assert(m.pending_restart);
	cr_assert_eq(m.xlog_location_lsn, 9);
	cr_assert_eq(m.replay_lsn, 0);
	cr_assert_eq(m.timeline, 0);
	cr_assert_not(m.streaming);
}

Test(record, reads_every_state_and_role_it_can_write)
{
	for (int state = 0; state < STATE__MAX; state++) {
		for (int role = 0; role < MROLE__MAX; role++) {
			_cleanup_(freep) char *text = NULL;
			struct member_out out = full_member;
			struct member m;

			out.state = (enum member_state)state;
			out.role = (enum member_role)role;
			text = record_member_text(&out);
			cr_assert_eq(member(text, &m), 0);
			cr_assert_eq(m.state, out.state);
			cr_assert_eq(m.role, out.role);
		}
	}
}

Test(record, reads_a_member_of_patroni)
{
	struct member m;

	cr_assert_eq(member("{\"conn_url\":\"postgres://127.0.0.1:15433/postgres\",\"api_url\":"
			    "\"http://127.0.0.1:18009/patroni\",\"state\":\"running\",\"role\":\"replica\","
			    "\"version\":\"4.1.4\",\"tags\":{\"clonefrom\":true,\"mytag\":\"Abc\"},"
			    "\"xlog_location\":67108864,\"replay_lsn\":67108860,\"receive_lsn\":67108862,"
			    "\"replication_state\":\"streaming\",\"timeline\":1}", &m), 0);
	cr_assert_not(m.is_pgha);
	cr_assert_eq(m.state, STATE_RUNNING);
	cr_assert_eq(m.role, MROLE_REPLICA);
	cr_assert(m.tags.clonefrom);
	cr_assert_not(m.tags.nofailover);
	cr_assert_eq(m.tags.failover_priority, 1);
	cr_assert_eq(m.xlog_location_lsn, 67108864);
	cr_assert_eq(m.replay_lsn, 67108860);
	cr_assert_eq(m.receive_lsn, 67108862);
	cr_assert_eq(m.timeline, 1);
	cr_assert(m.streaming);
	cr_assert_eq(m.checkpoint_done, TRI_YES);
}

Test(record, reads_what_old_and_odd_members_write)
{
	struct member m;

	cr_assert_eq(member("{\"role\":\"master\",\"state\":\"dancing\",\"version\":\"pgha-1.0\","
			    "\"unknown\":[{}],\"xlog_location\":\"123\",\"timeline\":\"x\","
			    "\"conn_url\":\"postgres://db\",\"tags\":null,\"pause\":\"yes\","
			    "\"receive_lsn\":-4,\"replication_state\":\"in archive recovery\"}", &m), 0);
	cr_assert_eq(m.role, MROLE_PRIMARY);
	cr_assert_eq(m.state, STATE_UNKNOWN);
	cr_assert_eq(m.checkpoint_done, TRI_UNKNOWN);
	cr_assert_eq(m.xlog_location_lsn, 123);
	cr_assert_eq(m.timeline, 0);
	cr_assert_eq(m.receive_lsn, 0);
	cr_assert_str_eq(m.host, "db");
	cr_assert_eq(m.port, 5432);
	cr_assert_not(m.pause);
	cr_assert(m.in_archive_recovery);
	cr_assert_eq(member("{}", &m), 0);
	cr_assert_str_eq(m.host, "");
	cr_assert_eq(m.port, 0);
	cr_assert_eq(member("{\"conn_url\":\"postgres://u:p@h:99999/x\",\"api_url\":7}", &m), 0);
	cr_assert_str_eq(m.host, "");
	cr_assert_str_eq(m.api_url, "");
	cr_assert_eq(member("{\"conn_url\":\"postgres://u:p%40@h:99/x?a=b\"}", &m), 0);
	cr_assert_str_eq(m.host, "h");
	cr_assert_eq(m.port, 99);
}

Test(record, reads_a_member_key_that_is_a_bare_url)
{
	struct member m;

	cr_assert_eq(member("postgres://repl:pw@10.0.0.1:5433/postgres?x=1&application_name="
			    "http%3A//10.0.0.1:8008/patroni&y=2", &m), 0);
	cr_assert_str_eq(m.host, "10.0.0.1");
	cr_assert_eq(m.port, 5433);
	cr_assert_str_eq(m.api_url, "http://10.0.0.1:8008/patroni");
	cr_assert_eq(m.state, STATE_UNKNOWN);
	cr_assert_eq(m.tags.failover_priority, 1);
	cr_assert_eq(member("postgres://h/x", &m), 0);
	cr_assert_str_eq(m.api_url, "");
	cr_assert_eq(member("postgres, or not", &m), -ERR_PARSE);
	cr_assert_eq(member("postgresql", &m), -ERR_PARSE);
}

struct tag_case {
	const char *json;
	bool nofailover;
	int32_t priority;
};

Test(record, converts_tags_as_patroni_does)
{
	/* clang-format off */
	static const struct tag_case cases[] = {
		{ "{}", false, 1 },
		{ "{\"nofailover\":true}", true, 0 },
		{ "{\"nofailover\":\"true\"}", true, 0 },
		{ "{\"nofailover\":\"false\"}", true, 0 },
		{ "{\"nofailover\":\"\"}", false, 1 },
		{ "{\"nofailover\":1}", true, 0 },
		{ "{\"nofailover\":0}", false, 1 },
		{ "{\"nofailover\":0.5}", true, 0 },
		{ "{\"nofailover\":null}", false, 1 },
		{ "{\"nofailover\":[]}", false, 1 },
		{ "{\"failover_priority\":0}", true, 0 },
		{ "{\"failover_priority\":-2}", true, -2 },
		{ "{\"failover_priority\":7}", false, 7 },
		{ "{\"failover_priority\":\"7\"}", false, 7 },
		{ "{\"failover_priority\":\"x\"}", false, 1 },
		{ "{\"failover_priority\":true}", false, 1 },
		{ "{\"failover_priority\":1e300}", false, INT32_MAX },
		{ "{\"failover_priority\":-1e300}", true, INT32_MIN },
		{ "{\"failover_priority\":0.5}", true, 0 },
		{ "{\"failover_priority\":1.5}", false, 2 },
		{ "{\"failover_priority\":0.6}", false, 1 },
		{ "{\"failover_priority\":-0.6}", true, -1 },
		{ "{\"failover_priority\":99999999999}", false, INT32_MAX },
		{ "{\"nofailover\":true,\"failover_priority\":5}", true, 0 },
		{ "{\"nofailover\":false,\"failover_priority\":0}", false, 1 },
		{ "{\"nofailover\":null,\"failover_priority\":0}", true, 0 },
	};
	/* clang-format on */
	struct tags tags;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_assert_eq(record_tags_parse(cases[i].json, &tags, NULL), 0);
		cr_assert_eq(tags.nofailover, cases[i].nofailover, "%s", cases[i].json);
		cr_assert_eq(tags.failover_priority, cases[i].priority, "%s: %d", cases[i].json,
			     tags.failover_priority);
	}
	cr_assert_eq(record_tags_parse("{\"nosync\":true,\"noloadbalance\":1,\"nostream\":\"x\","
				       "\"replicatefrom\":\"n2\",\"sync_priority\":4}", &tags, NULL), 0);
	cr_assert(tags.nosync && tags.noloadbalance && tags.nostream && !tags.clonefrom);
	cr_assert_eq(tags.sync_priority, 0);
	cr_assert_str_eq(tags.replicatefrom, "n2");
	cr_assert_eq(record_tags_parse(NULL, &tags, NULL), 0);
	cr_assert_eq(tags.sync_priority, 1);
	cr_assert_eq(record_tags_parse("[]", &tags, NULL), -ERR_PARSE);
}

Test(record, never_takes_a_garbage_member_for_an_empty_one)
{
	static const char *const bad[] = { "", "null", "[]", "7", "{", "{\"tags\":[]}",
					   "{\"tags\":\"nofailover\"}", "{\"timeline\":1e999}",
					   "\xff\xff", "{\"state\":\"\xc0\x80\"}" };
	struct member m = { .name = "kept" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(member(bad[i], &m), 0, "%s", bad[i]);
	cr_assert_eq(record_member_parse("a/b", "{}", 2, &m, NULL), -ERR_PARSE);
	cr_assert_eq(record_member_parse("", "{}", 2, &m, NULL), -ERR_RANGE);
	cr_assert_eq(record_member_parse("n", "{}\0", 3, &m, NULL), -ERR_PARSE);
	cr_assert_str_eq(m.name, "kept");
}

Test(record, checks_names)
{
	char name[NAME_SIZE + 1];

	memset(name, 'a', sizeof(name));
	name[NAME_SIZE - 1] = 0;
	cr_assert_eq(record_name_check(name, true, NULL), 0);
	name[NAME_SIZE - 1] = 'a';
	name[NAME_SIZE] = 0;
	cr_assert_eq(record_name_check(name, false, NULL), -ERR_RANGE);
	cr_assert_eq(record_name_check("", false, NULL), -ERR_RANGE);
	cr_assert_eq(record_name_check(NULL, false, NULL), -ERR_RANGE);
	cr_assert_eq(record_name_check("Node-1.x_y", true, NULL), 0);
	cr_assert_eq(record_name_check("no de", true, NULL), -ERR_PARSE);
	cr_assert_eq(record_name_check("no de", false, NULL), 0);
	cr_assert_eq(record_name_check("n\xc3\xa9", true, NULL), -ERR_PARSE);
	cr_assert_eq(record_name_check("n\xc3\xa9", false, NULL), 0);
	cr_assert_eq(record_name_check("n\xc3", false, NULL), -ERR_PARSE);
	cr_assert_eq(record_name_check("n\n", false, NULL), -ERR_PARSE);
	cr_assert_eq(record_name_check("a/b", false, NULL), -ERR_PARSE);
	cr_assert_eq(record_name_check("a\x7f", false, NULL), -ERR_PARSE);
}

Test(record, tells_a_pending_from_a_set_and_a_garbage_initialize_key)
{
	char sysid[SYSID_SIZE] = "kept";

	cr_assert_eq(record_init_parse("", 0, sysid), INIT_PENDING);
	cr_assert_eq(record_init_parse(NULL, 0, sysid), INIT_PENDING);
	cr_assert_eq(record_init_parse("123456789", 9, sysid), INIT_GARBAGE);
	cr_assert_eq(record_init_parse("7710500522913725o01", 19, sysid), INIT_GARBAGE);
	cr_assert_eq(record_init_parse("99999999999999999999", 20, sysid), INIT_GARBAGE);
	cr_assert_eq(record_init_parse("7710500522913725001\n", 20, sysid), INIT_GARBAGE);
	cr_assert_eq(record_init_parse("77105005229137\0" "5001", 19, sysid), INIT_GARBAGE);
	cr_assert_eq(record_init_parse("00000000000000000000000000000000", 32, sysid), INIT_GARBAGE);
	cr_assert_str_eq(sysid, "kept");
	cr_assert_eq(record_init_parse("7710500522913725001", 19, sysid), INIT_SET);
	cr_assert_str_eq(sysid, "7710500522913725001");
}

static int status(const char *text, struct status_key *ret)
{
	return record_status_parse(text, strlen(text), ret, NULL);
}

Test(record, brings_a_status_back)
{
	static struct status_key s = { .optime_lsn = 67482240,
				       .nslots = 2,
				       .slots = { { "node0", 67382744 }, { "node1", 7 } },
				       .nretain = 2,
				       .retain = { "a", "b" } };
	static struct status_key back;
	_cleanup_(freep) char *text = record_status_text(&s);

	cr_assert_str_eq(text, "{\"optime\":67482240,\"slots\":{\"node0\":67382744,\"node1\":7},"
			       "\"retain_slots\":[\"a\",\"b\"]}");
	cr_assert_eq(status(text, &back), 0);
	cr_assert_eq(memcmp(&s, &back, sizeof(s)), 0);
	s = (struct status_key){ .optime_lsn = 1 };
	free(text);
	text = record_status_text(&s);
	cr_assert_str_eq(text, "{\"optime\":1}");
	cr_assert_eq(status(text, &back), 0);
	cr_assert_eq(memcmp(&s, &back, sizeof(s)), 0);
}

Test(record, reads_old_forms_of_a_status)
{
	static struct status_key s;

	cr_assert_eq(status("67482240", &s), 0);
	cr_assert_eq(s.optime_lsn, 67482240);
	cr_assert_eq(status("{}", &s), 0);
	cr_assert_eq(s.optime_lsn, 0);
	cr_assert_eq(status("{\"optime\":\"12\",\"slots\":\"{\\\"a\\\":\\\"5\\\"}\","
			    "\"retain_slots\":\"[\\\"b\\\",7,\\\"c\\\"]\"}", &s), 0);
	cr_assert_eq(s.optime_lsn, 12);
	cr_assert_eq(s.nslots, 1);
	cr_assert_eq(s.slots[0].lsn, 5);
	cr_assert_eq(s.nretain, 2);
	cr_assert_str_eq(s.retain[1], "c");
	cr_assert_eq(status("{\"slots\":null,\"retain_slots\":null,\"optime\":null}", &s), 0);
	cr_assert_eq(status("{\"optime\":1,\"slots\":{\"a\":-1,\"\":2,\"b\":\"x\"}}", &s), 0);
	cr_assert_eq(s.nslots, 0);
}

Test(record, never_takes_a_garbage_status_for_an_empty_one)
{
	static const char *const bad[] = { "", "x", "[]", "null", "true", "1.5", "-1", "\"7\"",
					   "{\"optime\":\"x\"}", "{\"optime\":-1}", "{\"optime\":1.5}",
					   "{\"optime\":1e999}" };
	static struct status_key s;

	s.optime_lsn = 77;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(status(bad[i], &s), 0, "%s", bad[i]);
	cr_assert_eq(s.optime_lsn, 77);
}

Test(record, bounds_the_slots_of_a_status)
{
	static struct status_key s;
	struct buf text = { 0 };

	buf_str(&text, "{\"optime\":1,\"slots\":{");
	for (int i = 0; i < SLOTS_MAX + 9; i++)
		buf_printf(&text, "%s\"s%d\":%d", i > 0 ? "," : "", i, i);
	buf_str(&text, "},\"retain_slots\":[\"");
	for (int i = 0; i < 99; i++)
		buf_ch(&text, 'x');
	buf_ch(&text, '"');
	for (int i = 0; i < SLOTS_MAX + 9; i++)
		buf_printf(&text, ",\"s%d\"", i);
	buf_str(&text, "]}");
	cr_assert_eq(status(text.data, &s), 0);
	cr_assert_eq(s.nslots, SLOTS_MAX);
	cr_assert_eq(s.nretain, SLOTS_MAX);
	cr_assert_str_eq(s.retain[0], "s0", "a name that is too long is left out");
	buf_done(&text);
}

static int request(const char *text, struct request *ret)
{
	return record_request_parse(text, strlen(text), ret, NULL);
}

static void check_request(const struct request *in, const char *want)
{
	_cleanup_(freep) char *text = record_request_text(in);
	struct request back;

	cr_assert_str_eq(text, want);
	cr_assert_eq(request(text, &back), 0);
	cr_assert_eq(back.present, in->present);
	cr_assert_str_eq(back.leader, in->leader);
	cr_assert_str_eq(back.candidate, in->candidate);
	cr_assert_eq(back.scheduled_at_us, in->scheduled_at_us);
}

Test(record, brings_requests_back)
{
	check_request(&(struct request){ 0 }, "{}");
	check_request(&(struct request){ .present = true, .leader = "a" }, "{\"leader\":\"a\"}");
	check_request(&(struct request){ .present = true, .candidate = "b" }, "{\"member\":\"b\"}");
	check_request(&(struct request){ .present = true, .leader = "a", .candidate = "b",
					 .scheduled_at_us = 1893488400000000 },
		      "{\"leader\":\"a\",\"member\":\"b\","
		      "\"scheduled_at\":\"2030-01-01T09:00:00+00:00\"}");
	check_request(&(struct request){ .present = true, .leader = "a",
					 .scheduled_at_us = 1893488400000010 },
		      "{\"leader\":\"a\",\"scheduled_at\":\"2030-01-01T09:00:00.000010+00:00\"}");
	check_request(&(struct request){ .present = true, .leader = "a",
					 .scheduled_at_us = 1893488400000000,
					 .scheduled_offset_min = -210 },
		      "{\"leader\":\"a\",\"scheduled_at\":\"2030-01-01T05:30:00-03:30\"}");
}

Test(record, reads_requests_of_others)
{
	struct request r;

	cr_assert_eq(request("{\"leader\": \"a\", \"member\": null, \"scheduled_at\": "
			     "\"2030-01-01T10:00:00+01:00\"}", &r), 0);
	cr_assert(r.present);
	cr_assert_eq(r.scheduled_at_us, 1893488400000000);
	cr_assert_eq(r.scheduled_offset_min, 60);
	cr_assert_str_eq(r.candidate, "");
	cr_assert_eq(request("", &r), 0);
	cr_assert_not(r.present);
	cr_assert_eq(request("{\"leader\":\"\",\"member\":\"\"}", &r), 0);
	cr_assert_not(r.present);
	cr_assert_eq(request("{\"scheduled_at\":\"2030-01-01T10:00:00Z\"}", &r), 0);
	cr_assert_not(r.present);
	cr_assert_eq(request("a:b", &r), 0);
	cr_assert_str_eq(r.leader, "a");
	cr_assert_str_eq(r.candidate, "b");
	cr_assert_eq(request("a:", &r), 0);
	cr_assert(r.present);
	cr_assert_eq(request(":b", &r), 0);
	cr_assert_str_eq(r.candidate, "b");
	cr_assert_eq(request(":", &r), 0);
	cr_assert_not(r.present);
}

Test(record, never_takes_a_garbage_request_for_none)
{
	static const char *const bad[] = {
		"x", "[]", "7", "null", "{", "a b:c", "a:b:c", "a/b:c", "{\"leader\":7}",
		"{\"member\":[\"a\"]}", "{\"leader\":\"a\",\"scheduled_at\":7}",
		"{\"leader\":\"a\",\"scheduled_at\":\"soon\"}",
		"{\"leader\":\"a\",\"scheduled_at\":\"2030-01-01T10:00:00\"}",
		"{\"leader\":\"a\",\"scheduled_at\":\"1970-01-01T00:00:00Z\"}",
		"{\"leader\":\"a/b\"}", "{\"leader\":\"a\n\"}", "\xff:\xff",
	};
	struct request r = { .leader = "kept" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(request(bad[i], &r), 0, "%s", bad[i]);
	cr_assert_lt(record_request_parse("a:b\0c", 5, &r, NULL), 0);
	cr_assert_str_eq(r.leader, "kept");
}

static int sync_key(const char *text, struct sync_key *ret)
{
	return record_sync_parse(text, strlen(text), ret, NULL);
}

Test(record, reads_the_sync_key)
{
	struct sync_key s;

	cr_assert_eq(sync_key("{\"leader\":\"a\",\"quorum\":1,\"sync_standby\":\" b ,,c, \"}", &s), 0);
	cr_assert(s.present);
	cr_assert_str_eq(s.leader, "a");
	cr_assert_eq(s.quorum, 1);
	cr_assert_eq(s.nstandbys, 2);
	cr_assert_str_eq(s.standbys[0], "b");
	cr_assert_str_eq(s.standbys[1], "c");
	cr_assert_eq(sync_key("{\"leader\":\"a\",\"sync_standby\":null}", &s), 0);
	cr_assert_eq(s.nstandbys, 0);
	cr_assert_eq(s.quorum, 0);
	cr_assert_eq(sync_key("{\"leader\":\"a\",\"sync_standby\":\"\",\"quorum\":\"2\"}", &s), 0);
	cr_assert_eq(s.quorum, 2);
	cr_assert_eq(sync_key("{\"leader\":null,\"quorum\":9,\"sync_standby\":\"b\"}", &s), 0);
	cr_assert_not(s.present);
	cr_assert_eq(s.nstandbys, 0);
	cr_assert_eq(s.quorum, 0);
	cr_assert_eq(sync_key("{}", &s), 0);
}

Test(record, never_takes_a_garbage_sync_key_for_an_empty_one)
{
	static const char *const bad[] = {
		"", "[]", "{", "\"a\"", "{\"leader\":7}", "{\"leader\":\"a\",\"quorum\":\"x\"}",
		"{\"leader\":\"a\",\"quorum\":-1}", "{\"leader\":\"a\",\"sync_standby\":[\"b\"]}",
		"{\"leader\":\"a\",\"sync_standby\":\"b/c\"}", "{\"leader\":\"a\",\"quorum\":1.5}",
	};
	struct sync_key s = { .leader = "kept" };
	struct buf many = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(sync_key(bad[i], &s), 0, "%s", bad[i]);
	buf_str(&many, "{\"leader\":\"a\",\"sync_standby\":\"x");
	for (int i = 0; i < MEMBERS_MAX; i++)
		buf_printf(&many, ",n%d", i);
	buf_str(&many, "\"}");
	cr_assert_eq(sync_key(many.data, &s), -ERR_RANGE);
	buf_done(&many);
	cr_assert_str_eq(s.leader, "kept");
}

Test(record, brings_a_release_back)
{
	struct release in = { .present = true, .from = "a", .to = "b", .epoch = 42,
			      .lsn = 67108904, .timeline = 3 };
	_cleanup_(freep) char *text = record_release_text(&in);
	struct release out;

	cr_assert_str_eq(text, "{\"from\":\"a\",\"to\":\"b\",\"epoch\":42,\"lsn\":67108904,"
			       "\"timeline\":3}");
	cr_assert_eq(record_release_parse(text, strlen(text), &out, NULL), 0);
	cr_assert(out.present);
	cr_assert_str_eq(out.from, "a");
	cr_assert_str_eq(out.to, "b");
	cr_assert_eq(out.epoch, 42);
	cr_assert_eq(out.lsn, 67108904);
	cr_assert_eq(out.timeline, 3);
}

Test(record, never_takes_a_garbage_release_for_a_proof)
{
	static const char *const bad[] = { "", "{}", "[]", "{\"from\":\"a\"}", "{\"epoch\":4}",
					   "{\"from\":\"a\",\"epoch\":0}", "{\"from\":\"a\",\"epoch\":\"x\"}",
					   "{\"from\":\"a\",\"epoch\":4,\"lsn\":-1}",
					   "{\"from\":\"a\",\"epoch\":4,\"timeline\":4294967296}",
					   "{\"from\":\"a\",\"epoch\":4,\"to\":7}" };
	struct release out = { .epoch = 77 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(record_release_parse(bad[i], strlen(bad[i]), &out, NULL), 0, "%s", bad[i]);
	cr_assert_eq(out.epoch, 77);
}

Test(record, brings_the_newest_timeline_number_back)
{
	_cleanup_(freep) char *text = record_begun_text(12, "n\"1", "boot-1");
	char instance[NAME_SIZE];
	uint32_t timeline = 0;

	cr_assert_str_eq(text, "{\"timeline\":12,\"member\":\"n\\\"1\",\"instance\":\"boot-1\"}");
	cr_assert_eq(record_begun_parse(text, strlen(text), &timeline, instance, NULL), 0);
	cr_assert_eq(timeline, 12);
	cr_assert_str_eq(instance, "boot-1");
	cr_assert_lt(record_begun_parse("{}", 2, &timeline, instance, NULL), 0);
	cr_assert_lt(record_begun_parse("{\"timeline\":0}", 14, &timeline, instance, NULL), 0);
	cr_assert_lt(record_begun_parse("[3]", 3, &timeline, instance, NULL), 0);
}

Test(record, brings_a_beat_back)
{
	struct beat in = { .epoch = 42, .sequence = 7, .ttl_ms = 5000, .instance = "boot-1" };
	_cleanup_(freep) char *text = record_beat_text(&in);
	struct beat out = { 0 };

	cr_assert_str_eq(text, "{\"epoch\":42,\"sequence\":7,\"ttl_ms\":5000,"
			       "\"instance\":\"boot-1\"}");
	cr_assert_eq(record_beat_parse(text, strlen(text), &out, NULL), 0);
	cr_assert_eq(out.epoch, 42);
	cr_assert_eq(out.sequence, 7);
	cr_assert_eq(out.ttl_ms, 5000);
	cr_assert_lt(record_beat_parse("{}", 2, &out, NULL), 0);
	cr_assert_lt(record_beat_parse("{\"epoch\":1}", 11, &out, NULL), 0);
	cr_assert_lt(record_beat_parse("7", 1, &out, NULL), 0);
	cr_assert_lt(record_beat_parse("{\"sequence\":1,\"ttl_ms\":1}", 26, &out, NULL), 0);
	cr_assert_eq(out.epoch, 42);
}

Test(record, a_beat_may_leave_its_epoch_to_its_own_revision)
{
	struct beat in = { .epoch = BEAT_EPOCH_OWN, .sequence = 1, .ttl_ms = 5000 };
	_cleanup_(freep) char *text = record_beat_text(&in);
	struct beat out = { .epoch = 9 };

	cr_assert_eq(record_beat_parse(text, strlen(text), &out, NULL), 0);
	cr_assert_eq(out.epoch, BEAT_EPOCH_OWN);
}

static int history(const char *text, uint32_t *ret)
{
	return record_history_timeline(text, strlen(text), ret, NULL);
}

Test(record, tells_the_timeline_by_history)
{
	static const char *const bad[] = { "", "{}", "7", "[7]", "[[]]", "[[\"x\"]]", "[[0,1]]",
					   "[[-1]]", "[[4294967295]]", "[[1,2],{}]", "[[1" };
	uint32_t timeline = 99;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(history(bad[i], &timeline), 0, "%s", bad[i]);
	cr_assert_eq(timeline, 99);
	cr_assert_eq(history("[]", &timeline), 0);
	cr_assert_eq(timeline, 1);
	cr_assert_eq(history("[[1,67382056,\"no recovery target specified\"],"
			     "[2,67382056,\"x\",\"2026-11-21T06:02:38.763986+00:00\",\"node1\"]]",
			     &timeline), 0);
	cr_assert_eq(timeline, 3);
}

Test(record, appends_to_history)
{
	_cleanup_(freep) char *one = NULL;
	_cleanup_(freep) char *two = NULL;
	_cleanup_(freep) char *again = NULL;
	_cleanup_(freep) char *cut = NULL;

	one = record_history_append(NULL, 1, 67382056, "no recovery target specified",
				    "2026-11-21T06:02:38.763986+00:00", "node1", 0);
	cr_assert_str_eq(one, "[[1,67382056,\"no recovery target specified\","
			      "\"2026-11-21T06:02:38.763986+00:00\",\"node1\"]]");
	two = record_history_append(one, 2, 5, "r", "t", "n", 0);
	cr_assert_str_eq(two, "[[1,67382056,\"no recovery target specified\","
			      "\"2026-11-21T06:02:38.763986+00:00\",\"node1\"],[2,5,\"r\",\"t\",\"n\"]]");
	again = record_history_append(two, 2, 6, "r", "t", "m", 0);
	cr_assert(str_ends(again, "\"node1\"],[2,6,\"r\",\"t\",\"m\"]]"));
	cut = record_history_append(two, 3, 6, "r", "t", "m", 2);
	cr_assert_str_eq(cut, "[[2,5,\"r\",\"t\",\"n\"],[3,6,\"r\",\"t\",\"m\"]]");
}

Test(record, begins_history_anew_when_the_old_one_is_garbage)
{
	static const char *const bad[] = { "", "{}", "[", "[7,{},[\"x\"]]" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_(freep) char *text = record_history_append(bad[i], 4, 1, "r", "t", "m", 1);

		cr_assert_str_eq(text, "[[4,1,\"r\",\"t\",\"m\"]]");
	}
}

Test(record, prints_times)
{
	char at[ISO_TEXT_MAX];

	cr_assert_str_eq(record_iso_time(0, 'T', at), "1970-01-01T00:00:00.000000+00:00");
	cr_assert_str_eq(record_iso_time(1795240839376659, ' ', at),
			 "2026-11-21 06:00:39.376659+00:00");
	cr_assert_str_eq(record_iso_time(951782399999999, 'T', at),
			 "2000-02-28T23:59:59.999999+00:00");
	cr_assert_str_eq(record_iso_time(951868799000000, 'T', at),
			 "2000-02-29T23:59:59.000000+00:00");
	cr_assert_str_eq(record_iso_time(4107542400000000, 'T', at),
			 "2100-03-01T00:00:00.000000+00:00");
	cr_assert_str_eq(record_iso_time(-1, 'T', at), "1969-12-31T23:59:59.999999+00:00");
}

Test(record, prints_times_as_they_were_given)
{
	char at[ISO_TEXT_MAX];

	cr_assert_str_eq(record_iso_zoned(1893488400000000, 0, at), "2030-01-01T09:00:00+00:00");
	cr_assert_str_eq(record_iso_zoned(1893488400000000, 330, at),
			 "2030-01-01T14:30:00+05:30");
	cr_assert_str_eq(record_iso_zoned(1893488400000007, -720, at),
			 "2029-12-31T21:00:00.000007-12:00");
}

Test(record, quotes_texts_for_documents_made_by_hand)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	record_quote(&out, "a\"b\\c\n\xc3\xa9");
	cr_assert_str_eq(out.data, "\"a\\\"b\\\\c\\n\\u00e9\"");
}

Test(record, makes_slot_names_by_patronis_rule)
{
	char slot[NAME_SIZE];
	char name[NAME_SIZE];

	record_slot_name("Node-1.example_X", slot);
	cr_assert_str_eq(slot, "node_1_example_x");
	record_slot_name("n\xc3\xa9", slot);
	cr_assert_str_eq(slot, "nu0233");
	record_slot_name("n\xc3\x89", slot);
	cr_assert_str_eq(slot, "nu0233");
	record_slot_name("a b", slot);
	cr_assert_str_eq(slot, "au0032b");
	record_slot_name("\xf0\x9f\x98\x80", slot);
	cr_assert_str_eq(slot, "u128512");
	memset(name, '!', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	record_slot_name(name, slot);
	cr_assert_eq(strlen(slot), 63);
}

/* Whatever stands in a key, reading it ends, and never with success for 1 MB of noise. */
Test(record, survives_noise_in_every_key)
{
	_cleanup_(freep) char *noise = mem_new(1024 * 1024, 1);
	static struct status_key s;
	struct member m;
	struct request r;
	struct sync_key y;
	struct release l;
	char sysid[SYSID_SIZE];
	struct beat beat;
	uint32_t timeline;
	size_t len = 1024 * 1024;

	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0, x = 1; i < len; i++) {
			x = x * 1664525 + 1013904223;
			noise[i] = round == 0 ? (char)(x >> 24) : round == 1 ? '[' : ':';
		}
		cr_assert_lt(record_member_parse("n", noise, len, &m, NULL), 0);
		cr_assert_lt(record_status_parse(noise, len, &s, NULL), 0);
		cr_assert_lt(record_request_parse(noise, len, &r, NULL), 0);
		cr_assert_lt(record_sync_parse(noise, len, &y, NULL), 0);
		cr_assert_lt(record_release_parse(noise, len, &l, NULL), 0);
		cr_assert_lt(record_beat_parse(noise, len, &beat, NULL), 0);
		cr_assert_lt(record_history_timeline(noise, len, &timeline, NULL), 0);
		cr_assert_eq(record_init_parse(noise, len, sysid), INIT_GARBAGE);
	}
}

Test(record, names_what_waits_for_a_restart)
{
	struct setting_change changes[] = {
		{ "max_connections", "50", "61" },
		{ "shared_preload_libraries", "", "a \"b\"" },
	};
	_cleanup_(freep) char *text = record_changes_text(changes, 2);
	_cleanup_(freep) char *none = record_changes_text(changes, 0);

	cr_assert_str_eq(text,
			 "{\"max_connections\":{\"old_value\":\"50\",\"new_value\":\"61\"},"
			 "\"shared_preload_libraries\":{\"old_value\":\"\","
			 "\"new_value\":\"a \\\"b\\\"\"}}");
	cr_assert_str_eq(none, "{}");
}

Test(record, bounds_what_is_read_of_a_key)
{
	cr_assert_eq(record_size_limit("config"), RECORD_CONFIG_MAX);
	cr_assert_eq(record_size_limit("history"), RECORD_CONFIG_MAX);
	cr_assert_eq(record_size_limit("members/n1"), RECORD_SIZE_MAX);
	cr_assert_eq(record_size_limit("sync"), RECORD_SIZE_MAX);
}

Test(record, carries_who_has_to_be_fenced)
{
	struct victims list = { .n = 2,
				.items = { { "n1", "10.0.0.1", 5432, "http://10.0.0.1:8008/patroni",
					     77 },
					   { "n2", "", 0, "", 0 } } };
	_cleanup_(freep) char *text = record_victims_text(&list);
	struct victims back = { .mod_revision = 5 };
	struct err err = { 0 };

	cr_assert_str_eq(text, "{\"led\":[{\"name\":\"n1\",\"host\":\"10.0.0.1\",\"port\":5432,"
			       "\"api_url\":\"http://10.0.0.1:8008/patroni\",\"epoch\":77},"
			       "{\"name\":\"n2\",\"host\":\"\",\"port\":0,\"api_url\":\"\","
			       "\"epoch\":0}]}");
	cr_assert_eq(record_victims_parse(text, strlen(text), &back, &err), 0, "%s", err.msg);
	cr_assert_eq(back.n, 2);
	cr_assert_eq(back.items[0].epoch, 77);
	cr_assert_eq(back.items[0].port, 5432);
	cr_assert_str_eq(back.items[0].host, "10.0.0.1");
	cr_assert_str_eq(back.items[1].name, "n2");
}

Test(record, never_takes_garbage_for_nobody_to_fence)
{
	static const char *const bad[] = {
		"", "{}", "[]", "{\"led\":{}}", "{\"led\":[1]}", "{\"led\":[{\"name\":\"a\"}]}",
		"{\"led\":[{\"name\":\"\",\"host\":\"\",\"port\":1,\"api_url\":\"\",\"epoch\":1}]}",
		"{\"led\":[{\"name\":\"a/b\",\"host\":\"\",\"port\":1,\"api_url\":\"\",\"epoch\":1}]}",
		"{\"led\":[{\"name\":\"a\",\"host\":\"\",\"port\":70000,\"api_url\":\"\",\"epoch\":1}]}",
		"{\"led\":[{\"name\":\"a\",\"host\":\"\",\"port\":1,\"api_url\":\"\",\"epoch\":-1}]}",
		"{\"led\":[{},{},{},{},{}]}",
	};
	struct victims list = { .n = 1, .items = { { .name = "kept" } } };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_assert_lt(record_victims_parse(bad[i], strlen(bad[i]), &list, NULL), 0, "%s",
			     bad[i]);
		cr_assert_eq(list.n, 1);
		cr_assert_str_eq(list.items[0].name, "kept");
	}
}

/* The module prints the texts of base/leasepage.h. */
Test(record, knows_the_words_of_the_lease_page)
{
	static const char *const texts[LEASEPAGE_STATE__MAX] = {
#define X(n, t) [LEASEPAGE_##n] = t,
		LEASEPAGE_STATES(X)
#undef X
	};
	struct module_state m;

	for (int i = 0; i < LEASEPAGE_STATE__MAX; i++) {
		_cleanup_(freep) char *said =
			str_dupf("{\"preloaded\": true, \"enabled\": true, \"page\": \"%s\"}",
				 texts[i]);

		record_module_parse(said, &m);
		cr_assert_eq(m.presence, i == LEASEPAGE_GOOD ? MODULE_READY : MODULE_BLIND, "%s",
			     texts[i]);
	}
}

Test(record, reads_what_the_module_says)
{
	static const struct {
		const char *text;
		enum module_presence presence;
	} cases[] = {
		{ NULL, MODULE_ABSENT },
		{ "", MODULE_UNKNOWN },
		{ "[]", MODULE_UNKNOWN },
		{ "{\"preloaded\": false, \"enabled\": true}", MODULE_ABSENT },
		{ "{\"preloaded\": true, \"enabled\": false}", MODULE_OFF },
		{ "{\"preloaded\": true, \"enabled\": true, \"page\": \"not there\"}", MODULE_BLIND },
		{ "{\"preloaded\": true, \"enabled\": true, \"page\": "
		  "\"recognised, of this boot\"}", MODULE_READY },
	};
	struct module_state m;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		record_module_parse(cases[i].text, &m);
		cr_assert_eq(m.presence, cases[i].presence, "%zu", i);
	}
	record_module_parse("{\"preloaded\": true, \"enabled\": true, \"page\": \"torn\", "
			    "\"armed\": true, \"refused\": 3, \"withheld\": 2, "
			    "\"unconfirmed\": 1}", &m);
	cr_assert(m.armed);
	cr_assert_eq(m.refused, 3);
	cr_assert_eq(m.withheld, 2);
	cr_assert_eq(m.unconfirmed, 1);
	cr_assert_str_eq(m.page, "torn");
}
