/* SPDX-License-Identifier: PostgreSQL */
/*
 * timeline - ancestry: may this data follow that server
 */
#include "core/timeline.h"

static bool is_running(const struct pg_state *local)
{
	return local->run == PG_UP || local->run == PG_STARTING || local->run == PG_SILENT ||
	       local->run == PG_STOPPING;
}

uint32_t timeline_local(const struct pg_state *local)
{
	return local->timeline != 0 ? local->timeline : local->control_timeline;
}

uint32_t timeline_next(const struct pg_state *local, uint32_t history, uint32_t begun)
{
	uint32_t known = MAX_OF(timeline_local(local), history);

	return (begun > known && begun - known <= TIMELINE_GAP_MAX ? begun : known) + 1;
}

uint64_t timeline_local_end(const struct pg_state *local)
{
	uint64_t end = MAX_OF(local->receive_lsn, local->replay_lsn);

	if (is_running(local))
		return local->role == ROLE_PRIMARY ? local->flush_lsn : end;
	if (local->control == CONTROL_SHUT_DOWN)
		return local->control_end_lsn;
	/* The control file need not know the end of the WAL; what was seen of it while it ran is
	 * no less true. */
	end = MAX_OF(end, local->flush_lsn);
	end = MAX_OF(end, local->min_recovery_lsn);
	return MAX_OF(end, local->control_checkpoint_lsn);
}

bool timeline_fork(const struct history *upstream, uint32_t timeline, uint64_t *ret_lsn)
{
	for (uint32_t i = 0; i < upstream->n; i++) {
		if (upstream->entries[i].timeline != timeline)
			continue;
		*ret_lsn = upstream->entries[i].end_lsn;
		return true;
	}
	return false;
}

uint32_t timeline_at(const struct history *upstream, uint64_t lsn)
{
	for (uint32_t i = 0; i < upstream->n; i++)
		if (lsn < upstream->entries[i].end_lsn)
			return upstream->entries[i].timeline;
	return upstream->timeline;
}

bool timeline_sends_present(const struct history *own, uint64_t sent_lsn)
{
	return own->n > 0 && sent_lsn > own->entries[own->n - 1].end_lsn;
}

bool timeline_was_standby(const struct pg_state *local)
{
	/* Its recovery ends with a timeline of its own, whoever hastens it. */
	if (local->restoring)
		return false;
	return local->standby_signal || local->control == CONTROL_SHUT_DOWN_IN_RECOVERY ||
	       local->control == CONTROL_IN_ARCHIVE_RECOVERY;
}

/* True for the states that a primary leaves behind when it did not shut down. */
static bool is_unclean_primary(const struct pg_state *local)
{
	if (is_running(local) || local->standby_signal)
		return false;
	return local->control == CONTROL_IN_PRODUCTION ||
	       local->control == CONTROL_SHUTTING_DOWN ||
	       local->control == CONTROL_IN_CRASH_RECOVERY;
}

enum ancestry timeline_compare(const struct pg_state *local, const struct history *upstream)
{
	uint32_t timeline = timeline_local(local);
	uint64_t end = timeline_local_end(local);
	uint64_t fork;

	if (upstream->timeline == 0 || timeline == 0)
		return ANCESTRY_UNKNOWN;
	if (timeline == upstream->timeline)
		return ANCESTRY_FOLLOWS;
	if (timeline > upstream->timeline)
		return ANCESTRY_DIVERGED;
	if (!timeline_fork(upstream, timeline, &fork))
		return ANCESTRY_DIVERGED;
	if (is_unclean_primary(local))
		return end > fork ? ANCESTRY_DIVERGED : ANCESTRY_UNCLEAN;
	if (end == 0)
		return ANCESTRY_UNKNOWN;
	return end > fork ? ANCESTRY_DIVERGED : ANCESTRY_FOLLOWS;
}
