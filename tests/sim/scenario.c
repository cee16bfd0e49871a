/* SPDX-License-Identifier: PostgreSQL */
/*
 * scenario - a failure story, told once in a small text file
 */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "world.h"

#define WORDS_MAX 12
#define NAMES_MAX 8
#define LINE_SIZE 256
#define POLL_US   INT64_C(5000)

struct line {
	uint32_t number;
	uint32_t n;
	char *words[WORDS_MAX];
	char text[LINE_SIZE];
};

struct binding {
	char name[NAME_SIZE];
	uint32_t node;
};

/* What is known while a file is played. */
struct story {
	struct world *world;
	struct line line;
	struct binding names[NAMES_MAX];
	uint32_t nnames;
	uint64_t lost;
	uint64_t unheard; /* lost, though a standby had confirmed them */
	uint64_t acked;
	uint32_t nterms;
	uint64_t lives[WORLD_NODES_MAX];
};

static void fclosep(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

/* false: the end of the file. A line without words is possible. */
static bool read_line(FILE *file, struct line *line)
{
	char *text = line->text;

	line->n = 0;
	line->number++;
	if (!fgets(line->text, sizeof(line->text), file))
		return false;
	text[strcspn(text, "#\n")] = '\0';
	while (*text != '\0' && line->n < WORDS_MAX) {
		text += strspn(text, " \t");
		if (*text == '\0')
			break;
		line->words[line->n++] = text;
		text += strcspn(text, " \t");
		if (*text != '\0')
			*text++ = '\0';
	}
	return true;
}

static const char *word(const struct line *line, uint32_t i)
{
	return i < line->n ? line->words[i] : "";
}

static int complain(const struct line *line, const char *what, struct err *err)
{
	return err_set(err, ERR_PARSE, "line %u: %s", line->number, what);
}

static int duration_us(const struct line *line, uint32_t i, int64_t *ret, struct err *err)
{
	int64_t ms;
	int r = parse_duration_ms(word(line, i), "s", &ms, err);

	if (r < 0)
		return err_wrap(err, "line %u", line->number);
	*ret = ms * 1000;
	return 0;
}

static int options_line(const struct line *line, struct options *options, struct err *err)
{
	uint64_t value;
	bool on = str_eq(word(line, 1), "on");

	if (str_eq(word(line, 0), "nodes")) {
		if (parse_uint(word(line, 1), WORLD_NODES_MAX, &value, err) < 0)
			return err_wrap(err, "line %u", line->number);
		options->nodes = (uint32_t)value;
	}
	if (str_eq(word(line, 0), "guard"))
		options->guard = on ? TRI_YES : TRI_NO;
	if (str_eq(word(line, 0), "guard-required"))
		options->guard_required = on ? TRI_YES : TRI_NO;
	if (str_eq(word(line, 0), "module"))
		options->module = on ? TRI_YES : TRI_NO;
	if (str_eq(word(line, 0), "hung-fence"))
		options->hung_fence = on ? TRI_YES : TRI_NO;
	if (str_eq(word(line, 0), "etcd-faults"))
		options->etcd_faults = on ? TRI_YES : TRI_NO;
	if (str_eq(word(line, 0), "bad-clocks"))
		options->bad_clocks = on ? TRI_YES : TRI_NO;
	if (str_eq(word(line, 0), "fence"))
		options->fence = str_eq(word(line, 1), "off") ? TRI_NO : TRI_YES;
	if (str_eq(word(line, 0), "fence"))
		options->fence_promotes = str_eq(word(line, 1), "promote");
	if (str_eq(word(line, 0), "failsafe"))
		options->failsafe = str_eq(word(line, 1), "quorum") ? FAILSAFE_QUORUM :
				    on				    ? FAILSAFE_ALL :
								      FAILSAFE_OFF;
	if (str_eq(word(line, 0), "poolers"))
		options->poolers = on;
	if (str_eq(word(line, 0), "keep-diverged"))
		options->keep_diverged = on;
	if (str_eq(word(line, 0), "nofailover")) {
		if (parse_uint(word(line, 1), WORLD_NODES_MAX, &value, err) < 0)
			return err_wrap(err, "line %u", line->number);
		options->nofailover = (uint32_t)value;
	}
	if (str_eq(word(line, 0), "sync")) {
		if (parse_uint(word(line, 1), WORLD_NODES_MAX, &value, err) < 0)
			return err_wrap(err, "line %u", line->number);
		options->sync = (uint32_t)value;
	}
	return 0;
}

int scenario_options(const char *path, struct options *options, struct err *err)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	struct line line = { 0 };

	if (!file)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	options->nodes = 3;
	options->guard = TRI_YES;
	options->guard_required = TRI_NO;
	options->module = TRI_NO;
	options->hung_fence = TRI_NO;
	options->etcd_faults = TRI_NO;
	options->bad_clocks = TRI_NO;
	options->sync = 0;
	options->fence = TRI_NO;
	while (read_line(file, &line)) {
		int r = options_line(&line, options, err);

		if (r < 0)
			return err_wrap(err, "%s", path);
	}
	return 0;
}

/* ---- who ---- */

static int standby(const struct world *world, uint32_t nth)
{
	int leader = oracle_leader(world);

	for (uint32_t i = 0; i < world->nnodes; i++)
		if ((int)i != leader && world->nodes[i].agent && nth-- == 0)
			return (int)i;
	return -1;
}

static int promoting(const struct world *world)
{
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (world->nodes[i].pg.job.active && world->nodes[i].pg.job.op == PGOP_PROMOTE)
			return (int)i;
	return -1;
}

static int who(const struct story *story, const char *name)
{
	const struct world *world = story->world;

	for (uint32_t i = 0; i < story->nnames; i++)
		if (str_eq(story->names[i].name, name))
			return (int)story->names[i].node;
	for (uint32_t i = 0; i < world->nnodes; i++)
		if (str_eq(world->nodes[i].name, name))
			return (int)i;
	if (str_eq(name, "leader"))
		return oracle_leader(world);
	if (str_eq(name, "promoting"))
		return promoting(world);
	if (str_eq(name, "standby"))
		return standby(world, 0);
	if (str_eq(name, "standby2"))
		return standby(world, 1);
	return -1;
}

static int need_node(const struct story *story, uint32_t i, struct err *err)
{
	int node = who(story, word(&story->line, i));

	return node >= 0 ? node : complain(&story->line, "no such node at this moment", err);
}

static void mark(struct story *story)
{
	const struct world *world = story->world;

	story->lost = world->oracle.lost;
	story->unheard = world->oracle.unheard;
	story->acked = world->oracle.acked;
	story->nterms = world->oracle.nterms;
	for (uint32_t i = 0; i < world->nnodes; i++)
		story->lives[i] = world->nodes[i].pg.life;
}

/* ---- conditions ---- */

static bool count_is(const struct line *line, uint32_t i, uint64_t count)
{
	uint64_t wanted;

	return parse_uint(word(line, i), UINT32_MAX, &wanted, NULL) == 0 && wanted == count;
}

/* Whoever reached it, and whenever. */
static bool rule_reached(const struct world *world, const struct line *line, uint32_t i)
{
	uint64_t id;

	return parse_uint(word(line, i), ORACLE_RULES - 1, &id, NULL) == 0 &&
	       world->oracle.reached[id];
}

static int condition_of_node(const struct story *story, const char *what, uint32_t node)
{
	const struct modelpg *pg = &story->world->nodes[node].pg;

	if (str_eq(what, "up"))
		return pg->state == PGM_UP;
	if (str_eq(what, "down"))
		return pg->state == PGM_DOWN;
	if (str_eq(what, "receives"))
		return pg->receiver.connected;
	if (str_eq(what, "receives-nothing"))
		return pg->state == PGM_UP && !pg->receiver.connected;
	if (str_eq(what, "untouched"))
		return pg->life == story->lives[node];
	return -1;
}

/* 1 or 0; < 0: not understood. */
static int condition(const struct story *story, uint32_t at, struct err *err)
{
	const struct world *world = story->world;
	const struct line *line = &story->line;
	const char *what = word(line, at);
	char why[160];
	int r;

	if (str_eq(what, "leader") && str_eq(word(line, at + 1), "is"))
		return oracle_leader(world) == who(story, word(line, at + 2));
	if (str_eq(what, "leader") && str_eq(word(line, at + 1), "not"))
		return oracle_leader(world) >= 0 &&
		       oracle_leader(world) != who(story, word(line, at + 2));
	if (str_eq(what, "no"))
		return oracle_leader(world) < 0;
	if (str_eq(what, "promoting"))
		return promoting(world) >= 0;
	if (str_eq(what, "rule"))
		return rule_reached(world, line, at + 1);
	if (str_eq(what, "settled"))
		return final_settled(world, why, sizeof(why));
	if (str_eq(what, "lost"))
		return count_is(line, at + 1, world->oracle.lost - story->lost);
	if (str_eq(what, "confirmed-lost"))
		return count_is(line, at + 1, world->oracle.unheard - story->unheard);
	if (str_eq(what, "terms"))
		return count_is(line, at + 1, world->oracle.nterms - story->nterms);
	if (str_eq(what, "acked"))
		return world->oracle.acked > story->acked;
	r = need_node(story, at + 1, err);
	if (r < 0)
		return r;
	r = condition_of_node(story, what, (uint32_t)r);
	return r >= 0 ? r : complain(line, "no such condition", err);
}

static void failed(const struct story *story, const char *how)
{
	const struct line *line = &story->line;
	struct buf text = { 0 };
	char why[160] = "";

	for (uint32_t i = 0; i < line->n; i++)
		buf_printf(&text, "%s ", line->words[i]);
	(void)final_settled(story->world, why, sizeof(why));
	oracle_fail(story->world, "scenario",
		    "line %u: %s%s (leader '%s', lost %lu, terms %u; %s)", line->number, text.data,
		    how, story->world->oracle.leader,
		    (unsigned long)(story->world->oracle.lost - story->lost),
		    story->world->oracle.nterms - story->nterms, why);
	buf_done(&text);
}

static int play_within(struct story *story, struct err *err)
{
	struct world *world = story->world;
	int64_t span_us = 0;
	int64_t until_us;
	int r = duration_us(&story->line, 1, &span_us, err);

	if (r < 0)
		return r;
	until_us = world->now_us + span_us;
	while (!world->stop) {
		r = condition(story, 3, err);
		if (r != 0)
			return r < 0 ? r : 0;
		if (world->now_us >= until_us)
			break;
		world_run(world, MIN_OF(world->now_us + POLL_US, until_us));
	}
	failed(story, "never came true");
	return 0;
}

static int play_for(struct story *story, struct err *err)
{
	struct world *world = story->world;
	int64_t span_us = 0;
	int64_t until_us;
	int r = duration_us(&story->line, 1, &span_us, err);

	if (r < 0)
		return r;
	until_us = world->now_us + span_us;
	while (!world->stop && world->now_us < until_us) {
		r = condition(story, 3, err);
		if (r < 0)
			return r;
		if (r == 0) {
			failed(story, "stopped being true");
			return 0;
		}
		world_run(world, MIN_OF(world->now_us + POLL_US, until_us));
	}
	return 0;
}

/* ---- actions ---- */

/* The leader of etcd's, or one of those behind it. */
static bool member_by_role(const struct world *world, const char *role, uint64_t *ret)
{
	uint64_t leader = (uint64_t)MAX_OF(world->etcd.leader, 0);

	if (!str_eq(role, "leader") && !str_eq(role, "other") && !str_eq(role, "other2"))
		return false;
	if (!str_eq(role, "leader"))
		leader += str_eq(role, "other") ? 1 : 2;
	*ret = leader % world->etcd.nmembers;
	return true;
}

static int play_fault(struct story *story, enum fault fault, uint32_t at, bool end, struct err *err)
{
	const struct line *line = &story->line;
	int64_t span_us = 0;
	int node = -1;
	uint64_t member = 0;
	bool member_named = false;

	for (uint32_t i = at; i < line->n; i++) {
		if (str_eq(word(line, i), "member") &&
		    member_by_role(story->world, word(line, i + 1), &member)) {
			member_named = true;
			i++;
		} else if (str_eq(word(line, i), "member")) {
			if (parse_uint(word(line, ++i), 1000, &member, err) < 0)
				return err_wrap(err, "line %u", line->number);
			member_named = true;
		} else if (str_eq(word(line, i), "and") && node >= 0) {
			int other = need_node(story, ++i, err);
			int n = (int)story->world->nnodes;

			if (other < 0)
				return other;
			/* Counted from the node behind the first. */
			member = (uint64_t)((other - node - 1 + n) % n);
			member_named = true;
		} else if (str_eq(word(line, i), "for") && str_eq(word(line, i + 1), "ever")) {
			span_us = -1;
			i++;
		} else if (str_eq(word(line, i), "for")) {
			int r = duration_us(line, ++i, &span_us, err);

			if (r < 0)
				return r;
		} else {
			node = need_node(story, i, err);
			if (node < 0)
				return node;
		}
	}
	if (end)
		nemesis_end(story->world, fault, (uint32_t)MAX_OF(node, 0), (uint32_t)member);
	else
		nemesis_strike(story->world, fault, MAX_OF(node, 0),
			       member_named ? (int)member : 0, span_us);
	return 0;
}

static int play_let(struct story *story, uint32_t at, struct err *err)
{
	struct binding *binding;
	int node = need_node(story, at + 2, err);

	if (node < 0)
		return node;
	if (story->nnames == NAMES_MAX)
		return complain(&story->line, "too many names", err);
	binding = &story->names[story->nnames++];
	(void)str_copy(binding->name, sizeof(binding->name), word(&story->line, at));
	binding->node = (uint32_t)node;
	return 0;
}

static int play_operator(struct story *story, const char *what, uint32_t at, struct err *err)
{
	struct world *world = story->world;
	int node = who(story, word(&story->line, at));
	const char *name = node >= 0 ? world->nodes[node].name : "";

	if (str_eq(what, "switchover"))
		operator_switchover(world, world->oracle.leader, name);
	else if (str_eq(what, "accept-store"))
		operator_accept_store(world, 0);
	else if (str_eq(what, "pause") || str_eq(what, "resume"))
		operator_pause(world, str_eq(what, "pause"));
	else if (node < 0)
		return complain(&story->line, "no such node at this moment", err);
	else if (str_eq(what, "failover"))
		operator_failover(world, name);
	else if (str_eq(what, "restart"))
		operator_restart(world, (uint32_t)node);
	else if (str_eq(what, "seal"))
		operator_seal(world, (uint32_t)node, 0);
	else
		operator_reinit(world, (uint32_t)node);
	return 0;
}

static bool is_operator(const char *what)
{
	return str_eq(what, "switchover") || str_eq(what, "failover") || str_eq(what, "restart") ||
	       str_eq(what, "reinit") || str_eq(what, "pause") || str_eq(what, "resume") ||
	       str_eq(what, "accept-store") || str_eq(what, "seal");
}

static int play_at(struct story *story, struct err *err)
{
	const char *what = word(&story->line, 2);
	int64_t at_us = 0;
	int r = duration_us(&story->line, 1, &at_us, err);

	if (r < 0)
		return r;
	world_run(story->world, MAX_OF(at_us, story->world->now_us));
	if (story->world->stop)
		return 0;
	if (str_eq(what, "let"))
		return play_let(story, 3, err);
	if (str_eq(what, "mark")) {
		mark(story);
		return 0;
	}
	if (str_eq(what, "expect")) {
		r = condition(story, 3, err);
		if (r == 0)
			failed(story, "does not hold");
		return MIN_OF(r, 0);
	}
	if (is_operator(what))
		return play_operator(story, what, 3, err);
	if (str_eq(what, "end") && nemesis_by_name(word(&story->line, 3)) != FAULT__MAX)
		return play_fault(story, nemesis_by_name(word(&story->line, 3)), 4, true, err);
	if (nemesis_by_name(what) != FAULT__MAX)
		return play_fault(story, nemesis_by_name(what), 3, false, err);
	return complain(&story->line, "no such action", err);
}

static int play_line(struct story *story, struct err *err)
{
	const char *first = word(&story->line, 0);

	if (story->line.n == 0 || str_eq(first, "nodes") || str_eq(first, "guard") ||
	    str_eq(first, "fence") || str_eq(first, "guard-required") ||
	    str_eq(first, "module") || str_eq(first, "hung-fence") ||
	    str_eq(first, "etcd-faults") ||
	    str_eq(first, "bad-clocks") || str_eq(first, "sync") || str_eq(first, "poolers") ||
	    str_eq(first, "keep-diverged") || str_eq(first, "failsafe") ||
	    str_eq(first, "nofailover"))
		return 0;
	if (str_eq(first, "at"))
		return play_at(story, err);
	if (str_eq(first, "within"))
		return play_within(story, err);
	if (str_eq(first, "for"))
		return play_for(story, err);
	return complain(&story->line, "not understood", err);
}

int scenario_play(struct world *world, const char *path, struct err *err)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	struct story story = { .world = world };

	if (!file)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	while (!world->stop && read_line(file, &story.line)) {
		int r = play_line(&story, err);

		if (r < 0)
			return err_wrap(err, "%s", path);
	}
	return 0;
}
