-- SPDX-License-Identifier: PostgreSQL
-- role_stage - what role_apply is to make, put into settings of this session
-- in:     role, attributes, verifier
-- out:    role, attributes, verifier
-- kind:   query
-- oldest: 13
-- Utility statements take no parameters. Settings of one's own do, and role_apply quotes them.
-- verifier: the stored form of the password, or empty for none.
select pg_catalog.set_config('pgha.role', $1, false),
	pg_catalog.set_config('pgha.attributes', $2, false),
	pg_catalog.set_config('pgha.verifier', $3, false);
