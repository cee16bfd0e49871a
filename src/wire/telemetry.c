/* SPDX-License-Identifier: PostgreSQL */
/*
 * telemetry - what an agent counted and measured since it started
 */
#include "wire/telemetry.h"

#include <assert.h>

#include "base/base.h"

static const int64_t ends_ms[] = TELEMETRY_LATENCIES;

static_assert(ARRAY_LEN(ends_ms) + 1 == TELEMETRY_CLASSES, "one class more than ends");

void telemetry_latency(struct etcd_telemetry *etcd, int64_t took_ms)
{
	size_t class = 0;

	while (class < ARRAY_LEN(ends_ms) && took_ms > ends_ms[class])
		class++;
	etcd->latency[class]++;
	etcd->latency_sum_ms += took_ms;
}
