/* SPDX-License-Identifier: PostgreSQL */
/*
 * anew - the same process goes on with the program that is installed now
 */
#include "io/anew.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/program.h"
#include "base/str.h"
#include "io/child.h"

#define CHECK_MS 10000
#define LOOK_MS  50 /* between two looks whether something is still under way */

struct anew {
	struct loop *loop;
	char **argv;
	const char **env;      /* as it was at the start: what is for us alone is removed from it */
	const char **patroni;  /* the part of it that no child inherits by itself */
	const char *config_path;
	char program[PATH_MAX];
	struct anew_world world;
	struct child *check;
	struct loop_source *timer;
	const char *said; /* what it waits for, as logged */
};

static void copy_environment(struct anew *anew)
{
	size_t n = 0, kept = 0;

	while (environ != NULL && environ[n] != NULL)
		n++;
	anew->env = mem_new(n + 1, sizeof(*anew->env));
	anew->patroni = mem_new(n + 1, sizeof(*anew->patroni));
	for (size_t i = 0; i < n; i++) {
		anew->env[i] = environ[i];
		if (str_starts(environ[i], "PATRONI_"))
			anew->patroni[kept++] = environ[i];
	}
}

/* All of this could be taken up again, as after a crash, at a price: a copy begins again. */
static const char *busy(const struct anew_world *world)
{
	const struct view *view;

	if (world->agent == NULL || !*world->started)
		return "its own start";
	view = agent_view(world->agent);
	if (view->mode == MODE_SHUTDOWN)
		return "its own end";
	if (view->job != VJOB_IDLE)
		return "an operation on Postgres";
	if (hooks_busy(world->hooks))
		return "a callback";
	/* What is left of the term is all the time that the new program has. */
	if (view->lease.epoch != 0 && view->mode != MODE_PAUSED &&
	    lease_state(&view->lease, loop_now_ms()) != LEASE_HELD)
		return "the lease to be renewed";
	return NULL;
}

/* Nothing is torn down before: when execve() fails, this agent goes on as if nothing had been. */
static void execute(struct anew *anew)
{
	struct err err = { 0 };

	log_notice("executes '%s' in place of pghad " PACKAGE_VERSION, anew->program);
	guardian_anew(anew->world.guardian);
	(void)execve(anew->program, anew->argv, (char *const *)(uintptr_t)anew->env);
	(void)err_set(&err, ERR_IO, "cannot execute '%s'", anew->program);
	log_error("%s: this agent goes on", err.msg);
}

static void on_look(void *ctx)
{
	struct anew *anew = ctx;
	const char *wait = busy(&anew->world);

	if (wait == NULL) {
		anew->said = NULL;
		execute(anew);
		return;
	}
	if (!str_eq(wait, anew->said))
		log_notice("will execute '%s': waits for %s", anew->program, wait);
	anew->said = wait;
	loop_timer_at(anew->timer, loop_now_ms() + LOOK_MS);
}

static void on_checked(void *ctx, const struct child_end *end)
{
	struct anew *anew = ctx;
	struct err err = { 0 };

	if (child_ok(end)) {
		child_free(TAKE(anew->check));
		on_look(anew);
		return;
	}
	(void)child_failed(end, anew->program, &err);
	child_free(TAKE(anew->check));
	log_error("the program that is installed now cannot take over, and this agent goes on: %s",
		  err.msg);
}

void anew_ask(struct anew *anew)
{
	const char *argv[] = { anew->program, "--can-take-over", anew->config_path, NULL };
	struct child_spec spec = { .name = "pghad", .argv = argv, .env = anew->patroni,
				   .term_at_ms = loop_now_ms() + CHECK_MS };
	struct err err = { 0 };
	int r;

	if (anew->check != NULL)
		return;
	r = program_path(anew->argv[0], anew->program, sizeof(anew->program), &err);
	if (r == 0)
		r = child_spawn(anew->loop, &spec, on_checked, anew, &anew->check, &err);
	if (r < 0)
		log_error("no other program can take over: %s", err.msg);
}

int anew_new(struct loop *loop, char **argv, const char *config_path, struct anew **ret,
	     struct err *err)
{
	struct anew *anew = mem_new(1, sizeof(*anew));
	int r;

	anew->loop = loop;
	anew->argv = argv;
	anew->config_path = config_path;
	copy_environment(anew);
	r = loop_timer_new(loop, "new program", on_look, anew, &anew->timer, err);
	if (r < 0) {
		anew_free(anew);
		return r;
	}
	*ret = anew;
	return 0;
}

void anew_watch(struct anew *anew, const struct anew_world *world)
{
	anew->world = *world;
}

void anew_free(struct anew *anew)
{
	if (anew == NULL)
		return;
	child_free(anew->check);
	loop_source_free(anew->timer);
	free(anew->env);
	free(anew->patroni);
	free(anew);
}
