/* SPDX-License-Identifier: PostgreSQL */
/*
 * program - the file that this process runs
 */
#ifndef PGHA_PROGRAM_H
#define PGHA_PROGRAM_H

#include "base/err.h"

/* Where the file of this process is, or the one that was put in its place: argv[0] where that is a
 * whole path, because it may be a link that leads to another version by now, else what the kernel
 * says. */
int program_path(const char *argv0, char *dst, size_t size, struct err *err) _must_check_;

#endif
