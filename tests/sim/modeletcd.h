/* SPDX-License-Identifier: PostgreSQL */
/*
 * modeletcd - etcd's members: who leads, who may answer what, and etcd 3.4.23's faults
 *
 * A request arrives at one member. What needs Raft is committed after a delay and only while a
 * majority of members with a leader can talk to each other; what does not (keepalives,
 * serializable reads) is answered from what that member believes. With `faults` on, a deposed
 * leader goes on answering keepalives, a resumed one revokes live leases, reads may be stale and
 * watch events get lost or doubled, as etcd before 3.4.31 does.
 */
#ifndef PGHA_SIM_MODELETCD_H
#define PGHA_SIM_MODELETCD_H

#include "estore.h"
#include "evq.h"

#define ETCD_MEMBERS_MAX 5

struct emember {
	int16_t down;    /* counts of overlapping faults */
	int16_t frozen;
	int16_t stalled; /* the disk: nothing commits through it, it answers from memory */
	bool thinks_leader;
	int64_t frozen_at_us;
	int64_t applied; /* revision up to which it knows */
	struct elease old_leases[ESTORE_LEASES_MAX]; /* what it knew when it was deposed */
};

/* One watch stream: of a node's agent. */
struct ewatch {
	bool active;
	uint64_t gen;
	uint32_t member;
	int64_t next_revision;
	int64_t last_arrival_us; /* streams keep order */
	int64_t stuck_since_us;  /* 0: the link is up */
	int64_t patience_us;     /* then the node gives the stream up */
	char prefix[ETCD_KEY_SIZE];
};

struct modeletcd {
	struct estore store;
	uint32_t nmembers;
	struct emember members[ETCD_MEMBERS_MAX];
	int leader; /* -1: none */
	uint64_t term;
	uint64_t election_gen; /* an election under way has this generation */
	bool election_pending;
	bool faults;     /* etcd 3.4.23's */
	bool loses_events;
	int64_t rate_ppm; /* of the lessor's clock */
	int64_t fsync_us; /* usual time to commit */
	uint32_t slow;   /* > 0: commits take up to half a second */
	int64_t next_lease_id;
	struct ewatch watches[8];
	uint64_t n_early_revokes;
	uint64_t n_stale_keepalives;
	uint64_t n_stale_reads;
};

/* A request on its way: a copy, who asked, when this attempt left. */
struct eattempt {
	struct etcd_req req;
	uint64_t call;    /* of eclient */
	uint32_t node;
	uint64_t life;    /* of the agent that asked */
	uint32_t member;
	int64_t sent_ms;  /* the asking node's clock */
	int64_t sent_true_us;
	int64_t arrived_us;
	uint32_t lineage;    /* of the store that it reached */
	int64_t proof_epoch; /* > 0: committed, and it proves the term of this epoch */
	int64_t proof_ttl_ms;
	bool disguised;      /* a mutant changed what is asked */
};

void modeletcd_init(struct world *world);
void modeletcd_done(struct world *world);
/* The attempt has arrived; takes it over. */
void modeletcd_receive(struct world *world, struct eattempt *attempt);
void modeletcd_attempt_free(void *attempt);
/* To be called after each change of members' or links' state. */
void modeletcd_recheck(struct world *world);
void modeletcd_freeze(struct world *world, uint32_t member, int add);
/* The leader steps down: another member is elected, leases start over. */
void modeletcd_move_leader(struct world *world);
/* A lease revoked although it lives: what a resumed leader of 3.4.23 does. */
/* A put, or with NULL a deletion, outside of any request of the agents. */
void modeletcd_put(struct world *world, const char *key, const char *value);
void modeletcd_early_revoke(struct world *world, int64_t lease_id);
/* Made anew without data, or (back > 0) restored from a snapshot that many revisions old. */
void modeletcd_regress(struct world *world, int64_t back, bool other_cluster);
/* Whether this member takes part in the majority that has the leader. */
bool modeletcd_in_quorum(const struct world *world, uint32_t member);
/* Everything up again; leaders are elected in the ordinary way. */
void modeletcd_heal(struct world *world);

/* modeletcd's watches live in ewatch.c */
void ewatch_start(struct world *world, uint32_t node, const char *prefix, int64_t start_revision);
void ewatch_stop(struct world *world, uint32_t node);
void ewatch_pump(struct world *world);
/* Every stream ends: its server is gone. */
void ewatch_lose_all(struct world *world);

#endif
