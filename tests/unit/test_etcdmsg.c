/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_etcdmsg - etcd's gateway, from bodies recorded from etcd 3.4.23 over curl
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wire/b64.h"
#include "wire/etcdmsg.h"

#define HEADER(rev)                                                              \
	"\"header\":{\"cluster_id\":\"3556172557997394135\","                    \
	"\"member_id\":\"17496614320493254894\",\"revision\":\"" rev "\"," \
	"\"raft_term\":\"2\"}"

static int parse(enum etcd_op op, int status, const char *body, struct etcd_rep *rep)
{
	return etcdmsg_parse(op, status, body, strlen(body), rep, NULL);
}

static void check_body(const struct etcd_req *req, const char *want)
{
	struct buf body = { 0 };

	etcdmsg_body(req, &body);
	cr_assert_str_eq(body.data, want);
	buf_done(&body);
}

Test(etcdmsg, writes_a_range_over_everything_with_the_prefix)
{
	struct etcd_req req = { .op = ETCD_RANGE, .key = "/service/" };

	check_body(&req, "{\"key\":\"L3NlcnZpY2Uv\",\"range_end\":\"L3NlcnZpY2Uw\"}");
	req.serializable = true;
	check_body(&req, "{\"key\":\"L3NlcnZpY2Uv\",\"range_end\":\"L3NlcnZpY2Uw\","
			 "\"serializable\":true}");
	(void)str_copy(req.key, sizeof(req.key), "a\xff\xff");
	req.serializable = false;
	check_body(&req, "{\"key\":\"Yf//\",\"range_end\":\"Yg==\"}");
}

Test(etcdmsg, writes_lease_requests)
{
	struct etcd_req req = { .op = ETCD_GRANT, .ttl_s = 5 };

	check_body(&req, "{\"TTL\":\"5\"}");
	req = (struct etcd_req){ .op = ETCD_KEEPALIVE, .lease_id = 6408237428842885126 };
	check_body(&req, "{\"ID\":\"6408237428842885126\"}");
	req = (struct etcd_req){ .op = ETCD_REVOKE, .lease_id = -1 };
	check_body(&req, "{\"ID\":\"-1\"}");
}

Test(etcdmsg, writes_a_transaction_with_every_compare_and_operation)
{
	struct etcd_req req;
	struct etcd_req copy;

	etcd_req_init_txn(&req, 1500);
	cr_assert_eq(req.timeout_ms, 1500);
	etcd_cmp_number(&req, "/k", ETCD_CMP_CREATE, 0);
	etcd_cmp_number(&req, "/k", ETCD_CMP_MOD, 7);
	etcd_cmp_number(&req, "/k", ETCD_CMP_LEASE, 9);
	etcd_cmp_value(&req, "/k", "n1");
	etcd_then_put(&req, "/k", "v", 9);
	etcd_then_put(&req, "/k", "", 0);
	etcd_then_delete(&req, "/k");
	req.then_ops[2].prefix = true;
	etcd_else_get(&req, "/k");
	etcd_req_copy(&copy, &req);
	etcd_req_done(&req);
	check_body(&copy,
		   "{\"compare\":["
		   "{\"key\":\"L2s=\",\"target\":\"CREATE\",\"result\":\"EQUAL\","
		   "\"create_revision\":\"0\"},"
		   "{\"key\":\"L2s=\",\"target\":\"MOD\",\"result\":\"EQUAL\","
		   "\"mod_revision\":\"7\"},"
		   "{\"key\":\"L2s=\",\"target\":\"LEASE\",\"result\":\"EQUAL\",\"lease\":\"9\"},"
		   "{\"key\":\"L2s=\",\"target\":\"VALUE\",\"result\":\"EQUAL\","
		   "\"value\":\"bjE=\"}],"
		   "\"success\":["
		   "{\"request_put\":{\"key\":\"L2s=\",\"value\":\"dg==\",\"lease\":\"9\"}},"
		   "{\"request_put\":{\"key\":\"L2s=\",\"value\":\"\"}},"
		   "{\"request_delete_range\":{\"key\":\"L2s=\",\"range_end\":\"L2w=\"}}],"
		   "\"failure\":[{\"request_range\":{\"key\":\"L2s=\"}}]}");
	etcd_req_done(&copy);
	etcd_req_done(&copy);
}

Test(etcdmsg, a_request_owns_texts_of_any_length)
{
	char text[2 * ETCD_ROOM_SIZE];
	struct etcd_req req;
	struct etcd_req copy;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	etcd_req_init_txn(&req, 1500);
	etcd_cmp_value(&req, "/k", "short");
	etcd_then_put(&req, "/k", text, 0);
	text[ETCD_ROOM_SIZE - sizeof("short") - 1] = '\0';
	etcd_then_put(&req, "/k", text, 0); /* fills what is left */
	etcd_then_put(&req, "/k", "", 0);
	etcd_req_copy(&copy, &req);
	memset(text, 'y', sizeof(text));
	cr_assert_str_eq(req.cmps[0].text, "short");
	cr_assert_eq(strspn(req.then_ops[0].value, "x"), sizeof(text) - 1);
	cr_assert_eq(strspn(req.then_ops[1].value, "x"), ETCD_ROOM_SIZE - sizeof("short") - 1);
	cr_assert_str_eq(req.then_ops[2].value, "");
	etcd_req_done(&req);
	cr_assert_str_eq(copy.cmps[0].text, "short");
	cr_assert_eq(strspn(copy.then_ops[0].value, "x"), sizeof(text) - 1);
	cr_assert_str_eq(copy.then_ops[2].value, "");
	etcd_req_done(&copy);
}

Test(etcdmsg, knows_the_path_of_every_operation)
{
	cr_assert_str_eq(etcdmsg_path(ETCD_RANGE), "/kv/range");
	cr_assert_str_eq(etcdmsg_path(ETCD_TXN), "/kv/txn");
	cr_assert_str_eq(etcdmsg_path(ETCD_GRANT), "/lease/grant");
	cr_assert_str_eq(etcdmsg_path(ETCD_KEEPALIVE), "/lease/keepalive");
	cr_assert_str_eq(etcdmsg_path(ETCD_REVOKE), "/lease/revoke");
}

Test(etcdmsg, reads_a_range)
{
	struct etcd_rep rep;

	cr_assert_eq(parse(ETCD_RANGE, 200,
			   "{" HEADER("3") ",\"kvs\":[{\"key\":\"L3NlcnZpY2UvZGVtby9lbXB0eQ==\","
			   "\"create_revision\":\"3\",\"mod_revision\":\"3\",\"version\":\"1\"},"
			   "{\"key\":\"L3NlcnZpY2UvZGVtby9sZWFkZXI=\",\"create_revision\":\"2\","
			   "\"mod_revision\":\"5\",\"version\":\"1\",\"value\":\"bjE=\","
			   "\"lease\":\"6408237428842885126\"}],\"count\":\"2\"}", &rep), 0);
	cr_assert_eq(rep.error_code, 0);
	cr_assert_eq(rep.cluster_id, UINT64_C(3556172557997394135));
	cr_assert_eq(rep.member_id, UINT64_C(17496614320493254894));
	cr_assert_eq(rep.raft_term, 2);
	cr_assert_eq(rep.revision, 3);
	cr_assert_eq(rep.kvs.n, 2);
	cr_assert_str_eq(rep.kvs.items[0].key, "/service/demo/empty");
	cr_assert_str_eq(rep.kvs.items[0].value, "");
	cr_assert_eq(rep.kvs.items[0].len, 0);
	cr_assert_str_eq(rep.kvs.items[1].value, "n1");
	cr_assert_eq(rep.kvs.items[1].create_revision, 2);
	cr_assert_eq(rep.kvs.items[1].mod_revision, 5);
	cr_assert_eq(rep.kvs.items[1].lease_id, 6408237428842885126);
	etcd_rep_done(&rep);
	etcd_rep_done(&rep);
}

Test(etcdmsg, reads_numbers_as_texts_and_as_numbers)
{
	struct etcd_rep rep;

	cr_assert_eq(parse(ETCD_RANGE, 200, "{\"header\":{\"cluster_id\":14841639068965178418,"
			   "\"revision\":3}}", &rep), -ERR_PROTOCOL,
		     "above 2^63 only the text form is exact");
	cr_assert_eq(parse(ETCD_RANGE, 200, "{\"header\":{\"cluster_id\":77,\"revision\":3}}",
			   &rep), 0);
	cr_assert_eq(rep.revision, 3);
	cr_assert_eq(rep.kvs.n, 0);
}

Test(etcdmsg, reads_both_branches_of_a_transaction)
{
	struct etcd_rep rep;

	cr_assert_eq(parse(ETCD_TXN, 200,
			   "{" HEADER("2") ",\"succeeded\":true,"
			   "\"responses\":[{\"response_put\":{\"header\":{\"revision\":\"2\"}}}]}",
			   &rep), 0);
	cr_assert(rep.succeeded);
	cr_assert_eq(rep.revision, 2);
	etcd_rep_done(&rep);
	cr_assert_eq(parse(ETCD_TXN, 200,
			   "{" HEADER("2") ",\"responses\":[{\"response_range\":{\"header\":"
			   "{\"revision\":\"2\"},\"kvs\":[{\"key\":\"L3NlcnZpY2UvZGVtby9sZWFkZXI=\","
			   "\"create_revision\":\"2\",\"mod_revision\":\"2\",\"version\":\"1\","
			   "\"value\":\"bjE=\",\"lease\":\"6408237428842885126\"}],\"count\":\"1\"}},"
			   "{\"response_delete_range\":{\"header\":{\"revision\":\"2\"}}},"
			   "{\"response_range\":{\"header\":{\"revision\":\"2\"}}}]}", &rep), 0);
	cr_assert_not(rep.succeeded);
	cr_assert_eq(rep.kvs.n, 1);
	cr_assert_str_eq(rep.kvs.items[0].value, "n1");
	etcd_rep_done(&rep);
}

Test(etcdmsg, reads_leases)
{
	struct etcd_rep rep;

	cr_assert_eq(parse(ETCD_GRANT, 200,
			   "{" HEADER("1") ",\"ID\":\"6408237428842885126\",\"TTL\":\"5\"}", &rep),
		     0);
	cr_assert_eq(rep.lease_id, 6408237428842885126);
	cr_assert_eq(rep.ttl_s, 5);
	cr_assert_eq(parse(ETCD_KEEPALIVE, 200,
			   "{\"result\":{" HEADER("3") ",\"ID\":\"6408237428842885126\","
			   "\"TTL\":\"5\"}}\n", &rep), 0);
	cr_assert_eq(rep.ttl_s, 5);
	cr_assert_eq(parse(ETCD_KEEPALIVE, 200,
			   "{\"result\":{" HEADER("3") ",\"ID\":\"1234\"}}\n", &rep), 0);
	cr_assert_eq(rep.error_code, 0);
	cr_assert_eq(rep.ttl_s, 0, "the lease is gone");
	cr_assert_eq(parse(ETCD_REVOKE, 200, "{" HEADER("4") "}", &rep), 0);
	cr_assert_eq(parse(ETCD_GRANT, 200, "{" HEADER("1") ",\"TTL\":\"5\"}", &rep),
		     -ERR_PROTOCOL);
}

struct error_case {
	int status;
	const char *body;
	int32_t code;
	const char *text;
};

Test(etcdmsg, reads_every_form_of_an_error)
{
	/* clang-format off */
	static const struct error_case cases[] = {
		{ 404, "{\"error\":\"etcdserver: requested lease not found\",\"message\":"
		  "\"etcdserver: requested lease not found\",\"code\":5}", 5,
		  "etcdserver: requested lease not found" },
		{ 404, "{\"code\":5,\"message\":\"etcdserver: requested lease not found\","
		  "\"details\":[]}", 5, "etcdserver: requested lease not found" },
		{ 200, "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etcdserver: "
		  "leader changed\",\"http_status\":\"Service Unavailable\"}}", 14,
		  "etcdserver: leader changed" },
		{ 200, "{\"error\":{\"code\":14,\"message\":\"no leader\",\"details\":[]}}", 14,
		  "no leader" },
		{ 400, "{\"error\":\"unexpected EOF\",\"code\":3}", 3, "unexpected EOF" },
		{ 500, "{\"error\":\"odd\"}", 2, "odd" },
		{ 500, "{\"error\":7}", 2, "no text" },
		{ 429, "{\"error\":\"x\",\"code\":\"8\"}", 8, "x" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int op = 0; op < ETCD_OP__MAX; op++) {
			struct etcd_rep rep;

			cr_assert_eq(parse((enum etcd_op)op, cases[i].status, cases[i].body, &rep),
				     0);
			cr_assert_eq(rep.error_code, cases[i].code, "case %zu", i);
			cr_assert_str_eq(rep.error_text, cases[i].text);
		}
	}
}

Test(etcdmsg, never_takes_a_stranger_for_etcd)
{
	/* clang-format off */
	static const char *const bodies[] = {
		"", "{}", "[]", "null", "<html>502</html>", "{\"header\":{}}", "{\"header\":7}",
		"{\"result\":{}}", "{\"header\":{\"cluster_id\":\"0\"}}",
		"{\"header\":{\"cluster_id\":\"-1\",\"revision\":\"1\"}}",
		"{\"header\":{\"cluster_id\":\"x\",\"revision\":\"1\"}}",
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"1e3\"}}",
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":\" 1\"}}",
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":1.5}}",
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":1e999}}",
		"{" HEADER("3"), "{" HEADER("3") "}}", "{" HEADER("3") "}{}",
		"Not Found\n",
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		for (int op = 0; op < ETCD_OP__MAX; op++) {
			struct etcd_rep rep;
			struct err err = { 0 };

			cr_assert_eq(etcdmsg_parse((enum etcd_op)op, 200, bodies[i],
						   strlen(bodies[i]), &rep, &err),
				     -ERR_PROTOCOL, "%s: %s", etcdmsg_path((enum etcd_op)op),
				     bodies[i]);
			cr_assert(err.msg[0]);
			etcd_rep_done(&rep);
			cr_assert_eq(parse((enum etcd_op)op, 502, bodies[i], &rep), -ERR_PROTOCOL);
		}
	}
}

Test(etcdmsg, is_strict_about_types)
{
	/* clang-format off */
	static const char *const bodies[] = {
		"{" HEADER("3") ",\"kvs\":{}}", "{" HEADER("3") ",\"kvs\":[7]}",
		"{" HEADER("3") ",\"kvs\":[{}]}", "{" HEADER("3") ",\"kvs\":[{\"key\":7}]}",
		"{" HEADER("3") ",\"kvs\":[{\"key\":\"!!!!\"}]}",
		"{" HEADER("3") ",\"kvs\":[{\"key\":\"L2s=\",\"value\":\"x\"}]}",
		"{" HEADER("3") ",\"kvs\":[{\"key\":\"L2s=\",\"value\":null}]}",
		"{" HEADER("3") ",\"kvs\":[{\"key\":\"L2s=\",\"lease\":[]}]}",
		"{" HEADER("3") ",\"kvs\":[{\"key\":\"L2s=\",\"mod_revision\":\"0x1\"}]}",
		"{" HEADER("3") ",\"kvs\":[{\"key\":\"L2s=\"},{\"key\":\"L2s=\","
		"\"create_revision\":true}]}",
	};
	/* clang-format on */
	struct etcd_rep rep;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		cr_assert_eq(parse(ETCD_RANGE, 200, bodies[i], &rep), -ERR_PROTOCOL, "%s",
			     bodies[i]);
		etcd_rep_done(&rep);
	}
	cr_assert_eq(parse(ETCD_TXN, 200, "{" HEADER("3") ",\"succeeded\":\"true\"}", &rep),
		     -ERR_PROTOCOL);
	cr_assert_eq(parse(ETCD_TXN, 200, "{" HEADER("3") ",\"responses\":[7]}", &rep),
		     -ERR_PROTOCOL);
	cr_assert_eq(parse(ETCD_RANGE, 200, "{\"header\":{\"cluster_id\":\"1\"}}", &rep),
		     -ERR_PROTOCOL, "a read without a revision proves nothing");
}

static char *range_of(const char *key, size_t keylen, const char *value, size_t len)
{
	struct buf body = { 0 };

	buf_str(&body, "{" HEADER("3") ",\"kvs\":[{\"key\":\"");
	b64_encode(key, keylen, &body);
	buf_str(&body, "\",\"value\":\"");
	b64_encode(value, len, &body);
	buf_str(&body, "\"}]}");
	return buf_take(&body);
}

Test(etcdmsg, keeps_bytes_as_they_are_and_cuts_the_endless)
{
	_cleanup_(freep) char *value = mem_new(ETCD_VALUE_MAX + 3, 1);
	_cleanup_(freep) char *body = range_of("k", 1, "a\0b", 3);
	struct etcd_rep rep;

	cr_assert_eq(parse(ETCD_RANGE, 200, body, &rep), 0);
	cr_assert_eq(rep.kvs.items[0].len, 3);
	cr_assert_eq(memcmp(rep.kvs.items[0].value, "a\0b", 4), 0);
	etcd_rep_done(&rep);
	free(body);
	memset(value, 'x', ETCD_VALUE_MAX + 2);
	body = range_of("k", 1, value, ETCD_VALUE_MAX + 2);
	cr_assert_eq(parse(ETCD_RANGE, 200, body, &rep), 0);
	cr_assert_eq(rep.kvs.items[0].len, ETCD_VALUE_MAX);
	cr_assert_eq(strlen(rep.kvs.items[0].value), ETCD_VALUE_MAX);
	etcd_rep_done(&rep);
	free(body);
	body = range_of("/service/demo/leader\0x", 22, "evil", 4);
	cr_assert_eq(parse(ETCD_RANGE, 200, body, &rep), 0);
	cr_assert_eq(rep.kvs.n, 0, "a key with a NUL byte must not pass for another");
}

Test(etcdmsg, survives_deep_nesting_and_noise)
{
	struct buf body = { 0 };
	struct etcd_rep rep;

	for (int i = 0; i < 10000; i++)
		buf_str(&body, "{\"a\":[");
	cr_assert_eq(etcdmsg_parse(ETCD_RANGE, 200, body.data, body.len, &rep, NULL),
		     -ERR_PROTOCOL);
	buf_clear(&body);
	for (uint32_t i = 0, x = 1; i < 1024 * 1024; i++) {
		x = x * 1664525 + 1013904223;
		buf_ch(&body, (char)(x >> 24));
	}
	cr_assert_eq(etcdmsg_parse(ETCD_TXN, 200, body.data, body.len, &rep, NULL), -ERR_PROTOCOL);
	cr_assert_eq(etcdmsg_parse(ETCD_TXN, 200, body.data, (size_t)ETCD_BODY_MAX + 1, &rep, NULL),
		     -ERR_PROTOCOL, "refused by its size, before it is looked at");
	buf_done(&body);
}

/* What one watch of etcd 3.4.23 sent: created, three events of the past, a put, a delete, and a
 * progress notification. */
static const char watch_stream[] =
	"{\"result\":{" HEADER("4") ",\"created\":true}}\n"
	"{\"result\":{" HEADER("4") ",\"events\":[{\"kv\":{\"key\":\"L3NlcnZpY2UvZGVtby9sZWFkZXI=\","
	"\"create_revision\":\"2\",\"mod_revision\":\"2\",\"version\":\"1\",\"value\":\"bjE=\","
	"\"lease\":\"6408237428842885126\"}},{\"kv\":{\"key\":\"L3NlcnZpY2UvZGVtby9lbXB0eQ==\","
	"\"create_revision\":\"3\",\"mod_revision\":\"3\",\"version\":\"1\"}},"
	"{\"type\":\"DELETE\",\"kv\":{\"key\":\"L3NlcnZpY2UvZGVtby9sZWFkZXI=\","
	"\"mod_revision\":\"4\"}}]}}\n"
	"{\"result\":{" HEADER("5") ",\"events\":[{\"kv\":{\"key\":\"L3NlcnZpY2UvZGVtby9h\","
	"\"create_revision\":\"5\",\"mod_revision\":\"5\",\"version\":\"1\",\"value\":\"dg==\"}}]}}\n"
	"{\"result\":{" HEADER("6") ",\"events\":[{\"type\":\"DELETE\","
	"\"kv\":{\"key\":\"L3NlcnZpY2UvZGVtby9h\",\"mod_revision\":\"6\"}}]}}\n"
	"{\"result\":{" HEADER("9") "}}\n";

/* Takes all documents that are complete and counts what they say. */
struct tally {
	int messages;
	int created;
	int puts;
	int deletes;
	int64_t revision;
};

static void take_all(struct buf *stream, struct tally *tally)
{
	struct etcd_watch_msg msg;
	int r;

	while ((r = etcdmsg_parse_watch(stream, &msg, NULL)) == 0) {
		tally->messages++;
		tally->created += msg.created;
		tally->revision = msg.revision;
		cr_assert_not(msg.canceled);
		cr_assert_eq(msg.cluster_id, 3556172557997394135);
		cr_assert_eq(msg.raft_term, 2);
		for (size_t i = 0; i < msg.events.n; i++) {
			tally->puts += !msg.events.items[i].deleted;
			tally->deletes += msg.events.items[i].deleted;
			cr_assert_eq(msg.events.items[i].deleted, !msg.events.items[i].value);
		}
		etcd_watch_msg_done(&msg);
	}
	cr_assert_eq(r, ETCDMSG_MORE);
}

static void check_tally(const struct tally *tally)
{
	cr_assert_eq(tally->messages, 5);
	cr_assert_eq(tally->created, 1);
	cr_assert_eq(tally->puts, 3);
	cr_assert_eq(tally->deletes, 2);
	cr_assert_eq(tally->revision, 9);
}

Test(etcdmsg, reads_a_watch_that_is_cut_at_any_byte)
{
	size_t len = sizeof(watch_stream) - 1;

	for (size_t at = 0; at <= len; at++) {
		struct buf stream = { 0 };
		struct tally tally = { 0 };

		buf_add(&stream, watch_stream, at);
		take_all(&stream, &tally);
		buf_add(&stream, watch_stream + at, len - at);
		take_all(&stream, &tally);
		check_tally(&tally);
		buf_done(&stream);
	}
}

Test(etcdmsg, reads_a_watch_that_comes_byte_by_byte)
{
	struct buf stream = { 0 };
	struct tally tally = { 0 };

	for (size_t i = 0; i < sizeof(watch_stream) - 1; i++) {
		buf_ch(&stream, watch_stream[i]);
		take_all(&stream, &tally);
	}
	check_tally(&tally);
	buf_done(&stream);
}

static int watch_one(const char *text, struct etcd_watch_msg *msg)
{
	struct buf stream = { 0 };
	int r;

	buf_str(&stream, text);
	r = etcdmsg_parse_watch(&stream, msg, NULL);
	buf_done(&stream);
	return r;
}

Test(etcdmsg, knows_brackets_inside_of_texts_from_others)
{
	struct etcd_watch_msg msg;

	cr_assert_eq(watch_one("{\"result\":{" HEADER("4") ",\"cancel_reason\":\"}}\\\"}\\\\\"}}",
			       &msg), 0);
	cr_assert_str_eq(msg.cancel_reason, "}}\"}\\");
	cr_assert_eq(watch_one("  \n", &msg), ETCDMSG_MORE);
	cr_assert_eq(watch_one("", &msg), ETCDMSG_MORE);
}

Test(etcdmsg, reports_a_compacted_or_refused_watch)
{
	struct etcd_watch_msg msg;

	cr_assert_eq(watch_one("{\"result\":{\"header\":{\"cluster_id\":\"3556172557997394135\","
			       "\"member_id\":\"17496614320493254894\",\"raft_term\":\"2\"},"
			       "\"canceled\":true,\"compact_revision\":\"6\"}}\n", &msg), 0);
	cr_assert(msg.canceled);
	cr_assert_eq(msg.compact_revision, 6);
	cr_assert_eq(watch_one("{\"result\":{" HEADER("6") ",\"watch_id\":\"-1\",\"created\":true,"
			       "\"canceled\":true,\"cancel_reason\":\"rpc error: code = "
			       "InvalidArgument desc = etcdserver: user name is empty\"}}", &msg), 0);
	cr_assert(msg.created && msg.canceled);
	cr_assert(strstr(msg.cancel_reason, "user name is empty"));
}

Test(etcdmsg, drops_a_watch_that_is_unreadable)
{
	struct etcd_watch_msg msg;

	cr_assert_eq(watch_one("{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"x\"}}",
			       &msg), -ERR_CONNECT);
	cr_assert_eq(watch_one("{\"error\":\"etcdserver: invalid auth token\",\"code\":16}", &msg),
		     -ERR_DENIED);
	cr_assert_eq(watch_one("{\"error\":\"etcdserver: user name is empty\",\"code\":3}", &msg),
		     -ERR_DENIED);
	cr_assert_eq(watch_one("{\"error\":\"illegal base64 data\",\"code\":2}", &msg),
		     -ERR_PROTOCOL);
	cr_assert_eq(watch_one("<html>", &msg), -ERR_PROTOCOL);
	cr_assert_eq(watch_one("[1]", &msg), -ERR_PROTOCOL);
	cr_assert_eq(watch_one("{}", &msg), -ERR_PROTOCOL);
	cr_assert_eq(watch_one("{]}", &msg), -ERR_PROTOCOL);
	cr_assert_eq(watch_one("{\"result\":{" HEADER("4") ",\"events\":[{\"type\":\"ODD\","
			       "\"kv\":{\"key\":\"L2s=\"}}]}}", &msg), -ERR_PROTOCOL);
	cr_assert_eq(watch_one("{\"result\":{" HEADER("4") ",\"events\":[{\"kv\":{\"key\":\"L2s=\"}},"
			       "{\"type\":\"PUT\"}]}}", &msg), -ERR_PROTOCOL);
	cr_assert_null(msg.events.items);
}

Test(etcdmsg, bounds_a_watch_document)
{
	struct buf stream = { 0 };
	struct etcd_watch_msg msg;

	buf_str(&stream, "{\"result\":\"");
	while (stream.len <= ETCD_BODY_MAX)
		buf_add(&stream, watch_stream, 8);
	stream.data[11] = 'x';
	memset(stream.data + 11, 'x', stream.len - 11);
	cr_assert_eq(etcdmsg_parse_watch(&stream, &msg, NULL), -ERR_PROTOCOL);
	buf_clear(&stream);
	for (int i = 0; i < 10000; i++)
		buf_str(&stream, "{\"a\":");
	cr_assert_eq(etcdmsg_parse_watch(&stream, &msg, NULL), -ERR_PROTOCOL);
	buf_done(&stream);
}

Test(etcdmsg, asks_for_a_watch_from_a_revision_on)
{
	struct buf body = { 0 };

	etcdmsg_watch_body("/service/", 12, &body);
	cr_assert_str_eq(body.data, "{\"create_request\":{\"key\":\"L3NlcnZpY2Uv\","
				    "\"range_end\":\"L3NlcnZpY2Uw\",\"start_revision\":\"12\","
				    "\"progress_notify\":true}}");
	buf_done(&body);
}

static void check_version(const char *body, int r, bool fixed)
{
	struct etcd_version version = { 0 };

	cr_assert_eq(etcdmsg_parse_version(body, strlen(body), &version, NULL), r, "%s", body);
	cr_assert_eq(r == 0 && etcdmsg_version_fixed(&version), fixed, "%s", body);
}

Test(etcdmsg, knows_which_versions_are_mended)
{
	struct etcd_version version;
	const char *body = "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}";

	cr_assert_eq(etcdmsg_parse_version(body, strlen(body), &version, NULL), 0);
	cr_assert_eq(version.server[1], 4);
	cr_assert_eq(version.server[2], 23);
	cr_assert_eq(version.cluster[2], 0);
	check_version(body, 0, false);
	check_version("{\"etcdserver\":\"3.4.30\",\"etcdcluster\":\"not_decided\"}", 0, false);
	check_version("{\"etcdserver\":\"3.4.31\"}", 0, true);
	check_version("{\"etcdserver\":\"3.5.12\"}", 0, false);
	check_version("{\"etcdserver\":\"3.5.13\"}", 0, true);
	check_version("{\"etcdserver\":\"3.3.99\"}", 0, false);
	check_version("{\"etcdserver\":\"3.6.0-rc.1\"}", 0, true);
	check_version("{\"etcdserver\":\"2.3.8\"}", 0, false);
	check_version("{\"etcdserver\":\"4.0.0\"}", 0, true);
	check_version("{\"etcdserver\":\"3.5\"}", -ERR_PROTOCOL, false);
	check_version("{\"etcdserver\":35}", -ERR_PROTOCOL, false);
	check_version("404 page not found", -ERR_PROTOCOL, false);
}

Test(etcdmsg, lists_the_client_urls_of_all_members)
{
	struct etcd_members members;
	const char *body = "{\"header\":{\"cluster_id\":\"1\"},\"members\":[{\"ID\":\"2\",\"name\":"
			   "\"a\",\"peerURLs\":[\"http://h:2380\"],\"clientURLs\":[\"http://h:2379\","
			   "\"https://h:2378\",\"unix://x\",7]},{\"ID\":\"3\",\"peerURLs\":[]}]}";

	cr_assert_eq(etcdmsg_parse_members(body, strlen(body), &members, NULL), 0);
	cr_assert_eq(members.cluster_id, 1);
	cr_assert_eq(members.nmembers, 2);
	cr_assert_eq(members.n, 2);
	cr_assert_str_eq(members.urls[0], "http://h:2379");
	cr_assert_str_eq(members.urls[1], "https://h:2378");
	etcd_members_done(&members);
	cr_assert_eq(etcdmsg_parse_members("{}", 2, &members, NULL), -ERR_PROTOCOL);
	cr_assert_eq(etcdmsg_parse_members("{\"members\":7}", 13, &members, NULL), -ERR_PROTOCOL);
	body = "{\"members\":[{\"ID\":\"2\"}]}";
	cr_assert_eq(etcdmsg_parse_members(body, strlen(body), &members, NULL), -ERR_PROTOCOL,
		     "of which cluster?");
	body = "{\"error\":\"etcdserver: permission denied\",\"code\":7}";
	cr_assert_eq(etcdmsg_parse_members(body, strlen(body), &members, NULL), -ERR_DENIED);
}

static int login(int status, const char *body, char **ret_token)
{
	return etcdmsg_parse_auth(status, body, strlen(body), ret_token, NULL);
}

Test(etcdmsg, logs_in)
{
	_cleanup_(freep) char *token = NULL;
	_cleanup_(buf_done) struct buf body = { 0 };
	char *none;

	etcdmsg_auth_body("ro\"ot", "p\\\xc3\xa9", &body);
	cr_assert_str_eq(body.data, "{\"name\":\"ro\\\"ot\",\"password\":\"p\\\\\\u00e9\"}");
	cr_assert_eq(login(200, "{" HEADER("6") ",\"token\":\"mwapcQdPkvhzgtMQ.21\"}", &token), 0);
	cr_assert_str_eq(token, "mwapcQdPkvhzgtMQ.21");
	cr_assert_eq(login(412, "{\"error\":\"etcdserver: authentication is not enabled\",\"message\":"
			   "\"etcdserver: authentication is not enabled\",\"code\":9}", &none),
		     ETCDMSG_AUTH_OFF);
	cr_assert_eq(login(400, "{\"error\":\"etcdserver: authentication failed, invalid user ID or "
			   "password\",\"code\":3}", &none), -ERR_DENIED);
	cr_assert_eq(login(503, "{\"error\":\"no leader\",\"code\":14}", &none), -ERR_CONNECT);
	cr_assert_eq(login(200, "{" HEADER("6") "}", &none), -ERR_PROTOCOL);
	cr_assert_eq(login(500, "oops", &none), -ERR_PROTOCOL);
	cr_assert_null(none);
}
