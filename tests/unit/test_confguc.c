/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_confguc - the settings of Postgres that are in force
 */
#include <criterion/criterion.h>

#include "confload.h"
#include "wire/confguc.h"

#define LOAD _cleanup_(confload_done) struct confload load

/* Loads with dynamic parameters given as the inside of a JSON object. */
static struct confload with(const char *parameters)
{
	_cleanup_(freep) char *json =
		str_dupf("{\"postgresql\":{\"parameters\":{%s}}}", parameters);

	return confload_dynamic(CONFLOAD_MINIMAL, json);
}

Test(confguc, puts_the_controlled_ones_first_and_in_patronis_order)
{
	static const char *const names[] = {
		"listen_addresses", "port", "cluster_name", "wal_level", "hot_standby",
		"max_connections", "max_wal_senders", "max_prepared_transactions",
		"max_locks_per_transaction", "track_commit_timestamp", "max_replication_slots",
		"max_worker_processes", "wal_log_hints", "a.b", "shared_buffers", "wal_keep_size",
		"wal_retrieve_retry_interval", "work_mem",
	};
	static const char *const values[] = {
		"127.0.0.1", "5432", "main", "replica", "on", "100", "10", "0", "64", "off", "10",
		"8", "on", "1", "1GB", "128MB", "100ms", "4MB",
	};
	LOAD = with("\"work_mem\":\"4MB\",\"a.b\":1,\"shared_buffers\":\"1GB\"");
	const struct pairs *pairs = &load.config->pg.parameters;

	cr_assert_eq(pairs->n, ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cr_assert_str_eq(pairs->items[i].name, names[i]);
		cr_assert_str_eq(pairs->items[i].value, values[i]);
		cr_assert_eq(confguc_is_controlled(names[i]), i < 13, "%s", names[i]);
	}
}

Test(confguc, takes_controlled_ones_from_the_dynamic_configuration_within_their_range)
{
	static const struct {
		const char *parameter;
		const char *name;
		const char *value;
		bool said;
	} cases[] = {
		{ "\"max_connections\":25", "max_connections", "25", false },
		{ "\"max_connections\":24", "max_connections", "100", true },
		{ "\"max_connections\":\"200\"", "max_connections", "200", false },
		{ "\"MAX_connections\":300", "max_connections", "300", false },
		{ "\"max_connections\":\"many\"", "max_connections", "100", true },
		{ "\"max_wal_senders\":3", "max_wal_senders", "3", false },
		{ "\"max_wal_senders\":2", "max_wal_senders", "10", true },
		{ "\"max_prepared_transactions\":0", "max_prepared_transactions", "0", false },
		{ "\"max_prepared_transactions\":-1", "max_prepared_transactions", "0", true },
		{ "\"max_locks_per_transaction\":31", "max_locks_per_transaction", "64", true },
		{ "\"max_locks_per_transaction\":32", "max_locks_per_transaction", "32", false },
		{ "\"max_replication_slots\":3", "max_replication_slots", "10", true },
		{ "\"max_replication_slots\":4", "max_replication_slots", "4", false },
		{ "\"max_worker_processes\":1", "max_worker_processes", "8", true },
		{ "\"track_commit_timestamp\":true", "track_commit_timestamp", "on", false },
		{ "\"track_commit_timestamp\":\"maybe\"", "track_commit_timestamp", "off", true },
		{ "\"wal_log_hints\":\"off\"", "wal_log_hints", "off", false },
		{ "\"wal_level\":\"hot_standby\"", "wal_level", "replica", false },
		{ "\"wal_level\":\"Logical\"", "wal_level", "logical", false },
		{ "\"wal_level\":\"minimal\"", "wal_level", "replica", true },
		{ "\"hot_standby\":\"on\"", "hot_standby", "on", false },
		{ "\"hot_standby\":\"off\"", "hot_standby", "on", true },
		{ "\"port\":1", "port", "5432", true },
		{ "\"cluster_name\":\"x\"", "cluster_name", "main", true },
		{ "\"wal_keep_size\":\"1GB\"", "wal_keep_size", "1GB", false },
		{ "\"wal_keep_size\":16", "wal_keep_size", "16", false },
		{ "\"wal_keep_size\":\"15MB\"", "wal_keep_size", "128MB", true },
		{ "\"wal_keep_segments\":4", "wal_keep_size", "64MB", false },
		{ "\"wal_keep_segments\":0", "wal_keep_size", "128MB", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		LOAD = with(cases[i].parameter);

		cr_assert_str_eq(confload_guc(&load, cases[i].name), cases[i].value, "%s",
				 cases[i].parameter);
		cr_assert_eq(load.problems.n, cases[i].said ? 1 : 0, "%s: %s", cases[i].parameter,
			     load.text.data);
	}
}

Test(confguc, ignores_local_values_of_controlled_ones)
{
	LOAD = confload(CONFLOAD_MINIMAL "  parameters: {max_connections: 500, wal_keep_size: 1GB}\n");

	cr_assert_str_eq(confload_guc(&load, "max_connections"), "100");
	cr_assert_str_eq(confload_guc(&load, "wal_keep_size"), "128MB");
	cr_assert(confload_says(&load, "f:14: warning: postgresql.parameters.max_connections: must be "
				       "the same on all members"));
}

Test(confguc, merges_the_free_ones_and_lets_the_local_value_win)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL "  parameters: {Work_Mem: 1MB, jit: off}\n",
				"{\"postgresql\":{\"parameters\":{\"work_mem\":\"9MB\","
				"\"maintenance_work_mem\":\"5MB\"}}}");

	cr_assert_str_eq(confload_guc(&load, "Work_Mem"), "1MB");
	cr_assert_null(confload_guc(&load, "work_mem"), "names differ in case only");
	cr_assert_str_eq(confload_guc(&load, "maintenance_work_mem"), "5MB");
	cr_assert_str_eq(confload_guc(&load, "jit"), "off");
}

Test(confguc, takes_nothing_from_a_list)
{
	LOAD = confload(CONFLOAD_MINIMAL "  parameters: [1, {work_mem: 1MB}]\n");

	cr_assert_null(load.config);
	cr_assert(confload_says(&load, "f:14: error: postgresql.parameters: "));
}

Test(confguc, takes_nothing_from_a_dynamic_list)
{
	LOAD = confload_dynamic(CONFLOAD_MINIMAL, "{\"postgresql\":{\"parameters\":[1,2]}}");

	cr_assert_not_null(load.config);
	cr_assert_null(confload_guc(&load, "work_mem"));
}

Test(confguc, leaves_wal_retrieve_retry_interval_to_the_operator)
{
	LOAD = with("\"wal_retrieve_retry_interval\":\"2s\"");

	cr_assert_str_eq(confload_guc(&load, "wal_retrieve_retry_interval"), "2s");
}

Test(confguc, drops_what_pghad_sets_itself)
{
	static const char *const names[] = { "primary_conninfo", "primary_slot_name", "recovery_target",
					     "recovery_target_timeline", "recovery_target_lsn",
					     "data_directory", "config_file" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(freep) char *parameter = str_dupf("\"%s\":\"x\"", names[i]);
		LOAD = with(parameter);

		cr_assert_null(confload_guc(&load, names[i]));
		cr_assert(confload_says(&load, "set by pghad and never from here"), "%s", names[i]);
	}
	_cleanup_(confload_done) struct confload recovery = confload(
		CONFLOAD_MINIMAL "  recovery_conf: {restore_command: cp, recovery_target_time: x}\n");
	cr_assert_eq(recovery.config->pg.recovery_conf.n, 1);
}

Test(confguc, keeps_one_bad_setting_from_taking_the_others_along)
{
	LOAD = with("\"work_mem\":\"4MB\",\"x\":[1],\"y\":\"a\\nb\",\"z 1\":2,\"archive_command\":"
		    "\"cp\\n\",\"n\":null");

	cr_assert_str_eq(confload_guc(&load, "work_mem"), "4MB");
	cr_assert_str_eq(confload_guc(&load, "archive_command"), "cp");
	cr_assert_null(confload_guc(&load, "x"));
	cr_assert_null(confload_guc(&load, "y"));
	cr_assert_null(confload_guc(&load, "z 1"));
	cr_assert_null(confload_guc(&load, "n"));
	cr_assert_eq(load.problems.n, 3, "%s", load.text.data);
}
