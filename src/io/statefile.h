/* SPDX-License-Identifier: PostgreSQL */
/*
 * statefile - what an agent keeps on disk beside the data directory
 *
 *   <state_dir>/pgha.<scope>.<name>.state         the durable record, see struct durable
 *   <state_dir>/pgha.<scope>.<name>.dynamic.json  last good dynamic configuration
 *   <data_dir>/patroni.dynamic.json       the same, where Patroni 4.1.4 looks for it
 *   <state_dir>/pgha.<scope>.<name>.recorder      the flight recorder as of the newest role change
 */
#ifndef PGHA_IO_STATEFILE_H
#define PGHA_IO_STATEFILE_H

#include "agent/port.h"
#include "base/err.h"

/* id is <scope>.<name>. Durable when it returns 0. */
int statefile_save(const char *state_dir, const char *id, const struct durable *durable,
		   struct err *err) _must_check_;
/* False when there is none, or none that can be believed (that is logged). */
bool statefile_load(const char *state_dir, const char *id, struct durable *ret);

int statefile_save_dynamic(const char *state_dir, const char *id, const char *data_dir,
			   const char *json, struct err *err) _must_check_;
/* Heap; NULL when neither file exists. */
char *statefile_load_dynamic(const char *state_dir, const char *id, const char *data_dir);

/* For people: neither synced nor fatal. */
void statefile_dump(const char *state_dir, const char *id, const char *why, const char *text,
		    size_t len);

#endif
