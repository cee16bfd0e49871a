/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgrows - the rows that a statement answered with, read by those who asked
 */
#ifndef PGHA_IO_PGROWS_H
#define PGHA_IO_PGROWS_H

#include "base/err.h"
#include "io/sql.h"

struct pg_result; /* PGresult of libpq */

/* Both borrowed, for the time of a call. */
struct pgrows {
	const struct pg_result *result;
	const struct sql *sql;
};

int pgrows_n(const struct pgrows *rows);
/* NULL for SQL NULL. col < the number declared in the statement's header. */
const char *pgrows_text(const struct pgrows *rows, int row, int col);
/* Of statements that somebody else wrote, whose columns nobody declared. */
int pgrows_ncolumns(const struct pgrows *rows);
const char *pgrows_name(const struct pgrows *rows, int col);
uint32_t pgrows_type(const struct pgrows *rows, int col); /* its oid: 16 bool, 20 int8, ... */
const char *pgrows_value(const struct pgrows *rows, int row, int col); /* NULL for SQL NULL */
/* Strict; NULL is a failure. */
int pgrows_int(const struct pgrows *rows, int row, int col, int64_t *ret, struct err *err);
/* NULL gives 0, as an unknown position. */
int pgrows_lsn(const struct pgrows *rows, int row, int col, uint64_t *ret, struct err *err);
/* 't' is true; NULL is false. */
bool pgrows_true(const struct pgrows *rows, int row, int col);

#endif
