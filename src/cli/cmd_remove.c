/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_remove - delete everything about a cluster from etcd
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/node.h"
#include "cli/report.h"

#define PHRASE "Yes I am aware"

/* The answer must be `expected`, letter by letter. */
static int ask_exactly(const char *question, const char *expected, const char *refusal,
		       struct err *err)
{
	_cleanup_(freep) char *answer = NULL;
	int r;

	r = ask_text(question, NULL, &answer, err);
	if (r < 0)
		return r;
	return str_eq(answer, expected) ? 0 : err_set(err, ERR_STATE, "%s", refusal);
}

static int confirm(const struct picture *picture, struct err *err)
{
	_cleanup_(freep) char *question = NULL;
	int r;

	r = ask_exactly("Please confirm the cluster name to remove", picture->name,
			"Cluster names specified do not match", err);
	if (r < 0)
		return r;
	question = str_dupf("You are about to remove all information in DCS for %s, please type: "
			    "\"" PHRASE "\"",
			    picture->name);
	r = ask_exactly(question, PHRASE, "You did not exactly type \"" PHRASE "\"", err);
	if (r < 0 || *picture->leader == '\0')
		return r;
	return ask_exactly("This cluster currently is healthy. Please specify the leader name to "
			   "continue",
			   picture->leader,
			   "You did not specify the current leader of the cluster", err);
}

static int dry_run(struct cli *cli, const char *prefix, const struct picture *picture,
		   struct err *err)
{
	_cleanup_(etcd_kvs_done) struct etcd_kvs kvs = { 0 };
	int r = dcs_read(cli->dcs, prefix, &kvs, err);

	if (r < 0)
		return r;
	report_add(cli, NULL, REPORT_WOULD, 0, "Would delete the %zu keys below %s", kvs.n, prefix);
	for (size_t i = 0; i < kvs.n; i++)
		report_line(cli, "  %s", kvs.items[i].key);
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		report_add(cli, node_str(m, "name"), REPORT_WOULD, 0,
			   "Mind: while its agent runs, member %s writes its keys again",
			   node_str(m, "name"));
	return report_dry_end(cli);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	const struct listing listing = {
		.format = cli_format(args),
	};
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	char prefix[ETCD_KEY_SIZE];
	int r;

	r = cli_picture_dcs(cli, args->words[0], &picture, err);
	if (r >= 0)
		r = cli_key(cli, args->words[0], "", prefix, err);
	if (r >= 0 && cli->json && !cli->dry)
		r = err_set(err, ERR_PARSE, "remove always asks: with --json only --dry-run");
	if (r < 0)
		return r;
	listing_print(&listing, &picture, &text);
	if (!cli->json)
		printf("%s", text.data);
	if (cli->dry)
		return dry_run(cli, prefix, &picture, err);
	r = confirm(&picture, err);
	return r < 0 ? r : dcs_delete_prefix(cli->dcs, prefix, err);
}

static const struct args_option options[] = { CMD_FORMAT, CMD_DRY, CMD_END };

const struct cli_command cmd_remove = {
	.name = "remove",
	.words = "CLUSTER",
	.takes = { CMD_CLUSTER },
	.words_min = 1,
	.words_max = 1,
	.help = "Delete everything that etcd knows about a cluster.",
	.more = "  The servers and their data stay as they are. Stop the daemons first: those\n"
		"  that run write their keys again.\n",
	.options = options,
	.run = run,
};
