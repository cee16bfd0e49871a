/* SPDX-License-Identifier: PostgreSQL */
/*
 * ask - questions to the operator, on the terminal or through a pipe
 *
 * Questions go to the standard output, answers come from the standard input, in the form of
 * patronictl: "text [default]: ", "text [y/N]: ". The end of the input is a refusal.
 */
#ifndef PGHA_CLI_ASK_H
#define PGHA_CLI_ASK_H

#include "base/err.h"
#include "base/str.h"

/* fallback is taken for an empty answer and shown in brackets, also when it is ""; NULL: asks
 * again until something is given. -ERR_CANCELED at the end of the input. */
int ask_text(const char *question, const char *fallback, char **ret_answer,
	     struct err *err) _must_check_;
/* Not shown while it is typed, where the standard input is a terminal. May be "". */
int ask_secret(const char *question, char **ret_answer, struct err *err) _must_check_;
/* An empty answer is no. -ERR_CANCELED at the end of the input. */
int ask_yes(const char *question, bool *ret_yes, struct err *err) _must_check_;
/* The next line of fd without its end, byte by byte so that nothing behind it is lost.
 * False at the end of the input. */
bool ask_line(int fd, struct buf *ret_line);

#endif
