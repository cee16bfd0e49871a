-- SPDX-License-Identifier: PostgreSQL
-- examine - what a failover, a rewind or a new standby needs of this server
-- in:     nothing
-- out:    name, value
-- kind:   query
-- oldest: 13
-- Settings in their own unit, and counts. The size reads directories only.
select s.name, s.setting
from pg_catalog.pg_settings s
where s.name in ('wal_level', 'wal_log_hints', 'data_checksums', 'max_wal_senders',
	'max_replication_slots', 'hot_standby', 'fsync', 'full_page_writes', 'max_connections',
	'archive_mode', 'max_slot_wal_keep_size', 'wal_keep_size', 'recovery_min_apply_delay',
	'max_standby_streaming_delay', 'password_encryption')
union all select 'wal_senders_used', pg_catalog.count(*)::text
	from pg_catalog.pg_stat_replication
union all select 'slots_used', pg_catalog.count(*)::text from pg_catalog.pg_replication_slots
union all select 'slots_idle', pg_catalog.count(*)::text
	from pg_catalog.pg_replication_slots where not active
union all select 'data_bytes', pg_catalog.sum(pg_catalog.pg_tablespace_size(oid))::int8::text
	from pg_catalog.pg_tablespace
order by 1;
