/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgproc - the processes of one data directory
 *
 * A postmaster that died is not a Postgres that died: its backends go on committing until they
 * notice. So the question is never "does the pid file's process live" but "does any process of
 * this directory live", answered from /proc: the executable is postgres and the working
 * directory is this directory, by device and inode. A process is held by pidfd from before it is
 * looked at until after it was signalled, so that a recycled pid is never hit. Zombies have
 * neither directory nor executable and do not count; a process in an uninterruptible wait does.
 */
#ifndef PGHA_IO_PGPROC_H
#define PGHA_IO_PGPROC_H

#include <sys/types.h>

#include "base/err.h"

#define PGPROC_SCAN_MAX 4096

/* Line 8 of postmaster.pid. */
enum pgproc_status {
	PGPROC_EARLY = 0, /* not written yet: no socket either */
	PGPROC_STARTING,
	PGPROC_STOPPING,
	PGPROC_READY,
	PGPROC_STANDBY,
	PGPROC__MAX
};

struct pgproc_pidfile {
	pid_t pid;
	uint16_t port;
	char socket_dir[256]; /* "" none */
	char listen_addr[256]; /* as one may connect to: "*", "localhost", an address; "" none */
	enum pgproc_status status;
};

int pgproc_pidfile_parse(const char *text, struct pgproc_pidfile *ret,
			 struct err *err) _must_check_;

#define PGPROC_NONE 1 /* an answer: there is no such file, or no such process */
/* 0, PGPROC_NONE, or a failure: then nothing is known. */
int pgproc_pidfile_read(const char *data_dir, struct pgproc_pidfile *ret,
			struct err *err) _must_check_;

/* A process that is proven to belong to the directory. */
struct pgproc {
	pid_t pid;
	pid_t parent;
	pid_t session;
	uint64_t start_ticks; /* since boot: with the pid this names one life */
	char state; /* as proc(5) has it: 'T' stopped by a signal, 'D' waiting for a disk */
	int pidfd;            /* owned; -1 when only looked at */
};

/* Opens a pidfd and proves the process by /proc. 0 or PGPROC_NONE. */
int pgproc_open(const char *data_dir, pid_t pid, struct pgproc *ret, struct err *err) _must_check_;
void pgproc_done(struct pgproc *proc); /* closes the pidfd */
/* Of any process; -1: there is no such process. */
pid_t pgproc_parent(pid_t pid);
/* Whether it is stopped by a signal at this moment. */
bool pgproc_stopped(const struct pgproc *proc);

/* All living postgres processes of the directory, without those of session `except` (0: none),
 * which is that of a child of ours. Returns how many there are, at most max of them filled in
 * with pidfd -1, or a failure. A missing directory has none. */
int pgproc_scan(const char *data_dir, pid_t except, struct pgproc *ret, size_t max,
		struct err *err) _must_check_;

/* One round of killing all of them: the one that forks is stopped first, so that nothing new is
 * born behind our back, then the others are killed, then it. Returns how many were found; 0 is
 * the proof that none is left. */
int pgproc_kill_round(const char *data_dir, pid_t except, struct err *err) _must_check_;

#endif
