-- SPDX-License-Identifier: PostgreSQL
-- role_rewind - let the role that role_stage named read files, as pg_rewind does
-- in:     nothing
-- out:    nothing
-- kind:   simple
-- oldest: 13
do $do$
declare
	role_name text := pg_catalog.current_setting('pgha.role');
	signature text;
begin
	foreach signature in array array[
		'pg_ls_dir(text, boolean, boolean)',
		'pg_stat_file(text, boolean)',
		'pg_read_binary_file(text)',
		'pg_read_binary_file(text, bigint, bigint, boolean)'] loop
		execute pg_catalog.format('grant execute on function pg_catalog.%s to %I',
			signature, role_name);
	end loop;
end
$do$;
