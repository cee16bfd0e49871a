/* SPDX-License-Identifier: PostgreSQL */
/*
 * treedump - a tree as text for people: YAML, or JSON on one line with blanks
 *
 * The YAML is what PyYAML's safe_dump(default_flow_style=flow, allow_unicode=True, width=200)
 * writes: keys sorted, two blanks a level, quotes only where a plain word would mean something
 * else. The JSON is what Python's json.dumps() writes: ", " and ": ", non-ASCII escaped.
 */
#ifndef PGHA_WIRE_TREEDUMP_H
#define PGHA_WIRE_TREEDUMP_H

#include "wire/tree.h"

/* Ends with a line feed. root NULL is null. */
void treedump_yaml(const struct tree_node *root, bool flow, struct buf *ret_text);
/* No line feed. */
void treedump_json(const struct tree_node *root, struct buf *ret_text);

#endif
