/* SPDX-License-Identifier: PostgreSQL */
/*
 * timeline - ancestry: may this data follow that server
 *
 * A standby can follow a server on another timeline only if its own WAL ends at or before the
 * point where that server's history left the standby's timeline (Postgres 13 to 18: "requested
 * starting point is ahead of the WAL flush position" and "new timeline forked off current
 * database system timeline before current recovery point" are what it says otherwise).
 */
#ifndef PGHA_CORE_TIMELINE_H
#define PGHA_CORE_TIMELINE_H

#include "core/types.h"

enum ancestry {
	ANCESTRY_UNKNOWN = 0, /* the upstream's history is not known, or our own position */
	ANCESTRY_FOLLOWS,     /* our WAL is a prefix of the upstream's */
	ANCESTRY_DIVERGED,    /* we hold WAL that the upstream never had */
	ANCESTRY_UNCLEAN,     /* a primary not shut down: only recovery knows where it ends */
	ANCESTRY__MAX
};

/* Compares the local data, running or not, with the history of `upstream`. */
enum ancestry timeline_compare(const struct pg_state *local, const struct history *upstream);
/* The fork point of `timeline` in the history; false when the timeline is not part of it. */
bool timeline_fork(const struct history *upstream, uint32_t timeline, uint64_t *ret_lsn);
/* On which timeline the server has what lies at `lsn`. */
uint32_t timeline_at(const struct history *upstream, uint64_t lsn);
/* Whoever was sent WAL up to there by a server with that past receives its present timeline: of an
 * older one it is sent nothing beyond the fork (Postgres 13 to 18), and a standby that has WAL of
 * its own beyond the fork does not ask for the present one. */
bool timeline_sends_present(const struct history *own, uint64_t sent_lsn);
/* Its last life was a standby's, or it was never started since it was copied. */
bool timeline_was_standby(const struct pg_state *local);
/* End of the local WAL as far as it is known; 0 unknown. */
uint64_t timeline_local_end(const struct pg_state *local);
uint32_t timeline_local(const struct pg_state *local);
/* The number that a promotion has to get so that no two timelines ever share one: above our own,
 * the cluster's, and the newest that any promotion may have begun. What is named `begun` is not
 * believed when it is far above both others: every number between has to be taken up by a file. */
#define TIMELINE_GAP_MAX 1000
uint32_t timeline_next(const struct pg_state *local, uint32_t history, uint32_t begun);

#endif
