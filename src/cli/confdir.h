/* SPDX-License-Identifier: PostgreSQL */
/*
 * confdir - a directory of configuration files, of one cluster or of several
 *
 * As for the daemon, files that end in .yml or .yaml are laid over each other in the order of
 * their names. Where they give more than one scope they are of several clusters: a file with
 * another scope than the wanted one is left out, those without a scope are for all.
 */
#ifndef PGHA_CLI_CONFDIR_H
#define PGHA_CLI_CONFDIR_H

#include "base/err.h"
#include "base/str.h"
#include "core/types.h"
#include "wire/conffile.h"

#define CONFDIR_FILES_MAX 64

struct confdir {
	char *names[CONFDIR_FILES_MAX];
	struct buf texts[CONFDIR_FILES_MAX];
	char scope_of[CONFDIR_FILES_MAX][NAME_SIZE]; /* "" it gives none */
	size_t n;
};

void confdir_done(struct confdir *dir);
bool confdir_is(const char *path);
int confdir_read(const char *path, struct confdir *ret, struct err *err) _must_check_;
/* The scopes that are given, each once, sorted: scopes has room for one more than
 * CONFDIR_FILES_MAX. How many. */
size_t confdir_scopes(const struct confdir *dir, char (*scopes)[NAME_SIZE]);
/* scope "": none is wanted yet; of several clusters only what is for all is read then. */
int confdir_parse(const struct confdir *dir, const char *scope, const char *const *env,
		  struct confdoc **ret, struct err *err) _must_check_;

#endif
