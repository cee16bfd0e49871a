-- SPDX-License-Identifier: PostgreSQL
-- start_replication - whether WAL can be had from a position on, over a replication connection
-- in:     lsn, timeline
-- out:    nothing
-- kind:   stream
-- oldest: 13
START_REPLICATION PHYSICAL
