/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_etcdnode - which endpoint is asked next
 */
#include "io/etcdnode.h"

#include "base/str.h"

#include <criterion/criterion.h>

static const struct etcdnode_set nobody;

static void configure(struct etcdnodes *nodes, const char *const *hosts, uint32_t n)
{
	struct config_etcd config = { .nendpoints = n };

	for (uint32_t i = 0; i < n; i++) {
		str_copy(config.endpoints[i].host, sizeof(config.endpoints[i].host), hosts[i]);
		config.endpoints[i].port = 2379;
	}
	etcdnode_configure(nodes, &config);
}

static void three(struct etcdnodes *nodes)
{
	static const char *const hosts[] = { "a", "b", "c" };

	memset(nodes, 0, sizeof(*nodes));
	configure(nodes, hosts, 3);
}

static const char *pick(struct etcdnodes *nodes, const struct etcdnode_set *tried, int64_t now_ms)
{
	const struct etcdnode *node = etcdnode_pick(nodes, tried, &nobody, now_ms);

	return node ? node->url : "nobody";
}

static struct etcdnode *by_url(struct etcdnodes *nodes, const char *url)
{
	for (uint32_t i = 0; i < nodes->n; i++)
		if (strcmp(nodes->items[i].url, url) == 0)
			return &nodes->items[i];
	return NULL;
}

Test(etcdnode, the_first_configured_is_asked_first_and_then_the_others_in_turn)
{
	struct etcdnode_set tried = { 0 };
	struct etcdnodes nodes;

	three(&nodes);
	cr_assert_str_eq(pick(&nodes, &tried, 0), "http://a:2379");
	etcdnode_add(&tried, by_url(&nodes, "http://a:2379")->id);
	cr_assert_str_eq(pick(&nodes, &tried, 0), "http://b:2379");
	etcdnode_add(&tried, by_url(&nodes, "http://b:2379")->id);
	cr_assert_str_eq(pick(&nodes, &tried, 0), "http://c:2379");
	etcdnode_add(&tried, by_url(&nodes, "http://c:2379")->id);
	cr_assert_str_eq(pick(&nodes, &tried, 0), "nobody");
}

Test(etcdnode, the_one_that_answered_stays_the_first)
{
	struct etcdnodes nodes;

	three(&nodes);
	cr_assert_not(etcdnode_good(&nodes, by_url(&nodes, "http://b:2379"), 7));
	cr_assert_str_eq(pick(&nodes, &nobody, 0), "http://b:2379");
}

Test(etcdnode, one_that_failed_comes_last_until_its_time_is_over)
{
	struct etcdnode_set tried = { 0 };
	struct etcdnode *a;
	struct etcdnodes nodes;

	three(&nodes);
	a = by_url(&nodes, "http://a:2379");
	cr_assert(etcdnode_bad(&nodes, a, 1000));
	cr_assert_not(etcdnode_bad(&nodes, a, 1000));
	cr_assert_str_eq(pick(&nodes, &nobody, 1000), "http://b:2379");
	etcdnode_add(&tried, by_url(&nodes, "http://b:2379")->id);
	etcdnode_add(&tried, by_url(&nodes, "http://c:2379")->id);
	cr_assert_str_eq(pick(&nodes, &tried, 1000), "http://a:2379");
	cr_assert(etcdnode_good(&nodes, a, 0));
	cr_assert_eq(a->failures, 0);
}

Test(etcdnode, the_time_of_a_failed_one_grows_to_a_limit)
{
	struct etcdnode *a;
	struct etcdnodes nodes;

	three(&nodes);
	a = by_url(&nodes, "http://a:2379");
	etcdnode_bad(&nodes, a, 0);
	cr_assert_eq(a->bad_until_ms, ETCDNODE_BAD_MIN_MS);
	etcdnode_bad(&nodes, a, 0);
	cr_assert_eq(a->bad_until_ms, 2 * ETCDNODE_BAD_MIN_MS);
	for (int i = 0; i < 100; i++)
		etcdnode_bad(&nodes, a, 0);
	cr_assert_eq(a->bad_until_ms, ETCDNODE_BAD_MAX_MS);
}

Test(etcdnode, a_member_under_two_addresses_is_not_asked_twice_at_once)
{
	struct etcd_members members = { .n = 1, .urls = { "http://10.0.0.1:2379" } };
	struct etcdnode_set busy = { 0 };
	struct etcdnodes nodes;

	three(&nodes);
	etcdnode_list(&nodes, &members);
	cr_assert_eq(nodes.n, 4);
	etcdnode_good(&nodes, by_url(&nodes, "http://10.0.0.1:2379"), 1);
	etcdnode_good(&nodes, by_url(&nodes, "http://a:2379"), 1);
	etcdnode_good(&nodes, by_url(&nodes, "http://c:2379"), 3);
	etcdnode_add(&busy, by_url(&nodes, "http://c:2379")->id);
	/* c itself is not in `tried`, but its member is being asked. */
	cr_assert_str_eq(etcdnode_pick(&nodes, &nobody, &busy, 0)->url, "http://10.0.0.1:2379");
	etcdnode_add(&busy, by_url(&nodes, "http://10.0.0.1:2379")->id);
	cr_assert_str_eq(etcdnode_pick(&nodes, &nobody, &busy, 0)->url, "http://b:2379");
}

Test(etcdnode, named_members_join_behind_the_configured_and_leave_again)
{
	struct etcd_members two = { .n = 2, .urls = { "http://b:2379/", "http://d:2379" } };
	struct etcd_members none = { 0 };
	struct etcdnodes nodes;

	three(&nodes);
	etcdnode_list(&nodes, &two);
	cr_assert_eq(nodes.n, 4);
	cr_assert_str_eq(nodes.items[3].url, "http://d:2379");
	cr_assert(by_url(&nodes, "http://b:2379")->listed);
	etcdnode_list(&nodes, &none);
	cr_assert_eq(nodes.n, 3);
	cr_assert_null(by_url(&nodes, "http://d:2379"));
}

Test(etcdnode, what_is_known_survives_a_new_configuration)
{
	static const char *const other[] = { "c", "fd00::1" };
	struct etcdnodes nodes;
	uint32_t id;

	three(&nodes);
	id = by_url(&nodes, "http://c:2379")->id;
	etcdnode_good(&nodes, by_url(&nodes, "http://c:2379"), 9);
	configure(&nodes, other, 2);
	cr_assert_eq(nodes.n, 2);
	cr_assert_eq(etcdnode_by_id(&nodes, id)->member_id, 9);
	cr_assert_not_null(by_url(&nodes, "http://[fd00::1]:2379"));
	cr_assert_null(by_url(&nodes, "http://a:2379"));
}

Test(etcdnode, found_ones_stand_between_configured_and_named_and_outlive_a_configuration)
{
	static const char *const host[] = { "a" };
	static const struct endpoint found[] = { { .host = "f", .port = 2379, .tls = true },
						 { .host = "a", .port = 2379 } };
	struct etcd_members named = { .n = 1, .urls = { "http://n:2379" } };
	struct etcdnodes nodes;

	memset(&nodes, 0, sizeof(nodes));
	configure(&nodes, host, 1);
	etcdnode_list(&nodes, &named);
	etcdnode_found(&nodes, found, 2);
	cr_assert_eq(nodes.n, 3);
	cr_assert_str_eq(nodes.items[1].url, "https://f:2379");
	cr_assert_str_eq(nodes.items[2].url, "http://n:2379");
	configure(&nodes, host, 0);
	cr_assert_eq(nodes.n, 3, "a is found as well");
	etcdnode_found(&nodes, found, 1);
	cr_assert_eq(nodes.n, 2);
	cr_assert_str_eq(nodes.items[0].url, "https://f:2379");
}
