/* SPDX-License-Identifier: PostgreSQL */
/*
 * follow - what the members do while a command waits, told as it happens
 *
 * Reads GET /events of every member. For people at a terminal only: where the output goes to a
 * program, or with --json, there is none of it. Members that are not ours tell nothing.
 */
#ifndef PGHA_CLI_FOLLOW_H
#define PGHA_CLI_FOLLOW_H

#include "cli/cli.h"

struct follow;

/* Begins to listen, and waits a moment until all members are heard, so that nothing is missed.
 * NULL: there is nobody to tell it to. The functions below accept that. */
struct follow *follow_open(struct cli *cli, const struct picture *picture);
void follow_close(struct follow *follow);
/* The command has its answer: the line that waits is taken away. */
void follow_hush(struct follow *follow);
/* Goes on until this member follows another one, at most for so long. */
void follow_until_follows(struct follow *follow, const char *member, int64_t limit_ms);

#endif
