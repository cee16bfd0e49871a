/* SPDX-License-Identifier: PostgreSQL */
/*
 * estore - what etcd agreed on: keys with all their versions, leases, the log of changes
 *
 * One logical store, as Raft makes it; which member may show which part of it is modeletcd's
 * affair. Every version is kept, so that a member left behind can answer from the past.
 */
#ifndef PGHA_SIM_ESTORE_H
#define PGHA_SIM_ESTORE_H

#include "wire/etcdmsg.h"

#define ESTORE_LEASES_MAX 256

/* Codes of google.rpc.Code as etcd uses them. */
#define ESTORE_NOT_FOUND   5
#define ESTORE_OUT_OF_RANGE 11
#define ESTORE_UNAVAILABLE 14

struct eversion {
	int64_t revision;
	int64_t create_revision;
	int64_t lease_id;
	char *value; /* NULL: deleted at this revision */
};

struct ekey {
	char name[ETCD_KEY_SIZE];
	struct eversion *versions; /* oldest first */
	size_t n;
	size_t cap;
};

/* One change, in the order of the log. */
struct echange {
	int64_t revision;
	uint32_t key;
	uint32_t version;
};

struct elease {
	int64_t id; /* 0: unused */
	int64_t ttl_s;
	int64_t renewed_us; /* true time of the newest renewal that the lessor knows */
	int64_t expires_us;
};

struct estore {
	uint64_t cluster_id;
	uint32_t lineage; /* counts how often it was wiped or restored */
	int64_t revision;
	int64_t compacted;
	struct ekey *keys;
	size_t nkeys;
	size_t keys_cap;
	struct echange *log;
	size_t nlog;
	size_t log_cap;
	struct elease leases[ESTORE_LEASES_MAX];
	uint64_t writes; /* transactions that went through Raft */
};

void estore_init(struct estore *store, uint64_t cluster_id);
void estore_done(struct estore *store);

/* Newest version of a key that exists, or NULL. */
const struct eversion *estore_get(const struct estore *store, const char *key);
/* The whole answer to a txn; changes the store. */
void estore_txn(struct estore *store, const struct etcd_req *req, struct etcd_rep *ret);
/* Keys with the prefix as they were at `revision` (0: now). */
void estore_range(const struct estore *store, const char *prefix, int64_t revision,
		  struct etcd_rep *ret);
void estore_grant(struct estore *store, int64_t id, int64_t ttl_s, int64_t now_us, int64_t ttl_us,
		  struct etcd_rep *ret);
void estore_revoke(struct estore *store, int64_t id, struct etcd_rep *ret);
struct elease *estore_lease(struct estore *store, int64_t id);
/* One put outside of any request of the agents: what an operator or another tool writes. */
void estore_put(struct estore *store, const char *key, const char *value);
/* As it was at `revision`, or (0) as if nothing had ever been written. Leases start over. */
void estore_restore(struct estore *store, int64_t revision, uint64_t cluster_id, int64_t now_us);
void estore_compact(struct estore *store, int64_t revision);
/* Fills the event that a watcher sees for one change; kv->key and value are owned by kv. */
void estore_event(const struct estore *store, const struct echange *change, struct etcd_kv *ret);

#endif
