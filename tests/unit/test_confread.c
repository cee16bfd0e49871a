/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_confread - files, directories and variables
 */
#include "io/confread.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/confload.h"

static char dir[] = "/tmp/pgha-confread-XXXXXX";

static void make(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static void clean(void)
{
	char *const names[] = { "00.yml", "10.yaml", "20.yml", "notes.txt", ".yml" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(freep) char *path = str_dupf("%s/%s", dir, names[i]);

		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static void put(const char *name, const char *text)
{
	_cleanup_(freep) char *path = str_dupf("%s/%s", dir, name);
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file);
	cr_assert(fputs(text, file) >= 0);
	cr_assert_eq(fclose(file), 0);
}

static struct config *load(struct buf *said, struct err *err)
{
	_cleanup_(conf_problems_done) struct conf_problems problems = { 0 };
	struct config *config = NULL;
	struct confdoc *doc = NULL;

	if (confread_load(dir, &doc, said, err) < 0)
		return NULL;
	cr_assert_eq(conf_build(doc, NULL, &config, &problems, err), 0, "%s", err->msg);
	confdoc_free(doc);
	return config;
}

static const char *setting(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->pg.parameters.n; i++)
		if (str_eq(config->pg.parameters.items[i].name, name))
			return config->pg.parameters.items[i].value;
	return "";
}

Test(confread, a_directory_is_merged_in_order_of_name, .init = make, .fini = clean)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	struct config *config;
	struct err err = { 0 };

	put("20.yml", "name: node9\npostgresql: {parameters: {work_mem: 8MB}, pgpass: null}\n");
	put("00.yml", CONFLOAD_MINIMAL "  pgpass: /nowhere\n  parameters: {work_mem: 4MB, "
		      "max_parallel_workers: 3}\n");
	put("10.yaml", "# nothing\n");
	put("notes.txt", "name: [this is no configuration\n");
	config = load(&said, &err);
	cr_assert_not_null(config, "%s %s", err.msg, said.data);
	cr_assert_str_eq(config->name, "node9");
	cr_assert_str_eq(config->scope, "main");
	cr_assert_str_eq(setting(config, "work_mem"), "8MB");
	cr_assert_str_eq(setting(config, "max_parallel_workers"), "3");
	cr_assert_null(strstr(config->pg.pgpass != NULL ? config->pg.pgpass : "", "nowhere"));
	config_free(config);
}

Test(confread, a_problem_bears_the_name_and_line_of_its_file, .init = make, .fini = clean)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	struct err err = { 0 };

	put("00.yml", CONFLOAD_MINIMAL);
	put("10.yaml", "\n\nnonsense: 1\nnonsense: 2\n");
	put("20.yml", "\nrestapi:\n  listen: 127.0.0.1:99999\n");
	cr_assert_null(load(&said, &err));
	cr_assert_not_null(strstr(said.data, "10.yaml:4: warning: nonsense"), "%s", said.data);
	cr_assert_not_null(strstr(said.data, "given twice, first in line 3"), "%s", said.data);
	cr_assert_not_null(strstr(said.data, "20.yml:3: error: restapi.listen"), "%s", said.data);
	cr_assert_not_null(strstr(err.msg, dir), "%s", err.msg);
}

Test(confread, a_broken_file_of_a_directory_is_named, .init = make, .fini = clean)
{
	struct err err = { 0 };

	put("00.yml", CONFLOAD_MINIMAL);
	put("10.yaml", "a: [b\n");
	cr_assert_null(load(NULL, &err));
	cr_assert_not_null(strstr(err.msg, "10.yaml"), "%s", err.msg);
}

Test(confread, a_directory_without_a_file_is_refused, .init = make, .fini = clean)
{
	struct err err = { 0 };

	put("notes.txt", CONFLOAD_MINIMAL);
	cr_assert_null(load(NULL, &err));
	cr_assert_not_null(strstr(err.msg, "no file in it"), "%s", err.msg);
}

Test(confread, variables_stand_in_for_a_file)
{
	struct confdoc *doc = NULL;
	struct err err = { 0 };

	cr_assert_eq(setenv("PATRONI_CONFIGURATION", CONFLOAD_MINIMAL, 1), 0);
	cr_assert_eq(confread_load(NULL, &doc, NULL, &err), 0, "%s", err.msg);
	confdoc_free(doc);
	cr_assert_eq(setenv("PATRONI_CONFIGURATION", "scope: [", 1), 0);
	cr_assert_lt(confread_load(NULL, &doc, NULL, &err), 0);
}

/* What becomes of the directory's one file with these modes; "" it is taken. */
static char *refused(const char *text, mode_t file_mode, mode_t dir_mode)
{
	_cleanup_(freep) char *path = str_dupf("%s/00.yml", dir);
	struct confdoc *doc = NULL;
	struct err of_dir = { 0 };
	struct err err = { 0 };

	put("00.yml", text);
	cr_assert_eq(chmod(path, file_mode), 0);
	cr_assert_eq(chmod(dir, dir_mode), 0);
	if (confread_load(path, &doc, NULL, &err) == 0)
		confdoc_free(doc);
	/* Named by its directory it fares the same. */
	cr_assert_eq(confread_load(dir, &doc, NULL, &of_dir), err.msg[0] ? -ERR_CONFIG : 0);
	if (!of_dir.msg[0])
		confdoc_free(doc);
	cr_assert_str_eq(of_dir.msg, err.msg);
	cr_assert_eq(chmod(dir, 0700), 0);
	return str_dup(err.msg);
}

#define NO_SECRET                                                                             \
	CONFLOAD_LOCAL "postgresql:\n"                                                        \
		       "  listen: 127.0.0.1:5432\n"                                            \
		       "  connect_address: 127.0.0.1:5432\n"                                   \
		       "  data_dir: /var/lib/pg/data\n"                                        \
		       "  authentication:\n"                                                   \
		       "    superuser: {username: postgres}\n"                                 \
		       "    replication: {username: replicator, password: ''}\n"

Test(confread, passwords_that_everybody_can_read_are_refused, .init = make, .fini = clean)
{
	_cleanup_(freep) char *read = refused(CONFLOAD_MINIMAL, 0644, 0755);
	_cleanup_(freep) char *in_url = refused(NO_SECRET "x: [\"http://u:p@h:1\"]\n", 0604, 0755);
	_cleanup_(freep) char *closed = refused(CONFLOAD_MINIMAL, 0644, 0750);
	_cleanup_(freep) char *group = refused(CONFLOAD_MINIMAL, 0660, 0755);

	cr_assert(strstr(read, "holds passwords and has mode 0644"), "%s", read);
	cr_assert(strstr(read, "chmod o-rwx '"), "%s", read);
	cr_assert(strstr(in_url, "mode 0604"), "%s", in_url);
	cr_assert_str_eq(closed, "", "its directory keeps others out: %s", closed);
	cr_assert_str_eq(group, "", "the group is the operator's affair: %s", group);
}

Test(confread, a_file_that_everybody_can_write_is_refused, .init = make, .fini = clean)
{
	_cleanup_(freep) char *written = refused(NO_SECRET, 0602, 0755);
	_cleanup_(freep) char *read = refused(NO_SECRET, 0644, 0755);

	cr_assert(strstr(written, "can write commands"), "%s", written);
	cr_assert_str_eq(read, "", "nothing to hide: %s", read);
}
