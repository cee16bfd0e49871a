/* SPDX-License-Identifier: PostgreSQL */
/*
 * restview - what the status says at the moment of one REST request
 *
 * Inside the wire room only. The published status is looked at with the clock of the request:
 * what was true when it was published may have run out since. All REST answers are made from
 * this, so that they cannot contradict each other.
 */
#ifndef PGHA_WIRE_RESTVIEW_H
#define PGHA_WIRE_RESTVIEW_H

#include "wire/jtext.h"
#include "wire/metrics.h"
#include "wire/restmsg.h"

struct restview {
	const struct status *status;
	int64_t now_ms;
	bool leads;    /* the lease is proven at this moment */
	bool dcs_ok;   /* the view of etcd is younger than ttl */
	bool failsafe; /* some leader lives by promises at this moment */
	bool has_sql;  /* position fields are there */
	const char *state;
	const char *role;
	const char *replication_state; /* NULL none */
	bool in_recovery;
	uint64_t location_lsn; /* of a primary */
	uint64_t received_lsn; /* of a standby */
	uint64_t replayed_lsn;
	uint64_t leader_lsn; /* newest known position of the leader; 0 unknown */
	struct rest_prepared *prepared; /* NULL: every document is made anew */
	struct rest_prepared *making;   /* where clocks are noted instead of written; NULL */
};

void restview_init(struct restview *view, const struct status *status, int64_t now_ms);
/* The document of GET /patroni and of health checks. */
void restview_document(const struct restview *view, struct buf *ret_body);
/* The same from view->prepared, which is made where it does not fit. */
void restview_prepared(const struct restview *view, struct buf *ret_body);
/* Body of GET /metrics. */
void restview_metrics(const struct restview *view, bool open, struct buf *ret_body);
/* Those of it that are not of Patroni. */
void restview_own_metrics(const struct restview *view, const struct metrics *m);
/* Code of a health check: any path that has no handler of its own. */
int restview_health(const struct restview *view, const char *path, const char *query);
int restview_liveness(const struct restview *view);
int restview_readiness(const struct restview *view, const char *query);
/* Code and body of GET /live and /ready; with what Postgres said, of /ready/db. */
int restview_live(const struct restview *view, struct buf *ret_body);
int restview_ready(const struct restview *view, const char *query, const struct rest_db *db,
		   struct buf *ret_body);

#endif
