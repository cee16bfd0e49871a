/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_loop - a callback that holds the loop up is told, and whether it waited or worked
 */
#include "io/loop.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

#define HELD_MS (2 * LOOP_SLOW_MS)

static void remember(void *ctx, const struct log_line *line)
{
	(void)str_copy(ctx, LOG_TEXT_MAX, line->text);
}

static void waits(void *ctx _unused_)
{
	(void)poll(NULL, 0, HELD_MS);
}

static void works(void *ctx _unused_)
{
	int64_t until_ms = loop_now_ms() + HELD_MS;

	while (loop_now_ms() < until_ms)
		continue;
}

/* What is logged about one callback. */
static void told_about(loop_fn fn, char *ret_text)
{
	struct loop *loop = NULL;
	struct loop_source *source = NULL;
	struct err err;

	ret_text[0] = '\0';
	log_sink_set(remember, ret_text);
	cr_assert_eq(loop_new(&loop, &err), 0);
	cr_assert_eq(loop_defer_new(loop, "the callback", fn, NULL, &source, &err), 0);
	loop_defer(source);
	cr_assert(loop_step(loop, 0));
	loop_source_free(source);
	loop_free(loop);
	log_sink_set(NULL, NULL);
}

Test(loop, who_waits_is_told_so)
{
	char text[LOG_TEXT_MAX];
	long long held_ms, worked_ms;
	long waited;

	told_about(waits, text);
	cr_assert_eq(sscanf(text,
			    "the event loop was held up for %lld ms by 'the callback': worked %lld "
			    "ms, waited %ld times",
			    &held_ms, &worked_ms, &waited),
		     3, "%s", text);
	cr_assert_geq(held_ms, HELD_MS);
	cr_assert_geq(waited, 1);
	cr_assert_lt(worked_ms, HELD_MS / 2);
}

Test(loop, who_works_did_not_wait)
{
	char text[LOG_TEXT_MAX];

	told_about(works, text);
	cr_assert(strstr(text, "waited 0 times"), "%s", text);
}
