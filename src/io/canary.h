/* SPDX-License-Identifier: PostgreSQL */
/*
 * canary - whether a disk takes a small write, and how long it takes
 *
 * Every few seconds a thread writes and flushes a file without a name in a directory, and lets it
 * go. A disk that is full, broken or read-only says so; one that stands still holds the thread and
 * nothing else. The answer is looked at, not waited for.
 */
#ifndef PGHA_IO_CANARY_H
#define PGHA_IO_CANARY_H

#include "core/types.h"

struct canary;

struct canary *canary_new(void);
/* A thread that the disk holds is left behind. NULL is fine. */
void canary_free(struct canary *canary);

/* Begins the next write when its time has come. Less than room_bytes is a full disk; a write that
 * has not ended after late_ms means that the disk stands still. A directory that is not there, or
 * not ours, tells nothing. */
void canary_look(struct canary *canary, const char *dir, uint64_t room_bytes, int64_t late_ms);
/* Fills in what it knows of the disk. */
void canary_tell(const struct canary *canary, struct vitals *ret);

#endif
