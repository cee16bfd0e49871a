/* SPDX-License-Identifier: PostgreSQL */
/*
 * record_member - the key of one member: what it says of itself
 *
 * A document that is no object, or whose tags are no object, fails: to lose a nofailover tag is
 * worse than to keep an old one. Any other field that is absent or of the wrong type is unknown.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/parse.h"
#include "base/str.h"
#include "wire/jtext.h"
#include "wire/pct.h"
#include "wire/record.h"

/* Patroni's version that we speak like; members compare it (contract 7.1). */
#define PATRONI_VERSION "4.1.4"

static const char *const state_texts[STATE__MAX] = {
#define X(name, text) [STATE_##name] = (text),
	MEMBER_STATES(X)
#undef X
};

static const char *const role_texts[MROLE__MAX] = {
#define X(name, text) [MROLE_##name] = (text),
	MEMBER_ROLES(X)
#undef X
};

const char *record_state_text(enum member_state state)
{
	return state_texts[state];
}

const char *record_role_text(enum member_role role)
{
	return role_texts[role];
}

enum member_state record_state_parse(const char *text)
{
	for (int i = 0; i < STATE__MAX; i++) {
		if (text && str_eq(text, state_texts[i]))
			return (enum member_state)i;
	}
	return STATE_UNKNOWN;
}

enum member_role record_role_parse(const char *text)
{
	if (text && str_eq(text, "master"))
		return MROLE_PRIMARY;
	for (int i = 0; i < MROLE__MAX; i++) {
		if (text && str_eq(text, role_texts[i]))
			return (enum member_role)i;
	}
	return MROLE_UNKNOWN;
}

static void add_text(struct buf *out, const char *key, const char *value)
{
	jtext_add_field(out, key, value, JTEXT_COMPACT);
}

/* A part that comes as JSON text; left out when it is none or empty. */
static void add_json(struct buf *out, const char *key, const char *json)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;

	if (!json || jtext_load_object(json, strlen(json), &value, NULL) < 0 ||
	    json_object_size(value) == 0)
		return;
	jtext_add_key(out, key, JTEXT_COMPACT);
	jtext_add(out, value, JTEXT_COMPACT);
}

static void add_urls(struct buf *out, const struct member_out *member)
{
	char conn_url[2 * URL_SIZE]; /* names of hosts and databases are shorter */
	bool v6 = strchr(member->conn_host, ':') != NULL;

	(void)str_printf(conn_url, sizeof(conn_url), "postgres://%s%s%s:%u/%s", v6 ? "[" : "",
			 member->conn_host, v6 ? "]" : "", (unsigned int)member->conn_port,
			 member->database);
	add_text(out, "conn_url", conn_url);
	add_text(out, "api_url", member->api_url);
}

static void add_position(struct buf *out, const struct member_out *member)
{
	if (!member->has_lsn)
		return;
	buf_printf(out, ",\"xlog_location\":%" PRIu64, member->xlog_location_lsn);
	if (member->in_recovery && member->replay_lsn != 0)
		buf_printf(out, ",\"replay_lsn\":%" PRIu64, member->replay_lsn);
	if (member->in_recovery && member->receive_lsn != 0)
		buf_printf(out, ",\"receive_lsn\":%" PRIu64, member->receive_lsn);
	if (member->replication_state && *member->replication_state)
		add_text(out, "replication_state", member->replication_state);
	if (member->timeline != 0)
		buf_printf(out, ",\"timeline\":%" PRIu32, member->timeline);
}

char *record_changes_text(const struct setting_change *changes, uint32_t n)
{
	struct buf text = { 0 };

	buf_ch(&text, '{');
	for (uint32_t i = 0; i < n; i++) {
		jtext_add_key(&text, changes[i].name, JTEXT_COMPACT);
		buf_ch(&text, '{');
		add_text(&text, "old_value", changes[i].old_value);
		add_text(&text, "new_value", changes[i].new_value);
		buf_ch(&text, '}');
	}
	buf_ch(&text, '}');
	return buf_take(&text);
}

void record_member_print(const struct member_out *out, struct buf *text)
{
	buf_ch(text, '{');
	add_urls(text, out);
	add_text(text, "state", state_texts[out->state]);
	add_text(text, "role", role_texts[out->role]);
	add_text(text, "version", PATRONI_VERSION);
	if (out->proxy_url)
		add_text(text, "proxy_url", out->proxy_url);
	if (out->checkpoint_pending)
		buf_str(text, ",\"checkpoint_after_promote\":false");
	add_json(text, "tags", out->tags_json);
	if (out->pending_restart)
		buf_str(text, ",\"pending_restart\":true");
	if (out->pending_restart)
		add_json(text, "pending_restart_reason", out->pending_restart_reason_json);
	add_position(text, out);
	add_json(text, "scheduled_restart", out->scheduled_restart_json);
	if (out->pause)
		buf_str(text, ",\"pause\":true");
	if (out->pgha_version) {
		buf_str(text, ",\"pgha\":{\"version\":");
		jtext_add_string(text, out->pgha_version, strlen(out->pgha_version));
		if (out->trouble && *out->trouble)
			add_text(text, "trouble", out->trouble);
		if (out->sealed != 0)
			buf_printf(text, ",\"sealed\":%" PRId64, out->sealed);
		if (out->no_remote_commands)
			buf_str(text, ",\"allow_remote_commands\":false");
		if (out->fence)
			jtext_add_field(text, "fence", out->fence, JTEXT_COMPACT);
		buf_ch(text, '}');
	}
	buf_ch(text, '}');
}

char *record_member_text(const struct member_out *out)
{
	struct buf text = { 0 };

	record_member_print(out, &text);
	return buf_take(&text);
}

/* bool() of Python; absent and null are told apart by *ret_given. */
static bool tag_is_on(const json_t *tags, const char *key, bool *ret_given)
{
	const json_t *value = json_object_get(tags, key);

	*ret_given = value && !json_is_null(value);
	if (!*ret_given)
		return false;
	switch (json_typeof(value)) {
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		return false;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	case JSON_REAL:
		return json_real_value(value) != 0;
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	}
	return false;
}

/* round() of Python: half to even. */
static int64_t round_real(double value)
{
	double near = MAX_OF(MIN_OF(value, (double)INT32_MAX), (double)INT32_MIN);
	int64_t whole = (int64_t)near;
	double rest = near - (double)whole;

	if (rest > 0.5 || (rest == 0.5 && whole % 2 != 0))
		return whole + 1;
	return rest < -0.5 || (rest == -0.5 && whole % 2 != 0) ? whole - 1 : whole;
}

/* An integer by Patroni's rules; 1 when absent or unreadable. */
static int32_t tag_priority(const json_t *tags, const char *key)
{
	const json_t *value = json_object_get(tags, key);
	int64_t number = 1;

	if (json_is_boolean(value))
		return json_is_true(value);
	if (json_is_real(value))
		number = round_real(json_real_value(value));
	else if (!jtext_int(value, &number))
		return 1;
	return (int32_t)MAX_OF(MIN_OF(number, (int64_t)INT32_MAX), (int64_t)INT32_MIN);
}

/* One pair such as nofailover and failover_priority, made free of contradictions. */
static void read_pair(const json_t *tags, const char *no, const char *priority, bool *ret_no,
		      int32_t *ret_priority)
{
	bool given;

	*ret_no = tag_is_on(tags, no, &given);
	*ret_priority = tag_priority(tags, priority);
	if (*ret_no)
		*ret_priority = 0;
	else if (given && *ret_priority < 1)
		*ret_priority = 1;
	else if (*ret_priority <= 0)
		*ret_no = true;
}

static void read_tags(const json_t *doc, struct tags *ret)
{
	bool given;

	*ret = (struct tags){ 0 };
	read_pair(doc, "nofailover", "failover_priority", &ret->nofailover,
		  &ret->failover_priority);
	read_pair(doc, "nosync", "sync_priority", &ret->nosync, &ret->sync_priority);
	ret->noloadbalance = tag_is_on(doc, "noloadbalance", &given);
	ret->clonefrom = tag_is_on(doc, "clonefrom", &given);
	ret->nostream = tag_is_on(doc, "nostream", &given);
	(void)str_copy(ret->replicatefrom, sizeof(ret->replicatefrom),
		       jtext_string(doc, "replicatefrom"));
}

int record_tags_parse(const char *tags_json, struct tags *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	int r;

	if (tags_json) {
		r = jtext_load_object(tags_json, strlen(tags_json), &doc, err);
		if (r < 0)
			(void)err_wrap(err, "tags");
		if (r < 0)
			return r;
	}
	read_tags(doc, ret);
	return 0;
}

/* Host and port of "postgres://[user[:password]@]host[:port][/...]"; unknown leaves "" and 0. */
static void read_conn_url(const char *url, struct member *member)
{
	const char *begin = url ? strstr(url, "://") : NULL;
	char authority[2 * HOST_SIZE];
	const char *at;
	size_t len;

	if (!begin || !str_starts(url, "postgres"))
		return;
	begin += strlen("://");
	len = strcspn(begin, "/?#");
	if (len >= sizeof(authority))
		return;
	memcpy(authority, begin, len);
	authority[len] = 0;
	at = strrchr(authority, '@');
	if (parse_hostport(at ? at + 1 : authority, 5432, member->host, sizeof(member->host),
			   &member->port, NULL) < 0) {
		member->host[0] = 0;
		member->port = 0;
	}
}

/* The application_name argument of a legacy conn_url, percent signs decoded. */
static void read_legacy_api_url(const char *url, char dst[URL_SIZE])
{
	const char *name = "application_name=";
	const char *from = strchr(url, '?');

	while (from && !str_starts(from + 1, name))
		from = strchr(from + 1, '&');
	if (!from)
		return;
	from += 1 + strlen(name);
	(void)pct_decode(from, strcspn(from, "&"), true, dst, URL_SIZE);
}

/* "4.1.4" -> 40104 as for ordering; 0 unless it is made of numbers and dots (contract 7.1). */
static uint32_t version_number(const char *text)
{
	uint32_t parts[3] = { 0 };
	size_t n = 0;

	for (; *text; text++) {
		if (*text == '.' && n < 2 && text[1])
			n++;
		else if (*text >= '0' && *text <= '9' && parts[n] < 1000)
			parts[n] = parts[n] * 10 + (uint32_t)(*text - '0');
		else
			return 0;
	}
	return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

static enum tristate read_checkpoint(const json_t *doc, const char *version)
{
	const json_t *value = json_object_get(doc, "checkpoint_after_promote");

	if (json_is_false(value))
		return TRI_NO;
	return !value && version_number(version) >= 40000 ? TRI_YES : TRI_UNKNOWN;
}

static void read_position(const json_t *doc, struct member *member)
{
	const char *replication = jtext_string(doc, "replication_state");
	int64_t timeline = 0;

	member->xlog_location_lsn = jtext_lsn(doc, "xlog_location");
	member->receive_lsn = jtext_lsn(doc, "receive_lsn");
	member->replay_lsn = jtext_lsn(doc, "replay_lsn");
	if (jtext_int(json_object_get(doc, "timeline"), &timeline) && timeline > 0 &&
	    timeline <= UINT32_MAX)
		member->timeline = (uint32_t)timeline;
	member->streaming = replication && str_eq(replication, "streaming");
	member->in_archive_recovery = replication && str_eq(replication, "in archive recovery");
}

static int read_member(const json_t *doc, struct member *member, struct err *err)
{
	const json_t *tags = json_object_get(doc, "tags");

	if (tags && !json_is_null(tags) && !json_is_object(tags))
		return err_set(err, ERR_PARSE, "'tags' is no object");
	read_tags(tags, &member->tags);
	read_conn_url(jtext_string(doc, "conn_url"), member);
	(void)str_copy(member->api_url, sizeof(member->api_url), jtext_string(doc, "api_url"));
	(void)str_copy(member->version, sizeof(member->version), jtext_string(doc, "version"));
	member->is_pgha = json_is_object(json_object_get(doc, "pgha"));
	member->sealed = json_integer_value(
		json_object_get(json_object_get(doc, "pgha"), "sealed"));
	member->state = record_state_parse(jtext_string(doc, "state"));
	member->role = record_role_parse(jtext_string(doc, "role"));
	member->checkpoint_done = read_checkpoint(doc, member->version);
	member->pause = jtext_true(doc, "pause");
	member->pending_restart = jtext_true(doc, "pending_restart");
	read_position(doc, member);
	return 0;
}

int record_member_parse(const char *name, const char *text, size_t len, struct member *ret,
			struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	_cleanup_(freep) char *url = NULL;
	struct member member = { .state = STATE_UNKNOWN };
	int r;

	r = record_name_check(name, false, err);
	if (r < 0)
		return r;
	(void)str_copy(member.name, sizeof(member.name), name);
	if (len > 8 && memcmp(text, "postgres", 8) == 0 && !memchr(text, 0, len)) {
		url = str_ndup(text, len);
		read_tags(NULL, &member.tags);
		read_conn_url(url, &member);
		read_legacy_api_url(url, member.api_url);
		if (!member.host[0])
			return err_set(err, ERR_PARSE, "key of member '%s': no URL", name);
		*ret = member;
		return 0;
	}
	r = jtext_load_object(text, len, &doc, err);
	if (r >= 0)
		r = read_member(doc, &member, err);
	if (r < 0)
		(void)err_wrap(err, "key of member '%s'", name);
	else
		*ret = member;
	return r;
}
