/* SPDX-License-Identifier: PostgreSQL */
/*
 * restmsg - the published status as REST answers, and REST requests as commands
 *
 * Pure functions of the status, the time and the request, so that the thread which serves HTTP
 * needs nothing else. Paths, codes, bodies: Patroni 4.1.4 (contract section 2).
 */
#ifndef PGHA_WIRE_RESTMSG_H
#define PGHA_WIRE_RESTMSG_H

#include "base/err.h"
#include "base/str.h"
#include "core/config.h"
#include "core/types.h"
#include "core/whatif_words.h"
#include "wire/telemetry.h"

/* Whose interface this is. */
#define RESTMSG_PATRONI_VERSION "4.1.4"

struct walsender {
	char usename[NAME_SIZE];
	char application_name[NAME_SIZE];
	char client_addr[48]; /* "" = local socket */
	char state[16];
	char sync_state[16];
	int32_t sync_priority;
	uint64_t sent_lsn, write_lsn, flush_lsn, replay_lsn;
	int64_t pid; /* 0: not known */
};

/* Texts of a status. */
/* clang-format off */
#define STATUS_TEXTS(X)                                                                        \
	X(tags_json)                   /* "{}" when none */                                    \
	X(pending_restart_reason_json)                                                         \
	X(scheduled_restart_json)                                                              \
	X(cluster_json)                /* body of GET /cluster */                              \
	X(history_json)                /* the `history` array or "[]" */                       \
	X(config_json)                 /* dynamic configuration; NULL: absent or invalid */    \
	X(explain_json)                /* votes, ranks: object; NULL none */                   \
	X(seal_json)                   /* the promise that holds: object; NULL none */         \
	X(failsafe_json)               /* the `failsafe` key; NULL: there is none */           \
	X(fence_json)                  /* guardian and lease page: object; NULL none */
/* clang-format on */

/* What this member says of itself and of the cluster; replaced whole by the loop after every
 * cycle, read by the REST thread. Strings are owned (NULL: absent). */
struct status {
#define X(name) char *name;
	STATUS_TEXTS(X)
#undef X

	char scope[NAME_SIZE];
	char name[NAME_SIZE];
	int64_t made_at_ms;
	int64_t made_wall_us;
	int64_t loop_deadline_ms; /* the next cycle must have run by then, else not alive */

	/* Lease: leadership is `now < leader_until_ms` and nothing else. writable: Postgres was
	 * seen out of recovery under this lease. */
	int64_t leader_until_ms; /* s + 0.66 T of the newest proof; 0 without a lease */
	bool writable;
	bool is_leader_key; /* etcd names us, by the newest read */
	bool leader_known;  /* there was one */
	char leader[NAME_SIZE]; /* whom it names; "" nobody */
	int64_t leader_epoch;

	enum member_state state;
	enum member_role role;
	bool sql_ok; /* the newest probe answered: position fields are present */
	struct pg_state pg;
	uint32_t nmembers; /* that etcd has */

	int64_t dcs_last_seen_at_ms; /* newest successful etcd answer */
	int64_t dcs_last_seen_wall_s;
	bool dcs_ok;                 /* cluster view known and younger than ttl */
	int64_t ttl_ms;
	int64_t maximum_lag_bytes;
	bool pause;
	bool cluster_unlocked; /* no leader key, or no view */
	bool sync_standby;
	bool quorum_standby;
	uint64_t optime_lsn;   /* the leader's published position */
	struct tags tags;
	bool pending_restart;


	/* Beyond Patroni: what the decision table says, for GET /patroni ("pgha" object) and
	 * hactl explain. */
	uint16_t rule_id;
	char rule_name[48];
	char rule_why[WHY_SIZE];
	char situation[320]; /* "leader=other lease=none pg=up ..." */
	int64_t lease_epoch;
	const char *job; /* static: what is done to Postgres; NULL nothing */
	int64_t job_since_ms;
	int64_t job_done_bytes, job_total_bytes; /* of a copy or a rewind; total 0: not told */
	int64_t rule_since_wall_us;
	char trouble[REASON_SIZE]; /* with a Postgres that has not ended; "" none */
	bool module_loaded;
	bool module_armed;
	int64_t module_refused;
	int64_t module_withheld;
	int64_t module_unconfirmed;
	int64_t fence_succeeded; /* runs of fence.command */
	int64_t fence_failed;
	char note[REASON_SIZE]; /* how the member came back, what it waits for; "" none */
	int64_t sealed_ballot;  /* > 0: receives from nobody, by a promise of this ballot */
	bool replaying;         /* is asked to tell a final position, and replays what it holds */
	bool store_regressed;   /* etcd was wiped or restored, and nobody accepted it yet */
	char store_why[REASON_SIZE];
	bool failsafe_enabled;
	bool failsafe_member;       /* this member stands in it */
	int64_t failsafe_until_ms;  /* active until then: by what was promised to us, or by us */
	bool guard_alive;
	bool watchdog_active;
	bool watchdog_failed; /* required, and cannot be used */
	bool page_armed;
	int64_t guard_kills;
	struct telemetry telemetry;

	/* At the end, for they are long and mostly empty: only what is used of them is copied. */
	uint32_t nwalsenders;
	uint32_t nslots;
	struct walsender walsenders[MEMBERS_MAX];
	struct slot_pos slots[SLOTS_MAX];
};

struct status *status_new(void);
void status_free(struct status *status);
/* As new, but for its texts, and for what stands behind the used part of its lists. */
void status_clear(struct status *status);
/* Into memory that dst has already, where that is enough. */
void status_copy(struct status *dst, const struct status *src);

/* A health check or other answer that needs only the status. */
struct rest_answer {
	int code;
	const char *content_type; /* static */
	struct buf body;
	bool status_only; /* no body and no headers by contract 2.1 */
};

void rest_answer_done(struct rest_answer *answer);

#define REST_CLOCKS_MAX 5

/* A number in a prepared document that moves with the clock. */
struct rest_clock {
	size_t at; /* its place in the text */
	int64_t mark_ms;
	bool ahead; /* how long until the mark; else how long since */
};

/* The document of one status, made by the first answer that needs it. The others copy it and fill
 * in what moves with the clock. Starts zeroed. */
struct rest_prepared {
	bool made;
	bool leads; /* what it was made for, beside the status */
	bool dcs_ok;
	bool failsafe;
	struct buf text;
	uint32_t nclocks;
	struct rest_clock clocks[REST_CLOCKS_MAX];
};

void rest_prepared_done(struct rest_prepared *prepared);

/* GET, HEAD or OPTIONS of any path that does not need the loop. query is the raw text behind
 * '?', or NULL. Unknown paths are 503 with the status document, as in Patroni. Without a view of
 * etcd younger than ttl /cluster, /history and /config are 503 with the last known body. */
void restmsg_get(const struct status *status, int64_t now_ms, const char *method, const char *path,
		 const char *query, struct rest_answer *ret);
/* The same answer, to the byte. `prepared` was never used with another status. */
void restmsg_get_prepared(const struct status *status, struct rest_prepared *prepared,
			  int64_t now_ms, const char *method, const char *path, const char *query,
			  struct rest_answer *ret);
/* GET /metrics for a client that takes this format. */
void restmsg_open_metrics(const struct status *status, int64_t now_ms, struct rest_answer *ret);
/* Whether a request wants that: its path, and its Accept header (NULL: none). */
bool restmsg_wants_open_metrics(const char *path, const char *accept);
/* What Postgres said when it was asked for GET /ready/db. */
struct rest_db {
	bool answered;
	bool in_recovery;
	int64_t took_ms;
	char why[REASON_SIZE]; /* it did not answer */
};

/* GET, HEAD or OPTIONS of /ready/db. db NULL: it was not asked yet; when that is no 200, asking is
 * of no use. */
void restmsg_ready_db(const struct status *status, int64_t now_ms, const char *method,
		      const char *query, const struct rest_db *db, struct rest_answer *ret);
/* Leadership by arithmetic: now < leader_until_ms. */
bool restmsg_leads(const struct status *status, int64_t now_ms);

/* What a member is by the sync key: a leader of Patroni's keeps it, and ours removes it. A key that
 * an earlier leader wrote says nothing about whom this one waits for.
 * quorum   synchronous_mode is quorum; the key itself does not tell */
enum sync_role { SYNC_NONE = 0, SYNC_STANDBY, SYNC_QUORUM, SYNC__MAX };
enum sync_role restmsg_sync_role(const struct cluster *cluster, bool quorum, const char *name);
/* Whether that dynamic configuration, which may be NULL, has synchronous_mode: quorum. */
bool restmsg_wants_quorum(const char *config);

/* Body of GET /cluster: the members with role, state, address, timeline and lag, sorted as they
 * are in *cluster. Owned by the caller. */
char *restmsg_cluster_json(const char *scope, const struct cluster *cluster, bool pause,
			   bool quorum);
/* The text of one member's key, for what struct member does not hold. */
struct member_text {
	const char *name;
	const char *text; /* JSON as it stands in etcd */
};
/* The same body with tags, pending_restart_reason and scheduled_restart, copied from the keys. */
char *restmsg_cluster_json_full(const char *scope, const struct cluster *cluster,
				const struct member_text *texts, size_t ntexts, bool pause,
				bool quorum);
/* The same, added to a buffer. */
void restmsg_cluster_print(const char *scope, const struct cluster *cluster,
			   const struct member_text *texts, size_t ntexts, bool pause,
			   bool quorum, struct buf *ret);

enum command_type {
	CMD_NONE = 0,
	CMD_PATCH_CONFIG,
	CMD_PUT_CONFIG,
	CMD_RELOAD,
	CMD_RESTART,
	CMD_DELETE_RESTART,
	CMD_REINIT,
	CMD_SWITCHOVER,
	CMD_FAILOVER,
	CMD_DELETE_SWITCHOVER,
	CMD_ACCEPT_STORE,
	CMD_SEAL,
	CMD_FAILSAFE, /* json: the question of a leader without etcd */
	CMD_EXPLAIN,
	CMD_DOCTOR,
	CMD_RECORDER,
	CMD__MAX
};

/* A write that the loop carries out; answered later with a code and a text. */
struct command {
	enum command_type type;
	char *json;        /* PATCH, PUT, FAILSAFE: the document as sent */
	char leader[NAME_SIZE];
	char candidate[NAME_SIZE];
	bool scheduled;
	int64_t scheduled_at_us;
	int32_t scheduled_offset_min; /* of the zone it was given in */
	bool force;        /* reinitialize */
	bool from_leader;
	char scope[NAME_SIZE]; /* SEAL: of the candidate */
	int64_t ballot;        /* SEAL */
	uint32_t nifs; /* EXPLAIN */
	struct whatif ifs[WHATIFS_MAX];
	/* restart filters */
	bool restart_pending;
	char role[NAME_SIZE];
	char postgres_version[VERSION_SIZE];
	int64_t timeout_ms; /* 0: the configured one */
};

void command_done(struct command *command);

/* Turns a write request into a command.
 * 0                      *ret filled
 * > 0                    HTTP status to answer at once (400, 411, 422, 501, ...), text in
 *                        *ret_text; *ret is zeroed
 * A body that cannot be read never acts: 400, also where the body is optional.
 * Checks that need no cluster state are made here, in the order of contract 2.7; `paused` and
 * now_wall_us serve the schedule checks. has_body: Content-Length was given. */
int restmsg_command(const char *method, const char *path, bool has_body, const char *body,
		    size_t len, bool paused, int64_t now_wall_us, struct command *ret,
		    struct buf *ret_text);

/* PATCH semantics of /config: null deletes, objects recurse, the rest replaces when its text
 * differs. Returns the merged document (heap, compact, keys kept in order) and whether anything
 * changed. NULL when either text is no JSON object. */
char *restmsg_config_merge(const char *old_json, const char *patch_json, bool *ret_changed);
/* Whether members take that document at all: 0, or -ERR_PARSE, -ERR_RANGE with what is wrong. */
int restmsg_config_check(const char *json, size_t len, struct err *err) _must_check_;
/* Deep equality of contract section 0: same keys, same text of values. */
bool restmsg_config_equal(const char *a_json, const char *b_json);

/* The answer of a peer to GET <api_url>: fills lsn, timeline, in_recovery and tags of *vote and
 * sets `answered`. `failed` for a body without a position, with tags that cannot be read, or
 * from a member of another name than vote->name (unless that is ""). */
void restmsg_vote_parse(const char *body, size_t len, struct vote *vote);

/* "http(s)://host[:port]/..." of an api_url. IPv6 comes without brackets. */
int restmsg_url_split(const char *url, bool *ret_tls, char host[HOST_SIZE], uint16_t *ret_port,
		      struct err *err) _must_check_;
/* Hosts of the members' api_url in a body of GET /cluster. Returns how many. */
uint32_t restmsg_cluster_hosts(const char *cluster_json, char hosts[][HOST_SIZE], uint32_t max);

#endif
