-- SPDX-License-Identifier: PostgreSQL
-- pooler_pause - the clients of a PgBouncer wait as soon as they are between transactions
-- in:     nothing
-- out:    nothing
-- kind:   simple
-- oldest: 13
-- For the admin console of PgBouncer, not for a server.
pause;
