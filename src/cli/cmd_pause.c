/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_pause - pause and resume: hands off, hands on
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/node.h"
#include "cli/report.h"
#include "io/loop.h"

#define PATCH_TIMEOUT_MS 20000
#define LOOK_MS          1000

struct mode {
	bool pause;
	const char *verb, *past; /* "pause", "paused" */
};

static const struct mode modes[] = {
	{ .pause = false, .verb = "resume", .past = "resumed" },
	{ .pause = true, .verb = "pause", .past = "paused" },
};

/* Members that do not show the mode yet and have written their key since. */
static void find_laggards(const struct mode *mode, const struct picture *before,
			  const struct picture *now, bool touched_only, struct buf *ret_names)
{
	for (size_t i = 0; i < now->nmembers; i++) {
		const struct member *member = &now->members[i];

		if (member->pause == mode->pause)
			continue;
		for (size_t k = 0; k < before->nmembers; k++) {
			const struct member *old = &before->members[k];

			if (!str_eq(old->name, member->name) || *old->api_url == '\0' ||
			    (touched_only && old->mod_revision == member->mod_revision))
				continue;
			buf_printf(ret_names, "%s%s", ret_names->len > 0 ? ", " : "",
				   member->name);
		}
	}
}

static int wait_for_all(struct cli *cli, const struct mode *mode, const struct picture *before,
			struct err *err)
{
	const int64_t loop_wait_s = picture_loop_wait_s(before);
	const int64_t until_ms = loop_now_ms() + (loop_wait_s + 1) * 1000;
	_cleanup_(buf_done) struct buf laggards = { 0 };

	report_line(cli, "'%s' request sent, waiting until it is recognized by all nodes",
		    mode->verb);
	for (;;) {
		_cleanup_(picture_done) struct picture now = { 0 };
		int r;

		r = cli_picture_dcs(cli, before->name, &now, err);
		if (r < 0)
			return r;
		buf_clear(&laggards);
		find_laggards(mode, before, &now, false, &laggards);
		if (laggards.len == 0)
			break;
		if (loop_now_ms() >= until_ms) {
			buf_clear(&laggards);
			find_laggards(mode, before, &now, true, &laggards);
			break;
		}
		cli_wait(cli, LOOK_MS);
	}
	if (laggards.len > 0)
		report_add(cli, NULL, REPORT_UNKNOWN, 0,
			   "%s members didn't recognized pause state after %lld seconds",
			   laggards.data, (long long)loop_wait_s);
	else
		report_add(cli, NULL, REPORT_DONE, 200, "Success: cluster management is %s",
			   mode->past);
	return 0;
}

struct asking {
	const struct mode *mode;
	struct api_reply reply; /* of the member that answered */
};

static int ask_member(struct cli *cli, const struct picture *picture _unused_,
		      const struct tree_node *member, void *ctx)
{
	struct asking *asking = ctx;
	const char *body = asking->mode->pause ? "{\"pause\": true}" : "{\"pause\": null}";
	struct err err = { 0 };

	/* In a dry run a question stands in for the request: it finds out who would take that. */
	if (cli_request(cli, member, cli->dry ? "GET" : "PATCH", "config", cli->dry ? NULL : body,
			PATCH_TIMEOUT_MS, &asking->reply, &err) >= 0) {
		if (cli->dry)
			report_request(cli, member, "PATCH", "config", body);
		return 0;
	}
	fprintf(stderr, "Member %s is not accessible: %s\n", node_str(member, "name"), err.msg);
	return 1;
}

static int settle(struct cli *cli, const struct args *args, const struct asking *asking,
		  const struct picture *picture, struct err *err)
{
	const struct mode *mode = asking->mode;

	if (asking->reply.code != 200)
		report_add(cli, NULL, REPORT_REFUSED, asking->reply.code,
			   "Failed: %s cluster management status code=%d, (%s)", mode->verb,
			   asking->reply.code, api_text(&asking->reply));
	else if (args_has(args, "--wait") && !picture->secondhand)
		return wait_for_all(cli, mode, picture, err);
	else
		report_add(cli, NULL, REPORT_DONE, 200, "Success: cluster management is %s%s",
			   mode->past,
			   args_has(args, "--wait") ? "; who has seen it is not told without etcd" :
						      "");
	return 0;
}

static int tell_dry(struct cli *cli, const struct mode *mode)
{
	if (mode->pause)
		report_add(cli, NULL, REPORT_WOULD, 0,
			   "Then nothing is promoted, demoted, started or fenced until resume.");
	else
		report_add(cli, NULL, REPORT_WOULD, 0,
			   "Then members act again: where there is no leader, one is elected.");
	return report_dry_end(cli);
}

static int run(struct cli *cli, const struct args *args, const struct mode *mode, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	struct asking asking = { .mode = mode };
	int r;

	r = cli_picture_own(cli, args, &picture, err);
	if (r < 0)
		return r;
	if (picture_is_paused(&picture) == mode->pause)
		return err_set(err, ERR_STATE, "Cluster is %s paused",
			       mode->pause ? "already" : "not");
	if (each_until(cli, &picture, ask_member, &asking) != 0)
		r = err_set(err, ERR_CONNECT, "Can not find accessible cluster member");
	else
		r = cli->dry ? tell_dry(cli, mode) : settle(cli, args, &asking, &picture, err);
	api_reply_done(&asking.reply);
	return r;
}

static int run_pause(struct cli *cli, const struct args *args, struct err *err)
{
	return run(cli, args, &modes[true], err);
}

static int run_resume(struct cli *cli, const struct args *args, struct err *err)
{
	return run(cli, args, &modes[false], err);
}

static const struct args_option options[] = {
	{ .name = "--wait", .help = "Wait until all members have seen it." },
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_pause = {
	.name = "pause",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Switch automatic failover off: maintenance mode.",
	.more = "  While a cluster is paused nothing is promoted, demoted or started by itself,\n"
		"  and nothing guards against two primaries.\n",
	.options = options,
	.run = run_pause,
};

const struct cli_command cmd_resume = {
	.name = "resume",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Switch automatic failover on again.",
	.options = options,
	.run = run_resume,
};
