/* SPDX-License-Identifier: PostgreSQL */
/*
 * ports - struct port on the real outside
 */
#include "io/ports.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/leasepage.h"
#include "base/log.h"
#include "io/board.h"
#include "io/bouncers.h"
#include "io/confread.h"
#include "io/etcd.h"
#include "io/fencehook.h"
#include "io/fsx.h"
#include "io/guardian.h"
#include "io/hooks.h"
#include "io/http.h"
#include "io/journal.h"
#include "io/notify.h"
#include "io/pagewriter.h"
#include "io/peers.h"
#include "io/peersecret.h"
#include "io/pg.h"
#include "io/pgready.h"
#include "io/rest.h"
#include "io/saver.h"
#include "io/single.h"
#include "io/statefile.h"

/* Between two readings of the file, however many signals ask for it. */
#define RELOAD_MS  1000

struct ports {
	struct loop *loop;
	struct loop_source *timer;
	struct loop_source *reload;
	struct saver *saver;
	struct loop_source *fences;
	char *config_path;
	struct http *http;
	struct etcd *etcd;
	struct pg *pg;
	struct board *board;
	struct rest *rest;
	struct journal *journal;
	struct notify *notify;
	struct peers *peers;
	struct hooks *hooks;
	int exit_code;
	struct fencehook *fencehook;
	struct bouncers *bouncers;
	struct single *single;
	struct leasepage page;
	struct guardian *guardian;
	struct config *first; /* until the agent names its own */
	struct start_facts start;
	char *state_dir;
	char *data_dir;
	struct pagewriter writer;
	char id[2 * NAME_SIZE]; /* <scope>.<name>: of files that clusters of one host share */
	struct agent *agent;
	int64_t reloaded_at_ms;
	bool info_known;
	struct etcd_info info; /* newest */
	bool stop_wanted;
	bool started;
	bool stepping;
};

static void step(struct ports *p, const struct event *ev)
{
	if (!p->started)
		return; /* answers to what was asked before the agent's first event */
	assert(!p->stepping);
	p->stepping = true;
	agent_step(p->agent, ev);
	p->stepping = false;
	notify_alive(p->notify);
}

/* ---- from the adapters ---- */

static void on_etcd(void *ctx, const struct etcd_answer *answer)
{
	struct ports *p = ctx;
	struct event ev = { .type = EVENT_ETCD, .at_ms = loop_now_ms(), .ticket = answer->ticket,
			    .sent_at_ms = answer->sent_at_ms, .rep = answer->rep,
			    .err = answer->err };

	if (single_answered(p->single, answer))
		return;
	if (answer->err != NULL)
		ev.result = -(int)answer->err->code;
	step(p, &ev);
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

static void step_info(struct ports *p)
{
	struct event ev = { .type = EVENT_ETCD_INFO, .at_ms = loop_now_ms(),
			    .etcd_members = p->info.nmembers,
			    .etcd_all_fixed = p->info.all_fixed };

	str_clip(ev.etcd_min_version, sizeof(ev.etcd_min_version), p->info.min_version);
	step(p, &ev);
}

static void on_info(void *ctx, const struct etcd_info *info)
{
	struct ports *p = ctx;

	if (info->min_version[0] == '\0')
		return; /* nothing was learnt */
	/* Kept: it may come before the agent's first event, and not again for a minute. */
	p->info = *info;
	p->info_known = true;
	step_info(p);
}

static void on_pg(void *ctx, const struct event *ev)
{
	step(ctx, ev);
}

static void on_peer(void *ctx, uint64_t ticket, int result, const struct vote *vote,
		    const struct err *err)
{
	struct event ev = { .type = EVENT_PEER, .at_ms = loop_now_ms(), .ticket = ticket,
			    .result = result, .vote = vote, .err = err };

	step(ctx, &ev);
}

static void on_promise(void *ctx, const struct peers_promise *promise)
{
	struct event ev = { .type = EVENT_PROMISE, .at_ms = loop_now_ms(),
			    .ticket = promise->ticket, .sent_at_ms = promise->sent_at_ms,
			    .accepted = promise->accepted, .text = promise->text,
			    .err = promise->err };

	if (promise->err != NULL)
		ev.result = -(int)promise->err->code;
	step(ctx, &ev);
}

static void on_command(void *ctx, uint64_t id, const struct command *command)
{
	struct ports *p = ctx;
	struct event ev = { .type = EVENT_COMMAND, .at_ms = loop_now_ms(), .ticket = id,
			    .command = command };

	if (!p->started)
		rest_reply(p->rest, id, 503, "text/html", "this agent is still starting");
	else
		step(p, &ev);
}

static void on_db(void *ctx, const struct rest_db *answer)
{
	struct ports *p = ctx;

	rest_db(p->rest, answer);
}

static void on_ask(void *ctx, int64_t deadline_ms)
{
	struct ports *p = ctx;

	pgready_ask(p->pg, deadline_ms, on_db, p);
}

static void on_guardian(void *ctx, const struct guard_state *state)
{
	struct event ev = { .type = EVENT_GUARD, .at_ms = loop_now_ms(), .guard = state };

	step(ctx, &ev);
}

static void on_fenced(void *ctx, uint64_t ticket, int result, const struct err *err)
{
	struct event ev = { .type = EVENT_FENCE, .at_ms = loop_now_ms(), .ticket = ticket,
			    .result = result, .err = err };

	step(ctx, &ev);
}

static void on_poolers(void *ctx, uint64_t ticket, int result, const struct err *err)
{
	struct event ev = { .type = EVENT_POOLERS, .at_ms = loop_now_ms(), .ticket = ticket,
			    .result = result, .err = err };

	step(ctx, &ev);
}

static void on_timer(void *ctx)
{
	struct event ev = { .type = EVENT_TIMER, .at_ms = loop_now_ms() };

	step(ctx, &ev);
}

/* ---- struct port ---- */

static int64_t port_now(void *ctx)
{
	(void)ctx;
	return loop_now_ms();
}

static int64_t port_wall(void *ctx)
{
	(void)ctx;
	return loop_wall_us();
}

static void port_wake_at(void *ctx, int64_t at_ms)
{
	struct ports *p = ctx;

	loop_timer_at(p->timer, at_ms);
}

static void port_etcd(void *ctx, uint64_t ticket, const struct etcd_req *req)
{
	struct ports *p = ctx;

	etcd_request(p->etcd, ticket, req);
}

static void port_watch(void *ctx, const char *prefix, int64_t start_revision)
{
	struct ports *p = ctx;

	etcd_watch(p->etcd, prefix, start_revision);
}

static void port_pg(void *ctx, uint64_t ticket, const struct pg_req *req)
{
	struct ports *p = ctx;

	pg_request(p->pg, ticket, req);
}

static void port_peer(void *ctx, uint64_t ticket, const struct peer_req *req)
{
	struct ports *p = ctx;

	peers_ask(p->peers, ticket, req);
}

static void port_promise(void *ctx, uint64_t ticket, const struct promise_req *req)
{
	struct ports *p = ctx;

	peers_promise(p->peers, ticket, req);
}

static void sign_as(struct ports *p, const struct peersign *sign)
{
	peers_sign(p->peers, sign);
	rest_sign(p->rest, sign);
}

/* The file may have another secret by now, whatever the configuration says. */
static void read_secret(struct ports *p, const struct config *config)
{
	struct peersign sign = { 0 };
	struct err err = { 0 };

	if (peersecret_load(config, &sign, &err) < 0)
		log_error("%s; the old secret stays", err.msg);
	else
		sign_as(p, &sign);
	explicit_bzero(&sign, sizeof(sign));
}

static void port_configure(void *ctx, const struct config *config)
{
	struct ports *p = ctx;
	struct err err = { 0 };

	etcd_configure(p->etcd, &config->etcd, config->ha.ttl_ms);
	pg_configure(p->pg, config);
	peers_configure(p->peers, config);
	hooks_configure(p->hooks, config);
	fencehook_configure(p->fencehook, config);
	bouncers_configure(p->bouncers, config);
	read_secret(p, config);
	rest_configure(p->rest, &config->restapi);
	loop_defer(p->fences);
	if (journal_configure(p->journal, &config->log, &err) < 0)
		log_error("the log goes on as before: %s", err.msg);
}

static void port_page(void *ctx, const struct page_update *u)
{
	struct ports *p = ctx;

	pagewriter_write(&p->writer, &p->page, u, &agent_config(p->agent)->watchdog);
}

static void on_saved(void *ctx, uint64_t ticket, const struct err *err)
{
	struct ports *p = ctx;
	struct event ev = { .type = EVENT_SAVED, .at_ms = loop_now_ms(), .ticket = ticket,
			    .result = err ? -(int)err->code : 0, .err = err };

	step(p, &ev);
}

static void port_save(void *ctx, uint64_t ticket, const struct durable *durable)
{
	struct ports *p = ctx;

	saver_save(p->saver, ticket, durable);
}

static void port_publish(void *ctx, struct status *status)
{
	struct ports *p = ctx;
	char text[WHY_SIZE + NAME_SIZE];

	if (str_printf(text, sizeof(text), "rule %u %s: %s", status->rule_id, status->rule_name,
		       status->rule_why) >= 0)
		notify_status(p->notify, text);
	rest_members_of(p->rest, status->cluster_json);
	etcd_tell(p->etcd, &status->telemetry.etcd);
	peers_tell(p->peers, &status->telemetry.peers);
	rest_tell(p->rest, &status->telemetry.peers);
	pg_progress(p->pg, &status->job_done_bytes, &status->job_total_bytes);
	board_publish(p->board, status);
	notify_ready(p->notify);
}

static void port_answer(void *ctx, uint64_t id, int code, const char *content_type,
			const char *body)
{
	struct ports *p = ctx;

	rest_reply(p->rest, id, code, content_type, body);
}

static void port_accept(void *ctx, uint64_t id, uint64_t lsn)
{
	struct ports *p = ctx;

	rest_accept(p->rest, id, lsn);
}

static void port_callback(void *ctx, enum callback what, enum member_role role)
{
	struct ports *p = ctx;

	hooks_run(p->hooks, what, role);
}

static void port_fence(void *ctx, uint64_t ticket, const struct fence_req *req)
{
	struct ports *p = ctx;

	if (req != NULL)
		fencehook_run(p->fencehook, ticket, req);
	else
		fencehook_end(p->fencehook);
}

static void port_poolers(void *ctx, uint64_t ticket, const struct pooler_req *req)
{
	struct ports *p = ctx;

	bouncers_run(p->bouncers, ticket, req);
}

static void port_cache_config(void *ctx, const char *json)
{
	struct ports *p = ctx;

	saver_cache(p->saver, p->data_dir, json);
}

static void port_dump(void *ctx, const char *why, const char *text, size_t len)
{
	struct ports *p = ctx;

	saver_dump(p->saver, why, text, len);
}

static void port_reload(void *ctx)
{
	ports_reload(ctx);
}

static void on_end(void *ctx)
{
	struct ports *p = ctx;

	loop_quit(p->loop, p->exit_code);
}

static void port_quit(void *ctx, int exit_code)
{
	struct ports *p = ctx;

	guardian_dismiss(p->guardian);
	p->exit_code = exit_code;
	hooks_finish(p->hooks, on_end, p);
}

static const struct port port_functions = {
	.now_ms = port_now,
	.wall_us = port_wall,
	.wake_at = port_wake_at,
	.etcd = port_etcd,
	.watch = port_watch,
	.pg = port_pg,
	.peer = port_peer,
	.promise = port_promise,
	.configure = port_configure,
	.page = port_page,
	.save = port_save,
	.publish = port_publish,
	.answer = port_answer,
	.accept = port_accept,
	.callback = port_callback,
	.fence = port_fence,
	.poolers = port_poolers,
	.cache_config = port_cache_config,
	.dump = port_dump,
	.reload = port_reload,
	.quit = port_quit,
};

/* ---- configuration ---- */

static void log_lines(struct buf *text)
{
	char *rest = text->data;

	while (rest != NULL && *rest != '\0') {
		char *end = strchr(rest, '\n');

		if (end != NULL)
			*end = '\0';
		log_warning("%s", rest);
		rest = end != NULL ? end + 1 : NULL;
	}
}

/* What this process was started for. Its keys, files and locks bear these names. */
static int check_identity(const struct confdoc *doc, const struct config *now, struct err *err)
{
	struct conf_problems problems = { 0 };
	struct config *new = NULL;
	int r = conf_build(doc, NULL, &new, &problems, err);

	conf_problems_done(&problems);
	if (r < 0)
		return r;
	if (!str_eq(new->name, now->name) || !str_eq(new->prefix, now->prefix) ||
	    !str_eq(new->pg.data_dir, now->pg.data_dir) ||
	    !str_eq(new->state_dir, now->state_dir) || !str_eq(new->run_dir, now->run_dir))
		r = err_set(err, ERR_CONFIG,
			    "name, scope, namespace, data_dir, state_dir and run_dir cannot "
			    "change while the agent runs");
	config_free(new);
	return r;
}

static void on_reload(void *ctx)
{
	struct ports *p = ctx;
	struct event ev = { .type = EVENT_CONFIG, .at_ms = loop_now_ms() };
	struct confdoc *doc = NULL;
	struct buf text = { 0 };
	struct err err = { 0 };
	int r;

	p->reloaded_at_ms = loop_now_ms();
	if (!p->started)
		return;
	notify_reloading(p->notify);
	r = confread_load(p->config_path, &doc, &text, &err);
	log_lines(&text);
	if (r == 0)
		r = check_identity(doc, agent_config(p->agent), &err);
	if (r < 0) {
		log_error("nothing is reloaded: %s", err.msg);
		confdoc_free(doc);
	} else {
		ev.confdoc = doc;
		step(p, &ev);
	}
	buf_done(&text);
	notify_ready(p->notify);
}

void ports_reload(struct ports *p)
{
	loop_timer_at(p->reload, p->reloaded_at_ms + RELOAD_MS);
}

/* ---- life ---- */

/* What an earlier life of this boot proved, if the page can be believed. */
static void read_page(struct ports *p)
{
	struct leasepage_facts facts;

	/* A page on which no lease was ever proven tells nothing. */
	if (leasepage_read(&p->page, &facts) != LEASEPAGE_GOOD || !facts.proven)
		return;
	p->start.page_found = true;
	p->start.lease_epoch = facts.epoch;
	p->start.lease_id = facts.lease_id;
	p->start.lease_asked_at_ms = facts.asked_at_ms;
	p->start.lease_ttl_ms = facts.ttl_ms;
}

static void begin_to_listen(struct ports *p)
{
	struct err err = { 0 };

	rest_ask(p->rest, on_ask, p);
	if (rest_start(p->rest, &err) == 0)
		return;
	log_critical("cannot start: %s", err.msg);
	loop_quit(p->loop, 1);
}

static void on_begin(void *ctx)
{
	struct ports *p = ctx;
	struct pg_state pg = { 0 };
	struct event ev = { .type = EVENT_START, .start = &p->start, .pg = &pg };

	pg_look(p->pg, &pg);
	p->started = true;
	ev.at_ms = loop_now_ms();
	step(p, &ev);
	if (p->info_known)
		step_info(p);
	loop_defer(p->fences);
	begin_to_listen(p);
	if (p->stop_wanted)
		ports_stop(p);
	/* What only the start needed goes back to the system. */
	(void)malloc_trim(0);
}

/* Not from inside a step of the agent, which hears of what comes of it. */
static void on_fences(void *ctx)
{
	struct ports *p = ctx;

	if (p->started)
		guardian_want(p->guardian,
			      agent_config(p->agent)->fence.guard != FENCE_GUARD_OFF);
}

void ports_stop(struct ports *p)
{
	struct event ev = { .type = EVENT_STOP, .at_ms = loop_now_ms() };

	notify_stopping(p->notify);
	p->stop_wanted = true;
	step(p, &ev);
}

void ports_watch(struct ports *p, struct anew *anew)
{
	anew_watch(anew, &(struct anew_world){ p->agent, p->hooks, p->guardian, &p->started });
}

static int open_outside(struct ports *p, struct err *err)
{
	const struct etcd_handler handler = { .ctx = p, .answer = on_etcd, .watch = on_watch,
					      .watch_lost = on_watch_lost, .info = on_info };
	int r = http_new(p->loop, &p->http, err);

	if (r == 0)
		r = etcd_new(p->loop, p->http, &handler, &p->etcd, err);
	if (r == 0)
		r = pg_new(p->loop, on_pg, p, &p->pg, err);
	if (r == 0)
		r = loop_timer_new(p->loop, "agent", on_timer, p, &p->timer, err);
	if (r == 0)
		r = loop_timer_new(p->loop, "reload", on_reload, p, &p->reload, err);
	if (r == 0)
		r = loop_defer_new(p->loop, "fences", on_fences, p, &p->fences, err);
	if (r < 0)
		return r;
	loop_rank(p->timer, LOOP_FIRST); /* renewals go before anything else */
	p->peers = peers_new(p->http, on_peer, on_promise, p);
	p->hooks = hooks_new(p->loop, HOOKS_MAX_MS);
	r = fencehook_new(p->loop, on_fenced, p, &p->fencehook, err);
	if (r == 0)
		r = bouncers_new(p->loop, http_resolve(p->http), on_poolers, p, &p->bouncers, err);
	if (r < 0)
		return r;
	p->board = board_new();
	return rest_new(p->loop, http_resolve(p->http), p->board, on_command, p, &p->rest, err);
}

static int open_own(struct ports *p, const struct config *c, struct err *err)
{
	struct peersign sign = { 0 };
	int r = fsx_mkdirs(c->state_dir, 0700, err);

	if (r == 0)
		r = leasepage_open_writer(&p->page, c->run_dir, c->scope, c->name, err);
	if (r == 0)
		r = guardian_new(p->loop, &p->page, c->run_dir, c->scope, c->name, on_guardian, p,
				 &p->guardian, err);
	if (r < 0)
		return r;
	read_page(p);
	p->state_dir = str_dup(c->state_dir);
	p->data_dir = str_dup(c->pg.data_dir);
	p->writer.data_dir = p->data_dir;
	(void)str_printf(p->id, sizeof(p->id), "%s.%s", c->scope, c->name);
	r = saver_new(p->loop, p->state_dir, p->id, on_saved, p, &p->saver, err);
	if (r == 0)
		r = peersecret_load(c, &sign, err);
	if (r < 0)
		return r;
	sign_as(p, &sign);
	explicit_bzero(&sign, sizeof(sign));
	return rest_bind(p->rest, &c->restapi, err);
}

/* The agent takes `local` with it from here on. */
static int make_agent(struct ports *p, struct confdoc *local, struct err *err)
{
	struct durable durable = { 0 };
	_cleanup_(freep) char *dynamic = statefile_load_dynamic(p->state_dir, p->id, p->data_dir);
	bool known = statefile_load(p->state_dir, p->id, &durable);
	uint64_t seed = (uint64_t)loop_wall_us() * 1000003 + (uint64_t)getpid();

	struct port port = port_functions;

	port.ctx = p;
	p->agent = agent_new(&port, local, dynamic, known ? &durable : NULL, seed, err);
	return p->agent != NULL ? 0 : -(int)err->code;
}

int ports_new(struct loop *loop, struct journal *journal, const char *config_path,
	      struct confdoc *local, struct ports **ret, struct err *err)
{
	struct conf_problems problems = { 0 };
	struct ports *p = mem_new(1, sizeof(*p));
	const struct single_next next = { .ctx = p, .begin = on_begin };
	int r = conf_build(local, NULL, &p->first, &problems, err);

	conf_problems_done(&problems);
	p->loop = loop;
	p->journal = journal;
	p->notify = notify_new();
	p->page = (struct leasepage)LEASEPAGE_CLOSED;
	p->config_path = str_dup(config_path);
	if (r == 0)
		r = journal_configure(journal, &p->first->log, err);
	if (r == 0)
		r = open_outside(p, err);
	if (r == 0)
		r = open_own(p, p->first, err);
	if (r == 0)
		r = make_agent(p, local, err);
	if (r < 0) {
		ports_free(p);
		return r;
	}
	etcd_configure(p->etcd, &p->first->etcd, p->first->ha.ttl_ms);
	pg_configure(p->pg, p->first);
	r = single_new(loop, p->http, p->etcd, p->first, rest_instance(p->rest),
		       p->start.page_found, &next, &p->single, err);
	if (r < 0) {
		ports_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void ports_free(struct ports *p)
{
	if (p == NULL)
		return;
	single_free(p->single);
	rest_free(p->rest);
	hooks_free(p->hooks);
	fencehook_free(p->fencehook);
	bouncers_free(p->bouncers);
	peers_free(p->peers);
	pg_free(p->pg);
	etcd_free(p->etcd);
	http_free(p->http);
	/* Last of these, as they borrow its configuration. */
	agent_free(p->agent);
	board_free(p->board);
	loop_source_free(p->timer);
	loop_source_free(p->reload);
	saver_free(p->saver);
	loop_source_free(p->fences);
	guardian_free(p->guardian);
	notify_free(p->notify);
	leasepage_done(&p->page);
	config_free(p->first);
	free(p->config_path);
	free(p->state_dir);
	free(p->data_dir);
	free(p);
}
