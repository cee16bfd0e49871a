/* SPDX-License-Identifier: PostgreSQL */
/*
 * journal - where log lines go
 *
 * Under systemd: to the journal, with their fields. Else to stderr, one line each. With log.dir
 * also not there but to a file that is rotated. Writing to the journal and to stderr never waits:
 * what cannot be taken at once is dropped, counted, and the number told when there is room again.
 * A file is written by plain write(2), so log.dir must not lie on a disk that may stall.
 */
#ifndef PGHA_IO_JOURNAL_H
#define PGHA_IO_JOURNAL_H

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/config.h"

#define JOURNAL_FILE_NAME "patroni.log"

struct journal;

/* Becomes the sink of base/log until journal_free(). */
struct journal *journal_new(void);
void journal_free(struct journal *journal);

/* Level, form and file. A file that cannot be opened is a failure and changes nothing. */
int journal_configure(struct journal *journal, const struct config_log *config,
		      struct err *err) _must_check_;

/* One line as it goes to stderr or a file, with its newline. */
void journal_format(const struct log_line *line, int64_t wall_us, bool json, struct buf *ret_text);
/* The datagram of the journal's native protocol. */
void journal_datagram(const struct log_line *line, struct buf *ret_data);

#endif
