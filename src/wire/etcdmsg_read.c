/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdmsg_read - what etcd answers, into structs
 *
 * Strict about types, because a field of the wrong type means that something else than etcd
 * answers there; lenient about absence, because the gateway leaves out zeros. Three error forms
 * are known: 3.4 and 3.5 {"error":"text","message":"text","code":5}, 3.6 {"code":5,"message":
 * "text"}, and in streams {"error":{"grpc_code":5,"message":"text"}} or {"error":{"code":5,...}}.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/parse.h"
#include "wire/b64.h"
#include "wire/etcdmsg.h"
#include "wire/jtext.h"

/* google.rpc.Code */
enum grpc_code {
	GRPC_UNKNOWN = 2,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16,
};

static void kv_done(struct etcd_kv *kv)
{
	free(TAKE(kv->key));
	free(TAKE(kv->value));
}

void etcd_kvs_done(struct etcd_kvs *kvs)
{
	if (!kvs)
		return;
	for (size_t i = 0; i < kvs->n; i++)
		kv_done(&kvs->items[i]);
	free(TAKE(kvs->items));
	kvs->n = 0;
}

void etcd_rep_done(struct etcd_rep *rep)
{
	if (rep)
		etcd_kvs_done(&rep->kvs);
}

void etcd_watch_msg_done(struct etcd_watch_msg *msg)
{
	if (msg)
		etcd_kvs_done(&msg->events);
}

void etcd_members_done(struct etcd_members *members)
{
	if (!members)
		return;
	for (uint32_t i = 0; i < members->n; i++)
		free(TAKE(members->urls[i]));
	members->n = 0;
}

static int wrong_type(struct err *err, const char *key)
{
	return err_set(err, ERR_PROTOCOL, "etcd: '%s' has the wrong type", key);
}

static int get_int(const json_t *object, const char *key, int64_t *ret, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (value && !jtext_int(value, ret))
		return wrong_type(err, key);
	return 0;
}

static int get_uint(const json_t *object, const char *key, uint64_t *ret, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return 0;
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*ret = (uint64_t)json_integer_value(value);
		return 0;
	}
	if (!json_is_string(value) ||
	    parse_uint(json_string_value(value), UINT64_MAX, ret, NULL) < 0)
		return wrong_type(err, key);
	return 0;
}

static int get_bool(const json_t *object, const char *key, bool *ret, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_boolean(value))
		return wrong_type(err, key);
	*ret = json_is_true(value);
	return 0;
}

/* An object or array of that name; *ret NULL when absent. */
static int get_nested(const json_t *object, const char *key, json_type type, json_t **ret,
		      struct err *err)
{
	*ret = json_object_get(object, key);
	if (*ret && json_typeof(*ret) != type)
		return wrong_type(err, key);
	return 0;
}

/* The text that an answer was read from: long values are not copied out of it. */
struct source {
	const char *text;
	size_t len;
};

static int get_bytes(const struct source *from, const json_t *object, const char *key,
		     struct buf *ret, struct err *err)
{
	const json_t *value = json_object_get(object, key);
	const char *text;
	size_t len;

	if (!value)
		return 0;
	if (!json_is_string(value))
		return wrong_type(err, key);
	text = jtext_long(value, from->text, from->len, &len);
	if (b64_decode(text, len, ret, NULL) < 0)
		return err_set(err, ERR_PROTOCOL, "etcd: '%s' is no base64", key);
	return 0;
}

static int read_kv_numbers(const json_t *object, struct etcd_kv *kv, struct err *err)
{
	int r;

	r = get_int(object, "create_revision", &kv->create_revision, err);
	if (r < 0)
		return r;
	r = get_int(object, "mod_revision", &kv->mod_revision, err);
	if (r < 0)
		return r;
	return get_int(object, "lease", &kv->lease_id, err);
}

/* Appends one key to *kvs. */
static int read_kv(const struct source *from, const json_t *object, bool deleted,
		   struct etcd_kvs *kvs, struct err *err)
{
	_cleanup_(buf_done) struct buf key = { 0 };
	_cleanup_(buf_done) struct buf value = { 0 };
	struct etcd_kv kv = { .deleted = deleted };
	int r;

	if (!json_is_object(object))
		return wrong_type(err, "kv");
	r = read_kv_numbers(object, &kv, err);
	if (r < 0)
		return r;
	r = get_bytes(from, object, "key", &key, err);
	if (r < 0)
		return r;
	r = get_bytes(from, object, "value", &value, err);
	if (r < 0)
		return r;
	if (key.len == 0)
		return err_set(err, ERR_PROTOCOL, "etcd: a key without a name");
	if (memchr(key.data, 0, key.len))
		return 0;
	kv.key = buf_take(&key);
	if (!deleted) {
		value.len = MIN_OF(value.len, (size_t)ETCD_VALUE_MAX);
		kv.len = value.len;
		kv.value = buf_take(&value);
	}
	kvs->items = mem_grow(kvs->items, kvs->n + 1, sizeof(*kvs->items));
	kvs->items[kvs->n++] = kv;
	return 0;
}

static int read_kvs(const struct source *from, const json_t *object, struct etcd_kvs *kvs,
		    struct err *err)
{
	json_t *array;
	size_t i;
	json_t *item;
	int r;

	r = get_nested(object, "kvs", JSON_ARRAY, &array, err);
	if (r < 0)
		return r;
	json_array_foreach(array, i, item) {
		r = read_kv(from, item, false, kvs, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_header(const json_t *object, struct etcd_rep *rep, struct err *err)
{
	json_t *header;
	int r;

	r = get_nested(object, "header", JSON_OBJECT, &header, err);
	if (r < 0)
		return r;
	r = get_uint(header, "cluster_id", &rep->cluster_id, err);
	if (r < 0)
		return r;
	r = get_uint(header, "member_id", &rep->member_id, err);
	if (r < 0)
		return r;
	r = get_int(header, "revision", &rep->revision, err);
	if (r < 0)
		return r;
	r = get_uint(header, "raft_term", &rep->raft_term, err);
	if (r < 0)
		return r;
	if (rep->cluster_id == 0)
		return err_set(err, ERR_PROTOCOL, "an answer without etcd's header");
	return 0;
}

/* Code and text when the document is one of the error forms, else false. */
static bool find_error(const json_t *doc, int32_t *ret_code, const char **ret_text)
{
	const json_t *error = json_object_get(doc, "error");
	const json_t *from = json_is_object(error) ? error : doc;
	int64_t code = 0;

	if (!error && (json_object_get(doc, "header") || json_object_get(doc, "result") ||
		       !json_object_get(doc, "code")))
		return false;
	if (!jtext_int(json_object_get(from, "code"), &code))
		(void)jtext_int(json_object_get(from, "grpc_code"), &code);
	*ret_code = code > 0 && code <= INT32_MAX ? (int32_t)code : GRPC_UNKNOWN;
	*ret_text = jtext_string(from, "message");
	if (!*ret_text)
		*ret_text = json_is_string(error) ? json_string_value(error) : "no text";
	return true;
}

static int read_range(const struct source *from, const json_t *doc, struct etcd_rep *rep,
		      struct err *err)
{
	if (rep->revision <= 0)
		return err_set(err, ERR_PROTOCOL, "etcd: an answer without a revision");
	return read_kvs(from, doc, &rep->kvs, err);
}

static int read_txn(const struct source *from, const json_t *doc, struct etcd_rep *rep,
		    struct err *err)
{
	json_t *responses;
	json_t *item;
	size_t i;
	int r;

	if (rep->revision <= 0)
		return err_set(err, ERR_PROTOCOL, "etcd: an answer without a revision");
	r = get_bool(doc, "succeeded", &rep->succeeded, err);
	if (r < 0)
		return r;
	r = get_nested(doc, "responses", JSON_ARRAY, &responses, err);
	if (r < 0)
		return r;
	json_array_foreach(responses, i, item) {
		json_t *range;

		if (!json_is_object(item))
			return wrong_type(err, "responses");
		r = get_nested(item, "response_range", JSON_OBJECT, &range, err);
		if (r < 0)
			return r;
		r = read_kvs(from, range, &rep->kvs, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_lease(const json_t *doc, struct etcd_rep *rep, struct err *err)
{
	int r;

	r = get_int(doc, "ID", &rep->lease_id, err);
	if (r < 0)
		return r;
	r = get_int(doc, "TTL", &rep->ttl_s, err);
	if (r < 0)
		return r;
	if (rep->op == ETCD_GRANT && (rep->lease_id == 0 || rep->ttl_s <= 0))
		return err_set(err, ERR_PROTOCOL, "etcd: a grant without a lease");
	if (rep->ttl_s < 0)
		rep->ttl_s = 0;
	return 0;
}

static int read_answer(const struct source *from, json_t *doc, struct etcd_rep *rep,
		       struct err *err)
{
	int r;

	if (rep->op == ETCD_KEEPALIVE) {
		r = get_nested(doc, "result", JSON_OBJECT, &doc, err);
		if (r < 0)
			return r;
	}
	r = read_header(doc, rep, err);
	if (r < 0)
		return r;
	switch (rep->op) {
	case ETCD_RANGE:
		return read_range(from, doc, rep, err);
	case ETCD_TXN:
		return read_txn(from, doc, rep, err);
	case ETCD_GRANT:
	case ETCD_KEEPALIVE:
		return read_lease(doc, rep, err);
	case ETCD_REVOKE:
		return 0;
	case ETCD_OP__MAX:
		break;
	}
	return -ERR_STATE;
}

/* The body as an object; *ret is set also when it is an error of etcd. Its long strings are for
 * jtext_long(). */
static int load(const char *body, size_t len, json_t **ret, struct err *err)
{
	if (len > ETCD_BODY_MAX)
		return err_set(err, ERR_PROTOCOL, "etcd: an answer of %zu bytes", len);
	if (jtext_load_long(body, len, ret, err) < 0) {
		if (err)
			err->code = ERR_PROTOCOL;
		(void)err_wrap(err, "etcd answered");
		return -ERR_PROTOCOL;
	}
	return 0;
}

int etcdmsg_parse(enum etcd_op op, int http_status, const char *body, size_t len,
		  struct etcd_rep *rep, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	const struct source from = { body, len };
	const char *text;
	int r;

	assert(op < ETCD_OP__MAX);
	*rep = (struct etcd_rep){ .op = op };
	r = load(body, len, &doc, err);
	if (r < 0 && http_status != 200)
		return err_set(err, ERR_PROTOCOL, "HTTP status %d, not from etcd", http_status);
	if (r < 0)
		return r;
	if (find_error(doc, &rep->error_code, &text)) {
		str_clip(rep->error_text, sizeof(rep->error_text), text);
		return 0;
	}
	if (http_status != 200)
		return err_set(err, ERR_PROTOCOL, "HTTP status %d, not from etcd", http_status);
	return read_answer(&from, doc, rep, err);
}

static int read_events(const struct source *from, const json_t *result, struct etcd_kvs *events,
		       struct err *err)
{
	json_t *array;
	json_t *item;
	size_t i;
	int r;

	r = get_nested(result, "events", JSON_ARRAY, &array, err);
	if (r < 0)
		return r;
	json_array_foreach(array, i, item) {
		const json_t *type = json_object_get(item, "type");
		bool deleted = str_eq(json_string_value(type), "DELETE");

		if (type && !deleted && !str_eq(json_string_value(type), "PUT"))
			return wrong_type(err, "type");
		r = read_kv(from, json_object_get(item, "kv"), deleted, events, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_watch(const struct source *from, const json_t *result, struct etcd_watch_msg *msg,
		      struct err *err)
{
	struct etcd_rep rep = { 0 };
	const char *reason;
	int r;

	r = read_header(result, &rep, err);
	if (r < 0)
		return r;
	msg->cluster_id = rep.cluster_id;
	msg->revision = rep.revision;
	msg->raft_term = rep.raft_term;
	r = get_bool(result, "created", &msg->created, err);
	if (r < 0)
		return r;
	r = get_bool(result, "canceled", &msg->canceled, err);
	if (r < 0)
		return r;
	r = get_int(result, "compact_revision", &msg->compact_revision, err);
	if (r < 0)
		return r;
	reason = jtext_string(result, "cancel_reason");
	str_clip(msg->cancel_reason, sizeof(msg->cancel_reason), reason ? reason : "");
	return read_events(from, result, &msg->events, err);
}

/* An error of etcd where none is an answer. */
static int fail_with(int32_t code, const char *text, struct err *err)
{
	if (code == GRPC_UNAVAILABLE)
		return err_set(err, ERR_CONNECT, "etcd: %s (code %d)", text, code);
	if (code == GRPC_UNAUTHENTICATED || code == GRPC_PERMISSION_DENIED ||
	    strstr(text, "user name is empty") || strstr(text, "auth store") ||
	    strstr(text, "authentication failed"))
		return err_set(err, ERR_DENIED, "etcd: %s (code %d)", text, code);
	return err_set(err, ERR_PROTOCOL, "etcd: %s (code %d)", text, code);
}

static int read_document(const struct source *from, struct etcd_watch_msg *msg, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	const char *text;
	int32_t code;
	json_t *result;
	int r;

	r = load(from->text, from->len, &doc, err);
	if (r < 0)
		return r;
	if (find_error(doc, &code, &text))
		return fail_with(code, text, err);
	r = get_nested(doc, "result", JSON_OBJECT, &result, err);
	if (r < 0)
		return r;
	return read_watch(from, result, msg, err);
}

int etcdmsg_parse_watch(struct buf *stream, struct etcd_watch_msg *msg, struct err *err)
{
	struct source from;
	size_t begin;
	size_t end;
	int r;

	*msg = (struct etcd_watch_msg){ 0 };
	r = jtext_document(stream->data, stream->len, &begin, &end, err);
	if (r == JTEXT_MORE && stream->len <= ETCD_BODY_MAX)
		return ETCDMSG_MORE;
	if (r == JTEXT_MORE)
		return err_set(err, ERR_PROTOCOL, "etcd: a watch answer without an end");
	if (r < 0)
		return err_set(err, ERR_PROTOCOL, "etcd: the watch answers no JSON objects");
	from = (struct source){ stream->data + begin, end - begin };
	r = read_document(&from, msg, err);
	buf_consume(stream, end);
	if (r < 0)
		etcd_watch_msg_done(msg);
	return r;
}

/* "3.4.23" or "3.6.0-rc.1"; ret stays zero for "not_decided". */
static void read_version(const char *text, int32_t ret[3])
{
	int32_t parts[3] = { 0 };
	size_t n = 0;

	while (text && n < 3 && *text >= '0' && *text <= '9') {
		while (*text >= '0' && *text <= '9' && parts[n] < 100000)
			parts[n] = parts[n] * 10 + (*text++ - '0');
		n++;
		if (*text != '.')
			break;
		text++;
	}
	if (n == 3)
		memcpy(ret, parts, sizeof(parts));
}

int etcdmsg_parse_version(const char *body, size_t len, struct etcd_version *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct etcd_version version = { 0 };
	int r;

	r = load(body, len, &doc, err);
	if (r < 0)
		return r;
	read_version(jtext_string(doc, "etcdserver"), version.server);
	read_version(jtext_string(doc, "etcdcluster"), version.cluster);
	if (version.server[0] <= 0)
		return err_set(err, ERR_PROTOCOL, "no version of etcd in the answer");
	*ret = version;
	return 0;
}

bool etcdmsg_version_fixed(const struct etcd_version *version)
{
	const int32_t *v = version->server;

	if (v[0] != 3)
		return v[0] > 3;
	if (v[1] == 4)
		return v[2] >= 31;
	return v[1] == 5 ? v[2] >= 13 : v[1] > 5;
}

static void add_urls(struct etcd_members *members, const json_t *member)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(member, "clientURLs"), i, item) {
		const char *url = json_string_value(item);

		if (members->n == ARRAY_LEN(members->urls))
			return;
		if (url && (str_starts(url, "http://") || str_starts(url, "https://")))
			members->urls[members->n++] = str_dup(url);
	}
}

int etcdmsg_parse_members(const char *body, size_t len, struct etcd_members *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct etcd_members members = { 0 };
	struct etcd_rep rep = { 0 };
	const char *text;
	int32_t code;
	json_t *array;
	json_t *item;
	size_t i;
	int r;

	r = load(body, len, &doc, err);
	if (r < 0)
		return r;
	if (find_error(doc, &code, &text))
		return fail_with(code, text, err);
	r = read_header(doc, &rep, err);
	if (r < 0)
		return r;
	r = get_nested(doc, "members", JSON_ARRAY, &array, err);
	if (r < 0)
		return r;
	members.cluster_id = rep.cluster_id;
	if (json_array_size(array) == 0 || json_array_size(array) > ARRAY_LEN(members.urls))
		return err_set(err, ERR_PROTOCOL, "etcd: a list of %zu members",
			       json_array_size(array));
	json_array_foreach(array, i, item)
		add_urls(&members, item);
	members.nmembers = (uint32_t)json_array_size(array);
	*ret = members;
	return 0;
}

int etcdmsg_parse_auth(int http_status, const char *body, size_t len, char **ret_token,
		       struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	const json_t *token;
	size_t token_len = 0;
	const char *text;
	int32_t code;
	int r;

	*ret_token = NULL;
	r = load(body, len, &doc, err);
	if (r < 0 && http_status != 200)
		return err_set(err, ERR_PROTOCOL, "HTTP status %d, not from etcd", http_status);
	if (r < 0)
		return r;
	if (find_error(doc, &code, &text)) {
		if (code == GRPC_FAILED_PRECONDITION && strstr(text, "not enabled"))
			return ETCDMSG_AUTH_OFF;
		return fail_with(code, text, err);
	}
	token = json_object_get(doc, "token");
	text = json_is_string(token) ? jtext_long(token, body, len, &token_len) : NULL;
	if (http_status != 200 || !text || !*text)
		return err_set(err, ERR_PROTOCOL, "etcd: a login without a token, HTTP status %d",
			       http_status);
	*ret_token = str_ndup(text, token_len);
	return 0;
}
