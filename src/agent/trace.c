/* SPDX-License-Identifier: PostgreSQL */
/*
 * trace - where the milliseconds of a hand-over went, on both its sides
 *
 * One log line and one of the flight recorder for each side when it is through, and the newest of
 * each member in etcd, below pgha/trace/, where hactl finds both sides. It is written after the
 * hand-over, never in its way.
 */
#include "agent/state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

static const char *const names[TRACE__MAX] = {
#define X(n, t) [TRACE_##n] = t,
	TRACE_STEPS(X)
#undef X
};

/* A step that begins a side forgets what was marked before. */
static bool begins(enum trace_step step)
{
	return step == TRACE_ASKED || step == TRACE_CRASHED || step == TRACE_WOKE;
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

void trace_waited(struct agent *a, const char *what)
{
	str_clip(a->trace.waited, sizeof(a->trace.waited), what);
}

static int64_t first_of(const struct trace *t)
{
	for (int i = 0; i < TRACE__MAX; i++)
		if (t->at_ms[i] != 0)
			return t->at_ms[i];
	return 0;
}

/* For hactl: each step with its time since the first. */
static char *trace_json(const struct trace *t, const char *what)
{
	struct buf b = { 0 };
	char iso[ISO_TEXT_MAX];
	const char *sep = "";

	buf_str(&b, "{\"what\": ");
	record_quote(&b, what);
	buf_printf(&b, ", \"begun\": \"%s\", \"steps\": [",
		   record_iso_time(t->begun_wall_us, 'T', iso));
	for (int i = 0; i < TRACE__MAX; i++) {
		if (t->at_ms[i] == 0)
			continue;
		buf_printf(&b, "%s{\"step\": ", sep);
		record_quote(&b, names[i]);
		buf_printf(&b, ", \"ms\": %" PRId64 "}", t->at_ms[i] - first_of(t));
		sep = ", ";
	}
	buf_ch(&b, ']');
	if (t->waited[0] != '\0') {
		buf_str(&b, ", \"waited\": ");
		record_quote(&b, t->waited);
	}
	buf_ch(&b, '}');
	return buf_take(&b);
}

void trace_tell(struct agent *a, const char *what)
{
	const struct trace *t = &a->trace;
	_cleanup_(buf_done) struct buf line = { 0 };
	int64_t first_ms = first_of(t);
	int64_t last_ms = first_ms;

	if (t->begun_wall_us == 0)
		return;
	for (int i = 0; i < TRACE__MAX; i++) {
		if (t->at_ms[i] == 0)
			continue;
		buf_printf(&line, "%s%s +%" PRId64, line.len > 0 ? ", " : "", names[i],
			   t->at_ms[i] - last_ms);
		last_ms = t->at_ms[i];
	}
	log_notice("%s in %" PRId64 " ms: %s%s%s", what, last_ms - first_ms, line.data,
		   t->waited[0] != '\0' ? "; the stop waited for " : "", t->waited);
	recorder_add(&a->recorder, a->view.now_ms, "%s: %s", what, line.data);
}

static void keep_steps(const struct trace *t, struct telemetry *ret)
{
	static_assert(TRACE__MAX <= TELEMETRY_STEPS, "room for every step");
	ret->handover_wall_us = t->begun_wall_us;
	ret->nsteps = 0;
	for (int i = 0; i < TRACE__MAX; i++)
		if (t->at_ms[i] != 0)
			ret->steps[ret->nsteps++] =
				(struct step_telemetry){ names[i], t->at_ms[i] - first_of(t) };
}

void trace_end(struct agent *a, const char *what)
{
	trace_tell(a, what);
	if (a->trace.begun_wall_us != 0) {
		keep_steps(&a->trace, &a->telemetry);
		free(a->trace_text);
		a->trace_text = trace_json(&a->trace, what);
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
	(void)txn_send(a, TICKET_TRACE, 0, &req);
	free(TAKE(a->trace_text));
}
