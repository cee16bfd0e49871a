/* SPDX-License-Identifier: PostgreSQL */
/*
 * child - run a program and hear when it ends
 *
 * No shell: an argv array. Every child leads a session of its own, so that a signal meant for it
 * reaches what it started and nothing else. It inherits no descriptor but its three standard
 * ones, no blocked signal, and an environment without what is ours: PATRONI_*, PGHA_*,
 * KUBERNETES_*, systemd's sockets and watchdog, and the variables that would bend a libpq client
 * away from what its arguments say.
 */
#ifndef PGHA_IO_CHILD_H
#define PGHA_IO_CHILD_H

#include <signal.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#define CHILD_OUTPUT_BYTES 65536 /* kept of stdout and stderr: first half and last half */
#define CHILD_TERM_MS      5000  /* between SIGTERM and SIGKILL */

struct child;

struct child_spec {
	const char *name; /* for messages: "pg_rewind"; copied */
	const char *const *argv; /* ends with NULL; argv[0] without a slash is searched in PATH */
	const char *const *env;  /* "NAME=value" added or replaced; ends with NULL; or NULL */
	const char *input; /* given on stdin through memory, never a file; NULL: /dev/null */
	const char *work_dir; /* NULL: ours */
	bool c_locale; /* LC_ALL=C, for output that is read by us */
	int64_t term_at_ms; /* TERM then, KILL grace_ms later; 0: never */
	int64_t grace_ms;   /* 0: CHILD_TERM_MS */
};

/* How it ended. Borrowed text, valid until child_free(). */
struct child_end {
	bool exited; /* else killed by a signal */
	int code;    /* exit code, or the signal's number */
	bool stopped; /* because of child_stop() or term_at_ms */
	const char *output; /* stdout and stderr mixed, NUL-terminated */
	size_t len;
};

typedef void (*child_fn)(void *ctx, const struct child_end *end);

/* done is called once, from the loop. The child stays the caller's: child_free() it, which is
 * allowed inside done. */
int child_spawn(struct loop *loop, const struct child_spec *spec, child_fn done, void *ctx,
		struct child **ret, struct err *err) _must_check_;
/* Begins the TERM-then-KILL ladder for the child and all it started; done follows. */
void child_stop(struct child *child);
/* A child that still runs is killed at once and done is not called; the loop takes it in when it
 * has ended. NULL is fine. */
void child_free(struct child *child);
bool child_running(const struct child *child);
/* The newest of what it wrote so far, as a string of less than size bytes. */
void child_tail(const struct child *child, char *dst, size_t size);
/* Also the id of its session. */
pid_t child_pid(const struct child *child);

/* For the time before the loop runs: waits for the end, at most timeout_ms. Output in *ret_output
 * (cleared first), *ret_code the exit code. Killed by a signal or too slow is a failure. */
int child_run(const struct child_spec *spec, int64_t timeout_ms, struct buf *ret_output,
	      int *ret_code, struct err *err) _must_check_;

/* For a program that outlives us: stdout and stderr go to log_fd. Not waited for; *ret_pidfd is
 * the caller's. */
int child_detach(const struct child_spec *spec, int log_fd, pid_t *ret_pid, int *ret_pidfd,
		 struct err *err) _must_check_;

/* True when it exited with 0. */
bool child_ok(const struct child_end *end);
/* -ERR_CHILD (or -ERR_TIMEOUT when stopped) with the last lines of the output. */
int child_failed(const struct child_end *end, const char *name, struct err *err);

/* pidfd_open(2), pidfd_send_signal(2) and waitid(2) with P_PIDFD, which the oldest C library we
 * support does not wrap or name. -1 and errno, as system calls do. */
int child_pidfd_open(pid_t pid);
int child_pidfd_signal(int pidfd, int signo);
int child_pidfd_wait(int pidfd, siginfo_t *ret, int options);

#endif
