/* SPDX-License-Identifier: PostgreSQL */
/*
 * restview_own - the numbers of GET /metrics that Patroni has not
 *
 * One question each, so that an alert needs no table of numbers.
 */
#include <config.h>

#include "wire/restview.h"

static void add_life(const struct metrics *m, const struct restview *view)
{
	const struct telemetry *t = &view->status->telemetry;
	const struct metrics_label version = { "version", PACKAGE_VERSION };

	metrics_family(m, METRICS_GAUGE, "pgha_build_info", "Version of this agent; always 1.",
		       NULL);
	metrics_add(m, "pgha_build_info", &version, 1);
	metrics_seconds(m, "pgha_start_time_seconds", "Epoch seconds since this agent runs.",
			t->started_wall_us);
	metrics_counter(m, "pgha_cycles_total", "Decisions of this agent since it started.",
			t->cycles);
	metrics_gauge(m, "pgha_rule", "Id of the rule that the last cycle decided by.",
		      view->status->rule_id);
	metrics_seconds(m, "pgha_rule_since", "Epoch seconds since that rule is in force.",
			view->status->rule_since_wall_us);
}

static void add_lease(const struct metrics *m, const struct restview *view)
{
	const struct status *status = view->status;
	const struct telemetry *t = &status->telemetry;

	metrics_gauge(m, "pgha_leader",
		      "Value is 1 if the lease of this node is proven at this moment, 0 otherwise.",
		      view->leads);
	metrics_gauge(m, "pgha_writable",
		      "Value is 1 if this node leads and Postgres was seen out of recovery.",
		      view->leads && status->writable);
	metrics_seconds(m, "pgha_lease_remaining_seconds",
			"Seconds until this node stops leading unless the lease is proven again.",
			view->leads ? (status->leader_until_ms - view->now_ms) * 1000 : 0);
	metrics_seconds(m, "pgha_lease_ttl_seconds", "Term of a lease of this cluster.",
			status->ttl_ms * 1000);
	metrics_gauge(m, "pgha_lease_epoch",
		      "Create revision of the leader key of this node, 0 without one.",
		      status->lease_epoch);
	metrics_counter(m, "pgha_lease_proofs_total",
			"Proofs of the lease that etcd confirmed since the agent started.",
			t->proofs);
	metrics_counter(m, "pgha_lease_proofs_failed_total",
			"Proofs of the lease without an answer, or refused, since the agent started.",
			t->proofs_failed);
}

static void add_guard(const struct metrics *m, const struct status *status)
{
	metrics_gauge(m, "pgha_guard_alive",
		      "Value is 1 if a guardian watches this node, 0 otherwise.",
		      status->guard_alive);
	metrics_gauge(m, "pgha_guard_armed",
		      "Value is 1 if the lease page is armed: Postgres is killed when the term "
		      "ends.",
		      status->page_armed);
	metrics_gauge(m, "pgha_watchdog_active",
		      "Value is 1 if the watchdog device is armed and petted, 0 otherwise.",
		      status->watchdog_active);
	metrics_counter(m, "pgha_guard_kills_total",
			"How often this guardian had to kill Postgres.",
			(uint64_t)status->guard_kills);
}

static void add_module(const struct metrics *m, const struct status *status)
{
	metrics_gauge(m, "pgha_module_loaded",
		      "Value is 1 if the running Postgres has the module pgha_fence.",
		      status->module_loaded);
	metrics_gauge(m, "pgha_module_armed",
		      "Value is 1 if that module ends commits with the lease at this moment.",
		      status->module_armed);
	metrics_counter(m, "pgha_module_refused_total",
			"Commits that the module refused since Postgres started.",
			(uint64_t)status->module_refused);
	metrics_counter(m, "pgha_module_withheld_total",
			"Commits whose acknowledgement the module withheld since Postgres started.",
			(uint64_t)status->module_withheld);
	metrics_counter(m, "pgha_module_unconfirmed_total",
			"Commits that no synchronous standby confirmed and the module withheld.",
			(uint64_t)status->module_unconfirmed);
	metrics_counter(m, "pgha_fence_command_succeeded_total",
			"Runs of fence.command that succeeded since the agent started.",
			(uint64_t)status->fence_succeeded);
	metrics_counter(m, "pgha_fence_command_failed_total",
			"Runs of fence.command that failed since the agent started.",
			(uint64_t)status->fence_failed);
}

static void add_disk(const struct metrics *m, const struct vitals *v)
{
	metrics_gauge(m, "pgha_wal_disk_full",
		      "Value is 1 if there is no room for another segment of WAL, 0 otherwise.",
		      v->disk == DISK_FULL);
	metrics_gauge(m, "pgha_wal_disk_failed",
		      "Value is 1 if the disk of the WAL takes no writes, 0 otherwise.",
		      v->disk == DISK_FAILED);
	metrics_gauge(m, "pgha_wal_disk_stalled",
		      "Value is 1 if a small write where the WAL lies does not end, 0 otherwise.",
		      v->disk == DISK_STALLED);
	metrics_seconds(m, "pgha_wal_disk_write_seconds",
			"Seconds that the newest small write where the WAL lies took.",
			v->disk_took_ms * 1000);
	metrics_gauge(m, "pgha_wal_disk_size_bytes",
		      "Size of the file system where the WAL lies, 0 if unknown.",
		      (int64_t)v->disk_size_bytes);
	metrics_gauge(m, "pgha_wal_disk_free_bytes",
		      "Room that is left there for Postgres, 0 if unknown.",
		      (int64_t)v->disk_free_bytes);
}

static void add_vitals(const struct metrics *m, const struct pg_state *pg)
{
	const struct vitals *v = &pg->vitals;

	metrics_gauge(m, "pgha_postgres_answers",
		      "Value is 1 if the newest new connection to Postgres was answered, 0 "
		      "otherwise.",
		      v->door == DOOR_OPEN || v->door == DOOR_FULL);
	metrics_gauge(m, "pgha_postgres_silent",
		      "Value is 1 if Postgres runs and answers no new connection, 0 otherwise.",
		      v->door == DOOR_SILENT || v->door == DOOR_STOPPED);
	metrics_gauge(m, "pgha_postmaster_stopped",
		      "Value is 1 if the process of the postmaster is stopped, 0 otherwise.",
		      v->door == DOOR_STOPPED);
	metrics_gauge(m, "pgha_receiver_silent",
		      "Value is 1 if the walreceiver hears nothing of its upstream, 0 otherwise.",
		      pg->receiver_silent);
	add_disk(m, v);
}

static int64_t behind(uint64_t leader_lsn, uint64_t lsn)
{
	return leader_lsn > lsn ? (int64_t)(leader_lsn - lsn) : 0;
}

/* How old the newest replayed transaction is, while there is more to replay. */
static int64_t replay_lag_us(const struct restview *view)
{
	const struct status *status = view->status;
	int64_t wall_us = status->made_wall_us + (view->now_ms - status->made_at_ms) * 1000;
	int64_t replayed_us = status->pg.replay_time_us;

	if (view->leader_lsn <= view->replayed_lsn || replayed_us == 0 || wall_us < replayed_us)
		return 0;
	return wall_us - replayed_us;
}

static void add_lag(const struct metrics *m, const struct restview *view)
{
	bool is_standby = view->has_sql && view->in_recovery;

	metrics_gauge(m, "pgha_receive_lag_bytes",
		      "Bytes of WAL of the leader not yet received, 0 if unknown.",
		      is_standby ? behind(view->leader_lsn, view->received_lsn) : 0);
	metrics_gauge(m, "pgha_replay_lag_bytes",
		      "Bytes of WAL of the leader not yet replayed, 0 if unknown.",
		      is_standby ? behind(view->leader_lsn, view->replayed_lsn) : 0);
	metrics_seconds(m, "pgha_replay_lag_seconds",
			"Age of the newest replayed transaction while there is more to replay, 0 "
			"otherwise.",
			is_standby ? replay_lag_us(view) : 0);
}

static void add_slots(const struct metrics *m, const struct restview *view)
{
	static const char name[] = "pgha_slot_retained_bytes";
	const struct status *status = view->status;
	uint64_t end_lsn = view->in_recovery ? view->replayed_lsn : view->location_lsn;

	metrics_family(m, METRICS_GAUGE, name,
		       "Bytes of WAL that a physical replication slot of this node keeps.", NULL);
	for (uint32_t i = 0; view->has_sql && i < status->nslots; i++) {
		const struct metrics_label slot = { "slot", status->slots[i].name };

		if (status->slots[i].lsn != 0)
			metrics_add(m, name, &slot, behind(end_lsn, status->slots[i].lsn));
	}
}

static void add_endpoints(const struct metrics *m, const struct etcd_telemetry *etcd)
{
	static const char *const names[] = { "pgha_etcd_answers_total", "pgha_etcd_failures_total",
					     "pgha_etcd_endpoint_failing" };
	static const char *const helps[] = {
		"Answers of an endpoint of etcd since the agent started.",
		"Attempts at an endpoint of etcd that failed since the agent started.",
		"Value is 1 if the newest attempt at an endpoint of etcd failed, 0 otherwise.",
	};

	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		metrics_family(m, n < 2 ? METRICS_COUNTER : METRICS_GAUGE, names[n], helps[n],
			       NULL);
		for (uint32_t i = 0; i < etcd->nendpoints; i++) {
			const struct endpoint_telemetry *at = &etcd->endpoints[i];
			const struct metrics_label endpoint = { "endpoint", at->url };
			const uint64_t values[] = { at->answers, at->failures, at->failing };

			metrics_add(m, names[n], &endpoint, (int64_t)values[n]);
		}
	}
}

static void add_latency(const struct metrics *m, const struct etcd_telemetry *etcd)
{
	static const int64_t ends_ms[] = TELEMETRY_LATENCIES;
	int64_t total = 0;

	metrics_family(m, METRICS_HISTOGRAM, "pgha_etcd_request_seconds",
		       "Time until etcd answered an attempt.", NULL);
	for (size_t i = 0; i < TELEMETRY_CLASSES; i++) {
		char end[24] = "+Inf";
		const struct metrics_label le = { "le", end };

		if (i < ARRAY_LEN(ends_ms))
			(void)str_printf(end, sizeof(end), "%g", (double)ends_ms[i] / 1e3);
		/* OpenMetrics wants a decimal point. */
		if (str_eq(end, "1"))
			(void)str_copy(end, sizeof(end), "1.0");
		total += (int64_t)etcd->latency[i];
		metrics_add(m, "pgha_etcd_request_seconds_bucket", &le, total);
	}
	metrics_add_seconds(m, "pgha_etcd_request_seconds_sum", NULL, etcd->latency_sum_ms * 1000);
	metrics_add(m, "pgha_etcd_request_seconds_count", NULL, total);
}

static void add_jobs(const struct metrics *m, const struct telemetry *t)
{
	static const char *const names[] = { "pgha_job_done_total", "pgha_job_failed_total" };
	static const char *const helps[] = {
		"Operations on Postgres that were done since the agent started.",
		"Operations on Postgres that failed since the agent started.",
	};
	static const char took[] = "pgha_job_seconds";

	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		metrics_family(m, METRICS_COUNTER, names[n], helps[n], NULL);
		for (size_t i = 0; i < TELEMETRY_JOBS; i++) {
			const struct job_telemetry *at = &t->jobs[i];
			const struct metrics_label job = { "job", at->name };

			if (at->name && at->done + at->failed > 0)
				metrics_add(m, names[n], &job,
					    (int64_t)(n == 0 ? at->done : at->failed));
		}
	}
	metrics_family(m, METRICS_GAUGE, took,
		       "Seconds that the newest operation of that kind took.", NULL);
	for (size_t i = 0; i < TELEMETRY_JOBS; i++) {
		const struct metrics_label job = { "job", t->jobs[i].name };

		if (t->jobs[i].name && t->jobs[i].done > 0)
			metrics_add_seconds(m, took, &job, t->jobs[i].took_ms * 1000);
	}
}

static void add_handover(const struct metrics *m, const struct telemetry *t)
{
	static const char step_seconds[] = "pgha_handover_step_seconds";

	metrics_seconds(m, "pgha_handover_time_seconds",
			"Epoch seconds of the newest change of leaders that this node was part of, 0 "
			"if there was none since the agent started.",
			t->handover_wall_us);
	metrics_family(m, METRICS_GAUGE, step_seconds,
		       "When each of its steps was done here, in seconds since the first.", NULL);
	for (uint32_t i = 0; i < t->nsteps; i++) {
		const struct metrics_label step = { "step", t->steps[i].name };

		metrics_add_seconds(m, step_seconds, &step, t->steps[i].at_ms * 1000);
	}
}

static void add_peers(const struct metrics *m, const struct peer_telemetry *peers)
{
	static const char name[] = "pgha_peer_refused_total";
	const struct metrics_label call = { "what", "call" };
	const struct metrics_label answer = { "what", "answer" };

	metrics_family(m, METRICS_COUNTER, name,
		       "Calls of members, and answers to calls of this node, that were refused for "
		       "their signature.",
		       NULL);
	metrics_add(m, name, &call, (int64_t)peers->calls_refused);
	metrics_add(m, name, &answer, (int64_t)peers->answers_refused);
	metrics_seconds(m, "pgha_peer_refused_time_seconds",
			"Epoch seconds of the newest of them, 0 if there was none since the agent "
			"started.",
			peers->refused_wall_us);
}

void restview_own_metrics(const struct restview *view, const struct metrics *m)
{
	const struct status *status = view->status;

	add_lease(m, view);
	add_guard(m, status);
	add_module(m, status);
	add_vitals(m, &status->pg);
	add_life(m, view);
	add_lag(m, view);
	add_slots(m, view);
	metrics_gauge(m, "pgha_cluster_members", "Members of the cluster that etcd has.",
		      status->nmembers);
	metrics_gauge(m, "pgha_store_regressed",
		      "Value is 1 if etcd was wiped or restored and nobody accepted it yet.",
		      status->store_regressed);
	add_endpoints(m, &status->telemetry.etcd);
	add_latency(m, &status->telemetry.etcd);
	add_peers(m, &status->telemetry.peers);
	add_jobs(m, &status->telemetry);
	add_handover(m, &status->telemetry);
}
