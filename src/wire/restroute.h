/* SPDX-License-Identifier: PostgreSQL */
/*
 * restroute - the table of what can be asked over REST
 *
 * Requests find their handlers by it, and the OpenAPI document is made from it, so that neither
 * can know a path that the other does not. Who handles a route is said where the handlers are: an
 * array with a place for each id.
 */
#ifndef PGHA_WIRE_RESTROUTE_H
#define PGHA_WIRE_RESTROUTE_H

#include "base/base.h"

enum restroute_id {
	/* Any path without a row. Its GET, HEAD and OPTIONS are a health check, as in Patroni;
	 * other methods are 501. */
	ROUTE_NONE = 0,
	ROUTE_HEALTH, /* a health check that has a name; what it says, restview_health() knows */
	ROUTE_PATRONI,
	ROUTE_CLUSTER,
	ROUTE_HISTORY,
	ROUTE_CONFIG,
	ROUTE_FAILSAFE,
	ROUTE_METRICS,
	ROUTE_LIVENESS,
	ROUTE_READINESS,
	ROUTE_LIVE,
	ROUTE_READY,
	ROUTE_READY_DB,
	ROUTE_EVENTS,
	ROUTE_OPENAPI,
	ROUTE_PATCH_CONFIG,
	ROUTE_PUT_CONFIG,
	ROUTE_RELOAD,
	ROUTE_RESTART,
	ROUTE_DELETE_RESTART,
	ROUTE_REINITIALIZE,
	ROUTE_SWITCHOVER,
	ROUTE_DELETE_SWITCHOVER,
	ROUTE_FAILOVER,
	ROUTE_ASK_FAILSAFE,
	ROUTE_SEAL,
	ROUTE_DCS_ACCEPT,
	ROUTE_EXPLAIN,
	ROUTE_DOCTOR,
	ROUTE_RECORDER,
	ROUTE__MAX
};

enum restroute_param {
	PARAM_LAG = 0,
	PARAM_REPLICATION_STATE,
	PARAM_TAGS,
	PARAM_MODE,
	PARAM_ACCEPT,
	PARAM_LAST_EVENT_ID,
	PARAM__MAX
};

enum restroute_body { BODY_IGNORED = 0, BODY_OPTIONAL, BODY_REQUIRED };

enum restroute_answer { ANSWER_NONE = 0, ANSWER_JSON, ANSWER_TEXT, ANSWER_EVENTS };

#define RESTROUTE_CODES_MAX 10

struct restroute {
	enum restroute_id id;
	const char *method;
	const char *path;
	bool whole;  /* only this path; else whatever has its first segment */
	bool checks; /* HEAD and OPTIONS ask for the same, and get the code alone */
	bool own;    /* Patroni does not have it */
	bool auth;   /* asks for the credentials and addresses that the settings name */
	bool peer;   /* asks for the signature of a member, where the settings do */
	enum restroute_answer answer;
	uint32_t params; /* IS(PARAM_...) */
	enum restroute_body body;
	const char *fields; /* of the body, by blanks; NULL: the document is the client's own */
	uint16_t codes[RESTROUTE_CODES_MAX]; /* 0 ends them */
	const char *summary;
};

size_t restroute_count(void);
const struct restroute *restroute_at(size_t index);
/* The row of a request, or NULL. Health checks are not looked for: they are decided by parts of
 * the path, and are what is left. */
const struct restroute *restroute_find(const char *method, const char *path);

#endif
