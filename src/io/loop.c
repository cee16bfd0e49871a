/* SPDX-License-Identifier: PostgreSQL */
/*
 * loop - the one event loop, and the only reader of clocks
 *
 * One epoll, one timerfd for the timer that is due first, and a list of sources. The loop goes to
 * sleep once for whatever is ready together, and tells the kernel of a timer only before it
 * sleeps: at rest an agent's cost is that of its waking up.
 */
#include "io/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

#define EVENTS_MAX 16 /* taken from the kernel at once; what is left comes with the next round */
#define FRESH_MS   5  /* how old what is known of readiness, and of time used, may be */

enum kind { KIND_FD = 0, KIND_SIGNAL, KIND_TIMER, KIND_DEFER };

struct loop {
	int epoll_fd;
	int timer_fd;
	int64_t timer_at_ms; /* as the kernel knows it; 0: not armed, or over */
	int64_t polled_at_ms;
	int64_t noted_at_ms; /* when its timers were looked at */
	struct loop_source *sources;
	struct loop_source **end; /* where the next one is hung */
	uint64_t turn; /* counts what became ready, so that nobody is passed by for ever */
	bool quit;
	int exit_code;
	int64_t used_at_ms;
	struct rusage used;
};

struct loop_source {
	struct loop_source *next;
	struct loop_source **at; /* what points to it */
	struct loop *loop;
	enum kind kind;
	enum loop_rank rank;
	const char *name;
	uint64_t turn; /* since when it waits for its call; 0: it does not */
	int fd;
	uint32_t want;
	uint32_t ready;
	int64_t at_ms; /* 0: off */
	int64_t slack_ms;
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

static int fail(struct err *err, const char *what)
{
	return err_set(err, ERR_IO, "%s", what);
}

int loop_new(struct loop **ret, struct err *err)
{
	struct loop *loop = mem_new(1, sizeof(*loop));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	loop->end = &loop->sources;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->timer_fd < 0 ||
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) < 0) {
		int rc = fail(err, "cannot make the event loop");

		loop_free(loop);
		return rc;
	}
	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	assert(!loop->sources);
	closep(&loop->timer_fd);
	closep(&loop->epoll_fd);
	free(loop);
}

/* ---- what is ready ---- */

static void wait_for_call(struct loop_source *source)
{
	if (source->turn == 0)
		source->turn = ++source->loop->turn;
}

static void note_due(struct loop *loop)
{
	int64_t now_ms = loop_now_ms();

	loop->noted_at_ms = now_ms;
	for (struct loop_source *s = loop->sources; s; s = s->next)
		if (s->kind == KIND_TIMER && s->at_ms != 0 && s->at_ms <= now_ms)
			wait_for_call(s);
}

static uint32_t ready_of(uint32_t events)
{
	return ((events & EPOLLIN) ? LOOP_READ : 0) | ((events & EPOLLOUT) ? LOOP_WRITE : 0) |
	       ((events & (EPOLLHUP | EPOLLERR)) ? LOOP_HUP : 0);
}

static void poll_fds(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);

	/* A failure other than a signal's is of the loop itself: nothing can go on. */
	assert(n >= 0 || errno == EINTR);
	for (int i = 0; i < n; i++) {
		struct loop_source *source = events[i].data.ptr;

		if (!source)
			continue; /* its timers are looked at in any case */
		source->ready |= ready_of(events[i].events);
		wait_for_call(source);
	}
	loop->polled_at_ms = loop_now_ms();
}

/* When the loop has to wake up by itself; 0 never. */
static int64_t wake_at_ms(const struct loop *loop)
{
	int64_t first_ms = 0;

	for (const struct loop_source *s = loop->sources; s; s = s->next) {
		if (s->kind != KIND_TIMER || s->at_ms == 0)
			continue;
		if (first_ms == 0 || s->at_ms + s->slack_ms < first_ms)
			first_ms = s->at_ms + s->slack_ms;
	}
	return first_ms;
}

/* Setting it anew also takes back that it is over, which needs no reading then. */
static void arm_timer(struct loop *loop, int64_t at_ms)
{
	struct itimerspec spec = { .it_value = { .tv_sec = at_ms / 1000,
						 .tv_nsec = at_ms % 1000 * 1000000 } };
	int rc;

	if (at_ms == loop->timer_at_ms && at_ms > loop->polled_at_ms)
		return;
	if (at_ms == 0 && loop->timer_at_ms == 0)
		return;
	rc = timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
	assert(rc == 0);
	loop->timer_at_ms = at_ms;
}

static bool any_waits(const struct loop *loop)
{
	for (const struct loop_source *s = loop->sources; s; s = s->next)
		if (s->turn != 0)
			return true;
	return false;
}

static void sleep_until_ready(struct loop *loop, int64_t max_wait_ms)
{
	int timeout_ms = max_wait_ms < 0 || max_wait_ms > INT_MAX ? -1 : (int)max_wait_ms;

	note_due(loop);
	if (any_waits(loop))
		timeout_ms = 0;
	if (timeout_ms != 0)
		arm_timer(loop, wake_at_ms(loop));
	poll_fds(loop, timeout_ms);
	note_due(loop);
}

/* ---- calls ---- */

/* How a callback spends its time. Its source may be gone when it returns. */
struct look {
	const char *name;
	int64_t began_ms;
};

/* What the thread has used is not asked for before each call: what was used a moment before is
 * little beside LOOP_SLOW_MS. */
static void look_begin(struct look *look, const struct loop_source *source)
{
	struct loop *loop = source->loop;

	look->name = source->name;
	look->began_ms = loop_now_ms();
	if (loop->used_at_ms != 0 && look->began_ms - loop->used_at_ms < FRESH_MS)
		return;
	loop->used_at_ms = look->began_ms;
	(void)getrusage(RUSAGE_THREAD, &loop->used);
}

static int64_t worked_ms(const struct rusage *used)
{
	return (int64_t)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000 +
	       (used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1000;
}

/* Who waited did so in a call that blocks, which none of ours should; who was put off had no
 * processor: the machine is too busy. */
static void look_end(struct loop *loop, const struct look *look)
{
	int64_t took_ms = loop_now_ms() - look->began_ms;
	struct rusage used = { 0 };

	if (took_ms <= LOOP_SLOW_MS)
		return;
	(void)getrusage(RUSAGE_THREAD, &used);
	log_warning("the event loop was held up for %lld ms by '%s': worked %lld ms, waited %ld "
		    "times, was put off %ld times",
		    (long long)took_ms, look->name,
		    (long long)(worked_ms(&used) - worked_ms(&loop->used)),
		    used.ru_nvcsw - loop->used.ru_nvcsw, used.ru_nivcsw - loop->used.ru_nivcsw);
	loop->used_at_ms = 0;
}

static void call_signal(struct loop_source *source)
{
	struct signalfd_siginfo si;

	if (read(source->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		source->signal_fn(source->ctx, (int)si.ssi_signo);
}

static void call(struct loop_source *source)
{
	struct loop *loop = source->loop;
	uint32_t ready = source->ready & (source->want | LOOP_HUP);
	struct look look;

	source->turn = 0;
	source->ready = 0;
	look_begin(&look, source);
	switch (source->kind) {
	case KIND_FD:
		/* What it wants may have changed since it became ready. */
		if (ready != 0)
			source->fd_fn(source->ctx, source->fd, ready);
		break;
	case KIND_SIGNAL:
		call_signal(source);
		break;
	case KIND_TIMER:
		source->at_ms = 0;
		source->fn(source->ctx);
		break;
	case KIND_DEFER:
		source->fn(source->ctx);
		break;
	}
	look_end(loop, &look);
}

/* The first by rank, then by how long it waits, of those that wait since `last` or longer; who
 * goes before all others need not have waited. */
static struct loop_source *next_of(const struct loop *loop, uint64_t last)
{
	struct loop_source *best = NULL;

	for (struct loop_source *s = loop->sources; s; s = s->next) {
		if (s->turn == 0 || (s->turn > last && s->rank != LOOP_FIRST))
			continue;
		if (!best || s->rank < best->rank ||
		    (s->rank == best->rank && s->turn < best->turn))
			best = s;
	}
	return best;
}

bool loop_step(struct loop *loop, int64_t max_wait_ms)
{
	struct loop_source *source;
	uint64_t last;

	if (loop->quit)
		return false;
	sleep_until_ready(loop, max_wait_ms);
	last = loop->turn;
	while (!loop->quit && (source = next_of(loop, last)) != NULL) {
		call(source);
		/* A long round must not keep from those that go first what happens meanwhile. */
		if (loop_now_ms() - loop->polled_at_ms >= FRESH_MS)
			poll_fds(loop, 0);
		if (loop_now_ms() != loop->noted_at_ms)
			note_due(loop);
	}
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

bool loop_end(struct loop *loop, int64_t max_ms)
{
	int64_t until_ms = loop_now_ms() + max_ms;

	if (!loop)
		return true;
	loop->quit = false;
	while (loop->sources && loop_now_ms() < until_ms)
		(void)loop_step(loop, until_ms - loop_now_ms());
	if (loop->sources)
		return false;
	loop_free(loop);
	return true;
}

/* ---- sources ---- */

static struct loop_source *source_new(struct loop *loop, enum kind kind, const char *name,
				      void *ctx)
{
	struct loop_source *source = mem_new(1, sizeof(*source));

	source->loop = loop;
	source->kind = kind;
	source->rank = LOOP_USUAL;
	source->name = name;
	source->ctx = ctx;
	source->fd = -1;
	source->at = loop->end;
	*loop->end = source;
	loop->end = &source->next;
	return source;
}

static uint32_t epoll_of(uint32_t want)
{
	return ((want & LOOP_READ) ? (uint32_t)EPOLLIN : 0) |
	       ((want & LOOP_WRITE) ? (uint32_t)EPOLLOUT : 0);
}

static int source_poll(struct loop_source *source, int op)
{
	struct epoll_event event = { .events = epoll_of(source->want), .data.ptr = source };

	return epoll_ctl(source->loop->epoll_fd, op, source->fd, &event);
}

static int cannot_add(struct loop_source *source, struct err *err)
{
	int rc = fail(err, "cannot add to the event loop");

	err_wrap(err, "%s", source->name);
	if (source->kind == KIND_SIGNAL)
		closep(&source->fd);
	source->fd = -1; /* another source may stand for the same one */
	loop_source_free(source);
	return rc;
}

int loop_fd_new(struct loop *loop, const char *name, int fd, uint32_t want, loop_fd_fn fn,
		void *ctx, struct loop_source **ret, struct err *err)
{
	struct loop_source *source = source_new(loop, KIND_FD, name, ctx);

	source->fd = fd;
	source->want = want;
	source->fd_fn = fn;
	if (source_poll(source, EPOLL_CTL_ADD) < 0)
		return cannot_add(source, err);
	*ret = source;
	return 0;
}

void loop_fd_want(struct loop_source *source, uint32_t want)
{
	int rc = 0;

	if (source->want == want)
		return;
	source->want = want;
	rc = source_poll(source, EPOLL_CTL_MOD);
	assert(rc == 0);
}

int loop_timer_new(struct loop *loop, const char *name, loop_fn fn, void *ctx,
		   struct loop_source **ret, struct err *err _unused_)
{
	*ret = source_new(loop, KIND_TIMER, name, ctx);
	(*ret)->fn = fn;
	return 0;
}

void loop_timer_at(struct loop_source *source, int64_t at_ms)
{
	loop_timer_within(source, at_ms, 0);
}

void loop_timer_within(struct loop_source *source, int64_t at_ms, int64_t slack_ms)
{
	source->turn = 0;
	source->at_ms = MAX_OF(at_ms, INT64_C(1));
	source->slack_ms = MAX_OF(slack_ms, INT64_C(0));
}

void loop_timer_off(struct loop_source *source)
{
	source->turn = 0;
	source->at_ms = 0;
}

int loop_defer_new(struct loop *loop, const char *name, loop_fn fn, void *ctx,
		   struct loop_source **ret, struct err *err _unused_)
{
	*ret = source_new(loop, KIND_DEFER, name, ctx);
	(*ret)->fn = fn;
	return 0;
}

void loop_defer(struct loop_source *source)
{
	wait_for_call(source);
}

int loop_signal_new(struct loop *loop, const char *name, int signo, loop_signal_fn fn, void *ctx,
		    struct loop_source **ret, struct err *err)
{
	struct loop_source *source;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	errno = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (errno != 0)
		return fail(err, "cannot block a signal");

	source = source_new(loop, KIND_SIGNAL, name, ctx);
	source->want = LOOP_READ;
	source->signal_fn = fn;
	source->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (source->fd < 0 || source_poll(source, EPOLL_CTL_ADD) < 0)
		return cannot_add(source, err);
	*ret = source;
	return 0;
}

void loop_rank(struct loop_source *source, enum loop_rank rank)
{
	source->rank = rank;
}

void loop_source_free(struct loop_source *source)
{
	if (!source)
		return;
	/* The descriptor of a signal is ours, any other its owner's. */
	if (source->fd >= 0)
		(void)epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->kind == KIND_SIGNAL)
		closep(&source->fd);
	*source->at = source->next;
	if (source->next)
		source->next->at = source->at;
	else
		source->loop->end = source->at;
	free(source);
}

void loop_source_freep(struct loop_source **source)
{
	loop_source_free(*source);
	*source = NULL;
}
