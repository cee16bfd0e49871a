/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgtool - running Postgres' own programs, and others, as a step
 */
#include "io/pgtool.h"

#include <stdlib.h>

#include "base/str.h"
#include "io/pgconf.h"

#define CONTROL_WAIT_MS    1000 /* when the loop does not run yet */
#define CONTROL_ABANDON_MS 5000

void pgtool_program(const struct pg *pg, const char *program, struct words *ret)
{
	const struct config_postgresql *conf = &pg->config->pg;
	const char *renamed = pgconf_pair(&conf->bin_name, program);

	if (conf->bin_dir)
		words_add(ret, "%s/%s", conf->bin_dir, renamed ? renamed : program);
	else
		words_add(ret, "%s", renamed ? renamed : program);
}

static void on_child(void *ctx, const struct child_end *child_end)
{
	struct pgwork *work = ctx;
	struct err err = { 0 };
	int rc = 0;

	work->end = *child_end;
	if (!child_ok(child_end))
		rc = child_failed(child_end, work->child_name, &err);
	pgwork_resume(work, rc, &err);
}

int pgtool_spawn(struct pgwork *work, const struct child_spec *spec, struct err *err)
{
	int rc;

	child_free(work->child);
	work->child = NULL;
	work->end = (struct child_end){ .output = "" };
	str_clip(work->child_name, sizeof(work->child_name), spec->name);
	rc = child_spawn(work->pg->loop, spec, on_child, work, &work->child, err);
	if (rc == 0)
		return PGWORK_WAIT;
	if (!work->tolerate)
		return rc;
	work->tolerate = false;
	work->result = rc;
	if (err)
		work->err = *err;
	return PGWORK_NEXT;
}

static int spawn_words(struct pgwork *work, const char *name, const struct words *words,
		       bool c_locale, int64_t term_at_ms, struct err *err)
{
	_cleanup_(freep) char *pgpass = pgconf_pgpass_path(work->pg->config);
	_cleanup_(freep) char *entry = str_dupf("PGPASSFILE=%s", pgpass);
	_cleanup_(freep) char *service = pgconf_service_path(work->pg->config);
	_cleanup_(freep) char *file = service ? str_dupf("PGSERVICEFILE=%s", service) : NULL;
	const char *env[] = { entry, file, NULL };
	struct child_spec spec = {
		.name = name,
		.argv = (const char *const *)words->items,
		.env = env,
		.c_locale = c_locale,
		.term_at_ms = term_at_ms,
	};

	return pgtool_spawn(work, &spec, err);
}

int pgtool_run(struct pgwork *work, const char *name, const struct words *words, struct err *err)
{
	return spawn_words(work, name, words, true, 0, err);
}

int pgtool_command(struct pgwork *work, const char *name, const char *command,
		   const struct words *more, int64_t term_at_ms, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	int rc = words_split(&words, command, err);

	if (rc < 0)
		return err_wrap(err, "%s", name);
	if (more && !words_room(&words, more->n))
		return err_set(err, ERR_TOOLONG, "%s: too many arguments", name);
	for (size_t i = 0; more && i < more->n; i++)
		words_add(&words, "%s", more->items[i]);
	return spawn_words(work, name, &words, false, term_at_ms, err);
}

int pgtool_remove(struct pgwork *work, const char *path, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };

	if (!path[0])
		return PGWORK_NEXT;
	words_add(&words, "rm");
	words_add(&words, "-rf");
	words_add(&words, "--one-file-system");
	words_add(&words, "--");
	words_add(&words, "%s", path);
	return pgtool_run(work, "rm", &words, err);
}

int pgtool_sync(struct pgwork *work, const struct words *paths, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };

	words_add(&words, "sync");
	words_add(&words, "--");
	for (size_t i = 0; i < paths->n; i++)
		words_add(&words, "%s", paths->items[i]);
	return pgtool_run(work, "sync", &words, err);
}

int pgtool_sync_path(struct pgwork *work, const char *path, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };

	words_add(&words, "%s", path);
	return pgtool_sync(work, &words, err);
}

/* -- control file ------------------------------------------------------------------------- */

static void control_words(const struct pg *pg, const char *data_dir, struct words *ret)
{
	pgtool_program(pg, "pg_controldata", ret);
	words_add(ret, "-D");
	words_add(ret, "%s", data_dir);
}

int pgtool_control(struct pgwork *work, const char *data_dir, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	int rc;

	work->control_seen = work->pg->control_next;
	control_words(work->pg, data_dir, &words);
	rc = pgtool_run(work, "pg_controldata", &words, err);
	if (rc == PGWORK_WAIT)
		pgwork_abandon_in(work, CONTROL_ABANDON_MS);
	return rc;
}

int pgtool_control_read(struct pgwork *work, struct pgcontrol *ret, struct err *err)
{
	if (work->result < 0) {
		if (err)
			*err = work->err;
		return work->result;
	}
	return pgcontrol_parse(work->end.output, ret, err);
}

int pgtool_control_now(const struct pg *pg, const char *data_dir, struct pgcontrol *ret,
		       struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(buf_done) struct buf output = { 0 };
	struct child_spec spec = { .name = "pg_controldata", .c_locale = true };
	int code = 0;
	int rc;

	control_words(pg, data_dir, &words);
	spec.argv = (const char *const *)words.items;
	rc = child_run(&spec, CONTROL_WAIT_MS, &output, &code, err);
	if (rc < 0)
		return rc;
	if (code != 0)
		return err_set(err, ERR_CHILD, "pg_controldata failed with exit code %d: %.200s",
			       code, output.data);
	return pgcontrol_parse(output.data, ret, err);
}
