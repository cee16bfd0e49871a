/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgclone - CLONE: a copy of another server, swapped in when it is whole
 *
 * The configured methods are tried in their order. The built-in one is pg_basebackup into the
 * staged directory; what stood there before keeps standing until the copy is whole, verified and
 * on disk. Only its table spaces with a place of their own do not, for the copy is made in the same
 * place: from the moment that they are emptied the old directory is half a one, and has the mark
 * PGDIR_EMPTIED. A command of the operator's works on data_dir itself, for its tools have that path
 * in their own configuration: meanwhile the old directory stands aside.
 */
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/str.h"
#include "io/pgconf.h"
#include "io/pgdial.h"
#include "io/pgdir.h"
#include "io/pgfiles.h"
#include "io/pgkinds.h"
#include "io/pgspace.h"
#include "io/pgtool.h"
#include "io/pgwal.h"
#include "io/pgwatch.h"

#define BUILTIN      "basebackup"
#define TRIES        2
#define TRY_AGAIN_MS 5000
#define ANSWER_MS    3000
#define SIZE_MS      60000
#define SPARE_BYTES  (INT64_C(64) * 1024 * 1024)
#define MIB          (1024 * 1024)

/* clang-format off */
enum {
	C_CHECK = 0, C_CLEAN, C_CLEAN_WAL, C_RESOLVE, C_CONNECT, C_IDENTIFY, C_IDENTIFIED,
	C_SUPER, C_SIZE, C_SIZED, C_METHOD, C_SPACES, C_BACKUP, C_RAN, C_PAUSE, C_CLEAN_AGAIN,
	C_CONTROL, C_VERIFY, C_SYNC, C_SWAP, C_SYNC_PARENT, C_DONE,
};
/* clang-format on */

struct clone {
	struct pgdir dir;
	struct pgwal wal;
	size_t next_method;
	bool builtin;          /* the method that runs now is pg_basebackup */
	char name[NAME_SIZE];  /* of that method */
	int tries;             /* of pg_basebackup */
	bool pause;
	bool aside, in_place;
	struct pgquery_identity identity;
	int64_t size_bytes;
	struct err why; /* of the last method that failed */
	int why_code;
};

static const char *made_in(const struct clone *clone)
{
	return clone->builtin ? clone->dir.staged : clone->dir.data;
}

/* -- before ------------------------------------------------------------------------------- */

static int step_check(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	struct pg *pg = work->pg;
	int rubbish = 0;
	int rc = pgwatch_must_be_down(pg, err);

	if (rc == 0)
		rc = pgdir_init(&clone->dir, pg->config->pg.data_dir, err);
	if (rc == 0)
		rc = pgdir_check(&clone->dir, err);
	if (rc == 0)
		rc = pgdir_mend(&clone->dir, &rubbish, err);
	if (rc == 0)
		rc = pgwal_choose(&clone->wal, &clone->dir,
				  pgconf_pair(&pg->config->pg.basebackup, "waldir"), err);
	if (rc == 0)
		rc = pgdial_pgpass(pg, &work->req.upstream, err);
	return rc;
}

static int step_clean(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	_cleanup_(words_done) struct words words = { 0 };

	if (pgwatch_sweeps(work->pg))
		return pgwork_again_in(work, PGWATCH_SWEEP_MS);
	words_add(&words, "rm");
	words_add(&words, "-rf");
	words_add(&words, "--one-file-system");
	words_add(&words, "--");
	words_add(&words, "%s", clone->dir.staged);
	/* pgdir_mend() has put back what had to come back. */
	if (!pgdir_empty(clone->dir.data))
		words_add(&words, "%s", clone->dir.old);
	return pgtool_run(work, "rm", &words, err);
}

static int step_clean_wal(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;

	/* The root of a mount cannot be removed, only emptied: pg_basebackup says if it is not. */
	pgwork_tolerate(work);
	return pgtool_remove(work, clone->wal.clean, err);
}

static int step_resolve(struct pgwork *work, struct err *err)
{
	if (!work->req.upstream.host[0]) {
		pgwork_jump(work, C_METHOD);
		return PGWORK_NEXT;
	}
	return pgdial_resolve(work, err);
}

static int step_connect(struct pgwork *work, struct err *err)
{
	/* A custom method may do without the server. */
	pgwork_tolerate(work);
	return pgdial_step_upstream(work, &work->pg->config->pg.replication, true,
				    PGDIAL_STATEMENT_MS, err);
}

static int step_identify(struct pgwork *work, struct err *err _unused_)
{
	struct clone *clone = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	if (work->result < 0) {
		clone->why = work->err;
		pgwork_jump(work, C_METHOD);
		return PGWORK_NEXT;
	}
	pgquery_identify(&q, &clone->identity);
	return PGWORK_WAIT;
}

static int step_identified(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	const char *own = work->pg->state.sysid;

	if (own[0] && !str_eq(own, clone->identity.sysid))
		return err_set(err, ERR_CONFIG,
			       "'%s' is another cluster: its system identifier is %s, the one of "
			       "'%s' is %s",
			       work->req.upstream.name, clone->identity.sysid, clone->dir.data,
			       own);
	return PGWORK_NEXT;
}

/* -- room --------------------------------------------------------------------------------- */

static int step_super(struct pgwork *work, struct err *err)
{
	pgwork_tolerate(work);
	return pgdial_step_upstream(work, &work->pg->config->pg.superuser, false, SIZE_MS, err);
}

static int step_size(struct pgwork *work, struct err *err _unused_)
{
	struct clone *clone = work->data;
	struct pgquery q = pgdial_query(work, SIZE_MS);

	if (work->result < 0) {
		pgwork_jump(work, C_METHOD);
		return PGWORK_NEXT;
	}
	pgwork_tolerate(work);
	pgquery_upstream_size(&q, &clone->size_bytes);
	return PGWORK_WAIT;
}

static int step_sized(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	const char *slash = strrchr(clone->dir.staged, '/');
	struct statvfs fs;
	char parent[PATH_MAX];
	int64_t room_bytes;

	pgconn_close(work->conn);
	(void)str_printf(parent, sizeof(parent), "%.*s/.", (int)(slash - clone->dir.staged),
			 clone->dir.staged);
	if (work->result < 0 || statvfs(parent, &fs) < 0)
		return PGWORK_NEXT;
	room_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
	if (room_bytes >= clone->size_bytes + SPARE_BYTES)
		return PGWORK_NEXT;
	return err_set(err, ERR_STATE,
		       "no room for a base backup: '%s' has %lld MB, %lld MB are free beside '%s'",
		       work->req.upstream.name, (long long)(clone->size_bytes / MIB),
		       (long long)(room_bytes / MIB), clone->dir.data);
}

/* -- methods ------------------------------------------------------------------------------ */

static bool is_forbidden(const char *name)
{
	static const char *const ours[] = { "pgdata", "format", "wal-method", "xlog-method", "gzip",
					    "version", "dbname", "host", "port", "username",
					    "password", "waldir", "no-sync", "nosync" };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (str_eq(name, ours[i]))
			return true;
	}
	return false;
}

static void add_pairs(struct words *words, const struct pairs *pairs, bool basebackup)
{
	for (size_t i = 0; i < pairs->n && words_room(words, 1); i++) {
		const struct pair *pair = &pairs->items[i];

		if (basebackup && is_forbidden(pair->name))
			continue;
		if (pair->value)
			words_add(words, "--%s=%s", pair->name, pair->value);
		else
			words_add(words, "--%s", pair->name);
	}
}

static int step_spaces(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	struct clone *clone = work->data;
	size_t none;
	int rc;

	words_add(&words, "rm");
	words_add(&words, "-rf");
	words_add(&words, "--one-file-system");
	words_add(&words, "--");
	none = words.n;
	pgspace_outside(clone->dir.data, &words);
	if (words.n == none)
		return PGWORK_NEXT;
	rc = pgdir_mark(clone->dir.data, PGDIR_EMPTIED, err);
	if (rc < 0)
		return rc;
	log_notice("what '%s' has in table spaces elsewhere makes room for the copy: that data is "
		   "not whole any more",
		   clone->dir.data);
	return pgtool_run(work, "rm", &words, err);
}

static int step_backup(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(buf_done) struct buf conninfo = { 0 };
	struct clone *clone = work->data;
	const struct config_postgresql *conf = &work->pg->config->pg;

	clone->tries++;
	pgdial_conninfo(work, &conf->replication, NULL, &conninfo);
	pgtool_program(work->pg, "pg_basebackup", &words);
	words_add(&words, "--pgdata=%s", clone->dir.staged);
	words_add(&words, "--wal-method=stream");
	words_add(&words, "--progress");
	words_add(&words, "--no-password");
	words_add(&words, "--dbname=%s", conninfo.data);
	if (clone->wal.use[0])
		words_add(&words, "--waldir=%s", clone->wal.use);
	/* A standby that is missing is worth more than a checkpoint that is gentle. */
	if (!pgconf_pair(&conf->basebackup, "checkpoint"))
		words_add(&words, "--checkpoint=fast");
	add_pairs(&words, &conf->basebackup, true);
	pgwork_tolerate(work);
	return pgtool_run(work, "pg_basebackup", &words, err);
}

static int run_custom(struct pgwork *work, const struct replica_method *method, struct err *err)
{
	_cleanup_(words_done) struct words more = { 0 };
	_cleanup_(buf_done) struct buf conninfo = { 0 };
	struct clone *clone = work->data;
	const struct config *config = work->pg->config;
	int rc;

	clone->in_place = method->keep_data && !pgdir_empty(clone->dir.data);
	if (clone->in_place)
		rc = pgdir_mark(clone->dir.data, PGDIR_REWINDING, err);
	else
		rc = pgdir_set_aside(&clone->dir, err);
	if (rc < 0)
		return rc;
	clone->aside = !clone->in_place;
	if (!method->no_params) {
		if (work->req.upstream.host[0])
			pgdial_conninfo(work, &config->pg.replication, "postgres", &conninfo);
		words_add(&more, "--scope=%s", config->scope);
		words_add(&more, "--role=replica");
		words_add(&more, "--datadir=%s", config->pg.data_dir);
		words_add(&more, "--connstring=%s", conninfo.data ? conninfo.data : "");
	}
	add_pairs(&more, &method->params, false);
	return pgtool_command(work, method->name, method->command ? method->command : method->name,
			      &more, 0, err);
}

/* The next method that can work, or NULL. An empty list means pg_basebackup: one without a name. */
static const struct replica_method *next_method(struct pgwork *work)
{
	static const struct replica_method builtin = { 0 };
	struct clone *clone = work->data;
	const struct config_postgresql *conf = &work->pg->config->pg;
	bool has_upstream = work->req.upstream.host[0] != '\0';

	if (conf->nmethods == 0)
		return has_upstream && clone->next_method++ == 0 ? &builtin : NULL;
	while (clone->next_method < conf->nmethods) {
		const struct replica_method *method = &conf->methods[clone->next_method++];

		if (has_upstream || method->no_leader)
			return method;
	}
	return NULL;
}

static int no_method(const struct clone *clone, struct err *err)
{
	if (clone->why_code == 0)
		return err_set(err, ERR_STATE,
			       "there is no server to copy from, and no method that does without");
	*err = clone->why;
	return clone->why_code;
}

static int step_method(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	const struct replica_method *method;

	if (clone->builtin && clone->tries > 0 && clone->tries < TRIES)
		return PGWORK_NEXT;
	clone->tries = 0;
	method = next_method(work);
	if (!method)
		return no_method(clone, err);
	str_clip(clone->name, sizeof(clone->name), method->name ? method->name : BUILTIN);
	clone->builtin = str_eq(clone->name, BUILTIN) && !method->command;
	if (clone->builtin)
		return PGWORK_NEXT;
	pgwork_jump(work, C_RAN);
	pgwork_tolerate(work);
	return run_custom(work, method, err);
}

/* This method failed; what it left is rubbish, and what stood aside comes back. */
static int method_failed(struct pgwork *work, int code, const struct err *why, struct err *err)
{
	struct clone *clone = work->data;
	bool retry = clone->builtin && clone->tries < TRIES;
	int rc = 0;

	clone->why = *why;
	clone->why_code = code;
	log_warning("cannot copy '%s' by '%s': %s%s", work->req.upstream.name,
		    clone->name, why->msg,
		    retry ? ", retrying in 5 s" : "");
	if (clone->aside)
		rc = pgdir_bring_back(&clone->dir, err);
	clone->aside = false;
	clone->pause = retry;
	pgwork_jump(work, C_PAUSE);
	return rc;
}

static int step_ran(struct pgwork *work, struct err *err)
{
	if (work->result < 0)
		return method_failed(work, work->result, &work->err, err);
	pgwork_jump(work, C_CONTROL);
	return PGWORK_NEXT;
}

static int step_pause(struct pgwork *work, struct err *err _unused_)
{
	struct clone *clone = work->data;

	if (!clone->pause)
		return PGWORK_NEXT;
	clone->pause = false;
	return pgwork_again_in(work, TRY_AGAIN_MS);
}

static int step_clean_again(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;

	pgwork_jump(work, C_METHOD);
	return pgtool_remove(work, clone->dir.staged, err);
}

/* -- taking it in ------------------------------------------------------------------------- */

static int step_control(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;

	pgwork_tolerate(work);
	return pgtool_control(work, made_in(clone), err);
}

static int check_copy(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	struct pgcontrol control;
	const char *wanted = clone->identity.sysid[0] ? clone->identity.sysid :
							work->pg->state.sysid;
	int rc = pgtool_control_read(work, &control, err);

	if (rc < 0)
		return err_wrap(err, "what was made is no data directory");
	if (wanted[0] && !str_eq(wanted, control.sysid))
		return err_set(err, ERR_STATE,
			       "what was made belongs to another cluster: its system identifier is "
			       "%s instead of %s",
			       control.sysid, wanted);
	return 0;
}

static int step_verify(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	struct err why = { 0 };
	int rc = check_copy(work, &why);

	if (rc < 0)
		return method_failed(work, rc, &why, err);
	/* Whoever starts it by hand must not get a second primary. */
	rc = pgfiles_touch(made_in(clone), "standby.signal", err);
	if (rc == 0 && clone->builtin)
		rc = pgdir_mark(clone->dir.staged, PGDIR_WHOLE, err);
	return rc;
}

static int step_sync(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	struct clone *clone = work->data;

	/* pg_basebackup has synced its files. */
	if (clone->builtin)
		return pgtool_sync_path(work, clone->dir.staged, err);
	pgtool_program(work->pg, "initdb", &words);
	words_add(&words, "--sync-only");
	words_add(&words, "--pgdata=%s", clone->dir.data);
	return pgtool_run(work, "initdb", &words, err);
}

static int step_swap(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	int rc = pgwatch_must_be_down(work->pg, err);

	if (rc < 0)
		return rc;
	if (clone->builtin)
		return pgdir_swap(&clone->dir, err);
	if (clone->in_place)
		return pgdir_unmark(clone->dir.data, PGDIR_REWINDING, err);
	rc = pgdir_keep_new(&clone->dir, err);
	clone->aside = rc < 0;
	return rc;
}

static int step_sync_parent(struct pgwork *work, struct err *err)
{
	struct clone *clone = work->data;
	char parent[PATH_MAX];

	(void)str_printf(parent, sizeof(parent), "%.*s/.",
			 (int)(strrchr(clone->dir.data, '/') - clone->dir.data), clone->dir.data);
	return pgtool_sync_path(work, parent, err);
}

static int step_done(struct pgwork *work, struct err *err _unused_)
{
	struct clone *clone = work->data;

	work->pg->control_known = false;
	pgwatch_look(work->pg);
	pgwatch_sweep(work->pg);
	(void)str_printf(work->text, sizeof(work->text), "copied from '%s' by %s",
			 work->req.upstream.name,
			 clone->builtin ? "pg_basebackup" : clone->name);
	return PGWORK_DONE;
}

static void failed(struct pgwork *work, int result _unused_)
{
	struct clone *clone = work->data;
	struct err err = { 0 };

	if (clone->aside && pgdir_bring_back(&clone->dir, &err) < 0)
		log_error("cannot put the data directory back: %s", err.msg);
	pgwatch_sweep(work->pg);
}

static const struct pgwork_step steps[] = {
	[C_CHECK] = { "check", step_check },
	[C_CLEAN] = { "clean up", step_clean },
	[C_CLEAN_WAL] = { "clean up", step_clean_wal },
	[C_RESOLVE] = { "resolve upstream", step_resolve },
	[C_CONNECT] = { "connect to upstream", step_connect },
	[C_IDENTIFY] = { "identify upstream", step_identify },
	[C_IDENTIFIED] = { "identify upstream", step_identified },
	[C_SUPER] = { "connect to upstream", step_super },
	[C_SIZE] = { "size of upstream", step_size },
	[C_SIZED] = { "size of upstream", step_sized },
	[C_METHOD] = { "base backup", step_method },
	[C_SPACES] = { "empty table spaces", step_spaces },
	[C_BACKUP] = { "base backup", step_backup },
	[C_RAN] = { "base backup", step_ran },
	[C_PAUSE] = { "base backup", step_pause },
	[C_CLEAN_AGAIN] = { "clean up", step_clean_again },
	[C_CONTROL] = { "pg_controldata", step_control },
	[C_VERIFY] = { "verify", step_verify },
	[C_SYNC] = { "sync", step_sync },
	[C_SWAP] = { "take the copy", step_swap },
	[C_SYNC_PARENT] = { "sync", step_sync_parent },
	[C_DONE] = { "clean up", step_done },
	{ NULL, NULL },
};

const struct pgwork_kind pgclone_kind = {
	.steps = steps,
	.data_size = sizeof(struct clone),
	.failed = failed,
};
