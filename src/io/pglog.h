/* SPDX-License-Identifier: PostgreSQL */
/*
 * pglog - where a server's words go, and its last one; for the pg modules only
 *
 * What a server says before its log collector runs, and everything when it has none, goes to
 * "<data_dir>.startup.log", or to "pgha.startup.log" inside where nothing may be written beside.
 */
#ifndef PGHA_IO_PGLOG_H
#define PGHA_IO_PGLOG_H

#include <limits.h>

#include "base/err.h"

struct pglog {
	char path[PATH_MAX];
	int64_t from; /* where the present life of the server began to write */
	char collected_path[PATH_MAX]; /* what the collector of the last life wrote, and how far */
	int64_t collected_to;
};

/* For appending; a file that has grown too long is begun anew. Returns the fd. */
int pglog_open(struct pglog *log, const char *data_dir, struct err *err) _must_check_;

/* The newest FATAL, PANIC or ERROR of this life, from the collector's file if there is none in
 * the other; "" when there is none. A collector may write for a while after the postmaster. */
void pglog_reason(const struct pglog *log, const char *data_dir, char *dst, size_t size);

#endif
