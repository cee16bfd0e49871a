/* SPDX-License-Identifier: PostgreSQL */
/*
 * number - the numbers of timelines, which are taken before a promotion can use them
 *
 * Whoever freezes in the middle of a promotion and wakes up under the next leader then has another
 * one than that. The number is taken with the leader key; each promotion uses up one.
 */
#include "agent/state.h"
#include "core/timeline.h"

#define RETRY_MS 100

static bool may_have_to_promote(const struct view *v)
{
	return v->pg.role == ROLE_REPLICA ||
	       (v->pg.run == PG_DOWN && timeline_was_standby(&v->pg));
}

static uint32_t put_next(struct agent *a, struct etcd_req *req)
{
	struct cluster *c = &a->view.cluster;
	/* A store that forgot the history leaves our own record of it. */
	uint32_t known = c->history_timeline != 0 ? c->history_timeline : a->view.known_timeline;
	uint32_t number = timeline_next(&a->view.pg, known, c->begun_timeline);
	_cleanup_(freep) char *text = record_begun_text(number, a->view.name, a->instance);
	char key[ETCD_KEY_SIZE];

	state_key(a, "pgha/timeline", key);
	etcd_cmp_number(req, key, ETCD_CMP_MOD, c->begun_mod_revision);
	etcd_then_put(req, key, text, 0);
	return number;
}

uint32_t number_put(struct agent *a, struct etcd_req *req)
{
	return may_have_to_promote(&a->view) ? put_next(a, req) : 0;
}

void number_fold(struct agent *a, uint32_t number, int64_t revision)
{
	struct cluster *c = &a->view.cluster;

	if (number == 0 || revision < c->begun_mod_revision)
		return;
	c->begun_timeline = number;
	c->begun_mod_revision = revision;
	str_clip(c->begun_by, sizeof(c->begun_by), a->instance);
}

bool number_at_hand(const struct agent *a)
{
	const struct cluster *c = &a->view.cluster;

	return c->begun_timeline > 0 && str_eq(c->begun_by, a->instance) &&
	       c->begun_mod_revision >= a->view.lease.epoch &&
	       c->begun_mod_revision != a->number_used_revision;
}

void number_use(struct agent *a, struct pg_req *req)
{
	const struct cluster *c = &a->view.cluster;

	req->above_timeline = c->begun_timeline - 1;
	req->known_timeline = c->history_timeline;
	a->number_used_revision = c->begun_mod_revision;
}

void number_give_back(struct agent *a, struct etcd_req *req)
{
	struct cluster *c = &a->view.cluster;
	_cleanup_(freep) char *text = NULL;
	char key[ETCD_KEY_SIZE];

	if (!number_at_hand(a) || c->begun_timeline < 2)
		return;
	text = record_begun_text(c->begun_timeline - 1, a->view.name, a->instance);
	state_key(a, "pgha/timeline", key);
	etcd_cmp_number(req, key, ETCD_CMP_MOD, c->begun_mod_revision);
	etcd_then_put(req, key, text, 0);
}

void number_take(struct agent *a)
{
	struct etcd_req req;
	char key[ETCD_KEY_SIZE];
	uint32_t number;

	if (state_waits_for(a, TICKET_NUMBER) || a->view.now_ms < a->number_retry_ms)
		return;
	a->number_retry_ms = a->view.now_ms + RETRY_MS;
	etcd_req_init_txn(&req, state_urgent_ms(a));
	req.urgent = true;
	state_key(a, "leader", key);
	etcd_cmp_value(&req, key, a->view.name);
	etcd_cmp_number(&req, key, ETCD_CMP_CREATE, a->view.lease.epoch);
	number = put_next(a, &req);
	a->port.etcd(a->port.ctx, state_ticket(a, TICKET_NUMBER, number, ""), &req);
	etcd_req_done(&req);
}

void number_answered(struct agent *a, const struct pending *p, const struct event *ev)
{
	if (ev->result < 0 || ev->rep->error_code != 0)
		return;
	a->again = true;
	if (!ev->rep->succeeded) {
		a->read_retry_at_ms = 0;
		a->read_at_ms = 0;
		return;
	}
	number_fold(a, (uint32_t)p->number, ev->rep->revision);
}
