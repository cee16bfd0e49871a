/* SPDX-License-Identifier: PostgreSQL */
/*
 * lease - how long we may believe that we lead
 */
#include "core/lease.h"

#include <assert.h>

void lease_proven(struct lease *lease, int64_t epoch, int64_t lease_id, int64_t asked_at_ms,
		  int64_t ttl_ms)
{
	assert(epoch > 0 && ttl_ms > 0);

	/* Replies may overtake each other: only a later departure extends the term. But another
	 * lease of etcd has a term of its own. */
	if (lease->epoch == epoch && lease->lease_id == lease_id &&
	    asked_at_ms <= lease->asked_at_ms)
		return;

	/* A promise is for the term that was asked for. */
	if (lease->epoch != epoch || lease->ttl_ms != ttl_ms)
		lease->promised_at_ms = 0;
	lease->epoch = epoch;
	lease->lease_id = lease_id;
	lease->asked_at_ms = asked_at_ms;
	lease->ttl_ms = ttl_ms;
}

bool lease_promised(struct lease *lease, int64_t asked_at_ms, int64_t now_ms)
{
	if (lease->epoch == 0 || now_ms >= lease_at(lease, LEASE_STOP_PCT))
		return false;
	lease->promised_at_ms = MAX_OF(lease->promised_at_ms, asked_at_ms);
	return true;
}

void lease_drop(struct lease *lease)
{
	*lease = (struct lease){ 0 };
}

int64_t lease_newest_ms(const struct lease *lease)
{
	return MAX_OF(lease->asked_at_ms, lease->promised_at_ms);
}

int64_t lease_at(const struct lease *lease, int64_t pct)
{
	if (lease->epoch == 0)
		return 0;
	return lease_newest_ms(lease) + lease->ttl_ms * pct / 100;
}

int64_t lease_renew_at(const struct lease *lease)
{
	if (lease->epoch == 0)
		return 0;
	return lease->asked_at_ms + lease->ttl_ms / LEASE_RENEWALS;
}

enum lease_state lease_state(const struct lease *lease, int64_t now_ms)
{
	if (lease->epoch == 0)
		return LEASE_NONE;
	if (now_ms < lease->asked_at_ms + lease->ttl_ms * LEASE_FADE_PCT / 100)
		return LEASE_HELD;
	if (now_ms < lease_at(lease, LEASE_STOP_PCT))
		return lease->promised_at_ms > lease->asked_at_ms ? LEASE_FAILSAFE : LEASE_FADING;
	if (now_ms < lease_at(lease, LEASE_IMMEDIATE_PCT))
		return LEASE_ENDING;
	return LEASE_OVER;
}

static const char *const lease_names[LEASE__MAX] = {
#define X(n, t) [LEASE_##n] = t,
	LEASE_STATES(X)
#undef X
};

const char *lease_state_name(enum lease_state state)
{
	return lease_names[state];
}
