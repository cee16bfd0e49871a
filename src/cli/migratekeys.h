/* SPDX-License-Identifier: PostgreSQL */
/*
 * migratekeys - what of Patroni's configuration carries over, key by key
 */
#ifndef PGHA_CLI_MIGRATEKEYS_H
#define PGHA_CLI_MIGRATEKEYS_H

#include "cli/migrate.h"
#include "wire/confkeys.h"

/* The `config` key. */
void migratekeys_dynamic(struct migrate *migrate, const struct tree_node *config);

#endif
