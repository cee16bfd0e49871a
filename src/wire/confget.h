/* SPDX-License-Identifier: PostgreSQL */
/*
 * confget - the value that counts for a key
 *
 * Local file, dynamic document and default, in the order that the key's scope demands. Below
 * `postgresql` a local key hides the dynamic one as a whole, as in Patroni. Values were checked
 * before; what is bad reads as if it were not there. Asking for a key that is not in the table
 * is a mistake of ours.
 */
#ifndef PGHA_WIRE_CONFGET_H
#define PGHA_WIRE_CONFGET_H

#include "core/config.h"
#include "wire/tree.h"

struct confget {
	const struct tree_node *local;
	const struct tree_node *dynamic; /* NULL: there is none */
};

/* NULL when not given. Follows aliases. */
const struct tree_node *confget_node(const struct confget *get, const char *path);
bool confget_bool(const struct confget *get, const char *path);
int64_t confget_int(const struct confget *get, const char *path); /* SECONDS: milliseconds */
unsigned confget_word(const struct confget *get, const char *path);
/* Heap copy of the text, of the default, or NULL. */
char *confget_text(const struct confget *get, const char *path);
void confget_strings(const struct confget *get, const char *path, struct strings *ret);
void confget_pairs(const struct confget *get, const char *path, struct pairs *ret);
/* Options of a program: a value of NULL is a switch. */
void confget_options(const struct confget *get, const char *path, struct pairs *ret);

void strings_done(struct strings *strings);
void pairs_done(struct pairs *pairs);
void confget_add_string(struct strings *strings, const char *text);
void confget_add_pair(struct pairs *pairs, const char *name, const char *value);

#endif
