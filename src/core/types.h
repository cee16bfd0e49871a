/* SPDX-License-Identifier: PostgreSQL */
/*
 * types - limits, and the flat value structs that the rooms pass around
 *
 * No pointers: a struct of this file can be copied with =, compared field by field, stored and
 * replayed. Unknown is an enum member of its own, never a zero that means no. Times named
 * _at_ms are CLOCK_BOOTTIME milliseconds of the local machine; 0 is "never". Positions (lsn) are
 * absolute byte positions in the WAL; 0 is "unknown", as in Postgres' InvalidXLogRecPtr.
 */
#ifndef PGHA_CORE_TYPES_H
#define PGHA_CORE_TYPES_H

#include "base/base.h"

#define NAME_SIZE    64  /* member and scope names: 63 bytes and the NUL */
#define MEMBERS_MAX  32  /* members of one cluster */
#define GONE_MAX     8   /* of them remembered after their key has gone */
#define URL_SIZE     320
#define HOST_SIZE    256
#define SYSID_SIZE   24  /* decimal 64-bit system identifier */
#define VERSION_SIZE 24
#define HISTORY_MAX  64  /* newest entries of a timeline history that are kept */
#define SLOTS_MAX    64  /* replication slots handled on one server */
#define REASON_SIZE  128
#define WHY_SIZE     224 /* of a rule of the table: each of them fits */

/* What the member key and REST call "state". The index is the number in /metrics and the text
 * is on the wire (Patroni 4.1.4, postgresql/misc.py); neither may change. */
#define MEMBER_STATES(X)                                                      \
	X(INITDB, "initializing new cluster")                                 \
	X(INITDB_FAILED, "initdb failed")                                     \
	X(CUSTOM_BOOTSTRAP, "running custom bootstrap script")                \
	X(CUSTOM_BOOTSTRAP_FAILED, "custom bootstrap failed")                 \
	X(CREATING_REPLICA, "creating replica")                               \
	X(RUNNING, "running")                                                 \
	X(STARTING, "starting")                                               \
	X(BOOTSTRAP_STARTING, "starting after custom bootstrap")              \
	X(START_FAILED, "start failed")                                       \
	X(RESTARTING, "restarting")                                           \
	X(RESTART_FAILED, "restart failed")                                   \
	X(STOPPING, "stopping")                                               \
	X(STOPPED, "stopped")                                                 \
	X(STOP_FAILED, "stop failed")                                         \
	X(CRASHED, "crashed")                                                 \
	X(UNKNOWN, "unknown")

enum member_state {
#define X(n, t) STATE_##n,
	MEMBER_STATES(X)
#undef X
	STATE__MAX
};

/* Role texts on the wire. "master" is read as primary and never written. */
#define MEMBER_ROLES(X)                    \
	X(UNKNOWN, "unknown")              \
	X(PRIMARY, "primary")              \
	X(REPLICA, "replica")              \
	X(STANDBY_LEADER, "standby_leader") \
	X(DEMOTED, "demoted")              \
	X(UNINITIALIZED, "uninitialized")  \
	X(PROMOTED, "promoted")

enum member_role {
#define X(n, t) MROLE_##n,
	MEMBER_ROLES(X)
#undef X
	MROLE__MAX
};

enum tristate { TRI_UNKNOWN = 0, TRI_NO, TRI_YES, TRI__MAX };

/* The tags that decisions look at; free-form tags travel as JSON text beside it. */
struct tags {
	bool nofailover;
	bool nosync;
	bool noloadbalance;
	bool clonefrom;
	bool nostream;
	int32_t failover_priority; /* default 1; <= 0 counts as nofailover */
	int32_t sync_priority;     /* default 1; <= 0 counts as nosync */
	char replicatefrom[NAME_SIZE]; /* "" none */
};

/* One member as its key in etcd tells. */
struct member {
	char name[NAME_SIZE];
	char host[HOST_SIZE]; /* of conn_url */
	uint16_t port;
	char api_url[URL_SIZE];
	char version[VERSION_SIZE];
	bool is_pgha; /* the key carries pgha's own object: this member writes and honours beats */
	int64_t sealed; /* the ballot under which it receives from nobody; 0: none */
	enum member_state state;
	enum member_role role;
	struct tags tags;
	uint64_t xlog_location_lsn;
	uint64_t receive_lsn;
	uint64_t replay_lsn;
	uint32_t timeline;
	enum tristate checkpoint_done; /* NO: checkpoint_after_promote=false, YES: absent, >= 4.0 */
	bool pause;
	bool pending_restart;
	bool streaming;            /* replication_state == "streaming" */
	bool in_archive_recovery;  /* replication_state == "in archive recovery" */
	int64_t lease_id;
	int64_t mod_revision;
};

enum init_key {
	INIT_UNKNOWN = 0, /* etcd was never read */
	INIT_ABSENT,
	INIT_PENDING, /* present and empty: somebody bootstraps */
	INIT_SET,     /* holds a system identifier */
	INIT_GARBAGE,
	INIT__MAX
};

/* pgha/release: written in the transaction that deletes the leader key, so it proves what it
 * says: the holder's Postgres had ended. Valid only for the epoch it names. */
struct release {
	bool present;
	char from[NAME_SIZE];
	char to[NAME_SIZE]; /* successor named by a hand-over; "" anybody */
	int64_t epoch;
	uint64_t lsn; /* end of the shutdown checkpoint record on disk of `from` */
	uint32_t timeline;
	int64_t mod_revision;
};

/* The `failover` key: a switchover or failover that an operator asked for. */
struct request {
	bool present;
	char leader[NAME_SIZE];    /* "" = failover */
	char candidate[NAME_SIZE]; /* "" = anybody */
	int64_t scheduled_at_us;   /* wall clock, microseconds since the epoch; 0 = now */
	int32_t scheduled_offset_min; /* of the zone that the operator wrote: for people */
	int64_t mod_revision;
};

/* A member that led and has not given the key back with proof that its Postgres ended. */
struct victim {
	char name[NAME_SIZE];
	char host[HOST_SIZE]; /* of its conn_url; "" not known */
	uint16_t port;
	char api_url[URL_SIZE];
	int64_t epoch; /* under which it led */
};

#define VICTIMS_MAX 4

/* pgha/fence: written only where a fence command is configured. It goes from leader to leader until
 * those that it names are fenced, or have given the key back themselves. */
struct victims {
	uint32_t n;
	struct victim items[VICTIMS_MAX]; /* oldest first; the leader itself stands last */
	int64_t mod_revision;             /* 0: there is no such key */
};

struct sync_key {
	bool present;
	char leader[NAME_SIZE];
	int32_t quorum;
	uint32_t nstandbys;
	char standbys[MEMBERS_MAX][NAME_SIZE];
	int64_t mod_revision;
};

/* The `failsafe` key: the members whose promises let a leader stay while etcd is away. Nobody else
 * takes the key while that is so. */
struct failsafe_key {
	bool present;
	uint8_t mark; /* pgha/failsafe, beside it: enum failsafe_mode that a leader lives by */
	uint32_t n;
	char names[MEMBERS_MAX][NAME_SIZE];
	int64_t mod_revision; /* 0: there is no such key */
};

/* A standby whose key has gone while it ran: its agent has lost etcd, or it is dead. Its Postgres
 * may go on receiving, and confirming, all the same. */
struct gone_member {
	char name[NAME_SIZE];
	char host[HOST_SIZE];
	uint16_t port;
	char api_url[URL_SIZE];
	bool is_pgha;
};

/* The cluster as etcd tells it: claims, no proofs. */
struct cluster {
	int64_t revision; /* newest etcd revision folded in; 0 = never read */
	enum init_key init;
	char sysid[SYSID_SIZE];
	int64_t init_mod_revision;

	bool leader_known; /* false until the first complete read */
	char leader[NAME_SIZE]; /* "" = no leader key */
	int64_t leader_epoch;   /* create revision of the leader key; 0 without one */
	int64_t leader_mod_revision;
	int64_t leader_lease_id;

	bool beat_present;
	int64_t beat_epoch;
	int64_t beat_mod_revision;

	struct release release;
	struct victims fence;
	struct request request;
	struct sync_key sync;
	struct failsafe_key failsafe;

	uint64_t status_optime_lsn; /* last position the leader published; 0 unknown */
	uint32_t history_timeline;  /* cluster timeline by `history`: last entry + 1; 0 unknown */
	uint32_t begun_timeline; /* newest number that a promotion may have begun; 0: not known */
	char begun_by[NAME_SIZE]; /* the agent's start that took it */
	int64_t begun_mod_revision; /* 0: there is no such key */
	bool config_present;
	int64_t config_mod_revision;

	uint32_t nmembers;
	struct member members[MEMBERS_MAX]; /* sorted by name */

	uint32_t ngone;
	struct gone_member gone[GONE_MAX]; /* oldest first; as this life of the agent saw them go */
};

enum pg_run {
	PG_UNKNOWN = 0, /* not looked at yet */
	PG_DOWN,        /* no process of this data directory exists; or the last ones are leaving,
			 * and a primary's shutdown checkpoint is on disk */
	PG_LEFTOVERS,   /* the postmaster is gone, some of its processes are not */
	PG_STARTING,    /* postmaster runs, answers "the database system is starting up" */
	PG_UP,          /* answered a query within the probe deadline */
	PG_SILENT,      /* postmaster runs and does not answer: it may still take writes */
	PG_STOPPING,    /* a stop was requested, processes remain */
	PG_RUN__MAX
};

enum pg_role {
	ROLE_UNKNOWN = 0,
	ROLE_REPLICA, /* in recovery, seen in this life of the postmaster */
	ROLE_PRIMARY, /* not in recovery, or started/promoted so that it may be */
	ROLE__MAX
};

/* "Database cluster state" of pg_controldata. */
enum pg_control {
	CONTROL_UNKNOWN = 0,
	CONTROL_STARTING_UP,
	CONTROL_SHUT_DOWN,
	CONTROL_SHUT_DOWN_IN_RECOVERY,
	CONTROL_SHUTTING_DOWN,
	CONTROL_IN_CRASH_RECOVERY,
	CONTROL_IN_ARCHIVE_RECOVERY,
	CONTROL_IN_PRODUCTION,
	CONTROL__MAX
};

enum data_dir {
	DIR_UNKNOWN = 0,
	DIR_EMPTY,   /* missing or without files */
	DIR_PRESENT, /* holds a data directory with a readable control file */
	DIR_HALF,    /* marked as being rewound: may only be replaced */
	DIR_BROKEN,  /* files that are no usable data directory: never touched automatically */
	DIR__MAX
};

/* Whether new sessions come in: each time asked by a connection of its own. */
#define DOORS(X)                                                                       \
	X(UNKNOWN, "unknown") /* not asked: no postmaster that is ready */             \
	X(OPEN, "open")                                                                \
	X(FULL, "full")       /* an answer: every connection slot is taken */          \
	X(CLOSED, "closed")   /* nobody listens where it should */                     \
	X(SILENT, "silent")   /* no answer in time */                                  \
	X(STOPPED, "stopped") /* nor can there be: the postmaster's process is stopped */

enum pg_door {
#define X(n, t) DOOR_##n,
	DOORS(X)
#undef X
	DOOR__MAX
};

/* Whether a small file can be written durably where the WAL lies. */
#define DISKS(X)                                                                   \
	X(UNKNOWN, "unknown")                                                      \
	X(OK, "ok")                                                                \
	X(FULL, "full")       /* no room for another segment of WAL */             \
	X(FAILED, "failed")   /* an error of the device, or it is read-only */     \
	X(STALLED, "stalled") /* a write does not end */

enum pg_disk {
#define X(n, t) DISK_##n,
	DISKS(X)
#undef X
	DISK__MAX
};

struct vitals {
	enum pg_door door;
	enum pg_disk disk;
	/* Since when; of a door that is silent: when the first connection without an answer
	 * left, of a stalled disk: when its write began. */
	int64_t door_since_at_ms;
	int64_t disk_since_at_ms;
	int64_t disk_took_ms; /* the newest write that ended */
	uint64_t disk_size_bytes; /* of the file system, at that write; 0 unknown */
	uint64_t disk_free_bytes; /* for who is not root */
	char disk_error[64];  /* FULL, FAILED: as the kernel says it */
};

#define SETTING_SIZE       256
#define SETTING_CHANGES_MAX 32

/* A setting of the local Postgres that waits for its restart, as people write it: "16MB". */
struct setting_change {
	char name[NAME_SIZE];
	char old_value[SETTING_SIZE]; /* in force */
	char new_value[SETTING_SIZE]; /* after a restart; "?" when it cannot be told */
};

/* The module pgha_fence in the running Postgres. */
#define MODULE_PRESENCES(X)                                                    \
	X(UNKNOWN, "unknown") /* it was not asked, or does not answer */       \
	X(ABSENT, "absent")   /* not loaded */                                 \
	X(OFF, "off")         /* loaded, and told to refuse nothing */         \
	X(BLIND, "blind")     /* loaded, and cannot believe the lease page */  \
	X(READY, "ready")

enum module_presence {
#define X(n, t) MODULE_##n,
	MODULE_PRESENCES(X)
#undef X
	MODULE__MAX
};

struct module_state {
	enum module_presence presence;
	bool armed;          /* as it reads the page */
	int64_t refused;     /* commits, since the server was started */
	int64_t withheld;    /* acknowledgements */
	int64_t unconfirmed; /* synchronous commits whose wait was cut short */
	char page[64];       /* what it thinks of the page */
};

/* The local Postgres, as seen by probes, pidfds and the control file. */
struct pg_state {
	enum pg_run run;
	enum pg_role role;
	enum data_dir dir;
	bool standby_signal;   /* standby.signal or recovery.signal exists */
	bool restoring;        /* a new cluster on its way to its target: there it opens */
	bool boot_unfinished;  /* our mark: initdb done, roles and post_bootstrap not yet */
	bool emptied;          /* with DIR_HALF: for a copy that was to replace it, and did not */
	bool can_rewind;       /* wal_log_hints or checksums, by the control file */
	bool pending_restart;
	enum pg_control control;
	char sysid[SYSID_SIZE];
	int32_t server_version; /* 150020; 0 unknown */
	int64_t postmaster_pid; /* 0 none */
	int64_t postmaster_start_us; /* wall clock, as Postgres reports; for people and REST only */

	uint32_t timeline;           /* see contract 1.6: primary current, standby received */
	uint32_t control_timeline;   /* of the latest checkpoint */
	uint64_t control_checkpoint_lsn; /* start of the latest checkpoint record */
	uint64_t control_end_lsn;    /* end of local WAL when shut down cleanly, else 0 */
	uint64_t min_recovery_lsn;   /* minimum recovery ending location (standby, archive) */

	uint64_t flush_lsn;   /* primary: pg_current_wal_flush_lsn */
	uint64_t receive_lsn; /* standby: max(flushed, written by the walreceiver) */
	uint64_t replay_lsn;
	bool replay_paused;
	bool replay_starved; /* paused until a restart: the primary's settings are higher */
	int64_t replay_time_us; /* wall clock of the last replayed transaction; 0 = null */
	bool streaming;         /* walreceiver status is streaming */
	bool receiving;         /* there is a walreceiver, whatever it does */
	bool replay_waits; /* for WAL that is not here; only told where nobody is to be followed */
	bool has_restore_command;
	char upstream_host[HOST_SIZE]; /* of the walreceiver's conninfo; "" none */
	uint16_t upstream_port;
	char upstream_slot[NAME_SIZE];
	struct module_state module;
	uint64_t latest_end_lsn; /* walreceiver: newest position the upstream reported */
	/* Streaming: since the newest message of the upstream, by the server's own clock. Silent:
	 * for longer than a living upstream ever is. */
	int64_t receiver_age_ms;
	bool receiver_silent;

	struct vitals vitals; /* of the present life, and of the disk */
};

struct slot_pos {
	char name[NAME_SIZE];
	uint64_t lsn;
};

/* One line of a timeline history file: `timeline` ended at `end_lsn` and the next one began. */
struct history_entry {
	uint32_t timeline;
	uint64_t end_lsn;
};

/* What a server that we asked says of its own past. */
struct history {
	uint32_t timeline; /* its present timeline; 0 = not known */
	uint32_t n;
	struct history_entry entries[HISTORY_MAX]; /* oldest first, without the present one */
};

/* The guardian, as the agent sees it. */
#define GUARD_PRESENCES(X)                                                     \
	X(OFF, "off")           /* none is wanted */                           \
	X(STARTING, "starting") /* none says yet that it watches */            \
	X(ALIVE, "alive")                                                      \
	X(SILENT, "silent")     /* the process is there and gives no sign */

enum guard_presence {
#define X(n, t) GUARD_##n,
	GUARD_PRESENCES(X)
#undef X
	GUARD__MAX
};

/* The watchdog device, which the guardian drives. */
#define DOG_STATES(X)                                       \
	X(OFF, "off")       /* not wanted */                \
	X(READY, "ready")   /* there, and not needed now */ \
	X(ACTIVE, "active")                                 \
	X(FAILED, "failed") /* wanted, cannot be used */

enum dog_state {
#define X(n, t) DOG_##n,
	DOG_STATES(X)
#undef X
	DOG__MAX
};

struct guard_state {
	enum guard_presence presence;
	int64_t pid;
	bool by_agent; /* started by an agent, not by a unit */
	bool memory_locked;
	bool realtime;
	bool raised; /* by its nice value */
	bool oom_safe;
	enum dog_state dog;
	int64_t dog_timeout_s;
	int64_t kills; /* by this guardian */
	/* Of the newest killing, its own or its predecessor's. */
	int64_t kill_epoch; /* 0: none */
	int64_t kill_processes;
	int64_t kill_left;
	int64_t kill_begun_late_ms;  /* after the deadline */
	int64_t kill_proven_late_ms; /* -1: not proven yet */
};

/* A peer's answer to a question about its position. */
struct vote {
	char name[NAME_SIZE];
	int64_t asked_at_ms; /* 0 = not asked in this election */
	bool answered;
	bool heard;      /* it answered; a leader waits for its own newest list of walsenders too */
	bool failed;     /* unreachable, or an answer without a position */
	bool comes_up;   /* its server starts, or replays what it holds: more may show up there */
	bool in_recovery; /* false: it says it is a primary */
	bool yielded; /* it says that its server is down or a standby; also without a position */
	bool streaming; /* receives WAL at this moment */
	bool nofailover;
	bool watchdog_failed;
	bool regressed; /* it takes the store for wiped or restored */
	int64_t ballot; /* it was asked to seal under this one; 0: only to tell */
	int64_t sealed; /* the highest ballot it is sealed under: its position is final; 0: not */
	int32_t failover_priority;
	uint32_t timeline;
	uint64_t lsn; /* max(received, replayed); primary: location */
};

#endif
