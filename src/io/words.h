/* SPDX-License-Identifier: PostgreSQL */
/*
 * words - an argument vector that grows
 *
 * For command lines that are put together from settings. A configured command is split by the
 * rules of POSIX quoting and nothing else: no variables, no globs, no operators, no shell.
 */
#ifndef PGHA_IO_WORDS_H
#define PGHA_IO_WORDS_H

#include "base/err.h"
#include "base/str.h"

#define WORDS_MAX 128 /* words of one command line */

struct words {
	size_t n;
	char *items[WORDS_MAX + 1]; /* heap; always ends with NULL */
};

/* Adds the words of a command: blanks separate, '..' and ".." and backslash quote. */
int words_split(struct words *words, const char *command, struct err *err) _must_check_;
/* Adds one word. More than WORDS_MAX are a mistake of the caller that words_split() or
 * words_room() would have told. */
void words_add(struct words *words, const char *fmt, ...) _printf_(2, 3);
/* Whether `more` words still fit. */
bool words_room(const struct words *words, size_t more);
void words_done(struct words *words);

#endif
