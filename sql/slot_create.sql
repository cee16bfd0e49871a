-- SPDX-License-Identifier: PostgreSQL
-- slot_create - a physical slot that keeps WAL from this moment on
-- in:     slot_name
-- out:    slot_name, lsn
-- kind:   query
-- oldest: 13
select slot_name, lsn from pg_catalog.pg_create_physical_replication_slot($1::name, true);
