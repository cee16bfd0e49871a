/* SPDX-License-Identifier: PostgreSQL */
/*
 * yamltree - YAML text to tree
 *
 * One document whose root is a map, at most YAMLTREE_SIZE_MAX bytes. Anchors, aliases and `<<`
 * are resolved by copying, within the tree's limits. Of a key given twice the last one counts,
 * as with PyYAML, and it is reported.
 */
#ifndef PGHA_WIRE_YAMLTREE_H
#define PGHA_WIRE_YAMLTREE_H

#include "wire/tree.h"

#define YAMLTREE_SIZE_MAX (1024 * 1024)
#define YAMLTREE_TWINS_MAX 100

/* A key that stands twice in one map. */
struct yamltree_twin {
	int line; /* of the one that counts */
	int first_line;
	char path[TREE_PATH_SIZE];
};

struct yamltree_twins {
	struct yamltree_twin *items;
	size_t n; /* no more than YAMLTREE_TWINS_MAX are kept */
};

/* 0, or < 0 with the line in *err. An empty document leaves ret->root NULL. */
int yamltree_parse(const char *text, size_t len, struct tree *ret, struct yamltree_twins *twins,
		   struct err *err) _must_check_;

#endif
