/* SPDX-License-Identifier: PostgreSQL */
/*
 * states - every state that a small cluster can get into, by the real decide()
 *
 * usage: pgha-states [--nodes N] [--faults N] [--orders N] [--fixed] [--no-module]
 *                    [--steps 6|12] [--without RULE] [--limit STATES]
 *
 * A breadth-first search from a quiet cluster over everything that may happen next, in any order,
 * with at most so many faults and orders. Ends with one line that says how many states there are
 * and whether all were seen. Exit code 0: no state is wrong; 1: one is, and the shortest way to
 * it is printed; 2: usage; 3: the limit was reached before the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "core/rules.h"
#include "moves.h"

#define LIMIT_DEFAULT 20000000
#define NONE          UINT32_MAX

struct origin {
	uint32_t parent;
	uint8_t move;
	uint8_t node;
	uint16_t rule;
};

struct search {
	struct rules_of_play play;
	size_t size; /* bytes of a state that are in use */
	uint32_t limit;
	uint32_t n;
	uint32_t mask;
	uint8_t *states;
	struct origin *origins;
	uint32_t *table; /* index + 1 */
	uint64_t moves;
};

static void *need(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL) {
		fputs("pgha-states: out of memory\n", stderr);
		_Exit(2);
	}
	return p;
}

static uint64_t hash(const uint8_t *bytes, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i += 8) {
		uint64_t word = 0;

		memcpy(&word, bytes + i, MIN_OF(n - i, sizeof(word)));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return h;
}

static uint8_t *state_at(const struct search *g, uint32_t i)
{
	return g->states + (size_t)i * g->size;
}

/* NONE: known already, or no room. */
static uint32_t put(struct search *g, const struct state *s, struct origin origin)
{
	const uint8_t *bytes = (const uint8_t *)s;
	uint32_t at = (uint32_t)hash(bytes, g->size) & g->mask;

	while (g->table[at] != 0) {
		if (memcmp(state_at(g, g->table[at] - 1), bytes, g->size) == 0)
			return NONE;
		at = (at + 1) & g->mask;
	}
	if (g->n == g->limit)
		return NONE;
	memcpy(state_at(g, g->n), bytes, g->size);
	g->origins[g->n] = origin;
	g->table[at] = g->n + 1;
	return g->n++;
}

/* ---- telling ---- */

static void tell_state(const struct search *g, const struct state *s)
{
	static const char *const lives[] = { "", " agent-frozen", " agent-dead" };
	static const char *const servers[] = { "down", "up", "stopping", "opening" };

	printf("      etcd: leader %c epoch %d beat %d/%d lease age %d%s\n",
	       s->etcd.leader == 0 ? '-' : 'a' + s->etcd.leader - 1, s->etcd.epoch,
	       s->etcd.beat_epoch, s->etcd.beat_rev, s->lease_age, s->etcd_down ? " DOWN" : "");
	for (uint32_t i = 0; i < g->play.nodes; i++) {
		const struct node *n = &s->nodes[i];

		printf("      %c: %s %s, lease %d age %d, page %d age %d, sees %c/%d, sign %d, "
		       "heard %d%s%s%s%s\n",
		       'a' + (char)i, n->primary ? "primary" : "standby", servers[n->server],
		       n->epoch, n->asked, n->page_epoch, n->page_age,
		       n->seen.leader == 0 ? '-' : 'a' + n->seen.leader - 1, n->seen.epoch, n->sign,
		       n->heard, lives[n->life], n->host_frozen ? " host-frozen" : "",
		       n->cut ? " cut" : "",
		       state_acknowledges(&g->play, n) ? " ACKNOWLEDGES" : "");
	}
}

static void tell_way(const struct search *g, uint32_t last)
{
	uint32_t *way = need((size_t)g->n, sizeof(*way));
	uint32_t n = 0;
	struct state s;

	for (uint32_t i = last; i != NONE; i = g->origins[i].parent)
		way[n++] = i;
	while (n-- > 0) {
		const struct origin *o = &g->origins[way[n]];
		const struct rule *rule = o->rule == 0 ? NULL : rules_by_id(o->rule);

		if (o->parent == NONE)
			printf("  at first\n");
		else if (moves_is_common((enum move)o->move))
			printf("  %s\n", moves_text((enum move)o->move));
		else
			printf("  %c %s%s%s\n", 'a' + o->node, moves_text((enum move)o->move),
			       rule == NULL ? "" : ": ", rule == NULL ? "" : rule->name);
		memcpy(&s, state_at(g, way[n]), g->size);
		if (o->move != MOVE_TICK || n == 0)
			tell_state(g, &s);
	}
	free(way);
}

/* ---- searching ---- */

static bool expand(struct search *g, uint32_t from, enum move move, uint32_t i)
{
	struct origin origin = { from, (uint8_t)move, (uint8_t)i, 0 };
	struct state s;
	const char *wrong;
	uint32_t at;

	memcpy(&s, state_at(g, from), g->size);
	if (!moves_make(&g->play, &s, move, i, &origin.rule))
		return true;
	state_normal(&g->play, &s);
	g->moves++;
	at = put(g, &s, origin);
	wrong = at == NONE ? NULL : state_wrong(&g->play, &s);
	if (wrong == NULL)
		return true;
	printf("wrong: %s; the shortest way there:\n", wrong);
	tell_way(g, at);
	return false;
}

static bool search(struct search *g)
{
	for (uint32_t from = 0; from < g->n; from++)
		for (int move = 0; move < MOVE__MAX; move++)
			for (uint32_t i = 0; i < g->play.nodes; i++) {
				if (i > 0 && moves_is_common((enum move)move))
					break;
				if (!expand(g, from, (enum move)move, i))
					return false;
			}
	return true;
}

static void prepare(struct search *g)
{
	struct state first;
	uint32_t size = 1;

	g->size = offsetof(struct state, nodes) + g->play.nodes * sizeof(struct node);
	while (size < g->limit && size < (UINT32_C(1) << 30))
		size *= 2;
	size *= 2;
	g->mask = size - 1;
	g->table = need(size, sizeof(*g->table));
	g->states = need(g->limit, g->size);
	g->origins = need(g->limit, sizeof(*g->origins));
	state_first(&g->play, &first);
	state_normal(&g->play, &first);
	(void)put(g, &first, (struct origin){ .parent = NONE });
}

/* ---- options ---- */

static bool take_away(struct rules_of_play *play, const char *rule)
{
	if (str_eq(rule, "gate"))
		play->late_gate = true;
	else if (str_eq(rule, "own-clock"))
		play->early_takeover = true;
	else if (str_eq(rule, "sent-time"))
		play->count_from_reply = true;
	else if (str_eq(rule, "beat-compare"))
		play->stale_acquire = true;
	else if (str_eq(rule, "beat-moved"))
		play->silent_acquire = true;
	else if (str_eq(rule, "guard"))
		play->guard = false;
	else
		return false;
	return true;
}

static bool number(const char *text, int64_t max, int64_t *ret)
{
	return text != NULL && parse_int(text, 0, max, ret, NULL) == 0;
}

static bool parse_options(int argc, char **argv, struct search *g)
{
	int64_t nodes = 2, faults = 2, orders = 1, limit = LIMIT_DEFAULT, steps = 6;
	bool good = true;

	for (int i = 1; i < argc && good; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool alone = false;

		if (str_eq(argv[i], "--fixed"))
			alone = g->play.fixed = true;
		else if (str_eq(argv[i], "--no-module"))
			alone = !(g->play.module = false);
		else if (str_eq(argv[i], "--nodes"))
			good = number(value, NODES_MAX, &nodes) && nodes >= 2;
		else if (str_eq(argv[i], "--faults"))
			good = number(value, 9, &faults);
		else if (str_eq(argv[i], "--orders"))
			good = number(value, 9, &orders);
		else if (str_eq(argv[i], "--steps"))
			good = number(value, 12, &steps) && (steps == 6 || steps == 12);
		else if (str_eq(argv[i], "--limit"))
			good = number(value, 1 << 29, &limit) && limit > 0;
		else if (str_eq(argv[i], "--without"))
			good = value != NULL && take_away(&g->play, value);
		else
			good = false;
		i += alone ? 0 : 1;
	}
	g->play.nodes = (uint32_t)nodes;
	g->play.faults = (uint8_t)faults;
	g->play.orders = (uint8_t)orders;
	g->play.term = (uint8_t)steps;
	g->limit = (uint32_t)limit;
	return good;
}

int main(int argc, char **argv)
{
	struct search g = { .play = { .module = true, .guard = true } };
	bool clean;

	if (!parse_options(argc, argv, &g)) {
		fputs("usage: pgha-states [--nodes N] [--faults N] [--orders N] [--fixed] "
		      "[--no-module] [--steps 6|12] [--without RULE] [--limit STATES]\n"
		      "RULE: gate own-clock sent-time beat-compare beat-moved guard\n",
		      stderr);
		return 2;
	}
	prepare(&g);
	clean = search(&g);
	printf("%" PRIu32 " members, %d faults, %d orders%s%s: %" PRIu32 " states, %" PRIu64
	       " moves, %s\n",
	       g.play.nodes, g.play.faults, g.play.orders, g.play.fixed ? ", fixed etcd" : "",
	       g.play.module ? "" : ", no module", g.n, g.moves,
	       !clean	        ? "one is wrong"
	       : g.n == g.limit ? "none wrong, stopped at the limit"
				: "none wrong, all seen");
	free(g.table);
	free(g.states);
	free(g.origins);
	if (!clean)
		return 1;
	return g.n == g.limit ? 3 : 0;
}
