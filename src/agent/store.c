/* SPDX-License-Identifier: PostgreSQL */
/*
 * store - the leader key taken and given, and the other keys, as etcd transactions
 *
 * Every write of a leader compares the create revision of the leader key, its epoch, so that a
 * thawed old leader overwrites nothing. Answers are folded at once, before the watch brings them.
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"

#define READ_EVERY_MS  30000
#define READ_RETRY_MS  1000
#define BOOT_AGAIN_MS  4000 /* after a bootstrap that failed here */
#define YIELD_MS       1000 /* for the successor, before the old leader starts as a standby */

/* ---- taking and giving the key ---- */

void store_acquire(struct agent *a)
{
	struct view *v = &a->view;
	const struct request *r = &v->cluster.request;
	struct etcd_req req;
	bool beats = term_writes_beats(a);
	uint32_t number;

	if (a->session.lease_id == 0 || state_waits_for(a, TICKET_ACQUIRE) ||
	    state_waits_for(a, TICKET_TAKEOVER))
		return;
	etcd_req_init_txn(&req, a->session.ttl_ms / 2);
	req.urgent = true;
	txn_cmp_number(a, &req, "leader", ETCD_CMP_CREATE, 0);
	/* A beat that we have not seen means that the holder lives, whatever became of its key. */
	txn_cmp_number(a, &req, "pgha/beat", ETCD_CMP_MOD,
		   v->cluster.beat_present ? v->cluster.beat_mod_revision : 0);
	/* Who may take the key while its holder cannot reach etcd stands in this list: it has to be
	 * the one that was looked at. */
	txn_cmp_number(a, &req, "failsafe", ETCD_CMP_MOD, v->cluster.failsafe.mod_revision);
	txn_then_put(a, &req, "leader", v->name, a->session.lease_id);
	/* Whoever did not see this acquisition must fail with the compare above, even if etcd
	 * revokes the key before the first proof. */
	if (beats)
		term_then_beat(a, &req, BEAT_EPOCH_OWN);
	txn_then_delete(a, &req, "pgha/release");
	number = number_put(a, &req);
	fence_put(a, &req);
	if (r->present && r->scheduled_at_us == 0)
		txn_then_put(a, &req, "failover", "{}", 0);
	txn_else_get(a, &req, "leader");
	txn_else_get(a, &req, "pgha/beat");
	/* The term counts from the older of the two. */
	term_keep_soon(a);
	recorder_add(&a->recorder, v->now_ms, "acquire timeline=%u", number);
	trace_mark(a, TRACE_ACQUIRE);
	trace_decision(a);
	txn_send(a, TICKET_ACQUIRE, number, &req)->beat = beats;
}

static void acquire_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;
	struct etcd_kv kv = { .value = v->name, .len = strlen(v->name) };

	if (ev->result < 0)
		return; /* unknown: the watch or a read will tell */
	if (ev->rep->error_code == 5 && p->lease_id == a->session.lease_id) { /* lease not found */
		a->session.lease_id = 0;
		a->session.retry_at_ms = 0;
	}
	if (ev->rep->error_code != 0)
		return;
	if (!ev->rep->succeeded) {
		/* Our picture of one of the keys was old: a fresh read mends it. */
		a->read_retry_at_ms = 0;
		a->read_at_ms = 0;
		a->again = true;
		return;
	}
	if (p->lease_id != a->session.lease_id)
		return;
	number_fold(a, (uint32_t)p->number, ev->rep->revision);
	kv.create_revision = ev->rep->revision;
	kv.mod_revision = ev->rep->revision;
	kv.lease_id = p->lease_id;
	keys_fold_leader(a, &kv, ev->rep->revision);
	if (p->beat) {
		v->cluster.beat_present = true;
		v->cluster.beat_epoch = ev->rep->revision;
		v->cluster.beat_mod_revision =
			MAX_OF(v->cluster.beat_mod_revision, ev->rep->revision);
	}
	v->cluster.release = (struct release){ 0 };
	if (v->cluster.request.scheduled_at_us == 0)
		v->cluster.request.present = false;
	v->promote_pending = v->pg.role == ROLE_REPLICA;
	trace_mark(a, TRACE_KEY);
	v->start_failures = 0;
	v->crash_since_ms = 0;
	a->release_ticket = 0;
	a->next_proof_ms = 0; /* the first beat tells the others what epoch counts */
	a->cluster_dirty = true;
	a->again = true;
	fence_acquired(a, ev->rep->revision);
	term_proven(a, ev->rep->revision, ev->sent_at_ms);
}

/* Deletes a key whose holder was silent for a whole term on our clock. The compare of the beat
 * makes sure that it still is. */
void store_takeover(struct agent *a)
{
	struct view *v = &a->view;
	struct etcd_req req;

	if (state_waits_for(a, TICKET_TAKEOVER) || state_waits_for(a, TICKET_ACQUIRE))
		return;
	etcd_req_init_txn(&req, state_urgent_ms(a));
	req.urgent = true;
	txn_cmp_value(a, &req, "leader", v->cluster.leader);
	txn_cmp_number(a, &req, "leader", ETCD_CMP_CREATE, v->cluster.leader_epoch);
	txn_cmp_number(a, &req, "pgha/beat", ETCD_CMP_MOD, v->cluster.beat_mod_revision);
	/* The put fails where etcd has no space left, and then nothing is deleted. */
	txn_then_put(a, &req, "pgha/ballot", v->name, 0);
	txn_then_delete(a, &req, "leader");
	txn_else_get(a, &req, "leader");
	recorder_add(&a->recorder, v->now_ms, "takeover from '%s'", v->cluster.leader);
	txn_send(a, TICKET_TAKEOVER, v->cluster.leader_epoch, &req);
}

static void takeover_answered(struct agent *a, const struct event *ev)
{
	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	if (!ev->rep->succeeded) {
		a->read_at_ms = 0;
		a->read_retry_at_ms = 0;
		a->again = true;
		return;
	}
	keys_fold_leader(a, NULL, ev->rep->revision);
	a->cluster_dirty = true;
	a->again = true;
}

/* Only called when Postgres is down, or it is a standby. The marker stands in the
 * same transaction as the delete, so it proves what it says. */
void store_release(struct agent *a, const char *to)
{
	struct view *v = &a->view;
	struct release r = { .present = true, .epoch = v->lease.epoch };
	struct status_key status = a->status_key;
	struct etcd_req req;
	char *text;

	if (v->lease.epoch == 0 || state_waits_for(a, TICKET_RELEASE))
		return;
	if (v->pg.run != PG_DOWN && v->pg.role != ROLE_REPLICA)
		return;
	if (to[0] != '\0' && !model_ended_clean(v) && crash_commits_end(v) == 0)
		return; /* nobody is named who may lack something */
	str_clip(r.from, sizeof(r.from), v->name);
	str_clip(r.to, sizeof(r.to), to);
	r.lsn = v->pg.run == PG_DOWN ? v->pg.control_end_lsn : 0;
	if (r.lsn == 0 && to[0] != '\0')
		r.lsn = crash_commits_end(v);
	switch (successor_fit(a, to, r.lsn)) {
	case SUCCESSOR_ASKED:
		return;
	case SUCCESSOR_UNFIT:
		r.to[0] = '\0';
		break;
	case SUCCESSOR_FIT:
	case SUCCESSOR__MAX:
		break;
	}
	r.timeline = v->pg.control_timeline;
	etcd_req_init_txn(&req, v->cfg.retry_timeout_ms);
	txn_cmp_value(a, &req, "leader", v->name);
	txn_cmp_number(a, &req, "leader", ETCD_CMP_CREATE, v->lease.epoch);
	txn_cmp_number(a, &req, "leader", ETCD_CMP_MOD, v->cluster.leader_mod_revision);
	text = record_release_text(&r);
	txn_then_put(a, &req, "pgha/release", text, 0);
	free(text);
	/* A Patroni candidate compares itself with this: never beyond what a standby can have. */
	if (v->pg.control_end_lsn != 0 && v->pg.run == PG_DOWN)
		status.optime_lsn = v->pg.control_checkpoint_lsn;
	/* After a crash what it had is what others are compared with. */
	else if (v->pg.run == PG_DOWN)
		status.optime_lsn = MAX_OF(status.optime_lsn, v->pg.flush_lsn);
	text = record_status_text(&status);
	txn_then_put(a, &req, "status", text, 0);
	free(text);
	a->release_names = successor_put(a, &req, r.to);
	number_give_back(a, &req);
	fence_release(a, &req);
	txn_then_delete(a, &req, "leader");
	txn_else_get(a, &req, "leader");
	recorder_add(&a->recorder, v->now_ms, "release to '%s' lsn=%llX", r.to,
		     (unsigned long long)r.lsn);
	crash_say_release(a, r.to);
	a->release_sent = r;
	a->release_ticket = txn_send(a, TICKET_RELEASE, v->lease.epoch, &req)->ticket;
}

static void release_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;
	struct release r = a->release_sent;

	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	a->release_ticket = 0;
	if (!ev->rep->succeeded) {
		keys_fold_else_leader(a, ev->rep);
		a->read_at_ms = 0;
		if (v->cluster.leader_epoch != p->number)
			term_lost(a);
		return;
	}
	if (number_at_hand(a))
		number_fold(a, v->cluster.begun_timeline - 1, ev->rep->revision);
	r.mod_revision = ev->rep->revision;
	v->cluster.release = r;
	v->release_seen_at_ms = v->now_ms;
	if (r.to[0] != '\0') {
		v->yield_until_ms = v->now_ms + YIELD_MS;
		trace_mark(a, TRACE_RELEASED);
		trace_tell(a, "handed over");
	}
	if (v->handover_begun && !a->release_names)
		v->cluster.request.present = false;
	/* Whoever gives up by itself lets the others go first. */
	if (v->crash_since_ms != 0 || v->start_failures > 0)
		v->step_aside_until_ms = v->now_ms + 2 * v->cfg.ttl_ms;
	v->start_failures = 0;
	v->handover_begun = false;
	keys_fold_leader(a, NULL, ev->rep->revision);
	term_lost(a);
	a->cluster_dirty = true;
	a->again = true;
}

/* ---- the initialize key ---- */

/* While it is pending the key hangs on our lease: a crash of ours gives the race back. */
void store_race(struct agent *a)
{
	struct etcd_req req;

	if (a->session.lease_id == 0 || state_waits_for(a, TICKET_INIT))
		return;
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	txn_cmp_number(a, &req, "initialize", ETCD_CMP_CREATE, 0);
	txn_then_put(a, &req, "initialize", "", a->session.lease_id);
	txn_else_get(a, &req, "initialize");
	txn_send(a, TICKET_INIT, MV_RACE, &req);
}

void store_unrace(struct agent *a)
{
	struct etcd_req req;

	if (state_waits_for(a, TICKET_INIT))
		return;
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	txn_cmp_number(a, &req, "initialize", ETCD_CMP_MOD, a->view.cluster.init_mod_revision);
	txn_then_delete(a, &req, "initialize");
	txn_else_get(a, &req, "initialize");
	txn_send(a, TICKET_INIT, MV_UNRACE, &req);
}

void store_enrol(struct agent *a)
{
	struct etcd_req req;

	if (a->view.pg.sysid[0] == '\0' || state_waits_for(a, TICKET_INIT))
		return;
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	txn_cmp_number(a, &req, "initialize", ETCD_CMP_CREATE, 0);
	txn_then_put(a, &req, "initialize", a->view.pg.sysid, 0);
	txn_else_get(a, &req, "initialize");
	log_notice("etcd knows no cluster '%s': enrolling this data directory, "
		   "system identifier %s",
		   a->config->scope, a->view.pg.sysid);
	txn_send(a, TICKET_INIT, MV_ENROL, &req);
}

static void init_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct cluster *c = &a->view.cluster;

	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	a->again = true;
	if (!ev->rep->succeeded) {
		a->read_at_ms = 0;
		return;
	}
	c->init_mod_revision = ev->rep->revision;
	switch (p->number) {
	case MV_RACE:
		c->init = INIT_PENDING;
		a->view.init_mine = true;
		log_notice("won the race to make the cluster '%s'", a->config->scope);
		return;
	case MV_UNRACE:
		c->init = INIT_ABSENT;
		a->view.init_mine = false;
		a->view.boot_failed = false;
		/* Somebody else may do better; our own next try waits longer than theirs. */
		a->view.boot_backoff_until_ms = a->view.now_ms + BOOT_AGAIN_MS;
		log_notice("the race to make the cluster '%s' is given back", a->config->scope);
		return;
	default:
		c->init = INIT_SET;
		str_clip(c->sysid, sizeof(c->sysid), a->view.pg.sysid);
		return;
	}
}

/* ---- requests and configuration, on behalf of operators ---- */

void store_clear_request(struct agent *a, const char *why)
{
	struct etcd_req req;

	if (state_waits_for(a, TICKET_CLEAR))
		return;
	log_notice("the request for another leader is cleared: %s", why);
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	txn_cmp_number(a, &req, "failover", ETCD_CMP_MOD, a->view.cluster.request.mod_revision);
	txn_then_put(a, &req, "failover", "{}", 0);
	txn_send(a, TICKET_CLEAR, a->view.cluster.request.mod_revision, &req);
}

/* The watch may be late with it, or lose it. */
static void clear_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct request *r = &a->view.cluster.request;

	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	if (ev->rep->succeeded && r->mod_revision == p->number) {
		*r = (struct request){ .mod_revision = ev->rep->revision };
		a->cluster_dirty = true;
	} else if (!ev->rep->succeeded) {
		state_refused(a, TICKET_CLEAR);
		a->read_at_ms = 0;
	}
}

void store_refuse_request(struct agent *a, const char *why)
{
	a->refused_revision = a->view.cluster.request.mod_revision;
	a->refused_why = why;
	store_clear_request(a, why);
}

void store_put_request(struct agent *a, const struct request *request)
{
	struct etcd_req req;
	char *text = record_request_text(request);

	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	txn_then_put(a, &req, "failover", text, 0);
	free(text);
	txn_send(a, TICKET_COMMAND, 0, &req);
}

void store_put_config(struct agent *a, uint64_t command_id, const char *json, bool if_unchanged)
{
	struct etcd_req req;

	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	if (if_unchanged)
		txn_cmp_number(a, &req, "config", ETCD_CMP_MOD,
			       a->view.cluster.config_mod_revision);
	txn_then_put(a, &req, "config", json, 0);
	txn_send(a, TICKET_CONFIG, (int64_t)command_id, &req);
}

/* ---- reading ---- */

static void read_all(struct agent *a)
{
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = a->view.cfg.retry_timeout_ms };

	str_clip(req.key, sizeof(req.key), a->config->prefix);
	a->read_retry_at_ms = a->view.now_ms + READ_RETRY_MS;
	txn_send(a, TICKET_READ, 0, &req);
}

static void read_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	if (ev->rep->revision < a->stream_revision) {
		/* Else events have overtaken the answer; the next read knows them. */
		if (ev->rep->revision < p->revision)
			log_warning("etcd answered with revision %lld, older than %lld that was "
				    "seen before: a member that lags, or a store that was restored",
				    (long long)ev->rep->revision, (long long)p->revision);
		return;
	}
	if (regress_check_read(a, ev->rep))
		return;
	keys_fold_read(a, ev->rep);
	a->again = true;
	if (!a->watching) {
		a->watching = true;
		a->port.watch(a->port.ctx, a->config->prefix, a->stream_revision + 1);
	}
}

static void read_cycle(struct agent *a)
{
	/* Streams lose events (etcd 3.4): who is where it should be can wait for the next read. */
	bool streams = a->view.pg.run == PG_UP && a->view.pg.streaming;
	bool settled = a->watching && a->view.cluster.leader[0] != '\0' &&
		       (state_leads(a) || streams);
	int64_t every = settled ? READ_EVERY_MS : READ_RETRY_MS;

	if (a->view.regressed || state_waits_for(a, TICKET_READ) ||
	    a->view.now_ms < a->read_retry_at_ms)
		return;
	if (a->read_at_ms == 0 || !a->watching || a->view.now_ms - a->read_at_ms >= every)
		read_all(a);
}

void store_start(struct agent *a)
{
	term_grant(a);
	read_all(a);
}

/* What has to happen by the clock: session, renewal, reads. */
void store_cycle(struct agent *a)
{
	struct view *v = &a->view;
	bool ours = str_eq(v->cluster.leader, v->name) || !v->cluster.leader_known;
	bool renew = a->plan.lease_verb == LV_KEEP || a->plan.lease_verb == LV_RELEASE;
	bool proves = v->lease.epoch != 0 && ours && renew && !v->regressed;

	if (proves) {
		term_join(a);
		if (v->now_ms >= a->next_proof_ms)
			term_prove(a);
	}
	term_cycle(a);
	read_cycle(a);
}

/* Of etcd itself, and no complaint. */
static bool is_answer(const struct event *ev)
{
	return ev->result == 0 && ev->rep->error_code == 0;
}

/* By a database without space, a user without the right. A lease that is gone is asked for anew,
 * and the keepalive has a rhythm of its own. */
static void note_refusal(struct agent *a, const struct pending *p, const struct event *ev)
{
	uint64_t bit = UINT64_C(1) << p->kind;
	uint64_t before = a->refused_kinds;

	if (ev->result < 0 || ev->rep->error_code == 5 || p->kind == TICKET_KEEPALIVE)
		return;
	a->refused_kinds &= ~bit;
	if (ev->rep->error_code != 0) {
		state_refused(a, p->kind);
		a->refused_kinds |= bit;
	}
	if (before == 0 && a->refused_kinds != 0)
		log_warning("etcd refuses what this member asks of it: %s; trying again",
			    ev->rep->error_text);
	else if (before != 0 && a->refused_kinds == 0)
		log_notice("etcd refuses nothing of this member any more");
}

void store_answer(struct agent *a, const struct pending *p, const struct event *ev)
{
	if (ev->result == 0) {
		a->view.dcs_seen_at_ms = a->view.now_ms;
		if (a->etcd_away_said)
			log_notice("etcd answers again");
		a->etcd_away_said = false;
	} else if (!a->etcd_away_said &&
		   a->view.now_ms - a->view.dcs_seen_at_ms >= a->view.cfg.ttl_ms / 2) {
		a->etcd_away_said = true;
		log_warning("etcd does not answer: %s; retrying",
			    ev->err != NULL ? ev->err->msg : "no reason given");
	}
	if (ev->result == 0 && regress_check(a, p, ev))
		return;
	note_refusal(a, p, ev);
	if (p->kind == TICKET_GRANT)
		term_granted(a, ev);
	else if (p->kind == TICKET_KEEPALIVE)
		term_kept(a, p, ev);
	else if (p->kind == TICKET_PROOF)
		term_proof_answered(a, p, ev);
	else if (p->kind == TICKET_ACQUIRE)
		acquire_answered(a, p, ev);
	else if (p->kind == TICKET_FAILSAFE)
		failsafe_written(a, p, ev);
	else if (p->kind == TICKET_NUMBER)
		number_answered(a, p, ev);
	else if (p->kind == TICKET_FENCE_KEY)
		fence_key_answered(a, ev);
	else if (p->kind == TICKET_TAKEOVER)
		takeover_answered(a, ev);
	else if (p->kind == TICKET_RELEASE)
		release_answered(a, p, ev);
	else if (p->kind == TICKET_BALLOT)
		seal_ballot_answered(a, ev);
	else if (p->kind == TICKET_INIT)
		init_answered(a, p, ev);
	else if (p->kind == TICKET_READ)
		read_answered(a, p, ev);
	else if (p->kind == TICKET_CLEAR)
		clear_answered(a, p, ev);
	else if (p->kind == TICKET_COMMAND)
		command_request_written(a, is_answer(ev));
	else if (p->kind == TICKET_CONFIG)
		command_config_written(a, (uint64_t)p->number, is_answer(ev),
				       is_answer(ev) && ev->rep->succeeded);
	else
		upkeep_answer(a, p, ev);
}
