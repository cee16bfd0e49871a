/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_history - the failovers and switchovers of a cluster
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/table.h"

/* clang-format off */
static const struct table_column timeline = { .name = "TL", .right = true };
static const struct table_column position = { .name = "LSN", .right = true };
static const struct table_column reason   = { .name = "Reason" };
static const struct table_column time_    = { .name = "Timestamp" };
static const struct table_column leader   = { .name = "New Leader" };
/* clang-format on */

static const struct table_column *const columns[] = { &timeline, &position, &reason, &time_,
						      &leader };

/* Entries that no daemon watched have three elements only; the rest is empty then. */
static void add_row(struct tree *rows, const struct tree_node *entry)
{
	struct tree_node *row = node_add(rows, rows->root, NULL, TREE_MAP);
	const struct tree_node *part = entry->type == TREE_LIST ? entry->first : NULL;

	for (size_t i = 0; row != NULL && i < ARRAY_LEN(columns); i++) {
		if (part != NULL)
			node_add_copy(rows, row, columns[i]->name, part);
		else
			node_add_text(rows, row, columns[i]->name, "");
		part = part != NULL ? part->next : NULL;
	}
}

/* "   130 ms    +42 ms  key handed over" */
static void print_steps(const struct tree_node *steps)
{
	int64_t last_ms = 0;

	for (const struct tree_node *s = steps != NULL ? steps->first : NULL; s != NULL;
	     s = s->next) {
		int64_t ms = 0;

		(void)node_int(s, "ms", &ms);
		printf("  %6lld ms  %+6lld ms  %s\n", (long long)ms, (long long)(ms - last_ms),
		       node_str(s, "step"));
		last_ms = ms;
	}
}

/* Newest last; the two sides of one hand-over stand together, by the time that they began. */
static void print_traces(const struct tree_node *traces)
{
	const char *after = "";

	for (;;) {
		const struct tree_node *next = NULL;

		for (const struct tree_node *t = traces != NULL ? traces->first : NULL; t != NULL;
		     t = t->next)
			if (strcmp(node_str(t, "begun"), after) > 0 &&
			    (next == NULL ||
			     strcmp(node_str(t, "begun"), node_str(next, "begun")) < 0))
				next = t;
		if (next == NULL)
			return;
		printf("%s %s, from %s on:\n", next->key, node_str(next, "what"),
		       node_str(next, "begun"));
		print_steps(tree_child(next, "steps"));
		if (node_str(next, "waited")[0] != '\0')
			printf("  the stop waited for %s\n", node_str(next, "waited"));
		after = node_str(next, "begun");
	}
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(tree_done) struct tree rows = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct table table = { .columns = columns, .ncolumns = ARRAY_LEN(columns) };
	enum table_format format = cli_format(args);
	const char *name;
	int r;

	/* What a program reads stays one document. */
	if (args_has(args, "--verbose") && format != TABLE_PRETTY)
		return err_set(err, ERR_PARSE, "--verbose is for people: not with --format %s",
			       format == TABLE_JSON ? "json" : args_value(args, "--format"));
	r = cli_cluster(cli, args, &name, err);
	if (r < 0)
		return r;
	r = cli_picture(cli, name, &picture, err);
	if (r < 0)
		return r;
	table.rows = node_add(&rows, NULL, NULL, TREE_LIST);
	if (picture.history.root != NULL)
		for (const struct tree_node *e = picture.history.root->first; e != NULL;
		     e = e->next)
			add_row(&rows, e);
	table_print(&table, format, &text);
	printf("%s", text.data);
	if (args_has(args, "--verbose"))
		print_traces(picture.traces.root);
	return 0;
}

static const struct args_option options[] = {
	CMD_FORMAT,
	{ .name = "--verbose", .also = "-v",
	  .help = "Also where the time of each member's newest hand-over went." },
	CMD_END,
};

const struct cli_command cmd_history = {
	.name = "history",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Show past failovers and switchovers: one line for each timeline that ended.",
	.options = options,
	.run = run,
};
