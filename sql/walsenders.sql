-- SPDX-License-Identifier: PostgreSQL
-- walsenders - who receives WAL from this server
-- in:     nothing
-- out:    usename, application_name, client_addr, state, sync_state, sync_priority, sent_lsn,
--         write_lsn, flush_lsn, replay_lsn, pid
-- kind:   query
-- oldest: 13
-- Streaming ones first, should there be more than are kept.
select usename, application_name, pg_catalog.host(client_addr), state, sync_state, sync_priority,
	sent_lsn, write_lsn, flush_lsn, replay_lsn, pid
from pg_catalog.pg_stat_replication
where state is not null
order by state <> 'streaming', application_name, pid
limit 32;
