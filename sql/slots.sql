-- SPDX-License-Identifier: PostgreSQL
-- slots - the replication slots of this server
-- in:     nothing
-- out:    slot_name, is_physical, active, temporary, restart_lsn, wal_status
-- kind:   query
-- oldest: 13
select slot_name, slot_type = 'physical', active, temporary, restart_lsn, wal_status
from pg_catalog.pg_replication_slots
order by slot_name
limit 1000;
