-- SPDX-License-Identifier: PostgreSQL
-- pooler_reconnect - its connections to servers are replaced
-- in:     nothing
-- out:    nothing
-- kind:   simple
-- oldest: 13
-- For the admin console of PgBouncer, not for a server.
reconnect;
