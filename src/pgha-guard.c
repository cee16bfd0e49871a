/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgha-guard - kills a Postgres whose lease is over: options, exit code
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/program.h"
#include "guard/guard.h"
#include "guard/self.h"

#define EXIT_USAGE 2
#define EXIT_TAKEN 4

static const char usage[] =
	"Usage: pgha-guard [--by-agent] SCOPE/NAME\n"
	"       pgha-guard [--by-agent] DIR/SCOPE/NAME/lease\n"
	"Kills every process of a Postgres whose leader lease is over.\n"
	"\n"
	"  --by-agent  started by pghad: end when there is nothing left to guard\n"
	"  --version   print the version\n"
	"  --help      print this\n"
	"\n"
	"See pgha-guard(8).\n";

static int parse_options(int argc, char **argv, bool *ret_by_agent)
{
	static const struct option options[] = {
		{ "by-agent", no_argument, NULL, 'a' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) >= 0) {
		switch (c) {
		case 'a':
			*ret_by_agent = true;
			break;
		case 'V':
			(void)printf("pgha-guard %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		default:
			(void)fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind + 1 == argc)
		return -1;
	(void)fputs(usage, stderr);
	return EXIT_USAGE;
}

/* Returns when that fails: nothing was given up for it. */
static void execute_anew(char **argv)
{
	char program[PATH_MAX];
	struct err err = { 0 };

	if (program_path(argv[0], program, sizeof(program), &err) == 0) {
		(void)execve(program, argv, environ);
		(void)err_set(&err, ERR_IO, "cannot execute '%s'", program);
	}
	(void)fprintf(stderr, "pgha-guard: %s: this one goes on\n", err.msg);
}

int main(int argc, char **argv)
{
	struct guard *guard = NULL;
	struct err err = { 0 };
	bool by_agent = false;
	int r = parse_options(argc, argv, &by_agent);

	if (r >= 0)
		return r;
	self_small();
	r = guard_new(argv[optind], by_agent, &guard, &err);
	if (r < 0) {
		(void)fprintf(stderr, "pgha-guard: %s\n", err.msg);
		return r == -ERR_STATE ? EXIT_TAKEN : 1;
	}
	while ((r = guard_run(guard)) == GUARD_ANEW)
		execute_anew(argv);
	guard_free(guard);
	return r;
}
