/* SPDX-License-Identifier: PostgreSQL */
/*
 * watch - what the lease page means for the guardian
 *
 * Pure. A page that cannot be believed, torn or of another make, changes nothing: the deadline
 * that was believed last stands.
 */
#ifndef PGHA_GUARD_WATCH_H
#define PGHA_GUARD_WATCH_H

#include "base/leasepage.h"

enum watch_verdict {
	WATCH_WAITING = 0, /* nothing was ever read that can be believed */
	WATCH_DISARMED,
	WATCH_ARMED,
	WATCH_DUE, /* armed, and the deadline has passed */
	WATCH__MAX
};

struct watch {
	bool known; /* the facts were read from a good page once */
	struct leasepage_facts facts;
};

/* facts counts only with LEASEPAGE_GOOD. fresh: it comes from another file than the one before,
 * so that a page on which nobody has decided anything yet does not disarm. */
enum watch_verdict watch_look(struct watch *watch, enum leasepage_state state,
			      const struct leasepage_facts *facts, bool fresh, int64_t now_ms);
/* When to look again: at the deadline, or a beat from now. */
int64_t watch_next_ms(const struct watch *watch, int64_t now_ms);

#endif
