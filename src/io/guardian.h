/* SPDX-License-Identifier: PostgreSQL */
/*
 * guardian - the guardian of this member's lease page, as its agent looks after it
 *
 * Adopts the one that runs, whoever started it, and starts one where there is none. It is watched
 * by pidfd, so its end is an event, and by the sign of life on its page, so that one which is
 * frozen counts as none.
 */
#ifndef PGHA_IO_GUARDIAN_H
#define PGHA_IO_GUARDIAN_H

#include "base/leasepage.h"
#include "core/types.h"
#include "io/loop.h"

struct guardian;

/* Borrowed until it returns. Called from the loop, on every change of what is in it. */
typedef void (*guardian_fn)(void *ctx, const struct guard_state *state);

/* lease: our own page, open for writing; must outlive this. Names are borrowed as well. */
int guardian_new(struct loop *loop, const struct leasepage *lease, const char *run_dir,
		 const char *scope, const char *name, guardian_fn fn, void *ctx,
		 struct guardian **ret, struct err *err) _must_check_;
/* Watches from now on; wanted: starts one where none runs. Not wanted: one that an agent has
 * started is told to end. */
void guardian_want(struct guardian *guardian, bool wanted);
/* At the agent's orderly end: a guardian that an agent has started ends as soon as the page is
 * disarmed. */
void guardian_dismiss(struct guardian *guardian);
/* A guardian that an agent has started executes the program that is installed now. One of a unit is
 * its unit's. */
void guardian_anew(struct guardian *guardian);
void guardian_free(struct guardian *guardian);

#endif
