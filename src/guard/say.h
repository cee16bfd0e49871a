/* SPDX-License-Identifier: PostgreSQL */
/*
 * say - the guardian's log lines
 *
 * To stderr, without memory allocation, and never waiting for a reader: a line that would have to
 * wait is dropped. With the priority in front where stderr is the journal, else with the time.
 */
#ifndef PGHA_GUARD_SAY_H
#define PGHA_GUARD_SAY_H

#include "base/base.h"

enum say_level { SAY_ERROR = 3, SAY_WARNING = 4, SAY_NOTICE = 5, SAY_INFO = 6 };

struct say {
	bool journal;
	uint64_t dropped;
	char name[160]; /* of the page, in each line */
};

void say_init(struct say *say, const char *name);
void say_line(struct say *say, enum say_level level, const char *fmt, ...) _printf_(3, 4);

#endif
