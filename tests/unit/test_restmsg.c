/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restmsg - the published status as REST answers
 *
 * The documents are those that Patroni 4.1.4 sent for the same facts.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire/restmsg.h"

#define NOW 1000000

/* A leader with a proven lease and one replica connected. */
static struct status *new_primary(void)
{
	struct status *s = status_new();

	(void)str_copy(s->scope, sizeof(s->scope), "batman");
	(void)str_copy(s->name, sizeof(s->name), "node2");
	s->made_at_ms = NOW - 100;
	s->loop_deadline_ms = NOW + 5000;
	s->leader_until_ms = NOW + 2000;
	s->writable = true;
	s->state = STATE_RUNNING;
	s->role = MROLE_PRIMARY;
	s->sql_ok = true;
	s->pg = (struct pg_state){ .run = PG_UP, .role = ROLE_PRIMARY, .server_version = 150020,
				   .postmaster_start_us = 1795240839376659, .timeline = 5,
				   .flush_lsn = 67482240 };
	(void)str_copy(s->pg.sysid, sizeof(s->pg.sysid), "7710500522913725001");
	s->nwalsenders = 1;
	s->walsenders[0] = (struct walsender){ .usename = "replicator",
					       .application_name = "node0",
					       .client_addr = "127.0.0.1",
					       .state = "streaming",
					       .sync_state = "async" };
	s->dcs_last_seen_at_ms = NOW - 200;
	s->dcs_last_seen_wall_s = 1795241964;
	s->dcs_ok = true;
	s->ttl_ms = 5000;
	s->maximum_lag_bytes = 1048576;
	s->tags_json = str_dup("{\"clonefrom\":true,\"mytag\":\"Abc\"}");
	s->pending_restart = true;
	s->pending_restart_reason_json =
		str_dup("{\"max_connections\":{\"old_value\":\"50\",\"new_value\":\"60\"}}");
	return s;
}

static struct status *new_replica(void)
{
	struct status *s = status_new();

	(void)str_copy(s->scope, sizeof(s->scope), "batman");
	(void)str_copy(s->name, sizeof(s->name), "node0");
	s->loop_deadline_ms = NOW + 5000;
	s->state = STATE_RUNNING;
	s->role = MROLE_REPLICA;
	s->sql_ok = true;
	s->pg = (struct pg_state){ .run = PG_UP, .role = ROLE_REPLICA, .server_version = 150020,
				   .postmaster_start_us = 1795240961218670, .timeline = 2,
				   .receive_lsn = 67382744, .replay_lsn = 67382744,
				   .replay_time_us = 1795241009794974, .streaming = true };
	(void)str_copy(s->pg.sysid, sizeof(s->pg.sysid), "7710500522913725001");
	s->dcs_last_seen_at_ms = NOW - 200;
	s->dcs_last_seen_wall_s = 1795241048;
	s->dcs_ok = true;
	s->ttl_ms = 5000;
	s->maximum_lag_bytes = 1048576;
	s->optime_lsn = 67382744;
	return s;
}

static int code_of(const struct status *s, int64_t now_ms, const char *path, const char *query)
{
	struct rest_answer answer;
	int code;

	restmsg_get(s, now_ms, "OPTIONS", path, query, &answer);
	cr_assert(answer.status_only);
	cr_assert_eq(answer.body.len, 0);
	code = answer.code;
	rest_answer_done(&answer);
	restmsg_get(s, now_ms, "GET", path, query, &answer);
	cr_assert_eq(answer.code, code, "GET and OPTIONS of %s", path);
	rest_answer_done(&answer);
	return code;
}

/* The document without pgha's own object. */
static char *patroni_part(const struct status *s, int64_t now_ms)
{
	struct rest_answer answer;
	const char *own;
	char *text;

	restmsg_get(s, now_ms, "GET", "/patroni", NULL, &answer);
	cr_assert_eq(answer.code, 200);
	cr_assert_not(answer.status_only);
	cr_assert_str_eq(answer.content_type, "application/json");
	own = strstr(answer.body.data, ", \"pgha\": {");
	cr_assert_not_null(own);
	text = str_dupf("%.*s}", (int)(own - answer.body.data), answer.body.data);
	rest_answer_done(&answer);
	return text;
}

Test(restmsg, describes_a_primary_as_patroni_does)
{
	struct status *s = new_primary();
	_cleanup_(freep) char *text = patroni_part(s, NOW);

	cr_assert_str_eq(
		text,
		"{\"state\": \"running\", \"postmaster_start_time\": "
		"\"2026-11-21 06:00:39.376659+00:00\", \"role\": \"primary\", "
		"\"server_version\": 150020, \"xlog\": {\"location\": 67482240}, \"timeline\": 5, "
		"\"replication\": [{\"usename\": \"replicator\", \"application_name\": \"node0\", "
		"\"client_addr\": \"127.0.0.1\", \"state\": \"streaming\", \"sync_state\": "
		"\"async\", \"sync_priority\": 0}], \"dcs_last_seen\": 1795241964, \"tags\": "
		"{\"clonefrom\": true, \"mytag\": \"Abc\"}, \"database_system_identifier\": "
		"\"7710500522913725001\", \"pending_restart\": true, \"pending_restart_reason\": "
		"{\"max_connections\": {\"old_value\": \"50\", \"new_value\": \"60\"}}, "
		"\"patroni\": {\"version\": \"4.1.4\", \"scope\": \"batman\", \"name\": \"node2\"}}");
	status_free(s);
}

Test(restmsg, describes_a_standby_as_patroni_does)
{
	struct status *s = new_replica();
	_cleanup_(freep) char *text = NULL;

	s->quorum_standby = true;
	s->pause = true;
	s->scheduled_restart_json =
		str_dup("{\"postgres_version\":\"16.1\",\"postmaster_start_time\":\"x\","
			"\"schedule\":\"2030-01-01T10:00:00+02:00\"}");
	text = patroni_part(s, NOW);
	cr_assert_str_eq(
		text,
		"{\"state\": \"running\", \"postmaster_start_time\": "
		"\"2026-11-21 06:02:41.218670+00:00\", \"role\": \"replica\", "
		"\"server_version\": 150020, \"xlog\": {\"received_location\": 67382744, "
		"\"replayed_location\": 67382744, \"replayed_timestamp\": "
		"\"2026-11-21 06:03:29.794974+00:00\", \"paused\": false}, \"quorum_standby\": true, "
		"\"timeline\": 2, \"replication_state\": \"streaming\", \"pause\": true, "
		"\"dcs_last_seen\": 1795241048, \"database_system_identifier\": "
		"\"7710500522913725001\", \"patroni\": {\"version\": \"4.1.4\", \"scope\": "
		"\"batman\", \"name\": \"node0\"}, \"scheduled_restart\": {\"postgres_version\": "
		"\"16.1\", \"schedule\": \"2030-01-01T10:00:00+02:00\"}}");
	status_free(s);
}

Test(restmsg, tells_no_position_unless_sql_answered_of_a_living_server)
{
	static const enum member_state states[] = { STATE_STOPPING, STATE_STOPPED, STATE_CRASHED,
						    STATE_CREATING_REPLICA };
	struct status *s = new_primary();

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		_cleanup_(freep) char *text = NULL;

		s->state = states[i];
		text = patroni_part(s, NOW);
		cr_assert_null(strstr(text, "xlog"), "%s", text);
	}
	s->state = STATE_RUNNING;
	s->sql_ok = false;
	free(s->tags_json);
	s->tags_json = NULL;
	_cleanup_(freep) char *text = patroni_part(s, NOW + 60000);

	cr_assert(str_starts(text, "{\"state\": \"unknown\", \"role\": \"primary\", "
				   "\"cluster_unlocked\": true, \"dcs_last_seen\": 1795241964, "));
	status_free(s);
}

Test(restmsg, never_writes_null_where_a_patroni_candidate_reads_a_number)
{
	struct status *s = new_replica();
	_cleanup_(freep) char *text = NULL;

	s->pg = (struct pg_state){ .role = ROLE_REPLICA };
	s->walsenders[0].client_addr[0] = 0;
	s->nwalsenders = 1;
	text = patroni_part(s, NOW);
	cr_assert(strstr(text, "\"xlog\": {\"received_location\": 0, \"replayed_location\": 0, "
			       "\"replayed_timestamp\": null, \"paused\": false}"));
	cr_assert_null(strstr(text, "timeline"));
	cr_assert_null(strstr(text, "tags"));
	cr_assert(strstr(text, "\"client_addr\": null"));
	status_free(s);
}

Test(restmsg, tells_the_replay_position_where_nothing_was_received)
{
	struct status *s = new_replica();
	_cleanup_(freep) char *text = NULL;

	s->pg.receive_lsn = 0;
	s->pg.streaming = false;
	s->pg.has_restore_command = true;
	text = patroni_part(s, NOW);
	cr_assert(strstr(text, "\"received_location\": 67382744"));
	cr_assert(strstr(text, "\"replication_state\": \"in archive recovery\""));
	status_free(s);
}

Test(restmsg, says_which_rule_it_is_on_and_why)
{
	struct status *s = new_primary();
	struct rest_answer answer;

	s->rule_id = 301;
	s->pg.vitals.door = DOOR_STOPPED;
	s->pg.vitals.disk = DISK_STALLED;
	s->pg.vitals.disk_took_ms = 25;
	s->pg.vitals.door_since_at_ms = NOW - 4000;
	s->pg.vitals.disk_since_at_ms = NOW - 3000;
	(void)str_copy(s->trouble, sizeof(s->trouble), "the disk of the WAL stands still");
	(void)str_copy(s->rule_name, sizeof(s->rule_name), "lead");
	(void)str_copy(s->rule_why, sizeof(s->rule_why), "we hold \"the\" lease");
	(void)str_copy(s->situation, sizeof(s->situation), "leader=me lease=held");
	(void)str_copy(s->note, sizeof(s->note), "rewound from node1");
	s->lease_epoch = 42;
	s->rule_since_wall_us = 1795241009794974;
	s->explain_json = str_dup("{\"votes\":[{\"name\":\"node0\"}]}");
	restmsg_get(s, NOW, "GET", "/patroni", NULL, &answer);
	cr_assert(str_ends(answer.body.data,
			   ", \"rule\": 301, \"name\": \"lead\", \"why\": \"we hold \\\"the\\\" "
			   "lease\", \"situation\": \"leader=me lease=held\", \"since\": "
			   "\"2026-11-21T06:03:29.794974+00:00\", \"leader\": true, \"writable\": "
			   "true, \"lease_epoch\": 42, \"lease_remaining_ms\": 2000, \"note\": "
			   "\"rewound from node1\", \"postgres\": {\"connections\": \"stopped\", "
			   "\"connections_for_ms\": 4000, \"disk\": \"stalled\", "
			   "\"disk_for_ms\": 3000, \"disk_write_ms\": 25, \"trouble\": "
			   "\"the disk of the WAL stands still\"}, \"explain\": {\"votes\": [{\"name\": "
			   "\"node0\"}]}}}"));
	rest_answer_done(&answer);
	restmsg_get(s, NOW + 2000, "GET", "/patroni", NULL, &answer);
	cr_assert(strstr(answer.body.data, "\"leader\": false, \"writable\": false, "
					   "\"lease_epoch\": 42, \"lease_remaining_ms\": 0"));
	rest_answer_done(&answer);
	status_free(s);
}

Test(restmsg, leads_by_arithmetic_alone)
{
	struct status *s = new_primary();

	cr_assert(restmsg_leads(s, NOW + 1999));
	cr_assert_not(restmsg_leads(s, NOW + 2000));
	s->leader_until_ms = 0;
	cr_assert_not(restmsg_leads(s, NOW));
	status_free(s);
}

Test(restmsg, is_primary_only_while_the_lease_is_proven_and_postgres_is_writable)
{
	static const char *const paths[] = { "/", "/primary", "/master", "/read-write",
					     "/primary/x", "/PRIMARYprimary" };
	struct status *s = new_primary();

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		s->writable = true;
		s->pause = false;
		s->dcs_ok = true;
		cr_assert_eq(code_of(s, NOW + 1999, paths[i], NULL), 200);
		cr_assert_eq(code_of(s, NOW + 2000, paths[i], NULL), 503);
		s->dcs_ok = false;
		cr_assert_eq(code_of(s, NOW, paths[i], NULL), 200, "the lease decides");
		s->pause = true;
		cr_assert_eq(code_of(s, NOW + 2000, paths[i], NULL), 503, "in pause too");
		s->writable = false;
		cr_assert_eq(code_of(s, NOW, paths[i], NULL), 503);
	}
	cr_assert_eq(code_of(s, NOW, "/leader", NULL), 200, "not yet promoted, but the leader");
	cr_assert_eq(code_of(s, NOW + 2000, "/leader", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/standby_leader", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/standby-leader", NULL), 503);
	status_free(s);
}

Test(restmsg, primary_ignores_tag_filters_and_lag)
{
	struct status *s = new_primary();

	cr_assert_eq(code_of(s, NOW, "/primary", "tag_x=y&lag=-1"), 200);
	cr_assert_eq(code_of(s, NOW, "/leader", "tag_x=y"), 200);
	cr_assert_eq(code_of(s, NOW, "/read-only", "tag_x=y"), 503);
	status_free(s);
}

Test(restmsg, knows_a_usable_replica)
{
	struct status *s = new_replica();

	cr_assert_eq(code_of(s, NOW, "/replica", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/read-only", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/primary", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/leader", NULL), 503);
	s->tags.noloadbalance = true;
	cr_assert_eq(code_of(s, NOW, "/replica", NULL), 503);
	s->tags.noloadbalance = false;
	s->state = STATE_STARTING;
	cr_assert_eq(code_of(s, NOW, "/replica", NULL), 503);
	s->state = STATE_RUNNING;
	s->sql_ok = false;
	cr_assert_eq(code_of(s, NOW, "/replica", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/health", NULL), 503);
	status_free(s);
	s = new_primary();
	cr_assert_eq(code_of(s, NOW, "/replica", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/read-only", NULL), 200);
	cr_assert_eq(code_of(s, NOW + 2000, "/read-only", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/health", NULL), 200);
	status_free(s);
}

Test(restmsg, measures_lag_with_units)
{
	struct status *s = new_replica();

	s->optime_lsn = s->pg.replay_lsn + 1024;
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=1024"), 200);
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=1023"), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=1kB"), 200);
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=0x400"), 200);
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=1%20kB"), 200);
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=+1kB+"), 200);
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=0"), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=much"), 200, "unreadable: no limit");
	cr_assert_eq(code_of(s, NOW, "/replica", "lag="), 200, "blank: not given");
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=1023&lag=4096"), 503, "the first counts");
	cr_assert_eq(code_of(s, NOW, "/async", "lag=1023"), 503);
	cr_assert_eq(code_of(s, NOW, "/read-only", "lag=1023"), 503);
	s->pg.latest_end_lsn = s->pg.replay_lsn + 5000;
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=4999"), 503, "the walreceiver knows better");
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=5000"), 200);
	s->pg.latest_end_lsn = 0;
	s->dcs_ok = false;
	cr_assert_eq(code_of(s, NOW, "/replica", "lag=0"), 200, "an old optime says nothing");
	status_free(s);
}

Test(restmsg, filters_by_replication_state_and_tags)
{
	struct status *s = new_replica();

	s->tags_json = str_dup("{\"a\":true,\"b\":\"Abc\",\"c\":1,\"d\":1.4,\"e\":null,\"f\":[1]}");
	cr_assert_eq(code_of(s, NOW, "/replica", "replication_state=streaming"), 200);
	cr_assert_eq(code_of(s, NOW, "/replica", "replication_state=in+archive+recovery"), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_a=true&tag_b=Abc&tag_c=1&tag_d=1.4"), 200);
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_a=True"), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_b=abc"), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_e=none"), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_f=%5B1%5D"), 200);
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_g=x"), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_g="), 200, "blank values are not there");
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_b=Abc&tag_b=x"), 200, "the first counts");
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_b=x&tag_b=Abc"), 503);
	cr_assert_eq(code_of(s, NOW, "/health", "tag_b=x"), 503);
	cr_assert_eq(code_of(s, NOW, "/async", "tag_b=x"), 503);
	status_free(s);
}

Test(restmsg, never_takes_an_unreadable_filter_for_none)
{
	struct status *s = new_replica();
	struct buf query = { 0 };

	buf_str(&query, "tag_b=");
	for (int i = 0; i < 1024 * 1024; i++)
		buf_ch(&query, 'x');
	cr_assert_eq(code_of(s, NOW, "/replica", query.data), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "tag_b=%00"), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", "&&=&x&%&%=%zz&%4"), 200);
	buf_done(&query);
	status_free(s);
}

Test(restmsg, answers_sync_checks_only_with_a_view_of_etcd)
{
	struct status *s = new_replica();

	cr_assert_eq(code_of(s, NOW, "/sync", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/async", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/asynchronous", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/read-only-sync", NULL), 503);
	s->sync_standby = true;
	cr_assert_eq(code_of(s, NOW, "/sync", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/synchronous", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/read-only-synchronous", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/async", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/quorum", NULL), 503);
	cr_assert_eq(code_of(s, NOW + 4800, "/sync", NULL), 503, "the view is as old as ttl");
	cr_assert_eq(code_of(s, NOW + 4800, "/replica", NULL), 200);
	s->sync_standby = false;
	s->quorum_standby = true;
	cr_assert_eq(code_of(s, NOW, "/quorum", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/read-only-quorum", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/async", NULL), 503);
	status_free(s);
	s = new_primary();
	cr_assert_eq(code_of(s, NOW, "/read-only-sync", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/read-only-quorum", NULL), 200);
	cr_assert_eq(code_of(s, NOW + 2000, "/read-only-quorum", NULL), 503);
	s->sync_standby = true;
	cr_assert_eq(code_of(s, NOW, "/sync", NULL), 503, "a primary is no standby");
	cr_assert_eq(code_of(s, NOW, "/nothing", NULL), 503);
	status_free(s);
}

static int status_only(const struct status *s, int64_t now_ms, const char *path, const char *query)
{
	struct rest_answer answer;
	int code;

	restmsg_get(s, now_ms, "GET", path, query, &answer);
	cr_assert(answer.status_only);
	cr_assert_eq(answer.body.len, 0);
	code = answer.code;
	rest_answer_done(&answer);
	return code;
}

Test(restmsg, is_alive_while_cycles_finish)
{
	struct status *s = new_replica();

	cr_assert_eq(status_only(s, NOW + 4999, "/liveness", NULL), 200);
	cr_assert_eq(status_only(s, NOW + 5000, "/liveness", NULL), 503);
	s->pause = true;
	cr_assert_eq(status_only(s, NOW + 5000, "/liveness", NULL), 200);
	status_free(s);
}

Test(restmsg, is_ready_as_leader_or_close_behind)
{
	struct status *s = new_replica();

	s->optime_lsn = s->pg.replay_lsn + 2000;
	s->pg.receive_lsn = s->pg.replay_lsn + 1500;
	s->maximum_lag_bytes = 2000;
	cr_assert_eq(status_only(s, NOW, "/readiness", NULL), 200);
	s->maximum_lag_bytes = 1999;
	cr_assert_eq(status_only(s, NOW, "/readiness", NULL), 503);
	cr_assert_eq(status_only(s, NOW, "/readiness", "mode=apply"), 503);
	cr_assert_eq(status_only(s, NOW, "/readiness", "mode=write"), 200);
	cr_assert_eq(status_only(s, NOW, "/readiness", "lag=2kB"), 200);
	cr_assert_eq(status_only(s, NOW, "/readiness", "mode=write&lag=499"), 503);
	cr_assert_eq(status_only(s, NOW, "/readiness", "mode=write&lag=500"), 200);
	cr_assert_eq(status_only(s, NOW, "/readiness", "lag=x"), 503, "then the configured one");
	s->maximum_lag_bytes = 2000;
	s->dcs_ok = false;
	cr_assert_eq(status_only(s, NOW, "/readiness", NULL), 503);
	s->pg.latest_end_lsn = s->optime_lsn;
	cr_assert_eq(status_only(s, NOW, "/readiness", NULL), 200);
	s->pg.streaming = false;
	cr_assert_eq(status_only(s, NOW, "/readiness", NULL), 503);
	s->leader_until_ms = NOW + 1;
	cr_assert_eq(status_only(s, NOW, "/readiness", NULL), 200);
	status_free(s);
}

Test(restmsg, evaluates_every_head_and_options_as_a_health_check)
{
	static const char *const paths[] = { "/patroni", "/config", "/liveness", "/readiness",
					     "/metrics", "/cluster", "/history" };
	struct status *s = new_primary();
	struct rest_answer answer;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		restmsg_get(s, NOW, "HEAD", paths[i], NULL, &answer);
		cr_assert_eq(answer.code, 503);
		cr_assert(answer.status_only);
		rest_answer_done(&answer);
	}
	restmsg_get(s, NOW, "HEAD", "/", NULL, &answer);
	cr_assert_eq(answer.code, 200);
	status_free(s);
}

/* One prepared document for all moments and paths, against documents made anew. */
static void check_prepared(const struct status *s)
{
	static const char *const paths[] = { "/", "/primary", "/replica", "/patroni", "/leader",
					     "/cluster", "/metrics", "/liveness", "/nowhere" };
	static const int64_t moments_ms[] = { 0, 1, 1, 999, 1999, 2000, 2001, 4799, 4800, 4801,
					      100000, 0, 4801, 7 };
	struct rest_prepared prepared = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(moments_ms) * ARRAY_LEN(paths); i++) {
		int64_t now_ms = NOW + moments_ms[i / ARRAY_LEN(paths)];
		const char *path = paths[i % ARRAY_LEN(paths)];
		struct rest_answer plain, fast;

		restmsg_get(s, now_ms, "GET", path, NULL, &plain);
		restmsg_get_prepared(s, &prepared, now_ms, "GET", path, NULL, &fast);
		cr_assert_eq(fast.code, plain.code);
		cr_assert_eq(fast.content_type, plain.content_type);
		cr_assert_eq(fast.status_only, plain.status_only);
		cr_assert_eq(fast.body.len, plain.body.len);
		if (plain.body.len > 0)
			cr_assert_str_eq(fast.body.data, plain.body.data);
		rest_answer_done(&plain);
		rest_answer_done(&fast);
	}
	rest_prepared_done(&prepared);
}

Test(restmsg, answers_the_same_from_a_prepared_document)
{
	struct status *s[] = { new_primary(), new_replica(), status_new() };

	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		check_prepared(s[i]);
		s[i]->explain_json = str_dup("{\"rank\": \"none\", \"votes\": []}");
		s[i]->fence_json = str_dup("{\"guard\": \"alive\", \"kills\": 0}");
		s[i]->pg.vitals = (struct vitals){ .door = DOOR_OPEN, .door_since_at_ms = NOW - 5,
						   .disk = DISK_OK, .disk_since_at_ms = NOW - 70,
						   .disk_took_ms = 3 };
		check_prepared(s[i]);
		s[i]->failsafe_until_ms = NOW + 1500;
		check_prepared(s[i]);
		status_free(s[i]);
	}
}

static void check_get(const struct status *s, int64_t now_ms, const char *path, int code,
		      const char *body)
{
	struct rest_answer answer;

	restmsg_get(s, now_ms, "GET", path, NULL, &answer);
	cr_assert_eq(answer.code, code, "%s: %d", path, answer.code);
	cr_assert_not(answer.status_only);
	cr_assert_not_null(answer.content_type);
	if (body)
		cr_assert_str_eq(answer.body.data, body);
	rest_answer_done(&answer);
}

Test(restmsg, shows_documents_of_etcd_spaced_and_says_when_they_are_stale)
{
	struct status *s = new_replica();

	check_get(s, NOW, "/cluster", 503, NULL);
	check_get(s, NOW, "/config", 502, NULL);
	check_get(s, NOW, "/failsafe", 502, NULL);
	s->failsafe_json = str_dup("{\"n1\":\"http://h:8008/patroni\"}");
	check_get(s, NOW, "/failsafe", 200, "{\"n1\": \"http://h:8008/patroni\"}");
	s->cluster_json = str_dup("{\"members\":[]}");
	s->history_json = str_dup("[]");
	s->config_json = str_dup("{\"ttl\":20,\"postgresql\":{\"use_pg_rewind\":true}}");
	check_get(s, NOW, "/cluster", 200, "{\"members\": []}");
	check_get(s, NOW, "/cluster/anything", 200, "{\"members\": []}");
	check_get(s, NOW, "//history/", 200, "[]");
	check_get(s, NOW, "/config", 200,
		  "{\"ttl\": 20, \"postgresql\": {\"use_pg_rewind\": true}}");
	check_get(s, NOW + 5000, "/config", 503,
		  "{\"ttl\": 20, \"postgresql\": {\"use_pg_rewind\": true}}");
	check_get(s, NOW + 5000, "/cluster", 503, "{\"members\": []}");
	check_get(s, NOW, "/clusters", 503, NULL);
	free(s->config_json);
	s->config_json = str_dup("garbage");
	check_get(s, NOW, "/config", 503, NULL);
	status_free(s);
}

Test(restmsg, a_new_status_is_nothing_good)
{
	struct status *s = status_new();

	cr_assert_eq(code_of(s, NOW, "/", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/replica", NULL), 503);
	cr_assert_eq(code_of(s, NOW, "/health", NULL), 503);
	cr_assert_eq(status_only(s, NOW, "/liveness", NULL), 503);
	cr_assert_eq(status_only(s, NOW, "/readiness", NULL), 503);
	check_get(s, NOW, "/metrics", 200, NULL);
	status_free(s);
	status_free(NULL);
}

static char *metrics_of(const struct status *s, int64_t now_ms)
{
	struct rest_answer answer;

	restmsg_get(s, now_ms, "GET", "/metrics", NULL, &answer);
	cr_assert_eq(answer.code, 200);
	cr_assert_str_eq(answer.content_type, "text/plain");
	return buf_take(&answer.body);
}

Test(restmsg, lists_metrics_in_patronis_order)
{
	static const char *const names[] = {
		"patroni_version{scope=\"batman\",name=\"node2\"} 040104\n",
		"patroni_postgres_running{scope=\"batman\",name=\"node2\"} 1\n",
		"patroni_postmaster_start_time{scope=\"batman\",name=\"node2\"} 1795240839.376659\n",
		"patroni_primary{scope=\"batman\",name=\"node2\"} 1\n",
		"patroni_xlog_location{scope=\"batman\",name=\"node2\"} 67482240\n",
		"patroni_standby_leader{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_replica{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_sync_standby{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_quorum_standby{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_xlog_received_location{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_xlog_replayed_location{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_xlog_replayed_timestamp{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_xlog_paused{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_postgres_streaming{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_postgres_in_archive_recovery{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_postgres_server_version{scope=\"batman\",name=\"node2\"} 150020\n",
		"patroni_cluster_unlocked{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_failsafe_mode_is_active{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_failsafe_mode_enabled{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_failsafe_member{scope=\"batman\",name=\"node2\"} 0\n",
		"patroni_postgres_timeline{scope=\"batman\",name=\"node2\"} 5\n",
		"patroni_dcs_last_seen{scope=\"batman\",name=\"node2\"} 1795241964\n",
		"patroni_pending_restart{scope=\"batman\",name=\"node2\"} 1\n",
		"patroni_is_paused{scope=\"batman\",name=\"node2\"} 0\n",
		"# HELP patroni_postgres_state Numeric representation of Postgres state.\n"
		"# Values: 0=initdb, 1=initdb_failed, 2=custom_bootstrap, 3=custom_bootstrap_failed, "
		"4=creating_replica, 5=running, 6=starting, 7=bootstrap_starting, 8=start_failed, "
		"9=restarting, 10=restart_failed, 11=stopping, 12=stopped, 13=stop_failed, "
		"14=crashed\n# TYPE patroni_postgres_state gauge\n"
		"patroni_postgres_state{scope=\"batman\",name=\"node2\"} 5\n",
		"patroni_failover_priority{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_leader{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_writable{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_lease_remaining_seconds{scope=\"batman\",name=\"node2\"} 2.0\n",
		"pgha_lease_epoch{scope=\"batman\",name=\"node2\"} 42\n",
		"pgha_guard_alive{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_guard_armed{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_watchdog_active{scope=\"batman\",name=\"node2\"} 0\n",
		"pgha_guard_kills_total{scope=\"batman\",name=\"node2\"} 3\n",
		"pgha_rule{scope=\"batman\",name=\"node2\"} 301\n",
	};
	struct status *s = new_primary();
	_cleanup_(freep) char *text = NULL;
	const char *at;

	s->lease_epoch = 42;
	s->rule_id = 301;
	s->guard_alive = true;
	s->page_armed = true;
	s->guard_kills = 3;
	text = metrics_of(s, NOW);
	at = text;
	cr_assert(str_starts(text, "# HELP patroni_version Patroni semver without periods.\n"
				   "# TYPE patroni_version gauge\npatroni_version{"));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		at = strstr(at, names[i]);
		cr_assert_not_null(at, "%s", names[i]);
	}
	cr_assert(strstr(text, "# TYPE patroni_xlog_location counter\n"));
	cr_assert(strstr(text, "# TYPE patroni_xlog_replayed_timestamp gauge\n"));
	status_free(s);
}

Test(restmsg, counts_what_the_module_and_the_fence_command_did)
{
	static const char *const names[] = {
		"pgha_module_loaded{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_module_armed{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_module_refused_total{scope=\"batman\",name=\"node2\"} 4\n",
		"pgha_module_withheld_total{scope=\"batman\",name=\"node2\"} 5\n",
		"pgha_module_unconfirmed_total{scope=\"batman\",name=\"node2\"} 6\n",
		"pgha_fence_command_succeeded_total{scope=\"batman\",name=\"node2\"} 7\n",
		"pgha_fence_command_failed_total{scope=\"batman\",name=\"node2\"} 8\n",
	};
	struct status *s = new_primary();
	_cleanup_(freep) char *text = NULL;
	const char *at;

	s->module_loaded = s->module_armed = true;
	s->module_refused = 4;
	s->module_withheld = 5;
	s->module_unconfirmed = 6;
	s->fence_succeeded = 7;
	s->fence_failed = 8;
	text = metrics_of(s, NOW);
	at = text;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		at = strstr(at, names[i]);
		cr_assert_not_null(at, "%s", names[i]);
	}
	status_free(s);
}

Test(restmsg, measures_what_is_wrong_with_the_server)
{
	static const char *const lines[] = {
		"pgha_postgres_answers{scope=\"batman\",name=\"node2\"} 0\n",
		"pgha_postgres_silent{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_postmaster_stopped{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_wal_disk_full{scope=\"batman\",name=\"node2\"} 0\n",
		"pgha_wal_disk_failed{scope=\"batman\",name=\"node2\"} 0\n",
		"pgha_wal_disk_stalled{scope=\"batman\",name=\"node2\"} 1\n",
		"pgha_wal_disk_write_seconds{scope=\"batman\",name=\"node2\"} 0.025\n",
		"pgha_receiver_silent{scope=\"batman\",name=\"node2\"} 0\n",
	};
	struct status *s = new_primary();
	_cleanup_(freep) char *text = NULL;

	s->pg.vitals.door = DOOR_STOPPED;
	s->pg.vitals.disk = DISK_STALLED;
	s->pg.vitals.disk_took_ms = 25;
	text = metrics_of(s, NOW);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		cr_assert(strstr(text, lines[i]), "%s", lines[i]);
	status_free(s);
}

Test(restmsg, measures_a_standby)
{
	struct status *s = new_replica();
	_cleanup_(freep) char *text = NULL;

	s->optime_lsn = s->pg.replay_lsn + 100;
	s->tags.nofailover = true;
	(void)str_copy(s->name, sizeof(s->name), "a\\b\"c\nd");
	text = metrics_of(s, NOW);
	cr_assert(strstr(text, "patroni_replica{scope=\"batman\",name=\"a\\\\b\\\"c\\nd\"} 1\n"));
	cr_assert(strstr(text, "} 1795241009.794974\n"));
	cr_assert(strstr(text, "patroni_failover_priority{scope=\"batman\","
			       "name=\"a\\\\b\\\"c\\nd\"} 0\n"));
	cr_assert(strstr(text, "pgha_replay_lag_bytes{scope=\"batman\","
			       "name=\"a\\\\b\\\"c\\nd\"} 100\n"));
	free(text);
	s->sql_ok = false;
	text = metrics_of(s, NOW);
	cr_assert(strstr(text, "patroni_postgres_state{scope=\"batman\","
			       "name=\"a\\\\b\\\"c\\nd\"} -1\n"));
	cr_assert_null(strstr(text, "patroni_postgres_streaming"));
	status_free(s);
}

/* One line of the text, by the sample's name and labels. */
static void check_line(const char *text, const char *line)
{
	_cleanup_(freep) char *whole = str_dupf("\n%s\n", line);

	cr_assert(strstr(text, whole), "%s", line);
}

#define LABELS "scope=\"batman\",name=\"node2\""

Test(restmsg, counts_what_the_agent_asked_of_etcd)
{
	struct status *s = new_primary();
	struct etcd_telemetry *etcd = &s->telemetry.etcd;
	_cleanup_(freep) char *text = NULL;

	etcd->nendpoints = 2;
	etcd->endpoints[0] = (struct endpoint_telemetry){ .url = "http://a:2379", .answers = 7 };
	etcd->endpoints[1] = (struct endpoint_telemetry){ .url = "http://b:2379", .failures = 3,
							  .failing = true };
	telemetry_latency(etcd, 1);
	telemetry_latency(etcd, 6);
	telemetry_latency(etcd, 1000);
	telemetry_latency(etcd, 9000);
	s->telemetry.peers = (struct peer_telemetry){ .calls_refused = 4, .answers_refused = 5,
						      .refused_wall_us = 1700000000250000 };
	s->telemetry.proofs = 11;
	s->telemetry.proofs_failed = 12;
	text = metrics_of(s, NOW);
	check_line(text, "pgha_peer_refused_total{" LABELS ",what=\"call\"} 4");
	check_line(text, "pgha_peer_refused_total{" LABELS ",what=\"answer\"} 5");
	check_line(text, "pgha_peer_refused_time_seconds{" LABELS "} 1700000000.25");
	check_line(text, "pgha_etcd_answers_total{" LABELS ",endpoint=\"http://a:2379\"} 7");
	check_line(text, "pgha_etcd_failures_total{" LABELS ",endpoint=\"http://b:2379\"} 3");
	check_line(text, "pgha_etcd_endpoint_failing{" LABELS ",endpoint=\"http://a:2379\"} 0");
	check_line(text, "pgha_etcd_endpoint_failing{" LABELS ",endpoint=\"http://b:2379\"} 1");
	check_line(text, "# TYPE pgha_etcd_request_seconds histogram");
	check_line(text, "pgha_etcd_request_seconds_bucket{" LABELS ",le=\"0.001\"} 1");
	check_line(text, "pgha_etcd_request_seconds_bucket{" LABELS ",le=\"0.005\"} 1");
	check_line(text, "pgha_etcd_request_seconds_bucket{" LABELS ",le=\"0.01\"} 2");
	check_line(text, "pgha_etcd_request_seconds_bucket{" LABELS ",le=\"1.0\"} 3");
	check_line(text, "pgha_etcd_request_seconds_bucket{" LABELS ",le=\"2.5\"} 3");
	check_line(text, "pgha_etcd_request_seconds_bucket{" LABELS ",le=\"+Inf\"} 4");
	check_line(text, "pgha_etcd_request_seconds_count{" LABELS "} 4");
	check_line(text, "pgha_etcd_request_seconds_sum{" LABELS "} 10.007");
	check_line(text, "pgha_lease_proofs_total{" LABELS "} 11");
	check_line(text, "pgha_lease_proofs_failed_total{" LABELS "} 12");
	status_free(s);
}

Test(restmsg, measures_slots_operations_and_hand_overs)
{
	struct status *s = new_primary();
	struct telemetry *t = &s->telemetry;
	_cleanup_(freep) char *text = NULL;

	s->nslots = 2;
	s->slots[0] = (struct slot_pos){ "node1", s->pg.flush_lsn - 1000 };
	s->slots[1] = (struct slot_pos){ "never_used", 0 };
	s->nmembers = 3;
	s->pg.vitals.disk_size_bytes = 4000;
	s->pg.vitals.disk_free_bytes = 3000;
	t->jobs[4] = (struct job_telemetry){ "promote", 2, 1, 1500 };
	t->jobs[5] = (struct job_telemetry){ "clone", 0, 0, 0 };
	t->handover_wall_us = 1795240839000000;
	t->nsteps = 2;
	t->steps[0] = (struct step_telemetry){ "woke", 0 };
	t->steps[1] = (struct step_telemetry){ "open for writes", 31 };
	text = metrics_of(s, NOW);
	check_line(text, "pgha_slot_retained_bytes{" LABELS ",slot=\"node1\"} 1000");
	cr_assert_null(strstr(text, "never_used"));
	check_line(text, "pgha_cluster_members{" LABELS "} 3");
	check_line(text, "pgha_wal_disk_size_bytes{" LABELS "} 4000");
	check_line(text, "pgha_wal_disk_free_bytes{" LABELS "} 3000");
	check_line(text, "pgha_job_done_total{" LABELS ",job=\"promote\"} 2");
	check_line(text, "pgha_job_failed_total{" LABELS ",job=\"promote\"} 1");
	check_line(text, "pgha_job_seconds{" LABELS ",job=\"promote\"} 1.5");
	cr_assert_null(strstr(text, "job=\"clone\""));
	check_line(text, "pgha_handover_step_seconds{" LABELS ",step=\"open for writes\"} 0.031");
	check_line(text, "pgha_handover_time_seconds{" LABELS "} 1795240839.0");
	status_free(s);
}

Test(restmsg, tells_how_old_a_standby_is_only_while_there_is_more_to_replay)
{
	struct status *s = new_replica();
	_cleanup_(freep) char *behind = NULL;
	_cleanup_(freep) char *level = NULL;

	s->optime_lsn = s->pg.replay_lsn + 100;
	s->pg.latest_end_lsn = 0;
	s->made_at_ms = NOW - 500;
	s->made_wall_us = s->pg.replay_time_us + 2000000;
	behind = metrics_of(s, NOW);
	check_line(behind, "pgha_replay_lag_seconds{scope=\"batman\",name=\"node0\"} 2.5");
	s->optime_lsn = s->pg.replay_lsn;
	level = metrics_of(s, NOW);
	check_line(level, "pgha_replay_lag_seconds{scope=\"batman\",name=\"node0\"} 0");
	status_free(s);
}

Test(restmsg, speaks_openmetrics_to_who_asks_for_it)
{
	const char *prometheus = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
	struct status *s = new_primary();
	struct rest_answer answer;
	const char *text;

	cr_assert(restmsg_wants_open_metrics("/metrics", prometheus));
	cr_assert_not(restmsg_wants_open_metrics("/patroni", prometheus));
	cr_assert_not(restmsg_wants_open_metrics("/metrics", "text/plain"));
	cr_assert_not(restmsg_wants_open_metrics("/metrics", NULL));

	restmsg_open_metrics(s, NOW, &answer);
	text = answer.body.data;
	cr_assert_eq(answer.code, 200);
	cr_assert(str_starts(answer.content_type, "application/openmetrics-text; version=1.0.0"));
	check_line(text, "# TYPE pgha_guard_kills counter");
	check_line(text, "pgha_guard_kills_total{" LABELS "} 0");
	check_line(text, "# TYPE patroni_xlog_location unknown");
	check_line(text, "# TYPE patroni_primary gauge");
	cr_assert_null(strstr(text, "# Values"));
	cr_assert_str_eq(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
	rest_answer_done(&answer);
	status_free(s);
}

static void expect_ready(const struct status *s, int64_t now_ms, const char *query, int code,
			 const char *part)
{
	struct rest_answer answer;

	cr_assert_eq(code_of(s, now_ms, "/ready", query), code, "%s", part);
	restmsg_get(s, now_ms, "GET", "/ready", query, &answer);
	cr_assert(strstr(answer.body.data, part), "%s", answer.body.data);
	rest_answer_done(&answer);
}

Test(restmsg, is_ready_as_a_leader_that_takes_writes)
{
	struct status *s = new_primary();

	expect_ready(s, NOW, NULL, 200, "{\"ready\": true, \"role\": \"primary\"");
	s->writable = false;
	expect_ready(s, NOW, NULL, 503, "does not take writes yet");
	s->writable = true;
	expect_ready(s, NOW + 2000, NULL, 503, "without a proven lease");
	s->state = STATE_STARTING;
	expect_ready(s, NOW, NULL, 503, "does not run");
	status_free(s);
}

Test(restmsg, is_ready_as_a_replica_that_keeps_up)
{
	struct status *s = new_replica();

	expect_ready(s, NOW, NULL, 200, "\"role\": \"replica\"");
	expect_ready(s, NOW + 5000, NULL, 503, "cycles in time");
	s->optime_lsn += 1048576;
	expect_ready(s, NOW, NULL, 200, "true");
	expect_ready(s, NOW, "lag=1MB", 200, "true");
	expect_ready(s, NOW, "lag=1kB", 503, "too far behind");
	s->optime_lsn++;
	expect_ready(s, NOW, NULL, 503, "too far behind");
	s->pg.receive_lsn = s->optime_lsn;
	expect_ready(s, NOW, "mode=write", 200, "true");
	s->pg.streaming = false;
	expect_ready(s, NOW, "mode=write", 503, "does not stream");
	status_free(s);
}

Test(restmsg, lives_while_its_cycles_end_in_time)
{
	struct status *s = new_replica();

	cr_assert_eq(code_of(s, NOW + 4999, "/live", NULL), 200);
	cr_assert_eq(code_of(s, NOW + 5000, "/live", NULL), 503);
	s->pause = true;
	cr_assert_eq(code_of(s, NOW + 5000, "/live", NULL), 200);
	cr_assert_eq(code_of(s, NOW, "/live/x", NULL), 503, "not ours");
	cr_assert_eq(code_of(s, NOW, "/ready/replica", NULL), 200, "Patroni's");
	status_free(s);
}

static char *ready_db(const struct status *s, const struct rest_db *db, int *ret_code)
{
	struct rest_answer answer;
	char *text;

	restmsg_ready_db(s, NOW, "GET", NULL, db, &answer);
	*ret_code = answer.code;
	text = buf_take(&answer.body);
	restmsg_ready_db(s, NOW, "HEAD", NULL, db, &answer);
	cr_assert(answer.status_only && answer.code == *ret_code && answer.body.len == 0);
	return text;
}

Test(restmsg, is_ready_when_postgres_says_so_itself)
{
	const struct rest_db ok = { .answered = true, .took_ms = 3 };
	const struct rest_db other = { .answered = true, .in_recovery = true };
	const struct rest_db silent = { .why = "no answer in 900 ms", .took_ms = 900 };
	struct status *s = new_primary();
	_cleanup_(freep) char *unasked = NULL, *yes = NULL, *no = NULL, *changed = NULL;
	int code;

	unasked = ready_db(s, NULL, &code);
	cr_assert_eq(code, 200, "%s", unasked);
	yes = ready_db(s, &ok, &code);
	cr_assert_eq(code, 200, "%s", yes);
	cr_assert(strstr(yes, "\"took_ms\": 3"), "%s", yes);
	no = ready_db(s, &silent, &code);
	cr_assert_eq(code, 503, "%s", no);
	cr_assert(strstr(no, "no answer in 900 ms"), "%s", no);
	changed = ready_db(s, &other, &code);
	cr_assert_eq(code, 503, "%s", changed);
	status_free(s);
}

static char *read_manual(void)
{
	const char *source = getenv("srcdir");
	_cleanup_(freep) char *path = str_dupf("%s/man/pgha-rest.7", source ? source : ".");
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = mem_new(65536, 1);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_gt(read(fd, text, 65535), 1000);
	return text;
}

Test(restmsg, has_every_metric_in_its_manual)
{
	_cleanup_(freep) char *manual = read_manual();
	struct status *s = new_primary();
	_cleanup_(freep) char *metrics = metrics_of(s, NOW);
	int n = 0;

	for (const char *at = metrics; (at = strstr(at, "# TYPE ")); n++) {
		_cleanup_(freep) char *name = NULL;

		at += strlen("# TYPE ");
		name = str_ndup(at, strcspn(at, " "));
		cr_assert(strstr(manual, name), "%s is not in pgha-rest(7)", name);
	}
	cr_assert_gt(n, 30);
	status_free(s);
}

Test(restmsg, has_every_field_of_its_documents_in_its_manual)
{
	_cleanup_(freep) char *manual = read_manual();
	struct status *s[] = { new_primary(), new_replica() };

	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		struct rest_answer answer;

		restmsg_get(s[i], NOW, "GET", "/patroni", NULL, &answer);
		for (const char *at = answer.body.data; (at = strstr(at, "\": ")); at++) {
			const char *begin = at;
			_cleanup_(freep) char *name = NULL;

			while (begin[-1] != '"')
				begin--;
			name = str_ndup(begin, (size_t)(at - begin));
			if (!strstr("max_connections old_value new_value clonefrom mytag", name))
				cr_assert(strstr(manual, name), "%s is not in pgha-rest(7)", name);
		}
		rest_answer_done(&answer);
		status_free(s[i]);
	}
}
