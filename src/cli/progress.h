/* SPDX-License-Identifier: PostgreSQL */
/*
 * progress - how far something is, as a bar and in words
 *
 * Of a copy or a rewind by its bytes, of a standby that catches up by what it had to replay when
 * that began, of a hand-over by its steps. No clock and no terminal.
 */
#ifndef PGHA_CLI_PROGRESS_H
#define PGHA_CLI_PROGRESS_H

#include "wire/tree.h"

/* "512 kB", "1.2 GB" */
void progress_bytes(struct buf *text, int64_t bytes);
void progress_bar(struct buf *text, bool unicode, int64_t part, int64_t whole);
/* "####.... 50 %, 512 MB of 1.0 GB" of a member's job; nothing where it does not tell. */
void progress_job(struct buf *text, bool unicode, const struct tree_node *job);

/* A standby that has WAL to replay; zeroed: it has caught up. */
struct catchup {
	int64_t began_bytes; /* left when it began, or since it fell back further */
	int64_t began_us;    /* any clock */
	int64_t left_bytes, now_us;
};

/* Less than that is no catching up: it comes and goes under load. */
#define CATCHUP_LEAST_BYTES (INT64_C(1024) * 1024)

/* What is left to replay at this moment; negative: not known. */
void progress_note(struct catchup *catchup, int64_t left_bytes, int64_t now_us);
bool progress_catches_up(const struct catchup *catchup);
/* "####.... 40 %, 12 MB to replay, about 30 s left"; nothing where it has caught up. */
void progress_catchup(struct buf *text, bool unicode, const struct catchup *catchup);

#define PROGRESS_STEPS 7
/* Which step of a hand-over a member on this rule is at, 1 to PROGRESS_STEPS - 1; 0: none. */
int progress_step(const char *rule_name);

#endif
