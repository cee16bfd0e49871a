-- SPDX-License-Identifier: PostgreSQL
-- pooler_resume - they go on
-- in:     nothing
-- out:    nothing
-- kind:   simple
-- oldest: 13
-- For the admin console of PgBouncer, not for a server.
resume;
