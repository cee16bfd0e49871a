-- SPDX-License-Identifier: PostgreSQL
-- slots - the replication slots of this server
-- in:     nothing
-- out:    slot_name, is_physical, active, temporary, restart_lsn, wal_status, is_in_the_way
-- kind:   query
-- oldest: 13
-- In the way is, on a standby of 17 or newer that is to have the primary's logical slots, one that it
-- had as the primary before: Postgres does not take over what is there already. Older servers have
-- none of these columns, hence by name.
select slot_name, slot_type = 'physical', active, temporary, restart_lsn, wal_status,
	pg_catalog.pg_is_in_recovery()
		and pg_catalog.current_setting('sync_replication_slots', true) = 'on'
		and pg_catalog.to_jsonb(s) ->> 'failover' = 'true'
		and pg_catalog.to_jsonb(s) ->> 'synced' = 'false'
from pg_catalog.pg_replication_slots s
order by slot_name
limit 1000;
