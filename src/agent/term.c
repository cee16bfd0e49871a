/* SPDX-License-Identifier: PostgreSQL */
/*
 * term - the etcd lease of this member, the proof that it leads, and the page that tells until when
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"

#define GRANT_RETRY_MS 1000
#define RENEW_RETRY_MS 100
#define KEEP_BEHIND_MS 50 /* what a keepalive waits for the answer of the proof, at most */
#define PAGE_BEAT_MS   1000
#define BOARD_MOMENT_MS 50

bool term_writes_beats(const struct agent *a)
{
	if (a->view.cfg.proof != PROOF_AUTO)
		return a->view.cfg.proof == PROOF_BEAT;
	return !(a->view.etcd_known && a->view.etcd_fixed);
}

/* ---- session ---- */

void term_grant(struct agent *a)
{
	struct etcd_req req = { .op = ETCD_GRANT, .timeout_ms = a->view.cfg.retry_timeout_ms };

	req.ttl_s = (a->view.cfg.ttl_ms + 999) / 1000;
	a->session.retry_at_ms = a->view.now_ms + GRANT_RETRY_MS;
	txn_send(a, TICKET_GRANT, req.ttl_s * 1000, &req);
}

/* Who leads nobody has it for the member key alone. It need not wake up for that: what wakes it
 * anyway, the leader's beat above all, will do. On taking the leader key it is kept at once. */
static void keep_next(struct agent *a)
{
	struct session *s = &a->session;
	bool leads = a->view.lease.epoch != 0;

	s->next_keep_ms = a->view.now_ms +
			  (leads ? s->ttl_ms / LEASE_RENEWALS : s->ttl_ms * 3 / 8);
	s->keep_from_ms = leads ? s->next_keep_ms : a->view.now_ms + s->ttl_ms / 4;
}

void term_keep_soon(struct agent *a)
{
	struct session *s = &a->session;
	int64_t now = a->view.now_ms;
	int64_t sent = state_waits_for(a, TICKET_KEEPALIVE) ? now : s->kept_sent_ms;
	int64_t at = MAX_OF(sent + s->ttl_ms / LEASE_RENEWALS, now);

	s->next_keep_ms = s->keep_from_ms = MIN_OF(s->keep_from_ms, at);
}

static void keep_alive(struct agent *a)
{
	struct etcd_req req = { .op = ETCD_KEEPALIVE, .timeout_ms = a->session.ttl_ms / 2,
				.urgent = true, .lease_id = a->session.lease_id };

	keep_next(a);
	txn_send(a, TICKET_KEEPALIVE, a->session.lease_id, &req);
}

/* The term counts from the older of the two, so one that goes alone buys nothing. */
void term_join(struct agent *a)
{
	struct session *s = &a->session;
	int64_t now = a->view.now_ms;
	int64_t soon = now + s->ttl_ms / LEASE_RENEWALS / 2;

	if (s->lease_id == 0 || (now < s->next_keep_ms && now < a->next_proof_ms))
		return;
	if (s->next_keep_ms <= soon)
		s->next_keep_ms = s->keep_from_ms = MIN_OF(s->keep_from_ms, now);
	if (a->next_proof_ms <= soon)
		a->next_proof_ms = MIN_OF(a->next_proof_ms, now);
}

/* A connection of HTTP/1.1 carries one request at a time: a keepalive behind the proof needs none
 * of its own. A slow proof is not waited for, and nothing is when the term is fading. */
static int64_t behind_proof_ms(struct agent *a)
{
	const struct pending *proof = state_pending(a, TICKET_PROOF);

	if (proof == NULL || lease_state(&a->view.lease, a->view.now_ms) != LEASE_HELD)
		return 0;
	return proof->since_ms + KEEP_BEHIND_MS;
}

int64_t term_wake_ms(struct agent *a)
{
	return MAX_OF(a->session.next_keep_ms, behind_proof_ms(a));
}

void term_cycle(struct agent *a)
{
	struct session *s = &a->session;

	if (s->lease_id == 0 || s->ttl_ms != (a->view.cfg.ttl_ms + 999) / 1000 * 1000) {
		if (!state_waits_for(a, TICKET_GRANT) && a->view.now_ms >= s->retry_at_ms)
			term_grant(a);
	}
	if (s->lease_id != 0 && a->view.now_ms >= s->keep_from_ms &&
	    a->view.now_ms >= behind_proof_ms(a) && !hang_lapses(a))
		keep_alive(a);
}

void term_granted(struct agent *a, const struct event *ev)
{
	struct session *s = &a->session;

	if (ev->result < 0 || ev->rep->error_code != 0 || ev->rep->lease_id == 0)
		return;
	s->lease_id = ev->rep->lease_id;
	s->ttl_ms = ev->rep->ttl_s * 1000;
	s->kept_sent_ms = ev->sent_at_ms;
	keep_next(a);
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
void term_page(struct agent *a)
{
	const struct lease *l = &a->view.lease;
	struct page_update page = { 0 };

	page.paused = a->view.mode == MODE_PAUSED;
	page.stopped = a->view.pg.run == PG_DOWN;
	page.armed = l->epoch != 0 && !page.paused;
	page.proven = a->page.proven || a->page_found || l->epoch != 0;
	page.epoch = l->epoch;
	page.lease_id = l->lease_id;
	page.asked_at_ms = l->epoch != 0 ? lease_newest_ms(l) : 0;
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

void term_proven(struct agent *a, int64_t epoch, int64_t sent_at_ms)
{
	struct view *v = &a->view;
	bool fresh = v->lease.epoch != epoch;
	int64_t before = lease_newest_ms(&v->lease);
	int64_t asked;

	if (fresh) {
		a->session.proved_sent_ms = 0;
		term_keep_soon(a);
	}
	a->session.proved_sent_ms = MAX_OF(a->session.proved_sent_ms, sent_at_ms);
	/* etcd expires the key a term after the newest keepalive it got, so that counts too. */
	asked = MIN_OF(a->session.proved_sent_ms, a->session.kept_sent_ms);
	lease_proven(&v->lease, epoch, a->session.lease_id, asked, a->session.ttl_ms);
	v->last_epoch = MAX_OF(v->last_epoch, epoch);
	if (fresh) {
		recorder_add(&a->recorder, v->now_ms, "lease proven epoch=%lld",
			     (long long)epoch);
	}
	term_page(a);
	/* Of the two answers of a renewal one moves the term, the other by a moment or not at all:
	 * the board may say a little less than is true. */
	a->board_dirty = a->board_dirty || fresh ||
			 lease_newest_ms(&v->lease) - before >= BOARD_MOMENT_MS;
	a->again = a->again || fresh;
}

void term_kept(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct session *s = &a->session;

	if (p->number != s->lease_id)
		return;
	if (ev->result == 0 && ev->rep->error_code == 0 && ev->rep->ttl_s > 0) {
		s->kept_sent_ms = MAX_OF(s->kept_sent_ms, ev->sent_at_ms);
		/* The newest proof may have come first. */
		if (a->view.lease.epoch != 0 && a->view.lease.lease_id == s->lease_id)
			term_proven(a, a->view.lease.epoch, s->proved_sent_ms);
		return;
	}
	/* Anything but "lease not found" says nothing about the lease. etcd may be electing: the
	 * term must not run out because the next try is due a moment too late. */
	if (ev->result < 0 || (ev->rep->error_code != 0 && ev->rep->error_code != 5)) {
		s->next_keep_ms = MIN_OF(s->next_keep_ms, a->view.now_ms + RENEW_RETRY_MS);
		s->keep_from_ms = s->next_keep_ms;
		return;
	}
	log_warning("etcd does not know this member's lease any more, asking for a new one");
	s->lease_id = 0;
	s->retry_at_ms = 0;
	a->again = true;
}

void term_lost(struct agent *a)
{
	if (a->view.lease.epoch == 0)
		return;
	recorder_add(&a->recorder, a->view.now_ms, "lease dropped epoch=%lld",
		     (long long)a->view.lease.epoch);
	lease_drop(&a->view.lease);
	term_page(a);
	a->board_dirty = true;
}

void term_then_beat(struct agent *a, struct etcd_req *req, int64_t epoch)
{
	struct beat beat = { .epoch = epoch,
			     .sequence = ++a->beat_sequence,
			     .ttl_ms = a->session.ttl_ms };
	char *text;

	str_clip(beat.instance, sizeof(beat.instance), a->instance);
	text = record_beat_text(&beat);
	txn_then_put(a, req, "pgha/beat", text, 0);
	free(text);
}

/* One committed write that names holder and epoch. It also moves the key to our present lease
 * where it hangs on another one, as after a restart of the agent. */
void term_prove(struct agent *a)
{
	struct view *v = &a->view;
	int64_t epoch = v->lease.epoch != 0 ? v->lease.epoch : v->cluster.leader_epoch;
	struct etcd_req req;
	bool beats = term_writes_beats(a);
	/* A release without an answer may still be carried out. Once the key was written again
	 * it cannot: it compares the revision of the one before. */
	bool moves = v->cluster.leader_lease_id != a->session.lease_id ||
		     (a->release_ticket != 0 && a->plan.lease_verb != LV_RELEASE);
	enum lease_state state;
	struct pending *p;

	if (a->session.lease_id == 0 || epoch == 0 || regress_is_old_claim(a, epoch))
		return;
	etcd_req_init_txn(&req, a->session.ttl_ms / 2);
	req.urgent = true;
	state = lease_state(&v->lease, v->now_ms);
	req.everywhere = state == LEASE_FADING || state == LEASE_FAILSAFE;
	txn_cmp_value(a, &req, "leader", v->name);
	txn_cmp_number(a, &req, "leader", ETCD_CMP_CREATE, epoch);
	if (moves)
		txn_then_put(a, &req, "leader", v->name, a->session.lease_id);
	else
		txn_cmp_number(a, &req, "leader", ETCD_CMP_LEASE, a->session.lease_id);
	/* Who does not beat must leave no beat behind: the others would take its silence for
	 * ours. From the second time on the key is missing, and the delete leaves no revision. */
	if (beats)
		term_then_beat(a, &req, epoch);
	else
		txn_then_delete(a, &req, "pgha/beat");
	txn_else_get(a, &req, "leader");
	a->next_proof_ms = v->now_ms + a->session.ttl_ms / LEASE_RENEWALS;
	p = txn_send(a, TICKET_PROOF, epoch, &req);
	p->beat = beats;
	p->moves = moves;
}

void term_proof_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;

	if (ev->result < 0 || ev->rep->error_code != 0) {
		a->telemetry.proofs_failed++;
		a->next_proof_ms = MIN_OF(a->next_proof_ms, v->now_ms + RENEW_RETRY_MS);
		return;
	}
	if (!ev->rep->succeeded) {
		a->telemetry.proofs_failed++;
		keys_fold_else_leader(a, ev->rep);
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
	a->telemetry.proofs++;
	term_proven(a, p->number, ev->sent_at_ms);
}
