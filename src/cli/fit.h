/* SPDX-License-Identifier: PostgreSQL */
/*
 * fit - who could take over now, as the members themselves tell
 *
 * A look from outside, for people: the agents decide by what they know when it comes to it.
 */
#ifndef PGHA_CLI_FIT_H
#define PGHA_CLI_FIT_H

#include "cli/cli.h"

#define FIT_MAX 64
#define FIT_WHY 256

struct fit_member {
	const struct tree_node *member; /* of the picture */
	bool answers;
	bool leads;
	bool ours; /* run by pghad */
	int64_t timeline;    /* 0 unknown */
	int64_t lag_bytes;   /* behind the leader; -1 unknown */
	char state[64];      /* as it tells */
	char why[FIT_WHY];   /* why it could not take over, or as the leader not hand over; "" */
};

struct fit {
	struct fit_member items[FIT_MAX];
	size_t n;
	int64_t max_lag_bytes; /* maximum_lag_on_failover */
};

/* Asks every member of the picture, which must stay. */
void fit_look(struct cli *cli, const struct picture *picture, struct fit *ret);
/* NULL: no such member. */
const struct fit_member *fit_find(const struct fit *fit, const char *name);
/* The one that is least behind of those that could take over, or NULL. */
const struct fit_member *fit_best(const struct fit *fit);

#endif
