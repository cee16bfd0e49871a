/* SPDX-License-Identifier: PostgreSQL */
/*
 * recorder - ring of the last events and decisions, written out on each role change
 */
#include "agent/state.h"

#include <inttypes.h>
#include <stdio.h>

#include "wire/viewtext.h"

static const char *const event_names[EVENT__MAX] = {
#define X(n, t) [EVENT_##n] = t,
	EVENT_TYPES(X)
#undef X
};

const char *event_type_name(enum event_type type)
{
	return event_names[type];
}

void recorder_add(struct recorder *r, int64_t at_ms, const char *fmt, ...)
{
	char text[RECORDER_WIDTH - 24];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(r->lines[r->next], RECORDER_WIDTH, "%" PRId64 " %s", at_ms, text);
	r->next = (r->next + 1) % RECORDER_LINES;
	r->total++;
}

void recorder_event(struct recorder *r, const struct event *ev)
{
	const char *text = ev->err != NULL && ev->result < 0 ? ev->err->msg : "";

	recorder_add(r, ev->at_ms, "event %s ticket=%" PRIu64 " result=%d %s",
		     event_names[ev->type], ev->ticket, ev->result, text);
}

void recorder_decision(struct agent *a)
{
	struct recorder *r = &a->recorder;
	struct buf *line = &r->views[r->next_view];

	if (a->plan.rule->id == r->view_rule)
		return;
	r->view_rule = a->plan.rule->id;
	r->next_view = (r->next_view + 1) % RECORDER_VIEWS;
	buf_clear(line);
	buf_printf(line, "%" PRId64 " view %u ", a->view.now_ms, a->plan.rule->id);
	viewtext_add(&a->view, line);
	buf_ch(line, '\n');
}

void recorder_text(const struct recorder *r, struct buf *ret_text)
{
	uint32_t n = r->total < RECORDER_LINES ? (uint32_t)r->total : RECORDER_LINES;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = (r->next + RECORDER_LINES - n + i) % RECORDER_LINES;

		buf_str(ret_text, r->lines[k]);
		buf_ch(ret_text, '\n');
	}
	for (uint32_t i = 0; i < RECORDER_VIEWS; i++) {
		const struct buf *line = &r->views[(r->next_view + i) % RECORDER_VIEWS];

		buf_add(ret_text, line->data != NULL ? line->data : "", line->len);
	}
}

void recorder_dump(struct agent *a, const char *why)
{
	struct buf text = { 0 };

	recorder_text(&a->recorder, &text);
	a->port.dump(a->port.ctx, why, text.data != NULL ? text.data : "", text.len);
	buf_done(&text);
}

void recorder_done(struct recorder *r)
{
	for (uint32_t i = 0; i < RECORDER_VIEWS; i++)
		buf_done(&r->views[i]);
}
