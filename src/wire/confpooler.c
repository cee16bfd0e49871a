/* SPDX-License-Identifier: PostgreSQL */
/*
 * confpooler - the section `pgbouncer`
 */
#include "base/parse.h"
#include "base/str.h"
#include "wire/confbuild.h"
#include "wire/confget.h"

#define POOLER_PORT 6432

static void add_console(const struct confbuild *build, const char *address)
{
	struct config_poolers *poolers = &build->config->poolers;
	struct endpoint console = { 0 };
	struct err err = { 0 };

	if (parse_hostport(address, POOLER_PORT, console.host, sizeof(console.host), &console.port,
			   &err) < 0) {
		confbuild_report(build, true, "pgbouncer.hosts", "%s", err.msg);
		return;
	}
	if (poolers->n == POOLERS_MAX) {
		confbuild_report(build, true, "pgbouncer.hosts", "more than %d", POOLERS_MAX);
		return;
	}
	poolers->consoles[poolers->n++] = console;
}

void confbuild_poolers(const struct confbuild *build)
{
	struct config_poolers *poolers = &build->config->poolers;
	struct strings *command = &poolers->command;
	struct strings hosts = { 0 };

	confget_strings(&build->get, "pgbouncer.hosts", &hosts);
	for (size_t i = 0; i < hosts.n; i++)
		add_console(build, hosts.items[i]);
	strings_done(&hosts);
	poolers->username = confget_text(&build->get, "pgbouncer.username");
	poolers->password = confget_text(&build->get, "pgbouncer.password");
	poolers->sslmode = confget_text(&build->get, "pgbouncer.sslmode");
	poolers->pause_ms = confget_int(&build->get, "pgbouncer.pause_timeout");
	poolers->hold_ms = confget_int(&build->get, "pgbouncer.hold_timeout");
	confget_strings(&build->get, "pgbouncer.command", command);
	if (confget_node(&build->get, "pgbouncer") != NULL && poolers->n == 0)
		confbuild_report(build, true, "pgbouncer.hosts", "names no console");
	if (confget_node(&build->get, "pgbouncer.command") != NULL &&
	    (command->n == 0 || command->items[0][0] == '\0'))
		confbuild_report(build, true, "pgbouncer.command",
				 "must begin with a program; remove it to run none");
	if (command->n > POOLER_WORDS_MAX)
		confbuild_report(build, true, "pgbouncer.command", "has more than %d words",
				 POOLER_WORDS_MAX);
}
