/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_dcs - an etcd that was wiped or restored is accepted as it is
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/report.h"
#include "io/loop.h"

#define STATUS_TIMEOUT_MS 3000
#define ACCEPT_TIMEOUT_MS 10000
#define MEMBERS_SHOWN_MAX 64

/* What one member says of etcd. */
struct witness {
	const struct tree_node *member;
	bool regressed;
	bool primary;
};

struct witnesses {
	struct witness items[MEMBERS_SHOWN_MAX];
	size_t n;
	size_t nregressed;
	size_t nsilent;
};

static void ask_member(struct cli *cli, const struct tree_node *member, struct witnesses *all)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(tree_done) struct tree status = { 0 };
	struct witness *w = &all->items[all->n];
	const char *name = node_str(member, "name");
	const struct tree_node *pgha;
	struct err err = { 0 };

	*w = (struct witness){ .member = member };
	all->n++;
	if (cli_request(cli, member, "GET", "patroni", NULL, STATUS_TIMEOUT_MS, &reply, &err) < 0 ||
	    tree_from_json(api_text(&reply), reply.body.len, &status, &err) < 0) {
		report_line(cli, "%s: does not answer, %s", name, err.msg);
		all->nsilent++;
		return;
	}
	pgha = tree_child(status.root, "pgha");
	w->regressed = str_eq(node_str(pgha, "store"), "regressed");
	w->primary = str_eq(node_str(status.root, "role"), "primary");
	all->nregressed += w->regressed;
	report_line(cli, "%s: %s, %s", name, node_str(status.root, "role"),
		    w->regressed ? node_str(pgha, "store_why") : "takes etcd as it is");
}

/* 1: it did not accept. */
static int accept_at(struct cli *cli, const struct witness *w)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	const char *name = node_str(w->member, "name");
	struct err err = { 0 };

	if (cli->dry) {
		report_request(cli, w->member, "POST", "dcs-accept", NULL);
		return 0;
	}
	if (cli_request(cli, w->member, "POST", "dcs-accept", NULL, ACCEPT_TIMEOUT_MS, &reply,
			&err) < 0) {
		report_add(cli, name, REPORT_SILENT, 0, "Failed: accept for member %s, %s", name,
			   err.msg);
		return 1;
	}
	if (reply.code != 200) {
		report_add(cli, name, REPORT_REFUSED, reply.code,
			   "Failed: accept for member %s, status code=%d, (%s)", name, reply.code,
			   api_text(&reply));
		return 1;
	}
	report_add(cli, name, REPORT_DONE, 200, "Success: accept for member %s", name);
	return 0;
}

/* A primary that still runs comes first: it has the newest data and writes the keys again. */
static int accept_all(struct cli *cli, const struct witnesses *all)
{
	int failed = 0;

	for (size_t i = 0; i < all->n; i++)
		if (all->items[i].regressed && all->items[i].primary)
			failed |= accept_at(cli, &all->items[i]);
	for (size_t i = 0; i < all->n; i++)
		if (all->items[i].regressed && !all->items[i].primary)
			failed |= accept_at(cli, &all->items[i]);
	return failed;
}

static int confirm(const struct witnesses *all, bool *ret_yes, struct err *err)
{
	if (all->nsilent > 0)
		printf("Warning: what %zu members that do not answer know is not looked at. If one "
		       "of them has the newest data, accepting now loses it.\n",
		       all->nsilent);
	return ask_yes("Is etcd, as it is now, the one that this cluster goes on with?", ret_yes,
		       err);
}

/* Whoever is silent may wait for it, so nothing is known to be in order then. */
static int nobody_waits(struct cli *cli, const struct witnesses *all, struct err *err)
{
	if (all->n == 0)
		return err_set(err, ERR_STATE,
			       "etcd lists no member: nobody can be asked what it has seen. Start "
			       "pghad, and run this again");
	if (all->nsilent == all->n)
		return err_set(err, ERR_CONNECT,
			       "no member answers: whether one waits for etcd to be accepted is "
			       "not known. Run this where they can be reached");
	report_add(cli, NULL, REPORT_NOTHING, 0, "No member %swaits for etcd to be accepted.",
		   all->nsilent > 0 ? "that answers " : "");
	return all->nsilent > 0 ? 1 : 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(freep) struct witnesses *all = mem_new(1, sizeof(*all));
	const char *cluster;
	bool yes = !report_asks(cli, args);
	int r = 0;

	if (!str_eq(args->words[0], "accept"))
		return err_set(err, ERR_CONFIG, "'%s' is not known: dcs accept [CLUSTER]",
			       args->words[0]);
	r = report_check(cli, args, err);
	if (r >= 0)
		r = cli_cluster_named(cli, args_word(args, 1), &cluster, err);
	if (r < 0)
		return r;
	r = cli_picture(cli, cluster, &picture, err);
	if (r < 0)
		return r;
	for (const struct tree_node *m = picture_members(&picture);
	     m != NULL && all->n < MEMBERS_SHOWN_MAX; m = m->next)
		ask_member(cli, m, all);
	if (all->nregressed == 0)
		return nobody_waits(cli, all, err);
	if (!yes)
		r = confirm(all, &yes, err);
	if (r < 0)
		return r;
	if (!yes)
		return err_set(err, ERR_CANCELED, "Aborted");
	r = accept_all(cli, all);
	if (all->nsilent > 0)
		report_add(cli, NULL, REPORT_SILENT, 0,
			   "%zu of %zu members did not answer: run this again when they do",
			   all->nsilent, all->n);
	if (cli->dry)
		return report_dry_end(cli);
	return all->nsilent > 0 ? 1 : r;
}

static const char *const actions[] = { "accept", NULL };

static const struct args_option options[] = {
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_dcs = {
	.name = "dcs",
	.words = "accept [CLUSTER]",
	.takes = { { .choices = actions }, CMD_CLUSTER },
	.words_min = 1,
	.words_max = 2,
	.help = "Accept an etcd that was wiped or restored from a snapshot.",
	.more = "  Members that have seen more than etcd knows promote nothing until then. They\n"
		"  are listed first, with what they have seen. Exit code: 1 as long as a member did\n"
		"  not answer, for it may wait, too.\n",
	.options = options,
	.run = run,
};
