/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_watch - a cluster as it lives: a full screen that is kept up to date
 *
 * Signals come through the loop, so the terminal is given back before anything ends.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parse.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/screen.h"
#include "cli/watchview.h"
#include "io/loop.h"
#include "wire/treedump.h"

#define EVERY_MS       1000
#define EVERY_LEAST_MS 100
#define PATIENCE_MS    2000
#define SIGNAL_EXIT    128
#define KEYS           16

struct watch {
	struct cli *cli;
	const char *cluster;
	struct screen screen;
	struct watchview *view;
	struct picture picture; /* of the newest look */
	struct tree statuses[WATCHVIEW_MAX];
	struct err errs[WATCHVIEW_MAX];
	struct watchview_look look;
	struct err failure;
	bool ended;
	bool woken; /* something wants the screen drawn again */
	int code;
};

static void end(struct watch *watch, int code)
{
	/* At once: what still waits for an answer ends a moment later. */
	screen_give_back(&watch->screen);
	watch->ended = true;
	watch->code = code;
}

static void on_end(void *ctx, int signo)
{
	/* To end it with ctrl-C is how it is meant to be ended. */
	end(ctx, signo == SIGINT ? 0 : SIGNAL_EXIT + signo);
}

static void on_resize(void *ctx, int signo _unused_)
{
	struct watch *watch = ctx;

	screen_resized(&watch->screen);
	watch->woken = true;
}

static void on_key(void *ctx, int fd, uint32_t ready _unused_)
{
	struct watch *watch = ctx;
	char keys[KEYS];
	const ssize_t n = read(fd, keys, sizeof(keys));

	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q')
			end(watch, 0);
}

static void forget(struct watch *watch)
{
	for (size_t i = 0; i < WATCHVIEW_MAX; i++)
		tree_done(&watch->statuses[i]);
	picture_done(&watch->picture);
}

static void look(struct watch *watch)
{
	const int64_t began_ms = loop_now_ms();
	int r;

	forget(watch);
	watch->failure = (struct err){ 0 };
	r = cli_picture(watch->cli, watch->cluster, &watch->picture, &watch->failure);
	watch->look = (struct watchview_look){ .picture = r >= 0 ? &watch->picture : NULL,
					       .statuses = watch->statuses,
					       .failure = watch->failure.msg,
					       .took_ms = loop_now_ms() - began_ms };
	if (r >= 0 && !watch->ended)
		watch->look.n = cli_gather(watch->cli, &watch->picture, WATCHVIEW_MAX, PATIENCE_MS,
					   watch->statuses, watch->errs);
	watch->look.at_us = loop_wall_us();
}

static void print_json(const struct watch *watch)
{
	_cleanup_(tree_done) struct tree doc = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree_node *root = node_add(&doc, NULL, NULL, TREE_MAP);
	struct tree_node *list;
	const struct tree_node *m;
	size_t i = 0;

	if (watch->look.picture == NULL) {
		node_add_text(&doc, root, "error", watch->failure.msg);
	} else {
		node_add_text(&doc, root, "leader", watch->picture.leader);
		list = node_add(&doc, root, "members", TREE_LIST);
		for (m = picture_members(&watch->picture); m != NULL && i < watch->look.n;
		     m = m->next, i++) {
			struct tree_node *map = node_add(&doc, list, NULL, TREE_MAP);

			node_add_copy(&doc, map, "member", m);
			if (watch->statuses[i].root != NULL)
				node_add_copy(&doc, map, "status", watch->statuses[i].root);
			else
				node_add_text(&doc, map, "error", watch->errs[i].msg);
		}
	}
	treedump_json(doc.root, &text);
	printf("%s\n", text.data);
	(void)fflush(stdout);
}

static void show(struct watch *watch)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (watch->cli->json) {
		print_json(watch);
		return;
	}
	watchview_print(watch->view, &watch->look, watch->screen.taken ? watch->screen.rows : 0,
			&text);
	if (watch->screen.taken) {
		screen_draw(&watch->screen, text.data);
		return;
	}
	printf("%s\n", text.data);
	(void)fflush(stdout);
}

static void wait_for(struct watch *watch, int64_t every_ms)
{
	const int64_t until_ms = loop_now_ms() + every_ms;

	while (!watch->ended && loop_now_ms() < until_ms) {
		(void)loop_step(watch->cli->loop, MAX_OF(until_ms - loop_now_ms(), INT64_C(0)));
		if (watch->woken && !watch->ended)
			show(watch);
		watch->woken = false;
	}
}

struct sources {
	struct loop_source *signals[4];
	struct loop_source *keys;
};

static void sources_done(struct sources *sources)
{
	for (size_t i = 0; i < ARRAY_LEN(sources->signals); i++)
		loop_source_free(sources->signals[i]);
	loop_source_free(sources->keys);
}

static int listen_to(struct watch *watch, struct sources *ret, struct err *err)
{
	static const struct {
		const char *name;
		int signo;
	} wanted[] = { { "SIGINT", SIGINT }, { "SIGTERM", SIGTERM }, { "SIGHUP", SIGHUP } };
	struct loop *loop = watch->cli->loop;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(wanted); i++)
		r = loop_signal_new(loop, wanted[i].name, wanted[i].signo, on_end, watch,
				    &ret->signals[i], err);
	if (r >= 0)
		r = loop_signal_new(loop, "SIGWINCH", SIGWINCH, on_resize, watch, &ret->signals[3],
				    err);
	if (r >= 0 && watch->screen.has_keys)
		r = loop_fd_new(loop, "keys", STDIN_FILENO, LOOP_READ, on_key, watch, &ret->keys,
				err);
	return r;
}

static int read_number(const struct args *args, const char *name, int64_t *ret, struct err *err)
{
	const char *text = args_value(args, name);

	if (text != NULL && parse_int(text, 1, INT32_MAX, ret, err) < 0)
		return err_wrap(err, "%s", name);
	return 0;
}

static int go_on(struct watch *watch, const struct args *args, struct err *err)
{
	_cleanup_(sources_done) struct sources sources = { 0 };
	const char *every = args_value(args, "--interval");
	int64_t every_ms = EVERY_MS, count = 0;
	int r = read_number(args, "--count", &count, err);

	if (r >= 0 && every != NULL && parse_duration_ms(every, "s", &every_ms, err) < 0)
		r = err_wrap(err, "--interval");
	if (r < 0)
		return r;
	every_ms = MAX_OF(every_ms, EVERY_LEAST_MS);
	if (screen_is_terminal(watch->cli->setup_args.env) && !args_has(args, "--no-tty") &&
	    !watch->cli->json)
		screen_take(&watch->screen);
	r = listen_to(watch, &sources, err);
	for (int64_t i = 0; r >= 0 && !watch->ended && (count == 0 || i < count); i++) {
		look(watch);
		watchview_take(watch->view, &watch->look);
		if (watch->ended)
			break;
		show(watch);
		if (count == 0 || i + 1 < count)
			wait_for(watch, every_ms);
	}
	screen_give_back(&watch->screen);
	return r < 0 ? r : watch->code;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(freep) struct watch *watch = mem_new(1, sizeof(*watch));
	const char *const *env = cli->setup_args.env;
	int r;

	watch->cli = cli;
	r = cli_cluster(cli, args, &watch->cluster, err);
	if (r < 0)
		return r;
	cli->patience_ms = PATIENCE_MS;
	cli->quiet = true;
	watch->view = mem_new(1, sizeof(*watch->view));
	watch->view->colour = screen_has_colour(env) && !args_has(args, "--no-tty");
	watch->view->unicode = screen_is_terminal(env) && screen_has_unicode(env);
	r = go_on(watch, args, err);
	forget(watch);
	free(watch->view);
	return r;
}

static const struct args_option options[] = {
	{ .name = "--interval", .also = "-n", .value = "SECONDS",
	  .help = "Time between two looks; 1." },
	{ .name = "--no-tty", .help = "Print each look below the one before, without colours." },
	{ .name = "--count", .value = "N", .help = "End after so many looks." },
	CMD_END,
};

const struct cli_command cmd_watch = {
	.name = "watch",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Show a cluster as it lives, until q or ctrl-C.",
	.more = "  Members, leases, lags, what they work on, and what changed. Where the output\n"
		"  is no terminal, or with --no-tty, each look is printed below the one before;\n"
		"  with --json each is one line.\n",
	.options = options,
	.run = run,
};
