/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcd - requests to etcd through its JSON gateway, over all its endpoints, and one watch
 *
 * A request is carried out by attempts, each at one endpoint. An attempt that fails, or that
 * takes too long, is followed at once by one at the next endpoint; when all have failed it goes
 * around again, with growing pauses, until the request's deadline. What counts as an answer is
 * what etcd decided, also a refusal ("lease not found"); "unavailable", "no leader", "not a
 * primary lessor" and the like are no answers but reasons to ask another member.
 *
 * Answers are taken from one cluster, what a watch tells and who its members are too: an endpoint
 * that turns out to belong to another one, or that reads from an older raft term than was seen
 * before, is passed over like one that failed. Only
 * when all of them have been so for 10 s is their present believed.
 *
 * An attempt that was given up may still be carried out by etcd. So a request may be executed
 * more than once, and its answer may tell of the second time: every transaction that is sent
 * through here must be conditional in such a way that its author can tell from the state that
 * he finds whether it was his own.
 */
#ifndef PGHA_IO_ETCD_H
#define PGHA_IO_ETCD_H

#include "base/err.h"
#include "core/config.h"
#include "io/http.h"
#include "io/loop.h"
#include "wire/etcdmsg.h"
#include "wire/telemetry.h"

struct etcd;

/* Valid during the callback only. */
struct etcd_answer {
	uint64_t ticket;
	const struct err *err;      /* NULL: rep is an answer of etcd, be it an error of etcd's */
	const struct etcd_rep *rep; /* NULL with err */
	/* When the attempt that was answered left, by CLOCK_BOOTTIME: not the first attempt, not
	 * the newest. Taken before libcurl saw it. */
	int64_t sent_at_ms;
};

struct etcd_info {
	uint32_t nmembers; /* 0 unknown */
	bool all_fixed;    /* the version of each is known and etcdmsg_version_fixed() */
	char min_version[VERSION_SIZE]; /* "" unknown */
};

/* All are called from the loop, never from inside a call of this module. */
struct etcd_handler {
	void *ctx;
	void (*answer)(void *ctx, const struct etcd_answer *answer);
	/* Changes below the prefix, in order. May be NULL, like the next two. */
	void (*watch)(void *ctx, const struct etcd_watch_msg *msg);
	/* The stream ended, or could not be begun, or its start revision is compacted. Told once
	 * until it stands again. It is begun again by itself where it ended, except after a
	 * compaction: then it waits for etcd_watch() with a revision that was read anew. */
	void (*watch_lost)(void *ctx, const struct err *err);
	/* After each look at the members: at start, every minute, after failures. */
	void (*info)(void *ctx, const struct etcd_info *info);
};

int etcd_new(struct loop *loop, struct http *http, const struct etcd_handler *handler,
	     struct etcd **ret, struct err *err) _must_check_;
/* Unanswered requests are dropped without an answer. */
void etcd_free(struct etcd *etcd);

/* Endpoints, credentials and TLS, copied. The first call starts the looks at the members.
 * ttl_ms sets how soon a silent connection counts as dead. */
void etcd_configure(struct etcd *etcd, const struct config_etcd *config, int64_t ttl_ms);

/* Answered exactly once, at the latest after req->timeout_ms. `req` is copied. */
void etcd_request(struct etcd *etcd, uint64_t ticket, const struct etcd_req *req);

/* While held, requests wait, until their deadlines, except those made by etcd_request_now(). */
void etcd_hold(struct etcd *etcd, bool hold);
void etcd_request_now(struct etcd *etcd, uint64_t ticket, const struct etcd_req *req);

/* Watches everything that begins with prefix, from start_revision on. Replaces the earlier one. */
void etcd_watch(struct etcd *etcd, const char *prefix, int64_t start_revision);
void etcd_unwatch(struct etcd *etcd);

/* What was counted since etcd_new(), of the first endpoints that fit in. */
void etcd_tell(const struct etcd *etcd, struct etcd_telemetry *ret);

/* "http://a:2379, http://b:2379", for messages. */
void etcd_print_endpoints(const struct etcd *etcd, struct buf *ret_text);

#endif
