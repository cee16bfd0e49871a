/* SPDX-License-Identifier: PostgreSQL */
/*
 * procs - the processes of one Postgres, found and signalled without allocating memory
 *
 * A process belongs to it when it is the postmaster that the lease page names by pid and start
 * time, or a child of that, or runs a program called postgres in the data directory: backends
 * lead sessions of their own and outlive their postmaster. Signals go through a pidfd that was
 * compared with the start time, so a recycled pid is never hit.
 */
#ifndef PGHA_GUARD_PROCS_H
#define PGHA_GUARD_PROCS_H

#include <sys/types.h>

#include "base/leasepage.h"

/* Of one round; what is over that is left to the next, 2 ms later. It is locked in memory. */
#define PROCS_MAX     2048
#define PROCS_ENTRIES 8192

struct proc {
	pid_t pid;
	pid_t parent;
	int64_t start_ticks;
	char state; /* as in proc(5) */
	bool sender; /* a walsender by its title */
};

struct procs {
	int dir_fd; /* of /proc */
	size_t n;
	struct proc items[PROCS_MAX];
	char entries[PROCS_ENTRIES]; /* of the directory, as the kernel gives them */
};

int procs_open(struct procs *procs, struct err *err) _must_check_;
/* Fills items anew; the number that was found, or < 0 when /proc cannot be read. Zombies are
 * dead: they are left out. */
int procs_find(struct procs *procs, const struct leasepage_facts *facts);
/* Is any of the items its parent? */
bool procs_is_parent(const struct procs *procs, const struct proc *proc);
/* False when the process is no longer the one that was found. */
bool procs_signal(const struct procs *procs, const struct proc *proc, int signo);
/* It lives and waits for nothing but an event: it is asleep, and not on a disk. */
bool procs_sleeps(const struct procs *procs, const struct proc *proc);
/* The control group that the agent has made for this Postgres alone, as a directory; false: this
 * process is in no such group. */
bool procs_group(const struct procs *procs, const struct proc *proc, char *dst, size_t size);
/* Does exactly this process still live? */
bool procs_lives(const struct procs *procs, const struct proc *proc);

#endif
