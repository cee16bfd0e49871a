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
