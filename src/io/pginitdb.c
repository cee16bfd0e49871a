/* SPDX-License-Identifier: PostgreSQL */
/*
 * pginitdb - INITDB: a new cluster, beside and swapped in, or by the operator's own command
 *
 * Whatever happens, nothing but what this made itself is ever removed: the data directory was
 * empty when it began. The mark PGDIR_BOOTSTRAP inside says that roles and post_bootstrap are
 * still to come, so that a crash in between is not taken for a finished cluster.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "io/pgconf.h"
#include "io/pgdir.h"
#include "io/pgfiles.h"
#include "io/pgkinds.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

struct initdb {
	struct pgdir dir;
	const char *made; /* where the new cluster is: dir.staged or dir.data */
	bool custom;
	bool aside;
};

enum { I_CHECK = 0, I_CLEAN, I_RUN, I_ENCRYPTION, I_CONTROL, I_VERIFY, I_SYNC, I_SWAP,
       I_SYNC_PARENT, I_DONE };

static int step_check(struct pgwork *work, struct err *err)
{
	struct initdb *data = work->data;
	struct pg *pg = work->pg;
	int rubbish = 0;
	int rc = pgwatch_must_be_down(pg, err);

	if (rc == 0)
		rc = pgdir_init(&data->dir, pg->config->pg.data_dir, err);
	if (rc == 0)
		rc = pgdir_check(&data->dir, err);
	if (rc == 0)
		rc = pgdir_mend(&data->dir, &rubbish, err);
	if (rc < 0)
		return rc;
	if (!pgdir_empty(data->dir.data))
		return err_set(err, ERR_STATE, "the data directory '%s' is not empty",
			       data->dir.data);
	data->custom = pg->config->bootstrap.method_command != NULL;
	data->made = data->custom ? data->dir.data : data->dir.staged;
	return PGWORK_NEXT;
}

static int step_clean(struct pgwork *work, struct err *err)
{
	struct initdb *data = work->data;

	if (pgwatch_sweeps(work->pg))
		return pgwork_again_in(work, PGWATCH_SWEEP_MS);
	return pgtool_remove(work, data->dir.staged, err);
}

/* -- making it ---------------------------------------------------------------------------- */

static bool is_allowed(const char *name)
{
	static const char *const ours[] = { "pgdata", "nosync", "no-sync", "pwfile", "sync-only",
					    "version" };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (str_eq(name, ours[i])) {
			log_warning("option '%s' of initdb is not the operator's, left out", name);
			return false;
		}
	}
	return true;
}

static void add_option(struct words *words, const struct pair *option)
{
	if (!words_room(words, 1))
		return;
	if (option->value)
		words_add(words, "--%s=%s", option->name, option->value);
	else
		words_add(words, "--%s", option->name);
}

static int run_initdb(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(buf_done) struct buf password = { 0 };
	struct initdb *data = work->data;
	const struct config *config = work->pg->config;
	const struct auth *super = &config->pg.superuser;
	struct child_spec spec = { .name = "initdb" };

	pgtool_program(work->pg, "initdb", &words);
	words_add(&words, "--pgdata=%s", data->dir.staged);
	if (super->username)
		words_add(&words, "--username=%s", super->username);
	if (super->password) {
		/* Through memory: it stands in no file and on no command line. */
		words_add(&words, "--pwfile=/dev/stdin");
		buf_printf(&password, "%s\n", super->password);
		spec.input = password.data;
	}
	for (size_t i = 0; i < config->bootstrap.initdb.n; i++) {
		if (is_allowed(config->bootstrap.initdb.items[i].name))
			add_option(&words, &config->bootstrap.initdb.items[i]);
	}
	spec.argv = (const char *const *)words.items;
	return pgtool_spawn(work, &spec, err);
}

static int run_custom(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words more = { 0 };
	struct initdb *data = work->data;
	const struct config *config = work->pg->config;
	const struct config_bootstrap *boot = &config->bootstrap;
	int rc = pgdir_set_aside(&data->dir, err);

	if (rc < 0)
		return rc;
	data->aside = true;
	if (!boot->method_no_params) {
		words_add(&more, "--scope=%s", config->scope);
		words_add(&more, "--datadir=%s", config->pg.data_dir);
	}
	for (size_t i = 0; i < boot->method_params.n; i++)
		add_option(&more, &boot->method_params.items[i]);
	return pgtool_command(work, "custom bootstrap", boot->method_command, &more, 0, err);
}

static int step_run(struct pgwork *work, struct err *err)
{
	struct initdb *data = work->data;

	return data->custom ? run_custom(work, err) : run_initdb(work, err);
}

/* The constant that the server reads as this text. */
static void literal(const char *text, struct buf *ret)
{
	buf_str(ret, "E'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_ch(ret, *text);
		buf_ch(ret, *text);
	}
	buf_ch(ret, '\'');
}

/* The role that initdb made is the one that single-user mode runs as. */
static int store_password(struct pgwork *work, const char *password, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(buf_done) struct buf input = { 0 };
	struct initdb *data = work->data;
	struct child_spec spec = { .name = "postgres", .c_locale = true };

	pgtool_program(work->pg, "postgres", &words);
	words_add(&words, "--single");
	words_add(&words, "-j");
	words_add(&words, "-D");
	words_add(&words, "%s", data->made);
	/* A failure ends it, and does not print the statement. */
	words_add(&words, "-cexit_on_error=on");
	words_add(&words, "-clog_min_error_statement=panic");
	words_add(&words, "template1");
	buf_str(&input, "alter role current_user password ");
	literal(password, &input);
	buf_str(&input, ";\n\n");
	spec.argv = (const char *const *)words.items;
	spec.input = input.data;
	return pgtool_spawn(work, &spec, err);
}

/* What initdb does by itself where its options `auth` make a pg_hba.conf that asks for
 * scram-sha-256. It cannot be told otherwise before 16, and 13 reads no more than 99 bytes of a
 * password, so that the stored form cannot be handed to it. */
static int step_encryption(struct pgwork *work, struct err *err)
{
	char line[] = "password_encryption = 'scram-sha-256'";
	char *items[] = { line };
	const struct strings lines = { items, 1 };
	struct initdb *data = work->data;
	const struct config *config = work->pg->config;
	int32_t major = pgdir_major(data->made);
	int rc;

	if (data->custom || major == 0 || major >= 14 || !pgconf_wants_scram(config))
		return PGWORK_NEXT;
	log_info("the new cluster stores passwords as scram-sha-256, as the configuration asks: "
		 "PostgreSQL %d by itself would store md5",
		 (int)major);
	rc = pgfiles_append(data->made, "postgresql.conf", &lines, err);
	if (rc < 0 || !config->pg.superuser.password)
		return rc;
	return store_password(work, config->pg.superuser.password, err);
}

/* -- taking it in ------------------------------------------------------------------------- */

static int step_control(struct pgwork *work, struct err *err)
{
	struct initdb *data = work->data;

	return pgtool_control(work, data->made, err);
}

static int step_verify(struct pgwork *work, struct err *err)
{
	struct initdb *data = work->data;
	const struct config *config = work->pg->config;
	struct pgcontrol control;
	int rc = pgtool_control_read(work, &control, err);

	if (rc < 0)
		return err_wrap(err, "what was made is no data directory");
	if (!data->custom && config->pg.pg_hba.n == 0 && config->bootstrap.pg_hba.n > 0)
		rc = pgfiles_append(data->made, "pg_hba.conf", &config->bootstrap.pg_hba, err);
	if (rc == 0)
		rc = pgdir_mark(data->made, PGDIR_BOOTSTRAP, err);
	if (rc == 0 && !data->custom)
		rc = pgdir_mark(data->made, PGDIR_WHOLE, err);
	return rc;
}

static int step_sync(struct pgwork *work, struct err *err)
{
	struct initdb *data = work->data;

	return pgtool_sync_path(work, data->made, err);
}

static int step_swap(struct pgwork *work, struct err *err)
{
	struct initdb *data = work->data;

	return data->custom ? pgdir_keep_new(&data->dir, err) : pgdir_swap(&data->dir, err);
}

static int step_sync_parent(struct pgwork *work, struct err *err)
{
	struct initdb *data = work->data;
	char parent[PATH_MAX];

	data->aside = false;
	(void)str_printf(parent, sizeof(parent), "%.*s/.",
			 (int)(strrchr(data->dir.data, '/') - data->dir.data), data->dir.data);
	return pgtool_sync_path(work, parent, err);
}

static int step_done(struct pgwork *work, struct err *err _unused_)
{
	struct initdb *data = work->data;

	pgwatch_sweep(work->pg);
	(void)str_copy(work->text, sizeof(work->text),
		       data->custom ? "made by the configured command" : "made by initdb");
	return PGWORK_DONE;
}

static void failed(struct pgwork *work, int result _unused_)
{
	struct initdb *data = work->data;
	struct err err = { 0 };

	if (data->aside && pgdir_bring_back(&data->dir, &err) < 0)
		log_error("cannot put the data directory back: %s", err.msg);
	pgwatch_sweep(work->pg);
}

static const struct pgwork_step steps[] = {
	[I_CHECK] = { "check", step_check },
	[I_CLEAN] = { "clean up", step_clean },
	[I_RUN] = { "initdb", step_run },
	[I_ENCRYPTION] = { "password encryption", step_encryption },
	[I_CONTROL] = { "pg_controldata", step_control },
	[I_VERIFY] = { "verify", step_verify },
	[I_SYNC] = { "sync", step_sync },
	[I_SWAP] = { "take the new cluster", step_swap },
	[I_SYNC_PARENT] = { "sync", step_sync_parent },
	[I_DONE] = { "clean up", step_done },
	{ NULL, NULL },
};

const struct pgwork_kind pginitdb_kind = {
	.steps = steps,
	.data_size = sizeof(struct initdb),
	.failed = failed,
};
