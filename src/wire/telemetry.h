/* SPDX-License-Identifier: PostgreSQL */
/*
 * telemetry - what an agent counted and measured since it started, for GET /metrics
 *
 * Nothing is decided by it.
 */
#ifndef PGHA_WIRE_TELEMETRY_H
#define PGHA_WIRE_TELEMETRY_H

#include "core/types.h"

#define TELEMETRY_JOBS      32
#define TELEMETRY_STEPS     20
#define TELEMETRY_ENDPOINTS 16
/* Upper ends of the latency's classes, ms; the last class has none. */
#define TELEMETRY_LATENCIES { 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500 }
#define TELEMETRY_CLASSES   12

struct job_telemetry {
	const char *name; /* static; NULL: there is no such operation */
	uint64_t done;
	uint64_t failed;
	int64_t took_ms; /* the newest that was done */
};

struct step_telemetry {
	const char *name; /* static */
	int64_t at_ms;    /* since the first step */
};

struct endpoint_telemetry {
	char url[URL_SIZE];
	uint64_t answers;
	uint64_t failures;
	bool failing; /* the newest attempt failed */
};

struct etcd_telemetry {
	uint32_t nendpoints;
	struct endpoint_telemetry endpoints[TELEMETRY_ENDPOINTS];
	/* Of the attempts that were answered. */
	uint64_t latency[TELEMETRY_CLASSES];
	int64_t latency_sum_ms;
};

/* What members said to each other and did not believe. */
struct peer_telemetry {
	uint64_t calls_refused;   /* of others, by this member */
	uint64_t answers_refused; /* of others, to calls of this member */
	int64_t refused_wall_us;  /* the newest of either; 0: there was none */
};

struct telemetry {
	int64_t started_wall_us;
	uint64_t cycles;
	uint64_t proofs; /* of the lease */
	uint64_t proofs_failed;
	struct job_telemetry jobs[TELEMETRY_JOBS];
	/* The newest hand-over on this member's side. */
	int64_t handover_wall_us; /* 0: there was none */
	uint32_t nsteps;
	struct step_telemetry steps[TELEMETRY_STEPS];
	struct etcd_telemetry etcd;
	struct peer_telemetry peers;
};

/* Into which class of TELEMETRY_LATENCIES a time falls, and its sum. */
void telemetry_latency(struct etcd_telemetry *etcd, int64_t took_ms);

#endif
