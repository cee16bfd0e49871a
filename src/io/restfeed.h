/* SPDX-License-Identifier: PostgreSQL */
/*
 * restfeed - the listeners of GET /events; for the thread of the REST server only
 *
 * A listener's connection is suspended whenever it has been told everything, and is woken by the
 * next event or heartbeat. The board keeps the events, so a listener that does not read holds back
 * nobody and costs no more than its place; when it falls behind the board's oldest one it is told
 * the state instead.
 */
#ifndef PGHA_IO_RESTFEED_H
#define PGHA_IO_RESTFEED_H

#include "io/restconns.h"

struct MHD_Response;
struct restfeed_listener;

struct restfeed {
	struct board *board;
	bool closing; /* the server of this moment ends, and all streams with it */
	struct restfeed_listener *items[REST_LISTENERS_MAX]; /* NULL where free */
};

/* The body for one more listener, which had the event `last_id` (NULL none) last; NULL when there
 * are too many. It lives as long as its response. */
struct MHD_Response *restfeed_open(struct restfeed *feed, struct MHD_Connection *connection,
				   const char *last_id);
/* Wakes those for whom there is something. Before each MHD_run(). */
void restfeed_look(struct restfeed *feed);
/* How long nothing has to be done unless the board tells of news; -1 for ever. */
int restfeed_wait_ms(const struct restfeed *feed);
/* Ends all streams: they are over after the next MHD_run(). */
void restfeed_close(struct restfeed *feed);

#endif
