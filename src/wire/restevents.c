/* SPDX-License-Identifier: PostgreSQL */
/*
 * restevents - what changed, as server-sent events
 */
#include "wire/restevents.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/parse.h"
#include "core/rules.h"
#include "wire/record.h"
#include "wire/restview.h"

#define ID_SIZE 48

/* What was told last. */
struct facts {
	const char *role; /* static, as the next two */
	const char *state;
	const char *job; /* "" none */
	bool primary;
	bool leads;
	bool writable;
	int64_t leader_until_ms;
	int64_t epoch;
	char leader[NAME_SIZE];
	int64_t leader_epoch;
	uint16_t rule_id;
	char rule_name[48];
	char rule_why[WHY_SIZE];
	bool pause;
};

struct restevents {
	int64_t life;
	uint64_t newest; /* number of it; the first one is 1 */
	char *ring[RESTEVENTS_MAX];
	bool known; /* a status was seen */
	char scope[NAME_SIZE];
	char name[NAME_SIZE];
	struct facts facts;
	struct job_telemetry jobs[TELEMETRY_JOBS];
};

struct restevents *restevents_new(int64_t life)
{
	struct restevents *events = mem_new(1, sizeof(*events));

	events->life = life;
	return events;
}

void restevents_free(struct restevents *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < RESTEVENTS_MAX; i++)
		free(events->ring[i]);
	free(events);
}

/* ---- text ---- */

static void add_text(struct buf *data, const char *key, const char *text)
{
	jtext_add_field(data, key, text, JTEXT_SPACED);
}

static void add_bool(struct buf *data, const char *key, bool value)
{
	jtext_add_key(data, key, JTEXT_SPACED);
	buf_str(data, value ? "true" : "false");
}

static void add_number(struct buf *data, const char *key, int64_t value)
{
	jtext_add_key(data, key, JTEXT_SPACED);
	buf_printf(data, "%" PRId64, value);
}

/* Up to the data, which is one line: JSON text has no line ends of its own. */
static void begin_event(const struct restevents *events, struct buf *text, uint64_t number,
			const char *type, int64_t wall_us)
{
	char iso[ISO_TEXT_MAX];

	buf_printf(text, "id: %" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: {",
		   (uint64_t)events->life, number, type);
	add_text(text, "time", record_iso_time(wall_us, 'T', iso));
	add_text(text, "scope", events->scope);
	add_text(text, "name", events->name);
}

static void end_event(struct buf *text)
{
	buf_str(text, "}\n\n");
}

static void keep(struct restevents *events, struct buf *text)
{
	char **place = &events->ring[++events->newest % RESTEVENTS_MAX];

	end_event(text);
	free(*place);
	*place = buf_take(text);
}

static void begin_next(const struct restevents *events, struct buf *text, const char *type,
		       int64_t wall_us)
{
	begin_event(events, text, events->newest + 1, type, wall_us);
}

/* ---- changes ---- */

static void tell_lease(struct restevents *events, const struct facts *now, int64_t wall_us)
{
	struct buf text = { 0 };

	if (now->leads == events->facts.leads)
		return;
	begin_next(events, &text, "lease", wall_us);
	add_bool(&text, "held", now->leads);
	add_number(&text, "epoch", now->leads ? now->epoch : events->facts.epoch);
	keep(events, &text);
}

static void tell_role(struct restevents *events, const struct facts *now, int64_t wall_us)
{
	const struct facts *old = &events->facts;
	struct buf text = { 0 };

	if (str_eq(now->role, old->role) && now->primary == old->primary)
		return;
	begin_next(events, &text, "role", wall_us);
	add_text(&text, "role", now->role);
	add_bool(&text, "primary", now->primary);
	add_text(&text, "role_before", old->role);
	add_bool(&text, "primary_before", old->primary);
	keep(events, &text);
}

static void tell_leader(struct restevents *events, const struct facts *now, int64_t wall_us)
{
	const struct facts *old = &events->facts;
	struct buf text = { 0 };

	if (str_eq(now->leader, old->leader) && now->leader_epoch == old->leader_epoch)
		return;
	begin_next(events, &text, "leader", wall_us);
	add_text(&text, "leader", now->leader);
	add_number(&text, "epoch", now->leader_epoch);
	add_text(&text, "leader_before", old->leader);
	keep(events, &text);
}

/* Waiting for the one thing or for another is not worth an event. */
static bool is_of_consequence(uint16_t old_id, uint16_t new_id)
{
	const struct rule *rule = rules_by_id(new_id);

	return old_id / 100 != new_id / 100 ||
	       (rule && (rule->pg_verb != PGV_LEAVE || rule->lease_verb != LV_KEEP));
}

static void tell_rule(struct restevents *events, const struct facts *now, int64_t wall_us)
{
	const struct facts *old = &events->facts;
	struct buf text = { 0 };

	if (now->rule_id == old->rule_id || !is_of_consequence(old->rule_id, now->rule_id))
		return;
	begin_next(events, &text, "rule", wall_us);
	add_number(&text, "rule", now->rule_id);
	add_text(&text, "rule_name", now->rule_name);
	add_text(&text, "why", now->rule_why);
	add_number(&text, "rule_before", old->rule_id);
	keep(events, &text);
}

static void add_job(struct restevents *events, const char *job, const char *phase,
		    const struct job_telemetry *ended, bool failed, int64_t wall_us)
{
	struct buf text = { 0 };

	begin_next(events, &text, "job", wall_us);
	add_text(&text, "job", job);
	add_text(&text, "phase", phase);
	if (ended)
		add_bool(&text, "failed", failed);
	if (ended && !failed)
		add_number(&text, "took_ms", ended->took_ms);
	keep(events, &text);
}

/* Ends are counted, so that none is lost between two statuses; a beginning is seen only while it
 * lasts. One of them may have ended and begun again. */
static void tell_jobs(struct restevents *events, const struct status *status,
		      const struct facts *now, int64_t wall_us)
{
	bool again = !str_eq(now->job, events->facts.job);

	for (size_t i = 0; i < TELEMETRY_JOBS; i++) {
		const struct job_telemetry *job = &status->telemetry.jobs[i];
		struct job_telemetry *old = &events->jobs[i];

		if (!job->name || (job->done == old->done && job->failed == old->failed))
			continue;
		add_job(events, job->name, "end", job, job->failed != old->failed, wall_us);
		again = again || str_eq(now->job, job->name);
		*old = *job;
	}
	if (again && now->job[0] != '\0')
		add_job(events, now->job, "begin", NULL, false, wall_us);
}

static void collect(struct facts *ret, const struct facts *old, const struct status *status,
		    int64_t now_ms)
{
	struct restview view;

	restview_init(&view, status, now_ms);
	*ret = (struct facts){ .role = view.role,
			       .state = view.state,
			       .job = status->job ?: "",
			       .primary = view.leads && status->writable,
			       .leads = view.leads,
			       .writable = status->writable,
			       .leader_until_ms = status->leader_until_ms,
			       .epoch = status->lease_epoch,
			       .leader_epoch = old->leader_epoch,
			       .rule_id = status->rule_id,
			       .pause = status->pause };
	/* Who leads is not over because etcd is away. */
	str_clip(ret->leader, sizeof(ret->leader),
		 status->leader_known ? status->leader : old->leader);
	if (status->leader_known)
		ret->leader_epoch = status->leader_epoch;
	str_clip(ret->rule_name, sizeof(ret->rule_name), status->rule_name);
	str_clip(ret->rule_why, sizeof(ret->rule_why), status->rule_why);
}

bool restevents_look(struct restevents *events, const struct status *status, int64_t now_ms,
		     int64_t wall_us)
{
	uint64_t before = events->newest;
	struct facts now;

	if (events->known)
		(void)restevents_clock(events, now_ms, wall_us);
	collect(&now, &events->facts, status, now_ms);
	if (events->known) {
		tell_rule(events, &now, wall_us);
		tell_leader(events, &now, wall_us);
		tell_lease(events, &now, wall_us);
		tell_role(events, &now, wall_us);
		tell_jobs(events, status, &now, wall_us);
	} else {
		str_clip(events->scope, sizeof(events->scope), status->scope);
		str_clip(events->name, sizeof(events->name), status->name);
		memcpy(events->jobs, status->telemetry.jobs, sizeof(events->jobs));
	}
	events->facts = now;
	events->known = true;
	return events->newest != before;
}

bool restevents_clock(struct restevents *events, int64_t now_ms, int64_t wall_us)
{
	struct facts now = events->facts;

	if (now_ms < restevents_ends_at_ms(events))
		return false;
	now.leads = now.primary = false;
	tell_lease(events, &now, wall_us);
	tell_role(events, &now, wall_us);
	events->facts = now;
	return true;
}

int64_t restevents_ends_at_ms(const struct restevents *events)
{
	return events->facts.leads ? events->facts.leader_until_ms : INT64_MAX;
}

/* ---- readers ---- */

/* Number of the oldest event that is still there; one more than the newest when there is none. */
static uint64_t oldest(const struct restevents *events)
{
	return events->newest < RESTEVENTS_MAX ? 1 : events->newest - RESTEVENTS_MAX + 1;
}

static bool is_known(const struct restevents *events, uint64_t after)
{
	return after <= events->newest && after + 1 >= oldest(events);
}

static bool read_id(const struct restevents *events, const char *id, uint64_t *ret)
{
	char prefix[ID_SIZE];

	(void)str_printf(prefix, sizeof(prefix), "%" PRIx64 "-", (uint64_t)events->life);
	return str_starts(id, prefix) &&
	       parse_uint(id + strlen(prefix), UINT64_MAX - 1, ret, NULL) == 0;
}

struct restevents_place restevents_place(const struct restevents *events, const char *last_id)
{
	struct restevents_place place = { .after = events->newest };
	uint64_t after;

	if (!last_id || last_id[0] == '\0')
		return place;
	place.missed = true;
	if (!read_id(events, last_id, &after) || !is_known(events, after))
		return place;
	return (struct restevents_place){ .after = after, .begun = true };
}

bool restevents_has_more(const struct restevents *events, const struct restevents_place *place)
{
	return !place->begun || place->after != events->newest;
}

static void add_state(const struct restevents *events, bool missed, int64_t wall_us,
		      struct buf *ret)
{
	const struct facts *facts = &events->facts;
	struct buf text = { 0 };

	begin_event(events, &text, events->newest, "state", wall_us);
	add_text(&text, "role", facts->role);
	add_bool(&text, "primary", facts->primary);
	add_text(&text, "state", facts->state);
	add_text(&text, "leader", facts->leader);
	add_number(&text, "epoch", facts->leader_epoch);
	add_bool(&text, "lease", facts->leads);
	add_number(&text, "rule", facts->rule_id);
	add_text(&text, "rule_name", facts->rule_name);
	add_text(&text, "job", facts->job);
	add_bool(&text, "pause", facts->pause);
	add_bool(&text, "missed", missed);
	end_event(&text);
	buf_add(ret, text.data, text.len);
	buf_done(&text);
}

void restevents_read(const struct restevents *events, struct restevents_place *place,
		     size_t max_bytes, int64_t wall_us, struct buf *ret)
{
	if (!events->known)
		return;
	if (place->begun && !is_known(events, place->after))
		*place = (struct restevents_place){ .missed = true };
	if (!place->begun) {
		add_state(events, place->missed, wall_us, ret);
		*place = (struct restevents_place){ .after = events->newest, .begun = true };
	}
	while (place->after != events->newest && ret->len < max_bytes)
		buf_str(ret, events->ring[++place->after % RESTEVENTS_MAX]);
}
