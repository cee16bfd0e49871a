/* SPDX-License-Identifier: PostgreSQL */
/*
 * confcheck - a document against the key table
 *
 * Unknown keys, wrong types, ranges, keys that do not count where they stand, required keys,
 * other stores, and Patroni's features that this version lacks.
 */
#ifndef PGHA_WIRE_CONFCHECK_H
#define PGHA_WIRE_CONFCHECK_H

#include "wire/confproblem.h"
#include "wire/tree.h"

/* The local file with its bootstrap.dcs. */
void confcheck_file(const struct tree_node *root, struct conf_problems *problems);
/* The dynamic document: nothing is fatal; bad values are marked so that lookups pass over them. */
void confcheck_dynamic(struct tree_node *root, struct conf_problems *problems);
/* A dynamic document that somebody is about to write: values of the wrong type or out of range are
 * fatal. What is only ignored, and features that Patroni members may have, are not. */
void confcheck_change(const struct tree_node *root, struct conf_problems *problems);

#endif
