/* SPDX-License-Identifier: PostgreSQL */
/*
 * store - the lease and the cluster's keys as etcd transactions
 *
 * Every write of a leader compares the create revision of the leader key, its epoch, so that a
 * thawed old leader overwrites nothing. Answers are folded at once, before the watch brings them.
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"

#define READ_EVERY_MS  30000
#define READ_RETRY_MS  1000
#define GRANT_RETRY_MS 1000
#define RENEW_RETRY_MS 100
#define PAGE_BEAT_MS   1000
#define BOOT_AGAIN_MS  4000 /* after a bootstrap that failed here */
#define YIELD_MS       1000 /* for the successor, before the old leader starts as a standby */

static void cmp_number(struct agent *a, struct etcd_req *req, const char *name,
		       enum etcd_target target, int64_t number)
{
	char key[ETCD_KEY_SIZE];

	etcd_cmp_number(req, agent_key(a, name, key), target, number);
}

static void cmp_value(struct agent *a, struct etcd_req *req, const char *name, const char *text)
{
	char key[ETCD_KEY_SIZE];

	etcd_cmp_value(req, agent_key(a, name, key), text);
}

static void then_put(struct agent *a, struct etcd_req *req, const char *name, const char *value,
		     int64_t lease_id)
{
	char key[ETCD_KEY_SIZE];

	etcd_then_put(req, agent_key(a, name, key), value, lease_id);
}

static void then_delete(struct agent *a, struct etcd_req *req, const char *name)
{
	char key[ETCD_KEY_SIZE];

	etcd_then_delete(req, agent_key(a, name, key));
}

static void else_get(struct agent *a, struct etcd_req *req, const char *name)
{
	char key[ETCD_KEY_SIZE];

	etcd_else_get(req, agent_key(a, name, key));
}

static struct pending *send(struct agent *a, enum ticket_kind kind, int64_t number,
			    struct etcd_req *req)
{
	uint64_t ticket = agent_ticket(a, kind, number, "");

	a->port.etcd(a->port.ctx, ticket, req);
	etcd_req_done(req);
	return agent_pending(a, kind);
}

static bool writes_beats(const struct agent *a)
{
	if (a->view.cfg.proof != PROOF_AUTO)
		return a->view.cfg.proof == PROOF_BEAT;
	return !(a->view.etcd_known && a->view.etcd_fixed);
}

/* ---- session ---- */

static void grant(struct agent *a)
{
	struct etcd_req req = { .op = ETCD_GRANT, .timeout_ms = a->view.cfg.retry_timeout_ms };

	req.ttl_s = (a->view.cfg.ttl_ms + 999) / 1000;
	a->session.retry_at_ms = a->view.now_ms + GRANT_RETRY_MS;
	send(a, TICKET_GRANT, req.ttl_s * 1000, &req);
}

static void keep_alive(struct agent *a)
{
	struct etcd_req req = { .op = ETCD_KEEPALIVE, .timeout_ms = a->session.ttl_ms / 2,
				.urgent = true, .lease_id = a->session.lease_id };

	a->session.next_keep_ms = a->view.now_ms + a->session.ttl_ms / LEASE_RENEWALS;
	send(a, TICKET_KEEPALIVE, a->session.lease_id, &req);
}

static void session_cycle(struct agent *a)
{
	struct session *s = &a->session;

	if (s->lease_id == 0 || s->ttl_ms != (a->view.cfg.ttl_ms + 999) / 1000 * 1000) {
		if (!agent_waits_for(a, TICKET_GRANT) && a->view.now_ms >= s->retry_at_ms)
			grant(a);
	}
	if (s->lease_id != 0 && a->view.now_ms >= s->next_keep_ms)
		keep_alive(a);
}

static void grant_answered(struct agent *a, const struct event *ev)
{
	struct session *s = &a->session;

	if (ev->result < 0 || ev->rep->error_code != 0 || ev->rep->lease_id == 0)
		return;
	s->lease_id = ev->rep->lease_id;
	s->ttl_ms = ev->rep->ttl_s * 1000;
	s->kept_sent_ms = ev->sent_at_ms;
	s->next_keep_ms = a->view.now_ms + s->ttl_ms / LEASE_RENEWALS;
	s->retry_at_ms = 0;
	a->next_proof_ms = 0; /* the leader key has to move to the new lease */
	a->member_urgent = true;
	a->again = true;
}

/* ---- the proof ---- */

static bool same_page(const struct page_update *x, const struct page_update *y)
{
	return x->armed == y->armed && x->paused == y->paused && x->stopped == y->stopped &&
	       x->proven == y->proven && x->epoch == y->epoch && x->lease_id == y->lease_id &&
	       x->asked_at_ms == y->asked_at_ms && x->ttl_ms == y->ttl_ms &&
	       x->postmaster_pid == y->postmaster_pid;
}

/* The page tells guardian and module; BOOTTIME deadlines of the newest proof. It stays armed for
 * as long as the lease is remembered, and that is until nothing can write under it. Called after
 * every step: a resumed cluster or a new postmaster must not wait for the next proof to be
 * guarded. */
void store_page(struct agent *a)
{
	const struct lease *l = &a->view.lease;
	struct page_update page = { 0 };

	page.paused = a->view.mode == MODE_PAUSED;
	page.stopped = a->view.pg.run == PG_DOWN;
	page.armed = l->epoch != 0 && !page.paused;
	page.proven = a->page.proven || a->page_found || l->epoch != 0;
	page.epoch = l->epoch;
	page.lease_id = l->lease_id;
	page.asked_at_ms = l->asked_at_ms;
	page.ttl_ms = l->ttl_ms;
	page.kill_at_ms = lease_at(l, LEASE_KILL_PCT);
	page.gate_at_ms = lease_at(l, LEASE_GATE_PCT);
	page.postmaster_pid = a->view.pg.postmaster_pid;
	if (a->page_written && same_page(&page, &a->page) &&
	    a->view.now_ms - a->page_at_ms < PAGE_BEAT_MS)
		return;
	a->page = page;
	a->page_written = true;
	a->page_at_ms = a->view.now_ms;
	a->port.page(a->port.ctx, &page);
}

static void proven(struct agent *a, int64_t epoch, int64_t sent_at_ms)
{
	struct view *v = &a->view;
	bool fresh = v->lease.epoch != epoch;
	int64_t asked;

	if (fresh)
		a->session.proved_sent_ms = 0;
	a->session.proved_sent_ms = MAX_OF(a->session.proved_sent_ms, sent_at_ms);
	/* etcd expires the key a term after the newest keepalive it got, so that counts too. */
	asked = MIN_OF(a->session.proved_sent_ms, a->session.kept_sent_ms);
	lease_proven(&v->lease, epoch, a->session.lease_id, asked, a->session.ttl_ms);
	v->last_epoch = MAX_OF(v->last_epoch, epoch);
	if (fresh) {
		recorder_add(&a->recorder, v->now_ms, "lease proven epoch=%lld",
			     (long long)epoch);
	}
	store_page(a);
	a->board_dirty = true;
	a->again = a->again || fresh;
}

static void keepalive_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct session *s = &a->session;

	if (p->number != s->lease_id)
		return;
	if (ev->result == 0 && ev->rep->error_code == 0 && ev->rep->ttl_s > 0) {
		s->kept_sent_ms = MAX_OF(s->kept_sent_ms, ev->sent_at_ms);
		/* The newest proof may have come first. */
		if (a->view.lease.epoch != 0 && a->view.lease.lease_id == s->lease_id)
			proven(a, a->view.lease.epoch, s->proved_sent_ms);
		return;
	}
	/* Anything but "lease not found" says nothing about the lease. etcd may be electing: the
	 * term must not run out because the next try is due a moment too late. */
	if (ev->result < 0 || (ev->rep->error_code != 0 && ev->rep->error_code != 5)) {
		s->next_keep_ms = MIN_OF(s->next_keep_ms, a->view.now_ms + RENEW_RETRY_MS);
		return;
	}
	log_warning("etcd does not know this member's lease any more, asking for a new one");
	s->lease_id = 0;
	s->retry_at_ms = 0;
	a->again = true;
}

void store_session_lost(struct agent *a)
{
	if (a->view.lease.epoch == 0)
		return;
	recorder_add(&a->recorder, a->view.now_ms, "lease dropped epoch=%lld",
		     (long long)a->view.lease.epoch);
	lease_drop(&a->view.lease);
	store_page(a);
	a->board_dirty = true;
}

static void then_beat(struct agent *a, struct etcd_req *req, int64_t epoch)
{
	struct beat beat = { .epoch = epoch,
			     .sequence = ++a->beat_sequence,
			     .ttl_ms = a->session.ttl_ms };
	char *text;

	str_clip(beat.instance, sizeof(beat.instance), a->instance);
	text = record_beat_text(&beat);
	then_put(a, req, "pgha/beat", text, 0);
	free(text);
}

/* One committed write that names holder and epoch. It also moves the key to our present lease
 * where it hangs on another one, as after a restart of the agent. */
void store_prove(struct agent *a)
{
	struct view *v = &a->view;
	int64_t epoch = v->lease.epoch != 0 ? v->lease.epoch : v->cluster.leader_epoch;
	struct etcd_req req;
	bool beats = writes_beats(a);
	/* A release without an answer may still be carried out. Once the key was written again
	 * it cannot: it compares the revision of the one before. */
	bool moves = v->cluster.leader_lease_id != a->session.lease_id ||
		     (a->release_ticket != 0 && a->plan.lease_verb != LV_RELEASE);
	struct pending *p;

	if (a->session.lease_id == 0 || epoch == 0 || regress_is_old_claim(a, epoch))
		return;
	etcd_req_init_txn(&req, a->session.ttl_ms / 2);
	req.urgent = true;
	req.everywhere = lease_state(&v->lease, v->now_ms) == LEASE_FADING;
	cmp_value(a, &req, "leader", v->name);
	cmp_number(a, &req, "leader", ETCD_CMP_CREATE, epoch);
	if (moves)
		then_put(a, &req, "leader", v->name, a->session.lease_id);
	else
		cmp_number(a, &req, "leader", ETCD_CMP_LEASE, a->session.lease_id);
	/* Who does not beat must leave no beat behind: the others would take its silence for
	 * ours. From the second time on the key is missing, and the delete leaves no revision. */
	if (beats)
		then_beat(a, &req, epoch);
	else
		then_delete(a, &req, "pgha/beat");
	else_get(a, &req, "leader");
	a->next_proof_ms = v->now_ms + a->session.ttl_ms / LEASE_RENEWALS;
	p = send(a, TICKET_PROOF, epoch, &req);
	p->beat = beats;
	p->moves = moves;
}

/* The failure branch of a transaction tells what stands in the leader key. */
static void fold_else_leader(struct agent *a, const struct etcd_rep *rep)
{
	const struct etcd_kv *kv = rep->kvs.n > 0 ? &rep->kvs.items[0] : NULL;

	model_fold_leader(a, kv, rep->revision);
	a->cluster_dirty = true;
	a->again = true;
}

static void proof_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;

	if (ev->result < 0 || ev->rep->error_code != 0) {
		a->next_proof_ms = MIN_OF(a->next_proof_ms, v->now_ms + RENEW_RETRY_MS);
		return;
	}
	if (!ev->rep->succeeded) {
		fold_else_leader(a, ev->rep);
		return;
	}
	if (p->lease_id != a->session.lease_id)
		return; /* proven under a lease that is gone meanwhile */
	if (v->lease.epoch != 0 && v->lease.epoch != p->number)
		return;
	/* Without a lease of that epoch at hand only a key that still names us is adopted: the
	 * answer may have been overtaken by our own release. */
	if (v->lease.epoch == 0 &&
	    (!str_eq(v->cluster.leader, v->name) || v->cluster.leader_epoch != p->number))
		return;
	if (v->cluster.leader_epoch == p->number)
		v->cluster.leader_lease_id = p->lease_id;
	if (p->moves) {
		v->cluster.leader_mod_revision =
			MAX_OF(v->cluster.leader_mod_revision, ev->rep->revision);
		if (p->ticket > a->release_ticket)
			a->release_ticket = 0;
	}
	if (p->beat) {
		v->cluster.beat_present = true;
		v->cluster.beat_epoch = p->number;
		v->cluster.beat_mod_revision =
			MAX_OF(v->cluster.beat_mod_revision, ev->rep->revision);
	} else {
		v->cluster.beat_present = false;
	}
	proven(a, p->number, ev->sent_at_ms);
}

/* ---- taking and giving the key ---- */

void store_acquire(struct agent *a)
{
	struct view *v = &a->view;
	const struct request *r = &v->cluster.request;
	struct etcd_req req;
	bool beats = writes_beats(a);
	uint32_t number;

	if (a->session.lease_id == 0 || agent_waits_for(a, TICKET_ACQUIRE) ||
	    agent_waits_for(a, TICKET_TAKEOVER))
		return;
	etcd_req_init_txn(&req, a->session.ttl_ms / 2);
	req.urgent = true;
	cmp_number(a, &req, "leader", ETCD_CMP_CREATE, 0);
	/* A beat that we have not seen means that the holder lives, whatever became of its key. */
	cmp_number(a, &req, "pgha/beat", ETCD_CMP_MOD,
		   v->cluster.beat_present ? v->cluster.beat_mod_revision : 0);
	then_put(a, &req, "leader", v->name, a->session.lease_id);
	/* Whoever did not see this acquisition must fail with the compare above, even if etcd
	 * revokes the key before the first proof. */
	if (beats)
		then_beat(a, &req, BEAT_EPOCH_OWN);
	then_delete(a, &req, "pgha/release");
	number = number_put(a, &req);
	if (r->present && r->scheduled_at_us == 0)
		then_put(a, &req, "failover", "{}", 0);
	else_get(a, &req, "leader");
	else_get(a, &req, "pgha/beat");
	recorder_add(&a->recorder, v->now_ms, "acquire timeline=%u", number);
	send(a, TICKET_ACQUIRE, number, &req)->beat = beats;
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
	model_fold_leader(a, &kv, ev->rep->revision);
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
	v->start_failures = 0;
	v->crash_since_ms = 0;
	a->release_ticket = 0;
	a->next_proof_ms = 0; /* the first beat tells the others what epoch counts */
	a->cluster_dirty = true;
	a->again = true;
	proven(a, ev->rep->revision, ev->sent_at_ms);
}

/* Deletes a key whose holder was silent for a whole term on our clock. The compare of the beat
 * makes sure that it still is. */
void store_takeover(struct agent *a)
{
	struct view *v = &a->view;
	struct etcd_req req;

	if (agent_waits_for(a, TICKET_TAKEOVER) || agent_waits_for(a, TICKET_ACQUIRE))
		return;
	etcd_req_init_txn(&req, a->session.ttl_ms > 0 ? a->session.ttl_ms / 2 : 1000);
	req.urgent = true;
	cmp_value(a, &req, "leader", v->cluster.leader);
	cmp_number(a, &req, "leader", ETCD_CMP_CREATE, v->cluster.leader_epoch);
	cmp_number(a, &req, "pgha/beat", ETCD_CMP_MOD, v->cluster.beat_mod_revision);
	/* The put fails where etcd has no space left, and then nothing is deleted. */
	then_put(a, &req, "pgha/ballot", v->name, 0);
	then_delete(a, &req, "leader");
	else_get(a, &req, "leader");
	recorder_add(&a->recorder, v->now_ms, "takeover from '%s'", v->cluster.leader);
	send(a, TICKET_TAKEOVER, v->cluster.leader_epoch, &req);
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
	model_fold_leader(a, NULL, ev->rep->revision);
	a->cluster_dirty = true;
	a->again = true;
}

/* Only called when no process of Postgres is left, or it is a standby. The marker stands in the
 * same transaction as the delete, so it proves what it says. */
void store_release(struct agent *a, const char *to)
{
	struct view *v = &a->view;
	struct release r = { .present = true, .epoch = v->lease.epoch };
	struct status_key status = a->status_key;
	struct etcd_req req;
	char *text;

	if (v->lease.epoch == 0 || agent_waits_for(a, TICKET_RELEASE))
		return;
	if (v->pg.run != PG_DOWN && v->pg.role != ROLE_REPLICA)
		return;
	if (to[0] != '\0' && !model_ended_clean(v))
		return; /* nobody is named who may lack something */
	str_clip(r.from, sizeof(r.from), v->name);
	str_clip(r.to, sizeof(r.to), to);
	r.lsn = v->pg.run == PG_DOWN ? v->pg.control_end_lsn : 0;
	r.timeline = v->pg.control_timeline;
	etcd_req_init_txn(&req, v->cfg.retry_timeout_ms);
	cmp_value(a, &req, "leader", v->name);
	cmp_number(a, &req, "leader", ETCD_CMP_CREATE, v->lease.epoch);
	cmp_number(a, &req, "leader", ETCD_CMP_MOD, v->cluster.leader_mod_revision);
	text = record_release_text(&r);
	then_put(a, &req, "pgha/release", text, 0);
	free(text);
	/* A Patroni candidate compares itself with this: never beyond what a standby can have. */
	if (v->pg.control_checkpoint_lsn != 0 && v->pg.run == PG_DOWN)
		status.optime_lsn = v->pg.control_checkpoint_lsn;
	text = record_status_text(&status);
	then_put(a, &req, "status", text, 0);
	free(text);
	if (v->handover_begun)
		then_put(a, &req, "failover", "{}", 0);
	number_give_back(a, &req);
	then_delete(a, &req, "leader");
	else_get(a, &req, "leader");
	recorder_add(&a->recorder, v->now_ms, "release to '%s' lsn=%llX", to,
		     (unsigned long long)r.lsn);
	a->release_ticket = send(a, TICKET_RELEASE, v->lease.epoch, &req)->ticket;
}

static void release_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;
	struct release r = { .present = true, .epoch = p->number };

	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	a->release_ticket = 0;
	if (!ev->rep->succeeded) {
		fold_else_leader(a, ev->rep);
		a->read_at_ms = 0;
		if (v->cluster.leader_epoch != p->number)
			store_session_lost(a);
		return;
	}
	if (number_at_hand(a))
		number_fold(a, v->cluster.begun_timeline - 1, ev->rep->revision);
	str_clip(r.from, sizeof(r.from), v->name);
	str_clip(r.to, sizeof(r.to), v->handover_to);
	r.mod_revision = ev->rep->revision;
	r.lsn = v->pg.control_end_lsn;
	v->cluster.release = r;
	v->release_seen_at_ms = v->now_ms;
	if (r.to[0] != '\0')
		v->yield_until_ms = v->now_ms + YIELD_MS;
	if (v->handover_begun)
		v->cluster.request.present = false;
	/* Whoever gives up by itself lets the others go first. */
	if (v->crash_since_ms != 0 || v->start_failures > 0)
		v->step_aside_until_ms = v->now_ms + 2 * v->cfg.ttl_ms;
	v->start_failures = 0;
	v->handover_begun = false;
	model_fold_leader(a, NULL, ev->rep->revision);
	store_session_lost(a);
	a->cluster_dirty = true;
	a->again = true;
}

/* ---- the initialize key ---- */

/* While it is pending the key hangs on our lease: a crash of ours gives the race back. */
void store_race(struct agent *a)
{
	struct etcd_req req;

	if (a->session.lease_id == 0 || agent_waits_for(a, TICKET_INIT))
		return;
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	cmp_number(a, &req, "initialize", ETCD_CMP_CREATE, 0);
	then_put(a, &req, "initialize", "", a->session.lease_id);
	else_get(a, &req, "initialize");
	send(a, TICKET_INIT, MV_RACE, &req);
}

void store_unrace(struct agent *a)
{
	struct etcd_req req;

	if (agent_waits_for(a, TICKET_INIT))
		return;
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	cmp_number(a, &req, "initialize", ETCD_CMP_MOD, a->view.cluster.init_mod_revision);
	then_delete(a, &req, "initialize");
	else_get(a, &req, "initialize");
	send(a, TICKET_INIT, MV_UNRACE, &req);
}

void store_enrol(struct agent *a)
{
	struct etcd_req req;

	if (a->view.pg.sysid[0] == '\0' || agent_waits_for(a, TICKET_INIT))
		return;
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	cmp_number(a, &req, "initialize", ETCD_CMP_CREATE, 0);
	then_put(a, &req, "initialize", a->view.pg.sysid, 0);
	else_get(a, &req, "initialize");
	log_notice("etcd knows no cluster '%s': enrolling this data directory, "
		   "system identifier %s",
		   a->config->scope, a->view.pg.sysid);
	send(a, TICKET_INIT, MV_ENROL, &req);
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

	if (agent_waits_for(a, TICKET_CLEAR))
		return;
	log_notice("the request for another leader is cleared: %s", why);
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	cmp_number(a, &req, "failover", ETCD_CMP_MOD, a->view.cluster.request.mod_revision);
	then_put(a, &req, "failover", "{}", 0);
	send(a, TICKET_CLEAR, 0, &req);
}

void store_put_request(struct agent *a, const struct request *request)
{
	struct etcd_req req;
	char *text = record_request_text(request);

	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	then_put(a, &req, "failover", text, 0);
	free(text);
	send(a, TICKET_COMMAND, 0, &req);
}

void store_put_config(struct agent *a, uint64_t command_id, const char *json, bool if_unchanged)
{
	struct etcd_req req;

	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	if (if_unchanged)
		cmp_number(a, &req, "config", ETCD_CMP_MOD, a->view.cluster.config_mod_revision);
	then_put(a, &req, "config", json, 0);
	send(a, TICKET_CONFIG, (int64_t)command_id, &req);
}

/* ---- reading ---- */

static void read_all(struct agent *a)
{
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = a->view.cfg.retry_timeout_ms };

	str_clip(req.key, sizeof(req.key), a->config->prefix);
	a->read_retry_at_ms = a->view.now_ms + READ_RETRY_MS;
	send(a, TICKET_READ, 0, &req);
}

static void read_answered(struct agent *a, const struct event *ev)
{
	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	if (ev->rep->revision < a->stream_revision) {
		log_warning("etcd answered with revision %lld, older than %lld that was seen "
			    "before: a member that lags, or a store that was restored",
			    (long long)ev->rep->revision, (long long)a->stream_revision);
		return;
	}
	if (regress_check_read(a, ev->rep))
		return;
	model_fold_kvs(a, ev->rep);
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
		       (agent_leads(a) || streams);
	int64_t every = settled ? READ_EVERY_MS : READ_RETRY_MS;

	if (a->view.regressed || agent_waits_for(a, TICKET_READ) ||
	    a->view.now_ms < a->read_retry_at_ms)
		return;
	if (a->read_at_ms == 0 || !a->watching || a->view.now_ms - a->read_at_ms >= every)
		read_all(a);
}

void store_start(struct agent *a)
{
	grant(a);
	read_all(a);
}

/* What has to happen by the clock: session, renewal, reads. */
void store_cycle(struct agent *a)
{
	struct view *v = &a->view;
	bool ours = str_eq(v->cluster.leader, v->name) || !v->cluster.leader_known;
	bool renew = a->plan.lease_verb == LV_KEEP || a->plan.lease_verb == LV_RELEASE;

	session_cycle(a);
	if (v->lease.epoch != 0 && ours && renew && !v->regressed && v->now_ms >= a->next_proof_ms)
		store_prove(a);
	read_cycle(a);
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
	if (p->kind == TICKET_GRANT)
		grant_answered(a, ev);
	else if (p->kind == TICKET_KEEPALIVE)
		keepalive_answered(a, p, ev);
	else if (p->kind == TICKET_PROOF)
		proof_answered(a, p, ev);
	else if (p->kind == TICKET_ACQUIRE)
		acquire_answered(a, p, ev);
	else if (p->kind == TICKET_NUMBER)
		number_answered(a, p, ev);
	else if (p->kind == TICKET_TAKEOVER)
		takeover_answered(a, ev);
	else if (p->kind == TICKET_RELEASE)
		release_answered(a, p, ev);
	else if (p->kind == TICKET_INIT)
		init_answered(a, p, ev);
	else if (p->kind == TICKET_READ)
		read_answered(a, ev);
	else if (p->kind == TICKET_COMMAND)
		command_request_written(a, ev->result == 0 && ev->rep->error_code == 0);
	else if (p->kind == TICKET_CONFIG)
		command_config_written(a, (uint64_t)p->number,
				       ev->result == 0 && ev->rep->error_code == 0 &&
					       ev->rep->succeeded);
	else
		upkeep_answer(a, p, ev);
}
