/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgwalend - where the commits end in the WAL of a server that is down
 *
 * By pg_waldump of PostgreSQL 13 to 18. What a client was told of, or may have been, is a commit,
 * a prepared transaction, or the end of one; other records behind the last of these are nobody's
 * loss.
 */
#ifndef PGHA_IO_PGWALEND_H
#define PGHA_IO_PGWALEND_H

#include "base/err.h"

/* Where reading begins so that the record which `lsn` may lie within is among what is read. */
uint64_t pgwalend_start(uint64_t lsn, uint32_t block_bytes);
/* The byte behind a record, where the next one may begin: page headers lie between. */
uint64_t pgwalend_behind(uint64_t lsn, uint32_t record_bytes, uint32_t block_bytes,
			 uint32_t segment_bytes);
/* What pg_waldump was asked for. */
struct pgwalend_range {
	uint64_t start;
	uint64_t known; /* the WAL is known to come to here at least */
	uint32_t block_bytes;
	uint32_t segment_bytes;
	bool complete; /* it said that it came to the end of the last segment */
};

/* text: "pg_waldump --rmgr=Transaction" of that. *ret_lsn: behind the newest record that counts, or
 * the known end when there is none. -ERR_CHILD: it did not come to the end of the WAL. */
int pgwalend_parse(const char *text, const struct pgwalend_range *range, uint64_t *ret_lsn,
		   struct err *err) _must_check_;

#endif
