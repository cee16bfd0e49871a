/* SPDX-License-Identifier: PostgreSQL */
/*
 * restroute - the table of what can be asked over REST
 */
#include "wire/restroute.h"

#include "base/str.h"
#include "wire/pct.h"

#define HEALTH(p, s, par)                                                                     \
	{ .id = ROUTE_HEALTH, .method = "GET", .path = p, .whole = true, .checks = true,          \
	  .answer = ANSWER_JSON, .params = par, .codes = { 200, 503 }, .summary = s }

#define TAGS    IS(PARAM_TAGS)
#define REPLICA (IS(PARAM_LAG) | IS(PARAM_REPLICATION_STATE) | IS(PARAM_TAGS))

/* clang-format off */
static const struct restroute routes[] = {
	HEALTH("/", "As /primary.", 0),
	HEALTH("/primary", "Is this member the primary, by its lease, and writable?", 0),
	HEALTH("/read-write", "As /primary.", 0),
	HEALTH("/master", "As /primary.", 0),
	HEALTH("/leader", "Does this member hold the lease, by the clock of this moment?", 0),
	HEALTH("/standby_leader", "Is it the leader of a standby cluster?", 0),
	HEALTH("/standby-leader", "As /standby_leader.", 0),
	HEALTH("/replica", "Is it a replica that may be read from?", REPLICA),
	HEALTH("/read-only", "As /primary or /replica.", REPLICA),
	HEALTH("/health", "Does Postgres run and answer queries?", TAGS),
	HEALTH("/sync", "Is it a synchronous standby?", REPLICA),
	HEALTH("/synchronous", "As /sync.", REPLICA),
	HEALTH("/quorum", "Is it a voter in quorum mode?", REPLICA),
	HEALTH("/async", "Is it a replica that is neither synchronous nor a voter?", REPLICA),
	HEALTH("/asynchronous", "As /async.", REPLICA),
	HEALTH("/read-only-sync", "As /primary or /sync.", REPLICA),
	HEALTH("/read-only-synchronous", "As /read-only-sync.", REPLICA),
	HEALTH("/read-only-quorum", "As /primary or /quorum.", REPLICA),

	{ .id = ROUTE_LIVENESS, .method = "GET", .path = "/liveness", .codes = { 200, 503 },
	  .summary = "Does the agent finish its cycles in time?" },
	{ .id = ROUTE_READINESS, .method = "GET", .path = "/readiness", .codes = { 200, 503 },
	  .params = IS(PARAM_LAG) | IS(PARAM_MODE),
	  .summary = "Is it the leader, or a streaming replica that is not far behind?" },

	{ .id = ROUTE_LIVE, .method = "GET", .path = "/live", .whole = true, .checks = true,
	  .own = true, .answer = ANSWER_JSON, .codes = { 200, 503 },
	  .summary = "Does the agent finish its cycles in time? With a body." },
	{ .id = ROUTE_READY, .method = "GET", .path = "/ready", .whole = true, .checks = true,
	  .own = true, .answer = ANSWER_JSON, .params = IS(PARAM_LAG) | IS(PARAM_MODE),
	  .codes = { 200, 503 },
	  .summary = "Does it take writes under its lease, or stream and keep up?" },

	{ .id = ROUTE_READY_DB, .method = "GET", .path = "/ready/db", .whole = true,
	  .checks = true, .own = true, .answer = ANSWER_JSON,
	  .params = IS(PARAM_LAG) | IS(PARAM_MODE), .codes = { 200, 503 },
	  .summary = "The same, and Postgres answers a query at this moment." },

	{ .id = ROUTE_PATRONI, .method = "GET", .path = "/patroni", .answer = ANSWER_JSON,
	  .codes = { 200, 503 }, .summary = "The status document of this member." },
	{ .id = ROUTE_CLUSTER, .method = "GET", .path = "/cluster", .answer = ANSWER_JSON,
	  .codes = { 200, 503 }, .summary = "The members of the cluster, as etcd has them." },
	{ .id = ROUTE_HISTORY, .method = "GET", .path = "/history", .answer = ANSWER_JSON,
	  .codes = { 200, 503 }, .summary = "The timelines, and who began them." },
	{ .id = ROUTE_METRICS, .method = "GET", .path = "/metrics", .answer = ANSWER_TEXT,
	  .params = IS(PARAM_ACCEPT), .codes = { 200, 503 },
	  .summary = "Metrics as Prometheus text or OpenMetrics." },
	{ .id = ROUTE_EVENTS, .method = "GET", .path = "/events", .whole = true, .own = true,
	  .answer = ANSWER_EVENTS, .params = IS(PARAM_LAST_EVENT_ID), .codes = { 200, 503 },
	  .summary = "Server-sent events of changes: role, leader, lease, rule, job, state." },
	{ .id = ROUTE_OPENAPI, .method = "GET", .path = "/openapi.json", .whole = true,
	  .own = true, .answer = ANSWER_JSON, .codes = { 200, 503 },
	  .summary = "This document." },

	{ .id = ROUTE_CONFIG, .method = "GET", .path = "/config", .answer = ANSWER_JSON,
	  .codes = { 200, 502, 503 }, .summary = "The dynamic configuration." },
	{ .id = ROUTE_PATCH_CONFIG, .method = "PATCH", .path = "/config", .auth = true,
	  .answer = ANSWER_JSON, .body = BODY_REQUIRED,
	  .codes = { 200, 400, 401, 403, 409, 411, 413, 503 },
	  .summary = "Changes the dynamic configuration: null deletes, objects are merged." },
	{ .id = ROUTE_PUT_CONFIG, .method = "PUT", .path = "/config", .auth = true,
	  .answer = ANSWER_JSON, .body = BODY_REQUIRED,
	  .codes = { 200, 400, 401, 403, 409, 411, 413, 503 },
	  .summary = "Replaces the dynamic configuration." },
	{ .id = ROUTE_FAILSAFE, .method = "GET", .path = "/failsafe", .answer = ANSWER_JSON,
	  .codes = { 200, 502, 503 },
	  .summary = "Whose promises let a leader stay while etcd is away." },
	{ .id = ROUTE_ASK_FAILSAFE, .method = "POST", .path = "/failsafe", .auth = true,
	  .peer = true, .answer = ANSWER_TEXT, .body = BODY_REQUIRED,
	  .fields = "name conn_url api_url slots",
	  .codes = { 200, 400, 401, 403, 411, 413, 500, 502, 503 },
	  .summary = "A leader without etcd asks not to be taken over from." },

	{ .id = ROUTE_RELOAD, .method = "POST", .path = "/reload", .auth = true,
	  .answer = ANSWER_TEXT, .codes = { 202, 401, 403, 413, 503 },
	  .summary = "Reads the configuration file again." },
	{ .id = ROUTE_RESTART, .method = "POST", .path = "/restart", .auth = true,
	  .answer = ANSWER_TEXT, .body = BODY_OPTIONAL,
	  .fields = "schedule role postgres_version timeout restart_pending",
	  .codes = { 200, 202, 400, 401, 403, 409, 413, 422, 500, 503 },
	  .summary = "Restarts Postgres, where the filters in the body fit." },
	{ .id = ROUTE_DELETE_RESTART, .method = "DELETE", .path = "/restart", .auth = true,
	  .answer = ANSWER_TEXT, .codes = { 200, 401, 403, 404, 413, 503 },
	  .summary = "Forgets a scheduled restart." },
	{ .id = ROUTE_REINITIALIZE, .method = "POST", .path = "/reinitialize", .auth = true,
	  .answer = ANSWER_TEXT, .body = BODY_OPTIONAL, .fields = "force from_leader",
	  .codes = { 200, 400, 401, 403, 413, 503 },
	  .summary = "Makes a new copy of the data of a replica." },
	{ .id = ROUTE_SWITCHOVER, .method = "POST", .path = "/switchover", .auth = true,
	  .answer = ANSWER_TEXT, .body = BODY_REQUIRED,
	  .fields = "leader candidate member scheduled_at",
	  .codes = { 200, 202, 400, 401, 403, 411, 412, 413, 422, 503 },
	  .summary = "Hands the role of the leader over, now or at a time." },
	{ .id = ROUTE_DELETE_SWITCHOVER, .method = "DELETE", .path = "/switchover", .auth = true,
	  .answer = ANSWER_TEXT, .codes = { 200, 401, 403, 404, 409, 413, 503 },
	  .summary = "Forgets a scheduled switchover." },
	{ .id = ROUTE_FAILOVER, .method = "POST", .path = "/failover", .auth = true,
	  .answer = ANSWER_TEXT, .body = BODY_REQUIRED,
	  .fields = "leader candidate member scheduled_at",
	  .codes = { 200, 202, 400, 401, 403, 411, 412, 413, 422, 503 },
	  .summary = "Makes the candidate the leader, also where there is none." },
	{ .id = ROUTE_SEAL, .method = "POST", .path = "/seal", .own = true, .auth = true,
	  .peer = true, .answer = ANSWER_JSON, .body = BODY_REQUIRED,
	  .fields = "ballot scope candidate",
	  .codes = { 200, 400, 401, 403, 409, 411, 413, 503 },
	  .summary = "A candidate asks to receive from no older leader any more." },
	{ .id = ROUTE_DCS_ACCEPT, .method = "POST", .path = "/dcs-accept", .own = true,
	  .auth = true, .answer = ANSWER_TEXT, .codes = { 200, 401, 403, 412, 413, 503 },
	  .summary = "Believes etcd as it is, although this member has seen more." },
	{ .id = ROUTE_EXPLAIN, .method = "POST", .path = "/explain", .own = true, .auth = true,
	  .answer = ANSWER_JSON, .body = BODY_OPTIONAL, .fields = "if",
	  .codes = { 200, 400, 401, 403, 413, 503 },
	  .summary = "What would be if; changes nothing." },
	{ .id = ROUTE_DOCTOR, .method = "POST", .path = "/doctor", .own = true, .auth = true,
	  .answer = ANSWER_JSON, .codes = { 200, 401, 403, 413, 503 },
	  .summary = "Facts about this member, its host and its ways to the others." },
	{ .id = ROUTE_RECORDER, .method = "POST", .path = "/recorder", .own = true, .auth = true,
	  .answer = ANSWER_TEXT, .codes = { 200, 401, 403, 413, 503 },
	  .summary = "The flight recorder as of now, for pghad --replay." },
};
/* clang-format on */

size_t restroute_count(void)
{
	return ARRAY_LEN(routes);
}

const struct restroute *restroute_at(size_t index)
{
	return &routes[index];
}

static bool has_method(const struct restroute *route, const char *method)
{
	return str_eq(route->method, method) ||
	       (route->checks && (str_eq(method, "HEAD") || str_eq(method, "OPTIONS")));
}

static bool has_path(const struct restroute *route, const char *path)
{
	return route->whole ? str_eq(path, route->path) :
			      pct_has_segment(path, route->path + 1);
}

const struct restroute *restroute_find(const char *method, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct restroute *route = &routes[i];

		if (route->id != ROUTE_HEALTH && has_method(route, method) &&
		    has_path(route, path))
			return route;
	}
	return NULL;
}
