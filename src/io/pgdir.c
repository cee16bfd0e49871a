/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdir - a data directory as a whole: what it is, and replacing it without losing it
 *
 * Nothing here waits for the disk: whoever needs a rename to be durable runs sync(1) as a child
 * on the parent directory. A rename that a power cut takes back leaves the state before it, which
 * pgdir_mend() knows.
 */
#include "io/pgdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "io/fsx.h"
#include "io/loop.h"

#define SETTLED_NS INT64_C(2000000000)

static int join(char dst[PATH_MAX], const char *dir, const char *name, struct err *err)
{
	if (str_printf(dst, PATH_MAX, "%s/%s", dir, name) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s/%s'", dir, name);
	return 0;
}

/* A link is followed once, as long as it leads to something or to nothing yet. */
static int resolve(char dst[PATH_MAX], const char *data_dir, struct err *err)
{
	_cleanup_(freep) char *real = realpath(data_dir, NULL);
	const char *path = real ? real : data_dir;
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (str_printf(dst, PATH_MAX, "%.*s", (int)len, path) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", path);
	return 0;
}

int pgdir_init(struct pgdir *dir, const char *data_dir, struct err *err)
{
	int rc = resolve(dir->data, data_dir, err);

	if (rc < 0)
		return rc;
	if (str_printf(dir->staged, sizeof(dir->staged), "%s.pgha-new", dir->data) < 0 ||
	    str_printf(dir->old, sizeof(dir->old), "%s.pgha-old", dir->data) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", data_dir);
	return 0;
}

/* -- looking ------------------------------------------------------------------------------ */

bool pgdir_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool pgdir_has(const char *data_dir, const char *name)
{
	char path[PATH_MAX];

	return join(path, data_dir, name, NULL) == 0 && pgdir_exists(path);
}

bool pgdir_group_access(const char *data_dir)
{
	struct stat st;

	return stat(data_dir, &st) == 0 && (st.st_mode & S_IRGRP);
}

/* 1 empty or missing, 0 not, -1 cannot tell. */
static int look_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int empty = 1;

	if (!dir)
		return errno == ENOENT ? 1 : -1;
	/* Ends at the first file; only dots and lost+found are passed over. */
	for (errno = 0; empty == 1 && (entry = readdir(dir)) != NULL; errno = 0) {
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..") &&
		    !str_eq(entry->d_name, "lost+found"))
			empty = 0;
	}
	if (empty == 1 && errno != 0)
		empty = -1;
	(void)closedir(dir);
	return empty;
}

bool pgdir_empty(const char *path)
{
	return look_empty(path) == 1;
}

int32_t pgdir_major(const char *data_dir)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	uint64_t major = 0;

	if (join(path, data_dir, "PG_VERSION", NULL) < 0 || fsx_read(path, 64, &text, NULL) != 0 ||
	    text.len == 0)
		return 0;
	text.data[strcspn(text.data, "\n")] = '\0';
	if (parse_uint(text.data, 1000, &major, NULL) < 0)
		return 0;
	return (int32_t)major;
}

static enum data_dir classify(const char *data_dir, int32_t major)
{
	switch (look_empty(data_dir)) {
	case 1:
		return DIR_EMPTY;
	case 0:
		break;
	default:
		return DIR_UNKNOWN;
	}
	if (pgdir_has(data_dir, PGDIR_REWINDING) || pgdir_has(data_dir, PGDIR_EMPTIED))
		return DIR_HALF;
	if (major > 0 && pgdir_has(data_dir, "global/pg_control"))
		return DIR_PRESENT;
	return DIR_BROKEN;
}

static bool stamp_of(const char *path, struct pgdir_stamp *ret)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	*ret = (struct pgdir_stamp){ .device = (int64_t)st.st_dev, .inode = (int64_t)st.st_ino,
				     .size = (int64_t)st.st_size,
				     .changed_ns = st.st_ctim.tv_sec * INT64_C(1000000000) +
						   st.st_ctim.tv_nsec };
	return true;
}

static bool same_stamp(const struct pgdir_stamp *a, const struct pgdir_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed_ns == b->changed_ns;
}

/* Clocks of file systems tick slowly: what was changed just now may change once more without a
 * trace. */
static bool is_settled(const struct pgdir_stamp *stamp)
{
	return loop_wall_us() * 1000 - stamp->changed_ns > SETTLED_NS;
}

bool pgdir_unchanged(const char *path, struct pgdir_stamp *stamp)
{
	struct pgdir_stamp now;
	bool same;

	if (!stamp_of(path, &now)) {
		*stamp = (struct pgdir_stamp){ 0 };
		return false;
	}
	same = same_stamp(&now, stamp);
	*stamp = is_settled(&now) ? now : (struct pgdir_stamp){ 0 };
	return same;
}

void pgdir_look(const char *data_dir, struct pg_state *ret)
{
	int32_t major = pgdir_major(data_dir);

	ret->dir = classify(data_dir, major);
	ret->standby_signal = pgdir_has(data_dir, "standby.signal") ||
			      pgdir_has(data_dir, "recovery.signal");
	ret->boot_unfinished = pgdir_has(data_dir, PGDIR_BOOTSTRAP);
	ret->emptied = pgdir_has(data_dir, PGDIR_EMPTIED);
	ret->restoring = ret->boot_unfinished && pgdir_has(data_dir, "recovery.signal") &&
			 !pgdir_has(data_dir, "standby.signal");
	if (ret->server_version / 10000 != major)
		ret->server_version = major * 10000;
}

/* The facts that pgdir_look() fills. */
static void copy_look(struct pg_state *dst, const struct pg_state *src)
{
	dst->dir = src->dir;
	dst->standby_signal = src->standby_signal;
	dst->boot_unfinished = src->boot_unfinished;
	dst->emptied = src->emptied;
	dst->restoring = src->restoring;
	if (dst->server_version / 10000 != src->server_version / 10000)
		dst->server_version = src->server_version / 10000 * 10000;
}

/* Every file that matters has its name in the directory itself but one, and the text of one
 * counts. */
void pgdir_look_again(const char *data_dir, struct pgdir_seen *seen, struct pg_state *ret)
{
	char version[PATH_MAX];
	bool same = pgdir_unchanged(data_dir, &seen->dir);
	bool has_control = pgdir_has(data_dir, "global/pg_control");

	if (join(version, data_dir, "PG_VERSION", NULL) < 0 ||
	    !pgdir_unchanged(version, &seen->version))
		same = false;
	if (!same || has_control != seen->has_control) {
		seen->has_control = has_control;
		seen->state = (struct pg_state){ 0 };
		pgdir_look(data_dir, &seen->state);
	}
	copy_look(ret, &seen->state);
}

/* -- marks -------------------------------------------------------------------------------- */

int pgdir_mark(const char *data_dir, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int rc = join(path, data_dir, name, err);

	if (rc < 0)
		return rc;
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return err_set(err, ERR_IO, "cannot make '%s'", path);
	return 0;
}

int pgdir_unmark(const char *data_dir, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int rc = join(path, data_dir, name, err);

	if (rc < 0)
		return rc;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, ERR_IO, "cannot remove '%s'", path);
	return 0;
}

/* -- replacing ---------------------------------------------------------------------------- */

static int move(const char *from, const char *to, struct err *err)
{
	if (rename(from, to) == 0)
		return 0;
	if (errno == EBUSY || errno == EXDEV)
		return err_set(err, ERR_IO,
			       "cannot rename '%s', which seems to be a mount point: set data_dir "
			       "to a directory inside of it",
			       from);
	return err_set(err, ERR_IO, "cannot rename '%s' to '%s'", from, to);
}

/* The one to be replaced: renamed away, or removed when it is an empty directory. */
static int clear_the_way(const struct pgdir *dir, struct err *err)
{
	if (!pgdir_exists(dir->data))
		return 0;
	if (rmdir(dir->data) == 0)
		return 0;
	if (pgdir_exists(dir->old))
		return err_set(err, ERR_STATE, "'%s' is in the way", dir->old);
	return move(dir->data, dir->old, err);
}

int pgdir_swap(const struct pgdir *dir, struct err *err)
{
	int rc;

	if (!pgdir_has(dir->staged, PGDIR_WHOLE))
		return err_set(err, ERR_STATE, "'%s' is not whole", dir->staged);
	rc = clear_the_way(dir, err);
	if (rc < 0)
		return rc;
	rc = move(dir->staged, dir->data, err);
	if (rc < 0) {
		if (pgdir_exists(dir->old) && rename(dir->old, dir->data) < 0)
			log_error("cannot rename '%s' back to '%s': %m", dir->old, dir->data);
		return rc;
	}
	return pgdir_unmark(dir->data, PGDIR_WHOLE, err);
}

int pgdir_set_aside(const struct pgdir *dir, struct err *err)
{
	int rc;

	if (pgdir_exists(dir->old))
		return err_set(err, ERR_STATE, "'%s' is in the way", dir->old);
	if (!pgdir_exists(dir->data)) {
		/* Also where nothing was there is something to come back to. */
		if (mkdir(dir->old, 0700) < 0)
			return err_set(err, ERR_IO, "cannot make '%s'", dir->old);
		return pgdir_mark(dir->old, PGDIR_ASIDE, err);
	}
	rc = pgdir_mark(dir->data, PGDIR_ASIDE, err);
	if (rc < 0)
		return rc;
	rc = move(dir->data, dir->old, err);
	/* A mark left behind says nothing where it is: pgdir_mend() takes it away. */
	if (rc < 0 && pgdir_unmark(dir->data, PGDIR_ASIDE, NULL) < 0)
		log_warning("a mark is left in '%s'", dir->data);
	return rc;
}

int pgdir_keep_new(const struct pgdir *dir, struct err *err)
{
	return pgdir_unmark(dir->old, PGDIR_ASIDE, err);
}

int pgdir_bring_back(const struct pgdir *dir, struct err *err)
{
	int rc;

	if (rmdir(dir->data) < 0 && errno != ENOENT) {
		if (pgdir_exists(dir->staged))
			return err_set(err, ERR_STATE, "'%s' is in the way", dir->staged);
		rc = move(dir->data, dir->staged, err);
		if (rc < 0)
			return rc;
	}
	rc = move(dir->old, dir->data, err);
	if (rc < 0)
		return rc;
	return pgdir_unmark(dir->data, PGDIR_ASIDE, err);
}

int pgdir_discard(const struct pgdir *dir, struct err *err)
{
	int rc;

	if (pgdir_exists(dir->staged))
		return err_set(err, ERR_STATE, "'%s' is in the way", dir->staged);
	/* With this mark it would be taken for a copy that waits to be swapped in. */
	rc = pgdir_unmark(dir->data, PGDIR_WHOLE, err);
	return rc < 0 ? rc : move(dir->data, dir->staged, err);
}

/* -- mending ------------------------------------------------------------------------------ */

static int mend_aside(const struct pgdir *dir, struct err *err)
{
	/* In <data> the mark says nothing: before the first rename, or after the last one. */
	if (pgdir_has(dir->data, PGDIR_ASIDE))
		return pgdir_unmark(dir->data, PGDIR_ASIDE, err);
	if (!pgdir_has(dir->old, PGDIR_ASIDE))
		return 0;
	log_warning("'%s' was set aside by an interrupted command and is put back", dir->data);
	return pgdir_bring_back(dir, err);
}

static int mend_swap(const struct pgdir *dir, struct err *err)
{
	int rc;

	if (!pgdir_empty(dir->data))
		return pgdir_unmark(dir->data, PGDIR_WHOLE, err);
	if (pgdir_has(dir->staged, PGDIR_WHOLE)) {
		log_warning("finishing the interrupted replacement of '%s'", dir->data);
		rc = clear_the_way(dir, err);
		if (rc == 0)
			rc = move(dir->staged, dir->data, err);
		return rc < 0 ? rc : pgdir_unmark(dir->data, PGDIR_WHOLE, err);
	}
	if (!pgdir_exists(dir->old))
		return 0;
	log_warning("undoing the interrupted replacement of '%s'", dir->data);
	if (rmdir(dir->data) < 0 && errno != ENOENT)
		return err_set(err, ERR_IO, "cannot remove '%s'", dir->data);
	return move(dir->old, dir->data, err);
}

int pgdir_mend(const struct pgdir *dir, int *ret_rubbish, struct err *err)
{
	int rubbish = 0;
	int rc = mend_aside(dir, err);

	if (rc == 0)
		rc = mend_swap(dir, err);
	if (rc < 0)
		return rc;
	/* The old one goes only while a usable one stands in its place. */
	if (pgdir_exists(dir->old) && classify(dir->data, pgdir_major(dir->data)) == DIR_PRESENT)
		rubbish |= PGDIR_RUBBISH_OLD;
	if (pgdir_exists(dir->staged))
		rubbish |= PGDIR_RUBBISH_STAGED;
	*ret_rubbish = rubbish;
	return 0;
}

/* -- whether it can be done --------------------------------------------------------------- */

static int check_no_mount(const char *data, const char *parent, struct err *err)
{
	struct stat st, parent_st;

	if (lstat(data, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, ERR_IO, "cannot look at '%s'", data);
	if (S_ISLNK(st.st_mode))
		return err_set(err, ERR_CONFIG, "'%s' is a symbolic link that leads nowhere", data);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_CONFIG, "'%s' is not a directory", data);
	if (stat(parent, &parent_st) == 0 && parent_st.st_dev != st.st_dev)
		return err_set(err, ERR_CONFIG,
			       "'%s' is a mount point, which cannot be replaced by renaming: set "
			       "data_dir to a directory inside of it",
			       data);
	return 0;
}

int pgdir_check(const struct pgdir *dir, struct err *err)
{
	const char *slash = strrchr(dir->data, '/');
	char parent[PATH_MAX];
	int rc;

	if (dir->data[0] != '/' || !slash || slash[1] == '\0')
		return err_set(err, ERR_CONFIG, "data_dir '%s' is no absolute path of a directory",
			       dir->data);
	(void)str_printf(parent, sizeof(parent), "%.*s", (int)(slash - dir->data), dir->data);
	if (parent[0] == '\0')
		(void)str_copy(parent, sizeof(parent), "/");
	rc = fsx_mkdirs(parent, 0700, err);
	if (rc < 0)
		return rc;
	if (access(parent, W_OK | X_OK) < 0)
		return err_set(err, ERR_IO,
			       "'%s' must be writable, for a new data directory is made beside the "
			       "old one",
			       parent);
	return check_no_mount(dir->data, parent, err);
}
