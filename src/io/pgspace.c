/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgspace - table spaces with a place outside of the data directory
 */
#include "io/pgspace.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "io/pgdir.h"

static void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static void add_versions(const char *place, int32_t major, struct words *ret)
{
	_cleanup_(closedirp) DIR *dir = opendir(place);
	struct dirent *entry;
	char ours[32];

	if (!dir || str_printf(ours, sizeof(ours), "PG_%d_", (int)major) < 0)
		return;
	while (words_room(ret, 1) && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, ours, strlen(ours)) == 0)
			words_add(ret, "%s/%s", place, entry->d_name);
	}
}

void pgspace_outside(const char *data_dir, struct words *ret)
{
	char links[PATH_MAX], path[PATH_MAX], place[PATH_MAX];
	int32_t major = pgdir_major(data_dir);
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;

	if (major == 0 || str_printf(links, sizeof(links), "%s/pg_tblspc", data_dir) < 0)
		return;
	dir = opendir(links);
	while (dir && (entry = readdir(dir)) != NULL) {
		ssize_t len;

		if (str_printf(path, sizeof(path), "%s/%s", links, entry->d_name) < 0)
			continue;
		len = readlink(path, place, sizeof(place) - 1);
		/* One without a link is inside (allow_in_place_tablespaces). */
		if (len <= 0 || place[0] != '/')
			continue;
		place[len] = '\0';
		add_versions(place, major, ret);
	}
}
