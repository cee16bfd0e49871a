/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrate - what of a Patroni cluster carries over: the keys in etcd, the servers
 */
#include "cli/migrate.h"

#include <stdlib.h>

#include "cli/migratekeys.h"
#include "cli/node.h"

/* PostgreSQL 13 to 18. */
#define OLDEST_SERVER 130000
#define NEWEST_SERVER 189999
/* Patroni takes none below; while one of its members is there the lease is that long. */
#define PATRONI_TTL_MIN 20

void migrate_done(struct migrate *migrate)
{
	for (size_t i = 0; i < migrate->n; i++) {
		free(migrate->items[i].where);
		free(migrate->items[i].key);
		free(migrate->items[i].why);
		free(migrate->items[i].todo);
	}
	free(migrate->items);
	*migrate = (struct migrate){ 0 };
}

size_t migrate_count(const struct migrate *migrate, enum migrate_verdict verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < migrate->n; i++)
		n += migrate->items[i].verdict == verdict;
	return n;
}

void migrate_add(struct migrate *migrate, enum migrate_verdict verdict, const char *where,
		 const char *key, const char *why, const char *todo)
{
	migrate->items = mem_grow(migrate->items, migrate->n + 1, sizeof(migrate->items[0]));
	migrate->items[migrate->n++] = (struct migrate_finding){ .verdict = verdict,
								 .where = str_dup(where),
								 .key = str_dup(key),
								 .why = str_dup(why),
								 .todo = str_dup(todo) };
}

static void add_etcd(struct migrate *migrate, enum migrate_verdict verdict, const char *key,
		     const char *why, const char *todo)
{
	migrate_add(migrate, verdict, "etcd", key, why, todo);
}

static void look_at_member(struct migrate *migrate, const struct picture *p,
			   const struct member *m, uint32_t timeline)
{
	_cleanup_(freep) char *key = str_dupf("members/%s", m->name);
	_cleanup_(freep) char *why = NULL;

	if (m->state != STATE_RUNNING)
		why = str_dupf("this member does not run, it is '%s'",
			       node_str(picture_member(p, m->name), "state"));
	else if (timeline != 0 && m->timeline != 0 && m->timeline != timeline)
		why = str_dupf("it is on timeline %u, the leader on %u", m->timeline, timeline);
	if (why != NULL) {
		add_etcd(migrate, MIGRATE_STOPS, key, why,
			 "mend it first: while one member moves the others carry the cluster");
		return;
	}
	add_etcd(migrate, MIGRATE_CARRIES, key, "", "");
	if (m->pending_restart)
		add_etcd(migrate, MIGRATE_NOTE, key, "a restart is pending",
			 "moving it restarts its PostgreSQL and takes the settings with it");
}

static void look_at_members(struct migrate *migrate, const struct picture *p)
{
	uint32_t timeline = 0;
	size_t ntheirs = 0;

	for (size_t i = 0; i < p->nmembers; i++) {
		ntheirs += !p->members[i].is_pgha;
		if (str_eq(p->members[i].name, p->leader))
			timeline = p->members[i].timeline;
	}
	for (size_t i = 0; i < p->nmembers; i++)
		look_at_member(migrate, p, &p->members[i], timeline);
	if (p->nmembers == 1)
		add_etcd(migrate, MIGRATE_NOTE, "members",
			 "there is one member, so nobody can take the lead meanwhile",
			 "expect that nobody can write for as long as PostgreSQL takes to restart");
	if (ntheirs == 0 && p->nmembers > 0)
		add_etcd(migrate, MIGRATE_NOTE, "members", "no member is Patroni's any more",
			 "nothing is left to move; a shorter ttl may be set now");
}

static void look_at_leader(struct migrate *migrate, const struct picture *p)
{
	if (p->leader[0] == '\0')
		add_etcd(migrate, MIGRATE_STOPS, "leader", "nobody leads",
			 "bring the cluster in order first");
	else
		add_etcd(migrate, MIGRATE_CARRIES, "leader", "", "");
	if (picture_is_paused(p))
		add_etcd(migrate, MIGRATE_STOPS, "config.pause",
			 "the cluster is in maintenance, and nobody is promoted",
			 "resume it before the first member moves");
	if (p->request.present)
		add_etcd(migrate, MIGRATE_NOTE, "failover",
			 "a switchover is asked for or scheduled",
			 "it is carried out by whoever leads then; better wait for its end");
}

static void look_at_ttl(struct migrate *migrate, const struct picture *p)
{
	int64_t ttl_s = 0;

	if (!node_int(p->config.root, "ttl", &ttl_s) || ttl_s < PATRONI_TTL_MIN)
		return;
	add_etcd(migrate, MIGRATE_NOTE, "config.ttl",
		 "a failover waits that long, as before; pgha can do with a tenth",
		 "lower ttl, loop_wait and retry_timeout once no member is Patroni's: it takes no "
		 "ttl below 20");
}

static bool lacks(const char *path)
{
	const struct confkey *key = confkeys_find(path);

	return key != NULL && (key->flags & CONF_LATER) != 0;
}

void migrate_cluster(struct migrate *migrate, const struct picture *picture)
{
	bool has_sysid = picture->sysid[0] >= '1' && picture->sysid[0] <= '9';

	if (!has_sysid) {
		add_etcd(migrate, MIGRATE_STOPS, "initialize",
			 "etcd knows no cluster of this name",
			 "check scope and namespace, and that Patroni uses this etcd by API v3");
		return;
	}
	add_etcd(migrate, MIGRATE_CARRIES, "initialize", "", "");
	look_at_leader(migrate, picture);
	look_at_members(migrate, picture);
	if (picture->history.root != NULL)
		add_etcd(migrate, MIGRATE_CARRIES, "history", "", "");
	if (picture->sync.present && picture->sync.leader[0] != '\0' && lacks("synchronous_mode"))
		add_etcd(migrate, MIGRATE_STOPS, "sync",
			 "Patroni manages synchronous replication here, a leader of pgha does not",
			 "set synchronous_mode to off and wait until this record is empty");
	if (picture->config.root != NULL)
		migratekeys_dynamic(migrate, picture->config.root);
	else
		add_etcd(migrate, MIGRATE_STOPS, "config", "it is absent or cannot be read",
			 "write it again with patronictl edit-config");
	look_at_ttl(migrate, picture);
}

void migrate_server(struct migrate *migrate, const char *member, int64_t server_version)
{
	_cleanup_(freep) char *key = str_dupf("members/%s", member);
	_cleanup_(freep) char *why = NULL;

	if (server_version == 0) {
		add_etcd(migrate, MIGRATE_NOTE, key, "its REST API does not answer from here",
			 "check that the members reach each other: an election asks by REST");
		return;
	}
	if (server_version >= OLDEST_SERVER && server_version <= NEWEST_SERVER)
		return;
	why = str_dupf("its server is PostgreSQL %lld, supported are 13 to 18",
		       (long long)server_version / 10000);
	add_etcd(migrate, MIGRATE_STOPS, key, why, "upgrade PostgreSQL first");
}
