/* SPDX-License-Identifier: PostgreSQL */
/*
 * state - a whole small cluster as a few bytes
 *
 * Two or three members, one leader key, and time in steps of a sixth or twelfth of the term. Every
 * number is an age (in steps, counted as far as any rule looks) or an order (revisions, renumbered
 * after each move), so that the states that can be reached are finitely many and two equal ones
 * are equal bytes.
 */
#ifndef PGHA_STATES_STATE_H
#define PGHA_STATES_STATE_H

#include "base/base.h"

#define NODES_MAX 3
#define TERM_MS   INT64_C(6000)
#define AGE_NEVER 255

enum agent_life { AGENT_RUNS = 0, AGENT_FROZEN, AGENT_DEAD };
enum server { SERVER_DOWN = 0, SERVER_UP, SERVER_STOPPING, SERVER_OPENING };
enum message { MSG_NONE = 0, MSG_PROOF, MSG_ACQUIRE, MSG_TAKEOVER, MSG_RELEASE };
enum phase { PHASE_SENT = 0, PHASE_YES, PHASE_NO };

/* What a member believes to stand in etcd, or what does. Revisions are orders: 0 is none. */
struct keys {
	uint8_t leader; /* member + 1 */
	uint8_t epoch;
	uint8_t leader_rev;
	uint8_t beat_rev;
	uint8_t beat_epoch;
	uint8_t release_rev;
	uint8_t release_epoch;
	uint8_t release_from; /* member + 1 */
	uint8_t release_to;
	uint8_t wanted; /* candidate of a switchover, member + 1 */
};

struct letter {
	uint8_t kind;
	uint8_t phase;
	uint8_t age;
	uint8_t epoch;      /* PROOF, TAKEOVER, RELEASE */
	uint8_t leader_rev; /* RELEASE */
	uint8_t beat_rev;   /* ACQUIRE, TAKEOVER: as known when it left */
	uint8_t to;         /* RELEASE */
	uint8_t clean;      /* RELEASE: the end of the WAL is known */
};

struct node {
	uint8_t life;
	uint8_t host_frozen;
	uint8_t cut; /* from etcd and from its peers */
	uint8_t server;
	uint8_t primary;
	uint8_t unclean; /* killed: its control file does not say where its WAL ends */
	uint8_t leaving; /* the agent was told to end */
	uint8_t ran;     /* since time moved last */
	/* the agent's memory */
	uint8_t epoch; /* of the lease; 0 none */
	uint8_t asked; /* age of the newest proof */
	uint8_t known; /* etcd was read in this life */
	uint8_t heard; /* age of etcd's newest answer */
	uint8_t sign;  /* age of the newest sign of life of a leader; AGE_NEVER */
	uint8_t last_epoch;
	uint8_t release_age;
	uint8_t begun; /* the stop of a hand-over was issued */
	uint8_t checkpointed;
	uint8_t successor; /* member + 1 */
	struct keys seen;
	struct letter letter;
	/* the page, which outlives the agent */
	uint8_t page_epoch;
	uint8_t page_age;
};

struct state {
	struct keys etcd;
	uint8_t lease_age; /* since the key's lease was refreshed */
	uint8_t etcd_down;
	uint8_t faults;  /* that may still happen */
	uint8_t orders;  /* that operators may still give */
	uint8_t broken;  /* a release without proof that Postgres had ended */
	struct node nodes[NODES_MAX]; /* last: as many as are played with */
};

/* How the world is made; the same for all states of one search. */
struct rules_of_play {
	uint32_t nodes;
	uint8_t term; /* steps in it: 6 or 12 */
	bool fixed;  /* etcd whose expiry can be trusted, and proofs without beats */
	bool module; /* acknowledgements end at the gate */
	bool guard;
	uint8_t faults;
	uint8_t orders;
	/* One safety rule taken away, to see the search find it. */
	bool late_gate;       /* kill and gate a whole term after the proof */
	bool early_takeover;  /* a missing key is taken for a term that is over */
	bool count_from_reply; /* a term counts from the answer */
	bool stale_acquire;   /* taking the key compares no beat */
	bool silent_acquire;  /* taking the key does not move the beat */
};

/* Ages from which on the module refuses and the guardian kills: the first step at or after it. */
uint8_t state_gate_age(const struct rules_of_play *play);
uint8_t state_kill_age(const struct rules_of_play *play);
/* First state: member 0 leads, the others follow, nothing is under way. */
void state_first(const struct rules_of_play *play, struct state *ret);
/* Renumbers the revisions, so that only their order is left, and forgets what nobody can see. */
void state_normal(const struct rules_of_play *play, struct state *s);
/* This member would tell a client that its write is durable. */
bool state_acknowledges(const struct rules_of_play *play, const struct node *n);
/* NULL, or what is wrong with it. */
const char *state_wrong(const struct rules_of_play *play, const struct state *s);

#endif
