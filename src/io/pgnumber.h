/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgnumber - timeline numbers that a promotion passes over
 *
 * Postgres (13 to 18) takes for a new timeline the number behind the last of an unbroken row of
 * history files. A number that another member's promotion may have begun is passed over by putting
 * a history file of ours in its place. Such a file names timeline 0 as its parent: no server is on
 * that, so none ever follows it ("is not a child of this server's history"). It stays where a
 * promotion succeeded, because a standby asks its upstream for every file of the row.
 *
 * Nothing here waits for the disk.
 */
#ifndef PGHA_IO_PGNUMBER_H
#define PGHA_IO_PGNUMBER_H

#include "base/err.h"
#include "io/words.h"

/* Files for the numbers behind `own` up to `above` that have none; *ret_made gets their paths as
 * far as there is room, to be handed to sync(1). */
int pgnumber_reserve(const char *data_dir, uint32_t own, uint32_t above, struct words *ret_made,
		     struct err *err) _must_check_;
/* After the promotion: those above `known` are to be archived, for without them a recovery from the
 * archive would not find what comes behind them. */
int pgnumber_archive(const char *data_dir, uint32_t known, uint32_t above,
		     struct err *err) _must_check_;
/* The newest timeline of the unbroken row behind `own` that is real; `own` without one. */
int pgnumber_newest(const char *data_dir, uint32_t own, uint32_t *ret,
		    struct err *err) _must_check_;
/* Before a start as standby: takes away those that no real timeline comes behind. Postgres would
 * take the last of them for the newest timeline, and refuse to start. */
int pgnumber_prune(const char *data_dir, uint32_t own, struct err *err) _must_check_;

#endif
