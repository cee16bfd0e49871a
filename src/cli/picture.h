/* SPDX-License-Identifier: PostgreSQL */
/*
 * picture - the cluster as an operator sees it
 *
 * Made from the keys in etcd, or second hand from a member's GET /cluster. The document `doc`
 * has the form of that answer in both cases: members (name, role, state, api_url, host, port,
 * timeline, lag, tags, ...), pause, scheduled_switchover, scope. What cannot be read is left out
 * and said in `notes`.
 */
#ifndef PGHA_CLI_PICTURE_H
#define PGHA_CLI_PICTURE_H

#include "base/err.h"
#include "base/str.h"
#include "core/types.h"
#include "wire/etcdmsg.h"
#include "wire/record.h"
#include "wire/tree.h"

struct picture {
	char name[NAME_SIZE];
	char sysid[SYSID_SIZE]; /* digits, "uninitialized", "initializing" or what stands there */
	char leader[NAME_SIZE]; /* "" none */
	struct tree doc;

	/* From etcd; second hand only `config` and `history` are there, if the member gave them. */
	bool secondhand;
	struct member *members;  /* sorted by name */
	size_t nmembers;
	struct tree config;      /* root NULL: absent or unreadable */
	bool config_exists;      /* the key is there, readable or not */
	int64_t config_revision; /* its mod revision; 0 when it does not exist */
	struct tree history;     /* root NULL: absent or unreadable */
	struct tree traces;      /* map of member: its newest hand-over; root NULL: none */
	struct tree whys;        /* map of timeline: how it began; root NULL: none */
	struct request request;
	char scheduled_at[ISO_TEXT_MAX]; /* of the request, as it stands there; "" none */
	struct sync_key sync;

	struct buf notes; /* a line for each key that could not be read */
};

void picture_done(struct picture *picture);
/* prefix: "/service/demo/". *ret is zeroed first. */
void picture_from_kvs(const char *name, const char *prefix, const struct etcd_kvs *kvs,
		      struct picture *ret);
/* Body of GET /cluster. sysid: of GET /patroni, or "" when not known. */
int picture_from_rest(const char *name, const char *body, size_t len, const char *sysid,
		      struct picture *ret, struct err *err) _must_check_;

/* The members of doc: walk with ->next; NULL when there are none. */
const struct tree_node *picture_members(const struct picture *picture);
const struct tree_node *picture_member(const struct picture *picture, const char *name);
bool picture_is_leader(const struct tree_node *member); /* its role is one of a leader's */
bool picture_is_nofailover(const struct tree_node *member);
bool picture_is_paused(const struct picture *picture);
bool picture_is_standby_cluster(const struct picture *picture);
bool picture_is_synchronous(const struct picture *picture);
/* The `sync` key exists and does not list this member (names compared without case). */
bool picture_is_async(const struct picture *picture, const char *name);
/* Of the dynamic configuration, in seconds. */
int64_t picture_loop_wait_s(const struct picture *picture);

#endif
