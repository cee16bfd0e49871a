-- SPDX-License-Identifier: PostgreSQL
-- roles - roles with no more rights than the agent uses, in a cluster that exists
--
--   psql -v ON_ERROR_STOP=1 -d postgres -f roles.sql     as superuser, on the primary
--
-- in the database that postgresql.database names (postgres by default). Names of your own:
-- -v agent=NAME -v replication=NAME -v rewind=NAME. It may be run again. Then give the roles passwords
-- (\password NAME), or lines in pg_hba.conf, name them below postgresql.authentication in the file of
-- each member, the agent as "superuser", and hactl reload.
--
-- What still needs a superuser, see doc/security.md: to make a new cluster (bootstrap), and before
-- PostgreSQL 15 a checkpoint.
\set QUIET on
\if :{?agent}
\else
\set agent pgha_agent
\endif
\if :{?replication}
\else
\set replication replicator
\endif
\if :{?rewind}
\else
\set rewind rewinder
\endif


-- None of them is made smaller than it is: that might be the last superuser there is.
select pg_catalog.count(*) > 0 as "above" from pg_catalog.pg_roles
where rolsuper and rolname in (:'agent', :'replication', :'rewind')
\gset
\if :above
do $do$ begin
	raise exception 'one of these roles is a superuser; name others, nothing is changed';
end $do$;
\quit
\endif

begin;

-- Each is made if it is not there.
select pg_catalog.format('create role %I login', name) as "make"
from (values (:'agent'), (:'replication'), (:'rewind')) as wanted(name)
where not exists (select from pg_catalog.pg_roles where rolname = name)
\gexec

-- The agent: positions, slots, settings of the local server. REPLICATION is what slots ask for; it
-- also lets the role copy the whole cluster where pg_hba.conf lets it in with the replication
-- protocol, so do not.
alter role :"agent" login replication;
grant pg_monitor to :"agent";
grant select on pg_catalog.pg_file_settings to :"agent";
grant execute on function pg_catalog.pg_show_all_file_settings() to :"agent";
-- Its statements are no news for the log; a superuser's session would say so itself.
alter role :"agent" set log_statement = 'none';
alter role :"agent" set log_min_duration_statement = -1;

-- Checkpoints (15 and newer), and a place when max_connections is reached (16 and newer).
select pg_catalog.format('grant %I to %I', rolname, :'agent') as "grant"
from pg_catalog.pg_roles
where rolname in ('pg_checkpoint', 'pg_use_reserved_connections')
\gexec

-- Streaming and base backups.
alter role :"replication" login replication;

-- pg_rewind reads files of the data directory, all of them, and needs a checkpoint on the source.
alter role :"rewind" login;
grant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean) to :"rewind";
grant execute on function pg_catalog.pg_stat_file(text, boolean) to :"rewind";
grant execute on function pg_catalog.pg_read_binary_file(text) to :"rewind";
grant execute on function pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) to :"rewind";
select pg_catalog.format('grant %I to %I', rolname, :'rewind') as "grant"
from pg_catalog.pg_roles
where rolname = 'pg_checkpoint'
\gexec

commit;
