/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgnumber - timeline numbers that a promotion passes over
 */
#include "io/pgnumber.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "core/timeline.h"
#include "io/fsx.h"
#include "io/pgdir.h"

#define HISTORY_BYTES_MAX (1024 * 1024)

static const char content[] =
	"0\t0/0\tpassed over: another promotion may have begun this timeline\n";

static int path_of(char dst[PATH_MAX], const char *data_dir, uint32_t number, const char *format,
		   struct err *err)
{
	char name[64];

	if (str_printf(name, sizeof(name), "%08" PRIX32 ".history", number) < 0 ||
	    str_printf(dst, PATH_MAX, "%s/pg_wal%s/%s%s", data_dir,
		       format[0] ? "/archive_status" : "", name, format) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", data_dir);
	return 0;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* 1: there is such a file already, or was made meanwhile. */
static int create(const char *path, const char *data_dir, const char *text, size_t len,
		  struct err *err)
{
	_cleanup_(closep) int fd = -1;
	char tmp[PATH_MAX];
	int rc = 0;

	if (exists(path))
		return 1;
	if (str_printf(tmp, sizeof(tmp), "%s.pgha-tmp", path) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot create '%s'", tmp);
	/* Postgres may make the same file at this moment: its own is never replaced. */
	if (write(fd, text, len) != (ssize_t)len ||
	    fchmod(fd, pgdir_group_access(data_dir) ? 0640 : 0600) < 0)
		rc = err_set(err, ERR_IO, "cannot write '%s'", tmp);
	else if (link(tmp, path) < 0)
		rc = errno == EEXIST ? 1 : err_set(err, ERR_IO, "cannot make '%s'", path);
	(void)unlink(tmp);
	return rc;
}

int pgnumber_reserve(const char *data_dir, uint32_t own, uint32_t above, struct words *ret_made,
		     struct err *err)
{
	if (above > own && above - own > TIMELINE_GAP_MAX)
		return err_set(err, ERR_RANGE, "timeline %" PRIu32 " is too far above %" PRIu32,
			       above, own);
	for (uint32_t n = own + 1; n <= above; n++) {
		char path[PATH_MAX];
		int rc = path_of(path, data_dir, n, "", err);

		if (rc == 0)
			rc = create(path, data_dir, content, sizeof(content) - 1, err);
		if (rc < 0)
			return rc;
		if (rc == 0 && words_room(ret_made, 1))
			words_add(ret_made, "%s", path);
	}
	return 0;
}

/* 0: there is none of this number, 1: a real one, 2: one of ours. */
static int kind_of(const char *data_dir, uint32_t number, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	int rc = path_of(path, data_dir, number, "", err);

	if (rc < 0)
		return rc;
	rc = fsx_read(path, HISTORY_BYTES_MAX, &text, err);
	if (rc < 0)
		return rc;
	if (rc == FSX_MISSING)
		return 0;
	/* A power cut may leave an empty one of ours, but never of Postgres'. */
	if (text.len == 0 || (text.len == sizeof(content) - 1 && str_eq(text.data, content)))
		return 2;
	return 1;
}

int pgnumber_archive(const char *data_dir, uint32_t known, uint32_t above, struct err *err)
{
	for (uint32_t n = known + 1; n <= above; n++) {
		char ready[PATH_MAX], done[PATH_MAX];
		int rc = kind_of(data_dir, n, err);

		if (rc < 0)
			return rc;
		if (rc != 2)
			continue;
		rc = path_of(ready, data_dir, n, ".ready", err);
		if (rc == 0)
			rc = path_of(done, data_dir, n, ".done", err);
		if (rc == 0 && !exists(done))
			rc = create(ready, data_dir, "", 0, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int take_away(const char *data_dir, uint32_t number, struct err *err)
{
	static const char *const formats[] = { "", ".ready", ".done" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		int rc = path_of(path, data_dir, number, formats[i], err);

		if (rc < 0)
			return rc;
		if (unlink(path) < 0 && errno != ENOENT)
			return err_set(err, ERR_IO, "cannot remove '%s'", path);
	}
	return 0;
}

/* *ret_end: the first number that has no file. */
static int walk(const char *data_dir, uint32_t own, uint32_t *ret_newest, uint32_t *ret_end,
		struct err *err)
{
	uint32_t n = own + 1;
	int kind = kind_of(data_dir, n, err);

	*ret_newest = own;
	for (; kind > 0; kind = kind_of(data_dir, ++n, err))
		if (kind == 1)
			*ret_newest = n;
	*ret_end = n;
	return kind;
}

int pgnumber_newest(const char *data_dir, uint32_t own, uint32_t *ret, struct err *err)
{
	uint32_t end;

	return walk(data_dir, own, ret, &end, err);
}

int pgnumber_prune(const char *data_dir, uint32_t own, struct err *err)
{
	uint32_t last_real, n;
	int rc = walk(data_dir, own, &last_real, &n, err);

	/* From the top: a row that is broken in between would hide the rest from the next call. */
	while (rc == 0 && --n > last_real)
		rc = take_away(data_dir, n, err);
	return rc;
}
