/* SPDX-License-Identifier: PostgreSQL */
/*
 * state - a whole small cluster as a few bytes
 */
#include "state.h"

#include <string.h>

#include "core/lease.h"

#define REVS_MAX 64

void state_first(const struct rules_of_play *play, struct state *ret)
{
	memset(ret, 0, sizeof(*ret)); /* padding too: states are compared as bytes */
	ret->etcd.leader = 1;
	ret->etcd.epoch = ret->etcd.leader_rev = 1;
	if (!play->fixed) {
		ret->etcd.beat_rev = 2;
		ret->etcd.beat_epoch = 1;
	}
	ret->faults = play->faults;
	ret->orders = play->orders;
	for (uint32_t i = 0; i < play->nodes; i++) {
		struct node *n = &ret->nodes[i];

		n->server = SERVER_UP;
		n->primary = i == 0;
		n->known = 1;
		n->last_epoch = 1;
		n->seen = ret->etcd;
		if (i == 0)
			n->epoch = n->page_epoch = 1;
	}
}

/* ---- orders ---- */

struct revs {
	uint8_t *at[REVS_MAX];
	size_t n;
};

static void add(struct revs *revs, uint8_t *rev)
{
	if (*rev != 0 && revs->n < REVS_MAX)
		revs->at[revs->n++] = rev;
}

static void add_keys(struct revs *revs, struct keys *keys)
{
	add(revs, &keys->epoch);
	add(revs, &keys->leader_rev);
	add(revs, &keys->beat_rev);
	add(revs, &keys->beat_epoch);
	add(revs, &keys->release_rev);
	add(revs, &keys->release_epoch);
}

static void add_node(struct revs *revs, struct node *n)
{
	add_keys(revs, &n->seen);
	add(revs, &n->epoch);
	add(revs, &n->last_epoch);
	add(revs, &n->page_epoch);
	add(revs, &n->letter.epoch);
	add(revs, &n->letter.leader_rev);
	add(revs, &n->letter.beat_rev);
}

void state_normal(const struct rules_of_play *play, struct state *s)
{
	struct revs revs = { .n = 0 };
	uint8_t rank[256] = { 0 };
	uint8_t next = 0;

	add_keys(&revs, &s->etcd);
	for (uint32_t i = 0; i < play->nodes; i++)
		add_node(&revs, &s->nodes[i]);
	for (size_t i = 0; i < revs.n; i++)
		rank[*revs.at[i]] = 1;
	for (size_t rev = 1; rev < ARRAY_LEN(rank); rev++)
		if (rank[rev] != 0)
			rank[rev] = ++next;
	for (size_t i = 0; i < revs.n; i++)
		*revs.at[i] = rank[*revs.at[i]];
	if (s->etcd.leader == 0)
		s->lease_age = 0;
}

/* ---- what must never be ---- */

static uint8_t percent(const struct rules_of_play *play, int64_t pct)
{
	return (uint8_t)((play->term * pct + 99) / 100);
}

uint8_t state_gate_age(const struct rules_of_play *play)
{
	return play->late_gate ? (uint8_t)(play->term + 1) : percent(play, LEASE_GATE_PCT);
}

uint8_t state_kill_age(const struct rules_of_play *play)
{
	return play->late_gate ? (uint8_t)(play->term + 1) : percent(play, LEASE_KILL_PCT);
}

bool state_acknowledges(const struct rules_of_play *play, const struct node *n)
{
	if (!n->primary || n->host_frozen || n->server == SERVER_DOWN ||
	    n->server == SERVER_OPENING)
		return false;
	return !play->module || (n->page_epoch != 0 && n->page_age < state_gate_age(play));
}

const char *state_wrong(const struct rules_of_play *play, const struct state *s)
{
	uint32_t writers = 0;

	for (uint32_t i = 0; i < play->nodes; i++)
		writers += state_acknowledges(play, &s->nodes[i]);
	if (writers > 1)
		return "two members acknowledge writes";
	if (s->broken)
		return "the key was released while Postgres could still take writes";
	for (uint32_t i = 0; i < play->nodes; i++)
		if (s->nodes[i].epoch > s->nodes[i].last_epoch)
			return "a lease of an epoch that the member has never heard of";
	return NULL;
}
