/* SPDX-License-Identifier: PostgreSQL */
/*
 * peersecret - the file of restapi.peer_secret_file
 */
#ifndef PGHA_IO_PEERSECRET_H
#define PGHA_IO_PEERSECRET_H

#include "core/config.h"
#include "io/peersign.h"

/* Without such a file in the configuration *ret has no secret. One that others can read or replace,
 * or in which there is none, is -ERR_CONFIG with what to do; *ret stays as it was then. */
int peersecret_load(const struct config *config, struct peersign *ret,
		    struct err *err) _must_check_;

#endif
