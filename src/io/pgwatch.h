/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgwatch - the postmaster under watch, and the facts that need no SQL; for the pg modules only
 */
#ifndef PGHA_IO_PGWATCH_H
#define PGHA_IO_PGWATCH_H

#include "io/pgwork.h"

/* Looks at processes and files: run, dir and marks in pg->state, and a postmaster that was not
 * known comes under watch. What SQL and the control file tell is left as it was. */
void pgwatch_look(struct pg *pg);
/* A postmaster comes under watch; takes the pidfd. Its end becomes EVENT_PG_EXIT. */
int pgwatch_adopt(struct pg *pg, struct pgproc *proc, struct err *err) _must_check_;
bool pgwatch_runs(const struct pg *pg);
/* A primary that is being stopped: is its shutdown checkpoint on disk? From then on it counts as
 * down, and EVENT_PG_EXIT says so, though the archiver or a walsender may still be leaving: none
 * of its processes can write any more, and no client is left. */
bool pgwatch_shut(struct pg *pg);
/* Whether the report of a postmaster's end is still being made. It comes before the answer of the
 * STOP that caused it, and before anything is started again. */
bool pgwatch_exit_pending(const struct pg *pg);
/* Refuses while any process of the data directory lives. */
int pgwatch_must_be_down(struct pg *pg, struct err *err) _must_check_;
/* Forgets a postmaster without an event: START saw it fail. */
void pgwatch_forget(struct pg *pg);

/* Whether the control file changed since pg->control was read. */
bool pgwatch_control_stale(struct pg *pg);
/* Remembers what was read of the file as it was then, and fills pg->state; NULL: it could not be
 * read. What is older than what is known by now, for pg_controldata takes its time, is dropped. */
void pgwatch_control_keep(struct pg *pg, const struct control_stamp *seen,
			  const struct pgcontrol *control);
/* The same at once, without pg_controldata: for a primary that was shut down in good order. */
bool pgwatch_control_reread(struct pg *pg);
/* Copies the control file's facts into the state of a server that is not up. */
void pgwatch_control_apply(struct pg *pg);

/* Deletes what replacing the data directory left over, in the background. */
void pgwatch_sweep(struct pg *pg);
/* It is at it: what is made in the places it was told meanwhile may be deleted with the rest. A
 * step looks again in so long. */
#define PGWATCH_SWEEP_MS 50
bool pgwatch_sweeps(const struct pg *pg);

#endif
