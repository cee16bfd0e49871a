-- SPDX-License-Identifier: PostgreSQL
-- walreceiver - the process that receives WAL, also while it still connects
-- in:     nothing
-- out:    pid
-- kind:   query
-- oldest: 13
-- pg_stat_wal_receiver shows it only from its first answer on.
select pid from pg_catalog.pg_stat_get_activity(null) where backend_type = 'walreceiver';
