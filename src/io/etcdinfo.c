/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdinfo - who the members of etcd are, and which versions they run
 *
 * Looked at when it starts, about every minute, and soon after a failure. What was learnt stays
 * while a member is away: its version changes only by a restart.
 */
#include <stdlib.h>

#include "base/log.h"
#include "io/etcdpriv.h"
#include "io/srv.h"

#define INFO_EVERY_MS   60000
#define INFO_SOON_MS    5000 /* after a failure, or after the end of one */
#define INFO_FIRST_MS   500  /* ... while nothing is known yet */
#define INFO_TIMEOUT_MS 3000
#define VERSION_MAX     4096

static void begin(struct etcd *etcd);

static void schedule(struct etcd *etcd, int64_t at_ms)
{
	etcd->info_at_ms = at_ms;
	loop_timer_at(etcd->info_timer, at_ms);
}

static void on_info_timer(void *ctx)
{
	struct etcd *etcd = ctx;

	etcd_refresh_token(etcd);
	if (!etcd->info_running)
		begin(etcd);
}

int etcd_info_init(struct etcd *etcd, struct err *err)
{
	return loop_timer_new(etcd->loop, "etcd members", on_info_timer, etcd, &etcd->info_timer,
			      err);
}

void etcd_info_done(struct etcd *etcd)
{
	for (size_t i = 0; i < ETCD_VERSIONS_MAX; i++)
		http_cancel(etcd->versions[i].http);
	srv_free(etcd->srv);
	loop_source_free(etcd->info_timer);
}

void etcd_info_now(struct etcd *etcd)
{
	if (!etcd->info_running)
		schedule(etcd, loop_now_ms());
}

void etcd_info_soon(struct etcd *etcd)
{
	/* Until the versions are known takeovers are slower than they need be. */
	int64_t wait_ms = etcd->api_known ? INFO_SOON_MS : INFO_FIRST_MS;
	int64_t at_ms = loop_now_ms() + wait_ms;

	if (!etcd->info_running && at_ms < etcd->info_at_ms)
		schedule(etcd, at_ms);
}

void etcd_wrong_api(struct etcd *etcd)
{
	if (etcd->api_known)
		return;
	/* Guessed until some member tells its version. */
	if (str_eq(etcd->api, "/v3"))
		etcd->api = "/v3beta";
	else
		etcd->api = str_eq(etcd->api, "/v3beta") ? "/v3alpha" : "/v3";
}

/* 3.3 serves /v3alpha and /v3beta, 3.4 /v3beta and /v3, so the oldest member decides. Not the
 * cluster's version: it is 3.0.0 for the first seconds of a new cluster. */
static const char *api_of(const int32_t server[3])
{
	if (server[0] > 3 || server[1] >= 4)
		return "/v3";
	return server[1] == 3 ? "/v3beta" : "/v3alpha";
}

static bool version_less(const int32_t a[3], const int32_t b[3])
{
	for (size_t i = 0; i < 3; i++)
		if (a[i] != b[i])
			return a[i] < b[i];
	return false;
}

static void conclude(struct etcd *etcd)
{
	struct etcd_info info = { .nmembers = etcd->nmembers };
	const struct etcd_version *least = NULL;
	uint32_t nlisted = 0;
	int64_t every_ms;
	bool all_known = true;
	bool all_fixed = true;

	for (uint32_t i = 0; i < etcd->nodes.n; i++) {
		const struct etcdnode *node = &etcd->nodes.items[i];

		nlisted += node->listed;
		if (!node->version_known) {
			all_known = all_known && !node->listed;
			continue;
		}
		all_fixed = all_fixed && etcdmsg_version_fixed(&node->version);
		if (!least || version_less(node->version.server, least->server))
			least = &node->version;
	}
	/* Each address stands for one member at most, so fewer addresses than members leave some
	 * unknown. */
	info.all_fixed = all_known && all_fixed && nlisted > 0 && nlisted >= etcd->nmembers;
	if (least) {
		str_printf(info.min_version, sizeof(info.min_version), "%d.%d.%d",
			   least->server[0], least->server[1], least->server[2]);
		etcd->api = api_of(least->server);
		etcd->api_known = true;
	}
	etcd->info_running = false;
	every_ms = etcd->api_known ? INFO_EVERY_MS : INFO_SOON_MS;
	schedule(etcd, loop_now_ms() + every_ms + etcd_jitter_ms(etcd, every_ms / 10));
	if (etcd->handler.info)
		etcd->handler.info(etcd->handler.ctx, &info);
}

static bool asking(const struct etcd *etcd)
{
	for (size_t i = 0; i < ETCD_VERSIONS_MAX; i++)
		if (etcd->versions[i].http)
			return true;
	return false;
}

static void on_version(void *ctx, const struct http_rep *rep)
{
	struct etcd_version_ask *ask = ctx;
	struct etcd *etcd = ask->etcd;
	struct etcdnode *node = etcdnode_by_id(&etcd->nodes, ask->node_id);
	struct etcd_version version;
	struct err err;

	ask->http = NULL;
	if (node && !rep->err && rep->status == 200 &&
	    etcdmsg_parse_version(rep->body->data, rep->body->len, &version, &err) == 0) {
		node->version = version;
		node->version_known = true;
	}
	if (!asking(etcd))
		conclude(etcd);
}

static void ask_versions(struct etcd *etcd)
{
	for (uint32_t i = 0; i < etcd->nodes.n; i++) {
		struct etcd_version_ask *ask = &etcd->versions[i];
		struct http_req req = { 0 };
		struct http_tls tls = { 0 };
		char url[URL_SIZE + 16];

		ask->etcd = etcd;
		ask->node_id = etcd->nodes.items[i].id;
		str_printf(url, sizeof(url), "%s/version", etcd->nodes.items[i].url);
		etcd_fill_http(etcd, &tls, &req);
		req.method = "GET";
		req.url = url;
		req.timeout_ms = INFO_TIMEOUT_MS;
		req.max_bytes = VERSION_MAX;
		req.done = on_version;
		req.ctx = ask;
		ask->http = http_start(etcd->http, &req);
	}
	if (!asking(etcd))
		conclude(etcd);
}

static enum etcd_verdict take_members(struct etcd_call *call, struct etcdnode *node,
				      const struct http_rep *rep)
{
	struct etcd_members members = { 0 };
	struct etcd *etcd = call->etcd;

	/* Newer versions want a log-in for this as well. */
	if (rep->status == 401 || rep->status == 403)
		return VERDICT_LOGIN;
	if (rep->status == 404)
		etcd_wrong_api(etcd);
	if (rep->status != 200) {
		err_set(&call->err, ERR_PROTOCOL, "HTTP status %d for the member list",
			rep->status);
		return VERDICT_NEXT;
	}
	if (etcdmsg_parse_members(rep->body->data, rep->body->len, &members, &call->err) < 0)
		return VERDICT_NEXT;
	if (!etcd_cluster_fits(etcd, members.cluster_id, &call->err)) {
		etcd_members_done(&members);
		call->nforeign++;
		return VERDICT_NEXT;
	}
	etcd_node_answered(etcd, node, 0);
	etcd->nmembers = members.nmembers;
	if (members.n > 0)
		etcdnode_list(&etcd->nodes, &members);
	etcd_members_done(&members);
	return VERDICT_ANSWER;
}

static void finish_members(struct etcd_call *call)
{
	ask_versions(call->etcd);
}

static void ask_members(struct etcd *etcd)
{
	struct etcd_call *call;

	/* Behind proxies the list is final, and the members cannot be reached one by one. */
	if (etcd->config.use_proxies) {
		ask_versions(etcd);
		return;
	}
	call = etcd_call_new(etcd, "/cluster/member/list", INFO_TIMEOUT_MS);
	call->at_once = true;
	call->take = take_members;
	call->finish = finish_members;
	buf_str(&call->body, "{}");
	etcd_call_start(call);
}

static void on_srv(void *ctx, const struct endpoint *found, uint32_t n, const struct err *err)
{
	struct etcd *etcd = ctx;

	srv_free(TAKE(etcd->srv));
	/* The last good answer stays in use while no name server answers. */
	if (n > 0)
		etcdnode_found(&etcd->nodes, found, n);
	else if (!etcd->srv_failed)
		log_warning("etcd3.srv: %s", err->msg);
	etcd->srv_failed = n == 0;
	etcd_wake_calls(etcd);
	ask_members(etcd);
}

static void begin(struct etcd *etcd)
{
	const struct config_etcd *config = &etcd->config;
	struct err err = { 0 };

	etcd->info_running = true;
	if (!config->srv) {
		ask_members(etcd);
		return;
	}
	if (srv_start(etcd->loop, config->srv, config->srv_suffix, NULL, on_srv, etcd, &etcd->srv,
		      &err) < 0)
		on_srv(etcd, NULL, 0, &err);
}

void etcd_tell(const struct etcd *etcd, struct etcd_telemetry *ret)
{
	*ret = etcd->telemetry;
	for (uint32_t i = 0; i < etcd->nodes.n && i < TELEMETRY_ENDPOINTS; i++) {
		const struct etcdnode *node = &etcd->nodes.items[i];
		struct endpoint_telemetry *told = &ret->endpoints[ret->nendpoints++];

		str_clip(told->url, sizeof(told->url), node->url);
		told->answers = node->nanswers;
		told->failures = node->nfailures;
		told->failing = node->failures > 0;
	}
}
