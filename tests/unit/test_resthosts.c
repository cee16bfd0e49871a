/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_resthosts - addresses inside URLs
 */
#include "wire/restmsg.h"

#include <criterion/criterion.h>

static int split(const char *url, char host[HOST_SIZE], uint16_t *port, bool *tls)
{
	return restmsg_url_split(url, tls, host, port, NULL);
}

Test(resthosts, an_api_url_is_taken_apart)
{
	char host[HOST_SIZE];
	uint16_t port = 0;
	bool tls = true;

	cr_assert_eq(split("http://db1.example.com:8009/patroni", host, &port, &tls), 0);
	cr_assert_str_eq(host, "db1.example.com");
	cr_assert_eq(port, 8009);
	cr_assert_not(tls);
	cr_assert_eq(split("https://[fd00::1]:443", host, &port, &tls), 0);
	cr_assert_str_eq(host, "fd00::1");
	cr_assert_eq(port, 443);
	cr_assert(tls);
	cr_assert_eq(split("http://10.0.0.1/x", host, &port, &tls), 0);
	cr_assert_eq(port, 8008);
}

Test(resthosts, what_is_no_http_address_is_refused)
{
	static const char *const bad[] = {
		"", "db1:8008", "ftp://db1:8008/", "http://", "http:///patroni", "http://:8008/",
		"http://user@db1:8008/", "http://db1:0/", "http://db1:65536/", "http://[fd00::1",
	};
	char host[HOST_SIZE] = "untouched";
	uint16_t port = 7;
	bool tls;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_lt(split(bad[i], host, &port, &tls), 0, "%s", bad[i]);
}

Test(resthosts, a_cluster_document_names_its_members)
{
	static const char json[] =
		"{\"members\": [{\"name\": \"a\", \"api_url\": \"http://10.0.0.1:8008/patroni\"}, "
		"{\"name\": \"b\"}, {\"name\": \"c\", \"api_url\": \"nonsense\"}, "
		"{\"name\": \"d\", \"api_url\": \"https://d.example:8008/patroni\"}]}";
	char hosts[4][HOST_SIZE];

	cr_assert_eq(restmsg_cluster_hosts(json, hosts, 4), 2);
	cr_assert_str_eq(hosts[0], "10.0.0.1");
	cr_assert_str_eq(hosts[1], "d.example");
	cr_assert_eq(restmsg_cluster_hosts(json, hosts, 1), 1);
	cr_assert_eq(restmsg_cluster_hosts("{\"members\": 7}", hosts, 4), 0);
	cr_assert_eq(restmsg_cluster_hosts("garbage", hosts, 4), 0);
	cr_assert_eq(restmsg_cluster_hosts(NULL, hosts, 4), 0);
}
