/* SPDX-License-Identifier: PostgreSQL */
/*
 * dcs - the cluster's keys in etcd, one request at a time
 */
#include "cli/dcs.h"

#include <assert.h>
#include <stdlib.h>

#include "io/etcd.h"
#include "io/http.h"
#include "io/loop.h"

#define TIMEOUT_MS 5000
#define SILENT_MS  15000
#define LOGIN_HINT \
	"give etcd3.username and etcd3.password in the configuration, or -d " \
	"etcd3://user:password@host:port"

struct dcs {
	struct loop *loop;
	struct etcd *etcd;
	int64_t timeout_ms;
	bool sealed;
	uint64_t ticket; /* of the request that is waited for */
	bool done;
	bool failed;
	struct err err;
	struct etcd_rep rep; /* its keys are moved out of the answer's copy */
	char watched[ETCD_KEY_SIZE]; /* "" none */
	bool changed;
};

static void copy_kvs(struct etcd_kvs *dst, const struct etcd_kvs *src)
{
	dst->items = mem_new(src->n + 1, sizeof(*dst->items));
	dst->n = src->n;
	for (size_t i = 0; i < src->n; i++) {
		const struct etcd_kv *from = &src->items[i];

		dst->items[i] = *from;
		dst->items[i].key = str_dup(from->key);
		dst->items[i].value = mem_new(from->len + 1, 1);
		if (from->value != NULL)
			memcpy(dst->items[i].value, from->value, from->len);
	}
}

static void take_answer(void *ctx, const struct etcd_answer *answer)
{
	struct dcs *dcs = ctx;

	if (answer->ticket != dcs->ticket)
		return;
	dcs->done = true;
	dcs->failed = answer->err != NULL;
	if (answer->err != NULL) {
		dcs->err = *answer->err;
		return;
	}
	dcs->rep = *answer->rep;
	copy_kvs(&dcs->rep.kvs, &answer->rep->kvs);
}

static void take_change(void *ctx, const struct etcd_watch_msg *msg)
{
	struct dcs *dcs = ctx;

	for (size_t i = 0; i < msg->events.n; i++)
		dcs->changed = dcs->changed || str_eq(msg->events.items[i].key, dcs->watched);
}

/* The stream begins again by itself, but not where it ended behind a compaction. */
static void take_loss(void *ctx, const struct err *err _unused_)
{
	struct dcs *dcs = ctx;

	dcs->watched[0] = '\0';
}

int dcs_new(struct loop *loop, struct http *http, const struct config_etcd *config,
	    struct dcs **ret, struct err *err)
{
	struct dcs *dcs = mem_new(1, sizeof(*dcs));
	const struct etcd_handler handler = { .ctx = dcs, .answer = take_answer,
					      .watch = take_change, .watch_lost = take_loss };
	int r;

	dcs->loop = loop;
	dcs->timeout_ms = TIMEOUT_MS;
	r = etcd_new(loop, http, &handler, &dcs->etcd, err);
	if (r < 0) {
		dcs_free(dcs);
		return r;
	}
	etcd_configure(dcs->etcd, config, SILENT_MS);
	*ret = dcs;
	return 0;
}

void dcs_free(struct dcs *dcs)
{
	if (dcs == NULL)
		return;
	etcd_free(dcs->etcd);
	etcd_rep_done(&dcs->rep);
	free(dcs);
}

void dcs_hurry(struct dcs *dcs, int64_t timeout_ms)
{
	dcs->timeout_ms = timeout_ms;
}

void dcs_seal(struct dcs *dcs)
{
	dcs->sealed = true;
}

static int unreachable(struct dcs *dcs, struct err *err)
{
	_cleanup_(buf_done) struct buf endpoints = { 0 };

	/* A certificate that is refused is a denial, too. */
	if (dcs->err.code == ERR_DENIED && strstr(dcs->err.msg, "etcdserver") != NULL)
		return err_set(err, ERR_DENIED, "%s; " LOGIN_HINT, dcs->err.msg);
	etcd_print_endpoints(dcs->etcd, &endpoints);
	return err_set(err, ERR_CONNECT,
		       "cannot reach etcd at %s: %s; start etcd or give its address with -d",
		       endpoints.data != NULL ? endpoints.data : "no address", dcs->err.msg);
}

/* The answer is in dcs->rep, which the next call replaces. */
static int call(struct dcs *dcs, const struct etcd_req *req, struct err *err)
{
	if (dcs->sealed && req->op != ETCD_RANGE)
		return err_set(err, ERR_STATE, "nothing is written to etcd in a dry run");
	etcd_rep_done(&dcs->rep);
	dcs->rep = (struct etcd_rep){ 0 };
	dcs->ticket++;
	dcs->done = false;
	etcd_request(dcs->etcd, dcs->ticket, req);
	while (!dcs->done)
		(void)loop_step(dcs->loop, -1);
	if (dcs->failed)
		return unreachable(dcs, err);
	if (dcs->rep.error_code != 0 && strstr(dcs->rep.error_text, "user name is empty") != NULL)
		return err_set(err, ERR_DENIED, "etcd wants a user; " LOGIN_HINT);
	if (dcs->rep.error_code != 0)
		return err_set(err, ERR_PROTOCOL, "etcd refused: %s (code %d)",
			       dcs->rep.error_text, (int)dcs->rep.error_code);
	return 0;
}

int dcs_read(struct dcs *dcs, const char *prefix, struct etcd_kvs *ret, struct err *err)
{
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = dcs->timeout_ms };
	int r;

	r = str_copy(req.key, sizeof(req.key), prefix);
	if (r < 0)
		return err_set(err, ERR_TOOLONG, "key '%s'", prefix);
	r = call(dcs, &req, err);
	if (r < 0)
		return r;
	*ret = dcs->rep.kvs;
	dcs->rep.kvs = (struct etcd_kvs){ 0 };
	return 0;
}

int dcs_put(struct dcs *dcs, const char *key, const char *value, int64_t revision,
	    struct err *err)
{
	struct etcd_req req;
	const struct etcd_kvs *found = &dcs->rep.kvs;
	int r;

	etcd_req_init_txn(&req, dcs->timeout_ms);
	if (revision != DCS_ANY)
		etcd_cmp_number(&req, key, ETCD_CMP_MOD, revision);
	etcd_then_put(&req, key, value, 0);
	etcd_else_get(&req, key);
	r = call(dcs, &req, err);
	etcd_req_done(&req);
	if (r < 0 || dcs->rep.succeeded)
		return r;
	/* An attempt whose answer got lost may have been the one that wrote. */
	if (found->n == 1 && found->items[0].len == strlen(value) &&
	    memcmp(found->items[0].value, value, found->items[0].len) == 0)
		return 0;
	return DCS_CONFLICT;
}

void dcs_watch(struct dcs *dcs, const char *key)
{
	if (str_eq(dcs->watched, key))
		return;
	str_clip(dcs->watched, sizeof(dcs->watched), key);
	/* Revision 0: from now on. */
	etcd_watch(dcs->etcd, key, 0);
}

bool dcs_changed(struct dcs *dcs)
{
	bool changed = dcs->changed;

	dcs->changed = false;
	return changed;
}

int dcs_delete_prefix(struct dcs *dcs, const char *prefix, struct err *err)
{
	struct etcd_req req;
	int r;

	etcd_req_init_txn(&req, dcs->timeout_ms);
	etcd_then_delete(&req, prefix);
	req.then_ops[0].prefix = true;
	r = call(dcs, &req, err);
	etcd_req_done(&req);
	return r;
}
