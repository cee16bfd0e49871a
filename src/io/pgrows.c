/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgrows - the rows that a statement answered with, read by those who asked
 */
#include "io/pgrows.h"

#include <assert.h>
#include <libpq-fe.h>

#include "base/parse.h"

int pgrows_n(const struct pgrows *rows)
{
	return PQntuples(rows->result);
}

const char *pgrows_text(const struct pgrows *rows, int row, int col)
{
	assert(col < rows->sql->ncolumns);
	if (PQgetisnull(rows->result, row, col))
		return NULL;
	return PQgetvalue(rows->result, row, col);
}

int pgrows_ncolumns(const struct pgrows *rows)
{
	return PQnfields(rows->result);
}

const char *pgrows_name(const struct pgrows *rows, int col)
{
	return PQfname(rows->result, col);
}

uint32_t pgrows_type(const struct pgrows *rows, int col)
{
	return PQftype(rows->result, col);
}

const char *pgrows_value(const struct pgrows *rows, int row, int col)
{
	return PQgetisnull(rows->result, row, col) ? NULL : PQgetvalue(rows->result, row, col);
}

int pgrows_int(const struct pgrows *rows, int row, int col, int64_t *ret, struct err *err)
{
	const char *text = pgrows_text(rows, row, col);
	int rc;

	if (!text)
		return err_set(err, ERR_PROTOCOL, "%s: column %d is null", rows->sql->name,
			       col + 1);
	rc = parse_int(text, INT64_MIN, INT64_MAX, ret, err);
	return rc < 0 ? err_wrap(err, "%s: column %d", rows->sql->name, col + 1) : 0;
}

int pgrows_lsn(const struct pgrows *rows, int row, int col, uint64_t *ret, struct err *err)
{
	const char *text = pgrows_text(rows, row, col);
	int rc;

	*ret = 0;
	if (!text)
		return 0;
	rc = parse_lsn(text, ret, err);
	return rc < 0 ? err_wrap(err, "%s: column %d", rows->sql->name, col + 1) : 0;
}

bool pgrows_true(const struct pgrows *rows, int row, int col)
{
	const char *text = pgrows_text(rows, row, col);

	return text && text[0] == 't';
}
