/* SPDX-License-Identifier: PostgreSQL */
/*
 * table - rows as a table for people, or as tsv, JSON or YAML for programs
 *
 * A row is a map from column name to value; a value that is missing is an empty cell.
 */
#ifndef PGHA_CLI_TABLE_H
#define PGHA_CLI_TABLE_H

#include "base/str.h"
#include "wire/tree.h"

enum table_format { TABLE_PRETTY = 0, TABLE_TSV, TABLE_JSON, TABLE_YAML, TABLE__MAX };

/* Values of --format, ended by NULL. */
extern const char *const table_format_names[];

struct table_column {
	const char *name;  /* key in the rows, heading of tsv, key of JSON and YAML */
	const char *title; /* heading of the pretty table; NULL: name */
	bool right;        /* numbers: aligned to the right */
};

struct table {
	const char *header; /* written over the upper border; NULL none */
	const struct table_column *const *columns; /* those to be shown, in order */
	size_t ncolumns;
	size_t nhidden; /* so many columns at the front are left out of the pretty table */
	const struct tree_node *rows; /* list of maps */
	bool flow; /* maps in cells of the pretty table as {a: b}; else a line for each key */
};

/* "pretty", "tsv", "json", "yaml" or "yml"; NULL is pretty. */
enum table_format table_format_of(const char *name);
void table_print(const struct table *table, enum table_format format, struct buf *ret_text);

#endif
