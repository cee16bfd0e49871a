/* SPDX-License-Identifier: PostgreSQL */
/*
 * watchview - a cluster at one moment, as lines for a screen
 */
#include "cli/watchview.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/node.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/when.h"

#define EVENTS_MAX  12
#define PAST_MAX    3

#define BOLD   "\033[1m"
#define DIM    "\033[2m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

static const char *paint(const struct watchview *view, const char *colour)
{
	return view->colour ? colour : "";
}

static void add_event(struct watchview *view, int64_t at_us, const char *fmt, ...) _printf_(3, 4);
static void add_event(struct watchview *view, int64_t at_us, const char *fmt, ...)
{
	struct watchview_event *event;
	char text[512];
	va_list ap;

	if (view->nevents == WATCHVIEW_EVENTS) {
		view->nevents--;
		memmove(view->events, view->events + 1, view->nevents * sizeof(view->events[0]));
	}
	event = &view->events[view->nevents++];
	event->at_us = at_us;
	va_start(ap, fmt);
	if (str_vprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	str_line(event->text, sizeof(event->text), text);
}

static const struct watchview_seen *find(const struct watchview *view, const char *name)
{
	for (size_t i = 0; i < view->nseen; i++)
		if (str_eq(view->seen[i].name, name))
			return &view->seen[i];
	return NULL;
}

static struct watchview_seen *find_or_make(struct watchview *view, const char *name)
{
	struct watchview_seen *seen;

	for (size_t i = 0; i < view->nseen; i++)
		if (str_eq(view->seen[i].name, name))
			return &view->seen[i];
	if (view->nseen == WATCHVIEW_MAX)
		return NULL;
	seen = &view->seen[view->nseen++];
	*seen = (struct watchview_seen){ 0 };
	str_clip(seen->name, sizeof(seen->name), name);
	return seen;
}

/* A leader has nothing to replay, and of whoever is silent nothing is known. */
static void take_lag(struct watchview_seen *seen, const struct tree_node *member, bool answered,
		     int64_t at_us)
{
	int64_t lag = -1;

	if (!answered || picture_is_leader(member))
		lag = 0;
	else if (!node_int(member, "replay_lag", &lag))
		lag = -1;
	progress_note(&seen->catchup, lag, at_us);
}

static void take_member(struct watchview *view, const struct tree_node *member,
			const struct tree_node *status, int64_t at_us)
{
	const char *name = node_str(member, "name");
	struct watchview_seen *seen = find_or_make(view, name);
	const bool fresh = seen != NULL && !seen->there;

	if (seen == NULL)
		return;
	if (view->begun && fresh)
		add_event(view, at_us, "%s is there", name);
	if (view->begun && !fresh) {
		if (seen->answered != (status != NULL))
			add_event(view, at_us, "%s %s", name,
				  status != NULL ? "answers again" : "does not answer");
		if (!str_eq(seen->role, node_str(member, "role")))
			add_event(view, at_us, "%s was %s, is %s", name, seen->role,
				  node_str(member, "role"));
		if (!str_eq(seen->state, node_str(member, "state")))
			add_event(view, at_us, "%s: %s, was %s", name, node_str(member, "state"),
				  seen->state);
		if (!str_eq(seen->trouble, node_str(member, "trouble")))
			add_event(view, at_us, "%s: %s", name,
				  *node_str(member, "trouble") != '\0' ?
					  node_str(member, "trouble") :
					  "its trouble is over");
	}
	take_lag(seen, member, status != NULL, at_us);
	seen->there = true;
	seen->answered = status != NULL;
	str_clip(seen->role, sizeof(seen->role), node_str(member, "role"));
	str_clip(seen->state, sizeof(seen->state), node_str(member, "state"));
	str_clip(seen->trouble, sizeof(seen->trouble), node_str(member, "trouble"));
}

static void take_leader(struct watchview *view, const struct picture *picture, int64_t at_us)
{
	if (view->begun && !str_eq(view->leader, picture->leader)) {
		if (*picture->leader == '\0')
			add_event(view, at_us, "nobody leads; it was %s", view->leader);
		else
			add_event(view, at_us, "%s leads%s%s", picture->leader,
				  *view->leader != '\0' ? "; before it was " : "", view->leader);
	}
	if (view->begun && view->paused != picture_is_paused(picture))
		add_event(view, at_us, "the cluster is %s",
			  picture_is_paused(picture) ? "paused" : "resumed");
	str_clip(view->leader, sizeof(view->leader), picture->leader);
	view->paused = picture_is_paused(picture);
}

void watchview_take(struct watchview *view, const struct watchview_look *look)
{
	const struct tree_node *m;
	size_t i = 0;

	if (view->begun && view->reached != (look->picture != NULL))
		add_event(view, look->at_us, "%s",
			  look->picture != NULL ? "the cluster can be seen again" :
						  "the cluster cannot be seen");
	view->reached = look->picture != NULL;
	if (look->picture == NULL) {
		view->begun = true;
		return;
	}
	take_leader(view, look->picture, look->at_us);
	for (m = picture_members(look->picture); m != NULL && i < look->n; m = m->next, i++)
		take_member(view, m, look->statuses[i].root, look->at_us);
	for (i = 0; i < view->nseen; i++) {
		struct watchview_seen *seen = &view->seen[i];

		if (!seen->there || picture_member(look->picture, seen->name) != NULL)
			continue;
		add_event(view, look->at_us, "%s has left", seen->name);
		seen->there = false;
	}
	view->begun = true;
}

/* A hand-over that takes its time; how long it is at this step. */
static void add_step(const struct watchview *view, const struct tree_node *pgha, struct buf *text)
{
	const int step = progress_step(node_str(pgha, "name"));

	if (step == 0)
		return;
	progress_bar(text, view->unicode, step, PROGRESS_STEPS);
	buf_printf(text, " step %d of %d, %s", step, PROGRESS_STEPS - 1, node_str(pgha, "why"));
}

/* What this member works on: a hand-over, a copy, a rewind, WAL that it has to catch up with. */
static void add_work(const struct watchview *view, const struct tree_node *member,
		     const struct tree_node *status, struct buf *text)
{
	const struct tree_node *pgha = tree_child(status, "pgha");
	const struct tree_node *job = tree_child(pgha, "job");
	const struct watchview_seen *seen = find(view, node_str(member, "name"));
	int64_t for_ms = 0;

	add_step(view, pgha, text);
	if (job != NULL) {
		(void)node_int(job, "for_ms", &for_ms);
		buf_printf(text, "%s%s, %lld s  ", text->len > 0 ? "; " : "",
			   node_str(job, "name"), (long long)(for_ms / 1000));
		progress_job(text, view->unicode, job);
	} else if (seen != NULL && progress_catches_up(&seen->catchup)) {
		buf_str(text, text->len > 0 ? "; catches up  " : "catches up  ");
		progress_catchup(text, view->unicode, &seen->catchup);
	}
}

enum cell { MEMBER = 0, ROLE, STATE, TIMELINE, LAG, LEASE, RULE, CELL__MAX };

/* A line of the table, and what is said of the member below it. */
struct line {
	char cells[CELL__MAX][96];
	char work[256];
	const char *colour;
};

static void fill_lag(const struct tree_node *member, char cell[96])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int64_t lag;

	if (picture_is_leader(member))
		return;
	if (!node_int(member, "receive_lag", &lag) && !node_int(member, "lag", &lag)) {
		str_clip(cell, 96, "unknown");
		return;
	}
	progress_bytes(&text, lag);
	str_clip(cell, 96, text.data);
}

static void fill_lease(const struct tree_node *pgha, char cell[96])
{
	int64_t left_ms = 0;

	if (node_bool(pgha, "leader", false) && node_int(pgha, "lease_remaining_ms", &left_ms))
		(void)str_printf(cell, 96, "%lld.%lld s left", (long long)(left_ms / 1000),
				 (long long)(left_ms % 1000 / 100));
}

static const char *colour_of(const struct tree_node *member, const struct tree_node *status)
{
	const char *state = node_str(member, "state");

	if (status == NULL || *node_str(member, "trouble") != '\0')
		return RED;
	if (!str_eq(state, "running") && !str_eq(state, "streaming"))
		return YELLOW;
	return picture_is_leader(member) ? GREEN : "";
}

static void fill_line(const struct watchview *view, const struct tree_node *member,
		      const struct tree_node *status, struct line *ret)
{
	const struct tree_node *pgha = tree_child(status, "pgha");
	_cleanup_(buf_done) struct buf work = { 0 };

	*ret = (struct line){ .colour = colour_of(member, status) };
	str_clip(ret->cells[MEMBER], 96, node_str(member, "name"));
	str_clip(ret->cells[ROLE], 96, node_str(member, "role"));
	str_clip(ret->cells[STATE], 96, node_str(member, "state"));
	str_clip(ret->cells[TIMELINE], 96, node_str(member, "timeline"));
	fill_lag(member, ret->cells[LAG]);
	fill_lease(pgha, ret->cells[LEASE]);
	str_clip(ret->cells[RULE], 96, status == NULL ? "does not answer" : node_str(pgha, "name"));
	if (*node_str(member, "trouble") != '\0')
		buf_str(&work, node_str(member, "trouble"));
	else
		add_work(view, member, status, &work);
	str_clip(ret->work, sizeof(ret->work), work.data);
}

static void add_cell(struct buf *text, const char *cell, size_t width, bool last)
{
	size_t used = 0;

	buf_str(text, cell);
	for (const char *c = cell; *c != '\0'; c++)
		used += ((unsigned char)*c & 0xC0) != 0x80;
	for (; !last && used < width + 2; used++)
		buf_ch(text, ' ');
}

static void add_table(const struct watchview *view, const struct line *lines, size_t n,
		      struct buf *text)
{
	static const char *const titles[CELL__MAX] = { "MEMBER", "ROLE",  "STATE", "TL",
						       "LAG",	 "LEASE", "RULE" };
	size_t widths[CELL__MAX];

	for (enum cell k = MEMBER; k < CELL__MAX; k++) {
		widths[k] = strlen(titles[k]);
		for (size_t i = 0; i < n; i++)
			widths[k] = MAX_OF(widths[k], strlen(lines[i].cells[k]));
	}
	buf_str(text, paint(view, BOLD));
	for (enum cell k = MEMBER; k < CELL__MAX; k++)
		add_cell(text, titles[k], widths[k], k + 1 == CELL__MAX);
	buf_printf(text, "%s\n", paint(view, PLAIN));
	for (size_t i = 0; i < n; i++) {
		buf_str(text, paint(view, lines[i].colour));
		for (enum cell k = MEMBER; k < CELL__MAX; k++)
			add_cell(text, lines[i].cells[k], widths[k], k + 1 == CELL__MAX);
		buf_printf(text, "%s\n", paint(view, PLAIN));
	}
	for (size_t i = 0; i < n; i++)
		if (lines[i].work[0] != '\0')
			buf_printf(text, "%s%s: %s%s\n", paint(view, lines[i].colour),
				   lines[i].cells[MEMBER], lines[i].work, paint(view, PLAIN));
}

static void add_head(const struct watchview *view, const struct watchview_look *look,
		     struct buf *text)
{
	const struct picture *picture = look->picture;
	char stamp[WHEN_SIZE];
	int64_t ttl_s = 0;

	when_stamp(look->at_us, false, stamp);
	if (picture == NULL) {
		buf_printf(text, "%s%s  the cluster cannot be seen: %s%s\n", paint(view, RED),
			   stamp, look->failure, paint(view, PLAIN));
		return;
	}
	buf_printf(text, "%s%s%s (%s)  %s  ", paint(view, BOLD), picture->name, paint(view, PLAIN),
		   picture->sysid, stamp);
	if (picture->secondhand)
		buf_str(text, "etcd not reached, as a member sees it");
	else
		buf_printf(text, "etcd %lld ms", (long long)look->took_ms);
	if (node_int(picture->config.root, "ttl", &ttl_s))
		buf_printf(text, "  ttl %lld s", (long long)ttl_s);
	buf_str(text, "\n");
	if (picture_is_paused(picture))
		buf_printf(text, "%sMaintenance mode: on%s\n", paint(view, YELLOW),
			   paint(view, PLAIN));
	if (*picture->leader == '\0')
		buf_printf(text, "%sNobody leads.%s\n", paint(view, RED), paint(view, PLAIN));
	if (*picture->scheduled_at != '\0')
		buf_printf(text, "Switchover scheduled at: %s\n", picture->scheduled_at);
}

static int count_lines(const struct buf *text)
{
	int n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == '\n';
	return n;
}

/* Past changes of leader, of which nobody here was witness. */
static void add_history(const struct picture *picture, size_t max, struct buf *text)
{
	const struct tree_node *root = picture != NULL ? picture->history.root : NULL;
	size_t n = 0, at = 0;

	for (const struct tree_node *e = root != NULL ? root->first : NULL; e != NULL; e = e->next)
		n++;
	for (const struct tree_node *e = root != NULL ? root->first : NULL; e != NULL;
	     e = e->next, at++) {
		const struct tree_node *parts[5] = { 0 };
		size_t k = 0;

		for (const struct tree_node *p = e->first; p != NULL && k < ARRAY_LEN(parts);
		     p = p->next)
			parts[k++] = p;
		if (at + max < n || k < ARRAY_LEN(parts) || !tree_is_scalar(parts[0]))
			continue;
		buf_printf(text, "%.19s  timeline %s ended, %s led then\n", parts[3]->text,
			   parts[0]->text, parts[4]->text);
	}
}

static void add_events(const struct watchview *view, const struct watchview_look *look, int rows,
		       struct buf *text)
{
	const int left = rows > 0 ? rows - count_lines(text) - 2 : EVENTS_MAX;
	const size_t room = left > 0 ? (size_t)MIN_OF(left, EVENTS_MAX) : 0;
	size_t from = view->nevents > room ? view->nevents - room : 0;
	char stamp[WHEN_SIZE];

	if (room == 0)
		return;
	buf_printf(text, "\n%sEVENTS%s\n", paint(view, BOLD), paint(view, PLAIN));
	add_history(look->picture, MIN_OF(room - MIN_OF(room, view->nevents), (size_t)PAST_MAX),
		    text);
	for (; from < view->nevents; from++) {
		when_stamp(view->events[from].at_us, false, stamp);
		buf_printf(text, "%s  %s\n", stamp, view->events[from].text);
	}
}

void watchview_print(const struct watchview *view, const struct watchview_look *look, int rows,
		     struct buf *ret_text)
{
	_cleanup_(freep) struct line *lines = mem_new(look->n + 1, sizeof(*lines));
	const struct tree_node *m = look->picture != NULL ? picture_members(look->picture) : NULL;
	size_t n = 0;

	add_head(view, look, ret_text);
	buf_str(ret_text, "\n");
	for (; m != NULL && n < look->n; m = m->next, n++)
		fill_line(view, m, look->statuses[n].root, &lines[n]);
	if (n > 0)
		add_table(view, lines, n, ret_text);
	add_events(view, look, rows, ret_text);
}
