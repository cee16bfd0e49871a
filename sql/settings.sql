-- SPDX-License-Identifier: PostgreSQL
-- settings - the settings that stand on the command line as they are, and those that wait
-- in:     nothing
-- out:    name, setting, pending
-- kind:   query
-- oldest: 13
-- A setting on the command line never waits by Postgres' own account, so it is compared by us.
-- Settings of the standby role are left out: they change with the role.
select name, setting, pending_restart
from pg_catalog.pg_settings
where name in ('listen_addresses', 'port', 'cluster_name', 'wal_level', 'hot_standby',
		'max_connections', 'max_wal_senders', 'max_prepared_transactions',
		'max_locks_per_transaction', 'track_commit_timestamp', 'max_replication_slots',
		'max_worker_processes', 'wal_log_hints')
	or pending_restart and name not like 'recovery\_target%' and name not in (
		'hot_standby', 'primary_conninfo', 'primary_slot_name', 'restore_command',
		'archive_cleanup_command', 'recovery_end_command', 'recovery_min_apply_delay',
		'promote_trigger_file')
order by name;
