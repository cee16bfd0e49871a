/* SPDX-License-Identifier: PostgreSQL */
/*
 * err - what went wrong, as a value
 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* clang-format off */
static const char *const code_names[ERR__MAX] = {
	[ERR_NONE] = "none",
	[ERR_IO] = "io",
	[ERR_MEMORY] = "memory",
	[ERR_TIMEOUT] = "timeout",
	[ERR_CONNECT] = "connect",
	[ERR_PROTOCOL] = "protocol",
	[ERR_PARSE] = "parse",
	[ERR_RANGE] = "range",
	[ERR_TOOLONG] = "toolong",
	[ERR_CONFIG] = "config",
	[ERR_STATE] = "state",
	[ERR_DENIED] = "denied",
	[ERR_SQL] = "sql",
	[ERR_CHILD] = "child",
	[ERR_CANCELED] = "canceled",
};
/* clang-format on */

/* Longer than any message, so that the cut is made, and marked, in one place: store(). */
#define TEXT_MAX (ERR_MSG_MAX + 1)

static void store(struct err *err, const char *head, const char *sep, const char *tail)
{
	char joined[2 * TEXT_MAX + 4];

	(void)snprintf(joined, sizeof(joined), "%s%s%s", head, sep, tail);
	str_line(err->msg, sizeof(err->msg), joined);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	int sys = code == ERR_IO ? errno : 0;
	char text[TEXT_MAX];
	const char *why;
	va_list ap;

	assert(code > ERR_NONE && code < ERR__MAX);
	if (!err)
		return -(int)code;

	/* Through a buffer of our own: an argument may be the old err->msg. */
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	err->code = code;
	err->sys = sys;
	err->sqlstate[0] = '\0';
	why = sys ? strerrordesc_np(sys) : NULL;
	store(err, text, why ? ": " : "", why ? why : "");
	return -(int)code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (!err)
		return -(int)ERR_STATE;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	/* Wrapping nothing is a mistake of the caller, but must never turn into success. */
	if (err->code == ERR_NONE)
		err->code = ERR_STATE;
	store(err, text, err->msg[0] ? ": " : "", err->msg);
	return -(int)err->code;
}

void err_clear(struct err *err)
{
	if (err)
		*err = (struct err){ .code = ERR_NONE };
}

const char *err_code_name(enum err_code code)
{
	if ((unsigned)code >= ERR__MAX)
		return "invalid";
	return code_names[code];
}
