/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_loop - who is called when, and what is told of one that holds the loop up
 */
#include "io/loop.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* ---- who is called, and when ---- */

#define CALLS_MAX 32

static struct loop *loop;
static char calls[CALLS_MAX];

static void note(const char *what)
{
	cr_assert_lt(strlen(calls) + strlen(what), sizeof(calls));
	(void)str_printf(calls + strlen(calls), sizeof(calls) - strlen(calls), "%s", what);
}

static void called(void *ctx)
{
	note(ctx);
}

static void fd_called(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	note(ctx);
}

static void begin(void)
{
	struct err err;

	calls[0] = '\0';
	cr_assert_eq(loop_new(&loop, &err), 0);
}

static struct loop_source *timer(const char *what)
{
	struct loop_source *source = NULL;
	struct err err;

	cr_assert_eq(loop_timer_new(loop, "timer", called, (void *)(uintptr_t)what, &source, &err),
		     0);
	return source;
}

/* A descriptor that can be read. */
static struct loop_source *readable(const char *what, int pair[2])
{
	struct loop_source *source = NULL;
	struct err err;

	cr_assert_eq(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(write(pair[1], "x", 1), 1);
	cr_assert_eq(loop_fd_new(loop, "pipe", pair[0], LOOP_READ, fd_called,
				 (void *)(uintptr_t)what, &source, &err),
		     0);
	return source;
}

static void close_both(int pair[2])
{
	closep(&pair[0]);
	closep(&pair[1]);
}

Test(loop, a_timer_with_slack_does_not_wake_the_loop_but_goes_with_what_does)
{
	struct loop_source *lazy;
	struct loop_source *sharp;
	int64_t begun_ms;

	begin();
	lazy = timer("l");
	sharp = timer("s");
	begun_ms = loop_now_ms();
	loop_timer_within(lazy, begun_ms + 10, 10000);
	loop_timer_at(sharp, begun_ms + 60);
	cr_assert(loop_step(loop, -1));
	cr_assert_geq(loop_now_ms(), begun_ms + 60);
	cr_assert_str_eq(calls, "ls");

	/* Alone when its slack is over. */
	begun_ms = loop_now_ms();
	loop_timer_within(lazy, begun_ms + 5, 20);
	cr_assert(loop_step(loop, -1));
	cr_assert_str_eq(calls, "lsl");
	cr_assert_geq(loop_now_ms(), begun_ms + 25);
	loop_source_free(lazy);
	loop_source_free(sharp);
	loop_free(loop);
}

Test(loop, a_timer_that_was_moved_or_put_off_is_not_called_at_its_old_time)
{
	struct loop_source *moved;
	struct loop_source *off;
	int64_t begun_ms;

	begin();
	moved = timer("m");
	off = timer("o");
	begun_ms = loop_now_ms();
	loop_timer_at(moved, begun_ms - 5);
	loop_timer_at(moved, begun_ms + 40);
	loop_timer_at(off, begun_ms - 5);
	loop_timer_off(off);
	cr_assert(loop_step(loop, 0));
	cr_assert_str_eq(calls, "");
	/* Earlier than the kernel was told, and later. */
	cr_assert(loop_step(loop, 5));
	loop_timer_at(moved, begun_ms + 20);
	cr_assert(loop_step(loop, -1));
	cr_assert_str_eq(calls, "m");
	cr_assert_lt(loop_now_ms(), begun_ms + 40 + HELD_MS);
	cr_assert(loop_step(loop, 30));
	cr_assert_str_eq(calls, "m");
	loop_source_free(moved);
	loop_source_free(off);
	loop_free(loop);
}

Test(loop, who_goes_first_goes_first)
{
	struct loop_source *first, *fd, *last;
	int pair[2];

	begin();
	last = timer("z");
	loop_rank(last, LOOP_LAST);
	loop_timer_at(last, 1);
	fd = readable("f", pair);
	first = timer("a");
	loop_rank(first, LOOP_FIRST);
	loop_timer_at(first, 1);
	cr_assert(loop_step(loop, -1));
	cr_assert_str_eq(calls, "afz");
	loop_source_free(first);
	loop_source_free(fd);
	loop_source_free(last);
	close_both(pair);
	loop_free(loop);
}

struct ender {
	struct loop_source *other;
};

static void ends_other(void *ctx)
{
	struct ender *ender = ctx;

	note("e");
	loop_source_freep(&ender->other);
}

Test(loop, who_was_ended_by_another_of_the_same_round_is_not_called)
{
	struct loop_source *source = NULL;
	struct ender ender;
	struct err err;
	int pair[2];

	begin();
	ender.other = readable("f", pair);
	cr_assert_eq(loop_timer_new(loop, "ender", ends_other, &ender, &source, &err), 0);
	loop_rank(source, LOOP_FIRST);
	loop_timer_at(source, 1);
	cr_assert(loop_step(loop, -1));
	cr_assert(loop_step(loop, 0));
	cr_assert_str_eq(calls, "e");
	loop_source_free(source);
	close_both(pair);
	loop_free(loop);
}

struct again {
	struct loop_source *self;
};

static void again_at_once(void *ctx)
{
	struct again *again = ctx;

	note("d");
	loop_defer(again->self);
}

Test(loop, who_asks_for_another_call_at_once_leaves_time_for_others)
{
	struct loop_source *fd;
	struct again again;
	struct err err;
	int pair[2];

	begin();
	cr_assert_eq(loop_defer_new(loop, "again", again_at_once, &again, &again.self, &err), 0);
	loop_defer(again.self);
	fd = readable("f", pair);
	cr_assert(loop_step(loop, -1));
	cr_assert_str_eq(calls, "df");
	cr_assert(loop_step(loop, -1));
	cr_assert_str_eq(calls, "dfdf");
	loop_source_free(again.self);
	loop_source_free(fd);
	close_both(pair);
	loop_free(loop);
}

static void signal_called(void *ctx _unused_, int signo)
{
	note(signo == SIGUSR1 ? "1" : "?");
}

Test(loop, a_signal_is_an_event_like_any)
{
	struct loop_source *source = NULL;
	struct err err;

	begin();
	cr_assert_eq(loop_signal_new(loop, "signal", SIGUSR1, signal_called, NULL, &source, &err),
		     0);
	cr_assert(loop_step(loop, 0));
	cr_assert_str_eq(calls, "");
	cr_assert_eq(raise(SIGUSR1), 0);
	cr_assert(loop_step(loop, -1));
	cr_assert(loop_step(loop, 0));
	cr_assert_str_eq(calls, "1");
	loop_source_free(source);
	loop_free(loop);
}

static void frees_itself(void *ctx)
{
	loop_source_free(*(struct loop_source **)ctx);
}

Test(loop, ends_when_what_frees_itself_has_done_so)
{
	struct loop_source *source;

	cr_assert_eq(loop_new(&loop, NULL), 0);
	cr_assert_eq(loop_timer_new(loop, "late", frees_itself, &source, &source, NULL), 0);
	loop_timer_at(source, loop_now_ms() + 20);
	loop_quit(loop, 0);
	cr_assert(loop_end(loop, 10000));
	cr_assert(loop_end(NULL, 0));
}

Test(loop, is_left_as_it_is_when_something_stays)
{
	struct loop_source *source;

	cr_assert_eq(loop_new(&loop, NULL), 0);
	cr_assert_eq(loop_timer_new(loop, "never", frees_itself, &source, &source, NULL), 0);
	cr_assert_not(loop_end(loop, 20));
	loop_source_free(source);
	cr_assert(loop_end(loop, 0));
}
