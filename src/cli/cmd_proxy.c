/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_proxy - the configuration of a load balancer, printed or kept true
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/cmd.h"
#include "cli/outside.h"
#include "cli/proxy.h"
#include "cli/report.h"

#define LOOK_MS    1000
#define WRITE_PORT 5000
#define READ_PORT  5001
#define ROUTER_ID  51

static int read_number(const struct args *args, const char *name, int64_t max, int64_t dflt,
		       int64_t *ret, struct err *err)
{
	const char *text = args_value(args, name);

	*ret = dflt;
	if (text != NULL && parse_int(text, 1, max, ret, err) < 0)
		return err_wrap(err, "%s", name);
	return 0;
}

static int read_wish(const struct cli *cli, const struct args *args, struct proxy_wish *ret,
		     struct err *err)
{
	const char *listen = args_value(args, "--listen");
	const char *member = args_value(args, "--member");
	int r;

	*ret = (struct proxy_wish){ .listen = listen != NULL ? listen : "*",
				    .lag = args_value(args, "--lag"),
				    .vip = args_value(args, "--vip"),
				    .nic = args_value(args, "--interface"),
				    .member = member != NULL ? member : cli->setup.config->name };
	if (!proxy_kind_of(args->words[0], &ret->kind))
		return err_set(err, ERR_PARSE,
			       "'%s' is not known: haproxy, nginx, pgbouncer, keepalived or "
			       "traefik",
			       args->words[0]);
	if (args_has(args, "--watch") && args_value(args, "--output") == NULL)
		return err_set(err, ERR_PARSE, "--watch needs --output, the file to keep true");
	if (args_has(args, "--watch") && cli->json)
		return err_set(err, ERR_PARSE,
			       "--watch goes on until it is ended: not with --json, which is one "
			       "document");
	if (args_value(args, "--reload") != NULL && args_value(args, "--output") == NULL)
		return err_set(err, ERR_PARSE, "--reload needs --output");
	r = read_number(args, "--write-port", 65535, WRITE_PORT, &ret->write_port, err);
	if (r >= 0)
		r = read_number(args, "--read-port", 65535, READ_PORT, &ret->read_port, err);
	if (r >= 0)
		r = read_number(args, "--router-id", 255, ROUTER_ID, &ret->router_id, err);
	return r;
}

static int make(struct cli *cli, const char *name, const struct proxy_wish *wish,
		struct buf *ret_text, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	int r = cli_picture(cli, name, &picture, err);

	return r < 0 ? r : proxy_print(&picture, wish, ret_text, err);
}

/* 1: written and not taken up, to be tried again. */
static int write_file(struct cli *cli, const struct args *args, const char *text, struct err *err)
{
	const char *path = args_value(args, "--output");
	const char *command = args_value(args, "--reload");
	int r = outside_replace(path, text, err);

	if (r < 0)
		return r;
	r = command != NULL ? outside_shell(command) : 0;
	if (!cli->json)
		cli_print_stamp();
	if (r == 0)
		report_add(cli, NULL, REPORT_DONE, 0, "%s is written%s", path,
			   command != NULL ? " and taken up" : "");
	else
		report_add(cli, NULL, REPORT_REFUSED, 0, "%s is written, but '%s' failed with %d",
			   path, command, r);
	return r == 0 ? 0 : 1;
}

/* What was done and said at the look before. */
struct keeper {
	char *written; /* NULL: nothing that was taken up */
	char said[512];
};

/* What cannot be made at the moment leaves the file as it is: without a leader there is nobody to
 * name, and without etcd and members nothing is known. */
static void keep_true(struct cli *cli, const struct args *args, const char *name,
		      const struct proxy_wish *wish, struct keeper *keeper)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct err err = { 0 };
	int r = make(cli, name, wish, &text, &err);

	if (r >= 0 && (keeper->written == NULL || !str_eq(keeper->written, text.data))) {
		r = write_file(cli, args, text.data, &err);
		free(keeper->written);
		keeper->written = r == 0 ? buf_take(&text) : NULL;
	}
	if (r < 0 && !str_eq(keeper->said, err.msg))
		fprintf(stderr, "Error: %s; the file stays as it is\n", err.msg);
	str_clip(keeper->said, sizeof(keeper->said), r < 0 ? err.msg : "");
	cli_wait_leader(cli, name, LOOK_MS);
}

static int dry_run(struct cli *cli, const struct args *args, const char *text)
{
	const char *path = args_value(args, "--output");
	const char *command = args_value(args, "--reload");

	report_line(cli, "%s", text);
	report_add(cli, NULL, REPORT_WOULD, 0, "Would write this to %s", path);
	if (command != NULL)
		report_add(cli, NULL, REPORT_WOULD, 0, "Would run: %s", command);
	return report_dry_end(cli);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *name;
	struct keeper keeper = { 0 };
	struct proxy_wish wish;
	int r;

	r = cli_cluster_named(cli, args_word(args, 1), &name, err);
	if (r < 0)
		return r;
	r = read_wish(cli, args, &wish, err);
	if (r < 0)
		return r;
	while (args_has(args, "--watch") && !cli->dry)
		keep_true(cli, args, name, &wish, &keeper);
	r = make(cli, name, &wish, &text, err);
	if (r < 0)
		return r;
	if (cli->dry && args_value(args, "--output") != NULL)
		return dry_run(cli, args, text.data);
	if (args_value(args, "--output") != NULL)
		return write_file(cli, args, text.data, err);
	if (cli->json)
		report_add(cli, NULL, REPORT_DONE, 0, "%s", text.data);
	else
		printf("%s", text.data);
	return 0;
}

static const char *const kinds[] = { "haproxy", "nginx", "pgbouncer", "keepalived",
				     "traefik", NULL };

static const struct args_option options[] = {
	{ .name = "--output", .also = "-o", .value = "FILE", .kind = ARGS_FILE,
	  .help = "Write it there." },
	{ .name = "--watch", .help = "Go on, and write it again whenever it changes." },
	{ .name = "--reload", .value = "CMD", .help = "Run this after each write." },
	CMD_DRY,
	{ .name = "--listen", .value = "ADDRESS", .help = "Address to listen on; all." },
	{ .name = "--write-port", .value = "PORT", .help = "Port of the primary; 5000." },
	{ .name = "--read-port", .value = "PORT", .help = "Port of standbys; 5001." },
	{ .name = "--lag", .value = "SIZE", .help = "haproxy: standbys further behind are out." },
	{ .name = "--vip", .value = "ADDRESS", .help = "keepalived: address/bits to move about." },
	{ .name = "--interface", .value = "NAME", .help = "keepalived: where the address goes." },
	{ .name = "--router-id", .value = "N", .help = "keepalived: virtual_router_id; 51." },
	{ .name = "--member", .also = "-m", .value = "NAME", .kind = ARGS_MEMBER,
	  .help = "keepalived: whose file it is; that of the configuration." },
	CMD_END,
};

const struct cli_command cmd_proxy = {
	.name = "proxy-config",
	.words = "haproxy|nginx|pgbouncer|keepalived|traefik [CLUSTER]",
	.takes = { { .choices = kinds }, CMD_CLUSTER },
	.words_min = 1,
	.words_max = 2,
	.help = "Print the configuration of a load balancer for the cluster as it is.",
	.more = "  HAProxy and keepalived ask the members who leads; their files change when some\n"
		"  come or go. The others cannot: theirs name the leader, and --watch keeps them\n"
		"  true.\n",
	.options = options,
	.run = run,
};
