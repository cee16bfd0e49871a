/* SPDX-License-Identifier: PostgreSQL */
/*
 * page - writes a lease page as an agent would, for the tests of the Postgres module
 *
 * usage: page RUN_DIR SCOPE NAME arm GATE_IN_MS RAW_IN_MS
 *        page RUN_DIR SCOPE NAME disarm new|replica|paused|stopped
 *
 * The gate, on CLOCK_BOOTTIME and on CLOCK_MONOTONIC_RAW, may lie behind: a negative number. The
 * page stays when the program ends.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/leasepage.h"
#include "base/parse.h"
#include "base/str.h"

static int64_t now_ms(clockid_t clock)
{
	struct timespec now = { 0 };

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fill_armed(struct leasepage_facts *facts, const char *in, const char *raw,
		      struct err *err)
{
	int64_t in_ms;
	int64_t raw_in_ms;
	int r;

	r = parse_int(in, -1000000000, 1000000000, &in_ms, err);
	if (r < 0)
		return r;
	r = parse_int(raw, -1000000000, 1000000000, &raw_in_ms, err);
	if (r < 0)
		return r;
	*facts = (struct leasepage_facts){ .armed = true, .reason = LEASEPAGE_PRIMARY,
					   .epoch = 7, .lease_id = 1, .ttl_ms = 5000 };
	facts->gate_at_ms = now_ms(CLOCK_BOOTTIME) + in_ms;
	facts->gate_raw_ms = now_ms(CLOCK_MONOTONIC_RAW) + raw_in_ms;
	facts->asked_at_ms = facts->gate_at_ms - 4000;
	facts->kill_at_ms = facts->gate_at_ms - 250;
	return 0;
}

static int fill_disarmed(struct leasepage_facts *facts, const char *why, struct err *err)
{
	static const char *const names[LEASEPAGE_REASON__MAX] = {
		[LEASEPAGE_NEW] = "new", [LEASEPAGE_REPLICA] = "replica",
		[LEASEPAGE_PAUSED] = "paused", [LEASEPAGE_STOPPED] = "stopped"
	};

	for (int i = 0; i < LEASEPAGE_REASON__MAX; i++) {
		if (!names[i] || !str_eq(names[i], why))
			continue;
		*facts = (struct leasepage_facts){ .reason = (enum leasepage_reason)i };
		return 0;
	}
	return err_set(err, ERR_PARSE, "unknown reason '%s'", why);
}

static int run(int argc, char **argv, struct err *err)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct leasepage_facts facts;
	int r;

	if (argc < 6)
		return err_set(err, ERR_PARSE, "usage: page RUN_DIR SCOPE NAME arm|disarm ...");
	if (str_eq(argv[4], "arm"))
		r = fill_armed(&facts, argv[5], argc > 6 ? argv[6] : argv[5], err);
	else
		r = fill_disarmed(&facts, argv[5], err);
	if (r < 0)
		return r;
	r = leasepage_open_writer(&page, argv[1], argv[2], argv[3], err);
	if (r < 0)
		return r;
	leasepage_write(&page, &facts);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };

	if (run(argc, argv, &err) < 0) {
		fprintf(stderr, "page: %s\n", err.msg);
		return 1;
	}
	return 0;
}
