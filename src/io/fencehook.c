/* SPDX-License-Identifier: PostgreSQL */
/*
 * fencehook - runs fence.command, the operator's way of fencing an old leader
 */
#include "io/fencehook.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "io/child.h"
#include "io/words.h"

#define GRACE_MS    1000 /* between SIGTERM and SIGKILL */
#define GIVE_UP_MS  2000 /* after the deadline: a process that no signal ends is let go */
#define LINES_MAX   20   /* of its output, in the log */
#define LINE_BYTES  200
#define ANSWERS_MAX 8

struct answer {
	uint64_t ticket;
	struct err err;
};

struct fencehook {
	struct loop *loop;
	fencehook_fn done;
	void *ctx;
	struct loop_source *give_up;
	struct loop_source *soon;
	struct words command;
	char scope[NAME_SIZE];
	char name[NAME_SIZE];
	struct child *child;
	uint64_t ticket;
	uint32_t nanswers; /* given from the loop, soon */
	struct answer answers[ANSWERS_MAX];
};

static void answer_soon(struct fencehook *hook, uint64_t ticket, const struct err *err)
{
	if (hook->nanswers == ANSWERS_MAX) {
		log_error("fence.command: an answer is lost, too many wait");
		return;
	}
	hook->answers[hook->nanswers++] = (struct answer){ .ticket = ticket, .err = *err };
	loop_defer(hook->soon);
}

static void on_soon(void *ctx)
{
	struct fencehook *hook = ctx;
	struct answer answers[ANSWERS_MAX];
	uint32_t n = hook->nanswers;

	memcpy(answers, hook->answers, n * sizeof(answers[0]));
	hook->nanswers = 0;
	for (uint32_t i = 0; i < n; i++)
		hook->done(hook->ctx, answers[i].ticket, -(int)answers[i].err.code,
			   &answers[i].err);
}

static void on_give_up(void *ctx)
{
	struct fencehook *hook = ctx;
	uint64_t ticket = hook->ticket;
	struct err err = { 0 };

	if (hook->child == NULL)
		return;
	child_free(TAKE(hook->child));
	hook->done(hook->ctx, ticket,
		   err_set(&err, ERR_TIMEOUT, "fence.command cannot be ended: it does not react to "
					      "SIGKILL"),
		   &err);
}

int fencehook_new(struct loop *loop, fencehook_fn done, void *ctx, struct fencehook **ret,
		  struct err *err)
{
	struct fencehook *hook = mem_new(1, sizeof(*hook));
	int r;

	hook->loop = loop;
	hook->done = done;
	hook->ctx = ctx;
	r = loop_timer_new(loop, "fence.command", on_give_up, hook, &hook->give_up, err);
	if (r == 0)
		r = loop_defer_new(loop, "fence.command", on_soon, hook, &hook->soon, err);
	if (r < 0) {
		fencehook_free(hook);
		return r;
	}
	*ret = hook;
	return 0;
}

void fencehook_free(struct fencehook *hook)
{
	if (hook == NULL)
		return;
	child_free(hook->child);
	loop_source_free(hook->give_up);
	loop_source_free(hook->soon);
	words_done(&hook->command);
	free(hook);
}

void fencehook_configure(struct fencehook *hook, const struct config *config)
{
	const struct strings *command = &config->fence.command;
	const char *program = command->n > 0 ? command->items[0] : "";

	words_done(&hook->command);
	hook->command = (struct words){ 0 };
	for (size_t i = 0; i < command->n; i++)
		words_add(&hook->command, "%s", command->items[i]);
	str_clip(hook->scope, sizeof(hook->scope), config->scope);
	str_clip(hook->name, sizeof(hook->name), config->name);
	if (strchr(program, '/') != NULL && access(program, X_OK) < 0)
		log_error("fence.command: '%s' cannot be run: %m. Without it this member %s",
			  program,
			  config->fence.command_failure == FENCE_FAILURE_REFUSE
				  ? "takes over from nobody who did not give the key back"
				  : "is promoted without fencing the old leader");
}

/* -- what it says ------------------------------------------------------------------------- */

static void log_output(const struct child_end *end)
{
	size_t at = end->len;
	int lines = 0;

	while (at > 0 && strchr(" \t\r\n", end->output[at - 1]) != NULL)
		at--;
	if (at == 0)
		return;
	/* Back to the first of the last lines. */
	for (size_t i = at; i > 0 && lines < LINES_MAX; i--, at = i) {
		if (end->output[i - 1] == '\n')
			lines++;
	}
	while (at < end->len) {
		size_t len = strcspn(end->output + at, "\r\n");
		struct buf line = { 0 };

		for (size_t i = 0; i < MIN_OF(len, (size_t)LINE_BYTES); i++) {
			char c = end->output[at + i];

			buf_ch(&line, (unsigned char)c < ' ' ? ' ' : c);
		}
		if (line.len > 0)
			log_info("fence.command says: %.*s%s", (int)line.len, line.data,
				 len > LINE_BYTES ? "..." : "");
		buf_done(&line);
		at += len + 1;
	}
}

static void on_end(void *ctx, const struct child_end *end)
{
	struct fencehook *hook = ctx;
	uint64_t ticket = hook->ticket;
	struct err err = { 0 };
	int r = 0;

	loop_timer_off(hook->give_up);
	log_output(end);
	if (!child_ok(end) || end->stopped)
		r = child_failed(end, "fence.command", &err);
	child_free(TAKE(hook->child));
	hook->done(hook->ctx, ticket, r, r < 0 ? &err : NULL);
}

/* -- running ------------------------------------------------------------------------------ */

/* As a member key names it. */
static char *conn_url(const struct victim *v)
{
	bool v6 = strchr(v->host, ':') != NULL;

	if (v->host[0] == '\0')
		return str_dup("");
	return str_dupf("postgres://%s%s%s:%u/postgres", v6 ? "[" : "", v->host, v6 ? "]" : "",
			v->port);
}

static void add_env(struct words *env, const struct fencehook *hook, const struct fence_req *req)
{
	_cleanup_(freep) char *conn = conn_url(&req->victim);

	words_add(env, "PGHA_SCOPE=%s", hook->scope);
	words_add(env, "PGHA_NAME=%s", hook->name);
	words_add(env, "PGHA_VICTIM=%s", req->victim.name);
	words_add(env, "PGHA_VICTIM_CONN_URL=%s", conn);
	words_add(env, "PGHA_VICTIM_API_URL=%s", req->victim.api_url);
	words_add(env, "PGHA_VICTIM_EPOCH=%" PRId64, req->victim.epoch);
	words_add(env, "PGHA_EPOCH=%" PRId64, req->epoch);
	words_add(env, "PGHA_REASON=%s", req->reason);
	words_add(env, "PGHA_TIMEOUT=%" PRId64, req->timeout_ms / 1000);
}

static int spawn(struct fencehook *hook, const struct fence_req *req, struct err *err)
{
	_cleanup_(words_done) struct words argv = { 0 };
	_cleanup_(words_done) struct words env = { 0 };
	int64_t until_ms = loop_now_ms() + req->timeout_ms;
	struct child_spec spec = { .name = "fence.command", .term_at_ms = until_ms,
				   .grace_ms = GRACE_MS };
	int r;

	if (hook->command.n == 0)
		return err_set(err, ERR_CONFIG, "fence.command is not configured any more");
	for (size_t i = 0; i < hook->command.n; i++)
		words_add(&argv, "%s", hook->command.items[i]);
	words_add(&argv, "%s", req->victim.name);
	add_env(&env, hook, req);
	spec.argv = (const char *const *)argv.items;
	spec.env = (const char *const *)env.items;
	r = child_spawn(hook->loop, &spec, on_end, hook, &hook->child, err);
	if (r == 0)
		loop_timer_at(hook->give_up, until_ms + GIVE_UP_MS);
	return r;
}

void fencehook_run(struct fencehook *hook, uint64_t ticket, const struct fence_req *req)
{
	struct err err = { 0 };

	fencehook_end(hook);
	hook->ticket = ticket;
	if (spawn(hook, req, &err) < 0)
		answer_soon(hook, ticket, &err);
}

void fencehook_end(struct fencehook *hook)
{
	struct err err = { 0 };

	loop_timer_off(hook->give_up);
	if (hook->child == NULL)
		return;
	child_free(TAKE(hook->child));
	(void)err_set(&err, ERR_CANCELED, "fence.command was ended");
	answer_soon(hook, hook->ticket, &err);
}
