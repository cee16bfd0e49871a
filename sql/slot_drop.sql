-- SPDX-License-Identifier: PostgreSQL
-- slot_drop - remove an inactive physical slot
-- in:     slot_name
-- out:    dropped
-- kind:   query
-- oldest: 13
-- Looks again in the same statement: what became active or is logical stays.
select pg_catalog.count(pg_catalog.pg_drop_replication_slot(slot_name)::text)
from pg_catalog.pg_replication_slots
where slot_name = $1::name and slot_type = 'physical' and not active and not temporary;
