/* SPDX-License-Identifier: PostgreSQL */
/*
 * loop - the one event loop, and the only reader of clocks
 *
 * A thin layer over sd-event that fixes the choices made once for the whole program: clock,
 * accuracy, names, and a watch on callbacks that take too long.
 */
#include "io/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"

struct loop {
	sd_event *event;
	bool quit;
	int exit_code;
};

struct loop_source {
	struct loop *loop;
	sd_event_source *source;
	const char *name;
	uint64_t accuracy_us; /* of a timer */
	void *ctx;
	loop_fn fn;
	loop_fd_fn fd_fn;
	loop_signal_fn signal_fn;
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec ts;
	int rc = clock_gettime(clock, &ts);

	assert(rc == 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t loop_now_ms(void)
{
	return clock_us(CLOCK_BOOTTIME) / 1000;
}

int64_t loop_raw_ms(void)
{
	return clock_us(CLOCK_MONOTONIC_RAW) / 1000;
}

int64_t loop_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t loop_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static int fail(struct err *err, int rc, const char *what)
{
	errno = -rc;
	return err_set(err, ERR_IO, "%s", what);
}

int loop_new(struct loop **ret, struct err *err)
{
	struct loop *loop = mem_new(1, sizeof(*loop));
	int rc = sd_event_new(&loop->event);

	if (rc < 0) {
		free(loop);
		return fail(err, rc, "cannot make the event loop");
	}
	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	sd_event_unref(loop->event);
	free(loop);
}

bool loop_step(struct loop *loop, int64_t max_wait_ms)
{
	uint64_t wait_us = max_wait_ms < 0 ? UINT64_MAX : (uint64_t)max_wait_ms * 1000;
	int rc;

	if (loop->quit)
		return false;
	rc = sd_event_run(loop->event, wait_us);
	/* Callbacks return 0, so a failure here is of the loop itself: nothing can go on. */
	assert(rc >= 0);
	return !loop->quit;
}

int loop_run(struct loop *loop)
{
	while (loop_step(loop, -1))
		continue;
	return loop->exit_code;
}

void loop_quit(struct loop *loop, int exit_code)
{
	loop->quit = true;
	loop->exit_code = exit_code;
}

/* How a callback spends its time. Its source may be gone when it returns. */
struct look {
	const char *name;
	int64_t began_ms;
	struct rusage used;
};

static void look_begin(struct look *look, const struct loop_source *source)
{
	look->name = source->name;
	look->began_ms = loop_now_ms();
	(void)getrusage(RUSAGE_THREAD, &look->used);
}

static int64_t worked_ms(const struct rusage *used)
{
	return (int64_t)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000 +
	       (used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1000;
}

/* Who waited did so in a call that blocks, which none of ours should; who was put off had no
 * processor: the machine is too busy. */
static void look_end(const struct look *look)
{
	int64_t took_ms = loop_now_ms() - look->began_ms;
	struct rusage used = { 0 };

	if (took_ms <= LOOP_SLOW_MS)
		return;
	(void)getrusage(RUSAGE_THREAD, &used);
	log_warning("the event loop was held up for %lld ms by '%s': worked %lld ms, waited %ld "
		    "times, was put off %ld times",
		    (long long)took_ms, look->name,
		    (long long)(worked_ms(&used) - worked_ms(&look->used)),
		    used.ru_nvcsw - look->used.ru_nvcsw, used.ru_nivcsw - look->used.ru_nivcsw);
}

static int on_simple(struct loop_source *source)
{
	struct look look;

	look_begin(&look, source);
	source->fn(source->ctx);
	look_end(&look);
	return 0;
}

static int on_timer(sd_event_source *s _unused_, uint64_t at_us _unused_, void *userdata)
{
	return on_simple(userdata);
}

static int on_defer(sd_event_source *s _unused_, void *userdata)
{
	return on_simple(userdata);
}

static int on_fd(sd_event_source *s _unused_, int fd, uint32_t revents, void *userdata)
{
	struct loop_source *source = userdata;
	struct look look;
	uint32_t ready = 0;

	look_begin(&look, source);
	if (revents & EPOLLIN)
		ready |= LOOP_READ;
	if (revents & EPOLLOUT)
		ready |= LOOP_WRITE;
	if (revents & (EPOLLHUP | EPOLLERR))
		ready |= LOOP_HUP;
	source->fd_fn(source->ctx, fd, ready);
	look_end(&look);
	return 0;
}

static int on_signal(sd_event_source *s _unused_, const struct signalfd_siginfo *si,
		     void *userdata)
{
	struct loop_source *source = userdata;
	struct look look;

	look_begin(&look, source);
	source->signal_fn(source->ctx, (int)si->ssi_signo);
	look_end(&look);
	return 0;
}

static struct loop_source *source_new(struct loop *loop, const char *name, void *ctx)
{
	struct loop_source *source = mem_new(1, sizeof(*source));

	source->loop = loop;
	source->name = name;
	source->ctx = ctx;
	return source;
}

/* Hands a made source over, or frees it and reports why sd-event refused it. */
static int source_made(struct loop_source *source, int rc, struct loop_source **ret,
		       struct err *err)
{
	if (rc < 0) {
		int code = fail(err, rc, "cannot add to the event loop");

		err_wrap(err, "%s", source->name);
		sd_event_source_disable_unref(source->source);
		free(source);
		return code;
	}
	(void)sd_event_source_set_description(source->source, source->name);
	*ret = source;
	return 0;
}

static uint32_t epoll_of(uint32_t want)
{
	return ((want & LOOP_READ) ? (uint32_t)EPOLLIN : 0) |
	       ((want & LOOP_WRITE) ? (uint32_t)EPOLLOUT : 0);
}

int loop_fd_new(struct loop *loop, const char *name, int fd, uint32_t want, loop_fd_fn fn,
		void *ctx, struct loop_source **ret, struct err *err)
{
	struct loop_source *source = source_new(loop, name, ctx);
	int rc;

	source->fd_fn = fn;
	rc = sd_event_add_io(loop->event, &source->source, fd, epoll_of(want), on_fd, source);
	return source_made(source, rc, ret, err);
}

void loop_fd_want(struct loop_source *source, uint32_t want)
{
	int rc = sd_event_source_set_io_events(source->source, epoll_of(want));

	assert(rc >= 0);
}

int loop_timer_new(struct loop *loop, const char *name, loop_fn fn, void *ctx,
		   struct loop_source **ret, struct err *err)
{
	struct loop_source *source = source_new(loop, name, ctx);
	int rc;

	source->fn = fn;
	source->accuracy_us = 1;
	/* Accuracy 1 us: the default of 250 ms would move wake-ups to be shared by others. */
	rc = sd_event_add_time(loop->event, &source->source, CLOCK_BOOTTIME, UINT64_MAX, 1,
			       on_timer, source);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(source->source, SD_EVENT_OFF);
	return source_made(source, rc, ret, err);
}

void loop_timer_at(struct loop_source *source, int64_t at_ms)
{
	loop_timer_within(source, at_ms, 0);
}

void loop_timer_within(struct loop_source *source, int64_t at_ms, int64_t slack_ms)
{
	uint64_t at_us = at_ms <= 0 ? 1 : (uint64_t)at_ms * 1000;
	uint64_t accuracy_us = slack_ms <= 0 ? 1 : (uint64_t)slack_ms * 1000;
	int rc = sd_event_source_set_time(source->source, at_us);

	assert(rc >= 0);
	if (accuracy_us != source->accuracy_us) {
		rc = sd_event_source_set_time_accuracy(source->source, accuracy_us);
		assert(rc >= 0);
		source->accuracy_us = accuracy_us;
	}
	rc = sd_event_source_set_enabled(source->source, SD_EVENT_ONESHOT);
	assert(rc >= 0);
}

static void source_off(struct loop_source *source)
{
	int rc = sd_event_source_set_enabled(source->source, SD_EVENT_OFF);

	assert(rc >= 0);
}

void loop_timer_off(struct loop_source *source)
{
	source_off(source);
}

int loop_defer_new(struct loop *loop, const char *name, loop_fn fn, void *ctx,
		   struct loop_source **ret, struct err *err)
{
	struct loop_source *source = source_new(loop, name, ctx);
	int rc;

	source->fn = fn;
	rc = sd_event_add_defer(loop->event, &source->source, on_defer, source);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(source->source, SD_EVENT_OFF);
	return source_made(source, rc, ret, err);
}

void loop_defer(struct loop_source *source)
{
	int rc = sd_event_source_set_enabled(source->source, SD_EVENT_ONESHOT);

	assert(rc >= 0);
}

int loop_signal_new(struct loop *loop, const char *name, int signo, loop_signal_fn fn, void *ctx,
		    struct loop_source **ret, struct err *err)
{
	struct loop_source *source;
	sigset_t set;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, signo);
	rc = -pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (rc < 0)
		return fail(err, rc, "cannot block a signal");

	source = source_new(loop, name, ctx);
	source->signal_fn = fn;
	rc = sd_event_add_signal(loop->event, &source->source, signo, on_signal, source);
	return source_made(source, rc, ret, err);
}

void loop_rank(struct loop_source *source, enum loop_rank rank)
{
	static const int64_t priority[LOOP_RANK__MAX] = {
		[LOOP_FIRST] = SD_EVENT_PRIORITY_IMPORTANT,
		[LOOP_USUAL] = SD_EVENT_PRIORITY_NORMAL,
		[LOOP_LAST] = SD_EVENT_PRIORITY_IDLE,
	};
	int rc = sd_event_source_set_priority(source->source, priority[rank]);

	assert(rc >= 0);
}

void loop_source_free(struct loop_source *source)
{
	if (!source)
		return;
	sd_event_source_disable_unref(source->source);
	free(source);
}

void loop_source_freep(struct loop_source **source)
{
	loop_source_free(*source);
	*source = NULL;
}
