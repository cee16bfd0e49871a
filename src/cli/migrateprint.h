/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrateprint - findings for people and for programs
 */
#ifndef PGHA_CLI_MIGRATEPRINT_H
#define PGHA_CLI_MIGRATEPRINT_H

#include "cli/migrate.h"
#include "cli/table.h"

/* Gravest first, what carries over as one list for each place. */
void migrateprint_text(const struct migrate *migrate, struct buf *ret_text);
/* tsv, JSON or YAML: columns Verdict, Where, Key, Why, What to do. */
void migrateprint_table(const struct migrate *migrate, enum table_format format,
			struct buf *ret_text);

#endif
