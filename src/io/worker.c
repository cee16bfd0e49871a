/* SPDX-License-Identifier: PostgreSQL */
/*
 * worker - one thread for what may have to wait for a disk
 */
#include "io/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/str.h"
#include "io/loop.h"

#define STACK_BYTES (128 * 1024)

struct task {
	struct task *next;
	worker_fn run;
	void *job;
	size_t bytes;
};

struct worker {
	pthread_mutex_t lock; /* never held while a job runs */
	pthread_cond_t more;
	pthread_cond_t idle;
	struct task *first;
	struct task *last;
	uint32_t njobs; /* with the one that is being done */
	uint32_t jobs_max;
	size_t bytes;
	size_t bytes_max;
	bool begun;
	bool end;
	bool left; /* behind: the thread frees it */
	worker_fn last_run;
	void *last_job;
	pthread_t thread;
};

struct worker *worker_new(uint32_t jobs_max, size_t bytes_max)
{
	struct worker *worker = mem_new(1, sizeof(*worker));
	pthread_condattr_t attr;

	worker->jobs_max = jobs_max;
	worker->bytes_max = bytes_max;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->more, NULL);
	pthread_condattr_init(&attr);
	/* The deadline of the end must not move with the wall clock. */
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->idle, &attr);
	pthread_condattr_destroy(&attr);
	return worker;
}

static struct task *next_task(struct worker *worker)
{
	struct task *task;

	pthread_mutex_lock(&worker->lock);
	while (worker->first == NULL && !worker->end)
		pthread_cond_wait(&worker->more, &worker->lock);
	task = worker->first;
	if (task != NULL)
		worker->first = task->next;
	pthread_mutex_unlock(&worker->lock);
	return task;
}

static void destroy(struct worker *worker)
{
	if (worker->last_run != NULL)
		worker->last_run(worker->last_job);
	pthread_cond_destroy(&worker->more);
	pthread_cond_destroy(&worker->idle);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

static void *work(void *ctx)
{
	struct worker *worker = ctx;
	struct task *task;

	while ((task = next_task(worker)) != NULL) {
		task->run(task->job);
		pthread_mutex_lock(&worker->lock);
		worker->njobs--;
		worker->bytes -= task->bytes;
		if (worker->njobs == 0)
			pthread_cond_signal(&worker->idle);
		pthread_mutex_unlock(&worker->lock);
		free(task);
	}
	/* Set with `end`, which was seen under the lock. */
	if (worker->left)
		destroy(worker);
	return NULL;
}

/* Signals are for the loop. */
static bool begin(struct worker *worker)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&worker->thread, &attr, work, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc == 0;
}

bool worker_do(struct worker *worker, worker_fn run, void *job, size_t bytes)
{
	struct task *task = mem_new(1, sizeof(*task));
	bool taken;

	*task = (struct task){ .run = run, .job = job, .bytes = bytes };
	pthread_mutex_lock(&worker->lock);
	taken = worker->njobs < worker->jobs_max && bytes <= worker->bytes_max - worker->bytes;
	if (taken && !worker->begun)
		worker->begun = taken = begin(worker);
	if (taken) {
		if (worker->first == NULL)
			worker->first = task;
		else
			worker->last->next = task;
		worker->last = task;
		worker->njobs++;
		worker->bytes += bytes;
		pthread_cond_signal(&worker->more);
	}
	pthread_mutex_unlock(&worker->lock);
	if (!taken)
		free(task);
	return taken;
}

static void deadline(int64_t wait_ms, struct timespec *ret)
{
	int64_t at_us = loop_monotonic_us() + wait_ms * 1000;

	ret->tv_sec = at_us / 1000000;
	ret->tv_nsec = at_us % 1000000 * 1000;
}

bool worker_free(struct worker *worker, int64_t wait_ms, worker_fn last, void *job)
{
	struct timespec until;
	bool done;
	int rc = 0;

	if (worker == NULL) {
		if (last != NULL)
			last(job);
		return true;
	}
	deadline(wait_ms, &until);
	pthread_mutex_lock(&worker->lock);
	while (worker->njobs > 0 && rc == 0)
		rc = pthread_cond_timedwait(&worker->idle, &worker->lock, &until);
	done = worker->njobs == 0;
	worker->end = true;
	worker->left = !done;
	worker->last_run = last;
	worker->last_job = job;
	/* Jobs that are not done have a thread. Detached before it can see the end: after that it
	 * is not ours to name. */
	if (!done)
		pthread_detach(worker->thread);
	pthread_cond_signal(&worker->more);
	pthread_mutex_unlock(&worker->lock);
	if (!done)
		return false;
	if (worker->begun)
		pthread_join(worker->thread, NULL);
	destroy(worker);
	return true;
}
