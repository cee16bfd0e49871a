/* SPDX-License-Identifier: PostgreSQL */
/*
 * outlook - what a member says would be if
 */
#ifndef PGHA_CLI_OUTLOOK_H
#define PGHA_CLI_OUTLOOK_H

#include "cli/cli.h"

/* Asks that member; `args` may hold --if. The member's decision table answers.
 * 0                    *ret is what it said
 * OUTLOOK_REFUSED (1)  it does not understand the question: err says why
 * < 0                  it did not answer, or cannot at this moment */
#define OUTLOOK_REFUSED 1
int outlook_ask(struct cli *cli, const struct tree_node *member, const struct args *args,
		struct tree *ret, struct err *err) _must_check_;
/* For people. */
void outlook_print(const struct tree_node *outlook);

#endif
