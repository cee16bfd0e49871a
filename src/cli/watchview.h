/* SPDX-License-Identifier: PostgreSQL */
/*
 * watchview - a cluster at one moment, as lines for a screen
 *
 * Made of what etcd and the members say; no clock and no terminal. What changed since the look
 * before becomes an event.
 */
#ifndef PGHA_CLI_WATCHVIEW_H
#define PGHA_CLI_WATCHVIEW_H

#include "cli/picture.h"
#include "cli/progress.h"

#define WATCHVIEW_MAX    64 /* members */
#define WATCHVIEW_EVENTS 64 /* kept */

struct watchview_event {
	int64_t at_us; /* wall clock */
	char text[160];
};

/* What was seen of one member at the look before. */
struct watchview_seen {
	char name[NAME_SIZE];
	char role[32], state[64], trouble[96];
	bool answered, there;
	struct catchup catchup;
};

struct watchview {
	bool colour, unicode;
	struct watchview_event events[WATCHVIEW_EVENTS]; /* oldest first */
	size_t nevents;
	struct watchview_seen seen[WATCHVIEW_MAX];
	size_t nseen;
	char leader[NAME_SIZE];
	bool paused, begun, reached;
};

/* One look. statuses: GET /patroni of the picture's members, in their order; root NULL: no
 * answer. */
struct watchview_look {
	const struct picture *picture; /* NULL: nothing could be read, `failure` says why */
	const struct tree *statuses;
	size_t n;
	const char *failure;
	int64_t at_us;
	int64_t took_ms; /* to read the keys */
};

/* Notes what is different from the look before. */
void watchview_take(struct watchview *view, const struct watchview_look *look);
/* The whole screen, `rows` lines at most: events take what is left. rows 0: no limit. */
void watchview_print(const struct watchview *view, const struct watchview_look *look, int rows,
		     struct buf *ret_text);

#endif
