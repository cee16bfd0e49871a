/* SPDX-License-Identifier: PostgreSQL */
/*
 * log - levels, fields and one sink; no destination of its own
 */
#include "base/log.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/str.h"

static const char *const level_names[LOG__MAX] = {
#define X(n, p, t) [LOG_##n] = t,
	LOG_LEVELS(X)
#undef X
};

static const int level_priorities[LOG__MAX] = {
#define X(n, p, t) [LOG_##n] = p,
	LOG_LEVELS(X)
#undef X
};

static void sink_stderr(void *ctx _unused_, const struct log_line *line)
{
	(void)fprintf(stderr, "%s: %s\n", log_level_name(line->level), line->text);
}

/* The one global of the program. The level is atomic because a reload changes it while another
 * thread logs; the sink is set before there is a second thread. */
static struct {
	log_sink_fn sink;
	void *ctx;
	_Atomic int least;
} target = { .sink = sink_stderr, .least = LOG_INFO };

void log_sink_set(log_sink_fn sink, void *ctx)
{
	target.sink = sink ? sink : sink_stderr;
	target.ctx = sink ? ctx : NULL;
}

void log_level_set(enum log_level least)
{
	assert((unsigned)least < LOG__MAX);
	atomic_store_explicit(&target.least, (int)least, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&target.least, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
	assert((unsigned)level < LOG__MAX);
	return level_names[level];
}

int log_level_priority(enum log_level level)
{
	assert((unsigned)level < LOG__MAX);
	return level_priorities[level];
}

static void _printf_(2, 0) emit(struct log_line *line, const char *fmt, va_list ap)
{
	char raw[LOG_TEXT_MAX + 1];
	char text[LOG_TEXT_MAX];

	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	/* One line each, whatever a server or a file put into the message. */
	str_line(text, sizeof(text), raw);
	line->text = text;
	target.sink(target.ctx, line);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	struct log_line line = { .level = level };
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	emit(&line, fmt, ap);
	va_end(ap);
}

void log_event(enum log_level level, const char *message_id, const struct log_field *fields,
	       size_t nfields, const char *fmt, ...)
{
	struct log_line line = {
		.level = level,
		.message_id = message_id,
		.nfields = nfields,
		.fields = fields,
	};
	va_list ap;

	assert(nfields <= LOG_FIELDS_MAX);
	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	emit(&line, fmt, ap);
	va_end(ap);
}
