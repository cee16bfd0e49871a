/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_link - a host whose link is lost for a moment: the lease outlives what it may outlive
 *
 * etcd and its client get a network namespace each and a cable between them. Needs root.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "io/etcd.h"
#include "rig.h"

#define PORT     21300
#define HOST     "10.78.0.1"
#define TTL_MS   5000
#define RENEW_MS (TTL_MS / 6)
#define STOP_MS  (TTL_MS * 66 / 100) /* an orderly stop begins: the loss did harm */
#define LOSS_MS  1600

struct client {
	struct loop *loop;
	struct http *http;
	struct etcd *etcd;
	uint64_t ticket; /* of the proof under way; 0 none */
	uint64_t last_ticket;
	int64_t next_ms;
	int64_t proved_ms; /* when the newest proof left */
	int64_t worst_ms;  /* longest that the lease was not proved anew */
	int64_t created_at_ms;
	int64_t lost_at_ms;
	int64_t revision; /* newest seen by the watch */
};

static struct rig_etcd rig = { .host = HOST };
static char ns_name[32];
static int etcd_ns = -1;
static int client_ns = -1;

/* Runs a shell command on etcd's side. */
static void over_there(const char *text)
{
	char command[1024];
	char *const argv[] = { (char *)"sh", (char *)"-c", command, NULL };
	pid_t pid;

	CHECK(setns(etcd_ns, CLONE_NEWNET) == 0);
	str_printf(command, sizeof(command), "set -e; %s", text);
	pid = rig_spawn("ip", argv);
	rig_wait(pid);
	CHECK(client_ns < 0 || setns(client_ns, CLONE_NEWNET) == 0);
}

static void remove_ns(void)
{
	char command[64];
	char *const argv[] = { (char *)"sh", (char *)"-c", command, NULL };

	str_printf(command, sizeof(command), "ip netns del %s", ns_name);
	rig_wait(rig_spawn("ip", argv));
}

static void make_network(void)
{
	char command[512];
	char path[64];

	str_printf(ns_name, sizeof(ns_name), "pgha-link-%d", (int)getpid());
	str_printf(path, sizeof(path), "/run/netns/%s", ns_name);
	CHECK(unshare(CLONE_NEWNET) == 0);
	etcd_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK(etcd_ns >= 0);
	rig_at_end(remove_ns);
	str_printf(command, sizeof(command),
		   "ip link set lo up; ip netns add %s; "
		   "ip link add cable type veth peer name eth0 netns %s; "
		   "ip addr add " HOST "/24 dev cable; ip link set cable up; "
		   "ip -n %s addr add 10.78.0.2/24 dev eth0; ip -n %s link set eth0 up; "
		   "ip -n %s link set lo up",
		   ns_name, ns_name, ns_name, ns_name, ns_name);
	over_there(command);
	client_ns = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(client_ns >= 0);
	rig_etcd_start(&rig, 3, PORT);
	CHECK(setns(client_ns, CLONE_NEWNET) == 0);
}

static void on_answer(void *ctx, const struct etcd_answer *answer)
{
	struct client *c = ctx;

	if (answer->ticket != c->ticket)
		return;
	c->ticket = 0;
	if (answer->err || !answer->rep->succeeded) {
		/* As the agent does. */
		c->next_ms = MIN_OF(c->next_ms, loop_now_ms() + 100);
		return;
	}
	c->proved_ms = MAX_OF(c->proved_ms, answer->sent_at_ms);
}

static void on_watch(void *ctx, const struct etcd_watch_msg *msg)
{
	struct client *c = ctx;

	if (msg->created)
		c->created_at_ms = loop_now_ms();
	for (size_t i = 0; i < msg->events.n; i++)
		c->revision = MAX_OF(c->revision, msg->events.items[i].mod_revision);
}

static void on_lost(void *ctx, const struct err *err _unused_)
{
	struct client *c = ctx;

	c->lost_at_ms = loop_now_ms();
}

static struct client *client_new(void)
{
	struct client *c = mem_new(1, sizeof(*c));
	struct etcd_handler handler = { c, on_answer, on_watch, on_lost, NULL };
	struct config_etcd config = { 0 };
	struct err err = { 0 };

	CHECK(loop_new(&c->loop, &err) == 0, "%s", err.msg);
	CHECK(http_new(c->loop, &c->http, &err) == 0, "%s", err.msg);
	CHECK(etcd_new(c->loop, c->http, &handler, &c->etcd, &err) == 0, "%s", err.msg);
	for (int i = 0; i < rig.n; i++) {
		struct endpoint *e = &config.endpoints[config.nendpoints++];

		str_copy(e->host, sizeof(e->host), HOST);
		e->port = (uint16_t)rig.port[i];
	}
	etcd_configure(c->etcd, &config, TTL_MS);
	return c;
}

static void client_free(struct client *c)
{
	etcd_free(c->etcd);
	http_free(c->http);
	loop_free(c->loop);
	free(c);
}

static void ask_proof(struct client *c, int64_t now_ms)
{
	struct etcd_req req;

	etcd_req_init_txn(&req, TTL_MS / 2);
	etcd_cmp_number(&req, "/t/absent", ETCD_CMP_CREATE, 0);
	etcd_then_put(&req, "/t/beat", "x", 0);
	req.urgent = true;
	req.everywhere = c->proved_ms && now_ms - c->proved_ms >= TTL_MS / 2;
	c->next_ms = now_ms + RENEW_MS;
	c->ticket = ++c->last_ticket;
	etcd_request(c->etcd, c->ticket, &req);
	etcd_req_done(&req);
}

/* Renews as the agent does, for so long. */
static void renew_for(struct client *c, int64_t ms)
{
	int64_t until_ms = loop_now_ms() + ms;
	int64_t now_ms;

	while ((now_ms = loop_now_ms()) < until_ms) {
		if (!c->ticket && now_ms >= c->next_ms)
			ask_proof(c, now_ms);
		if (c->proved_ms)
			c->worst_ms = MAX_OF(c->worst_ms, now_ms - c->proved_ms);
		loop_step(c->loop, 10);
	}
}

struct loss {
	const char *name;
	const char *begin;
	const char *end;
};

/* The card sees it, or nobody does. */
static const struct loss losses[] = {
	{ "cable pulled", "ip link set cable down", "ip link set cable up" },
	{ "packets dropped",
	  "nft 'table inet t { chain i { type filter hook input priority 0; iif cable drop; }; "
	  "chain o { type filter hook output priority 0; oif cable drop; }; }'",
	  "nft delete table inet t" },
};

static void a_short_loss_of_the_link_costs_no_lease(void)
{
	for (size_t k = 0; k < ARRAY_LEN(losses); k++) {
		for (int phase_ms = 0; phase_ms < RENEW_MS; phase_ms += 200) {
			struct client *c = client_new();
			int64_t healed_ms;

			/* The link is lost so long after a proof. */
			renew_for(c, 3 * RENEW_MS);
			CHECK(c->proved_ms != 0, "no proof before");
			renew_for(c, c->next_ms + phase_ms - loop_now_ms());
			c->worst_ms = 0;
			over_there(losses[k].begin);
			renew_for(c, LOSS_MS);
			over_there(losses[k].end);
			healed_ms = loop_now_ms();
			renew_for(c, 2500);
			printf("   %s %d ms after a proof was due: longest time without a proof "
			       "%lld ms\n", losses[k].name, phase_ms, (long long)c->worst_ms);
			CHECK(c->proved_ms > healed_ms - LOSS_MS, "no proof afterwards");
			CHECK(c->worst_ms < STOP_MS, "%s: %lld ms", losses[k].name,
			      (long long)c->worst_ms);
			client_free(c);
		}
	}
}

/* What stands between forgets the connections that are open, as a firewall does that was started
 * anew: new ones are let through. */
static void forgotten_connections_cost_no_lease(void)
{
	struct client *c = client_new();

	renew_for(c, 4 * RENEW_MS);
	CHECK(c->proved_ms != 0, "no proof before");
	c->worst_ms = 0;
	over_there("ports=$(ss -Htn state established | awk '$4 ~ /^10.78.0.2/ { n = split($4, a, \":\"); "
		   "printf \"%s%s\", s, a[n]; s = \", \" }'); test -n \"$ports\"; "
		   "nft \"table inet t { chain i { type filter hook input priority 0; "
		   "tcp sport { $ports } drop; }; }\"");
	renew_for(c, 6000);
	over_there("nft delete table inet t");
	printf("   longest time without a proof %lld ms\n", (long long)c->worst_ms);
	CHECK(c->worst_ms < STOP_MS, "%lld ms", (long long)c->worst_ms);
	client_free(c);
}

static void what_happened_meanwhile_is_told_soon(void)
{
	for (size_t k = 0; k < ARRAY_LEN(losses); k++) {
		struct client *c = client_new();
		int64_t healed_ms;
		int64_t seen_ms;

		renew_for(c, 500);
		etcd_watch(c->etcd, "/w/", 1);
		renew_for(c, 5500);
		CHECK(c->created_at_ms != 0, "no watch");
		over_there(losses[k].begin);
		renew_for(c, 400);
		c->revision = 0;
		over_there("ETCDCTL_API=3 etcdctl --endpoints=127.0.0.1:21300 put /w/x 1");
		renew_for(c, 1500);
		over_there(losses[k].end);
		healed_ms = loop_now_ms();
		while (c->revision == 0 && loop_now_ms() - healed_ms < 5000)
			renew_for(c, 20);
		seen_ms = loop_now_ms() - healed_ms;
		printf("   %s: told %lld ms after it was back\n", losses[k].name,
		       (long long)seen_ms);
		/* The card may ask for its neighbour once a second. */
		CHECK(seen_ms < 1500, "late");
		client_free(c);
	}
}

/* A stream that nobody answers is begun anew in time, and nothing is missing from it. */
static void a_stream_without_its_link_is_noticed(void)
{
	struct client *c = client_new();
	int64_t begun_ms;
	int64_t healed_ms;

	renew_for(c, 1000);
	etcd_watch(c->etcd, "/t/", 1);
	renew_for(c, 1500);
	CHECK(c->created_at_ms != 0 && c->revision > 1, "no watch");
	begun_ms = loop_now_ms();
	over_there(losses[1].begin);
	renew_for(c, 5000);
	CHECK(c->lost_at_ms > begun_ms, "not noticed within 5 s");
	printf("   noticed after %lld ms\n", (long long)(c->lost_at_ms - begun_ms));
	c->created_at_ms = 0;
	c->revision = 0;
	healed_ms = loop_now_ms();
	over_there(losses[1].end);
	renew_for(c, 5000);
	CHECK(c->created_at_ms > healed_ms, "no new stream");
	printf("   stands again after %lld ms\n", (long long)(c->created_at_ms - healed_ms));
	CHECK(c->created_at_ms - healed_ms < 3000, "late");
	CHECK(c->revision > 0, "no event of the beats");
	client_free(c);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 0;
	}
	log_level_set(LOG_ERR);
	rig_begin("a network of its own");
	make_network();
	RUN(a_short_loss_of_the_link_costs_no_lease);
	RUN(forgotten_connections_cost_no_lease);
	RUN(what_happened_meanwhile_is_told_soon);
	RUN(a_stream_without_its_link_is_noticed);
	return 0;
}
