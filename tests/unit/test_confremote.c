/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_confremote - what of the dynamic configuration can run programs, and what becomes of it
 */
#include <criterion/criterion.h>

#include "confload.h"
#include "wire/confkeys.h"
#include "wire/confremote.h"

#define LOAD  _cleanup_(confload_done) struct confload load
#define GUARD "pgha: {allow_remote_commands: false}\n"

/* One of each kind, and beside them what may come from anywhere. */
static const char dynamic[] =
	"{\"ttl\": 7, \"postgresql\": {\"use_slots\": false, \"use_pg_rewind\": true,"
	" \"parameters\": {\"archive_command\": \"rm -rf /\", \"ARCHIVE_LIBRARY\": \"x\","
	"  \"work_mem\": \"5MB\", \"max_connections\": 50, \"plperl.on_init\": \"system('x')\","
	"  \"include\": \"/tmp/x\", \"search_path\": \"public\", \"log_directory\": null},"
	" \"recovery_conf\": {\"restore_command\": \"curl\", \"recovery_min_apply_delay\": \"5min\"},"
	" \"callbacks\": {\"on_start\": \"/tmp/x\"}, \"pre_promote\": \"/tmp/x\", \"bin_dir\": \"/tmp\","
	" \"create_replica_methods\": [\"mine\", \"basebackup\"], \"mine\": {\"command\": \"/tmp/x\"},"
	" \"basebackup\": [{\"waldir\": \"/tmp\"}], \"pg_hba\": [\"host all all all trust\"]}}";

static const char *const guarded[] = {
	"postgresql.parameters.archive_command", "postgresql.parameters.ARCHIVE_LIBRARY",
	"postgresql.parameters.plperl.on_init",	 "postgresql.parameters.include",
	"postgresql.recovery_conf.restore_command", "postgresql.callbacks",
	"postgresql.pre_promote", "postgresql.bin_dir", "postgresql.mine",
	"postgresql.basebackup", "postgresql.pg_hba",
};

static bool is_withheld(const struct confload *load, const char *path)
{
	for (size_t i = 0; i < load->config->withheld.n; i++)
		if (str_eq(load->config->withheld.items[i], path))
			return true;
	return false;
}

static bool has(const struct pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (str_ieq(pairs->items[i].name, name))
			return true;
	return false;
}

Test(confremote, applies_everything_unless_told_otherwise)
{
	static const char *const files[] = { CONFLOAD_MINIMAL,
					     CONFLOAD_MINIMAL "pgha: {allow_remote_commands: true}\n" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		LOAD = confload_dynamic(files[i], dynamic);

		cr_assert_eq(load.r, 0, "%s", load.err.msg);
		cr_assert(load.config->allow_remote_commands);
		cr_assert_eq(load.config->withheld.n, 0);
		cr_assert_str_eq(confload_guc(&load, "archive_command"), "rm -rf /");
		cr_assert_str_eq(load.config->pg.callback_on_start, "/tmp/x");
		cr_assert(has(&load.config->pg.recovery_conf, "restore_command"));
		cr_assert_eq(load.config->pg.nmethods, 2);
		cr_assert_eq(load.config->pg.pg_hba.n, 1);
		cr_assert_not(confload_says(&load, CONFREMOTE_KEY));
	}
}

Test(confremote, withholds_what_can_run_programs_and_nothing_else)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL GUARD, dynamic);
	const struct config_postgresql *pg = &load.config->pg;

	cr_assert_eq(load.r, 0, "%s", load.err.msg);
	cr_assert_null(confload_guc(&load, "archive_command"));
	cr_assert_null(confload_guc(&load, "ARCHIVE_LIBRARY"));
	cr_assert_null(confload_guc(&load, "plperl.on_init"));
	cr_assert_null(confload_guc(&load, "include"));
	cr_assert_null(pg->callback_on_start);
	cr_assert_null(pg->pre_promote);
	cr_assert_null(pg->bin_dir);
	cr_assert_eq(pg->pg_hba.n, 0);
	cr_assert_eq(pg->basebackup.n, 0);
	cr_assert_eq(pg->nmethods, 1);
	cr_assert_str_eq(pg->methods[0].name, "basebackup");
	cr_assert_not(has(&pg->recovery_conf, "restore_command"));
	cr_assert(has(&pg->recovery_conf, "recovery_min_apply_delay"));
	cr_assert_str_eq(confload_guc(&load, "work_mem"), "5MB");
	cr_assert_str_eq(confload_guc(&load, "max_connections"), "50");
	cr_assert_str_eq(confload_guc(&load, "search_path"), "public");
	cr_assert_eq(load.config->ha.ttl_ms, 7000);
	cr_assert_not(load.config->ha.use_slots);
	cr_assert(load.config->ha.use_pg_rewind);
}

Test(confremote, names_each_key_where_it_stands_and_what_to_do)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL GUARD, dynamic);

	cr_assert_eq(load.config->withheld.n, ARRAY_LEN(guarded));
	for (size_t i = 0; i < ARRAY_LEN(guarded); i++) {
		_cleanup_(freep) char *line =
			str_dupf("f: warning: %s: in the dynamic configuration: not applied, because "
				 "the file of this member says pgha.allow_remote_commands: false; set "
				 "it in the files of the members, or take it away with hactl "
				 "edit-config\n", guarded[i]);

		cr_assert(is_withheld(&load, guarded[i]), "%s", guarded[i]);
		cr_assert(confload_says(&load, line), "%s is not in:\n%s", line, load.text.data);
	}
}

Test(confremote, leaves_what_the_file_says_in_force_and_says_nothing_of_it)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL
				"  parameters: {Archive_Command: 'true'}\n"
				"  callbacks: {on_stop: /usr/local/bin/cb}\n"
				"  bin_dir: /usr/lib/postgresql/15/bin\n" GUARD, dynamic);

	cr_assert_eq(load.r, 0, "%s", load.err.msg);
	cr_assert_str_eq(confload_guc(&load, "Archive_Command"), "true");
	cr_assert_str_eq(load.config->pg.bin_dir, "/usr/lib/postgresql/15/bin");
	cr_assert_str_eq(load.config->pg.callback_on_stop, "/usr/local/bin/cb");
	cr_assert_null(load.config->pg.callback_on_start);
	cr_assert_not(is_withheld(&load, "postgresql.parameters.archive_command"));
	cr_assert_not(is_withheld(&load, "postgresql.callbacks"));
	cr_assert_not(is_withheld(&load, "postgresql.bin_dir"));
	cr_assert(is_withheld(&load, "postgresql.pre_promote"));
}

Test(confremote, counts_in_the_local_file_alone)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL GUARD,
				"{\"pgha\": {\"allow_remote_commands\": true},"
				" \"postgresql\": {\"pre_promote\": \"/tmp/x\"}}");

	cr_assert_not(load.config->allow_remote_commands);
	cr_assert_null(load.config->pg.pre_promote);
	cr_assert(confload_says(&load, "f: warning: pgha.allow_remote_commands: in the dynamic "
				       "configuration: belongs into the file of each member, ignored "
				       "here"), "%s", load.text.data);
	_cleanup_(confload_done) struct confload bad =
		confload(CONFLOAD_MINIMAL "pgha: {allow_remote_commands: maybe}\n");
	cr_assert_null(bad.config);
	cr_assert(confload_says(&bad, "f:14: error: pgha.allow_remote_commands: 'maybe' is not valid; "
				      "allowed is true or false"), "%s", bad.text.data);
}

Test(confremote, holds_for_the_first_content_of_the_document_too)
{
	LOAD = confload(CONFLOAD_MINIMAL GUARD
			"bootstrap:\n  dcs:\n    ttl: 9\n    postgresql:\n      parameters:\n"
			"        restore_command: cp\n        work_mem: 7MB\n");

	cr_assert_eq(load.r, 0, "%s", load.err.msg);
	cr_assert(confload_says(&load, "f:20: warning: bootstrap.dcs.postgresql.parameters."
				       "restore_command: not applied, because of "
				       "pgha.allow_remote_commands: false; it counts outside "
				       "bootstrap.dcs, in the file of each member\n"), "%s",
		  load.text.data);
	cr_assert_null(confload_guc(&load, "restore_command"));
	cr_assert_str_eq(confload_guc(&load, "work_mem"), "7MB");
	cr_assert_eq(load.config->ha.ttl_ms, 9000);
	/* What is written into etcd is what stands there: other members may want it. */
	cr_assert(strstr(load.config->bootstrap.dcs_json, "restore_command") != NULL);
}

Test(confremote, tells_that_a_reload_changed_it)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL GUARD, "{}");
	_cleanup_(confload_done) struct confload same = confload_dynamic(CONFLOAD_MINIMAL GUARD, "{}");
	_cleanup_(confload_done) struct confload other = confload_dynamic(CONFLOAD_MINIMAL, "{}");

	cr_assert_eq(config_diff(load.config, same.config), 0);
	cr_assert_eq(config_diff(load.config, other.config), CONFIG_DIFF_OTHER);
}

Test(confremote, knows_settings_by_their_names)
{
	static const char *const yes[] = {
		"archive_command", "restore_command", "archive_cleanup_command", "recovery_end_command",
		"ssl_passphrase_command", "archive_library", "shared_preload_libraries",
		"session_preload_libraries", "local_preload_libraries", "dynamic_library_path",
		"extension_control_path", "oauth_validator_libraries", "data_directory", "log_directory",
		"stats_temp_directory", "unix_socket_directories", "jit_provider", "krb_server_keyfile",
		"ssl_cert_file", "ssl_key_file", "ssl_crl_dir", "hba_file", "promote_trigger_file",
		"log_filename", "include_if_exists", "plperl.on_plperlu_init", "pltclu.start_proc",
		"pljava.vmoptions", "pgha_fence.page", "Archive_Command",
	};
	static const char *const no[] = {
		"work_mem", "search_path", "archive_mode", "log_replication_commands", "max_connections",
		"temp_file_limit", "log_temp_files", "max_files_per_process", "recovery_target_time",
		"pg_stat_statements.max", "log_line_prefix", "wal_init_zero", "",
	};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		cr_assert(confremote_is_setting(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		cr_assert_not(confremote_is_setting(no[i]), "%s", no[i]);
}

/* "" or the path that the change brings. */
static void brings(const char *before_json, const char *after_json, const char *expected)
{
	_cleanup_(tree_done) struct tree before = { 0 };
	_cleanup_(tree_done) struct tree after = { 0 };
	char path[TREE_PATH_SIZE] = "";
	bool found;

	if (before_json != NULL)
		cr_assert_eq(tree_from_json(before_json, strlen(before_json), &before, NULL), 0);
	cr_assert_eq(tree_from_json(after_json, strlen(after_json), &after, NULL), 0);
	found = confremote_brings(before.root, after.root, path);
	cr_assert_str_eq(found ? path : "", expected, "%s", after_json);
}

Test(confremote, finds_what_a_change_brings)
{
	static const char archive[] =
		"{\"postgresql\": {\"parameters\": {\"archive_command\": \"a\"}}}";
	static const char hba[] = "{\"postgresql\": {\"pg_hba\": [\"local all all peer\"]}}";

	brings("{}", archive, "postgresql.parameters.archive_command");
	brings(NULL, archive, "postgresql.parameters.archive_command");
	brings("{\"postgresql\": {\"parameters\": {\"archive_command\": \"b\"}}}", archive,
	       "postgresql.parameters.archive_command");
	brings("{}", hba, "postgresql.pg_hba");
	brings("{\"postgresql\": {\"pg_hba\": []}}", hba, "postgresql.pg_hba");
	brings("{}", "{\"postgresql\": {\"wal_g\": {\"command\": \"x\"}}}", "postgresql.wal_g");
	/* What stands there may stay, and go. */
	brings(archive, archive, "");
	brings(hba, hba, "");
	brings(archive, "{\"ttl\": 5}", "");
	brings(archive, "{\"postgresql\": {\"parameters\": {\"archive_command\": null}}}", "");
	brings("{}", "{\"postgresql\": {\"parameters\": {\"work_mem\": 5}, \"use_slots\": true}}", "");
	brings("{}", "{\"postgresql\": [1], \"x\": {\"archive_command\": \"a\"}}", "");
}

Test(confremote, guards_every_dynamic_key_that_could_hold_a_command)
{
	/* Texts and lists of the dynamic document that run nothing and name no file. A new key is
	 * guarded, or comes in here on purpose. */
	static const char *const harmless[] = {
		"standby_cluster.host", "standby_cluster.port", "standby_cluster.primary_slot_name",
		"standby_cluster.recovery_min_apply_delay", "slots", "permanent_replication_slots",
		"permanent_slots", "ignore_slots", "postgresql.database", "postgresql.krbsrvname",
		"postgresql.create_replica_methods", "postgresql.create_replica_method",
	};
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		bool is_text = key->type == CONF_TEXT || key->type == CONF_LIST ||
			       key->type == CONF_OPTIONS || key->type == CONF_OPEN ||
			       key->type == CONF_COMMAS || key->type == CONF_ANY ||
			       key->type == CONF_PATH;
		bool known = (key->flags & CONF_EXEC) || strchr(key->path, '<') != NULL ||
			     str_starts(key->path, "postgresql.callbacks.") ||
			     str_starts(key->path, "postgresql.bin_name.");

		for (size_t j = 0; j < ARRAY_LEN(harmless); j++)
			known = known || str_eq(harmless[j], key->path);
		if ((key->scope & CONF_DYNAMIC) && is_text)
			cr_assert(known, "%s", key->path);
	}
}

Test(confremote, is_listed_in_the_manual)
{
	_cleanup_(freep) char *page = confload_read(SRCDIR, "man/pgha.yml.5");
	const char *entry = strstr(page, ".It Cm pgha.allow_remote_commands\n");
	const struct confkey *key;
	char *end;

	cr_assert_not_null(entry);
	end = strstr(entry, "\n.El\n");
	cr_assert_not_null(end);
	*end = '\0';
	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++)
		if (key->flags & CONF_EXEC)
			cr_assert(strstr(entry, key->path) != NULL, "%s", key->path);
}

Test(confremote, the_example_says_false)
{
	_cleanup_(freep) char *packaged = confload_read(SRCDIR, "packaging/pgha.yml.example");
	LOAD = confload(packaged);

	cr_assert_not_null(load.config, "%s", load.text.data);
	cr_assert_not(load.config->allow_remote_commands);
	cr_assert_gt(load.config->pg.pg_hba.n, 0);
}
