/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgoptions - what a connection string of libpq says
 */
#ifndef PGHA_IO_PGOPTIONS_H
#define PGHA_IO_PGOPTIONS_H

#include "base/err.h"
#include "core/config.h"

/* By libpq's names; for what it leaves out the variables of libpq (PGUSER, ...). dsn "": those
 * alone. */
int pgoptions_read(const char *dsn, struct pairs *ret, struct err *err) _must_check_;

#endif
