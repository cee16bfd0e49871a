/* SPDX-License-Identifier: PostgreSQL */
/*
 * confguc - the settings of Postgres that are in force
 *
 * A few settings must be the same on all members or belong to the agent: they come from the
 * dynamic configuration only, in a fixed order, with defaults. The others are merged, the local
 * value wins.
 */
#ifndef PGHA_WIRE_CONFGUC_H
#define PGHA_WIRE_CONFGUC_H

#include "wire/confget.h"
#include "wire/confproblem.h"

/* config->scope, pg.listen and pg.port must be set. Fills config->pg.parameters. */
void confguc_build(const struct confget *get, struct config *config,
		   struct conf_problems *problems);
/* The map postgresql.parameters of a dynamic document that somebody is about to write: what would
 * not be accepted is fatal. NULL is fine. */
void confguc_check(const struct tree_node *parameters, struct conf_problems *problems);
/* Settings that go on the server's command line, in the order of pg.parameters. */
bool confguc_is_controlled(const char *name);
/* Recovery settings that belong to the agent. */
bool confguc_is_ours(const char *name);

#endif
