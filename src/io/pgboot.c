/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgboot - POST_BOOTSTRAP: roles, the operator's script, and the end of the boot mark
 *
 * Each part may be repeated: what is there already is only altered. Passwords reach the server as
 * the verifiers that it stores, never as they are.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "io/pgconf.h"
#include "io/pgdial.h"
#include "io/pgdir.h"
#include "io/pgfiles.h"
#include "io/pgkinds.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

#define ANSWER_MS 30000
#define ROLES     3

struct role {
	const struct auth *auth;
	const char *attributes;
	bool rewinds;
};

struct boot {
	bool in_recovery;
	char encryption[NAME_SIZE];
	size_t role;
};

enum { B_CONNECT = 0, B_RECOVERY, B_ENCRYPTION, B_STAGE, B_APPLY, B_GRANT, B_NEXT_ROLE, B_SCRIPT,
       B_UNMARK, B_SYNC, B_SETTINGS };

/* The nth role that is to be made; auth NULL: none. */
static struct role role_at(const struct pg *pg, size_t n)
{
	const struct config_postgresql *conf = &pg->config->pg;
	const struct auth *super = &conf->superuser;
	bool restored = pg->config->bootstrap.method_command != NULL;

	switch (n) {
	case 0:
		/* initdb has set it; a restored cluster has whatever it had. */
		if (!restored || !super->password)
			break;
		return (struct role){ super, "superuser", false };
	case 1:
		if (str_eq(conf->replication.username, super->username))
			break;
		return (struct role){ &conf->replication, "replication", false };
	case 2:
		if (!conf->rewind.username || str_eq(conf->rewind.username, super->username))
			break;
		return (struct role){ &conf->rewind,
				      str_eq(conf->rewind.username, conf->replication.username) ?
					      "replication" :
					      "none",
				      true };
	default:
		break;
	}
	return (struct role){ 0 };
}

static int step_connect(struct pgwork *work, struct err *err)
{
	pgwatch_look(work->pg);
	if (!pgwatch_runs(work->pg))
		return err_set(err, ERR_STATE, "Postgres does not run");
	return pgdial_step_local(work, 0, err);
}

static int step_recovery(struct pgwork *work, struct err *err _unused_)
{
	struct boot *boot = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	pgquery_in_recovery(&q, &boot->in_recovery);
	return PGWORK_WAIT;
}

static int step_encryption(struct pgwork *work, struct err *err)
{
	struct boot *boot = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	if (boot->in_recovery)
		return err_set(err, ERR_STATE, "Postgres is still in recovery");
	pgquery_password_encryption(&q, boot->encryption);
	return PGWORK_WAIT;
}

/* -- roles -------------------------------------------------------------------------------- */

static int step_stage(struct pgwork *work, struct err *err)
{
	_cleanup_(freep) char *verifier = NULL;
	struct boot *boot = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);
	struct role role = role_at(work->pg, boot->role);

	if (!role.auth || !role.auth->username) {
		pgwork_jump(work, B_NEXT_ROLE);
		return PGWORK_NEXT;
	}
	if (role.auth->password) {
		/* Before 14 the setting could say "on". Where the configured lines of pg_hba.conf
		 * ask for scram-sha-256, nobody could log in with md5; either is let in by md5. */
		bool scram = str_eq(boot->encryption, "scram-sha-256") ||
			     pgconf_wants_scram(work->pg->config);

		verifier = pgconn_password_verifier(work->conn, role.auth->username,
						    role.auth->password,
						    scram ? "scram-sha-256" : "md5", err);
		if (!verifier)
			return -(int)ERR_STATE;
	}
	pgquery_role_stage(&q, role.auth->username, role.attributes, verifier ? verifier : "");
	return PGWORK_WAIT;
}

static int step_apply(struct pgwork *work, struct err *err _unused_)
{
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	pgquery_role_apply(&q);
	return PGWORK_WAIT;
}

static int step_grant(struct pgwork *work, struct err *err _unused_)
{
	struct boot *boot = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	if (!role_at(work->pg, boot->role).rewinds)
		return PGWORK_NEXT;
	pgquery_role_rewind(&q);
	return PGWORK_WAIT;
}

static int step_next_role(struct pgwork *work, struct err *err _unused_)
{
	struct boot *boot = work->data;

	if (++boot->role < ROLES)
		pgwork_jump(work, B_STAGE);
	return PGWORK_NEXT;
}

/* -- script ------------------------------------------------------------------------------- */

static int step_script(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(buf_done) struct buf conninfo = { 0 };
	_cleanup_(freep) char *pgpass = NULL;
	_cleanup_(freep) char *entry = NULL;
	_cleanup_(freep) char *service = NULL;
	_cleanup_(freep) char *file = NULL;
	struct pg *pg = work->pg;
	const char *env[4] = { NULL,
			       "PGOPTIONS=-c synchronous_commit=local -c statement_timeout=0" };
	struct child_spec spec = { .name = "post_bootstrap", .env = env };
	int rc;

	/* An open session would hinder a script that makes databases from this one. */
	pgconn_close(work->conn);
	if (!pg->config->bootstrap.post_bootstrap)
		return PGWORK_NEXT;
	rc = pgdial_pgpass(pg, NULL, err);
	if (rc == 0)
		rc = words_split(&words, pg->config->bootstrap.post_bootstrap, err);
	if (rc < 0)
		return err_wrap(err, "post_bootstrap");
	pgdial_local_conninfo(pg, &conninfo);
	if (words_room(&words, 1))
		words_add(&words, "%s", conninfo.data);
	pgpass = pgconf_pgpass_path(pg->config);
	entry = str_dupf("PGPASSFILE=%s", pgpass);
	env[0] = entry;
	service = pgconf_service_path(pg->config);
	file = service ? str_dupf("PGSERVICEFILE=%s", service) : NULL;
	env[2] = file;
	spec.argv = (const char *const *)words.items;
	return pgtool_spawn(work, &spec, err);
}

/* -- the end ------------------------------------------------------------------------------ */

static int step_unmark(struct pgwork *work, struct err *err)
{
	return pgdir_unmark(work->pg->config->pg.data_dir, PGDIR_BOOTSTRAP, err);
}

static int step_sync(struct pgwork *work, struct err *err)
{
	return pgtool_sync_path(work, work->pg->config->pg.data_dir, err);
}

/* The settings of a restored cluster's first start gave way to trust and a recovery target. */
static int step_settings(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;
	struct pgconf_want want = { .major = pgdir_major(pg->config->pg.data_dir) };
	bool changed = false;
	int rc = pgfiles_untrust(pg->config, err);

	if (rc == 0)
		rc = pgfiles_write(pg->config, &want, &changed, err);
	if (rc < 0)
		return rc;
	pgdir_look(pg->config->pg.data_dir, &pg->state);
	if (pgwatch_runs(pg) &&
	    child_pidfd_signal(pg->life.proc.pidfd, SIGHUP) < 0)
		return err_set(err, ERR_IO, "cannot signal the postmaster");
	return PGWORK_DONE;
}

static const struct pgwork_step steps[] = {
	[B_CONNECT] = { "connect", step_connect },
	[B_RECOVERY] = { "wait for the end of recovery", step_recovery },
	[B_ENCRYPTION] = { "password encryption", step_encryption },
	[B_STAGE] = { "roles", step_stage },
	[B_APPLY] = { "roles", step_apply },
	[B_GRANT] = { "roles", step_grant },
	[B_NEXT_ROLE] = { "roles", step_next_role },
	[B_SCRIPT] = { "post_bootstrap", step_script },
	[B_UNMARK] = { "boot mark", step_unmark },
	[B_SYNC] = { "sync", step_sync },
	[B_SETTINGS] = { "settings", step_settings },
	{ NULL, NULL },
};

const struct pgwork_kind pgboot_kind = {
	.steps = steps,
	.data_size = sizeof(struct boot),
};
