/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdoor - whether the local server lets new sessions in; for the pg modules only
 *
 * A connection that is kept says nothing of a postmaster that hangs. So every few seconds another
 * one is opened, for the superuser, who has slots that nobody else gets. Any answer is one: also
 * "too many clients" and the question for a password come from a server that lives. What is late
 * is silence.
 */
#ifndef PGHA_IO_PGDOOR_H
#define PGHA_IO_PGDOOR_H

#include "io/pgwork.h"

/* Opens the next connection when its time has come, and has the disk of the WAL tried. With every
 * probe, after pgwatch_look(). */
void pgdoor_look(struct pg *pg);
/* That life of the postmaster is over. */
void pgdoor_forget(struct pg *pg);
void pgdoor_tell(const struct pg *pg, struct vitals *ret);
void pgdoor_free(struct pgdoor *door); /* NULL is fine */

#endif
