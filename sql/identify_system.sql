-- SPDX-License-Identifier: PostgreSQL
-- identify_system - who a server is, over a replication connection
-- in:     nothing
-- out:    systemid, timeline, xlogpos, dbname
-- kind:   replication
-- oldest: 13
IDENTIFY_SYSTEM
