/* SPDX-License-Identifier: PostgreSQL */
/*
 * yamlscalar - what a plain YAML word means
 *
 * The rules are YAML 1.1's as PyYAML 6 applies them, because files written for Patroni were read
 * with it: `on` and `no` are booleans, 017 is fifteen, 1_000 is a thousand, 10:30 is 630.
 * Integers beyond 64 bits stay text.
 */
#ifndef PGHA_WIRE_YAMLSCALAR_H
#define PGHA_WIRE_YAMLSCALAR_H

#include "wire/tree.h"

/* Sets node's type and value from the word; text becomes what Python's str() would print and
 * raw the word as written where the two differ. */
void yamlscalar_resolve(struct tree_node *node, const char *word);

#endif
