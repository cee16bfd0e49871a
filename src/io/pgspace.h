/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgspace - table spaces with a place outside of the data directory
 *
 * pg_basebackup (13 to 18) wants such a place empty and fills it at once, so a new copy cannot be
 * made beside what an old one has there.
 */
#ifndef PGHA_IO_PGSPACE_H
#define PGHA_IO_PGSPACE_H

#include "io/words.h"

/* Adds to *ret, while there is room, what this data directory has in them: "PG_<major>_<catalog>"
 * below each place that a link of its own names. What else is there is somebody else's. */
void pgspace_outside(const char *data_dir, struct words *ret);

#endif
