/* SPDX-License-Identifier: PostgreSQL */
/*
 * moves - everything that may happen next in the small cluster
 */
#include "moves.h"

#include <string.h>

#include "agentstep.h"

const char *moves_text(enum move move)
{
	static const char *const texts[MOVE__MAX] = {
#define X(n, t) [MOVE_##n] = t,
		MOVES(X)
#undef X
	};

	return texts[move];
}

bool moves_is_common(enum move move)
{
	return move == MOVE_TICK || move == MOVE_EXPIRE || move == MOVE_REVOKE ||
	       move == MOVE_ETCD_DOWN || move == MOVE_ETCD_UP;
}

static bool thinks(const struct node *n)
{
	return n->life == AGENT_RUNS && !n->host_frozen;
}

static bool take_fault(struct state *s)
{
	if (s->faults == 0)
		return false;
	s->faults--;
	return true;
}

static bool take_order(struct state *s)
{
	if (s->orders == 0)
		return false;
	s->orders--;
	return true;
}

/* ---- etcd ---- */

static uint8_t new_rev(const struct rules_of_play *play, const struct state *s)
{
	const struct keys *etcd = &s->etcd;
	uint8_t max = MAX_OF(MAX_OF(etcd->leader_rev, etcd->beat_rev), etcd->release_rev);

	max = MAX_OF(max, MAX_OF(etcd->epoch, MAX_OF(etcd->release_epoch, etcd->beat_epoch)));
	for (uint32_t i = 0; i < play->nodes; i++) {
		const struct node *n = &s->nodes[i];

		max = MAX_OF(max, MAX_OF(n->last_epoch, MAX_OF(n->page_epoch, n->epoch)));
		max = MAX_OF(max, MAX_OF(n->letter.epoch, n->letter.leader_rev));
		max = MAX_OF(max, MAX_OF(n->letter.beat_rev, n->seen.beat_rev));
		max = MAX_OF(max, MAX_OF(n->seen.leader_rev, n->seen.release_rev));
		max = MAX_OF(max, MAX_OF(n->seen.epoch, n->seen.release_epoch));
		max = MAX_OF(max, n->seen.beat_epoch);
	}
	return (uint8_t)(max + 1);
}

static void drop_leader(struct keys *etcd)
{
	etcd->leader = 0;
	etcd->epoch = 0;
	etcd->leader_rev = 0;
}

static bool etcd_proof(const struct rules_of_play *play, struct state *s, uint32_t i)
{
	struct letter *l = &s->nodes[i].letter;

	if (s->etcd.leader != i + 1 || s->etcd.epoch != l->epoch)
		return false;
	s->lease_age = 0;
	if (play->fixed)
		return true;
	s->etcd.beat_rev = new_rev(play, s);
	s->etcd.beat_epoch = l->epoch;
	return true;
}

static bool etcd_acquire(const struct rules_of_play *play, struct state *s, uint32_t i)
{
	struct letter *l = &s->nodes[i].letter;

	if (s->etcd.leader != 0 || (!play->stale_acquire && s->etcd.beat_rev != l->beat_rev))
		return false;
	l->epoch = new_rev(play, s);
	s->etcd.leader = (uint8_t)(i + 1);
	s->etcd.epoch = s->etcd.leader_rev = l->epoch;
	s->etcd.release_rev = s->etcd.release_epoch = 0;
	s->etcd.release_from = s->etcd.release_to = 0;
	s->etcd.wanted = 0;
	s->lease_age = 0;
	/* An acquisition moves the beat, so that the next one has to know of it. */
	if (!play->fixed && !play->silent_acquire) {
		s->etcd.beat_rev = l->epoch;
		s->etcd.beat_epoch = l->epoch;
	}
	return true;
}

static bool etcd_takeover(struct state *s, uint32_t i)
{
	struct letter *l = &s->nodes[i].letter;

	if (s->etcd.leader == 0 || s->etcd.epoch != l->epoch || s->etcd.beat_rev != l->beat_rev)
		return false;
	drop_leader(&s->etcd);
	return true;
}

static bool etcd_release(const struct rules_of_play *play, struct state *s, uint32_t i)
{
	struct node *n = &s->nodes[i];
	struct letter *l = &n->letter;

	if (s->etcd.leader != i + 1 || s->etcd.epoch != l->epoch ||
	    s->etcd.leader_rev != l->leader_rev)
		return false;
	if (n->primary && n->server != SERVER_DOWN)
		s->broken = 1;
	s->etcd.release_rev = new_rev(play, s);
	s->etcd.release_epoch = l->epoch;
	s->etcd.release_from = (uint8_t)(i + 1);
	s->etcd.release_to = l->to;
	if (n->begun)
		s->etcd.wanted = 0;
	drop_leader(&s->etcd);
	return true;
}

static bool move_etcd(const struct rules_of_play *play, struct state *s, uint32_t i)
{
	struct letter *l = &s->nodes[i].letter;
	bool yes = false;

	/* A letter of an agent that has died may still arrive. */
	if (l->kind == MSG_NONE || l->phase != PHASE_SENT || s->etcd_down ||
	    s->nodes[i].host_frozen)
		return false;
	if (l->kind == MSG_PROOF)
		yes = etcd_proof(play, s, i);
	else if (l->kind == MSG_ACQUIRE)
		yes = etcd_acquire(play, s, i);
	else if (l->kind == MSG_TAKEOVER)
		yes = etcd_takeover(s, i);
	else if (l->kind == MSG_RELEASE)
		yes = etcd_release(play, s, i);
	l->phase = yes ? PHASE_YES : PHASE_NO;
	return true;
}

/* ---- time ---- */

static void age(uint8_t *a, int max)
{
	if (*a < max)
		(*a)++;
}

/* Whoever is connected and awake does within a step what there is to do. */
static bool is_settled(const struct rules_of_play *play, const struct state *s, uint32_t i)
{
	const struct node *n = &s->nodes[i];

	if (play->guard && !n->host_frozen && n->server != SERVER_DOWN && n->page_epoch != 0 &&
	    n->page_age >= state_kill_age(play) && (n->primary || n->server == SERVER_OPENING))
		return false;
	if (!thinks(n))
		return true;
	if (!n->ran)
		return false;
	if (!agentstep_connected(s, i))
		return true;
	return n->letter.kind == MSG_NONE && memcmp(&n->seen, &s->etcd, sizeof(n->seen)) == 0;
}

static bool move_tick(const struct rules_of_play *play, struct state *s)
{
	for (uint32_t i = 0; i < play->nodes; i++)
		if (!is_settled(play, s, i))
			return false;
	/* It is expired at the latest one step after its term. */
	if (s->etcd.leader != 0 && s->lease_age > play->term && !s->etcd_down)
		return false;
	if (!s->etcd_down)
		age(&s->lease_age, play->term + 1);
	for (uint32_t i = 0; i < play->nodes; i++) {
		struct node *n = &s->nodes[i];

		n->ran = 0;
		if (n->life != AGENT_DEAD) {
			age(&n->heard, play->term);
			if (n->sign != AGE_NEVER)
				age(&n->sign, play->term);
		}
		if (n->epoch != 0)
			age(&n->asked, play->term + 1);
		if (n->seen.release_rev != 0)
			age(&n->release_age, play->term / 2 + 1);
		if (n->letter.kind == MSG_PROOF || n->letter.kind == MSG_ACQUIRE)
			age(&n->letter.age, play->term + 1);
		if (n->page_epoch != 0)
			age(&n->page_age, play->term + 1);
	}
	return true;
}

/* ---- one host ---- */

static bool move_guard(const struct rules_of_play *play, struct node *n)
{
	if (!play->guard || n->host_frozen || n->server == SERVER_DOWN || n->page_epoch == 0 ||
	    n->page_age < state_kill_age(play) || (!n->primary && n->server != SERVER_OPENING))
		return false;
	n->unclean = n->primary;
	n->server = SERVER_DOWN;
	return true;
}

/* What is left of it: its page, its Postgres, and a letter on its way. */
static void die(struct node *n)
{
	struct node was = *n;

	memset(n, 0, sizeof(*n));
	n->life = AGENT_DEAD;
	n->cut = was.cut;
	n->host_frozen = was.host_frozen;
	n->server = was.server;
	n->primary = was.primary;
	n->unclean = was.unclean;
	n->leaving = was.leaving;
	n->begun = was.begun;
	n->letter = was.letter;
	n->page_epoch = was.page_epoch;
	n->page_age = was.page_age;
}

static bool move_restart(const struct rules_of_play *play, struct node *n)
{
	if (n->life != AGENT_DEAD || n->host_frozen || n->leaving)
		return false;
	n->life = AGENT_RUNS;
	n->begun = 0;
	memset(&n->letter, 0, sizeof(n->letter));
	n->epoch = n->last_epoch = n->page_epoch;
	n->asked = n->page_age;
	n->heard = play->term;
	n->sign = AGE_NEVER;
	return true;
}

static bool set(uint8_t *field, uint8_t from, uint8_t to)
{
	if (*field != from)
		return false;
	*field = to;
	return true;
}

static bool move_server(struct node *n, enum move move)
{
	if (n->host_frozen)
		return false;
	if (move == MOVE_STOPPED)
		return set(&n->server, SERVER_STOPPING, SERVER_DOWN);
	if (move == MOVE_OPENED && set(&n->server, SERVER_OPENING, SERVER_UP)) {
		n->primary = 1;
		n->unclean = 0;
		return true;
	}
	return false;
}

static bool move_fault(const struct rules_of_play *play, struct state *s, struct node *n,
		       enum move move)
{
	if (!take_fault(s))
		return false;
	if (move == MOVE_CUT)
		return set(&n->cut, 0, 1);
	if (move == MOVE_FREEZE)
		return set(&n->life, AGENT_RUNS, AGENT_FROZEN);
	/* Without the module a thawed host acknowledges until its guardian has run. */
	if (move == MOVE_FREEZE_HOST)
		return play->module && set(&n->host_frozen, 0, 1);
	if (move == MOVE_KILL && n->life == AGENT_RUNS) {
		die(n);
		return true;
	}
	if (move == MOVE_CRASH && n->server != SERVER_DOWN) {
		n->unclean = n->primary;
		n->server = SERVER_DOWN;
		return true;
	}
	if (move == MOVE_REVOKE && !play->fixed && s->etcd.leader != 0 && !s->etcd_down) {
		drop_leader(&s->etcd);
		return true;
	}
	return move == MOVE_ETCD_DOWN && set(&s->etcd_down, 0, 1);
}

static bool move_order(struct state *s, struct node *n, uint32_t i, enum move move)
{
	if (!take_order(s))
		return false;
	if (move == MOVE_LEAVE)
		return thinks(n) && set(&n->leaving, 0, 1);
	if (s->etcd.leader == 0 || s->etcd.leader == i + 1)
		return false;
	return set(&s->etcd.wanted, 0, (uint8_t)(i + 1));
}

static bool move_agent(const struct rules_of_play *play, struct state *s, enum move move,
		       uint32_t i, uint16_t *ret_rule)
{
	struct node *n = &s->nodes[i];
	bool open = agentstep_connected(s, i);

	if (!thinks(n))
		return false;
	if (move == MOVE_RUN && n->ran)
		return false;
	if (move == MOVE_WATCH) {
		if (!open || memcmp(&n->seen, &s->etcd, sizeof(n->seen)) == 0)
			return false;
		agentstep_fold(s, i);
	}
	if (move == MOVE_ANSWER) {
		if (!open || n->letter.kind == MSG_NONE || n->letter.phase == PHASE_SENT)
			return false;
		/* With the answer comes what it says of the keys. */
		agentstep_fold(s, i);
		agentstep_answer(play, s, i);
	}
	*ret_rule = agentstep_run(play, s, i);
	return true;
}

static bool move_heal(const struct rules_of_play *play, struct state *s, struct node *n,
		      enum move move)
{
	if (move == MOVE_HEAL)
		return set(&n->cut, 1, 0);
	if (move == MOVE_THAW)
		return set(&n->life, AGENT_FROZEN, AGENT_RUNS) || set(&n->host_frozen, 1, 0);
	if (move == MOVE_RESTART)
		return move_restart(play, n);
	if (set(&s->etcd_down, 1, 0)) {
		s->lease_age = 0;
		return true;
	}
	return false;
}

static bool move_lost(struct state *s, uint32_t i)
{
	struct node *n = &s->nodes[i];

	if (n->letter.kind == MSG_NONE || (agentstep_connected(s, i) && n->life != AGENT_DEAD))
		return false;
	memset(&n->letter, 0, sizeof(n->letter));
	return true;
}

bool moves_make(const struct rules_of_play *play, struct state *s, enum move move, uint32_t i,
		uint16_t *ret_rule)
{
	struct node *n = &s->nodes[i];

	*ret_rule = 0;
	switch (move) {
	case MOVE_TICK:
		return move_tick(play, s);
	case MOVE_RUN:
	case MOVE_WATCH:
	case MOVE_ANSWER:
		return move_agent(play, s, move, i, ret_rule);
	case MOVE_ETCD:
		return move_etcd(play, s, i);
	case MOVE_LOST:
		return move_lost(s, i);
	case MOVE_EXPIRE:
		if (s->etcd.leader == 0 || s->lease_age < play->term || s->etcd_down)
			return false;
		drop_leader(&s->etcd);
		return true;
	case MOVE_STOPPED:
	case MOVE_OPENED:
		return move_server(n, move);
	case MOVE_GUARD:
		return move_guard(play, n);
	case MOVE_HEAL:
	case MOVE_THAW:
	case MOVE_RESTART:
	case MOVE_ETCD_UP:
		return move_heal(play, s, n, move);
	case MOVE_CUT:
	case MOVE_FREEZE:
	case MOVE_FREEZE_HOST:
	case MOVE_KILL:
	case MOVE_CRASH:
	case MOVE_REVOKE:
	case MOVE_ETCD_DOWN:
		return move_fault(play, s, n, move);
	case MOVE_SWITCHOVER:
	case MOVE_LEAVE:
		return move_order(s, n, i, move);
	case MOVE__MAX:
		break;
	}
	return false;
}
