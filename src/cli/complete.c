/* SPDX-License-Identifier: PostgreSQL */
/*
 * complete - what may stand where the cursor is
 */
#include "cli/complete.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/node.h"

/* Nobody waits longer for a list of names. */
#define PATIENCE_MS 1500

/* The line as far as it is typed. */
struct line {
	const char *program;
	const char *const *env;
	const struct cli_command *command;  /* NULL: not named yet */
	const struct args_option *expected; /* its value is being typed; NULL none */
	const struct args_option *seen[ARGS_MAX];
	size_t nseen;
	const char *words[ARGS_MAX]; /* of the command */
	size_t nwords;
	const char *file, *dcs_url, *cluster; /* where to ask; NULL as usual */
	bool options_ended;
	bool insecure;
	const char *begun;  /* what the candidates must begin with */
	const char *prefix; /* and what is put before them: "--format=" */
	int prefix_len;
};

static const struct args_option *find(const struct line *line, const char *name, size_t len)
{
	const struct args_option *option;

	if (line->command == NULL) {
		option = args_find(cli_global_options(), name, len);
		return option != NULL ? option : args_find(cli_program_options(), name, len);
	}
	option = args_find(line->command->options, name, len);
	return option != NULL ? option : args_find(cli_common_options(), name, len);
}

static void take_value(struct line *line, const struct args_option *option, const char *value)
{
	if (str_eq(option->name, "--config-file"))
		line->file = value;
	else if (str_eq(option->name, "--dcs-url"))
		line->dcs_url = value;
	else if (option->kind == ARGS_CLUSTER)
		line->cluster = value;
}

static void take_option(struct line *line, const struct args_option *option, const char *value)
{
	if (option == NULL)
		return;
	if (line->nseen < ARGS_MAX)
		line->seen[line->nseen++] = option;
	if (str_eq(option->name, "--insecure"))
		line->insecure = true;
	if (value != NULL)
		take_value(line, option, value);
	else if (option->value != NULL)
		line->expected = option;
}

/* -et, -fjson, -f json */
static void take_short(struct line *line, const char *word)
{
	for (size_t i = 1; word[i] != '\0'; i++) {
		const char name[3] = { '-', word[i], '\0' };
		const struct args_option *option = find(line, name, 2);
		const bool has_value = option != NULL && option->value != NULL;

		take_option(line, option, has_value && word[i + 1] != '\0' ? word + i + 1 : NULL);
		if (has_value)
			return;
	}
}

/* A word that is complete. */
static void take(struct line *line, const char *word)
{
	const size_t len = strcspn(word, "=");

	if (line->expected != NULL) {
		take_value(line, line->expected, word);
		line->expected = NULL;
	} else if (!line->options_ended && str_eq(word, "--")) {
		line->options_ended = true;
	} else if (!line->options_ended && str_starts(word, "--")) {
		take_option(line, find(line, word, len), word[len] == '=' ? word + len + 1 : NULL);
	} else if (!line->options_ended && word[0] == '-' && word[1] != '\0') {
		take_short(line, word);
	} else if (line->command == NULL) {
		line->command = cli_find(word);
	} else if (line->nwords < ARGS_MAX) {
		line->words[line->nwords++] = word;
	}
}

static void offer(const struct line *line, const char *word, const char *help)
{
	if (!str_starts(word, line->begun))
		return;
	printf("%.*s%s%s%s\n", line->prefix_len, line->prefix_len > 0 ? line->prefix : "", word,
	       help != NULL ? "\t" : "", help != NULL ? help : "");
}

static bool was_given(const struct line *line, const struct args_option *option)
{
	for (size_t i = 0; i < line->nseen; i++)
		if (line->seen[i] == option)
			return !option->many;
	return false;
}

/* Of the several spellings the first. */
static void offer_options(const struct line *line, const struct args_option *list)
{
	for (; list != NULL && list->name != NULL; list++)
		if (!was_given(line, list))
			offer(line, list->name, list->help);
}

static int ask_cluster(const struct line *line, struct cli *cli, struct err *err)
{
	const struct setup_args args = { .file = line->file,
					 .dcs_url = line->dcs_url,
					 .insecure = line->insecure,
					 .env = line->env };
	int r;

	cli->program = line->program;
	r = cli_open(cli, &args, err);
	cli->patience_ms = PATIENCE_MS;
	return r;
}

/* The cluster whose members are meant: an option's, a word's, or that of the configuration. */
static const char *cluster_of(const struct line *line, const struct cli *cli)
{
	if (line->cluster != NULL)
		return line->cluster;
	for (size_t i = 0; line->command != NULL && i < CLI_WORDS_MAX && i < line->nwords; i++)
		if (line->command->takes[i].kind == ARGS_CLUSTER)
			return line->words[i];
	return cli->setup.config->scope;
}

static bool is_word(const struct line *line, const char *name)
{
	for (size_t i = 0; i < line->nwords; i++)
		if (str_eq(line->words[i], name))
			return true;
	return false;
}

static void offer_members(const struct line *line)
{
	_cleanup_(cli_done) struct cli cli = { 0 };
	_cleanup_(picture_done) struct picture picture = { 0 };
	struct err err = { 0 };
	const char *name;

	if (ask_cluster(line, &cli, &err) < 0)
		return;
	name = cluster_of(line, &cli);
	if (*name == '\0' || cli_picture(&cli, name, &picture, &err) < 0)
		return;
	for (const struct tree_node *m = picture_members(&picture); m != NULL; m = m->next) {
		_cleanup_(freep) char *help =
			str_dupf("%s, %s", node_str(m, "role"), node_str(m, "state"));

		if (line->expected != NULL || !is_word(line, node_str(m, "name")))
			offer(line, node_str(m, "name"), help);
	}
}

/* Keys lie in their order, so one cluster's come together. */
static void offer_clusters(const struct line *line)
{
	_cleanup_(cli_done) struct cli cli = { 0 };
	_cleanup_(etcd_kvs_done) struct etcd_kvs kvs = { 0 };
	_cleanup_(freep) char *last = NULL;
	struct err err = { 0 };
	size_t skip;

	if (ask_cluster(line, &cli, &err) < 0)
		return;
	for (size_t i = 0; i < cli.setup.nscopes; i++)
		offer(line, cli.setup.scopes[i], NULL);
	if (cli.setup.nscopes > 0 || cli_read_namespace(&cli, &kvs, &err) < 0)
		return;
	skip = strlen(cli.setup.config->namespace_);
	skip += skip > 0 ? 2 : 1;
	for (size_t i = 0; i < kvs.n; i++) {
		const char *rest = kvs.items[i].key + MIN_OF(skip, strlen(kvs.items[i].key));
		const size_t len = strcspn(rest, "/");
		_cleanup_(freep) char *name = str_ndup(rest, len);

		if (rest[len] == '\0' || str_eq(name, last) || is_word(line, name))
			continue;
		offer(line, name, NULL);
		free(last);
		last = TAKE(name);
	}
}

static void offer_kind(const struct line *line, enum args_kind kind, const char *const *choices)
{
	for (; choices != NULL && *choices != NULL; choices++)
		offer(line, *choices, NULL);
	switch (kind) {
	case ARGS_FILE:
		printf(COMPLETE_FILES "\n");
		return;
	case ARGS_CLUSTER:
		offer_clusters(line);
		return;
	case ARGS_MEMBER:
		offer_members(line);
		return;
	case ARGS_TEXT:
	case ARGS_KIND__MAX:
		return;
	}
}

static void offer_word(const struct line *line)
{
	const struct cli_word *word;
	size_t at = 0;

	if (line->command == NULL) {
		for (const struct cli_command *const *c = cli_commands; *c != NULL; c++)
			offer(line, (*c)->name, (*c)->help);
		return;
	}
	while (at < line->nwords && at + 1 < CLI_WORDS_MAX && !line->command->takes[at].many)
		at++;
	word = &line->command->takes[at];
	if (at == line->nwords || word->many)
		offer_kind(line, word->kind, word->choices);
}

/* What is being typed. */
static void offer_all(struct line *line, const char *current)
{
	const size_t len = strcspn(current, "=");
	const struct args_option *option;

	line->begun = current;
	if (line->expected != NULL) {
		offer_kind(line, line->expected->kind, line->expected->choices);
		return;
	}
	if (line->options_ended || current[0] != '-') {
		offer_word(line);
		return;
	}
	if (!str_starts(current, "--") || current[len] != '=') {
		if (line->command != NULL)
			offer_options(line, line->command->options);
		offer_options(line, line->command != NULL ? cli_common_options() :
							    cli_global_options());
		if (line->command == NULL)
			offer_options(line, cli_program_options());
		return;
	}
	option = find(line, current, len);
	if (option == NULL || option->value == NULL)
		return;
	line->begun = current + len + 1;
	line->prefix = current;
	line->prefix_len = (int)len + 1;
	line->expected = option;
	offer_kind(line, option->kind, option->choices);
}

int complete_run(const char *program, int argc, char *const *argv, const char *const *env)
{
	_cleanup_(freep) struct line *line = mem_new(1, sizeof(*line));
	bool named = true;

	line->program = program;
	line->env = env;
	for (int i = 0; i + 1 < argc && named; i++) {
		const bool is_name = line->command == NULL && line->expected == NULL &&
				     argv[i][0] != '-';

		take(line, argv[i]);
		/* Behind a name that is none nothing can be said. */
		named = !is_name || line->command != NULL;
	}
	if (argc > 0 && named)
		offer_all(line, argv[argc - 1]);
	return EXIT_SUCCESS;
}
