/* SPDX-License-Identifier: PostgreSQL */
/*
 * hooks - the operator's callbacks
 */
#include "io/hooks.h"

#include <stdlib.h>

#include "base/log.h"
#include "io/child.h"
#include "io/words.h"

#define LOOK_MS 20

enum hook_place { PLACE_USUAL = 0, PLACE_RELOAD, PLACE__MAX };

struct running {
	struct child *child;
	char action[16];
};

struct hooks {
	struct loop *loop;
	int64_t max_ms;
	char scope[NAME_SIZE];
	char *commands[CB__MAX];
	struct running running[PLACE__MAX];
	struct loop_source *timer; /* hooks_finish() was called */
	int64_t last_ms;
	loop_fn over;
	void *over_ctx;
};

static const char *const actions[CB__MAX] = {
	[CB_START] = "on_start",
	[CB_STOP] = "on_stop",
	[CB_RESTART] = "on_restart",
	[CB_RELOAD] = "on_reload",
	[CB_ROLE_CHANGE] = "on_role_change",
};

static const char *role_text(enum member_role role)
{
	static const char *const texts[MROLE__MAX] = {
#define X(n, t) [MROLE_##n] = t,
		MEMBER_ROLES(X)
#undef X
	};

	/* Scripts know two roles of a running server; a promotion counts as done for them. */
	return texts[role == MROLE_PROMOTED ? MROLE_PRIMARY : role];
}

struct hooks *hooks_new(struct loop *loop, int64_t max_ms)
{
	struct hooks *hooks = mem_new(1, sizeof(*hooks));

	hooks->loop = loop;
	hooks->max_ms = max_ms;
	return hooks;
}

static void forget_commands(struct hooks *hooks)
{
	for (int i = 0; i < CB__MAX; i++) {
		free(hooks->commands[i]);
		hooks->commands[i] = NULL;
	}
}

void hooks_free(struct hooks *hooks)
{
	if (hooks == NULL)
		return;
	for (int i = 0; i < PLACE__MAX; i++)
		child_free(hooks->running[i].child);
	forget_commands(hooks);
	loop_source_free(hooks->timer);
	free(hooks);
}

void hooks_configure(struct hooks *hooks, const struct config *config)
{
	forget_commands(hooks);
	str_clip(hooks->scope, sizeof(hooks->scope), config->scope);
	hooks->commands[CB_START] = str_dup(config->pg.callback_on_start);
	hooks->commands[CB_STOP] = str_dup(config->pg.callback_on_stop);
	hooks->commands[CB_RESTART] = str_dup(config->pg.callback_on_restart);
	hooks->commands[CB_RELOAD] = str_dup(config->pg.callback_on_reload);
	hooks->commands[CB_ROLE_CHANGE] = str_dup(config->pg.callback_on_role_change);
}

static void on_end(void *ctx, const struct child_end *end)
{
	struct running *r = ctx;
	struct err err = { 0 };

	if (!child_ok(end)) {
		(void)child_failed(end, r->action, &err);
		log_warning("callback %s", err.msg);
	}
	child_free(TAKE(r->child));
}

void hooks_run(struct hooks *hooks, enum callback what, enum member_role role)
{
	struct running *r = &hooks->running[what == CB_RELOAD ? PLACE_RELOAD : PLACE_USUAL];
	struct words words = { 0 };
	struct child_spec spec = { .name = actions[what] };
	struct err err = { 0 };

	if (hooks->commands[what] == NULL)
		return;
	child_free(TAKE(r->child));
	str_clip(r->action, sizeof(r->action), actions[what]);
	if (words_split(&words, hooks->commands[what], &err) == 0 && words_room(&words, 3)) {
		words_add(&words, "%s", actions[what]);
		words_add(&words, "%s", role_text(role));
		words_add(&words, "%s", hooks->scope);
		spec.argv = (const char *const *)words.items;
		spec.term_at_ms = loop_now_ms() + hooks->max_ms;
		if (child_spawn(hooks->loop, &spec, on_end, r, &r->child, &err) < 0)
			log_warning("callback %s is not run: %s", actions[what], err.msg);
	} else {
		log_warning("callback %s is not run: %s", actions[what],
			    err.msg[0] != '\0' ? err.msg : "the command is too long");
	}
	words_done(&words);
}

bool hooks_busy(const struct hooks *hooks)
{
	for (int i = 0; i < PLACE__MAX; i++)
		if (hooks->running[i].child != NULL)
			return true;
	return false;
}

static void on_look(void *ctx)
{
	struct hooks *hooks = ctx;

	if (hooks_busy(hooks) && loop_now_ms() < hooks->last_ms)
		loop_timer_at(hooks->timer, loop_now_ms() + LOOK_MS);
	else
		hooks->over(hooks->over_ctx);
}

void hooks_finish(struct hooks *hooks, loop_fn over, void *ctx)
{
	hooks->over = over;
	hooks->over_ctx = ctx;
	hooks->last_ms = loop_now_ms() + HOOKS_LAST_MS;
	if (loop_timer_new(hooks->loop, "callbacks", on_look, hooks, &hooks->timer, NULL) < 0)
		over(ctx);
	else
		loop_timer_at(hooks->timer, loop_now_ms());
}
