/* SPDX-License-Identifier: PostgreSQL */
/*
 * wake - the guardian's clock and the timer that wakes it
 */
#include "guard/wake.h"

#include <assert.h>
#include <sys/timerfd.h>
#include <time.h>

int64_t wake_now_ms(void)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_BOOTTIME, &ts);

	assert(rc == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void wake_wall(int64_t *ret_seconds, int *ret_ms)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_REALTIME, &ts);

	assert(rc == 0);
	*ret_seconds = ts.tv_sec;
	*ret_ms = (int)(ts.tv_nsec / 1000000);
}

int wake_timer(int *ret_fd, struct err *err)
{
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return err_set(err, ERR_IO, "cannot make a timer");
	*ret_fd = fd;
	return 0;
}

void wake_at(int fd, int64_t at_ms)
{
	/* All zeros would disarm it. */
	int64_t at = MAX_OF(at_ms, 1);
	struct itimerspec when = {
		.it_value = { .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 },
	};
	int rc = timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);

	assert(rc == 0);
}
