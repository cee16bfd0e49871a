/* SPDX-License-Identifier: PostgreSQL */
/*
 * confdir - a directory of configuration files, of one cluster or of several
 */
#include "cli/confdir.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/node.h"
#include "cli/outside.h"
#include "wire/yamltree.h"

#define TOTAL_MAX (1024 * 1024)
/* A document that says nothing; an empty one is taken for a mistake. */
#define NOTHING   "ctl: {}\n"

void confdir_done(struct confdir *dir)
{
	for (size_t i = 0; i < dir->n; i++) {
		free(dir->names[i]);
		buf_done(&dir->texts[i]);
	}
	dir->n = 0;
}

bool confdir_is(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void closedirp(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

static bool is_config(const char *path)
{
	struct stat st;

	return (str_ends(path, ".yml") || str_ends(path, ".yaml")) && stat(path, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

/* Names of the files that count, sorted. */
static int list(const char *path, struct confdir *ret, struct err *err)
{
	_cleanup_(closedirp) DIR *dir = opendir(path);
	const struct dirent *entry;

	if (dir == NULL)
		return err_set(err, ERR_IO, "cannot read the directory '%s'", path);
	while ((entry = readdir(dir)) != NULL) {
		_cleanup_(freep) char *name = str_dupf("%s/%s", path, entry->d_name);
		size_t at = ret->n;

		if (!is_config(name))
			continue;
		if (ret->n == CONFDIR_FILES_MAX)
			return err_set(err, ERR_RANGE, "%s: more than %d files", path,
				       CONFDIR_FILES_MAX);
		for (; at > 0 && strcmp(ret->names[at - 1], name) > 0; at--)
			ret->names[at] = ret->names[at - 1];
		ret->names[at] = TAKE(name);
		ret->n++;
	}
	if (ret->n == 0)
		return err_set(err, ERR_CONFIG, "%s: no file in it ends in .yml or .yaml", path);
	return 0;
}

static int read_scope(struct confdir *dir, size_t i, struct err *err)
{
	const struct buf *text = &dir->texts[i];
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct yamltree_twins twins = { 0 };
	int r = yamltree_parse(text->data != NULL ? text->data : "", text->len, &tree, &twins, err);

	free(twins.items);
	if (r < 0)
		return err_wrap(err, "%s", dir->names[i]);
	str_clip(dir->scope_of[i], NAME_SIZE, node_str(tree.root, "scope"));
	return 0;
}

int confdir_read(const char *path, struct confdir *ret, struct err *err)
{
	size_t total = 0;
	int r;

	*ret = (struct confdir){ 0 };
	r = list(path, ret, err);
	for (size_t i = 0; r >= 0 && i < ret->n; i++) {
		r = outside_read(ret->names[i], TOTAL_MAX - total, &ret->texts[i], err);
		total += ret->texts[i].len;
		if (r >= 0)
			r = read_scope(ret, i, err);
	}
	return r;
}

size_t confdir_scopes(const struct confdir *dir, char (*scopes)[NAME_SIZE])
{
	size_t n = 0;

	for (size_t i = 0; i < dir->n; i++) {
		size_t at = 0;

		if (dir->scope_of[i][0] == '\0')
			continue;
		while (at < n && strcmp(scopes[at], dir->scope_of[i]) < 0)
			at++;
		if (at < n && str_eq(scopes[at], dir->scope_of[i]))
			continue;
		memmove(scopes[at + 1], scopes[at], (n - at) * NAME_SIZE);
		memcpy(scopes[at], dir->scope_of[i], NAME_SIZE);
		n++;
	}
	return n;
}

int confdir_parse(const struct confdir *dir, const char *scope, const char *const *env,
		  struct confdoc **ret, struct err *err)
{
	_cleanup_(freep) char (*scopes)[NAME_SIZE] = mem_new(CONFDIR_FILES_MAX + 1, NAME_SIZE);
	const bool several = confdir_scopes(dir, scopes) > 1;
	struct conf_text texts[CONFDIR_FILES_MAX + 1] = {
		{ .name = "nothing", .text = NOTHING, .len = strlen(NOTHING) }
	};
	size_t n = 1;

	for (size_t i = 0; i < dir->n; i++) {
		const struct buf *text = &dir->texts[i];

		if (several && dir->scope_of[i][0] != '\0' && !str_eq(dir->scope_of[i], scope))
			continue;
		texts[n++] = (struct conf_text){ .name = dir->names[i],
						 .text = text->data != NULL ? text->data : "",
						 .len = text->len };
	}
	return confdoc_parse_texts(texts, n, env, ret, err);
}
