/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstart - START_STANDBY and START_PRIMARY
 *
 * The postmaster is our child in a session of its own: its pid is known from its first moment,
 * and it outlives us. It is started when it has its sockets and has begun recovery, which its pid
 * file tells. What it says goes to "<data_dir>.startup.log" until its log collector runs, if it
 * has one; without a collector this file is the server's log.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "io/fsx.h"
#include "io/pgdial.h"
#include "io/pgdir.h"
#include "io/pgfiles.h"
#include "io/pgkinds.h"
#include "io/pgtool.h"
#include "io/pgwatch.h"

#define LOOK_EVERY_MS 10
#define START_MS      60000              /* where pg_ctl_timeout is not configured */
#define LOG_BYTES_MAX (64 * 1024 * 1024) /* a log that is longer is begun anew at a start */
#define TAIL_BYTES    4096
#define COLLECTOR_MS  500

struct start {
	struct pgconf_want want;
	char *trust_hba;
	char log_path[PATH_MAX];
	off_t log_from; /* where this start began to write */
	char collected_path[PATH_MAX]; /* what the collector of the last life wrote, and how far */
	off_t collected_to;
	int64_t until_ms;
	int64_t ended_at_ms; /* 0: the postmaster lives */
};

static void start_done(void *data)
{
	struct start *start = data;

	free(start->trust_hba);
}

static const struct config_bootstrap *custom_bootstrap(const struct pg *pg)
{
	const struct config_bootstrap *boot = &pg->config->bootstrap;

	return pg->state.boot_unfinished && boot->method_command ? boot : NULL;
}

/* -- before ------------------------------------------------------------------------------- */

static int step_check(struct pgwork *work, struct err *err)
{
	struct pg *pg = work->pg;
	int rc;

	if (pgwatch_exit_pending(pg))
		return pgwork_again_in(work, LOOK_EVERY_MS);
	rc = pgwatch_must_be_down(pg, err);
	if (rc < 0)
		return rc;
	switch (pg->state.dir) {
	case DIR_PRESENT:
		return PGWORK_NEXT;
	case DIR_EMPTY:
		return err_set(err, ERR_STATE, "the data directory '%s' is empty",
			       pg->config->pg.data_dir);
	case DIR_HALF:
		return err_set(err, ERR_STATE, "the data directory '%s' is half rewound",
			       pg->config->pg.data_dir);
	case DIR_UNKNOWN:
	case DIR_BROKEN:
	case DIR__MAX:
		break;
	}
	return err_set(err, ERR_STATE, "'%s' is no usable data directory", pg->config->pg.data_dir);
}

static int step_control(struct pgwork *work, struct err *err)
{
	(void)pgwatch_control_stale(work->pg);
	return pgtool_control(work, work->pg->config->pg.data_dir, err);
}

static int write_signals(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	const struct config *config = work->pg->config;
	const struct config_bootstrap *boot = custom_bootstrap(work->pg);

	if (!boot || start->want.standby)
		return pgfiles_signals(config, start->want.standby, err);
	/* A restored cluster recovers to the target that the operator named. */
	if (boot->method_keep_recovery_conf)
		return 0;
	return pgfiles_recovery_signal(config, boot->method_recovery_conf.n > 0, err);
}

static void want_of_bootstrap(struct pgwork *work)
{
	struct start *start = work->data;
	const struct config_bootstrap *boot = custom_bootstrap(work->pg);

	if (!boot || start->want.standby)
		return;
	start->want.keep_recovery = boot->method_keep_recovery_conf;
	if (boot->method_recovery_conf.n > 0)
		start->want.recovery = &boot->method_recovery_conf;
}

static int step_files(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	struct pg *pg = work->pg;
	struct pgcontrol control;
	bool changed = false;
	int rc = pgtool_control_read(work, &control, err);

	if (rc < 0)
		return rc;
	pgwatch_control_keep(pg, &control);
	start->want.major = pgdir_major(pg->config->pg.data_dir);
	start->want.standby = work->req.op == PGOP_START_STANDBY;
	start->want.upstream = work->req.upstream;
	want_of_bootstrap(work);
	if (custom_bootstrap(pg) && !start->want.standby) {
		rc = pgfiles_trust_hba(pg->config, &start->trust_hba, err);
		start->want.trust_hba = start->trust_hba;
	}
	if (rc == 0)
		rc = pgfiles_restore(pg->config, err);
	if (rc == 0)
		rc = pgfiles_write(pg->config, &start->want, &changed, err);
	if (rc == 0)
		rc = write_signals(work, err);
	if (rc < 0)
		return rc;
	pg->follows = start->want.upstream;
	pg->follows_known = true;
	return pgdial_pgpass(pg, NULL, err);
}

static int step_sync(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };

	pgfiles_paths(work->pg->config, &words);
	return pgtool_sync(work, &words, err);
}

/* -- why it failed ------------------------------------------------------------------------ */

static void clip_line(char *dst, size_t size, const char *line)
{
	str_clip(dst, MIN_OF(size, strcspn(line, "\n") + 1), line);
}

static const char *last_of(const char *text, const char *what)
{
	const char *found = NULL;

	for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
		found = at;
	return found;
}

/* The newest line that names a reason. That no socket could be made is none: why not, with the
 * address, is in the lines before. */
static void last_reason(const char *text, char *dst, size_t size)
{
	static const char *const levels[] = { "FATAL: ", "PANIC: ", "ERROR: " };
	const char *found = NULL, *socket;

	for (size_t i = 0; i < ARRAY_LEN(levels) && found == NULL; i++)
		found = last_of(text, levels[i]);
	if (found == NULL)
		return;
	clip_line(dst, size, found);
	socket = last_of(text, "could not bind ");
	if (socket != NULL && strstr(dst, "could not create any") != NULL)
		clip_line(dst, size, socket);
}

static void tail_of(const char *path, off_t from, char *dst, size_t size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[TAIL_BYTES + 1];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	from = MAX_OF(from, st.st_size - TAIL_BYTES);
	n = pread(fd, text, TAIL_BYTES, MAX_OF(from, (off_t)0));
	if (n <= 0)
		return;
	text[n] = '\0';
	last_reason(text, dst, size);
}

/* "stderr log/postgresql-2026-11-21.log": where the collector writes. */
static void collector_path(const char *data_dir, char dst[PATH_MAX])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	const char *name;

	dst[0] = '\0';
	if (str_printf(path, sizeof(path), "%s/current_logfiles", data_dir) < 0 ||
	    fsx_read(path, 4096, &text, NULL) != 0 || text.len == 0 ||
	    !str_starts(text.data, "stderr "))
		return;
	name = text.data + strlen("stderr ");
	(void)str_printf(dst, PATH_MAX, "%s%s%.*s", name[0] == '/' ? "" : data_dir,
			 name[0] == '/' ? "" : "/", (int)strcspn(name, "\n"), name);
}

/* What the last life complained of is no reason for this one. */
static void remember_collected(struct start *start, const char *data_dir)
{
	struct stat st;

	collector_path(data_dir, start->collected_path);
	if (stat(start->collected_path, &st) == 0)
		start->collected_to = st.st_size;
}

static int start_failed(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	char reason[ERR_MSG_MAX / 2] = "";
	char path[PATH_MAX];

	if (start->ended_at_ms == 0)
		start->ended_at_ms = loop_now_ms();
	tail_of(start->log_path, start->log_from, reason, sizeof(reason));
	if (!reason[0]) {
		collector_path(work->pg->config->pg.data_dir, path);
		tail_of(path, str_eq(path, start->collected_path) ? start->collected_to : 0,
			reason, sizeof(reason));
	}
	/* The collector outlives the postmaster for as long as it has something to write. */
	if (!reason[0] && loop_now_ms() - start->ended_at_ms < COLLECTOR_MS)
		return pgwork_again_in(work, LOOK_EVERY_MS);
	return err_set(err, ERR_CHILD, "Postgres did not start: %s",
		       reason[0] ? reason : "it ended without a reason in its log");
}

/* -- the postmaster ----------------------------------------------------------------------- */

static int log_open(struct start *start, const struct config *config, struct err *err)
{
	struct stat st;
	int fd;

	if (str_printf(start->log_path, sizeof(start->log_path), "%s.startup.log",
		       config->pg.data_dir) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", config->pg.data_dir);
	fd = open(start->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	/* Beside the data directory nothing may be written: then inside. */
	if (fd < 0 && errno == EACCES &&
	    str_printf(start->log_path, sizeof(start->log_path), "%s/pgha.startup.log",
		       config->pg.data_dir) > 0)
		fd = open(start->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", start->log_path);
	if (fstat(fd, &st) == 0 && st.st_size > LOG_BYTES_MAX && ftruncate(fd, 0) == 0)
		st.st_size = 0;
	start->log_from = st.st_size;
	return fd;
}

static void command_line(struct pgwork *work, const struct pgcontrol *control, struct words *ret,
			 bool *ret_raised)
{
	struct start *start = work->data;
	const struct config *config = work->pg->config;

	pgtool_program(work->pg, "postgres", ret);
	words_add(ret, "-D");
	words_add(ret, "%s", config->pg.data_dir);
	words_add(ret, "--config-file=%s/%s.conf", pgconf_dir(config), pgconf_stem(config));
	pgconf_command_line(config, &start->want, control, ret, ret_raised);
}

/* Its environment: memory arenas as Patroni lets them be set, and no share in our own protection
 * against the out-of-memory killer for anything but the postmaster. */
static void environment(const char *env[], char arena[64])
{
	const char *arenas = getenv("PG_MALLOC_ARENA_MAX");
	size_t n = 0;

	if (arenas && str_printf(arena, 64, "MALLOC_ARENA_MAX=%s", arenas) > 0)
		env[n++] = arena;
	if (!getenv("PG_OOM_ADJUST_FILE"))
		env[n++] = "PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj";
	env[n] = NULL;
}

static int step_spawn(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(closep) int log_fd = -1;
	struct start *start = work->data;
	struct pg *pg = work->pg;
	struct pgproc proc = { .pidfd = -1 };
	char arena[64];
	const char *env[3];
	struct child_spec spec = { .name = "postgres", .env = env,
				   .work_dir = pg->config->pg.data_dir };
	bool raised = false;
	int rc;

	/* Once more: files were written and synced meanwhile. */
	rc = pgwatch_must_be_down(pg, err);
	if (rc < 0)
		return rc;
	log_fd = log_open(start, pg->config, err);
	if (log_fd < 0)
		return log_fd;
	remember_collected(start, pg->config->pg.data_dir);
	command_line(work, &pg->control, &words, &raised);
	environment(env, arena);
	spec.argv = (const char *const *)words.items;
	rc = child_detach(&spec, log_fd, &proc.pid, &proc.pidfd, err);
	if (rc < 0)
		return rc;
	rc = pgwatch_adopt(pg, &proc, err);
	if (rc < 0) {
		(void)child_pidfd_signal(proc.pidfd, SIGKILL);
		pgproc_done(&proc);
		return rc;
	}
	pg->life.unborn = true;
	pg->life.raised = raised;
	pg->life.may_write = !start->want.standby;
	pg->state.run = PG_STARTING;
	pg->state.role = pg->life.may_write ? ROLE_PRIMARY : ROLE_UNKNOWN;
	start->until_ms = loop_now_ms() + (pg->config->pg.pg_ctl_timeout_ms > 0 ?
						   pg->config->pg.pg_ctl_timeout_ms :
						   START_MS);
	return PGWORK_NEXT;
}

static int step_wait(struct pgwork *work, struct err *err)
{
	struct start *start = work->data;
	struct pg *pg = work->pg;

	if (!pgwatch_runs(pg))
		return start_failed(work, err);
	pgwatch_look(pg);
	if (pg->life.file.pid == pg->life.proc.pid && pg->life.file.status != PGPROC_EARLY) {
		pg->life.unborn = false;
		return PGWORK_NEXT;
	}
	if (loop_now_ms() >= start->until_ms) {
		pg->life.unborn = false;
		return err_set(err, ERR_TIMEOUT,
			       "Postgres runs and is not ready to begin recovery");
	}
	return pgwork_again_in(work, LOOK_EVERY_MS);
}

static int step_keep(struct pgwork *work, struct err *err _unused_)
{
	struct err why = { 0 };

	/* Copies for a time when the files are lost: their lack stops nothing now. */
	if (pgfiles_backup(work->pg->config, &why) < 0)
		log_warning("cannot copy the configuration: %s", why.msg);
	return PGWORK_DONE;
}

static void failed(struct pgwork *work, int result _unused_)
{
	/* From now on its end is an event of its own. */
	work->pg->life.unborn = false;
}

static const struct pgwork_step steps[] = {
	{ "check", step_check },       { "pg_controldata", step_control },
	{ "settings", step_files },    { "sync", step_sync },
	{ "start", step_spawn },       { "wait for the postmaster", step_wait },
	{ "keep settings", step_keep }, { NULL, NULL },
};

const struct pgwork_kind pgstart_kind = {
	.steps = steps,
	.data_size = sizeof(struct start),
	.data_done = start_done,
	.failed = failed,
};
