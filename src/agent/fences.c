/* SPDX-License-Identifier: PostgreSQL */
/*
 * fences - guardian, watchdog device and Postgres module, as this member has them
 *
 * What is required and missing makes a member not lead. Why it is missing is said plainly: in the
 * log when it changes, and in the status for as long as it lasts.
 */
#include "agent/state.h"

#include <inttypes.h>

#include "base/log.h"

static const char *presence_name(enum guard_presence presence)
{
	static const char *const names[GUARD__MAX] = {
#define X(n, t) [GUARD_##n] = t,
		GUARD_PRESENCES(X)
#undef X
	};

	return (unsigned)presence < GUARD__MAX ? names[presence] : "";
}

static const char *dog_name(enum dog_state dog)
{
	static const char *const names[DOG__MAX] = {
#define X(n, t) [DOG_##n] = t,
		DOG_STATES(X)
#undef X
	};

	return (unsigned)dog < DOG__MAX ? names[dog] : "";
}

static const char *module_name(enum module_presence presence)
{
	static const char *const names[MODULE__MAX] = {
#define X(n, t) [MODULE_##n] = t,
		MODULE_PRESENCES(X)
#undef X
	};

	return (unsigned)presence < MODULE__MAX ? names[presence] : "";
}

/* ---- the watchdog device ---- */

/* Patroni's arithmetic, as the guardian does it: whole seconds of the term less the margin. */
static int64_t dog_timeout_s(const struct agent *a)
{
	int64_t ttl_s = a->view.cfg.ttl_ms / 1000;
	int64_t margin_s = a->config->watchdog.safety_margin_s;

	return margin_s < 0 ? ttl_s / 2 : ttl_s - margin_s;
}

/* "": it is armed, or would be when this member leads. */
static void dog_why(const struct agent *a, char *dst, size_t size)
{
	const struct config_watchdog *w = &a->config->watchdog;

	dst[0] = '\0';
	if (w->mode == WATCHDOG_OFF)
		return;
	if (a->view.dog_margin)
		(void)str_printf(dst, size,
				 "ttl (%" PRId64 " s) less watchdog.safety_margin (%" PRId32
				 " s) leaves it no time: set safety_margin to -1, half of ttl",
				 a->view.cfg.ttl_ms / 1000, w->safety_margin_s);
	else if (a->guard.presence != GUARD_ALIVE)
		str_clip(dst, size, "no guardian runs that could pet it");
	else if (a->guard.dog == DOG_FAILED)
		(void)str_printf(dst, size,
				 "'%s' is not there or cannot be used: see the log of pgha-guard",
				 w->device);
}

void fences_configured(struct agent *a)
{
	const struct config *c = a->config;
	char why[REASON_SIZE];

	a->view.dog_required = c->watchdog.mode == WATCHDOG_REQUIRED;
	a->view.guard_required = c->fence.guard == FENCE_GUARD_REQUIRED;
	a->view.module_required = c->fence.commit_guard == FENCE_COMMIT_REQUIRED;
	a->view.dog_margin = c->watchdog.mode != WATCHDOG_OFF && dog_timeout_s(a) < 1;
	if (!a->view.dog_margin) {
		a->said_margin[0] = '\0';
		return;
	}
	dog_why(a, why, sizeof(why));
	if (str_eq(a->said_margin, why))
		return;
	str_clip(a->said_margin, sizeof(a->said_margin), why);
	if (a->view.dog_required)
		log_error("watchdog.mode is required and the device cannot be armed, so this "
			  "member does not lead: %s", why);
	else
		log_notice("the watchdog device is not armed: %s", why);
}

/* ---- what is required ---- */

static bool module_works(const struct view *v)
{
	return v->pg.module.presence == MODULE_READY;
}

void fences_refresh(struct agent *a)
{
	struct view *v = &a->view;
	/* The guardian drives the device, so without it there is none either. */
	bool alive = a->guard.presence == GUARD_ALIVE;
	bool dog = a->guard.dog == DOG_READY || a->guard.dog == DOG_ACTIVE;

	v->dog_lost = v->dog_required && (!alive || !dog || v->dog_margin);
	/* One that nobody has asked may have it. */
	v->module_lost = v->module_required && v->pg.run == PG_UP &&
			 v->pg.module.presence != MODULE_UNKNOWN && !module_works(v);
	if (!v->dog_lost && !v->module_lost && (alive || !v->guard_required))
		v->guard_lost_since_ms = 0;
	else if (v->guard_lost_since_ms == 0)
		v->guard_lost_since_ms = v->now_ms;
}

/* Asked again at the last moment before this Postgres becomes writable. In pause the page is
 * disarmed, and with it all that reads it. */
bool fences_may_open(const struct agent *a)
{
	const struct view *v = &a->view;

	if (v->mode == MODE_PAUSED)
		return true;
	if (v->dog_required && a->guard.dog != DOG_ACTIVE)
		return false;
	/* What is down now is started with it, or not at all. */
	return !v->module_required || v->pg.run != PG_UP || module_works(v);
}

/* ---- changes of the module ---- */

void fences_say_module(struct agent *a)
{
	const struct pg_state *pg = &a->view.pg;
	bool required = a->view.module_required;
	const char *then =
		required ? ". fence.commit_guard is required: this member does not lead" : "";

	if (pg->run == PG_DOWN)
		a->said_module = MODULE_UNKNOWN; /* the next life of it is told anew */
	if (pg->run != PG_UP || pg->module.presence == a->said_module ||
	    a->config->fence.commit_guard == FENCE_COMMIT_OFF)
		return;
	a->said_module = pg->module.presence;
	a->board_dirty = true;
	a->member_urgent = true;
	switch (pg->module.presence) {
	case MODULE_UNKNOWN:
	case MODULE__MAX:
		return;
	case MODULE_READY:
		log_info("Postgres runs with pgha_fence: commits end with the lease");
		return;
	case MODULE_ABSENT:
		log_at(required ? LOG_ERROR : LOG_NOTICE,
				"Postgres runs without pgha_fence: commits do not end with the "
				"lease by themselves%s", then);
		return;
	case MODULE_OFF:
		log_at(LOG_WARNING, "pgha_fence is loaded and refuses nothing: "
					     "pgha_fence.enabled is off%s", then);
		return;
	case MODULE_BLIND:
		log_at(LOG_WARNING, "pgha_fence cannot believe the lease page: %s%s",
				pg->module.page, then);
		return;
	}
}

/* ---- for people ---- */

static void add_pair(struct buf *b, const char *sep, const char *key, const char *text)
{
	buf_printf(b, "%s\"%s\": ", sep, key);
	record_quote(b, text);
}

static const char *page_words(const struct page_update *page)
{
	if (page->armed)
		return "armed";
	if (page->paused)
		return "disarmed: paused";
	return page->stopped ? "disarmed: Postgres is stopped" : "disarmed: not the primary";
}

static void add_guard(struct buf *b, const struct guard_state *g)
{
	if (g->pid != 0)
		buf_printf(b,
			   ", \"pid\": %" PRId64 ", \"started_by\": \"%s\", "
			   "\"memory_locked\": %s, \"priority\": \"%s\", \"oom_safe\": %s, "
			   "\"kills\": %" PRId64,
			   g->pid, g->by_agent ? "agent" : "unit",
			   g->memory_locked ? "true" : "false",
			   g->realtime ? "realtime" : g->raised ? "raised" : "usual",
			   g->oom_safe ? "true" : "false", g->kills);
	if (g->kill_epoch != 0)
		buf_printf(b,
			   ", \"last_kill\": {\"epoch\": %" PRId64 ", \"processes\": %" PRId64
			   ", \"begun_ms_late\": %" PRId64 ", \"left\": %" PRId64
			   ", \"proven_ms_late\": %" PRId64 "}",
			   g->kill_epoch, g->kill_processes, g->kill_begun_late_ms, g->kill_left,
			   g->kill_proven_late_ms);
}

static void add_dog(struct buf *b, const struct agent *a)
{
	char why[REASON_SIZE];

	/* A device that could be opened and never be armed is not ready. */
	add_pair(b, ", ", "watchdog",
		 dog_name(a->view.dog_margin && a->guard.dog == DOG_READY ? DOG_FAILED :
									    a->guard.dog));
	if (a->guard.dog == DOG_ACTIVE)
		buf_printf(b, ", \"watchdog_timeout_s\": %" PRId64, a->guard.dog_timeout_s);
	dog_why(a, why, sizeof(why));
	if (why[0] != '\0')
		add_pair(b, ", ", "watchdog_why", why);
	if (a->view.dog_required)
		buf_str(b, ", \"watchdog_required\": true");
}

static void add_module(struct buf *b, const struct agent *a)
{
	const struct view *v = &a->view;
	const struct module_state *m = &v->pg.module;
	enum module_presence presence = v->pg.run == PG_UP ? m->presence : MODULE_UNKNOWN;

	add_pair(b, ", \"module\": {", "state", module_name(presence));
	if (v->module_required)
		buf_str(b, ", \"required\": true");
	if (presence != MODULE_UNKNOWN && presence != MODULE_ABSENT)
		buf_printf(b,
			   ", \"armed\": %s, \"refused\": %" PRId64 ", \"withheld\": %" PRId64
			   ", \"unconfirmed\": %" PRId64,
			   m->armed ? "true" : "false", m->refused, m->withheld, m->unconfirmed);
	if (presence == MODULE_BLIND)
		add_pair(b, ", ", "page", m->page);
	buf_ch(b, '}');
}

static void add_command(struct buf *b, const struct agent *a)
{
	if (a->config->fence.command.n == 0)
		return;
	add_pair(b, ", \"command\": {", "state", a->fence.ticket != 0 ? "running" : "idle");
	if (a->fence.ticket != 0)
		add_pair(b, ", ", "victim", a->fence.req.victim.name);
	buf_printf(b, ", \"succeeded\": %" PRId64 ", \"failed\": %" PRId64 "}", a->fence.succeeded,
		   a->fence.failed);
}

/* Times are what is left when the status is made. */
void fences_json(const struct agent *a, struct buf *b)
{
	add_pair(b, "{", "guard", presence_name(a->guard.presence));
	buf_printf(b, ", \"required\": %s", a->view.guard_required ? "true" : "false");
	add_dog(b, a);
	add_pair(b, ", ", "page", page_words(&a->page));
	if (a->page.armed)
		buf_printf(b, ", \"kills_in_ms\": %" PRId64 ", \"gates_in_ms\": %" PRId64,
			   a->page.kill_at_ms - a->view.now_ms,
			   a->page.gate_at_ms - a->view.now_ms);
	add_guard(b, &a->guard);
	add_module(b, a);
	add_command(b, a);
	buf_ch(b, '}');
}

static void add_word(char *dst, const char *word, bool works, bool required)
{
	size_t len = strlen(dst);

	if (works || required)
		(void)str_printf(dst + len, FENCES_WORDS_SIZE - len, "%s%s%s", len > 0 ? ", " : "",
				 works ? "" : "no ", word);
}

void fences_words(const struct agent *a, char dst[FENCES_WORDS_SIZE])
{
	const struct view *v = &a->view;
	bool dog = a->guard.dog == DOG_ACTIVE || (a->guard.dog == DOG_READY && !v->dog_margin);
	bool module = v->pg.run == PG_UP && module_works(v);

	dst[0] = '\0';
	add_word(dst, "guardian", a->guard.presence == GUARD_ALIVE, v->guard_required);
	add_word(dst, "module", module, v->module_required && v->pg.run == PG_UP);
	add_word(dst, "watchdog", dog, v->dog_required);
	add_word(dst, "command", a->config->fence.command.n > 0, false);
}

void fences_status(struct agent *a, struct status *st)
{
	const struct module_state *m = &a->view.pg.module;
	bool up = a->view.pg.run == PG_UP;

	buf_clear(&a->scratch);
	fences_json(a, &a->scratch);
	str_set(&st->fence_json, a->scratch.data);
	st->watchdog_failed = a->view.guard_lost_since_ms != 0;
	st->watchdog_active = a->guard.dog == DOG_ACTIVE;
	st->guard_alive = a->guard.presence == GUARD_ALIVE;
	st->guard_kills = a->guard.kills;
	st->page_armed = a->page.armed;
	st->module_loaded = up && m->presence != MODULE_UNKNOWN && m->presence != MODULE_ABSENT;
	st->module_armed = up && m->presence == MODULE_READY && m->armed;
	st->module_refused = m->refused;
	st->module_withheld = m->withheld;
	st->module_unconfirmed = m->unconfirmed;
	st->fence_succeeded = a->fence.succeeded;
	st->fence_failed = a->fence.failed;
}
