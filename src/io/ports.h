/* SPDX-License-Identifier: PostgreSQL */
/*
 * ports - struct port on the real outside: the agent's requests go to the adapters, their
 * answers come back as events
 *
 * Owns the adapters and the agent. Events are delivered one at a time, from the loop.
 */
#ifndef PGHA_IO_PORTS_H
#define PGHA_IO_PORTS_H

#include "base/err.h"
#include "io/anew.h"
#include "io/journal.h"
#include "io/loop.h"
#include "wire/conffile.h"

struct ports;

/* Opens the lease page, binds the REST address and starts the adapters; the agent itself starts
 * when the loop runs, after the check that no other agent has this member's name.
 * config_path   re-read on SIGHUP and POST /reload
 * local         the parsed file; taken over on success
 * -ERR_STATE    another agent has this member's lease page
 * other codes   what could not be opened, and why */
int ports_new(struct loop *loop, struct journal *journal, const char *config_path,
	      struct confdoc *local, struct ports **ret, struct err *err) _must_check_;
void ports_free(struct ports *ports);

/* The orderly end (SIGTERM): the loop quits when the agent has nothing left to do. */
void ports_stop(struct ports *ports);
/* Reads the file again; nothing is applied when it has a fatal problem. */
void ports_reload(struct ports *ports);

/* What another program is to take over; `anew` looks at it until then. */
void ports_watch(struct ports *ports, struct anew *anew);

#endif
