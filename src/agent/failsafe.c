/* SPDX-License-Identifier: PostgreSQL */
/*
 * failsafe - how a leader stays while etcd is away
 *
 * It asks the members in the `failsafe` key, which it wrote under its epoch, for the promise that
 * none of them takes over for a term. What they promise counts from when the question left. Nobody
 * outside of the list takes the key: whoever acquires compares the list's revision, so it has seen
 * whether it stands in it. The one list may just be replaced by the other when etcd goes away;
 * then both have to be satisfied.
 */
#include "agent/state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/rank.h"
#include "core/turn.h"

#define ASK_MAX_MS    2000 /* contract 7.4 */
#define ASK_AGAIN_MS  200  /* after a refusal */
#define WRITE_AGAIN_MS 1000

static struct failsafe_peer *peer_of(struct agent *a, const char *name)
{
	struct failsafe *f = &a->failsafe;

	for (uint32_t i = 0; i < f->npeers; i++)
		if (str_eq(f->peers[i].name, name))
			return &f->peers[i];
	return NULL;
}

/* ---- the list in etcd ---- */

/* Patroni's promises know nothing of ballots, so they cannot stand against an election's. */
static enum failsafe_mode mode_of(const struct agent *a)
{
	const struct cluster *c = &a->view.cluster;
	enum failsafe_mode mode = a->view.cfg.failsafe;

	for (uint32_t i = 0; i < c->nmembers && mode == FAILSAFE_QUORUM; i++)
		if (!c->members[i].is_pgha)
			mode = FAILSAFE_ALL;
	return mode;
}

static void add_entry(struct buf *out, const char *name, const char *url)
{
	buf_ch(out, out->len == 0 ? '{' : ',');
	record_quote(out, name);
	buf_ch(out, ':');
	record_quote(out, url);
}

static char *list_text(const struct agent *a)
{
	const struct cluster *c = &a->view.cluster;
	struct buf out = { 0 };
	char own[URL_SIZE];
	bool seen = false;

	state_api_url(a, own);
	for (uint32_t i = 0; i < c->nmembers; i++) {
		bool mine = str_eq(c->members[i].name, a->view.name);

		seen = seen || mine;
		if (mine || c->members[i].api_url[0] != '\0')
			add_entry(&out, c->members[i].name, mine ? own : c->members[i].api_url);
	}
	if (!seen)
		add_entry(&out, a->view.name, own);
	buf_ch(&out, '}');
	return buf_take(&out);
}

/* Whoever stands in neither list any more. */
static void drop_peers(struct failsafe *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->npeers; i++)
		if (f->peers[i].listed || f->peers[i].wanted)
			f->peers[n++] = f->peers[i];
	f->npeers = n;
}

/* From now on the list may hold them, whatever becomes of the request. */
static void want_members(struct agent *a)
{
	const struct cluster *c = &a->view.cluster;
	struct failsafe *f = &a->failsafe;

	for (uint32_t i = 0; i < f->npeers; i++)
		f->peers[i].wanted = false;
	drop_peers(f);
	for (uint32_t i = 0; i < c->nmembers; i++) {
		const struct member *m = &c->members[i];
		struct failsafe_peer *peer = peer_of(a, m->name);

		if (str_eq(m->name, a->view.name) || m->api_url[0] == '\0')
			continue;
		if (peer == NULL) {
			peer = &f->peers[f->npeers++];
			*peer = (struct failsafe_peer){ 0 };
			str_clip(peer->name, sizeof(peer->name), m->name);
		}
		str_clip(peer->api_url, sizeof(peer->api_url), m->api_url);
		peer->wanted = true;
	}
}

bool failsafe_is_settled(const struct agent *a)
{
	const struct failsafe *f = &a->failsafe;

	return f->epoch != 0 && f->epoch == a->view.lease.epoch &&
	       f->mod_revision == a->view.cluster.failsafe.mod_revision;
}

/* What became of that is not known, so which list stands in etcd would be anybody's guess. */
static bool sent_another(const struct failsafe *f, const char *text, enum failsafe_mode mode)
{
	return f->sent != NULL && (f->sent_mode != mode || !str_eq(f->sent, text));
}

static void put_list(struct agent *a, char *text, enum failsafe_mode mode)
{
	struct failsafe *f = &a->failsafe;
	struct etcd_req req;

	f->write_again_ms = a->view.now_ms + WRITE_AGAIN_MS;
	if (mode == FAILSAFE_OFF || sent_another(f, text, mode))
		f->epoch = 0;
	if (mode != FAILSAFE_OFF)
		want_members(a);
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	txn_cmp_number(a, &req, "leader", ETCD_CMP_CREATE, a->view.lease.epoch);
	/* A request of ours that got lost must not be carried out after this one. */
	txn_cmp_number(a, &req, "failsafe", ETCD_CMP_MOD, a->view.cluster.failsafe.mod_revision);
	if (mode == FAILSAFE_OFF) {
		txn_then_delete(a, &req, "failsafe");
		txn_then_delete(a, &req, "pgha/failsafe");
	} else {
		txn_then_put(a, &req, "failsafe", text, 0);
		txn_then_put(a, &req, "pgha/failsafe", record_failsafe_word(mode), 0);
	}
	txn_else_get(a, &req, "leader");
	free(f->sent);
	f->sent = text;
	f->sent_mode = mode;
	txn_send(a, TICKET_FAILSAFE, a->view.lease.epoch, &req);
}

/* One request at a time, and none while the answer to the last one is still out. */
void failsafe_write_cycle(struct agent *a)
{
	struct failsafe *f = &a->failsafe;
	const struct failsafe_key *key = &a->view.cluster.failsafe;
	enum failsafe_mode mode = mode_of(a);
	char *text;

	if (state_waits_for(a, TICKET_FAILSAFE) || a->view.now_ms < f->write_again_ms)
		return;
	if (mode == FAILSAFE_OFF && key->mark == FAILSAFE_OFF)
		return; /* none, or one that others left behind */
	text = mode == FAILSAFE_OFF ? str_dup("") : list_text(a);
	if (mode != FAILSAFE_OFF && failsafe_is_settled(a) && f->mode == mode &&
	    str_eq(f->text, text)) {
		free(text);
		return;
	}
	put_list(a, text, mode);
}

static void say_list(const struct agent *a)
{
	const struct failsafe *f = &a->failsafe;
	uint32_t n = a->view.cluster.failsafe.n;

	if (f->mode == FAILSAFE_OFF) {
		log_notice("failsafe mode is off: the primary ends when etcd is away");
		return;
	}
	log_notice("failsafe mode '%s': without etcd this primary stays while %u of the %u other "
		   "members promise not to take over",
		   record_failsafe_word(f->mode), rank_promises(f->mode, n) - 1, n - 1);
	if (a->view.cfg.failsafe == FAILSAFE_QUORUM && f->mode != FAILSAFE_QUORUM)
		log_warning("failsafe_mode 'quorum' needs members that all run pgha: everybody "
			    "has to promise");
	else if (f->mode == FAILSAFE_QUORUM && n < 3)
		log_warning("failsafe_mode 'quorum' needs 3 members to be more than 'on': "
			    "everybody has to promise");
}

static void settle(struct agent *a, int64_t revision)
{
	struct failsafe *f = &a->failsafe;
	struct failsafe_key *key = &a->view.cluster.failsafe;
	struct err err = { 0 };

	free(f->text);
	f->text = TAKE(f->sent);
	f->mode = f->sent_mode;
	f->epoch = f->mode != FAILSAFE_OFF ? a->view.lease.epoch : 0;
	f->mod_revision = f->mode != FAILSAFE_OFF ? revision : 0;
	*key = (struct failsafe_key){ 0 };
	/* Written by us, so it can be read. */
	if (f->mode != FAILSAFE_OFF &&
	    record_failsafe_parse(f->text, strlen(f->text), key, &err) < 0)
		log_error("the failsafe list: %s", err.msg);
	key->mark = (uint8_t)f->mode;
	key->mod_revision = f->mod_revision;
	free(a->failsafe_text);
	a->failsafe_text = f->mode != FAILSAFE_OFF ? str_dup(f->text) : NULL;
	for (uint32_t i = 0; i < f->npeers; i++)
		f->peers[i].listed = f->peers[i].wanted;
	drop_peers(f);
	say_list(a);
	a->board_dirty = true;
}

void failsafe_written(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct failsafe *f = &a->failsafe;

	if (ev->result < 0 || ev->rep->error_code != 0)
		return; /* it may have been carried out, or be so yet */
	if (!ev->rep->succeeded) {
		keys_fold_else_leader(a, ev->rep);
		a->read_at_ms = 0;
		return;
	}
	if (p->number != a->view.lease.epoch || f->sent == NULL)
		return;
	f->write_again_ms = 0;
	settle(a, ev->rep->revision);
}

/* ---- the leader asks ---- */

/* Only for a primary that serves, and only while etcd leaves it without a proof. A store that was
 * wiped holds the list no more, so it keeps nobody from taking over. */
static bool wants_promises(const struct agent *a)
{
	const struct view *v = &a->view;
	enum lease_state lease = lease_state(&v->lease, v->now_ms);
	bool other = v->cluster.leader[0] != '\0' && !str_eq(v->cluster.leader, v->name);

	if (v->regressed || v->hung_given_up)
		return false;
	return v->cfg.failsafe != FAILSAFE_OFF && failsafe_is_settled(a) && v->mode == MODE_AUTO &&
	       (lease == LEASE_FADING || lease == LEASE_FAILSAFE) && !other &&
	       v->pg.run != PG_DOWN && v->pg.role == ROLE_PRIMARY && !v->handover_begun;
}

/* By one of the lists that etcd may hold. */
static bool counts_most(const struct agent *a)
{
	const struct failsafe *f = &a->failsafe;

	return f->mode == FAILSAFE_QUORUM ||
	       (f->sent != NULL && f->sent_mode == FAILSAFE_QUORUM);
}

static char *question(const struct agent *a)
{
	struct failsafe_question q = { .port = a->config->pg.connect_port,
				       .database = a->config->pg.database,
				       .epoch = a->view.lease.epoch,
				       .ttl_ms = a->view.lease.ttl_ms,
				       .mode = counts_most(a) ? FAILSAFE_QUORUM :
								FAILSAFE_ALL };

	str_clip(q.name, sizeof(q.name), a->view.name);
	str_clip(q.host, sizeof(q.host), a->config->pg.connect_host);
	str_clip(q.scope, sizeof(q.scope), a->config->scope);
	state_api_url(a, q.api_url);
	upkeep_slots(a, &q.status);
	return record_question_text(&q);
}

static void ask(struct agent *a, struct failsafe_peer *peer, const char *body)
{
	int64_t every_ms = a->view.lease.ttl_ms / LEASE_RENEWALS;
	struct promise_req req = { .body = body, .timeout_ms = MIN_OF(ASK_MAX_MS, every_ms) };

	str_clip(req.name, sizeof(req.name), peer->name);
	str_clip(req.api_url, sizeof(req.api_url), peer->api_url);
	peer->next_ms = a->view.now_ms + every_ms;
	peer->asked_ttl_ms = a->view.lease.ttl_ms;
	peer->ticket = state_ticket(a, TICKET_PROMISE, a->view.lease.epoch, peer->name);
	a->port.promise(a->port.ctx, peer->ticket, &req);
}

/* Since when so many of one list have promised that it is satisfied; 0: it is not. A member alone
 * asks nobody. */
static int64_t promised_since(const struct agent *a, bool wanted)
{
	const struct failsafe *f = &a->failsafe;
	int64_t times[MEMBERS_MAX];
	uint32_t n = 0, needed;

	for (uint32_t i = 0; i < f->npeers; i++) {
		const struct failsafe_peer *peer = &f->peers[i];
		bool counts = peer->promised_epoch == a->view.lease.epoch;
		int64_t since = counts ? peer->promised_at_ms : 0;
		uint32_t at = n;

		if (!(wanted ? peer->wanted : peer->listed) || n == MEMBERS_MAX)
			continue;
		for (n++; at > 0 && times[at - 1] < since; at--)
			times[at] = times[at - 1];
		times[at] = since;
	}
	needed = rank_promises(wanted ? f->sent_mode : f->mode, n + 1) - 1;
	return needed == 0 ? a->view.now_ms : times[needed - 1];
}

static void extend(struct agent *a)
{
	struct view *v = &a->view;
	struct failsafe *f = &a->failsafe;
	int64_t since = promised_since(a, false);
	int64_t now = state_now(a);

	if (f->sent != NULL)
		since = MIN_OF(since, promised_since(a, true));
	if (since <= lease_newest_ms(&v->lease) || !lease_promised(&v->lease, since, now))
		return;
	term_page(a);
	a->board_dirty = true;
	a->again = true;
}

void failsafe_cycle(struct agent *a)
{
	struct failsafe *f = &a->failsafe;
	_cleanup_(freep) char *body = NULL;

	if (!wants_promises(a))
		return;
	for (uint32_t i = 0; i < f->npeers; i++) {
		struct failsafe_peer *peer = &f->peers[i];

		if (peer->ticket != 0 || a->view.now_ms < peer->next_ms)
			continue;
		if (body == NULL)
			body = question(a);
		ask(a, peer, body);
	}
	if (f->npeers == 0)
		extend(a);
}

int64_t failsafe_wake_ms(const struct agent *a)
{
	const struct failsafe *f = &a->failsafe;
	int64_t at = INT64_MAX;

	for (uint32_t i = 0; i < f->npeers && wants_promises(a); i++)
		if (f->peers[i].ticket == 0)
			at = MIN_OF(at, f->peers[i].next_ms);
	return at;
}

static void refused(struct agent *a, struct failsafe_peer *peer, const char *why)
{
	peer->next_ms = MIN_OF(peer->next_ms, a->view.now_ms + ASK_AGAIN_MS);
	if (!str_eq(peer->why, why))
		log_warning("'%s' does not promise to leave this leader alone: %s", peer->name,
			    why);
	str_clip(peer->why, sizeof(peer->why), why);
}

void failsafe_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct failsafe_peer *peer = peer_of(a, p->name);

	if (peer == NULL || peer->ticket != p->ticket)
		return;
	peer->ticket = 0;
	if (ev->result < 0 || !ev->accepted) {
		refused(a, peer,
			ev->err != NULL ? ev->err->msg : ev->text != NULL ? ev->text : "no reason");
		return;
	}
	if (p->number != a->view.lease.epoch || peer->asked_ttl_ms != a->view.lease.ttl_ms)
		return;
	if (peer->promised_epoch != p->number)
		peer->promised_at_ms = 0;
	peer->promised_at_ms = MAX_OF(peer->promised_at_ms, ev->sent_at_ms);
	peer->promised_epoch = p->number;
	peer->why[0] = '\0';
	if (wants_promises(a))
		extend(a);
}

/* ---- a member is asked ---- */

/* This member leads, or soon may. */
static bool leads_itself(struct agent *a, const struct failsafe_question *q)
{
	const struct view *v = &a->view;

	return state_leads(a) || (v->pg.run != PG_DOWN && v->pg.role == ROLE_PRIMARY) ||
	       state_waits_for(a, TICKET_ACQUIRE) || state_waits_for(a, TICKET_TAKEOVER) ||
	       (str_eq(v->cluster.leader, v->name) && q->epoch <= v->cluster.leader_epoch);
}

/* Whoever has sealed for an election promises no older leader anything: the candidate may count on
 * it long after the seal has ended, for its transaction may lie somewhere. What ends that is a sign
 * of the leader that is newer than the ballot: the candidate's transaction fails on it. */
static bool has_voted(const struct view *v, int64_t epoch)
{
	const struct cluster *c = &v->cluster;
	bool outlived = c->beat_present && c->beat_epoch == epoch &&
			c->beat_mod_revision > v->promised;

	return v->promised > epoch && !outlived;
}

/* NULL: yes. */
static const char *refusal(struct agent *a, const struct failsafe_question *q)
{
	const struct view *v = &a->view;
	bool fresh = v->cluster.leader_known &&
		     v->now_ms - v->dcs_seen_at_ms < v->cfg.ttl_ms;

	if (leads_itself(a, q))
		return "Running as a leader";
	if (str_eq(q->name, v->name) ||
	    (q->scope[0] != '\0' && !str_eq(q->scope, a->config->scope)))
		return "asked the wrong member";
	if (v->regressed)
		return "etcd was wiped or restored";
	if (q->epoch != 0 && v->last_epoch > q->epoch)
		return "there was a later leader";
	if (q->mode == FAILSAFE_QUORUM && has_voted(v, q->epoch))
		return "has voted for another leader";
	if (q->epoch == 0 && fresh && v->cluster.leader[0] != '\0' &&
	    !str_eq(v->cluster.leader, q->name))
		return "another member leads";
	return NULL;
}

static void promise(struct agent *a, const struct failsafe_question *q)
{
	struct view *v = &a->view;
	int64_t now = state_now(a);
	int64_t ttl = MAX_OF(q->ttl_ms, v->cfg.ttl_ms);

	if (now >= v->promise_until_ms)
		log_notice("'%s' leads without etcd: this member promises not to take over, for "
			   "%" PRId64 " ms each time it is asked",
			   q->name, turn_promise_ms(ttl));
	str_clip(v->promise_to, sizeof(v->promise_to), q->name);
	v->promise_epoch = q->epoch != 0 ? q->epoch : v->last_epoch;
	v->promise_until_ms = MAX_OF(v->promise_until_ms, now + turn_promise_ms(ttl));
	/* The slots of the others move along, though nobody can publish them. */
	if (q->status.nslots > 0) {
		a->status_key.nslots = q->status.nslots;
		for (uint32_t i = 0; i < q->status.nslots; i++)
			a->status_key.slots[i] = q->status.slots[i];
	}
	recorder_add(&a->recorder, v->now_ms, "promised '%s' epoch=%lld", q->name,
		     (long long)q->epoch);
	a->board_dirty = true;
}

void failsafe_command(struct agent *a, uint64_t command_id, const struct command *cmd)
{
	const struct pg_state *pg = &a->view.pg;
	struct failsafe_question q;
	struct err err = { 0 };
	const char *why;

	if (a->view.cfg.failsafe == FAILSAFE_OFF) {
		command_answer(a, command_id, 502, "failsafe_mode is off");
		return;
	}
	if (record_question_parse(cmd->json, strlen(cmd->json), &q, &err) < 0) {
		command_answer(a, command_id, 400, "%s", err.msg);
		return;
	}
	why = refusal(a, &q);
	if (why != NULL) {
		command_answer(a, command_id, 500, "%s", why);
		return;
	}
	promise(a, &q);
	a->port.accept(a->port.ctx, command_id, MAX_OF(pg->receive_lsn, pg->replay_lsn));
}

void failsafe_free(struct agent *a)
{
	free(a->failsafe.text);
	free(a->failsafe.sent);
	free(a->failsafe_text);
}
