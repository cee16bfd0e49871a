/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgconf - the texts of the settings that we own
 *
 * Pure functions. Layout of Patroni 4.1.4 (contract 6.4, 6.5): the original postgresql.conf
 * becomes postgresql.base.conf once and is included by ours; pgfiles puts the texts into files.
 */
#ifndef PGHA_IO_PGCONF_H
#define PGHA_IO_PGCONF_H

#include "agent/port.h"
#include "base/str.h"
#include "core/config.h"
#include "io/pgcontrol.h"
#include "io/words.h"

struct pgconf_want {
	int32_t major;        /* of the data directory */
	bool standby;
	bool armed;           /* a standby that is about to be promoted */
	bool keep_recovery;   /* the block of recovery settings in the file stays as it is */
	struct upstream upstream; /* of a standby; host "": none */
	const char *libraries;    /* shared_preload_libraries with our module, or NULL */
	const char *page;         /* with libraries: the lease page */
	const struct pairs *recovery; /* instead of everything else in the block; or NULL */
};

/* One parameter's effective value, NULL when not set. Names without regard to case. */
const char *pgconf_param(const struct config *config, const char *name);
const char *pgconf_pair(const struct pairs *pairs, const char *name);
/* One of the settings that a standby must not have lower than the control file says; else 0. */
int32_t pgconf_floor(const struct pgcontrol *control, const char *name);
/* Whether the passwords of a new cluster are to be stored as scram-sha-256: a configured
 * password_encryption says so, or without one a line of pg_hba.conf, which refuses those that are
 * stored as md5. PostgreSQL 13 does that unless it is told. */
bool pgconf_wants_scram(const struct config *config);
/* The place outside of the data directory that our initdb was told to put WAL into; NULL none. */
const char *pgconf_initdb_waldir(const struct config *config);

/* primary_conninfo for a standby of `upstream`. */
void pgconf_conninfo(const struct config *config, const struct upstream *upstream, int32_t major,
		     struct buf *ret);
/* old: the file as it is, for keep_recovery; or NULL. */
void pgconf_main_text(const struct config *config, const struct pgconf_want *want, const char *old,
		      struct buf *ret);
/* pg_hba.conf or pg_ident.conf: a header and the lines. */
void pgconf_lines_text(const struct strings *lines, struct buf *ret);
/* The text of postgresql.auto.conf without settings of recovery; false when none was there. */
bool pgconf_auto_clean(const char *text, struct buf *ret);
/* Lines for every server that we, or programs we start, log in to. nup upstreams. */
void pgconf_pgpass_text(const struct config *config, const char *socket_dir,
			const struct upstream *ups, size_t nup, struct buf *ret);
/* The settings that stand on the command line, in Patroni's order, as "--name=value". A standby
 * must not have less than its primary had when the WAL was written: control (or NULL) raises
 * those settings. */
void pgconf_command_line(const struct config *config, const struct pgconf_want *want,
			 const struct pgcontrol *control, struct words *ret);
/* The configured value of a setting that stands there, maybe in text; NULL: it does not. */
const char *pgconf_on_command_line(const struct config *config, const char *name,
				   char text[NAME_SIZE]);

/* The file with the passwords. Heap. */
char *pgconf_pgpass_path(const struct config *config);

/* libpq's service file: passwords of keys have no place in a password file, and on a command line
 * everybody could read them. */
char *pgconf_service_path(const struct config *config); /* heap; NULL: no key has a password */
/* What stands there for a role of the configuration; NULL: nothing. */
const char *pgconf_service(const struct config *config, const struct auth *auth);
int pgconf_service_text(const struct config *config, struct buf *ret,
			struct err *err) _must_check_;
/* Where postgresql.conf and its companions are. */
const char *pgconf_dir(const struct config *config);
/* "postgresql", of "postgresql.conf" and "postgresql.base.conf". */
const char *pgconf_stem(const struct config *config);

#endif
