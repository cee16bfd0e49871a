/* SPDX-License-Identifier: PostgreSQL */
/*
 * trace - where the milliseconds of a hand-over went, on both its sides
 *
 * One log line and one of the flight recorder for each side when it is through, and the newest of
 * each member in etcd, below pgha/trace/, where hactl finds both sides; that of who took the lead
 * also below pgha/why/, by the timeline that began, with the decision. It is written after the
 * hand-over, never in its way.
 */
#include "agent/state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/parse.h"
#include "core/turn.h"

#define WHYS_KEPT 32 /* timelines whose beginning is told in etcd */

static const char *const names[TRACE__MAX] = {
#define X(n, t) [TRACE_##n] = t,
	TRACE_STEPS(X)
#undef X
};

/* A step that begins a side forgets what was marked before. */
static bool begins(enum trace_step step)
{
	return step == TRACE_ASKED || step == TRACE_CRASHED || step == TRACE_WOKE ||
	       step == TRACE_VACANT;
}

void trace_mark(struct agent *a, enum trace_step step)
{
	struct trace *t = &a->trace;

	if (begins(step)) {
		*t = (struct trace){ 0 };
		t->begun_wall_us = a->view.wall_us;
	} else if (t->begun_wall_us == 0 || t->at_ms[step] != 0) {
		return;
	}
	/* The clock, not the time of the event: a step may take long within one turn. */
	t->at_ms[step] = state_now(a);
}

void trace_stopped(struct agent *a, const struct event *ev)
{
	struct trace *t = &a->trace;

	str_clip(t->waited, sizeof(t->waited), ev->text != NULL ? ev->text : "");
	if (t->at_ms[TRACE_STOP] == 0)
		return;
	t->at_ms[TRACE_CLIENTS] = ev->clients_gone_at_ms;
	trace_mark(a, TRACE_EXITED);
}

void trace_vacant(struct agent *a)
{
	const struct trace *t = &a->trace;
	bool lost = t->at_ms[TRACE_VACANT] != 0 && t->at_ms[TRACE_KEY] == 0;

	if (a->view.pg.role == ROLE_REPLICA && (t->begun_wall_us == 0 || lost))
		trace_mark(a, TRACE_VACANT);
}

static void add_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, ", \"%s\": ", key);
	record_quote(b, text);
}

static void add_votes(const struct view *v, struct buf *b)
{
	char lsn[LSN_TEXT_MAX];

	buf_str(b, ", \"votes\": [");
	for (uint32_t i = 0; i < v->nvotes; i++) {
		const struct vote *vote = &v->votes[i];
		bool told = vote->answered && !vote->failed;

		buf_str(b, i > 0 ? ", {\"name\": " : "{\"name\": ");
		record_quote(b, vote->name);
		add_text(b, "answer", vote->failed ? "none" : told ? "yes" : "waiting");
		if (told)
			buf_printf(b, ", \"timeline\": %u, \"lsn\": \"%s\", \"sealed\": %s",
				   vote->timeline, lsn_text(vote->lsn, lsn),
				   vote->sealed != 0 ? "true" : "false");
		buf_ch(b, '}');
	}
	buf_ch(b, ']');
}

/* How it came that nobody leads. */
static const char *end_of_leader(const struct view *v)
{
	if (turn_released(v))
		return "gave the key back, its PostgreSQL had ended";
	if (v->cluster.release.present)
		return "is not known to have given the key back";
	return v->etcd_known && v->etcd_fixed ? "let its lease run out" :
						"was silent for a whole term";
}

void trace_decision(struct agent *a)
{
	const struct view *v = &a->view;
	const struct rule *rule = a->plan.rule;
	char lsn[LSN_TEXT_MAX];
	struct buf b = { 0 };

	buf_printf(&b, "{\"rule\": %u", rule->id);
	add_text(&b, "name", rule->name);
	add_text(&b, "why", rule->why);
	add_text(&b, "verdict", a->plan.verdict.why);
	add_text(&b, "before", v->last_leader);
	add_text(&b, "before_ended", end_of_leader(v));
	add_text(&b, "lsn", lsn_text(MAX_OF(v->pg.receive_lsn, v->pg.replay_lsn), lsn));
	buf_printf(&b, ", \"timeline\": %u", v->pg.timeline);
	if (v->cluster.request.present)
		add_text(&b, "asked_for", v->cluster.request.candidate);
	add_votes(v, &b);
	buf_ch(&b, '}');
	free(a->decision_text);
	a->decision_text = buf_take(&b);
}

/* The steps that were come to, by their times: some happen in either order. */
static int in_order(const struct trace *t, enum trace_step order[TRACE__MAX])
{
	int n = 0;

	for (int step = 0; step < TRACE__MAX; step++) {
		int at = n;

		if (t->at_ms[step] == 0)
			continue;
		for (; at > 0 && t->at_ms[order[at - 1]] > t->at_ms[step]; at--)
			order[at] = order[at - 1];
		order[at] = (enum trace_step)step;
		n++;
	}
	return n;
}

/* For hactl: each step with its time since the first. */
static char *trace_json(const struct agent *a, const char *what)
{
	const struct trace *t = &a->trace;
	enum trace_step order[TRACE__MAX];
	int n = in_order(t, order);
	struct buf b = { 0 };
	char iso[ISO_TEXT_MAX];

	buf_str(&b, "{\"what\": ");
	record_quote(&b, what);
	buf_printf(&b, ", \"begun\": \"%s\", \"steps\": [",
		   record_iso_time(t->begun_wall_us, 'T', iso));
	for (int i = 0; i < n; i++) {
		buf_str(&b, i > 0 ? ", {\"step\": " : "{\"step\": ");
		record_quote(&b, names[order[i]]);
		buf_printf(&b, ", \"ms\": %" PRId64 "}", t->at_ms[order[i]] - t->at_ms[order[0]]);
	}
	buf_ch(&b, ']');
	if (t->waited[0] != '\0') {
		buf_str(&b, ", \"waited\": ");
		record_quote(&b, t->waited);
	}
	if (t->at_ms[TRACE_OPEN] != 0 && a->decision_text != NULL)
		buf_printf(&b,
			   ", \"leader\": \"%s\", \"epoch\": %" PRId64
			   ", \"timeline\": %u, \"decision\": %s",
			   a->view.name, a->view.lease.epoch, a->trace_timeline, a->decision_text);
	buf_ch(&b, '}');
	return buf_take(&b);
}

void trace_tell(struct agent *a, const char *what)
{
	const struct trace *t = &a->trace;
	_cleanup_(buf_done) struct buf line = { 0 };
	enum trace_step order[TRACE__MAX];
	int n = in_order(t, order);
	int64_t first_ms = n > 0 ? t->at_ms[order[0]] : 0;
	int64_t last_ms = first_ms;

	if (t->begun_wall_us == 0)
		return;
	for (int i = 0; i < n; i++) {
		buf_printf(&line, "%s%s +%" PRId64, i > 0 ? ", " : "", names[order[i]],
			   t->at_ms[order[i]] - last_ms);
		last_ms = t->at_ms[order[i]];
	}
	log_notice("%s in %" PRId64 " ms: %s%s%s", what, last_ms - first_ms, line.data,
		   t->waited[0] != '\0' ? "; the stop waited for " : "", t->waited);
	recorder_add(&a->recorder, a->view.now_ms, "%s: %s", what, line.data);
}

static void keep_steps(const struct trace *t, struct telemetry *ret)
{
	enum trace_step order[TRACE__MAX];
	int n = in_order(t, order);

	static_assert(TRACE__MAX <= TELEMETRY_STEPS, "room for every step");
	ret->handover_wall_us = t->begun_wall_us;
	ret->nsteps = (uint32_t)n;
	for (int i = 0; i < n; i++)
		ret->steps[i] = (struct step_telemetry){
			names[order[i]], t->at_ms[order[i]] - t->at_ms[order[0]] };
}

void trace_end(struct agent *a, const char *what)
{
	trace_tell(a, what);
	if (a->trace.begun_wall_us != 0) {
		keep_steps(&a->trace, &a->telemetry);
		free(a->trace_text);
		/* A promotion takes the number that was put down for it. */
		a->trace_timeline = a->trace.at_ms[TRACE_OPEN] != 0 ?
					    a->view.cluster.begun_timeline :
					    0;
		a->trace_text = trace_json(a, what);
	}
	a->trace = (struct trace){ 0 };
}

/* When nothing else is in a hurry. */
void trace_cycle(struct agent *a)
{
	struct etcd_req req;
	char name[ETCD_KEY_SIZE];

	if (a->trace_text == NULL || a->job.ticket != 0 || a->view.regressed ||
	    a->view.cluster.leader[0] == '\0' || state_waits_for(a, TICKET_TRACE))
		return;
	(void)str_printf(name, sizeof(name), "pgha/trace/%s", a->view.name);
	etcd_req_init_txn(&req, a->view.cfg.retry_timeout_ms);
	txn_then_put(a, &req, name, a->trace_text, 0);
	if (a->trace_timeline != 0) {
		(void)str_printf(name, sizeof(name), "pgha/why/%u", a->trace_timeline);
		txn_then_put(a, &req, name, a->trace_text, 0);
	}
	if (a->trace_timeline > WHYS_KEPT) {
		(void)str_printf(name, sizeof(name), "pgha/why/%u", a->trace_timeline - WHYS_KEPT);
		txn_then_delete(a, &req, name);
	}
	(void)txn_send(a, TICKET_TRACE, 0, &req);
	free(TAKE(a->trace_text));
}
