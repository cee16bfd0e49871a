/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restcluster - GET /cluster, and what a peer answers to GET /patroni
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wire/restmsg.h"

static struct cluster *new_cluster(void)
{
	struct cluster *c = mem_new(1, sizeof(*c));

	(void)str_copy(c->leader, sizeof(c->leader), "node0");
	c->status_optime_lsn = 67108864;
	c->nmembers = 2;
	c->members[0] = (struct member){ .name = "node0", .host = "127.0.0.1", .port = 15432,
					 .api_url = "http://127.0.0.1:18008/patroni",
					 .state = STATE_RUNNING, .timeline = 1 };
	c->members[1] = (struct member){ .name = "node1", .host = "127.0.0.1", .port = 15433,
					 .api_url = "http://127.0.0.1:18009/patroni",
					 .state = STATE_RUNNING, .timeline = 1, .streaming = true,
					 .xlog_location_lsn = 67108864, .receive_lsn = 67108864,
					 .replay_lsn = 67108864 };
	c->request = (struct request){ .present = true, .leader = "node0", .candidate = "node1",
				       .scheduled_at_us = 1893488400000000 };
	return c;
}

Test(restcluster, lists_the_members_as_patroni_does)
{
	struct cluster *c = new_cluster();
	const struct member_text texts[] = {
		{ "node1", "garbage" },
		{ "node0", "{\"tags\":{\"clonefrom\":true},\"unknown\":1,\"pgha\":{\"version\":"
			   "\"0.1.0\",\"trouble\":\"it hangs\"}}" },
	};
	_cleanup_(freep) char *text =
		restmsg_cluster_json_full("batman", c, texts, ARRAY_LEN(texts), false, false);

	cr_assert_str_eq(
		text,
		"{\"members\": [{\"name\": \"node0\", \"role\": \"leader\", \"state\": \"running\", "
		"\"api_url\": \"http://127.0.0.1:18008/patroni\", \"host\": \"127.0.0.1\", "
		"\"port\": 15432, \"timeline\": 1, \"tags\": {\"clonefrom\": true}, \"trouble\": "
		"\"it hangs\"}, {\"name\": "
		"\"node1\", \"role\": \"replica\", \"state\": \"streaming\", \"api_url\": "
		"\"http://127.0.0.1:18009/patroni\", \"host\": \"127.0.0.1\", \"port\": 15433, "
		"\"timeline\": 1, \"receive_lag\": 0, \"receive_lsn\": \"0/4000000\", "
		"\"replay_lag\": 0, \"replay_lsn\": \"0/4000000\", \"lag\": 0, \"lsn\": "
		"\"0/4000000\"}], \"scheduled_switchover\": {\"at\": "
		"\"2030-01-01T09:00:00+00:00\", \"from\": \"node0\", \"to\": \"node1\"}, "
		"\"scope\": \"batman\"}");
	free(c);
}

Test(restcluster, says_unknown_for_a_position_that_is_missing)
{
	struct cluster *c = new_cluster();
	_cleanup_(freep) char *text = NULL;

	c->request.present = false;
	c->members[1].receive_lsn = 0;
	c->members[1].replay_lsn = 67108864 - 4096;
	c->members[1].xlog_location_lsn = 67108864 + 4096;
	c->members[1].streaming = false;
	c->members[1].in_archive_recovery = true;
	c->members[1].host[0] = 0;
	c->members[0].pending_restart = true;
	c->sync = (struct sync_key){ .present = true, .leader = "node0", .nstandbys = 1,
				     .standbys = { "NODE1" } };
	text = restmsg_cluster_json("batman", c, true, false);
	cr_assert_str_eq(
		text,
		"{\"members\": [{\"name\": \"node0\", \"role\": \"leader\", \"state\": \"running\", "
		"\"api_url\": \"http://127.0.0.1:18008/patroni\", \"host\": \"127.0.0.1\", "
		"\"port\": 15432, \"timeline\": 1, \"pending_restart\": true}, {\"name\": "
		"\"node1\", \"role\": \"sync_standby\", \"state\": \"in archive recovery\", "
		"\"api_url\": \"http://127.0.0.1:18009/patroni\", "
		"\"timeline\": 1, \"receive_lag\": \"unknown\", \"receive_lsn\": \"unknown\", "
		"\"replay_lag\": 4096, \"replay_lsn\": \"0/3FFF000\", \"lag\": 0, \"lsn\": "
		"\"0/4001000\"}], \"pause\": true, \"scope\": \"batman\"}");
	free(c);
}

Test(restcluster, knows_whom_the_leader_waits_for)
{
	struct cluster *c = new_cluster();
	_cleanup_(freep) char *text = NULL;

	cr_assert_eq(restmsg_sync_role(c, false, "node1"), SYNC_NONE, "there is no key");
	c->sync = (struct sync_key){ .present = true, .leader = "node0", .nstandbys = 1,
				     .standbys = { "node1" } };
	cr_assert_eq(restmsg_sync_role(c, false, "node1"), SYNC_STANDBY);
	cr_assert_eq(restmsg_sync_role(c, true, "node1"), SYNC_QUORUM);
	cr_assert_eq(restmsg_sync_role(c, false, "node0"), SYNC_NONE);
	text = restmsg_cluster_json("batman", c, false, true);
	cr_assert(strstr(text, "\"role\": \"quorum_standby\""), "%s", text);
	str_clip(c->leader, sizeof(c->leader), "node2");
	cr_assert_eq(restmsg_sync_role(c, false, "node1"), SYNC_NONE, "of an earlier leader");
	c->leader[0] = '\0';
	cr_assert_eq(restmsg_sync_role(c, false, "node1"), SYNC_STANDBY, "nobody came after it");
	free(c);
}

Test(restcluster, reads_the_mode_of_a_dynamic_configuration)
{
	cr_assert(restmsg_wants_quorum("{\"synchronous_mode\": \"Quorum\"}"));
	cr_assert_not(restmsg_wants_quorum("{\"synchronous_mode\": \"on\"}"));
	cr_assert_not(restmsg_wants_quorum("{\"synchronous_mode\": true}"));
	cr_assert_not(restmsg_wants_quorum("{\"synchronous_mode\": {\"quorum\": 1}}"));
	cr_assert_not(restmsg_wants_quorum("[]"));
	cr_assert_not(restmsg_wants_quorum("garbage"));
	cr_assert_not(restmsg_wants_quorum(NULL));
}

Test(restcluster, lists_an_empty_cluster)
{
	struct cluster *c = mem_new(1, sizeof(*c));
	_cleanup_(freep) char *text = restmsg_cluster_json("b\"x", c, false, false);

	cr_assert_str_eq(text, "{\"members\": [], \"scope\": \"b\\\"x\"}");
	free(c);
}

static struct vote ask(const char *name, const char *body)
{
	struct vote vote = { 0 };

	(void)str_copy(vote.name, sizeof(vote.name), name);
	restmsg_vote_parse(body, strlen(body), &vote);
	cr_assert(vote.answered);
	return vote;
}

Test(restcluster, reads_the_position_of_a_standby)
{
	struct vote v = ask("node0",
			    "{\"state\": \"running\", \"role\": \"replica\", \"xlog\": "
			    "{\"received_location\": 67382744, \"replayed_location\": 67382740, "
			    "\"replayed_timestamp\": null, \"paused\": false}, \"timeline\": 2, "
			    "\"tags\": {\"failover_priority\": 5}, \"patroni\": {\"version\": "
			    "\"4.1.4\", \"scope\": \"batman\", \"name\": \"node0\"}}");

	cr_assert_not(v.failed);
	cr_assert(v.in_recovery);
	cr_assert_eq(v.lsn, 67382744);
	cr_assert_eq(v.timeline, 2);
	cr_assert_eq(v.failover_priority, 5);
	cr_assert_not(v.nofailover);
	cr_assert_not(v.watchdog_failed);
}

Test(restcluster, reads_that_a_server_comes_up)
{
	struct vote v = ask("", "{\"state\":\"starting\",\"role\":\"replica\"}");

	cr_assert(v.failed, "there is no position");
	cr_assert(v.comes_up);
	v = ask("", "{\"state\":\"restarting\",\"role\":\"replica\"}");
	cr_assert(v.comes_up);
	v = ask("", "{\"state\":\"running\",\"role\":\"replica\",\"xlog\":"
		    "{\"replayed_location\":77},\"pgha\":{\"replaying\":true}}");
	cr_assert(v.comes_up && !v.failed);
	v = ask("", "{\"state\":\"running\",\"role\":\"replica\",\"xlog\":"
		    "{\"replayed_location\":77},\"pgha\":{\"sealed\":9}}");
	cr_assert_not(v.comes_up);
	v = ask("", "{\"state\":\"stopped\",\"role\":\"replica\"}");
	cr_assert_not(v.comes_up);
}

Test(restcluster, reads_the_position_of_a_primary)
{
	struct vote v = ask("", "{\"role\":\"master\",\"xlog\":{\"location\":77}}");

	cr_assert_not(v.failed);
	cr_assert_not(v.in_recovery);
	cr_assert_eq(v.lsn, 77);
	v = ask("", "{\"role\":\"replica\",\"xlog\":{\"location\":78}}");
	cr_assert_not(v.in_recovery, "a position of its own makes a primary");
	v = ask("", "{\"role\":\"primary\",\"xlog\":{}}");
	cr_assert_not(v.failed);
	cr_assert_not(v.in_recovery);
	cr_assert_eq(v.lsn, 0);
}

Test(restcluster, hears_of_a_patroni_that_gave_the_lead_away)
{
	struct vote v = ask("a", "{\"state\":\"stopped\",\"role\":\"replica\"}");

	cr_assert(v.failed && v.yielded, "it has no position, and no server");
	v = ask("a", "{\"state\":\"starting\",\"role\":\"demoted\"}");
	cr_assert(v.yielded);
	v = ask("a", "{\"state\":\"running\",\"role\":\"replica\",\"xlog\":"
		     "{\"received_location\":1}}");
	cr_assert(v.yielded && !v.failed);
	v = ask("a", "{\"state\":\"stopping\",\"role\":\"replica\"}");
	cr_assert_not(v.yielded);
	v = ask("a", "{\"state\":\"running\",\"role\":\"master\",\"xlog\":{\"location\":7}}");
	cr_assert_not(v.yielded);
	v = ask("a", "{\"state\":\"running\",\"role\":\"replica\",\"xlog\":{\"location\":7}}");
	cr_assert_not(v.yielded, "a position of its own makes a primary");
	v = ask("a", "{\"role\":\"replica\"}");
	cr_assert_not(v.yielded);
}

Test(restcluster, tolerates_what_old_members_answer)
{
	struct vote v = ask("n", "{\"wal\":{\"received_location\":null,\"replayed_location\":\"9\"},"
				 "\"timeline\":null,\"tags\":null,\"watchdog_failed\":true}");

	cr_assert_not(v.failed);
	cr_assert(v.in_recovery);
	cr_assert_eq(v.lsn, 9);
	cr_assert_eq(v.timeline, 0);
	cr_assert_eq(v.failover_priority, 1);
	cr_assert(v.watchdog_failed);
	v = ask("n", "{\"xlog\":{},\"tags\":{\"nofailover\":true}}");
	cr_assert_not(v.failed);
	cr_assert_eq(v.lsn, 0);
	cr_assert(v.nofailover);
}

Test(restcluster, never_takes_garbage_for_a_position)
{
	static const char *const bad[] = {
		"", "[]", "{", "{}", "7", "<html>", "{\"xlog\":null}", "{\"xlog\":7}",
		"{\"state\":\"stopped\",\"role\":\"primary\"}",
		"{\"xlog\":{\"received_location\":5},\"tags\":[]}",
		"{\"xlog\":{\"received_location\":5},\"patroni\":{\"name\":\"other\"}}",
		"{\"xlog\":{\"received_location\":1e999}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct vote v = ask("node0", bad[i]);

		cr_assert(v.failed, "%s", bad[i]);
		cr_assert_eq(v.lsn, 0);
	}
}
