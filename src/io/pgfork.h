/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgfork - the segment of a fork that was received only in part
 *
 * Postgres (13 to 18) sends the segment in which a new timeline begins from its first byte, under
 * the new timeline's name. A standby whose upstream dies right then holds a beginning that ends
 * before what it has replayed, and from then on reads that file instead of the older timeline's:
 * a promotion ends with a PANIC ("invalid magic number 0000"), a restart never gets to what was
 * replayed before. All that such a file holds lies before the fork, so the older timeline's segment
 * has it too, and more: out of the way, it is missed by nobody.
 */
#ifndef PGHA_IO_PGFORK_H
#define PGHA_IO_PGFORK_H

#include <limits.h>

#include "base/err.h"
#include "io/pgcontrol.h"

struct pgfork {
	uint32_t timeline; /* whose segment ends too early */
	uint32_t older;    /* whose segment has more */
	uint64_t fork_lsn;
	uint64_t segment_lsn; /* where the segment begins */
	uint32_t page_bytes;
	uint32_t pages;    /* of a segment */
	uint32_t received; /* of them */
	uint32_t verified; /* of them, so far */
	char path[PATH_MAX];
	char older_path[PATH_MAX];
};

/* A look at one page, in the usual case; also while the server runs.
 * PGFORK_SHORT (1)   there is one, *ret says which; pgfork_verify() is to be asked
 * 0                  there is none */
#define PGFORK_SHORT 1
int pgfork_find(const char *data_dir, const struct pgcontrol *control, struct pgfork *ret,
		struct err *err) _must_check_;
/* Compares both files, a few megabytes with each call. The server must be down.
 * 0                    the older one has all of it
 * PGFORK_MORE (1)      to be called again
 * PGFORK_DIFFERS (2)   it has not, and nothing may be moved */
#define PGFORK_MORE    1
#define PGFORK_DIFFERS 2
int pgfork_verify(struct pgfork *fork, struct err *err) _must_check_;
/* Renames it to "<name>.pgha-aside", which is no name of WAL. */
int pgfork_set_aside(const struct pgfork *fork, struct err *err) _must_check_;

#endif
