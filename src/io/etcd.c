/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcd - calls to etcd: attempts, their order, and what counts as an answer
 *
 * See etcd.h for the promises and etcdpriv.h for the parts. A call ends by being marked; it is
 * told and freed by the next round of the loop, so that nobody is called back from inside.
 */
#include "io/etcd.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "io/etcdpriv.h"

#define ETCD_PAUSE_MIN_MS    100
#define ETCD_PAUSE_MAX_MS    1000
/* A network that refuses everything may be back any moment, and the lease does not wait. */
#define ETCD_PAUSE_URGENT_MS 200
#define ETCD_SLICE_MIN_MS    200
#define ETCD_SMALL_ANSWER    (64 * 1024)
/* Into how many parts the time of an ordinary request is divided. */
#define ETCD_SLICES          3
/* After which part of its time, and at the latest after how long, an urgent request is sent
 * again. When etcd's leader dies, what was on its way to it hangs for 7 s (3.4) although a new
 * leader is there after one or two, so it goes around again also while all are still open. */
#define ETCD_URGENT_PARTS    4
#define ETCD_URGENT_MAX_MS   500
/* How long all endpoints must tell of another cluster, or of an older term, to be believed. */
#define ETCD_ODD_MS          10000

/* google.rpc.Code, as far as they matter here. */
enum { RPC_CANCELLED = 1, RPC_UNKNOWN = 2, RPC_TOO_LATE = 4, RPC_DENIED = 7, RPC_INTERNAL = 13,
       RPC_UNAVAILABLE = 14, RPC_NO_LOGIN = 16 };

int64_t etcd_jitter_ms(struct etcd *etcd, int64_t max_ms)
{
	/* xorshift64: only to keep members from moving in step. */
	etcd->random ^= etcd->random << 13;
	etcd->random ^= etcd->random >> 7;
	etcd->random ^= etcd->random << 17;
	return max_ms > 0 ? (int64_t)(etcd->random % (uint64_t)max_ms) : 0;
}

static void config_done(struct config_etcd *config)
{
	free(config->srv);
	free(config->srv_suffix);
	free(config->username);
	free(config->password);
	free(config->cacert);
	free(config->cert);
	free(config->key);
}

static void config_copy(struct config_etcd *dst, const struct config_etcd *src)
{
	*dst = *src;
	dst->srv = str_dup(src->srv);
	dst->srv_suffix = str_dup(src->srv_suffix);
	dst->username = str_dup(src->username);
	dst->password = str_dup(src->password);
	dst->cacert = str_dup(src->cacert);
	dst->cert = str_dup(src->cert);
	dst->key = str_dup(src->key);
}

void etcd_fill_http(const struct etcd *etcd, struct http_tls *tls, struct http_req *req)
{
	tls->cacert = etcd->config.cacert;
	tls->cert = etcd->config.cert;
	tls->key = etcd->config.key;
	/* As Patroni: a CA certificate turns verification on. */
	tls->verify_peer = etcd->config.cacert != NULL;
	tls->verify_host = tls->verify_peer;
	req->tls = tls;
	req->silent_ms = etcd->silent_ms;
	req->headers[0] = "Content-Type: application/json";
}

bool etcd_cluster_fits(struct etcd *etcd, uint64_t cluster_id, struct err *err)
{
	if (etcd->cluster_id == 0)
		etcd->cluster_id = cluster_id;
	if (cluster_id == etcd->cluster_id)
		return true;
	err_set(err, ERR_STATE, "belongs to another etcd cluster (%llx, not %llx)",
		(unsigned long long)cluster_id, (unsigned long long)etcd->cluster_id);
	return false;
}

bool etcd_term_fits(struct etcd *etcd, uint64_t raft_term)
{
	if (raft_term < etcd->raft_term)
		return false;
	etcd->raft_term = raft_term;
	return true;
}

void etcd_node_failed(struct etcd *etcd, uint32_t node_id, const struct err *err)
{
	struct etcdnode *node = etcdnode_by_id(&etcd->nodes, node_id);

	if (!node)
		return;
	if (etcdnode_bad(&etcd->nodes, node, loop_now_ms()))
		log_warning("etcd endpoint '%s' failed: %s", node->url, err->msg);
	etcd_watch_node_failed(etcd, node_id);
	etcd_info_soon(etcd);
}

void etcd_node_answered(struct etcd *etcd, struct etcdnode *node, uint64_t member_id)
{
	bool was_bad = etcdnode_good(&etcd->nodes, node, member_id);

	etcd_watch_answered(etcd);
	if (!was_bad)
		return;
	log_info("etcd endpoint '%s' answers again", node->url);
	etcd_info_soon(etcd);
}

static uint32_t live_attempts(const struct etcd_call *call)
{
	uint32_t n = 0;

	for (size_t i = 0; i < ETCD_ATTEMPTS_MAX; i++)
		n += call->attempts[i].http != NULL;
	return n;
}

static void cancel_attempts(struct etcd_call *call)
{
	for (size_t i = 0; i < ETCD_ATTEMPTS_MAX; i++) {
		http_cancel(call->attempts[i].http);
		call->attempts[i].http = NULL;
	}
}

void etcd_call_over(struct etcd_call *call)
{
	cancel_attempts(call);
	loop_timer_off(call->timer);
	call->over = true;
	loop_defer(call->etcd->defer);
}

static void call_free(struct etcd_call *call)
{
	cancel_attempts(call);
	loop_source_free(call->timer);
	buf_done(&call->body);
	etcd_rep_done(&call->rep);
	free(call);
}

static void call_expire(struct etcd_call *call)
{
	struct err last = call->err;

	for (size_t i = 0; i < ETCD_ATTEMPTS_MAX; i++) {
		struct err late = { 0 };

		if (!call->attempts[i].http)
			continue;
		err_set(&late, ERR_TIMEOUT, "no answer in time");
		etcd_node_failed(call->etcd, call->attempts[i].node_id, &late);
	}
	if (last.code)
		err_set(&call->err, ERR_TIMEOUT, "no answer from etcd within %lld ms (%s)",
			(long long)call->timeout_ms, last.msg);
	else
		err_set(&call->err, ERR_TIMEOUT, "no answer from etcd within %lld ms",
			(long long)call->timeout_ms);
	etcd_call_over(call);
}

static void pump(struct etcd_call *call);
static void tell_over(struct etcd *etcd);

static void take_attempt(struct etcd_attempt *attempt, const struct http_rep *http_rep)
{
	struct etcd_call *call = attempt->call;
	struct etcdnode *node = etcdnode_by_id(&call->etcd->nodes, attempt->node_id);
	enum etcd_verdict verdict = VERDICT_NEXT;

	attempt->http = NULL;
	if (http_rep->err)
		call->err = *http_rep->err;
	else if (node)
		verdict = call->take(call, node, http_rep);
	if (verdict == VERDICT_LOGIN && (call->relogged || !call->etcd->config.username))
		verdict = VERDICT_ANSWER;

	switch (verdict) {
	case VERDICT_ANSWER:
		call->answered = true;
		call->sent_at_ms = http_rep->sent_at_ms;
		telemetry_latency(&call->etcd->telemetry, loop_now_ms() - http_rep->sent_at_ms);
		etcd_call_over(call);
		return;
	case VERDICT_NEXT:
		etcd_node_failed(call->etcd, attempt->node_id, &call->err);
		/* One that fails is followed at once, also while a slow one is still open. */
		call->failed = true;
		break;
	case VERDICT_LOGIN:
		call->relogged = true;
		call->tried.n = 0;
		etcd_drop_token(call->etcd);
		break;
	}
	pump(call);
}

static void on_attempt(void *ctx, const struct http_rep *http_rep)
{
	struct etcd_attempt *attempt = ctx;
	struct etcd *etcd = attempt->call->etcd;

	take_attempt(attempt, http_rep);
	/* Here nobody is inside of a call of this module. */
	tell_over(etcd);
}

static bool is_urgent(const struct etcd_call *call)
{
	return call->urgent || call->everywhere;
}

static void start_attempt(struct etcd_call *call, const struct etcdnode *node, int64_t now_ms)
{
	_cleanup_(buf_done) struct buf token = { 0 };
	struct etcd *etcd = call->etcd;
	struct http_req req = { 0 };
	struct http_tls tls = { 0 };
	struct etcd_attempt *attempt = call->attempts;
	char url[URL_SIZE + 64];
	uint32_t slices = MIN_OF(MAX_OF(etcd->nodes.n, 2U), (uint32_t)ETCD_SLICES);
	int64_t slice_ms = call->timeout_ms / slices;
	int64_t again_ms = call->timeout_ms / ETCD_URGENT_PARTS;

	/* The caller made sure that one is free. */
	while (attempt->http)
		attempt++;
	str_printf(url, sizeof(url), "%s%s%s", node->url, etcd->api, call->path);
	etcd_fill_http(etcd, &tls, &req);
	if (!call->no_token)
		req.headers[1] = etcd_token_header(etcd, &token);
	req.method = "POST";
	req.url = url;
	req.body = call->body.data;
	req.body_len = call->body.len;
	req.timeout_ms = call->deadline_ms - now_ms;
	req.fresh = node->silent;
	req.max_bytes = call->max_bytes;
	req.done = on_attempt;
	req.ctx = attempt;

	attempt->call = call;
	attempt->node_id = node->id;
	attempt->begun_at_ms = now_ms;
	call->failed = false;
	attempt->limit_at_ms = 0;
	if (!is_urgent(call))
		attempt->limit_at_ms = now_ms + MAX_OF(slice_ms, (int64_t)ETCD_SLICE_MIN_MS);
	call->double_at_ms = now_ms + MIN_OF(again_ms, (int64_t)ETCD_URGENT_MAX_MS);
	etcdnode_add(&call->tried, node->id);
	attempt->http = http_start(etcd->http, &req);
}

/* Every endpoint says that it is another cluster, or that it knows less than we have seen. For a
 * moment that is a fault on the way or a member cut off. When it stays it is the truth, an etcd
 * made anew or restored, and it is for the agent to judge what that one is worth. */
static bool accept_present(struct etcd_call *call, int64_t now_ms)
{
	struct etcd *etcd = call->etcd;
	bool foreign = call->tried.n && call->nforeign == call->tried.n;
	bool stale = call->tried.n && call->nstale == call->tried.n;

	if (!foreign && !stale)
		return false;
	if (!etcd->odd_since_ms)
		etcd->odd_since_ms = now_ms;
	if (now_ms - etcd->odd_since_ms < ETCD_ODD_MS)
		return false;
	log_warning("all etcd endpoints %s; taking that as it is now",
		    foreign ? "belong to another cluster than before" :
			      "are behind the raft term that was seen before");
	etcd->odd_since_ms = 0;
	etcd->raft_term = 0;
	if (foreign)
		etcd->cluster_id = 0;
	return true;
}

/* All endpoints were tried and failed. */
static void end_round(struct etcd_call *call, int64_t now_ms)
{
	int64_t pause_ms;

	call->retry_at_ms = now_ms;
	if (accept_present(call, now_ms))
		return;
	if (call->tried.n == 0 && !call->err.code)
		err_set(&call->err, ERR_CONNECT, "no etcd endpoint is known");
	pause_ms = MAX_OF(call->pause_ms * 2, (int64_t)ETCD_PAUSE_MIN_MS);
	call->pause_ms = MIN_OF(pause_ms, (int64_t)(is_urgent(call) ? ETCD_PAUSE_URGENT_MS :
								    ETCD_PAUSE_MAX_MS));
	call->retry_at_ms += call->pause_ms + etcd_jitter_ms(call->etcd, call->pause_ms / 2);
}

static void begin_round(struct etcd_call *call)
{
	call->retry_at_ms = 0;
	call->tried.n = 0;
	call->nforeign = 0;
	call->nstale = 0;
}

static struct etcdnode *next_node(struct etcd_call *call, int64_t now_ms)
{
	struct etcdnode_set busy = { 0 };

	for (size_t i = 0; i < ETCD_ATTEMPTS_MAX; i++)
		if (call->attempts[i].http)
			etcdnode_add(&busy, call->attempts[i].node_id);
	return etcdnode_pick(&call->etcd->nodes, &call->tried, &busy, now_ms);
}

/* The newer attempts of an urgent request are likelier to be answered. */
static void make_room(struct etcd_call *call)
{
	struct etcd_attempt *oldest = NULL;

	if (live_attempts(call) < ETCD_ATTEMPTS_MAX)
		return;
	for (size_t i = 0; i < ETCD_ATTEMPTS_MAX; i++)
		if (!oldest || call->attempts[i].begun_at_ms < oldest->begun_at_ms)
			oldest = &call->attempts[i];
	http_cancel(TAKE(oldest->http));
}

/* Whether to send once more now, be it to the first or beside those under way. */
static bool wants_more(const struct etcd_call *call, int64_t now_ms)
{
	if (live_attempts(call) == 0)
		return true;
	return call->everywhere ||
	       (call->urgent && (call->failed || now_ms >= call->double_at_ms));
}

/* What an urgent request waits for too long may hang in TCP, whose pauses grow while nothing gets
 * through, and last on when it does again. */
static void note_silence(struct etcd_call *call, int64_t now_ms)
{
	struct etcd *etcd = call->etcd;

	if (!call->urgent || now_ms < call->double_at_ms)
		return;
	for (size_t i = 0; i < ETCD_ATTEMPTS_MAX; i++) {
		const struct etcd_attempt *attempt = &call->attempts[i];
		struct etcdnode *node = etcdnode_by_id(&etcd->nodes, attempt->node_id);

		if (!attempt->http || !node)
			continue;
		node->silent = true;
		etcd_watch_doubt(etcd, node->id, attempt->begun_at_ms);
	}
}

static void start_attempts(struct etcd_call *call, int64_t now_ms)
{
	if (call->retry_at_ms && call->retry_at_ms <= now_ms)
		begin_round(call);
	note_silence(call, now_ms);
	/* Ends: an attempt takes a node away, and a round lasts beyond now. */
	while (!call->retry_at_ms && wants_more(call, now_ms)) {
		struct etcdnode *node = next_node(call, now_ms);

		if (!node && live_attempts(call) == 0) {
			end_round(call, now_ms);
			return;
		}
		if (!node && now_ms < call->double_at_ms)
			return;
		if (!node) {
			begin_round(call);
			continue;
		}
		make_room(call);
		start_attempt(call, node, now_ms);
	}
}

static void give_up_late(struct etcd_call *call, int64_t now_ms)
{
	for (size_t i = 0; i < ETCD_ATTEMPTS_MAX; i++) {
		struct etcd_attempt *attempt = &call->attempts[i];

		if (!attempt->http || !attempt->limit_at_ms || attempt->limit_at_ms > now_ms)
			continue;
		http_cancel(TAKE(attempt->http));
		err_set(&call->err, ERR_TIMEOUT, "no answer in time");
		etcd_node_failed(call->etcd, attempt->node_id, &call->err);
	}
}

static void arm(struct etcd_call *call, bool blocked)
{
	int64_t at_ms = call->deadline_ms;

	for (size_t i = 0; i < ETCD_ATTEMPTS_MAX; i++) {
		const struct etcd_attempt *attempt = &call->attempts[i];

		if (attempt->http && attempt->limit_at_ms)
			at_ms = MIN_OF(at_ms, attempt->limit_at_ms);
	}
	if (!blocked && call->retry_at_ms)
		at_ms = MIN_OF(at_ms, call->retry_at_ms);
	if (!blocked && is_urgent(call) && !call->retry_at_ms)
		at_ms = MIN_OF(at_ms, call->double_at_ms);
	loop_timer_at(call->timer, at_ms);
}

static bool is_blocked(struct etcd_call *call)
{
	if (call->etcd->held && !call->at_once)
		return true;
	if (call->no_token || !etcd_needs_token(call->etcd))
		return false;
	etcd_login(call->etcd);
	return true;
}

static void pump(struct etcd_call *call)
{
	int64_t now_ms = loop_now_ms();
	bool blocked;

	if (call->over)
		return;
	if (now_ms >= call->deadline_ms) {
		call_expire(call);
		return;
	}
	give_up_late(call, now_ms);
	blocked = is_blocked(call);
	if (!blocked)
		start_attempts(call, now_ms);
	arm(call, blocked);
}

static void on_timer(void *ctx)
{
	pump(ctx);
}

void etcd_wake_calls(struct etcd *etcd)
{
	/* pump() may put a log-in in front of the list but takes nothing out of it. */
	for (struct etcd_call *call = etcd->calls; call; call = call->next)
		pump(call);
}

struct etcd_call *etcd_call_new(struct etcd *etcd, const char *path, int64_t timeout_ms)
{
	struct etcd_call *call = mem_new(1, sizeof(*call));
	int rc = loop_timer_new(etcd->loop, "etcd request", on_timer, call, &call->timer, NULL);

	/* A timer that cannot be made is memory that is gone. */
	assert(rc >= 0);
	call->etcd = etcd;
	call->path = path;
	call->timeout_ms = timeout_ms;
	call->max_bytes = ETCD_BODY_MAX;
	return call;
}

void etcd_call_start(struct etcd_call *call)
{
	call->deadline_ms = loop_now_ms() + call->timeout_ms;
	call->next = call->etcd->calls;
	call->etcd->calls = call;
	pump(call);
}

/* What etcd says when this member cannot decide, but another may. */
static bool is_passing(const struct etcd_rep *rep)
{
	static const char *const texts[] = {
		"not a primary lessor", "no leader",        "request timed out", "leader changed",
		"server stopped",       "too many requests", "corrupt",          "not capable",
	};

	switch (rep->error_code) {
	case RPC_CANCELLED:
	case RPC_UNKNOWN:
	case RPC_TOO_LATE:
	case RPC_INTERNAL:
	case RPC_UNAVAILABLE:
		return true;
	default:
		break;
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strstr(rep->error_text, texts[i]))
			return true;
	return false;
}

bool etcd_is_login(const struct etcd_rep *rep)
{
	return rep->error_code == RPC_NO_LOGIN || rep->error_code == RPC_DENIED ||
	       strstr(rep->error_text, "invalid auth token") ||
	       strstr(rep->error_text, "user name is empty") ||
	       strstr(rep->error_text, "auth store");
}

/* Is this the cluster and the present that we know? */
static enum etcd_verdict check_header(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;
	const struct etcd_rep *rep = &call->rep;
	bool may_be_old = call->op == ETCD_RANGE || call->op == ETCD_KEEPALIVE;

	if (!etcd_cluster_fits(etcd, rep->cluster_id, &call->err)) {
		call->nforeign++;
		return VERDICT_NEXT;
	}
	/* What went through consensus is true whatever the term of the member that tells it. */
	if (!etcd_term_fits(etcd, rep->raft_term) && may_be_old) {
		call->nstale++;
		err_set(&call->err, ERR_STATE, "is behind: raft term %llu, seen before %llu",
			(unsigned long long)rep->raft_term, (unsigned long long)etcd->raft_term);
		return VERDICT_NEXT;
	}
	etcd->odd_since_ms = 0;
	return VERDICT_ANSWER;
}

static enum etcd_verdict take_request(struct etcd_call *call, struct etcdnode *node,
				      const struct http_rep *http_rep)
{
	struct etcd_rep *rep = &call->rep;
	enum etcd_verdict verdict;

	etcd_rep_done(rep);
	if (etcdmsg_parse(call->op, http_rep->status, http_rep->body->data, http_rep->body->len,
			  rep, &call->err) < 0) {
		if (http_rep->status == 404)
			etcd_wrong_api(call->etcd);
		return VERDICT_NEXT;
	}
	if (rep->error_code && etcd_is_login(rep))
		return VERDICT_LOGIN;
	if (rep->error_code && is_passing(rep)) {
		err_set(&call->err, ERR_CONNECT, "%s", rep->error_text);
		return VERDICT_NEXT;
	}
	if (!rep->error_code) {
		verdict = check_header(call);
		if (verdict != VERDICT_ANSWER)
			return verdict;
	}
	etcd_node_answered(call->etcd, node, rep->member_id);
	if (call->op == ETCD_TXN || call->op == ETCD_GRANT ||
	    (call->op == ETCD_RANGE && !call->serializable))
		node->proved_at_ms = loop_now_ms();
	return VERDICT_ANSWER;
}

static void finish_request(struct etcd_call *call)
{
	struct etcd_answer answer = { .ticket = call->ticket, .sent_at_ms = call->sent_at_ms };

	if (call->answered)
		answer.rep = &call->rep;
	else
		answer.err = &call->err;
	call->etcd->handler.answer(call->etcd->handler.ctx, &answer);
}

static struct etcd_call *request_call(struct etcd *etcd, uint64_t ticket,
				      const struct etcd_req *req)
{
	struct etcd_call *call =
		etcd_call_new(etcd, etcdmsg_path(req->op), MAX_OF(req->timeout_ms, INT64_C(1)));

	call->ticket = ticket;
	call->op = req->op;
	call->serializable = req->serializable;
	call->urgent = req->urgent;
	call->everywhere = req->everywhere;
	call->take = take_request;
	call->finish = finish_request;
	if (req->op == ETCD_KEEPALIVE || req->op == ETCD_REVOKE || req->op == ETCD_GRANT)
		call->max_bytes = ETCD_SMALL_ANSWER;
	etcdmsg_body(req, &call->body);
	return call;
}

void etcd_request(struct etcd *etcd, uint64_t ticket, const struct etcd_req *req)
{
	etcd_call_start(request_call(etcd, ticket, req));
}

void etcd_request_now(struct etcd *etcd, uint64_t ticket, const struct etcd_req *req)
{
	struct etcd_call *call = request_call(etcd, ticket, req);

	call->at_once = true;
	etcd_call_start(call);
}

void etcd_hold(struct etcd *etcd, bool hold)
{
	etcd->held = hold;
	if (hold)
		return;
	etcd_wake_calls(etcd);
	etcd_watch_wake(etcd);
}

static struct etcd_call *take_over_call(struct etcd *etcd)
{
	for (struct etcd_call **at = &etcd->calls; *at; at = &(*at)->next) {
		struct etcd_call *call = *at;

		if (!call->over)
			continue;
		*at = call->next;
		return call;
	}
	return NULL;
}

static void tell_over(struct etcd *etcd)
{
	struct etcd_call *call;

	/* Calls made by a handler cannot be over before the loop ran, so this ends. */
	while ((call = take_over_call(etcd)) != NULL) {
		call->finish(call);
		call_free(call);
	}
}

static void on_defer(void *ctx)
{
	struct etcd *etcd = ctx;

	tell_over(etcd);
	etcd_watch_tell_lost(etcd);
}

int etcd_new(struct loop *loop, struct http *http, const struct etcd_handler *handler,
	     struct etcd **ret, struct err *err)
{
	struct etcd *etcd = mem_new(1, sizeof(*etcd));
	int rc;

	etcd->loop = loop;
	etcd->http = http;
	etcd->handler = *handler;
	etcd->api = "/v3";
	if (getrandom(&etcd->random, sizeof(etcd->random), GRND_NONBLOCK) < 0 || !etcd->random)
		etcd->random = (uint64_t)loop_now_ms() | 1;
	rc = loop_defer_new(loop, "etcd answers", on_defer, etcd, &etcd->defer, err);
	if (rc >= 0)
		rc = etcd_info_init(etcd, err);
	if (rc >= 0)
		rc = etcd_watch_init(etcd, err);
	if (rc < 0) {
		etcd_free(etcd);
		return rc;
	}
	*ret = etcd;
	return 0;
}

void etcd_free(struct etcd *etcd)
{
	if (!etcd)
		return;
	etcd_watch_done(etcd);
	etcd_info_done(etcd);
	while (etcd->calls) {
		struct etcd_call *call = etcd->calls;

		etcd->calls = call->next;
		call_free(call);
	}
	loop_source_free(etcd->defer);
	free(etcd->token);
	config_done(&etcd->config);
	free(etcd);
}

void etcd_configure(struct etcd *etcd, const struct config_etcd *config, int64_t ttl_ms)
{
	struct config_etcd old = etcd->config;
	bool relogin = !str_eq(old.username, config->username) ||
		       !str_eq(old.password, config->password);

	config_copy(&etcd->config, config);
	config_done(&old);
	if (relogin)
		etcd_drop_token(etcd);
	/* A silent connection is to be noticed well before the lease is in danger. */
	etcd->silent_ms = MAX_OF(ttl_ms / 3, INT64_C(1000));
	etcdnode_configure(&etcd->nodes, &etcd->config);
	etcd->configured = true;
	etcd_info_now(etcd);
	etcd_wake_calls(etcd);
}

void etcd_print_endpoints(const struct etcd *etcd, struct buf *ret_text)
{
	for (uint32_t i = 0; i < etcd->nodes.n; i++)
		buf_printf(ret_text, "%s%s", i ? ", " : "", etcd->nodes.items[i].url);
}
