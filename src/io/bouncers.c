/* SPDX-License-Identifier: PostgreSQL */
/*
 * bouncers - the admin consoles of PgBouncers: PAUSE, and RESUME
 */
#include "io/bouncers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "io/child.h"
#include "io/pgquery.h"
#include "io/words.h"

#define DATABASE   "pgbouncer"
#define COMMAND_MS 5000
#define GRACE_MS   500
#define STEPS_MAX  4

/* Which they are is told by the last one, RESUME or PAUSE: its failure counts. */
struct plan {
	enum pgquery_pooler steps[STEPS_MAX];
	uint32_t n;
};

struct console {
	struct bouncers *owner;
	struct endpoint where;
	struct pgconn *conn;
	uint32_t step;
	bool busy;
};

struct bouncers {
	struct loop *loop;
	struct resolve *resolve;
	struct loop_source *soon;
	bouncers_fn done;
	void *ctx;
	struct console consoles[POOLERS_MAX];
	uint32_t n;
	char *username;
	char *password;
	char *sslmode;
	struct words command;
	char host[HOST_SIZE]; /* of this member, for the command */
	uint16_t port;

	uint64_t ticket; /* 0: nothing is under way */
	struct pooler_req req;
	struct plan plan;
	struct child *child;
	struct err first; /* failure */
};

/* ---- the end of it ---- */

static void finish_if_all(struct bouncers *p)
{
	uint64_t ticket = p->ticket;
	struct err first = p->first;

	for (uint32_t i = 0; i < p->n; i++)
		if (p->consoles[i].busy)
			return;
	if (ticket == 0 || p->child != NULL)
		return;
	p->ticket = 0;
	p->done(p->ctx, ticket, -(int)first.code, first.code != ERR_NONE ? &first : NULL);
}

static void on_soon(void *ctx)
{
	finish_if_all(ctx);
}

static void console_ends(struct console *c, const struct err *err)
{
	struct bouncers *p = c->owner;

	c->busy = false;
	pgconn_free(TAKE(c->conn));
	if (err != NULL) {
		log_warning("PgBouncer at %s:%u: %s: %s", c->where.host, c->where.port,
			    p->req.pause ? "PAUSE" : "RESUME", err->msg);
		if (p->first.code == ERR_NONE)
			(void)err_set(&p->first, err->code, "PgBouncer at %s:%u: %s", c->where.host,
				      c->where.port, err->msg);
	}
	/* Whoever calls us may be in the middle of the others. */
	loop_defer(p->soon);
}

/* ---- one console ---- */

static void console_next(struct console *c);

/* Nobody waited there: that is what was wanted. It has one SQLSTATE for everything. */
static bool was_not_paused(const struct err *err)
{
	return err->code == ERR_SQL && strstr(err->msg, "not paused") != NULL;
}

static void on_answer(void *ctx, int result, const struct err *err)
{
	struct console *c = ctx;
	struct bouncers *p = c->owner;
	bool last = c->step + 1 == p->plan.n;

	if (result < 0 && !(last && was_not_paused(err)) && (last || !pgconn_idle(c->conn))) {
		console_ends(c, err);
		return;
	}
	if (result < 0 && !last)
		log_warning("PgBouncer at %s:%u: %s", c->where.host, c->where.port, err->msg);
	c->step++;
	console_next(c);
}

static void console_next(struct console *c)
{
	struct bouncers *p = c->owner;
	struct pgquery q = { .conn = c->conn, .done = on_answer, .ctx = c,
			     .deadline_ms = loop_now_ms() + p->req.timeout_ms };

	if (c->step == p->plan.n)
		console_ends(c, NULL);
	else
		pgquery_pooler(&q, p->plan.steps[c->step]);
}

static void on_open(void *ctx, int result, const struct err *err)
{
	if (result < 0)
		console_ends(ctx, err);
	else
		console_next(ctx);
}

/* The first of its addresses. */
static int address(struct bouncers *p, const char *host, char dst[64], struct err *err)
{
	const char *known = resolve_known(p->resolve, host);
	size_t len = known != NULL ? strcspn(known, ",") : 0;
	bool v6 = known != NULL && known[0] == '[';

	if (known == NULL)
		return err_set(err, ERR_CONNECT, "the address of '%s' is not known", host);
	if (v6)
		known++, len -= 2;
	if (len >= 64)
		return err_set(err, ERR_TOOLONG, "address of '%s'", host);
	str_clip(dst, len + 1, known);
	return 0;
}

static void console_begin(struct console *c)
{
	struct bouncers *p = c->owner;
	char addr[64], port[8];
	struct pgconn_param params[] = {
		{ "host", c->where.host },	  { "hostaddr", addr },
		{ "port", port },		  { "dbname", DATABASE },
		{ "user", p->username },	  { "password", p->password },
		{ "sslmode", p->sslmode },	  { "application_name", "pghad" },
	};
	struct err err = { 0 };
	int r = address(p, c->where.host, addr, &err);

	c->step = 0;
	c->busy = true;
	(void)str_printf(port, sizeof(port), "%u", c->where.port);
	if (r == 0)
		r = pgconn_new(p->loop, &c->conn, &err);
	if (r < 0) {
		console_ends(c, &err);
		return;
	}
	pgconn_open(c->conn, params, ARRAY_LEN(params), loop_now_ms() + p->req.timeout_ms, on_open,
		    c);
}

static void begin_all(struct bouncers *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		console_begin(&p->consoles[i]);
	loop_defer(p->soon);
}

/* ---- pointing them at a new primary ---- */

static void on_command_end(void *ctx, const struct child_end *end)
{
	struct bouncers *p = ctx;
	struct err err = { 0 };

	/* The clients go on all the same: where they come to is better than waiting for ever. */
	if (!child_ok(end) || end->stopped) {
		(void)child_failed(end, "pgbouncer.command", &err);
		log_error("the PgBouncers may not know the new primary: %s", err.msg);
	}
	child_free(TAKE(p->child));
	begin_all(p);
}

static int command_begin(struct bouncers *p, struct err *err)
{
	_cleanup_(words_done) struct words argv = { 0 };
	struct child_spec spec = { .name = "pgbouncer.command", .grace_ms = GRACE_MS,
				   .term_at_ms = loop_now_ms() + COMMAND_MS };

	for (size_t i = 0; i < p->command.n; i++)
		words_add(&argv, "%s", p->command.items[i]);
	words_add(&argv, "%s", p->host);
	words_add(&argv, "%u", p->port);
	spec.argv = (const char *const *)argv.items;
	return child_spawn(p->loop, &spec, on_command_end, p, &p->child, err);
}

/* ---- outside ---- */

int bouncers_new(struct loop *loop, struct resolve *resolve, bouncers_fn done, void *ctx,
		struct bouncers **ret, struct err *err)
{
	struct bouncers *p = mem_new(1, sizeof(*p));
	int r;

	p->loop = loop;
	p->resolve = resolve;
	p->done = done;
	p->ctx = ctx;
	r = loop_defer_new(loop, "bouncers", on_soon, p, &p->soon, err);
	if (r < 0) {
		bouncers_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void bouncers_free(struct bouncers *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < p->n; i++)
		pgconn_free(p->consoles[i].conn);
	child_free(p->child);
	loop_source_free(p->soon);
	words_done(&p->command);
	free(p->username);
	free(p->password);
	free(p->sslmode);
	free(p);
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = str_dup(with);
}

/* What is under way with the old consoles has failed then. */
void bouncers_configure(struct bouncers *p, const struct config *config)
{
	const struct config_poolers *c = &config->poolers;

	replace(&p->username, c->username);
	replace(&p->password, c->password);
	replace(&p->sslmode, c->sslmode);
	words_done(&p->command);
	p->command = (struct words){ 0 };
	for (size_t i = 0; i < c->command.n; i++)
		words_add(&p->command, "%s", c->command.items[i]);
	str_clip(p->host, sizeof(p->host), config->pg.connect_host);
	p->port = config->pg.connect_port;
	for (uint32_t i = 0; i < p->n; i++)
		pgconn_free(TAKE(p->consoles[i].conn));
	for (uint32_t i = 0; i < c->n; i++) {
		p->consoles[i] = (struct console){ .owner = p, .where = c->consoles[i] };
		(void)resolve_known(p->resolve, c->consoles[i].host);
	}
	p->n = c->n;
	if (p->ticket != 0 && p->child == NULL) {
		(void)err_set(&p->first, ERR_CANCELED, "the configuration changed");
		loop_defer(p->soon);
	}
}

void bouncers_run(struct bouncers *p, uint64_t ticket, const struct pooler_req *req)
{
	static const struct plan pause = { .steps = { POOLER_PAUSE }, .n = 1 };
	static const struct plan resume = { .steps = { POOLER_RESUME }, .n = 1 };
	static const struct plan moved = { .steps = { POOLER_RELOAD, POOLER_RECONNECT,
						      POOLER_RESUME }, .n = 3 };
	struct err err = { 0 };

	assert(p->ticket == 0);
	p->ticket = ticket;
	p->req = *req;
	p->first = (struct err){ 0 };
	p->plan = req->pause ? pause : req->moved ? moved : resume;
	if (!req->moved || p->command.n == 0) {
		begin_all(p);
		return;
	}
	if (command_begin(p, &err) < 0) {
		log_error("the PgBouncers may not know the new primary: %s", err.msg);
		begin_all(p);
	}
}
