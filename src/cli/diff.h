/* SPDX-License-Identifier: PostgreSQL */
/*
 * diff - unified difference of two texts, line by line
 *
 * The same lines in the same hunks as Python's difflib.unified_diff() without file names, which
 * is what patronictl edit-config prints: "--- ", "+++ ", then hunks with three lines of context.
 */
#ifndef PGHA_CLI_DIFF_H
#define PGHA_CLI_DIFF_H

#include "base/str.h"

/* Adds nothing when the texts have the same lines. With colour: ANSI sequences around changes. */
void diff_unified(const char *before, const char *after, bool colour, struct buf *ret_text);

#endif
