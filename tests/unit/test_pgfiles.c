/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgfiles - our files in a data directory
 */
#include "io/pgfiles.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fsx.h"
#include "io/pgdir.h"

static char top[64], data[128], etc[128], pass[128];
static struct config config;
static struct buf got;

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *ftw _unused_)
{
	return remove(path);
}

static void setup(void)
{
	(void)str_copy(top, sizeof(top), "/tmp/pgha-pgfiles-XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	(void)str_printf(data, sizeof(data), "%s/data", top);
	(void)str_printf(etc, sizeof(etc), "%s/etc", top);
	(void)str_printf(pass, sizeof(pass), "%s/pgpass", top);
	cr_assert_eq(mkdir(data, 0700), 0);
	cr_assert_eq(mkdir(etc, 0700), 0);
	memset(&config, 0, sizeof(config));
	(void)str_copy(config.name, sizeof(config.name), "n");
	config.pg.data_dir = data;
	config.pg.pgpass = pass;
	config.pg.port = 5432;
}

static void teardown(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	buf_done(&got);
}

TestSuite(pgfiles, .init = setup, .fini = teardown);

static void put(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)str_printf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

/* The text of a file; NULL when there is none. */
static const char *text_of(const char *dir, const char *name)
{
	char path[256];

	(void)str_printf(path, sizeof(path), "%s/%s", dir, name);
	if (fsx_read(path, 65536, &got, NULL) != 0)
		return NULL;
	return got.data ? got.data : "";
}

static mode_t mode_of(const char *dir, const char *name)
{
	char path[256];
	struct stat st;

	(void)str_printf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(stat(path, &st), 0, "%s", path);
	return st.st_mode & 0777;
}

static bool write_now(bool standby)
{
	struct pgconf_want want = { .major = 15, .standby = standby };
	bool changed = false;
	struct err err = { 0 };

	cr_assert_eq(pgfiles_write(&config, &want, &changed, &err), 0, "%s", err.msg);
	return changed;
}

Test(pgfiles, keeps_the_operators_file_as_base_once)
{
	put(data, "postgresql.conf", "jit = off\n");
	cr_assert(write_now(false));
	cr_assert_str_eq(text_of(data, "postgresql.base.conf"), "jit = off\n");
	cr_assert(strstr(text_of(data, "postgresql.conf"), "include 'postgresql.base.conf'\n"));
	cr_assert_not(write_now(false), "nothing new");
	cr_assert(write_now(true));
	cr_assert_str_eq(text_of(data, "postgresql.base.conf"), "jit = off\n");
	cr_assert_eq(mode_of(data, "postgresql.conf"), 0600);
}

Test(pgfiles, are_as_open_as_the_directory)
{
	cr_assert_eq(chmod(data, 0750), 0);
	cr_assert(write_now(true));
	cr_assert_eq(mode_of(data, "postgresql.conf"), 0640);
	cr_assert_eq(pgfiles_signals(&config, true, NULL), 0);
	cr_assert_eq(mode_of(data, "standby.signal"), 0640);
}

Test(pgfiles, may_be_elsewhere)
{
	put(data, "postgresql.conf", "made by initdb\n");
	put(data, "pg_hba.conf", "hba by initdb\n");
	config.pg.config_dir = etc;
	cr_assert(write_now(false));
	cr_assert_str_eq(text_of(etc, "postgresql.base.conf"), "made by initdb\n");
	cr_assert_str_eq(text_of(etc, "pg_hba.conf"), "hba by initdb\n");
	cr_assert_not_null(text_of(etc, "postgresql.conf"));
}

Test(pgfiles, write_hba_only_where_it_is_ours)
{
	char line[] = "local all all trust", name[] = "hba_file", other[] = "/etc/hba";
	char *lines[] = { line };
	struct pair pairs[] = { { name, other } };

	config.pg.pg_hba.items = lines;
	config.pg.pg_hba.n = 1;
	cr_assert(write_now(false));
	cr_assert(str_ends(text_of(data, "pg_hba.conf"), "\nlocal all all trust\n"));
	put(data, "pg_hba.conf", "mine\n");
	config.pg.parameters.items = pairs;
	config.pg.parameters.n = 1;
	cr_assert(write_now(false));
	cr_assert_str_eq(text_of(data, "pg_hba.conf"), "mine\n");
}

Test(pgfiles, clean_what_alter_system_left)
{
	put(data, "postgresql.auto.conf", "work_mem = '1MB'\nprimary_conninfo = 'x'\n");
	cr_assert(write_now(true));
	cr_assert_str_eq(text_of(data, "postgresql.auto.conf"), "work_mem = '1MB'\n");
	cr_assert_not(write_now(true));
}

Test(pgfiles, signal_standby_or_not)
{
	put(data, "recovery.signal", "");
	cr_assert_eq(pgfiles_signals(&config, true, NULL), 0);
	cr_assert_not_null(text_of(data, "standby.signal"));
	cr_assert_null(text_of(data, "recovery.signal"));
	cr_assert_eq(pgfiles_signals(&config, false, NULL), 0);
	cr_assert_null(text_of(data, "standby.signal"));
	cr_assert_eq(pgfiles_recovery_signal(&config, true, NULL), 0);
	cr_assert_not_null(text_of(data, "recovery.signal"));
	cr_assert_eq(pgfiles_recovery_signal(&config, false, NULL), 0);
	cr_assert_null(text_of(data, "recovery.signal"));
}

Test(pgfiles, a_signal_that_cannot_be_removed_is_a_failure)
{
	char path[256];

	/* A directory of that name cannot be unlinked, by nobody. */
	(void)str_printf(path, sizeof(path), "%s/standby.signal", data);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(pgfiles_signals(&config, false, NULL), -ERR_IO);
}

Test(pgfiles, come_back_from_their_copies)
{
	put(data, "postgresql.conf", "base\n");
	put(data, "pg_hba.conf", "hba\n");
	cr_assert(write_now(false));
	cr_assert_eq(pgfiles_backup(&config, NULL), 0);
	cr_assert_str_eq(text_of(data, "postgresql.base.conf.backup"), "base\n");
	config.pg.config_dir = etc;
	cr_assert_eq(pgfiles_restore(&config, NULL), 0);
	cr_assert_str_eq(text_of(etc, "postgresql.base.conf"), "base\n");
	cr_assert_str_eq(text_of(etc, "pg_hba.conf"), "hba\n");
	put(etc, "pg_hba.conf", "newer\n");
	cr_assert_eq(pgfiles_restore(&config, NULL), 0);
	cr_assert_str_eq(text_of(etc, "pg_hba.conf"), "newer\n", "what is there stays");
}

Test(pgfiles, keep_passwords_to_the_owner)
{
	char user[] = "u", word[] = "w";
	struct upstream up = { .host = "h", .port = 1 };

	config.pg.replication = (struct auth){ .username = user, .password = word };
	cr_assert_eq(chmod(data, 0750), 0);
	cr_assert_eq(pgfiles_pgpass(&config, NULL, &up, 1, NULL), 0);
	cr_assert(str_starts(text_of(top, "pgpass"), "h:1:*:u:w\n"));
	cr_assert_eq(mode_of(top, "pgpass"), 0600);
}

Test(pgfiles, trust_the_superuser_only)
{
	char super[] = "admin", evil[] = "a\"\nhost all all all trust";
	char line[] = "local all all scram-sha-256";
	char *lines[] = { line };

	put(data, "pg_hba.conf", "as it was\n");
	config.pg.superuser.username = evil;
	cr_assert_eq(pgfiles_trust(&config, NULL), -ERR_CONFIG);
	cr_assert_str_eq(text_of(data, "pg_hba.conf"), "as it was\n");
	config.pg.superuser.username = super;
	config.pg.pg_hba.items = lines;
	config.pg.pg_hba.n = 1;
	cr_assert_eq(pgdir_mark(data, PGDIR_BOOTSTRAP, NULL), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(pgfiles_trust(&config, NULL), 0);
		(void)write_now(false);
		cr_assert_str_eq(text_of(data, "pg_hba.conf"),
				 "local all \"admin\" trust\n"
				 "host all \"admin\" 127.0.0.1/32 trust\n"
				 "host all \"admin\" ::1/128 trust\n");
	}
	cr_assert_eq(pgfiles_untrust(&config, NULL), 0);
	cr_assert_str_eq(text_of(data, "pg_hba.conf"), "as it was\n");
	cr_assert_eq(pgfiles_untrust(&config, NULL), 0);
	(void)write_now(false);
	cr_assert(strstr(text_of(data, "pg_hba.conf"), "scram-sha-256"));
}

Test(pgfiles, end_a_trust_that_no_bootstrap_needs_any_more)
{
	char super[] = "admin", line[] = "local all all scram-sha-256";
	char *lines[] = { line };

	put(data, "pg_hba.conf", "as it was\n");
	config.pg.superuser.username = super;
	(void)write_now(false);
	cr_assert_eq(pgfiles_trust(&config, NULL), 0);
	cr_assert(write_now(false), "the server has to read it again");
	cr_assert_str_eq(text_of(data, "pg_hba.conf"), "as it was\n");
	cr_assert_not(write_now(false));

	config.pg.pg_hba.items = lines;
	config.pg.pg_hba.n = 1;
	cr_assert_eq(pgfiles_trust(&config, NULL), 0);
	cr_assert(write_now(false));
	cr_assert(strstr(text_of(data, "pg_hba.conf"), "scram-sha-256"));
}

Test(pgfiles, append_to_what_initdb_made)
{
	char line[] = "host all all 10.0.0.0/8 scram-sha-256";
	char *lines[] = { line };
	struct strings list = { lines, 1 };

	put(data, "pg_hba.conf", "local all all peer\n");
	cr_assert_eq(pgfiles_append(data, "pg_hba.conf", &list, NULL), 0);
	cr_assert_str_eq(text_of(data, "pg_hba.conf"),
			 "local all all peer\nhost all all 10.0.0.0/8 scram-sha-256\n");
}
