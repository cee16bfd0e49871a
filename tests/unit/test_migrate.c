/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_migrate - what of a Patroni cluster carries over, and what does not
 */
#include <criterion/criterion.h>

#include "cli/migrate.h"
#include "cli/migrateprint.h"

#define PREFIX   "/service/batman/"
#define KEYS_MAX 16

static struct migrate found;
static struct picture picture;

static void forget(void)
{
	migrate_done(&found);
	picture_done(&picture);
}

TestSuite(migrate, .fini = forget);

/* Pairs of a key below the prefix and its value, ended by NULL. */
static void draw(const char *const *pairs)
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
						 .mod_revision = 10 };
	}
	picture_from_kvs("batman", PREFIX, &kvs, &picture);
}

static const struct migrate_finding *finding(enum migrate_verdict verdict, const char *key)
{
	for (size_t i = 0; i < found.n; i++)
		if (found.items[i].verdict == verdict && str_eq(found.items[i].key, key))
			return &found.items[i];
	return NULL;
}

static void tells(enum migrate_verdict verdict, const char *key)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	migrateprint_table(&found, TABLE_TSV, &text);
	cr_assert(finding(verdict, key) != NULL, "'%s' is not told as %d:\n%s", key, (int)verdict,
		  text.data);
}

#define MEMBER(state, role)                                                                   \
	"{\"conn_url\":\"postgres://127.0.0.1:5432/postgres\",\"api_url\":"                   \
	"\"http://127.0.0.1:8008/patroni\",\"state\":\"" state "\",\"role\":\"" role          \
	"\",\"version\":\"3.0.2\",\"xlog_location\":67382744,\"timeline\":1}"
#define CLUSTER(...)                                                                          \
	(const char *const[])                                                                 \
	{                                                                                     \
		"initialize", "7710500522913725001", "leader", "n1", "members/n1",            \
			MEMBER("running", "master"), __VA_ARGS__, NULL                        \
	}
#define N2 "members/n2", MEMBER("running", "replica")

static void look(const char *const *pairs)
{
	draw(pairs);
	migrate_cluster(&found, &picture);
}

static void read_file(const char *text)
{
	const struct migrate_file file = { .name = "n1.yml", .text = text, .len = strlen(text),
					   .namespace_ = "service", .picture = &picture };

	migrate_file(&found, &file);
}

Test(migrate, a_usual_cluster_carries_over)
{
	look(CLUSTER(N2, "history", "[]", "config",
		     "{\"ttl\":30,\"loop_wait\":10,\"postgresql\":{\"use_slots\":true,"
		     "\"parameters\":{\"max_connections\":50}}}"));
	cr_assert_eq(migrate_count(&found, MIGRATE_STOPS), 0);
	cr_assert_eq(migrate_count(&found, MIGRATE_LOST), 0);
	tells(MIGRATE_CARRIES, "initialize");
	tells(MIGRATE_CARRIES, "members/n2");
	tells(MIGRATE_CARRIES, "config.ttl");
	tells(MIGRATE_CARRIES, "config.postgresql.parameters");
	tells(MIGRATE_NOTE, "config.ttl");
}

Test(migrate, an_etcd_without_the_cluster_stops)
{
	look((const char *const[]){ NULL });
	tells(MIGRATE_STOPS, "initialize");
}

Test(migrate, maintenance_and_no_leader_stop)
{
	look((const char *const[]){ "initialize", "7710500522913725001", "config",
				    "{\"pause\":true}", N2, NULL });
	tells(MIGRATE_STOPS, "leader");
	tells(MIGRATE_STOPS, "config.pause");
}

Test(migrate, a_member_that_does_not_run_stops)
{
	look(CLUSTER("config", "{}", "members/n2", MEMBER("start failed", "replica")));
	tells(MIGRATE_STOPS, "members/n2");
	cr_assert(strstr(finding(MIGRATE_STOPS, "members/n2")->why, "start failed") != NULL);
}

Test(migrate, a_single_member_is_told_of_the_gap)
{
	look(CLUSTER("config", "{}"));
	tells(MIGRATE_NOTE, "members");
	cr_assert_eq(migrate_count(&found, MIGRATE_STOPS), 0);
}

Test(migrate, features_that_are_missing_are_told_with_a_way_out)
{
	look(CLUSTER(N2, "config",
		     "{\"synchronous_mode\":true,\"slots\":{\"a\":{\"type\":\"physical\"}},"
		     "\"standby_cluster\":{\"host\":\"10.0.0.1\"},\"no_such_key\":1}"));
	tells(MIGRATE_STOPS, "config.standby_cluster");
	tells(MIGRATE_NOTE, "config.no_such_key");
	for (size_t i = 0; i < found.n; i++)
		if (found.items[i].verdict <= MIGRATE_LOST)
			cr_assert(found.items[i].why[0] != '\0' && found.items[i].todo[0] != '\0',
				  "%s", found.items[i].key);
	cr_assert_gt(migrate_count(&found, MIGRATE_STOPS), 0);
}

Test(migrate, an_unsupported_server_stops)
{
	migrate_server(&found, "n1", 150004);
	migrate_server(&found, "n2", 130000);
	cr_assert_eq(found.n, 0);
	migrate_server(&found, "n3", 120017);
	tells(MIGRATE_STOPS, "members/n3");
	migrate_server(&found, "n4", 0);
	tells(MIGRATE_NOTE, "members/n4");
}

#define FILE_TEXT                                                                             \
	"scope: batman\nname: n1\nrestapi:\n  listen: 127.0.0.1:8008\netcd3:\n"               \
	"  host: 127.0.0.1:2379\npostgresql:\n  listen: 127.0.0.1:5432\n"                     \
	"  connect_address: 127.0.0.1:5432\n  data_dir: /data/n1\n  authentication:\n"        \
	"    superuser: {username: postgres, password: x}\n"                                  \
	"    replication: {username: repl, password: y}\n"

Test(migrate, a_file_carries_over_key_by_key)
{
	draw(CLUSTER(N2, "config", "{}"));
	read_file(FILE_TEXT "log:\n  level: INFO\n  traceback_level: ERROR\nbootstrap:\n"
			    "  dcs:\n    ttl: 30\n");
	cr_assert_eq(migrate_count(&found, MIGRATE_STOPS), 0);
	tells(MIGRATE_CARRIES, "postgresql.data_dir");
	tells(MIGRATE_CARRIES, "log.level");
	tells(MIGRATE_MOOT, "log.traceback_level");
	tells(MIGRATE_MOOT, "bootstrap");
	cr_assert_str_eq(finding(MIGRATE_MOOT, "log.traceback_level")->where, "n1.yml:16");
}

Test(migrate, sections_of_other_stores_and_citus_stop)
{
	draw(CLUSTER(N2, "config", "{}"));
	read_file(FILE_TEXT "citus:\n  group: 0\n");
	tells(MIGRATE_STOPS, "citus");
	read_file("scope: batman\nname: n1\nconsul:\n  host: 127.0.0.1\n");
	tells(MIGRATE_STOPS, "consul");
}

Test(migrate, a_file_of_another_cluster_stops)
{
	draw(CLUSTER(N2, "config", "{}"));
	read_file("scope: robin\nname: n1\n");
	tells(MIGRATE_STOPS, "scope");
	read_file("scope: batman\nname: n1\nnamespace: /db/\n");
	tells(MIGRATE_STOPS, "namespace");
	read_file(FILE_TEXT "namespace: /service/\n");
	cr_assert_eq(migrate_count(&found, MIGRATE_NOTE), 0);
	read_file("scope: batman\nname: n7\n");
	tells(MIGRATE_NOTE, "name");
}

Test(migrate, a_broken_file_stops_with_its_line)
{
	draw(CLUSTER(N2, "config", "{}"));
	read_file("scope: [\n");
	tells(MIGRATE_STOPS, "");
	read_file("");
	cr_assert_eq(migrate_count(&found, MIGRATE_STOPS), 2);
}

Test(migrate, people_read_the_gravest_first)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	migrate_add(&found, MIGRATE_CARRIES, "etcd", "initialize", "", "");
	migrate_add(&found, MIGRATE_CARRIES, "etcd", "history", "", "");
	migrate_add(&found, MIGRATE_STOPS, "n1.yml:3", "citus", "no", "remove it");
	migrateprint_text(&found, &text);
	cr_assert_str_eq(text.data, "Stands in the way:\n"
				    "  n1.yml:3 citus\n"
				    "      no\n"
				    "      -> remove it\n"
				    "Carries over:\n"
				    "  etcd: initialize history\n");
}
