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

/* Parses YAML; also merges PATRONI_* variables from environ-style `env` (NULL: none). HOME of
 * env is what ~ means. text NULL: PATRONI_CONFIGURATION instead, or the variables alone.
 * Returns < 0 only when the text is no YAML mapping at all (err has the line). */
int confdoc_parse(const char *text, size_t len, const char *const *env, struct confdoc **ret,
		  struct err *err) _must_check_;
/* The same from several files, each laid over those before it: maps are merged, other values
 * replace, and null takes a key away. */
struct conf_text {
	const char *name; /* for messages */
	const char *text;
	size_t len;
};
int confdoc_parse_texts(const struct conf_text *texts, size_t n, const char *const *env,
			struct confdoc **ret, struct err *err) _must_check_;
void confdoc_free(struct confdoc *doc);
/* All of it, files and variables merged, as YAML; with its passwords. */
void confdoc_print(const struct confdoc *doc, struct buf *ret_text);

/* Whether a password stands in it, as a key of its own or in an address. */
bool confdoc_holds_secret(const struct confdoc *doc);

/* As conf_problems_print(), but each line bears the name of its own file, if there are several. */
void confdoc_print_problems(const struct confdoc *doc, const struct conf_problems *problems,
			    const char *file, struct buf *ret_text);

/* Checks every key against the table: types, ranges, required keys, refused stores, unknown
 * keys. Adds to *problems. conf_build() does this too, and more: what shows only when values are
 * seen together; a problem that is there already is not added twice. */
void confdoc_check(const struct confdoc *doc, struct conf_problems *problems);

/* Builds the effective configuration. dynamic_json NULL: bootstrap.dcs stands in for it.
 * A bad dynamic value is a problem of its own (not fatal): the default stays in force.
 * Returns < 0 when fatal problems exist; *ret is then NULL. */
int conf_build(const struct confdoc *doc, const char *dynamic_json, struct config **ret,
	       struct conf_problems *problems, struct err *err) _must_check_;
/* For clients: scope, namespace, etcd3, ctl and the REST API's address only. Nothing is required,
 * and only what is wrong in these sections fails. */
int conf_build_client(const struct confdoc *doc, struct config **ret,
		      struct err *err) _must_check_;
void config_free(struct config *config);

/* What differs between two configurations, so that a reload does no more than it must. */
#define CONFIG_DIFF_AGENT      0x01u /* name, scope, paths, etcd endpoints: pghad starts anew */
#define CONFIG_DIFF_HA         0x02u /* what decisions look at */
#define CONFIG_DIFF_TAGS       0x04u
#define CONFIG_DIFF_ETCD       0x08u /* credentials and certificates: a new client */
#define CONFIG_DIFF_REST       0x10u /* addresses, certificates, authentication: a new listener */
#define CONFIG_DIFF_PG_RESTART 0x20u /* a setting on the server's command line */
#define CONFIG_DIFF_PG_FILES   0x40u /* others, pg_hba, pg_ident, recovery: files and a reload;
				      * pg_settings tells which of those still need a restart */
#define CONFIG_DIFF_OTHER      0x80u /* log, callbacks, options: used the next time */
unsigned config_diff(const struct config *a, const struct config *b);

/* --help text of all keys, --generate-sample-config. */
void conf_print_keys(struct buf *ret_text);
void conf_print_sample(struct buf *ret_text);

#endif
