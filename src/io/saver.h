/* SPDX-License-Identifier: PostgreSQL */
/*
 * saver - writes the files of statefile.h without holding the loop
 *
 * By a thread of its own, in order. A disk that stands still delays the answer to saver_save(),
 * and nothing else.
 */
#ifndef PGHA_IO_SAVER_H
#define PGHA_IO_SAVER_H

#include "agent/port.h"
#include "io/loop.h"

/* What waits for the disk at most. */
#define SAVER_JOBS_MAX  64
#define SAVER_BYTES_MAX (2 * 1024 * 1024)

struct saver;

/* From the loop, in the order of the calls. err NULL: it is durable. */
typedef void (*saver_fn)(void *ctx, uint64_t ticket, const struct err *err);

/* id is <scope>.<name>, as in statefile.h. */
int saver_new(struct loop *loop, const char *state_dir, const char *id, saver_fn saved, void *ctx,
	      struct saver **ret, struct err *err) _must_check_;
void saver_free(struct saver *saver); /* waits a second for the disk at most */

void saver_save(struct saver *saver, uint64_t ticket, const struct durable *durable);
/* Nobody waits for these; a failure is logged. */
void saver_cache(struct saver *saver, const char *data_dir, const char *json);
void saver_dump(struct saver *saver, const char *why, const char *text, size_t len);

#endif
