/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgprogress - how far a program of Postgres says it is
 */
#ifndef PGHA_IO_PGPROGRESS_H
#define PGHA_IO_PGPROGRESS_H

#include "base/base.h"

/* The newest "1234/56789 kB (2%)" in what pg_basebackup or pg_rewind wrote with --progress; a total
 * of 0 is not told, as it is only an estimate and may not be there yet. */
bool pgprogress_read(const char *text, int64_t *ret_done_bytes, int64_t *ret_total_bytes);

#endif
