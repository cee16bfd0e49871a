/* SPDX-License-Identifier: PostgreSQL */
/*
 * config - what the operator wants, as plain values
 *
 * struct config_ha is the part that decisions see: flat, copied into every view. struct config
 * is everything; it owns heap memory and is built only by wire/conffile. Key names and rules
 * are those of Patroni 4.1.4; what is ours says so.
 */
#ifndef PGHA_CORE_CONFIG_H
#define PGHA_CORE_CONFIG_H

#include "core/types.h"

/* Who has to promise that the leader may stay while etcd is away: nobody can, everybody, or so many
 * that no election can do without one of them. */
enum failsafe_mode { FAILSAFE_OFF = 0, FAILSAFE_ALL, FAILSAFE_QUORUM, FAILSAFE__MAX };

/* Lease proof, see architecture "The lease". AUTO picks by the etcd members' versions. */
enum lease_proof { PROOF_AUTO = 0, PROOF_BEAT, PROOF_PHANTOM, PROOF__MAX };

/* What becomes of the lead when the primary's postmaster ends by itself. AUTO: another member takes
 * over if it has every commit, else Postgres is started again here. */
enum crash_policy { CRASH_AUTO = 0, CRASH_RESTART, CRASH_FAILOVER, CRASH__MAX };

struct config_ha {
	int64_t ttl_ms;           /* 5000 unless configured; never below 2000, etcd's minimum */
	int64_t loop_wait_ms;     /* 1000: how often facts are refreshed and published */
	int64_t retry_timeout_ms; /* 3000: budget of one etcd or SQL request that is no renewal */
	int64_t maximum_lag_bytes;        /* maximum_lag_on_failover, 1 MiB */
	int64_t primary_start_timeout_ms; /* 300000; 0: fail over at once */
	enum crash_policy on_primary_crash;
	int64_t primary_stop_timeout_ms;  /* 0: none */
	int64_t member_slots_ttl_ms;      /* 1800000; 0: slots go with the member key */
	bool check_timeline;
	bool pause;
	bool use_slots;
	bool use_pg_rewind;
	bool remove_on_rewind_failure;      /* remove_data_directory_on_rewind_failure */
	bool remove_on_diverged_timelines;  /* remove_data_directory_on_diverged_timelines */
	bool has_bootstrap; /* the file has a bootstrap section: may create a cluster */
	enum lease_proof proof;
	enum failsafe_mode failsafe;
	int32_t max_timelines_history;
};

/* name = value, in the order of the file; both strings are owned. */
struct pair {
	char *name;
	char *value; /* NULL: an option without a value */
};

struct pairs {
	struct pair *items;
	size_t n;
};

struct strings {
	char **items;
	size_t n;
};

/* postgresql.authentication.<who>; NULL where not given. */
struct auth {
	char *username;
	char *password;
	char *sslmode;
	char *sslcert;
	char *sslkey;
	char *sslpassword;
	char *sslrootcert;
	char *sslcrl;
	char *sslcrldir;
	char *gssencmode;
	char *channel_binding;
	char *sslnegotiation;
};

struct endpoint {
	char host[HOST_SIZE];
	uint16_t port;
	bool tls;
};

#define ENDPOINTS_MAX 16

struct config_etcd {
	struct endpoint endpoints[ENDPOINTS_MAX];
	uint32_t nendpoints;
	char *srv; /* DNS SRV domain, resolved by io; NULL none */
	char *srv_suffix;
	bool use_proxies; /* the list is final: no discovery through member/list */
	char *username;
	char *password;
	char *cacert;
	char *cert;
	char *key;
};

struct config_restapi {
	char listen_host[HOST_SIZE];
	uint16_t listen_port;
	char connect_host[HOST_SIZE];
	uint16_t connect_port;
	char *username; /* basic authentication of writes; NULL none */
	char *password;
	char *certfile;
	char *keyfile;
	char *keyfile_password;
	char *cafile;
	char *ciphers;
	enum { VERIFY_NONE = 0, VERIFY_OPTIONAL, VERIFY_REQUIRED } verify_client;
	struct strings allowlist;
	bool allowlist_include_members;
	struct pairs http_extra_headers;
	struct pairs https_extra_headers;
	enum { SERVER_ORIGINAL = 0, SERVER_PRODUCT, SERVER_MINIMAL } server_tokens;
	char *peer_secret_file; /* with what members sign what they say to each other; NULL not */
	enum { PEER_REQUIRED = 0, PEER_OPTIONAL } peer_auth;
};

/* Client side of REST, for asking peers and for hactl. */
struct config_ctl {
	char *username; /* falls back to restapi's */
	char *password;
	char *cacert;
	char *certfile;
	char *keyfile;
	char *keyfile_password;
	bool insecure;
	struct strings members; /* for hactl, where etcd cannot be reached: "host:port" or a URL */
};

struct replica_method {
	char *name; /* "basebackup" is built in */
	char *command;
	bool no_params;
	bool no_leader;
	bool keep_data;
	struct pairs params;
};

struct config_postgresql {
	char *listen; /* addresses, comma separated, without the port: listen_addresses */
	uint16_t port;
	char connect_host[HOST_SIZE];
	uint16_t connect_port;
	char *proxy_address; /* host:port or NULL */
	char *data_dir;      /* absolute */
	char *config_dir;    /* absolute; data_dir unless given */
	char *config_base_name; /* "postgresql" */
	char *bin_dir;       /* NULL: PATH */
	struct pairs bin_name; /* pg_ctl -> renamed program */
	char *database;      /* "postgres" */
	char *pgpass;        /* path of the password file we write */
	struct auth superuser;
	struct auth replication;
	struct auth rewind; /* the superuser's where not given */
	char *krbsrvname;
	bool use_unix_socket;
	bool use_unix_socket_repl;
	struct pairs parameters; /* effective GUCs: defaults, dynamic, local; controlled ones too */
	struct strings pg_hba;
	struct strings pg_ident;
	char *custom_conf;
	struct pairs recovery_conf;
	struct replica_method *methods; /* create_replica_methods in order */
	size_t nmethods;
	struct pairs basebackup; /* options for pg_basebackup: name -> value or NULL */
	struct pairs rewind_options;
	char *callback_on_start;
	char *callback_on_stop;
	char *callback_on_restart;
	char *callback_on_reload;
	char *callback_on_role_change;
	char *pre_promote;
	char *before_stop;
	int64_t pg_ctl_timeout_ms; /* 60000 */
};

struct config_bootstrap {
	bool present;
	char *dcs_json; /* initial `config` document, compact JSON; "{}" at least */
	char *method;   /* "initdb" */
	char *method_command; /* of a custom method, else NULL */
	bool method_no_params;
	bool method_keep_recovery_conf;
	struct pairs method_recovery_conf;
	struct pairs method_params;
	struct pairs initdb; /* options: name -> value or NULL */
	struct strings pg_hba;
	char *post_bootstrap;
};

struct config_log {
	int32_t level; /* enum log_level */
	char *dir;     /* NULL: stderr or the journal */
	bool json;
	int64_t file_size_bytes;
	int32_t file_num;
};

struct config_watchdog {
	enum { WATCHDOG_OFF = 0, WATCHDOG_AUTOMATIC, WATCHDOG_REQUIRED } mode;
	char *device;
	int32_t safety_margin_s; /* -1: half of ttl */
	char *driver;
};

#define FENCE_WORDS_MAX 64 /* of fence.command */

struct config_fence {
	enum { FENCE_GUARD_AUTO = 0, FENCE_GUARD_REQUIRED, FENCE_GUARD_OFF } guard;
	bool hung_postgres; /* a server that hangs gives its lease up; else it is reported */
	bool stalled_disk;  /* ... and one whose disk stands still */
	int64_t hung_after_ms;
	enum { FENCE_COMMIT_AUTO = 0, FENCE_COMMIT_REQUIRED, FENCE_COMMIT_OFF } commit_guard;
	struct strings command; /* n 0: none */
	int64_t command_timeout_ms;
	enum { FENCE_FAILURE_REFUSE = 0, FENCE_FAILURE_PROMOTE } command_failure;
};

#define POOLERS_MAX       16
#define POOLER_WORDS_MAX  64 /* of pgbouncer.command */

/* The admin consoles of the PgBouncers that stand before this cluster. */
struct config_poolers {
	struct endpoint consoles[POOLERS_MAX];
	uint32_t n;
	char *username;
	char *password;
	char *sslmode;
	struct strings command; /* points them at the new primary; n 0: none */
	int64_t pause_ms; /* how long clients may take to come to the end of their transactions */
	int64_t hold_ms;  /* ... and how long they are made to wait after that */
};

/* Everything. Strings are owned by the struct; NULL is "not given". */
struct config {
	char scope[NAME_SIZE];
	char namespace_[NAME_SIZE]; /* without slashes at either end */
	char prefix[3 * NAME_SIZE]; /* "/<namespace>/<scope>/", runs of slashes collapsed */
	char name[NAME_SIZE];
	char *state_dir; /* ours: where the durable record lives; default: beside data_dir */
	char *run_dir;   /* ours: "/run/pgha" */
	bool allow_remote_commands; /* ours: what the dynamic part says may run programs here */
	struct strings withheld;    /* paths of dynamic keys that therefore are not applied */
	struct config_ha ha;
	struct tags tags;
	char *tags_json; /* effective tags as published, compact JSON object; "{}" when none */
	struct config_etcd etcd;
	struct config_restapi restapi;
	struct config_ctl ctl;
	struct config_postgresql pg;
	struct config_bootstrap bootstrap;
	struct config_log log;
	struct config_watchdog watchdog;
	struct config_fence fence;
	struct config_poolers poolers;
};

#endif
