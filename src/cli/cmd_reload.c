/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_reload - members read their configuration files again
 */
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/node.h"
#include "cli/report.h"

#define TIMEOUT_MS 10000

static int reload_member(struct cli *cli, const struct picture *picture,
			 const struct tree_node *member, void *ctx _unused_)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };
	int r;

	if (cli->dry) {
		report_request(cli, member, "POST", "reload", NULL);
		return 0;
	}
	r = cli_request(cli, member, "POST", "reload", "", TIMEOUT_MS, &reply, &err);
	if (r < 0)
		report_add(cli, name, REPORT_SILENT, 0, "Failed: reload for member %s, %s", name,
			   err.msg);
	else if (reply.code == 200)
		report_add(cli, name, REPORT_NOTHING, 200, "No changes to apply on member %s",
			   name);
	else if (reply.code == 202)
		report_add(cli, name, REPORT_DONE, 202,
			   "Reload request received for member %s and will be processed within "
			   "%lld seconds",
			   name, (long long)picture_loop_wait_s(picture));
	else
		report_add(cli, name, REPORT_REFUSED, reply.code,
			   "Failed: reload for member %s, status code=%d, (%s)", name, reply.code,
			   api_text(&reply));
	return r < 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	return each_chosen(cli, args, args->nwords, "reload", reload_member, err);
}

static const struct args_option options[] = {
	CMD_ROLE("Only members of this role: leader, primary, standby-leader, replica, standby "
		 "or any."),
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_reload = {
	.name = "reload",
	.words = "CLUSTER [MEMBER]...",
	.takes = { CMD_CLUSTER, CMD_MEMBERS },
	.words_min = 1,
	.words_max = ARGS_MAX,
	.help = "Have members read their configuration files again.",
	.options = options,
	.run = run,
};
