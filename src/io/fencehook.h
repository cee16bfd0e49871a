/* SPDX-License-Identifier: PostgreSQL */
/*
 * fencehook - runs fence.command, the operator's way of fencing an old leader
 *
 * The configured words and the victim's name behind them, without a shell; the rest is told by the
 * environment, see pgha.yml(5). At its deadline the command and all it started get SIGTERM, and
 * SIGKILL a moment later. Whatever it says goes to the log, the last lines of it.
 */
#ifndef PGHA_IO_FENCEHOOK_H
#define PGHA_IO_FENCEHOOK_H

#include "agent/port.h"
#include "base/err.h"
#include "io/loop.h"

struct fencehook;

/* From the loop, once for each run. result 0: the command ended with 0; else -err_code. */
typedef void (*fencehook_fn)(void *ctx, uint64_t ticket, int result, const struct err *err);

int fencehook_new(struct loop *loop, fencehook_fn done, void *ctx, struct fencehook **ret,
		  struct err *err) _must_check_;
void fencehook_free(struct fencehook *hook); /* kills a command that runs */
/* Copies what it needs; says so when the program cannot be run. */
void fencehook_configure(struct fencehook *hook, const struct config *config);
/* One that still runs is ended first. */
void fencehook_run(struct fencehook *hook, uint64_t ticket, const struct fence_req *req);
/* Kills what runs; its answer is -ERR_CANCELED. */
void fencehook_end(struct fencehook *hook);

#endif
