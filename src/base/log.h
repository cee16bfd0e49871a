/* SPDX-License-Identifier: PostgreSQL */
/*
 * log - levels, fields and one sink; no destination of its own
 *
 * The sink is the only global of the program. Until log_sink_set() is called lines go to stderr
 * as "LEVEL: message". Transitions are logged, not ticks.
 */
#ifndef PGHA_LOG_H
#define PGHA_LOG_H

#include <stdarg.h>
/* sd-journal.h brings syslog.h, whose macros would silently turn our levels into other ones. Once
 * included here it cannot come back, in whatever order the headers are named. */
#include <syslog.h>
#undef LOG_DEBUG
#undef LOG_INFO
#undef LOG_NOTICE
#undef LOG_WARNING

#include "base/base.h"

/* name, syslog priority, text */
#define LOG_LEVELS(X)              \
	X(DEBUG, 7, "DEBUG")       \
	X(INFO, 6, "INFO")         \
	X(NOTICE, 5, "NOTICE")     \
	X(WARNING, 4, "WARNING")   \
	X(ERROR, 3, "ERROR")       \
	X(CRITICAL, 2, "CRITICAL")

enum log_level {
#define X(n, p, t) LOG_##n,
	LOG_LEVELS(X)
#undef X
	LOG__MAX
};

/* One structured field; name in capitals as journald wants it, e.g. "PGHA_RULE". */
struct log_field {
	const char *name;
	const char *value;
};

#define LOG_FIELDS_MAX 12
#define LOG_TEXT_MAX   2048 /* longer texts end in "..." */

struct log_line {
	enum log_level level;
	const char *message_id; /* 32 hex digits, or NULL */
	const char *text;       /* one line */
	size_t nfields;
	const struct log_field *fields;
};

typedef void (*log_sink_fn)(void *ctx, const struct log_line *line);

/* NULL goes back to stderr. The sink may be called by every thread that logs. */
void log_sink_set(log_sink_fn sink, void *ctx);
/* What is less important than this is dropped; LOG_INFO until set. */
void log_level_set(enum log_level least);
bool log_wants(enum log_level level);
const char *log_level_name(enum log_level level);
int log_level_priority(enum log_level level);

void log_at(enum log_level level, const char *fmt, ...) _printf_(2, 3);
/* message_id may be NULL; at most LOG_FIELDS_MAX fields, which need to live for the call only. */
void log_event(enum log_level level, const char *message_id, const struct log_field *fields,
	       size_t nfields, const char *fmt, ...) _printf_(5, 6);

#define log_debug(...)    log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)     log_at(LOG_INFO, __VA_ARGS__)
#define log_notice(...)   log_at(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...)  log_at(LOG_WARNING, __VA_ARGS__)
#define log_error(...)    log_at(LOG_ERROR, __VA_ARGS__)
#define log_critical(...) log_at(LOG_CRITICAL, __VA_ARGS__)

#endif
