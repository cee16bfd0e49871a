/* SPDX-License-Identifier: PostgreSQL */
/*
 * agents - many agents in one process, all against one real etcd
 *
 * usage: agents URL CLUSTERS SECONDS [busy]
 *
 * Three agents a cluster, each with its own connections to etcd, and a Postgres that answers at
 * once and well. `busy`: its WAL moves, so that positions are published in every cycle. Prints
 * "begin" when every cluster has its leader and its members, "end" so many seconds later, and what
 * became of the leases in between. tests/bench/agents.py starts it, and asks etcd what it counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/parse.h"
#include "core/lease.h"
#include "io/board.h"
#include "io/etcd.h"
#include "wire/conffile.h"

#define MEMBERS      3
#define CLUSTERS_MAX 2000
#define STAGGER_MS   20 /* between two that begin */
#define SETTLE_MS    15000
#define BEGIN_MS     180000 /* then they have not all begun, and never will */
#define ANSWERS_MAX  32
#define FILES_WANTED 65536

struct answer {
	uint64_t ticket;
	bool saved;
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
	uint32_t number; /* of its cluster; the first leads */
	bool busy;
	bool started;
	bool info_known;
	struct etcd_info info;
	uint64_t lsn;
	uint32_t nanswers;
	struct answer answers[ANSWERS_MAX];
	int64_t oldest_ms; /* age of the newest proof, where it was greatest */
	uint64_t lost;     /* looks at a leader that found no lease held */
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
		struct event saved = { .type = EVENT_SAVED, .at_ms = loop_now_ms(),
				       .ticket = answers[i].ticket };

		if (answers[i].saved)
			step(s, &saved);
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
	later(ctx, (struct answer){ .ticket = ticket, .op = req->op });
}

static void port_save(void *ctx, uint64_t ticket, const struct durable *durable _unused_)
{
	later(ctx, (struct answer){ .ticket = ticket, .saved = true });
}

static void port_publish(void *ctx, struct status *status)
{
	board_publish(((struct sim *)ctx)->board, status);
}

static void port_peer(void *ctx _unused_, uint64_t ticket _unused_,
		      const struct peer_req *req _unused_)
{
	die("a peer was asked, so somebody lost its leader", NULL);
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
	struct start_facts facts = { 0 };
	struct guard_state guard = { .presence = GUARD_ALIVE, .pid = 12 };
	struct event ev = { .type = EVENT_START, .at_ms = loop_now_ms(), .pg = &pg,
			    .start = &facts };
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

static void sim_begin(struct sim *s, struct loop *loop, const char *url, uint32_t cluster,
		      int64_t at_ms)
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

	s->loop = loop;
	s->board = board_new();
	if (http_new(loop, &s->http, &err) < 0 ||
	    etcd_new(loop, s->http, &handler, &s->etcd, &err) < 0 ||
	    loop_timer_new(loop, "agent", on_timer, s, &s->timer, &err) < 0 ||
	    loop_timer_new(loop, "begin", on_begin, s, &s->begin, &err) < 0 ||
	    loop_defer_new(loop, "answers", on_answering, s, &s->answering, &err) < 0)
		die("cannot begin", &err);
	s->agent = agent_new(&port, local_file(url, cluster, s->number), NULL, NULL,
			     (uint64_t)cluster * MEMBERS + s->number + 1, &err);
	if (s->agent == NULL)
		die("cannot begin", &err);
	loop_timer_at(s->begin, at_ms);
}

static void sim_end(struct sim *s)
{
	agent_free(s->agent);
	etcd_free(s->etcd);
	http_free(s->http);
	board_free(s->board);
	loop_source_free(s->begin);
	loop_source_free(s->timer);
	loop_source_free(s->answering);
}

static bool is_whole(const struct sim *sims, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct view *v = agent_view(sims[i].agent);

		if (!sims[i].started || !str_eq(v->cluster.leader, "n0") ||
		    v->cluster.nmembers != MEMBERS)
			return false;
	}
	return true;
}

static void run_until(struct loop *loop, int64_t at_ms)
{
	while (loop_now_ms() < at_ms)
		(void)loop_step(loop, at_ms - loop_now_ms());
}

static void forget(struct sim *sims, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		sims[i].oldest_ms = 0;
		sims[i].lost = 0;
	}
}

static void report(struct sim *sims, uint32_t n)
{
	uint64_t classes[TELEMETRY_CLASSES] = { 0 };
	uint64_t lost = 0;
	int64_t oldest_ms = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct etcd_telemetry told = { 0 };

		etcd_tell(sims[i].etcd, &told);
		for (int k = 0; k < TELEMETRY_CLASSES; k++)
			classes[k] += told.latency[k];
		lost += sims[i].lost;
		oldest_ms = MAX_OF(oldest_ms, sims[i].oldest_ms);
	}
	printf("oldest_proof_ms %" PRId64 "\nlost %" PRIu64 "\nlatency", oldest_ms, lost);
	for (int k = 0; k < TELEMETRY_CLASSES; k++)
		printf(" %" PRIu64, classes[k]);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct rlimit files = { FILES_WANTED, FILES_WANTED };
	uint64_t clusters = 0, seconds = 0;
	struct err err = { 0 };
	struct loop *loop = NULL;
	struct sim *sims;
	uint32_t n;
	int64_t now;

	if (argc < 4 || parse_uint(argv[2], CLUSTERS_MAX, &clusters, &err) < 0 ||
	    parse_uint(argv[3], 3600, &seconds, &err) < 0 || clusters == 0) {
		fprintf(stderr, "usage: agents HOST:PORT CLUSTERS SECONDS [busy]\n");
		return 2;
	}
	(void)setrlimit(RLIMIT_NOFILE, &files);
	log_level_set(LOG_ERROR);
	if (loop_new(&loop, &err) < 0)
		die("cannot begin", &err);
	n = (uint32_t)clusters * MEMBERS;
	sims = mem_new(n, sizeof(*sims));
	now = loop_now_ms();
	for (uint32_t i = 0; i < n; i++) {
		sims[i] = (struct sim){ .number = i % MEMBERS, .lsn = UINT64_C(0x3000000),
					.busy = argc > 4 && str_eq(argv[4], "busy") };
		sim_begin(&sims[i], loop, argv[1], i / MEMBERS, now + (int64_t)i * STAGGER_MS);
	}
	while (!is_whole(sims, n)) {
		if (loop_now_ms() > now + BEGIN_MS + (int64_t)n * STAGGER_MS)
			die("some cluster has no leader", NULL);
		run_until(loop, loop_now_ms() + 500);
	}
	run_until(loop, loop_now_ms() + SETTLE_MS);
	forget(sims, n);
	printf("begin\n");
	fflush(stdout);
	run_until(loop, loop_now_ms() + (int64_t)seconds * 1000);
	printf("end\n");
	report(sims, n);
	for (uint32_t i = 0; i < n; i++)
		sim_end(&sims[i]);
	free(sims);
	loop_free(loop);
	return 0;
}
