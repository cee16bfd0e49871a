/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgwal - a WAL directory outside of the data directory
 *
 * With the option waldir of basebackup, or where pg_wal is a link already, a new copy needs an
 * empty place for its WAL while the old one keeps its own. Two places are used in turns: W and
 * "W.pgha-new". The one that the present data directory does not use may be emptied only if the
 * present one uses the other of the two, for then both are known to be ours.
 */
#ifndef PGHA_IO_PGWAL_H
#define PGHA_IO_PGWAL_H

#include "io/pgdir.h"

struct pgwal {
	char use[PATH_MAX];   /* for --waldir; "" none */
	char clean[PATH_MAX]; /* to be deleted before; "" nothing */
};

/* option: configured waldir, or NULL. Refuses a place that holds something of somebody else. */
int pgwal_choose(struct pgwal *wal, const struct pgdir *dir, const char *option,
		 struct err *err) _must_check_;

/* The WAL directory that belongs to the replaced data directory alone; false when it has none. */
bool pgwal_of_old(const struct pgdir *dir, char dst[PATH_MAX]);

/* The WAL directory of the staged directory alone, which initdb filled because the configured
 * option said so. NULL: none is configured. */
bool pgwal_of_staged(const struct pgdir *dir, const char *option, char dst[PATH_MAX]);

#endif
