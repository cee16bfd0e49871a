-- SPDX-License-Identifier: PostgreSQL
-- probe - what the local server is and how far it has come, in one row
-- in:     nothing
-- out:    in_recovery, server_version, postmaster_start_us, timeline, flush_lsn, receive_lsn,
--         written_lsn, replay_lsn, replay_paused, replay_time_us, receiver_status, sender_host,
--         sender_port, slot_name, latest_end_lsn, has_restore_command, sysid, checkpoint_lsn,
--         control_timeline, min_recovery_lsn, min_recovery_timeline, can_rewind,
--         receiver_age_ms, wal_receiver_timeout, module
-- kind:   query
-- oldest: 13
-- The functions that fail on the wrong side of a promotion are asked only behind a fresh look at
-- pg_is_in_recovery(); one may still be caught in between, then the probe is repeated.
select pg_catalog.pg_is_in_recovery(),
	pg_catalog.current_setting('server_version_num'),
	(extract(epoch from pg_catalog.pg_postmaster_start_time()) * 1000000)::int8,
	case when pg_catalog.pg_is_in_recovery() then w.received_tli::int8
	else ('x' || pg_catalog.lpad(pg_catalog.substr(pg_catalog.pg_walfile_name(
		pg_catalog.pg_current_wal_lsn()), 1, 8), 16, '0'))::bit(64)::int8 end,
	case when not pg_catalog.pg_is_in_recovery()
		then pg_catalog.pg_current_wal_flush_lsn() end,
	pg_catalog.pg_last_wal_receive_lsn(),
	w.written_lsn,
	pg_catalog.pg_last_wal_replay_lsn(),
	case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_is_wal_replay_paused() end,
	(extract(epoch from pg_catalog.pg_last_xact_replay_timestamp()) * 1000000)::int8,
	w.status,
	w.sender_host,
	w.sender_port,
	w.slot_name,
	w.latest_end_lsn,
	pg_catalog.current_setting('restore_command') <> '',
	s.system_identifier,
	c.checkpoint_lsn,
	c.timeline_id,
	r.min_recovery_end_lsn,
	r.min_recovery_end_timeline,
	pg_catalog.current_setting('wal_log_hints') = 'on'
		or pg_catalog.current_setting('data_checksums') = 'on',
	(extract(epoch from pg_catalog.clock_timestamp() - w.last_msg_receipt_time) * 1000)::int8,
	pg_catalog.current_setting('wal_receiver_timeout'),
	pg_catalog.current_setting('pgha_fence.status', true)
from pg_catalog.pg_control_system() s
	cross join pg_catalog.pg_control_checkpoint() c
	cross join pg_catalog.pg_control_recovery() r
	left join pg_catalog.pg_stat_wal_receiver w on true;
