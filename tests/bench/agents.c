/* SPDX-License-Identifier: PostgreSQL */
/*
 * agents - one of many agents against one real etcd
 *
 * usage: agents HOST:PORT CLUSTER NUMBER BEGIN_MS END_MS BUSY [LEASE EPOCH ASKED_MS TERM_MS]
 *
 * The real agent with its connections to etcd, and a Postgres that answers at once and well.
 * Number 0 of a cluster leads, under a lease that it is given as one of an earlier life; the
 * others follow. BUSY 1: WAL moves, so that positions are published in every cycle. At the end, by
 * CLOCK_BOOTTIME, it tells of the time since the begin: what became of its lease, what of its heap
 * was in use at both ends, its steps, the changes that its watch told, and how long etcd took.
 * tests/bench/agents.py starts many.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/parse.h"
#include "core/lease.h"
#include "io/board.h"
#include "io/etcd.h"
#include "wire/conffile.h"

#define MEMBERS     3
#define FOLLOW_MS   8000
#define ANSWERS_MAX 32

struct answer {
	uint64_t ticket;
	enum event_type type; /* SAVED, PEER; else of Postgres */
	enum pg_op op;
};

struct sim {
	struct loop *loop;
	struct http *http;
	struct etcd *etcd;
	struct agent *agent;
	struct board *board;
	struct loop_source *begin;
	struct loop_source *timer;
	struct loop_source *answering;
	uint32_t number; /* in its cluster */
	bool busy;
	bool started;
	bool info_known;
	struct etcd_info info;
	struct start_facts facts;
	uint64_t lsn;
	uint32_t nanswers;
	struct answer answers[ANSWERS_MAX];
	int64_t oldest_ms; /* age of the newest proof, where it was greatest */
	uint64_t lost;     /* looks at a leader that found no lease held */
	uint64_t steps;
	uint64_t changes; /* that the watch told */
};

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "agents: %s: %s\n", what, err != NULL ? err->msg : "");
	abort();
}

static void step(struct sim *s, const struct event *ev)
{
	const struct view *v = agent_view(s->agent);

	if (!s->started && ev->type != EVENT_START)
		return;
	/* Before an answer makes it young again. */
	if (s->number == 0 && s->started) {
		s->oldest_ms = MAX_OF(s->oldest_ms, ev->at_ms - v->lease.asked_at_ms);
		s->lost += lease_state(&v->lease, ev->at_ms) != LEASE_HELD;
	}
	s->steps++;
	agent_step(s->agent, ev);
}

/* ---- from etcd ---- */

static void on_etcd(void *ctx, const struct etcd_answer *answer)
{
	struct event ev = { .type = EVENT_ETCD, .at_ms = loop_now_ms(), .ticket = answer->ticket,
			    .sent_at_ms = answer->sent_at_ms, .rep = answer->rep,
			    .err = answer->err };

	ev.result = answer->err != NULL ? -(int)answer->err->code : 0;
	step(ctx, &ev);
}

static void on_watch(void *ctx, const struct etcd_watch_msg *msg)
{
	struct event ev = { .type = EVENT_WATCH, .at_ms = loop_now_ms(), .watch = msg };

	((struct sim *)ctx)->changes += msg->events.n;
	step(ctx, &ev);
}

static void on_watch_lost(void *ctx, const struct err *err)
{
	struct event ev = { .type = EVENT_WATCH_LOST, .at_ms = loop_now_ms(), .err = err };

	step(ctx, &ev);
}

static void tell_info(struct sim *s)
{
	struct event ev = { .type = EVENT_ETCD_INFO, .at_ms = loop_now_ms(),
			    .etcd_members = s->info.nmembers,
			    .etcd_all_fixed = s->info.all_fixed };

	str_clip(ev.etcd_min_version, sizeof(ev.etcd_min_version), s->info.min_version);
	step(s, &ev);
}

static void on_info(void *ctx, const struct etcd_info *info)
{
	struct sim *s = ctx;

	if (info->min_version[0] == '\0')
		return;
	s->info = *info;
	s->info_known = true;
	tell_info(s);
}

/* ---- Postgres ---- */

static struct pg_state postgres(const struct sim *s)
{
	bool leads = s->number == 0;
	struct pg_state pg = { .run = PG_UP, .dir = DIR_PRESENT, .server_version = 150020,
			       .postmaster_pid = 4711, .postmaster_start_us = 1893456000000000,
			       .timeline = 1, .control_timeline = 1, .can_rewind = true };

	(void)str_copy(pg.sysid, sizeof(pg.sysid), "7710500522913725001");
	pg.role = leads ? ROLE_PRIMARY : ROLE_REPLICA;
	pg.control = leads ? CONTROL_IN_PRODUCTION : CONTROL_IN_ARCHIVE_RECOVERY;
	if (leads) {
		pg.flush_lsn = s->lsn;
		return pg;
	}
	pg.standby_signal = pg.streaming = pg.receiving = true;
	pg.receive_lsn = pg.replay_lsn = pg.latest_end_lsn = s->lsn;
	(void)str_copy(pg.upstream_host, sizeof(pg.upstream_host), "127.0.0.1");
	(void)str_printf(pg.upstream_slot, sizeof(pg.upstream_slot), "n%u", s->number);
	pg.upstream_port = 5432;
	return pg;
}

static void tell_pg(struct sim *s, const struct answer *answer)
{
	struct pg_state pg = postgres(s);
	struct walsender senders[MEMBERS - 1];
	struct slot_pos slots[MEMBERS - 1];
	struct event ev = { .type = EVENT_PG_DONE, .at_ms = loop_now_ms(),
			    .ticket = answer->ticket, .pg = &pg };

	for (uint32_t i = 0; i < MEMBERS - 1; i++) {
		senders[i] = (struct walsender){ .usename = "r", .state = "streaming",
						 .sync_state = "async" };
		(void)str_printf(senders[i].application_name, NAME_SIZE, "n%u", i + 1);
		slots[i] = (struct slot_pos){ .lsn = s->lsn };
		(void)str_printf(slots[i].name, NAME_SIZE, "n%u", i + 1);
	}
	if (answer->op == PGOP_PROBE) {
		s->lsn += s->busy ? 8192 : 0;
		ev.type = EVENT_PG_PROBE;
		ev.probe_sql_ok = true;
		ev.walsenders = senders;
		ev.nwalsenders = s->number == 0 ? MEMBERS - 1 : 0;
		ev.slots = slots;
		ev.nslots = MEMBERS - 1;
	}
	step(s, &ev);
}

static void on_answering(void *ctx)
{
	struct sim *s = ctx;
	struct answer answers[ANSWERS_MAX];
	uint32_t n = s->nanswers;

	memcpy(answers, s->answers, n * sizeof(answers[0]));
	s->nanswers = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct event ev = { .type = answers[i].type, .at_ms = loop_now_ms(),
				    .ticket = answers[i].ticket };

		ev.result = ev.type == EVENT_PEER ? -(int)ERR_CONNECT : 0;
		if (ev.type == EVENT_SAVED || ev.type == EVENT_PEER)
			step(s, &ev);
		else
			tell_pg(s, &answers[i]);
	}
}

static void later(struct sim *s, struct answer answer)
{
	if (s->nanswers == ANSWERS_MAX)
		die("an agent asks more than it waits for", NULL);
	s->answers[s->nanswers++] = answer;
	loop_defer(s->answering);
}

/* ---- the port ---- */

static int64_t port_now(void *ctx _unused_)
{
	return loop_now_ms();
}

static int64_t port_wall(void *ctx _unused_)
{
	return loop_wall_us();
}

static void port_wake_at(void *ctx, int64_t at_ms)
{
	loop_timer_at(((struct sim *)ctx)->timer, at_ms);
}

static void port_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	etcd_request(((struct sim *)ctx)->etcd, ticket, req);
}

static void port_watch(void *ctx, const char *prefix, int64_t start)
{
	etcd_watch(((struct sim *)ctx)->etcd, prefix, start);
}

static void port_pg(void *ctx, uint64_t ticket, const struct pg_req *req)
{
	later(ctx, (struct answer){ .ticket = ticket, .type = EVENT_PG_DONE, .op = req->op });
}

static void port_save(void *ctx, uint64_t ticket, const struct durable *durable _unused_)
{
	later(ctx, (struct answer){ .ticket = ticket, .type = EVENT_SAVED });
}

static void port_publish(void *ctx, struct status *status)
{
	board_publish(((struct sim *)ctx)->board, status);
}

/* While no leader is there yet. */
static void port_peer(void *ctx, uint64_t ticket, const struct peer_req *req _unused_)
{
	later(ctx, (struct answer){ .ticket = ticket, .type = EVENT_PEER });
}

static void port_configure(void *ctx, const struct config *c)
{
	etcd_configure(((struct sim *)ctx)->etcd, &c->etcd, c->ha.ttl_ms);
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
	die("an agent ended", NULL);
}

/* ---- life ---- */

static void on_timer(void *ctx)
{
	struct event ev = { .type = EVENT_TIMER, .at_ms = loop_now_ms() };

	step(ctx, &ev);
}

static void on_begin(void *ctx)
{
	struct sim *s = ctx;
	struct pg_state pg = postgres(s);
	struct guard_state guard = { .presence = GUARD_ALIVE, .pid = 12 };
	struct event ev = { .type = EVENT_START, .at_ms = loop_now_ms(), .pg = &pg,
			    .start = &s->facts };
	struct event guarded = { .type = EVENT_GUARD, .at_ms = ev.at_ms, .guard = &guard };

	step(s, &ev);
	s->started = true;
	step(s, &guarded);
	if (s->info_known)
		tell_info(s);
}

static struct confdoc *local_file(const char *url, uint32_t cluster, uint32_t number)
{
	_cleanup_(freep) char *text = str_dupf(
		"scope: c%u\nname: n%u\netcd3: {hosts: '%s'}\n"
		"restapi: {listen: '127.0.0.1:8008', connect_address: '127.0.0.1:8008'}\n"
		"bootstrap: {dcs: {ttl: 5, loop_wait: 1, retry_timeout: 2}}\n"
		"postgresql: {listen: '127.0.0.1:5432', connect_address: '127.0.0.1:5432', "
		"data_dir: /x, authentication: {superuser: {username: postgres, password: s}, "
		"replication: {username: r, password: s}}}\n",
		cluster, number, url);
	struct confdoc *doc = NULL;
	struct err err = { 0 };

	if (confdoc_parse(text, strlen(text), NULL, &doc, &err) < 0)
		die("configuration", &err);
	return doc;
}

static void sim_begin(struct sim *s, const char *url, uint32_t cluster)
{
	const struct etcd_handler handler = { .ctx = s, .answer = on_etcd, .watch = on_watch,
					      .watch_lost = on_watch_lost, .info = on_info };
	const struct port port = {
		.ctx = s, .now_ms = port_now, .wall_us = port_wall, .wake_at = port_wake_at,
		.etcd = port_etcd, .watch = port_watch, .pg = port_pg, .peer = port_peer,
		.configure = port_configure, .page = port_page, .save = port_save,
		.publish = port_publish, .answer = port_answer, .callback = port_callback,
		.fence = port_fence, .cache_config = port_cache, .dump = port_dump,
		.reload = port_reload, .quit = port_quit,
	};
	struct err err = { 0 };

	s->board = board_new();
	if (loop_new(&s->loop, &err) < 0 || http_new(s->loop, &s->http, &err) < 0 ||
	    etcd_new(s->loop, s->http, &handler, &s->etcd, &err) < 0 ||
	    loop_timer_new(s->loop, "agent", on_timer, s, &s->timer, &err) < 0 ||
	    loop_timer_new(s->loop, "begin", on_begin, s, &s->begin, &err) < 0 ||
	    loop_defer_new(s->loop, "answers", on_answering, s, &s->answering, &err) < 0)
		die("cannot begin", &err);
	s->agent = agent_new(&port, local_file(url, cluster, s->number), NULL, NULL,
			     (uint64_t)cluster * MEMBERS + s->number + 1, &err);
	if (s->agent == NULL)
		die("cannot begin", &err);
	/* Who follows finds a leader. */
	loop_timer_at(s->begin, loop_now_ms() + (s->number > 0 ? FOLLOW_MS : 0));
}

static void sim_end(struct sim *s)
{
	agent_free(s->agent);
	loop_source_free(s->begin);
	loop_source_free(s->timer);
	loop_source_free(s->answering);
	etcd_free(s->etcd);
	http_free(s->http);
	board_free(s->board);
	loop_free(s->loop);
}

static bool is_whole(const struct sim *s)
{
	const struct view *v = agent_view(s->agent);

	return s->started && str_eq(v->cluster.leader, "n0") && v->cluster.nmembers == MEMBERS;
}

static void run_until(struct loop *loop, int64_t at_ms)
{
	for (int64_t left_ms; (left_ms = at_ms - loop_now_ms()) > 0;)
		(void)loop_step(loop, left_ms);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void report(const struct sim *s, size_t heap_before)
{
	struct etcd_telemetry told = { 0 };

	etcd_tell(s->etcd, &told);
	printf("%" PRId64 " %" PRIu64 " %zu %zu %" PRIu64 " %" PRIu64, s->oldest_ms, s->lost,
	       heap_before, heap_bytes(), s->steps, s->changes);
	for (int k = 0; k < TELEMETRY_CLASSES; k++)
		printf(" %" PRIu64, told.latency[k]);
	printf("\n");
}

static bool read_numbers(char **texts, int n, int64_t *ret)
{
	for (int i = 0; i < n; i++)
		if (parse_int(texts[i], 0, INT64_MAX, &ret[i], NULL) < 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	enum { CLUSTER = 0, NUMBER, BEGIN, END, BUSY, LEASE, EPOCH, ASKED, TERM, NUMBERS };
	struct sim s = { .lsn = UINT64_C(0x3000000) };
	int64_t given[NUMBERS] = { 0 };
	size_t heap;

	if ((argc != NUMBERS + 2 && argc != LEASE + 2) ||
	    !read_numbers(argv + 2, argc - 2, given)) {
		fprintf(stderr, "usage: agents HOST:PORT CLUSTER NUMBER BEGIN_MS END_MS BUSY "
				"[LEASE EPOCH ASKED_MS TERM_MS]\n");
		return 2;
	}
	log_level_set(LOG_ERROR);
	(void)mallopt(M_ARENA_MAX, 1);
	s.number = (uint32_t)given[NUMBER];
	s.busy = given[BUSY] != 0;
	s.facts = (struct start_facts){ .lease_id = given[LEASE], .lease_epoch = given[EPOCH],
					.lease_asked_at_ms = given[ASKED],
					.lease_ttl_ms = given[TERM],
					.page_found = given[EPOCH] != 0 };
	sim_begin(&s, argv[1], (uint32_t)given[CLUSTER]);
	run_until(s.loop, given[BEGIN]);
	if (!is_whole(&s))
		die("this cluster has no leader, or too few members", NULL);
	s.oldest_ms = 0;
	s.lost = 0;
	s.steps = 0;
	s.changes = 0;
	heap = heap_bytes();
	run_until(s.loop, given[END]);
	report(&s, heap);
	sim_end(&s);
	return 0;
}
