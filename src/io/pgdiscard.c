/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdiscard - DISCARD: what a bootstrap of ours made and could not finish goes away
 *
 * The mark PGDIR_BOOTSTRAP proves that the directory was made here, where nothing was before, and
 * that nobody was ever told that it is a cluster. It is renamed to the staged name first, which
 * makes it rubbish at one instant, and deleted then. What stands beside it is not looked at, nor
 * is a WAL directory that a command of the operator's chose.
 */
#include "base/log.h"
#include "base/str.h"
#include "io/pgconf.h"
#include "io/pgdir.h"
#include "io/pgkinds.h"
#include "io/pgtool.h"
#include "io/pgwal.h"
#include "io/pgwatch.h"

struct discard {
	struct pgdir dir;
	char wal[PATH_MAX];
};

static int step_check(struct pgwork *work, struct err *err)
{
	struct discard *discard = work->data;
	struct pg *pg = work->pg;
	int rc = pgwatch_must_be_down(pg, err);

	if (rc == 0)
		rc = pgdir_init(&discard->dir, pg->config->pg.data_dir, err);
	if (rc < 0)
		return rc;
	if (pgdir_empty(discard->dir.data)) {
		(void)str_copy(work->text, sizeof(work->text), "there was nothing");
		return PGWORK_DONE;
	}
	if (!pgdir_has(discard->dir.data, PGDIR_BOOTSTRAP))
		return err_set(err, ERR_STATE, "'%s' was not made by an unfinished bootstrap",
			       discard->dir.data);
	return PGWORK_NEXT;
}

static int step_clean(struct pgwork *work, struct err *err)
{
	struct discard *discard = work->data;

	if (pgwatch_sweeps(work->pg))
		return pgwork_again_in(work, PGWATCH_SWEEP_MS);
	return pgtool_remove(work, discard->dir.staged, err);
}

static int step_rename(struct pgwork *work, struct err *err)
{
	struct discard *discard = work->data;
	const char *waldir = pgconf_initdb_waldir(work->pg->config);
	/* Once more: a child ran meanwhile. */
	int rc = pgwatch_must_be_down(work->pg, err);

	if (rc == 0)
		rc = pgdir_discard(&discard->dir, err);
	if (rc < 0)
		return rc;
	log_notice("'%s' is removed: its bootstrap failed", discard->dir.data);
	if (!pgwal_of_staged(&discard->dir, waldir, discard->wal))
		discard->wal[0] = '\0';
	return PGWORK_NEXT;
}

static int step_wal(struct pgwork *work, struct err *err)
{
	struct discard *discard = work->data;

	/* The root of a mount cannot be removed, only emptied. */
	pgwork_tolerate(work);
	return pgtool_remove(work, discard->wal, err);
}

static int step_remove(struct pgwork *work, struct err *err)
{
	struct discard *discard = work->data;

	if (discard->wal[0] && !pgdir_empty(discard->wal))
		return err_set(err, ERR_IO, "cannot empty '%s'", discard->wal);
	return pgtool_remove(work, discard->dir.staged, err);
}

static int step_done(struct pgwork *work, struct err *err _unused_)
{
	struct discard *discard = work->data;

	work->pg->control_known = false;
	pgwatch_look(work->pg);
	pgwatch_control_apply(work->pg);
	(void)str_printf(work->text, sizeof(work->text), "'%s'", discard->dir.data);
	return PGWORK_DONE;
}

static const struct pgwork_step steps[] = {
	{ "check", step_check },         { "clean up", step_clean },
	{ "set aside", step_rename },    { "remove the WAL directory", step_wal },
	{ "remove", step_remove },       { "look", step_done },
	{ NULL, NULL },
};

const struct pgwork_kind pgdiscard_kind = {
	.steps = steps,
	.data_size = sizeof(struct discard),
};
