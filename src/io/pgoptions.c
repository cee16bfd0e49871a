/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgoptions - what a connection string of libpq says
 */
#include "io/pgoptions.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "wire/confget.h"

int pgoptions_read(const char *dsn, struct pairs *ret, struct err *err)
{
	char *text = NULL;
	PQconninfoOption *options = PQconninfoParse(dsn, &text);

	if (!options) {
		const char *why = text ? text : "no memory";
		int r = err_set(err, ERR_PARSE, "%.*s", (int)strcspn(why, "\n"), why);

		PQfreemem(text);
		return r;
	}
	for (const PQconninfoOption *it = options; it->keyword; it++) {
		const char *value = it->val ? it->val : it->envvar ? getenv(it->envvar) : NULL;

		if (value && value[0])
			confget_add_pair(ret, it->keyword, value);
	}
	PQconninfoFree(options);
	return 0;
}
