/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgtool - running Postgres' own programs, and others, as a step; for the pg modules only
 *
 * Each function is the last act of a step: return what it returns. The next step finds the
 * output in work->end; a program that failed ends the chain unless pgwork_tolerate() was called.
 */
#ifndef PGHA_IO_PGTOOL_H
#define PGHA_IO_PGTOOL_H

#include "io/pgwork.h"

/* Begins an argument vector with a program: "/usr/lib/postgresql/15/bin/pg_ctl", or "pg_ctl" for
 * PATH, renamed as configured. */
void pgtool_program(const struct pg *pg, const char *program, struct words *ret);

int pgtool_spawn(struct pgwork *work, const struct child_spec *spec, struct err *err);
/* Output in the C locale, PGPASSFILE set. */
int pgtool_run(struct pgwork *work, const char *name, const struct words *words,
	       struct err *err);
/* A command of the operator's, in the operator's locale: split into words, `more` behind them
 * (NULL: none). term_at_ms: ended then; 0: only with the request. */
int pgtool_command(struct pgwork *work, const char *name, const char *command,
		   const struct words *more, int64_t term_at_ms, struct err *err);
/* rm -rf. Paths that do not exist or are "" are no failure. */
int pgtool_remove(struct pgwork *work, const char *path, struct err *err);
/* sync(1) of files and directories: the loop never waits for the disk. */
int pgtool_sync(struct pgwork *work, const struct words *paths, struct err *err);
int pgtool_sync_path(struct pgwork *work, const char *path, struct err *err);

/* pg_controldata of a directory; the next step reads the answer with pgtool_control_read(). What
 * the file was like is taken from the last pgwatch_control_stale(). */
int pgtool_control(struct pgwork *work, const char *data_dir, struct err *err);
int pgtool_control_read(struct pgwork *work, struct pgcontrol *ret, struct err *err);
/* The same at once, blocking for at most a second. */
int pgtool_control_now(const struct pg *pg, const char *data_dir, struct pgcontrol *ret,
		       struct err *err) _must_check_;

#endif
