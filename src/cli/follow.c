/* SPDX-License-Identifier: PostgreSQL */
/*
 * follow - what the members do while a command waits, told as it happens
 */
#include "cli/follow.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/node.h"
#include "cli/progress.h"
#include "cli/screen.h"
#include "io/http.h"
#include "io/loop.h"

#define MEMBERS_MAX 32
#define OPEN_MS     300
#define TICK_MS     500 /* nothing came for so long: the line that waits is shown */
#define FRAME_MAX   65536
#define LINE_SIZE   512

struct voice {
	struct follow *follow;
	struct http_call *call; /* NULL: it has ended */
	char name[NAME_SIZE];
	char rule_name[48];
	bool heard;   /* it has said how things stand */
	bool strayed; /* it did something else than to follow or to lead */
};

struct follow {
	struct cli *cli;
	struct loop_source *timer;
	int64_t began_ms, last_ms; /* of the newest line */
	bool colour, unicode, waits; /* the line that waits stands there */
	bool hushed;
	char newest[LINE_SIZE]; /* that was told */
	int step;
	size_t width; /* of the longest name */
	struct voice voices[MEMBERS_MAX];
	size_t n;
};

static void clear_waiting(struct follow *follow)
{
	if (follow->waits)
		printf("\r\033[K");
	follow->waits = false;
}

static void tell(struct voice *voice, const char *colour, const char *fmt, ...) _printf_(3, 4);
static void tell(struct voice *voice, const char *colour, const char *fmt, ...)
{
	struct follow *follow = voice->follow;
	const bool paints = follow->colour;
	char text[LINE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	if (str_vprintf(text, sizeof(text), fmt, ap) < 0)
		text[sizeof(text) - 1] = '\0';
	va_end(ap);
	str_line(follow->newest, sizeof(follow->newest), text);
	follow->last_ms = loop_now_ms();
	clear_waiting(follow);
	printf("%s%8lld ms%s  %-*s  %s%s%s\n", paints ? "\033[2m" : "",
	       (long long)(follow->last_ms - follow->began_ms), paints ? "\033[0m" : "",
	       (int)follow->width, voice->name, paints ? colour : "", follow->newest,
	       paints ? "\033[0m" : "");
	(void)fflush(stdout);
	loop_timer_at(follow->timer, follow->last_ms + TICK_MS);
}

/* What everybody does all the time, and what only concerns who tells it. */
static bool is_small(const char *rule_name)
{
	static const char *const small[] = { "busy", "stopping", "wait-turn", "follow-wait" };

	for (size_t i = 0; i < ARRAY_LEN(small); i++)
		if (str_eq(rule_name, small[i]))
			return true;
	return false;
}

static void take_rule(struct voice *voice, const struct tree_node *data)
{
	const char *name = node_str(data, "rule_name");
	const bool rests = str_eq(name, "follow") || str_eq(name, "lead");
	const int step = progress_step(name);

	if (step > 0)
		voice->follow->step = step;
	if (voice->strayed && rests)
		tell(voice, "", str_eq(name, "follow") ? "follows the new leader" : "leads");
	else if (!rests && !is_small(name))
		tell(voice, "", "%s", node_str(data, "why"));
	voice->strayed = !rests && (voice->strayed || !is_small(name));
	str_clip(voice->rule_name, sizeof(voice->rule_name), name);
}

static void take_job(struct voice *voice, const struct tree_node *data)
{
	const bool failed = node_bool(data, "failed", false);
	const char *job = node_str(data, "job");
	int64_t took_ms = 0;

	if (!str_eq(node_str(data, "phase"), "end") ||
	    (!failed && (str_eq(job, "apply") || str_eq(job, "follow"))))
		return;
	(void)node_int(data, "took_ms", &took_ms);
	tell(voice, failed ? "\033[31m" : "", "%s %s %lld ms", job,
	     failed ? "failed after" : "took", (long long)took_ms);
}

static void take_role(struct voice *voice, const struct tree_node *data)
{
	const bool writes = node_bool(data, "primary", false);

	if (writes == node_bool(data, "primary_before", false))
		return;
	tell(voice, writes ? "\033[32m" : "\033[33m",
	     writes ? "takes writes" : "takes no more writes");
}

static void take_event(struct voice *voice, const char *event, const struct tree_node *data)
{
	if (str_eq(event, "state")) {
		voice->heard = true;
		str_clip(voice->rule_name, sizeof(voice->rule_name), node_str(data, "rule_name"));
	} else if (str_eq(event, "rule")) {
		take_rule(voice, data);
	} else if (str_eq(event, "job")) {
		take_job(voice, data);
	} else if (str_eq(event, "role")) {
		take_role(voice, data);
	} else if (str_eq(event, "lease")) {
		tell(voice, "",
		     node_bool(data, "held", false) ? "holds the lease" : "has given up the lease");
	}
}

/* What stands behind "event:" or "data:" on a line of this frame, or NULL. Heap. */
static char *field(const char *frame, const char *name)
{
	const size_t len = strlen(name);

	for (; frame != NULL; frame = strchr(frame, '\n'), frame += frame != NULL)
		if (strncmp(frame, name, len) == 0)
			return str_ndup(frame + len, strcspn(frame + len, "\n"));
	return NULL;
}

static void take_frame(struct voice *voice, const char *frame)
{
	_cleanup_(freep) char *event = field(frame, "event: ");
	_cleanup_(freep) char *data = field(frame, "data: ");
	_cleanup_(tree_done) struct tree doc = { 0 };

	if (event != NULL && data != NULL &&
	    tree_from_json(data, strlen(data), &doc, NULL) == 0 && doc.root->type == TREE_MAP)
		take_event(voice, event, doc.root);
}

static void on_data(void *ctx, struct buf *body)
{
	for (;;) {
		char *end = body->len > 0 ? memmem(body->data, body->len, "\n\n", 2) : NULL;
		_cleanup_(freep) char *frame = NULL;

		if (end == NULL)
			return;
		frame = str_ndup(body->data, (size_t)(end - body->data));
		buf_consume(body, (size_t)(end - body->data) + 2);
		take_frame(ctx, frame);
	}
}

static void on_end(void *ctx, const struct http_rep *rep _unused_)
{
	struct voice *voice = ctx;

	voice->call = NULL;
	voice->heard = true;
}

/* Nobody has said anything for a while: what is waited for, and since when. */
static void on_tick(void *ctx)
{
	struct follow *follow = ctx;
	const int64_t now_ms = loop_now_ms();
	_cleanup_(buf_done) struct buf text = { 0 };

	if (follow->hushed)
		return;
	buf_printf(&text, "%8lld ms  ", (long long)(now_ms - follow->began_ms));
	progress_bar(&text, follow->unicode, follow->step, PROGRESS_STEPS);
	buf_printf(&text, "  %s", follow->newest);
	follow->waits = true;
	printf("\r\033[K%.*s", (int)screen_fitting(text.data, text.len, screen_columns() - 1),
	       text.data);
	(void)fflush(stdout);
	loop_timer_at(follow->timer, now_ms + TICK_MS);
}

static bool all_heard(const struct follow *follow)
{
	for (size_t i = 0; i < follow->n; i++)
		if (!follow->voices[i].heard)
			return false;
	return true;
}

static void listen_to(struct follow *follow, const struct tree_node *member)
{
	struct voice *voice = &follow->voices[follow->n];

	if (*node_str(member, "api_url") == '\0')
		return;
	voice->follow = follow;
	str_clip(voice->name, sizeof(voice->name), node_str(member, "name"));
	follow->width = MAX_OF(follow->width, strlen(voice->name));
	voice->call = cli_listen(follow->cli, member, "events", FRAME_MAX, on_data, on_end, voice);
	follow->n++;
}

struct follow *follow_open(struct cli *cli, const struct picture *picture)
{
	const char *const *env = cli->setup_args.env;
	struct follow *follow;

	if (cli->json || !screen_is_terminal(env))
		return NULL;
	follow = mem_new(1, sizeof(*follow));
	follow->cli = cli;
	follow->colour = screen_has_colour(env);
	follow->unicode = screen_has_unicode(env);
	if (loop_timer_new(cli->loop, "tick", on_tick, follow, &follow->timer, NULL) < 0) {
		free(follow);
		return NULL;
	}
	for (const struct tree_node *m = picture_members(picture);
	     m != NULL && follow->n < MEMBERS_MAX; m = m->next)
		listen_to(follow, m);
	follow->began_ms = loop_now_ms();
	while (!all_heard(follow) && loop_now_ms() < follow->began_ms + OPEN_MS)
		(void)loop_step(cli->loop, follow->began_ms + OPEN_MS - loop_now_ms());
	follow->began_ms = follow->last_ms = loop_now_ms();
	str_clip(follow->newest, sizeof(follow->newest), "asked, no answer yet");
	loop_timer_at(follow->timer, follow->began_ms + TICK_MS);
	return follow;
}

void follow_hush(struct follow *follow)
{
	if (follow == NULL)
		return;
	follow->hushed = true;
	clear_waiting(follow);
	(void)fflush(stdout);
}

void follow_close(struct follow *follow)
{
	if (follow == NULL)
		return;
	follow_hush(follow);
	for (size_t i = 0; i < follow->n; i++)
		http_cancel(follow->voices[i].call);
	loop_source_free(follow->timer);
	free(follow);
}

static struct voice *find(struct follow *follow, const char *name)
{
	for (size_t i = 0; follow != NULL && i < follow->n; i++)
		if (str_eq(follow->voices[i].name, name))
			return &follow->voices[i];
	return NULL;
}

void follow_until_follows(struct follow *follow, const char *member, int64_t limit_ms)
{
	const struct voice *voice = find(follow, member);
	const int64_t until_ms = loop_now_ms() + limit_ms;

	while (voice != NULL && voice->call != NULL && !str_eq(voice->rule_name, "follow") &&
	       loop_now_ms() < until_ms)
		(void)loop_step(follow->cli->loop, until_ms - loop_now_ms());
}
