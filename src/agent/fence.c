/* SPDX-License-Identifier: PostgreSQL */
/*
 * fence - the operator's command against an old leader, before this member is promoted
 *
 * Who has led stands in pgha/fence, and goes from there when it gives the key back with proof that
 * its Postgres ended, or when it was fenced. Whoever takes the key and finds another one there runs
 * the command before anything is opened; where that fails, the key goes back and the list stays, so
 * the next one is held to it as well. Written only where a command is configured.
 */
#include "agent/state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

#define KEY            "pgha/fence"
#define KEY_RETRY_MS   1000
#define BACKOFF_MAX_MS 60000

static bool is_configured(const struct agent *a)
{
	return a->config->fence.command.n > 0;
}

static int32_t find(const struct victims *list, const char *name)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (str_eq(list->items[i].name, name))
			return (int32_t)i;
	return -1;
}

/* The last place is the leader's own. What does not fit took the key and was never promoted, as
 * long as those before it had not been fenced. */
static void add(struct victims *list, const struct victim *one)
{
	if (one->name[0] == '\0' || find(list, one->name) >= 0)
		return;
	if (list->n == VICTIMS_MAX) {
		log_warning("more than %d members have to be fenced: '%s' is left out",
			    VICTIMS_MAX - 1, one->name);
		return;
	}
	list->items[list->n++] = *one;
}

static bool was_fenced(const struct agent *a, const char *name)
{
	return a->fence.epoch == a->view.lease.epoch && a->fence.epoch != 0 &&
	       find(&a->fence.done, name) >= 0;
}

static void note_own(const struct agent *a, int64_t epoch, struct victim *ret)
{
	const struct config *c = a->config;
	bool v6 = strchr(c->restapi.connect_host, ':') != NULL;

	*ret = (struct victim){ .epoch = epoch, .port = c->pg.connect_port };
	str_clip(ret->name, sizeof(ret->name), a->view.name);
	str_clip(ret->host, sizeof(ret->host), c->pg.connect_host);
	(void)str_printf(ret->api_url, sizeof(ret->api_url), "%s://%s%s%s:%u/patroni",
			 c->restapi.certfile != NULL ? "https" : "http", v6 ? "[" : "",
			 c->restapi.connect_host, v6 ? "]" : "", c->restapi.connect_port);
}

/* What stands in the key now, without this member and those that were fenced in this term. */
static void others(const struct agent *a, struct victims *ret)
{
	const struct victims *known = &a->view.cluster.fence;

	*ret = (struct victims){ 0 };
	for (uint32_t i = 0; i < known->n; i++)
		if (!str_eq(known->items[i].name, a->view.name) &&
		    !was_fenced(a, known->items[i].name))
			add(ret, &known->items[i]);
}

/* The newest leader is on no list where it runs without a command, or is a Patroni member. */
static void add_last_leader(const struct agent *a, struct victims *list)
{
	const struct view *v = &a->view;
	const struct release *r = &v->cluster.release;

	struct victim last = { .epoch = v->last_epoch };

	if (v->last_epoch == 0 || str_eq(a->view.last_leader, v->name) ||
	    (r->present && r->epoch >= v->last_epoch))
		return;
	str_clip(last.name, sizeof(last.name), a->view.last_leader);
	add(list, a->fence.last.epoch == v->last_epoch ? &a->fence.last : &last);
}

static bool is_primary(const struct agent *a)
{
	return a->view.pg.run != PG_DOWN && a->view.pg.role == ROLE_PRIMARY;
}

/* ---- the key ---- */

void fence_put(struct agent *a, struct etcd_req *req)
{
	struct victims *list = &a->fence.sent;
	_cleanup_(freep) char *text = NULL;
	struct victim own;

	*list = (struct victims){ 0 };
	a->fence.before_epoch = a->view.last_epoch;
	if (!is_configured(a)) {
		if (a->view.cluster.fence.mod_revision != 0)
			txn_then_delete(a, req, KEY);
		return;
	}
	if (!is_primary(a)) {
		others(a, list);
		add_last_leader(a, list);
	}
	/* Nobody is left out for the sake of this member, which is known as the last leader. */
	note_own(a, 0, &own);
	if (list->n < VICTIMS_MAX)
		add(list, &own);
	text = record_victims_text(list);
	txn_cmp_number(a, req, KEY, ETCD_CMP_MOD, a->view.cluster.fence.mod_revision);
	txn_then_put(a, req, KEY, text, 0);
}

static void adopt(struct agent *a, const struct victims *list, int64_t revision)
{
	struct victims *known = &a->view.cluster.fence;

	if (revision < known->mod_revision)
		return;
	*known = *list;
	known->mod_revision = revision;
	for (uint32_t i = 0; i < known->n; i++)
		if (known->items[i].epoch == 0)
			known->items[i].epoch = revision;
}

void fence_acquired(struct agent *a, int64_t revision)
{
	uint32_t n = a->fence.sent.n;

	a->fence.epoch = revision;
	a->fence.done = (struct victims){ 0 };
	a->view.fence_refused = false;
	if (!is_configured(a)) {
		a->view.cluster.fence = (struct victims){ 0 };
		return;
	}
	adopt(a, &a->fence.sent, revision);
	for (uint32_t i = 0; i < n; i++)
		if (!str_eq(a->fence.sent.items[i].name, a->view.name))
			log_notice("'%s' led until now and gave no proof that its Postgres ended: "
				   "it is fenced before this member is promoted",
				   a->fence.sent.items[i].name);
}

void fence_release(struct agent *a, struct etcd_req *req)
{
	_cleanup_(freep) char *text = NULL;
	struct victims left;

	if (a->view.cluster.fence.mod_revision == 0)
		return;
	if (!is_primary(a) && a->view.cluster.fence.n > 0)
		others(a, &left);
	else
		left = (struct victims){ 0 };
	text = record_victims_text(&left);
	txn_then_put(a, req, KEY, text, 0);
}

void fence_fold(struct agent *a, const struct etcd_kv *kv, bool complete)
{
	struct victims *known = &a->view.cluster.fence;
	struct victims found = { 0 };
	struct err err = { 0 };

	if (!complete && kv->mod_revision < known->mod_revision)
		return;
	if (kv->deleted) {
		*known = (struct victims){ 0 };
		return;
	}
	/* Garbage does not mean that nobody has to be fenced. */
	if (record_victims_parse(kv->value, kv->len, &found, &err) < 0) {
		if (known->mod_revision != kv->mod_revision)
			log_warning("%s; what was known before stays in force", err.msg);
		known->mod_revision = kv->mod_revision;
		return;
	}
	/* What a store says that an operator had to accept is of another history. */
	if (kv->mod_revision <= a->view.accepted_revision)
		found.n = 0;
	*known = (struct victims){ 0 };
	adopt(a, &found, kv->mod_revision);
}

static bool same_victim(const struct victim *x, const struct victim *y)
{
	return str_eq(x->name, y->name) && str_eq(x->host, y->host) && x->port == y->port &&
	       str_eq(x->api_url, y->api_url) && x->epoch == y->epoch;
}

static bool same(const struct victims *x, const struct victims *y)
{
	if (x->n != y->n)
		return false;
	for (uint32_t i = 0; i < x->n; i++)
		if (!same_victim(&x->items[i], &y->items[i]))
			return false;
	return true;
}

static void write_key(struct agent *a, const struct victims *wanted)
{
	struct etcd_req req;
	_cleanup_(freep) char *text = record_victims_text(wanted);

	a->fence.key_retry_ms = a->view.now_ms + KEY_RETRY_MS;
	a->fence.sent = *wanted;
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	txn_cmp_number(a, &req, "leader", ETCD_CMP_CREATE, a->view.lease.epoch);
	txn_cmp_number(a, &req, KEY, ETCD_CMP_MOD, a->view.cluster.fence.mod_revision);
	if (wanted->n > 0)
		txn_then_put(a, &req, KEY, text, 0);
	else
		txn_then_delete(a, &req, KEY);
	txn_send(a, TICKET_FENCE_KEY, 0, &req);
}

/* Who was fenced goes from the list. A primary that serves is past the question. */
static void key_cycle(struct agent *a)
{
	const struct view *v = &a->view;
	struct victims wanted = { 0 };
	struct victim own;

	if (v->lease.epoch == 0 || lease_state(&v->lease, v->now_ms) != LEASE_HELD ||
	    v->cluster.leader_epoch != v->lease.epoch || state_waits_for(a, TICKET_FENCE_KEY) ||
	    a->release_ticket != 0 || v->now_ms < a->fence.key_retry_ms)
		return;
	if (is_configured(a)) {
		if (!is_primary(a))
			others(a, &wanted);
		note_own(a, v->lease.epoch, &own);
		if (wanted.n < VICTIMS_MAX)
			add(&wanted, &own);
	}
	if (!same(&wanted, &v->cluster.fence))
		write_key(a, &wanted);
}

void fence_key_answered(struct agent *a, const struct event *ev)
{
	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	if (!ev->rep->succeeded) {
		a->read_at_ms = 0;
		a->read_retry_at_ms = 0;
		return;
	}
	adopt(a, &a->fence.sent, ev->rep->revision);
	if (a->fence.sent.n == 0)
		a->view.cluster.fence.mod_revision = 0;
}

/* ---- the command ---- */

void fence_refresh(struct agent *a)
{
	struct view *v = &a->view;
	const struct cluster *c = &v->cluster;
	struct victims due = { 0 };

	/* While they can be seen: the member key goes with its lease. */
	if (c->leader[0] != '\0' && c->leader_epoch != 0) {
		const struct member *m = rank_member(c, c->leader);

		if (a->fence.last.epoch != c->leader_epoch)
			a->fence.last = (struct victim){ .epoch = c->leader_epoch };
		str_clip(a->fence.last.name, sizeof(a->fence.last.name), c->leader);
		if (m != NULL && m->host[0] != '\0') {
			str_clip(a->fence.last.host, sizeof(a->fence.last.host), m->host);
			str_clip(a->fence.last.api_url, sizeof(a->fence.last.api_url), m->api_url);
			a->fence.last.port = m->port;
		}
	}
	if (state_leads(a) && is_configured(a) && v->pg.role != ROLE_PRIMARY)
		others(a, &due);
	str_clip(v->fence_due, sizeof(v->fence_due), due.n > 0 ? due.items[0].name : "");
	if (due.n == 0)
		v->fence_refused = false;
}

static bool command_runs(const struct agent *a)
{
	return a->fence.ticket != 0;
}

void fence_run(struct agent *a)
{
	struct fence_req *req = &a->fence.req;
	struct view *v = &a->view;
	struct victims due;

	if (command_runs(a) || v->fence_due[0] == '\0')
		return;
	if (a->fence.epoch != v->lease.epoch) { /* taken by an earlier life of this agent */
		a->fence.epoch = v->lease.epoch;
		a->fence.done = (struct victims){ 0 };
		a->fence.before_epoch = 0;
	}
	others(a, &due);
	*req = (struct fence_req){ .victim = due.items[0],
				   .epoch = v->lease.epoch,
				   .timeout_ms = a->config->fence.command_timeout_ms };
	str_clip(req->reason, sizeof(req->reason),
		 due.items[0].epoch >= a->fence.before_epoch ? "lost" : "unfenced");
	log_notice("fencing '%s', which led under epoch %" PRId64 ": fence.command runs, for at "
		   "most %" PRId64 " ms",
		   req->victim.name, req->victim.epoch, req->timeout_ms);
	a->fence.ticket = state_ticket(a, TICKET_FENCE, v->lease.epoch, req->victim.name);
	a->fence.since_ms = v->now_ms;
	recorder_add(&a->recorder, v->now_ms, "fence '%s'", req->victim.name);
	a->board_dirty = true;
	a->port.fence(a->port.ctx, a->fence.ticket, req);
}

static void refused(struct agent *a, const char *why)
{
	struct view *v = &a->view;
	int64_t wait = 2 * v->cfg.ttl_ms;

	for (uint32_t i = 0; i < a->fence.failures && wait < BACKOFF_MAX_MS; i++)
		wait *= 2;
	wait = MIN_OF(wait, BACKOFF_MAX_MS);
	a->fence.failures++;
	v->unfenced_until_ms = v->now_ms + wait;
	v->fence_refused = true;
	(void)str_printf(v->fence_why, sizeof(v->fence_why), "'%s' could not be fenced: %.60s",
			 v->fence_due, why);
	log_error("fencing '%s' failed: %s. This member gives the key back and does not ask for it "
		  "for %" PRId64 " ms (fence.command_failure: refuse)",
		  v->fence_due, why, wait);
}

void fence_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	const char *why = ev->err != NULL ? ev->err->msg : "no reason given";
	int64_t took = a->view.now_ms - a->fence.since_ms;

	if (ev->ticket != a->fence.ticket)
		return; /* ended by us */
	a->fence.ticket = 0;
	a->again = true;
	a->board_dirty = true;
	recorder_add(&a->recorder, a->view.now_ms, "fence '%s' result=%d", p->name, ev->result);
	/* Another term: whatever it did, it is asked anew. */
	if (p->number != a->view.lease.epoch || a->fence.epoch != a->view.lease.epoch)
		return;
	if (ev->result < 0) {
		a->fence.failed++;
		if (a->config->fence.command_failure == FENCE_FAILURE_REFUSE) {
			refused(a, why);
			return;
		}
		log_error("fencing '%s' failed after %" PRId64 " ms: %s. The promotion goes on all "
			  "the same (fence.command_failure: promote)",
			  p->name, took, why);
	} else {
		log_notice("'%s' is fenced, it took %" PRId64 " ms", p->name, took);
		a->fence.succeeded++;
		a->fence.failures = 0;
	}
	add(&a->fence.done, &a->fence.req.victim);
}

/* It is not this member's to do any more, or not now: the process ends. */
void fence_cycle(struct agent *a)
{
	if (command_runs(a) && a->plan.pg_verb != PGV_FENCE) {
		log_warning("fence.command against '%s' is ended: %s", a->fence.req.victim.name,
			    a->plan.rule->why);
		a->fence.ticket = 0;
		a->board_dirty = true;
		a->port.fence(a->port.ctx, 0, NULL);
	}
	key_cycle(a);
}
