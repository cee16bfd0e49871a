/* SPDX-License-Identifier: PostgreSQL */
/*
 * restmsg_command - REST writes as commands
 *
 * Codes, texts and the order of checks are Patroni's (contract 2.7), because clients match on
 * them. Where Patroni's handler dies of an unexpected type and drops the connection, we say 400.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/parse.h"
#include "wire/jtext.h"
#include "wire/record.h"
#include "wire/restmsg.h"
#include "wire/restroute.h"

#define ACCEPT          0
#define BAD_REQUEST     400
#define LENGTH_REQUIRED 411
#define PRECONDITION    412
#define UNPROCESSABLE   422
#define SERVER_ERROR    500
#define NOT_IMPLEMENTED 501

/* What a command is made from. */
struct request_in {
	json_t *doc; /* an object; empty where an optional body is absent */
	bool paused;
	int64_t now_wall_us;
};

typedef int (*command_fn)(const struct request_in *in, struct command *ret, struct buf *text);

void command_done(struct command *command)
{
	if (command)
		free(TAKE(command->json));
}

static int refuse(int code, struct buf *text, const char *why)
{
	buf_str(text, why);
	return code;
}

static int fill_config(const struct request_in *in, struct command *ret, struct buf *text)
{
	(void)text;
	ret->json = jtext_print(in->doc, JTEXT_COMPACT);
	return ACCEPT;
}

static int fill_nothing(const struct request_in *in, struct command *ret, struct buf *text)
{
	(void)in;
	(void)ret;
	(void)text;
	return ACCEPT;
}

/* Absent, null, empty text, 0 and false do not count, as in Python. */
static bool is_given(const json_t *value)
{
	if (json_is_string(value))
		return json_string_length(value) > 0;
	if (json_is_integer(value))
		return json_integer_value(value) != 0;
	return value && !json_is_null(value) && !json_is_false(value);
}

static int read_schedule(const json_t *value, const char *action, int64_t now_wall_us,
			 struct command *ret, struct buf *text)
{
	const char *when = json_string_value(value);
	bool has_zone = false;
	int64_t at_us;

	if (!when || parse_time_us(when, &at_us, &has_zone, NULL) < 0)
		return refuse(UNPROCESSABLE, text,
			      "Unable to parse scheduled timestamp. It should be in an "
			      "unambiguous format, e.g. ISO 8601");
	if (!has_zone) {
		buf_printf(text, "Timezone information is mandatory for the scheduled %s", action);
		return BAD_REQUEST;
	}
	if (at_us < now_wall_us || at_us <= 0) {
		buf_printf(text, "Cannot schedule %s in the past", action);
		return UNPROCESSABLE;
	}
	ret->scheduled_at_us = at_us;
	ret->scheduled_offset_min = parse_time_offset_min(when);
	return ACCEPT;
}

static int restart_schedule(const struct request_in *in, const json_t *value, struct command *ret,
			    struct buf *text)
{
	ret->scheduled = true;
	return read_schedule(value, "restart", in->now_wall_us, ret, text);
}

static int restart_role(const struct request_in *in, const json_t *value, struct command *ret,
			struct buf *text)
{
	const char *role = json_string_value(value);

	(void)in;
	if (!role || (!str_eq(role, "primary") && !str_eq(role, "standby_leader") &&
		      !str_eq(role, "replica")))
		return refuse(BAD_REQUEST, text,
			      "PostgreSQL role should be either primary, standby_leader, or "
			      "replica");
	return str_copy(ret->role, sizeof(ret->role), role) < 0 ? BAD_REQUEST : ACCEPT;
}

/* "16.1" or "9.6.3": the count of numbers, or 0. */
static int count_version_parts(const char *version, int64_t *ret_first)
{
	int nparts = 1;
	int ndigits = 0;

	*ret_first = 0;
	for (; *version; version++) {
		if (*version >= '0' && *version <= '9') {
			if (++ndigits > 4)
				return 0;
			if (nparts == 1)
				*ret_first = *ret_first * 10 + (*version - '0');
			continue;
		}
		if (*version != '.' || ndigits == 0)
			return 0;
		ndigits = 0;
		nparts++;
	}
	return ndigits > 0 ? nparts : 0;
}

static int restart_version(const struct request_in *in, const json_t *value, struct command *ret,
			   struct buf *text)
{
	const char *version = json_string_value(value);
	int64_t first = 0;
	int nparts = version ? count_version_parts(version, &first) : 0;

	(void)in;
	if (nparts == 0) {
		buf_str(text, "Invalid PostgreSQL version: ");
		jtext_add_python(text, value);
		return BAD_REQUEST;
	}
	if (nparts < 2 || nparts > 3 || (nparts == 2 && first < 10) ||
	    str_copy(ret->postgres_version, sizeof(ret->postgres_version), version) < 0) {
		buf_printf(text, "Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: %s",
			   version);
		return BAD_REQUEST;
	}
	return ACCEPT;
}

/* Whole seconds, half to even, as Patroni rounds. */
static int64_t round_to_s(int64_t ms)
{
	int64_t whole_s = ms / 1000;
	int64_t rest_ms = ms % 1000;

	return rest_ms > 500 || (rest_ms == 500 && whole_s % 2 == 1) ? whole_s + 1 : whole_s;
}

static int restart_timeout(const struct request_in *in, const json_t *value, struct command *ret,
			   struct buf *text)
{
	_cleanup_(buf_done) struct buf number = { 0 };
	int64_t timeout_ms = 0;
	const char *begin;

	(void)in;
	jtext_add_python(&number, value);
	while (number.len > 0 && number.data[number.len - 1] == ' ')
		number.data[--number.len] = 0;
	begin = number.data ? number.data + strspn(number.data, " ") : "";
	if (parse_duration_ms(begin, "s", &timeout_ms, NULL) < 0 || round_to_s(timeout_ms) <= 0)
		return refuse(BAD_REQUEST, text, "Timeout should be a positive number of seconds");
	ret->timeout_ms = round_to_s(timeout_ms) * 1000;
	return ACCEPT;
}

static int restart_pending(const struct request_in *in, const json_t *value, struct command *ret,
			   struct buf *text)
{
	(void)in;
	(void)value;
	(void)text;
	/* Its presence alone counts, even with false. */
	ret->restart_pending = true;
	return ACCEPT;
}

struct restart_key {
	const char *name;
	int (*read)(const struct request_in *in, const json_t *value, struct command *ret,
		    struct buf *text);
};

/* clang-format off */
static const struct restart_key restart_keys[] = {
	{ "schedule",         restart_schedule },
	{ "role",             restart_role },
	{ "postgres_version", restart_version },
	{ "timeout",          restart_timeout },
	{ "restart_pending",  restart_pending },
};
/* clang-format on */

static const struct restart_key *find_restart_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(restart_keys); i++) {
		if (str_eq(restart_keys[i].name, name))
			return &restart_keys[i];
	}
	return NULL;
}

static int fill_restart(const struct request_in *in, struct command *ret, struct buf *text)
{
	const char *name;
	json_t *value;

	if (in->paused && json_object_get(in->doc, "schedule"))
		return refuse(SERVER_ERROR, text, "Can't schedule restart in the paused state");
	/* In the order of the body: the first bad key decides the answer. */
	json_object_foreach(in->doc, name, value) {
		const struct restart_key *key = find_restart_key(name);
		int code;

		if (!key) {
			buf_printf(text, "Unknown filter for the scheduled restart: %s", name);
			return BAD_REQUEST;
		}
		code = key->read(in, value, ret, text);
		if (code != ACCEPT)
			return code;
	}
	return ACCEPT;
}

/* True for on, true, yes, 1 in any form; anything else is no. */
static bool is_on(const json_t *value)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	bool on = false;

	if (!value)
		return false;
	jtext_add_python(&text, value);
	return text.len > 0 && parse_bool(text.data, &on, NULL) == 0 && on;
}

static int fill_reinit(const struct request_in *in, struct command *ret, struct buf *text)
{
	(void)text;
	ret->force = is_on(json_object_get(in->doc, "force"));
	ret->from_leader = is_on(json_object_get(in->doc, "from_leader"));
	return ACCEPT;
}

static int check_schedule(const struct request_in *in, const json_t *value, struct command *ret,
			  struct buf *text)
{
	if (!is_given(value))
		return ACCEPT;
	if (ret->type == CMD_FAILOVER)
		return refuse(BAD_REQUEST, text, "Failover can't be scheduled");
	if (in->paused)
		return refuse(BAD_REQUEST, text, "Can't schedule switchover in the paused state");
	ret->scheduled = true;
	return read_schedule(value, "switchover", in->now_wall_us, ret, text);
}

/* A name that no member can have does not match, whatever the cluster looks like. */
static int copy_names(const json_t *leader, const json_t *candidate, struct command *ret,
		      struct buf *text)
{
	const char *from = json_string_value(leader);
	const char *to = json_string_value(candidate);

	if (is_given(leader) && (!from || record_name_check(from, false, NULL) < 0 ||
				 str_copy(ret->leader, sizeof(ret->leader), from) < 0))
		return refuse(PRECONDITION, text, "leader name does not match");
	if (is_given(candidate) && (!to || record_name_check(to, false, NULL) < 0 ||
				    str_copy(ret->candidate, sizeof(ret->candidate), to) < 0))
		return refuse(PRECONDITION, text, "candidate does not exists");
	return ACCEPT;
}

static int fill_handover(const struct request_in *in, struct command *ret, struct buf *text)
{
	const json_t *leader = json_object_get(in->doc, "leader");
	const json_t *candidate = json_object_get(in->doc, "candidate");
	int code;

	if (!is_given(candidate))
		candidate = json_object_get(in->doc, "member");
	if (ret->type == CMD_FAILOVER && !is_given(candidate))
		return refuse(BAD_REQUEST, text,
			      "Failover could be performed only to a specific candidate");
	if (ret->type == CMD_SWITCHOVER && !is_given(leader))
		return refuse(BAD_REQUEST, text,
			      "Switchover could be performed only from a specific leader");
	code = check_schedule(in, json_object_get(in->doc, "scheduled_at"), ret, text);
	if (code != ACCEPT)
		return code;
	if (in->paused && !is_given(candidate))
		return refuse(BAD_REQUEST, text,
			      "Switchover is possible only to a specific candidate in a paused "
			      "state");
	/* A failover that names the leader is a switchover. */
	if (is_given(leader))
		ret->type = CMD_SWITCHOVER;
	if (is_given(leader) && json_equal(leader, candidate))
		return refuse(BAD_REQUEST, text, "Switchover target and source are the same");
	return copy_names(leader, candidate, ret, text);
}

static int fill_seal(const struct request_in *in, struct command *ret, struct buf *text)
{
	const char *scope = jtext_string(in->doc, "scope");
	const char *candidate = jtext_string(in->doc, "candidate");

	ret->ballot = json_integer_value(json_object_get(in->doc, "ballot"));
	if (ret->ballot <= 0 || !scope || !candidate ||
	    str_copy(ret->scope, sizeof(ret->scope), scope) < 0 ||
	    record_name_check(candidate, false, NULL) < 0 ||
	    str_copy(ret->candidate, sizeof(ret->candidate), candidate) < 0)
		return refuse(BAD_REQUEST, text, "scope, candidate and ballot are needed");
	return ACCEPT;
}

static int fill_failsafe(const struct request_in *in, struct command *ret, struct buf *text)
{
	_cleanup_(freep) char *json = jtext_print(in->doc, JTEXT_COMPACT);
	struct failsafe_question question;
	struct err err = { 0 };

	if (record_question_parse(json, strlen(json), &question, &err) < 0)
		return refuse(BAD_REQUEST, text, err.msg);
	ret->json = TAKE(json);
	return ACCEPT;
}

static int add_if(const json_t *value, struct command *ret, struct buf *text)
{
	const char *words = json_string_value(value);
	struct err err = { 0 };

	if (!words)
		return refuse(BAD_REQUEST, text, "\"if\" is a text, or a list of texts");
	if (ret->nifs == WHATIFS_MAX) {
		buf_printf(text, "more than %d suppositions at once", WHATIFS_MAX);
		return BAD_REQUEST;
	}
	if (whatif_parse(words, &ret->ifs[ret->nifs++], &err) < 0)
		return refuse(BAD_REQUEST, text, err.msg);
	return ACCEPT;
}

static int fill_explain(const struct request_in *in, struct command *ret, struct buf *text)
{
	const json_t *ifs = json_object_get(in->doc, "if");
	int code = ACCEPT;

	if (!ifs)
		return ACCEPT;
	if (!json_is_array(ifs))
		return add_if(ifs, ret, text);
	for (size_t i = 0; i < json_array_size(ifs) && code == ACCEPT; i++)
		code = add_if(json_array_get(ifs, i), ret, text);
	return code;
}

/* clang-format off */
static const struct {
	enum command_type type;
	command_fn fill;
} commands[ROUTE__MAX] = {
	[ROUTE_PATCH_CONFIG]      = { CMD_PATCH_CONFIG,      fill_config },
	[ROUTE_PUT_CONFIG]        = { CMD_PUT_CONFIG,        fill_config },
	[ROUTE_RELOAD]            = { CMD_RELOAD,            fill_nothing },
	[ROUTE_RESTART]           = { CMD_RESTART,           fill_restart },
	[ROUTE_DELETE_RESTART]    = { CMD_DELETE_RESTART,    fill_nothing },
	[ROUTE_REINITIALIZE]      = { CMD_REINIT,            fill_reinit },
	[ROUTE_SWITCHOVER]        = { CMD_SWITCHOVER,        fill_handover },
	[ROUTE_DELETE_SWITCHOVER] = { CMD_DELETE_SWITCHOVER, fill_nothing },
	[ROUTE_FAILOVER]          = { CMD_FAILOVER,          fill_handover },
	[ROUTE_ASK_FAILSAFE]      = { CMD_FAILSAFE,          fill_failsafe },
	[ROUTE_SEAL]              = { CMD_SEAL,              fill_seal },
	[ROUTE_DCS_ACCEPT]        = { CMD_ACCEPT_STORE,      fill_nothing },
	[ROUTE_EXPLAIN]           = { CMD_EXPLAIN,           fill_explain },
	[ROUTE_DOCTOR]            = { CMD_DOCTOR,            fill_nothing },
	[ROUTE_RECORDER]          = { CMD_RECORDER,          fill_nothing },
};
/* clang-format on */

static int read_body(enum restroute_body rule, bool has_body, const char *body, size_t len,
		     json_t **ret_doc, struct buf *text)
{
	struct err err = { 0 };

	if (rule == BODY_IGNORED || (rule == BODY_OPTIONAL && (!has_body || len == 0))) {
		*ret_doc = json_object();
		return ACCEPT;
	}
	if (!has_body)
		return refuse(LENGTH_REQUIRED, text, "the request needs a body and Content-Length");
	if (jtext_load_object(body, len, ret_doc, &err) < 0) {
		buf_printf(text, "the body is no JSON object: %s", err.msg);
		return BAD_REQUEST;
	}
	if (rule == BODY_REQUIRED && json_object_size(*ret_doc) == 0)
		return refuse(BAD_REQUEST, text, "the body is an empty object");
	return ACCEPT;
}

int restmsg_command(const char *method, const char *path, bool has_body, const char *body,
		    size_t len, bool paused, int64_t now_wall_us, struct command *ret,
		    struct buf *ret_text)
{
	const struct restroute *route = restroute_find(method, path);
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct request_in in = { .paused = paused, .now_wall_us = now_wall_us };
	int code;

	*ret = (struct command){ 0 };
	if (!route || !commands[route->id].fill) {
		buf_printf(ret_text, "Unsupported method ('%s')", method);
		return NOT_IMPLEMENTED;
	}
	code = read_body(route->body, has_body, body, len, &doc, ret_text);
	if (code != ACCEPT)
		return code;
	in.doc = doc;
	ret->type = commands[route->id].type;
	code = commands[route->id].fill(&in, ret, ret_text);
	if (code != ACCEPT) {
		command_done(ret);
		*ret = (struct command){ 0 };
	}
	return code;
}
