/* SPDX-License-Identifier: PostgreSQL */
/*
 * progress - how far something is, as a bar and in words
 */
#include "cli/progress.h"

#include "cli/node.h"

#define BAR_CELLS 20
#define KIB       1024
#define RATE_US   INT64_C(3000000) /* that it must have been watched before a guess is made */
#define GUESS_MAX (INT64_C(48) * 3600)
#define USEC      INT64_C(1000000)

/* In the order in which a hand-over comes to them, first on the leader, then on its successor. */
static const char *const steps[PROGRESS_STEPS] = {
	NULL,		"handover-seek", "handover-prepare", "handover-stop",
	"handover-give", "acquire",	 "promote",
};

void progress_bytes(struct buf *text, int64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double amount = (double)bytes;
	size_t unit = 0;

	while (amount >= KIB && unit + 1 < ARRAY_LEN(units)) {
		amount /= KIB;
		unit++;
	}
	buf_printf(text, unit == 0 || amount >= 100 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
}

void progress_bar(struct buf *text, bool unicode, int64_t part, int64_t whole)
{
	const double share = whole > 0 ? (double)MIN_OF(part, whole) / (double)whole : 0;
	const int full = (int)(share * BAR_CELLS);

	for (int i = 0; i < BAR_CELLS; i++)
		buf_str(text, i < full ? (unicode ? "█" : "#") : (unicode ? "░" : "."));
}

static int percent(int64_t part, int64_t whole)
{
	return (int)((double)MIN_OF(part, whole) * 100 / (double)whole);
}

void progress_job(struct buf *text, bool unicode, const struct tree_node *job)
{
	int64_t done = 0, total = 0;

	if (!node_int(job, "total_bytes", &total) || total <= 0 ||
	    !node_int(job, "done_bytes", &done))
		return;
	progress_bar(text, unicode, done, total);
	buf_printf(text, " %d %%, ", percent(done, total));
	progress_bytes(text, done);
	buf_str(text, " of ");
	progress_bytes(text, total);
}

void progress_note(struct catchup *catchup, int64_t left_bytes, int64_t now_us)
{
	if (left_bytes >= 0 && left_bytes < CATCHUP_LEAST_BYTES) {
		*catchup = (struct catchup){ 0 };
		return;
	}
	catchup->now_us = now_us;
	if (left_bytes < 0)
		return;
	catchup->left_bytes = left_bytes;
	if (left_bytes > catchup->began_bytes) {
		catchup->began_bytes = left_bytes;
		catchup->began_us = now_us;
	}
}

bool progress_catches_up(const struct catchup *catchup)
{
	return catchup->began_bytes > 0;
}

void progress_catchup(struct buf *text, bool unicode, const struct catchup *catchup)
{
	const int64_t done = catchup->began_bytes - catchup->left_bytes;
	const int64_t took_us = catchup->now_us - catchup->began_us;
	double left_s;

	if (!progress_catches_up(catchup))
		return;
	progress_bar(text, unicode, done, catchup->began_bytes);
	buf_printf(text, " %d %%, ", percent(done, catchup->began_bytes));
	progress_bytes(text, catchup->left_bytes);
	buf_str(text, " to replay");
	if (took_us < RATE_US || done <= 0)
		return;
	left_s = (double)catchup->left_bytes * (double)took_us / (double)done / (double)USEC;
	if (left_s < (double)GUESS_MAX)
		buf_printf(text, ", about %.0f s left", left_s + 1);
}

int progress_step(const char *rule_name)
{
	for (int i = 1; i < PROGRESS_STEPS; i++)
		if (str_eq(steps[i], rule_name))
			return i;
	return 0;
}
