/* SPDX-License-Identifier: PostgreSQL */
/*
 * situation - the view reduced to one small enum per dimension
 *
 * Leader is a claim (what etcd says), lease is a proof (what our own clock and a committed write
 * say); pg is whether it answers, role is what it may do. Each has an honest "unknown" where the
 * world can hide.
 */
#ifndef PGHA_CORE_SITUATION_H
#define PGHA_CORE_SITUATION_H

#include "core/rank.h"
#include "core/view.h"

#define LEADERS(X)                                                                     \
	X(UNKNOWN, "unknown") /* etcd was never read, or has been silent for a term */ \
	X(RECENT, "recent")   /* key absent, but its holder's term may still run */    \
	X(VACANT, "vacant")   /* key absent and the takeover rule holds */             \
	X(STALE, "stale")     /* key present, its beat silent for a full term */       \
	X(OTHER, "other")                                                              \
	X(ME, "me")

#define PGS(X)                                                               \
	X(DOWN, "down")           /* no process of it exists */              \
	X(LEFTOVERS, "leftovers") /* dead postmaster, living processes */    \
	X(STARTING, "starting")                                              \
	X(UP, "up")                                                          \
	X(SILENT, "silent")       /* runs, or may run, and does not answer */ \
	X(STOPPING, "stopping")

#define ROLES(X)              \
	X(UNKNOWN, "unknown") \
	X(REPLICA, "replica") \
	X(PRIMARY, "primary")

#define DATAS(X)                                                                       \
	X(UNKNOWN, "unknown")                                                          \
	X(EMPTY, "empty")                                                              \
	X(BOOT, "boot")       /* made by our initdb, roles and script still missing */ \
	X(READY, "ready")     /* may be started, may follow */                         \
	X(CHECK, "check")     /* the leader's history has to be asked for first */     \
	X(REWIND, "rewind")   /* diverged, pg_rewind is possible */                    \
	X(REPLACE, "replace") /* diverged or half rewound, may be cloned anew */       \
	X(STUCK, "stuck")     /* diverged, and no way back is allowed */               \
	X(FOREIGN, "foreign") /* of another cluster, or no data directory at all */

#define JOBS(X)         \
	X(IDLE, "idle") \
	X(BUSY, "busy") \
	X(STOPPING, "stopping")

#define MODES(X)            \
	X(AUTO, "auto")     \
	X(PAUSED, "paused") \
	X(SHUTDOWN, "shutdown")

#define ASKS(X)                                                                       \
	X(NONE, "none")                                                               \
	X(SEEK, "seek")         /* lead and hand over: no fit successor is known yet */ \
	X(PREPARE, "prepare")   /* lead and hand over: successor fit, checkpoint not done */ \
	X(PAUSE, "pause")       /* lead and hand over: clients of poolers do not wait yet */ \
	X(HANDOVER, "handover") /* lead and hand over: now */                         \
	X(RESTART, "restart")                                                         \
	X(REINIT, "reinit")                                                           \
	X(RELEASE, "release")   /* give up what we hold: leading or bootstrapping failed */ \
	X(FENCE, "fence")       /* we hold the lease, another has to be fenced first */   \
	X(RAISE, "raise")       /* a standby whose replay waits for higher settings */ \
	X(CRASH, "crash")       /* lead, Postgres crashed: who has all that was committed? */ \
	X(TAKE, "take")         /* we hold the lease in order to promote */ \
	X(HUNG, "hung")         /* what we hold runs out: Postgres hangs for too long */

#define STORES(X)                                                            \
	X(UNKNOWN, "unknown")                                                \
	X(FRESH, "fresh")     /* no initialize key, and we may found a cluster */ \
	X(PENDING, "pending") /* another member has to bootstrap */          \
	X(MINE, "mine")       /* we bootstrap */                             \
	X(LIVE, "live")                                                      \
	X(REGRESSED, "regressed") /* wiped, or restored: it knows less than we do */

#define X(n, t) LEADER_##n,
enum leader_claim { LEADERS(X) LEADER__MAX };
#undef X
#define X(n, t) SPG_##n,
enum situation_pg { PGS(X) SPG__MAX };
#undef X
#define X(n, t) SROLE_##n,
enum situation_role { ROLES(X) SROLE__MAX };
#undef X
#define X(n, t) DATA_##n,
enum situation_data { DATAS(X) DATA__MAX };
#undef X
#define X(n, t) JOB_##n,
enum situation_job { JOBS(X) JOB__MAX };
#undef X
#define X(n, t) ASK_##n,
enum situation_ask { ASKS(X) ASK__MAX };
#undef X
#define X(n, t) STORE_##n,
enum situation_store { STORES(X) STORE__MAX };
#undef X

struct situation {
	enum leader_claim leader;
	enum lease_state lease;
	enum situation_pg pg;
	enum situation_role role;
	enum situation_data data;
	enum situation_job job;
	enum mode mode;
	enum rank rank;
	enum situation_ask ask;
	enum situation_store store;
};

/* `verdict` receives what rank_me() or, for a leader that hands over, rank_successor() says. */
void situation_classify(const struct view *view, struct situation *ret, struct verdict *verdict);

/* "leader=me lease=held pg=up ..."; dst needs SITUATION_TEXT_MAX bytes. */
#define SITUATION_TEXT_MAX 256
const char *situation_text(const struct situation *situation, char dst[SITUATION_TEXT_MAX]);
const char *situation_leader_name(enum leader_claim leader);
const char *situation_mode_name(enum mode mode);

/* The leader has removed the WAL that comes next here, and nobody else brings it. */
bool situation_lacks_wal(const struct view *view);
/* The key is absent or stale, and by our own clock it may be taken. */
bool situation_may_take(const struct view *view);
/* A fence that is required has been missing for a term divided by `part`. */
#define GUARD_GRACE 4
bool situation_unguarded(const struct view *view, int64_t part);
/* With primary_start_timeout 0: what a start, a promotion or a restart of backends gets. */
#define CRASH_FLOOR_MS INT64_C(10000)
/* A leader whose server was started or promoted as often in a row and never served is done with. */
#define START_TRIES 3
/* Postgres may accept writes, as far as is known. */
bool situation_may_write(const struct situation *situation);

#endif
