/* SPDX-License-Identifier: PostgreSQL */
/*
 * clock - a host's CLOCK_BOOTTIME as a function of true time
 *
 * Runs up to 10 % fast or slow, which is what adjtimex allows. It counts while the host is
 * frozen, as BOOTTIME does, and starts anew with each boot.
 */
#ifndef PGHA_SIM_CLOCK_H
#define PGHA_SIM_CLOCK_H

#include "base/base.h"

struct clock {
	int64_t true_us;  /* at this instant ... */
	int64_t local_us; /* ... it showed this */
	int64_t rate_ppm; /* gained per true second, parts per million */
};

void clock_boot(struct clock *clock, int64_t true_us, int64_t local_us, int64_t rate_ppm);
int64_t clock_local_us(const struct clock *clock, int64_t true_us);
int64_t clock_local_ms(const struct clock *clock, int64_t true_us);
/* The first true instant at which the clock shows local_ms or more. */
int64_t clock_true_us(const struct clock *clock, int64_t local_ms);
void clock_set_rate(struct clock *clock, int64_t true_us, int64_t rate_ppm);

#endif
