/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgreceiver - the end of a walreceiver that nobody wants any more; for the pg modules only
 *
 * It is the startup process that ends it when primary_conninfo was emptied, and only when it comes
 * to look for more WAL: not while it waits for readers in a conflict, and not while replay is
 * paused. All that time WAL is received and confirmed. So who outlives the setting is ended by a
 * signal, upon which it flushes what it has. No other one comes: the setting names nobody.
 */
#ifndef PGHA_IO_PGRECEIVER_H
#define PGHA_IO_PGRECEIVER_H

#include "io/pgwork.h"

/* The files will name this one from now on; before pg->follows does. */
void pgreceiver_follow(struct pg *pg, const struct upstream *next);
/* Whether it has to be known which process receives, if any does. */
bool pgreceiver_unwanted(const struct pg *pg);
/* This one does, as the server says; 0: none. */
void pgreceiver_seen(struct pg *pg, int64_t pid);

#endif
