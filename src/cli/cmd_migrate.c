/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_migrate - can this Patroni cluster move over, member by member?
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/migrate.h"
#include "cli/migrateprint.h"
#include "cli/node.h"
#include "cli/outside.h"

#define EXIT_STOPPED      3
#define FILE_MAX          (1024 * 1024)
#define STATUS_TIMEOUT_MS 3000

struct check {
	struct migrate found;
	struct picture picture;
	bool read; /* the picture is there */
	size_t nsilent; /* members that could not be asked */
};

static void check_done(struct check *check)
{
	migrate_done(&check->found);
	picture_done(&check->picture);
}

/* The first file that is named tells which cluster, unless -c does. */
static int choose_cluster(struct cli *cli, const struct args *args, struct err *err)
{
	const struct setup_args wanted = {
		.file = args->nwords > 1 ? args->words[1] : NULL,
		.dcs_url = args_value(args, "--dcs-url"),
		.insecure = args_has(args, "--insecure"),
		.env = (const char *const *)environ,
	};

	if (args->nwords < 2 || args_value(args, "--config-file") != NULL)
		return 0;
	setup_done(&cli->setup);
	cli->setup = (struct setup){ 0 };
	return setup_load(&wanted, &cli->setup, err);
}

static void ask_servers(struct cli *cli, struct check *check)
{
	for (const struct tree_node *m = picture_members(&check->picture); m != NULL; m = m->next) {
		_cleanup_(api_reply_done) struct api_reply reply = { 0 };
		_cleanup_(tree_done) struct tree status = { 0 };
		int64_t version = 0;

		if (cli_request(cli, m, "GET", "patroni", NULL, STATUS_TIMEOUT_MS, &reply, NULL) ==
			    0 &&
		    tree_from_json(api_text(&reply), reply.body.len, &status, NULL) == 0)
			(void)node_int(status.root, "server_version", &version);
		check->nsilent += version == 0;
		migrate_server(&check->found, node_str(m, "name"), version);
	}
}

static int look_at_etcd(struct cli *cli, struct check *check, struct err *err)
{
	const struct config *config = cli->setup.config;
	int r;

	/* A Patroni with another store: its file tells why nothing can be read here. */
	if (config->etcd.nendpoints == 0 && config->etcd.srv == NULL && cli->setup.file != NULL) {
		migrate_add(&check->found, MIGRATE_STOPS, cli->setup.file, "etcd3",
			    "the file names no etcd with API v3, so the cluster was not looked at",
			    "move Patroni itself to etcd3 first, in its maintenance mode");
		return 0;
	}
	if (config->scope[0] == '\0')
		return err_set(err, ERR_CONFIG, "no scope: name a configuration file of a member");
	r = cli_picture_dcs(cli, config->scope, &check->picture, err);
	if (r < 0)
		return r;
	check->read = true;
	migrate_cluster(&check->found, &check->picture);
	ask_servers(cli, check);
	return 0;
}

/* Patroni takes such a file, pghad does not. */
static void look_at_mode(struct check *check, const char *name, const struct buf *text)
{
	_cleanup_(freep) char *todo = str_dupf("chmod o-rwx %s", name);
	struct stat st;

	if (stat(name, &st) < 0 || (st.st_mode & (S_IROTH | S_IWOTH)) == 0 ||
	    strstr(text->data != NULL ? text->data : "", "password") == NULL)
		return;
	migrate_add(&check->found, MIGRATE_NOTE, name, "mode",
		    "every account of the host that gets to it can read the passwords in it: pghad "
		    "refuses such a file",
		    todo);
}

static int look_at_file(struct cli *cli, struct check *check, const char *name, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct migrate_file file = { .name = name };
	int r = outside_read(name, FILE_MAX, &text, err);

	if (r < 0)
		return r;
	look_at_mode(check, name, &text);
	file.text = text.data != NULL ? text.data : "";
	file.len = text.len;
	file.namespace_ = cli->setup.config->namespace_;
	file.picture = check->read ? &check->picture : NULL;
	migrate_file(&check->found, &file);
	return 0;
}

static int look_at_files(struct cli *cli, const struct args *args, struct check *check,
			 struct err *err)
{
	int r = 0;

	if (args->nwords < 2 && cli->setup.file != NULL)
		return look_at_file(cli, check, cli->setup.file, err);
	for (size_t i = 1; i < args->nwords && r == 0; i++)
		r = look_at_file(cli, check, args->words[i], err);
	return r;
}

static int tell(const struct args *args, const struct check *check)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	enum table_format format = cli_format(args);
	size_t nstops = migrate_count(&check->found, MIGRATE_STOPS);
	const int code = nstops > 0 ? EXIT_STOPPED : check->nsilent > 0 ? 1 : 0;

	if (format != TABLE_PRETTY) {
		migrateprint_table(&check->found, format, &text);
		printf("%s", text.data);
		return code;
	}
	if (check->read && check->picture.nmembers > 0)
		cli_show(&check->picture);
	migrateprint_text(&check->found, &text);
	printf("%s\n", text.data != NULL ? text.data : "");
	if (code == 1)
		printf("Nothing found stands in the way, but %zu of %zu members could not be "
		       "asked: their PostgreSQL is not known.\n",
		       check->nsilent, check->picture.nmembers);
	else if (nstops == 0)
		printf("Nothing stands in the way of moving member by member.\n");
	else
		printf("%zu %s in the way.\n", nstops,
		       nstops == 1 ? "thing stands" : "things stand");
	return code;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(check_done) struct check check = { 0 };
	int r;

	if (!str_eq(args->words[0], "check"))
		return err_set(err, ERR_CONFIG, "'%s' is not known: migrate check [FILE...]",
			       args->words[0]);
	r = choose_cluster(cli, args, err);
	if (r == 0)
		r = look_at_etcd(cli, &check, err);
	if (r == 0)
		r = look_at_files(cli, args, &check, err);
	return r < 0 ? r : tell(args, &check);
}

static const char *const actions[] = { "check", NULL };

static const struct args_option options[] = {
	CMD_FORMAT,
	CMD_END,
};

const struct cli_command cmd_migrate = {
	.name = "migrate",
	.words = "check [FILE...]",
	.takes = { { .choices = actions }, { .kind = ARGS_FILE, .many = true } },
	.words_min = 1,
	.words_max = ARGS_MAX,
	.help = "Tell whether a running Patroni cluster can move over.",
	.more = "  Reads the keys in etcd, asks the members, reads their configuration files, and\n"
		"  changes nothing. FILE: those of Patroni; the first one names the cluster "
		"unless\n"
		"  -c does. Exit code: 0 it can, 3 something stands in the way, 1 it, or one of\n"
		"  its members, could not be looked at.\n",
	.options = options,
	.run = run,
};
