/* SPDX-License-Identifier: PostgreSQL */
/*
 * pagewriter - the lease page as the agent orders it, with what only the outside knows
 */
#include "io/pagewriter.h"

#include <sys/stat.h>

#include "base/str.h"
#include "io/loop.h"

static enum leasepage_reason page_reason(const struct page_update *u)
{
	if (u->armed)
		return LEASEPAGE_PRIMARY;
	if (u->paused)
		return LEASEPAGE_PAUSED;
	return u->stopped ? LEASEPAGE_STOPPED : LEASEPAGE_REPLICA;
}

/* The gate on the clock that nobody slews. Computed once for each proof: anew it would carry
 * what CLOCK_BOOTTIME was slewed by since. A suspend since then makes it early, never late. */
static int64_t raw_gate(const struct leasepage *page, const struct page_update *u)
{
	struct leasepage_facts old;

	if (!u->armed)
		return 0;
	if (leasepage_read(page, &old) == LEASEPAGE_GOOD && old.gate_raw_ms != 0 &&
	    old.epoch == u->epoch && old.asked_at_ms == u->asked_at_ms)
		return old.gate_raw_ms;
	return MAX_OF(loop_raw_ms() + u->gate_at_ms - loop_now_ms(), 1);
}

static void set_watchdog(const struct config_watchdog *w, struct leasepage_facts *facts)
{
	facts->watchdog_mode = w->mode == WATCHDOG_REQUIRED  ? LEASEPAGE_WATCHDOG_REQUIRED :
			       w->mode == WATCHDOG_AUTOMATIC ? LEASEPAGE_WATCHDOG_AUTOMATIC :
							       LEASEPAGE_WATCHDOG_OFF;
	facts->watchdog_margin_s = w->safety_margin_s;
	facts->watchdog_testing = str_eq(w->driver, "testing");
	str_clip(facts->watchdog_device, sizeof(facts->watchdog_device), w->device);
}

/* A data directory that cannot be looked at now is still the one it was, and so is that of a
 * server which runs. */
static void look_at_data(struct pagewriter *w, int64_t pid)
{
	struct stat dir = { 0 };

	if ((pid > 0 && pid == w->postmaster_pid && w->data_inode != 0) ||
	    stat(w->data_dir, &dir) < 0)
		return;
	w->data_device = (int64_t)dir.st_dev;
	w->data_inode = (int64_t)dir.st_ino;
}

/* Looked up once: one that ends is told of before another can have its number. */
static void look_at_postmaster(struct pagewriter *w, int64_t pid)
{
	if (pid == w->postmaster_pid)
		return;
	w->postmaster_pid = 0; /* it has ended meanwhile */
	w->postmaster_ticks = 0;
	if (pid > 0 && leasepage_start_ticks(pid, &w->postmaster_ticks, NULL) == 0)
		w->postmaster_pid = pid;
}

void pagewriter_write(struct pagewriter *w, struct leasepage *page, const struct page_update *u,
		      const struct config_watchdog *watchdog)
{
	struct leasepage_facts facts = { .armed = u->armed, .reason = page_reason(u),
					 .epoch = u->epoch, .lease_id = u->lease_id,
					 .asked_at_ms = u->asked_at_ms, .ttl_ms = u->ttl_ms,
					 .proven = u->proven,
					 .kill_at_ms = u->kill_at_ms, .gate_at_ms = u->gate_at_ms,
					 .gate_raw_ms = raw_gate(page, u),
					 .written_at_ms = loop_now_ms() };

	look_at_data(w, u->postmaster_pid);
	look_at_postmaster(w, u->postmaster_pid);
	facts.data_device = w->data_device;
	facts.data_inode = w->data_inode;
	facts.postmaster_pid = w->postmaster_pid;
	facts.postmaster_start_ticks = w->postmaster_ticks;
	set_watchdog(watchdog, &facts);
	leasepage_write(page, &facts);
}
