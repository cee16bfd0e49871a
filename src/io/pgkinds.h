/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgkinds - the chains of steps, one for each kind of request; for the pg modules only
 *
 * Each is defined in the file that its name begins with.
 */
#ifndef PGHA_IO_PGKINDS_H
#define PGHA_IO_PGKINDS_H

#include "io/pgwork.h"

extern const struct pgwork_kind pgprobe_kind;      /* PROBE */
extern const struct pgwork_kind pgprobe_exit_kind; /* what is left after a postmaster's end */
extern const struct pgwork_kind pgask_ancestry_kind;
extern const struct pgwork_kind pgask_checkpoint_kind;
extern const struct pgwork_kind pgask_slots_kind;
extern const struct pgwork_kind pgexamine_kind; /* EXAMINE */
extern const struct pgwork_kind pgwalend_kind; /* WAL_END */
extern const struct pgwork_kind pgstart_kind; /* START_STANDBY, START_PRIMARY */
extern const struct pgwork_kind pgstop_kind;
extern const struct pgwork_kind pgpromote_kind;
extern const struct pgwork_kind pgpromote_script_kind; /* PRE_PROMOTE */
extern const struct pgwork_kind pgfollow_kind;         /* FOLLOW, APPLY */
extern const struct pgwork_kind pginitdb_kind;
extern const struct pgwork_kind pgboot_kind; /* POST_BOOTSTRAP */
extern const struct pgwork_kind pgdiscard_kind;
extern const struct pgwork_kind pgclone_kind;
extern const struct pgwork_kind pgrewind_kind;

#endif
