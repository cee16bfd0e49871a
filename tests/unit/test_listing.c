/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_listing - keys of a cluster as the table of list and topology
 *
 * The keys are those of a Patroni 4.1.4 cluster, the tables those of its patronictl.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "cli/listing.h"
#include "cli/node.h"

#define PREFIX "/service/batman/"
#define KEYS_MAX 16

/* Pairs of a key below the prefix and its value, ended by NULL; in the order of etcd. */
static void draw(const char *const *pairs, struct picture *ret)
{
	struct etcd_kv items[KEYS_MAX];
	char names[KEYS_MAX][64];
	struct etcd_kvs kvs = { .items = items };

	for (; *pairs != NULL; pairs += 2, kvs.n++) {
		cr_assert_lt(kvs.n, KEYS_MAX);
		(void)str_printf(names[kvs.n], sizeof(names[0]), PREFIX "%s", pairs[0]);
		items[kvs.n] = (struct etcd_kv){ .key = names[kvs.n],
						 .value = (char *)pairs[1],
						 .len = strlen(pairs[1]),
						 .mod_revision = 10 + (int64_t)kvs.n };
	}
	picture_from_kvs("batman", PREFIX, &kvs, ret);
}

static void check(const struct picture *picture, struct listing listing, const char *expected)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	listing_print(&listing, picture, &text);
	cr_assert_str_eq(text.data, expected);
}

#define MEMBER(port, more)                                                                  \
	"{\"conn_url\":\"postgres://127.0.0.1:" #port "/postgres\","                          \
	"\"api_url\":\"http://127.0.0.1:18008/patroni\",\"state\":\"running\"," more "}"
#define STREAMING(lsn) \
	"\"role\":\"replica\",\"xlog_location\":" #lsn ",\"replay_lsn\":" #lsn \
	",\"receive_lsn\":" #lsn ",\"replication_state\":\"streaming\",\"timeline\":1"

static const char *const usual[] = {
	"config", "{\"ttl\":20,\"loop_wait\":2}",
	"initialize", "7710500522913725001",
	"leader", "node0",
	"members/node0", MEMBER(15432, "\"role\":\"primary\",\"timeline\":1,\"tags\":"
				       "{\"clonefrom\":true,\"mytag\":\"Abc\"}"),
	"members/node1", MEMBER(15433, STREAMING(67382744)),
	"status", "{\"optime\":67382744}",
	NULL,
};

Test(listing, shows_members_as_patronictl_does)
{
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(usual, &picture);
	check(&picture, (struct listing){ 0 },
	      "+ Cluster: batman (7710500522913725001) ---------+----+-------------+-----+------------"
	      "+-----+-----------------+\n"
	      "| Member | Host            | Role    | State     | TL | Receive LSN | Lag | Replay LSN "
	      "| Lag | Tags            |\n"
	      "+--------+-----------------+---------+-----------+----+-------------+-----+------------"
	      "+-----+-----------------+\n"
	      "| node0  | 127.0.0.1:15432 | Leader  | running   |  1 |             |     |            "
	      "|     | clonefrom: true |\n"
	      "|        |                 |         |           |    |             |     |            "
	      "|     | mytag: Abc      |\n"
	      "+--------+-----------------+---------+-----------+----+-------------+-----+------------"
	      "+-----+-----------------+\n"
	      "| node1  | 127.0.0.1:15433 | Replica | streaming |  1 |   0/4042DD8 |   0 |  0/4042DD8 "
	      "|   0 |                 |\n"
	      "+--------+-----------------+---------+-----------+----+-------------+-----+------------"
	      "+-----+-----------------+\n");
	check(&picture, (struct listing){ .format = TABLE_JSON },
	      "[{\"Cluster\": \"batman\", \"Member\": \"node0\", \"Host\": \"127.0.0.1:15432\", \"Role"
	      "\": \"Leader\", "
	      "\"State\": \"running\", \"TL\": 1, \"Tags\": {\"clonefrom\": true, \"mytag\": \"Abc\"}}, "
	      "{\"Cluster\": \"batman\", \"Member\": \"node1\", \"Host\": \"127.0.0.1:15433\", \"Role"
	      "\": \"Replica\", "
	      "\"State\": \"streaming\", \"TL\": 1, \"Receive LSN\": \"0/4042DD8\", \"Receive Lag\": 0, "
	      "\"Replay LSN\": \"0/4042DD8\", \"Replay Lag\": 0}]\n");
	check(&picture, (struct listing){ .format = TABLE_TSV },
	      "Cluster\tMember\tHost\tRole\tState\tTL\tReceive LSN\tReceive Lag\tReplay LSN\tReplay Lag\tTags\n"
	      "batman\tnode0\t127.0.0.1:15432\tLeader\trunning\t1\t\t\t\t\t{clonefrom: true, mytag: Abc}\n"
	      "batman\tnode1\t127.0.0.1:15433\tReplica\tstreaming\t1\t0/4042DD8\t0\t0/4042DD8\t0\t\n");
}

Test(listing, shows_an_empty_cluster)
{
	static const char *const nothing[] = { NULL };
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(nothing, &picture);
	cr_assert_str_eq(picture.sysid, "uninitialized");
	check(&picture, (struct listing){ .format = TABLE_JSON }, "[]\n");
}

Test(listing, leaves_ports_out_when_hosts_tell_members_apart)
{
	static const char *const keys[] = {
		"initialize", "",
		"members/a", "{\"conn_url\":\"postgres://h1:5432/postgres\",\"state\":\"running\",\"api_url\""
		":\"x\"}",
		"members/b", "{\"conn_url\":\"postgres://h2:5432/postgres\",\"state\":\"stopped\",\"api_url\""
		":\"x\"}",
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(keys, &picture);
	check(&picture, (struct listing){ 0 },
	      "+ Cluster: batman (initializing) ---+----+-------------+-----+------------+-----+\n"
	      "| Member | Host | Role    | State   | TL | Receive LSN | Lag | Replay LSN | Lag |\n"
	      "+--------+------+---------+---------+----+-------------+-----+------------+-----+\n"
	      "| a      | h1   | Replica | running |    |     unknown |     |    unknown |     |\n"
	      "| b      | h2   | Replica | stopped |    |     unknown |     |    unknown |     |\n"
	      "+--------+------+---------+---------+----+-------------+-----+------------+-----+\n");
}

Test(listing, tells_pause_and_a_scheduled_switchover_below)
{
	static const char *const keys[] = {
		"config", "{\"pause\":true}",
		"failover", "{\"leader\":\"node0\",\"member\":\"node1\",\"scheduled_at\":\"2030-01-01T10:00:0"
		"0+02:00\"}",
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct listing listing = { 0 };

	draw(keys, &picture);
	listing_print(&listing, &picture, &text);
	cr_assert(str_ends(text.data, "+\n Maintenance mode: on\n"
				      " Switchover scheduled at: 2030-01-01T10:00:00+02:00\n"
				      "                    from: node0\n"
				      "                      to: node1\n"),
		  "%s", text.data);
	check(&picture, (struct listing){ .format = TABLE_TSV },
	      "Cluster\tMember\tHost\tRole\tState\tTL\tReceive LSN\tReceive Lag\tReplay LSN\tReplay Lag\n");
}

Test(listing, shows_restarts_that_are_pending_and_scheduled)
{
	static const char *const keys[] = {
		"members/a",
		"{\"conn_url\":\"postgres://h1:5432/postgres\",\"api_url\":\"x\",\"state\":\"running\",\"pend"
		"ing_restart\":true,"
		"\"pending_restart_reason\":{\"max_connections\":{\"old_value\":\"50\",\"new_value\":\"60\"},"
		"\"shared_preload_libraries\":{\"old_value\":\"a, very long list of libraries\",\"new_value\""
		":\"\"}},"
		"\"scheduled_restart\":{\"schedule\":\"2030-01-01T10:00:00+02:00\",\"postgres_version\":\"16."
		"1\"}}",
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(keys, &picture);
	check(&picture, (struct listing){ .format = TABLE_JSON },
	      "[{\"Cluster\": \"batman\", \"Member\": \"a\", \"Host\": \"h1\", \"Role\": \"Replica\", "
	      "\"State\": \"running\", \"Receive LSN\": \"unknown\", \"Replay LSN\": \"unknown\", "
	      "\"Pending restart\": \"*\", \"Pending restart reason\": \"max_connections: 50->60\\n"
	      "shared_preload_libraries: a, very long list of libraries->\", "
	      "\"Scheduled restart\": \"2030-01-01T10:00:00+02:00 if version < 16.1\"}]\n");
	check(&picture, (struct listing){ 0 },
	      "+ Cluster: batman (uninitialized) --+----+-------------+-----+------------+-----+------"
	      "-----------+-"
	      "----------------------------------------------+---------------------------------------------+\n"
	      "| Member | Host | Role    | State   | TL | Receive LSN | Lag | Replay LSN | Lag | Pendi"
	      "ng restart | "
	      "Pending restart reason                        | Scheduled restart                           |\n"
	      "+--------+------+---------+---------+----+-------------+-----+------------+-----+------"
	      "-----------+-"
	      "----------------------------------------------+---------------------------------------------+\n"
	      "| a      | h1   | Replica | running |    |     unknown |     |    unknown |     | *    "
	      "           | "
	      "max_connections: 50->60                       | 2030-01-01T10:00:00+02:00 if version < 16.1 |\n"
	      "|        |      |         |         |    |             |     |            |     |      "
	      "           | "
	      "shared_preload_libraries: [hidden - too long] |                                             |\n"
	      "+--------+------+---------+---------+----+-------------+-----+------------+-----+------"
	      "-----------+-"
	      "----------------------------------------------+---------------------------------------------+\n");
}

Test(listing, shows_all_columns_when_extended)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct listing listing = { .format = TABLE_TSV, .extended = true };

	draw(usual, &picture);
	listing_print(&listing, &picture, &text);
	cr_assert(strstr(text.data, "\tPending restart\tPending restart reason\tScheduled restart\tTags\n"));
}

Test(listing, shows_trouble_when_a_member_has_some)
{
	static const char *const keys[] = {
		"leader", "a",
		"members/a",
		"{\"conn_url\":\"postgres://h1:5432/postgres\",\"state\":\"running\",\"pgha\":"
		"{\"version\":\"0.1.0\",\"trouble\":\"the disk of the WAL is full\"}}",
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };

	draw(keys, &picture);
	listing_print(&(struct listing){ .format = TABLE_TSV }, &picture, &text);
	cr_assert(strstr(text.data, "\tTrouble\n"), "%s", text.data);
	cr_assert(strstr(text.data, "\tthe disk of the WAL is full\n"), "%s", text.data);
}

static const char *role_of(const struct picture *picture, const char *name)
{
	return tree_child(picture_member(picture, name), "role")->text;
}

Test(listing, names_synchronous_standbys)
{
	static const char *const keys[] = {
		"config", "{\"synchronous_mode\":\"quorum\"}",
		"leader", "node0",
		"members/node0", MEMBER(15432, "\"role\":\"primary\""),
		"members/node1", MEMBER(15433, STREAMING(1)),
		"members/node2", MEMBER(15434, STREAMING(1)),
		"sync", "{\"leader\":\"node0\",\"quorum\":1,\"sync_standby\":\"NODE1\"}",
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(keys, &picture);
	cr_assert(picture_is_synchronous(&picture));
	cr_assert_str_eq(role_of(&picture, "node0"), "leader");
	cr_assert_str_eq(role_of(&picture, "node1"), "quorum_standby");
	cr_assert_str_eq(role_of(&picture, "node2"), "replica");
	cr_assert(picture_is_async(&picture, "node2"));
	cr_assert_not(picture_is_async(&picture, "node1"));
	cr_assert_not(picture_is_async(&picture, "node0"));
}

Test(listing, names_a_standby_leader)
{
	static const char *const keys[] = {
		"config", "{\"standby_cluster\":{\"host\":\"h\"},\"synchronous_mode\":true}",
		"leader", "node0",
		"members/node0", MEMBER(15432, STREAMING(1)),
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(keys, &picture);
	cr_assert_str_eq(role_of(&picture, "node0"), "standby_leader");
	/* Of it, as of any standby, it is told whether it streams. */
	cr_assert_str_eq(node_str(picture_member(&picture, "node0"), "state"), "streaming");
	cr_assert_not(picture_is_synchronous(&picture));
}

Test(listing, shows_positions_of_old_members_where_they_belong)
{
	static const char *const keys[] = {
		"leader", "node0",
		"members/node1", MEMBER(15433, "\"role\":\"replica\",\"xlog_location\":16,\"replication_state"
		"\":\"streaming\""),
		"members/node2", MEMBER(15434, "\"role\":\"replica\",\"xlog_location\":32"),
		"status", "{\"optime\":1048592}",
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(keys, &picture);
	check(&picture, (struct listing){ .format = TABLE_TSV },
	      "Cluster\tMember\tHost\tRole\tState\tTL\tReceive LSN\tReceive Lag\tReplay LSN\tReplay Lag\n"
	      "batman\tnode1\t127.0.0.1:15433\tReplica\tstreaming\t\t0/10\t1\tunknown\t\n"
	      "batman\tnode2\t127.0.0.1:15434\tReplica\trunning\t\tunknown\t\t0/20\t1\n");
}

/* Half of a MiB goes to the even side, as in Python. */
Test(listing, rounds_lags_half_to_even)
{
	static const char *const keys[] = {
		"members/a", MEMBER(15433, "\"xlog_location\":1,\"receive_lsn\":1048576,\"replay_lsn\":2097152"),
		"status", "{\"optime\":2621440}",
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(keys, &picture);
	check(&picture, (struct listing){ .format = TABLE_TSV },
	      "Cluster\tMember\tHost\tRole\tState\tTL\tReceive LSN\tReceive Lag\tReplay LSN\tReplay Lag\n"
	      "batman\ta\t127.0.0.1:15433\tReplica\trunning\t\t0/100000\t2\t0/200000\t0\n");
}

static const char *const cascade[] = {
	"leader", "c",
	"members/a", MEMBER(15431, "\"tags\":{\"replicatefrom\":\"d\"}"),
	"members/b", MEMBER(15432, "\"tags\":{\"replicatefrom\":\"nobody\"}"),
	"members/c", MEMBER(15433, "\"role\":\"primary\""),
	"members/d", MEMBER(15434, "\"tags\":{\"replicatefrom\":\"c\"}"),
	"members/e", MEMBER(15435, "\"tags\":{\"replicatefrom\":\"a\"}"),
	"members/x", MEMBER(15436, "\"tags\":{\"replicatefrom\":\"y\"}"),
	"members/y", MEMBER(15437, "\"tags\":{\"replicatefrom\":\"x\"}"),
	NULL,
};

Test(listing, hangs_replicas_below_what_they_stream_from)
{
	static const char *const expected[] = { "| c       |", "| + b     |", "| + d     |",
						"|   + a   |", "|     + e |", "| + x     |",
						"|   + y   |" };
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct listing listing = { .topology = true };
	const char *at;

	draw(cascade, &picture);
	listing_print(&listing, &picture, &text);
	at = text.data;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const char *found = strstr(at, expected[i]);

		cr_assert_not_null(found, "no '%s' after\n%s", expected[i], at);
		at = found + 1;
	}
}

Test(listing, says_which_keys_cannot_be_read_and_shows_the_rest)
{
	static const char *const keys[] = {
		"config", "[1]",
		"failover", "}{",
		"history", "nonsense",
		"leader", "node0",
		"members/node0", "\001\002",
		"members/node1", MEMBER(15433, STREAMING(1)),
		"members/node1/below", "x",
		"status", "garbage",
		"sync", "5",
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(keys, &picture);
	cr_assert_not_null(picture_member(&picture, "node0"));
	cr_assert_not_null(picture_member(&picture, "node1"));
	cr_assert_eq(picture.nmembers, 2);
	cr_assert(picture.config_exists && picture.config.root == NULL);
	cr_assert_eq(picture.config_revision, 10);
	cr_assert(strstr(picture.notes.data, "'config'"));
	cr_assert(strstr(picture.notes.data, "members/node0'"));
	cr_assert(strstr(picture.notes.data, "'history'"));
}

Test(listing, draws_the_same_from_a_members_answer)
{
	static const char body[] =
		"{\"members\": [{\"name\": \"node0\", \"role\": \"leader\", \"state\": \"running\", \"api_url"
		"\": \"u\", "
		"\"host\": \"127.0.0.1\", \"port\": 15432, \"timeline\": 1}], \"scope\": \"batman\", \"pause"
		"\": true}";
	_cleanup_(picture_done) struct picture picture = { 0 };

	cr_assert_eq(picture_from_rest("batman", body, strlen(body), "7710500522913725001", &picture, NULL), 0);
	cr_assert_str_eq(picture.leader, "node0");
	cr_assert(picture_is_paused(&picture));
	check(&picture, (struct listing){ .format = TABLE_TSV },
	      "Cluster\tMember\tHost\tRole\tState\tTL\tReceive LSN\tReceive Lag\tReplay LSN\tReplay Lag\n"
	      "batman\tnode0\t127.0.0.1:15432\tLeader\trunning\t1\t\t\t\t\n");
}

Test(listing, refuses_an_answer_without_members)
{
	struct picture picture = { 0 };

	cr_assert_lt(picture_from_rest("batman", "{}", 2, "", &picture, NULL), 0);
	cr_assert_lt(picture_from_rest("batman", "<html>", 6, "", &picture, NULL), 0);
}

Test(listing, takes_nofailover_from_the_tag_or_the_priority)
{
	static const char *const keys[] = {
		"members/a", MEMBER(1, "\"tags\":{\"nofailover\":true}"),
		"members/b", MEMBER(2, "\"tags\":{\"failover_priority\":0}"),
		"members/c", MEMBER(3, "\"tags\":{\"failover_priority\":\"0\",\"nofailover\":false}"),
		"members/d", MEMBER(4, "\"tags\":{\"failover_priority\":2}"),
		"members/e", MEMBER(5, "\"role\":\"replica\""),
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };

	draw(keys, &picture);
	cr_assert(picture_is_nofailover(picture_member(&picture, "a")));
	cr_assert(picture_is_nofailover(picture_member(&picture, "b")));
	cr_assert_not(picture_is_nofailover(picture_member(&picture, "c")));
	cr_assert_not(picture_is_nofailover(picture_member(&picture, "d")));
	cr_assert_not(picture_is_nofailover(picture_member(&picture, "e")));
}

Test(listing, names_who_is_sealed_for_an_election)
{
	static const char *const keys[] = {
		"members/node1", MEMBER(15433, "\"role\":\"replica\",\"pgha\":{\"version\":\"0.1.0\","
					       "\"sealed\":77}"),
		"members/node2", MEMBER(15434, "\"role\":\"replica\",\"pgha\":{\"version\":\"0.1.0\","
					       "\"sealed\":77}"),
		NULL,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct listing listing = { 0 };

	draw(keys, &picture);
	listing_print(&listing, &picture, &text);
	cr_assert(str_ends(text.data, "+\n An election, these receive WAL from nobody: node1 (ballot 77), "
				      "node2 (ballot 77)\n"));
}
