-- SPDX-License-Identifier: PostgreSQL
-- password_encryption - how this server wants passwords stored
-- in:     nothing
-- out:    algorithm
-- kind:   query
-- oldest: 13
select pg_catalog.current_setting('password_encryption');
