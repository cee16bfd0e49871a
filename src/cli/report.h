/* SPDX-License-Identifier: PostgreSQL */
/*
 * report - what a command did, would do or could not do, for people or as JSON
 *
 * People read each sentence when it is known. With --json they are collected, and one object is
 * printed at the end: {"dry_run": true, "results": [{"member", "outcome", "code", "text"}, ...],
 * "error": "..."}.
 */
#ifndef PGHA_CLI_REPORT_H
#define PGHA_CLI_REPORT_H

#include "cli/cli.h"

/* name: in JSON */
#define REPORT_OUTCOMES(X)                       \
	X(DONE, "done")                          \
	X(SCHEDULED, "scheduled")                \
	X(NOTHING, "nothing to do")              \
	X(REFUSED, "refused")                    \
	X(SILENT, "no answer")                   \
	X(UNKNOWN, "unknown")                    \
	X(WOULD, "would be done")                \
	X(WOULD_NOT, "would be refused")

enum report_outcome {
#define X(n, t) REPORT_##n,
	REPORT_OUTCOMES(X)
#undef X
	REPORT__MAX
};

void report_done(struct report *report);
/* member NULL: of the cluster. code: HTTP, 0 none. The sentence is a line of its own. */
void report_add(struct cli *cli, const char *member, enum report_outcome outcome, int code,
		const char *fmt, ...) _printf_(5, 6);
/* A number of its own in the object of --json. */
void report_fact(struct cli *cli, const char *name, int64_t number);
/* A line for people only. */
void report_line(struct cli *cli, const char *fmt, ...) _printf_(2, 3);
/* The member table, for people only. */
void report_show(struct cli *cli, const struct picture *picture);
/* Whether questions may be asked: not with --dry-run or --force. */
bool report_asks(const struct cli *cli, const struct args *args);
/* --json without --force or --dry-run: an answer could not be asked for. */
int report_check(const struct cli *cli, const struct args *args, struct err *err) _must_check_;
/* The sentence that says what would be sent to a member; body NULL: none. */
void report_request(struct cli *cli, const struct tree_node *member, const char *method,
		    const char *path, const char *body);
/* The end of a --dry-run: 1 when something would be refused. */
int report_dry_end(struct cli *cli);
/* Prints the object; r and err as the command returned them. Nothing without --json. */
void report_print(struct cli *cli, int r, const struct err *err);

#endif
