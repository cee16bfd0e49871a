-- SPDX-License-Identifier: PostgreSQL
-- upstream_size - how many bytes a base backup puts into the data directory, without WAL
-- in:     nothing
-- out:    size_bytes
-- kind:   query
-- oldest: 13
-- Reads directories only; on very many files it takes seconds. What has a place of its own is not
-- in the data directory, nor need it be on the same disk.
select pg_catalog.sum(pg_catalog.pg_tablespace_size(oid))::int8 from pg_catalog.pg_tablespace
where pg_catalog.pg_tablespace_location(oid) not like '/%';
