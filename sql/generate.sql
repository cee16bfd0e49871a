-- SPDX-License-Identifier: PostgreSQL
-- generate - what a configuration is made of: settings of the files and of the command line, and roles
-- in:     nothing
-- out:    name, value
-- kind:   query
-- oldest: 13
-- Names in brackets are no settings.
select s.name, pg_catalog.current_setting(s.name)
from pg_catalog.pg_settings s
where s.context <> 'internal'
		and s.source in ('configuration file', 'command line', 'environment variable')
		and s.category <> 'Write-Ahead Log / Recovery Target' and s.setting <> '(disabled)'
	or s.name in ('data_directory', 'config_file', 'hba_file', 'ident_file', 'listen_addresses',
		'port', 'cluster_name', 'data_checksums', 'wal_level', 'max_connections',
		'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction',
		'track_commit_timestamp', 'max_replication_slots', 'max_worker_processes',
		'wal_log_hints', 'is_superuser')
union all
select '[superuser]', case when pg_catalog.current_setting('is_superuser') = 'on' then 'on' end
union all
select '[standby]', case when pg_catalog.pg_is_in_recovery() then 'on' end
union all
select '[replicator]', (select min(r.rolname::text) from pg_catalog.pg_roles r
	where r.rolreplication and r.rolcanlogin and not r.rolsuper)
order by 1;
