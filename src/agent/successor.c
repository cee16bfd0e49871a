/* SPDX-License-Identifier: PostgreSQL */
/*
 * successor - a named successor, in words that Patroni members understand
 *
 * They know nothing of the release marker. A `failover` key that names the successor makes all of
 * them wait for it, and makes it take the lead without a look at positions. So a Patroni member is
 * named only after it told, with Postgres down here, that it has everything. Whoever takes the
 * leader key clears the request.
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/rank.h"

/* Patroni answers within milliseconds; nobody can write meanwhile. */
#define TELL_MS 2000

static bool patroni_is_about(const struct cluster *c, const char *self)
{
	for (uint32_t i = 0; i < c->nmembers; i++)
		if (!c->members[i].is_pgha && !str_eq(c->members[i].name, self))
			return true;
	return false;
}

static bool has_told(const struct view *v, const struct vote *vote)
{
	return vote != NULL && vote->asked_at_ms >= v->pg_changed_at_ms && vote->asked_at_ms != 0 &&
	       (vote->heard || vote->failed);
}

/* Does the Patroni member have all WAL up to the end? */
static enum successor_fit compare(struct agent *a, const struct member *m, uint64_t end_lsn)
{
	const struct view *v = &a->view;
	const struct vote *vote = rank_vote(v, m->name);

	if (!has_told(v, vote) && v->now_ms < v->pg_changed_at_ms + TELL_MS) {
		act_ask_since(a, m, v->pg_changed_at_ms);
		return SUCCESSOR_ASKED;
	}
	if (has_told(v, vote) && vote->heard && !vote->failed && end_lsn != 0 &&
	    vote->lsn >= end_lsn)
		return SUCCESSOR_FIT;
	log_warning("'%s' is not named as the next leader: it did not tell that it has all WAL up "
		    "to %X/%X",
		    m->name, (unsigned)(end_lsn >> 32), (unsigned)end_lsn);
	return SUCCESSOR_UNFIT;
}

enum successor_fit successor_fit(struct agent *a, const char *to, uint64_t end_lsn)
{
	const struct view *v = &a->view;
	const struct member *m = rank_member(&v->cluster, to);

	/* One of ours looks at its own position before it takes the key. */
	if (to[0] == '\0' || m == NULL || m->is_pgha || v->pg.run != PG_DOWN)
		return SUCCESSOR_FIT;
	return compare(a, m, end_lsn);
}

bool successor_put(struct agent *a, struct etcd_req *req, const char *to)
{
	const struct view *v = &a->view;
	struct request named = { .present = true };
	char *text;

	if (to[0] == '\0' || !patroni_is_about(&v->cluster, v->name)) {
		if (v->handover_begun)
			txn_then_put(a, req, "failover", "{}", 0);
		return false;
	}
	str_clip(named.leader, sizeof(named.leader), v->name);
	str_clip(named.candidate, sizeof(named.candidate), to);
	text = record_request_text(&named);
	txn_then_put(a, req, "failover", text, 0);
	free(text);
	return true;
}
