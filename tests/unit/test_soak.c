/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_soak - an agent in rest and in work for hours of its own time, and what it keeps of that
 *
 * The outside always answers at once and well, so what is counted is the agent's alone. Memory
 * that is in use must be the same after a tenth of the time and at its end; what the agent
 * allocates in a cycle is printed, and has a ceiling.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "base/log.h"
#include "core/lease.h"
#include "io/board.h"
#include "wire/conffile.h"
#include "wire/record.h"

#define QUEUE_MAX   64
#define CYCLE_MS    1000
#define CYCLES_IDLE 6000
#define CYCLES_BUSY 1200 /* with ten times as many watch events */
#define PROOF_MS    833 /* a sixth of the term */
#define WATCH_MS    100 /* another member's key changes that often */
#define GROWTH_MAX  16384 /* what the allocator keeps for later counts as in use */
/* Of our own code, in a minute: what a cycle needs it has. */
#define ALLOCS_MAX  6

#define PREFIX "/service/one/"
#define LEASE  77
#define EPOCH  10

static const char config[] = "scope: one\nname: n1\netcd3: {hosts: '127.0.0.1:2379'}\n"
			     "restapi: {listen: '127.0.0.1:8008', "
			     "connect_address: '127.0.0.1:8008'}\n"
			     "bootstrap: {dcs: {ttl: 5, loop_wait: 1, retry_timeout: 2}}\n"
			     "postgresql: {listen: '127.0.0.1:5432', connect_address: "
			     "'127.0.0.1:5432', data_dir: /x, authentication: {superuser: "
			     "{username: postgres, password: s}, replication: {username: r, "
			     "password: s}}}\n";

enum answer_type { ANSWER_ETCD = 0, ANSWER_PG, ANSWER_SAVED };

struct answer {
	enum answer_type type;
	uint64_t ticket;
	enum etcd_op etcd_op;
	enum pg_op pg_op;
};

/* All that is outside of one agent. */
struct outside {
	struct agent *agent;
	struct board *board;
	bool leads;
	bool beats; /* of an older etcd; those that lead hear theirs again */
	int64_t now_ms;
	int64_t wake_at_ms;
	int64_t revision;
	uint64_t lsn;
	uint32_t nanswers;
	struct answer answers[QUEUE_MAX];
	uint64_t requests[ETCD_OP__MAX];
	uint64_t probes;
	uint64_t published;
	int64_t slow_ms; /* that it takes to publish */
};

/* ---- counting: --wrap puts these in front of the allocator, for our own code alone ---- */

static uint64_t allocs;
static bool in_agent; /* what this test allocates is none of its */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
int __real_vasprintf(char **ret, const char *fmt, va_list ap);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap) _printf_(2, 0);

void *__wrap_malloc(size_t size)
{
	allocs += in_agent;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocs += in_agent;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocs += in_agent;
	return __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
	allocs += in_agent;
	return __real_strdup(s);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	allocs += in_agent;
	return __real_reallocarray(p, n, size);
}

int __wrap_vasprintf(char **ret, const char *fmt, va_list ap)
{
	allocs += in_agent;
	return __real_vasprintf(ret, fmt, ap);
}

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fflush(stdout);
	fprintf(stderr, "test_soak: failed: %s\n", what);
	abort();
}

static void step(struct outside *o, const struct event *ev)
{
	in_agent = true;
	agent_step(o->agent, ev);
	in_agent = false;
}

/* ---- the port ---- */

static int64_t port_now(void *ctx)
{
	return ((struct outside *)ctx)->now_ms;
}

static int64_t port_wall(void *ctx)
{
	return INT64_C(1893456000000000) + ((struct outside *)ctx)->now_ms * 1000;
}

static void port_wake_at(void *ctx, int64_t at_ms)
{
	((struct outside *)ctx)->wake_at_ms = at_ms;
}

static void later(struct outside *o, struct answer answer)
{
	check(o->nanswers < QUEUE_MAX, "the agent asks more than it waits for");
	o->answers[o->nanswers++] = answer;
}

static void port_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	struct outside *o = ctx;

	o->requests[req->op]++;
	later(o, (struct answer){ .type = ANSWER_ETCD, .ticket = ticket, .etcd_op = req->op });
}

static void port_pg(void *ctx, uint64_t ticket, const struct pg_req *req)
{
	later(ctx, (struct answer){ .type = ANSWER_PG, .ticket = ticket, .pg_op = req->op });
}

static void port_save(void *ctx, uint64_t ticket, const struct durable *durable _unused_)
{
	later(ctx, (struct answer){ .type = ANSWER_SAVED, .ticket = ticket });
}

static void port_publish(void *ctx, struct status *status)
{
	struct outside *o = ctx;

	o->published++;
	o->now_ms += o->slow_ms;
	board_publish(o->board, status);
}

static void port_watch(void *ctx _unused_, const char *prefix _unused_, int64_t start _unused_)
{
}

static void port_peer(void *ctx _unused_, uint64_t ticket _unused_,
		      const struct peer_req *req _unused_)
{
	check(false, "no peer is asked while somebody leads");
}

static void port_configure(void *ctx _unused_, const struct config *c _unused_)
{
}

static void port_page(void *ctx _unused_, const struct page_update *page _unused_)
{
}

static void port_answer(void *ctx _unused_, uint64_t id _unused_, int code _unused_,
			const char *type _unused_, const char *body _unused_)
{
}

static void port_callback(void *ctx _unused_, enum callback what _unused_,
			  enum member_role role _unused_)
{
}

static void port_fence(void *ctx _unused_, uint64_t ticket _unused_,
		       const struct fence_req *req _unused_)
{
}

static void port_cache(void *ctx _unused_, const char *json _unused_)
{
}

static void port_dump(void *ctx _unused_, const char *why _unused_, const char *text _unused_,
		      size_t len _unused_)
{
}

static void port_reload(void *ctx _unused_)
{
}

static void port_quit(void *ctx _unused_, int exit_code _unused_)
{
	check(false, "nothing ends");
}

/* ---- what it tells ---- */

static struct pg_state postgres(const struct outside *o)
{
	struct pg_state pg = { .run = PG_UP, .dir = DIR_PRESENT, .server_version = 150020,
			       .postmaster_pid = 4711, .postmaster_start_us = 1893456000000000,
			       .timeline = 1, .control_timeline = 1, .can_rewind = true };

	(void)str_copy(pg.sysid, sizeof(pg.sysid), "7710500522913725001");
	pg.role = o->leads ? ROLE_PRIMARY : ROLE_REPLICA;
	pg.control = o->leads ? CONTROL_IN_PRODUCTION : CONTROL_IN_ARCHIVE_RECOVERY;
	if (o->leads) {
		pg.flush_lsn = o->lsn;
		return pg;
	}
	pg.standby_signal = pg.streaming = pg.receiving = true;
	pg.receive_lsn = pg.replay_lsn = pg.latest_end_lsn = o->lsn;
	(void)str_copy(pg.upstream_host, sizeof(pg.upstream_host), "127.0.0.2");
	(void)str_copy(pg.upstream_slot, sizeof(pg.upstream_slot), "n1");
	pg.upstream_port = 5432;
	return pg;
}

static char *other_member(const struct outside *o)
{
	return str_dupf("{\"conn_url\": \"postgres://127.0.0.2:5432/postgres\", \"api_url\": "
			"\"http://127.0.0.2:8008/patroni\", \"state\": \"running\", \"role\": "
			"\"%s\", \"version\": \"4.1.4\", \"xlog_location\": %" PRIu64
			", \"timeline\": 1%s}",
			o->leads ? "replica" : "primary", o->lsn, o->beats ? ", \"pgha\": {}" : "");
}

static void add_kv(struct etcd_kvs *kvs, const char *name, char *value, int64_t revision,
		   int64_t lease_id)
{
	struct etcd_kv *kv;

	kvs->items = mem_grow(kvs->items, kvs->n + 1, sizeof(*kvs->items));
	kv = &kvs->items[kvs->n++];
	*kv = (struct etcd_kv){ .key = str_dupf(PREFIX "%s", name), .value = value,
				.len = strlen(value), .create_revision = revision,
				.mod_revision = revision, .lease_id = lease_id };
}

/* After the answer to it. */
static void tell_beat(struct outside *o)
{
	struct etcd_watch_msg msg = { .revision = o->revision, .raft_term = 2 };
	struct event ev = { .type = EVENT_WATCH, .at_ms = o->now_ms, .watch = &msg };

	add_kv(&msg.events, "pgha/beat", str_dup("{}"), o->revision, 0);
	step(o, &ev);
	etcd_watch_msg_done(&msg);
}

static void tell_etcd(struct outside *o, const struct answer *answer)
{
	struct etcd_rep rep = { .op = answer->etcd_op, .cluster_id = 1, .member_id = 1,
				.raft_term = 2, .succeeded = true, .lease_id = LEASE, .ttl_s = 5 };
	struct event ev = { .type = EVENT_ETCD, .at_ms = o->now_ms, .ticket = answer->ticket,
			    .sent_at_ms = o->now_ms - 2, .rep = &rep };

	if (answer->etcd_op == ETCD_TXN)
		o->revision++;
	rep.revision = o->revision;
	if (answer->etcd_op == ETCD_RANGE) {
		add_kv(&rep.kvs, "leader", str_dup(o->leads ? "n1" : "n2"), EPOCH, LEASE);
		add_kv(&rep.kvs, "initialize", str_dup("7710500522913725001"), 9, 0);
		add_kv(&rep.kvs, "config",
		       str_dup("{\"ttl\": 5, \"loop_wait\": 1, \"retry_timeout\": 2}"), 8, 0);
		add_kv(&rep.kvs, "members/n2", other_member(o), 11, 78);
	}
	step(o, &ev);
	etcd_rep_done(&rep);
	if (answer->etcd_op == ETCD_TXN && o->leads && o->beats)
		tell_beat(o);
}

static void tell_pg(struct outside *o, const struct answer *answer)
{
	struct pg_state pg = postgres(o);
	struct walsender sender = { .usename = "r", .application_name = "n2",
				    .state = "streaming", .sync_state = "async" };
	struct slot_pos slot = { .name = "n2", .lsn = o->lsn };
	struct event ev = { .type = EVENT_PG_DONE, .at_ms = o->now_ms, .ticket = answer->ticket,
			    .pg = &pg };

	if (answer->pg_op == PGOP_PROBE) {
		o->probes++;
		ev.type = EVENT_PG_PROBE;
		ev.probe_sql_ok = true;
		ev.walsenders = &sender;
		ev.nwalsenders = o->leads;
		ev.slots = &slot;
		ev.nslots = 1;
	}
	step(o, &ev);
}

static void tell_all(struct outside *o)
{
	/* What is asked while one is told comes behind it; the agent waits for each it asks. */
	for (uint32_t i = 0; i < o->nanswers; i++) {
		const struct answer answer = o->answers[i];
		struct event saved = { .type = EVENT_SAVED, .ticket = answer.ticket };

		check(i + 1 < QUEUE_MAX, "the agent asks without end");
		o->now_ms++;
		saved.at_ms = o->now_ms;
		if (answer.type == ANSWER_ETCD)
			tell_etcd(o, &answer);
		else if (answer.type == ANSWER_PG)
			tell_pg(o, &answer);
		else
			step(o, &saved);
	}
	o->nanswers = 0;
}

static void tell_watch(struct outside *o)
{
	struct etcd_watch_msg msg = { .revision = ++o->revision, .raft_term = 2 };
	struct event ev = { .type = EVENT_WATCH, .at_ms = o->now_ms, .watch = &msg };

	o->lsn += 8192;
	add_kv(&msg.events, "members/n2", other_member(o), o->revision, 78);
	step(o, &ev);
	etcd_watch_msg_done(&msg);
	tell_all(o);
}

/* ---- life ---- */

static struct agent *make_agent(struct outside *o)
{
	struct port port = { .ctx = o, .now_ms = port_now, .wall_us = port_wall,
			     .wake_at = port_wake_at, .etcd = port_etcd, .watch = port_watch,
			     .pg = port_pg, .peer = port_peer, .configure = port_configure,
			     .page = port_page, .save = port_save, .publish = port_publish,
			     .answer = port_answer, .callback = port_callback,
			     .fence = port_fence, .cache_config = port_cache, .dump = port_dump,
			     .reload = port_reload, .quit = port_quit };
	struct confdoc *doc = NULL;
	struct err err = { 0 };
	struct agent *agent;

	check(confdoc_parse(config, strlen(config), NULL, &doc, &err) == 0, err.msg);
	agent = agent_new(&port, doc, NULL, NULL, 7, &err);
	check(agent != NULL, err.msg);
	return agent;
}

static void begin(struct outside *o, bool leads, bool beats)
{
	struct pg_state pg;
	struct start_facts facts = { 0 };
	struct guard_state guard = { .presence = GUARD_ALIVE, .pid = 12 };
	struct event ev = { .type = EVENT_START, .pg = &pg, .start = &facts };
	struct event guarded = { .type = EVENT_GUARD, .guard = &guard };
	struct event info = { .type = EVENT_ETCD_INFO, .etcd_members = 1, .etcd_all_fixed = !beats,
			      .etcd_min_version = "3.5.21" };

	*o = (struct outside){ .leads = leads, .beats = beats, .now_ms = 100000, .revision = 20,
			       .lsn = UINT64_C(0x3000000) };
	pg = postgres(o);
	if (leads)
		facts = (struct start_facts){ .lease_epoch = EPOCH, .lease_id = LEASE,
					      .lease_asked_at_ms = o->now_ms - 100,
					      .lease_ttl_ms = 5000, .page_found = true };
	o->agent = make_agent(o);
	o->board = board_new();
	step(o, &ev);
	step(o, &guarded);
	step(o, &info);
	tell_all(o);
}

/* That many seconds of the agent's time; with `busy` the cluster writes and the watch tells. */
static void live(struct outside *o, int64_t seconds, bool busy)
{
	int64_t until_ms = o->now_ms + seconds * CYCLE_MS;
	int64_t watch_at_ms = o->now_ms + WATCH_MS;

	while (o->now_ms < until_ms) {
		struct event timer = { .type = EVENT_TIMER };

		if (busy && watch_at_ms <= o->wake_at_ms) {
			o->now_ms = MAX_OF(o->now_ms, watch_at_ms);
			watch_at_ms = o->now_ms + WATCH_MS;
			tell_watch(o);
			continue;
		}
		o->now_ms = MAX_OF(o->now_ms + 1, o->wake_at_ms);
		timer.at_ms = o->now_ms;
		step(o, &timer);
		tell_all(o);
	}
}

static bool is_at_work(const struct outside *o)
{
	const struct view *v = agent_view(o->agent);

	if (o->leads)
		return v->lease.epoch == EPOCH &&
		       lease_state(&v->lease, o->now_ms) == LEASE_HELD;
	return str_eq(v->cluster.leader, "n2") && v->pg.streaming;
}

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void report(const struct outside *o, bool busy, uint64_t seconds, uint64_t counted)
{
	printf("%s, %s, %" PRIu64 " s; in a minute: %" PRIu64 " allocations, %" PRIu64
	       " transactions, %" PRIu64 " keepalives, %" PRIu64 " reads, %" PRIu64
	       " probes, %" PRIu64 " boards\n",
	       o->leads ? "leads" : "follows", busy ? "busy" : "idle", seconds,
	       counted * 60 / seconds, o->requests[ETCD_TXN] * 60 / seconds,
	       o->requests[ETCD_KEEPALIVE] * 60 / seconds, o->requests[ETCD_RANGE] * 60 / seconds,
	       o->probes * 60 / seconds, o->published * 60 / seconds);
}

static void soak(bool leads, bool busy)
{
	const uint64_t cycles = busy ? CYCLES_BUSY : CYCLES_IDLE;
	struct outside o;
	size_t before, after;
	uint64_t counted;

	begin(&o, leads, false);
	live(&o, (int64_t)cycles / 10, busy);
	check(is_at_work(&o), "it leads, or follows");
	before = in_use();
	counted = allocs;
	memset(o.requests, 0, sizeof(o.requests));
	o.probes = o.published = 0;
	live(&o, (int64_t)cycles, busy);
	after = in_use();
	counted = allocs - counted;
	report(&o, busy, cycles, counted);
	printf("   in use %zu bytes, then %zu\n", before, after);
	check(is_at_work(&o), "it still leads, or follows");
	check(after <= before + GROWTH_MAX, "what is in use has grown");
	check(counted * 60 / cycles <= ALLOCS_MAX,
	      "the agent allocates more than it used to");
	/* A leader proves six times in a term of 5 s; a member that follows writes nothing. */
	if (!busy)
		check(o.requests[ETCD_TXN] <= (leads ? cycles * 1000 / PROOF_MS + 2 : 0) &&
			      o.requests[ETCD_RANGE] <= cycles / 30 + 1,
		      "nothing but the proof is written at rest");
	agent_free(o.agent);
	board_free(o.board);
}

/* The timer goes before all other events: where a step takes longer than the moment after which it
 * looks again, the answer that it waits for must get its turn all the same. */
static void a_slow_agent_leaves_time_for_answers(void)
{
	struct event timer = { .type = EVENT_TIMER };
	struct outside o;

	begin(&o, false, false);
	live(&o, 10, false);
	o.slow_ms = 200;
	for (int i = 0; i < 5; i++) {
		o.now_ms += CYCLE_MS; /* no probe is answered any more */
		timer.at_ms = o.now_ms;
		step(&o, &timer);
		check(o.wake_at_ms > o.now_ms, "a slow agent leaves no time for answers");
	}
	agent_free(o.agent);
	board_free(o.board);
}

/* Its own beat is no news when it comes back behind its answer, but a sign of life it is: else it
 * takes itself for silent after a term, and is in a hurry from then on. */
static void a_leader_that_hears_its_own_beats_is_at_rest(void)
{
	struct outside o;

	begin(&o, true, true);
	live(&o, 60, false);
	o.probes = 0;
	live(&o, 60, false);
	check(is_at_work(&o), "it still leads, with beats");
	check(o.probes <= 60 * 1000 / PROOF_MS + 2, "a leader at rest looks at Postgres in a hurry");
	agent_free(o.agent);
	board_free(o.board);
}

int main(void)
{
	log_level_set(LOG_ERROR);
	soak(true, false);
	soak(false, false);
	soak(true, true);
	soak(false, true);
	a_slow_agent_leaves_time_for_answers();
	a_leader_that_hears_its_own_beats_is_at_rest();
	return 0;
}
