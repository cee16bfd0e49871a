/* SPDX-License-Identifier: PostgreSQL */
/*
 * hactl - the operator's program
 *
 * Shows and controls clusters from anywhere that reaches etcd and the members' REST APIs.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/str.h"
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

/* Of "scheme://user:password@host". */
static void blank_password(char *arg)
{
	char *login = strstr(arg, "://");
	char *at, *colon;

	if (login == NULL)
		return;
	login += 3;
	/* The last one: it may stand in the password too. */
	at = memrchr(login, '@', strcspn(login, "/"));
	colon = at != NULL ? memchr(login, ':', (size_t)(at - login)) : NULL;
	if (colon != NULL)
		memset(colon + 1, 'x', (size_t)(at - colon - 1));
}

/* Everybody on the host can read the command line for as long as the program runs. */
static char **hide_passwords(int argc, char **argv)
{
	char **own = mem_new((size_t)argc + 1, sizeof(*own));

	for (int i = 0; i < argc; i++) {
		own[i] = str_dup(argv[i]);
		blank_password(argv[i]);
	}
	return own;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = interrupted };
	char **own = hide_passwords(argc, argv);
	int code;

	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)sigaction(SIGINT, &action, NULL);
	code = cli_main(argc, own, (const char *const *)environ);
	for (int i = 0; i < argc; i++)
		free(own[i]);
	free(own);
	return code;
}
