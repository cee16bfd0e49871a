/* SPDX-License-Identifier: PostgreSQL */
/*
 * edit - changes to the dynamic configuration
 */
#ifndef PGHA_CLI_EDIT_H
#define PGHA_CLI_EDIT_H

#include "base/err.h"
#include "wire/tree.h"

/* "ttl=20", "postgresql.parameters.pg_stat_statements.max=100": a dotted path, below
 * postgresql.parameters only up to the name of the parameter, which may hold dots itself; and a
 * YAML value. null deletes, and maps that are empty then go as well. config's root is a map. */
int edit_set(struct tree *config, const char *assignment, struct err *err) _must_check_;
/* As PATCH /config: what stands in the YAML text is changed, null deletes, the rest stays. */
int edit_apply(struct tree *config, const char *yaml, size_t len, struct err *err) _must_check_;
/* Any YAML map as the new configuration, nulls included. */
int edit_parse(const char *yaml, size_t len, struct tree *ret, struct err *err) _must_check_;
/* An empty map. */
void edit_empty(struct tree *ret);

#endif
