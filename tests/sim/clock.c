/* SPDX-License-Identifier: PostgreSQL */
/*
 * clock - a host's CLOCK_BOOTTIME as a function of true time
 */
#include "clock.h"

void clock_boot(struct clock *clock, int64_t true_us, int64_t local_us, int64_t rate_ppm)
{
	*clock = (struct clock){
		.true_us = true_us, .local_us = local_us, .rate_ppm = rate_ppm
	};
}

int64_t clock_local_us(const struct clock *clock, int64_t true_us)
{
	int64_t elapsed_us = true_us - clock->true_us;

	return clock->local_us + elapsed_us + elapsed_us * clock->rate_ppm / 1000000;
}

int64_t clock_local_ms(const struct clock *clock, int64_t true_us)
{
	return clock_local_us(clock, true_us) / 1000;
}

int64_t clock_true_us(const struct clock *clock, int64_t local_ms)
{
	int64_t wait_us = local_ms * 1000 - clock->local_us;
	int64_t true_us = clock->true_us + wait_us * 1000000 / (1000000 + clock->rate_ppm);

	while (clock_local_ms(clock, true_us) < local_ms)
		true_us++;
	return true_us;
}

void clock_set_rate(struct clock *clock, int64_t true_us, int64_t rate_ppm)
{
	clock->local_us = clock_local_us(clock, true_us);
	clock->true_us = true_us;
	clock->rate_ppm = rate_ppm;
}
