/* SPDX-License-Identifier: PostgreSQL */
/*
 * generate - a configuration file made of a server that runs on this host
 */
#ifndef PGHA_IO_GENERATE_H
#define PGHA_IO_GENERATE_H

#include "base/err.h"
#include "base/str.h"

/* dsn: a connection string of libpq; NULL or "" its variables alone. The user must be a superuser,
 * and this process one that may read the data directory. Waits; for front doors only. */
int generate_config(const char *dsn, struct buf *ret_text, struct err *err) _must_check_;

#endif
