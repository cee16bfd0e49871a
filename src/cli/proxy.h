/* SPDX-License-Identifier: PostgreSQL */
/*
 * proxy - configurations of load balancers, for a cluster as it is
 *
 * HAProxy and keepalived ask the members themselves and need a new file only when members come or
 * go. nginx, PgBouncer and Traefik cannot, so their files name who leads.
 */
#ifndef PGHA_CLI_PROXY_H
#define PGHA_CLI_PROXY_H

#include "cli/picture.h"

#define PROXY_KINDS(X)              \
	X(HAPROXY, "haproxy")       \
	X(NGINX, "nginx")           \
	X(PGBOUNCER, "pgbouncer")   \
	X(KEEPALIVED, "keepalived") \
	X(TRAEFIK, "traefik")

enum proxy_kind {
#define X(n, t) PROXY_##n,
	PROXY_KINDS(X)
#undef X
	PROXY__MAX
};

struct proxy_wish {
	enum proxy_kind kind;
	const char *listen;  /* address; "*" all */
	int64_t write_port;
	int64_t read_port;
	const char *lag;     /* standbys further behind are left out; NULL no limit */
	const char *vip;     /* keepalived: "10.0.0.9/24" */
	const char *nic;     /* keepalived: network interface */
	const char *member;  /* keepalived: whose file it is */
	int64_t router_id;   /* keepalived: one for each address in a network */
};

/* false: no such kind. */
bool proxy_kind_of(const char *name, enum proxy_kind *ret);
/* < 0: it cannot be made now, as nobody leads, or something is not given. */
int proxy_print(const struct picture *picture, const struct proxy_wish *wish,
		struct buf *ret_text, struct err *err) _must_check_;

#endif
