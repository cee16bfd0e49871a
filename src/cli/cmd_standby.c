/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_standby - demote-cluster and promote-cluster: a cluster follows another one, or no longer
 *
 * For clusters that are led by Patroni: pghad does not lead standby clusters, and is not asked to.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/report.h"
#include "io/loop.h"
#include "wire/treedump.h"

#define PATCH_TIMEOUT_MS 20000
#define LOOK_MS          1000

struct turn {
	bool demote;
	const char *verb;   /* "demote" */
	const char *noun;   /* "demotion" */
	struct buf body;
};

static void turn_done(struct turn *turn)
{
	buf_done(&turn->body);
}

static void add_text(struct tree *body, struct tree_node *map, const char *key, const char *text)
{
	if (text != NULL)
		node_add_text(body, map, key, text);
}

static int make_body(const struct args *args, struct turn *turn, struct err *err)
{
	_cleanup_(tree_done) struct tree body = { 0 };
	struct tree_node *root = node_add(&body, NULL, NULL, TREE_MAP);
	const char *host = args_value(args, "--host");
	const char *port = args_value(args, "--port");
	const char *restore = args_value(args, "--restore-command");
	struct tree_node *map;
	int64_t number = 0;

	if (!turn->demote) {
		(void)node_add(&body, root, "standby_cluster", TREE_NULL);
		treedump_json(body.root, &turn->body);
		return 0;
	}
	if (host == NULL && port == NULL && restore == NULL)
		return err_set(err, ERR_PARSE,
			       "At least --host, --port or --restore-command should be specified");
	if (port != NULL && parse_int(port, 1, 65535, &number, err) < 0)
		return err_wrap(err, "--port");
	map = node_add(&body, root, "standby_cluster", TREE_MAP);
	add_text(&body, map, "host", host);
	if (port != NULL)
		node_add_int(&body, map, "port", number);
	add_text(&body, map, "primary_slot_name", args_value(args, "--primary-slot-name"));
	add_text(&body, map, "restore_command", restore);
	treedump_json(body.root, &turn->body);
	return 0;
}

static int check(const struct turn *turn, const struct picture *picture, struct err *err)
{
	const struct tree_node *leader = picture_member(picture, picture->leader);

	if (*picture->leader == '\0' || leader == NULL)
		return err_set(err, ERR_STATE, "Cluster has no leader, %s is not possible",
			       turn->noun);
	if (picture_is_standby_cluster(picture) == turn->demote)
		return err_set(err, ERR_STATE, "Cluster is already in the required state");
	if (tree_child(leader, "pgha") != NULL)
		return err_set(
			err, ERR_STATE,
			"The leader %s is run by pghad, which leads no standby clusters; hand "
			"over to a member that runs Patroni first",
			picture->leader);
	return 0;
}

static int patch(struct cli *cli, const struct turn *turn, const struct picture *picture,
		 struct err *err)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	int r;

	r = cli_request(cli, picture_member(picture, picture->leader), "PATCH", "config",
			turn->body.data, PATCH_TIMEOUT_MS, &reply, err);
	if (r < 0)
		return err_wrap(err, "Failed to %s %s cluster", turn->verb, picture->name);
	if (reply.code != 200)
		return err_set(err, ERR_STATE,
			       "Failed to %s %s cluster: /config PATCH status code=%d, (%.200s)",
			       turn->verb, picture->name, reply.code, api_text(&reply));
	return 0;
}

static const char *state_of(const struct picture *picture, const char *name)
{
	const char *state = node_str(picture_member(picture, name), "state");

	return str_eq(state, "streaming") ? "running" : state;
}

/* True when the leader runs in its new role, and the one that stepped down runs as well. */
static bool look(struct cli *cli, const struct turn *turn, const struct picture *now,
		 const char *old)
{
	const bool has_leader = *now->leader != '\0' && picture_member(now, now->leader) != NULL;
	const char *role = has_leader ? node_str(picture_member(now, now->leader), "role") : "None";
	const char *state = has_leader ? state_of(now, now->leader) : "None";
	const bool turned = has_leader &&
			    (str_eq(role, "standby_leader") == turn->demote) &&
			    str_eq(state, "running");

	if (turned && (!turn->demote || str_eq(state_of(now, old), "running"))) {
		if (!cli->json)
			cli_print_stamp();
		report_add(cli, NULL, REPORT_DONE, 0, "cluster is successfully %sd", turn->verb);
		return true;
	}
	if (cli->json)
		return false;
	cli_print_stamp();
	printf("cluster is unlocked: %s, leader role: %s, leader state: '%s'",
	       has_leader ? "False" : "True", role, state);
	if (turn->demote && has_leader && !str_eq(old, now->leader))
		printf(", previous leader state: '%s'", state_of(now, old));
	printf("\n");
	(void)fflush(stdout);
	return false;
}

static int wait_for(struct cli *cli, const struct turn *turn, const struct picture *before,
		    struct err *err)
{
	for (;;) {
		_cleanup_(picture_done) struct picture now = { 0 };
		int r = cli_picture_dcs(cli, before->name, &now, err);

		if (r < 0)
			return r;
		if (look(cli, turn, &now, before->leader)) {
			report_show(cli, &now);
			return 0;
		}
		cli_wait(cli, LOOK_MS);
	}
}

static int run(struct cli *cli, const struct args *args, struct turn *turn, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(freep) char *question = NULL;
	bool yes = !report_asks(cli, args);
	const char *name;
	int r;

	r = make_body(args, turn, err);
	if (r >= 0)
		r = report_check(cli, args, err);
	if (r >= 0)
		r = cli_cluster(cli, args, &name, err);
	if (r >= 0)
		r = cli_picture_dcs(cli, name, &picture, err);
	if (r >= 0)
		r = check(turn, &picture, err);
	if (r < 0)
		return r;
	report_line(cli, "Current cluster topology");
	report_show(cli, &picture);
	if (cli->dry) {
		report_request(cli, picture_member(&picture, picture.leader), "PATCH", "config",
			       turn->body.data);
		return report_dry_end(cli);
	}
	question = str_dupf("Are you sure you want to %s %s cluster?", turn->verb, name);
	if (!yes)
		r = ask_yes(question, &yes, err);
	if (r >= 0 && !yes)
		r = err_set(err, ERR_STATE, "Aborted cluster %s", turn->noun);
	if (r >= 0)
		r = patch(cli, turn, &picture, err);
	return r < 0 ? r : wait_for(cli, turn, &picture, err);
}

static int run_demote(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(turn_done) struct turn turn = {
		.demote = true, .verb = "demote", .noun = "demotion"
	};

	return run(cli, args, &turn, err);
}

static int run_promote(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(turn_done) struct turn turn = { .verb = "promote", .noun = "promotion" };

	return run(cli, args, &turn, err);
}

static const struct args_option demote_options[] = {
	{ .name = "--host", .value = "HOST", .help = "Where the other cluster is reached." },
	{ .name = "--port", .value = "PORT", .help = "And its port." },
	{ .name = "--restore-command", .value = "CMD", .help = "Fetches WAL from its archive." },
	{ .name = "--primary-slot-name",
	  .value = "NAME",
	  .help = "Slot over there to stream from." },
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

static const struct args_option promote_options[] = { CMD_FORCE, CMD_DRY, CMD_END };

const struct cli_command cmd_demote_cluster = {
	.name = "demote-cluster",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Have a cluster led by Patroni follow another one.",
	.more = "  pghad leads no standby clusters: where it leads this is refused.\n",
	.options = demote_options,
	.run = run_demote,
};

const struct cli_command cmd_promote_cluster = {
	.name = "promote-cluster",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Have a standby cluster of Patroni stand on its own.",
	.options = promote_options,
	.run = run_promote,
};
