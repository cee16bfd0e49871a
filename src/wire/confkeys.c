/* SPDX-License-Identifier: PostgreSQL */
/*
 * confkeys - THE table of configuration keys
 */
#include "wire/confkeys.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

#define L  CONF_LOCAL
#define D  CONF_DYNAMIC
#define DL (CONF_LOCAL | CONF_DYNAMIC)
#define B  CONF_BOOTSTRAP

#define RELOAD CONF_RELOAD
#define ENV    CONF_ENV
#define MUST   CONF_REQUIRED
#define LATER  CONF_LATER
#define UNSAFE CONF_UNSAFE
#define NOOP   CONF_NOOP
#define OURS   CONF_OURS
#define EXEC   CONF_EXEC

#define BIG      INT32_MAX
#define HUGE_INT INT64_MAX

/* The keys of one postgresql.authentication entry. */
#define AUTH_KEYS(who, help_user, must)                                                       \
	{ "postgresql.authentication." who, CONF_MAP, L, RELOAD | (must), NULL, 0, 0, NULL,   \
	  NULL, "How pghad and the standbys log in as " help_user },                          \
	{ "postgresql.authentication." who ".username", CONF_TEXT, L, RELOAD | ENV | (must),  \
	  NULL, 0, 0, NULL, NULL, "Name of the role" },                                       \
	{ "postgresql.authentication." who ".password", CONF_TEXT, L, RELOAD | ENV, NULL, 0,  \
	  0, NULL, NULL, "Its password; none for peer or certificate authentication" },       \
	{ "postgresql.authentication." who ".sslmode", CONF_WORD, L, RELOAD | ENV, NULL, 0,   \
	  0, "disable|allow|prefer|require|verify-ca|verify-full", NULL,                      \
	  "libpq's sslmode" },                                                                \
	{ "postgresql.authentication." who ".sslcert", CONF_TEXT, L, RELOAD | ENV, NULL, 0,   \
	  0, NULL, NULL, "Client certificate" },                                              \
	{ "postgresql.authentication." who ".sslkey", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, \
	  NULL, NULL, "Key of the client certificate" },                                      \
	{ "postgresql.authentication." who ".sslpassword", CONF_TEXT, L, RELOAD | ENV, NULL,  \
	  0, 0, NULL, NULL, "Password of that key (Postgres 13)" },                           \
	{ "postgresql.authentication." who ".sslrootcert", CONF_TEXT, L, RELOAD | ENV, NULL,  \
	  0, 0, NULL, NULL, "Certificate authority of the servers" },                         \
	{ "postgresql.authentication." who ".sslcrl", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, \
	  NULL, NULL, "Revocation list" },                                                    \
	{ "postgresql.authentication." who ".sslcrldir", CONF_TEXT, L, RELOAD | ENV, NULL, 0, \
	  0, NULL, NULL, "Directory of revocation lists (Postgres 14)" },                     \
	{ "postgresql.authentication." who ".gssencmode", CONF_WORD, L, RELOAD | ENV, NULL,   \
	  0, 0, "disable|prefer|require", NULL,                                               \
	  "libpq's gssencmode (Postgres 12); own connections: disable without krb5.conf" },   \
	{ "postgresql.authentication." who ".channel_binding", CONF_WORD, L, RELOAD | ENV,    \
	  NULL, 0, 0, "disable|prefer|require", NULL,                                         \
	  "libpq's channel_binding (Postgres 13)" },                                          \
	{ "postgresql.authentication." who ".sslnegotiation", CONF_WORD, L, RELOAD | ENV,     \
	  NULL, 0, 0, "postgres|direct", NULL, "libpq's sslnegotiation (Postgres 17)" }

#define BIN_NAME(program)                                                                     \
	{ "postgresql.bin_name." program, CONF_TEXT, DL, RELOAD | ENV, program, 0, 0, NULL,   \
	  NULL, "File name of " program }

/* Sections of other stores and of features that change what a cluster is. */
#define OTHER_STORE(name, help)                                                               \
	{ name, CONF_REFUSED, L, 0, NULL, 0, 0, NULL, NULL, help }

/* clang-format off */
static const struct confkey keys[] = {
	/* This member */
	{ "name", CONF_NAME, L, MUST | ENV, NULL, 0, 0, NULL, NULL,
	  "Name of this member, unique in the cluster" },
	{ "scope", CONF_NAME, L, MUST | ENV, NULL, 0, 0, NULL, NULL,
	  "Name of the cluster" },
	{ "namespace", CONF_TEXT, L, ENV, "service", 0, 0, NULL, NULL,
	  "First part of the cluster's keys in etcd" },
	{ "thread_pool_size", CONF_INT, L, NOOP | ENV, "5", 5, BIG, NULL, NULL,
	  "Accepted; pghad has no thread pool" },
	{ "thread_stack_size", CONF_BYTES, L, NOOP | ENV, "512kB", 65536, HUGE_INT, NULL, NULL,
	  "Accepted; pghad has no thread pool" },

	/* pgha's own */
	{ "pgha", CONF_MAP, DL, OURS, NULL, 0, 0, NULL, NULL,
	  "Settings that only pgha knows" },
	{ "pgha.lease_proof", CONF_WORD, D, RELOAD | OURS, "auto", 0, 0, "auto|beat|phantom", NULL,
	  "How a renewal is proved: phantom leaves no trace in etcd, beat suits every etcd" },
	{ "pgha.state_dir", CONF_PATH, L, OURS, NULL, 0, 0, NULL, NULL,
	  "Where the durable record of this member lives; default: beside data_dir" },
	{ "pgha.run_dir", CONF_PATH, L, OURS, "/run/pgha", 0, 0, NULL, NULL,
	  "Where files live that need not survive a reboot" },
	{ "pgha.allow_remote_commands", CONF_BOOL, L, RELOAD | OURS, "true", 0, 0, NULL, NULL,
	  "Whether what can run programs here may come from the dynamic configuration" },

	/* What stops a primary whose lease is over */
	{ "fence", CONF_MAP, L, RELOAD | OURS, NULL, 0, 0, NULL, NULL,
	  "What stops a primary whose lease is over while its agent cannot" },
	{ "fence.guard", CONF_WORD, L, RELOAD | OURS, "auto", 0, 0, "auto|required|off", NULL,
	  "Whether pgha-guard runs beside the agent; required: no guardian, no lead" },
	{ "fence.commit_guard", CONF_WORD, L, RELOAD | OURS, "auto", 0, 0, "auto|required|off",
	  NULL, "Whether Postgres loads the module pgha_fence; required: without it none starts" },
	{ "fence.hung_postgres", CONF_WORD, L, RELOAD | OURS, "report", 0, 0, "report|fence", NULL,
	  "Whether a primary that lets nobody in is only reported, or gives up leading" },
	{ "fence.stalled_disk", CONF_WORD, L, RELOAD | OURS, "report", 0, 0, "report|fence", NULL,
	  "Whether a primary whose disk stands still is only reported, or gives up leading" },
	{ "fence.hung_after", CONF_INT, L, RELOAD | OURS, "10", 1, 3600, NULL, NULL,
	  "Seconds that either may last where it is fenced" },

	{ "fence.command", CONF_LIST, L, RELOAD | OURS, NULL, 0, 0, NULL, NULL,
	  "Program and arguments that fence an old leader before this member is promoted" },
	{ "fence.command_timeout", CONF_SECONDS, L, RELOAD | OURS, "20", 1, 3600, NULL, NULL,
	  "How long fence.command may take; it is ended then, and has failed" },
	{ "fence.command_failure", CONF_WORD, L, RELOAD | OURS, "refuse", 0, 0, "refuse|promote",
	  NULL, "What follows when it fails: the key is given back, or the promotion goes on" },

	/* The whole cluster: the dynamic configuration */
	{ "ttl", CONF_INT, D, RELOAD, "5", 2, 3600, NULL, NULL,
	  "Seconds that a lease lasts; etcd grants none below 2" },
	{ "loop_wait", CONF_INT, D, RELOAD, "1", 1, 3600, NULL, NULL,
	  "Seconds between two looks at everything; events are handled at once" },
	{ "retry_timeout", CONF_INT, D, RELOAD, "3", 1, 3600, NULL, NULL,
	  "Seconds that one request to etcd or Postgres may take, renewals aside" },
	{ "maximum_lag_on_failover", CONF_INT, D, RELOAD, "1048576", 0, HUGE_INT, NULL, NULL,
	  "Bytes that a standby may lack and still be promoted" },
	{ "check_timeline", CONF_BOOL, D, RELOAD, "false", 0, 0, NULL, NULL,
	  "A standby on an older timeline than the cluster's is not promoted" },
	{ "max_timelines_history", CONF_INT, D, RELOAD, "0", 0, BIG, NULL, NULL,
	  "Entries kept in the history key; 0: all" },
	{ "primary_start_timeout", CONF_INT, D, RELOAD, "300", 0, BIG, NULL, NULL,
	  "Seconds a crashed primary gets to come back before a failover; 0: none" },
	{ "on_primary_crash", CONF_WORD, D, RELOAD | OURS, "auto", 0, 0, "auto|restart|failover",
	  NULL, "Who leads after a crash; auto: a standby that has every commit, else the same" },
	{ "master_start_timeout", CONF_INT, D, RELOAD, NULL, 0, BIG, NULL, "primary_start_timeout",
	  "Old name of primary_start_timeout" },
	{ "primary_stop_timeout", CONF_INT, D, RELOAD, "0", 0, BIG, NULL, NULL,
	  "Seconds a stopping primary gets before it is stopped harder; 0: 10 seconds" },
	{ "master_stop_timeout", CONF_INT, D, RELOAD, NULL, 0, BIG, NULL, "primary_stop_timeout",
	  "Old name of primary_stop_timeout" },
	{ "member_slots_ttl", CONF_SECONDS, D, RELOAD, "30min", 0, BIG, NULL, NULL,
	  "How long the slot of an absent member is kept; 0: not at all" },
	{ "failsafe_mode", CONF_WORD, D, RELOAD, "off", 0, 0, "off|on|quorum", NULL,
	  "Keep the primary while etcd is away, if all members answer, or most" },
	{ "pause", CONF_BOOL, D, RELOAD, "false", 0, 0, NULL, NULL,
	  "Maintenance: nothing is started, stopped or promoted automatically" },

	/* The whole cluster, not in this version */
	{ "maximum_lag_on_syncnode", CONF_INT, D, RELOAD | LATER, "-1", -1, HUGE_INT, NULL, NULL,
	  "Synchronous replication: a slower standby is replaced" },
	{ "primary_race_backoff", CONF_INT, D, RELOAD | LATER, "0", 0, BIG, NULL, NULL,
	  "Seconds a standby waits while it still receives from the lost primary" },
	{ "synchronous_mode", CONF_WORD, D, RELOAD | LATER | UNSAFE, "off", 0, 0, "off|on|quorum",
	  NULL, "Synchronous replication managed by the agent" },
	{ "synchronous_mode_strict", CONF_BOOL, D, RELOAD | LATER, "false", 0, 0, NULL, NULL,
	  "Synchronous replication: never fall back to asynchronous" },
	{ "synchronous_node_count", CONF_INT, D, RELOAD | LATER, "1", 1, BIG, NULL, NULL,
	  "Synchronous replication: how many standbys" },
	{ "slots", CONF_ANY, D, RELOAD | LATER, NULL, 0, 0, NULL, NULL,
	  "Permanent replication slots" },
	{ "permanent_replication_slots", CONF_ANY, D, RELOAD | LATER, NULL, 0, 0, NULL, "slots",
	  "Another name of slots" },
	{ "permanent_slots", CONF_ANY, D, RELOAD | LATER, NULL, 0, 0, NULL, "slots",
	  "Another name of slots" },
	{ "ignore_slots", CONF_ANY, D, RELOAD | LATER, NULL, 0, 0, NULL, NULL,
	  "Replication slots of others that must not be dropped" },
	{ "standby_cluster", CONF_MAP, D, RELOAD | LATER | UNSAFE, NULL, 0, 0, NULL, NULL,
	  "This whole cluster follows another primary" },
	{ "standby_cluster.host", CONF_TEXT, D, RELOAD, NULL, 0, 0, NULL, NULL,
	  "The remote primary" },
	{ "standby_cluster.port", CONF_TEXT, D, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Its port" },
	{ "standby_cluster.primary_slot_name", CONF_TEXT, D, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Slot on the remote primary" },
	{ "standby_cluster.create_replica_methods", CONF_COMMAS, D, RELOAD | EXEC, NULL, 0, 0, NULL,
	  NULL, "How the standby leader is cloned" },
	{ "standby_cluster.restore_command", CONF_TEXT, D, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "restore_command of its members" },
	{ "standby_cluster.archive_cleanup_command", CONF_TEXT, D, RELOAD | EXEC, NULL, 0, 0, NULL,
	  NULL, "archive_cleanup_command of its members" },
	{ "standby_cluster.recovery_min_apply_delay", CONF_TEXT, D, RELOAD, NULL, 0, 0, NULL, NULL,
	  "recovery_min_apply_delay of the standby leader" },

	/* Creating the cluster */
	{ "bootstrap", CONF_MAP, B, RELOAD, NULL, 0, 0, NULL, NULL,
	  "How to create the cluster; a member without this section never creates one" },
	{ "bootstrap.dcs", CONF_MAP, B, RELOAD, NULL, 0, 0, NULL, NULL,
	  "First content of the dynamic configuration" },
	{ "bootstrap.method", CONF_TEXT, B, RELOAD, "initdb", 0, 0, NULL, NULL,
	  "initdb, or the name of a section below with a command" },
	{ "bootstrap.initdb", CONF_OPTIONS, B, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Options for initdb" },
	{ "bootstrap.pg_hba", CONF_LIST, B, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Lines for pg_hba.conf unless postgresql.pg_hba is given" },
	{ "bootstrap.post_bootstrap", CONF_TEXT, B, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Command run once on the new cluster, with a connection string" },
	{ "bootstrap.post_init", CONF_TEXT, B, RELOAD, NULL, 0, 0, NULL, "bootstrap.post_bootstrap",
	  "Another name of post_bootstrap" },
	{ "bootstrap.users", CONF_ANY, B, NOOP, NULL, 0, 0, NULL, NULL,
	  "Gone since Patroni 4.0: create users in post_bootstrap" },
	{ "bootstrap.<method>", CONF_OPEN, B, RELOAD, NULL, 0, 0, NULL, NULL,
	  "A bootstrap method of your own; keys not listed become --key=value" },
	{ "bootstrap.<method>.command", CONF_TEXT, B, RELOAD, NULL, 0, 0, NULL, NULL,
	  "The command" },
	{ "bootstrap.<method>.no_params", CONF_BOOL, B, RELOAD, "false", 0, 0, NULL, NULL,
	  "Do not add --scope and --datadir" },
	{ "bootstrap.<method>.keep_existing_recovery_conf", CONF_BOOL, B, RELOAD, "false", 0, 0,
	  NULL, NULL, "Leave the recovery settings that the command made" },
	{ "bootstrap.<method>.recovery_conf", CONF_PAIRS, B, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Recovery settings for the first start" },

	/* Postgres */
	{ "postgresql", CONF_MAP, DL, MUST, NULL, 0, 0, NULL, NULL,
	  "The server of this member" },
	{ "postgresql.listen", CONF_LISTEN, L, MUST | RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Addresses and port that Postgres listens on" },
	{ "postgresql.connect_address", CONF_ADDRESS, L, MUST | RELOAD | ENV, NULL, 0, 0, NULL,
	  NULL, "Address that other members and clients reach this Postgres by" },
	{ "postgresql.proxy_address", CONF_ADDRESS, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Address of a connection pool beside it, published for discovery" },
	{ "postgresql.data_dir", CONF_PATH, L, MUST | ENV, NULL, 0, 0, NULL, NULL,
	  "The data directory" },
	{ "postgresql.config_dir", CONF_PATH, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Directory of postgresql.conf and pg_hba.conf; default: data_dir" },
	{ "postgresql.config_base_name", CONF_TEXT, L, RELOAD, "postgresql", 0, 0, NULL, NULL,
	  "Name of postgresql.conf without .conf" },
	{ "postgresql.bin_dir", CONF_TEXT, DL, RELOAD | ENV | EXEC, NULL, 0, 0, NULL, NULL,
	  "Directory of pg_ctl and its friends; default: PATH" },
	{ "postgresql.bin_name", CONF_MAP, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "Programs with another file name" },
	BIN_NAME("pg_ctl"), BIN_NAME("initdb"), BIN_NAME("pg_controldata"),
	BIN_NAME("pg_basebackup"), BIN_NAME("postgres"), BIN_NAME("pg_isready"),
	BIN_NAME("pg_rewind"),
	{ "postgresql.database", CONF_TEXT, DL, RELOAD, "postgres", 0, 0, NULL, NULL,
	  "Database that the agent connects to" },
	{ "postgresql.pgpass", CONF_TEXT, L, RELOAD | ENV, "~/pgpass", 0, 0, NULL, NULL,
	  "Password file that the agent writes" },
	{ "postgresql.authentication", CONF_MAP, L, RELOAD | MUST, NULL, 0, 0, NULL, NULL,
	  "Roles that the agent uses" },
	AUTH_KEYS("superuser", "superuser", MUST),
	AUTH_KEYS("replication", "the replication role", MUST),
	AUTH_KEYS("rewind", "the role for pg_rewind; default: the superuser", 0),
	{ "postgresql.krbsrvname", CONF_TEXT, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Kerberos service name of the servers" },
	{ "postgresql.use_unix_socket", CONF_BOOL, DL, RELOAD, "false", 0, 0, NULL, NULL,
	  "The superuser connects through the socket" },
	{ "postgresql.use_unix_socket_repl", CONF_BOOL, DL, RELOAD, "false", 0, 0, NULL, NULL,
	  "Local replication connections go through the socket" },
	{ "postgresql.use_slots", CONF_BOOL, D, RELOAD, "true", 0, 0, NULL, NULL,
	  "A replication slot for every member" },
	{ "postgresql.parameters", CONF_PAIRS, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Settings of Postgres" },
	{ "postgresql.parameters_primary", CONF_PAIRS, DL, RELOAD | LATER, NULL, 0, 0, NULL, NULL,
	  "Settings of Postgres on the primary only" },
	{ "postgresql.parameters_replica", CONF_PAIRS, DL, RELOAD | LATER, NULL, 0, 0, NULL, NULL,
	  "Settings of Postgres on replicas only" },
	{ "postgresql.parameters_standby_leader", CONF_PAIRS, DL, RELOAD | LATER, NULL, 0, 0, NULL,
	  NULL, "Settings of Postgres on a standby leader only" },
	{ "postgresql.pg_hba", CONF_LIST, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "All lines of pg_hba.conf" },
	{ "postgresql.pg_hba_primary", CONF_LIST, DL, RELOAD | LATER | EXEC, NULL, 0, 0, NULL, NULL,
	  "pg_hba on the primary only" },
	{ "postgresql.pg_hba_replica", CONF_LIST, DL, RELOAD | LATER | EXEC, NULL, 0, 0, NULL, NULL,
	  "pg_hba on replicas only" },
	{ "postgresql.pg_hba_standby_leader", CONF_LIST, DL, RELOAD | LATER | EXEC, NULL, 0, 0,
	  NULL, NULL, "pg_hba on a standby leader only" },
	{ "postgresql.pg_ident", CONF_LIST, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "All lines of pg_ident.conf" },
	{ "postgresql.pg_ident_primary", CONF_LIST, DL, RELOAD | LATER | EXEC, NULL, 0, 0, NULL,
	  NULL, "pg_ident on the primary only" },
	{ "postgresql.pg_ident_replica", CONF_LIST, DL, RELOAD | LATER | EXEC, NULL, 0, 0, NULL,
	  NULL, "pg_ident on replicas only" },
	{ "postgresql.pg_ident_standby_leader", CONF_LIST, DL, RELOAD | LATER | EXEC, NULL, 0, 0,
	  NULL, NULL, "pg_ident on a standby leader only" },
	{ "postgresql.custom_conf", CONF_TEXT, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "File included instead of postgresql.base.conf" },
	{ "postgresql.recovery_conf", CONF_PAIRS, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Recovery settings of standbys, such as restore_command" },
	{ "postgresql.create_replica_methods", CONF_COMMAS, DL, RELOAD, "basebackup", 0, 0, NULL,
	  NULL, "Ways to clone, in this order" },
	{ "postgresql.create_replica_method", CONF_COMMAS, DL, RELOAD, NULL, 0, 0, NULL,
	  "postgresql.create_replica_methods", "Old name of create_replica_methods" },
	{ "postgresql.basebackup", CONF_OPTIONS, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "Options for pg_basebackup" },
	{ "postgresql.<method>", CONF_OPEN, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "A cloning method of your own; keys not listed become --key=value" },
	{ "postgresql.<method>.command", CONF_TEXT, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "The command; default: the method's name" },
	{ "postgresql.<method>.no_params", CONF_BOOL, DL, RELOAD, "false", 0, 0, NULL, NULL,
	  "Do not add --scope, --role, --datadir and --connstring" },
	{ "postgresql.<method>.no_leader", CONF_BOOL, DL, RELOAD, "false", 0, 0, NULL, NULL,
	  "Works without a running source" },
	{ "postgresql.<method>.no_master", CONF_BOOL, DL, RELOAD, NULL, 0, 0, NULL,
	  "postgresql.<method>.no_leader", "Old name of no_leader" },
	{ "postgresql.<method>.keep_data", CONF_BOOL, DL, RELOAD, "false", 0, 0, NULL, NULL,
	  "Do not clear the data directory first" },
	{ "postgresql.use_pg_rewind", CONF_BOOL, DL, RELOAD, "false", 0, 0, NULL, NULL,
	  "An old primary that diverged is rewound" },
	{ "postgresql.rewind", CONF_OPTIONS, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "More options for pg_rewind" },
	{ "postgresql.remove_data_directory_on_rewind_failure", CONF_BOOL, DL, RELOAD, "false", 0,
	  0, NULL, NULL, "Where pg_rewind fails the member is cloned again" },
	{ "postgresql.remove_data_directory_on_diverged_timelines", CONF_BOOL, DL, RELOAD, "false",
	  0, 0, NULL, NULL, "Where timelines diverged and rewind is no way, cloned again" },
	{ "postgresql.callbacks", CONF_MAP, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "Commands run with action, role and scope after something happened" },
	{ "postgresql.callbacks.on_start", CONF_TEXT, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Postgres became available" },
	{ "postgresql.callbacks.on_stop", CONF_TEXT, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Postgres was stopped" },
	{ "postgresql.callbacks.on_restart", CONF_TEXT, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Postgres was restarted in the same role" },
	{ "postgresql.callbacks.on_reload", CONF_TEXT, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Postgres was told to reload" },
	{ "postgresql.callbacks.on_role_change", CONF_TEXT, DL, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Promoted or demoted" },
	{ "postgresql.pre_promote", CONF_TEXT, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "Command that must succeed before a promotion" },
	{ "postgresql.before_stop", CONF_TEXT, DL, RELOAD | EXEC, NULL, 0, 0, NULL, NULL,
	  "Command run before each stop" },
	{ "postgresql.pg_ctl_timeout", CONF_INT, DL, RELOAD, "60", 0, BIG, NULL, NULL,
	  "Seconds that a start, stop or restart may take" },

	/* etcd */
	{ "etcd3", CONF_MAP, L, MUST, NULL, 0, 0, NULL, NULL,
	  "Where etcd is; one of host, hosts, url, proxy, srv" },
	{ "etcd3.host", CONF_TEXT, L, ENV, NULL, 0, 0, NULL, NULL,
	  "One endpoint, host:port" },
	{ "etcd3.hosts", CONF_COMMAS, L, ENV, NULL, 0, 0, NULL, NULL,
	  "Several endpoints, as a list or a comma-separated text" },
	{ "etcd3.port", CONF_INT, L, ENV, "2379", 1, 65535, NULL, NULL,
	  "Port of endpoints that name none" },
	{ "etcd3.url", CONF_TEXT, L, ENV, NULL, 0, 0, NULL, NULL,
	  "One endpoint as http[s]://[user:password@]host:port" },
	{ "etcd3.proxy", CONF_TEXT, L, ENV, NULL, 0, 0, NULL, NULL,
	  "URL of an etcd proxy; other endpoints are not looked for" },
	{ "etcd3.srv", CONF_TEXT, L, ENV, NULL, 0, 0, NULL, NULL,
	  "Domain whose SRV records name the endpoints" },
	{ "etcd3.discovery_srv", CONF_TEXT, L, 0, NULL, 0, 0, NULL, "etcd3.srv",
	  "Another name of srv" },
	{ "etcd3.srv_domain", CONF_TEXT, L, 0, NULL, 0, 0, NULL, "etcd3.srv",
	  "Another name of srv" },
	{ "etcd3.srv_suffix", CONF_TEXT, L, ENV, NULL, 0, 0, NULL, NULL,
	  "Appended to the service names of SRV records" },
	{ "etcd3.use_proxies", CONF_BOOL, L, ENV, "false", 0, 0, NULL, NULL,
	  "The endpoints given are final, others are not looked for" },
	{ "etcd3.protocol", CONF_WORD, L, ENV, "http", 0, 0, "http|https", NULL,
	  "http or https" },
	{ "etcd3.username", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "User of etcd" },
	{ "etcd3.password", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Password of that user" },
	{ "etcd3.cacert", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Certificate authority of etcd; its certificate is verified only with it" },
	{ "etcd3.cert", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Client certificate" },
	{ "etcd3.key", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Key of the client certificate" },

	/* REST */
	{ "restapi", CONF_MAP, L, RELOAD | MUST, NULL, 0, 0, NULL, NULL,
	  "Health checks and commands over HTTP" },
	{ "restapi.listen", CONF_LISTEN, L, MUST | RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Address and port to listen on" },
	{ "restapi.connect_address", CONF_ADDRESS, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Address that other members reach it by; default: listen" },
	{ "restapi.authentication", CONF_MAP, L, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Basic authentication of commands" },
	{ "restapi.authentication.username", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "User" },
	{ "restapi.authentication.password", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Password" },
	{ "restapi.certfile", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Server certificate; with it the service is https" },
	{ "restapi.keyfile", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Key of the certificate" },
	{ "restapi.keyfile_password", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Password of the key" },
	{ "restapi.cafile", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Certificate authority of client certificates" },
	{ "restapi.ciphers", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Permitted cipher suites" },
	{ "restapi.verify_client", CONF_WORD, L, RELOAD | ENV, "none", 0, 0,
	  "none|optional|required", NULL, "Which requests need a client certificate" },
	{ "restapi.allowlist", CONF_COMMAS, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Hosts and networks that may send commands" },
	{ "restapi.allowlist_include_members", CONF_BOOL, L, RELOAD | ENV, "false", 0, 0, NULL,
	  NULL, "So may the other members" },
	{ "restapi.http_extra_headers", CONF_PAIRS, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Headers added to each answer" },
	{ "restapi.https_extra_headers", CONF_PAIRS, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Headers added to each answer over https" },
	{ "restapi.request_queue_size", CONF_INT, L, NOOP | ENV, "5", 0, 4096, NULL, NULL,
	  "Accepted; the limits are fixed" },
	{ "restapi.thread_pool_size", CONF_INT, L, NOOP, "5", 5, BIG, NULL, NULL,
	  "Accepted; there is no thread pool" },
	{ "restapi.server_tokens", CONF_WORD, L, RELOAD | ENV, "original", 0, 0,
	  "minimal|productonly|original", NULL, "Whether answers name Patroni as their server" },
	{ "restapi.peer_secret_file", CONF_TEXT, L, RELOAD, NULL, 0, 0, NULL, NULL,
	  "File with the secret by which members sign what they say to each other" },
	{ "restapi.peer_auth", CONF_WORD, L, RELOAD, "required", 0, 0, "required|optional", NULL,
	  "What becomes of a call or an answer of a member that is not signed" },

	/* Client side of REST */
	{ "ctl", CONF_MAP, L, RELOAD, NULL, 0, 0, NULL, NULL,
	  "How hactl and the other members talk to the REST service" },
	{ "ctl.authentication", CONF_MAP, L, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Basic authentication; default: that of restapi" },
	{ "ctl.authentication.username", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "User" },
	{ "ctl.authentication.password", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Password" },
	{ "ctl.insecure", CONF_BOOL, L, RELOAD | ENV, "false", 0, 0, NULL, NULL,
	  "Do not verify the server's certificate" },
	{ "ctl.cacert", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Certificate authority; default: restapi.cafile" },
	{ "ctl.certfile", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Client certificate" },
	{ "ctl.keyfile", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Its key" },
	{ "ctl.keyfile_password", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Password of the key" },
	{ "ctl.members", CONF_COMMAS, L, RELOAD | OURS, NULL, 0, 0, NULL, NULL,
	  "REST services, host:port, that hactl asks when it does not reach etcd" },

	/* Log */
	{ "log", CONF_MAP, L, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Where the log goes and how much of it" },
	{ "log.type", CONF_WORD, L, RELOAD | ENV, "plain", 0, 0, "plain|json", NULL,
	  "Form of a line" },
	{ "log.level", CONF_WORD, L, RELOAD | ENV, "INFO", 0, 0,
	  "DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL", NULL,
	  "Least level that is logged" },
	{ "log.dir", CONF_TEXT, L, RELOAD | ENV, NULL, 0, 0, NULL, NULL,
	  "Directory of a log file; default: the journal or stderr" },
	{ "log.file_size", CONF_INT, L, RELOAD | ENV, "25000000", 1, HUGE_INT, NULL, NULL,
	  "Bytes after which a new file is begun" },
	{ "log.file_num", CONF_INT, L, RELOAD | ENV, "4", 0, 10000, NULL, NULL,
	  "Old files kept" },
	{ "log.traceback_level", CONF_WORD, L, NOOP | ENV, "ERROR", 0, 0, "DEBUG|ERROR", NULL,
	  "Accepted; there are no tracebacks" },
	{ "log.format", CONF_ANY, L, NOOP | ENV, NULL, 0, 0, NULL, NULL,
	  "Accepted; the form of a line is fixed" },
	{ "log.dateformat", CONF_TEXT, L, NOOP | ENV, NULL, 0, 0, NULL, NULL,
	  "Accepted; the form of a line is fixed" },
	{ "log.static_fields", CONF_ANY, L, NOOP | ENV, NULL, 0, 0, NULL, NULL,
	  "Accepted; the form of a line is fixed" },
	{ "log.max_queue_size", CONF_INT, L, NOOP | ENV, "1000", 0, BIG, NULL, NULL,
	  "Accepted; at most 1000 lines wait for a file, more are dropped and counted" },
	{ "log.mode", CONF_ANY, L, NOOP | ENV, NULL, 0, 0, NULL, NULL,
	  "Accepted; the umask decides" },
	{ "log.loggers", CONF_ANY, L, NOOP | ENV, NULL, 0, 0, NULL, NULL,
	  "Accepted; there is one level" },
	{ "log.deduplicate_heartbeat_logs", CONF_BOOL, L, NOOP | ENV, "false", 0, 0, NULL, NULL,
	  "Accepted; only changes are logged anyway" },

	/* Watchdog */
	{ "watchdog", CONF_MAP, L, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Hardware watchdog" },
	{ "watchdog.mode", CONF_WORD, L, RELOAD, NULL, 0, 0,
	  "off|automatic|required|on|auto|require|disable|disabled", NULL,
	  "Whether a watchdog device is driven: off, automatic or required" },
	{ "watchdog.device", CONF_TEXT, L, RELOAD, "/dev/watchdog", 0, 0, NULL, NULL,
	  "The device" },
	{ "watchdog.safety_margin", CONF_INT, L, RELOAD, "5", -1, 3600, NULL, NULL,
	  "Seconds before the end of the lease at which it fires; -1: half of ttl" },
	{ "watchdog.driver", CONF_TEXT, L, RELOAD, "default", 0, 0, NULL, NULL,
	  "Kind of device" },

	/* PgBouncer */
	{ "pgbouncer", CONF_MAP, L, RELOAD | OURS, NULL, 0, 0, NULL, NULL,
	  "PgBouncers whose clients wait through a switchover instead of losing connections" },
	{ "pgbouncer.hosts", CONF_COMMAS, L, RELOAD | OURS, NULL, 0, 0, NULL, NULL,
	  "Their admin consoles, host:port" },
	{ "pgbouncer.username", CONF_TEXT, L, RELOAD | OURS, "pgbouncer", 0, 0, NULL, NULL,
	  "One of their admin_users" },
	{ "pgbouncer.password", CONF_TEXT, L, RELOAD | OURS, NULL, 0, 0, NULL, NULL,
	  "Its password" },
	{ "pgbouncer.sslmode", CONF_TEXT, L, RELOAD | OURS, NULL, 0, 0, NULL, NULL,
	  "As libpq has it" },
	{ "pgbouncer.pause_timeout", CONF_SECONDS, L, RELOAD | OURS, "2", 0, 60, NULL, NULL,
	  "How long the stop of a switchover waits for the end of transactions" },
	{ "pgbouncer.hold_timeout", CONF_SECONDS, L, RELOAD | OURS, "15", 1, 600, NULL, NULL,
	  "How long clients are kept waiting at most; then they are let go whatever happened" },
	{ "pgbouncer.command", CONF_LIST, L, RELOAD | OURS, NULL, 0, 0, NULL, NULL,
	  "Program and arguments that point the PgBouncers at a new primary" },

	/* Tags */
	{ "tags", CONF_OPEN, L, RELOAD, NULL, 0, 0, NULL, NULL,
	  "What the cluster should know of this member; keys of your own are published too" },
	{ "tags.nofailover", CONF_BOOL, L, RELOAD, "false", 0, 0, NULL, NULL,
	  "Never promoted" },
	{ "tags.failover_priority", CONF_INT, L, RELOAD, "1", -BIG, BIG, NULL, NULL,
	  "Higher goes first among standbys that are equally far; 0: never" },
	{ "tags.nosync", CONF_BOOL, L, RELOAD, "false", 0, 0, NULL, NULL,
	  "Never a synchronous standby" },
	{ "tags.sync_priority", CONF_INT, L, RELOAD, "1", -BIG, BIG, NULL, NULL,
	  "Higher is preferred as synchronous standby; 0: never" },
	{ "tags.noloadbalance", CONF_BOOL, L, RELOAD, "false", 0, 0, NULL, NULL,
	  "/replica answers 503" },
	{ "tags.clonefrom", CONF_BOOL, L, RELOAD, "false", 0, 0, NULL, NULL,
	  "Preferred source of new members' base backups" },
	{ "tags.replicatefrom", CONF_TEXT, L, RELOAD, NULL, 0, 0, NULL, NULL,
	  "Member to stream from instead of the leader" },
	{ "tags.nostream", CONF_BOOL, L, RELOAD | LATER, "false", 0, 0, NULL, NULL,
	  "Does not stream, recovers from the archive only" },

	/* Not ours */
	OTHER_STORE("etcd", "etcd with API version 2"),
	OTHER_STORE("consul", "Consul"),
	OTHER_STORE("zookeeper", "ZooKeeper"),
	OTHER_STORE("exhibitor", "Exhibitor"),
	OTHER_STORE("kubernetes", "Kubernetes"),
	OTHER_STORE("raft", "Patroni's own Raft"),
	OTHER_STORE("citus", "Citus clusters"),
};
/* clang-format on */

const struct confkey *confkeys_at(size_t i)
{
	return i < ARRAY_LEN(keys) ? &keys[i] : NULL;
}

/* Part by part, <method> in the row matching whatever stands in the path. */
static bool matches(const char *row, const char *path)
{
	for (;;) {
		size_t row_len = strcspn(row, ".");
		size_t len = strcspn(path, ".");
		bool is_any = len > 0 && row_len == strlen(CONF_METHOD) &&
			      strncmp(row, CONF_METHOD, row_len) == 0;

		if (!is_any && (row_len != len || strncmp(row, path, len) != 0))
			return false;
		if (row[row_len] != path[len])
			return false;
		if (path[len] == '\0')
			return true;
		row += row_len + 1;
		path += len + 1;
	}
}

const struct confkey *confkeys_find(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].path, path) == 0)
			return &keys[i];
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strstr(keys[i].path, CONF_METHOD) != NULL && matches(keys[i].path, path))
			return &keys[i];
	return NULL;
}

static const char *type_text(enum conf_type type)
{
	static const char *const texts[CONF__MAX] = {
#define X(n, t) [CONF_##n] = t,
		CONF_TYPES(X)
#undef X
	};

	return texts[type];
}

static void words_text(const char *words, struct buf *text)
{
	while (*words != '\0') {
		size_t len = strcspn(words, "|");

		buf_add(text, words, len);
		words += len;
		if (*words == '\0')
			return;
		words++;
		buf_str(text, strchr(words, '|') != NULL ? ", " : " or ");
	}
}

void confkeys_allowed(const struct confkey *key, char *dst, size_t size)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (key->type == CONF_WORD)
		words_text(key->words, &text);
	else
		buf_str(&text, type_text(key->type));
	if (key->min != 0 || key->max != 0) {
		if (key->max == BIG || key->max == HUGE_INT)
			buf_printf(&text, ", %lld or more", (long long)key->min);
		else
			buf_printf(&text, ", %lld to %lld", (long long)key->min,
				   (long long)key->max);
	}
	str_clip(dst, size, text.data);
}

/* Where Patroni's variable is not simply the path in capitals. */
static const struct {
	const char *path;
	const char *variable;
} env_prefixes[] = {
	{ "postgresql.authentication.", "" },
	{ "restapi.authentication.", "RESTAPI_" },
	{ "ctl.authentication.", "CTL_" },
	{ "postgresql.bin_name.", "POSTGRESQL_BIN_" },
};

bool confkeys_env(const struct confkey *key, char *dst, size_t size)
{
	const char *path = key->path;
	const char *prefix = "";

	if (!(key->flags & CONF_ENV))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(env_prefixes); i++) {
		if (!str_starts(path, env_prefixes[i].path))
			continue;
		path += strlen(env_prefixes[i].path);
		prefix = env_prefixes[i].variable;
		break;
	}
	if (str_printf(dst, size, "PATRONI_%s%s", prefix, path) < 0)
		return false;
	for (char *s = dst; *s != '\0'; s++)
		*s = *s == '.' ? '_' : (char)toupper((unsigned char)*s);
	return true;
}

#define SIMILAR_MAX 64

/* Edits (insert, delete, change) that make a of b; SIMILAR_MAX for long words. */
static size_t distance(const char *a, const char *b)
{
	size_t row[SIMILAR_MAX + 1];
	size_t n = strlen(b);

	if (n > SIMILAR_MAX || strlen(a) > SIMILAR_MAX)
		return SIMILAR_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t changed = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = MIN_OF(changed, MIN_OF(diagonal, row[j]) + 1);
		}
	}
	return row[n];
}

static size_t parent_len(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL ? (size_t)(dot - path) + 1 : 0;
}

const struct confkey *confkeys_similar(const char *path)
{
	size_t parent = parent_len(path);
	/* A third of the word may be wrong, but no more than three letters. */
	size_t best = MIN_OF(strlen(path + parent) / 3, (size_t)3) + 1;
	const struct confkey *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *name = keys[i].path + parent_len(keys[i].path);
		size_t d;

		if (parent_len(keys[i].path) != parent ||
		    strncmp(keys[i].path, path, parent) != 0 || keys[i].type == CONF_REFUSED)
			continue;
		d = distance(path + parent, name);
		if (d < best) {
			best = d;
			found = &keys[i];
		}
	}
	return found;
}
