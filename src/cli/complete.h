/* SPDX-License-Identifier: PostgreSQL */
/*
 * complete - what may stand where the cursor is
 *
 * The scripts of the shells ask this program itself, so that they know every option of the command
 * table and, from the cluster, its members. Candidates come one a line, with a tab and an
 * explanation behind where there is one; the line ":files" stands for the files of the shell.
 */
#ifndef PGHA_CLI_COMPLETE_H
#define PGHA_CLI_COMPLETE_H

#include "base/base.h"

/* What the scripts call: hactl __complete WORD... CURRENT */
#define COMPLETE_VERB  "__complete"
#define COMPLETE_FILES ":files"

/* argv: the words behind the name of the program, the last one is being typed and may be "".
 * Never says what went wrong: nobody could read it. Returns the exit code. */
int complete_run(const char *program, int argc, char *const *argv, const char *const *env);

#endif
