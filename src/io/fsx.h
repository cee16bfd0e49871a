/* SPDX-License-Identifier: PostgreSQL */
/*
 * fsx - small files that must survive a power cut
 *
 * For files of at most a few megabytes. These calls block for as long as the disk takes.
 */
#ifndef PGHA_IO_FSX_H
#define PGHA_IO_FSX_H

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* Replaces or creates `path`, mode 0600: a reader, also after a crash, finds either the old or the
 * new content, whole. Goes through "<path>.new". When it returns 0 the change is durable. */
int fsx_replace(const char *path, const void *data, size_t size, struct err *err) _must_check_;
/* The same with another mode, regardless of the umask. */
int fsx_replace_mode(const char *path, const void *data, size_t size, mode_t mode,
		     struct err *err) _must_check_;

/* Adds the whole regular file to *ret (cleared first).
 * 0                   read
 * FSX_MISSING (1)     there is no such file: an answer
 * < 0                 failure, also when it is longer than `max` bytes (-ERR_RANGE) */
#define FSX_MISSING 1
int fsx_read(const char *path, size_t max, struct buf *ret, struct err *err) _must_check_;

/* Removes a file durably. 0 also when there was none. */
int fsx_remove(const char *path, struct err *err) _must_check_;

/* Makes the directory and its missing parents with exactly `mode`. An existing directory is left
 * as it is. */
int fsx_mkdirs(const char *path, mode_t mode, struct err *err) _must_check_;

/* Makes renames and creations in the directory that holds `path` durable. */
int fsx_sync_dir_of(const char *path, struct err *err) _must_check_;

#endif
