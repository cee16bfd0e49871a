/* SPDX-License-Identifier: PostgreSQL */
/*
 * err - what went wrong, as a value
 *
 * A function that can fail in a way nobody at that level can act on takes a struct err * last,
 * fills it and returns err->code negated (always < 0). Callers add where they were with
 * err_wrap() and pass it up; whoever stops its journey logs it, once. err may be NULL: then only
 * the return value is produced.
 */
#ifndef PGHA_ERR_H
#define PGHA_ERR_H

#include "base/base.h"

enum err_code {
	ERR_NONE = 0,
	ERR_IO,       /* a system call failed; err.sys holds errno */
	ERR_MEMORY,
	ERR_TIMEOUT,  /* a deadline passed */
	ERR_CONNECT,  /* could not reach the other side */
	ERR_PROTOCOL, /* the other side answered something we cannot read */
	ERR_PARSE,    /* text does not have the required form */
	ERR_RANGE,    /* a number or a length outside its limits */
	ERR_TOOLONG,
	ERR_CONFIG,   /* the configuration says something impossible */
	ERR_STATE,    /* not possible in the present state */
	ERR_DENIED,   /* authentication or permission */
	ERR_SQL,      /* Postgres reported an error; err.sqlstate holds its code */
	ERR_CHILD,    /* a child process failed */
	ERR_CANCELED,
	ERR__MAX
};

#define ERR_MSG_MAX 512

struct err {
	enum err_code code;
	int sys;            /* errno at the time, or 0 */
	char sqlstate[6];   /* "" unless ERR_SQL */
	char msg[ERR_MSG_MAX]; /* one line without a full stop, truncated with "..." */
};

/* Sets *err (if not NULL) and returns -(int)code. ERR_IO appends ": <strerror(errno)>". */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) _printf_(3, 4);
/* Puts "<context>: " in front of the message; returns -(int)err->code (or -ERR_STATE for NULL). */
int err_wrap(struct err *err, const char *fmt, ...) _printf_(2, 3);
void err_clear(struct err *err);
/* "timeout", "io", ...; never NULL. */
const char *err_code_name(enum err_code code);

#endif
