/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_pause - pause and resume: hands off, hands on
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cmd.h"
#include "cli/node.h"
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

static bool has_api(const struct tree_node *member)
{
	return *node_str(member, "api_url") != '\0';
}

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

	printf("'%s' request sent, waiting until it is recognized by all nodes\n", mode->verb);
	(void)fflush(stdout);
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
		printf("%s members didn't recognized pause state after %lld seconds\n",
		       laggards.data, (long long)loop_wait_s);
	else
		printf("Success: cluster management is %s\n", mode->past);
	return 0;
}

/* 0: the member answered, *ret says what. */
static int ask_member(struct cli *cli, const struct mode *mode, const struct tree_node *member,
		      struct api_reply *ret)
{
	struct err err = { 0 };
	int r;

	r = cli_request(cli, member, "PATCH", "config",
			mode->pause ? "{\"pause\": true}" : "{\"pause\": null}", PATCH_TIMEOUT_MS,
			ret, &err);
	if (r < 0)
		fprintf(stderr, "Member %s is not accessible: %s\n", node_str(member, "name"),
			err.msg);
	return r;
}

/* The leader first: it is the one whose loop matters. */
static int ask_any_member(struct cli *cli, const struct mode *mode,
			  const struct picture *picture, struct api_reply *ret, struct err *err)
{
	const struct tree_node *leader = picture_member(picture, picture->leader);

	if (leader != NULL && has_api(leader) && ask_member(cli, mode, leader, ret) >= 0)
		return 0;
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (m != leader && has_api(m) && ask_member(cli, mode, m, ret) >= 0)
			return 0;
	return err_set(err, ERR_CONNECT, "Can not find accessible cluster member");
}

static int run(struct cli *cli, const struct args *args, const struct mode *mode, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	const char *name;
	int r;

	r = cli_cluster(cli, args, &name, err);
	if (r < 0)
		return r;
	r = cli_picture_dcs(cli, name, &picture, err);
	if (r < 0)
		return r;
	if (picture_is_paused(&picture) == mode->pause)
		return err_set(err, ERR_STATE, "Cluster is %s paused",
			       mode->pause ? "already" : "not");
	r = ask_any_member(cli, mode, &picture, &reply, err);
	if (r < 0)
		return r;
	if (reply.code != 200)
		printf("Failed: %s cluster management status code=%d, (%s)\n", mode->verb,
		       reply.code, api_text(&reply));
	else if (args_has(args, "--wait"))
		return wait_for_all(cli, mode, &picture, err);
	else
		printf("Success: cluster management is %s\n", mode->past);
	return 0;
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
	CMD_END,
};

const struct cli_command cmd_pause = {
	.name = "pause",
	.words = "[CLUSTER]",
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
	.words_max = 1,
	.help = "Switch automatic failover on again.",
	.options = options,
	.run = run_resume,
};
