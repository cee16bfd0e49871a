/* SPDX-License-Identifier: PostgreSQL */
/*
 * dsn - connection strings that name all members, for libpq to find the right one
 */
#ifndef PGHA_CLI_DSN_H
#define PGHA_CLI_DSN_H

#include "cli/picture.h"

struct dsn_wish {
	const char *role; /* one of cli_roles; leader and primary are the same here */
	bool uri;         /* postgresql://..., else "host=... port=..." */
};

/* Members that will never have the role are left out: nofailover for a primary, noloadbalance for
 * standbys. < 0: nobody is left. */
int dsn_print(const struct picture *picture, const struct dsn_wish *wish, struct buf *ret_text,
	      struct err *err) _must_check_;

#endif
