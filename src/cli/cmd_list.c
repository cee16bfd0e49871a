/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_list - list and topology: the members of clusters
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parse.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/node.h"
#include "cli/report.h"
#include "cli/when.h"
#include "io/loop.h"
#include "wire/treedump.h"

#define WATCH_MS     2000
#define WATCH_MIN_MS 100

/* 0: once. */
static int read_interval(const struct args *args, int64_t *ret_ms, struct err *err)
{
	const char *seconds = args_value(args, "--watch");
	int64_t ms = args_has(args, "-W") ? WATCH_MS : 0;

	if (seconds != NULL && parse_duration_ms(seconds, "s", &ms, err) < 0)
		return err_wrap(err, "--watch");
	*ret_ms = ms > 0 ? MAX_OF(ms, WATCH_MIN_MS) : 0;
	return 0;
}

static void print_time(void)
{
	char stamp[WHEN_SIZE];

	when_stamp(loop_wall_us(), false, stamp);
	printf("%s\n", stamp);
}

/* What is shown and how; with --json all clusters are one document, printed at the end. */
struct show {
	struct listing listing;
	struct tree rows;
};

static int show_cluster(struct cli *cli, const char *name, struct show *show, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	r = cli_picture(cli, name, &picture, err);
	if (r < 0)
		return r;
	if (cli->json) {
		listing_collect(&show->listing, &picture, &show->rows);
		return 0;
	}
	listing_print(&show->listing, &picture, &text);
	printf("%s", text.data);
	return 0;
}

/* All clusters of a directory of configurations. One that cannot be read hides none of the others.
 */
static int show_configured(struct cli *cli, struct show *show, struct err *err)
{
	int failed = 0;

	for (size_t i = 0; i < cli->setup.nscopes; i++) {
		/* Each cluster's own configuration takes the place of the one before. */
		_cleanup_(freep) char *name = str_dup(cli->setup.scopes[i]);

		if (show_cluster(cli, name, show, err) < 0) {
			fprintf(stderr, "Error: %s: %s\n", name, err->msg);
			failed = 1;
		}
	}
	return failed;
}

static int show_all(struct cli *cli, const struct args *args, struct show *show, struct err *err)
{
	const char *name;
	int r;

	if (args->nwords == 0 && cli->setup.nscopes > 0)
		return show_configured(cli, show, err);
	if (args->nwords == 0) {
		r = cli_cluster(cli, args, &name, err);
		return r < 0 ? r : show_cluster(cli, name, show, err);
	}
	for (size_t i = 0; i < args->nwords; i++) {
		r = show_cluster(cli, args->words[i], show, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int show_once(struct cli *cli, const struct args *args, struct show *show, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (args_has(args, "--timestamp") && !cli->json)
		print_time();
	r = show_all(cli, args, show, err);
	if (r >= 0 && cli->json) {
		if (show->rows.root == NULL)
			(void)node_add(&show->rows, NULL, NULL, TREE_LIST);
		treedump_json(show->rows.root, &text);
		printf("%s\n", text.data);
	}
	tree_done(&show->rows);
	return r;
}

/* A watch outlives what it watches: etcd may be back at the next look. */
static void tell_failure(struct cli *cli, const struct err *err)
{
	if (cli->json)
		report_print(cli, -(int)err->code, err);
	else
		printf("Error: %s\n", err->msg);
}

static int watch(struct cli *cli, const struct args *args, struct show *show, struct err *err)
{
	int64_t interval_ms = 0;
	int r;

	r = read_interval(args, &interval_ms, err);
	if (r < 0)
		return r;
	for (;;) {
		if (interval_ms > 0 && isatty(STDOUT_FILENO))
			printf("\033[2J\033[1;1H");
		r = show_once(cli, args, show, err);
		if (interval_ms == 0)
			return r;
		if (r < 0)
			tell_failure(cli, err);
		(void)fflush(stdout);
		cli_wait(cli, interval_ms);
	}
}

static int run_list(struct cli *cli, const struct args *args, struct err *err)
{
	struct show show = { .listing = {
		.format = cli_format(args),
		.extended = args_has(args, "--extended"),
	} };

	return watch(cli, args, &show, err);
}

static int run_topology(struct cli *cli, const struct args *args, struct err *err)
{
	/* A program finds who streams from whom in the tags. */
	struct show show = { .listing = {
		.topology = !cli->json,
		.format = cli_format(args),
	} };

	return watch(cli, args, &show, err);
}

static const struct args_option list_options[] = {
	{ .name = "--extended", .also = "-e", .help = "Show also the columns that are empty." },
	{ .name = "--timestamp", .also = "-t", .help = "Print the time before the table." },
	CMD_FORMAT,
	CMD_WATCH,
	CMD_END,
};

static const struct args_option topology_options[] = { CMD_WATCH, CMD_END };

const struct cli_command cmd_list = {
	.name = "list",
	.words = "[CLUSTER]...",
	.takes = { CMD_CLUSTERS },
	.words_max = ARGS_MAX,
	.help = "List the members of clusters, their roles, states and lags.",
	.options = list_options,
	.run = run_list,
};

const struct cli_command cmd_topology = {
	.name = "topology",
	.words = "[CLUSTER]...",
	.takes = { CMD_CLUSTERS },
	.words_max = ARGS_MAX,
	.help = "Show who streams from whom.",
	.options = topology_options,
	.run = run_topology,
};
