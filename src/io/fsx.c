/* SPDX-License-Identifier: PostgreSQL */
/*
 * fsx - small files that must survive a power cut
 *
 * Write beside, fsync, rename, fsync the directory: without the last step the rename itself may
 * be lost, and without the first fsync the name may point to an empty file.
 */
#include "io/fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int fsx_sync_dir_of(const char *path, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int len = slash ? (int)(slash - path) : 1;

	if (str_printf(dir, sizeof(dir), "%.*s%s", len, slash ? path : ".",
		       slash == path ? "/" : "") < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", path);

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot open directory '%s'", dir);
	if (fsync(fd) < 0)
		return err_set(err, ERR_IO, "cannot sync directory '%s'", dir);
	return 0;
}

int fsx_replace_mode(const char *path, const void *data, size_t size, mode_t mode,
		     struct err *err)
{
	_cleanup_(closep) int fd = -1;
	char tmp[PATH_MAX];

	if (str_printf(tmp, sizeof(tmp), "%s.new", path) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", path);

	/* A stale .new left by a crash is harmless: it is truncated here. */
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot create '%s'", tmp);

	if (fchmod(fd, mode) < 0 || write_all(fd, data, size) < 0 || fsync(fd) < 0) {
		int rc = err_set(err, ERR_IO, "cannot write '%s'", tmp);

		(void)unlink(tmp);
		return rc;
	}
	if (rename(tmp, path) < 0)
		return err_set(err, ERR_IO, "cannot rename '%s'", tmp);
	return fsx_sync_dir_of(path, err);
}

int fsx_replace(const char *path, const void *data, size_t size, struct err *err)
{
	return fsx_replace_mode(path, data, size, 0600, err);
}

static int read_all(int fd, const char *path, size_t max, struct buf *ret, struct err *err)
{
	char chunk[8192];

	/* Bounded by max: every round adds at least a byte or ends. */
	while (ret->len <= max) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, ERR_IO, "cannot read '%s'", path);
		if (n == 0)
			return 0;
		buf_add(ret, chunk, (size_t)n);
	}
	return err_set(err, ERR_RANGE, "'%s' is longer than %zu bytes", path, max);
}

int fsx_read(const char *path, size_t max, struct buf *ret, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	buf_clear(ret);
	/* O_NONBLOCK: opening a FIFO somebody put there must not hang. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return FSX_MISSING;
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_set(err, ERR_IO, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_STATE, "'%s' is not a regular file", path);
	return read_all(fd, path, max, ret, err);
}

int fsx_remove(const char *path, struct err *err)
{
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_set(err, ERR_IO, "cannot remove '%s'", path);
	}
	return fsx_sync_dir_of(path, err);
}

static int make_dir(const char *path, mode_t mode, struct err *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		/* The umask must not take away what was asked for. */
		if (chmod(path, mode) < 0)
			return err_set(err, ERR_IO, "cannot set the mode of '%s'", path);
		return 0;
	}
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		return err_set(err, ERR_STATE, "'%s' exists and is not a directory", path);
	}
	/* stat() fails as well where mkdir() was refused, and with the same reason. */
	return err_set(err, ERR_IO, "cannot make directory '%s'", path);
}

int fsx_mkdirs(const char *path, mode_t mode, struct err *err)
{
	char part[PATH_MAX];
	char *slash = part;

	if (path[0] == '\0')
		return err_set(err, ERR_STATE, "empty directory name");
	if (str_copy(part, sizeof(part), path) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", path);

	while ((slash = strchr(slash + 1, '/')) != NULL) {
		int rc;

		*slash = '\0';
		rc = make_dir(part, mode, err);
		if (rc < 0)
			return rc;
		*slash = '/';
	}
	return make_dir(part, mode, err);
}
