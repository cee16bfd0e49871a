/* SPDX-License-Identifier: PostgreSQL */
/*
 * oracle - knows the truth, and says when a promise is broken
 *
 * Asked after every step. What it knows of proofs, releases and acknowledgements comes from the
 * models themselves, never from what an agent was told or believes.
 */
#ifndef PGHA_SIM_ORACLE_H
#define PGHA_SIM_ORACLE_H

#include "agent/port.h"
#include "chain.h"
#include "modeletcd.h"

#define ORACLE_NODES    8
#define ORACLE_RULES    1000
#define ORACLE_TERMS    256
#define ORACLE_TEXT_MAX 900

struct world;

/* One commit record and what became of it. */
struct commit {
	uint32_t node;
	uint64_t lsn;
	int64_t acked_us; /* 0: nobody heard of it */
	uint32_t confirmed; /* by so many standbys before it was acknowledged */
	bool lost;        /* acknowledged, and given up by a failover that was allowed to */
};

/* A time during which one node took writes. */
struct term {
	uint32_t node;
	uint32_t lineage; /* of the store that gave the epoch */
	int64_t epoch;
	uint32_t timeline;
	uint64_t uid;
	int64_t since_us;
	uint64_t lost; /* acknowledged rows that it began without */
	bool orderly;  /* its predecessor handed over to it by name */
	bool given_up; /* no link of the chain: see chain.h */
};

/* The newest term that etcd's log proves and the node was told of. */
struct proof {
	uint32_t lineage;
	int64_t epoch;
	int64_t asked_ms; /* the node's clock */
	int64_t ttl_ms;
};

/* What a node was promised: the answers as they reached it, and when it had asked. */
struct promises {
	uint32_t lineage;
	int64_t epoch;
	int64_t sent_ms[ORACLE_NODES]; /* by node; the asker's clock */
};

struct coverage {
	uint64_t rules[ORACLE_RULES]; /* by id: times entered */
	uint64_t faults[64];          /* by kind: times injected */
	uint64_t steps;
	uint64_t simulated_us;
	uint64_t acked;
	uint64_t confirmed; /* of the acknowledged ones, by standbys */
	uint64_t lost;
	uint64_t unheard;   /* of the lost ones: some standby had confirmed them */
	uint64_t terms;
	uint64_t given_up; /* timelines that were no links of the chain */
};

struct oracle {
	char invariant[64]; /* the first that broke; "" none */
	char evidence[ORACLE_TEXT_MAX];
	struct commit *commits; /* [id - 1] */
	size_t ncommits;
	size_t commits_cap;
	struct term terms[ORACLE_TERMS];
	uint32_t nterms;
	struct proof proofs[ORACLE_NODES];
	struct promises promises[ORACLE_NODES];
	int64_t thawed_us[ORACLE_NODES];
	uint32_t owners[4096]; /* by timeline uid: node + 1 */
	uint32_t timeline_max;
	uint64_t numbers[4096]; /* by timeline number: uid of the one that a promotion began */
	struct chain chain;

	int64_t revision; /* of etcd, up to which the following is right */
	char leader[NAME_SIZE];
	int64_t leader_epoch;
	int64_t leader_lease;
	struct release release; /* newest marker ever written */

	bool unfenced[ORACLE_NODES]; /* took the key; neither gave it back nor was fenced since */
	int64_t forced_until_us; /* an operator asked for a failover that may lose data */
	uint64_t acked;
	uint64_t confirmed;
	uint64_t lost;
	uint64_t unheard;
	uint64_t nreleases;
	uint64_t rule_changes;
	bool reached[ORACLE_RULES];
	struct coverage *coverage; /* shared by all seeds, or NULL */
};

void oracle_init(struct world *world);
void oracle_done(struct world *world);
/* Notes that a promise is broken; the first one counts and ends the run. */
void oracle_fail(struct world *world, const char *invariant, const char *fmt, ...) _printf_(3, 4);
void oracle_step(struct world *world);

/* etcd */
void oracle_etcd_commit(struct world *world, struct eattempt *attempt, const struct etcd_rep *rep);
void oracle_answered(struct world *world, const struct eattempt *attempt);
void oracle_promised(struct world *world, uint32_t asker, uint32_t by, int64_t epoch,
		     int64_t sent_ms);
void oracle_store_regressed(struct world *world);
/* by_node: the agent that revoked it; -1: it expired or etcd erred. */
void oracle_lease_ends(struct world *world, int64_t lease_id, int by_node);

/* Postgres */
void oracle_starting(struct world *world, uint32_t node, bool as_primary);
/* Whether or not it may take writes. */
void oracle_promoted(struct world *world, uint32_t node);
void oracle_writable(struct world *world, uint32_t node);
void oracle_commit(struct world *world, uint32_t node, uint64_t id, uint64_t lsn);
/* confirmed: by so many standbys before. */
void oracle_ack(struct world *world, uint32_t node, uint64_t id, uint32_t confirmed);
/* It tells a candidate that its position is final. */
void oracle_sealed(struct world *world, uint32_t node, int64_t ballot);
/* WAL came over a walreceiver. */
void oracle_received(struct world *world, uint32_t node);
void oracle_initdb(struct world *world, uint32_t node);
void oracle_discards(struct world *world, uint32_t node);
void oracle_replaces_data(struct world *world, uint32_t node, uint32_t source);
void oracle_rewinds(struct world *world, uint32_t node, uint32_t source);

/* The fence command ended well. */
void oracle_fenced(struct world *world, uint32_t victim);

/* what agents do */
void oracle_page(struct world *world, uint32_t node);
void oracle_pg_request(struct world *world, uint32_t node, const struct pg_req *req);
void oracle_rule(struct world *world, uint32_t node, uint16_t rule_id);
void oracle_thawed(struct world *world, uint32_t node);
void oracle_rebooted(struct world *world, uint32_t node);

/* The node that etcd names as leader, or -1. */
int oracle_leader(const struct world *world);

/* final.c: after all faults have ended. */
bool final_settled(const struct world *world, char *ret_why, size_t size);
/* Heals, waits, and checks what must hold at the end. */
void final_check(struct world *world);

#endif
