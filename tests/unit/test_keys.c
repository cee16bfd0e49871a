/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_keys - what the cluster's keys change in the model
 */
#include <criterion/criterion.h>

#include "agent/state.h"

#define NOW 100000

static struct agent *a;

static void make_agent(void)
{
	a = mem_new(1, sizeof(*a));
	a->view.now_ms = NOW;
	a->view.cfg.ttl_ms = 5000;
	str_clip(a->view.name, sizeof(a->view.name), "b");
}

static void free_agent(void)
{
	free(a);
}

static void leads(const char *name, int64_t epoch, int64_t revision)
{
	char value[NAME_SIZE];
	struct etcd_kv kv = { .value = value, .create_revision = epoch,
			      .mod_revision = revision };

	str_clip(value, sizeof(value), name);
	kv.len = strlen(value);
	keys_fold_leader(a, &kv, revision);
}

TestSuite(keys, .init = make_agent, .fini = free_agent);

Test(keys, failed_rewinds_are_forgotten_when_another_leads)
{
	leads("a", 50, 50);
	a->view.rewind_failures = 3;
	leads("a", 50, 60);
	cr_assert_eq(a->view.rewind_failures, 3, "the same leader's key was written again");
	keys_fold_leader(a, NULL, 70);
	cr_assert_eq(a->view.rewind_failures, 3, "nobody leads yet");
	leads("c", 80, 80);
	cr_assert_eq(a->view.rewind_failures, 0);
	a->view.rewind_failures = 2;
	leads("a", 50, 60);
	cr_assert_eq(a->view.rewind_failures, 2, "news of before");
	cr_assert_str_eq(a->view.cluster.leader, "c");
}

Test(keys, a_leader_of_before_is_remembered)
{
	leads("a", 50, 50);
	keys_fold_leader(a, NULL, 70);
	cr_assert_str_empty(a->view.cluster.leader);
	cr_assert_str_eq(a->view.last_leader, "a");
	cr_assert_eq(a->view.last_epoch, 50);
	cr_assert_eq(a->view.leader_gone_at_ms, NOW);
}

/* The leader's own beat, as the watch brings it back. */
static bool echo(int64_t revision)
{
	static char key[] = "/service/one/pgha/beat";
	static struct config config;
	struct etcd_kv kv = { .key = key, .value = key, .mod_revision = revision };
	const struct etcd_watch_msg msg = { .revision = revision, .events = { &kv, 1 } };

	str_clip(config.prefix, sizeof(config.prefix), "/service/one/");
	a->config = &config;
	return keys_fold_echo(a, &msg);
}

Test(keys, the_own_beat_that_comes_back_is_no_news)
{
	leads("b", 50, 50);
	a->view.lease.epoch = 50;
	a->stream_revision = 59;
	a->view.cluster.beat_present = true;
	a->view.cluster.beat_epoch = 50;
	a->view.cluster.beat_mod_revision = 60; /* by the answer to the beat */
	a->view.sign_at_ms = NOW - 4000;
	a->session.ttl_ms = 9000;
	cr_assert_not(echo(61), "another beat than the answer told of");
	cr_assert(echo(60));
	cr_assert_eq(a->stream_revision, 60);
	cr_assert_eq(a->view.dcs_seen_at_ms, NOW);
	cr_assert_eq(a->view.sign_at_ms, NOW, "a sign of life as from anybody else");
	cr_assert_eq(a->view.sign_ttl_ms, 9000, "of the term that it stands for");
	cr_assert_not(echo(60), "a stream that repeats itself is looked at as ever");
}

Test(keys, another_leaders_beat_is_news)
{
	leads("c", 50, 50);
	a->view.cluster.beat_present = true;
	a->view.cluster.beat_epoch = 50;
	a->view.cluster.beat_mod_revision = 60;
	cr_assert_not(echo(60));
}

static void watched(const char *text, int64_t revision)
{
	char key[] = "/p/failover";
	char value[64];
	struct etcd_kv kv = { .key = key, .value = value, .mod_revision = revision,
			      .create_revision = revision, .deleted = text[0] == '\0' };
	struct etcd_watch_msg msg = { .events = { .items = &kv, .n = 1 } };

	str_clip(value, sizeof(value), text);
	kv.len = strlen(value);
	keys_fold_watch(a, &msg);
}

Test(keys, what_a_watch_repeats_changes_nothing)
{
	static struct config config = { .prefix = "/p/" };

	a->config = &config;
	watched("{\"leader\":\"a\",\"member\":\"b\"}", 50);
	cr_assert(a->view.cluster.request.present);
	watched("", 60);
	cr_assert_not(a->view.cluster.request.present);
	watched("{\"leader\":\"a\",\"member\":\"b\"}", 50);
	cr_assert_not(a->view.cluster.request.present, "it was carried out long ago");
	cr_assert_eq(a->stream_revision, 60);
	watched("{\"leader\":\"a\",\"member\":\"b\"}", 61);
	cr_assert(a->view.cluster.request.present);
}
