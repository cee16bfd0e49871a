/* SPDX-License-Identifier: PostgreSQL */
/*
 * bench_values - how long values of a megabyte in etcd hold the loop
 *
 * Prints the time of reading such an answer, and of reading a record at its limit. Longer ones
 * are passed over by their length alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wire/b64.h"
#include "wire/etcdmsg.h"
#include "wire/record.h"
#include "wire/restmsg.h"

enum filling { NOISE, OBJECT, ARRAY, HISTORY, FILLING__MAX };

static const char *const names[] = { "noise", "object", "array", "history" };

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fill(enum filling what, size_t len, struct buf *text)
{
	unsigned random = 1;

	if (what != NOISE)
		buf_ch(text, what == OBJECT ? '{' : '[');
	for (unsigned i = 0; text->len + 40 < len; i++) {
		random = random * 1103515245U + 12345U;
		if (what == NOISE)
			buf_ch(text, (char)(1 + (random >> 16) % 255));
		else if (what == OBJECT)
			buf_printf(text, "%s\"k%u\":%u", i ? "," : "", i, i);
		else if (what == ARRAY)
			buf_printf(text, "%s1", i ? "," : "");
		else
			buf_printf(text, "%s[%u,%u,\"no reason\"]", i ? "," : "", i + 1, i);
	}
	if (what != NOISE)
		buf_ch(text, what == OBJECT ? '}' : ']');
}

static void answer(enum filling what, size_t len)
{
	_cleanup_(buf_done) struct buf value = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 };
	struct etcd_rep rep;
	int64_t begun_us;
	int r;

	fill(what, len, &value);
	buf_str(&body, "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"5\"},\"kvs\":[{\"key\":"
		       "\"L3Q=\",\"mod_revision\":\"1\",\"value\":\"");
	b64_encode(value.data, value.len, &body);
	buf_str(&body, "\"}]}");
	begun_us = now_us();
	r = etcdmsg_parse(ETCD_RANGE, 200, body.data, body.len, &rep, NULL);
	printf("%-8s answer  %7zu bytes %9.3f ms%s\n", names[what], value.len,
	       (double)(now_us() - begun_us) / 1000, r < 0 ? " failed" : "");
	etcd_rep_done(&rep);
}

static void record(enum filling what, const char *key)
{
	_cleanup_(buf_done) struct buf value = { 0 };
	struct status_key status;
	struct member member;
	int64_t begun_us;
	bool changed;
	int64_t ms[3];

	fill(what, record_size_limit(key), &value);
	begun_us = now_us();
	(void)!record_member_parse("n1", value.data, value.len, &member, NULL);
	ms[0] = now_us() - begun_us;
	(void)!record_status_parse(value.data, value.len, &status, NULL);
	ms[1] = now_us() - begun_us - ms[0];
	free(restmsg_config_merge(value.data, "{}", &changed));
	ms[2] = now_us() - begun_us - ms[0] - ms[1];
	printf("%-8s records %7zu bytes %9.3f ms as member, %.3f as status, %.3f as config\n",
	       names[what], value.len, (double)ms[0] / 1000, (double)ms[1] / 1000,
	       (double)ms[2] / 1000);
}

int main(void)
{
	for (int i = 0; i < FILLING__MAX; i++) {
		answer((enum filling)i, 1000000);
		record((enum filling)i, "members/n1");
		record((enum filling)i, "config");
	}
	return 0;
}
