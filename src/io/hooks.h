/* SPDX-License-Identifier: PostgreSQL */
/*
 * hooks - the operator's callbacks: on_start, on_stop, on_restart, on_reload, on_role_change
 *
 * As Patroni 4.1.4 runs them (contract 5.14): the command is split like a shell would split it
 * and run without one, with the action, the role and the scope appended. Nobody waits for it; a
 * new callback ends the one before, on_reload has a place of its own.
 */
#ifndef PGHA_IO_HOOKS_H
#define PGHA_IO_HOOKS_H

#include "agent/port.h"
#include "base/err.h"
#include "io/loop.h"

#define HOOKS_MAX_MS  300000 /* nobody waits for a callback, but none may stay for ever */
#define HOOKS_LAST_MS 5000

struct hooks;

struct hooks *hooks_new(struct loop *loop, int64_t max_ms);
void hooks_free(struct hooks *hooks); /* ends callbacks that run */
void hooks_configure(struct hooks *hooks, const struct config *config);
void hooks_run(struct hooks *hooks, enum callback what, enum member_role role);
bool hooks_busy(const struct hooks *hooks); /* one runs */
/* For the end of the agent, whose last turn has told of the stop: calls over once nothing runs any
 * more, at the latest after HOOKS_LAST_MS. */
void hooks_finish(struct hooks *hooks, loop_fn over, void *ctx);

#endif
