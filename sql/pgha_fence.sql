-- SPDX-License-Identifier: PostgreSQL
-- pgha_fence - a view of what the module pgha_fence sees and did; empty where it is not loaded
-- Made by whoever wants it, once in a database: psql -f pgha_fence.sql. pgha itself needs no
-- object in any database: show pgha_fence.status answers everywhere.
create or replace view pgha_fence_status as
select s.preloaded, s.enabled, s.fail_closed, s.sync_truth, s.path, s.page, s.gate, s.armed,
	s.reason, s.epoch, s.left_ms, s.refused, s.withheld, s.unconfirmed, s.blind
from pg_catalog.json_to_record(
		pg_catalog.current_setting('pgha_fence.status', true)::pg_catalog.json)
	as s(preloaded boolean, enabled boolean, fail_closed boolean, sync_truth boolean, path text,
		page text, gate text, armed boolean, reason text, epoch bigint, left_ms bigint,
		refused bigint, withheld bigint, unconfirmed bigint, blind bigint)
where s.preloaded is not null;
