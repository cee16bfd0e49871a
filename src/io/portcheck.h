/* SPDX-License-Identifier: PostgreSQL */
/*
 * portcheck - whether an address could be listened on
 */
#ifndef PGHA_IO_PORTCHECK_H
#define PGHA_IO_PORTCHECK_H

#include "base/err.h"

/* hosts: comma separated; "*" and "" are all addresses. Blocks while names are resolved: for the
 * front door only. */
int portcheck_bind(const char *hosts, uint16_t port, struct err *err) _must_check_;

#endif
