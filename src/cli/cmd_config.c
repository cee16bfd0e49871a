/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_config - show-config and edit-config: the dynamic configuration
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/diff.h"
#include "cli/edit.h"
#include "cli/editcheck.h"
#include "cli/node.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "wire/confremote.h"
#include "wire/restmsg.h"
#include "wire/treedump.h"

#define TEXT_MAX ETCD_VALUE_MAX

static int run_show(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	r = cli_picture_own(cli, args, &picture, err);
	if (r < 0)
		return r;
	if (picture.config.root == NULL && picture.secondhand)
		return err_set(err, ERR_CONNECT,
			       "The member that was asked does not tell the configuration: it does "
			       "not reach etcd either");
	if (picture.config.root == NULL)
		return err_set(err, ERR_STATE, "Cluster %s has no %sconfiguration in etcd",
			       picture.name, picture.config_exists ? "readable " : "");
	if (cli->json)
		treedump_json(picture.config.root, &text);
	else
		treedump_yaml(picture.config.root, false, &text);
	printf("%s\n", text.data);
	return 0;
}

static int change_by_file(const char *path, bool replace, struct tree *config, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	r = outside_read(path, TEXT_MAX, &text, err);
	if (r < 0)
		return r;
	if (replace) {
		tree_done(config);
		edit_empty(config);
	}
	r = edit_apply(config, text.data != NULL ? text.data : "", text.len, err);
	return r < 0 ? err_wrap(err, "%s", path) : 0;
}

static int change_by_pairs(const struct args *args, struct tree *config, struct err *err)
{
	const char *pair;
	size_t pos = 0;

	while ((pair = args_each(args, "--set", &pos)) != NULL) {
		int r = edit_set(config, pair, err);

		if (r < 0)
			return r;
	}
	pos = 0;
	while ((pair = args_each(args, "--pg", &pos)) != NULL) {
		_cleanup_(freep) char *whole = NULL;
		int r;

		whole = str_dupf("postgresql.parameters.%s", pair + strspn(pair, " \t"));
		r = edit_set(config, whole, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int change_by_editor(const char *name, const char *before, struct tree *config,
			    struct buf *ret_after, struct err *err)
{
	int r;

	r = outside_edit(name, before, TEXT_MAX, ret_after, err);
	if (r < 0)
		return r;
	tree_done(config);
	return edit_parse(ret_after->data != NULL ? ret_after->data : "", ret_after->len, config,
			  err);
}

/* Members that take what can run programs from their own files alone, as they publish it. */
static void name_guarded(const struct picture *picture, struct buf *ret_names)
{
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (!node_bool(tree_child(m, "pgha"), "allow_remote_commands", true))
			buf_printf(ret_names, "%s%s", ret_names->len > 0 ? ", " : "",
				   node_str(m, "name"));
}

static int look_for_commands(const struct picture *picture, const struct tree *config,
			     struct err *err)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	char path[TREE_PATH_SIZE];

	name_guarded(picture, &names);
	if (names.len == 0 || !confremote_brings(picture->config.root, config->root, path))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "Nothing was changed: %s: %s would not apply it, because of "
		       CONFREMOTE_KEY ": false; set it in the file of each member, then hactl "
		       "reload",
		       path, names.data);
}

/* What the members would not take is refused; what they would ignore is said. */
static int look_at(const struct picture *picture, const struct tree *config, struct err *err)
{
	_cleanup_(buf_done) struct buf hints = { 0 };
	int r = editcheck(picture->config.root, config->root, &hints, err);

	if (r >= 0)
		r = look_for_commands(picture, config, err);
	if (r >= 0 && hints.len > 0)
		(void)fputs(hints.data, stderr);
	return r;
}

/* A slip does not cost what was typed, where somebody is there to mend it. */
static int change_by_hand(const struct picture *picture, const char *before, struct tree *config,
			  struct buf *ret_after, struct err *err)
{
	_cleanup_(freep) char *text = str_dup(before);

	for (;;) {
		bool again = false;
		int r;

		buf_done(ret_after);
		r = change_by_editor(picture->name, text, config, ret_after, err);
		if (r >= 0)
			r = look_at(picture, config, err);
		if (r >= 0 || ret_after->data == NULL || !isatty(STDIN_FILENO))
			return r;
		(void)fprintf(stderr, "Error: %s\n", err->msg);
		r = ask_yes("Edit it again?", &again, err);
		if (r < 0 || !again)
			return err_set(err, ERR_CANCELED, "Aborted!");
		freep(&text);
		text = str_dup(ret_after->data);
	}
}

/* All that the command line asks for, in Patroni's order. *after gets what the editor left. */
static int change(const struct args *args, const struct picture *picture, const char *before,
		  struct tree *config, struct buf *after, struct err *err)
{
	const char *replace = args_value(args, "--replace");
	const char *apply = args_value(args, "--apply");
	int r = 0;

	if (replace != NULL)
		r = change_by_file(replace, true, config, err);
	if (r >= 0 && apply != NULL)
		r = change_by_file(apply, false, config, err);
	if (r >= 0)
		r = change_by_pairs(args, config, err);
	if (r < 0)
		return r;
	if (replace != NULL || apply != NULL || args_has(args, "--set") || args_has(args, "--pg"))
		return look_at(picture, config, err);
	return change_by_hand(picture, before, config, after, err);
}

static int write_config(struct cli *cli, const struct picture *picture, const struct tree *config,
			struct err *err)
{
	_cleanup_(buf_done) struct buf json = { 0 };
	char key[ETCD_KEY_SIZE];
	int r;

	r = cli_key(cli, picture->name, "config", key, err);
	if (r < 0)
		return r;
	tree_to_json(config->root, &json);
	if (restmsg_config_check(json.data, json.len, err) < 0)
		return err_wrap(err, "Nothing was changed: members would not take it");
	if (cli->dry) {
		report_add(cli, NULL, REPORT_WOULD, 0,
			   "Would write to etcd, over revision %lld: %s = %s",
			   (long long)picture->config_revision, key, json.data);
		return report_dry_end(cli);
	}
	r = dcs_put(cli->dcs, key, json.data, picture->config_revision, err);
	if (r == DCS_CONFLICT)
		return err_set(err, ERR_STATE,
			       "Config modification aborted due to concurrent changes");
	if (r < 0)
		return r;
	report_add(cli, NULL, REPORT_DONE, 0, "Configuration changed");
	return 0;
}

static void show_change(const char *before, const char *after)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	diff_unified(before, after, isatty(STDOUT_FILENO), &text);
	if (text.len > 0)
		outside_page(text.data);
}

static bool reads_stdin(const struct args *args)
{
	return str_eq(args_value(args, "--apply"), "-") ||
	       str_eq(args_value(args, "--replace"), "-");
}

/* Shows what changes, asks, writes. */
static int settle(struct cli *cli, const struct args *args, const struct picture *picture,
		  const char *before, const char *edited, const struct tree *config,
		  struct err *err)
{
	const bool quiet = args_has(args, "--quiet");
	const bool force = !report_asks(cli, args);
	_cleanup_(buf_done) struct buf after = { 0 };
	bool yes = force;
	int r;

	treedump_yaml(config->root, false, &after);
	if (str_eq(before, after.data) && picture->config.root != NULL) {
		if (!quiet || cli->json)
			report_add(cli, NULL, REPORT_NOTHING, 0, "Not changed");
		return 0;
	}
	if (!quiet && !cli->json)
		show_change(before, edited != NULL ? edited : after.data);
	if (reads_stdin(args) && !force) {
		printf("Use --force option to apply changes\n");
		return 0;
	}
	if (!force) {
		r = ask_yes("Apply these changes?", &yes, err);
		if (r < 0)
			return r;
	}
	return yes ? write_config(cli, picture, config, err) : 0;
}

/* A key that holds garbage can only be replaced as a whole. */
static int take_config(const struct args *args, const struct picture *picture, struct tree *ret,
		       struct err *err)
{
	_cleanup_(tree_done) struct tree copy = { 0 };
	struct tree_node *root;

	if (picture->config.root == NULL && picture->config_exists &&
	    args_value(args, "--replace") == NULL)
		return err_set(err, ERR_STATE,
			       "The configuration in etcd cannot be read; give a whole one with "
			       "--replace");
	if (picture->config.root == NULL) {
		edit_empty(ret);
		return 0;
	}
	if (tree_copy(&copy, NULL, NULL, picture->config.root, &root, err) < 0)
		return err_wrap(err, "configuration");
	*ret = copy;
	copy = (struct tree){ 0 };
	return 0;
}

static int run_edit(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(tree_done) struct tree config = { 0 };
	_cleanup_(buf_done) struct buf before = { 0 };
	_cleanup_(buf_done) struct buf edited = { 0 };
	int r;

	r = report_check(cli, args, err);
	if (r >= 0)
		r = cli_picture_own(cli, args, &picture, err);
	if (r < 0)
		return r;
	if (picture.secondhand)
		return err_set(
			err, ERR_CONNECT,
			"A change has to be compared with what stands in etcd, which cannot be "
			"reached from here; run this where it can, or PATCH /config of a member");
	r = take_config(args, &picture, &config, err);
	if (r < 0)
		return r;
	treedump_yaml(config.root, false, &before);
	r = change(args, &picture, before.data, &config, &edited, err);
	if (r < 0)
		return r;
	return settle(cli, args, &picture, before.data, edited.data, &config, err);
}

static const struct args_option edit_options[] = {
	{ .name = "--quiet", .also = "-q", .help = "Do not show what changes." },
	{ .name = "--set", .also = "-s", .value = "KEY=VALUE", .many = true,
	  .help = "Set a key (dotted path) to a YAML value; null removes it." },
	{ .name = "--pg", .also = "-p", .value = "NAME=VALUE", .many = true,
	  .help = "Set a PostgreSQL parameter: short for -s postgresql.parameters.NAME=VALUE." },
	{ .name = "--apply", .value = "FILE", .kind = ARGS_FILE,
	  .help = "Change what stands in a YAML file; - is the standard input." },
	{ .name = "--replace", .value = "FILE", .kind = ARGS_FILE,
	  .help = "Replace the whole configuration by a YAML file; - is the standard input." },
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_show_config = {
	.name = "show-config",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Print the dynamic configuration.",
	.run = run_show,
};

const struct cli_command cmd_edit_config = {
	.name = "edit-config",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Change the dynamic configuration, in an editor or by options.",
	.more = "  Members follow at once. Values that they would not take are refused, and the\n"
		"  change fails if somebody else changed the configuration meanwhile.\n",
	.options = edit_options,
	.run = run_edit,
};
