/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgfork - the segment of a fork that was received only in part
 */
#include "io/pgfork.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "io/fsx.h"
#include "io/pgnumber.h"
#include "io/pgquery.h"

#define HISTORY_BYTES_MAX (1024 * 1024)
#define PAGE_BYTES_MAX    65536
#define ROUND_BYTES       (4 * 1024 * 1024)

/* What every page of WAL begins with, in the byte order of this machine (13 to 18). */
struct header {
	uint16_t magic;
	uint16_t info;
	uint32_t timeline;
	uint64_t page_lsn;
};

/* -- pages -------------------------------------------------------------------------------- */

/* The bytes that are there: a file may be shorter than a segment. */
static ssize_t read_page(int fd, uint64_t offset, void *dst, size_t size)
{
	ssize_t n;

	do
		n = pread(fd, dst, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n;
}

/* A recycled file holds pages of an older place, a new one zeros. */
static bool header_of(const struct header *header, ssize_t len, uint64_t page_lsn)
{
	return len >= (ssize_t)sizeof(*header) && header->magic != 0 &&
	       header->page_lsn == page_lsn;
}

/* 1: the page at this place was written; 0: it was not. */
static int has_page(const struct pgfork *fork, int fd, uint32_t page, struct err *err)
{
	uint64_t offset = (uint64_t)page * fork->page_bytes;
	struct header header = { 0 };
	ssize_t n = read_page(fd, offset, &header, sizeof(header));

	if (n < 0)
		return err_set(err, ERR_IO, "cannot read '%s'", fork->path);
	return header_of(&header, n, fork->segment_lsn + offset) ? 1 : 0;
}

/* It is written from its beginning on, so what is there ends where the first page is missing. */
static int count_pages(struct pgfork *fork, int fd, uint32_t below, struct err *err)
{
	uint32_t low = 0, high = below;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int rc = has_page(fork, fd, middle, err);

		if (rc < 0)
			return rc;
		if (rc == 1)
			low = middle + 1;
		else
			high = middle;
	}
	fork->received = low;
	return 0;
}

/* -- finding ------------------------------------------------------------------------------ */

static int segment_path(char dst[PATH_MAX], const char *data_dir, uint32_t timeline, uint64_t lsn,
			uint32_t segment_bytes, struct err *err)
{
	uint64_t number = lsn / segment_bytes;
	uint64_t per_id = (UINT64_C(1) << 32) / segment_bytes;

	if (str_printf(dst, PATH_MAX, "%s/pg_wal/%08" PRIX32 "%08" PRIX64 "%08" PRIX64, data_dir,
		       timeline, number / per_id, number % per_id) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", data_dir);
	return 0;
}

/* 1: there is none. */
static int open_file(const char *path, int *ret_fd, struct err *err)
{
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*ret_fd < 0 && errno == ENOENT)
		return 1;
	return *ret_fd < 0 ? err_set(err, ERR_IO, "cannot open '%s'", path) : 0;
}

static int read_history(const char *data_dir, uint32_t timeline, struct history *ret,
			struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	int rc;

	if (str_printf(path, sizeof(path), "%s/pg_wal/%08" PRIX32 ".history", data_dir,
		       timeline) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", data_dir);
	rc = fsx_read(path, HISTORY_BYTES_MAX, &text, err);
	ret->timeline = timeline;
	ret->n = 0;
	return rc == 0 ? pgquery_history_parse(text.data, ret, err) : rc;
}

/* The nearest older timeline whose segment goes further. */
static int find_older(const char *data_dir, const struct history *history, uint32_t i,
		      struct pgfork *fork, struct err *err)
{
	for (uint32_t k = i + 1; k-- > 0;) {
		_cleanup_(closep) int fd = -1;
		int rc;

		if (history->entries[k].end_lsn <= fork->segment_lsn)
			return 0;
		fork->older = history->entries[k].timeline;
		rc = segment_path(fork->older_path, data_dir, fork->older, fork->segment_lsn,
				  fork->pages * fork->page_bytes, err);
		if (rc == 0)
			rc = open_file(fork->older_path, &fd, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			rc = has_page(fork, fd, fork->received, err);
		else
			rc = 0;
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* What ended the entry's timeline began in this segment. PGFORK_SHORT, 0: it is as it should be, 2:
 * nothing of it is here. */
static int look(const char *data_dir, const struct history *history, uint32_t i,
		struct pgfork *fork, struct err *err)
{
	uint32_t segment_bytes = fork->pages * fork->page_bytes;
	_cleanup_(closep) int fd = -1;
	uint32_t last;
	int rc;

	fork->timeline = i + 1 < history->n ? history->entries[i + 1].timeline : history->timeline;
	fork->fork_lsn = history->entries[i].end_lsn;
	if (fork->fork_lsn % segment_bytes == 0)
		return 2;
	fork->segment_lsn = fork->fork_lsn - fork->fork_lsn % segment_bytes;
	last = (uint32_t)((fork->fork_lsn - 1 - fork->segment_lsn) / fork->page_bytes);
	rc = segment_path(fork->path, data_dir, fork->timeline, fork->fork_lsn, segment_bytes, err);
	if (rc == 0)
		rc = open_file(fork->path, &fd, err);
	if (rc != 0)
		return rc < 0 ? rc : 2;
	rc = has_page(fork, fd, last, err);
	if (rc != 0)
		return MIN_OF(rc, 0);
	rc = count_pages(fork, fd, last, err);
	return rc < 0 ? rc : find_older(data_dir, history, i, fork, err);
}

int pgfork_find(const char *data_dir, const struct pgcontrol *control, struct pgfork *ret,
		struct err *err)
{
	struct history history = { 0 };
	uint32_t newest = 0;
	int rc = pgnumber_newest(data_dir, control->timeline, &newest, err);

	*ret = (struct pgfork){ .page_bytes = control->wal_block_bytes };
	if (rc < 0 || newest <= 1 || ret->page_bytes == 0 || ret->page_bytes > PAGE_BYTES_MAX)
		return rc;
	ret->pages = control->wal_segment_bytes / ret->page_bytes;
	rc = read_history(data_dir, newest, &history, err);
	if (rc != 0 || ret->pages == 0)
		return MIN_OF(rc, 0);
	for (uint32_t i = history.n; i-- > 0;) {
		/* WAL of the new timeline itself was replayed here. */
		if (control->min_recovery_lsn > history.entries[i].end_lsn)
			return 0;
		rc = look(data_dir, &history, i, ret, err);
		if (rc != 2)
			return rc;
	}
	return 0;
}

/* -- setting aside ------------------------------------------------------------------------ */

/* Only the last page may have been cut off in its middle. 1: they are not alike. */
static int compare_page(const struct pgfork *fork, int fd, int older_fd, char *page, char *older,
			struct err *err)
{
	uint64_t offset = (uint64_t)fork->verified * fork->page_bytes;
	bool cut = fork->verified + 1 == fork->received;
	struct header header;
	ssize_t n = read_page(fd, offset, page, fork->page_bytes);
	ssize_t m = read_page(older_fd, offset, older, fork->page_bytes);

	if (n < 0 || m < 0)
		return err_set(err, ERR_IO, "cannot read '%s'", n < 0 ? fork->path :
									fork->older_path);
	memcpy(&header, page, sizeof(header));
	if (fork->verified >= fork->received)
		return header_of(&header, n, fork->segment_lsn + offset) ? 1 : 0;
	if (n != (ssize_t)fork->page_bytes || m != n ||
	    !header_of(&header, n, fork->segment_lsn + offset))
		return 1;
	return memcmp(page, older, cut ? sizeof(header) : (size_t)n) != 0 ? 1 : 0;
}

int pgfork_verify(struct pgfork *fork, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(closep) int older_fd = -1;
	_cleanup_(freep) char *page = mem_new(2, fork->page_bytes);
	uint32_t until = fork->verified + ROUND_BYTES / fork->page_bytes;
	int rc = open_file(fork->path, &fd, err);

	if (rc == 0)
		rc = open_file(fork->older_path, &older_fd, err);
	if (rc != 0)
		return rc < 0 ? rc : PGFORK_DIFFERS;
	while (fork->verified < fork->pages && fork->verified < until) {
		rc = compare_page(fork, fd, older_fd, page, page + fork->page_bytes, err);
		if (rc != 0)
			return rc < 0 ? rc : PGFORK_DIFFERS;
		fork->verified++;
	}
	return fork->verified < fork->pages ? PGFORK_MORE : 0;
}

int pgfork_set_aside(const struct pgfork *fork, struct err *err)
{
	char aside[PATH_MAX];

	if (str_printf(aside, sizeof(aside), "%s.pgha-aside", fork->path) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", fork->path);
	if (rename(fork->path, aside) < 0)
		return err_set(err, ERR_IO, "cannot rename '%s'", fork->path);
	return 0;
}
