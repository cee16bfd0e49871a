/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd - the commands, one in each cmd_*.c
 */
#ifndef PGHA_CLI_CMD_H
#define PGHA_CLI_CMD_H

#include "cli/cli.h"

/* Options that several commands share. */
#define CMD_FORCE { .name = "--force", .help = "Do not ask for confirmation." }
#define CMD_DRY                                                                            \
	{                                                                                  \
		.name = "--dry-run",                                                       \
		.help = "Say what would be done and what would refuse it; change nothing." \
	}
#define CMD_FORMAT                                                                           \
	{ .name = "--format", .also = "-f", .value = "FORMAT",                               \
	  .help = "Output: pretty, tsv, json, yaml or yml.", .choices = table_format_names }
#define CMD_ROLE(text)                                                                       \
	{ .name = "--role", .also = "-r", .value = "ROLE", .help = (text), .choices = cli_roles }
#define CMD_WATCH                                                                            \
	{ .name = "-W", .help = "Show it again every 2 seconds." }, {                        \
		.name = "--watch", .also = "-w", .value = "SECONDS",                         \
		.help = "Show it again every so many seconds."                               \
	}
/* Words that many commands take. */
#define CMD_CLUSTER  { .kind = ARGS_CLUSTER }
#define CMD_CLUSTERS { .kind = ARGS_CLUSTER, .many = true }
#define CMD_MEMBERS  { .kind = ARGS_MEMBER, .many = true }
#define CMD_END { .name = NULL }

extern const struct cli_command cmd_list;
extern const struct cli_command cmd_topology;
extern const struct cli_command cmd_switchover;
extern const struct cli_command cmd_failover;
extern const struct cli_command cmd_pause;
extern const struct cli_command cmd_resume;
extern const struct cli_command cmd_restart;
extern const struct cli_command cmd_reload;
extern const struct cli_command cmd_reinit;
extern const struct cli_command cmd_flush;
extern const struct cli_command cmd_history;
extern const struct cli_command cmd_show_config;
extern const struct cli_command cmd_edit_config;
extern const struct cli_command cmd_explain;
extern const struct cli_command cmd_doctor;
extern const struct cli_command cmd_why;
extern const struct cli_command cmd_dsn;
extern const struct cli_command cmd_remove;
extern const struct cli_command cmd_dcs;
extern const struct cli_command cmd_migrate;
extern const struct cli_command cmd_proxy;
extern const struct cli_command cmd_version;
extern const struct cli_command cmd_completion;
extern const struct cli_command cmd_query;
extern const struct cli_command cmd_watch;
extern const struct cli_command cmd_drill;
extern const struct cli_command cmd_demote_cluster;
extern const struct cli_command cmd_promote_cluster;

#endif
