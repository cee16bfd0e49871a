/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_dsn - where to connect to
 */
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/dsn.h"
#include "cli/node.h"
#include "cli/select.h"
#include "wire/treedump.h"

static const struct tree_node *find(const struct picture *picture, const char *role,
				    const char *name)
{
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (select_has_role(m, role) && (name == NULL || str_eq(node_str(m, "name"), name)))
			return m;
	return NULL;
}

static void print_json(const struct tree_node *member, const char *host, int64_t port)
{
	_cleanup_(tree_done) struct tree doc = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree_node *root = node_add(&doc, NULL, NULL, TREE_MAP);

	node_add_text(&doc, root, "member", node_str(member, "name"));
	node_add_text(&doc, root, "host", host);
	node_add_int(&doc, root, "port", port);
	treedump_json(doc.root, &text);
	printf("%s\n", text.data);
}

static int print_all(const struct cli *cli, const struct picture *picture, const char *role,
		     bool uri, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const struct dsn_wish wish = { .role = role, .uri = uri };
	int r = dsn_print(picture, &wish, &text, err);

	if (r < 0)
		return r;
	if (cli->json)
		printf("{\"dsn\": \"%s\"}\n", text.data);
	else
		printf("%s\n", text.data);
	return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	const char *role = args_value(args, "--role");
	const char *member_name = args_value(args, "--member");
	bool uri = args_has(args, "--uri");
	bool all = uri || args_has(args, "--all");
	const struct tree_node *member;
	const char *name;
	int64_t port = 0;
	int r;

	if (all && member_name != NULL)
		return err_set(err, ERR_PARSE, "--all and --uri name every member: not with "
					       "--member");
	if (role != NULL && member_name != NULL)
		return err_set(err, ERR_PARSE,
			       "--role and --member are mutually exclusive options");
	if (role == NULL)
		role = member_name != NULL ? "any" : "leader";
	r = cli_cluster(cli, args, &name, err);
	if (r < 0)
		return r;
	r = cli_picture(cli, name, &picture, err);
	if (r < 0)
		return r;
	if (all)
		return print_all(cli, &picture, role, uri, err);
	member = find(&picture, role, member_name);
	if (member == NULL || node_text(member, "host") == NULL ||
	    !node_int(member, "port", &port))
		return err_set(err, ERR_STATE, "Can not find a suitable member");
	if (cli->json)
		print_json(member, node_str(member, "host"), port);
	else
		printf("host=%s port=%lld\n", node_str(member, "host"), (long long)port);
	return 0;
}

static const struct args_option options[] = {
	CMD_ROLE("Give a member of this role: leader, primary, standby-leader, replica, "
		 "standby or any."),
	{ .name = "--member", .also = "-m", .value = "NAME", .kind = ARGS_MEMBER,
	  .help = "Give this member." },
	{ .name = "--all", .also = "-a",
	  .help = "Name all members, and let libpq find one of the role." },
	{ .name = "--uri", .also = "-u", .help = "The same as a URI." },
	CMD_END,
};

const struct cli_command cmd_dsn = {
	.name = "dsn",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Print host and port of a member, of the leader unless told otherwise.",
	.more = "  With --all or --uri: a connection string for clients that stays right when the\n"
		"  leader changes. -r leader, the default, finds who takes writes; -r replica a\n"
		"  standby, or the leader where there is none; -r any whoever answers.\n",
	.options = options,
	.run = run,
};
