/* SPDX-License-Identifier: PostgreSQL */
/*
 * confbuild - sections of the checked document into struct config
 *
 * Who we are, the numbers of the cluster, log, watchdog, bootstrap. etcd and REST, Postgres and
 * the tags have files of their own.
 */
#include "wire/confbuild.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "wire/confkeys.h"
#include "wire/confremote.h"
#include "wire/confvalue.h"

#define DCS "bootstrap.dcs."

void confbuild_report(const struct confbuild *build, bool fatal, const char *path,
		      const char *fmt, ...)
{
	bool is_dynamic = build->is_dynamic_etcd && str_starts(path, DCS);
	const struct tree_node *node = is_dynamic ? NULL : tree_find(build->get.local, path);
	va_list ap;

	va_start(ap, fmt);
	confproblem_vadd(build->problems, node != NULL ? node->line : 0, fatal,
			 is_dynamic ? path + strlen(DCS) : path,
			 is_dynamic ? CONFPROBLEM_DYNAMIC : "", fmt, ap);
	va_end(ap);
}

/* "//db/ha/" -> "db/ha"; each part must be a name. */
static int take_namespace(const char *text, char dst[NAME_SIZE], struct err *err)
{
	size_t len = 0;

	dst[0] = '\0';
	while (*text != '\0') {
		size_t part = strcspn(text, "/");
		_cleanup_(freep) char *name = str_ndup(text, part);
		int r;

		text += part + (text[part] == '/');
		if (part == 0)
			continue;
		r = confvalue_name(name, err);
		if (r < 0)
			return r;
		r = str_printf(dst + len, NAME_SIZE - len, "%s%s", len > 0 ? "/" : "", name);
		if (r < 0)
			return err_set(err, ERR_CONFIG, "longer than %d bytes", NAME_SIZE - 1);
		len += (size_t)r;
	}
	return 0;
}

void confbuild_identity(const struct confbuild *build)
{
	struct config *config = build->config;
	_cleanup_(freep) char *name = confget_text(&build->get, "name");
	_cleanup_(freep) char *scope = confget_text(&build->get, "scope");
	_cleanup_(freep) char *space = confget_text(&build->get, "namespace");
	struct err err = { 0 };

	/* Too long ones were refused by the check of their type. */
	str_copy(config->name, sizeof(config->name), name);
	str_copy(config->scope, sizeof(config->scope), scope);
	if (str_eq(config->name, "__patroni_strict_sync_replica_placeholder__"))
		confbuild_report(build, true, "name", "reserved by Patroni; choose another");
	if (take_namespace(space, config->namespace_, &err) < 0)
		confbuild_report(build, true, "namespace", "%s", err.msg);
	str_printf(config->prefix, sizeof(config->prefix), "/%s%s%s/", config->namespace_,
		   config->namespace_[0] != '\0' ? "/" : "", config->scope);
	config->run_dir = confget_text(&build->get, "pgha.run_dir");
	config->allow_remote_commands = confget_bool(&build->get, CONFREMOTE_KEY);
}

static enum lease_proof proof_of(unsigned word)
{
	static const enum lease_proof proofs[] = { PROOF_AUTO, PROOF_BEAT, PROOF_PHANTOM };

	return word < ARRAY_LEN(proofs) ? proofs[word] : PROOF_AUTO;
}

static enum crash_policy crash_policy_of(unsigned word)
{
	static const enum crash_policy policies[] = { CRASH_AUTO, CRASH_RESTART, CRASH_FAILOVER };

	return word < ARRAY_LEN(policies) ? policies[word] : CRASH_AUTO;
}

static enum failsafe_mode failsafe_of(unsigned word)
{
	static const enum failsafe_mode modes[] = { FAILSAFE_OFF, FAILSAFE_ALL,
						    FAILSAFE_QUORUM };

	return word < ARRAY_LEN(modes) ? modes[word] : FAILSAFE_OFF;
}

static void check_timing(const struct confbuild *build)
{
	struct config_ha *ha = &build->config->ha;

	if (ha->ttl_ms < 3000)
		confbuild_report(build, false, "bootstrap.dcs.ttl",
				 "a ttl below 3 s leaves less than a second between a missed "
				 "renewal and the stop of Postgres: an election among the etcd "
				 "members will cost a failover");
	if (ha->loop_wait_ms >= ha->ttl_ms) {
		/* At least two looks in the time of a lease. */
		int64_t corrected_ms = MAX_OF(ha->ttl_ms / 2000, INT64_C(1)) * 1000;

		confbuild_report(build, false, "bootstrap.dcs.loop_wait",
				 "%lld s is not less than ttl (%lld s); %lld s is used",
				 (long long)ha->loop_wait_ms / 1000, (long long)ha->ttl_ms / 1000,
				 (long long)corrected_ms / 1000);
		ha->loop_wait_ms = corrected_ms;
	}
}

void confbuild_ha(const struct confbuild *build)
{
	const struct confget *get = &build->get;
	struct config_ha *ha = &build->config->ha;

	ha->ttl_ms = confget_int(get, "ttl") * 1000;
	ha->loop_wait_ms = confget_int(get, "loop_wait") * 1000;
	ha->retry_timeout_ms = confget_int(get, "retry_timeout") * 1000;
	ha->maximum_lag_bytes = confget_int(get, "maximum_lag_on_failover");
	ha->primary_start_timeout_ms = confget_int(get, "primary_start_timeout") * 1000;
	ha->on_primary_crash = crash_policy_of(confget_word(get, "on_primary_crash"));
	ha->primary_stop_timeout_ms = confget_int(get, "primary_stop_timeout") * 1000;
	ha->member_slots_ttl_ms = confget_int(get, "member_slots_ttl");
	ha->max_timelines_history = (int32_t)confget_int(get, "max_timelines_history");
	ha->check_timeline = confget_bool(get, "check_timeline");
	ha->pause = confget_bool(get, "pause");
	ha->use_slots = confget_bool(get, "postgresql.use_slots");
	ha->use_pg_rewind = confget_bool(get, "postgresql.use_pg_rewind");
	ha->remove_on_rewind_failure =
		confget_bool(get, "postgresql.remove_data_directory_on_rewind_failure");
	ha->remove_on_diverged_timelines =
		confget_bool(get, "postgresql.remove_data_directory_on_diverged_timelines");
	ha->has_bootstrap = tree_find(get->local, "bootstrap") != NULL;
	ha->proof = proof_of(confget_word(get, "pgha.lease_proof"));
	ha->failsafe = failsafe_of(confget_word(get, "failsafe_mode"));
	check_timing(build);
}

void confbuild_log(const struct confbuild *build)
{
	/* In the order of the words of log.level. */
	static const enum log_level levels[] = {
		LOG_DEBUG,   LOG_INFO,  LOG_NOTICE,   LOG_WARNING,
		LOG_WARNING, LOG_ERROR, LOG_CRITICAL, LOG_CRITICAL
	};
	struct config_log *log = &build->config->log;
	unsigned level = confget_word(&build->get, "log.level");

	log->level = level < ARRAY_LEN(levels) ? (int32_t)levels[level] : (int32_t)LOG_INFO;
	log->json = confget_word(&build->get, "log.type") == 1;
	log->dir = confget_text(&build->get, "log.dir");
	log->file_size_bytes = confget_int(&build->get, "log.file_size");
	log->file_num = (int32_t)confget_int(&build->get, "log.file_num");
}

void confbuild_watchdog(const struct confbuild *build)
{
	struct config_watchdog *watchdog = &build->config->watchdog;
	const struct tree_node *mode = confget_node(&build->get, "watchdog.mode");
	unsigned word = mode != NULL ? confget_word(&build->get, "watchdog.mode") : 1;

	/* off|automatic|required|on|auto|require|disable|disabled */
	watchdog->mode = WATCHDOG_AUTOMATIC;
	if (word == 0 || word >= 6)
		watchdog->mode = WATCHDOG_OFF;
	if (word == 2 || word == 5)
		watchdog->mode = WATCHDOG_REQUIRED;
	watchdog->device = confget_text(&build->get, "watchdog.device");
	watchdog->driver = confget_text(&build->get, "watchdog.driver");
	watchdog->safety_margin_s = (int32_t)confget_int(&build->get, "watchdog.safety_margin");
}

void confbuild_fence(const struct confbuild *build)
{
	static const int words[] = { FENCE_GUARD_AUTO, FENCE_GUARD_REQUIRED, FENCE_GUARD_OFF };
	static const int commits[] = { FENCE_COMMIT_AUTO, FENCE_COMMIT_REQUIRED, FENCE_COMMIT_OFF };
	struct strings *command = &build->config->fence.command;
	unsigned word = confget_word(&build->get, "fence.guard");
	unsigned commit = confget_word(&build->get, "fence.commit_guard");

	build->config->fence.hung_postgres = confget_word(&build->get, "fence.hung_postgres") == 1;
	build->config->fence.stalled_disk = confget_word(&build->get, "fence.stalled_disk") == 1;
	build->config->fence.hung_after_ms = confget_int(&build->get, "fence.hung_after") * 1000;
	build->config->fence.guard = word < ARRAY_LEN(words) ? words[word] : FENCE_GUARD_AUTO;
	build->config->fence.commit_guard =
		commit < ARRAY_LEN(commits) ? commits[commit] : FENCE_COMMIT_AUTO;
	confget_strings(&build->get, "fence.command", command);
	if (confget_node(&build->get, "fence.command") != NULL &&
	    (command->n == 0 || command->items[0][0] == '\0'))
		confbuild_report(build, true, "fence.command",
				 "must begin with a program; remove it to run none");
	if (command->n > FENCE_WORDS_MAX)
		confbuild_report(build, true, "fence.command", "has more than %d words",
				 FENCE_WORDS_MAX);
	build->config->fence.command_timeout_ms = confget_int(&build->get, "fence.command_timeout");
	build->config->fence.command_failure =
		confget_word(&build->get, "fence.command_failure") == 1 ? FENCE_FAILURE_PROMOTE
									: FENCE_FAILURE_REFUSE;
}

/* Options that initdb gets from the agent, or that would break what it relies on. */
static bool is_initdb_forbidden(const char *name)
{
	static const char *const forbidden[] = { "pgdata", "nosync",	 "no-sync", "pwfile",
						 "pwprompt", "sync-only", "version" };

	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		if (str_eq(name, forbidden[i]))
			return true;
	return false;
}

static void take_initdb(const struct confbuild *build)
{
	struct pairs *options = &build->config->bootstrap.initdb;

	confget_options(&build->get, "bootstrap.initdb", options);
	for (size_t i = 0; i < options->n; i++)
		if (is_initdb_forbidden(options->items[i].name))
			confbuild_report(build, true, "bootstrap.initdb",
					 "the option '%.40s' is not allowed here; remove it",
					 options->items[i].name);
}

/* Keys of the section that are not ours go to the command as --key=value. */
static void take_method(const struct confbuild *build, const char *name)
{
	struct config_bootstrap *bootstrap = &build->config->bootstrap;
	const struct tree_node *section;
	const struct tree_node *it;
	char path[TREE_PATH_SIZE];
	struct confget get = build->get;

	if (str_printf(path, sizeof(path), "bootstrap.%s", name) < 0)
		return;
	section = tree_find(get.local, path);
	if (strchr(name, '.') != NULL || !tree_is_scalar(tree_child(section, "command"))) {
		confbuild_report(build, true, "bootstrap.method",
				 "'%.60s' needs a section bootstrap.%.60s with a command", name,
				 name);
		return;
	}
	for (it = section->first; it != NULL; it = it->next) {
		struct err ignored;
		const struct confkey *key;
		bool flag = false;

		str_printf(path, sizeof(path), "bootstrap.%s.%s", name, it->key);
		key = confkeys_find(path);
		if (key == NULL && tree_is_scalar(it)) {
			confget_add_pair(&bootstrap->method_params, it->key, it->text);
			continue;
		}
		if (key == NULL || it->type == TREE_NULL)
			continue;
		if (str_ends(path, ".command"))
			bootstrap->method_command = str_dup(it->text);
		else if (str_ends(path, ".recovery_conf"))
			confget_pairs(&get, path, &bootstrap->method_recovery_conf);
		else if (confvalue_bool(key, it, &flag, &ignored) == 0 &&
			 str_ends(path, ".no_params"))
			bootstrap->method_no_params = flag;
		else
			bootstrap->method_keep_recovery_conf = flag;
	}
}

void confbuild_bootstrap(const struct confbuild *build)
{
	struct config_bootstrap *bootstrap = &build->config->bootstrap;
	const struct tree_node *dcs = tree_find(build->get.local, "bootstrap.dcs");
	_cleanup_(buf_done) struct buf json = { 0 };

	bootstrap->present = build->config->ha.has_bootstrap;
	if (dcs != NULL && dcs->type == TREE_MAP)
		tree_to_json(dcs, &json);
	else
		buf_str(&json, "{}");
	bootstrap->dcs_json = buf_take(&json);
	bootstrap->method = confget_text(&build->get, "bootstrap.method");
	if (!str_eq(bootstrap->method, "initdb"))
		take_method(build, bootstrap->method);
	take_initdb(build);
	confget_strings(&build->get, "bootstrap.pg_hba", &bootstrap->pg_hba);
	bootstrap->post_bootstrap = confget_text(&build->get, "bootstrap.post_bootstrap");
}
