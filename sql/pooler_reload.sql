-- SPDX-License-Identifier: PostgreSQL
-- pooler_reload - it reads its configuration again
-- in:     nothing
-- out:    nothing
-- kind:   simple
-- oldest: 13
-- For the admin console of PgBouncer, not for a server.
reload;
