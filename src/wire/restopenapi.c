/* SPDX-License-Identifier: PostgreSQL */
/*
 * restopenapi - the REST interface described for programs
 *
 * Everything comes from the table of routes; here is only how OpenAPI 3.1 wants it said.
 */
#include "wire/restopenapi.h"

#include <config.h>

#include "wire/jtext.h"
#include "wire/restroute.h"

#define FIELD_SIZE 64

/* What every route answers to a signature that is wrong (io/restaccess). */
#define FORBIDDEN 403

struct param {
	const char *name;
	const char *in;
	const char *style; /* NULL: the usual one */
	const char *type;
	const char *about;
};

/* clang-format off */
static const struct param params[PARAM__MAX] = {
	[PARAM_LAG] = { "lag", "query", NULL, "string",
			"At most that far behind: bytes, or a size with a unit." },
	[PARAM_REPLICATION_STATE] = { "replication_state", "query", NULL, "string",
				      "\"streaming\" or \"in archive recovery\"." },
	[PARAM_TAGS] = { "tags", "query", "form", "object",
			 "Each tag_NAME=VALUE: the tag has to be set to this value." },
	[PARAM_MODE] = { "mode", "query", NULL, "string",
			 "\"apply\" measures what was replayed, \"write\" what was received." },
	[PARAM_ACCEPT] = { "Accept", "header", NULL, "string",
			   "application/openmetrics-text asks for that format." },
	[PARAM_LAST_EVENT_ID] = { "Last-Event-ID", "header", NULL, "string",
				  "Goes on behind this event, if it is still known." },
};

static const struct {
	uint16_t code;
	const char *about;
} codes[] = {
	{ 200, "Yes, or done." },
	{ 202, "Accepted, it will be done." },
	{ 400, "The body cannot be read, or contradicts itself." },
	{ 401, "The credentials are missing or wrong." },
	{ FORBIDDEN, "The address, the certificate or the signature is not accepted." },
	{ 404, "There is nothing of the kind." },
	{ 409, "Somebody else was first, or another state is in the way." },
	{ 411, "Content-Length is missing." },
	{ 412, "The cluster is not as the request expects." },
	{ 413, "The body is too long." },
	{ 422, "The time cannot be read or is over." },
	{ 500, "Refused by the state of this member." },
	{ 502, "There is nothing of the kind, or the mode is off." },
	{ 503, "No, or not now." },
};
/* clang-format on */

static const char *about_code(uint16_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			return codes[i].about;
	return "";
}

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

/* The object behind a key, made where it is missing. */
static json_t *child(json_t *object, const char *key)
{
	json_t *found = json_object_get(object, key);

	if (found)
		return found;
	json_object_set_new(object, key, json_object());
	return json_object_get(object, key);
}

static void describe_params(json_t *operation, const struct restroute *route)
{
	json_t *list;

	if (route->params == 0)
		return;
	list = json_array();
	json_object_set_new(operation, "parameters", list);
	for (size_t i = 0; i < PARAM__MAX; i++) {
		json_t *one;

		if (!(route->params & IS(i)))
			continue;
		one = json_object();
		json_array_append_new(list, one);
		put_text(one, "name", params[i].name);
		put_text(one, "in", params[i].in);
		put_text(one, "description", params[i].about);
		if (params[i].style) {
			put_text(one, "style", params[i].style);
			json_object_set_new(one, "explode", json_true());
		}
		put_text(child(one, "schema"), "type", params[i].type);
	}
}

static void describe_body(json_t *operation, const struct restroute *route)
{
	json_t *body, *schema;

	if (route->body == BODY_IGNORED)
		return;
	body = child(operation, "requestBody");
	if (route->body == BODY_REQUIRED)
		json_object_set_new(body, "required", json_true());
	schema = child(child(child(body, "content"), "application/json"), "schema");
	put_text(schema, "type", "object");
	for (const char *at = route->fields; at && *at; at += *at == ' ') {
		size_t len = strcspn(at, " ");
		char name[FIELD_SIZE];

		(void)str_printf(name, sizeof(name), "%.*s", (int)len, at);
		(void)child(child(schema, "properties"), name);
		at += len;
	}
}

static json_t *describe_code(json_t *operation, uint16_t code)
{
	char number[8];
	json_t *one;

	(void)str_printf(number, sizeof(number), "%u", (unsigned)code);
	one = child(child(operation, "responses"), number);
	put_text(one, "description", about_code(code));
	return one;
}

static void describe_codes(json_t *operation, const struct restroute *route, bool with_body)
{

	for (size_t i = 0; i < RESTROUTE_CODES_MAX && route->codes[i] != 0; i++) {
		json_t *one = describe_code(operation, route->codes[i]);

		if (!with_body || route->codes[i] != 200 || route->answer == ANSWER_NONE)
			continue;
		(void)child(child(one, "content"),
			    route->answer == ANSWER_JSON     ? "application/json" :
			    route->answer == ANSWER_EVENTS  ? "text/event-stream" :
			    str_eq(route->path, "/metrics") ? "text/plain" :
							       "text/html");
	}
	(void)describe_code(operation, FORBIDDEN);
}

/* Credentials are wanted only where the settings name some, hence "these or none". */
static void describe_auth(json_t *operation, const struct restroute *route)
{
	json_t *either;
	json_t *basic;

	if (!route->auth)
		return;
	either = json_array();
	basic = json_object();
	json_object_set_new(basic, "basic", json_array());
	json_array_append_new(either, basic);
	json_array_append_new(either, json_object());
	json_object_set_new(operation, "security", either);
}

/* "get_readOnlySync": a name in every language. Patroni has both /standby_leader and
 * /standby-leader, so the two signs must not become one. */
static void operation_id(const char *method, const char *path, char *ret, size_t size)
{
	char *to;

	(void)str_printf(ret, size, "%s_%s", method, path[1] != '\0' ? path + 1 : "root");
	to = ret;
	for (const char *from = ret; *from; from++) {
		bool joint = (*from == '-' || *from == '.') && from[1] != '\0';

		if (joint)
			from++;
		*to++ = joint && *from >= 'a' && *from <= 'z' ? (char)(*from - 'a' + 'A') :
			*from == '/'			       ? '_' :
								 *from;
	}
	*to = '\0';
}

static void describe(json_t *paths, const struct restroute *route, const char *method)
{
	json_t *operation = child(child(paths, route->path), method);
	char id[2 * FIELD_SIZE];

	operation_id(method, route->path, id, sizeof(id));
	put_text(operation, "operationId", id);
	put_text(operation, "summary", route->summary);
	if (route->own)
		json_object_set_new(operation, "x-pgha-only", json_true());
	describe_params(operation, route);
	describe_body(operation, route);
	describe_codes(operation, route, !str_eq(method, "head") && !str_eq(method, "options"));
	describe_auth(operation, route);
}

static const char *lower_method(const char *method)
{
	static const char *const known[][2] = { { "GET", "get" },       { "PUT", "put" },
						{ "POST", "post" },     { "PATCH", "patch" },
						{ "DELETE", "delete" } };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(method, known[i][0]))
			return known[i][1];
	return "";
}

void restopenapi_document(struct buf *ret)
{
	_cleanup_(jtext_unrefp) json_t *document = json_object();
	json_t *info = child(document, "info");
	json_t *paths, *scheme;

	put_text(document, "openapi", "3.1.0");
	put_text(info, "title", "pgha");
	put_text(info, "version", PACKAGE_VERSION);
	put_text(info, "description",
		 "The REST interface of pghad; pgha-rest(7) tells it in full. GET, HEAD and "
		 "OPTIONS of a path that is not here are a health check as in Patroni, which "
		 "looks at parts of the path; other methods are 501.");
	paths = child(document, "paths");
	for (size_t i = 0; i < restroute_count(); i++) {
		const struct restroute *route = restroute_at(i);

		describe(paths, route, lower_method(route->method));
		if (route->checks) {
			describe(paths, route, "head");
			describe(paths, route, "options");
		}
	}
	scheme = child(child(child(document, "components"), "securitySchemes"), "basic");
	put_text(scheme, "type", "http");
	put_text(scheme, "scheme", "basic");
	jtext_add(ret, document, JTEXT_SPACED);
}
