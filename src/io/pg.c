/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg - the local Postgres, as the agent's port wants it
 */
#include "io/pg.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>

#include "base/log.h"
#include "base/str.h"
#include "io/canary.h"
#include "io/pgdir.h"
#include "io/pgdoor.h"
#include "io/pgkinds.h"
#include "io/pgprogress.h"
#include "io/pgready.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

#define PROGRESS_TAIL 512 /* bytes: the last lines of a program */

/* clang-format off */
static const struct pgwork_kind *const kinds[PGOP__MAX] = {
	[PGOP_PROBE]          = &pgprobe_kind,
	[PGOP_ANCESTRY]       = &pgask_ancestry_kind,
	[PGOP_CHECKPOINT]     = &pgask_checkpoint_kind,
	[PGOP_START_STANDBY]  = &pgstart_kind,
	[PGOP_START_PRIMARY]  = &pgstart_kind,
	[PGOP_STOP]           = &pgstop_kind,
	[PGOP_PROMOTE]        = &pgpromote_kind,
	[PGOP_FOLLOW]         = &pgfollow_kind,
	[PGOP_APPLY]          = &pgfollow_kind,
	[PGOP_REWIND]         = &pgrewind_kind,
	[PGOP_CLONE]          = &pgclone_kind,
	[PGOP_INITDB]         = &pginitdb_kind,
	[PGOP_DISCARD]        = &pgdiscard_kind,
	[PGOP_POST_BOOTSTRAP] = &pgboot_kind,
	[PGOP_WAL_END]        = &pgwalend_kind,
	[PGOP_SLOTS]          = &pgask_slots_kind,
	[PGOP_EXAMINE]        = &pgexamine_kind,
	[PGOP_PRE_PROMOTE]    = &pgpromote_script_kind,
};
/* clang-format on */

int pg_new(struct loop *loop, pg_event_fn deliver, void *ctx, struct pg **ret,
	   struct err *err _unused_)
{
	struct pg *pg = mem_new(1, sizeof(*pg));

	pg->loop = loop;
	pg->deliver = deliver;
	pg->ctx = ctx;
	pg->life.proc.pidfd = -1;
	pg->lock_fd = -1;
	*ret = pg;
	return 0;
}

void pg_free(struct pg *pg)
{
	if (!pg)
		return;
	pgwork_free(pg->hand);
	pgwork_free(pg->stop);
	for (size_t i = 0; i < PGWORK_OTHERS_MAX; i++)
		pgwork_free(pg->others[i]);
	child_free(pg->sweeper);
	pgdoor_free(pg->door);
	pgready_free(pg->ready);
	canary_free(pg->canary);
	pgconn_free(pg->conn);
	pgconn_free(pg->spare);
	pgproc_done(&pg->life.proc);
	loop_source_free(pg->life.source);
	closep(&pg->lock_fd);
	free(pg);
}

/* Two agents of one data directory would take each other's half-made copies for rubbish. The lock
 * is that of a file beside it and ends with us. Where no file can be made nothing can be made
 * beside either. */
static bool hold_lock(struct pg *pg)
{
	_cleanup_(closep) int fd = -1;
	char path[PATH_MAX];

	if (pg->lock_fd >= 0)
		return true;
	if (str_printf(path, sizeof(path), "%s.pgha-lock", pg->config->pg.data_dir) < 0)
		return true;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return true;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno != EWOULDBLOCK;
	pg->lock_fd = fd;
	fd = -1;
	return true;
}

/* What a crash of ours interrupted, before anything looks at the directory. */
static void mend(struct pg *pg)
{
	struct pgdir dir;
	struct err err = { 0 };
	int rubbish = 0;

	pgwatch_look(pg);
	if (!hold_lock(pg)) {
		log_error("another agent manages '%s': nothing is changed",
			  pg->config->pg.data_dir);
		return;
	}
	pg->mended = true;
	if (pg->state.run != PG_DOWN)
		return;
	if (pgdir_init(&dir, pg->config->pg.data_dir, &err) < 0 ||
	    pgdir_mend(&dir, &rubbish, &err) < 0)
		log_error("cannot put the data directory in order: %s", err.msg);
	else if (rubbish != 0)
		pgwatch_sweep(pg);
}

void pg_configure(struct pg *pg, const struct config *config)
{
	pg->config = config;
	pg->settings_at_ms = 0;
	if (!pg->mended)
		mend(pg);
}

void pg_progress(const struct pg *pg, int64_t *ret_done_bytes, int64_t *ret_total_bytes)
{
	char text[PROGRESS_TAIL];

	*ret_done_bytes = 0;
	*ret_total_bytes = 0;
	if (pg->hand == NULL || pg->hand->child == NULL)
		return;
	child_tail(pg->hand->child, text, sizeof(text));
	(void)pgprogress_read(text, ret_done_bytes, ret_total_bytes);
}

void pg_look(struct pg *pg, struct pg_state *ret)
{
	struct pgcontrol control;
	struct err err = { 0 };
	int rc;

	if (!pg->config) {
		*ret = pg->state;
		return;
	}
	pgwatch_look(pg);
	if (pgwatch_control_stale(pg)) {
		rc = pgtool_control_now(pg, pg->config->pg.data_dir, &control, &err);
		if (rc < 0)
			log_warning("cannot read the control file: %s", err.msg);
		pgwatch_control_keep(pg, &pg->control_next, rc == 0 ? &control : NULL);
	} else {
		pgwatch_control_apply(pg);
	}
	pg->state.timeline = pg->state.control_timeline;
	*ret = pg->state;
}

/* -- requests ----------------------------------------------------------------------------- */

/* A refusal is answered from the loop like everything else: a chain that has ended already. */
static void refuse(struct pg *pg, enum event_type event, uint64_t ticket, const char *why)
{
	struct pgwork **place = pgwork_place(pg);
	struct err err = { 0 };

	if (pgwork_begin(pg, &pgpromote_script_kind, event, ticket, NULL, place, &err) < 0) {
		log_error("a request to Postgres cannot be answered: %s", err.msg);
		return;
	}
	pgwork_cancel(*place, ERR_STATE, why);
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	if (a_ms == 0 || b_ms == 0)
		return MAX_OF(a_ms, b_ms);
	return MIN_OF(a_ms, b_ms);
}

/* A second STOP takes the place of the first, and never softens it. */
static void overtake(struct pg *pg, struct pg_req *req)
{
	struct pgwork **place = pgwork_place(pg);
	struct pgwork *old = pg->stop;

	req->stop = MAX_OF(req->stop, old->req.stop);
	req->immediate_at_ms = sooner(req->immediate_at_ms, old->req.immediate_at_ms);
	req->kill_at_ms = sooner(req->kill_at_ms, old->req.kill_at_ms);
	*place = TAKE(pg->stop);
	pgwork_cancel(old, ERR_CANCELED, "another stop took its place");
}

static void begin(struct pg *pg, uint64_t ticket, const struct pg_req *req,
		  enum event_type event, struct pgwork **place)
{
	struct err err = { 0 };

	if (pgwork_begin(pg, kinds[req->op], event, ticket, req, place, &err) < 0)
		refuse(pg, event, ticket, err.msg);
}

void pg_request(struct pg *pg, uint64_t ticket, const struct pg_req *req)
{
	enum event_type event = req->op == PGOP_PROBE ? EVENT_PG_PROBE : EVENT_PG_DONE;
	struct pg_req copy = *req;
	char why[128];

	if (!pg->config) {
		refuse(pg, event, ticket, "there is no configuration yet");
		return;
	}
	if (req->op == PGOP_STOP) {
		if (pg->stop)
			overtake(pg, &copy);
		begin(pg, ticket, &copy, event, &pg->stop);
		return;
	}
	if (pg_op_changes(req->op)) {
		struct pgwork *busy = pg->stop ? pg->stop : pg->hand;

		if (!hold_lock(pg)) {
			refuse(pg, event, ticket, "another agent manages this data directory");
			return;
		}
		if (!busy) {
			begin(pg, ticket, &copy, event, &pg->hand);
			return;
		}
		(void)str_printf(why, sizeof(why), "'%s' must wait: '%s' is running",
				 pg_op_name(req->op), pg_op_name(busy->req.op));
		refuse(pg, event, ticket, why);
		return;
	}
	begin(pg, ticket, &copy, event, pgwork_place(pg));
}
