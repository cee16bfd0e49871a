-- SPDX-License-Identifier: PostgreSQL
-- upstream_size - how many bytes a base backup of this server has, without WAL
-- in:     nothing
-- out:    size_bytes
-- kind:   query
-- oldest: 13
-- Reads directories only; on very many files it takes seconds.
select pg_catalog.sum(pg_catalog.pg_tablespace_size(oid))::int8 from pg_catalog.pg_tablespace;
