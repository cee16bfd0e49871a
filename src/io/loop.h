/* SPDX-License-Identifier: PostgreSQL */
/*
 * loop - the one event loop, and the only reader of clocks
 *
 * Timers run on CLOCK_BOOTTIME, which counts a suspend and is never stepped.
 * Every source belongs to whoever made it and ends with loop_source_free(), which may be called
 * from inside the source's own callback. Callbacks must not block: one that takes longer than
 * LOOP_SLOW_MS is logged by name.
 */
#ifndef PGHA_IO_LOOP_H
#define PGHA_IO_LOOP_H

#include "base/err.h"

#define LOOP_SLOW_MS 50

struct loop;
struct loop_source;

/* Readiness. HUP is delivered also when it was not asked for. */
#define LOOP_READ  1U
#define LOOP_WRITE 2U
#define LOOP_HUP   4U

/* Who goes first when several are ready. */
enum loop_rank { LOOP_FIRST = 0, LOOP_USUAL, LOOP_LAST, LOOP_RANK__MAX };

typedef void (*loop_fn)(void *ctx);
typedef void (*loop_fd_fn)(void *ctx, int fd, uint32_t ready);
typedef void (*loop_signal_fn)(void *ctx, int signo);

int64_t loop_now_ms(void);  /* CLOCK_BOOTTIME, read now; any thread */
int64_t loop_raw_ms(void);  /* CLOCK_MONOTONIC_RAW: never slewed, stands still in a suspend */
int64_t loop_wall_us(void); /* wall clock, microseconds since the epoch; stamps only */
int64_t loop_monotonic_us(void); /* CLOCK_MONOTONIC, which systemd wants to hear; nothing else */

int loop_new(struct loop **ret, struct err *err) _must_check_;
void loop_free(struct loop *loop); /* after all its sources */
/* For the end of the program: sources that free themselves, those of children that were killed a
 * moment ago, get max_ms for it, then the loop is freed. False: one is still there, as SIGKILL does
 * not end who waits for a disk that stands still; so is the loop then. */
bool loop_end(struct loop *loop, int64_t max_ms);

/* Runs until loop_quit(); returns its exit code. */
int loop_run(struct loop *loop);
void loop_quit(struct loop *loop, int exit_code);
/* One round: waits until something is ready, at most max_wait_ms (< 0: for ever), and runs it.
 * For front doors that wait for one answer, and for tests. True until loop_quit(). */
bool loop_step(struct loop *loop, int64_t max_wait_ms);

/* `name` is a static string, for the log. The fd stays the caller's; free the source before
 * closing it. A pidfd becomes readable when the process has ended. */
int loop_fd_new(struct loop *loop, const char *name, int fd, uint32_t want, loop_fd_fn fn,
		void *ctx, struct loop_source **ret, struct err *err) _must_check_;
void loop_fd_want(struct loop_source *source, uint32_t want); /* 0: only HUP */

/* Made unarmed. loop_timer_at() replaces the earlier time; a time in the past fires at once; it
 * fires once. */
int loop_timer_new(struct loop *loop, const char *name, loop_fn fn, void *ctx,
		   struct loop_source **ret, struct err *err) _must_check_;
void loop_timer_at(struct loop_source *source, int64_t at_ms);
/* With the first that wakes the loop from then on, and alone when nothing did for slack_ms. */
void loop_timer_within(struct loop_source *source, int64_t at_ms, int64_t slack_ms);
void loop_timer_off(struct loop_source *source);

/* Made unarmed. loop_defer() makes it run once, soon, from the loop; arming it again before it
 * ran changes nothing. */
int loop_defer_new(struct loop *loop, const char *name, loop_fn fn, void *ctx,
		   struct loop_source **ret, struct err *err) _must_check_;
void loop_defer(struct loop_source *source);

/* Blocks the signal for the process (call before threads are made) and delivers it here. */
int loop_signal_new(struct loop *loop, const char *name, int signo, loop_signal_fn fn, void *ctx,
		    struct loop_source **ret, struct err *err) _must_check_;

void loop_rank(struct loop_source *source, enum loop_rank rank);
void loop_source_free(struct loop_source *source); /* NULL is fine */
void loop_source_freep(struct loop_source **source);

#endif
