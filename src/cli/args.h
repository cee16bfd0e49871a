/* SPDX-License-Identifier: PostgreSQL */
/*
 * args - options and words of a command line
 *
 * Options may stand anywhere among the words: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, and
 * flags in a bunch (-et). "--" ends the options. Nothing is copied: values point into argv.
 */
#ifndef PGHA_CLI_ARGS_H
#define PGHA_CLI_ARGS_H

#include "base/err.h"

#define ARGS_MAX 128

/* What a value or word names: completion offers what there is of it. */
enum args_kind { ARGS_TEXT = 0, ARGS_FILE, ARGS_CLUSTER, ARGS_MEMBER, ARGS_KIND__MAX };

struct args_option {
	const char *name;  /* "--candidate": what args_value() is asked for */
	const char *also;  /* other spellings, blank separated: "-f --primary"; NULL none */
	const char *value; /* what stands for the value in help; NULL: a flag */
	const char *help;
	const char *const *choices; /* the only values, ended by NULL; or NULL */
	enum args_kind kind; /* of the value */
	bool many; /* may be given more than once; else the last one counts */
};

struct args_item {
	const struct args_option *option;
	const char *value; /* NULL for a flag */
};

struct args {
	size_t nitems;
	struct args_item items[ARGS_MAX];
	size_t nwords;
	const char *words[ARGS_MAX];
};

/* Reads argv[0..argc-1] (no program name) into *args, adding to what is there. `first` and
 * `second` are option lists ended by a NULL name; the first list is looked at first; either may
 * be NULL. With stop_at_word the first word and all behind it are left alone, and *ret_used says
 * how much of argv was taken. */
int args_parse(struct args *args, const struct args_option *first,
	       const struct args_option *second, int argc, char *const *argv, bool stop_at_word,
	       int *ret_used, struct err *err) _must_check_;

bool args_has(const struct args *args, const char *name);
/* The last value given, or NULL. */
const char *args_value(const struct args *args, const char *name);
/* Walks the values of an option that may be repeated; *pos begins at 0. NULL at the end. */
const char *args_each(const struct args *args, const char *name, size_t *pos);
/* Word number i, or NULL. */
const char *args_word(const struct args *args, size_t i);

/* The option that the list knows by this spelling, or NULL; name[0..len-1]. */
const struct args_option *args_find(const struct args_option *list, const char *name, size_t len);

/* How alike two words are: insertions, deletions, replacements and swaps that separate them;
 * more than 8 is told as 9. For "did you mean". */
unsigned args_distance(const char *a, const char *b);

#endif
