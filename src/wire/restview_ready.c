/* SPDX-License-Identifier: PostgreSQL */
/*
 * restview_ready - may this member be left alone, and may it be given work?
 *
 * /live, /ready and /ready/db: the questions of whoever runs the agent, Kubernetes for one. What
 * Patroni's /readiness leaves out counts here: a leader is ready when its Postgres takes writes
 * under the lease, and what an agent that hangs published last is not believed.
 */
#include <inttypes.h>

#include "wire/restview.h"

#define OK          200
#define UNAVAILABLE 503

/* NULL: ready. */
static const char *why_not(const struct restview *view, const char *query)
{
	if (restview_liveness(view) != OK)
		return "the agent does not finish its cycles in time";
	if (!str_eq(view->state, "running"))
		return "Postgres does not run, or does not answer";
	if (view->leads)
		return view->status->writable ? NULL :
						"leads, but Postgres does not take writes yet";
	if (!view->in_recovery)
		return "a primary without a proven lease";
	if (restview_readiness(view, query) != OK)
		return "does not stream, or is too far behind the leader";
	return NULL;
}

/* The same for what Postgres itself said just now. */
static const char *why_not_db(const struct restview *view, const struct rest_db *db)
{
	if (!db->answered)
		return "Postgres did not answer a new connection in time";
	if (db->in_recovery == view->leads)
		return "Postgres just changed its role";
	return NULL;
}

static void add_text(struct buf *body, const char *key, const char *text)
{
	jtext_add_field(body, key, text, JTEXT_SPACED);
}

static void add_bool(struct buf *body, const char *key, bool value)
{
	jtext_add_key(body, key, JTEXT_SPACED);
	buf_str(body, value ? "true" : "false");
}

static void add_number(struct buf *body, const char *key, int64_t value)
{
	jtext_add_key(body, key, JTEXT_SPACED);
	buf_printf(body, "%" PRId64, value);
}

static void add_db(struct buf *body, const struct rest_db *db)
{
	jtext_add_key(body, "database", JTEXT_SPACED);
	buf_ch(body, '{');
	add_bool(body, "answered", db->answered);
	if (db->answered)
		add_bool(body, "in_recovery", db->in_recovery);
	else
		add_text(body, "why", db->why);
	add_number(body, "took_ms", db->took_ms);
	buf_ch(body, '}');
}

int restview_live(const struct restview *view, struct buf *ret_body)
{
	int code = restview_liveness(view);

	buf_ch(ret_body, '{');
	add_bool(ret_body, "live", code == OK);
	add_bool(ret_body, "pause", view->status->pause);
	add_number(ret_body, "cycle_age_ms", view->now_ms - view->status->made_at_ms);
	buf_ch(ret_body, '}');
	return code;
}

int restview_ready(const struct restview *view, const char *query, const struct rest_db *db,
		   struct buf *ret_body)
{
	const char *why = why_not(view, query);

	if (!why && db)
		why = why_not_db(view, db);
	buf_ch(ret_body, '{');
	add_bool(ret_body, "ready", !why);
	if (why)
		add_text(ret_body, "why", why);
	add_text(ret_body, "role", view->role);
	add_text(ret_body, "state", view->state);
	if (db)
		add_db(ret_body, db);
	buf_ch(ret_body, '}');
	return why ? UNAVAILABLE : OK;
}
