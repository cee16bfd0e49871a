/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_worker - jobs in order, a queue with an end, and an end that does not hang
 */
#include "io/worker.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

static atomic_int done;
static atomic_bool in_order;

static void count(void *job)
{
	int *number = job;

	if (*number != atomic_fetch_add(&done, 1))
		atomic_store(&in_order, false);
	free(number);
}

static void *number(int n)
{
	int *job = mem_new(1, sizeof(*job));

	*job = n;
	return job;
}

/* Hangs until somebody writes to the pipe. */
static void hang(void *job)
{
	char byte;

	(void)!read(*(int *)job, &byte, 1);
}

static void tell_end(void *job)
{
	(void)!write(*(int *)job, "e", 1);
}

Test(worker, jobs_are_done_in_order, .timeout = 20)
{
	struct worker *worker = worker_new(1000, 1000);

	atomic_store(&in_order, true);
	for (int i = 0; i < 1000; i++)
		cr_assert(worker_do(worker, count, number(i), 1));
	cr_assert(worker_free(worker, 10000, NULL, NULL));
	cr_assert_eq(atomic_load(&done), 1000);
	cr_assert(atomic_load(&in_order));
}

Test(worker, what_does_not_fit_is_refused, .timeout = 20)
{
	struct worker *worker = worker_new(3, 100);
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert(worker_do(worker, hang, &fds[0], 10));
	cr_assert_not(worker_do(worker, hang, &fds[0], 91));
	cr_assert(worker_do(worker, hang, &fds[0], 90));
	cr_assert(worker_do(worker, hang, &fds[0], 0));
	cr_assert_not(worker_do(worker, hang, &fds[0], 0));
	cr_assert_eq(write(fds[1], "123", 3), 3);
	cr_assert(worker_free(worker, 10000, NULL, NULL));
}

Test(worker, the_end_does_not_wait_for_ever, .timeout = 20)
{
	struct worker *worker = worker_new(3, 100);
	int fds[2], after[2];
	char byte;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert(worker_do(worker, hang, &fds[0], 0));
	cr_assert_eq(pipe2(after, O_CLOEXEC), 0);
	cr_assert_not(worker_free(worker, 50, tell_end, &after[1]));
	/* What the jobs use is freed by the thread that was left behind. */
	cr_assert_eq(write(fds[1], "1", 1), 1);
	cr_assert_eq(read(after[0], &byte, 1), 1);
}

Test(worker, one_without_jobs_has_no_thread_to_end, .timeout = 20)
{
	cr_assert(worker_free(worker_new(1, 1), 0, NULL, NULL));
	cr_assert(worker_free(NULL, 0, NULL, NULL));
}
