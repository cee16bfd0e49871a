/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor_member - one member by itself: Postgres, files, limits, fences, REST API
 */
#include <stdlib.h>

#include "base/parse.h"
#include "cli/finding.h"
#include "cli/node.h"

#define FILES_MIN     4096 /* descriptors: a thousand REST clients, and what Postgres opens */
#define TASKS_MARGIN  100  /* processes beside those of clients */

/* What a member's judges need at hand. */
struct judge {
	const struct tree_node *facts;
	const struct tree_node *settings;
	const char *name;
	int64_t nmembers;
	struct findings *findings;
};

static bool is_set(const struct judge *j, const char *setting, const char *value)
{
	return str_eq(node_str(j->settings, setting), value);
}

static bool number_of(const struct judge *j, const char *setting, int64_t *ret)
{
	const char *text = node_text(j->settings, setting);

	return text != NULL && parse_int(text, INT64_MIN, INT64_MAX, ret, NULL) == 0;
}

/* ---- Postgres ---- */

static void judge_switches(const struct judge *j)
{
	if (is_set(j, "wal_level", "minimal"))
		finding_add(j->findings, FINDING_CRITICAL, j->name,
			    "no standby can follow this server",
			    "hactl edit-config -p wal_level=replica, then hactl restart CLUSTER "
			    "MEMBER",
			    "wal_level is minimal");
	if (is_set(j, "hot_standby", "off"))
		finding_add(j->findings, FINDING_CRITICAL, j->name,
			    "as a standby it answers nobody, so that its position is not known and "
			    "it cannot be promoted",
			    "hactl edit-config -p hot_standby=on, then hactl restart CLUSTER "
			    "MEMBER",
			    "hot_standby is off");
	if (is_set(j, "fsync", "off"))
		finding_add(j->findings, FINDING_CRITICAL, j->name,
			    "a crash of the host may lose or corrupt what was committed, and no "
			    "failover can tell",
			    "hactl edit-config -p fsync=on", "fsync is off");
	if (is_set(j, "full_page_writes", "off"))
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "pages torn by a crash are not repaired, and copies of a running "
			    "server may be broken",
			    "hactl edit-config -p full_page_writes=on", "full_page_writes is off");
}

static void judge_rewind(const struct judge *j)
{
	if (node_text(j->settings, "wal_log_hints") == NULL)
		return;
	if (!node_bool(j->facts, "use_pg_rewind", false))
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "an old primary that wrote more than its successor received has to be "
			    "copied anew, whatever its size",
			    "hactl edit-config -s postgresql.use_pg_rewind=true",
			    "use_pg_rewind is off");
	else if (is_set(j, "wal_log_hints", "off") && !is_set(j, "data_checksums", "on"))
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "pg_rewind needs one of them: without, an old primary that went its "
			    "own way has to be copied anew",
			    "hactl edit-config -p wal_log_hints=on, then hactl restart CLUSTER "
			    "MEMBER",
			    "neither wal_log_hints nor data checksums are on");
}

static void judge_room(const struct judge *j, const char *setting, int64_t least, int64_t good,
		       const char *why)
{
	_cleanup_(freep) char *mend = NULL;
	int64_t have = 0;

	if (!number_of(j, setting, &have) || have >= good)
		return;
	mend = str_dupf("hactl edit-config -p %s=%lld, then hactl restart CLUSTER MEMBER, the "
			"primary first when it is lowered, the standbys first when it is raised",
			setting, (long long)MAX_OF(good, INT64_C(10)));
	finding_add(j->findings, have < least ? FINDING_CRITICAL : FINDING_WARNING, j->name, why,
		    mend, "%s is %lld: %lld members want at least %lld", setting, (long long)have,
		    (long long)j->nmembers, (long long)good);
}

static void judge_postgres(const struct judge *j)
{
	const char *error = node_text(j->facts, "postgres_error");

	if (error != NULL)
		finding_add(j->findings, FINDING_CRITICAL, j->name,
			    "what its agent cannot ask it does not know: it neither leads nor is "
			    "elected",
			    "hactl explain MEMBER, and the log of Postgres",
			    "Postgres tells its agent nothing: %s", error);
	judge_switches(j);
	judge_rewind(j);
	/* A copy takes two of its own. */
	judge_room(j, "max_wal_senders", j->nmembers - 1, j->nmembers + 1,
		   "when it leads, each standby takes one and a new copy two: who gets none does "
		   "not follow");
	if (node_bool(j->facts, "use_slots", true))
		judge_room(j, "max_replication_slots", j->nmembers - 1, j->nmembers - 1,
			   "when it leads, each standby has a slot: without one it may lose the "
			   "WAL that it needs");
}

static void judge_disk(const struct judge *j)
{
	const struct tree_node *disk = tree_child(j->facts, "disk");
	int64_t free_bytes = 0, size_bytes = 0, data_bytes = 0;

	if (!node_int(disk, "free_bytes", &free_bytes) ||
	    !node_int(disk, "size_bytes", &size_bytes) || size_bytes == 0)
		return;
	if (free_bytes < size_bytes / 20)
		finding_add(j->findings, FINDING_CRITICAL, j->name,
			    "a full disk stops the server, as a standby too",
			    "make room, or a larger file system",
			    "%lld MiB are left on the disk of the data, of %lld",
			    (long long)(free_bytes >> 20), (long long)(size_bytes >> 20));
	else if (number_of(j, "data_bytes", &data_bytes) && free_bytes < data_bytes)
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "a new copy is made beside the old data, which stays until the copy is "
			    "whole: hactl reinit will refuse",
			    "make room, or a larger file system",
			    "%lld MiB are left on the disk of the data, which has %lld MiB",
			    (long long)(free_bytes >> 20), (long long)(data_bytes >> 20));
}

/* ---- files and limits ---- */

/* Bits of the group and of everybody in an octal text. */
static unsigned group_of(const char *mode)
{
	size_t len = strlen(mode);

	return len >= 2 ? (unsigned)(mode[len - 2] - '0') : 0;
}

static unsigned others_of(const char *mode)
{
	size_t len = strlen(mode);

	return len >= 1 ? (unsigned)(mode[len - 1] - '0') : 0;
}

static void judge_file(const struct judge *j, const struct tree_node *file)
{
	const char *what = node_str(file, "what");
	const char *path = node_str(file, "path");
	const char *mode = node_str(file, "mode");
	bool dir = str_eq(what, "postgresql.data_dir");
	bool state = str_eq(what, "pgha.state_dir"); /* its files are private, it need not be */
	unsigned bad = state ? (group_of(mode) | others_of(mode)) & 2 :
			       others_of(mode) | (dir ? 0 : group_of(mode) & 6);
	_cleanup_(freep) char *mend = NULL;

	if (!node_bool(file, "exists", false))
		return;
	if (!node_bool(file, "own", true)) {
		mend = str_dupf("chown postgres: %s", path);
		finding_add(j->findings, FINDING_CRITICAL, j->name,
			    "whoever owns it can change or replace it under the agent", mend,
			    "%s, %s, belongs to somebody else", path, what);
	} else if (bad != 0) {
		mend = str_dupf("chmod %s %s", state ? "go-w" : dir ? "0700" : "0600", path);
		finding_add(j->findings, FINDING_CRITICAL, j->name,
			    state ? "who can replace the agent's record of what it promised can "
				    "make it break its word" :
			    dir	  ? "others with an account there read the data" :
				    "others with an account there read the secret",
			    mend, "%s, %s, has mode %s", path, what, mode);
	}
}

static void judge_limits(const struct judge *j)
{
	const struct tree_node *limits = tree_child(j->facts, "limits");
	const struct tree_node *files = tree_child(j->facts, "files");
	int64_t open_files = -1, tasks = -1, connections = 0;

	for (const struct tree_node *f = files != NULL ? files->first : NULL; f != NULL;
	     f = f->next)
		judge_file(j, f);
	(void)node_int(limits, "open_files", &open_files);
	(void)node_int(limits, "tasks", &tasks);
	if (open_files >= 0 && open_files < FILES_MIN)
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "health checks and Postgres share it: at its end connections fail",
			    "systemctl edit of the agent's unit: LimitNOFILE=65536",
			    "only %lld files may be open at once", (long long)open_files);
	if (tasks >= 0 && number_of(j, "max_connections", &connections) &&
	    tasks < connections + TASKS_MARGIN)
		finding_add(j->findings, FINDING_CRITICAL, j->name,
			    "Postgres runs in the control group of the agent, and each connection "
			    "is a process: beyond the limit none is started",
			    "systemctl edit of the agent's unit: TasksMax=infinity",
			    "%lld processes may run, and max_connections is %lld",
			    (long long)tasks, (long long)connections);
}

/* ---- fences ---- */

static void judge_guard(const struct judge *j)
{
	const struct tree_node *fence = tree_child(j->facts, "fence");
	const char *wanted = node_str(tree_child(j->facts, "wants"), "guard");

	if (str_eq(wanted, "off")) {
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "when the agent hangs or dies, nothing but the module ends what its "
			    "Postgres does beyond the lease",
			    "fence.guard: auto in the file of the member, then hactl reload",
			    "no guardian is wanted");
		return;
	}
	if (!str_eq(node_str(fence, "guard"), "alive")) {
		finding_add(j->findings,
			    str_eq(wanted, "required") ? FINDING_CRITICAL : FINDING_WARNING,
			    j->name,
			    "when the agent hangs or dies, nobody kills its Postgres as the lease "
			    "ends",
			    "look at the agent's log; pgha-guard stands beside pghad",
			    "the guardian is %s", node_str(fence, "guard"));
		return;
	}
	if (!node_bool(fence, "memory_locked", true))
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "when the host swaps, the guardian may come too late",
			    "systemctl edit of the unit: LimitMEMLOCK=infinity",
			    "the memory of the guardian is not locked");
	if (str_eq(node_str(fence, "priority"), "usual"))
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "on a host whose processors are all busy, the guardian may come too "
			    "late",
			    "systemctl edit of the unit: LimitRTPRIO=1, or LimitNICE=-20",
			    "the guardian has the usual priority");
}

static void judge_module(const struct judge *j)
{
	const struct tree_node *module = tree_child(tree_child(j->facts, "fence"), "module");
	const char *wanted = node_str(tree_child(j->facts, "wants"), "commit_guard");
	const char *state = node_str(module, "state");
	_cleanup_(freep) char *mend = NULL;
	int64_t version = 0;

	if (str_eq(wanted, "off") || str_eq(state, "ready") || str_eq(state, "unknown"))
		return;
	(void)node_int(j->facts, "server_version", &version);
	mend = str_dupf("install the package with pgha_fence for PostgreSQL %lld, then hactl "
			"restart CLUSTER MEMBER",
			(long long)(version / 10000));
	finding_add(j->findings,
		    str_eq(wanted, "required") ? FINDING_CRITICAL : FINDING_WARNING, j->name,
		    "a primary that a pause of the host thaws after its lease may acknowledge "
		    "commits until it is killed",
		    mend, "the module pgha_fence is %s%s%s in the running Postgres", state,
		    node_text(module, "page") != NULL ? ": " : "", node_str(module, "page"));
}

static void judge_fences(const struct judge *j)
{
	const struct tree_node *fence = tree_child(j->facts, "fence");
	const char *wanted = node_str(tree_child(j->facts, "wants"), "watchdog");

	judge_guard(j);
	judge_module(j);
	if (!str_eq(wanted, "off") && str_eq(node_str(fence, "watchdog"), "failed"))
		finding_add(j->findings,
			    str_eq(wanted, "required") ? FINDING_CRITICAL : FINDING_WARNING,
			    j->name,
			    "nothing resets the host when all of it hangs",
			    strstr(node_str(fence, "watchdog_why"), "safety_margin") != NULL ?
				    "watchdog.safety_margin: -1 in the file of the member, then "
				    "hactl reload" :
				    "modprobe softdog or the driver of the board, and let postgres "
				    "write the device; or watchdog.mode: off",
			    "the watchdog cannot be used: %s", node_str(fence, "watchdog_why"));
}

/* ---- the REST API ---- */

static bool is_loopback(const char *host)
{
	return str_starts(host, "127.") || str_eq(host, "::1") || str_eq(host, "localhost");
}

static bool rest_is_open(const struct tree_node *rest)
{
	return rest != NULL && !is_loopback(node_str(rest, "listen")) &&
	       !node_bool(rest, "authentication", false) && !node_bool(rest, "allowlist", false) &&
	       !str_eq(node_str(rest, "verify_client"), "required");
}

static void judge_rest(const struct judge *j)
{
	const struct tree_node *rest = tree_child(j->facts, "restapi");
	const char *listen = node_str(rest, "listen");

	if (rest == NULL || is_loopback(listen))
		return;
	if (node_bool(rest, "authentication", false) && !node_bool(rest, "tls", true))
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "who reads the network has the password, and can do all that it lets "
			    "one do",
			    "restapi.certfile, restapi.keyfile and ctl.cacert in the file of every "
			    "member and of hactl, then hactl reload",
			    "the password of the REST API crosses the network in clear at %s port "
			    "%s",
			    *listen != '\0' ? listen : "*", node_str(rest, "port"));
	if (!node_bool(rest, "peer_secret", false) &&
	    !str_eq(node_str(rest, "verify_client"), "required"))
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "who is on the way can answer for a member in an election, and who may "
			    "send commands can take part in one",
			    "see A SECRET OF THE MEMBERS in pgha-operations(7)",
			    "what members say to each other is not signed");
	if (!rest_is_open(rest))
		return;
	finding_add(j->findings, FINDING_WARNING, j->name,
		    "whoever reaches that port can switch over, restart, and have data replaced",
		    "restapi.authentication, restapi.allowlist or restapi.verify_client in the "
		    "file of every member, then hactl reload",
		    "the REST API takes writes without authentication at %s port %s",
		    *listen != '\0' ? listen : "*", node_str(rest, "port"));
}

/* ---- the dynamic configuration ---- */

static void judge_withheld(const struct judge *j)
{
	const struct tree_node *list = tree_child(j->facts, "withheld");
	_cleanup_(buf_done) struct buf keys = { 0 };

	for (const struct tree_node *it = list != NULL ? list->first : NULL; it != NULL;
	     it = it->next)
		if (tree_is_scalar(it))
			buf_printf(&keys, "%s%s", keys.len > 0 ? ", " : "", it->text);
	if (keys.len > 0)
		finding_add(j->findings, FINDING_WARNING, j->name,
			    "it says pgha.allow_remote_commands: false, so what can run programs "
			    "counts from its own file alone: members may run with different "
			    "settings",
			    "set it in the file of every member, then hactl reload CLUSTER, then "
			    "hactl edit-config -s KEY=null",
			    "this stands in the dynamic configuration and is not applied: %s",
			    keys.data);
}

static void judge_remote(const struct judge *j)
{
	const bool rest = rest_is_open(tree_child(j->facts, "restapi"));
	const bool etcd = node_bool(j->facts, "etcd_open", false);

	judge_withheld(j);
	if (!node_bool(j->facts, "allow_remote_commands", false) || (!rest && !etcd))
		return;
	finding_add(j->findings, FINDING_WARNING, j->name,
		    "the dynamic configuration may hold commands (archive_command, callbacks, "
		    "libraries), which run as the user of Postgres on every member",
		    "pgha.allow_remote_commands: false in the file of every member, and such "
		    "settings beside it; or a login for each: doc/security.md",
		    "whoever reaches %s%s%s can run programs here", etcd ? "etcd" : "",
		    etcd && rest ? ", or " : "", rest ? "the REST API" : "");
}

void doctor_member(const struct picture *picture, const struct patient *patient,
		   struct findings *findings)
{
	struct judge j = { .facts = patient->facts, .findings = findings,
			   .settings = tree_child(patient->facts, "settings"),
			   .name = node_str(patient->facts, "name") };

	if (patient->facts == NULL)
		return;
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		j.nmembers++;
	judge_postgres(&j);
	judge_disk(&j);
	judge_limits(&j);
	judge_fences(&j);
	judge_rest(&j);
	judge_remote(&j);
}
