/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal - what one data directory holds
 */
#include "wal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/str.h"

void wal_done(struct wal *wal)
{
	free(wal->recs);
	*wal = (struct wal){ 0 };
}

void wal_begin(struct wal *wal, uint64_t uid, uint64_t lsn)
{
	wal_done(wal);
	wal->timelines[0] = (struct wal_timeline){ .number = 1, .uid = uid };
	wal->ntimelines = 1;
	wal->end_lsn = lsn;
}

static void reserve(struct wal *wal, size_t n)
{
	if (n <= wal->cap)
		return;
	wal->cap = MAX_OF(n, wal->cap * 2);
	wal->recs = mem_grow(wal->recs, wal->cap, sizeof(*wal->recs));
}

void wal_copy(struct wal *dst, const struct wal *src)
{
	struct wal_rec *recs = dst->recs;
	size_t cap = dst->cap;

	*dst = *src;
	dst->recs = recs;
	dst->cap = cap;
	reserve(dst, src->n);
	if (src->n > 0)
		memcpy(dst->recs, src->recs, src->n * sizeof(*src->recs));
}

uint32_t wal_timeline(const struct wal *wal)
{
	return wal->ntimelines ? wal->timelines[wal->ntimelines - 1].number : 0;
}

uint32_t wal_timeline_at(const struct wal *wal, uint64_t lsn)
{
	uint32_t i = 0;

	while (i + 1 < wal->ntimelines && wal->timelines[i].end_lsn < lsn)
		i++;
	return wal->ntimelines ? wal->timelines[i].number : 0;
}

uint64_t wal_uid(const struct wal *wal)
{
	return wal->ntimelines ? wal->timelines[wal->ntimelines - 1].uid : 0;
}

void wal_add(struct wal *wal, uint64_t lsn, uint64_t id)
{
	assert(lsn > wal->end_lsn);
	wal->end_lsn = lsn;
	if (id == 0)
		return; /* a checkpoint and such */
	reserve(wal, wal->n + 1);
	wal->recs[wal->n++] = (struct wal_rec){ .lsn = lsn, .id = id };
}

void wal_switch(struct wal *wal, uint32_t number, uint64_t uid)
{
	assert(wal->ntimelines > 0 && wal->ntimelines < WAL_TIMELINES_MAX);
	wal->timelines[wal->ntimelines - 1].end_lsn = wal->end_lsn;
	wal->timelines[wal->ntimelines++] = (struct wal_timeline){ .number = number, .uid = uid };
}

bool wal_has(const struct wal *wal, uint64_t id)
{
	size_t low = 0;
	size_t high = wal->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (wal->recs[middle].id == id)
			return true;
		if (wal->recs[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static uint64_t end_of(const struct wal *wal, uint32_t i)
{
	return i + 1 == wal->ntimelines ? wal->end_lsn : wal->timelines[i].end_lsn;
}

uint64_t wal_common(const struct wal *a, const struct wal *b)
{
	uint64_t common = 0;
	uint32_t n = MIN_OF(a->ntimelines, b->ntimelines);

	for (uint32_t i = 0; i < n && a->timelines[i].uid == b->timelines[i].uid; i++) {
		common = MIN_OF(end_of(a, i), end_of(b, i));
		if (end_of(a, i) != end_of(b, i))
			break;
	}
	return common;
}

bool wal_extends(const struct wal *a, const struct wal *b)
{
	return wal_common(a, b) == a->end_lsn;
}

bool wal_knows(const struct wal *wal, uint64_t uid)
{
	for (uint32_t i = 0; i < wal->ntimelines; i++)
		if (wal->timelines[i].uid == uid)
			return true;
	return false;
}
