/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgreceiver - the end of a walreceiver that nobody wants any more
 */
#include "io/pgreceiver.h"

#include <signal.h>

#include "base/log.h"
#include "base/str.h"
#include "io/fsx.h"

/* A startup process that is not held up ends it within some ms of the reload. */
#define LEAVE_MS 100

static bool follows_nobody(const struct pg *pg)
{
	return pg->follows_known && pg->follows.host[0] == '\0';
}

void pgreceiver_follow(struct pg *pg, const struct upstream *next)
{
	if (next->host[0] == '\0' && !follows_nobody(pg))
		pg->alone_since_ms = loop_now_ms();
}

bool pgreceiver_unwanted(const struct pg *pg)
{
	return follows_nobody(pg) && pg->state.role == ROLE_REPLICA;
}

/* "postgres: walreceiver ...", with the cluster's name before it where it has one. */
static bool is_walreceiver(pid_t pid)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[64];

	(void)str_printf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	return fsx_read(path, 4096, &text, NULL) == 0 && text.len > 0 &&
	       str_starts(text.data, "postgres: ") && strstr(text.data, ": walreceiver") != NULL;
}

void pgreceiver_seen(struct pg *pg, int64_t pid)
{
	struct pgproc proc = { .pidfd = -1 };

	pg->state.receiving = pid != 0;
	if (pid <= 0 || pid > INT32_MAX || loop_now_ms() < pg->alone_since_ms + LEAVE_MS)
		return;
	/* Looked at while it is held: a recycled pid is not hit. */
	if (pgproc_open(pg->config->pg.data_dir, (pid_t)pid, &proc, NULL) != 0)
		return;
	if (proc.parent == pg->life.proc.pid && is_walreceiver(proc.pid) &&
	    child_pidfd_signal(proc.pidfd, SIGTERM) == 0 && proc.pid != pg->receiver_ended) {
		pg->receiver_ended = proc.pid;
		log_notice("walreceiver %d is ended: it goes on receiving while recovery waits",
			   (int)proc.pid);
	}
	pgproc_done(&proc);
}
