/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_flush - discard what is scheduled: a restart or a switchover
 */
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/node.h"
#include "cli/report.h"
#include "wire/record.h"

#define TIMEOUT_MS 10000

static int flush_member(struct cli *cli, const struct picture *picture _unused_,
			const struct tree_node *member, void *ctx _unused_)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };
	int r;

	if (!node_truthy(member, "scheduled_restart")) {
		report_add(cli, name, REPORT_NOTHING, 0, "No scheduled restart for member %s",
			   name);
		return 0;
	}
	if (cli->dry) {
		report_request(cli, member, "DELETE", "restart", NULL);
		return 0;
	}
	r = cli_request(cli, member, "DELETE", "restart", NULL, TIMEOUT_MS, &reply, &err);
	if (r < 0)
		report_add(cli, name, REPORT_SILENT, 0,
			   "Failed: flush scheduled restart for member %s, %s", name, err.msg);
	else if (reply.code >= 400)
		report_add(cli, name, REPORT_REFUSED, reply.code,
			   "Failed: flush scheduled restart for member %s, status code=%d, (%s)",
			   name, reply.code, api_text(&reply));
	else
		report_add(cli, name, REPORT_DONE, reply.code,
			   "Success: flush scheduled restart for member %s", name);
	return r < 0;
}

/* A member that answers otherwise leaves it to the next one. */
static int flush_by(struct cli *cli, const struct picture *picture _unused_,
		    const struct tree_node *member, void *ctx _unused_)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };

	if (cli->dry) {
		report_request(cli, member, "DELETE", "switchover", NULL);
		return 0;
	}
	if (cli_request(cli, member, "DELETE", "switchover", NULL, TIMEOUT_MS, &reply, &err) < 0) {
		fprintf(stderr, "Member %s is not accessible: %s\n", name, err.msg);
		return 1;
	}
	if (reply.code == 200 || reply.code == 404) {
		report_add(cli, name, reply.code == 200 ? REPORT_DONE : REPORT_REFUSED, reply.code,
			   "%s: %s", reply.code == 200 ? "Success" : "Failed", api_text(&reply));
		return 0;
	}
	report_add(cli, name, REPORT_REFUSED, reply.code,
		   "Failed: member=%s, status_code=%d, (%s)", name, reply.code, api_text(&reply));
	return 1;
}

static int clear_request(struct cli *cli, const struct picture *picture, struct err *err)
{
	const struct request nothing = { .present = false };
	_cleanup_(freep) char *text = record_request_text(&nothing);
	char key[ETCD_KEY_SIZE];
	int r;

	if (!cli->json) {
		cli_print_stamp();
		printf("Could not find any accessible member of cluster %s\n", picture->name);
	}
	r = cli_key(cli, picture->name, "failover", key, err);
	if (r < 0)
		return r;
	if (cli->dry) {
		report_add(cli, NULL, REPORT_WOULD, 0, "Would write to etcd: %s = %s", key, text);
		return 0;
	}
	r = dcs_put(cli->dcs, key, text, picture->request.mod_revision, err);
	if (r == DCS_CONFLICT)
		return err_set(err, ERR_STATE, "The request changed meanwhile, nothing was done");
	if (r == 0)
		report_add(cli, NULL, REPORT_DONE, 0, "Success: scheduled switchover deleted");
	return r;
}

static int flush_switchover(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	int r;

	r = cli_picture(cli, args->words[0], &picture, err);
	if (r < 0)
		return r;
	if (tree_child(picture.doc.root, "scheduled_switchover") == NULL) {
		report_add(cli, NULL, REPORT_NOTHING, 0, "No pending scheduled switchover");
		return 0;
	}
	r = each_until(cli, &picture, flush_by, NULL);
	if (r == 0)
		return cli->dry ? report_dry_end(cli) : 0;
	if (picture.secondhand)
		return err_set(err, ERR_CONNECT, "No member took it, and etcd cannot be reached");
	return clear_request(cli, &picture, err);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	const char *what = args->words[args->nwords - 1];

	if (str_eq(what, "restart"))
		return each_chosen(cli, args, args->nwords - 1, "flush", flush_member, err);
	if (str_eq(what, "switchover"))
		return flush_switchover(cli, args, err);
	return err_set(err, ERR_PARSE, "'%s' is neither 'restart' nor 'switchover'", what);
}

static const char *const things[] = { "restart", "switchover", NULL };

static const struct args_option options[] = {
	CMD_ROLE("Only members of this role: leader, primary, standby-leader, replica, standby "
		 "or any."),
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_flush = {
	.name = "flush",
	.words = "CLUSTER [MEMBER]... {restart|switchover}",
	.takes = { CMD_CLUSTER, { .kind = ARGS_MEMBER, .choices = things, .many = true } },
	.words_min = 2,
	.words_max = ARGS_MAX,
	.help = "Discard a scheduled restart or switchover.",
	.options = options,
	.run = run,
};
