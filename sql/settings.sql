-- SPDX-License-Identifier: PostgreSQL
-- settings - the settings that stand on the command line as they are, and those that wait
-- in:     nothing
-- out:    name, setting, pending, shown, type, unit, in_files
-- kind:   query
-- oldest: 13
-- A setting on the command line never waits by Postgres' own account, so it is compared by us.
-- Settings of the standby role are left out: they change with the role. The files are read only
-- for a setting that waits; one that was taken out of them goes back to its default.
select s.name, s.setting, s.pending_restart,
	pg_catalog.current_setting(s.name), s.vartype, s.unit,
	case when s.pending_restart then coalesce(
		(select f.setting from pg_catalog.pg_file_settings f where f.name = s.name
			order by f.seqno desc limit 1),
		s.boot_val) end
from pg_catalog.pg_settings s
where s.name in ('listen_addresses', 'port', 'cluster_name', 'wal_level', 'hot_standby',
		'max_connections', 'max_wal_senders', 'max_prepared_transactions',
		'max_locks_per_transaction', 'track_commit_timestamp', 'max_replication_slots',
		'max_worker_processes', 'wal_log_hints')
	or s.pending_restart and s.name not like 'recovery\_target%' and s.name not in (
		'hot_standby', 'primary_conninfo', 'primary_slot_name', 'restore_command',
		'archive_cleanup_command', 'recovery_end_command', 'recovery_min_apply_delay',
		'promote_trigger_file')
order by s.name;
