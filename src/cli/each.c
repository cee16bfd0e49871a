/* SPDX-License-Identifier: PostgreSQL */
/*
 * each - one request to several members
 */
#include "cli/each.h"

#include "cli/node.h"
#include "cli/report.h"
#include "cli/select.h"

int each_chosen(struct cli *cli, const struct args *args, size_t nwords, const char *action,
		each_fn fn, struct err *err)
{
	const bool force = !report_asks(cli, args);
	const char *role = args_value(args, "--role");
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(selection_done) struct selection selection = { 0 };
	const struct select_want want = {
		.picture = &picture,
		.names = args->words + 1,
		.nnames = nwords - 1,
		.role = role != NULL ? role : "any",
		.action = action,
		.force = force,
	};
	int r;

	r = report_check(cli, args, err);
	if (r >= 0)
		r = cli_picture(cli, args->words[0], &picture, err);
	if (r < 0)
		return r;
	report_show(cli, &picture);
	r = select_members(&want, &selection, err);
	if (r >= 0 && !force)
		r = select_confirm(&selection, action, NULL, err);
	for (size_t i = 0; r >= 0 && i < selection.n; i++)
		r |= fn(cli, &picture, selection.members[i], NULL);
	return r >= 0 && cli->dry ? report_dry_end(cli) : r;
}

static bool has_api(const struct tree_node *member)
{
	return *node_str(member, "api_url") != '\0';
}

int each_until(struct cli *cli, const struct picture *picture, each_fn fn, void *ctx)
{
	const struct tree_node *leader = picture_member(picture, picture->leader);

	if (leader != NULL && has_api(leader) && fn(cli, picture, leader, ctx) == 0)
		return 0;
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (m != leader && has_api(m) && fn(cli, picture, m, ctx) == 0)
			return 0;
	return 1;
}
