/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_reinit - replicas are built anew from the leader
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/select.h"
#include "io/loop.h"

#define REQUEST_TIMEOUT_MS 30000
#define STATUS_TIMEOUT_MS  5000
#define LOOK_MS            2000
#define LOOK_OFTEN_MS      500   /* at a terminal, for the bar */
#define STANDSTILL_MS      10000 /* of a standby that catches up, then we stop waiting */
#define LOST_MS            60000 /* without an answer, then we stop waiting */

struct reinit {
	bool force;
	bool from_leader;
};

static void make_body(const struct reinit *reinit, bool force, struct buf *ret_json)
{
	buf_printf(ret_json, "{\"force\": %s, \"from_leader\": %s}", force ? "true" : "false",
		   reinit->from_leader ? "true" : "false");
}

/* What a member made of the request. */
enum outcome { STARTED = 0, REFUSED, BUSY, SILENT };

static enum outcome ask_member(struct cli *cli, const struct reinit *reinit,
			       const struct tree_node *member, bool force)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };

	make_body(reinit, force, &body);
	if (cli_request(cli, member, "POST", "reinitialize", body.data, REQUEST_TIMEOUT_MS, &reply,
			&err) < 0) {
		report_add(cli, name, REPORT_SILENT, 0, "Failed: reinitialize for member %s, %s",
			   name, err.msg);
		return SILENT;
	}
	if (reply.code < 400) {
		report_add(cli, name, REPORT_DONE, reply.code,
			   "Success: reinitialize for member %s", name);
		return STARTED;
	}
	report_add(cli, name, REPORT_REFUSED, reply.code,
		   "Failed: reinitialize for member %s, status code=%d, (%s)", name, reply.code,
		   api_text(&reply));
	return str_ends(api_text(&reply), " already in progress") ? BUSY : REFUSED;
}

static int reinit_member(struct cli *cli, const struct reinit *reinit,
			 const struct tree_node *member, enum outcome *ret, struct err *err)
{
	bool yes = false;
	int r;

	*ret = ask_member(cli, reinit, member, reinit->force);
	if (*ret != BUSY || reinit->force)
		return 0;
	r = ask_yes("Do you want to cancel it and reinitialize anyway?", &yes, err);
	if (r >= 0 && yes)
		*ret = ask_member(cli, reinit, member, true);
	return r;
}

static bool shows_progress(const struct cli *cli)
{
	return !cli->json && screen_is_terminal(cli->setup_args.env);
}

/* What is told of all who are waited for: one line that is written over and over. A program that
 * reads along gets none of it. */
static void add_progress(const struct cli *cli, const struct tree_node *member,
			 const struct tree_node *job, struct buf *line)
{
	_cleanup_(buf_done) struct buf bar = { 0 };

	if (!shows_progress(cli) || job == NULL)
		return;
	progress_job(&bar, screen_has_unicode(cli->setup_args.env), job);
	if (bar.len > 0)
		buf_printf(line, "%s%s: %s", line->len > 0 ? "   " : "", node_str(member, "name"),
			   bar.data);
}

static void show_progress(const struct cli *cli, const struct buf *line)
{
	if (!shows_progress(cli))
		return;
	printf("\r\033[K%.*s", (int)screen_fitting(line->data, line->len, screen_columns() - 1),
	       line->data);
	(void)fflush(stdout);
}

static void clear_progress(const struct cli *cli)
{
	if (shows_progress(cli))
		printf("\r\033[K");
}

/* How one who is waited for is doing. */
enum wait_state { COPIES = 0, COPIED, LOST };

static enum wait_state look_at(struct cli *cli, const struct tree_node *member, int64_t *lost_ms,
			       struct buf *line)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(tree_done) struct tree status = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };

	if (cli_request(cli, member, "GET", "patroni", NULL, STATUS_TIMEOUT_MS, &reply, &err) < 0 ||
	    tree_from_json(api_text(&reply), reply.body.len, &status, &err) < 0) {
		if (*lost_ms == 0)
			*lost_ms = loop_now_ms();
		if (loop_now_ms() < *lost_ms + LOST_MS)
			return COPIES;
		clear_progress(cli);
		report_add(cli, name, REPORT_SILENT, 0,
			   "Failed: member %s does not answer any more: %s", name, err.msg);
		return LOST;
	}
	*lost_ms = 0;
	if (str_eq(node_str(status.root, "state"), "creating replica")) {
		add_progress(cli, member, tree_child(tree_child(status.root, "pgha"), "job"), line);
		return COPIES;
	}
	clear_progress(cli);
	report_add(cli, name, REPORT_DONE, 0, "Reinitialize is completed on: %s", name);
	return COPIED;
}

static void print_waiting(struct cli *cli, const struct selection *waiting)
{
	_cleanup_(buf_done) struct buf names = { 0 };

	select_names(waiting, &names);
	report_line(cli, "Waiting for reinitialize to complete on: %s", names.data);
}

/* One look at each. Returns how many still copy, moved to the front; *ret_copied: those that have
 * finished are added. */
static size_t look_at_all(struct cli *cli, struct selection *waiting, int64_t *lost_ms,
			  struct selection *ret_copied, bool *ret_lost)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	size_t left = 0;

	for (size_t i = 0; i < waiting->n; i++) {
		const enum wait_state state =
			look_at(cli, waiting->members[i], &lost_ms[i], &line);

		if (state == COPIED)
			ret_copied->members[ret_copied->n++] = waiting->members[i];
		*ret_lost = *ret_lost || state == LOST;
		if (state != COPIES)
			continue;
		lost_ms[left] = lost_ms[i];
		waiting->members[left++] = waiting->members[i];
	}
	if (line.len > 0)
		show_progress(cli, &line);
	return left;
}

/* One look at the standby; true when it has caught up. */
static bool has_caught_up(struct cli *cli, const char *cluster, const char *name,
			  struct catchup *catchup)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf line = { 0 };
	const struct tree_node *member;
	struct err err = { 0 };
	int64_t lag = -1;

	if (cli_picture(cli, cluster, &picture, &err) < 0)
		return false;
	member = picture_member(&picture, name);
	if (!node_int(member, "replay_lag", &lag))
		lag = -1;
	progress_note(catchup, lag, loop_now_ms() * 1000);
	if (progress_catches_up(catchup)) {
		buf_printf(&line, "%s catches up: ", name);
		progress_catchup(&line, screen_has_unicode(cli->setup_args.env), catchup);
		show_progress(cli, &line);
	}
	return lag >= 0 && !progress_catches_up(catchup) &&
	       !str_eq(node_str(member, "state"), "starting");
}

/* For people: the copy is there, what the leader wrote meanwhile is not. Nothing depends on it, so
 * it ends when nothing moves, and may be left at any time. */
static void show_catchup(struct cli *cli, const char *cluster, const char *name)
{
	struct catchup catchup = { 0 };
	int64_t moved_ms = loop_now_ms(), least = INT64_MAX;
	const bool quiet = cli->quiet;
	bool over = false;

	cli->quiet = true;
	while (!over && loop_now_ms() < moved_ms + STANDSTILL_MS) {
		over = has_caught_up(cli, cluster, name, &catchup);
		if (progress_catches_up(&catchup) && catchup.left_bytes < least) {
			least = catchup.left_bytes;
			moved_ms = loop_now_ms();
		}
		if (!over)
			cli_wait(cli, LOOK_OFTEN_MS);
	}
	cli->quiet = quiet;
	clear_progress(cli);
	if (over)
		printf("Caught up: %s\n", name);
	else
		printf("%s has not caught up yet; hactl watch shows how it goes on\n", name);
}

/* 1: one of them was lost sight of. */
static int wait_for(struct cli *cli, const char *cluster, struct selection *waiting)
{
	_cleanup_(freep) int64_t *lost_ms = mem_new(waiting->n + 1, sizeof(*lost_ms));
	_cleanup_(selection_done) struct selection copied = { 0 };
	size_t shown = 0;
	int64_t look_ms = LOOK_MS;
	bool lost = false;

	copied.members = mem_new(waiting->n + 1, sizeof(struct tree_node *));
	while (waiting->n > 0) {
		if (waiting->n != shown)
			print_waiting(cli, waiting);
		shown = waiting->n;
		cli_wait(cli, look_ms);
		/* The first look comes late enough for the copy to have begun. */
		if (shows_progress(cli))
			look_ms = LOOK_OFTEN_MS;
		waiting->n = look_at_all(cli, waiting, lost_ms, &copied, &lost);
	}
	for (size_t i = 0; shows_progress(cli) && i < copied.n; i++)
		show_catchup(cli, cluster, node_str(copied.members[i], "name"));
	return lost;
}

/* 1: somebody did not answer. The selection keeps those that began. */
static int reinit_all(struct cli *cli, const struct reinit *reinit, struct selection *selection,
		      struct err *err)
{
	size_t started = 0;
	int silent = 0;

	for (size_t i = 0; i < selection->n; i++) {
		enum outcome outcome;
		int r;

		r = reinit_member(cli, reinit, selection->members[i], &outcome, err);
		if (r < 0)
			return r;
		if (outcome == STARTED)
			selection->members[started++] = selection->members[i];
		silent |= outcome == SILENT;
	}
	selection->n = started;
	return silent;
}

static int dry_all(struct cli *cli, const struct reinit *reinit, const struct picture *picture,
		   const struct selection *selection)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	make_body(reinit, reinit->force, &body);
	if (selection->n == 0)
		report_add(cli, NULL, REPORT_NOTHING, 0,
			   "No member is named: without --force it would be asked which is meant");
	if (*picture->leader == '\0')
		report_add(cli, NULL, REPORT_WOULD_NOT, 0,
			   "Would be refused: the cluster has no leader to copy from");
	for (size_t i = 0; i < selection->n; i++) {
		const struct tree_node *m = selection->members[i];
		const char *name = node_str(m, "name");
		const bool copies = str_eq(node_str(m, "state"), "creating replica");

		report_request(cli, m, "POST", "reinitialize", body.data);
		if (copies && !reinit->force)
			report_add(
				cli, name, REPORT_WOULD_NOT, 0,
				"Would be refused: member %s makes a copy already; --force begins "
				"it anew",
				name);
		report_add(
			cli, name, REPORT_WOULD, 0,
			"Member %s stops, copies everything from %s, and starts; its present data "
			"goes when the copy is whole",
			name, reinit->from_leader ? picture->leader : "a member fit for it");
	}
	return report_dry_end(cli);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	const struct reinit reinit = {
		.force = args_has(args, "--force"),
		.from_leader = args_has(args, "--from-leader"),
	};
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(selection_done) struct selection selection = { 0 };
	const struct select_want want = {
		.picture = &picture,
		.names = args->words + 1,
		.nnames = args->nwords - 1,
		.role = "replica",
		.action = "reinitialize",
		.force = reinit.force || cli->dry,
		.ask_names = true,
	};
	int r;

	r = report_check(cli, args, err);
	if (r >= 0)
		r = cli_picture(cli, args->words[0], &picture, err);
	if (r < 0)
		return r;
	report_show(cli, &picture);
	r = select_members(&want, &selection, err);
	if (r >= 0 && cli->dry)
		return dry_all(cli, &reinit, &picture, &selection);
	if (r >= 0 && selection.n == 0)
		report_add(cli, NULL, REPORT_NOTHING, 0,
			   "No member is named, and with --force nobody is asked which is meant");
	if (r >= 0 && !reinit.force)
		r = select_confirm(&selection, want.action, NULL, err);
	if (r >= 0)
		r = reinit_all(cli, &reinit, &selection, err);
	if (r >= 0 && args_has(args, "--wait"))
		r = wait_for(cli, picture.name, &selection) | r;
	return r;
}

static const struct args_option options[] = {
	{ .name = "--from-leader", .help = "Copy from the leader, not from another replica." },
	{ .name = "--wait", .help = "Wait until the copy is complete." },
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_reinit = {
	.name = "reinit",
	.words = "CLUSTER [MEMBER]...",
	.takes = { CMD_CLUSTER, CMD_MEMBERS },
	.words_min = 1,
	.words_max = ARGS_MAX,
	.help = "Build replicas anew with a base backup.",
	.more = "  With --force nothing is asked, also not which members: without names it then\n"
		"  does nothing. What runs on the member is cancelled.\n",
	.options = options,
	.run = run,
};
