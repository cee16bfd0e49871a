/* SPDX-License-Identifier: PostgreSQL */
/*
 * watch - what the lease page means for the guardian
 */
#include "guard/watch.h"

#include "base/guardpage.h"

#define DUE_AGAIN_MS 100 /* what is started while the term is over is found as soon */

static enum watch_verdict verdict_of(const struct watch *watch, int64_t now_ms)
{
	if (!watch->known)
		return WATCH_WAITING;
	if (!watch->facts.armed)
		return WATCH_DISARMED;
	return now_ms >= watch->facts.kill_at_ms ? WATCH_DUE : WATCH_ARMED;
}

enum watch_verdict watch_look(struct watch *watch, enum leasepage_state state,
			      const struct leasepage_facts *facts, bool fresh, int64_t now_ms)
{
	bool undecided = fresh && watch->known && watch->facts.armed;

	if (state == LEASEPAGE_GOOD && !(undecided && facts->reason == LEASEPAGE_NEW)) {
		watch->facts = *facts;
		watch->known = true;
	}
	return verdict_of(watch, now_ms);
}

int64_t watch_next_ms(const struct watch *watch, int64_t now_ms)
{
	int64_t next = now_ms + GUARDPAGE_BEAT_MS;

	switch (verdict_of(watch, now_ms)) {
	case WATCH_ARMED:
		return MIN_OF(next, watch->facts.kill_at_ms);
	case WATCH_DUE:
		return now_ms + DUE_AGAIN_MS;
	case WATCH_WAITING:
	case WATCH_DISARMED:
	case WATCH__MAX:
		return next;
	}
	return next;
}
