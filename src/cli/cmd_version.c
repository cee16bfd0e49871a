/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_version - versions of this program and of running members
 */
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/node.h"
#include "wire/treedump.h"

#define TIMEOUT_MS 5000
/* What Patroni's tools take us for. */
#define PATRONI_VERSION "4.1.4"

static void print_postgres(int64_t version)
{
	if (version < 100000)
		printf(" PostgreSQL %d.%d.%d", (int)(version / 10000), (int)(version / 100 % 100),
		       (int)(version % 100));
	else
		printf(" PostgreSQL %d.%d", (int)(version / 10000), (int)(version % 100));
}

/* What a member tells of itself, or why it tells nothing. */
static void add_json(struct tree *list, const char *name, const struct tree_node *status,
		     const struct err *err)
{
	struct tree_node *map = node_add(list, list->root, NULL, TREE_MAP);
	const char *own = node_text(tree_child(status, "pgha"), "version");
	int64_t version;

	node_add_text(list, map, "member", name);
	if (status == NULL) {
		node_add_text(list, map, "error", err->msg);
		return;
	}
	node_add_text(list, map, "patroni", node_str(tree_child(status, "patroni"), "version"));
	if (node_int(status, "server_version", &version) && version > 0)
		node_add_int(list, map, "server_version", version);
	if (own != NULL)
		node_add_text(list, map, "pgha", own);
}

static void print_member(struct cli *cli, const struct tree_node *member, struct tree *list)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(tree_done) struct tree status = { 0 };
	const char *name = node_str(member, "name");
	const char *own;
	struct err err = { 0 };
	int64_t version;

	if (cli_request(cli, member, "GET", "patroni", NULL, TIMEOUT_MS, &reply, &err) < 0 ||
	    tree_from_json(api_text(&reply), reply.body.len, &status, &err) < 0) {
		if (cli->json)
			add_json(list, name, NULL, &err);
		else
			printf("%s: failed to get version: %s\n", name, err.msg);
		return;
	}
	if (cli->json) {
		add_json(list, name, status.root, NULL);
		return;
	}
	printf("%s: Patroni %s", name, node_str(tree_child(status.root, "patroni"), "version"));
	if (node_int(status.root, "server_version", &version) && version > 0)
		print_postgres(version);
	own = node_text(tree_child(status.root, "pgha"), "version");
	if (own != NULL)
		printf(", pgha %s", own);
	printf("\n");
}

static bool is_wanted(const struct args *args, const char *name)
{
	for (size_t i = 1; i < args->nwords; i++)
		if (str_eq(args->words[i], name))
			return true;
	return args->nwords < 2;
}

static int print_json(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(tree_done) struct tree list = { 0 };
	_cleanup_(tree_done) struct tree doc = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree_node *root = node_add(&doc, NULL, NULL, TREE_MAP);
	int r = 0;

	(void)node_add(&list, NULL, NULL, TREE_LIST);
	node_add_text(&doc, root, "version", PACKAGE_VERSION);
	node_add_text(&doc, root, "patronictl", PATRONI_VERSION);
	if (args->nwords > 0)
		r = cli_picture(cli, args->words[0], &picture, err);
	if (r < 0)
		return r;
	for (const struct tree_node *m = picture_members(&picture); m != NULL; m = m->next)
		if (is_wanted(args, node_str(m, "name")))
			print_member(cli, m, &list);
	if (args->nwords > 0)
		node_add_copy(&doc, root, "members", list.root);
	treedump_json(doc.root, &text);
	printf("%s\n", text.data);
	return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	int r;

	if (cli->json)
		return print_json(cli, args, err);
	/* Where we stand in for patronictl, the line is the one that scripts know. */
	if (str_starts(cli->program, "patronictl"))
		printf("%s version %s\n", cli->program, PATRONI_VERSION);
	else
		printf("%s version %s (patronictl version %s)\n", cli->program, PACKAGE_VERSION,
		       PATRONI_VERSION);
	if (args->nwords == 0)
		return 0;
	printf("\n");
	r = cli_picture(cli, args->words[0], &picture, err);
	if (r < 0)
		return r;
	for (const struct tree_node *m = picture_members(&picture); m != NULL; m = m->next)
		if (is_wanted(args, node_str(m, "name")))
			print_member(cli, m, NULL);
	return 0;
}

const struct cli_command cmd_version = {
	.name = "version",
	.words = "[CLUSTER] [MEMBER]...",
	.takes = { CMD_CLUSTER, CMD_MEMBERS },
	.words_max = ARGS_MAX,
	.help = "Print the version of this program and, given a cluster, of its members.",
	.run = run,
};
