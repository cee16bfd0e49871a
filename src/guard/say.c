/* SPDX-License-Identifier: PostgreSQL */
/*
 * say - the guardian's log lines
 */
#include "guard/say.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "guard/wake.h"

/* poll() promises that a pipe takes PIPE_BUF without waiting; a line is far below that. */
#define LINE_BYTES 1024

void say_init(struct say *say, const char *name)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st = { 0 };
	char mine[64] = "";

	*say = (struct say){ 0 };
	str_clip(say->name, sizeof(say->name), name);
	if (stream != NULL && fstat(STDERR_FILENO, &st) == 0)
		(void)str_printf(mine, sizeof(mine), "%llu:%llu", (unsigned long long)st.st_dev,
				 (unsigned long long)st.st_ino);
	say->journal = mine[0] != '\0' && str_eq(mine, stream);
}

static const char *level_name(enum say_level level)
{
	switch (level) {
	case SAY_ERROR:
		return "ERROR";
	case SAY_WARNING:
		return "WARNING";
	case SAY_NOTICE:
		return "NOTICE";
	case SAY_INFO:
		return "INFO";
	}
	return "INFO";
}

static void add_head(const struct say *say, enum say_level level, char *dst, size_t size)
{
	int64_t seconds;
	time_t t;
	char date[32] = "";
	struct tm tm;
	int ms;

	if (say->journal) {
		(void)str_printf(dst, size, "<%d>", (int)level);
		return;
	}
	wake_wall(&seconds, &ms);
	t = (time_t)seconds;
	/* UTC: the local zone's rules would have to be read from a file. */
	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	(void)str_printf(dst, size, "%s.%03d +0000 %s: ", date, ms, level_name(level));
}

void say_line(struct say *say, enum say_level level, const char *fmt, ...)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[LINE_BYTES];
	char text[LINE_BYTES - 256];
	char head[64];
	va_list ap;
	int len;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	add_head(say, level, head, sizeof(head));
	len = str_printf(line, sizeof(line), "%spgha-guard %s: %s\n", head, say->name, text);
	if (len < 0 || poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT) ||
	    write(STDERR_FILENO, line, (size_t)len) != len)
		say->dropped++;
}
