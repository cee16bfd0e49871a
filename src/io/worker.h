/* SPDX-License-Identifier: PostgreSQL */
/*
 * worker - one thread for what may have to wait for a disk
 *
 * The loop must go on while a disk stands still, so writes that nobody waits for are handed over
 * to be done in order. The queue is bounded: what does not fit is refused, which the caller
 * counts.
 */
#ifndef PGHA_IO_WORKER_H
#define PGHA_IO_WORKER_H

#include "base/err.h"

struct worker;

/* Does the job and frees it. */
typedef void (*worker_fn)(void *job);

/* The thread is made with the first job. `jobs_max` and `bytes_max` bound what may wait. */
struct worker *worker_new(uint32_t jobs_max, size_t bytes_max);
/* False: the queue is full, the job is still the caller's. Any thread. */
bool worker_do(struct worker *worker, worker_fn run, void *job, size_t bytes);
/* Lets the queue be worked off, for at most wait_ms. True when all is done; else the thread hangs
 * in a job, and is left behind with what the jobs use. `last`, unless NULL, frees that after the
 * last job, here or in the thread that was left behind. A NULL worker is fine: last is done. */
bool worker_free(struct worker *worker, int64_t wait_ms, worker_fn last, void *job);

#endif
