/* SPDX-License-Identifier: PostgreSQL */
/*
 * procs - the processes of one Postgres, found and signalled without allocating memory
 */
#include "guard/procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"

/* See io/pggroup.h. */
#define GROUP_MOUNT "/sys/fs/cgroup"
#define GROUP_NAME  "/pgha-postgres"

/* Which Postgres is looked for. */
struct target {
	bool postmaster; /* the named one lives */
	pid_t pid;
	dev_t device;
	ino_t inode;
};

int procs_open(struct procs *procs, struct err *err)
{
	procs->n = 0;
	procs->dir_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return procs->dir_fd < 0 ? err_set(err, ERR_IO, "cannot open /proc") : 0;
}

/* Fields 3, 4 and 22 of proc(5). The name in parentheses may hold anything, blanks and
 * parentheses too: what follows the last closing one is numbers. */
static bool read_stat(const struct procs *procs, pid_t pid, struct proc *ret)
{
	_cleanup_(closep) int fd = -1;
	unsigned long long start = 0;
	char text[1024];
	const char *rest;
	int parent = 0;
	char state = 0;
	ssize_t len;

	(void)str_printf(text, sizeof(text), "%d/stat", (int)pid);
	fd = openat(procs->dir_fd, text, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1,
			    " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d"
			    " %*d %llu",
			    &state, &parent, &start) != 3)
		return false;
	*ret = (struct proc){
		.pid = pid, .parent = parent, .start_ticks = (int64_t)start, .state = state
	};
	return true;
}

static bool is_dead(const struct proc *proc)
{
	return proc->state == 'Z' || proc->state == 'X';
}

/* Also after a package upgrade, when the kernel adds " (deleted)", and where a build adds a
 * version. Not: postgres_exporter. */
static bool is_postgres(const struct procs *procs, pid_t pid)
{
	char path[32], exe[PATH_MAX];
	const char *name;
	ssize_t len;

	(void)str_printf(path, sizeof(path), "%d/exe", (int)pid);
	len = readlinkat(procs->dir_fd, path, exe, sizeof(exe) - 1);
	if (len < 0)
		return false;
	exe[len] = '\0';
	name = strrchr(exe, '/');
	name = name ? name + 1 : exe;
	return str_starts(name, "postgres") &&
	       (name[8] == '\0' || strchr(" -.0123456789", name[8]));
}

/* "postgres: walsender USER ADDRESS STATE", with the cluster's name before it where it has one. Who
 * calls a database user so only lives as long as a walsender does. */
static bool is_sender(const struct procs *procs, pid_t pid)
{
	_cleanup_(closep) int fd = -1;
	char text[256];
	ssize_t len;

	(void)str_printf(text, sizeof(text), "%d/cmdline", (int)pid);
	fd = openat(procs->dir_fd, text, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	return str_starts(text, "postgres: ") && strstr(text, ": walsender ") != NULL;
}

static bool work_dir(const struct procs *procs, pid_t pid, struct stat *ret)
{
	char path[32];

	(void)str_printf(path, sizeof(path), "%d/cwd", (int)pid);
	return fstatat(procs->dir_fd, path, ret, 0) == 0;
}

static struct target target_of(const struct procs *procs, const struct leasepage_facts *facts)
{
	struct target t = { .pid = (pid_t)facts->postmaster_pid,
			    .device = (dev_t)facts->data_device,
			    .inode = (ino_t)facts->data_inode };
	struct stat st = { 0 };
	struct proc found;

	t.postmaster = t.pid > 0 && read_stat(procs, t.pid, &found) && !is_dead(&found) &&
		       found.start_ticks == facts->postmaster_start_ticks;
	/* Without a data directory on the page the postmaster shows where it works. */
	if (t.inode == 0 && t.postmaster && work_dir(procs, t.pid, &st)) {
		t.device = st.st_dev;
		t.inode = st.st_ino;
	}
	return t;
}

static bool belongs(const struct procs *procs, const struct target *t, pid_t pid, struct proc *ret)
{
	struct stat st = { 0 };

	if (!read_stat(procs, pid, ret) || is_dead(ret))
		return false;
	if (t->postmaster && (pid == t->pid || ret->parent == t->pid))
		return true;
	return t->inode != 0 && work_dir(procs, pid, &st) && st.st_dev == t->device &&
	       st.st_ino == t->inode && is_postgres(procs, pid);
}

static void add_entry(struct procs *procs, const struct target *t, const char *name)
{
	struct proc found;
	int64_t pid;

	if (name[0] < '1' || name[0] > '9' || parse_int(name, 1, INT32_MAX, &pid, NULL) < 0)
		return;
	if (pid == getpid() || procs->n == PROCS_MAX || !belongs(procs, t, (pid_t)pid, &found))
		return;
	found.sender = is_sender(procs, (pid_t)pid);
	procs->items[procs->n++] = found;
}

int procs_find(struct procs *procs, const struct leasepage_facts *facts)
{
	struct target t = target_of(procs, facts);
	ssize_t len = 0;

	procs->n = 0;
	if (lseek(procs->dir_fd, 0, SEEK_SET) < 0)
		return -1;
	/* opendir() would allocate. Bounded by the number of processes. */
	while ((len = syscall(SYS_getdents64, procs->dir_fd, procs->entries,
			      sizeof(procs->entries))) > 0) {
		const struct dirent64 *entry;

		for (ssize_t at = 0; at < len; at += entry->d_reclen) {
			entry = (const void *)(procs->entries + at);
			add_entry(procs, &t, entry->d_name);
		}
	}
	return len < 0 ? -1 : (int)procs->n;
}

bool procs_is_parent(const struct procs *procs, const struct proc *proc)
{
	for (size_t i = 0; i < procs->n; i++) {
		if (procs->items[i].parent == proc->pid)
			return true;
	}
	return false;
}

bool procs_sleeps(const struct procs *procs, const struct proc *proc)
{
	struct proc now;

	return read_stat(procs, proc->pid, &now) && now.start_ticks == proc->start_ticks &&
	       now.state == 'S';
}

/* "0::/system.slice/pghad.service/pgha-postgres" and a newline; other lines are of version 1. */
bool procs_group(const struct procs *procs, const struct proc *proc, char *dst, size_t size)
{
	_cleanup_(closep) int fd = -1;
	char text[4096];
	char *group, *end;
	ssize_t len;

	(void)str_printf(text, sizeof(text), "%d/cgroup", (int)proc->pid);
	fd = openat(procs->dir_fd, text, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	group = strstr(text, "0::/");
	end = group ? strchr(group, '\n') : NULL;
	if (!end || (group != text && group[-1] != '\n'))
		return false;
	*end = '\0';
	return str_ends(group, GROUP_NAME) &&
	       str_printf(dst, size, GROUP_MOUNT "%s", group + strlen("0::")) > 0;
}

bool procs_lives(const struct procs *procs, const struct proc *proc)
{
	struct proc now;

	return read_stat(procs, proc->pid, &now) && !is_dead(&now) &&
	       now.start_ticks == proc->start_ticks;
}

bool procs_signal(const struct procs *procs, const struct proc *proc, int signo)
{
	_cleanup_(closep) int fd = (int)syscall(SYS_pidfd_open, proc->pid, 0);

	/* Compared while it is held: from here on the pidfd means this process or none. */
	if (fd < 0 || !procs_lives(procs, proc))
		return false;
	return syscall(SYS_pidfd_send_signal, fd, signo, NULL, 0) == 0;
}
