/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgguc - settings whose configured value waits for a restart
 *
 * Pure functions. Values are compared as what they are, a boolean as a boolean, and told as people
 * write them: with the largest unit that divides them, as SHOW does.
 */
#ifndef PGHA_IO_PGGUC_H
#define PGHA_IO_PGGUC_H

#include "core/config.h"
#include "io/pgcontrol.h"
#include "io/pgquery.h"

/* value: as a file has it; type and unit: of pg_settings. "16384" in 8kB -> "128MB". */
void pgguc_human(const char *value, const char *type, const char *unit, char ret[SETTING_SIZE]);

/* In the order of *settings. Returns how many. */
uint32_t pgguc_changes(const struct config *config, const struct pgquery_settings *settings,
		       struct setting_change ret[SETTING_CHANGES_MAX]);

/* Settings in force are lower than those of the primary, as the control file has them since their
 * change was replayed: from 14 on the replay of a hot standby pauses there for ever. */
bool pgguc_starved(const struct pgcontrol *control, const struct pgquery_settings *settings);

#endif
