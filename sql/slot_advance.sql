-- SPDX-License-Identifier: PostgreSQL
-- slot_advance - let go of WAL that the slot's owner has received elsewhere
-- in:     slot_name, lsn
-- out:    slot_name, end_lsn
-- kind:   query
-- oldest: 13
select slot_name, end_lsn from pg_catalog.pg_replication_slot_advance($1::name, $2::pg_lsn);
