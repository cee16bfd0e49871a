/* SPDX-License-Identifier: PostgreSQL */
/*
 * self - what the guardian does to be run in time
 */
#include "guard/self.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/guardpage.h"

#define STACK_BYTES (64 * 1024)
#define MAPS_BYTES  8192
#define OOM_NEVER   "-1000"

/* The pages of the stack that will be used are there before they are needed. */
static void touch_stack(void)
{
	volatile char stack[STACK_BYTES];

	for (size_t i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 0;
}

/* Lower end of the stack as it is mapped; 0: not known. */
static uintptr_t stack_begin(void)
{
	_cleanup_(closep) int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char maps[MAPS_BYTES];
	const char *line = maps;
	unsigned long begin = 0;
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && len + 1 < sizeof(maps) &&
	       (n = read(fd, maps + len, sizeof(maps) - 1 - len)) > 0)
		len += (size_t)n;
	maps[len] = '\0';
	for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		const char *name = strstr(line, "[stack]");

		if (name != NULL && name < end && sscanf(line, "%lx-", &begin) == 1)
			return begin;
	}
	return 0;
}

/* The kernel maps twice as much of it as is ever used here, and all of that was locked. */
static void free_stack(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t used = (uintptr_t)__builtin_frame_address(0) - STACK_BYTES - MAPS_BYTES;
	uintptr_t begin = stack_begin();
	size_t len = (used & ~(page - 1)) - begin;

	if (begin == 0 || begin > used || munlock((void *)begin, len) < 0)
		return;
	(void)madvise((void *)begin, len, MADV_DONTNEED);
}

static bool oom_safe(void)
{
	_cleanup_(closep) int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char now[8] = "";

	if (fd < 0)
		return false;
	if (write(fd, OOM_NEVER, sizeof(OOM_NEVER) - 1) > 0)
		return true;
	/* Not permitted to us: its unit may have set it before. */
	return pread(fd, now, sizeof(now) - 1, 0) > 4 && now[0] == '-' && now[1] == '1';
}

void self_small(void)
{
	/* What malloc() keeps for later would be locked as well. */
	(void)mallopt(M_TOP_PAD, 0);
}

uint32_t self_strengthen(void)
{
	const struct sched_param first = { .sched_priority = 1 };
	uint32_t ret = 0;

	if (oom_safe())
		ret |= GUARDPAGE_OOM_SAFE;
	if (sched_setscheduler(0, SCHED_RR, &first) == 0)
		ret |= GUARDPAGE_REALTIME;
	else if (setpriority(PRIO_PROCESS, 0, -20) == 0)
		ret |= GUARDPAGE_NICE;
	touch_stack();
	if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0) {
		ret |= GUARDPAGE_LOCKED;
		free_stack();
	}
	/* After the OOM score, which would no longer be ours to write. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	return ret;
}
