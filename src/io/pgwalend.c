/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgwalend - where the commits end in the WAL of a server that is down
 */
#include "io/pgwalend.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"
#include "io/pgkinds.h"
#include "io/pgtool.h"

/* What is flushed ends with a record, or in the middle of one at the end of a page: then reading
 * begins before it. Not otherwise: a megabyte of commits is as many lines of text, which a busy
 * machine took a second to hand over while nobody could write. */
#define BEFORE_BYTES  UINT64_C(1048576)
#define HEADER_BYTES  24 /* XLogPageHeaderData, access/xlog_internal.h, PostgreSQL 13 to 18 */
#define LONG_BYTES    40 /* XLogLongPageHeaderData, at the beginning of a segment */
#define RECORD_LINE   "rmgr: Transaction"
#define RECORD_ALIGN  UINT64_C(8)

#define SEGMENT_NAME_MAX 32
#define SEGMENTS_MAX 4096

struct walend {
	struct pgwalend_range range;
	bool from_segment; /* the second try: what is before the segment is not there, or empty */
	uint64_t commit_lsn;
};

/* -- text --------------------------------------------------------------------------------- */

uint64_t pgwalend_start(uint64_t lsn, uint32_t block_bytes)
{
	if (lsn % block_bytes != 0)
		return lsn;
	return lsn > BEFORE_BYTES ? lsn - BEFORE_BYTES : 0;
}

uint64_t pgwalend_behind(uint64_t lsn, uint32_t record_bytes, uint32_t block_bytes,
			 uint32_t segment_bytes)
{
	uint64_t left = record_bytes;
	uint64_t room = block_bytes - lsn % block_bytes;

	while (left > room) {
		left -= room;
		lsn += room;
		room = lsn % segment_bytes == 0 ? LONG_BYTES : HEADER_BYTES;
		lsn += room;
		room = block_bytes - room;
	}
	return (lsn + left + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

/* "..., desc: COMMIT 2026-11-21 ..."; an ABORT was promised to nobody. */
static bool counts(const char *line, size_t len)
{
	static const char *const kinds[] = { "desc: COMMIT", "desc: PREPARE",
					     "desc: ABORT_PREPARED" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (memmem(line, len, kinds[i], strlen(kinds[i])) != NULL)
			return true;
	return false;
}

/* "len (rec/tot): 34/   34, tx: 733, lsn: 0/0152F2A8, prev ..." */
static bool read_line(const char *line, size_t len, uint64_t *ret_lsn, uint32_t *ret_bytes)
{
	const char *tot = memmem(line, len, "(rec/tot):", 10);
	const char *lsn = memmem(line, len, "lsn: ", 5);
	char text[LSN_TEXT_MAX];
	unsigned long rec, bytes;
	size_t n;

	if (tot == NULL || lsn == NULL || sscanf(tot + 10, "%lu/%lu", &rec, &bytes) != 2)
		return false;
	n = strcspn(lsn + 5, ",\n");
	if (bytes > UINT32_MAX || n >= sizeof(text))
		return false;
	memcpy(text, lsn + 5, n);
	text[n] = '\0';
	*ret_bytes = (uint32_t)bytes;
	return parse_lsn(text, ret_lsn, NULL) == 0;
}

/* The highest position that a complaint names: "error in WAL record at 0/15375F8: invalid record
 * length at 0/1537620: wanted 24, got 0". */
static uint64_t complained_at(const char *complaint)
{
	size_t len = strcspn(complaint, "\n");
	uint64_t highest = 0;

	for (const char *at = complaint; at < complaint + len; at++) {
		unsigned hi, lo;

		if (strncmp(at, " at ", 4) == 0 && sscanf(at + 4, "%X/%X", &hi, &lo) == 2)
			highest = MAX_OF(highest, (uint64_t)hi << 32 | lo);
	}
	return highest;
}

/* It ends with a complaint about what stands behind the last record, unless that ends with the last
 * segment. What was known to be there has to be among what it read: the end of a segment that was
 * switched away from is empty, and a disk may be unreadable. */
static bool came_to_the_end(const char *text, const struct pgwalend_range *range)
{
	const char *complaint = strstr(text, "in WAL record at ");

	if (range->complete)
		return true;
	if (strstr(text, "could not find a valid record after ") != NULL)
		return range->start >= range->known;
	return complaint != NULL && complained_at(complaint) >= range->known;
}

int pgwalend_parse(const char *text, const struct pgwalend_range *range, uint64_t *ret_lsn,
		   struct err *err)
{
	uint64_t end = 0;

	if (!came_to_the_end(text, range))
		return err_set(err, ERR_CHILD, "pg_waldump did not come to the end of the WAL: %s",
			       text);
	for (const char *line = strstr(text, RECORD_LINE); line != NULL;
	     line = strstr(line + 1, RECORD_LINE)) {
		size_t len = strcspn(line, "\n");
		uint64_t lsn;
		uint32_t bytes;

		/* The middle of a long output is left out: a line may be cut. */
		if (counts(line, len) && read_line(line, len, &lsn, &bytes))
			end = MAX_OF(end, pgwalend_behind(lsn, bytes, range->block_bytes,
							  range->segment_bytes));
	}
	/* None since: what was known to be flushed holds them all. */
	*ret_lsn = end != 0 ? end : range->known;
	return 0;
}

/* -- chain -------------------------------------------------------------------------------- */

static const char *segment_name(const struct pg *pg, uint32_t timeline, uint64_t segment,
				char dst[SEGMENT_NAME_MAX])
{
	uint64_t per_id = (UINT64_C(1) << 32) / pg->control.wal_segment_bytes;

	(void)str_printf(dst, SEGMENT_NAME_MAX, "%08X%08X%08X", timeline,
			 (unsigned)(segment / per_id), (unsigned)(segment % per_id));
	return dst;
}

static bool segment_exists(const struct pg *pg, uint32_t timeline, uint64_t segment)
{
	char name[SEGMENT_NAME_MAX];
	char path[PATH_MAX];

	return str_printf(path, sizeof(path), "%s/pg_wal/%s", pg->config->pg.data_dir,
			  segment_name(pg, timeline, segment, name)) >= 0 &&
	       access(path, F_OK) == 0;
}

/* pg_waldump waits 5 s for a segment that does not exist (up to 15): so it is told to begin with
 * the first and to stop with the last that does. */
static int find_segments(const struct pgwork *work, bool from_segment, struct pgwalend_range *ret,
			 uint64_t *ret_end, struct err *err)
{
	const struct pg *pg = work->pg;
	uint32_t timeline = work->req.timeline;
	uint64_t bytes = pg->control.wal_segment_bytes;
	uint64_t segment = work->req.wal_lsn / bytes;
	uint64_t end = segment;

	*ret = (struct pgwalend_range){ .known = work->req.wal_lsn,
					.start = pgwalend_start(work->req.wal_lsn,
							 pg->control.wal_block_bytes),
					.block_bytes = pg->control.wal_block_bytes,
					.segment_bytes = pg->control.wal_segment_bytes };
	if (from_segment || !segment_exists(pg, timeline, ret->start / bytes))
		ret->start = MAX_OF(ret->start, segment * bytes);
	while (end - segment < SEGMENTS_MAX && segment_exists(pg, timeline, end))
		end++;
	*ret_end = end * bytes;
	if (*ret_end < work->req.wal_lsn)
		return err_set(err, ERR_STATE, "the WAL segment of the known end is not there");
	return end - segment < SEGMENTS_MAX ? 0 :
					      err_set(err, ERR_RANGE, "more than %d WAL segments",
						      SEGMENTS_MAX);
}

static int step_dump(struct pgwork *work, struct err *err)
{
	struct walend *w = work->data;
	struct pg *pg = work->pg;
	_cleanup_(words_done) struct words words = { 0 };
	uint64_t bytes = pg->control.wal_segment_bytes;
	char name[SEGMENT_NAME_MAX];
	char text[LSN_TEXT_MAX];
	uint64_t end;
	int rc;

	if (pg->state.run != PG_DOWN)
		return err_set(err, ERR_STATE, "Postgres is not down");
	if (work->req.wal_lsn == 0 || work->req.timeline == 0 || !pg->control_known ||
	    pg->control.wal_segment_bytes == 0 || pg->control.wal_block_bytes == 0)
		return err_set(err, ERR_STATE, "no position of this server was seen while it ran");
	rc = find_segments(work, w->from_segment, &w->range, &end, err);
	if (rc < 0)
		return rc;
	if (w->range.start >= end) { /* the known end is that of the last segment */
		w->commit_lsn = work->req.wal_lsn;
		return PGWORK_DONE;
	}
	pgtool_program(pg, "pg_waldump", &words);
	words_add(&words, "--path=%s/pg_wal", pg->config->pg.data_dir);
	words_add(&words, "--timeline=%u", work->req.timeline);
	words_add(&words, "--start=%s", lsn_text(w->range.start, text));
	words_add(&words, "--end=%s", lsn_text(end, text));
	words_add(&words, "--rmgr=Transaction");
	/* Without a name it takes the size of segments from any file that it finds there, and some
	 * are made in advance and empty. */
	words_add(&words, "%s", segment_name(pg, work->req.timeline, w->range.start / bytes, name));
	words_add(&words, "%s", segment_name(pg, work->req.timeline, end / bytes - 1, name));
	/* An invalid record is an error to it, and the end of the WAL to us. */
	pgwork_tolerate(work);
	return pgtool_run(work, "pg_waldump", &words, err);
}

static int step_read(struct pgwork *work, struct err *err)
{
	struct walend *w = work->data;
	int rc;

	if (work->result < 0 && (!work->end.exited || work->end.stopped)) {
		*err = work->err;
		return work->result;
	}
	w->range.complete = work->result == 0;
	rc = pgwalend_parse(work->end.output, &w->range, &w->commit_lsn, err);
	if (rc == 0)
		return PGWORK_DONE;
	if (w->from_segment)
		return rc;
	w->from_segment = true;
	pgwork_jump(work, 0);
	return PGWORK_NEXT;
}

static void answer(struct pgwork *work, struct event *event)
{
	const struct walend *w = work->data;

	event->commit_lsn = w->commit_lsn;
}

static const struct pgwork_step steps[] = {
	{ "pg_waldump", step_dump },
	{ "end of the WAL", step_read },
	{ NULL, NULL },
};

const struct pgwork_kind pgwalend_kind = {
	.steps = steps,
	.data_size = sizeof(struct walend),
	.answer = answer,
};
