/* SPDX-License-Identifier: PostgreSQL */
/*
 * self - what the guardian does to be run in time
 */
#include "guard/self.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/guardpage.h"

#define STACK_BYTES (64 * 1024)
#define OOM_NEVER   "-1000"

/* The pages of the stack that will be used are there before they are needed. */
static void touch_stack(void)
{
	volatile char stack[STACK_BYTES];

	for (size_t i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 0;
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
	if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
		ret |= GUARDPAGE_LOCKED;
	/* After the OOM score, which would no longer be ours to write. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	return ret;
}
