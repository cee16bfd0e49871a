/* SPDX-License-Identifier: PostgreSQL */
/*
 * event - what the outside may tell the agent: its only input
 *
 * Payload pointers belong to the caller and are valid during agent_step() only.
 */
#ifndef PGHA_AGENT_EVENT_H
#define PGHA_AGENT_EVENT_H

#include "core/config.h"
#include "core/types.h"
#include "wire/checkup.h"
#include "wire/etcdmsg.h"
#include "wire/restmsg.h"

#define EVENT_TYPES(X)                                                                   \
	X(START, "start")             /* first event: local facts known at start */      \
	X(TIMER, "timer")             /* wake_at came */                                 \
	X(ETCD, "etcd")               /* answer to port.etcd */                          \
	X(WATCH, "watch")             /* something changed below the prefix */           \
	X(WATCH_LOST, "watch-lost")   /* the stream ended or was compacted */            \
	X(ETCD_INFO, "etcd-info")     /* versions of the members became known */         \
	X(PG_PROBE, "pg-probe")       /* answer to PGOP_PROBE */                         \
	X(PG_EXIT, "pg-exit")         /* the postmaster's pidfd fired */                 \
	X(PG_DONE, "pg-done")         /* answer to any other port.pg request */          \
	X(PEER, "peer")               /* answer to port.peer */                          \
	X(PROMISE, "promise")         /* answer to port.promise */                       \
	X(SAVED, "saved")             /* answer to port.save */                          \
	X(FENCE, "fence")             /* answer to port.fence */                         \
	X(POOLERS, "poolers")         /* answer to port.poolers */                       \
	X(GUARD, "guard")             /* the guardian came, went or killed */            \
	X(COMMAND, "command")         /* REST write */                                   \
	X(CONFIG, "config")           /* new local configuration (SIGHUP, POST /reload) */ \
	X(STOP, "stop")               /* SIGTERM, SIGINT: the orderly end */

enum event_type {
#define X(n, t) EVENT_##n,
	EVENT_TYPES(X)
#undef X
	EVENT__MAX
};

/* What was learnt at start, before anything else. */
struct start_facts {
	/* A lease that an earlier life of the agent proved in this boot, from the lease page;
	 * epoch 0: none. */
	int64_t lease_epoch;
	int64_t lease_id;
	int64_t lease_asked_at_ms;
	int64_t lease_ttl_ms;
	bool page_found; /* a page of this boot exists, and a lease was proven on it once */
};

struct event {
	enum event_type type;
	int64_t at_ms;   /* CLOCK_BOOTTIME when it happened */
	uint64_t ticket; /* of the request it answers; commands: the id to answer */
	int result;      /* 0, -err_code with *err set, or an answer that port.h names */
	const struct err *err; /* or NULL */

	/* ETCD, PROMISE: when the attempt that was answered left; a proof counts from here. */
	int64_t sent_at_ms;
	const struct etcd_rep *rep;          /* ETCD with result 0 */
	const struct etcd_watch_msg *watch;  /* WATCH */

	/* ETCD_INFO */
	uint32_t etcd_members;
	bool etcd_all_fixed; /* every member known and etcdmsg_version_fixed() */
	char etcd_min_version[VERSION_SIZE];

	const struct start_facts *start;  /* START */
	const struct pg_state *pg;        /* START, PG_PROBE, PG_EXIT: the newest facts */
	const struct walsender *walsenders; /* PG_PROBE of a primary */
	uint32_t nwalsenders;
	const struct slot_pos *slots;     /* PG_PROBE: slots of this server, their restart_lsn */
	uint32_t nslots;
	bool probe_sql_ok;                /* PG_PROBE: SQL answered */
	bool probe_brief;                 /* PG_PROBE: the lists were not asked for */
	const struct setting_change *changes; /* PG_PROBE: what waits for a restart */
	uint32_t nchanges;

	const struct history *history;    /* PG_DONE of PGOP_ANCESTRY: the upstream's past */
	uint64_t commit_lsn;              /* PG_DONE of PGOP_WAL_END: end of the newest commit */
	bool wal_gone;                    /* ... and it has no WAL from wal_lsn on any more */
	int64_t clients_gone_at_ms;       /* PG_DONE of PGOP_STOP in a hand-over; 0: not seen */
	const char *text;                 /* PG_DONE: which way a rewind or clone took, and such */

	const struct checkup *checkup;    /* PG_DONE of PGOP_EXAMINE */
	const struct checkup_link *link;  /* ... with an upstream */
	const struct vote *vote;          /* PEER */
	bool accepted;                    /* PROMISE with result 0: it said yes; else see text */
	const struct command *command;    /* COMMAND */
	const struct guard_state *guard;  /* GUARD */
	struct confdoc *confdoc;          /* CONFIG: the local file's document; agent takes it */
};

const char *event_type_name(enum event_type type);

#endif
