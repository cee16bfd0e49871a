/* SPDX-License-Identifier: PostgreSQL */
/*
 * publish - the status board, and one log line for each change of rule, lease or leader
 */
#include "agent/state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/vitals.h"

/* Message ids of the journal catalog. */
#define MSG_RULE   "6f6c1f1c5d0b4b0f9f3bb5c9a7d1e001"
#define MSG_LEADER "6f6c1f1c5d0b4b0f9f3bb5c9a7d1e002"

#define MSG_FAILSAFE "6f6c1f1c5d0b4b0f9f3bb5c9a7d1e003"

#define BOARD_EVERY_MS 1000

enum member_state publish_state(const struct agent *a)
{
	const struct view *v = &a->view;
	bool busy = a->job.ticket != 0;

	if (busy && a->job.op == PGOP_INITDB)
		return STATE_INITDB;
	if (busy && a->job.op == PGOP_CLONE)
		return STATE_CREATING_REPLICA;
	if (v->restart == RESTART_STARTING && v->pg.run != PG_UP)
		return STATE_RESTARTING;
	switch (v->pg.run) {
	case PG_UP:
		return STATE_RUNNING;
	case PG_STARTING:
		return STATE_STARTING;
	case PG_STOPPING:
		return STATE_STOPPING;
	case PG_SILENT:
		return STATE_UNKNOWN;
	case PG_LEFTOVERS:
		return STATE_CRASHED;
	case PG_DOWN:
		if (v->boot_failed)
			return STATE_INITDB_FAILED;
		if (busy && (a->job.op == PGOP_START_PRIMARY || a->job.op == PGOP_START_STANDBY))
			return STATE_STARTING;
		if (v->start_failures > 0)
			return STATE_START_FAILED;
		return v->pg.control == CONTROL_IN_PRODUCTION ? STATE_CRASHED : STATE_STOPPED;
	case PG_UNKNOWN:
	case PG_RUN__MAX:
		break;
	}
	return STATE_UNKNOWN;
}

enum member_role publish_role(const struct agent *a)
{
	const struct pg_state *pg = &a->view.pg;

	if (pg->dir == DIR_EMPTY)
		return MROLE_UNINITIALIZED;
	if (a->job.ticket != 0 && a->job.op == PGOP_PROMOTE)
		return MROLE_PROMOTED;
	if (pg->run != PG_DOWN && pg->role == ROLE_PRIMARY)
		return MROLE_PRIMARY;
	if (pg->role == ROLE_REPLICA || pg->standby_signal)
		return MROLE_REPLICA;
	return MROLE_DEMOTED;
}

/* Names are checked when they are read, so they need no escaping here. */
static void add_pair(struct buf *b, const char *sep, const char *key, const char *text)
{
	buf_printf(b, "%s\"%s\": ", sep, key);
	record_quote(b, text);
}

static void explain_json(const struct agent *a, struct buf *b)
{
	const struct view *v = &a->view;
	const struct plan *plan = &a->plan;

	if (plan->situation.leader == LEADER_OTHER) {
		add_pair(b, "{", "rank", "none");
		add_pair(b, ", ", "why", "no election: another member leads");
		add_pair(b, ", ", "other", v->cluster.leader);
	} else {
		add_pair(b, "{", "rank", rank_name(plan->verdict.rank));
		add_pair(b, ", ", "why", plan->verdict.why);
		add_pair(b, ", ", "other", plan->verdict.other);
	}
	add_pair(b, ", ", "note", plan->note);
	buf_str(b, ", \"votes\": [");
	for (uint32_t i = 0; i < v->nvotes; i++) {
		const struct vote *vote = &v->votes[i];

		add_pair(b, i > 0 ? ", {" : "{", "name", vote->name);
		add_pair(b, ", ", "answer",
			 vote->failed	 ? "none" :
			 vote->answered ? "yes" :
					   "waiting");
		buf_printf(b, ", \"timeline\": %u, \"lsn\": %" PRIu64 "}", vote->timeline,
			   vote->lsn);
	}
	buf_str(b, "]}");
}

static void fill_failsafe(const struct agent *a, struct status *st)
{
	const struct view *v = &a->view;
	const struct failsafe_key *key = &v->cluster.failsafe;
	bool lives = lease_state(&v->lease, v->now_ms) == LEASE_FAILSAFE;

	str_set(&st->failsafe_json, a->failsafe_text);
	st->failsafe_enabled = v->cfg.failsafe != FAILSAFE_OFF;
	for (uint32_t i = 0; i < key->n; i++)
		st->failsafe_member = st->failsafe_member || str_eq(key->names[i], v->name);
	st->failsafe_until_ms = lives ? lease_at(&v->lease, LEASE_STOP_PCT) :
				state_leads(a) ? 0 : v->promise_until_ms;
}

static void fill_rule(struct agent *a, struct status *st)
{
	const struct plan *plan = &a->plan;
	_cleanup_(freep) char *seal = seal_json(a);
	char text[SITUATION_TEXT_MAX];

	st->rule_id = plan->rule->id;
	str_clip(st->rule_name, sizeof(st->rule_name), plan->rule->name);
	str_clip(st->rule_why, sizeof(st->rule_why), plan->rule->why);
	str_clip(st->situation, sizeof(st->situation), situation_text(&plan->situation, text));
	st->rule_since_wall_us = a->rule_since_wall_us;
	st->lease_epoch = a->view.lease.epoch;
	st->job = a->job.ticket != 0 ? pg_op_name(a->job.op) : NULL;
	st->job_since_ms = a->job.since_ms;
	str_clip(st->note, sizeof(st->note), plan->note[0] != '\0' ? plan->note : a->note);
	str_clip(st->trouble, sizeof(st->trouble), vitals_trouble(&a->view.pg));
	st->sealed_ballot = a->view.sealed ? a->view.promised : 0;
	st->replaying = seal_replays(a);
	str_set(&st->seal_json, seal);
	st->store_regressed = a->view.regressed;
	str_clip(st->store_why, sizeof(st->store_why), a->regress_why);
	buf_clear(&a->scratch);
	explain_json(a, &a->scratch);
	str_set(&st->explain_json, a->scratch.data);
	fences_status(a, st);
	fill_failsafe(a, st);
}

static void fill_cluster(struct agent *a, struct status *st)
{
	const struct view *v = &a->view;
	enum sync_role sync = restmsg_sync_role(&v->cluster, a->sync_quorum, v->name);

	st->sync_standby = sync == SYNC_STANDBY;
	st->quorum_standby = sync == SYNC_QUORUM;

	st->dcs_last_seen_at_ms = v->dcs_seen_at_ms;
	if (v->dcs_seen_at_ms != 0)
		st->dcs_last_seen_wall_s =
			(v->wall_us / 1000 - (v->now_ms - v->dcs_seen_at_ms)) / 1000;
	st->dcs_ok = v->cluster.leader_known && !v->regressed &&
		     v->now_ms - v->dcs_seen_at_ms < v->cfg.ttl_ms;
	st->cluster_unlocked = !st->dcs_ok || v->cluster.leader[0] == '\0';
	st->nmembers = v->cluster.nmembers;
	st->leader_known = v->cluster.leader_known;
	str_clip(st->leader, sizeof(st->leader), v->cluster.leader);
	st->leader_epoch = v->cluster.leader_epoch;
	st->is_leader_key = str_eq(v->cluster.leader, v->name);
	st->optime_lsn = v->cluster.status_optime_lsn;
	if (a->cluster_dirty || st->cluster_json == NULL) {
		buf_clear(&a->scratch);
		restmsg_cluster_print(a->config->scope, &v->cluster, a->member_texts,
				      a->nmember_texts, v->cfg.pause, a->sync_quorum,
				      &a->scratch);
		str_set(&st->cluster_json, a->scratch.data);
		a->cluster_dirty = false;
	}
	str_set(&st->history_json, a->history_text != NULL ? a->history_text : "[]");
	str_set(&st->config_json, a->config_text);
}

char *publish_schedule_json(const struct agent *a)
{
	const struct restart *r = &a->restart;
	char iso[ISO_TEXT_MAX];
	struct buf b = { 0 };

	if (!r->scheduled)
		return NULL;
	record_iso_zoned(r->at_us, r->filter.scheduled_offset_min, iso);
	buf_printf(&b, "{\"schedule\": \"%s\"", iso);
	if (r->filter.role[0] != '\0')
		buf_printf(&b, ", \"role\": \"%s\"", r->filter.role);
	if (r->filter.postgres_version[0] != '\0')
		buf_printf(&b, ", \"postgres_version\": \"%s\"", r->filter.postgres_version);
	if (r->filter.restart_pending)
		buf_str(&b, ", \"restart_pending\": true");
	if (r->filter.timeout_ms > 0)
		buf_printf(&b, ", \"timeout\": %" PRId64, r->filter.timeout_ms / 1000);
	if (r->postmaster_start_us != 0)
		buf_printf(&b, ", \"postmaster_start_time\": \"%s\"",
			   record_iso_time(r->postmaster_start_us, ' ', iso));
	buf_ch(&b, '}');
	return buf_take(&b);
}

/* The one status of this agent, made anew. */
static struct status *make_status(struct agent *a)
{
	const struct view *v = &a->view;
	struct status *st = a->status;
	_cleanup_(freep) char *schedule = publish_schedule_json(a);
	_cleanup_(freep) char *changes =
		a->nchanges > 0 ? record_changes_text(a->changes, a->nchanges) : NULL;
	bool ours = str_eq(v->cluster.leader, v->name) || !v->cluster.leader_known;

	status_clear(st);
	str_clip(st->scope, sizeof(st->scope), a->config->scope);
	str_clip(st->name, sizeof(st->name), v->name);
	st->made_at_ms = v->now_ms;
	st->made_wall_us = v->wall_us;
	st->loop_deadline_ms = v->now_ms + MAX_OF(v->cfg.ttl_ms, 2 * v->cfg.loop_wait_ms);
	st->leader_until_ms = ours ? lease_at(&v->lease, LEASE_STOP_PCT) : 0;
	st->writable = v->pg.run == PG_UP && v->pg.role == ROLE_PRIMARY && a->sql_ok &&
		       a->job.ticket == 0 && !v->handover_begun && !v->pg.boot_unfinished;
	st->state = publish_state(a);
	st->role = publish_role(a);
	/* What is being killed has no position: the others must not wait for it. */
	st->sql_ok = a->sql_ok && !v->hung_given_up;
	st->pg = v->pg;
	st->nwalsenders = a->nwalsenders;
	for (uint32_t i = 0; i < a->nwalsenders; i++)
		st->walsenders[i] = a->walsenders[i];
	st->nslots = a->nslots;
	for (uint32_t i = 0; i < a->nslots; i++)
		st->slots[i] = a->slots[i];
	st->telemetry = a->telemetry;
	st->ttl_ms = v->cfg.ttl_ms;
	st->maximum_lag_bytes = v->cfg.maximum_lag_bytes;
	st->pause = v->cfg.pause;
	st->tags = v->tags;
	str_set(&st->tags_json, a->config->tags_json);
	st->pending_restart = v->pg.pending_restart;
	str_set(&st->pending_restart_reason_json, changes);
	str_set(&st->scheduled_restart_json, schedule);
	fill_cluster(a, st);
	fill_rule(a, st);
	return st;
}

void publish_document(struct agent *a, struct buf *ret)
{
	struct status *st = make_status(a);
	struct rest_answer got = { 0 };

	restmsg_get(st, a->view.now_ms, "GET", "/patroni", NULL, &got);
	*ret = got.body;
	got.body = (struct buf){ 0 };
	rest_answer_done(&got);
}

static void say_rule(struct agent *a)
{
	const struct plan *plan = &a->plan;
	char situation[SITUATION_TEXT_MAX];
	char id[8];
	char cycle[24];
	struct log_field fields[3];
	enum log_level level;
	const char *pause = plan->situation.mode == MODE_PAUSED ? "PAUSE: " : "";

	if (plan->rule->id == a->said_rule && str_eq(plan->note, a->said_note))
		return;
	(void)str_printf(id, sizeof(id), "%u", plan->rule->id);
	(void)str_printf(cycle, sizeof(cycle), "%" PRIu64, a->recorder.total);
	situation_text(&plan->situation, situation);
	fields[0] = (struct log_field){ "PGHA_RULE", id };
	fields[1] = (struct log_field){ "PGHA_SITUATION", situation };
	fields[2] = (struct log_field){ "PGHA_CYCLE", cycle };
	/* While an operation runs its own lines say more. */
	level = plan->situation.job == JOB_IDLE ? LOG_INFO : LOG_DEBUG;
	log_event(level, MSG_RULE, fields, ARRAY_LEN(fields), "%srule %u %s: %s%s%s", pause,
		  plan->rule->id, plan->rule->name, plan->rule->why,
		  plan->note[0] != '\0' ? "; " : "", plan->note);
	log_debug("situation: %s", situation);
	recorder_add(&a->recorder, a->view.now_ms, "rule %u %s", plan->rule->id, situation);
	if (plan->rule->id != a->said_rule)
		a->rule_since_wall_us = a->view.wall_us;
	a->said_rule = plan->rule->id;
	str_clip(a->said_note, sizeof(a->said_note), plan->note);
	a->board_dirty = true;
}

static void say_leader(struct agent *a)
{
	const struct cluster *c = &a->view.cluster;
	struct log_field fields[1] = { { "PGHA_LEADER", c->leader } };

	if (!c->leader_known || str_eq(c->leader, a->said_leader))
		return;
	if (c->leader[0] == '\0')
		log_event(LOG_NOTICE, MSG_LEADER, fields, 1, "'%s' no longer holds the leader key",
			  a->said_leader);
	else
		log_event(LOG_NOTICE, MSG_LEADER, fields, 1, "'%s' leads, epoch %" PRId64 "%s",
			  c->leader, c->leader_epoch,
			  str_eq(c->leader, a->view.name) ? ": this member" : "");
	str_clip(a->said_leader, sizeof(a->said_leader), c->leader);
	a->board_dirty = true;
	recorder_dump(a, c->leader[0] != '\0' ? "leader" : "no-leader");
}

static void say_lease(struct agent *a)
{
	enum lease_state now = a->plan.situation.lease;

	if (now == a->said_lease)
		return;
	if (now == LEASE_FAILSAFE)
		log_event(LOG_NOTICE, MSG_FAILSAFE, NULL, 0,
			  "failsafe mode is active: etcd cannot be reached, and %s promised not to "
			  "take over",
			  a->failsafe.mode == FAILSAFE_QUORUM ? "enough members" : "every member");
	else if (now == LEASE_FADING || now == LEASE_ENDING || now == LEASE_OVER)
		log_warning("the lease of epoch %" PRId64 " is %s: no proof for %" PRId64
			    " ms of a term of %" PRId64 " ms",
			    a->view.lease.epoch, lease_state_name(now),
			    a->view.now_ms - lease_newest_ms(&a->view.lease), a->view.lease.ttl_ms);
	else if (now == LEASE_HELD && a->said_lease != LEASE_NONE)
		log_notice("the lease is proven again");
	recorder_add(&a->recorder, a->view.now_ms, "lease %s", lease_state_name(now));
	a->said_lease = now;
	a->board_dirty = true;
}

void publish_cycle(struct agent *a)
{
	say_leader(a);
	say_lease(a);
	say_rule(a);
	if (!a->board_dirty && !a->cluster_dirty &&
	    a->view.now_ms - a->board_at_ms < MIN_OF(BOARD_EVERY_MS, a->view.cfg.loop_wait_ms))
		return;
	a->board_dirty = false;
	a->board_at_ms = a->view.now_ms;
	a->port.publish(a->port.ctx, make_status(a));
}
