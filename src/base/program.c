/* SPDX-License-Identifier: PostgreSQL */
/*
 * program - the file that this process runs
 */
#include "base/program.h"

#include <limits.h>
#include <unistd.h>

#include "base/str.h"

/* The kernel adds it when the name was removed, or belongs to another file now. */
#define DELETED " (deleted)"

int program_path(const char *argv0, char *dst, size_t size, struct err *err)
{
	char self[PATH_MAX];
	ssize_t len;

	if (argv0 != NULL && argv0[0] == '/') {
		len = str_copy(dst, size, argv0);
	} else {
		len = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (len < 0)
			return err_set(err, ERR_IO, "cannot read /proc/self/exe");
		self[len] = '\0';
		if (str_ends(self, DELETED))
			self[len - (ssize_t)strlen(DELETED)] = '\0';
		len = str_copy(dst, size, self);
	}
	return len < 0 ? err_set(err, ERR_TOOLONG, "the path of this program") : 0;
}
