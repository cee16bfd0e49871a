/* SPDX-License-Identifier: PostgreSQL */
/*
 * dcs - the cluster's keys in etcd, one request at a time
 *
 * Endpoints are tried in turn; a failure names them all.
 */
#ifndef PGHA_CLI_DCS_H
#define PGHA_CLI_DCS_H

#include "base/err.h"
#include "core/config.h"
#include "wire/etcdmsg.h"

struct dcs;
struct http;
struct loop;

/* All are borrowed. */
int dcs_new(struct loop *loop, struct http *http, const struct config_etcd *config,
	    struct dcs **ret, struct err *err) _must_check_;
void dcs_free(struct dcs *dcs);
/* How long each request may take from now on. */
void dcs_hurry(struct dcs *dcs, int64_t timeout_ms);
/* From now on nothing is written: that fails. */
void dcs_seal(struct dcs *dcs);

/* Everything that starts with prefix, in the order of the keys; a linearizable read. */
int dcs_read(struct dcs *dcs, const char *prefix, struct etcd_kvs *ret,
	     struct err *err) _must_check_;

#define DCS_ANY      (-1) /* whatever stands there */
#define DCS_CONFLICT 1    /* somebody changed the key meanwhile */
/* Writes if the key's mod revision is this one; 0: if it does not exist. */
int dcs_put(struct dcs *dcs, const char *key, const char *value, int64_t revision,
	    struct err *err) _must_check_;
/* Watches this one key from now on, or goes on watching it. A hint: what happens while the stream
 * is down is not told, so look from time to time as well. */
void dcs_watch(struct dcs *dcs, const char *key);
/* Whether it was written or deleted since the last time this was asked. Told by the loop. */
bool dcs_changed(struct dcs *dcs);
int dcs_delete_prefix(struct dcs *dcs, const char *prefix, struct err *err) _must_check_;

#endif
