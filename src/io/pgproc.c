/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgproc - the processes of one data directory
 */
#include "io/pgproc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"
#include "io/child.h"
#include "io/fsx.h"

#define PIDFILE_BYTES 4096
#define PIDFILE_LINES 8

/* -- postmaster.pid ----------------------------------------------------------------------- */

static enum pgproc_status status_of(const char *text)
{
	/* Padded with blanks to one length, so that it can be rewritten in place. */
	if (str_starts(text, "starting"))
		return PGPROC_STARTING;
	if (str_starts(text, "stopping"))
		return PGPROC_STOPPING;
	if (str_starts(text, "ready"))
		return PGPROC_READY;
	if (str_starts(text, "standby"))
		return PGPROC_STANDBY;
	return PGPROC_EARLY;
}

int pgproc_pidfile_parse(const char *text, struct pgproc_pidfile *ret, struct err *err)
{
	char lines[PIDFILE_LINES][256] = { 0 };
	struct pgproc_pidfile file = { 0 };
	int64_t pid = 0;
	uint64_t port = 0;
	size_t n = 0;

	for (; *text && n < PIDFILE_LINES; n++) {
		size_t len = strcspn(text, "\n");

		str_clip(lines[n], MIN_OF(sizeof(lines[n]), len + 1), text);
		text += len + (text[len] == '\n');
	}
	/* A single-user server writes its pid with a minus. */
	if (parse_int(lines[0], INT32_MIN, INT32_MAX, &pid, err) < 0 || pid == 0)
		return err_set(err, ERR_PARSE, "postmaster.pid begins with '%s'", lines[0]);
	if (lines[3][0] && parse_uint(lines[3], UINT16_MAX, &port, err) < 0)
		return err_wrap(err, "port in postmaster.pid");

	file.pid = (pid_t)(pid < 0 ? -pid : pid);
	file.port = (uint16_t)port;
	file.status = status_of(lines[7]);
	(void)str_copy(file.socket_dir, sizeof(file.socket_dir), lines[4]);
	(void)str_copy(file.listen_addr, sizeof(file.listen_addr), lines[5]);
	*ret = file;
	return 0;
}

int pgproc_pidfile_read(const char *data_dir, struct pgproc_pidfile *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	int rc;

	if (str_printf(path, sizeof(path), "%s/postmaster.pid", data_dir) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", data_dir);
	rc = fsx_read(path, PIDFILE_BYTES, &text, err);
	if (rc != 0)
		return rc == FSX_MISSING ? PGPROC_NONE : rc;
	/* Created empty, then written: for an instant there is nothing in it. */
	if (text.len == 0)
		return PGPROC_NONE;
	return pgproc_pidfile_parse(text.data, ret, err);
}

/* -- /proc -------------------------------------------------------------------------------- */

/* The name in parentheses may hold anything, blanks and parentheses too: what follows the last
 * closing one is numbers. */
static int read_stat(pid_t pid, struct pgproc *ret)
{
	_cleanup_(closep) int fd = -1;
	char path[64];
	char text[1024];
	unsigned long long start = 0;
	int parent = 0, session = 0;
	char state = 0;
	const char *rest;
	ssize_t len;

	(void)str_printf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return PGPROC_NONE;
	text[len] = '\0';
	rest = strrchr(text, ')');
	/* Fields 3 to 22 of proc(5): state, parent, group, session, ..., start time. */
	if (!rest || sscanf(rest + 1,
			    " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d"
			    " %*d %llu",
			    &state, &parent, &session, &start) != 4)
		return PGPROC_NONE;
	ret->pid = pid;
	ret->parent = parent;
	ret->session = session;
	ret->start_ticks = start;
	ret->state = state;
	return 0;
}

pid_t pgproc_parent(pid_t pid)
{
	struct pgproc proc;

	return read_stat(pid, &proc) == 0 ? proc.parent : -1;
}

/* The kernel tells it of a child for a small part of what all the numbers of its file cost. */
bool pgproc_stopped(const struct pgproc *proc)
{
	siginfo_t info = { 0 };
	struct pgproc now;

	if (proc->pidfd >= 0 &&
	    child_pidfd_wait(proc->pidfd, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0)
		return info.si_pid != 0;
	return read_stat(proc->pid, &now) == 0 && now.state == 'T';
}

static bool is_postgres(pid_t pid)
{
	char path[64], exe[PATH_MAX];
	const char *name;
	ssize_t len;

	(void)str_printf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	len = readlink(path, exe, sizeof(exe) - 1);
	if (len < 0)
		return false;
	exe[len] = '\0';
	name = strrchr(exe, '/');
	name = name ? name + 1 : exe;
	/* After a package upgrade the kernel adds " (deleted)"; some builds add a version. Not:
	 * postgres_exporter. */
	return str_starts(name, "postgres") &&
	       (name[8] == '\0' || strchr(" -.0123456789", name[8]));
}

static bool works_in(pid_t pid, const struct stat *dir)
{
	char path[64];
	struct stat st;

	(void)str_printf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	return stat(path, &st) == 0 && st.st_dev == dir->st_dev && st.st_ino == dir->st_ino;
}

static int stat_dir(const char *data_dir, struct stat *ret, struct err *err)
{
	if (stat(data_dir, ret) == 0)
		return 0;
	if (errno == ENOENT || errno == ENOTDIR)
		return PGPROC_NONE;
	return err_set(err, ERR_IO, "cannot look at '%s'", data_dir);
}

int pgproc_open(const char *data_dir, pid_t pid, struct pgproc *ret, struct err *err)
{
	_cleanup_(closep) int pidfd = -1;
	struct pgproc proc = { 0 };
	struct stat dir;
	int rc;

	rc = stat_dir(data_dir, &dir, err);
	if (rc != 0)
		return rc;
	pidfd = child_pidfd_open(pid);
	if (pidfd < 0 && (errno == ESRCH || errno == EINVAL))
		return PGPROC_NONE;
	if (pidfd < 0)
		return err_set(err, ERR_IO, "cannot open a pidfd of process %d", (int)pid);
	/* Looked at while it is held. */
	if (!is_postgres(pid) || !works_in(pid, &dir) || read_stat(pid, &proc) != 0)
		return PGPROC_NONE;
	/* It may have ended and been replaced before the pidfd was opened, but not between then
	 * and now if it still lives. */
	if (child_pidfd_signal(pidfd, 0) < 0)
		return PGPROC_NONE;
	proc.pidfd = pidfd;
	pidfd = -1;
	*ret = proc;
	return 0;
}

void pgproc_done(struct pgproc *proc)
{
	closep(&proc->pidfd);
}

static bool belongs(pid_t pid, const struct stat *dir, pid_t except, struct pgproc *ret)
{
	return works_in(pid, dir) && is_postgres(pid) && read_stat(pid, ret) == 0 &&
	       (except == 0 || ret->session != except);
}

static int scan(DIR *proc, const struct stat *dir, pid_t except, struct pgproc *ret, size_t max,
		struct err *err)
{
	struct dirent *entry;
	size_t n = 0;

	/* Bounded by the number of processes. */
	for (errno = 0; (entry = readdir(proc)) != NULL; errno = 0) {
		struct pgproc found = { .pidfd = -1 };
		int64_t pid = 0;

		if (parse_int(entry->d_name, 1, INT32_MAX, &pid, NULL) < 0)
			continue;
		if (!belongs((pid_t)pid, dir, except, &found))
			continue;
		if (n < max)
			ret[n] = found;
		n++;
	}
	if (errno != 0)
		return err_set(err, ERR_IO, "cannot list processes");
	return (int)n;
}

int pgproc_scan(const char *data_dir, pid_t except, struct pgproc *ret, size_t max,
		struct err *err)
{
	struct stat dir;
	DIR *proc;
	int rc = stat_dir(data_dir, &dir, err);

	if (rc != 0)
		return rc == PGPROC_NONE ? 0 : rc;
	proc = opendir("/proc");
	if (!proc)
		return err_set(err, ERR_IO, "cannot open /proc");
	rc = scan(proc, &dir, except, ret, max, err);
	(void)closedir(proc);
	return rc;
}

/* -- killing ------------------------------------------------------------------------------ */

static bool is_parent(const struct pgproc *procs, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (procs[i].parent == pid)
			return true;
	}
	return false;
}

/* Anew by pidfd: between the scan and now the pid may have changed hands. */
static void signal_one(const char *data_dir, const struct pgproc *seen, int signo)
{
	struct pgproc proc = { .pidfd = -1 };

	if (pgproc_open(data_dir, seen->pid, &proc, NULL) != 0)
		return;
	if (proc.start_ticks == seen->start_ticks)
		(void)child_pidfd_signal(proc.pidfd, signo);
	pgproc_done(&proc);
}

int pgproc_kill_round(const char *data_dir, pid_t except, struct err *err)
{
	_cleanup_(freep) struct pgproc *procs = mem_new(PGPROC_SCAN_MAX, sizeof(*procs));
	int found = pgproc_scan(data_dir, except, procs, PGPROC_SCAN_MAX, err);
	size_t n;

	if (found <= 0)
		return found;
	n = MIN_OF((size_t)found, (size_t)PGPROC_SCAN_MAX);
	for (size_t i = 0; i < n; i++) {
		if (is_parent(procs, n, procs[i].pid))
			signal_one(data_dir, &procs[i], SIGSTOP);
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_parent(procs, n, procs[i].pid))
			signal_one(data_dir, &procs[i], SIGKILL);
	}
	for (size_t i = 0; i < n; i++) {
		if (is_parent(procs, n, procs[i].pid))
			signal_one(data_dir, &procs[i], SIGKILL);
	}
	return found;
}
