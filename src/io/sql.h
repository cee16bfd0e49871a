/* SPDX-License-Identifier: PostgreSQL */
/*
 * sql - one statement of sql/, as embedded by scripts/embed-sql.awk
 */
#ifndef PGHA_IO_SQL_H
#define PGHA_IO_SQL_H

#include "base/base.h"

#define SQL_PARAMS_MAX 8

enum sql_kind {
	SQL_QUERY = 0, /* extended protocol, parameters */
	SQL_SIMPLE,    /* simple protocol, no parameters: utility statements */
	SQL_REPLICATION, /* walsender command; a parameter may only be an unsigned number */
	/* lsn, timeline: answered by the first message of the stream, after which the connection is
	 * closed */
	SQL_STREAM,
	SQL_KIND__MAX
};

struct sql {
	const char *name; /* the file's stem */
	const char *text;
	enum sql_kind kind;
	int nparams;
	int ncolumns;
	int32_t oldest_version; /* 130000 */
};

#endif
