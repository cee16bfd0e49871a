/* SPDX-License-Identifier: PostgreSQL */
/*
 * etcdmsg - etcd v3 requests and replies <-> JSON of its HTTP gateway
 *
 * Requests and their ownership. Bodies are written straight into the buffer: base64 and numbers
 * need no escaping. What etcd answers is read in etcdmsg_read.c.
 */
#include "wire/etcdmsg.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "wire/b64.h"
#include "wire/jtext.h"

static char *keep_text(struct etcd_req *req, const char *text)
{
	size_t size = strlen(text) + 1;
	char *place = req->room + req->used;

	if (size > sizeof(req->room) - req->used)
		return str_dup(text);
	memcpy(place, text, size);
	req->used += (uint32_t)size;
	return place;
}

static void drop_text(const struct etcd_req *req, char **text)
{
	char *old = TAKE(*text);

	if ((uintptr_t)old - (uintptr_t)req->room >= sizeof(req->room))
		free(old);
}

void etcd_req_done(struct etcd_req *req)
{
	if (!req)
		return;
	for (size_t i = 0; i < ETCD_CMPS_MAX; i++)
		drop_text(req, &req->cmps[i].text);
	for (size_t i = 0; i < ETCD_OPS_MAX; i++) {
		drop_text(req, &req->then_ops[i].value);
		drop_text(req, &req->else_ops[i].value);
	}
	req->ncmps = req->nthen = req->nelse = req->used = 0;
}

void etcd_req_copy(struct etcd_req *dst, const struct etcd_req *src)
{
	*dst = *src;
	for (size_t i = 0; i < ETCD_CMPS_MAX; i++)
		dst->cmps[i].text = str_dup(src->cmps[i].text);
	for (size_t i = 0; i < ETCD_OPS_MAX; i++) {
		dst->then_ops[i].value = str_dup(src->then_ops[i].value);
		dst->else_ops[i].value = str_dup(src->else_ops[i].value);
	}
}

void etcd_req_init_txn(struct etcd_req *req, int64_t timeout_ms)
{
	*req = (struct etcd_req){ .op = ETCD_TXN, .timeout_ms = timeout_ms };
}

static void set_key(char dst[ETCD_KEY_SIZE], const char *key)
{
	int r = str_copy(dst, ETCD_KEY_SIZE, key);

	assert(r > 0);
}

static struct etcd_cmp *add_cmp(struct etcd_req *req, const char *key, enum etcd_target target)
{
	struct etcd_cmp *cmp;

	assert(req->ncmps < ETCD_CMPS_MAX);
	cmp = &req->cmps[req->ncmps++];
	*cmp = (struct etcd_cmp){ .target = target };
	set_key(cmp->key, key);
	return cmp;
}

void etcd_cmp_number(struct etcd_req *req, const char *key, enum etcd_target target, int64_t number)
{
	assert(target != ETCD_CMP_VALUE);
	add_cmp(req, key, target)->number = number;
}

void etcd_cmp_value(struct etcd_req *req, const char *key, const char *text)
{
	add_cmp(req, key, ETCD_CMP_VALUE)->text = keep_text(req, text ? text : "");
}

static struct etcd_txn_op *add_op(struct etcd_txn_op *ops, uint32_t *n, enum etcd_txn_op_type type,
				  const char *key)
{
	struct etcd_txn_op *op;

	assert(*n < ETCD_OPS_MAX);
	op = &ops[(*n)++];
	*op = (struct etcd_txn_op){ .type = type };
	set_key(op->key, key);
	return op;
}

void etcd_then_put(struct etcd_req *req, const char *key, const char *value, int64_t lease_id)
{
	struct etcd_txn_op *op = add_op(req->then_ops, &req->nthen, ETCD_PUT, key);

	op->value = keep_text(req, value ? value : "");
	op->lease_id = lease_id;
}

void etcd_then_delete(struct etcd_req *req, const char *key)
{
	add_op(req->then_ops, &req->nthen, ETCD_DELETE, key);
}

void etcd_else_get(struct etcd_req *req, const char *key)
{
	add_op(req->else_ops, &req->nelse, ETCD_GET, key);
}

const char *etcdmsg_path(enum etcd_op op)
{
	/* clang-format off */
	static const char *const paths[ETCD_OP__MAX] = {
		[ETCD_RANGE]     = "/kv/range",
		[ETCD_TXN]       = "/kv/txn",
		[ETCD_GRANT]     = "/lease/grant",
		[ETCD_KEEPALIVE] = "/lease/keepalive",
		[ETCD_REVOKE]    = "/lease/revoke",
	};
	/* clang-format on */

	assert(op < ETCD_OP__MAX);
	return paths[op];
}

static void add_b64(struct buf *body, const char *name, const char *data, size_t len)
{
	buf_printf(body, "\"%s\":\"", name);
	b64_encode(data, len, body);
	buf_ch(body, '"');
}

static void add_number(struct buf *body, const char *name, int64_t number)
{
	buf_printf(body, "\"%s\":\"%" PRId64 "\"", name, number);
}

/* "key" and, for everything that starts with it, "range_end": the key with its last byte one
 * higher. A byte 0xff cannot be raised; then the one before it is. */
static void add_key(struct buf *body, const char *key, bool prefix)
{
	size_t len = strlen(key);
	char end[ETCD_KEY_SIZE];

	add_b64(body, "key", key, len);
	if (!prefix)
		return;
	assert(len > 0 && len < sizeof(end));
	memcpy(end, key, len);
	while (len > 1 && (unsigned char)end[len - 1] == 0xff)
		len--;
	end[len - 1]++;
	buf_ch(body, ',');
	add_b64(body, "range_end", end, len);
}

static void add_compare(struct buf *body, const struct etcd_cmp *cmp)
{
	/* clang-format off */
	static const struct {
		const char *target;
		const char *field;
	} names[ETCD_CMP__MAX] = {
		[ETCD_CMP_CREATE] = { "CREATE", "create_revision" },
		[ETCD_CMP_MOD]    = { "MOD",    "mod_revision" },
		[ETCD_CMP_VALUE]  = { "VALUE",  "value" },
		[ETCD_CMP_LEASE]  = { "LEASE",  "lease" },
	};
	/* clang-format on */

	buf_ch(body, '{');
	add_key(body, cmp->key, false);
	buf_printf(body, ",\"target\":\"%s\",\"result\":\"EQUAL\",", names[cmp->target].target);
	if (cmp->target == ETCD_CMP_VALUE)
		add_b64(body, names[cmp->target].field, cmp->text, strlen(cmp->text));
	else
		add_number(body, names[cmp->target].field, cmp->number);
	buf_ch(body, '}');
}

static void add_txn_op(struct buf *body, const struct etcd_txn_op *op)
{
	/* clang-format off */
	static const char *const names[ETCD_TXN_OP__MAX] = {
		[ETCD_PUT]    = "request_put",
		[ETCD_DELETE] = "request_delete_range",
		[ETCD_GET]    = "request_range",
	};
	/* clang-format on */

	buf_printf(body, "{\"%s\":{", names[op->type]);
	add_key(body, op->key, op->prefix && op->type != ETCD_PUT);
	if (op->type == ETCD_PUT) {
		buf_ch(body, ',');
		add_b64(body, "value", op->value, strlen(op->value));
		if (op->lease_id != 0) {
			buf_ch(body, ',');
			add_number(body, "lease", op->lease_id);
		}
	}
	buf_str(body, "}}");
}

static void add_txn_ops(struct buf *body, const char *name, const struct etcd_txn_op *ops,
			uint32_t n)
{
	buf_printf(body, ",\"%s\":[", name);
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			buf_ch(body, ',');
		add_txn_op(body, &ops[i]);
	}
	buf_ch(body, ']');
}

static void add_txn(struct buf *body, const struct etcd_req *req)
{
	buf_str(body, "\"compare\":[");
	for (uint32_t i = 0; i < req->ncmps; i++) {
		if (i > 0)
			buf_ch(body, ',');
		add_compare(body, &req->cmps[i]);
	}
	buf_ch(body, ']');
	add_txn_ops(body, "success", req->then_ops, req->nthen);
	add_txn_ops(body, "failure", req->else_ops, req->nelse);
}

void etcdmsg_body(const struct etcd_req *req, struct buf *ret_body)
{
	assert(req->op < ETCD_OP__MAX);
	buf_ch(ret_body, '{');
	switch (req->op) {
	case ETCD_RANGE:
		add_key(ret_body, req->key, true);
		if (req->serializable)
			buf_str(ret_body, ",\"serializable\":true");
		break;
	case ETCD_TXN:
		add_txn(ret_body, req);
		break;
	case ETCD_GRANT:
		add_number(ret_body, "TTL", req->ttl_s);
		break;
	case ETCD_KEEPALIVE:
	case ETCD_REVOKE:
		add_number(ret_body, "ID", req->lease_id);
		break;
	case ETCD_OP__MAX:
		break;
	}
	buf_ch(ret_body, '}');
}

void etcdmsg_watch_body(const char *prefix, int64_t start_revision, struct buf *ret_body)
{
	buf_str(ret_body, "{\"create_request\":{");
	add_key(ret_body, prefix, true);
	if (start_revision > 0) {
		buf_ch(ret_body, ',');
		add_number(ret_body, "start_revision", start_revision);
	}
	buf_str(ret_body, ",\"progress_notify\":true}}");
}

void etcdmsg_auth_body(const char *user, const char *password, struct buf *ret_body)
{
	buf_str(ret_body, "{\"name\":");
	jtext_add_string(ret_body, user, strlen(user));
	buf_str(ret_body, ",\"password\":");
	jtext_add_string(ret_body, password, strlen(password));
	buf_ch(ret_body, '}');
}
