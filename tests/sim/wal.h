/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal - what one data directory holds: commits by position, and the timelines they were written on
 *
 * Every timeline that is ever begun gets a uid of its own beside its number, so that two forks
 * which took the same number are still told apart here, even where Postgres cannot.
 */
#ifndef PGHA_SIM_WAL_H
#define PGHA_SIM_WAL_H

#include "base/base.h"

#define WAL_TIMELINES_MAX 128

/* A commit record. Ids grow with time, so they grow along every history. */
struct wal_rec {
	uint64_t lsn; /* its end */
	uint64_t id;
};

struct wal_timeline {
	uint32_t number;
	uint64_t uid;
	uint64_t end_lsn; /* where the next one begins; of the last one: not used */
};

struct wal {
	struct wal_timeline timelines[WAL_TIMELINES_MAX]; /* oldest first, the present one last */
	uint32_t ntimelines; /* 0: no data */
	uint64_t end_lsn;    /* all that was written */
	struct wal_rec *recs;
	size_t n;
	size_t cap;
};

void wal_done(struct wal *wal);
void wal_begin(struct wal *wal, uint64_t uid, uint64_t lsn);
void wal_copy(struct wal *dst, const struct wal *src);
uint32_t wal_timeline(const struct wal *wal);
/* The timeline that a position lies on. */
uint32_t wal_timeline_at(const struct wal *wal, uint64_t lsn);
uint64_t wal_uid(const struct wal *wal);
void wal_add(struct wal *wal, uint64_t lsn, uint64_t id);
/* Ends the present timeline here and begins another. */
void wal_switch(struct wal *wal, uint32_t number, uint64_t uid);
bool wal_has(const struct wal *wal, uint64_t id);
/* The position up to which both are the same. */
uint64_t wal_common(const struct wal *a, const struct wal *b);
/* b continues a: nothing of a would be lost. */
bool wal_extends(const struct wal *a, const struct wal *b);
/* The timeline uid occurs in it. */
bool wal_knows(const struct wal *wal, uint64_t uid);

#endif
