/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_etcd - the etcd port against real members and false ones
 */
#include "io/etcd.h"

#include <malloc.h>
#include <signal.h>

#include "base/log.h"
#include "rig.h"

#define PORT       21000
#define FAKE_PORT  21100
#define ANSWERS    4096

struct outcome {
	bool told;
	enum err_code code; /* of a failure */
	char text[256];
	bool succeeded;
	int32_t error_code;
	int64_t revision, lease_id, ttl_s, sent_at_ms, told_at_ms, asked_at_ms;
	size_t nkvs;
	char value[64];
};

struct client {
	struct loop *loop;
	struct http *http;
	struct etcd *etcd;
	uint64_t ticket;
	struct outcome outcomes[ANSWERS];
	int lost;
	int created;
	char lost_text[256];
	size_t nevents;
	size_t ndeleted;
	char last_key[ETCD_KEY_SIZE];
	int64_t last_mod;
	bool order_broken;
	bool watch_again; /* begins a new watch from inside the callback */
	int ninfo;
	struct etcd_info info;
};

static struct rig_etcd rig;

static void on_answer(void *ctx, const struct etcd_answer *answer)
{
	struct client *c = ctx;
	struct outcome *o = &c->outcomes[answer->ticket % ANSWERS];

	CHECK(!o->told, "answered twice");
	o->told = true;
	o->told_at_ms = loop_now_ms();
	o->sent_at_ms = answer->sent_at_ms;
	if (answer->err) {
		o->code = answer->err->code;
		str_clip(o->text, sizeof(o->text), answer->err->msg);
		return;
	}
	o->succeeded = answer->rep->succeeded;
	o->error_code = answer->rep->error_code;
	o->revision = answer->rep->revision;
	o->lease_id = answer->rep->lease_id;
	o->ttl_s = answer->rep->ttl_s;
	o->nkvs = answer->rep->kvs.n;
	if (o->nkvs)
		str_clip(o->value, sizeof(o->value), answer->rep->kvs.items[0].value);
}

static void on_watch(void *ctx, const struct etcd_watch_msg *msg)
{
	struct client *c = ctx;

	c->created += msg->created;
	for (size_t i = 0; i < msg->events.n; i++) {
		const struct etcd_kv *kv = &msg->events.items[i];

		c->nevents++;
		c->ndeleted += kv->deleted;
		c->order_broken = c->order_broken || kv->mod_revision < c->last_mod;
		c->last_mod = kv->mod_revision;
		str_clip(c->last_key, sizeof(c->last_key), kv->key);
	}
	if (c->watch_again && msg->events.n > 0) {
		c->watch_again = false;
		etcd_watch(c->etcd, "/o/", c->last_mod + 1);
	}
}

static void on_lost(void *ctx, const struct err *err)
{
	struct client *c = ctx;

	c->lost++;
	str_clip(c->lost_text, sizeof(c->lost_text), err->msg);
}

static void on_info(void *ctx, const struct etcd_info *info)
{
	struct client *c = ctx;

	c->ninfo++;
	c->info = *info;
}

static struct client *client_new(void)
{
	struct client *c = mem_new(1, sizeof(*c));
	struct etcd_handler handler = { c, on_answer, on_watch, on_lost, on_info };
	struct err err = { 0 };

	CHECK(loop_new(&c->loop, &err) == 0, "%s", err.msg);
	CHECK(http_new(c->loop, &c->http, &err) == 0, "%s", err.msg);
	CHECK(etcd_new(c->loop, c->http, &handler, &c->etcd, &err) == 0, "%s", err.msg);
	return c;
}

static void client_free(struct client *c)
{
	etcd_free(c->etcd);
	http_free(c->http);
	loop_free(c->loop);
	free(c);
}

static void add_endpoint(struct config_etcd *config, const char *host, int port)
{
	struct endpoint *e = &config->endpoints[config->nendpoints++];

	str_copy(e->host, sizeof(e->host), host);
	e->port = (uint16_t)port;
}

static void use_rig(struct client *c)
{
	struct config_etcd config = { 0 };

	for (int i = 0; i < rig.n; i++)
		add_endpoint(&config, "127.0.0.1", rig.port[i]);
	etcd_configure(c->etcd, &config, 5000);
}

static void use_only(struct client *c, const int *ports, int n)
{
	struct config_etcd config = { .use_proxies = true };

	for (int i = 0; i < n; i++)
		add_endpoint(&config, "127.0.0.1", ports[i]);
	etcd_configure(c->etcd, &config, 5000);
}

static uint64_t ask(struct client *c, struct etcd_req *req)
{
	c->outcomes[++c->ticket % ANSWERS] = (struct outcome){ .asked_at_ms = loop_now_ms() };
	etcd_request(c->etcd, c->ticket, req);
	CHECK(!c->outcomes[c->ticket % ANSWERS].told, "answered from inside the call");
	etcd_req_done(req);
	return c->ticket;
}

static struct outcome *wait_for(struct client *c, uint64_t ticket)
{
	struct outcome *o = &c->outcomes[ticket % ANSWERS];
	int64_t until_ms = loop_now_ms() + 20000;

	while (!o->told && loop_now_ms() < until_ms)
		loop_step(c->loop, 100);
	CHECK(o->told, "no answer at all");
	return o;
}

static void run_for(struct client *c, int64_t ms)
{
	int64_t until_ms = loop_now_ms() + ms;

	while (loop_now_ms() < until_ms)
		loop_step(c->loop, until_ms - loop_now_ms());
}

#define WAIT_UNTIL(c, cond, ms)                                            \
	do {                                                               \
		int64_t until_ms_ = loop_now_ms() + (ms);                  \
		while (!(cond) && loop_now_ms() < until_ms_)               \
			loop_step((c)->loop, 20);                          \
		CHECK(cond, "not within %d ms", (int)(ms));                \
	} while (0)

static uint64_t ask_put(struct client *c, const char *key, const char *value, int64_t timeout_ms)
{
	struct etcd_req req;

	etcd_req_init_txn(&req, timeout_ms);
	etcd_then_put(&req, key, value, 0);
	return ask(c, &req);
}

/* Leaves one event however often it is carried out. */
static uint64_t ask_create(struct client *c, const char *key)
{
	struct etcd_req req;

	etcd_req_init_txn(&req, 5000);
	etcd_cmp_number(&req, key, ETCD_CMP_CREATE, 0);
	etcd_then_put(&req, key, "v", 0);
	return ask(c, &req);
}

static uint64_t ask_range(struct client *c, const char *prefix)
{
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = 5000 };

	str_copy(req.key, sizeof(req.key), prefix);
	return ask(c, &req);
}

/* The proof of a lease: compares and writes. */
static uint64_t ask_proof(struct client *c, int64_t timeout_ms, bool everywhere)
{
	struct etcd_req req;

	etcd_req_init_txn(&req, timeout_ms);
	etcd_cmp_number(&req, "/t/absent", ETCD_CMP_CREATE, 0);
	etcd_then_put(&req, "/t/beat", "x", 0);
	req.urgent = true;
	req.everywhere = everywhere;
	return ask(c, &req);
}

static void requests_are_answered(void)
{
	struct client *c = client_new();
	struct etcd_req req;
	struct outcome *o;
	int64_t lease;

	use_rig(c);
	req = (struct etcd_req){ .op = ETCD_GRANT, .timeout_ms = 5000, .ttl_s = 5 };
	o = wait_for(c, ask(c, &req));
	CHECK(!o->code && !o->error_code && o->lease_id && o->ttl_s == 5, "%s", o->text);
	CHECK(o->sent_at_ms >= o->asked_at_ms && o->sent_at_ms <= o->told_at_ms);
	lease = o->lease_id;

	etcd_req_init_txn(&req, 5000);
	etcd_cmp_number(&req, "/t/leader", ETCD_CMP_CREATE, 0);
	etcd_then_put(&req, "/t/leader", "me", lease);
	etcd_else_get(&req, "/t/leader");
	o = wait_for(c, ask(c, &req));
	CHECK(o->succeeded && o->revision > 0, "%s", o->text);

	etcd_req_init_txn(&req, 5000);
	etcd_cmp_number(&req, "/t/leader", ETCD_CMP_CREATE, 0);
	etcd_then_put(&req, "/t/leader", "other", lease);
	etcd_else_get(&req, "/t/leader");
	o = wait_for(c, ask(c, &req));
	CHECK(!o->code && !o->succeeded && o->nkvs == 1 && str_eq(o->value, "me"), "%s", o->value);

	req = (struct etcd_req){ .op = ETCD_KEEPALIVE, .timeout_ms = 5000, .lease_id = lease };
	o = wait_for(c, ask(c, &req));
	CHECK(!o->code && o->ttl_s == 5, "%s", o->text);

	o = wait_for(c, ask_range(c, "/t/"));
	CHECK(o->nkvs == 1, "%zu", o->nkvs);

	req = (struct etcd_req){ .op = ETCD_REVOKE, .timeout_ms = 5000, .lease_id = lease };
	o = wait_for(c, ask(c, &req));
	CHECK(!o->code && !o->error_code, "%s", o->text);
	o = wait_for(c, ask_range(c, "/t/"));
	CHECK(o->nkvs == 0);
	client_free(c);
}

static void a_refusal_of_etcd_is_an_answer(void)
{
	struct client *c = client_new();
	struct etcd_req req = { .op = ETCD_KEEPALIVE, .timeout_ms = 5000, .lease_id = 12345 };
	struct outcome *o;

	use_rig(c);
	o = wait_for(c, ask(c, &req));
	CHECK(!o->code && !o->error_code && o->ttl_s == 0, "keepalive of no lease: %s", o->text);

	etcd_req_init_txn(&req, 5000);
	etcd_then_put(&req, "/t/x", "y", 12345);
	o = wait_for(c, ask(c, &req));
	CHECK(!o->code && o->error_code == 5, "put on no lease: %d %s", o->error_code, o->text);
	CHECK(o->told_at_ms - o->asked_at_ms < 1000);
	client_free(c);
}

static void members_and_versions_become_known(void)
{
	struct client *c = client_new();
	struct config_etcd config = { 0 };
	int victim = (rig_etcd_leader(&rig, -1) + 1) % 3;

	/* One configured endpoint is enough to find the others. */
	add_endpoint(&config, "localhost", rig.port[victim]);
	etcd_configure(c->etcd, &config, 5000);
	WAIT_UNTIL(c, c->ninfo > 0, 5000);
	CHECK(c->info.nmembers == 3, "%u", c->info.nmembers);
	CHECK(str_starts(c->info.min_version, "3."), "%s", c->info.min_version);
	rig_kill(rig.pid[victim], SIGSTOP);
	CHECK(wait_for(c, ask_proof(c, 3000, false))->succeeded);
	rig_kill(rig.pid[victim], SIGCONT);
	client_free(c);
}

/* Below a prefix of its own: attempts that earlier tests gave up may still be carried out. */
static void changes_arrive_in_order(void)
{
	struct client *c = client_new();
	struct outcome *o;

	use_rig(c);
	o = wait_for(c, ask_create(c, "/o/first"));
	CHECK(o->succeeded, "%s", o->text);
	etcd_watch(c->etcd, "/o/", o->revision + 1);
	WAIT_UNTIL(c, c->created == 1, 5000);
	for (int i = 0; i < 50; i++) {
		char key[32];

		str_printf(key, sizeof(key), "/o/order/%d", i);
		ask_create(c, key);
	}
	WAIT_UNTIL(c, c->nevents == 50, 5000);
	ask_create(c, "/u/elsewhere");
	wait_for(c, ask_create(c, "/o/last"));
	WAIT_UNTIL(c, c->nevents == 51, 5000);
	CHECK(str_eq(c->last_key, "/o/last") && !c->order_broken && c->lost == 0);

	/* From inside the callback a new watch may be begun. */
	c->watch_again = true;
	ask_create(c, "/o/again");
	WAIT_UNTIL(c, c->created == 2, 5000);
	ask_create(c, "/o/afterwards");
	WAIT_UNTIL(c, str_eq(c->last_key, "/o/afterwards"), 5000);
	CHECK(c->nevents == 53 && c->lost == 0, "%zu", c->nevents);
	client_free(c);
}

static void a_compacted_revision_is_told_and_waits_for_a_new_one(void)
{
	struct client *c = client_new();
	struct buf out = { 0 };
	char args[64];
	int64_t old, now;

	use_rig(c);
	old = wait_for(c, ask_put(c, "/t/a", "1", 5000))->revision;
	wait_for(c, ask_put(c, "/t/a", "2", 5000));
	now = wait_for(c, ask_put(c, "/t/a", "3", 5000))->revision;
	str_printf(args, sizeof(args), "compact %lld", (long long)now);
	rig_etcdctl(&rig, 0, args, &out);
	buf_done(&out);
	etcd_watch(c->etcd, "/t/", old);
	WAIT_UNTIL(c, c->lost == 1, 5000);
	CHECK(strstr(c->lost_text, "compacted"), "%s", c->lost_text);
	run_for(c, 1000);
	CHECK(c->lost == 1, "told %d times", c->lost);
	etcd_watch(c->etcd, "/t/", now + 1);
	ask_put(c, "/t/fresh", "4", 5000);
	WAIT_UNTIL(c, str_eq(c->last_key, "/t/fresh"), 5000);
	client_free(c);
}

/* Proofs go on through the death of etcd's leader, and the watch loses nothing. */
static void the_leader_of_etcd_may_die(void)
{
	struct client *c = client_new();
	int leader = rig_etcd_leader(&rig, -1);
	struct outcome *o;
	int64_t began_ms, longest_ms = 0;
	uint32_t failures = 0, n = 0;

	use_rig(c);
	o = wait_for(c, ask_put(c, "/t/start", "1", 5000));
	etcd_watch(c->etcd, "/t/", o->revision + 1);
	WAIT_UNTIL(c, c->created == 1, 5000);
	began_ms = loop_now_ms();
	while (loop_now_ms() - began_ms < 6000) {
		uint64_t ticket = ask_proof(c, 4000, false);

		if (n++ == 20)
			rig_kill(rig.pid[leader], SIGKILL);
		o = wait_for(c, ticket);
		failures += o->code != 0;
		longest_ms = MAX_OF(longest_ms, o->told_at_ms - o->asked_at_ms);
		CHECK(o->code || (o->sent_at_ms >= o->asked_at_ms &&
				  o->sent_at_ms <= o->told_at_ms));
		run_for(c, 20);
	}
	fprintf(stderr, "   %u proofs, %u failed, longest %lld ms\n", n, failures,
		(long long)longest_ms);
	CHECK(failures == 0, "%s", o->text);
	ask_put(c, "/t/end", "1", 5000);
	WAIT_UNTIL(c, str_eq(c->last_key, "/t/end"), 5000);
	/* A proof whose answer was lost with the leader may stand twice in the history. */
	CHECK(c->nevents >= n + 1 && c->nevents <= n + 4 && !c->order_broken,
	      "%zu events of %u", c->nevents, n + 1);
	rig_etcd_start_one(&rig, leader, PORT);
	client_free(c);
	(void)rig_etcd_leader(&rig, -1);
}

static void a_frozen_member_is_passed_over_in_time(void)
{
	struct client *c = client_new();
	int leader = rig_etcd_leader(&rig, -1);
	int victim = (leader + 1) % 3;
	int other = (leader + 2) % 3;
	int ports[3] = { rig.port[victim], rig.port[other], rig.port[leader] };
	struct outcome *o;

	use_only(c, ports, 3);
	o = wait_for(c, ask_proof(c, 1000, false));
	CHECK(o->succeeded, "%s", o->text);
	rig_kill(rig.pid[victim], SIGSTOP);
	o = wait_for(c, ask_proof(c, 1000, false));
	CHECK(o->succeeded, "%s", o->text);
	/* It was the second attempt that was answered, so the term counts from that one. How long
	 * the answer takes is up to the disks of etcd's members. */
	CHECK(o->sent_at_ms - o->asked_at_ms >= 240 && o->sent_at_ms - o->asked_at_ms < 500,
	      "sent %lld ms after it was asked", (long long)(o->sent_at_ms - o->asked_at_ms));
	/* Once it is known the frozen one is not asked first. */
	o = wait_for(c, ask_proof(c, 1000, false));
	CHECK(o->succeeded && o->sent_at_ms - o->asked_at_ms < 200, "sent %lld ms after it was asked",
	      (long long)(o->sent_at_ms - o->asked_at_ms));
	rig_kill(rig.pid[victim], SIGCONT);
	client_free(c);
}

static void everywhere_means_at_once(void)
{
	struct client *c = client_new();
	int leader = rig_etcd_leader(&rig, -1);
	int victim = (leader + 1) % 3;
	int ports[3] = { rig.port[victim], rig.port[leader], rig.port[(leader + 2) % 3] };
	struct outcome *o;

	use_only(c, ports, 3);
	rig_kill(rig.pid[victim], SIGSTOP);
	o = wait_for(c, ask_proof(c, 2000, true));
	CHECK(o->succeeded && o->sent_at_ms - o->asked_at_ms < 200, "sent %lld ms after it was asked",
	      (long long)(o->sent_at_ms - o->asked_at_ms));
	rig_kill(rig.pid[victim], SIGCONT);
	client_free(c);
}

static void a_frozen_member_of_the_watch_is_noticed(void)
{
	struct client *c = client_new();
	int leader = rig_etcd_leader(&rig, -1);
	int victim = (leader + 1) % 3;
	int ports[2] = { rig.port[victim], rig.port[leader] };
	struct outcome *o;

	use_only(c, ports, 2);
	o = wait_for(c, ask_put(c, "/t/start", "1", 5000));
	etcd_watch(c->etcd, "/t/", o->revision + 1);
	WAIT_UNTIL(c, c->created == 1, 5000);
	rig_kill(rig.pid[victim], SIGSTOP);
	/* Nothing else is asked meanwhile: it is the watch itself that finds out. */
	WAIT_UNTIL(c, c->lost == 1, 6000);
	WAIT_UNTIL(c, c->created == 2, 6000);
	ask_put(c, "/t/after", "1", 5000);
	WAIT_UNTIL(c, str_eq(c->last_key, "/t/after"), 5000);
	CHECK(c->lost == 1, "told %d times", c->lost);
	rig_kill(rig.pid[victim], SIGCONT);
	client_free(c);
}

static void without_a_quorum_nothing_is_proved(void)
{
	struct client *c = client_new();
	int leader = rig_etcd_leader(&rig, -1);
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = 2000, .serializable = true };
	struct outcome *o;
	int64_t began_ms;

	use_rig(c);
	o = wait_for(c, ask_put(c, "/t/start", "1", 5000));
	CHECK(o->succeeded, "%s", o->text);
	etcd_watch(c->etcd, "/t/", o->revision + 1);
	WAIT_UNTIL(c, c->created == 1, 5000);
	rig_kill(rig.pid[leader], SIGSTOP);
	rig_kill(rig.pid[(leader + 1) % 3], SIGSTOP);
	began_ms = loop_now_ms();
	o = wait_for(c, ask_proof(c, 2000, false));
	CHECK(o->code == ERR_TIMEOUT, "%d %s", o->code, o->text);
	CHECK(loop_now_ms() - began_ms < 2300, "%lld ms", (long long)(loop_now_ms() - began_ms));
	/* An old read is still possible: a hint, marked as such by who asks for it. */
	str_copy(req.key, sizeof(req.key), "/t/start");
	o = wait_for(c, ask(c, &req));
	CHECK(!o->code && o->nkvs == 1, "%s", o->text);
	WAIT_UNTIL(c, c->lost >= 1, 10000);
	rig_kill(rig.pid[leader], SIGCONT);
	rig_kill(rig.pid[(leader + 1) % 3], SIGCONT);
	(void)rig_etcd_leader(&rig, -1);
	o = wait_for(c, ask_put(c, "/t/healed", "1", 10000));
	CHECK(o->succeeded, "%s", o->text);
	WAIT_UNTIL(c, str_eq(c->last_key, "/t/healed"), 10000);
	client_free(c);
}

static void with_fake(enum rig_manner manner, const char *text, int port)
{
	struct rig_fake *fake = rig_fake_start(port, manner, text);
	int both[2] = { port, rig.port[0] };
	int alone[1] = { port };
	struct client *c = client_new();
	struct outcome *o;

	/* The false one stands first in the list; the true one answers. */
	use_only(c, both, 2);
	o = wait_for(c, ask_proof(c, 2000, false));
	CHECK(o->succeeded, "manner %d: %s", manner, o->text);
	CHECK(o->told_at_ms - o->asked_at_ms < 1000, "manner %d: %lld ms", manner,
	      (long long)(o->told_at_ms - o->asked_at_ms));
	o = wait_for(c, ask_put(c, "/t/x", "1", 2000));
	CHECK(o->succeeded, "manner %d: %s", manner, o->text);
	CHECK(rig_fake_connections(fake) > 0);
	client_free(c);

	c = client_new();
	use_only(c, alone, 1);
	etcd_watch(c->etcd, "/t/", 1);
	o = wait_for(c, ask_proof(c, 1000, false));
	CHECK(o->code == ERR_TIMEOUT && o->text[0], "manner %d: %d", manner, o->code);
	CHECK(o->told_at_ms - o->asked_at_ms < 1200, "manner %d: %lld ms", manner,
	      (long long)(o->told_at_ms - o->asked_at_ms));
	WAIT_UNTIL(c, c->lost == 1, 5000);
	run_for(c, 300);
	CHECK(c->lost == 1);
	client_free(c);
	rig_fake_stop(fake);
}

static void false_endpoints_do_no_harm(void)
{
	static const char not_found[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n"
					"404 page not found\n";
	static const char empty[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
	struct mallinfo2 memory;

	with_fake(RIG_SILENT, NULL, FAKE_PORT);
	with_fake(RIG_HTML, NULL, FAKE_PORT + 1);
	with_fake(RIG_GARBAGE, NULL, FAKE_PORT + 2);
	with_fake(RIG_DRIP, NULL, FAKE_PORT + 3);
	with_fake(RIG_FLOOD, NULL, FAKE_PORT + 4);
	with_fake(RIG_ANSWER, not_found, FAKE_PORT + 5);
	with_fake(RIG_ANSWER, empty, FAKE_PORT + 6);
	memory = mallinfo2();
	CHECK(memory.uordblks < 4 * 1024 * 1024, "%zu bytes in use", memory.uordblks);
}

static void a_stranger_is_not_believed(void)
{
	static const char answer[] =
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
		"{\"header\":{\"cluster_id\":\"77\",\"member_id\":\"8\",\"revision\":\"9\","
		"\"raft_term\":\"99999\"},\"succeeded\":true}";
	struct rig_fake *fake = rig_fake_start(FAKE_PORT + 7, RIG_ANSWER, answer);
	int ports[2] = { rig.port[0], FAKE_PORT + 7 };
	int alone[1] = { FAKE_PORT + 7 };
	struct client *c = client_new();
	struct outcome *o;

	use_only(c, ports, 2);
	o = wait_for(c, ask_put(c, "/t/x", "1", 2000));
	CHECK(o->succeeded && o->revision != 9, "%s", o->text);
	rig_kill(rig.pid[0], SIGSTOP);
	o = wait_for(c, ask_put(c, "/t/x", "2", 2000));
	CHECK(o->code == ERR_TIMEOUT, "revision %lld", (long long)o->revision);
	rig_kill(rig.pid[0], SIGCONT);
	o = wait_for(c, ask_put(c, "/t/x", "3", 2000));
	CHECK(o->succeeded, "its high term must not count: %s", o->text);
	/* When nobody else comes for a while it is for the agent to judge. */
	use_only(c, alone, 1);
	o = wait_for(c, ask_put(c, "/t/x", "4", 2000));
	CHECK(o->code == ERR_TIMEOUT && strstr(o->text, "another etcd cluster"), "%s", o->text);
	o = wait_for(c, ask_put(c, "/t/x", "5", 15000));
	CHECK(!o->code && o->revision == 9, "%s", o->text);
	client_free(c);
	rig_fake_stop(fake);
}

/* As when a member of etcd that leads a cluster of its own has got into the list. */
static void a_strangers_watch_is_not_believed(void)
{
	static const char stream[] =
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
		"{\"result\":{\"header\":{\"cluster_id\":\"77\",\"member_id\":\"8\","
		"\"revision\":\"900000\",\"raft_term\":\"99999\"},\"created\":true}}\n"
		"{\"result\":{\"header\":{\"cluster_id\":\"77\",\"member_id\":\"8\","
		"\"revision\":\"900000\",\"raft_term\":\"99999\"},\"events\":[{\"kv\":{"
		"\"key\":\"L3Qvc3RyYW5nZQ==\",\"mod_revision\":\"900000\"}}]}}\n";
	struct rig_fake *fake = rig_fake_start(FAKE_PORT + 8, RIG_ANSWER, stream);
	int alone[1] = { FAKE_PORT + 8 };
	struct client *c = client_new();
	struct outcome *o;

	use_only(c, rig.port, 1);
	o = wait_for(c, ask_put(c, "/t/start", "1", 5000));
	etcd_watch(c->etcd, "/t/", o->revision + 1);
	WAIT_UNTIL(c, c->created == 1, 5000);
	use_only(c, alone, 1);
	WAIT_UNTIL(c, rig_fake_connections(fake) >= 3, 5000);
	CHECK(c->created == 1 && c->nevents == 0, "%d %zu", c->created, c->nevents);
	CHECK(c->lost == 1, "told %d times", c->lost);
	use_only(c, rig.port, 1);
	o = wait_for(c, ask_range(c, "/t/"));
	CHECK(!o->code && o->told_at_ms - o->asked_at_ms < 2000, "its high term must not count: %s",
	      o->text);
	ask_put(c, "/t/after", "1", 5000);
	WAIT_UNTIL(c, str_eq(c->last_key, "/t/after"), 5000);
	CHECK(c->last_mod < 900000);
	client_free(c);
	rig_fake_stop(fake);
}

static void a_strangers_list_of_members_is_not_believed(void)
{
	static const char list[] =
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
		"{\"header\":{\"cluster_id\":\"77\",\"member_id\":\"8\",\"raft_term\":\"9\"},"
		"\"members\":[{\"ID\":\"8\",\"clientURLs\":[\"http://127.0.0.1:9\"]},"
		"{\"ID\":\"9\",\"clientURLs\":[\"http://127.0.0.1:10\"]}]}";
	struct rig_fake *fake = rig_fake_start(FAKE_PORT + 9, RIG_ANSWER, list);
	struct config_etcd config = { 0 };
	struct client *c = client_new();
	struct rig_etcd one = { 0 };
	int ninfo;

	rig_etcd_start(&one, 1, PORT + 80);
	add_endpoint(&config, "127.0.0.1", one.port[0]);
	etcd_configure(c->etcd, &config, 5000);
	CHECK(!wait_for(c, ask_range(c, "/t/"))->code);
	WAIT_UNTIL(c, c->ninfo > 0 && c->info.nmembers == 1, 5000);
	rig_kill(one.pid[0], SIGKILL);
	add_endpoint(&config, "127.0.0.1", FAKE_PORT + 9);
	ninfo = c->ninfo;
	etcd_configure(c->etcd, &config, 5000);
	WAIT_UNTIL(c, c->ninfo > ninfo && rig_fake_connections(fake) > 0, 10000);
	CHECK(c->info.nmembers == 1, "%u", c->info.nmembers);
	client_free(c);
	rig_fake_stop(fake);
}

static void nobody_there_is_said_in_time(void)
{
	int ports[2] = { FAKE_PORT + 20, FAKE_PORT + 21 };
	struct client *c = client_new();
	struct config_etcd config = { .use_proxies = true };
	struct outcome *o;

	use_only(c, ports, 2);
	o = wait_for(c, ask_proof(c, 1000, false));
	CHECK(o->code == ERR_TIMEOUT && strstr(o->text, "onnect"), "%s", o->text);
	add_endpoint(&config, "no-such-host.invalid", 2379);
	etcd_configure(c->etcd, &config, 5000);
	o = wait_for(c, ask_proof(c, 1500, false));
	CHECK(o->code == ERR_TIMEOUT && strstr(o->text, "no-such-host.invalid"), "%s", o->text);
	config.nendpoints = 0;
	etcd_configure(c->etcd, &config, 5000);
	o = wait_for(c, ask_proof(c, 500, false));
	CHECK(o->code == ERR_TIMEOUT && strstr(o->text, "no etcd endpoint"), "%s", o->text);
	client_free(c);
}

static void held_requests_wait(void)
{
	struct client *c = client_new();
	struct etcd_req req = { .op = ETCD_RANGE, .timeout_ms = 3000, .key = "/t/" };
	uint64_t held, late;

	use_rig(c);
	etcd_hold(c->etcd, true);
	held = ask_range(c, "/t/");
	req.timeout_ms = 300;
	late = ask(c, &req);
	c->outcomes[++c->ticket % ANSWERS] = (struct outcome){ 0 };
	req = (struct etcd_req){ .op = ETCD_RANGE, .timeout_ms = 3000, .key = "/t/" };
	etcd_request_now(c->etcd, c->ticket, &req);
	CHECK(!wait_for(c, c->ticket)->code);
	CHECK(wait_for(c, late)->code == ERR_TIMEOUT);
	CHECK(!c->outcomes[held % ANSWERS].told);
	etcd_hold(c->etcd, false);
	CHECK(!wait_for(c, held)->code);
	client_free(c);
}

static void logins_are_made_renewed_and_refused(void)
{
	static const char *const setup[] = {
		"user add root:secret", "user grant-role root root", "auth enable",
	};
	struct config_etcd config = { 0 };
	struct client *c = client_new();
	struct rig_etcd one = { 0 };
	struct outcome *o;

	rig_etcd_start(&one, 1, PORT + 40);
	for (size_t i = 0; i < ARRAY_LEN(setup); i++) {
		struct buf out = { 0 };

		rig_etcdctl(&one, 0, setup[i], &out);
		buf_done(&out);
	}
	add_endpoint(&config, "127.0.0.1", one.port[0]);
	config.username = str_dup("root");
	config.password = str_dup("secret");
	etcd_configure(c->etcd, &config, 5000);
	o = wait_for(c, ask_put(c, "/t/x", "1", 3000));
	CHECK(o->succeeded, "%s", o->text);
	etcd_watch(c->etcd, "/t/", o->revision + 1);
	WAIT_UNTIL(c, c->created == 1, 5000);

	/* Tokens do not survive a restart of etcd: the old one is refused and replaced. */
	rig_kill(one.pid[0], SIGKILL);
	rig_etcd_start_one(&one, 0, PORT + 40);
	o = wait_for(c, ask_put(c, "/t/x", "2", 10000));
	CHECK(o->succeeded, "%s", o->text);
	ask_put(c, "/t/y", "3", 3000);
	WAIT_UNTIL(c, str_eq(c->last_key, "/t/y"), 5000);

	free(config.password);
	config.password = str_dup("wrong");
	etcd_configure(c->etcd, &config, 5000);
	o = wait_for(c, ask_put(c, "/t/x", "3", 3000));
	CHECK(o->code == ERR_DENIED, "%d %s", o->code, o->text);
	CHECK(o->told_at_ms - o->asked_at_ms < 2000);

	free(config.username);
	config.username = NULL;
	etcd_configure(c->etcd, &config, 5000);
	o = wait_for(c, ask_put(c, "/t/x", "4", 3000));
	CHECK(!o->code && o->error_code, "%d %s", o->code, o->text);
	free(config.password);
	client_free(c);
	rig_kill(one.pid[0], SIGKILL);
}

static void etcd_speaks_tls(void)
{
	struct config_etcd config = { .cacert = rig_certificate("ca.pem"),
				      .cert = rig_certificate("client.pem") };
	struct rig_etcd one = { .n = 1, .tls = true };
	struct client *c = client_new();
	struct outcome *o;

	rig_etcd_start_one(&one, 0, PORT + 60);
	add_endpoint(&config, "127.0.0.1", one.port[0]);
	config.endpoints[0].tls = true;
	etcd_configure(c->etcd, &config, 5000);
	o = wait_for(c, ask_put(c, "/t/x", "1", 15000));
	CHECK(o->succeeded, "%s", o->text);
	etcd_watch(c->etcd, "/t/", o->revision + 1);
	WAIT_UNTIL(c, c->created == 1, 5000);
	ask_put(c, "/t/y", "1", 3000);
	WAIT_UNTIL(c, str_eq(c->last_key, "/t/y"), 5000);
	WAIT_UNTIL(c, c->ninfo > 0, 5000);
	CHECK(c->info.nmembers == 1 && c->info.min_version[0], "%u", c->info.nmembers);
	client_free(c);

	/* Without a certificate of our own it is not let in. */
	c = client_new();
	free(config.cert);
	config.cert = NULL;
	etcd_configure(c->etcd, &config, 5000);
	o = wait_for(c, ask_put(c, "/t/x", "1", 1500));
	CHECK(o->code != ERR_NONE, "%s", o->text);
	client_free(c);

	/* A server that the CA did not sign is not believed. */
	c = client_new();
	free(config.cacert);
	config.cacert = rig_certificate("alien.pem");
	config.cert = rig_certificate("client.pem");
	etcd_configure(c->etcd, &config, 5000);
	o = wait_for(c, ask_put(c, "/t/x", "1", 1500));
	CHECK(o->code != ERR_NONE && strstr(o->text, "certificate"), "%s", o->text);
	client_free(c);
	free(config.cacert);
	free(config.cert);
	rig_kill(one.pid[0], SIGKILL);
}

int main(void)
{
	log_level_set(LOG_WARNING);
	rig_begin("starting three members");
	rig_etcd_start(&rig, 3, PORT);
	RUN(requests_are_answered);
	RUN(a_refusal_of_etcd_is_an_answer);
	RUN(members_and_versions_become_known);
	RUN(changes_arrive_in_order);
	RUN(a_compacted_revision_is_told_and_waits_for_a_new_one);
	RUN(held_requests_wait);
	RUN(everywhere_means_at_once);
	RUN(a_frozen_member_is_passed_over_in_time);
	RUN(a_frozen_member_of_the_watch_is_noticed);
	RUN(without_a_quorum_nothing_is_proved);
	RUN(the_leader_of_etcd_may_die);
	RUN(false_endpoints_do_no_harm);
	RUN(a_stranger_is_not_believed);
	RUN(a_strangers_watch_is_not_believed);
	RUN(a_strangers_list_of_members_is_not_believed);
	RUN(nobody_there_is_said_in_time);
	RUN(logins_are_made_renewed_and_refused);
	RUN(etcd_speaks_tls);
	return 0;
}
