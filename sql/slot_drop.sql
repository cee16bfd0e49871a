-- SPDX-License-Identifier: PostgreSQL
-- slot_drop - remove an inactive physical slot, or a logical one that is in the way (see slots)
-- in:     slot_name
-- out:    dropped
-- kind:   query
-- oldest: 13
-- Looks again in the same statement: what became active stays, and so does any other logical slot.
select pg_catalog.count(pg_catalog.pg_drop_replication_slot(slot_name)::text)
from pg_catalog.pg_replication_slots s
where slot_name = $1::name and not active and not temporary
	and (slot_type = 'physical'
		or pg_catalog.pg_is_in_recovery()
		and pg_catalog.current_setting('sync_replication_slots', true) = 'on'
		and pg_catalog.to_jsonb(s) ->> 'failover' = 'true'
		and pg_catalog.to_jsonb(s) ->> 'synced' = 'false');
