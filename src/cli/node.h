/* SPDX-License-Identifier: PostgreSQL */
/*
 * node - shorthands for asking and building trees
 */
#ifndef PGHA_CLI_NODE_H
#define PGHA_CLI_NODE_H

#include "wire/tree.h"

/* Text of a map's scalar, or NULL when there is none or it is null. map may be NULL. */
const char *node_text(const struct tree_node *map, const char *key);
/* The same, "" instead of NULL. */
const char *node_str(const struct tree_node *map, const char *key);
bool node_int(const struct tree_node *map, const char *key, int64_t *ret);
/* A boolean, or a text or number that reads as one (parse_bool); absent or other: fallback. */
bool node_bool(const struct tree_node *map, const char *key, bool fallback);
/* Present, and not null, false, 0, "" or empty: what Python takes for true. */
bool node_truthy(const struct tree_node *map, const char *key);

/* New children. A tree that is full stays as it is: what is shown is then incomplete, and its
 * limit is far above what a cluster can hold. key NULL below a list. The tree's root when parent
 * is NULL. */
struct tree_node *node_add(struct tree *tree, struct tree_node *parent, const char *key,
			   enum tree_type type);
void node_add_text(struct tree *tree, struct tree_node *parent, const char *key,
		   const char *text);
void node_add_int(struct tree *tree, struct tree_node *parent, const char *key, int64_t number);
void node_add_bool(struct tree *tree, struct tree_node *parent, const char *key, bool flag);
void node_add_copy(struct tree *tree, struct tree_node *parent, const char *key,
		   const struct tree_node *source);

#endif
