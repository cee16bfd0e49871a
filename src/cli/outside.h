/* SPDX-License-Identifier: PostgreSQL */
/*
 * outside - the operator's files, editor, pager and commands
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
/* Puts a file in the place of that one, or of none, in one step; anybody may read it. */
int outside_replace(const char *path, const char *text, struct err *err) _must_check_;
/* Runs a command of the operator's by the shell: its exit code, or < 0. */
int outside_shell(const char *command);
/* Through $PAGER or less when the standard output is a terminal, else just printed. */
void outside_page(const char *text);

#endif
