/* SPDX-License-Identifier: PostgreSQL */
/*
 * each - one request to several members: to all that were chosen, or to the first that answers
 */
#ifndef PGHA_CLI_EACH_H
#define PGHA_CLI_EACH_H

#include "cli/cli.h"

/* Sends the request to one member and prints what became of it. 0: done, 1: it did not answer or
 * did not settle it. */
typedef int (*each_fn)(struct cli *cli, const struct picture *picture,
		       const struct tree_node *member, void *ctx);

/* CLUSTER [MEMBER]... with --role and --force: shows the members, picks those that are meant,
 * asks the operator, and goes on to each. nwords: how many words are the cluster and its members.
 * Returns 1 when any of them did. */
int each_chosen(struct cli *cli, const struct args *args, size_t nwords, const char *action,
		each_fn fn, struct err *err) _must_check_;

/* The leader first, for its loop matters, then the others until one has settled it. Returns 1 when
 * none did. */
int each_until(struct cli *cli, const struct picture *picture, each_fn fn, void *ctx);

#endif
