/* SPDX-License-Identifier: PostgreSQL */
/*
 * restview_metrics - the status as Prometheus text
 *
 * Names, order and help texts of Patroni 4.1.4 (contract 2.6); what is ours comes after it, from
 * restview_own.c.
 */
#include <config.h>

#include "wire/record.h"
#include "wire/restview.h"

static void add_version(const struct metrics *m)
{
	const char *name = "patroni_version";

	metrics_family(m, METRICS_GAUGE, name, "Patroni semver without periods.", NULL);
	metrics_head(m, name, NULL);
	/* 4.1.4, each part with two digits; the leading zero stays, which no number would. */
	buf_str(m->body, "040104\n");
}

static bool has_role(const struct restview *view, const char *role)
{
	return str_eq(view->role, role);
}

static void add_roles(const struct metrics *m, const struct restview *view)
{
	const struct pg_state *pg = &view->status->pg;

	metrics_gauge(m, "patroni_postgres_running",
		      "Value is 1 if Postgres is running, 0 otherwise.",
		      str_eq(view->state, "running"));
	metrics_seconds(m, "patroni_postmaster_start_time",
			"Epoch seconds since Postgres started.",
			view->has_sql ? pg->postmaster_start_us : 0);
	metrics_gauge(m, "patroni_primary",
		      "Value is 1 if this node is the leader, 0 otherwise.",
		      has_role(view, "primary"));
	metrics_counter(m, "patroni_xlog_location",
			"Current location of the Postgres transaction log, 0 if this node is not "
			"the leader.",
			view->location_lsn);
	metrics_gauge(m, "patroni_standby_leader",
		      "Value is 1 if this node is the standby_leader, 0 otherwise.",
		      has_role(view, "standby_leader"));
	metrics_gauge(m, "patroni_replica",
		      "Value is 1 if this node is a replica, 0 otherwise.",
		      has_role(view, "replica"));
	metrics_gauge(m, "patroni_sync_standby",
		      "Value is 1 if this node is a sync standby, 0 otherwise.",
		      view->in_recovery && view->status->sync_standby);
	metrics_gauge(m, "patroni_quorum_standby",
		      "Value is 1 if this node is a quorum standby, 0 otherwise.",
		      view->in_recovery && view->status->quorum_standby);
}

static void add_replay(const struct metrics *m, const struct restview *view)
{
	const struct pg_state *pg = &view->status->pg;

	metrics_counter(m, "patroni_xlog_received_location",
			"Current location of the received Postgres transaction log, 0 if this node "
			"is not a replica.",
			view->received_lsn);
	metrics_counter(m, "patroni_xlog_replayed_location",
			"Current location of the replayed Postgres transaction log, 0 if this node "
			"is not a replica.",
			view->replayed_lsn);
	metrics_seconds(m, "patroni_xlog_replayed_timestamp",
			"Current timestamp of the replayed Postgres transaction log, 0 if null.",
			view->in_recovery ? pg->replay_time_us : 0);
	metrics_gauge(m, "patroni_xlog_paused",
		      "Value is 1 if the Postgres xlog is paused, 0 otherwise.",
		      view->in_recovery && pg->replay_paused);
	if (!view->has_sql || pg->server_version < 90600)
		return;
	metrics_gauge(m, "patroni_postgres_streaming",
		      "Value is 1 if Postgres is streaming, 0 otherwise.",
		      str_eq(view->replication_state, "streaming"));
	metrics_gauge(m, "patroni_postgres_in_archive_recovery",
		      "Value is 1 if Postgres is replicating from archive, 0 otherwise.",
		      str_eq(view->replication_state, "in archive recovery"));
}

static void add_cluster(const struct metrics *m, const struct restview *view)
{
	const struct status *status = view->status;

	metrics_gauge(m, "patroni_postgres_server_version",
		      "Version of Postgres (if running), 0 otherwise.",
		      view->has_sql ? status->pg.server_version : 0);
	metrics_gauge(m, "patroni_cluster_unlocked",
		      "Value is 1 if the cluster is unlocked, 0 if locked.",
		      status->cluster_unlocked || !view->dcs_ok);
	metrics_gauge(m, "patroni_failsafe_mode_is_active",
		      "Value is 1 if failsafe mode is active, 0 if inactive.", view->failsafe);
	metrics_gauge(m, "patroni_failsafe_mode_enabled",
		      "Value is 1 if failsafe mode is enabled, 0 if disabled.",
		      status->failsafe_enabled);
	metrics_gauge(m, "patroni_failsafe_member",
		      "Value is 1 if this node is a failsafe member, 0 otherwise.",
		      status->failsafe_member);
	metrics_gauge(m, "patroni_postgres_timeline",
		      "Postgres timeline of this node (if running), 0 otherwise.",
		      view->has_sql ? status->pg.timeline : 0);
	metrics_gauge(m, "patroni_dcs_last_seen",
		      "Epoch timestamp when DCS was last contacted successfully by Patroni.",
		      status->dcs_last_seen_wall_s);
	metrics_gauge(m, "patroni_pending_restart",
		      "Value is 1 if the node needs a restart, 0 otherwise.",
		      status->pending_restart);
	metrics_gauge(m, "patroni_is_paused",
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

static void add_state(const struct metrics *m, const struct restview *view)
{
	const char *name = "patroni_postgres_state";
	enum member_state state = record_state_parse(view->state);
	_cleanup_(buf_done) struct buf values = { 0 };

	buf_str(&values, "Values: ");
	for (int i = 0; i < STATE_UNKNOWN; i++) {
		buf_printf(&values, "%s%d=", i == 0 ? "" : ", ", i);
		add_lower(&values, state_names[i]);
	}
	metrics_family(m, METRICS_GAUGE, name, "Numeric representation of Postgres state.",
		       values.data);
	metrics_add(m, name, NULL, state == STATE_UNKNOWN ? -1 : (int)state);
}

void restview_metrics(const struct restview *view, bool open, struct buf *ret_body)
{
	const struct status *status = view->status;
	const struct metrics m = { ret_body, status->scope, status->name, open };

	add_version(&m);
	add_roles(&m, view);
	add_replay(&m, view);
	add_cluster(&m, view);
	add_state(&m, view);
	metrics_gauge(&m, "patroni_failover_priority",
		      "Failover priority of this node, 0 if it must not be promoted.",
		      status->tags.nofailover ? 0 : status->tags.failover_priority);
	restview_own_metrics(view, &m);
	metrics_end(&m);
}
