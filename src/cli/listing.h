/* SPDX-License-Identifier: PostgreSQL */
/*
 * listing - the member table of list and topology
 */
#ifndef PGHA_CLI_LISTING_H
#define PGHA_CLI_LISTING_H

#include "cli/picture.h"
#include "cli/table.h"

struct listing {
	enum table_format format;
	bool topology; /* replicas below the member they stream from; always pretty */
	bool extended; /* also the columns that are empty everywhere */
};

/* The rows of the table, added to those that are there: for one document of several clusters. */
void listing_collect(const struct listing *listing, const struct picture *picture,
		     struct tree *rows);
/* The table and what is said below it. */
void listing_print(const struct listing *listing, const struct picture *picture,
		   struct buf *ret_text);

#endif
