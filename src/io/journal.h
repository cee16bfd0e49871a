/* SPDX-License-Identifier: PostgreSQL */
/*
 * journal - where log lines go
 *
 * Under systemd: to the journal, with their fields. Else to stderr, one line each. With log.dir
 * also not there but to a file that is rotated. Nobody who logs ever waits: what the journal or a
 * pipe cannot take at once is dropped; a file is written by a thread of its own, behind a queue
 * that drops what does not fit. The number of lost lines is told when there is room again.
 */
#ifndef PGHA_IO_JOURNAL_H
#define PGHA_IO_JOURNAL_H

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/config.h"

#define JOURNAL_FILE_NAME "patroni.log"
/* Lines, and their bytes, that wait for a disk at most. */
#define JOURNAL_LINES_MAX 1000
#define JOURNAL_BYTES_MAX (512 * 1024)

struct journal;

/* Becomes the sink of base/log until journal_free(). */
struct journal *journal_new(void);
void journal_free(struct journal *journal); /* waits a second for a file at most */

/* Level, form and file. A file that cannot be opened is a failure and changes nothing. */
int journal_configure(struct journal *journal, const struct config_log *config,
		      struct err *err) _must_check_;

/* One line as it goes to stderr or a file, with its newline. */
void journal_format(const struct log_line *line, int64_t wall_us, bool json, struct buf *ret_text);
/* The datagram of the journal's native protocol. */
void journal_datagram(const struct log_line *line, struct buf *ret_data);

#endif
