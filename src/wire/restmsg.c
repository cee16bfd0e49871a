/* SPDX-License-Identifier: PostgreSQL */
/*
 * restmsg - the published status as REST answers, and REST requests as commands
 *
 * Routing of reads, and the bodies that the loop prepared. Writes are in restmsg_command.c.
 */
#include "wire/restmsg.h"

#include <stdlib.h>

#include "wire/pct.h"
#include "wire/restopenapi.h"
#include "wire/restroute.h"
#include "wire/restview.h"

#define TYPE_JSON "application/json"
#define TYPE_OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TYPE_TEXT "text/html"
/* Patroni's HTTP layer sends its error pages so. */
#define TYPE_PAGE "text/html;charset=utf-8"

struct status *status_new(void)
{
	struct status *status = mem_new(1, sizeof(*status));

	status_clear(status);
	return status;
}

void status_free(struct status *status)
{
	if (!status)
		return;
#define X(name) free(status->name);
	STATUS_TEXTS(X)
#undef X
	free(status);
}

void status_clear(struct status *status)
{
#define X(name) char *name = status->name;
	STATUS_TEXTS(X)
#undef X
	memset(status, 0, offsetof(struct status, walsenders));
#define X(name) status->name = name;
	STATUS_TEXTS(X)
#undef X
	status->state = STATE_UNKNOWN;
	status->tags.failover_priority = 1;
	status->tags.sync_priority = 1;
}

void status_copy(struct status *dst, const struct status *src)
{
#define X(name) char *name = dst->name;
	STATUS_TEXTS(X)
#undef X
	memcpy(dst, src, offsetof(struct status, walsenders));
	for (uint32_t i = 0; i < src->nwalsenders; i++)
		dst->walsenders[i] = src->walsenders[i];
	for (uint32_t i = 0; i < src->nslots; i++)
		dst->slots[i] = src->slots[i];
#define X(name)              \
	dst->name = name;    \
	str_set(&dst->name, src->name);
	STATUS_TEXTS(X)
#undef X
}

void rest_answer_done(struct rest_answer *answer)
{
	if (answer)
		buf_done(&answer->body);
}

void rest_prepared_done(struct rest_prepared *prepared)
{
	buf_done(&prepared->text);
}

bool restmsg_leads(const struct status *status, int64_t now_ms)
{
	return now_ms < status->leader_until_ms;
}

static void answer_status(struct rest_answer *ret, int code)
{
	ret->code = code;
	ret->content_type = TYPE_TEXT;
	ret->status_only = true;
}

static void answer_page(struct rest_answer *ret, int code, const char *why)
{
	ret->code = code;
	ret->content_type = TYPE_PAGE;
	buf_printf(&ret->body,
		   "<!DOCTYPE HTML>\n<html lang=\"en\"><head><title>%d</title></head>"
		   "<body><h1>%d</h1><p>%s</p></body></html>\n",
		   code, code, why);
}

/* A document that the loop left in the status. A stale one is still shown, with 503: it is the
 * last that this member knew. */
static void answer_json(const struct restview *view, const char *json, struct rest_answer *ret)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;

	if (!json || jtext_load(json, strlen(json), &value, NULL) < 0) {
		answer_page(ret, 503, "etcd was not read yet");
		return;
	}
	ret->code = view->dcs_ok ? 200 : 503;
	ret->content_type = TYPE_JSON;
	jtext_add(&ret->body, value, JTEXT_SPACED);
}

static void get_patroni(const struct restview *view, const char *query, struct rest_answer *ret)
{
	(void)query;
	ret->code = 200;
	ret->content_type = TYPE_JSON;
	if (view->prepared)
		restview_prepared(view, &ret->body);
	else
		restview_document(view, &ret->body);
}

static void get_cluster(const struct restview *view, const char *query, struct rest_answer *ret)
{
	(void)query;
	answer_json(view, view->status->cluster_json, ret);
}

static void get_history(const struct restview *view, const char *query, struct rest_answer *ret)
{
	(void)query;
	answer_json(view, view->status->history_json, ret);
}

static void get_config(const struct restview *view, const char *query, struct rest_answer *ret)
{
	(void)query;
	if (!view->status->config_json)
		answer_page(ret, 502, "there is no dynamic configuration");
	else
		answer_json(view, view->status->config_json, ret);
}

static void get_failsafe(const struct restview *view, const char *query, struct rest_answer *ret)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;
	const char *json = view->status->failsafe_json;

	(void)query;
	if (!json || jtext_load_object(json, strlen(json), &value, NULL) < 0) {
		answer_page(ret, 502, "there is no failsafe list");
		return;
	}
	ret->code = 200;
	ret->content_type = TYPE_JSON;
	jtext_add(&ret->body, value, JTEXT_SPACED);
}

static void get_metrics(const struct restview *view, const char *query, struct rest_answer *ret)
{
	(void)query;
	ret->code = 200;
	ret->content_type = "text/plain";
	restview_metrics(view, false, &ret->body);
}

static void get_liveness(const struct restview *view, const char *query, struct rest_answer *ret)
{
	(void)query;
	answer_status(ret, restview_liveness(view));
}

static void get_readiness(const struct restview *view, const char *query, struct rest_answer *ret)
{
	answer_status(ret, restview_readiness(view, query));
}

static void get_live(const struct restview *view, const char *query, struct rest_answer *ret)
{
	(void)query;
	ret->content_type = TYPE_JSON;
	ret->code = restview_live(view, &ret->body);
}

static void get_ready(const struct restview *view, const char *query, struct rest_answer *ret)
{
	ret->content_type = TYPE_JSON;
	ret->code = restview_ready(view, query, NULL, &ret->body);
}

/* HEAD and OPTIONS get the code alone. */
static void for_method(const char *method, struct rest_answer *ret)
{
	if (str_eq(method, "GET"))
		return;
	buf_done(&ret->body);
	answer_status(ret, ret->code);
}

void restmsg_ready_db(const struct status *status, int64_t now_ms, const char *method,
		      const char *query, const struct rest_db *db, struct rest_answer *ret)
{
	struct restview view;

	*ret = (struct rest_answer){ .content_type = TYPE_JSON };
	restview_init(&view, status, now_ms);
	ret->code = restview_ready(&view, query, db, &ret->body);
	for_method(method, ret);
}

void restmsg_open_metrics(const struct status *status, int64_t now_ms, struct rest_answer *ret)
{
	struct restview view;

	*ret = (struct rest_answer){ .code = 200, .content_type = TYPE_OPEN };
	restview_init(&view, status, now_ms);
	restview_metrics(&view, true, &ret->body);
}

/* Prometheus names it first where it reads it at all, so the weights need not be looked at; who
 * gives it none wants it least of all. */
bool restmsg_wants_open_metrics(const char *path, const char *accept)
{
	return accept && pct_has_segment(path, "metrics") &&
	       strstr(accept, "application/openmetrics-text");
}

static void get_openapi(const struct restview *view, const char *query, struct rest_answer *ret)
{
	(void)view;
	(void)query;
	ret->code = 200;
	ret->content_type = TYPE_JSON;
	restopenapi_document(&ret->body);
}

typedef void (*get_fn)(const struct restview *view, const char *query, struct rest_answer *ret);

/* Everything else is a health check. */
static const get_fn gets[ROUTE__MAX] = {
	[ROUTE_PATRONI] = get_patroni,	   [ROUTE_CLUSTER] = get_cluster,
	[ROUTE_HISTORY] = get_history,	   [ROUTE_CONFIG] = get_config,
	[ROUTE_FAILSAFE] = get_failsafe,   [ROUTE_METRICS] = get_metrics,
	[ROUTE_LIVENESS] = get_liveness,   [ROUTE_READINESS] = get_readiness,
	[ROUTE_OPENAPI] = get_openapi,	   [ROUTE_LIVE] = get_live,
	[ROUTE_READY] = get_ready,
};

void restmsg_get(const struct status *status, int64_t now_ms, const char *method, const char *path,
		 const char *query, struct rest_answer *ret)
{
	restmsg_get_prepared(status, NULL, now_ms, method, path, query, ret);
}

void restmsg_get_prepared(const struct status *status, struct rest_prepared *prepared,
			  int64_t now_ms, const char *method, const char *path, const char *query,
			  struct rest_answer *ret)
{
	bool is_get = str_eq(method, "GET");
	const struct restroute *route = restroute_find(method, path);
	get_fn get = route ? gets[route->id] : NULL;
	struct restview view;

	*ret = (struct rest_answer){ 0 };
	restview_init(&view, status, now_ms);
	view.prepared = prepared;
	if (get) {
		get(&view, query, ret);
		for_method(method, ret);
		return;
	}
	if (!is_get) {
		answer_status(ret, restview_health(&view, path, query));
		return;
	}
	get_patroni(&view, query, ret);
	ret->code = restview_health(&view, path, query);
}
