/* SPDX-License-Identifier: PostgreSQL */
/*
 * modelpg - one Postgres: a data directory, the processes on it, its streaming, one job at a time
 *
 * A commit is durable when it is in the WAL; only what is durable is streamed. A dead postmaster
 * may leave processes behind that go on committing. Files: modelpg.c processes and facts,
 * pgjobs.c what port.pg asks for, pgstream.c walsenders and walreceivers.
 */
#ifndef PGHA_SIM_MODELPG_H
#define PGHA_SIM_MODELPG_H

#include "agent/port.h"
#include "evq.h"
#include "wal.h"

#define PGM_SLOTS_MAX 16
#define PGM_TICKETS_MAX 8

enum pgm_state {
	PGM_DOWN = 0,
	PGM_STARTING,
	PGM_UP,
	PGM_STOPPING,
	PGM_LEFTOVERS, /* the postmaster is dead, some backends are not */
	PGM__MAX
};

/* The walreceiver of a standby. */
struct pgm_receiver {
	bool connected;
	uint32_t from;     /* node */
	uint64_t from_life;
	uint64_t gen;      /* of the connection */
	uint64_t sent_lsn; /* what the sender has put on the wire */
	uint64_t told_lsn; /* what the sender was told to be on this standby's disk */
	bool pump_pending;
	int64_t last_arrival_us;
	int64_t cut_since_us; /* 0: the link is up */
};

struct pgm_job {
	bool active;
	enum pg_op op;
	uint64_t ticket;
	uint64_t life; /* of the agent that asked */
	uint64_t gen;
	struct pg_req req;
};

struct pgm_stop {
	bool active;
	enum stop_mode mode;
	uint32_t n; /* everybody who asked is answered */
	uint64_t tickets[PGM_TICKETS_MAX];
	uint64_t lives[PGM_TICKETS_MAX];
	uint64_t gen;
	bool checkpointed; /* a primary: its last record is written, walsenders drain */
	bool leaving;      /* it counts as down, its last processes are not gone yet */
	int64_t immediate_at_ms;
	int64_t kill_at_ms;
};

struct modelpg {
	uint32_t node;
	/* the disk */
	enum data_dir dir;
	bool standby_signal;
	bool boot_unfinished;
	char sysid[SYSID_SIZE];
	struct wal wal;
	enum pg_control control;
	uint32_t control_timeline;
	uint64_t checkpoint_lsn;
	uint64_t min_recovery_lsn;
	uint32_t nslots;
	char slots[PGM_SLOTS_MAX][NAME_SIZE];
	/* the processes */
	enum pgm_state state;
	uint64_t life; /* of the postmaster */
	int64_t pid;
	bool primary;   /* out of recovery */
	uint32_t above_timeline; /* a promotion takes a number above this one */
	bool silent;    /* the postmaster hangs; sessions that exist go on */
	int64_t silent_since_ms; /* by the node's clock */
	int64_t stalled_since_ms;
	bool local_replay_done;
	uint32_t sync_count; /* standbys that have to confirm a commit; 0: none */
	uint64_t replay_lsn;
	uint64_t receive_lsn; /* 0: no walreceiver in this life yet */
	uint32_t receive_timeline;
	struct upstream upstream;
	struct pgm_receiver receiver;
	struct pgm_job job;
	struct pgm_stop stop;
	uint32_t vain_stops; /* in a row, by one life of the agent, of what was down already */
	uint64_t vain_agent;
	uint64_t vain_life;
	bool kill_sent;   /* SIGKILL is on its way to every process */
	bool doomed;      /* ... and waits for the disk: nothing of it will run again */
	bool half;        /* the truth about the directory, whatever `dir` shows */
	/* faults */
	bool short_wal; /* a promotion has to start it again first */
	bool starved;   /* the primary's settings were raised above its own: replay waits */
	int16_t disk_stalled;
	int16_t frozen; /* every process that runs now; those that are killed go */
	int16_t start_fails;
	int16_t clone_fails;
	int16_t rewind_fails;
};

void modelpg_init(struct modelpg *pg, uint32_t node);
void modelpg_done(struct modelpg *pg);

/* Clients may commit there now; leftovers count. */
bool modelpg_writable(const struct modelpg *pg);
/* Any process that could still commit exists, however slow. */
bool modelpg_may_commit(const struct modelpg *pg);
/* It answers nobody: the postmaster hangs, or all of it is frozen. */
bool modelpg_hangs(const struct modelpg *pg);
bool modelpg_has_process(const struct modelpg *pg);
/* Facts without SQL (control file, pid file) and, when it answers, with. */
void modelpg_facts(struct world *world, uint32_t node, bool sql, struct pg_state *ret);
void modelpg_history(const struct modelpg *pg, struct history *ret);

/* Faults. */
void modelpg_kill_postmaster(struct world *world, uint32_t node, bool leftovers);
void modelpg_backend_crash(struct world *world, uint32_t node);
/* Everything gone at once: the host died or somebody killed every process. */
void modelpg_vanish(struct world *world, uint32_t node);
/* Somebody put another disk in its place: an empty one, or one with another cluster's data. */
void modelpg_replaced(struct world *world, uint32_t node, bool empty);

/* Standbys that have confirmed this position to the primary, as far as it was told. */
uint32_t pgstream_confirmed(const struct world *world, uint32_t node, uint64_t lsn);

/* A commit becomes durable: it gets a position. */
uint64_t modelpg_commit(struct world *world, uint32_t node, uint64_t id);

/* used between the model's files */
void modelpg_start(struct world *world, uint32_t node, bool as_primary);
/* The settings that matter here, as the agent writes them to the files. */
void modelpg_settings(struct world *world, uint32_t node);
void modelpg_came_up(struct world *world, uint32_t node);
void modelpg_exited(struct world *world, uint32_t node, bool clean);
void modelpg_bump(struct world *world, struct modelpg *pg);
void modelpg_checkpoint(struct world *world, struct modelpg *pg);

/* pgjobs.c */
void pgjobs_request(struct world *world, uint32_t node, uint64_t ticket, const struct pg_req *req);
/* The agent died: its children with it. */
void pgjobs_orphan(struct world *world, uint32_t node);
void pgjobs_done(struct world *world, uint32_t node, uint64_t ticket, uint64_t life, int result,
		 const char *text);
void pgjobs_kill_all(struct world *world, uint32_t node);
/* After each change of the postmaster: somebody may wait for it. */
void pgjobs_notice(struct world *world, uint32_t node);

void pgstream_start(struct world *world, uint32_t node);
void pgstream_stop(struct world *world, uint32_t node);
/* New durable WAL on this node: tell those who stream from it. */
void pgstream_advance(struct world *world, uint32_t node);
/* Nodes that stream from this one now. */
bool pgstream_is_sender(const struct world *world, uint32_t from, uint32_t to);
bool pgstream_drained(const struct world *world, uint32_t node);
/* Streams that follow `pg`'s upstream; -1: none. */
int pgstream_node_of(const struct world *world, const char *host);

#endif
