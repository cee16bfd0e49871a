/* SPDX-License-Identifier: PostgreSQL */
/*
 * tree - a configuration document in memory, with the line of every value
 *
 * Maps keep the order of the text. Nodes belong to their tree and go with it; nothing here
 * recurses, so a hostile document cannot exhaust the stack. Paths are dotted:
 * "postgresql.authentication.superuser".
 */
#ifndef PGHA_WIRE_TREE_H
#define PGHA_WIRE_TREE_H

#include "base/err.h"
#include "base/str.h"

#define TREE_DEPTH_MAX 32
#define TREE_NODES_MAX 20000
#define TREE_PATH_SIZE 512

enum tree_type {
	TREE_NULL = 0,
	TREE_BOOL,
	TREE_INT,
	TREE_FLOAT,
	TREE_STRING,
	TREE_MAP,
	TREE_LIST,
	TREE__MAX
};

struct tree_node {
	enum tree_type type;
	int line;     /* 1-based; 0 when it came from no file */
	unsigned depth;
	bool bad;     /* refused by a check: lookups pass over it */
	bool flag;    /* TREE_BOOL */
	int64_t num;  /* TREE_INT */
	char *key;    /* under a map, else NULL */
	char *text;   /* scalars: strings as they are, others as Python's str() shows them */
	char *raw;    /* scalars: as written, or NULL when that is text */
	struct tree_node *parent;
	struct tree_node *first; /* first child of a map or list */
	struct tree_node *last;
	struct tree_node *next;  /* next sibling */
	struct tree_node *chain; /* the tree's own list of everything */
};

struct tree {
	struct tree_node *root; /* NULL: empty */
	struct tree_node *chain;
	size_t nnodes;
};

void tree_done(struct tree *tree);

/* A new node, child of parent (NULL: the root). -ERR_RANGE when the tree is too large or deep.
 * key: of a map's child; copied. */
int tree_add(struct tree *tree, struct tree_node *parent, const char *key, enum tree_type type,
	     int line, struct tree_node **ret, struct err *err);
/* Takes a child out of its parent. The memory stays with the tree. */
void tree_unlink(struct tree_node *node);
void tree_set_text(struct tree_node *node, const char *text, size_t len);
/* Copies a subtree below parent; key NULL keeps the source's. */
int tree_copy(struct tree *tree, struct tree_node *parent, const char *key,
	      const struct tree_node *src, struct tree_node **ret, struct err *err);
/* Makes every map on the way; the last part of path becomes a node of this type, in place of
 * whatever stood there. */
int tree_put(struct tree *tree, const char *path, enum tree_type type, int line,
	     struct tree_node **ret, struct err *err);

/* Lays the map src over the tree's root, as PATCH does: maps are merged, other values replace, and
 * null takes away. */
int tree_patch(struct tree *tree, const struct tree_node *src, struct err *err);

/* Child of a map by name; NULL when there is none, or when it is bad. */
const struct tree_node *tree_child(const struct tree_node *map, const char *key);
const struct tree_node *tree_find(const struct tree_node *root, const char *path);
/* Preorder: the node after this one within root's subtree; NULL at the end. */
const struct tree_node *tree_next(const struct tree_node *root, const struct tree_node *node);
/* As tree_next(), but passes over node's children. */
const struct tree_node *tree_skip(const struct tree_node *root, const struct tree_node *node);
/* Dotted path of node below root; list items as "[0]". Cut when longer than TREE_PATH_SIZE. */
void tree_path(const struct tree_node *root, const struct tree_node *node,
	       char ret_path[TREE_PATH_SIZE]);

bool tree_is_scalar(const struct tree_node *node); /* anything but a map or list; not NULL */
const char *tree_type_name(enum tree_type type);   /* "a list", for messages */

/* Compact JSON, non-ASCII escaped. */
void tree_to_json(const struct tree_node *root, struct buf *ret_text);
int tree_from_json(const char *json, size_t len, struct tree *ret, struct err *err) _must_check_;

#endif
