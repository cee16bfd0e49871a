/* SPDX-License-Identifier: PostgreSQL */
/*
 * restview_metrics - the status as Prometheus text
 *
 * Names, order and help texts of Patroni 4.1.4 first (contract 2.6), then what is ours.
 */
#include <config.h>
#include <inttypes.h>

#include "wire/record.h"
#include "wire/restview.h"

struct metric {
	const char *name;
	const char *type;
	const char *help;
};

/* A label's value: backslash, quote and line end are escaped. */
static void add_label(struct buf *body, const char *name, const char *value)
{
	buf_printf(body, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_ch(body, '\\');
		if (*value == '\n')
			buf_str(body, "\\n");
		else
			buf_ch(body, *value);
	}
	buf_ch(body, '"');
}

/* Everything of a sample up to its value. */
static void add_head(struct buf *body, const struct restview *view, const struct metric *metric)
{
	buf_printf(body, "# HELP %s %s\n# TYPE %s %s\n%s{", metric->name, metric->help,
		   metric->name, metric->type, metric->name);
	add_label(body, "scope", view->status->scope);
	buf_ch(body, ',');
	add_label(body, "name", view->status->name);
	buf_str(body, "} ");
}

static void add_number(struct buf *body, const struct restview *view, const char *type,
		       const char *name, const char *help, int64_t value)
{
	const struct metric metric = { name, type, help };

	add_head(body, view, &metric);
	buf_printf(body, "%" PRId64 "\n", value);
}

static void add_gauge(struct buf *body, const struct restview *view, const char *name,
		      const char *help, int64_t value)
{
	add_number(body, view, "gauge", name, help, value);
}

static void add_counter(struct buf *body, const struct restview *view, const char *name,
			const char *help, uint64_t value)
{
	add_number(body, view, "counter", name, help, (int64_t)value);
}

/* Seconds as Python prints a float; 0 for none. */
static void add_seconds(struct buf *body, const struct restview *view, const char *name,
			const char *help, int64_t us)
{
	const struct metric metric = { name, "gauge", help };
	_cleanup_(jtext_unrefp) json_t *value = NULL;

	add_head(body, view, &metric);
	value = us == 0 ? json_integer(0) : json_real((double)us / 1e6);
	jtext_add(body, value, JTEXT_COMPACT);
	buf_ch(body, '\n');
}

static void add_version(struct buf *body, const struct restview *view)
{
	static const struct metric metric = { "patroni_version", "gauge",
					      "Patroni semver without periods." };

	add_head(body, view, &metric);
	/* 4.1.4, each part with two digits; the leading zero stays, which no number would. */
	buf_str(body, "040104\n");
}

static bool has_role(const struct restview *view, const char *role)
{
	return str_eq(view->role, role);
}

static void add_roles(struct buf *body, const struct restview *view)
{
	const struct pg_state *pg = &view->status->pg;

	add_gauge(body, view, "patroni_postgres_running",
		  "Value is 1 if Postgres is running, 0 otherwise.",
		  str_eq(view->state, "running"));
	add_seconds(body, view, "patroni_postmaster_start_time",
		    "Epoch seconds since Postgres started.",
		    view->has_sql ? pg->postmaster_start_us : 0);
	add_gauge(body, view, "patroni_primary",
		  "Value is 1 if this node is the leader, 0 otherwise.", has_role(view, "primary"));
	add_counter(body, view, "patroni_xlog_location",
		    "Current location of the Postgres transaction log, 0 if this node is not the "
		    "leader.",
		    view->location_lsn);
	add_gauge(body, view, "patroni_standby_leader",
		  "Value is 1 if this node is the standby_leader, 0 otherwise.",
		  has_role(view, "standby_leader"));
	add_gauge(body, view, "patroni_replica",
		  "Value is 1 if this node is a replica, 0 otherwise.", has_role(view, "replica"));
	add_gauge(body, view, "patroni_sync_standby",
		  "Value is 1 if this node is a sync standby, 0 otherwise.",
		  view->in_recovery && view->status->sync_standby);
	add_gauge(body, view, "patroni_quorum_standby",
		  "Value is 1 if this node is a quorum standby, 0 otherwise.",
		  view->in_recovery && view->status->quorum_standby);
}

static void add_replay(struct buf *body, const struct restview *view)
{
	const struct pg_state *pg = &view->status->pg;

	add_counter(body, view, "patroni_xlog_received_location",
		    "Current location of the received Postgres transaction log, 0 if this node is "
		    "not a replica.",
		    view->received_lsn);
	add_counter(body, view, "patroni_xlog_replayed_location",
		    "Current location of the replayed Postgres transaction log, 0 if this node is "
		    "not a replica.",
		    view->replayed_lsn);
	add_seconds(body, view, "patroni_xlog_replayed_timestamp",
		    "Current timestamp of the replayed Postgres transaction log, 0 if null.",
		    view->in_recovery ? pg->replay_time_us : 0);
	add_gauge(body, view, "patroni_xlog_paused",
		  "Value is 1 if the Postgres xlog is paused, 0 otherwise.",
		  view->in_recovery && pg->replay_paused);
	if (!view->has_sql || pg->server_version < 90600)
		return;
	add_gauge(body, view, "patroni_postgres_streaming",
		  "Value is 1 if Postgres is streaming, 0 otherwise.",
		  str_eq(view->replication_state, "streaming"));
	add_gauge(body, view, "patroni_postgres_in_archive_recovery",
		  "Value is 1 if Postgres is replicating from archive, 0 otherwise.",
		  str_eq(view->replication_state, "in archive recovery"));
}

static void add_cluster(struct buf *body, const struct restview *view)
{
	const struct status *status = view->status;

	add_gauge(body, view, "patroni_postgres_server_version",
		  "Version of Postgres (if running), 0 otherwise.",
		  view->has_sql ? status->pg.server_version : 0);
	add_gauge(body, view, "patroni_cluster_unlocked",
		  "Value is 1 if the cluster is unlocked, 0 if locked.",
		  status->cluster_unlocked || !view->dcs_ok);
	add_gauge(body, view, "patroni_failsafe_mode_is_active",
		  "Value is 1 if failsafe mode is active, 0 if inactive.", view->failsafe);
	add_gauge(body, view, "patroni_failsafe_mode_enabled",
		  "Value is 1 if failsafe mode is enabled, 0 if disabled.",
		  view->status->failsafe_enabled);
	add_gauge(body, view, "patroni_failsafe_member",
		  "Value is 1 if this node is a failsafe member, 0 otherwise.",
		  view->status->failsafe_member);
	add_gauge(body, view, "patroni_postgres_timeline",
		  "Postgres timeline of this node (if running), 0 otherwise.",
		  view->has_sql ? status->pg.timeline : 0);
	add_gauge(body, view, "patroni_dcs_last_seen",
		  "Epoch timestamp when DCS was last contacted successfully by Patroni.",
		  status->dcs_last_seen_wall_s);
	add_gauge(body, view, "patroni_pending_restart",
		  "Value is 1 if the node needs a restart, 0 otherwise.", status->pending_restart);
	add_gauge(body, view, "patroni_is_paused",
		  "Value is 1 if auto failover is disabled, 0 otherwise.", status->pause);
}

static const char *const state_names[] = {
#define X(name, text) [STATE_##name] = #name,
	MEMBER_STATES(X)
#undef X
};

static void add_lower(struct buf *body, const char *text)
{
	for (; *text; text++)
		buf_ch(body, *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text);
}

/* A comment line stands between HELP and TYPE, so this one is written by hand. */
static void add_state(struct buf *body, const struct restview *view)
{
	enum member_state state = record_state_parse(view->state);

	buf_str(body, "# HELP patroni_postgres_state Numeric representation of Postgres state.\n"
		      "# Values: ");
	for (int i = 0; i < STATE_UNKNOWN; i++) {
		buf_printf(body, "%s%d=", i == 0 ? "" : ", ", i);
		add_lower(body, state_names[i]);
	}
	buf_str(body, "\n# TYPE patroni_postgres_state gauge\npatroni_postgres_state{");
	add_label(body, "scope", view->status->scope);
	buf_ch(body, ',');
	add_label(body, "name", view->status->name);
	buf_printf(body, "} %d\n", state == STATE_UNKNOWN ? -1 : (int)state);
}

/* One question each, so that an alert needs no table of numbers. */
static void add_vitals(struct buf *body, const struct restview *view)
{
	const struct pg_state *pg = &view->status->pg;
	const struct vitals *v = &pg->vitals;

	add_gauge(body, view, "pgha_postgres_answers",
		  "Value is 1 if the newest new connection to Postgres was answered, 0 otherwise.",
		  v->door == DOOR_OPEN || v->door == DOOR_FULL);
	add_gauge(body, view, "pgha_postgres_silent",
		  "Value is 1 if Postgres runs and answers no new connection, 0 otherwise.",
		  v->door == DOOR_SILENT || v->door == DOOR_STOPPED);
	add_gauge(body, view, "pgha_postmaster_stopped",
		  "Value is 1 if the process of the postmaster is stopped, 0 otherwise.",
		  v->door == DOOR_STOPPED);
	add_gauge(body, view, "pgha_wal_disk_full",
		  "Value is 1 if there is no room for another segment of WAL, 0 otherwise.",
		  v->disk == DISK_FULL);
	add_gauge(body, view, "pgha_wal_disk_failed",
		  "Value is 1 if the disk of the WAL takes no writes, 0 otherwise.",
		  v->disk == DISK_FAILED);
	add_gauge(body, view, "pgha_wal_disk_stalled",
		  "Value is 1 if a small write where the WAL lies does not end, 0 otherwise.",
		  v->disk == DISK_STALLED);
	add_seconds(body, view, "pgha_wal_disk_write_seconds",
		    "Seconds that the newest small write where the WAL lies took.",
		    v->disk_took_ms * 1000);
	add_gauge(body, view, "pgha_receiver_silent",
		  "Value is 1 if the walreceiver hears nothing of its upstream, 0 otherwise.",
		  pg->receiver_silent);
}

static void add_pgha(struct buf *body, const struct restview *view)
{
	const struct status *status = view->status;
	bool is_behind = view->has_sql && view->in_recovery;

	add_gauge(body, view, "pgha_leader",
		  "Value is 1 if the lease of this node is proven at this moment, 0 otherwise.",
		  view->leads);
	add_gauge(body, view, "pgha_writable",
		  "Value is 1 if this node leads and Postgres was seen out of recovery.",
		  view->leads && status->writable);
	add_seconds(body, view, "pgha_lease_remaining_seconds",
		    "Seconds until this node stops leading unless the lease is proven again.",
		    view->leads ? (status->leader_until_ms - view->now_ms) * 1000 : 0);
	add_gauge(body, view, "pgha_lease_epoch",
		  "Create revision of the leader key of this node, 0 without one.",
		  status->lease_epoch);
	add_gauge(body, view, "pgha_guard_alive",
		  "Value is 1 if a guardian watches this node, 0 otherwise.", status->guard_alive);
	add_gauge(body, view, "pgha_guard_armed",
		  "Value is 1 if the lease page is armed: Postgres is killed when the term ends.",
		  status->page_armed);
	add_gauge(body, view, "pgha_watchdog_active",
		  "Value is 1 if the watchdog device is armed and petted, 0 otherwise.",
		  status->watchdog_active);
	add_counter(body, view, "pgha_guard_kills_total",
		    "How often this guardian had to kill Postgres.",
		    (uint64_t)status->guard_kills);
	add_vitals(body, view);
	add_gauge(body, view, "pgha_module_loaded",
		  "Value is 1 if the running Postgres has the module pgha_fence.",
		  status->module_loaded);
	add_gauge(body, view, "pgha_module_armed",
		  "Value is 1 if that module ends commits with the lease at this moment.",
		  status->module_armed);
	add_counter(body, view, "pgha_module_refused_total",
		    "Commits that the module refused since Postgres started.",
		    (uint64_t)status->module_refused);
	add_counter(body, view, "pgha_module_withheld_total",
		    "Commits whose acknowledgement the module withheld since Postgres started.",
		    (uint64_t)status->module_withheld);
	add_counter(body, view, "pgha_module_unconfirmed_total",
		    "Commits that no synchronous standby confirmed and the module withheld.",
		    (uint64_t)status->module_unconfirmed);
	add_counter(body, view, "pgha_fence_command_succeeded_total",
		    "Runs of fence.command that succeeded since the agent started.",
		    (uint64_t)status->fence_succeeded);
	add_counter(body, view, "pgha_fence_command_failed_total",
		    "Runs of fence.command that failed since the agent started.",
		    (uint64_t)status->fence_failed);
	add_gauge(body, view, "pgha_rule", "Id of the rule that the last cycle decided by.",
		  status->rule_id);
	add_seconds(body, view, "pgha_rule_since", "Epoch seconds since that rule is in force.",
		    status->rule_since_wall_us);
	add_gauge(body, view, "pgha_receive_lag_bytes",
		  "Bytes of WAL of the leader not yet received, 0 if unknown.",
		  is_behind && view->leader_lsn > view->received_lsn
			  ? (int64_t)(view->leader_lsn - view->received_lsn)
			  : 0);
	add_gauge(body, view, "pgha_replay_lag_bytes",
		  "Bytes of WAL of the leader not yet replayed, 0 if unknown.",
		  is_behind && view->leader_lsn > view->replayed_lsn
			  ? (int64_t)(view->leader_lsn - view->replayed_lsn)
			  : 0);
}

void restview_metrics(const struct restview *view, struct buf *ret_body)
{
	add_version(ret_body, view);
	add_roles(ret_body, view);
	add_replay(ret_body, view);
	add_cluster(ret_body, view);
	add_state(ret_body, view);
	add_gauge(ret_body, view, "patroni_failover_priority",
		  "Failover priority of this node, 0 if it must not be promoted.",
		  view->status->tags.nofailover ? 0 : view->status->tags.failover_priority);
	add_pgha(ret_body, view);
}
