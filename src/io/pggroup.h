/* SPDX-License-Identifier: PostgreSQL */
/*
 * pggroup - a control group for Postgres below that of the agent
 *
 * Where the agent's unit has Delegate=, a server that it starts gets a group of its own, so that
 * what belongs to it is known as a whole, whatever backends and archive_command have started: the
 * guardian kills it as one. Version 2 of control groups; without it, without Delegate=, or while
 * something else is in that group, servers stay in the agent's.
 */
#ifndef PGHA_IO_PGGROUP_H
#define PGHA_IO_PGGROUP_H

#include <sys/types.h>

#include "base/err.h"

/* Moves a process that has just been started, with the children that it has by then. PGGROUP_NONE
 * (1): no group could be made, which is an answer. */
#define PGGROUP_NONE 1
int pggroup_add(pid_t pid, struct err *err) _must_check_;

#endif
