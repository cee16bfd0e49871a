/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent - fold one event, decide, act, publish
 */
#include "agent/agent.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "agent/state.h"
#include "base/log.h"

/* Decisions in one step: what an act changes at once is decided upon at once. */
#define DECISIONS_MAX 4
#define LATE_MS       20 /* until a deadline in the past is looked at again */

const struct view *agent_view(const struct agent *a)
{
	return &a->view;
}

const struct config *agent_config(const struct agent *a)
{
	return a->config;
}

/* ---- configuration ---- */

static void adopt_config(struct agent *a, struct config *config)
{
	bool was_paused = a->view.cfg.pause;
	unsigned int files = CONFIG_DIFF_PG_RESTART | CONFIG_DIFF_PG_FILES;
	bool first = a->config == NULL;
	unsigned int diff = first ? 0 : config_diff(a->config, config);

	a->view.cfg = config->ha;
	a->view.tags = config->tags;
	a->view.fence_hung = config->fence.hung_postgres;
	a->view.fence_stalled = config->fence.stalled_disk;
	a->view.hung_after_ms = config->fence.hung_after_ms;
	if (was_paused && !config->ha.pause && a->view.lease.epoch == 0 &&
	    a->view.pg.role != ROLE_REPLICA && a->view.pg.run != PG_DOWN)
		a->view.adopt_until_ms = a->view.now_ms + config->ha.ttl_ms / 2;
	config_free(a->config);
	a->config = config;
	fences_configured(a);
	poolers_configured(a);
	a->board_dirty = true;
	a->member_urgent = a->status_moved = true;
	a->again = true;
	if (first)
		return;
	a->apply_wanted = a->apply_wanted || (diff & files) != 0;
	if (diff & CONFIG_DIFF_AGENT)
		log_warning("name, scope, paths or etcd endpoints changed: that takes effect when "
			    "this agent is started anew");
	a->port.configure(a->port.ctx, config);
}

static bool rebuild_config(struct agent *a, const char *dynamic, struct err *err)
{
	struct conf_problems problems = { 0 };
	struct config *config = NULL;
	int r = conf_build(a->local, dynamic, &config, &problems, err);

	for (size_t i = 0; i < problems.n; i++)
		if (r < 0 || problems.items[i].line == 0)
			log_warning("configuration: %s: %s", problems.items[i].path,
				    problems.items[i].text);
	conf_problems_done(&problems);
	if (r < 0)
		return false;
	adopt_config(a, config);
	a->sync_quorum = restmsg_wants_quorum(dynamic);
	a->cluster_dirty = true;
	return true;
}

void agent_configure(struct agent *a, const char *dynamic)
{
	struct err err = { 0 };
	char *copy;

	if (a->dynamic != NULL && str_eq(a->dynamic, dynamic))
		return;
	copy = str_dup(dynamic);
	if (!rebuild_config(a, copy, &err)) {
		log_warning("the dynamic configuration cannot be used, the last good one stays: %s",
			    err.msg);
		free(copy);
		return;
	}
	free(a->dynamic);
	a->dynamic = copy;
	log_info("dynamic configuration applied");
	a->port.cache_config(a->port.ctx, a->dynamic);
}

static void fold_config(struct agent *a, const struct event *ev)
{
	struct confdoc *old = a->local;
	struct err err = { 0 };

	a->local = ev->confdoc;
	if (!rebuild_config(a, a->dynamic, &err)) {
		log_error("the new configuration is not applied: %s", err.msg);
		confdoc_free(a->local);
		a->local = old;
		return;
	}
	confdoc_free(old);
	/* Files that only Postgres reads may have changed as well: certificates, pg_hba.conf. */
	a->apply_wanted = a->reload_wanted = true;
	log_notice("configuration reloaded");
}

/* ---- life ---- */

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

struct agent *agent_new(const struct port *port, struct confdoc *local, const char *dynamic_cache,
			const struct durable *durable, uint64_t seed, struct err *err)
{
	struct agent *a = mem_new(1, sizeof(*a));

	a->port = *port;
	a->local = local;
	a->status = status_new();
	a->rng = seed;
	(void)str_printf(a->instance, sizeof(a->instance), "%016" PRIx64, splitmix(&a->rng));
	a->said_rule = UINT16_MAX;
	a->said_lease = LEASE_NONE;
	if (durable != NULL) {
		a->durable = *durable;
		a->view.regressed = durable->regressed;
		a->view.accepted_revision = durable->accepted;
		a->view.known_timeline = durable->timeline;
	}
	a->saved = a->durable;
	if (a->view.regressed)
		str_clip(a->regress_why, sizeof(a->regress_why), "seen before the restart");
	if (dynamic_cache != NULL && rebuild_config(a, dynamic_cache, err))
		a->dynamic = str_dup(dynamic_cache);
	if (a->config == NULL && !rebuild_config(a, NULL, err)) {
		a->local = NULL; /* stays the caller's */
		agent_free(a);
		return NULL;
	}
	str_clip(a->view.name, sizeof(a->view.name), a->config->name);
	return a;
}

void agent_free(struct agent *a)
{
	if (a == NULL)
		return;
	config_free(a->config);
	confdoc_free(a->local);
	free(a->dynamic);
	free(a->config_text);
	free(a->config_sent);
	failsafe_free(a);
	free(a->explain);
	doctor_free(a);
	free(a->history_text);
	free(a->member_text);
	free(a->trace_text);
	free(a->decision_text);
	recorder_done(&a->recorder);
	free(a->status_text);
	status_free(a->status);
	buf_done(&a->scratch);
	keys_forget_texts(a);
	free(a);
}

/* ---- folding ---- */

static void fold_start(struct agent *a, const struct event *ev)
{
	const struct start_facts *f = ev->start;
	struct view *v = &a->view;
	bool has_lease = f != NULL && f->page_found && f->lease_epoch != 0;

	a->started = true;
	a->telemetry.started_wall_us = a->view.wall_us;
	a->page_found = f != NULL && f->page_found;
	a->port.configure(a->port.ctx, a->config);
	model_fold_pg(a, ev);
	if (has_lease) {
		lease_proven(&v->lease, f->lease_epoch, f->lease_id, f->lease_asked_at_ms,
			     f->lease_ttl_ms);
		v->last_epoch = f->lease_epoch;
		log_notice("an earlier life of this agent held the lease of epoch %" PRId64
			   ", %s",
			   f->lease_epoch,
			   lease_state(&v->lease, v->now_ms) == LEASE_OVER ?
				   "which is over" :
				   "which still counts");
	} else if (!(f != NULL && f->page_found) && v->pg.run != PG_DOWN &&
		   v->pg.role != ROLE_REPLICA) {
		v->adopt_until_ms = v->now_ms + v->cfg.ttl_ms / 2;
	}
	/* Whoever led until now has promised nobody anything. */
	v->started_at_ms = has_lease ? 0 : v->now_ms;
	if (a->durable.accepted != 0)
		v->accepted_at_ms = v->now_ms; /* how long ago is not known */
	a->apply_wanted = true;
	seal_start(a);
	store_start(a);
	a->probe_now = true;
}

static void fold_pg_exit(struct agent *a, const struct event *ev)
{
	bool said = ev->text != NULL && ev->text[0] != '\0';

	if (a->job.ticket == 0 || a->job.op != PGOP_STOP)
		log_warning("Postgres has ended, %s%s%s",
			    a->job.ticket != 0 && a->job.op == PGOP_PROMOTE ?
				    "before it was promoted" :
				    "not by our hand",
			    said ? ", the last complaint in its log: " : "", said ? ev->text : "");
	job_exited(a);
	if (a->job.ticket == 0 || a->job.op != PGOP_STOP)
		crash_began(a);
	model_fold_pg(a, ev);
	a->probe_now = true;
}

static void fold_wal(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;
	uint64_t lsn = a->wal_asked_lsn;

	if (p->number != v->upstream_epoch)
		v->wal_gone_lsn = 0;
	if (lsn == 0)
		return;
	v->wal_asked_at_ms = v->now_ms;
	if (ev->wal_gone && v->wal_gone_lsn != lsn)
		log_notice("'%s' has removed the WAL from %X/%X on, which comes next here%s: "
			   "only a new copy of the data can follow it",
			   v->cluster.leader, (unsigned)(lsn >> 32), (unsigned)lsn,
			   v->pg.has_restore_command ? ", and the archive has not brought it" :
						       ", and no archive is configured");
	v->wal_gone_lsn = ev->wal_gone ? lsn : 0;
}

static void fold_ancestry(struct agent *a, const struct pending *p, const struct event *ev)
{
	struct view *v = &a->view;

	if (ev->result < 0) {
		v->upstream_foreign =
			ev->result == -ERR_CONFIG && p->number == v->cluster.leader_epoch;
		if (v->upstream_foreign)
			v->upstream_epoch = p->number;
		v->work_backoff_until_ms = v->now_ms + 500;
		log_info("the leader's history cannot be had: %s; asking again",
			 ev->err != NULL ? ev->err->msg : "no reason given");
		return;
	}
	if (ev->history == NULL)
		return;
	fold_wal(a, p, ev);
	v->upstream = *ev->history;
	v->upstream_epoch = p->number;
	v->upstream_foreign = false;
	a->again = true;
}

/* The one at the stop would take as long again, and nobody could write meanwhile. Whoever ends
 * anyway has no choice. */
static bool checkpoint_too_long(struct agent *a, const struct event *ev)
{
	const struct request *request = &a->view.cluster.request;

	if (ev->result != -(int)ERR_TIMEOUT || !a->view.handover_asked || !request->present ||
	    a->view.mode == MODE_SHUTDOWN || a->view.handover_begun)
		return false;
	store_refuse_request(a, "the checkpoint before it does not end, and this member goes on "
				"as the leader");
	return true;
}

static void fold_checkpoint(struct agent *a, const struct event *ev)
{
	if (checkpoint_too_long(a, ev))
		return;
	if (a->view.handover_asked) {
		/* A checkpoint that fails only makes the stop longer. */
		a->view.handover_checkpointed = true;
		trace_mark(a, TRACE_CHECKPOINT);
		a->again = true;
	}
	if (ev->result < 0) {
		a->checkpoint_retry_ms = a->view.now_ms + 5000;
		log_warning("checkpoint failed: %s", ev->err != NULL ? ev->err->msg : "");
		return;
	}
	a->checkpoint_pending = false;
	a->member_urgent = true;
	a->probe_now = true;
}

static void fold_pre_promote(struct agent *a, const struct event *ev)
{
	a->pre_promote_done = ev->result == 0;
	a->again = true;
	if (ev->result == 0)
		return;
	log_error("pre_promote failed, this member does not lead: %s",
		  ev->err != NULL ? ev->err->msg : "");
	a->view.start_failures = START_TRIES;
	a->view.vain_starts = START_TRIES;
	a->view.work_backoff_until_ms = a->view.now_ms + a->view.cfg.ttl_ms;
}

static void fold_pg_done(struct agent *a, const struct event *ev)
{
	struct pending p;

	if (!state_take(a, ev->ticket, &p))
		return;
	/* It is proven that nobody is left. What was known before would have him stopped again and
	 * again until the next probe is answered. */
	if (p.kind == TICKET_JOB && ev->ticket == a->job.ticket && a->job.op == PGOP_STOP &&
	    ev->result == 0)
		model_fold_pg(a, ev);
	if (p.kind == TICKET_JOB && ev->ticket == a->job.ticket)
		job_answer(a, ev);
	else if (p.kind == TICKET_ANCESTRY)
		fold_ancestry(a, &p, ev);
	else if (p.kind == TICKET_OWN_HISTORY && ev->result == 0 && ev->history != NULL)
		model_fold_own_history(a, ev->history);
	else if (p.kind == TICKET_CHECKPOINT)
		fold_checkpoint(a, ev);
	else if (p.kind == TICKET_WAL_END)
		crash_fold_end(a, ev);
	else if (p.kind == TICKET_PRE_PROMOTE)
		fold_pre_promote(a, ev);
	else if (p.kind == TICKET_DOCTOR)
		doctor_answered(a, &p, ev);
	else if (p.kind == TICKET_SLOTS && ev->result < 0)
		log_warning("replication slots: %s", ev->err != NULL ? ev->err->msg : "failed");
}

static void fold_answer(struct agent *a, const struct event *ev)
{
	struct pending p;

	if (!state_take(a, ev->ticket, &p))
		return;
	if (ev->type == EVENT_ETCD)
		store_answer(a, &p, ev);
	else if (p.kind == TICKET_EXPLAIN)
		explain_answered(a, &p, ev);
	else if (ev->type == EVENT_PEER)
		model_fold_vote(a, &p, ev);
	else
		model_fold_pg(a, ev);
	if (ev->type == EVENT_PG_PROBE && ev->ticket > a->settle_ticket)
		a->settle_ticket = 0;
	if (ev->type == EVENT_PEER)
		a->again = true;
}

static void fold_etcd_info(struct agent *a, const struct event *ev)
{
	if (!a->view.etcd_known || a->view.etcd_fixed != ev->etcd_all_fixed)
		log_info("etcd: %u members, oldest version %s: %s", ev->etcd_members,
			 ev->etcd_min_version,
			 ev->etcd_all_fixed
				 ? "its lease expiry can be trusted"
				 : "renewals write beats, takeovers wait for their silence");
	a->view.etcd_known = true;
	a->view.etcd_fixed = ev->etcd_all_fixed;
}

static void fold_guard(struct agent *a, const struct guard_state *guard)
{
	bool was_there = a->guard.presence == GUARD_ALIVE;

	a->guard = *guard;
	a->board_dirty = true;
	a->again = true;
	if (a->view.guard_required && was_there && guard->presence != GUARD_ALIVE)
		log_error("no guardian watches this member, and fence.guard is 'required': it "
			  "stops leading unless one does within %" PRId64 " ms",
			  a->view.cfg.ttl_ms / GUARD_GRACE);
}

static void fold_stop(struct agent *a)
{
	if (a->stopping)
		return;
	if (a->view.cfg.pause) {
		log_notice("paused: the agent ends and leaves Postgres and the leader key alone");
		a->quit_said = true;
		a->port.quit(a->port.ctx, 0);
		return;
	}
	log_notice("the agent was told to end");
	a->stopping = true;
}

static void fold(struct agent *a, const struct event *ev)
{
	struct pending p;

	switch (ev->type) {
	case EVENT_START:
		fold_start(a, ev);
		return;
	case EVENT_ETCD:
	case EVENT_PEER:
	case EVENT_PG_PROBE:
		fold_answer(a, ev);
		return;
	case EVENT_FENCE:
		if (state_take(a, ev->ticket, &p))
			fence_answered(a, &p, ev);
		return;
	case EVENT_PROMISE:
		if (state_take(a, ev->ticket, &p))
			failsafe_answered(a, &p, ev);
		return;
	case EVENT_POOLERS:
		if (state_take(a, ev->ticket, &p))
			poolers_answered(a, ev);
		return;
	case EVENT_SAVED:
		if (state_take(a, ev->ticket, &p))
			regress_saved(a, ev);
		return;
	case EVENT_WATCH:
		if (!a->view.regressed)
			keys_fold_watch(a, ev->watch);
		a->view.dcs_seen_at_ms = a->view.now_ms;
		return;
	case EVENT_WATCH_LOST:
		a->watching = false;
		a->read_retry_at_ms = 0;
		return;
	case EVENT_ETCD_INFO:
		fold_etcd_info(a, ev);
		return;
	case EVENT_PG_EXIT:
		fold_pg_exit(a, ev);
		return;
	case EVENT_PG_DONE:
		fold_pg_done(a, ev);
		return;
	case EVENT_GUARD:
		fold_guard(a, ev->guard);
		return;
	case EVENT_COMMAND:
		command_run(a, ev->ticket, ev->command);
		return;
	case EVENT_CONFIG:
		fold_config(a, ev);
		return;
	case EVENT_STOP:
		fold_stop(a);
		return;
	case EVENT_TIMER:
	case EVENT__MAX:
		return;
	}
}

/* ---- the cycle ---- */

/* Everything that moves by the clock and is no decision. */
static void wake_cycle(struct agent *a)
{
	int64_t now = state_now(a);
	int64_t at = a->plan.wake_at_ms;

	if (a->session.lease_id != 0)
		at = MIN_OF(at, term_wake_ms(a));
	else
		at = MIN_OF(at, a->session.retry_at_ms);
	if (a->view.lease.epoch != 0)
		at = MIN_OF(at, a->next_proof_ms);
	at = MIN_OF(at, probe_wake_ms(a));
	at = MIN_OF(at, poolers_wake_ms(a));
	if (!a->watching)
		at = MIN_OF(at, a->read_retry_at_ms);
	if (a->waiting.phase != WAITING_NONE)
		at = MIN_OF(at, a->waiting.until_ms);
	at = MIN_OF(at, failsafe_wake_ms(a));
	if (a->refused_wake_ms > a->view.now_ms)
		at = MIN_OF(at, a->refused_wake_ms);
	/* A deadline in the past is being worked on; looking again in a moment is enough. A moment
	 * from now, not from the step's beginning: where a step takes longer than that, the timer,
	 * which goes before all others, would leave no time for the answer. */
	a->port.wake_at(a->port.ctx, at > now ? at : now + LATE_MS);
}

static void decide_and_act(struct agent *a)
{
	int decisions = 0;

	do {
		a->again = false;
		model_refresh(a);
		seal_refresh(a);
		decide(&a->view, &a->plan);
		recorder_decision(a);
		act_run(a);
		command_cycle(a);
	} while (a->again && ++decisions < DECISIONS_MAX);
}

void agent_step(struct agent *a, const struct event *ev)
{
	assert(a->started || ev->type == EVENT_START);

	a->view.now_ms = MAX_OF(a->view.now_ms, state_now(a));
	a->view.wall_us = a->port.wall_us(a->port.ctx);
	a->telemetry.cycles++;
	if (ev->type == EVENT_WATCH && keys_fold_echo(a, ev->watch))
		return;
	if (ev->type != EVENT_TIMER)
		recorder_event(&a->recorder, ev);
	fold(a, ev);
	if (a->quit_said)
		return;
	decide_and_act(a);
	term_page(a);
	store_cycle(a);
	upkeep_cycle(a);
	failsafe_cycle(a);
	regress_cycle(a);
	seal_cycle(a);
	fence_cycle(a);
	poolers_cycle(a);
	explain_cycle(a);
	probe_cycle(a);
	publish_cycle(a);
	wake_cycle(a);
}
