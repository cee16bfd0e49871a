/* SPDX-License-Identifier: PostgreSQL */
/*
 * pagewriter - the lease page as the agent orders it, with what only the outside knows
 */
#ifndef PGHA_IO_PAGEWRITER_H
#define PGHA_IO_PAGEWRITER_H

#include "agent/port.h"
#include "base/leasepage.h"

/* Starts zeroed but for data_dir. */
struct pagewriter {
	const char *data_dir; /* borrowed */
	int64_t data_device;  /* as stat() named it last; 0: it was never there */
	int64_t data_inode;
	int64_t postmaster_pid; /* on the page; 0: none */
	int64_t postmaster_ticks;
};

void pagewriter_write(struct pagewriter *w, struct leasepage *page, const struct page_update *u,
		      const struct config_watchdog *watchdog);

#endif
