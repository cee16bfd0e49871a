/* SPDX-License-Identifier: PostgreSQL */
/*
 * guard - the guardian of one lease page
 *
 * Sleeps until the deadline on the page, reads it again, and kills that Postgres when the term is
 * over. Everything is opened and allocated by guard_new(); guard_run() allocates nothing.
 */
#ifndef PGHA_GUARD_GUARD_H
#define PGHA_GUARD_GUARD_H

#include "base/err.h"

#define GUARD_RUN_DIR "/run/pgha"

struct guard;

/* place: SCOPE/NAME below GUARD_RUN_DIR, or the absolute path of a lease page.
 * by_agent: an agent starts it, not a unit: it ends when nothing is left to guard.
 * -ERR_STATE: another guardian has this page. -ERR_RANGE: not a place. */
int guard_new(const char *place, bool by_agent, struct guard **ret, struct err *err) _must_check_;
void guard_free(struct guard *guard);
/* Until it was asked to end and the page is disarmed, or Postgres dead: the exit code. GUARD_ANEW:
 * asked by SIGUSR2 to go on as the program that is installed now; it may be run again. */
int guard_run(struct guard *guard);
#define GUARD_ANEW (-1)

#endif
