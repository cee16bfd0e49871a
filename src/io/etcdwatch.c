/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdwatch - the one watch stream
 *
 * A stream that says nothing may be quiet or dead. TCP keepalive finds a dead host; a member that
 * is frozen, or cut off from the others, is found by asking it for something that needs a
 * quorum, unless it gave such an answer to somebody of us a moment ago.
 */
#include <stdlib.h>

#include "base/log.h"
#include "io/etcdpriv.h"

#define WATCH_PAUSE_MIN_MS 50
#define WATCH_PAUSE_MAX_MS 2000
#define WATCH_CONFIRM_MS   3000 /* etcd confirms a watch at once */
#define WATCH_CHECK_MS     500
#define WATCH_QUIET_MS     2000 /* then its member is asked */
#define WATCH_PATIENCE_MS  500  /* with its confirmation, while others are answered */
#define WATCH_RENEW_MS     5000 /* a doubtful stream is renewed no more often */
#define WATCH_PROBE_MAX    (64 * 1024)

static void drop_stream(struct etcd_watching *watch)
{
	http_cancel(TAKE(watch->http));
	http_cancel(TAKE(watch->probe));
	watch->stands = false;
	watch->doubted_ms = 0;
	watch->serial++;
}

/* The stream is over; another is begun after a pause, at another endpoint if there is one. */
static void lose(struct etcd *etcd, const struct err *err)
{
	struct etcd_watching *watch = &etcd->watch;
	int64_t pause_ms;

	drop_stream(watch);
	if (!watch->told_lost) {
		watch->told_lost = true;
		watch->lost_due = true;
		watch->lost_err = *err;
		loop_defer(etcd->defer);
	}
	pause_ms = MAX_OF(watch->pause_ms * 2, (int64_t)WATCH_PAUSE_MIN_MS);
	watch->pause_ms = MIN_OF(pause_ms, (int64_t)WATCH_PAUSE_MAX_MS);
	pause_ms = watch->pause_ms + etcd_jitter_ms(etcd, watch->pause_ms / 2);
	loop_timer_at(watch->timer, loop_now_ms() + pause_ms);
}

void etcd_watch_tell_lost(struct etcd *etcd)
{
	if (!etcd->watch.lost_due)
		return;
	etcd->watch.lost_due = false;
	if (etcd->handler.watch_lost)
		etcd->handler.watch_lost(etcd->handler.ctx, &etcd->watch.lost_err);
}

static void lose_bad(struct etcd *etcd, const struct err *err)
{
	uint32_t node_id = etcd->watch.node_id;

	drop_stream(&etcd->watch);
	etcd_node_failed(etcd, node_id, err);
	lose(etcd, err);
}

static void take_canceled(struct etcd *etcd, const struct etcd_watch_msg *msg)
{
	struct err err = { 0 };

	if (msg->compact_revision > 0) {
		etcd->watch.compacted = true;
		err_set(&err, ERR_RANGE, "the watched revision is compacted (%lld)",
			(long long)msg->compact_revision);
		lose(etcd, &err);
		return;
	}
	err_set(&err, ERR_CONNECT, "etcd ended the watch: %s",
		msg->cancel_reason[0] ? msg->cancel_reason : "no reason given");
	lose_bad(etcd, &err);
}

static void take_created(struct etcd_watching *watch)
{
	watch->stands = true;
	watch->told_lost = false;
	watch->pause_ms = 0;
	watch->patience_ms = WATCH_PATIENCE_MS;
}

/* Returns false when the stream it came from is gone. */
static bool take_msg(struct etcd *etcd, const struct etcd_watch_msg *msg)
{
	struct etcd_watching *watch = &etcd->watch;
	uint32_t serial = watch->serial;
	struct err err = { 0 };

	watch->heard_at_ms = loop_now_ms();
	if (!etcd_cluster_fits(etcd, msg->cluster_id, &err)) {
		lose_bad(etcd, &err);
		return false;
	}
	if (!etcd_term_fits(etcd, msg->raft_term)) {
		err_set(&err, ERR_STATE, "is behind: raft term %llu, seen before %llu",
			(unsigned long long)msg->raft_term, (unsigned long long)etcd->raft_term);
		lose_bad(etcd, &err);
		return false;
	}
	if (msg->canceled) {
		take_canceled(etcd, msg);
		return false;
	}
	if (msg->created)
		take_created(watch);
	for (size_t i = 0; i < msg->events.n; i++)
		watch->next_revision =
			MAX_OF(watch->next_revision, msg->events.items[i].mod_revision + 1);
	if (etcd->handler.watch)
		etcd->handler.watch(etcd->handler.ctx, msg);
	return watch->serial == serial;
}

static void on_data(void *ctx, struct buf *body)
{
	struct etcd *etcd = ctx;
	bool same = true;

	/* Bounded: each round takes a document out of the buffer. */
	while (same) {
		struct etcd_watch_msg msg = { 0 };
		struct err err = { 0 };
		int rc = etcdmsg_parse_watch(body, &msg, &err);

		if (rc == ETCDMSG_MORE)
			return;
		if (rc < 0) {
			if (rc == -ERR_DENIED)
				etcd_drop_token(etcd);
			lose_bad(etcd, &err);
			return;
		}
		same = take_msg(etcd, &msg);
		etcd_watch_msg_done(&msg);
	}
}

static void on_end(void *ctx, const struct http_rep *rep)
{
	struct etcd *etcd = ctx;
	struct err err = { 0 };

	etcd->watch.http = NULL;
	if (rep->err)
		err = *rep->err;
	else
		err_set(&err, ERR_CONNECT, "the watch stream ended (HTTP status %d)", rep->status);
	if (!rep->err && rep->status == 404)
		etcd_wrong_api(etcd);
	lose_bad(etcd, &err);
}

static void connect_stream(struct etcd *etcd, struct etcdnode *node, int64_t now_ms)
{
	_cleanup_(buf_done) struct buf token = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 };
	struct etcd_watching *watch = &etcd->watch;
	struct http_req req = { 0 };
	struct http_tls tls = { 0 };
	char url[URL_SIZE + 64];

	str_printf(url, sizeof(url), "%s%s/watch", node->url, etcd->api);
	etcdmsg_watch_body(watch->prefix, watch->next_revision, &body);
	etcd_fill_http(etcd, &tls, &req);
	req.headers[1] = etcd_token_header(etcd, &token);
	/* The gateway hands this on: a member without a leader then ends the watch. */
	req.headers[2] = "Grpc-Metadata-Hasleader: true";
	req.method = "POST";
	req.url = url;
	req.body = body.data;
	req.body_len = body.len;
	req.connect_ms = WATCH_CONFIRM_MS;
	req.max_bytes = ETCD_BODY_MAX;
	req.done = on_end;
	req.data = on_data;
	req.ctx = etcd;
	watch->node_id = node->id;
	watch->serial++;
	watch->begun_at_ms = now_ms;
	watch->heard_at_ms = now_ms;
	watch->http = http_start(etcd->http, &req);
}

static void begin(struct etcd *etcd, int64_t now_ms)
{
	static const struct etcdnode_set nobody;
	struct etcdnode *node = etcdnode_pick(&etcd->nodes, &nobody, &nobody, now_ms);

	loop_timer_at(etcd->watch.timer, now_ms + WATCH_CHECK_MS);
	if (etcd->held || !node)
		return;
	if (etcd_needs_token(etcd)) {
		etcd_login(etcd);
		return;
	}
	connect_stream(etcd, node, now_ms);
}

static void judge_probe(struct etcd *etcd, const struct etcd_rep *answer, struct err *err)
{
	if (!answer->error_code)
		return;
	/* A token that ended says nothing about the stream, which was allowed when it began. */
	if (etcd_is_login(answer))
		etcd_drop_token(etcd);
	else
		err_set(err, ERR_CONNECT, "%s", answer->error_text);
}

static void on_probe(void *ctx, const struct http_rep *rep)
{
	struct etcd *etcd = ctx;
	struct etcdnode *node = etcdnode_by_id(&etcd->nodes, etcd->watch.node_id);
	struct etcd_rep answer = { 0 };
	struct err err = { 0 };

	etcd->watch.probe = NULL;
	if (rep->err)
		err = *rep->err;
	else if (etcdmsg_parse(ETCD_RANGE, rep->status, rep->body->data, rep->body->len, &answer,
			       &err) == 0)
		judge_probe(etcd, &answer, &err);
	etcd_rep_done(&answer);
	if (err.code == ERR_NONE && node)
		node->proved_at_ms = loop_now_ms();
	else
		lose_bad(etcd, &err);
}

static void probe(struct etcd *etcd, const struct etcdnode *node)
{
	_cleanup_(buf_done) struct buf token = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 };
	struct etcd_req range = { .op = ETCD_RANGE };
	struct http_req req = { 0 };
	struct http_tls tls = { 0 };
	char url[URL_SIZE + 64];

	/* A small key below the prefix: other keys may be out of bounds for our user. */
	if (str_printf(range.key, sizeof(range.key), "%sleader", etcd->watch.prefix) < 0)
		return;
	etcdmsg_body(&range, &body);
	str_printf(url, sizeof(url), "%s%s%s", node->url, etcd->api, etcdmsg_path(ETCD_RANGE));
	etcd_fill_http(etcd, &tls, &req);
	req.headers[1] = etcd_token_header(etcd, &token);
	req.method = "POST";
	req.url = url;
	req.body = body.data;
	req.body_len = body.len;
	req.timeout_ms = WATCH_QUIET_MS;
	req.max_bytes = WATCH_PROBE_MAX;
	req.done = on_probe;
	req.ctx = etcd;
	etcd->watch.probe = http_start(etcd->http, &req);
}

/* While its member is heard of there is nothing to ask. */
static void check_again(struct etcd *etcd, const struct etcdnode *node, int64_t now_ms)
{
	const struct etcd_watching *watch = &etcd->watch;
	int64_t at_ms = now_ms + WATCH_CHECK_MS;

	if (node && watch->stands && !watch->probe)
		at_ms = MAX_OF(at_ms,
			       MAX_OF(watch->heard_at_ms, node->proved_at_ms) + WATCH_QUIET_MS + 1);
	loop_timer_within(watch->timer, at_ms, WATCH_CHECK_MS);
}

static void check(struct etcd *etcd, int64_t now_ms)
{
	struct etcd_watching *watch = &etcd->watch;
	const struct etcdnode *node = etcdnode_by_id(&etcd->nodes, watch->node_id);
	struct err err = { 0 };

	check_again(etcd, node, now_ms);
	if (!node) {
		err_set(&err, ERR_STATE, "its endpoint is no longer one of etcd");
		lose(etcd, &err);
		return;
	}
	if (!watch->stands) {
		if (now_ms - watch->begun_at_ms < WATCH_CONFIRM_MS)
			return;
		err_set(&err, ERR_TIMEOUT, "the watch was not confirmed in time");
		lose_bad(etcd, &err);
		return;
	}
	if (!watch->probe && now_ms - watch->heard_at_ms > WATCH_QUIET_MS &&
	    now_ms - node->proved_at_ms > WATCH_QUIET_MS)
		probe(etcd, node);
}

static void on_watch_timer(void *ctx)
{
	struct etcd *etcd = ctx;
	int64_t now_ms = loop_now_ms();

	if (!etcd->watch.wanted || etcd->watch.compacted)
		return;
	if (etcd->watch.http)
		check(etcd, now_ms);
	else
		begin(etcd, now_ms);
}

void etcd_watch_wake(struct etcd *etcd)
{
	if (etcd->watch.wanted && !etcd->watch.http)
		loop_timer_at(etcd->watch.timer, loop_now_ms());
}

int etcd_watch_init(struct etcd *etcd, struct err *err)
{
	etcd->watch.patience_ms = WATCH_PATIENCE_MS;
	return loop_timer_new(etcd->loop, "etcd watch", on_watch_timer, etcd, &etcd->watch.timer,
			      err);
}

void etcd_watch_done(struct etcd *etcd)
{
	drop_stream(&etcd->watch);
	loop_source_free(etcd->watch.timer);
}

void etcd_watch_node_failed(struct etcd *etcd, uint32_t node_id)
{
	struct err err = { 0 };

	if (!etcd->watch.http || etcd->watch.node_id != node_id)
		return;
	err_set(&err, ERR_CONNECT, "the endpoint of the watch failed");
	lose(etcd, &err);
}

void etcd_watch_doubt(struct etcd *etcd, uint32_t node_id, int64_t since_ms)
{
	struct etcd_watching *watch = &etcd->watch;

	if (watch->http && watch->stands && watch->node_id == node_id && !watch->doubted_ms &&
	    watch->heard_at_ms < since_ms)
		watch->doubted_ms = since_ms;
}

/* The way is free again. What etcd had to say meanwhile, or the attempt to connect, is sent anew
 * only after a pause that is as long as the time before; a new stream is there at once and misses
 * nothing. */
void etcd_watch_answered(struct etcd *etcd)
{
	struct etcd_watching *watch = &etcd->watch;
	int64_t age_ms = loop_now_ms() - watch->begun_at_ms;
	bool doubted = watch->doubted_ms && watch->heard_at_ms < watch->doubted_ms;

	watch->doubted_ms = 0;
	if (!watch->http || age_ms < (watch->stands ? WATCH_RENEW_MS : watch->patience_ms) ||
	    (watch->stands && !doubted))
		return;
	/* So that an etcd that is slow to confirm is waited for in the end. */
	if (!watch->stands)
		watch->patience_ms = MIN_OF(watch->patience_ms * 2, (int64_t)WATCH_CONFIRM_MS);
	drop_stream(watch);
	loop_timer_at(watch->timer, loop_now_ms());
}

void etcd_watch(struct etcd *etcd, const char *prefix, int64_t start_revision)
{
	struct etcd_watching *watch = &etcd->watch;

	drop_stream(watch);
	str_clip(watch->prefix, sizeof(watch->prefix), prefix);
	watch->next_revision = start_revision;
	watch->wanted = true;
	watch->compacted = false;
	watch->told_lost = false;
	watch->lost_due = false;
	/* After a failure the pause stays, lest a watcher that asks again at once spins. */
	loop_timer_at(watch->timer, loop_now_ms() + watch->pause_ms);
}

void etcd_unwatch(struct etcd *etcd)
{
	drop_stream(&etcd->watch);
	etcd->watch.wanted = false;
	loop_timer_off(etcd->watch.timer);
}
