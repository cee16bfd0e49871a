/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgfiles - the files of Postgres that we own
 *
 * Files are replaced by rename, and only when their content changes. Nothing here waits for the
 * disk, for it is called on the loop: whoever needs the files to survive a power cut runs sync(1)
 * as a child on pgfiles_paths().
 */
#ifndef PGHA_IO_PGFILES_H
#define PGHA_IO_PGFILES_H

#include "io/pgconf.h"

/* postgresql.conf, pg_hba.conf, pg_ident.conf, and postgresql.auto.conf without recovery
 * settings. *ret_changed: a reload would see something new. */
int pgfiles_write(const struct config *config, const struct pgconf_want *want, bool *ret_changed,
		  struct err *err) _must_check_;
/* An empty file in a data directory. */
int pgfiles_touch(const char *data_dir, const char *name, struct err *err) _must_check_;
/* standby.signal there and recovery.signal not, or neither. */
int pgfiles_signals(const struct config *config, bool standby, struct err *err) _must_check_;
/* recovery.signal there or not, and standby.signal not: for a restored cluster. */
int pgfiles_recovery_signal(const struct config *config, bool wanted, struct err *err) _must_check_;
int pgfiles_pgpass(const struct config *config, const char *socket_dir, const struct upstream *ups,
		   size_t nup, struct err *err) _must_check_;
/* Copies of our files to "<data_dir>/NAME.backup"; and what is missing back from there. */
int pgfiles_backup(const struct config *config, struct err *err) _must_check_;
int pgfiles_restore(const struct config *config, struct err *err) _must_check_;
/* Lines behind what initdb put into a file of `data_dir`. */
int pgfiles_append(const char *data_dir, const char *name, const struct strings *lines,
		   struct err *err) _must_check_;
/* For a restored cluster whose passwords are not known: pg_hba.conf trusts the superuser on local
 * connections and nobody else, until pgfiles_untrust(). pgfiles_write() leaves it alone while the
 * mark PGDIR_BOOTSTRAP is in the data directory, and ends it where that is gone. A hba_file of the
 * operator's is not touched. */
int pgfiles_trust(const struct config *config, struct err *err) _must_check_;
/* The file that was there before comes back; pgfiles_write() then writes what is configured. */
int pgfiles_untrust(const struct config *config, struct err *err) _must_check_;
/* What to hand to sync(1) after writing. */
void pgfiles_paths(const struct config *config, struct words *ret);

#endif
