/* SPDX-License-Identifier: PostgreSQL */
/*
 * restconns - the connections of the REST server; for its thread only
 *
 * When there are too many the one that has been silent for longest goes, not the one that comes: a
 * health check always gets in. What waits for us, not for its client, is never put out; whoever
 * makes connections wait keeps their number below REST_CONNS_MAX.
 */
#ifndef PGHA_IO_RESTCONNS_H
#define PGHA_IO_RESTCONNS_H

#include <netinet/in.h>

#include "io/rest.h"

#define REST_ACCEPTS_AT_ONCE 64

struct MHD_Connection;

enum restconn_state {
	RESTCONN_WAITING = 0, /* for a request, whole */
	RESTCONN_BUSY,        /* suspended: its answer is not there yet */
	RESTCONN_SENDING,
};

struct restconn {
	struct in6_addr addr;
	int fd;
	enum restconn_state state;
	int64_t since_ms;
	bool doomed; /* shut down, not closed yet */
};

struct restconns {
	uint32_t max;
	uint32_t n;
	struct restconn *items[REST_CONNS_MAX + REST_ACCEPTS_AT_ONCE];
};

/* Clients must not take the descriptors that Postgres and etcd need. */
void restconns_init(struct restconns *conns);
/* False: there is no room and nobody who could go. */
bool restconns_make_room(struct restconns *conns, const struct in6_addr *addr);
/* Puts out who is idle or slow. */
void restconns_sweep(struct restconns *conns);

struct restconn *restconns_open(struct restconns *conns, struct MHD_Connection *connection);
void restconns_close(struct restconns *conns, struct restconn *conn);
struct restconn *restconns_of(struct MHD_Connection *connection);
void restconns_move(struct restconn *conn, enum restconn_state state);

#endif
