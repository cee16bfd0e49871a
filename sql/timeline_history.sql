-- SPDX-License-Identifier: PostgreSQL
-- timeline_history - the history file of a timeline, over a replication connection
-- in:     timeline
-- out:    filename, content
-- kind:   replication
-- oldest: 13
TIMELINE_HISTORY
