/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgfence - getting the module pgha_fence into Postgres
 *
 * Where it is installed, and which libraries Postgres has to load so that it comes along with
 * those of the operator's.
 */
#ifndef PGHA_IO_PGFENCE_H
#define PGHA_IO_PGFENCE_H

#include "base/str.h"
#include "core/config.h"

#define PGFENCE_MODULE "pgha_fence"

struct pgfence {
	char *libraries; /* shared_preload_libraries, the module included; NULL: leave it alone */
	char *page;      /* path of the lease page */
};

/* Whether the Postgres that this member starts has the module in its library directory. */
bool pgfence_installed(const struct config *config);
/* What has to be written. base: the operator's configuration file, which ours includes, or NULL.
 * Says in the log why the module is left out although it is there. */
void pgfence_plan(const struct config *config, const char *base, struct pgfence *ret);
/* What the command line has to say where ALTER SYSTEM has set the libraries without the module:
 * that counts over every other file. auto_text: of postgresql.auto.conf, or NULL. */
void pgfence_over_auto(const struct config *config, const char *auto_text, struct pgfence *ret);
void pgfence_done(struct pgfence *fence);

/* The last value of a setting in the text of a configuration file, NULL when it has none. Heap.
 * *ret_includes: the file includes others, which are not looked at. */
char *pgfence_setting_in(const char *text, const char *name, bool *ret_includes);
/* The list with the module behind it, unless it is listed already. Heap. */
char *pgfence_libraries(const char *list);

#endif
