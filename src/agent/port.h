/* SPDX-License-Identifier: PostgreSQL */
/*
 * port - all that the agent may ask of the outside
 *
 * Requests go out with a ticket (never 0, never reused in one life of the agent) and are
 * answered by exactly one event with that ticket, also when they fail or are cancelled. The
 * outside copies what it needs before the call returns, and never calls agent_step() from
 * inside one of these functions.
 */
#ifndef PGHA_AGENT_PORT_H
#define PGHA_AGENT_PORT_H

#include "core/config.h"
#include "core/types.h"
#include "wire/etcdmsg.h"
#include "wire/restmsg.h"

/* ANCESTRY fails with -ERR_CONFIG when the upstream belongs to another cluster; any other failure
 * says nothing about it.
 * name, text, changes the local Postgres (at most one such at a time; only STOP may interrupt) */
#define PG_OPS(X)                                                                              \
	X(PROBE, "probe", false)             /* -> EVENT_PG_PROBE */                           \
	X(ANCESTRY, "ancestry", false)       /* upstream's sysid, timeline, history */      \
	X(CHECKPOINT, "checkpoint", false)   /* CHECKPOINT on the local server */              \
	X(START_STANDBY, "start-standby", true)                                                \
	X(START_PRIMARY, "start-primary", true)                                                \
	X(STOP, "stop", true)                /* done when no process of it is left */          \
	X(PROMOTE, "promote", true)          /* done when seen out of recovery */              \
	X(FOLLOW, "follow", true)            /* running standby: other upstream, by reload */  \
	X(APPLY, "apply", true)              /* settings and hba to files, reload if running */ \
	X(REWIND, "rewind", true)            /* pg_rewind from upstream, Postgres down */      \
	X(CLONE, "clone", true)              /* base backup beside, swapped in when whole */   \
	X(INITDB, "initdb", true)            /* beside, swapped in; leaves the boot mark */    \
	X(DISCARD, "discard", true)  /* what a failed bootstrap made, and nothing else */      \
	X(POST_BOOTSTRAP, "post-bootstrap", true) /* roles, script; takes the boot mark away */ \
	X(WAL_END, "wal-end", false)         /* where commits end on disk, Postgres down */    \
	X(SLOTS, "slots", false)             /* make the physical slots be as listed */        \
	X(EXAMINE, "examine", false) /* facts for doctor; with an upstream: does it let us in? */ \
	X(PRE_PROMOTE, "pre-promote", false) /* the operator's script */

enum pg_op {
#define X(n, t, m) PGOP_##n,
	PG_OPS(X)
#undef X
	PGOP__MAX
};

const char *pg_op_name(enum pg_op op);
bool pg_op_changes(enum pg_op op);

enum stop_mode {
	STOP_FAST = 0,  /* SIGINT to the postmaster; walsenders drain */
	STOP_IMMEDIATE, /* SIGQUIT */
	STOP_KILL,      /* all: SIGSTOP postmaster, SIGKILL children, then it; leftovers too */
	STOP__MAX
};

/* Answer to a PROMOTE: nothing failed, but Postgres has to be started as a standby first, and was
 * stopped. Then it is to be ordered again. */
#define PGOP_RESTARTED 1

/* A server to stream, clone or rewind from. host "" = none (archive recovery only). */
struct upstream {
	char name[NAME_SIZE];
	char host[HOST_SIZE];
	uint16_t port;
	char slot[NAME_SIZE]; /* primary_slot_name; "" none */
};

struct slot_want {
	char name[NAME_SIZE];
	uint64_t advance_lsn; /* move an inactive slot forward to here; 0: leave */
};

struct pg_req {
	enum pg_op op;
	int64_t timeout_ms;   /* then the answer is -ERR_TIMEOUT; 0: the op's own default */
	enum stop_mode stop;  /* STOP. A second STOP with a harder mode overtakes the first. */
	/* STOP: FAST turns into IMMEDIATE, that into KILL at these BOOTTIME instants; 0 never */
	int64_t immediate_at_ms;
	int64_t kill_at_ms;
	/* STOP, FAST: pid of the walsender that sends to the successor. Once it has ended and the
	 * shutdown checkpoint is on disk, others that lag are not waited for. 0: none is known. */
	int64_t receiver_pid;
	struct upstream upstream; /* START_STANDBY, FOLLOW, ANCESTRY, REWIND, CLONE */
	/* PROMOTE: the new timeline gets a number above this one; up to known_timeline the numbers
	 * are those of timelines that exist, between them of some that may. */
	uint32_t above_timeline;
	uint32_t known_timeline;
	bool armed;           /* APPLY: a standby that is about to be promoted */
	bool reload;          /* APPLY: also when nothing of ours has changed */
	bool brief;           /* PROBE: state and positions, without lists, settings, timeline */
	/* ANCESTRY: is the WAL from here on still there? 0: not asked. WAL_END: known end of it, 0:
	 * not known, on that timeline */
	uint64_t wal_lsn;
	uint32_t timeline;
	bool drop_others;     /* SLOTS: remove physical slots that are not listed and not active */
	bool another_leads;   /* SLOTS: and, on a standby, logical ones that are in the way */
	uint32_t nslots;
	struct slot_want slots[SLOTS_MAX];
};

/* Where are you? With a ballot: stop receiving, promise it, and tell where you are then. */
struct peer_req {
	char name[NAME_SIZE];
	char api_url[URL_SIZE]; /* GET of this, or POST /seal there; 2 s at most */
	int64_t timeout_ms;
	int64_t ballot;        /* 0: only tell */
	char scope[NAME_SIZE]; /* with a ballot: who asks */
	char candidate[NAME_SIZE];
};

/* One run of the operator's fence command. */
struct fence_req {
	struct victim victim;
	int64_t epoch; /* ours: the term under which it runs */
	int64_t timeout_ms;
	char reason[16]; /* a word */
};

/* POST /failsafe to a member: may we stay? Answered by EVENT_PROMISE. */
struct promise_req {
	char name[NAME_SIZE];
	char api_url[URL_SIZE];
	const char *body;
	int64_t timeout_ms; /* 2 s at most */
};

/* To the admin consoles of all PgBouncers at once. */
struct pooler_req {
	bool pause;  /* clients wait; else they go on */
	bool moved;  /* going on: this member is a new primary, and they have to find it */
	int64_t timeout_ms; /* for each console; what does not answer by then has failed */
};

/* The durable record: survives reboots, lies outside the data directory. The high-water marks of
 * the etcd that this member believes in, and what it has promised. */
struct durable {
	uint64_t cluster_id; /* 0: no etcd has answered yet */
	int64_t revision;
	int64_t epoch;     /* newest epoch of any leader */
	int64_t accepted;  /* an operator accepted another store; claims up to here are not of it */
	bool regressed;    /* etcd told less than this; stays until an operator accepts it */
	int64_t promised;  /* newest ballot: nothing is received from an epoch below it while ... */
	bool sealed;       /* ... this holds */
	uint32_t timeline; /* of the cluster */
	char sysid[SYSID_SIZE];
};

/* What the guardian and the module may read; see base/leasepage.h. */
struct page_update {
	bool armed;
	bool paused;  /* why not, if not */
	bool stopped; /* Postgres is down */
	bool proven;  /* some lease was, in this boot: start_facts.page_found of the next life */
	int64_t epoch;
	int64_t lease_id;
	int64_t asked_at_ms;
	int64_t ttl_ms;
	int64_t kill_at_ms; /* s + 0.75 T */
	int64_t gate_at_ms; /* s + 0.80 T */
	int64_t postmaster_pid;
};

enum callback { CB_START = 0, CB_STOP, CB_RESTART, CB_RELOAD, CB_ROLE_CHANGE, CB__MAX };

struct port {
	void *ctx;
	int64_t (*now_ms)(void *ctx);  /* CLOCK_BOOTTIME */
	int64_t (*wall_us)(void *ctx); /* wall clock, for stamps and schedules only */
	void (*wake_at)(void *ctx, int64_t at_ms); /* replaces the earlier one; EVENT_TIMER */
	void (*etcd)(void *ctx, uint64_t ticket, const struct etcd_req *req);
	/* (Re)starts the one watch of the prefix from start_revision on. */
	void (*watch)(void *ctx, const char *prefix, int64_t start_revision);
	void (*pg)(void *ctx, uint64_t ticket, const struct pg_req *req);
	void (*peer)(void *ctx, uint64_t ticket, const struct peer_req *req);
	void (*promise)(void *ctx, uint64_t ticket, const struct promise_req *req);
	/* Effective settings changed: io rebuilds clients, addresses, files. Borrowed until the
	 * next call. */
	void (*configure)(void *ctx, const struct config *config);
	/* Plain stores, at once. Also without a change, as a sign of life. */
	void (*page)(void *ctx, const struct page_update *page);
	/* EVENT_SAVED when it is durable, or cannot be. */
	void (*save)(void *ctx, uint64_t ticket, const struct durable *durable);
	/* The outside adds what only it knows, and copies it; the agent keeps it for the next. */
	void (*publish)(void *ctx, struct status *status);
	void (*answer)(void *ctx, uint64_t command_id, int code, const char *content_type,
		       const char *body);
	/* Says yes to POST /failsafe: 200, "Accepted", our position; 0 unknown. */
	void (*accept)(void *ctx, uint64_t command_id, uint64_t lsn);
	void (*callback)(void *ctx, enum callback what, enum member_role role);
	/* Runs the configured command, EVENT_FENCE is the answer; at the deadline it is ended, and
	 * that is a failure. Only one at a time. NULL: ends the one that runs; its answer comes
	 * too. */
	void (*fence)(void *ctx, uint64_t ticket, const struct fence_req *req);
	/* EVENT_POOLERS when every console has answered or failed: result 0, or the first failure.
	 * Only one at a time. Never asked where none is configured. */
	void (*poolers)(void *ctx, uint64_t ticket, const struct pooler_req *req);
	/* Writes the dynamic configuration's last good copy beside the data. */
	void (*cache_config)(void *ctx, const char *json);
	/* The flight recorder's text after a role change. */
	void (*dump)(void *ctx, const char *why, const char *text, size_t len);
	/* Re-reads the local file; EVENT_CONFIG follows (or a log line says why not). */
	void (*reload)(void *ctx);
	void (*quit)(void *ctx, int exit_code); /* the agent has nothing left to do */
};

#endif
