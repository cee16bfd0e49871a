/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgfollow - FOLLOW and APPLY: settings to files, and a reload when they changed or it is asked for
 *
 * Since PostgreSQL 13 primary_conninfo and primary_slot_name are taken over by a reload; the
 * walreceiver restarts itself. What needs a restart shows as pending_restart in later probes.
 */
#include <signal.h>

#include "base/str.h"
#include "io/pgdial.h"
#include "io/pgdir.h"
#include "io/pgfiles.h"
#include "io/pgkinds.h"
#include "io/pgreceiver.h"
#include "io/pgwatch.h"

static bool is_standby(const struct pg *pg)
{
	if (pg->life.seen != ROLE_UNKNOWN)
		return pg->life.seen == ROLE_REPLICA;
	return pg->state.standby_signal && !pg->life.may_write;
}

static int want_of(struct pgwork *work, struct pgconf_want *ret, struct err *err)
{
	struct pg *pg = work->pg;

	*ret = (struct pgconf_want){ .major = pgdir_major(pg->config->pg.data_dir),
				     .armed = work->req.op == PGOP_APPLY ? work->req.armed :
									   pg->armed };
	if (ret->major == 0 || pg->state.dir != DIR_PRESENT)
		return err_set(err, ERR_STATE, "'%s' is no usable data directory",
			       pg->config->pg.data_dir);
	if (work->req.op == PGOP_FOLLOW) {
		if (pgwatch_runs(pg) && !is_standby(pg))
			return err_set(err, ERR_STATE, "Postgres is no standby");
		ret->standby = true;
		ret->upstream = work->req.upstream;
		return 0;
	}
	ret->standby = is_standby(pg);
	ret->upstream = pg->follows;
	/* After a restart of ours only the file knows whom it follows. */
	ret->keep_recovery = !pg->follows_known;
	return 0;
}

static int step_files(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;
	struct pgconf_want want;
	bool changed = false;
	int rc;

	pgwatch_look(pg);
	rc = want_of(work, &want, err);
	if (rc < 0)
		return rc;
	rc = pgfiles_write(pg->config, &want, &changed, err);
	if (rc < 0)
		return rc;
	pg->armed = want.armed;
	if (work->req.op == PGOP_FOLLOW) {
		pgreceiver_follow(pg, &work->req.upstream);
		pg->follows = work->req.upstream;
		pg->follows_known = true;
	}
	rc = pgdial_pgpass(pg, NULL, err);
	if (rc < 0)
		return rc;
	(void)str_copy(work->text, sizeof(work->text), changed ? "settings changed" : "no change");
	if ((!changed && !work->req.reload) || !pgwatch_runs(pg))
		return PGWORK_DONE;
	if (child_pidfd_signal(pg->life.proc.pidfd, SIGHUP) < 0)
		return err_set(err, ERR_IO, "cannot signal the postmaster");
	(void)str_copy(work->text, sizeof(work->text),
		       changed ? "settings changed, Postgres reloads" : "Postgres reloads");
	pg->settings_at_ms = 0;
	pg->settings_reloaded = true;
	return PGWORK_DONE;
}

static const struct pgwork_step steps[] = {
	{ "settings", step_files },
	{ NULL, NULL },
};

const struct pgwork_kind pgfollow_kind = {
	.steps = steps,
};
