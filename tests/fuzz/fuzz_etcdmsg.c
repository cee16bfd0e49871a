/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_etcdmsg - answers of something that may not be etcd
 *
 * The first byte picks the parser: 0 to 4 an operation, 5 a watch, 6 versions, 7 members, 8 login.
 */
#include <assert.h>
#include <stdlib.h>

#include "wire/etcdmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kvs(const struct etcd_kvs *kvs)
{
	for (size_t i = 0; i < kvs->n; i++) {
		assert(kvs->items[i].key && kvs->items[i].key[0]);
		assert(kvs->items[i].deleted == !kvs->items[i].value);
		assert(!kvs->items[i].value || kvs->items[i].value[kvs->items[i].len] == 0);
	}
}

static void check_answer(enum etcd_op op, const char *body, size_t len)
{
	static const int statuses[] = { 200, 404 };

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct etcd_rep rep;
		struct err err = { 0 };
		int r = etcdmsg_parse(op, statuses[i], body, len, &rep, &err);

		assert(r == 0 || (r == -ERR_PROTOCOL && err.msg[0]));
		if (r == 0 && rep.error_code == 0) {
			assert(statuses[i] == 200 && rep.cluster_id != 0);
			assert(op > ETCD_TXN || rep.revision > 0);
		}
		check_kvs(&rep.kvs);
		etcd_rep_done(&rep);
	}
}

/* How many messages come out, and a sum of their revisions; -1 in front of a broken stream. */
static int64_t drain(struct buf *stream, int64_t sum, int *ret)
{
	struct etcd_watch_msg msg;
	struct err err = { 0 };
	size_t before = stream->len;

	while ((*ret = etcdmsg_parse_watch(stream, &msg, &err)) == 0) {
		assert(stream->len < before);
		before = stream->len;
		sum = (int64_t)((uint64_t)sum * 31 + (uint64_t)msg.revision + msg.events.n);
		check_kvs(&msg.events);
		etcd_watch_msg_done(&msg);
	}
	assert(*ret == ETCDMSG_MORE || err.msg[0]);
	return sum;
}

/* A stream that is cut says the same as the whole. */
static void check_watch(const char *body, size_t len)
{
	struct buf whole = { 0 };
	struct buf cut = { 0 };
	int64_t want;
	int64_t got;
	int r_whole;
	int r_cut;

	buf_add(&whole, body, len);
	want = drain(&whole, 7, &r_whole);
	buf_add(&cut, body, len / 2);
	got = drain(&cut, 7, &r_cut);
	if (r_cut == ETCDMSG_MORE) {
		buf_add(&cut, body + len / 2, len - len / 2);
		got = drain(&cut, got, &r_cut);
		assert(got == want && r_cut == r_whole);
	}
	buf_done(&whole);
	buf_done(&cut);
}

static void check_small(int which, const char *body, size_t len)
{
	struct etcd_version version = { 0 };
	struct etcd_members members = { 0 };
	char *token = NULL;
	int r;

	if (which == 6 && etcdmsg_parse_version(body, len, &version, NULL) == 0)
		(void)etcdmsg_version_fixed(&version);
	if (which == 7 && etcdmsg_parse_members(body, len, &members, NULL) == 0) {
		assert(members.nmembers > 0);
		etcd_members_done(&members);
	}
	if (which == 8) {
		r = etcdmsg_parse_auth(200, body, len, &token, NULL);
		assert((r == 0) == (token != NULL));
		free(token);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *body = (const char *)data + 1;
	int which;

	if (size == 0)
		return 0;
	which = data[0] % 16;
	if (which < ETCD_OP__MAX)
		check_answer((enum etcd_op)which, body, size - 1);
	else if (which == ETCD_OP__MAX)
		check_watch(body, size - 1);
	else
		check_small(which, body, size - 1);
	return 0;
}
