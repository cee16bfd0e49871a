/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdnode - the endpoints of etcd: which there are, how they behave, whom to ask next
 *
 * Configured endpoints come first and always stay; those that SRV records and then those that
 * etcd itself names are added behind them. No I/O: times are handed in.
 */
#ifndef PGHA_IO_ETCDNODE_H
#define PGHA_IO_ETCDNODE_H

#include "base/err.h"
#include "core/config.h"
#include "wire/etcdmsg.h"

#define ETCDNODES_MAX 32
/* How long an endpoint that failed is asked after the others: doubles from the first to the
 * second with each failure in a row. */
#define ETCDNODE_BAD_MIN_MS 1000
#define ETCDNODE_BAD_MAX_MS 30000

struct etcdnode {
	uint32_t id; /* never reused; 0 is nobody */
	char url[URL_SIZE]; /* "http://10.0.0.1:2379" */
	bool configured;
	bool found;         /* by SRV records */
	bool listed;        /* named by etcd's own member list */
	uint64_t member_id; /* of the newest answer; 0 unknown */
	uint32_t failures;  /* in a row */
	uint64_t nanswers;  /* ever, like the next */
	uint64_t nfailures;
	/* Left a request unanswered, or failed: what is open to it may be dead, so it is talked
	 * to on new connections until it answers. */
	bool silent;
	int64_t bad_until_ms;
	int64_t proved_at_ms; /* newest answer that needed a quorum */
	bool version_known;
	struct etcd_version version;
};

struct etcdnodes {
	uint32_t n;
	uint32_t next_id;
	uint32_t current; /* id of the endpoint that is asked first; 0 the first one */
	struct etcdnode items[ETCDNODES_MAX];
};

/* Who was asked already, by id. */
struct etcdnode_set {
	uint32_t n;
	uint32_t ids[ETCDNODES_MAX];
};

/* Replaces the configured endpoints; what is known of those that stay is kept. */
void etcdnode_configure(struct etcdnodes *nodes, const struct config_etcd *config);
/* Replaces those that SRV records name. */
void etcdnode_found(struct etcdnodes *nodes, const struct endpoint *found, uint32_t n);
/* Replaces those that etcd named. */
void etcdnode_list(struct etcdnodes *nodes, const struct etcd_members *members);

struct etcdnode *etcdnode_by_id(struct etcdnodes *nodes, uint32_t id); /* NULL: gone */

/* Whom to ask now: the current endpoint, then the others in turn. Skips `tried`, prefers members
 * that `busy` endpoints do not belong to, and those that did not just fail. NULL: all tried. */
struct etcdnode *etcdnode_pick(struct etcdnodes *nodes, const struct etcdnode_set *tried,
			       const struct etcdnode_set *busy, int64_t now_ms);

/* An answer came: true when the endpoint had failed before. It is asked first from now on. */
bool etcdnode_good(struct etcdnodes *nodes, struct etcdnode *node, uint64_t member_id);
/* No answer, or none that is usable: true when it worked before. Others are asked first. */
bool etcdnode_bad(struct etcdnodes *nodes, struct etcdnode *node, int64_t now_ms);

void etcdnode_add(struct etcdnode_set *set, uint32_t id);
bool etcdnode_in(const struct etcdnode_set *set, uint32_t id);

#endif
