/* SPDX-License-Identifier: PostgreSQL */
/*
 * confread - the configuration from the disk and the environment
 */
#ifndef PGHA_IO_CONFREAD_H
#define PGHA_IO_CONFREAD_H

#include "base/err.h"
#include "base/str.h"
#include "wire/conffile.h"

#define CONFREAD_FILES_MAX 64

/* path: a file; a directory, whose *.yml and *.yaml are laid over each other in order of name; or
 * NULL for the variables alone (PATRONI_CONFIGURATION, else PATRONI_*). What is wrong in them is
 * added to ret_text (NULL: nobody wants it), a line each, also when it is a warning only. A file in
 * which passwords stand and that everybody on this host can read is refused, and so is one that
 * everybody can write. */
int confread_load(const char *path, struct confdoc **ret, struct buf *ret_text,
		  struct err *err) _must_check_;
/* The same without looking at what the keys say, and at who can read it. */
int confread_parse(const char *path, struct confdoc **ret, struct err *err) _must_check_;

#endif
