/* SPDX-License-Identifier: PostgreSQL */
/*
 * restview_health - codes of health checks
 *
 * The table of Patroni 4.1.4 (contract 2.3) with one difference: /primary and /leader believe
 * nothing but the lease. There is no exception for pause, and a leader whose Postgres was not yet
 * seen out of recovery is no primary.
 */
#include "base/parse.h"
#include "wire/pct.h"
#include "wire/restview.h"

#define OK          200
#define UNAVAILABLE 503

/* One argument of a query may be this long; a longer one matches nothing. */
#define ARGUMENT_SIZE 512

struct argument {
	bool readable; /* else it was too long; it must not pass for an absent filter */
	char name[ARGUMENT_SIZE];
	char value[ARGUMENT_SIZE];
};

/* The next argument with a value that is not blank. Returns what is left, or NULL at the end. */
static const char *next_argument(const char *query, struct argument *ret)
{
	while (query && *query) {
		size_t len = strcspn(query, "&");
		const char *equals = memchr(query, '=', len);
		const char *text = query;

		query += len + (query[len] == '&');
		if (!equals || equals + 1 == text + len)
			continue;
		ret->readable = pct_decode(text, (size_t)(equals - text), true, ret->name,
					   sizeof(ret->name)) &&
				pct_decode(equals + 1, (size_t)(text + len - equals - 1), true,
					   ret->value, sizeof(ret->value));
		return query;
	}
	return NULL;
}

/* The first value of an argument, or NULL. */
static const char *find_argument(const char *query, const char *name, struct argument *ret)
{
	while ((query = next_argument(query, ret))) {
		if (ret->readable && str_eq(ret->name, name))
			return ret->value;
	}
	return NULL;
}

/* Blanks around a number are allowed, as in Patroni. */
static bool parse_lag(char *text, int64_t *ret)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == ' ')
		text[--len] = 0;
	return parse_size(text + strspn(text, " "), 1, ret, NULL) == 0;
}

/* Bytes behind the leader; negative where the leader's position is the older news. */
static int64_t lag_of(const struct restview *view, uint64_t position_lsn)
{
	return (int64_t)(view->leader_lsn - position_lsn);
}

static bool is_lagging(const struct restview *view, const char *query)
{
	struct argument arg;
	int64_t limit;

	if (!find_argument(query, "lag", &arg) || !parse_lag(arg.value, &limit))
		return false;
	return view->leader_lsn != 0 && lag_of(view, view->replayed_lsn) > limit;
}

static bool is_primary(const struct restview *view)
{
	return view->leads && view->status->writable;
}

static bool is_replica(const struct restview *view, const char *query)
{
	struct argument arg;
	const char *wanted = find_argument(query, "replication_state", &arg);

	return !view->status->tags.noloadbalance && str_eq(view->role, "replica") &&
	       str_eq(view->state, "running") && !is_lagging(view, query) &&
	       (!wanted || str_eq(view->replication_state, wanted));
}

/* A tag as Patroni compares it: texts as they are, others as str(value).lower(). */
static bool tag_equals(const json_t *tag, const char *wanted)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!tag || json_is_null(tag))
		return false;
	if (json_is_string(tag))
		return str_eq(json_string_value(tag), wanted);
	jtext_add_python(&text, tag);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] >= 'A' && text.data[i] <= 'Z')
			text.data[i] = (char)(text.data[i] - 'A' + 'a');
	}
	return str_eq(text.data, wanted);
}

/* Every tag_<key>=<value> of the query must be so; the first of a repeated key counts. */
static bool tags_match(const struct restview *view, const char *query)
{
	_cleanup_(jtext_unrefp) json_t *tags = NULL;
	const char *json = view->status->tags_json;
	const char *rest = query;
	struct argument arg;

	if (!query)
		return true;
	if (!json || jtext_load_object(json, strlen(json), &tags, NULL) < 0)
		tags = json_object();
	while ((rest = next_argument(rest, &arg))) {
		struct argument first;

		if (!arg.readable)
			return false;
		if (!str_starts(arg.name, "tag_"))
			continue;
		if (!find_argument(query, arg.name, &first) ||
		    !tag_equals(json_object_get(tags, arg.name + 4), first.value))
			return false;
	}
	return true;
}

/* Is the path one of two. */
static bool is_path(const char *path, const char *a, const char *b)
{
	return str_eq(path, a) || str_eq(path, b);
}

/* Paths that need a view of etcd. */
static bool sync_health(const struct restview *view, const char *path, const char *query)
{
	const struct status *status = view->status;
	bool sync = view->in_recovery && status->sync_standby;
	bool quorum = view->in_recovery && status->quorum_standby;

	if (!view->dcs_ok)
		return false;
	if (is_path(path, "/sync", "/synchronous"))
		return sync && is_replica(view, query);
	if (str_eq(path, "/quorum"))
		return quorum && is_replica(view, query);
	if (is_path(path, "/async", "/asynchronous"))
		return !sync && !quorum && is_replica(view, query);
	if (str_eq(path, "/read-only-quorum"))
		return is_primary(view) || (quorum && is_replica(view, query));
	if (is_path(path, "/read-only-sync", "/read-only-synchronous"))
		return is_primary(view) || (sync && is_replica(view, query));
	return false;
}

static bool contains(const char *path, const char *part)
{
	return strstr(path, part) != NULL;
}

int restview_health(const struct restview *view, const char *path, const char *query)
{
	bool ok;

	if (str_eq(path, "/"))
		path = "/primary";
	/* There are no standby clusters yet, hence no leader of one. */
	if (contains(path, "standby_leader") || contains(path, "standby-leader"))
		return UNAVAILABLE;
	if (contains(path, "leader"))
		return view->leads ? OK : UNAVAILABLE;
	if (contains(path, "master") || contains(path, "primary") || contains(path, "read-write"))
		return is_primary(view) ? OK : UNAVAILABLE;
	if (contains(path, "replica"))
		ok = is_replica(view, query);
	else if (contains(path, "read-only") && !contains(path, "sync") &&
		 !contains(path, "quorum"))
		ok = is_primary(view) || is_replica(view, query);
	else if (contains(path, "health"))
		ok = str_eq(view->state, "running");
	else
		ok = sync_health(view, path, query);
	return ok && tags_match(view, query) ? OK : UNAVAILABLE;
}

int restview_liveness(const struct restview *view)
{
	return view->status->pause || view->now_ms < view->status->loop_deadline_ms ? OK
										    : UNAVAILABLE;
}

int restview_readiness(const struct restview *view, const char *query)
{
	int64_t limit = view->status->maximum_lag_bytes;
	struct argument arg;
	const char *mode;
	uint64_t position;

	if (view->leads)
		return OK;
	if (!str_eq(view->state, "running") || !str_eq(view->replication_state, "streaming"))
		return UNAVAILABLE;
	if (!view->dcs_ok && !view->failsafe && view->leader_lsn == 0)
		return UNAVAILABLE;
	mode = find_argument(query, "mode", &arg);
	position = str_eq(mode, "write") ? view->received_lsn : view->replayed_lsn;
	if (find_argument(query, "lag", &arg))
		(void)parse_lag(arg.value, &limit);
	return lag_of(view, position) <= limit ? OK : UNAVAILABLE;
}
