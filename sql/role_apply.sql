-- SPDX-License-Identifier: PostgreSQL
-- role_apply - make or alter the role that role_stage named
-- in:     nothing
-- out:    nothing
-- kind:   simple
-- oldest: 13
-- Attributes are words of our own ("superuser", "replication", "none"), not text from outside.
do $do$
declare
	role_name text := pg_catalog.current_setting('pgha.role');
	attributes text := pg_catalog.current_setting('pgha.attributes');
	verifier text := pg_catalog.current_setting('pgha.verifier');
	verb text := 'create';
	clause text := '';
begin
	if exists (select from pg_catalog.pg_roles where rolname = role_name) then
		verb := 'alter';
	end if;
	if attributes = 'superuser' then
		clause := ' superuser';
	elsif attributes = 'replication' then
		clause := ' replication';
	end if;
	if verifier <> '' then
		clause := clause || pg_catalog.format(' password %L', verifier);
	end if;
	execute pg_catalog.format('%s role %I with login%s', verb, role_name, clause);
end
$do$;
