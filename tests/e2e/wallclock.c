/* SPDX-License-Identifier: PostgreSQL */
/*
 * wallclock - a wall clock that is set back or ahead, for the programs it is preloaded to
 *
 * WALLCLOCK_FILE names a file with one 64-bit number, the nanoseconds that are added to the wall
 * clock; it is mapped, so that a change counts from that moment on. Other clocks stay as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL

static const volatile int64_t *step_ns;
static int (*real_gettime)(clockid_t clock, struct timespec *ret);

__attribute__((constructor)) static void map_step(void)
{
	const char *path = getenv("WALLCLOCK_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*step_ns), PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		step_ns = map;
	close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int64_t ns;
	int r;

	if (!real_gettime)
		real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT,
									    "clock_gettime");
	r = real_gettime(clock, ret);
	if (r != 0 || !step_ns || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
		return r;
	ns = (int64_t)ret->tv_sec * NS_PER_S + ret->tv_nsec + *step_ns;
	ret->tv_sec = ns / NS_PER_S;
	ret->tv_nsec = ns % NS_PER_S;
	return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	ret->tv_sec = now.tv_sec;
	ret->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
