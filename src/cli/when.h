/* SPDX-License-Identifier: PostgreSQL */
/*
 * when - the time an operator schedules something for
 */
#ifndef PGHA_CLI_WHEN_H
#define PGHA_CLI_WHEN_H

#include "base/err.h"

#define WHEN_SIZE 48

struct when {
	bool now;          /* nothing is scheduled; the rest is empty */
	int64_t at_us;     /* wall clock */
	char iso[WHEN_SIZE]; /* as Python's isoformat(), with the offset that was meant */
};

/* Reads "now", "" and NULL as now; else ISO 8601 with T or a blank, seconds, fraction and zone
 * optional; a date alone (midnight); a time alone (today). Without a zone local time is meant.
 * now_us: the present wall clock. */
int when_parse(const char *text, int64_t now_us, struct when *ret, struct err *err) _must_check_;
/* Wall clock as local time: "YYYY-MM-DD HH:MM:SS" and, if asked, five digits of the second. */
void when_stamp(int64_t wall_us, bool fraction, char dst[WHEN_SIZE]);
/* The example in prompts: an hour from now, "YYYY-MM-DDTHH:MM". */
void when_example(int64_t now_us, char dst[WHEN_SIZE]);

#endif
