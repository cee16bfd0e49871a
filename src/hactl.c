/* SPDX-License-Identifier: PostgreSQL */
/*
 * hactl - the operator's program
 *
 * Shows and controls clusters from anywhere that reaches etcd and the members' REST APIs.
 */
#include <signal.h>
#include <unistd.h>

#include "cli/cli.h"

extern char **environ;

/* At a prompt, or while a member takes its time: what was asked for already goes on there. */
static void interrupted(int signo)
{
	static const char text[] = "\nAborted!\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signo;
	(void)n;
	_exit(1);
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = interrupted };

	(void)sigaction(SIGINT, &action, NULL);
	return cli_main(argc, argv, (const char *const *)environ);
}
