/* SPDX-License-Identifier: PostgreSQL */
/*
 * conffile - YAML text and dynamic JSON -> struct config
 *
 * Three sources, merged as Patroni 4.1.4 does (contract 3.1): built-in defaults <- dynamic
 * document from etcd <- local file. A confdoc is the local file after parsing, with the line of
 * every key; it is kept by the agent so that a changed dynamic document can be merged again
 * without reading the disk.
 */
#ifndef PGHA_WIRE_CONFFILE_H
#define PGHA_WIRE_CONFFILE_H

#include "base/err.h"
#include "base/str.h"
#include "core/config.h"

struct confdoc;

/* One finding. line 0: no line (environment, dynamic document). */
struct conf_problem {
	int line;
	bool fatal;       /* else a warning: unknown key, value corrected */
	char *path;       /* "postgresql.authentication.superuser.username" */
	char *text;       /* what is wrong, what is allowed, what to do */
};

struct conf_problems {
	struct conf_problem *items;
	size_t n;
	size_t nfatal;
};

void conf_problems_done(struct conf_problems *problems);
/* "FILE:12: postgresql.listen: ..." one line each, fatal ones with "error", others "warning". */
void conf_problems_print(const struct conf_problems *problems, const char *file,
			 struct buf *ret_text);

/* Parses YAML; also merges PATRONI_* variables from environ-style `env` (NULL: none).
 * Returns < 0 only when the text is no YAML mapping at all (err has the line). */
int confdoc_parse(const char *text, size_t len, const char *const *env, struct confdoc **ret,
		  struct err *err) _must_check_;
void confdoc_free(struct confdoc *doc);

/* Checks every key against the table: types, ranges, required keys, refused stores, unknown
 * keys. Adds to *problems. */
void confdoc_check(const struct confdoc *doc, struct conf_problems *problems);

/* Builds the effective configuration. dynamic_json NULL: bootstrap.dcs stands in for it.
 * A bad dynamic value is a problem of its own (not fatal): the default stays in force.
 * Returns < 0 when fatal problems exist; *ret is then NULL. */
int conf_build(const struct confdoc *doc, const char *dynamic_json, struct config **ret,
	       struct conf_problems *problems, struct err *err) _must_check_;
void config_free(struct config *config);

/* --help text of all keys, --generate-sample-config. */
void conf_print_keys(struct buf *ret_text);
void conf_print_sample(struct buf *ret_text);

#endif
