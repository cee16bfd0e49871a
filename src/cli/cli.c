/* SPDX-License-Identifier: PostgreSQL */
/*
 * cli - the commands of hactl, and what they share
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/node.h"
#include "cli/when.h"
#include "io/http.h"
#include "io/loop.h"

#define EXIT_USAGE 2
#define REST_TIMEOUT_MS 5000

const struct cli_command *const cli_commands[] = {
	&cmd_list,	  &cmd_topology, &cmd_switchover, &cmd_failover, &cmd_pause,
	&cmd_resume,	  &cmd_restart,	 &cmd_reload,	  &cmd_reinit,	 &cmd_flush,
	&cmd_history,	  &cmd_show_config, &cmd_edit_config, &cmd_explain, &cmd_dsn,
	&cmd_remove,	  &cmd_dcs,	 &cmd_migrate,	  &cmd_proxy,
	&cmd_version,	  NULL,
};

const char *const cli_roles[] = { "leader",  "primary", "standby-leader", "replica",
				  "standby", "any",	NULL };

/* What every command knows; all but the first may also stand before the command. */
static const struct args_option common_options[] = {
	/* Patroni has it for Citus, which is not supported here. */
	{ .name = "--group", .value = "N", .help = "Citus group; refused unless empty." },
	{ .name = "--config-file", .also = "-c", .value = "FILE", .help = "Configuration file." },
	{ .name = "--dcs-url", .also = "-d --dcs", .value = "URL",
	  .help = "Address of etcd: etcd3://host:port/namespace." },
	{ .name = "--insecure", .also = "-k",
	  .help = "Do not verify the certificates of the members' REST APIs." },
	{ .name = "--help", .also = "-h", .help = "Show this message and exit." },
	{ .name = NULL },
};

static const struct args_option *const global_options = common_options + 1;

static const struct args_option program_options[] = {
	{ .name = "--version", .help = "Show the version and exit." },
	{ .name = NULL },
};

const struct args_option *cli_common_options(void)
{
	return common_options;
}

static void add_option(const struct args_option *option, struct buf *text)
{
	char left[64] = "";
	char names[48] = "";
	const char *also = option->also != NULL ? option->also : "";
	size_t n = 0;

	for (; *also != '\0' && n + 3 < sizeof(names); also++) {
		names[n++] = *also == ' ' ? ',' : *also;
		if (*also == ' ')
			names[n++] = ' ';
	}
	names[n] = '\0';
	(void)str_printf(left, sizeof(left), "%s%s%s%s%s", names, n > 0 ? ", " : "",
			 option->name, option->value != NULL ? " " : "",
			 option->value != NULL ? option->value : "");
	buf_printf(text, "  %-28s  %s\n", left, option->help);
}

static void add_options(const struct args_option *option, struct buf *text)
{
	for (; option != NULL && option->name != NULL; option++)
		add_option(option, text);
}


void cli_help(const char *program, struct buf *ret_text)
{
	buf_printf(ret_text,
		   "Usage: %s [OPTIONS] COMMAND [ARGS]...\n\n"
		   "  Shows and controls clusters of PostgreSQL servers run by pghad.\n\n"
		   "Options:\n",
		   program);
	add_options(global_options, ret_text);
	add_options(program_options, ret_text);
	buf_str(ret_text, "\nCommands:\n");
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++)
		buf_printf(ret_text, "  %-12s  %s\n", (*c)->name, (*c)->help);
	buf_printf(ret_text, "\nMore on a command: %s COMMAND --help\n", program);
}

static void add_usage(const char *program, const struct cli_command *command, struct buf *text)
{
	buf_printf(text, "Usage: %s %s [OPTIONS]%s%s\n", program, command->name,
		   *command->words != '\0' ? " " : "", command->words);
}

void cli_command_help(const char *program, const struct cli_command *command,
		      struct buf *ret_text)
{
	add_usage(program, command, ret_text);
	buf_printf(ret_text, "\n  %s\n", command->help);
	if (command->more != NULL)
		buf_printf(ret_text, "\n%s", command->more);
	buf_str(ret_text, "\nOptions:\n");
	add_options(command->options, ret_text);
	add_options(common_options, ret_text);
}

const char *cli_guess(const char *name)
{
	const char *best = NULL;
	unsigned least = 3;

	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		unsigned distance = args_distance((*c)->name, name);

		if (*name != '\0' && str_starts((*c)->name, name))
			distance = 1;
		if (distance < least) {
			least = distance;
			best = (*c)->name;
		}
	}
	return best;
}

static const struct cli_command *find_command(const char *name)
{
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++)
		if (str_eq((*c)->name, name))
			return *c;
	return NULL;
}

int cli_cluster(const struct cli *cli, const struct args *args, const char **ret_name,
		struct err *err)
{
	const char *name = args_word(args, 0);

	if (name == NULL && *cli->setup.config->scope == '\0')
		return err_set(err, ERR_CONFIG,
			       "No cluster name given, and no scope in the configuration");
	*ret_name = name != NULL ? name : cli->setup.config->scope;
	return 0;
}

int cli_key(const struct cli *cli, const char *cluster, const char *key, char dst[ETCD_KEY_SIZE],
	    struct err *err)
{
	const char *space = cli->setup.config->namespace_;

	if (*cluster == '\0' || strchr(cluster, '/') != NULL ||
	    str_printf(dst, ETCD_KEY_SIZE, "%s%s/%s/%s", *space != '\0' ? "/" : "", space, cluster,
		       key) < 0)
		return err_set(err, ERR_RANGE, "'%s' is no name of a cluster", cluster);
	return 0;
}

static struct api *need_api(struct cli *cli)
{
	if (cli->api == NULL)
		cli->api = api_new(cli->loop, cli->http, &cli->setup.config->ctl);
	return cli->api;
}

static int need_dcs(struct cli *cli, struct err *err)
{
	if (cli->dcs != NULL)
		return 0;
	if (cli->setup.config->etcd.nendpoints == 0 && cli->setup.config->etcd.srv == NULL)
		return err_set(err, ERR_CONFIG,
			       "no address of etcd: give it with -d etcd3://host:2379, or name a "
			       "configuration file with -c%s%s",
			       cli->setup.file != NULL ? "; read was " : "",
			       cli->setup.file != NULL ? cli->setup.file : "");
	return dcs_new(cli->loop, cli->http, &cli->setup.config->etcd, &cli->dcs, err);
}

int cli_picture_dcs(struct cli *cli, const char *name, struct picture *ret, struct err *err)
{
	char prefix[ETCD_KEY_SIZE];
	struct etcd_kvs kvs = { 0 };
	int r;

	r = need_dcs(cli, err);
	if (r < 0)
		return r;
	r = cli_key(cli, name, "", prefix, err);
	if (r < 0)
		return r;
	r = dcs_read(cli->dcs, prefix, &kvs, err);
	if (r < 0)
		return r;
	picture_from_kvs(name, prefix, &kvs, ret);
	etcd_kvs_done(&kvs);
	if (ret->notes.len > 0)
		fprintf(stderr, "%s", ret->notes.data);
	return 0;
}

static void find_sysid(struct cli *cli, char dst[SYSID_SIZE])
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(tree_done) struct tree status = { 0 };
	_cleanup_(freep) char *url = api_url(cli->setup.rest_url, "patroni");

	dst[0] = '\0';
	if (api_call(need_api(cli), "GET", url, NULL, REST_TIMEOUT_MS, &reply, NULL) < 0 ||
	    tree_from_json(api_text(&reply), reply.body.len, &status, NULL) < 0)
		return;
	str_clip(dst, SYSID_SIZE, node_str(status.root, "database_system_identifier"));
}

static int picture_by_rest(struct cli *cli, const char *name, struct picture *ret,
			   bool *ret_stale, struct err *err)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(freep) char *url = api_url(cli->setup.rest_url, "cluster");
	char sysid[SYSID_SIZE];
	int r;

	r = api_call(need_api(cli), "GET", url, NULL, REST_TIMEOUT_MS, &reply, err);
	if (r < 0)
		return r;
	find_sysid(cli, sysid);
	/* 503 with a body: etcd is away there as well, and it tells what it saw last. */
	r = picture_from_rest(name, api_text(&reply), reply.body.len, sysid, ret, err);
	if (r < 0)
		return err_set(err, ERR_PROTOCOL, "%s answered %d: %.200s", url, reply.code,
			       api_text(&reply));
	*ret_stale = reply.code != 200;
	return 0;
}

int cli_picture(struct cli *cli, const char *name, struct picture *ret, struct err *err)
{
	struct err rest_err = { 0 };
	bool stale = false;
	int r;

	r = cli_picture_dcs(cli, name, ret, err);
	if (r >= 0 || *cli->setup.rest_url == '\0' || !str_eq(name, cli->setup.config->scope))
		return r;
	if (picture_by_rest(cli, name, ret, &stale, &rest_err) < 0)
		return err_set(err, ERR_CONNECT, "%s; nor does the REST API help: %s", err->msg,
			       rest_err.msg);
	fprintf(stderr, "%s\nShown is what the member at %s %s.\n", err->msg, cli->setup.rest_url,
		stale ? "saw last; it does not reach etcd either" : "knows");
	return 0;
}

int cli_picture_own(struct cli *cli, const struct args *args, struct picture *ret,
		    struct err *err)
{
	const char *name = NULL;
	int r;

	r = cli_cluster(cli, args, &name, err);
	return r < 0 ? r : cli_picture_dcs(cli, name, ret, err);
}

void cli_show(const struct picture *picture)
{
	static const struct listing listing = { .format = TABLE_PRETTY };
	_cleanup_(buf_done) struct buf text = { 0 };

	listing_print(&listing, picture, &text);
	printf("%s", text.data);
}

int cli_request(struct cli *cli, const struct tree_node *member, const char *method,
		const char *path, const char *body, int64_t timeout_ms, struct api_reply *ret,
		struct err *err)
{
	const char *base = node_str(member, "api_url");
	_cleanup_(freep) char *url = NULL;

	if (*base == '\0')
		return err_set(err, ERR_STATE, "member '%s' has no REST API address",
			       node_str(member, "name"));
	url = api_url(base, path);
	return api_call(need_api(cli), method, url, body, timeout_ms, ret, err);
}

void cli_wait(struct cli *cli, int64_t ms)
{
	const int64_t until_ms = loop_now_ms() + ms;

	for (;;) {
		const int64_t left_ms = until_ms - loop_now_ms();

		if (left_ms <= 0)
			return;
		(void)loop_step(cli->loop, left_ms);
	}
}

void cli_print_stamp(void)
{
	char stamp[WHEN_SIZE];

	when_stamp(loop_wall_us(), true, stamp);
	printf("%s ", stamp);
}

/* Failures are told by the command that met them; what the adapters log is for the curious. */
static void set_log_level(const char *const *env)
{
	static const char *const names[] = { "LOGLEVEL=", "PATRONI_LOGLEVEL=",
					     "PATRONI_LOG_LEVEL=" };
	enum log_level least = LOG_CRITICAL;

	for (; env != NULL && *env != NULL; env++)
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			for (enum log_level l = LOG_DEBUG; l < LOG__MAX; l++)
				if (str_starts(*env, names[i]) &&
				    str_ieq(*env + strlen(names[i]), log_level_name(l)))
					least = l;
	log_level_set(least);
}

/* What is wrong with the words of this command, as click says it. */
static int check_words(const struct cli_command *command, const struct args *args,
		       struct err *err)
{
	const char *group = args_value(args, "--group");

	if (args->nwords < command->words_min)
		return err_set(err, ERR_PARSE, "Missing argument%s. It takes: %s",
			       command->words_min == 1 ? " 'CLUSTER'" : "", command->words);
	if (args->nwords > command->words_max)
		return err_set(err, ERR_PARSE, "Got unexpected extra argument (%s)",
			       args->words[command->words_max]);
	if (group != NULL && *group != '\0')
		return err_set(err, ERR_PARSE, "Citus groups are not supported");
	return 0;
}

static int run_command(struct cli *cli, const struct cli_command *command,
		       const struct args *args, const char *const *env, struct err *err)
{
	const struct setup_args setup_args = {
		.file = args_value(args, "--config-file"),
		.dcs_url = args_value(args, "--dcs-url"),
		.insecure = args_has(args, "--insecure"),
		.env = env,
	};
	int r;

	r = loop_new(&cli->loop, err);
	if (r >= 0)
		r = http_new(cli->loop, &cli->http, err);
	if (r < 0)
		return r;
	r = setup_load(&setup_args, &cli->setup, err);
	if (r < 0)
		return r;
	return command->run(cli, args, err);
}

static int usage_failure(const char *program, const struct cli_command *command,
			 const struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (command != NULL)
		add_usage(program, command, &text);
	else
		buf_printf(&text, "Usage: %s [OPTIONS] COMMAND [ARGS]...\n", program);
	fprintf(stderr, "%sTry '%s%s%s --help' for help.\n\nError: %s\n", text.data, program,
		command != NULL ? " " : "", command != NULL ? command->name : "", err->msg);
	return EXIT_USAGE;
}

static int finish(int r, const struct err *err)
{
	(void)fflush(stdout);
	if (r >= 0)
		return r;
	if (err->code == ERR_CANCELED)
		fprintf(stderr, "%s\n", err->msg);
	else
		fprintf(stderr, "Error: %s\n", err->msg);
	return EXIT_FAILURE;
}

static void cli_done(struct cli *cli)
{
	dcs_free(cli->dcs);
	api_free(cli->api);
	http_free(cli->http);
	loop_free(cli->loop);
	setup_done(&cli->setup);
}

static int run_named(const char *program, const char *name, struct args *args, int argc,
		     char *const *argv, const char *const *env)
{
	const struct cli_command *command = find_command(name);
	const char *guess = cli_guess(name);
	_cleanup_(buf_done) struct buf help = { 0 };
	_cleanup_(cli_done) struct cli cli = { .program = program };
	struct err err = { 0 };
	int r;

	if (command == NULL) {
		(void)err_set(&err, ERR_PARSE, "No such command '%s'.%s%s%s", name,
			      guess != NULL ? " Did you mean '" : "", guess != NULL ? guess : "",
			      guess != NULL ? "'?" : "");
		return usage_failure(program, NULL, &err);
	}
	r = args_parse(args, command->options, common_options, argc, argv, false, NULL, &err);
	if (r >= 0 && args_has(args, "--help")) {
		cli_command_help(program, command, &help);
		printf("%s", help.data);
		return EXIT_SUCCESS;
	}
	if (r >= 0)
		r = check_words(command, args, &err);
	if (r < 0)
		return usage_failure(program, command, &err);
	r = run_command(&cli, command, args, env, &err);
	return finish(r, &err);
}

int cli_main(int argc, char *const *argv, const char *const *env)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *program = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "hactl";
	_cleanup_(buf_done) struct buf help = { 0 };
	struct args args = { 0 };
	struct err err = { 0 };
	int used = 0;

	set_log_level(env);
	if (argc > 1 && args_parse(&args, global_options, program_options, argc - 1, argv + 1,
				   true, &used, &err) < 0)
		return usage_failure(program, NULL, &err);
	if (args_has(&args, "--version")) {
		printf("%s %s\n", program, PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	cli_help(program, &help);
	if (args_has(&args, "--help")) {
		printf("%s", help.data);
		return EXIT_SUCCESS;
	}
	if (1 + used >= argc) {
		fprintf(stderr, "%s", help.data);
		return EXIT_USAGE;
	}
	return run_named(program, argv[1 + used], &args, argc - used - 2, argv + used + 2, env);
}
