/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_reinit - replicas are built anew from the leader
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/select.h"

#define REQUEST_TIMEOUT_MS 30000
#define STATUS_TIMEOUT_MS  5000
#define LOOK_MS            2000
#define MIB                (1024 * 1024)
#define LOST_LOOKS_MAX     30 /* looks in a row without an answer, then we stop waiting */

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

/* One line that is written over and over; a program that reads along gets none of it. */
static void print_progress(struct cli *cli, const struct tree_node *member,
			   const struct tree_node *job)
{
	int64_t done = 0, total = 0;

	if (!shows_progress(cli) || !node_int(job, "done_bytes", &done) ||
	    !node_int(job, "total_bytes", &total) || total <= 0)
		return;
	printf("\r\033[K%s: %lld of %lld MB, %lld %%", node_str(member, "name"),
	       (long long)(done / MIB), (long long)(total / MIB),
	       (long long)(MIN_OF(done, total) * 100 / total));
	(void)fflush(stdout);
}

static void clear_progress(const struct cli *cli)
{
	if (shows_progress(cli))
		printf("\r\033[K");
}

/* True when the member no longer copies. */
static bool is_over(struct cli *cli, const struct tree_node *member, unsigned *lost)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(tree_done) struct tree status = { 0 };
	struct err err = { 0 };

	if (cli_request(cli, member, "GET", "patroni", NULL, STATUS_TIMEOUT_MS, &reply, &err) < 0 ||
	    tree_from_json(api_text(&reply), reply.body.len, &status, &err) < 0) {
		(*lost)++;
		if (*lost >= LOST_LOOKS_MAX)
			printf("Failed: member %s does not answer any more: %s\n",
			       node_str(member, "name"), err.msg);
		return *lost >= LOST_LOOKS_MAX;
	}
	*lost = 0;
	if (str_eq(node_str(status.root, "state"), "creating replica")) {
		print_progress(cli, member, tree_child(tree_child(status.root, "pgha"), "job"));
		return false;
	}
	clear_progress(cli);
	printf("Reinitialize is completed on: %s\n", node_str(member, "name"));
	return true;
}

static void print_waiting(const struct selection *waiting)
{
	_cleanup_(buf_done) struct buf names = { 0 };

	select_names(waiting, &names);
	printf("Waiting for reinitialize to complete on: %s\n", names.data);
	(void)fflush(stdout);
}

static void wait_for(struct cli *cli, struct selection *waiting)
{
	_cleanup_(freep) unsigned *lost = mem_new(waiting->n + 1, sizeof(*lost));
	size_t shown = 0;

	while (waiting->n > 0) {
		size_t left = 0;

		if (waiting->n != shown)
			print_waiting(waiting);
		shown = waiting->n;
		cli_wait(cli, LOOK_MS);
		for (size_t i = 0; i < waiting->n; i++) {
			if (is_over(cli, waiting->members[i], &lost[i]))
				continue;
			lost[left] = lost[i];
			waiting->members[left++] = waiting->members[i];
		}
		waiting->n = left;
	}
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
	if (r >= 0 && !reinit.force)
		r = select_confirm(&selection, want.action, NULL, err);
	if (r >= 0)
		r = reinit_all(cli, &reinit, &selection, err);
	if (r >= 0 && args_has(args, "--wait"))
		wait_for(cli, &selection);
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
