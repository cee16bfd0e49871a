/* SPDX-License-Identifier: PostgreSQL */
/*
 * txn - the parts of a transaction, by the short names of the cluster's keys
 */
#include "agent/state.h"

void txn_cmp_number(struct agent *a, struct etcd_req *req, const char *name,
		       enum etcd_target target, int64_t number)
{
	char key[ETCD_KEY_SIZE];

	etcd_cmp_number(req, state_key(a, name, key), target, number);
}

void txn_cmp_value(struct agent *a, struct etcd_req *req, const char *name, const char *text)
{
	char key[ETCD_KEY_SIZE];

	etcd_cmp_value(req, state_key(a, name, key), text);
}

void txn_then_put(struct agent *a, struct etcd_req *req, const char *name, const char *value,
		     int64_t lease_id)
{
	char key[ETCD_KEY_SIZE];

	etcd_then_put(req, state_key(a, name, key), value, lease_id);
}

void txn_then_delete(struct agent *a, struct etcd_req *req, const char *name)
{
	char key[ETCD_KEY_SIZE];

	etcd_then_delete(req, state_key(a, name, key));
}

void txn_else_get(struct agent *a, struct etcd_req *req, const char *name)
{
	char key[ETCD_KEY_SIZE];

	etcd_else_get(req, state_key(a, name, key));
}

struct pending *txn_send(struct agent *a, enum ticket_kind kind, int64_t number,
			    struct etcd_req *req)
{
	uint64_t ticket = state_ticket(a, kind, number, "");

	a->port.etcd(a->port.ctx, ticket, req);
	etcd_req_done(req);
	return state_pending(a, kind);
}
