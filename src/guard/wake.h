/* SPDX-License-Identifier: PostgreSQL */
/*
 * wake - the guardian's clock and the timer that wakes it
 *
 * CLOCK_BOOTTIME only: it counts a suspend, is never stepped, and is the clock of the lease page.
 */
#ifndef PGHA_GUARD_WAKE_H
#define PGHA_GUARD_WAKE_H

#include "base/err.h"

int64_t wake_now_ms(void);
/* Wall clock seconds and milliseconds, for the stamp of a log line only. */
void wake_wall(int64_t *ret_seconds, int *ret_ms);
int wake_timer(int *ret_fd, struct err *err) _must_check_;
/* A time in the past wakes at once. */
void wake_at(int fd, int64_t at_ms);

#endif
