/* SPDX-License-Identifier: PostgreSQL */
/*
 * upkeep - what every member publishes, and what a leader keeps true, beyond the table
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/vitals.h"

#define CHECKPOINT_RETRY_MS 5000
#define SLOTS_EVERY_MS      10000

/* A leader's write: only under its own epoch. */
static void leader_put(struct agent *a, enum ticket_kind kind, const char *name, const char *value)
{
	struct etcd_req req;
	char key[ETCD_KEY_SIZE];

	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	etcd_cmp_number(&req, state_key(a, "leader", key), ETCD_CMP_CREATE, a->view.lease.epoch);
	etcd_then_put(&req, state_key(a, name, key), value, 0);
	a->port.etcd(a->port.ctx, state_ticket(a, kind, 0, ""), &req);
	etcd_req_done(&req);
}

/* ---- member key ---- */

/* All but the texts that are made for the occasion. */
static void fill_member(const struct agent *a, struct member_out *out)
{
	const struct config *c = a->config;
	const struct pg_state *pg = &a->view.pg;

	memset(out, 0, sizeof(*out)); /* it is compared as bytes */
	out->conn_host = c->pg.connect_host;
	out->conn_port = c->pg.connect_port;
	out->database = c->pg.database;
	out->pgha_version = PGHA_VERSION;
	out->state = publish_state(a);
	out->role = publish_role(a);
	out->checkpoint_pending = a->checkpoint_pending && state_leads(a);
	out->tags_json = c->tags_json;
	out->pending_restart = pg->pending_restart;
	out->pause = a->view.cfg.pause;
	out->trouble = vitals_trouble(pg);
	out->sealed = a->view.seal_wanted ? a->view.promised : 0;
	out->no_remote_commands = !c->allow_remote_commands;
	if (a->sql_ok && pg->run == PG_UP) {
		out->has_lsn = true;
		out->in_recovery = pg->role != ROLE_PRIMARY;
		out->xlog_location_lsn = out->in_recovery ?
						 MAX_OF(pg->receive_lsn, pg->replay_lsn) :
						 pg->flush_lsn;
		out->replay_lsn = out->in_recovery ? pg->replay_lsn : 0;
		out->receive_lsn = out->in_recovery ? pg->receive_lsn : 0;
		out->timeline = pg->timeline;
	}
	if (pg->run == PG_UP && pg->role == ROLE_REPLICA)
		out->replication_state = pg->streaming		 ? "streaming" :
					 pg->has_restore_command ? "in archive recovery" :
								   NULL;
}

/* Into the scratch buffer. */
static const char *member_text(struct agent *a, struct member_out *out, const char *fence)
{
	char api[URL_SIZE];
	_cleanup_(freep) char *schedule = publish_schedule_json(a);
	_cleanup_(freep) char *changes =
		a->nchanges > 0 ? record_changes_text(a->changes, a->nchanges) : NULL;

	state_api_url(a, api);
	out->api_url = api;
	out->pending_restart_reason_json = changes;
	out->scheduled_restart_json = schedule;
	out->fence = fence[0] != '\0' ? fence : NULL;
	buf_clear(&a->scratch);
	record_member_print(out, &a->scratch);
	return a->scratch.data;
}

/* At rest the text would be the same again: that is seen before it is made. What a new
 * configuration brings is urgent, and what has texts of its own is always made. */
static bool member_same(struct agent *a, const struct member_out *out, const char *fence)
{
	struct member_seen *seen = &a->member_seen;
	bool plain = a->nchanges == 0 && !a->restart.scheduled &&
		     (out->trouble == NULL || out->trouble[0] == '\0');
	bool same = plain && memcmp(out, &seen->out, sizeof(*out)) == 0 &&
		    str_eq(fence, seen->fence);

	seen->out = *out;
	str_clip(seen->fence, sizeof(seen->fence), fence);
	return same;
}

static void put_member(struct agent *a, const char *text)
{
	struct etcd_req req;
	char name[ETCD_KEY_SIZE];
	char key[ETCD_KEY_SIZE];

	(void)str_printf(name, sizeof(name), "members/%s", a->view.name);
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	etcd_then_put(&req, state_key(a, name, key), text, a->session.lease_id);
	str_set(&a->member_text, text);
	a->member_at_ms = a->view.now_ms;
	a->member_urgent = false;
	a->port.etcd(a->port.ctx, state_ticket(a, TICKET_MEMBER, 0, ""), &req);
	etcd_req_done(&req);
}

/* Positions alone are published once in a loop_wait; anything else at once. */
void upkeep_member(struct agent *a)
{
	bool due = a->view.now_ms - a->member_at_ms >= a->view.cfg.loop_wait_ms;
	bool moved = a->session.lease_id != a->member_lease_id;
	bool urgent = moved || a->member_urgent || a->member_text == NULL;
	char fence[FENCES_WORDS_SIZE];
	struct member_out out;
	const char *text;

	if (a->session.lease_id == 0 || state_waits_for(a, TICKET_MEMBER))
		return;
	if (!due && !urgent)
		return;
	fill_member(a, &out);
	fences_words(a, fence);
	if (member_same(a, &out, fence) && !urgent)
		return;
	text = member_text(a, &out, fence);
	if (!moved && str_eq(text, a->member_text)) {
		a->member_urgent = false;
		return;
	}
	put_member(a, text);
}

static void member_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	if (ev->result == 0 && ev->rep->error_code == 0) {
		a->member_lease_id = p->lease_id;
		return;
	}
	if (ev->result == 0 && ev->rep->error_code == 5 && p->lease_id == a->session.lease_id) {
		a->session.lease_id = 0;
		a->session.retry_at_ms = 0;
	}
	/* Not written: what stands in the key is not what we think. */
	free(a->member_text);
	a->member_text = NULL;
}

/* ---- slots ---- */

static void keep_seen(struct agent *a, const char *slot)
{
	for (uint32_t i = 0; i < a->nretained; i++) {
		if (!str_eq(a->retained[i].name, slot))
			continue;
		a->retained[i].seen_at_ms = a->view.now_ms;
		return;
	}
	if (a->nretained == SLOTS_MAX)
		return;
	a->status_moved = true;
	str_clip(a->retained[a->nretained].name, NAME_SIZE, slot);
	a->retained[a->nretained++].seen_at_ms = a->view.now_ms;
}

/* Members that were seen, and those that the leader still counts, until their time is over. */
static void refresh_retained(struct agent *a)
{
	uint32_t n = 0;
	char slot[NAME_SIZE];

	for (uint32_t i = 0; i < a->view.cluster.nmembers; i++) {
		record_slot_name(a->view.cluster.members[i].name, slot);
		if (!a->view.cluster.members[i].tags.nostream)
			keep_seen(a, slot);
	}
	if (!state_leads(a) && a->view.cfg.member_slots_ttl_ms > 0)
		for (uint32_t i = 0; i < a->status_key.nretain; i++)
			keep_seen(a, a->status_key.retain[i]);
	for (uint32_t i = 0; i < a->nretained; i++) {
		int64_t age = a->view.now_ms - a->retained[i].seen_at_ms;

		if (age <= MAX_OF(a->view.cfg.member_slots_ttl_ms, 0))
			a->retained[n++] = a->retained[i];
	}
	a->status_moved = a->status_moved || n != a->nretained;
	a->nretained = n;
}

static uint64_t published_slot(const struct agent *a, const char *slot)
{
	for (uint32_t i = 0; i < a->status_key.nslots; i++)
		if (str_eq(a->status_key.slots[i].name, slot))
			return a->status_key.slots[i].lsn;
	return 0;
}

/* By the newest probe. What it does not tell, a slot that is lost above all, is looked after now
 * and then. */
static bool slots_in_order(const struct agent *a, const struct pg_req *req)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < a->nslots; i++) {
		bool wanted = !req->drop_others;

		for (uint32_t k = 0; k < req->nslots; k++) {
			if (!str_eq(req->slots[k].name, a->slots[i].name))
				continue;
			if (a->slots[i].lsn == 0 ? req->slots[k].advance_lsn != 0 :
						   a->slots[i].lsn < req->slots[k].advance_lsn)
				return false;
			wanted = true;
			found++;
		}
		if (!wanted)
			return false;
	}
	return found == req->nslots;
}

/* Every node keeps a slot for every other member, so that the next leader has WAL for all. */
static void slots_cycle(struct agent *a)
{
	const char *leader = a->view.cluster.leader;
	struct pg_req req = { .op = PGOP_SLOTS, .drop_others = a->view.mode != MODE_PAUSED,
			      .another_leads = leader[0] && !str_eq(leader, a->view.name) };
	bool known = a->view.cluster.leader_known && a->view.cluster.nmembers > 0;
	char own[NAME_SIZE];

	if (!a->view.cfg.use_slots || a->view.pg.run != PG_UP || !a->sql_ok || !known ||
	    state_waits_for(a, TICKET_SLOTS) || a->job.ticket != 0)
		return;
	if (a->view.now_ms - a->slots_at_ms < a->view.cfg.loop_wait_ms)
		return;
	a->slots_at_ms = a->view.now_ms;
	refresh_retained(a);
	record_slot_name(a->view.name, own);
	for (uint32_t i = 0; i < a->nretained && req.nslots < SLOTS_MAX; i++) {
		struct slot_want *want = &req.slots[req.nslots];

		if (str_eq(a->retained[i].name, own))
			continue;
		str_clip(want->name, sizeof(want->name), a->retained[i].name);
		if (!state_leads(a))
			want->advance_lsn = published_slot(a, want->name);
		req.nslots++;
	}
	if (slots_in_order(a, &req) && a->view.now_ms - a->slots_asked_at_ms < SLOTS_EVERY_MS)
		return;
	a->slots_asked_at_ms = a->view.now_ms;
	job_ask(a, TICKET_SLOTS, &req);
}

/* ---- what a leader writes ---- */

void upkeep_slots(const struct agent *a, struct status_key *st)
{
	char own[NAME_SIZE];

	*st = (struct status_key){ .optime_lsn = a->view.pg.flush_lsn };
	record_slot_name(a->view.name, own);
	for (uint32_t i = 0; i < a->nslots && st->nslots + 1 < SLOTS_MAX; i++)
		st->slots[st->nslots++] = a->slots[i];
	str_clip(st->slots[st->nslots].name, NAME_SIZE, own);
	st->slots[st->nslots++].lsn = a->view.pg.flush_lsn;
}

static void fill_status(const struct agent *a, struct status_key *st)
{
	upkeep_slots(a, st);
	for (uint32_t i = 0; i < a->nretained && a->view.cfg.member_slots_ttl_ms > 0; i++)
		str_clip(st->retain[st->nretain++], NAME_SIZE, a->retained[i].name);
}

static void status_cycle(struct agent *a)
{
	struct status_key st;

	if (state_waits_for(a, TICKET_STATUS) || a->view.pg.flush_lsn == 0)
		return;
	if (a->view.now_ms - a->status_at_ms < a->view.cfg.loop_wait_ms &&
	    a->status_epoch == a->view.lease.epoch)
		return;
	/* At rest the text would be the same again: that is seen before it is made. */
	if (!a->status_moved && a->status_lsn == a->view.pg.flush_lsn &&
	    a->status_epoch == a->view.lease.epoch)
		return;
	a->status_moved = false;
	a->status_lsn = a->view.pg.flush_lsn;
	fill_status(a, &st);
	buf_clear(&a->scratch);
	record_status_print(&st, &a->scratch);
	if (str_eq(a->scratch.data, a->status_text) && a->status_epoch == a->view.lease.epoch)
		return;
	str_set(&a->status_text, a->scratch.data);
	leader_put(a, TICKET_STATUS, "status", a->status_text);
	a->status_at_ms = a->view.now_ms;
	a->status_epoch = a->view.lease.epoch;
}

/* The entry of the newest timeline switch, from our own history file. */
static void write_history(struct agent *a)
{
	const struct history *h = &a->own_history;
	const struct history_entry *last = &h->entries[MAX_OF(h->n, 1U) - 1];
	int32_t max = a->view.cfg.max_timelines_history;
	char iso[ISO_TEXT_MAX];
	char *text, *more;

	if (h->n == 0 || h->timeline != a->view.pg.timeline || state_waits_for(a, TICKET_HISTORY))
		return;
	record_iso_time(a->port.wall_us(a->port.ctx), 'T', iso);
	text = record_history_append(a->history_text, last->timeline, last->end_lsn,
				     "no recovery target specified", iso, a->view.name, max);
	/* Numbers were passed over: the last entry has to be the one below ours. */
	if (last->timeline + 1 != h->timeline) {
		more = record_history_append(text, h->timeline - 1, last->end_lsn,
					     "number passed over", iso, a->view.name, max);
		free(text);
		text = more;
	}
	leader_put(a, TICKET_HISTORY, "history", text);
	free(text);
}

static void history_cycle(struct agent *a)
{
	struct pg_req req = { .op = PGOP_ANCESTRY, .timeout_ms = 5000 };
	uint32_t timeline = a->view.pg.timeline;

	if (timeline <= 1 || a->view.cluster.history_timeline == timeline)
		return;
	if (a->own_history.timeline == timeline) {
		write_history(a);
		return;
	}
	if (state_waits_for(a, TICKET_OWN_HISTORY))
		return;
	str_clip(req.upstream.name, NAME_SIZE, a->view.name);
	str_clip(req.upstream.host, HOST_SIZE, a->config->pg.connect_host);
	req.upstream.port = a->config->pg.connect_port;
	job_ask(a, TICKET_OWN_HISTORY, &req);
}

static void checkpoint_cycle(struct agent *a)
{
	struct pg_req req = { .op = PGOP_CHECKPOINT };

	/* pg_rewind reads the control file, which names the old timeline until a checkpoint. */
	if (a->checkpoint_pending && a->view.now_ms >= a->checkpoint_retry_ms)
		job_ask(a, TICKET_CHECKPOINT, &req);
}

/* No member of ours manages synchronous replication: a record of it is of a Patroni leader before
 * this one, and would bind the next election to members that confirm nothing any more. */
static void sync_cycle(struct agent *a)
{
	struct etcd_req req;
	const struct view *v = &a->view;

	if (!v->cluster.sync.present || v->pg.role != ROLE_PRIMARY || v->pg.run != PG_UP ||
	    a->job.ticket != 0 || state_waits_for(a, TICKET_SYNC))
		return;
	etcd_req_init_txn(&req, v->cfg.retry_timeout_ms);
	txn_cmp_number(a, &req, "leader", ETCD_CMP_CREATE, v->lease.epoch);
	txn_cmp_number(a, &req, "sync", ETCD_CMP_MOD, v->cluster.sync.mod_revision);
	txn_then_delete(a, &req, "sync");
	txn_send(a, TICKET_SYNC, 0, &req);
}

static void missing_keys_cycle(struct agent *a)
{
	struct cluster *c = &a->view.cluster;

	if (c->init != INIT_SET && c->init != INIT_UNKNOWN && a->view.pg.sysid[0] != '\0' &&
	    !state_waits_for(a, TICKET_INIT)) {
		log_notice("writing the system identifier %s of the cluster '%s'",
			   a->view.pg.sysid, a->config->scope);
		leader_put(a, TICKET_INIT, "initialize", a->view.pg.sysid);
	}
	if (!c->config_present && !state_waits_for(a, TICKET_CONFIG)) {
		const char *json = a->dynamic != NULL ? a->dynamic : a->config->bootstrap.dcs_json;

		leader_put(a, TICKET_CONFIG, "config", json != NULL ? json : "{}");
	}
}

static void leader_cycle(struct agent *a)
{
	struct view *v = &a->view;
	bool serves = v->pg.run == PG_UP && v->pg.role == ROLE_PRIMARY && a->sql_ok;

	if (!state_leads(a) || lease_state(&v->lease, v->now_ms) != LEASE_HELD || !serves ||
	    v->pg.boot_unfinished || !str_eq(v->cluster.leader, v->name))
		return;
	missing_keys_cycle(a);
	sync_cycle(a);
	failsafe_write_cycle(a);
	status_cycle(a);
	history_cycle(a);
	checkpoint_cycle(a);
}

/* A switchover is asked for, and it may well be this standby's. Who is armed stays so while nobody
 * else leads: the request goes with the key, and what takes the settings back would be in the way
 * of the promotion. */
static bool wants_armed(const struct agent *a)
{
	const struct view *v = &a->view;
	const struct request *r = &v->cluster.request;
	bool open = v->cluster.leader[0] == '\0' || str_eq(v->cluster.leader, v->name);

	if (a->armed && open && v->pg.role == ROLE_REPLICA)
		return true;
	return v->pg.role == ROLE_REPLICA && r->present && r->scheduled_at_us <= v->wall_us &&
	       (r->candidate[0] == '\0' || str_eq(r->candidate, v->name));
}

/* By a reload of Postgres, while the leader still makes its checkpoint. */
static void arm_cycle(struct agent *a)
{
	struct pg_req req = { .op = PGOP_APPLY, .armed = wants_armed(a) };

	if (a->view.pg.run == PG_DOWN)
		a->armed = false;
	if (req.armed == a->armed || a->job.ticket != 0 || a->view.pg.dir != DIR_PRESENT ||
	    a->view.pg.run != PG_UP)
		return;
	a->armed = req.armed;
	job_run(a, &req);
}

static void apply_cycle(struct agent *a)
{
	struct pg_req req = { .op = PGOP_APPLY, .armed = a->armed, .reload = a->reload_wanted };

	if (!a->apply_wanted || a->job.ticket != 0 || a->view.pg.dir != DIR_PRESENT ||
	    a->view.pg.run != PG_UP || a->view.pg.vitals.disk == DISK_STALLED)
		return;
	a->apply_wanted = a->reload_wanted = false;
	job_run(a, &req);
	if (a->ready_said)
		a->port.callback(a->port.ctx, CB_RELOAD, publish_role(a));
}

/* Callbacks of the operator: Postgres became available, or its role changed. A restart is one
 * callback, when it is over. */
static void callback_cycle(struct agent *a)
{
	struct view *v = &a->view;

	if (v->pg.run == PG_DOWN && a->ready_said) {
		a->ready_said = false;
		a->restart_unsaid = v->restart != RESTART_NONE;
		if (!a->restart_unsaid)
			a->port.callback(a->port.ctx, CB_STOP, publish_role(a));
		return;
	}
	if (v->pg.run != PG_UP || v->pg.boot_unfinished || v->pg.role == ROLE_UNKNOWN ||
	    a->job.ticket != 0)
		return;
	if (a->role_said != ROLE_UNKNOWN && a->role_said != v->pg.role)
		a->port.callback(a->port.ctx, CB_ROLE_CHANGE, publish_role(a));
	else if (!a->ready_said)
		a->port.callback(a->port.ctx, a->restart_unsaid ? CB_RESTART : CB_START,
				 publish_role(a));
	a->ready_said = true;
	a->restart_unsaid = false;
	a->role_said = v->pg.role;
}

void upkeep_cycle(struct agent *a)
{
	upkeep_member(a);
	leader_cycle(a);
	slots_cycle(a);
	apply_cycle(a);
	arm_cycle(a);
	callback_cycle(a);
	trace_cycle(a);
}

void upkeep_answer(struct agent *a, const struct pending *p, const struct event *ev)
{
	bool refused = ev->result == 0 && (ev->rep->error_code != 0 || !ev->rep->succeeded);

	if (p->kind == TICKET_MEMBER)
		member_answered(a, p, ev);
	else if (refused)
		state_refused(a, p->kind);
	if (p->kind == TICKET_STATUS && (ev->result < 0 || refused))
		a->status_epoch = 0; /* written again by the next cycle */
}
