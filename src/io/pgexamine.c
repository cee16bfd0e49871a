/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgexamine - EXAMINE: what a failover needs of this server and host, or whether another member's
 * server lets us in
 *
 * Changes nothing. Without an upstream the local server is looked at; with one, two connections are
 * opened to it, as a standby and as pg_rewind would.
 */
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/parse.h"
#include "io/fsx.h"
#include "io/pgconf.h"
#include "io/pgdial.h"
#include "io/pgkinds.h"
#include "io/pgtool.h"

#define ANSWER_MS  5000
#define LIMIT_SIZE 4096
#define STAT_MS    3000

struct examined {
	struct checkup checkup;
	struct checkup_link link;
};

/* clang-format off */
enum {
	X_BEGIN = 0, X_CONNECTED, X_TOLD, X_FILES, X_ROOM, X_HOST, X_RESOLVE, X_STANDBY, X_REWIND,
	X_TRIED
};
/* clang-format on */

/* ---- the host ---- */

static void add_file(struct checkup *c, const char *what, const char *path)
{
	struct checkup_file *f;

	if (path == NULL || path[0] == '\0' || c->nfiles == CHECKUP_FILES_MAX)
		return;
	f = &c->files[c->nfiles++];
	*f = (struct checkup_file){ .what = what };
	str_clip(f->path, sizeof(f->path), path);
}

static void list_files(const struct config *config, struct checkup *c)
{
	_cleanup_(freep) char *pgpass = pgconf_pgpass_path(config);

	add_file(c, "postgresql.data_dir", config->pg.data_dir);
	add_file(c, "pgha.state_dir", config->state_dir);
	add_file(c, "postgresql.pgpass", pgpass);
	add_file(c, "restapi.keyfile", config->restapi.keyfile);
	add_file(c, "restapi.peer_secret_file", config->restapi.peer_secret_file);
	add_file(c, "ctl.keyfile", config->ctl.keyfile);
	add_file(c, "etcd3.key", config->etcd.key);
	add_file(c, "postgresql.authentication.superuser.sslkey", config->pg.superuser.sslkey);
	add_file(c, "postgresql.authentication.replication.sslkey",
		 config->pg.replication.sslkey);
	add_file(c, "postgresql.authentication.rewind.sslkey", config->pg.rewind.sslkey);
}

static bool is_stalled(const struct pgwork *work)
{
	return work->pg->state.vitals.disk == DISK_STALLED;
}

/* By a child: a disk that does not answer must not hold the loop up. */
static int step_files(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	struct examined *x = work->data;

	list_files(work->pg->config, &x->checkup);
	work->end = (struct child_end){ .output = "" };
	if (is_stalled(work))
		return PGWORK_NEXT;
	words_add(&words, "stat");
	words_add(&words, "-L");
	words_add(&words, "--printf=%%a %%u %%n\\n");
	for (uint32_t i = 0; i < x->checkup.nfiles; i++)
		words_add(&words, "%s", x->checkup.files[i].path);
	/* What does not exist makes it fail, and is left out. */
	pgwork_tolerate(work);
	pgwork_abandon_in(work, STAT_MS);
	return pgtool_run(work, "stat", &words, err);
}

/* "700 108 /var/lib/postgresql/15/main" */
static void take_file(struct checkup *c, const char *line, size_t len)
{
	size_t mode = strcspn(line, " ");
	size_t user = mode + 1 + strcspn(line + mode + 1, " ");
	char uid[24];
	uint64_t id = 0;

	if (user + 1 >= len || mode >= sizeof(c->files[0].mode))
		return;
	(void)str_printf(uid, sizeof(uid), "%.*s", (int)(user - mode - 1), line + mode + 1);
	if (parse_uint(uid, UINT32_MAX, &id, NULL) < 0)
		return;
	for (uint32_t i = 0; i < c->nfiles; i++) {
		struct checkup_file *f = &c->files[i];
		size_t n = strlen(f->path);

		if (n != len - user - 1 || memcmp(f->path, line + user + 1, n) != 0)
			continue;
		f->exists = true;
		f->own = id == geteuid() || id == 0;
		(void)str_printf(f->mode, sizeof(f->mode), "%.*s", (int)mode, line);
	}
}

static int step_room(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	struct examined *x = work->data;
	const char *line = work->end.output;

	while (line != NULL && *line != '\0') {
		size_t len = strcspn(line, "\n");

		take_file(&x->checkup, line, len);
		line += len + (line[len] == '\n');
	}
	work->end = (struct child_end){ .output = "" };
	if (is_stalled(work))
		return PGWORK_NEXT;
	words_add(&words, "stat");
	words_add(&words, "-f");
	words_add(&words, "--printf=%%S %%b %%a");
	words_add(&words, "%s", work->pg->config->pg.data_dir);
	pgwork_tolerate(work);
	pgwork_abandon_in(work, STAT_MS);
	return pgtool_run(work, "stat", &words, err);
}

/* Size of a block, blocks, blocks that are free for who is not root. */
static void take_room(struct checkup *c, const char *text)
{
	uint64_t numbers[3] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(numbers) && text != NULL; i++) {
		size_t len = strcspn(text, " \n");
		char word[24];

		if (str_printf(word, sizeof(word), "%.*s", (int)len, text) <= 0 ||
		    parse_uint(word, UINT64_MAX, &numbers[i], NULL) < 0)
			return;
		text += len + (text[len] == ' ');
	}
	c->data_size_bytes = numbers[0] * numbers[1];
	c->data_free_bytes = numbers[0] * numbers[2];
}

/* A number, or "max". */
static int64_t read_limit(const char *group, const char *name)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	int64_t limit = -1;

	if (str_printf(path, sizeof(path), "/sys/fs/cgroup%s/%s", group, name) < 0 ||
	    fsx_read(path, LIMIT_SIZE, &text, NULL) < 0 || text.data == NULL)
		return -1;
	text.data[strcspn(text.data, "\n")] = '\0';
	return parse_int(text.data, 0, INT64_MAX, &limit, NULL) < 0 ? -1 : limit;
}

/* The server runs in the control group of the agent. */
static void look_at_limits(struct checkup *c)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct rlimit files;
	const char *group;

	c->open_files = c->tasks_max = c->memory_max = -1;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max != RLIM_INFINITY)
		c->open_files = (int64_t)files.rlim_max;
	if (fsx_read("/proc/self/cgroup", LIMIT_SIZE, &text, NULL) < 0 || text.data == NULL)
		return;
	group = strstr(text.data, "0::/");
	if (group == NULL)
		return;
	text.data[(size_t)(group - text.data) + strcspn(group, "\n")] = '\0';
	c->tasks_max = read_limit(group + 3, "pids.max");
	c->memory_max = read_limit(group + 3, "memory.max");
}

static int step_host(struct pgwork *work, struct err *err _unused_)
{
	struct examined *x = work->data;

	take_room(&x->checkup, work->end.output);
	look_at_limits(&x->checkup);
	return PGWORK_DONE;
}

/* ---- the local server ---- */

static int step_begin(struct pgwork *work, struct err *err)
{
	if (work->req.upstream.host[0] != '\0') {
		pgwork_jump(work, X_RESOLVE);
		return PGWORK_NEXT;
	}
	pgwork_tolerate(work);
	return pgdial_step_local(work, PGDIAL_STATEMENT_MS, err);
}

static void keep_error(const struct pgwork *work, char dst[REASON_SIZE])
{
	if (work->result < 0)
		str_line(dst, REASON_SIZE, work->err.msg);
}

static int step_connected(struct pgwork *work, struct err *err _unused_)
{
	struct examined *x = work->data;
	struct pgquery q = pgdial_query(work, ANSWER_MS);

	keep_error(work, x->checkup.sql_error);
	if (work->result < 0) {
		pgwork_jump(work, X_FILES);
		return PGWORK_NEXT;
	}
	pgwork_tolerate(work);
	pgquery_examine(&q, &x->checkup.values);
	return PGWORK_WAIT;
}

static int step_told(struct pgwork *work, struct err *err _unused_)
{
	struct examined *x = work->data;

	keep_error(work, x->checkup.sql_error);
	return PGWORK_NEXT;
}

/* ---- another server ---- */

static int step_standby(struct pgwork *work, struct err *err)
{
	struct examined *x = work->data;
	const struct auth *auth = &work->pg->config->pg.replication;

	str_clip(x->link.replication_user, sizeof(x->link.replication_user), auth->username);
	pgwork_tolerate(work);
	return pgdial_step_upstream(work, auth, true, PGDIAL_STATEMENT_MS, err);
}

static int step_rewind(struct pgwork *work, struct err *err)
{
	struct examined *x = work->data;
	const struct auth *auth = pgdial_rewind_auth(work->pg);

	keep_error(work, x->link.replication_error);
	str_clip(x->link.rewind_user, sizeof(x->link.rewind_user), auth->username);
	pgwork_tolerate(work);
	return pgdial_step_upstream(work, auth, false, PGDIAL_STATEMENT_MS, err);
}

static int step_tried(struct pgwork *work, struct err *err _unused_)
{
	struct examined *x = work->data;

	keep_error(work, x->link.rewind_error);
	return PGWORK_DONE;
}

static void add_answer(struct pgwork *work, struct event *event)
{
	struct examined *x = work->data;

	str_clip(x->link.to, sizeof(x->link.to), work->req.upstream.name);
	event->checkup = &x->checkup;
	event->link = &x->link;
}

static const struct pgwork_step steps[] = {
	[X_BEGIN]     = { "connect", step_begin },
	[X_CONNECTED] = { "ask for settings", step_connected },
	[X_TOLD]      = { "settings", step_told },
	[X_FILES]     = { "look at files", step_files },
	[X_ROOM]      = { "look at the disk", step_room },
	[X_HOST]      = { "look at the host", step_host },
	[X_RESOLVE]   = { "resolve member", pgdial_resolve },
	[X_STANDBY]   = { "connect as a standby", step_standby },
	[X_REWIND]    = { "connect as pg_rewind", step_rewind },
	[X_TRIED]     = { "connect as pg_rewind", step_tried },
	{ NULL, NULL },
};

const struct pgwork_kind pgexamine_kind = {
	.steps = steps,
	.data_size = sizeof(struct examined),
	.answer = add_answer,
};
