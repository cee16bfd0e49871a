-- SPDX-License-Identifier: PostgreSQL
-- checkpoint - write everything out now
-- in:     nothing
-- out:    nothing
-- kind:   simple
-- oldest: 13
checkpoint;
