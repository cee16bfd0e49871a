-- SPDX-License-Identifier: PostgreSQL
-- walreceiver - the process that receives WAL, also while it still connects, and whether replay waits
-- in:     nothing
-- out:    pid, waits
-- kind:   query
-- oldest: 13
-- pg_stat_wal_receiver shows it only from its first answer on. The startup process waits for more WAL
-- where it has replayed all that is here: between two looks at archive and pg_wal, or for a receiver.
select pg_catalog.max(pid) filter (where backend_type = 'walreceiver'),
	coalesce(pg_catalog.bool_or(wait_event in ('RecoveryRetrieveRetryInterval', 'RecoveryWalStream'))
		filter (where backend_type = 'startup'), false)
from pg_catalog.pg_stat_get_activity(null);
