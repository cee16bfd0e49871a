/* SPDX-License-Identifier: PostgreSQL */
/*
 * pglog - where a server's words go, and its last one
 */
#include "io/pglog.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "io/fsx.h"

#define LOG_BYTES_MAX (64 * 1024 * 1024)
#define TAIL_BYTES    8192

static void clip_line(char *dst, size_t size, const char *line)
{
	str_clip(dst, MIN_OF(size, strcspn(line, "\n") + 1), line);
}

static const char *last_of(const char *text, const char *what)
{
	const char *found = NULL;

	for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
		found = at;
	return found;
}

/* The newest line that names a reason. That no socket could be made is none: why not, with the
 * address, is in the lines before. */
static void last_reason(const char *text, char *dst, size_t size)
{
	static const char *const levels[] = { "PANIC: ", "FATAL: ", "ERROR: " };
	const char *found = NULL, *socket;

	for (size_t i = 0; i < ARRAY_LEN(levels) && !found; i++)
		found = last_of(text, levels[i]);
	if (!found)
		return;
	clip_line(dst, size, found);
	socket = last_of(text, "could not bind ");
	if (socket && strstr(dst, "could not create any"))
		clip_line(dst, size, socket);
}

static void tail_of(const char *path, int64_t from, char *dst, size_t size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[TAIL_BYTES + 1];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	from = MAX_OF(MAX_OF(from, INT64_C(0)), (int64_t)st.st_size - TAIL_BYTES);
	n = pread(fd, text, TAIL_BYTES, (off_t)from);
	if (n <= 0)
		return;
	text[n] = '\0';
	last_reason(text, dst, size);
}

/* "stderr log/postgresql-2026-11-21.log": where the collector writes. */
static void collector_path(const char *data_dir, char dst[PATH_MAX])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	const char *name;

	dst[0] = '\0';
	if (str_printf(path, sizeof(path), "%s/current_logfiles", data_dir) < 0 ||
	    fsx_read(path, 4096, &text, NULL) != 0 || text.len == 0 ||
	    !str_starts(text.data, "stderr "))
		return;
	name = text.data + strlen("stderr ");
	(void)str_printf(dst, PATH_MAX, "%s%s%.*s", name[0] == '/' ? "" : data_dir,
			 name[0] == '/' ? "" : "/", (int)strcspn(name, "\n"), name);
}

int pglog_open(struct pglog *log, const char *data_dir, struct err *err)
{
	struct stat st = { 0 };
	int fd = -1;

	if (str_printf(log->path, sizeof(log->path), "%s.startup.log", data_dir) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", data_dir);
	fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EACCES || errno == EROFS) &&
	    str_printf(log->path, sizeof(log->path), "%s/pgha.startup.log", data_dir) > 0)
		fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", log->path);
	/* Opened for appending by all who write, so that cutting it does not leave a hole. */
	if (fstat(fd, &st) == 0 && st.st_size > LOG_BYTES_MAX && ftruncate(fd, 0) == 0)
		st.st_size = 0;
	log->from = st.st_size;
	/* What the last life complained of is no reason for this one. */
	log->collected_to = 0;
	collector_path(data_dir, log->collected_path);
	if (stat(log->collected_path, &st) == 0)
		log->collected_to = st.st_size;
	return fd;
}

void pglog_reason(const struct pglog *log, const char *data_dir, char *dst, size_t size)
{
	char path[PATH_MAX];

	dst[0] = '\0';
	if (log->path[0])
		tail_of(log->path, log->from, dst, size);
	if (dst[0])
		return;
	collector_path(data_dir, path);
	if (path[0])
		tail_of(path, str_eq(path, log->collected_path) ? log->collected_to : 0, dst, size);
}
