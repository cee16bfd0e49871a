/* SPDX-License-Identifier: PostgreSQL */
/*
 * restview - what the status says at the moment of one REST request
 *
 * Here the facts and the status document; health checks are in restview_health.c, metrics in
 * restview_metrics.c.
 */
#include "wire/restview.h"

#include <assert.h>
#include <config.h>
#include <inttypes.h>

#include "wire/record.h"

/* Of the walreceiver, or of restore_command when nothing streams (contract 1.6). */
static const char *replication_state_of(const struct pg_state *pg)
{
	if (pg->streaming)
		return "streaming";
	return pg->has_restore_command ? "in archive recovery" : NULL;
}

/* A stopping server must not go on telling a position: peers would count it as alive. */
static bool may_tell_position(enum member_state state)
{
	return state == STATE_RUNNING || state == STATE_RESTARTING || state == STATE_STARTING;
}

static void read_position(struct restview *view, const struct pg_state *pg)
{
	view->in_recovery = pg->role != ROLE_PRIMARY;
	if (!view->in_recovery) {
		view->role = record_role_text(MROLE_PRIMARY);
		view->location_lsn = pg->flush_lsn;
		return;
	}
	if (view->status->role != MROLE_STANDBY_LEADER)
		view->role = record_role_text(MROLE_REPLICA);
	view->replication_state = replication_state_of(pg);
	view->received_lsn = pg->receive_lsn != 0 ? pg->receive_lsn : pg->replay_lsn;
	view->replayed_lsn = pg->replay_lsn;
	view->leader_lsn = MAX_OF(view->leader_lsn, pg->latest_end_lsn);
}

void restview_init(struct restview *view, const struct status *status, int64_t now_ms)
{
	*view = (struct restview){ .status = status, .now_ms = now_ms };
	view->leads = restmsg_leads(status, now_ms);
	view->dcs_ok = status->dcs_ok && now_ms - status->dcs_last_seen_at_ms < status->ttl_ms;
	view->failsafe = now_ms < status->failsafe_until_ms;
	view->has_sql = status->sql_ok && may_tell_position(status->state) &&
			status->pg.role != ROLE_UNKNOWN;
	view->state = record_state_text(
		status->state == STATE_RUNNING && !view->has_sql ? STATE_UNKNOWN : status->state);
	view->role = record_role_text(status->role);
	if (view->dcs_ok)
		view->leader_lsn = status->optime_lsn;
	if (view->has_sql)
		read_position(view, &status->pg);
}

static void add_key(struct buf *body, const char *key)
{
	jtext_add_key(body, key, JTEXT_SPACED);
}

static void add_text(struct buf *body, const char *key, const char *value)
{
	jtext_add_field(body, key, value, JTEXT_SPACED);
}

static void add_number(struct buf *body, const char *key, int64_t value)
{
	add_key(body, key);
	buf_printf(body, "%" PRId64, value);
}

static void add_lsn(struct buf *body, const char *key, uint64_t lsn)
{
	add_key(body, key);
	buf_printf(body, "%" PRIu64, lsn);
}

static void add_bool(struct buf *body, const char *key, bool value)
{
	add_key(body, key);
	buf_str(body, value ? "true" : "false");
}

static void add_true(struct buf *body, const char *key, bool value)
{
	if (value)
		add_bool(body, key, true);
}

/* Milliseconds since, or until, the mark: the only numbers of a document that move by themselves.
 * While one is prepared only the place is noted. */
static void add_clock(struct buf *body, const struct restview *view, const char *key,
		      int64_t mark_ms, bool ahead)
{
	struct rest_prepared *making = view->making;

	if (!making) {
		add_number(body, key, ahead ? mark_ms - view->now_ms : view->now_ms - mark_ms);
		return;
	}
	add_key(body, key);
	assert(making->nclocks < REST_CLOCKS_MAX);
	making->clocks[making->nclocks++] =
		(struct rest_clock){ .at = body->len, .mark_ms = mark_ms, .ahead = ahead };
}

/* An object that the agent keeps as text; left out when empty. `without`: a field to leave out. */
static void add_json(struct buf *body, const char *key, const char *json, const char *without)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;

	if (!json || jtext_load_object(json, strlen(json), &value, NULL) < 0)
		return;
	if (without)
		json_object_del(value, without);
	if (json_object_size(value) == 0)
		return;
	add_key(body, key);
	jtext_add(body, value, JTEXT_SPACED);
}

static void add_xlog(struct buf *body, const struct restview *view)
{
	const struct pg_state *pg = &view->status->pg;
	char at[ISO_TEXT_MAX];

	add_key(body, "xlog");
	buf_ch(body, '{');
	if (view->in_recovery) {
		add_lsn(body, "received_location", view->received_lsn);
		add_lsn(body, "replayed_location", view->replayed_lsn);
		add_key(body, "replayed_timestamp");
		if (pg->replay_time_us != 0)
			buf_printf(body, "\"%s\"", record_iso_time(pg->replay_time_us, ' ', at));
		else
			buf_str(body, "null");
		add_bool(body, "paused", pg->replay_paused);
	} else {
		add_lsn(body, "location", view->location_lsn);
	}
	buf_ch(body, '}');
}

static void add_walsender(struct buf *body, const struct walsender *sender)
{
	buf_ch(body, '{');
	add_text(body, "usename", sender->usename);
	add_text(body, "application_name", sender->application_name);
	if (sender->client_addr[0]) {
		add_text(body, "client_addr", sender->client_addr);
	} else {
		add_key(body, "client_addr");
		buf_str(body, "null");
	}
	add_text(body, "state", sender->state);
	add_text(body, "sync_state", sender->sync_state);
	add_number(body, "sync_priority", sender->sync_priority);
	buf_ch(body, '}');
}

static void add_replication(struct buf *body, const struct status *status)
{
	if (status->nwalsenders == 0)
		return;
	add_key(body, "replication");
	for (uint32_t i = 0; i < status->nwalsenders; i++) {
		buf_str(body, i == 0 ? "[" : ", ");
		add_walsender(body, &status->walsenders[i]);
	}
	buf_ch(body, ']');
}

static void add_sql_facts(struct buf *body, const struct restview *view)
{
	const struct status *status = view->status;
	const struct pg_state *pg = &status->pg;
	char at[ISO_TEXT_MAX];

	add_text(body, "state", view->state);
	if (view->has_sql && pg->postmaster_start_us != 0)
		add_text(body, "postmaster_start_time",
			 record_iso_time(pg->postmaster_start_us, ' ', at));
	add_text(body, "role", view->role);
	if (!view->has_sql)
		return;
	if (pg->server_version != 0)
		add_number(body, "server_version", pg->server_version);
	add_xlog(body, view);
	add_true(body, "sync_standby", view->in_recovery && status->sync_standby);
	add_true(body, "quorum_standby", view->in_recovery && status->quorum_standby);
	if (pg->timeline != 0)
		add_number(body, "timeline", pg->timeline);
	if (view->replication_state)
		add_text(body, "replication_state", view->replication_state);
	add_replication(body, status);
}

static const char *const door_names[DOOR__MAX] = {
#define X(n, t) [DOOR_##n] = t,
	DOORS(X)
#undef X
};

static const char *const disk_names[DISK__MAX] = {
#define X(n, t) [DISK_##n] = t,
	DISKS(X)
#undef X
};

/* Whether the server lets anybody in, and whether its disk takes a write. */
static void add_vitals(struct buf *body, const struct restview *view)
{
	const struct pg_state *pg = &view->status->pg;
	const struct vitals *v = &pg->vitals;

	add_key(body, "postgres");
	buf_ch(body, '{');
	add_text(body, "connections", door_names[v->door]);
	if (v->door != DOOR_UNKNOWN)
		add_clock(body, view, "connections_for_ms", v->door_since_at_ms, false);
	add_text(body, "disk", disk_names[v->disk]);
	if (v->disk != DISK_UNKNOWN) {
		add_clock(body, view, "disk_for_ms", v->disk_since_at_ms, false);
		add_number(body, "disk_write_ms", v->disk_took_ms);
	}
	if (v->disk_error[0])
		add_text(body, "disk_error", v->disk_error);
	if (pg->streaming) {
		add_number(body, "receiver_age_ms", pg->receiver_age_ms);
		add_bool(body, "receiver_silent", pg->receiver_silent);
	}
	if (view->status->trouble[0])
		add_text(body, "trouble", view->status->trouble);
	buf_ch(body, '}');
}

/* What is done to Postgres, and how far it is where that is told. */
static void add_job(struct buf *body, const struct restview *view)
{
	const struct status *status = view->status;

	if (status->job == NULL)
		return;
	add_key(body, "job");
	buf_ch(body, '{');
	add_text(body, "name", status->job);
	add_clock(body, view, "for_ms", status->job_since_ms, false);
	if (status->job_total_bytes > 0) {
		add_number(body, "done_bytes", status->job_done_bytes);
		add_number(body, "total_bytes", status->job_total_bytes);
	}
	buf_ch(body, '}');
}

/* What pgha says beyond Patroni: which rule it is on, and why; how long its lease is proven. */
static void add_pgha(struct buf *body, const struct restview *view)
{
	const struct status *status = view->status;
	char at[ISO_TEXT_MAX];

	add_key(body, "pgha");
	buf_ch(body, '{');
	add_text(body, "version", PACKAGE_VERSION);
	add_number(body, "rule", status->rule_id);
	add_text(body, "name", status->rule_name);
	add_text(body, "why", status->rule_why);
	add_text(body, "situation", status->situation);
	if (status->rule_since_wall_us != 0)
		add_text(body, "since", record_iso_time(status->rule_since_wall_us, 'T', at));
	add_bool(body, "leader", view->leads);
	add_bool(body, "writable", view->leads && status->writable);
	add_number(body, "lease_epoch", status->lease_epoch);
	if (view->leads)
		add_clock(body, view, "lease_remaining_ms", status->leader_until_ms, true);
	else
		add_number(body, "lease_remaining_ms", 0);
	if (status->note[0])
		add_text(body, "note", status->note);
	if (status->sealed_ballot != 0)
		add_number(body, "sealed", status->sealed_ballot);
	if (status->replaying)
		add_bool(body, "replaying", true);
	add_json(body, "seal", status->seal_json, NULL);
	add_job(body, view);
	if (status->store_regressed) {
		add_text(body, "store", "regressed");
		add_text(body, "store_why", status->store_why);
	}
	add_vitals(body, view);
	add_json(body, "fence", status->fence_json, NULL);
	add_json(body, "explain", status->explain_json, NULL);
	buf_ch(body, '}');
}

void restview_document(const struct restview *view, struct buf *ret_body)
{
	const struct status *status = view->status;

	buf_ch(ret_body, '{');
	add_sql_facts(ret_body, view);
	add_true(ret_body, "pause", status->pause);
	add_true(ret_body, "cluster_unlocked", status->cluster_unlocked || !view->dcs_ok);
	add_true(ret_body, "failsafe_mode_is_active", view->failsafe);
	add_number(ret_body, "dcs_last_seen", status->dcs_last_seen_wall_s);
	add_json(ret_body, "tags", status->tags_json, NULL);
	if (status->pg.sysid[0])
		add_text(ret_body, "database_system_identifier", status->pg.sysid);
	add_true(ret_body, "pending_restart", status->pending_restart);
	if (status->pending_restart)
		add_json(ret_body, "pending_restart_reason", status->pending_restart_reason_json,
			 NULL);
	add_key(ret_body, "patroni");
	buf_ch(ret_body, '{');
	add_text(ret_body, "version", RESTMSG_PATRONI_VERSION);
	add_text(ret_body, "scope", status->scope);
	add_text(ret_body, "name", status->name);
	buf_ch(ret_body, '}');
	add_json(ret_body, "scheduled_restart", status->scheduled_restart_json,
		 "postmaster_start_time");
	add_true(ret_body, "watchdog_failed", status->watchdog_failed);
	add_pgha(ret_body, view);
	buf_ch(ret_body, '}');
}

static void prepare(const struct restview *view, struct rest_prepared *prepared)
{
	struct restview making = *view;

	buf_clear(&prepared->text);
	prepared->nclocks = 0;
	making.making = prepared;
	restview_document(&making, &prepared->text);
	prepared->leads = view->leads;
	prepared->dcs_ok = view->dcs_ok;
	prepared->failsafe = view->failsafe;
	prepared->made = true;
}

void restview_prepared(const struct restview *view, struct buf *ret_body)
{
	struct rest_prepared *p = view->prepared;
	size_t from = 0;

	if (!p->made || p->leads != view->leads || p->dcs_ok != view->dcs_ok ||
	    p->failsafe != view->failsafe)
		prepare(view, p);
	for (uint32_t i = 0; i < p->nclocks; i++) {
		const struct rest_clock *clock = &p->clocks[i];

		buf_add(ret_body, p->text.data + from, clock->at - from);
		buf_printf(ret_body, "%" PRId64,
			   clock->ahead ? clock->mark_ms - view->now_ms :
					  view->now_ms - clock->mark_ms);
		from = clock->at;
	}
	buf_add(ret_body, p->text.data + from, p->text.len - from);
}
