/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_proxy - configurations of load balancers and connection strings for a cluster as it is
 */
#include <criterion/criterion.h>

#include "cli/dsn.h"
#include "cli/proxy.h"

static struct picture picture;
static struct buf text;
static struct err error;

#define MEMBER(name, role, state, host, more)                                                  \
	"{\"name\": \"" name "\", \"role\": \"" role "\", \"state\": \"" state                 \
	"\", \"api_url\": \"http://" host ":8008/patroni\", \"host\": \"" host                 \
	"\", \"port\": 5432" more "}"
#define THREE                                                                                 \
	"{\"members\": [" MEMBER("n1", "replica", "streaming", "10.0.0.1", "") ", "            \
	MEMBER("n2", "leader", "running", "10.0.0.2", "") ", "                                 \
	MEMBER("n3", "replica", "streaming", "10.0.0.3",                                       \
	       ", \"tags\": {\"noloadbalance\": true, \"nofailover\": true}") "]}"

static void draw(const char *body)
{
	picture_done(&picture);
	cr_assert_eq(picture_from_rest("demo", body, strlen(body), "", &picture, NULL), 0);
}

static void setup(void)
{
	draw(THREE);
}

static void teardown(void)
{
	picture_done(&picture);
	buf_done(&text);
}

TestSuite(proxy, .init = setup, .fini = teardown);

static int make(struct proxy_wish wish)
{
	wish.listen = wish.listen != NULL ? wish.listen : "*";
	wish.write_port = 5000;
	wish.read_port = 5001;
	wish.router_id = 51;
	buf_done(&text);
	return proxy_print(&picture, &wish, &text, &error);
}

static bool has(const char *part)
{
	return text.data != NULL && strstr(text.data, part) != NULL;
}

Test(proxy, haproxy_asks_every_member)
{
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_HAPROXY, .lag = "16MB" }), 0);
	cr_assert(has("    option httpchk OPTIONS /primary\n"));
	cr_assert(has("    option httpchk OPTIONS /replica?lag=16MB\n"));
	cr_assert(has("    server n1 10.0.0.1:5432 check port 8008\n"));
	cr_assert(has("    server n3 10.0.0.3:5432 check port 8008\n"));
	cr_assert(has("on-marked-down shutdown-sessions"));
	cr_assert_not(has("/sync"));
}

Test(proxy, haproxy_checks_where_the_rest_api_is)
{
	draw("{\"members\": [{\"name\": \"n1\", \"role\": \"leader\", \"state\": \"running\", "
	     "\"api_url\": \"https://[fd00::1]:8009/patroni\", \"host\": \"fd00::2\", \"port\": "
	     "5433}]}");
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_HAPROXY }), 0);
	cr_assert(has("    server n1 [fd00::2]:5433 check addr fd00::1 port 8009 check-ssl verify "
		      "none\n"),
		  "%s", text.data);
}

Test(proxy, nginx_names_the_leader_and_the_standbys)
{
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_NGINX }), 0);
	cr_assert(has("upstream pgha_primary {\n        server 10.0.0.2:5432;\n    }\n"));
	cr_assert(has("least_conn;\n        server 10.0.0.1:5432;\n    }\n"), "%s", text.data);
}

Test(proxy, reads_go_to_the_leader_where_no_standby_serves)
{
	draw("{\"members\": [" MEMBER("n1", "leader", "running", "10.0.0.1", "") ", " MEMBER(
		"n2", "replica", "start failed", "10.0.0.2", "") "]}");
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_NGINX }), 0);
	cr_assert(has("least_conn;\n        server 10.0.0.1:5432;\n    }\n"), "%s", text.data);
}

Test(proxy, pgbouncer_names_the_leader)
{
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_PGBOUNCER }), 0);
	cr_assert(has("[databases]\n* = host=10.0.0.2 port=5432\n"));
}

Test(proxy, traefik_names_the_leader_and_the_standbys)
{
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_TRAEFIK }), 0);
	cr_assert(has("    pgha-primary:\n      loadBalancer:\n        servers:\n"
		      "          - address: \"10.0.0.2:5432\"\n    pgha-replicas:\n"),
		  "%s", text.data);
	cr_assert(has("    pgha-replicas:\n      loadBalancer:\n        servers:\n"
		      "          - address: \"10.0.0.1:5432\"\n"),
		  "%s", text.data);
	cr_assert(has("      entryPoints: [pgha-replicas]\n      rule: \"HostSNI(`*`)\"\n"));
	cr_assert_not(has("10.0.0.3"));
}

Test(proxy, without_a_leader_nothing_is_made_that_names_one)
{
	draw("{\"members\": [" MEMBER("n1", "replica", "running", "10.0.0.1", "") "]}");
	cr_assert_lt(make((struct proxy_wish){ .kind = PROXY_NGINX }), 0);
	cr_assert_lt(make((struct proxy_wish){ .kind = PROXY_PGBOUNCER }), 0);
	cr_assert_lt(make((struct proxy_wish){ .kind = PROXY_TRAEFIK }), 0);
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_HAPROXY }), 0);
}

Test(proxy, keepalived_checks_its_own_member)
{
	struct proxy_wish wish = { .kind = PROXY_KEEPALIVED, .vip = "10.0.0.9/24", .nic = "eth0" };

	cr_assert_lt(make(wish), 0);
	wish.member = "n3";
	cr_assert_eq(make(wish), 0);
	cr_assert(has("http://10.0.0.3:8008/primary\""));
	cr_assert(has("unicast_src_ip 10.0.0.3\n    unicast_peer {\n        10.0.0.1\n"
		      "        10.0.0.2\n    }\n"));
	cr_assert(has("10.0.0.9/24 dev eth0\n"));
	wish.vip = NULL;
	cr_assert_lt(make(wish), 0);
	wish.vip = "10.0.0.9/24";
	wish.member = "n9";
	cr_assert_lt(make(wish), 0);
}

Test(proxy, what_is_no_plain_word_gets_into_no_file)
{
	draw("{\"members\": [" MEMBER("n1; rm", "leader", "running", "10.0.0.1", "") ", " MEMBER(
		"n2", "replica", "running", "10.0.0.2\\n}", "") "]}");
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_HAPROXY }), 0);
	cr_assert_not(has("server n"));
	/* Who reads the file sees that somebody is missing. */
	cr_assert(has("\n# Left out: 'n1; rm', whose name or address is no plain word.\n"), "%s",
		  text.data);
	cr_assert(has("\n# Left out: 'n2', "));
	cr_assert_lt(make((struct proxy_wish){ .kind = PROXY_NGINX }), 0);
	cr_assert(strstr(error.msg, "the leader 'n1; rm' has no name"), "%s", error.msg);
	draw("{\"members\": [" MEMBER("a b", "replica", "streaming", "10.0.0.1", "") ", " MEMBER(
		"n2", "leader", "running", "10.0.0.2", "") "]}");
	cr_assert_eq(make((struct proxy_wish){ .kind = PROXY_PGBOUNCER }), 0);
	cr_assert(has("\n; Left out: 'a b', "), "%s", text.data);
	cr_assert(has("\n[databases]\n* = host=10.0.0.2 port=5432\n"), "%s", text.data);
}

static const char *dsn(const char *role, bool uri)
{
	const struct dsn_wish wish = { .role = role, .uri = uri };

	buf_done(&text);
	return dsn_print(&picture, &wish, &text, &error) < 0 ? "" : text.data;
}

Test(proxy, writers_find_whoever_leads)
{
	cr_assert_str_eq(dsn("leader", false), "host=10.0.0.2,10.0.0.1 port=5432,5432 "
					       "connect_timeout=2 target_session_attrs=read-write");
	cr_assert_str_eq(dsn("primary", true),
			 "postgresql://10.0.0.2:5432,10.0.0.1:5432/"
			 "?connect_timeout=2&target_session_attrs=read-write");
}

Test(proxy, readers_find_a_standby_first)
{
	cr_assert_str_eq(dsn("replica", false),
			 "host=10.0.0.1,10.0.0.2 port=5432,5432 connect_timeout=2 "
			 "target_session_attrs=prefer-standby");
	cr_assert_str_eq(dsn("any", true), "postgresql://10.0.0.1:5432,10.0.0.2:5432,10.0.0.3:5432/"
					   "?connect_timeout=2&target_session_attrs=any");
}

Test(proxy, members_without_an_address_have_no_string)
{
	draw("{\"members\": [{\"name\": \"n1\", \"role\": \"leader\", \"state\": \"running\"}]}");
	cr_assert_str_eq(dsn("leader", false), "");
	cr_assert_str_eq(dsn("any", true), "");
}
