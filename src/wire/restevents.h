/* SPDX-License-Identifier: PostgreSQL */
/*
 * restevents - what changed, as server-sent events
 *
 * Compares each published status with the one before and keeps the newest RESTEVENTS_MAX changes
 * as text, numbered, so that who was away for a moment gets what was missed. Not locked: the board
 * does that. Times are CLOCK_BOOTTIME milliseconds; _wall_ stamps are for the reader alone.
 *
 *   role    what Postgres is here, and whether /primary says yes
 *   leader  who holds the leader key
 *   lease   this member's lease began or ended, by the clock
 *   rule    another rule of the table, where it acts or belongs to another group
 *   job     an operation on Postgres began or ended
 *   state   all of these as they are: at the beginning, and instead of what is no longer known
 */
#ifndef PGHA_WIRE_RESTEVENTS_H
#define PGHA_WIRE_RESTEVENTS_H

#include "wire/restmsg.h"

#define RESTEVENTS_MAX 256

struct restevents;

/* How far one reader is. */
struct restevents_place {
	uint64_t after; /* number of the newest event that it has */
	bool begun;     /* it knows the state that they go on from */
	bool missed;    /* and it had another one before */
};

/* `life` makes the numbers of this ring different from those of every other. */
struct restevents *restevents_new(int64_t life);
void restevents_free(struct restevents *events); /* NULL is fine */

/* Looks at the next status; whether there is something new. The first one is where it begins. */
bool restevents_look(struct restevents *events, const struct status *status, int64_t now_ms,
		     int64_t wall_us);
/* The same for what ends by the clock alone, also when no status comes any more. */
bool restevents_clock(struct restevents *events, int64_t now_ms, int64_t wall_us);
/* When restevents_clock() has to be called; INT64_MAX never. */
int64_t restevents_ends_at_ms(const struct restevents *events);

/* Where somebody goes on who had the event with this id last; NULL: had none. */
struct restevents_place restevents_place(const struct restevents *events, const char *last_id);
bool restevents_has_more(const struct restevents *events, const struct restevents_place *place);
/* Appends what comes next, whole events until there are max_bytes of them, and moves on. */
void restevents_read(const struct restevents *events, struct restevents_place *place,
		     size_t max_bytes, int64_t wall_us, struct buf *ret);

#endif
