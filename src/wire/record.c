/* SPDX-License-Identifier: PostgreSQL */
/*
 * record - the cluster's keys <-> structs
 *
 * The small keys. Member keys, the largest, are in record_member.c.
 */
#include "wire/record.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/parse.h"
#include "base/str.h"
#include "wire/jtext.h"

#define SYSID_DIGITS_MIN 10

void record_quote(struct buf *out, const char *text)
{
	jtext_add_string(out, text, strlen(text));
}

static int in_key(int r, struct err *err, const char *key)
{
	(void)err_wrap(err, "key '%s'", key);
	return r;
}

enum init_key record_init_parse(const char *text, size_t len, char sysid[SYSID_SIZE])
{
	char copy[SYSID_SIZE];
	uint64_t number;

	if (len == 0)
		return INIT_PENDING;
	if (len < SYSID_DIGITS_MIN || len >= SYSID_SIZE)
		return INIT_GARBAGE;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (strspn(copy, "0123456789") != len || parse_uint(copy, UINT64_MAX, &number, NULL) < 0)
		return INIT_GARBAGE;
	memcpy(sysid, copy, len + 1);
	return INIT_SET;
}

static bool is_strict_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

int record_name_check(const char *name, bool strict, struct err *err)
{
	size_t len = name ? strlen(name) : 0;
	uint32_t code = 0;

	if (len == 0 || len >= NAME_SIZE)
		return err_set(err, ERR_RANGE, "a member name has 1 to %d bytes, not %zu",
			       NAME_SIZE - 1, len);
	for (size_t i = 0; i < len;) {
		size_t n = jtext_utf8(name + i, len - i, &code);

		if (n == 0 || code < 0x20 || code == 0x7f || code == '/')
			return err_set(err, ERR_PARSE,
				       "member name with a slash, control "
				       "character or bytes that are no UTF-8");
		if (strict && !is_strict_char(name[i]))
			return err_set(err, ERR_PARSE,
				       "member name '%s': only letters, digits, '.', '_' and '-'",
				       name);
		i += n;
	}
	return 0;
}

/* A name in a document: absent and null are "". */
static int get_name(const json_t *object, const char *key, char dst[NAME_SIZE], struct err *err)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);
	int r;

	dst[0] = 0;
	if (!value || json_is_null(value) || (text && !*text))
		return 0;
	if (!text)
		return err_set(err, ERR_PARSE, "'%s' is no text", key);
	r = record_name_check(text, false, err);
	if (r < 0)
		return in_key(r, err, key);
	return str_copy(dst, NAME_SIZE, text) < 0 ? err_set(err, ERR_TOOLONG, "'%s'", key) : 0;
}

static int get_int(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret,
		   struct err *err)
{
	const json_t *value = json_object_get(object, key);
	int64_t number;

	if (!value || json_is_null(value))
		return 0;
	if (!jtext_int(value, &number) || number < min || number > max)
		return err_set(err, ERR_PARSE, "'%s' is no number between %" PRId64 " and %" PRId64,
			       key, min, max);
	*ret = number;
	return 0;
}

void record_status_print(const struct status_key *status, struct buf *out)
{
	buf_printf(out, "{\"optime\":%" PRIu64, status->optime_lsn);
	for (uint32_t i = 0; i < status->nslots; i++) {
		buf_str(out, i == 0 ? ",\"slots\":{" : ",");
		jtext_add_string(out, status->slots[i].name, strlen(status->slots[i].name));
		buf_printf(out, ":%" PRIu64, status->slots[i].lsn);
	}
	buf_str(out, status->nslots > 0 ? "}" : "");
	for (uint32_t i = 0; i < status->nretain; i++) {
		buf_str(out, i == 0 ? ",\"retain_slots\":[" : ",");
		jtext_add_string(out, status->retain[i], strlen(status->retain[i]));
	}
	buf_str(out, status->nretain > 0 ? "]}" : "}");
}

char *record_status_text(const struct status_key *status)
{
	struct buf out = { 0 };

	record_status_print(status, &out);
	return buf_take(&out);
}

/* Part of `status`: an object or array, or text that holds one (contract 1.6). NULL: absent or
 * neither, which Patroni reads as absent too. */
static json_t *load_part(const json_t *doc, const char *key, json_type type)
{
	json_t *part = json_object_get(doc, key);
	json_t *inner = NULL;

	if (json_is_string(part)) {
		if (jtext_load(json_string_value(part), json_string_length(part), &inner, NULL) < 0)
			return NULL;
		part = inner;
	} else {
		json_incref(part);
	}
	if (part && json_typeof(part) != type) {
		json_decref(part);
		return NULL;
	}
	return part;
}

void record_slots_parse(const void *object, struct status_key *status)
{
	const json_t *doc = object;
	_cleanup_(jtext_unrefp) json_t *slots = load_part(doc, "slots", JSON_OBJECT);
	const char *name;
	json_t *value;

	json_object_foreach(slots, name, value) {
		struct slot_pos *slot = &status->slots[status->nslots];
		int64_t lsn;

		if (status->nslots == SLOTS_MAX)
			return;
		if (!jtext_int(value, &lsn) || lsn < 0 || !*name ||
		    str_copy(slot->name, sizeof(slot->name), name) < 0)
			continue;
		slot->lsn = (uint64_t)lsn;
		status->nslots++;
	}
}

static void read_retain(const json_t *doc, struct status_key *status)
{
	_cleanup_(jtext_unrefp) json_t *retain = load_part(doc, "retain_slots", JSON_ARRAY);
	json_t *value;
	size_t i;

	json_array_foreach(retain, i, value) {
		const char *name = json_string_value(value);

		if (status->nretain == SLOTS_MAX)
			return;
		if (str_copy(status->retain[status->nretain], NAME_SIZE, name) > 0)
			status->nretain++;
	}
}

int record_status_parse(const char *text, size_t len, struct status_key *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	int64_t optime = 0;
	int r;

	r = jtext_load(text, len, &doc, err);
	if (r < 0)
		return in_key(r, err, "status");
	if (json_is_object(doc))
		r = get_int(doc, "optime", 0, INT64_MAX, &optime, err);
	else if (!json_is_integer(doc) || (optime = json_integer_value(doc)) < 0)
		r = err_set(err, ERR_PARSE, "neither an object nor a position");
	if (r < 0)
		return in_key(r, err, "status");
	*ret = (struct status_key){ .optime_lsn = (uint64_t)optime };
	record_slots_parse(doc, ret);
	read_retain(doc, ret);
	return 0;
}

/* Left out when empty. */
static void add_text(struct buf *out, const char *key, const char *value)
{
	if (*value)
		jtext_add_field(out, key, value, JTEXT_COMPACT);
}

char *record_request_text(const struct request *request)
{
	struct buf out = { 0 };
	char at[ISO_TEXT_MAX];

	buf_ch(&out, '{');
	if (request->present) {
		add_text(&out, "leader", request->leader);
		add_text(&out, "member", request->candidate);
		if (request->scheduled_at_us != 0)
			add_text(&out, "scheduled_at",
				 record_iso_zoned(request->scheduled_at_us,
						  request->scheduled_offset_min, at));
	}
	buf_ch(&out, '}');
	return buf_take(&out);
}

/* "leader:candidate" of Patroni before 1.0: either may be empty. */
static int parse_old_request(const char *text, size_t len, struct request *ret, struct err *err)
{
	const char *colon = len < 2 * NAME_SIZE ? memchr(text, ':', len) : NULL;
	char leader[2 * NAME_SIZE] = "";
	char *candidate;

	if (!colon)
		return err_set(err, ERR_PARSE, "neither JSON nor 'leader:candidate'");
	memcpy(leader, text, len);
	leader[colon - text] = 0;
	candidate = leader + (colon - text) + 1;
	if ((*leader && record_name_check(leader, true, NULL) < 0) ||
	    (*candidate && record_name_check(candidate, true, NULL) < 0) ||
	    strlen(candidate) != len - (size_t)(colon - text) - 1)
		return err_set(err, ERR_PARSE, "neither JSON nor 'leader:candidate'");
	*ret = (struct request){ .present = *leader || *candidate };
	(void)str_copy(ret->leader, sizeof(ret->leader), leader);
	(void)str_copy(ret->candidate, sizeof(ret->candidate), candidate);
	return 0;
}

static int read_schedule(const json_t *doc, struct request *ret, struct err *err)
{
	const json_t *value = json_object_get(doc, "scheduled_at");
	const char *text = json_string_value(value);
	bool has_zone = false;
	int r;

	if (!value || json_is_null(value) || (text && !*text))
		return 0;
	if (!text)
		return err_set(err, ERR_PARSE, "'scheduled_at' is no text");
	r = parse_time_us(text, &ret->scheduled_at_us, &has_zone, err);
	if (r < 0)
		return in_key(r, err, "scheduled_at");
	/* 0 stands for "now" in struct request: nobody schedules for the year 1970. */
	if (!has_zone || ret->scheduled_at_us <= 0)
		return err_set(err, ERR_PARSE, "'scheduled_at' '%s' without a time zone", text);
	ret->scheduled_offset_min = parse_time_offset_min(text);
	return 0;
}

int record_request_parse(const char *text, size_t len, struct request *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct request request = { 0 };
	int r;

	if (len == 0) {
		*ret = request;
		return 0;
	}
	if (jtext_load(text, len, &doc, NULL) < 0) {
		r = parse_old_request(text, len, ret, err);
		return r < 0 ? in_key(r, err, "failover") : 0;
	}
	if (!json_is_object(doc))
		return err_set(err, ERR_PARSE, "key 'failover' holds no object");
	r = get_name(doc, "leader", request.leader, err);
	if (r < 0)
		return in_key(r, err, "failover");
	r = get_name(doc, "member", request.candidate, err);
	if (r < 0)
		return in_key(r, err, "failover");
	r = read_schedule(doc, &request, err);
	if (r < 0)
		return in_key(r, err, "failover");
	request.present = request.leader[0] || request.candidate[0];
	if (!request.present)
		request.scheduled_at_us = 0;
	*ret = request;
	return 0;
}

/* One name of the comma list, blanks around it stripped; an empty part is skipped. */
static int add_standby(struct sync_key *sync, const char *part, size_t len, struct err *err)
{
	char *name;

	while (len > 0 && part[0] == ' ')
		part++, len--;
	while (len > 0 && part[len - 1] == ' ')
		len--;
	if (len == 0)
		return 0;
	if (sync->nstandbys == MEMBERS_MAX)
		return err_set(err, ERR_RANGE, "more than %d standbys", MEMBERS_MAX);
	if (len >= NAME_SIZE)
		return err_set(err, ERR_RANGE, "a name of %zu bytes", len);
	name = sync->standbys[sync->nstandbys++];
	memcpy(name, part, len);
	name[len] = 0;
	return record_name_check(name, false, err);
}

static int read_standbys(const json_t *doc, struct sync_key *sync, struct err *err)
{
	const json_t *value = json_object_get(doc, "sync_standby");
	const char *list = json_string_value(value);
	int r;

	if (!value || json_is_null(value))
		return 0;
	if (!list)
		return err_set(err, ERR_PARSE, "'sync_standby' is no text");
	for (const char *part = list; part;) {
		const char *comma = strchr(part, ',');

		r = add_standby(sync, part, comma ? (size_t)(comma - part) : strlen(part), err);
		if (r < 0)
			return in_key(r, err, "sync_standby");
		part = comma ? comma + 1 : NULL;
	}
	return 0;
}

int record_sync_parse(const char *text, size_t len, struct sync_key *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct sync_key sync = { 0 };
	int64_t quorum = 0;
	int r;

	r = jtext_load_object(text, len, &doc, err);
	if (r < 0)
		return in_key(r, err, "sync");
	r = get_name(doc, "leader", sync.leader, err);
	if (r < 0)
		return in_key(r, err, "sync");
	if (!sync.leader[0]) {
		*ret = (struct sync_key){ 0 };
		return 0;
	}
	r = get_int(doc, "quorum", 0, MEMBERS_MAX, &quorum, err);
	if (r < 0)
		return in_key(r, err, "sync");
	r = read_standbys(doc, &sync, err);
	if (r < 0)
		return in_key(r, err, "sync");
	sync.present = true;
	sync.quorum = (int32_t)quorum;
	*ret = sync;
	return 0;
}

char *record_release_text(const struct release *release)
{
	struct buf out = { 0 };

	buf_ch(&out, '{');
	add_text(&out, "from", release->from);
	add_text(&out, "to", release->to);
	jtext_add_key(&out, "epoch", JTEXT_COMPACT);
	buf_printf(&out, "%" PRId64 ",\"lsn\":%" PRIu64 ",\"timeline\":%" PRIu32 "}",
		   release->epoch, release->lsn, release->timeline);
	return buf_take(&out);
}

int record_release_parse(const char *text, size_t len, struct release *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct release release = { .present = true };
	int64_t timeline = 0;
	int64_t lsn = 0;
	int r;

	r = jtext_load_object(text, len, &doc, err);
	if (r >= 0)
		r = get_name(doc, "from", release.from, err);
	if (r >= 0)
		r = get_name(doc, "to", release.to, err);
	if (r >= 0)
		r = get_int(doc, "epoch", 1, INT64_MAX, &release.epoch, err);
	if (r >= 0)
		r = get_int(doc, "lsn", 0, INT64_MAX, &lsn, err);
	if (r >= 0)
		r = get_int(doc, "timeline", 0, UINT32_MAX, &timeline, err);
	if (r >= 0 && (!release.from[0] || release.epoch == 0))
		r = err_set(err, ERR_PARSE, "without 'from' or 'epoch'");
	if (r < 0)
		return in_key(r, err, "pgha/release");
	release.lsn = (uint64_t)lsn;
	release.timeline = (uint32_t)timeline;
	*ret = release;
	return 0;
}

char *record_beat_text(const struct beat *beat)
{
	struct buf out = { 0 };

	buf_printf(&out, "{\"epoch\":%" PRId64 ",\"sequence\":%" PRIu64 ",\"ttl_ms\":%" PRId64,
		   beat->epoch, beat->sequence, beat->ttl_ms);
	add_text(&out, "instance", beat->instance);
	buf_ch(&out, '}');
	return buf_take(&out);
}

int record_beat_parse(const char *text, size_t len, struct beat *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct beat beat = { .epoch = -1 };
	int64_t sequence = -1;
	int r;

	r = jtext_load_object(text, len, &doc, err);
	if (r >= 0)
		r = get_int(doc, "epoch", 0, INT64_MAX, &beat.epoch, err);
	if (r >= 0)
		r = get_int(doc, "sequence", 0, INT64_MAX, &sequence, err);
	if (r >= 0)
		r = get_int(doc, "ttl_ms", 0, INT32_MAX, &beat.ttl_ms, err);
	if (r >= 0 && (beat.epoch < 0 || sequence < 0))
		r = err_set(err, ERR_PARSE, "without 'epoch' or 'sequence'");
	if (r < 0)
		return in_key(r, err, "pgha/beat");
	beat.sequence = (uint64_t)sequence;
	*ret = beat;
	return 0;
}

char *record_begun_text(uint32_t timeline, const char *member, const char *instance)
{
	struct buf out = { 0 };

	buf_printf(&out, "{\"timeline\":%" PRIu32, timeline);
	add_text(&out, "member", member);
	add_text(&out, "instance", instance);
	buf_ch(&out, '}');
	return buf_take(&out);
}

int record_begun_parse(const char *text, size_t len, uint32_t *ret_timeline,
		       char ret_instance[NAME_SIZE], struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	char instance[NAME_SIZE] = "";
	int64_t timeline = 0;
	int r;

	r = jtext_load_object(text, len, &doc, err);
	if (r >= 0)
		r = get_int(doc, "timeline", 1, INT32_MAX, &timeline, err);
	if (r >= 0)
		r = get_name(doc, "instance", instance, err);
	if (r >= 0 && timeline == 0)
		r = err_set(err, ERR_PARSE, "without 'timeline'");
	if (r < 0)
		return in_key(r, err, "pgha/timeline");
	*ret_timeline = (uint32_t)timeline;
	str_clip(ret_instance, NAME_SIZE, instance);
	return 0;
}

size_t record_size_limit(const char *key)
{
	if (str_eq(key, "config") || str_eq(key, "history") || str_eq(key, "status"))
		return RECORD_CONFIG_MAX;
	return RECORD_SIZE_MAX;
}
