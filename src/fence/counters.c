/* SPDX-License-Identifier: PostgreSQL */
/*
 * counters - what happened, and the last deadline believed, in shared memory
 */
#include "fence/module.h"

#include <stdatomic.h>

#include <postgres.h>

#include <miscadmin.h>
#include <storage/ipc.h>
#include <storage/lwlock.h>
#include <storage/shmem.h>

struct counters {
	struct gate_belief belief;
	_Atomic uint64_t count[MODULE__MAX];
};

static struct counters *shared;

void counters_request(void)
{
	RequestAddinShmemSpace(sizeof(struct counters));
}

void counters_attach(void)
{
	bool found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(MODULE_NAME, sizeof(*shared), &found);
	if (!found)
		memset(shared, 0, sizeof(*shared));
	LWLockRelease(AddinShmemInitLock);
}

struct gate_belief *counters_belief(void)
{
	return shared ? &shared->belief : NULL;
}

void counters_add(enum module_counter counter)
{
	if (shared)
		(void)atomic_fetch_add_explicit(&shared->count[counter], 1, memory_order_relaxed);
}

uint64_t counters_get(enum module_counter counter)
{
	return shared ? atomic_load_explicit(&shared->count[counter], memory_order_relaxed) : 0;
}

const char *counters_name(enum module_counter counter)
{
	static const char *const names[MODULE__MAX] = {
#define X(n, t) [MODULE_##n] = t,
		MODULE_COUNTERS(X)
#undef X
	};

	return names[counter];
}
