/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgwal - a WAL directory outside of the data directory
 */
#include "io/pgwal.h"

#include <unistd.h>

#include "base/str.h"

#define OTHER ".pgha-new"

/* Where <data_dir>/pg_wal leads; false when it is no link. */
static bool target(const char *data_dir, char dst[PATH_MAX])
{
	char path[PATH_MAX];
	ssize_t len;

	if (str_printf(path, sizeof(path), "%s/pg_wal", data_dir) < 0)
		return false;
	len = readlink(path, dst, PATH_MAX - 1);
	while (len > 1 && dst[len - 1] == '/')
		len--;
	if (len <= 0)
		return false;
	dst[len] = '\0';
	return dst[0] == '/';
}

static void strip(char *path, const char *suffix)
{
	if (str_ends(path, suffix))
		path[strlen(path) - strlen(suffix)] = '\0';
}

int pgwal_choose(struct pgwal *wal, const struct pgdir *dir, const char *option, struct err *err)
{
	char now[PATH_MAX] = "", base[PATH_MAX], other[PATH_MAX];
	bool linked = target(dir->data, now);

	*wal = (struct pgwal){ 0 };
	if (!linked && !option)
		return 0;
	if (str_copy(base, sizeof(base), option ? option : now) < 0)
		return err_set(err, ERR_TOOLONG, "waldir '%s'", option);
	if (base[0] != '/')
		return err_set(err, ERR_CONFIG, "waldir '%s' must be an absolute path", base);
	strip(base, "/");
	strip(base, OTHER);
	if (str_printf(other, sizeof(other), "%s" OTHER, base) < 0)
		return err_set(err, ERR_TOOLONG, "waldir '%s'", base);

	(void)str_copy(wal->use, sizeof(wal->use), str_eq(now, base) ? other : base);
	if (pgdir_empty(wal->use))
		return 0;
	if (!str_eq(now, base) && !str_eq(now, other))
		return err_set(err, ERR_STATE,
			       "'%s' is not empty, and a base backup needs an empty WAL directory: "
			       "move its content away",
			       wal->use);
	(void)str_copy(wal->clean, sizeof(wal->clean), wal->use);
	return 0;
}

bool pgwal_of_staged(const struct pgdir *dir, const char *option, char dst[PATH_MAX])
{
	char now[PATH_MAX] = "", base[PATH_MAX];

	if (!option || str_copy(base, sizeof(base), option) < 0)
		return false;
	strip(base, "/");
	return target(dir->staged, dst) && str_eq(dst, base) &&
	       !(target(dir->data, now) && str_eq(now, dst)) &&
	       !(target(dir->old, now) && str_eq(now, dst));
}

bool pgwal_of_old(const struct pgdir *dir, char dst[PATH_MAX])
{
	char now[PATH_MAX] = "";

	return target(dir->old, dst) && !(target(dir->data, now) && str_eq(now, dst));
}
