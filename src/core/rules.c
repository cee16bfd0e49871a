/* SPDX-License-Identifier: PostgreSQL */
/*
 * rules - THE table: situations -> what to do, and why
 */
#include "core/rules.h"

#define L(v)  IS(LEADER_##v)
#define LS(v) IS(LEASE_##v)
#define P(v)  IS(SPG_##v)
#define R(v)  IS(SROLE_##v)
#define D(v)  IS(DATA_##v)
#define J(v)  IS(JOB_##v)
#define M(v)  IS(MODE_##v)
#define K(v)  IS(RANK_##v)
#define A(v)  IS(ASK_##v)
#define S(v)  IS(STORE_##v)

#define FENCED     (((1U << ASK__MAX) - 1) & ~A(FENCE))

#define RUNNING    (P(STARTING) | P(UP) | P(SILENT) | P(STOPPING))
#define MAY_WRITE  (R(PRIMARY) | R(UNKNOWN))
#define NOT_PAUSED (M(AUTO) | M(SHUTDOWN))
#define PROVEN     (LS(HELD) | LS(FADING) | LS(FAILSAFE) | LS(ENDING))
#define SURE       (LS(HELD) | LS(FADING) | LS(FAILSAFE))
#define NO_KEY     (L(RECENT) | L(VACANT))
#define TRUSTED    (S(UNKNOWN) | S(FRESH) | S(PENDING) | S(MINE) | S(LIVE))
#define LEADERLESS (L(RECENT) | L(VACANT) | L(STALE))

/* clang-format off */
static const struct rule rules[] = {
	/* ---- 1xx: fence ------------------------------------------------------------------ */
	{ .id = 100, .name = "hung",
	  .leader = L(ME) | LEADERLESS, .pg = RUNNING | P(LEFTOVERS), .mode = NOT_PAUSED,
	  .ask = A(HUNG),
	  .pg_verb = PGV_KILL, .lease_verb = LV_LAPSE,
	  .why = "Postgres hangs, or its disk stands still, for longer than fence.hung_after: "
		 "all of it is killed, and the lease is not renewed until it is dead" },
	{ .id = 101, .name = "kill-leftovers",
	  .pg = P(LEFTOVERS), .mode = NOT_PAUSED,
	  .pg_verb = PGV_KILL, .lease_verb = LV_KEEP,
	  .why = "the postmaster is gone but processes of it live, and may go on committing" },
	{ .id = 102, .name = "hung-lapse",
	  .leader = L(ME) | LEADERLESS, .pg = P(DOWN), .mode = NOT_PAUSED, .ask = A(HUNG),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_LAPSE,
	  .why = "the disk still stands still: what this member holds runs out" },
	{ .id = 110, .name = "another-leads",
	  .leader = L(OTHER), .pg = RUNNING, .role = MAY_WRITE, .mode = NOT_PAUSED,
	  .pg_verb = PGV_KILL, .lease_verb = LV_LAPSE,
	  .why = "another member leads and this Postgres may take writes" },
	{ .id = 111, .name = "lease-over",
	  .lease = LS(OVER), .pg = RUNNING, .role = MAY_WRITE, .mode = NOT_PAUSED,
	  .pg_verb = PGV_KILL, .lease_verb = LV_LAPSE,
	  .why = "the lease could not be proven in time" },
	{ .id = 112, .name = "lease-ending",
	  .lease = LS(ENDING), .pg = RUNNING, .role = MAY_WRITE, .mode = NOT_PAUSED,
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "the lease ends soon and could not be proven again" },
	{ .id = 113, .name = "no-lease",
	  .lease = LS(NONE), .pg = RUNNING, .role = MAY_WRITE, .mode = NOT_PAUSED,
	  .pg_verb = PGV_KILL, .lease_verb = LV_KEEP,
	  .why = "Postgres may take writes and no lease allows it" },

	/* ---- 2xx: operator --------------------------------------------------------------- */
	{ .id = 201, .name = "handover-seek",
	  .leader = L(ME), .lease = LS(HELD) | LS(FADING), .pg = P(UP), .role = R(PRIMARY),
	  .rank = K(UNKNOWN), .ask = A(SEEK),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP, .more = MV_VOTES,
	  .why = "asked to hand over, asking the others where they are" },
	{ .id = 202, .name = "handover-prepare",
	  .leader = L(ME), .lease = LS(HELD) | LS(FADING), .pg = P(UP), .role = R(PRIMARY),
	  .ask = A(PREPARE),
	  .pg_verb = PGV_CHECKPOINT, .lease_verb = LV_KEEP,
	  .why = "a checkpoint now makes the stop short, while writes still go on" },
	{ .id = 203, .name = "handover-stop",
	  .leader = L(ME), .lease = PROVEN, .pg = RUNNING, .ask = A(HANDOVER),
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "stopping so that the successor can receive everything" },
	{ .id = 204, .name = "handover-give",
	  .leader = L(ME), .lease = PROVEN, .pg = P(DOWN), .ask = A(HANDOVER),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "Postgres has ended, the successor may take the key" },
	{ .id = 205, .name = "handover-pause",
	  .leader = L(ME), .lease = LS(HELD) | LS(FADING), .pg = P(UP), .role = R(PRIMARY),
	  .ask = A(PAUSE),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP, .more = MV_PAUSE,
	  .why = "clients of PgBouncer wait from now on, and lose no connection by the stop" },
	{ .id = 210, .name = "shutdown-stop",
	  .pg = RUNNING, .mode = M(SHUTDOWN),
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "the agent was told to end" },
	{ .id = 211, .name = "shutdown-cancel",
	  .pg = P(DOWN), .job = J(BUSY), .mode = M(SHUTDOWN),
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "the agent was told to end, the job under way is cancelled" },
	{ .id = 212, .name = "shutdown-release",
	  .leader = L(ME), .lease = PROVEN, .pg = P(DOWN), .mode = M(SHUTDOWN),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "the agent ends, Postgres has ended, others may lead" },
	{ .id = 213, .name = "shutdown-quit",
	  .pg = P(DOWN), .job = J(IDLE), .mode = M(SHUTDOWN),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_LAPSE, .more = MV_QUIT,
	  .why = "Postgres has ended and nothing is held" },
	{ .id = 219, .name = "shutdown-wait",
	  .mode = M(SHUTDOWN),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "the agent ends as soon as the stop is complete" },
	{ .id = 220, .name = "paused-promote",
	  .leader = L(ME), .lease = LS(HELD), .pg = P(UP), .role = R(REPLICA), .job = J(IDLE),
	  .mode = M(PAUSED), .ask = A(TAKE), .store = TRUSTED,
	  .pg_verb = PGV_PROMOTE, .lease_verb = LV_KEEP,
	  .why = "an operator named this member, the lease is held" },
	{ .id = 221, .name = "restart-stop",
	  .pg = RUNNING, .job = J(IDLE) | J(STOPPING), .ask = A(RESTART),
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "an operator asked for a restart" },
	{ .id = 222, .name = "paused-restart-primary",
	  .leader = L(ME), .lease = LS(HELD), .pg = P(DOWN), .data = D(READY) | D(BOOT),
	  .job = J(IDLE), .mode = M(PAUSED), .ask = A(RESTART), .store = TRUSTED,
	  .pg_verb = PGV_START_PRIMARY, .lease_verb = LV_KEEP,
	  .why = "an operator asked for a restart, the lease is held" },
	{ .id = 223, .name = "paused-restart-standby",
	  .leader = L(OTHER) | L(VACANT) | L(RECENT) | L(STALE), .pg = P(DOWN),
	  .data = D(READY) | D(CHECK), .job = J(IDLE), .mode = M(PAUSED), .ask = A(RESTART),
	  .pg_verb = PGV_START_STANDBY, .lease_verb = LV_KEEP,
	  .why = "an operator asked for a restart" },
	{ .id = 224, .name = "reinit-stop",
	  .leader = L(OTHER), .pg = RUNNING, .role = R(REPLICA), .job = J(IDLE) | J(STOPPING),
	  .ask = A(REINIT), .store = S(LIVE),
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "an operator asked for a new copy of the data" },
	{ .id = 225, .name = "reinit-clone",
	  .leader = L(OTHER), .pg = P(DOWN), .job = J(IDLE), .ask = A(REINIT), .store = S(LIVE),
	  .pg_verb = PGV_CLONE, .lease_verb = LV_KEEP,
	  .why = "an operator asked for a new copy of the data" },
	{ .id = 229, .name = "paused-fence",
	  .leader = L(ME), .lease = LS(HELD) | LS(FADING), .pg = P(UP), .role = R(REPLICA),
	  .job = J(IDLE), .mode = M(PAUSED), .ask = A(FENCE), .store = TRUSTED,
	  .pg_verb = PGV_FENCE, .lease_verb = LV_KEEP,
	  .why = "an operator named this member, the old leader is fenced first" },
	{ .id = 230, .name = "paused-adopt",
	  .leader = L(ME), .lease = LS(NONE) | LS(ADOPT), .pg = P(UP), .role = R(PRIMARY),
	  .mode = M(PAUSED), .store = TRUSTED,
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_ADOPT,
	  .why = "the key names this running primary, proving it" },
	{ .id = 231, .name = "paused-acquire",
	  .leader = L(VACANT), .pg = P(UP), .role = R(PRIMARY), .mode = M(PAUSED), .store = S(LIVE),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_ACQUIRE,
	  .why = "paused, and this primary runs without a key" },
	{ .id = 232, .name = "paused-candidate",
	  .leader = L(VACANT), .lease = LS(NONE), .pg = P(UP), .role = R(REPLICA),
	  .job = J(IDLE), .mode = M(PAUSED), .rank = K(BEST), .store = S(LIVE),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_ACQUIRE,
	  .why = "an operator named this member as the next leader" },
	{ .id = 233, .name = "paused-drop",
	  .leader = L(ME), .lease = PROVEN, .pg = P(DOWN), .job = J(IDLE), .mode = M(PAUSED),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "paused, and no Postgres runs here that the key could stand for" },
	{ .id = 234, .name = "paused-drop-standby",
	  .leader = L(ME), .lease = PROVEN, .pg = P(UP), .role = R(REPLICA), .job = J(IDLE),
	  .mode = M(PAUSED),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "paused, and Postgres runs as a standby here" },
	{ .id = 235, .name = "paused-follow",
	  .leader = L(OTHER), .pg = P(UP), .role = R(REPLICA), .job = J(IDLE), .mode = M(PAUSED),
	  .pg_verb = PGV_FOLLOW, .lease_verb = LV_KEEP,
	  .why = "the cluster is paused, and this standby goes on following the leader" },
	{ .id = 239, .name = "paused",
	  .mode = M(PAUSED),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "the cluster is paused: nothing is started, stopped or promoted" },

	/* ---- 3xx: leading ---------------------------------------------------------------- */
	{ .id = 301, .name = "busy",
	  .job = J(BUSY),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "an operation on Postgres is under way" },
	{ .id = 302, .name = "stopping",
	  .job = J(STOPPING),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "Postgres is being stopped" },
	{ .id = 303, .name = "being-stopped",
	  .pg = P(STOPPING),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "Postgres is shutting down by itself or by somebody's hand" },
	{ .id = 304, .name = "regressed-serve",
	  .pg = P(DOWN), .data = D(READY), .store = S(REGRESSED),
	  .pg_verb = PGV_START_STANDBY, .lease_verb = LV_KEEP,
	  .why = "etcd was wiped or restored: as a standby this member can still serve reads" },
	{ .id = 305, .name = "store-regressed",
	  .store = S(REGRESSED),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "etcd was wiped or restored: nothing is promoted, made or copied until an "
		 "operator accepts it (hactl dcs accept)" },
	{ .id = 306, .name = "raise-settings",
	  .pg = P(UP), .role = R(REPLICA), .ask = A(RAISE),
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "replay waits for settings as high as the primary's, which a restart brings" },
	{ .id = 307, .name = "crash-hand-over",
	  .leader = L(ME), .lease = PROVEN, .pg = P(DOWN), .rank = K(BEST), .ask = A(CRASH),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "Postgres crashed here, and another member has every commit" },
	{ .id = 308, .name = "give-back",
	  .leader = L(ME), .lease = PROVEN, .pg = P(UP), .role = R(REPLICA), .ask = A(RELEASE),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "the standby here could not become the primary, another member can lead" },
	{ .id = 309, .name = "crash-look",
	  .leader = L(ME), .lease = PROVEN, .pg = P(DOWN), .ask = A(CRASH),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP, .more = MV_HEIR,
	  .why = "Postgres crashed here, looking for a member that has every commit" },
	{ .id = 310, .name = "give-up-stop",
	  .leader = L(ME), .lease = PROVEN, .pg = P(STARTING) | P(UP) | P(SILENT),
	  .ask = A(RELEASE),
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "this primary did not become usable in time, another member can lead" },
	{ .id = 311, .name = "give-up",
	  .leader = L(ME), .lease = PROVEN, .pg = P(DOWN), .ask = A(RELEASE),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "this primary did not become usable in time, another member can lead" },
	{ .id = 318, .name = "unfit-leader",
	  .leader = L(ME), .lease = PROVEN, .pg = P(UP), .role = R(REPLICA),
	  .data = D(REWIND) | D(REPLACE) | D(STUCK) | D(FOREIGN),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "the standby here cannot lead this cluster" },
	{ .id = 319, .name = "unfit-data",
	  .leader = L(ME), .lease = PROVEN, .pg = P(DOWN),
	  .data = D(EMPTY) | D(REWIND) | D(REPLACE) | D(STUCK) | D(FOREIGN),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_RELEASE,
	  .why = "the data here cannot lead this cluster" },
	{ .id = 320, .name = "finish-bootstrap",
	  .leader = L(ME), .lease = LS(HELD) | LS(FADING), .pg = P(UP), .role = R(PRIMARY),
	  .data = D(BOOT),
	  .pg_verb = PGV_POST_BOOTSTRAP, .lease_verb = LV_KEEP,
	  .why = "the new cluster still lacks its roles and the operator's script" },
	{ .id = 321, .name = "lead",
	  .leader = L(ME), .lease = LS(HELD), .pg = P(UP), .role = R(PRIMARY),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "the lease is proven and this primary serves" },
	{ .id = 322, .name = "lead-fading",
	  .leader = L(ME), .lease = LS(FADING), .pg = P(UP), .role = R(PRIMARY),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "the lease was not proven for half a term, asking every etcd member" },
	{ .id = 323, .name = "promote",
	  .leader = L(ME), .lease = LS(HELD), .pg = P(UP), .role = R(REPLICA),
	  .data = D(READY) | D(BOOT), .ask = FENCED,
	  .pg_verb = PGV_PROMOTE, .lease_verb = LV_KEEP,
	  .why = "the lease is held and this standby leads" },
	{ .id = 324, .name = "start-as-leader",
	  .leader = L(ME), .lease = LS(HELD), .pg = P(DOWN), .data = D(READY) | D(BOOT),
	  .ask = FENCED,
	  .pg_verb = PGV_START_PRIMARY, .lease_verb = LV_KEEP,
	  .why = "the lease is held and the primary is down" },
	{ .id = 325, .name = "fence-first",
	  .leader = L(ME), .lease = LS(HELD) | LS(FADING), .pg = P(UP), .role = R(REPLICA),
	  .data = D(READY) | D(BOOT), .ask = A(FENCE),
	  .pg_verb = PGV_FENCE, .lease_verb = LV_KEEP,
	  .why = "the old leader gave no proof that its Postgres ended: fence.command runs" },
	{ .id = 326, .name = "start-to-fence",
	  .leader = L(ME), .lease = LS(HELD), .pg = P(DOWN), .data = D(READY) | D(BOOT),
	  .ask = A(FENCE),
	  .pg_verb = PGV_START_STANDBY, .lease_verb = LV_KEEP,
	  .why = "the lease is held, the old leader is fenced before anything is opened here" },
	{ .id = 327, .name = "lead-failsafe",
	  .leader = L(ME) | L(UNKNOWN), .lease = LS(FAILSAFE), .pg = P(UP), .role = R(PRIMARY),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "etcd cannot be reached, and the members that matter promised not to take over" },
	{ .id = 329, .name = "lead-wait",
	  .leader = L(ME), .lease = PROVEN,
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "the lease is held, waiting for Postgres or for the next proof" },
	{ .id = 330, .name = "adopt",
	  .leader = L(ME), .lease = LS(NONE) | LS(ADOPT), .data = D(READY) | D(BOOT),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_ADOPT,
	  .why = "the key names this member, proving it before it counts" },
	{ .id = 331, .name = "lapse",
	  .leader = L(ME),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_LAPSE,
	  .why = "the key names this member, which cannot lead: it runs out" },

	/* ---- 4xx: election --------------------------------------------------------------- */
	{ .id = 401, .name = "recreate",
	  .leader = NO_KEY, .lease = SURE, .pg = P(UP), .role = R(PRIMARY),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_ACQUIRE,
	  .why = "the key vanished early while the term still runs, writing it again" },
	{ .id = 402, .name = "acquire-running",
	  .leader = L(VACANT), .lease = LS(ADOPT), .pg = P(UP), .role = R(PRIMARY),
	  .data = D(READY) | D(BOOT), .store = S(LIVE),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_ACQUIRE,
	  .why = "nobody leads and a primary was found running here" },
	{ .id = 403, .name = "enrol-running",
	  .leader = L(VACANT), .lease = LS(ADOPT), .pg = P(UP), .role = R(PRIMARY),
	  .data = D(READY), .store = S(FRESH),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP, .more = MV_ENROL,
	  .why = "etcd knows no cluster yet and a primary was found running here" },
	{ .id = 404, .name = "adopt-wait",
	  .leader = LEADERLESS | L(UNKNOWN), .lease = LS(ADOPT), .pg = RUNNING, .role = MAY_WRITE,
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "a primary was found running, it has a moment to be adopted" },
	{ .id = 405, .name = "key-lost",
	  .leader = LEADERLESS, .lease = SURE, .pg = RUNNING, .role = MAY_WRITE,
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "the key is gone while the term still runs, Postgres does not answer" },
	{ .id = 410, .name = "start-leaderless",
	  .leader = LEADERLESS, .pg = P(DOWN), .data = D(READY) | D(BOOT), .store = S(LIVE),
	  .pg_verb = PGV_START_STANDBY, .lease_verb = LV_KEEP,
	  .why = "nobody leads: as a standby this member can take part in the election" },
	{ .id = 411, .name = "fetch",
	  .leader = L(VACANT) | L(STALE), .pg = P(UP), .role = R(REPLICA), .rank = K(FETCH),
	  .store = S(LIVE),
	  .pg_verb = PGV_FETCH, .lease_verb = LV_KEEP,
	  .why = "nobody leads, and a member that lost etcd has more WAL: it is received first" },
	{ .id = 420, .name = "take-over",
	  .leader = L(STALE), .pg = P(UP), .role = R(REPLICA), .rank = K(BEST), .store = S(LIVE),
	  .pg_verb = PGV_SEAL, .lease_verb = LV_TAKEOVER,
	  .why = "the leader was silent for a whole term, this member is the best placed" },
	{ .id = 421, .name = "acquire",
	  .leader = L(VACANT), .lease = LS(NONE), .pg = P(UP), .role = R(REPLICA),
	  .data = D(READY) | D(BOOT), .rank = K(BEST), .store = S(LIVE),
	  .pg_verb = PGV_SEAL, .lease_verb = LV_ACQUIRE,
	  .why = "nobody leads and this member is the best placed" },
	{ .id = 422, .name = "ask-votes",
	  .leader = LEADERLESS, .pg = P(UP), .role = R(REPLICA), .rank = K(UNKNOWN),
	  .store = S(LIVE),
	  .pg_verb = PGV_SEAL, .lease_verb = LV_KEEP, .more = MV_VOTES,
	  .why = "nobody leads, asking the others where they are" },
	{ .id = 423, .name = "wait-turn",
	  .leader = LEADERLESS, .pg = P(UP), .role = R(REPLICA), .store = S(LIVE),
	  .pg_verb = PGV_SEAL, .lease_verb = LV_KEEP,
	  .why = "nobody leads, and it is not this member's turn" },
	{ .id = 430, .name = "lead-new-cluster",
	  .leader = L(VACANT), .lease = LS(NONE), .pg = P(DOWN), .data = D(BOOT),
	  .store = S(MINE), .ask = A(NONE) | A(SEEK) | A(RESTART) | A(REINIT),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_ACQUIRE,
	  .why = "the new cluster is made here, it starts under a lease" },

	/* ---- 5xx: following -------------------------------------------------------------- */
	{ .id = 500, .name = "clone",
	  .leader = L(OTHER), .pg = P(DOWN), .data = D(EMPTY), .store = S(LIVE),
	  .pg_verb = PGV_CLONE, .lease_verb = LV_KEEP,
	  .why = "there is no data here yet" },
	{ .id = 501, .name = "clone-later",
	  .leader = L(OTHER), .pg = P(DOWN), .data = D(EMPTY),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "there is no data here yet, the new cluster is not ready to be copied" },
	{ .id = 502, .name = "check-ancestry",
	  .leader = L(OTHER), .pg = P(DOWN), .data = D(CHECK),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP, .more = MV_ANCESTRY,
	  .why = "the leader's history decides how this data can follow it" },
	{ .id = 503, .name = "start-standby",
	  .leader = L(OTHER), .pg = P(DOWN), .data = D(READY) | D(BOOT),
	  .pg_verb = PGV_START_STANDBY, .lease_verb = LV_KEEP,
	  .why = "another member leads and this data can follow it" },
	{ .id = 504, .name = "rewind",
	  .leader = L(OTHER), .pg = P(DOWN), .data = D(REWIND),
	  .pg_verb = PGV_REWIND, .lease_verb = LV_KEEP,
	  .why = "this data went another way than the leader's, pg_rewind can mend it" },
	{ .id = 505, .name = "replace",
	  .leader = L(OTHER), .pg = P(DOWN), .data = D(REPLACE), .store = S(LIVE),
	  .pg_verb = PGV_CLONE, .lease_verb = LV_KEEP,
	  .why = "this data cannot follow the leader or be rewound, a new copy replaces it" },
	{ .id = 506, .name = "stuck",
	  .leader = L(OTHER), .pg = P(DOWN), .data = D(STUCK),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "this data went another way and may not be replaced: reinit it, or allow "
		 "use_pg_rewind, remove_data_directory_on_rewind_failure or "
		 "remove_data_directory_on_diverged_timelines" },
	{ .id = 507, .name = "foreign",
	  .leader = L(OTHER), .data = D(FOREIGN),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "the data here belongs to another cluster or is no data directory" },
	{ .id = 510, .name = "stop-to-mend",
	  .leader = L(OTHER), .pg = P(STARTING) | P(UP) | P(SILENT), .role = R(REPLICA),
	  .data = D(REWIND) | D(REPLACE),
	  .pg_verb = PGV_STOP_FAST, .lease_verb = LV_KEEP,
	  .why = "this standby cannot follow the leader as it is, it stops to be mended" },
	{ .id = 511, .name = "follow-check",
	  .leader = L(OTHER), .pg = P(UP), .role = R(REPLICA), .data = D(CHECK),
	  .pg_verb = PGV_FOLLOW, .lease_verb = LV_KEEP, .more = MV_ANCESTRY,
	  .why = "this standby does not stream, the leader's past and WAL tell whether it can" },
	{ .id = 512, .name = "follow",
	  .leader = L(OTHER), .pg = P(UP), .role = R(REPLICA),
	  .pg_verb = PGV_FOLLOW, .lease_verb = LV_KEEP,
	  .why = "another member leads" },
	{ .id = 519, .name = "follow-wait",
	  .leader = L(OTHER),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "another member leads, waiting for Postgres here" },

	{ .id = 520, .name = "etcd-silent-standby",
	  .leader = L(UNKNOWN), .pg = P(UP), .role = R(REPLICA),
	  .pg_verb = PGV_SEAL, .lease_verb = LV_KEEP,
	  .why = "etcd was not read yet, or has been silent for a term: this standby goes on" },

	/* ---- 6xx: bootstrap -------------------------------------------------------------- */
	{ .id = 600, .name = "serve-reads",
	  .leader = L(UNKNOWN), .pg = P(DOWN), .data = D(READY), .store = S(LIVE),
	  .pg_verb = PGV_START_STANDBY, .lease_verb = LV_KEEP,
	  .why = "etcd is silent: as a standby this member can still serve reads" },
	{ .id = 601, .name = "etcd-silent",
	  .leader = L(UNKNOWN),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "etcd was not read yet, or has been silent for a whole term" },
	{ .id = 609, .name = "discard-bootstrap",
	  .pg = P(DOWN), .data = D(BOOT), .ask = A(RELEASE), .store = S(MINE),
	  .pg_verb = PGV_DISCARD, .lease_verb = LV_KEEP,
	  .why = "the bootstrap failed here, what it made is removed before another may try" },
	{ .id = 610, .name = "race",
	  .leader = L(VACANT), .pg = P(DOWN), .data = D(EMPTY) | D(BOOT), .store = S(FRESH),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP, .more = MV_RACE,
	  .why = "there is no cluster yet, racing to make one" },
	{ .id = 611, .name = "give-race-back",
	  .ask = A(RELEASE), .store = S(MINE),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP, .more = MV_UNRACE,
	  .why = "the bootstrap failed here, another member may try" },
	{ .id = 612, .name = "initdb",
	  .leader = L(VACANT), .pg = P(DOWN), .data = D(EMPTY), .store = S(MINE),
	  .pg_verb = PGV_INITDB, .lease_verb = LV_KEEP,
	  .why = "this member won the race to make the cluster" },
	{ .id = 613, .name = "enrol",
	  .leader = L(VACANT), .pg = P(DOWN), .data = D(READY), .store = S(FRESH),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP, .more = MV_ENROL,
	  .why = "etcd knows no cluster and this data was a primary's" },
	{ .id = 614, .name = "await-bootstrap",
	  .store = S(PENDING),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "another member has to make the cluster, or bring its data along" },
	{ .id = 615, .name = "await-leader",
	  .leader = LEADERLESS, .pg = P(DOWN), .data = D(EMPTY), .store = S(LIVE),
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "there is no data here and no leader to copy from" },
	{ .id = 699, .name = "idle",
	  .pg_verb = PGV_LEAVE, .lease_verb = LV_KEEP,
	  .why = "nothing can be done at this moment" },
};
/* clang-format on */

static const char *const pg_verbs[PGV__MAX] = {
#define X(n, t) [PGV_##n] = t,
	PG_VERBS(X)
#undef X
};

static const char *const lease_verbs[LV__MAX] = {
#define X(n, t) [LV_##n] = t,
	LEASE_VERBS(X)
#undef X
};

static const char *const more_verbs[MV__MAX] = {
#define X(n, t) [MV_##n] = t,
	MORE_VERBS(X)
#undef X
};

const char *rules_pg_verb_name(enum pg_verb verb)
{
	return pg_verbs[verb];
}

const char *rules_lease_verb_name(enum lease_verb verb)
{
	return lease_verbs[verb];
}

const char *rules_more_verb_name(enum more_verb verb)
{
	return more_verbs[verb];
}

size_t rules_count(void)
{
	return ARRAY_LEN(rules);
}

const struct rule *rules_at(size_t index)
{
	return &rules[index];
}

const struct rule *rules_by_id(uint16_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].id == id)
			return &rules[i];
	return NULL;
}

static uint64_t put(uint64_t bits, uint32_t *shift, uint32_t width, uint32_t mask)
{
	bits |= (uint64_t)mask << *shift;
	*shift += width;
	return bits;
}

static uint32_t all(uint32_t mask, uint32_t width)
{
	return mask != 0 ? mask : (UINT32_C(1) << width) - 1;
}

uint64_t rules_bits(const struct situation *s)
{
	uint32_t shift = 0;
	uint64_t bits = 0;

	bits = put(bits, &shift, LEADER__MAX, IS(s->leader));
	bits = put(bits, &shift, LEASE__MAX, IS(s->lease));
	bits = put(bits, &shift, SPG__MAX, IS(s->pg));
	bits = put(bits, &shift, SROLE__MAX, IS(s->role));
	bits = put(bits, &shift, DATA__MAX, IS(s->data));
	bits = put(bits, &shift, JOB__MAX, IS(s->job));
	bits = put(bits, &shift, MODE__MAX, IS(s->mode));
	bits = put(bits, &shift, RANK__MAX, IS(s->rank));
	bits = put(bits, &shift, ASK__MAX, IS(s->ask));
	bits = put(bits, &shift, STORE__MAX, IS(s->store));
	return bits;
}

uint64_t rules_mask(const struct rule *r)
{
	uint32_t shift = 0;
	uint64_t bits = 0;

	bits = put(bits, &shift, LEADER__MAX, all(r->leader, LEADER__MAX));
	bits = put(bits, &shift, LEASE__MAX, all(r->lease, LEASE__MAX));
	bits = put(bits, &shift, SPG__MAX, all(r->pg, SPG__MAX));
	bits = put(bits, &shift, SROLE__MAX, all(r->role, SROLE__MAX));
	bits = put(bits, &shift, DATA__MAX, all(r->data, DATA__MAX));
	bits = put(bits, &shift, JOB__MAX, all(r->job, JOB__MAX));
	bits = put(bits, &shift, MODE__MAX, all(r->mode, MODE__MAX));
	bits = put(bits, &shift, RANK__MAX, all(r->rank, RANK__MAX));
	bits = put(bits, &shift, ASK__MAX, all(r->ask, ASK__MAX));
	bits = put(bits, &shift, STORE__MAX, all(r->store, STORE__MAX));
	return bits;
}

bool rules_matches(const struct rule *rule, const struct situation *situation)
{
	uint64_t bits = rules_bits(situation);

	return (bits & rules_mask(rule)) == bits;
}

const struct rule *rules_match(const struct situation *situation)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(rules) && !rules_matches(&rules[i], situation))
		i++;
	return &rules[i];
}
