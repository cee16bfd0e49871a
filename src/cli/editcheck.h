/* SPDX-License-Identifier: PostgreSQL */
/*
 * editcheck - looks at a dynamic configuration before it is written
 *
 * By the key table that the members check it with. A value that they would not take is refused
 * here, where somebody reads it; with them it would be a line in a log.
 */
#ifndef PGHA_CLI_EDITCHECK_H
#define PGHA_CLI_EDITCHECK_H

#include "base/err.h"
#include "base/str.h"
#include "wire/tree.h"

/* Only what the change brings counts: a value that stood there already is left alone. before: NULL
 * for none. *ret_hints gets a line, "Warning: ...", for what members would ignore or correct. */
int editcheck(const struct tree_node *before, const struct tree_node *after, struct buf *ret_hints,
	      struct err *err) _must_check_;

#endif
