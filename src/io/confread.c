/* SPDX-License-Identifier: PostgreSQL */
/*
 * confread - the configuration from the disk and the environment
 */
#include "io/confread.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fsx.h"

#define TOTAL_MAX (1024 * 1024)

struct files {
	char *names[CONFREAD_FILES_MAX];
	struct buf texts[CONFREAD_FILES_MAX];
	size_t n;
};

static void files_done(struct files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		free(files->names[i]);
		buf_done(&files->texts[i]);
	}
}

static void closedirp(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

static bool is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Names of the files that count, sorted. */
static int list(const char *path, struct files *files, struct err *err)
{
	_cleanup_(closedirp) DIR *dir = opendir(path);
	const struct dirent *entry;

	if (dir == NULL)
		return err_set(err, ERR_IO, "cannot read the directory");
	while ((entry = readdir(dir)) != NULL) {
		_cleanup_(freep) char *name = str_dupf("%s/%s", path, entry->d_name);
		size_t at = files->n;

		if ((!str_ends(name, ".yml") && !str_ends(name, ".yaml")) || !is_regular(name))
			continue;
		if (files->n == CONFREAD_FILES_MAX)
			return err_set(err, ERR_RANGE, "more than %d files", CONFREAD_FILES_MAX);
		for (; at > 0 && strcmp(files->names[at - 1], name) > 0; at--)
			files->names[at] = files->names[at - 1];
		files->names[at] = TAKE(name);
		files->n++;
	}
	if (files->n == 0)
		return err_set(err, ERR_CONFIG, "no file in it ends in .yml or .yaml");
	return 0;
}

static int read_files(const char *path, struct files *files, struct err *err)
{
	size_t total = 0;
	int r = list(path, files, err);

	for (size_t i = 0; r >= 0 && i < files->n; i++) {
		r = fsx_read(files->names[i], TOTAL_MAX - total, &files->texts[i], err);
		/* Gone since it was listed: as if it had not been there. */
		if (r == FSX_MISSING)
			r = 0;
		total += files->texts[i].len;
	}
	return r;
}

/* A directory on the way that lets only its own in closes what is below. */
static bool is_reached_by_all(const char *path)
{
	char real[PATH_MAX];
	struct stat st;

	if (realpath(path, real) == NULL)
		return true;
	for (char *slash = strrchr(real, '/'); slash != NULL; slash = strrchr(real, '/')) {
		slash[slash == real] = '\0';
		if (stat(real, &st) == 0 && (st.st_mode & S_IXOTH) == 0)
			return false;
		if (slash == real)
			break;
	}
	return true;
}

static bool holds_secret(const struct buf *text)
{
	struct confdoc *doc = NULL;
	bool holds;

	/* What is wrong in it is told by whoever reads it for its settings. */
	if (confdoc_parse(text->data != NULL ? text->data : "", text->len, NULL, &doc, NULL) < 0)
		return false;
	holds = confdoc_holds_secret(doc);
	confdoc_free(doc);
	return holds;
}

static int check_mode(const char *path, const struct buf *text, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || (st.st_mode & (S_IROTH | S_IWOTH)) == 0 ||
	    !is_reached_by_all(path))
		return 0;
	if ((st.st_mode & S_IWOTH) != 0)
		return err_set(err, ERR_CONFIG,
			       "'%s' has mode %04o: every account of this host can write commands "
			       "into it that run as this user; chmod o-rwx '%s'",
			       path, (unsigned)st.st_mode & 07777, path);
	if (!holds_secret(text))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "'%s' holds passwords and has mode %04o: every account of this host can "
		       "read them; chmod o-rwx '%s'",
		       path, (unsigned)st.st_mode & 07777, path);
}

static int read_directory(const char *path, bool strict, struct confdoc **ret, struct err *err)
{
	_cleanup_(files_done) struct files files = { 0 };
	struct conf_text texts[CONFREAD_FILES_MAX];
	int r = read_files(path, &files, err);

	if (r < 0)
		return err_wrap(err, "%s", path);
	for (size_t i = 0; strict && r == 0 && i < files.n; i++)
		r = check_mode(files.names[i], &files.texts[i], err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < files.n; i++)
		texts[i] = (struct conf_text){ .name = files.names[i],
					       .text = files.texts[i].data != NULL ?
							       files.texts[i].data :
							       "",
					       .len = files.texts[i].len };
	r = confdoc_parse_texts(texts, files.n, (const char *const *)environ, ret, err);
	/* A fault in a text bears the name of its file. */
	return r;
}

static int read_one(const char *path, bool strict, struct confdoc **ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fsx_read(path, TOTAL_MAX, &text, err);

	if (r == FSX_MISSING)
		r = err_set(err, ERR_CONFIG, "configuration file '%s' does not exist", path);
	if (r == 0 && strict && check_mode(path, &text, err) < 0)
		return -ERR_CONFIG;
	if (r == 0)
		r = confdoc_parse(text.data != NULL ? text.data : "", text.len,
				  (const char *const *)environ, ret, err);
	return r < 0 ? err_wrap(err, "%s", path) : 0;
}

static int parse(const char *path, bool strict, struct confdoc **ret, struct err *err)
{
	struct stat st;

	if (path == NULL && confdoc_parse(NULL, 0, (const char *const *)environ, ret, err) < 0)
		return err_wrap(err, "the variables PATRONI_*");
	if (path == NULL)
		return 0;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return read_directory(path, strict, ret, err);
	return read_one(path, strict, ret, err);
}

int confread_parse(const char *path, struct confdoc **ret, struct err *err)
{
	return parse(path, false, ret, err);
}

int confread_load(const char *path, struct confdoc **ret, struct buf *ret_text, struct err *err)
{
	_cleanup_(conf_problems_done) struct conf_problems problems = { 0 };
	const char *name = path != NULL ? path : "environment";
	struct confdoc *doc = NULL;
	int r = parse(path, true, &doc, err);

	if (r < 0)
		return r;
	confdoc_check(doc, &problems);
	if (ret_text != NULL)
		confdoc_print_problems(doc, &problems, name, ret_text);
	if (problems.nfatal > 0) {
		confdoc_free(doc);
		return err_set(err, ERR_CONFIG, "%s: %zu problems", name, problems.nfatal);
	}
	*ret = doc;
	return 0;
}
