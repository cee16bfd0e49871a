/* SPDX-License-Identifier: PostgreSQL */
/*
 * pggroup - a control group for Postgres below that of the agent
 */
#include "io/pggroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "io/fsx.h"
#include "io/pgproc.h"

#define MOUNT     "/sys/fs/cgroup"
#define NAME      "pgha-postgres" /* the guardian knows it by that */
#define TEXT_MAX  65536
#define VERSION_2 "0::"

/* The directory of our own group. Version 1 has lines of other numbers, and another mount. */
static int own_group(char dst[PATH_MAX], struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *line;
	int rc = fsx_read("/proc/self/cgroup", TEXT_MAX, &text, err);

	if (rc != 0)
		return rc < 0 ? rc : PGGROUP_NONE;
	line = text.data;
	while (line != NULL && !str_starts(line, VERSION_2)) {
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	if (line == NULL || strchr(line, '\n') == NULL)
		return PGGROUP_NONE;
	line += strlen(VERSION_2);
	return str_printf(dst, PATH_MAX, MOUNT "%.*s", (int)strcspn(line, "\n"), line) < 0 ?
		       PGGROUP_NONE :
		       0;
}

/* Of another agent in our group: the guardian would kill its server with ours. */
static bool is_taken(const char *procs)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	return fsx_read(procs, TEXT_MAX, &text, NULL) != 0 || text.len > 0;
}

/* On a busy host it may have forked before it was moved; whom it forks since goes with it. */
static void add_children(const char *own, pid_t parent, int fd)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char procs[PATH_MAX];
	char *rest = NULL;

	if (str_printf(procs, sizeof(procs), "%s/cgroup.procs", own) < 0 ||
	    fsx_read(procs, TEXT_MAX, &text, NULL) != 0)
		return;
	for (char *pid = strtok_r(text.data, "\n", &rest); pid; pid = strtok_r(NULL, "\n", &rest)) {
		int64_t number;

		/* One that has ended meanwhile is no fault. */
		if (parse_int(pid, 1, INT32_MAX, &number, NULL) == 0 &&
		    pgproc_parent((pid_t)number) == parent && write(fd, pid, strlen(pid)) < 0 &&
		    errno != ESRCH)
			log_warning("cannot move process %s of Postgres to its control group: %s",
				    pid, strerror(errno));
	}
}

int pggroup_add(pid_t pid, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	char own[PATH_MAX], group[PATH_MAX], procs[PATH_MAX], number[16];
	int len = str_printf(number, sizeof(number), "%d", (int)pid);
	int rc = own_group(own, err);

	if (rc != 0)
		return rc;
	if (str_printf(group, sizeof(group), "%s/" NAME, own) < 0 ||
	    str_printf(procs, sizeof(procs), "%s/cgroup.procs", group) < 0)
		return PGGROUP_NONE;
	if (mkdir(group, 0755) < 0 && errno != EEXIST)
		return PGGROUP_NONE;
	if (is_taken(procs))
		return PGGROUP_NONE;
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, number, (size_t)len) != len)
		return err_set(err, ERR_IO, "cannot move process %s to '%s'", number, group);
	add_children(own, pid, fd);
	return 0;
}
