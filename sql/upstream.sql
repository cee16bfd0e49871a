-- SPDX-License-Identifier: PostgreSQL
-- upstream - what a server that we copy or rewind from says of itself
-- in:     nothing
-- out:    in_recovery, sysid, timeline, control_timeline
-- kind:   query
-- oldest: 13
-- timeline is null in recovery. pg_rewind before 16 believes the control file, which names the
-- timeline of a promotion only after its first checkpoint.
select pg_catalog.pg_is_in_recovery(),
	s.system_identifier,
	case when not pg_catalog.pg_is_in_recovery() then
		('x' || pg_catalog.lpad(pg_catalog.substr(pg_catalog.pg_walfile_name(
			pg_catalog.pg_current_wal_lsn()), 1, 8), 16, '0'))::bit(64)::int8 end,
	c.timeline_id
from pg_catalog.pg_control_system() s
	cross join pg_catalog.pg_control_checkpoint() c;
