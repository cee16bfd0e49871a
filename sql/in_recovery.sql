-- SPDX-License-Identifier: PostgreSQL
-- in_recovery - whether this server is in recovery
-- in:     nothing
-- out:    in_recovery
-- kind:   query
-- oldest: 13
select pg_catalog.pg_is_in_recovery();
