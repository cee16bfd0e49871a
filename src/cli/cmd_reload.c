/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_reload - members read their configuration files again
 */
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/select.h"

#define TIMEOUT_MS 10000

/* 1: it did not answer. */
static int reload_member(struct cli *cli, const struct picture *picture,
			 const struct tree_node *member)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };
	int r;

	r = cli_request(cli, member, "POST", "reload", "", TIMEOUT_MS, &reply, &err);
	if (r < 0)
		printf("Failed: reload for member %s, %s\n", name, err.msg);
	else if (reply.code == 200)
		printf("No changes to apply on member %s\n", name);
	else if (reply.code == 202)
		printf("Reload request received for member %s and will be processed within %lld "
		       "seconds\n",
		       name, (long long)picture_loop_wait_s(picture));
	else
		printf("Failed: reload for member %s, status code=%d, (%s)\n", name, reply.code,
		       api_text(&reply));
	return r < 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	const bool force = args_has(args, "--force");
	const char *role = args_value(args, "--role");
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(selection_done) struct selection selection = { 0 };
	struct select_want want = {
		.picture = &picture,
		.names = args->words + 1,
		.nnames = args->nwords - 1,
		.role = role != NULL ? role : "any",
		.action = "reload",
		.force = force,
	};
	int r;

	r = cli_picture(cli, args->words[0], &picture, err);
	if (r < 0)
		return r;
	cli_show(&picture);
	r = select_members(&want, &selection, err);
	if (r >= 0 && !force)
		r = select_confirm(&selection, want.action, NULL, err);
	for (size_t i = 0; r >= 0 && i < selection.n; i++)
		r |= reload_member(cli, &picture, selection.members[i]);
	return r;
}

static const struct args_option options[] = {
	CMD_ROLE("Only members of this role: leader, primary, standby-leader, replica, standby "
		 "or any."),
	CMD_FORCE,
	CMD_END,
};

const struct cli_command cmd_reload = {
	.name = "reload",
	.words = "CLUSTER [MEMBER]...",
	.words_min = 1,
	.words_max = ARGS_MAX,
	.help = "Have members read their configuration files again.",
	.options = options,
	.run = run,
};
