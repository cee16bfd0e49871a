/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_restroute - the table of routes, what is made from it, and the papers
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

#include "wire/jtext.h"
#include "wire/restmsg.h"
#include "wire/restopenapi.h"
#include "wire/restroute.h"

#define NOW 1000000

static json_t *load_document(void)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct err err = { 0 };
	json_t *document = NULL;

	restopenapi_document(&text);
	cr_assert_eq(jtext_load_object(text.data, text.len, &document, &err), 0, "%s", err.msg);
	return document;
}

static void lower(const char *method, char ret[16])
{
	(void)str_copy(ret, 16, method);
	for (char *c = ret; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

/* By its path alone, health checks too. */
static const struct restroute *row_of(const char *method, const char *path)
{
	for (size_t i = 0; i < restroute_count(); i++) {
		const struct restroute *route = restroute_at(i);
		char name[16];

		lower(route->method, name);
		if (str_eq(route->path, path) &&
		    (str_eq(name, method) ||
		     (route->checks && (str_eq(method, "head") || str_eq(method, "options")))))
			return route;
	}
	return NULL;
}

Test(restroute, has_every_id_once_and_health_checks_many_times)
{
	size_t seen[ROUTE__MAX] = { 0 };

	for (size_t i = 0; i < restroute_count(); i++)
		seen[restroute_at(i)->id]++;
	cr_assert_eq(seen[ROUTE_NONE], 0);
	cr_assert_gt(seen[ROUTE_HEALTH], 10);
	for (size_t id = ROUTE_HEALTH + 1; id < ROUTE__MAX; id++)
		cr_assert_eq(seen[id], 1, "%zu", id);
}

Test(restroute, finds_every_row_by_its_own_method_and_path)
{
	for (size_t i = 0; i < restroute_count(); i++) {
		const struct restroute *route = restroute_at(i);

		if (route->id == ROUTE_HEALTH)
			cr_assert_null(restroute_find(route->method, route->path), "%s",
				       route->path);
		else
			cr_assert_eq(restroute_find(route->method, route->path), route, "%s %s",
				     route->method, route->path);
	}
	cr_assert_null(restroute_find("BREW", "/config"));
	cr_assert_null(restroute_find("GET", "/configure"));
	cr_assert_null(restroute_find("HEAD", "/patroni"));
}

static void expect_codes(json_t *operation, const struct restroute *route)
{
	json_t *responses = json_object_get(operation, "responses");
	size_t n = 0;
	bool forbids = false;

	while (n < RESTROUTE_CODES_MAX && route->codes[n] != 0) {
		char number[8];
		const char *about;

		forbids |= route->codes[n] == 403;
		(void)str_printf(number, sizeof(number), "%u", (unsigned)route->codes[n++]);
		about = jtext_string(json_object_get(responses, number), "description");
		cr_assert(about && about[0] != '\0', "%s: %s", route->path, number);
	}
	/* A signature that is wrong is forbidden everywhere. */
	cr_assert_not_null(json_object_get(responses, "403"), "%s", route->path);
	cr_assert(n > 0 && json_object_size(responses) == n + !forbids, "%s", route->path);
}

Test(restroute, is_described_in_full)
{
	_cleanup_(jtext_unrefp) json_t *document = load_document();
	json_t *paths = json_object_get(document, "paths");
	size_t n = 0;

	cr_assert_str_eq(jtext_string(document, "openapi"), "3.1.0");
	for (size_t i = 0; i < restroute_count(); i++) {
		const struct restroute *route = restroute_at(i);
		json_t *operation;
		char method[16];

		lower(route->method, method);
		operation = json_object_get(json_object_get(paths, route->path), method);
		cr_assert_not_null(operation, "%s %s", route->method, route->path);
		cr_assert_str_eq(jtext_string(operation, "summary"), route->summary);
		cr_assert_eq(json_object_get(operation, "security") != NULL, route->auth, "%s %s",
			     route->method, route->path);
		expect_codes(operation, route);
		n += route->checks ? 3 : 1;
	}
	cr_assert_gt(n, restroute_count());
}

Test(restroute, describes_nothing_that_is_not_there)
{
	_cleanup_(jtext_unrefp) json_t *document = load_document();
	_cleanup_(jtext_unrefp) json_t *ids = json_object();
	json_t *paths = json_object_get(document, "paths");
	json_t *methods, *operation;
	const char *path, *method;

	json_object_foreach (paths, path, methods) {
		json_object_foreach (methods, method, operation) {
			const char *id = jtext_string(operation, "operationId");

			cr_assert_not_null(row_of(method, path), "%s %s", method, path);
			cr_assert_null(json_object_get(ids, id), "%s twice", id);
			json_object_set_new(ids, id, json_true());
		}
	}
}

static struct status *a_member(bool leads, bool sync, bool quorum)
{
	struct status *s = status_new();

	s->loop_deadline_ms = NOW + 5000;
	s->leader_until_ms = leads ? NOW + 2000 : 0;
	s->writable = leads;
	s->state = STATE_RUNNING;
	s->role = leads ? MROLE_PRIMARY : MROLE_REPLICA;
	s->sql_ok = true;
	s->pg = (struct pg_state){ .run = PG_UP, .role = leads ? ROLE_PRIMARY : ROLE_REPLICA,
				   .streaming = !leads };
	s->sync_standby = sync;
	s->quorum_standby = quorum;
	s->dcs_last_seen_at_ms = NOW - 200;
	s->dcs_ok = true;
	s->ttl_ms = 5000;
	s->cluster_json = str_dup("{}");
	s->history_json = str_dup("[]");
	return s;
}

static struct rest_answer answer_of(bool leads, bool sync, bool quorum, const char *path)
{
	struct status *s = a_member(leads, sync, quorum);
	struct rest_answer answer;

	restmsg_get(s, NOW, "GET", path, NULL, &answer);
	status_free(s);
	return answer;
}

static bool says_yes(bool leads, bool sync, bool quorum, const char *path)
{
	struct rest_answer answer = answer_of(leads, sync, quorum, path);
	bool yes = answer.code == 200;

	rest_answer_done(&answer);
	return yes;
}

Test(restroute, names_health_checks_that_some_member_satisfies)
{
	for (size_t i = 0; i < restroute_count(); i++) {
		const struct restroute *route = restroute_at(i);
		/* Until there are standby clusters. */
		bool never = str_starts(route->path, "/standby");

		if (route->id != ROUTE_HEALTH)
			continue;
		cr_assert_eq(says_yes(true, false, false, route->path) ||
				     says_yes(false, false, false, route->path) ||
				     says_yes(false, true, false, route->path) ||
				     says_yes(false, false, true, route->path),
			     !never, "%s", route->path);
	}
}

Test(restroute, reads_have_answers_of_their_own)
{
	for (size_t i = 0; i < restroute_count(); i++) {
		const struct restroute *route = restroute_at(i);
		struct rest_answer answer;

		/* Streams and questions need more than the status: restserve.c. */
		if (route->id == ROUTE_HEALTH || route->id == ROUTE_EVENTS ||
		    route->id == ROUTE_READY_DB || route->auth)
			continue;
		answer = answer_of(true, false, false, route->path);
		cr_assert_eq(answer.status_only, route->answer == ANSWER_NONE, "%s", route->path);
		/* The mark of the document that a health check answers with. */
		cr_assert_eq(answer.body.data && strstr(answer.body.data, "\"dcs_last_seen\""),
			     route->id == ROUTE_PATRONI, "%s", route->path);
		rest_answer_done(&answer);
	}
}

Test(restroute, writes_are_commands)
{
	for (size_t i = 0; i < restroute_count(); i++) {
		const struct restroute *route = restroute_at(i);
		_cleanup_(buf_done) struct buf text = { 0 };
		struct command command;
		int code;

		code = restmsg_command(route->method, route->path, true, "{}", 2, false, 0,
				       &command, &text);
		cr_assert_eq(code == 501, !route->auth, "%s %s: %d", route->method, route->path,
			     code);
		command_done(&command);
	}
}

/* Patroni decides by parts of a path, so a new name must hold none of its words: what it answers
 * there would change. */
Test(restroute, takes_no_name_from_patroni)
{
	static const char *const words[] = {
		"standby_leader", "standby-leader", "leader",	   "master",	 "primary",
		"read-write",	  "replica",	    "read-only",   "health",	 "sync",
		"quorum",	  "patroni",	    "cluster",	   "history",	 "config",
		"failsafe",	  "metrics",	    "liveness",	   "readiness",	 "citus",
		"mpp",		  "sigterm",	    "reload",	   "restart",	 "reinitialize",
		"switchover",	  "failover",
	};

	for (size_t i = 0; i < restroute_count(); i++) {
		const struct restroute *route = restroute_at(i);

		for (size_t k = 0; route->own && k < ARRAY_LEN(words); k++)
			cr_assert_null(strstr(route->path, words[k]), "%s", route->path);
		/* What has more segments, or fewer, is a health check still. */
		if (route->own && !route->auth)
			cr_assert(route->whole, "%s", route->path);
	}
	cr_assert(says_yes(true, false, false, "/ready/primary"));
	cr_assert_not(says_yes(true, false, false, "/openapi.json/x"));
	cr_assert_not(says_yes(true, false, false, "/live/x"));
}

static bool ends_name(char c)
{
	return !isalnum((unsigned char)c) && c != '/' && c != '_' && c != '-' && c != '.';
}

/* Not as a part of a longer path. */
static bool names_path(const char *page, const char *path)
{
	size_t len = strlen(path);

	for (const char *at = strstr(page, path); at; at = strstr(at + 1, path)) {
		/* The dot may end a sentence. */
		bool dot = at[len] == '.' && ends_name(at[len + 1]);

		if (at > page && ends_name(at[-1]) && (dot || ends_name(at[len])))
			return true;
	}
	return false;
}

Test(restroute, is_told_in_the_manual)
{
	_cleanup_(buf_done) struct buf page = { 0 };
	FILE *file = fopen(SRCDIR "/man/pgha-rest.7", "re");
	int c;

	cr_assert_not_null(file);
	while ((c = getc(file)) != EOF)
		if (c != '\\')
			buf_ch(&page, (char)c);
	(void)fclose(file);
	for (size_t i = 0; i < restroute_count(); i++)
		cr_assert(names_path(page.data, restroute_at(i)->path), "%s",
			  restroute_at(i)->path);
	cr_assert_not(names_path(page.data, "/openapi"));
}
