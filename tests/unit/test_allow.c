/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_allow - a list of addresses and networks
 */
#include "io/allow.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>

static bool has(const struct allow *allow, const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return allow_has(allow, (const struct sockaddr *)&in);
	cr_assert_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return allow_has(allow, (const struct sockaddr *)&in6);
}

Test(allow, an_empty_list_has_nobody)
{
	struct allow allow = { 0 };

	cr_assert_not(has(&allow, "127.0.0.1"));
	cr_assert_not(has(&allow, "::1"));
}

Test(allow, an_address_is_only_itself)
{
	struct allow allow = { 0 };

	cr_assert_eq(allow_add(&allow, "10.1.2.3", NULL), 0);
	cr_assert(has(&allow, "10.1.2.3"));
	cr_assert_not(has(&allow, "10.1.2.2"));
	cr_assert_not(has(&allow, "10.1.2.4"));
}

Test(allow, a_network_ends_at_its_edges)
{
	struct allow allow = { 0 };

	cr_assert_eq(allow_add(&allow, "10.1.16.0/20", NULL), 0);
	cr_assert(has(&allow, "10.1.16.0"));
	cr_assert(has(&allow, "10.1.31.255"));
	cr_assert_not(has(&allow, "10.1.15.255"));
	cr_assert_not(has(&allow, "10.1.32.0"));
}

Test(allow, mask_zero_of_ipv4_is_all_ipv4_and_no_ipv6)
{
	struct allow allow = { 0 };

	cr_assert_eq(allow_add(&allow, "0.0.0.0/0", NULL), 0);
	cr_assert(has(&allow, "203.0.113.9"));
	cr_assert_not(has(&allow, "2001:db8::1"));
}

Test(allow, ipv4_that_comes_through_an_ipv6_listener_counts)
{
	struct allow allow = { 0 };

	cr_assert_eq(allow_add(&allow, "192.0.2.0/24", NULL), 0);
	cr_assert(has(&allow, "::ffff:192.0.2.7"));
	cr_assert_not(has(&allow, "::ffff:192.0.3.7"));
}

Test(allow, ipv6_networks_and_brackets)
{
	struct allow allow = { 0 };

	cr_assert_eq(allow_add(&allow, "fd00::/9", NULL), 0);
	cr_assert_eq(allow_add(&allow, "[2001:db8::1]", NULL), 0);
	cr_assert(has(&allow, "fd7f::1"));
	cr_assert_not(has(&allow, "fd80::1"));
	cr_assert(has(&allow, "2001:db8::1"));
	cr_assert_not(has(&allow, "2001:db8::2"));
}

Test(allow, what_is_no_address_may_be_a_name)
{
	struct allow allow = { 0 };

	cr_assert_eq(allow_add(&allow, "db1.example.com", NULL), ALLOW_NAME);
	cr_assert_eq(allow_add(&allow, "10.1.2", NULL), ALLOW_NAME);
	cr_assert_eq(allow_add(&allow, "", NULL), ALLOW_NAME);
	cr_assert_eq(allow.n, 0);
}

Test(allow, wrong_masks_are_refused)
{
	struct allow allow = { 0 };

	cr_assert_eq(allow_add(&allow, "10.0.0.0/33", NULL), -ERR_RANGE);
	cr_assert_eq(allow_add(&allow, "10.0.0.0/", NULL), -ERR_RANGE);
	cr_assert_eq(allow_add(&allow, "10.0.0.0/-1", NULL), -ERR_RANGE);
	cr_assert_eq(allow_add(&allow, "fd00::/129", NULL), -ERR_RANGE);
	cr_assert_eq(allow_add(&allow, "fd00::/128", NULL), 0);
}

Test(allow, a_full_list_says_so)
{
	static struct allow allow;

	for (int i = 0; i < ALLOW_MAX; i++)
		cr_assert_eq(allow_add(&allow, "10.0.0.1", NULL), 0);
	cr_assert_eq(allow_add(&allow, "10.0.0.2", NULL), -ERR_RANGE);
	cr_assert_not(has(&allow, "10.0.0.2"));
}
