/* SPDX-License-Identifier: PostgreSQL */
/*
 * cli - the commands of hactl, and what they share
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/cmd.h"
#include "cli/complete.h"
#include "cli/listing.h"
#include "cli/node.h"
#include "cli/report.h"
#include "cli/when.h"
#include "io/http.h"
#include "io/loop.h"

#define EXIT_USAGE 2

const struct cli_command *const cli_commands[] = {
	&cmd_list,
	&cmd_topology,
	&cmd_watch,
	&cmd_switchover,
	&cmd_failover,
	&cmd_pause,
	&cmd_resume,
	&cmd_restart,
	&cmd_reload,
	&cmd_reinit,
	&cmd_flush,
	&cmd_history,
	&cmd_show_config,
	&cmd_edit_config,
	&cmd_explain,
	&cmd_doctor,
	&cmd_why,
	&cmd_drill,
	&cmd_dsn,
	&cmd_query,
	&cmd_remove,
	&cmd_demote_cluster,
	&cmd_promote_cluster,
	&cmd_dcs,
	&cmd_migrate,
	&cmd_proxy,
	&cmd_version,
	&cmd_completion,
	NULL,
};

const char *const cli_roles[] = { "leader",  "primary", "standby-leader", "replica",
				  "standby", "any",	NULL };

/* What every command knows; all but the first may also stand before the command. */
static const struct args_option common_options[] = {
	/* Patroni has it for Citus, which is not supported here. */
	{ .name = "--group", .value = "N", .help = "Citus group; refused unless empty." },
	{ .name = "--config-file", .also = "-c", .value = "FILE", .kind = ARGS_FILE,
	  .help = "Configuration file." },
	{ .name = "--dcs-url", .also = "-d --dcs", .value = "URL",
	  .help = "Address of etcd: etcd3://host:port/namespace." },
	{ .name = "--insecure", .also = "-k",
	  .help = "Do not verify the certificates of the members' REST APIs." },
	{ .name = "--json", .help = "Print one JSON document, for programs." },
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

const struct args_option *cli_global_options(void)
{
	return global_options;
}

const struct args_option *cli_program_options(void)
{
	return program_options;
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
		buf_printf(ret_text, "  %-15s  %s\n", (*c)->name, (*c)->help);
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

const struct cli_command *cli_find(const char *name)
{
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++)
		if (str_eq((*c)->name, name))
			return *c;
	return NULL;
}

enum table_format cli_format(const struct args *args)
{
	const char *format = args_value(args, "--format");

	if (format == NULL && args_has(args, "--json"))
		return TABLE_JSON;
	return table_format_of(format);
}

void cli_show(const struct picture *picture)
{
	static const struct listing listing = { .format = TABLE_PRETTY };
	_cleanup_(buf_done) struct buf text = { 0 };

	listing_print(&listing, picture, &text);
	printf("%s", text.data);
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

void cli_wait_leader(struct cli *cli, const char *cluster, int64_t ms)
{
	const int64_t until_ms = loop_now_ms() + ms;
	char key[ETCD_KEY_SIZE];

	if (cli->dcs == NULL || cli_key(cli, cluster, "leader", key, NULL) < 0) {
		cli_wait(cli, ms);
		return;
	}
	dcs_watch(cli->dcs, key);
	while (!dcs_changed(cli->dcs)) {
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

int cli_open(struct cli *cli, const struct setup_args *args, struct err *err)
{
	int r = loop_new(&cli->loop, err);

	cli->setup_args = *args;
	if (r >= 0)
		r = http_new(cli->loop, &cli->http, err);
	return r < 0 ? r : setup_load(args, &cli->setup, err);
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

	cli->dry = args_has(args, "--dry-run");
	cli->json = args_has(args, "--json");
	r = command->alone ? 0 : cli_open(cli, &setup_args, err);

	return r < 0 ? r : command->run(cli, args, err);
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

/* What did not get out, onto a full disk for one, is no answer: who reads it must not take it for
 * the whole. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	fprintf(stderr, "Error: what is printed could not be written whole\n");
	return code != EXIT_SUCCESS ? code : EXIT_FAILURE;
}

static int fail(const struct cli_command *command, const struct err *err)
{
	if (err->code == ERR_CANCELED)
		fprintf(stderr, "%s\n", err->msg);
	else
		fprintf(stderr, "Error: %s\n", err->msg);
	return command->failure != 0 ? command->failure : EXIT_FAILURE;
}

void cli_done(struct cli *cli)
{
	dcs_free(cli->dcs);
	api_free(cli->api);
	http_free(cli->http);
	loop_free(cli->loop);
	setup_done(&cli->setup);
	report_done(&cli->report);
}

static int run_named(const char *program, const char *name, struct args *args, int argc,
		     char *const *argv, const char *const *env)
{
	const struct cli_command *command = cli_find(name);
	const char *guess = cli_guess(name);
	_cleanup_(buf_done) struct buf help = { 0 };
	_cleanup_(cli_done) struct cli cli = { .program = program };
	struct err err = { 0 };
	int r;

	if (str_eq(name, COMPLETE_VERB))
		return complete_run(program, argc, argv, env);
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
		return finish(EXIT_SUCCESS);
	}
	if (r >= 0)
		r = check_words(command, args, &err);
	if (r < 0)
		return usage_failure(program, command, &err);
	r = run_command(&cli, command, args, env, &err);
	report_print(&cli, r, &err);
	return finish(r >= 0 ? r : fail(command, &err));
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
		return finish(EXIT_SUCCESS);
	}
	cli_help(program, &help);
	if (args_has(&args, "--help")) {
		printf("%s", help.data);
		return finish(EXIT_SUCCESS);
	}
	if (1 + used >= argc) {
		fprintf(stderr, "%s", help.data);
		return EXIT_USAGE;
	}
	return run_named(program, argv[1 + used], &args, argc - used - 2, argv + used + 2, env);
}
