/* SPDX-License-Identifier: PostgreSQL */
/*
 * outside - the operator's editor and pager
 */
#ifndef PGHA_CLI_OUTSIDE_H
#define PGHA_CLI_OUTSIDE_H

#include "base/err.h"
#include "base/str.h"

/* Whole file, or the standard input for "-". At most max bytes. */
int outside_read(const char *path, size_t max, struct buf *ret_text,
		 struct err *err) _must_check_;
/* Has the text edited by $EDITOR, `editor` or `vi` in a temporary file that is gone afterwards.
 * name: begins the file's name. */
int outside_edit(const char *name, const char *text, size_t max, struct buf *ret_text,
		 struct err *err) _must_check_;
/* Through $PAGER or less when the standard output is a terminal, else just printed. */
void outside_page(const char *text);

#endif
