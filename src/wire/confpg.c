/* SPDX-License-Identifier: PostgreSQL */
/*
 * confpg - the section postgresql into struct config
 */
#include "wire/confbuild.h"

#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "wire/confguc.h"
#include "wire/confkeys.h"
#include "wire/confvalue.h"

#define PG_PORT 5432

static void take_address(const struct confbuild *build)
{
	struct config_postgresql *pg = &build->config->pg;
	_cleanup_(freep) char *listen = confget_text(&build->get, "postgresql.listen");
	_cleanup_(freep) char *connect = confget_text(&build->get, "postgresql.connect_address");

	if (listen != NULL)
		/* A failure was reported by the check of its type. */
		(void)!confvalue_listen(listen, PG_PORT, &pg->listen, &pg->port, NULL);
	if (connect != NULL &&
	    parse_hostport(connect, pg->port != 0 ? pg->port : PG_PORT, pg->connect_host,
			   sizeof(pg->connect_host), &pg->connect_port, NULL) == 0)
		confbuild_check_advertised(build, "postgresql.connect_address", pg->connect_host);
	pg->proxy_address = confget_text(&build->get, "postgresql.proxy_address");
}

/* A file on one machine that others are told to come to 127.0.0.1 for cannot work; a playground
 * with everything on one machine does. */
static void check_loopback(const struct confbuild *build)
{
	const struct config *config = build->config;
	bool is_local = config->etcd.nendpoints > 0;

	for (uint32_t i = 0; i < config->etcd.nendpoints; i++)
		is_local = is_local && confvalue_is_loopback(config->etcd.endpoints[i].host);
	if (is_local)
		return;
	if (confvalue_is_loopback(config->pg.connect_host))
		confbuild_report(build, false, "postgresql.connect_address",
				 "'%s' is reached from this machine only", config->pg.connect_host);
	if (confvalue_is_loopback(config->restapi.connect_host))
		confbuild_report(build, false, "restapi.connect_address",
				 "'%s' is reached from this machine only",
				 config->restapi.connect_host);
}

static void cut_slashes(char *path)
{
	size_t len = path != NULL ? strlen(path) : 0;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path || slash == NULL ? str_dup("/")
					      : str_ndup(path, (size_t)(slash - path));
}

static bool is_inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static char *pgpass_of(const struct confbuild *build)
{
	_cleanup_(freep) char *path = confget_text(&build->get, "postgresql.pgpass");

	if (!str_starts(path, "~/"))
		return TAKE(path);
	if (build->home != NULL && build->home[0] == '/')
		return str_dupf("%s%s", build->home, path + 1);
	return str_dupf("%s/pgpass.%s", build->config->state_dir, build->config->name);
}

static void take_paths(const struct confbuild *build)
{
	struct config *config = build->config;
	struct config_postgresql *pg = &config->pg;

	pg->data_dir = confget_text(&build->get, "postgresql.data_dir");
	if (pg->data_dir == NULL)
		return;
	cut_slashes(pg->data_dir);
	if (str_eq(pg->data_dir, "/"))
		confbuild_report(build, true, "postgresql.data_dir",
				 "'/' cannot be a data directory");
	pg->config_dir = confget_text(&build->get, "postgresql.config_dir");
	if (pg->config_dir == NULL)
		pg->config_dir = str_dup(pg->data_dir);
	cut_slashes(pg->config_dir);
	config->state_dir = confget_text(&build->get, "pgha.state_dir");
	if (config->state_dir == NULL)
		config->state_dir = parent_of(pg->data_dir);
	cut_slashes(config->state_dir);
	if (is_inside(config->state_dir, pg->data_dir))
		confbuild_report(build, true, "pgha.state_dir",
				 "must not be inside postgresql.data_dir, which is replaced when "
				 "this member is cloned again");
	pg->config_base_name = confget_text(&build->get, "postgresql.config_base_name");
	pg->bin_dir = confget_text(&build->get, "postgresql.bin_dir");
	cut_slashes(pg->bin_dir);
	pg->pgpass = pgpass_of(build);
}

static void take_auth(const struct confbuild *build, const char *who, struct auth *auth)
{
	const struct {
		const char *key;
		char **field;
	} fields[] = {
		{ "username", &auth->username },
		{ "password", &auth->password },
		{ "sslmode", &auth->sslmode },
		{ "sslcert", &auth->sslcert },
		{ "sslkey", &auth->sslkey },
		{ "sslpassword", &auth->sslpassword },
		{ "sslrootcert", &auth->sslrootcert },
		{ "sslcrl", &auth->sslcrl },
		{ "sslcrldir", &auth->sslcrldir },
		{ "gssencmode", &auth->gssencmode },
		{ "channel_binding", &auth->channel_binding },
		{ "sslnegotiation", &auth->sslnegotiation },
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char path[TREE_PATH_SIZE];

		str_printf(path, sizeof(path), "postgresql.authentication.%s.%s", who,
			   fields[i].key);
		*fields[i].field = confget_text(&build->get, path);
	}
}

static void take_method_keys(const struct confbuild *build, const struct tree_node *section,
			     struct replica_method *method)
{
	const struct tree_node *it;

	for (it = section->first; it != NULL; it = it->next) {
		char path[TREE_PATH_SIZE];
		const struct confkey *key;
		bool flag = false;

		str_printf(path, sizeof(path), "postgresql.%s.%s", method->name, it->key);
		key = it->bad ? NULL : confkeys_find(path);
		if (key == NULL && !it->bad && tree_is_scalar(it))
			confget_add_pair(&method->params, it->key, it->text);
		if (key == NULL || !tree_is_scalar(it))
			continue;
		if (str_ends(path, ".command")) {
			method->command = str_dup(it->text);
			continue;
		}
		if (confvalue_bool(key, it, &flag, NULL) < 0)
			continue;
		if (str_ends(path, ".no_params"))
			method->no_params = flag;
		else if (str_ends(path, ".keep_data"))
			method->keep_data = flag;
		else
			method->no_leader = flag;
	}
	if (method->command == NULL)
		confbuild_report(build, false, "postgresql.create_replica_methods",
				 "'%.60s' has no command; its name is run as one", method->name);
}

/* The section of a method lies beside the known keys, in the file or in the dynamic document. */
static const struct tree_node *find_section(const struct confbuild *build, const char *name)
{
	char path[TREE_PATH_SIZE];
	const struct tree_node *node;

	if (strchr(name, '.') != NULL ||
	    str_printf(path, sizeof(path), "postgresql.%s", name) < 0 ||
	    confkeys_find(path) == NULL || !str_ends(confkeys_find(path)->path, CONF_METHOD))
		return NULL;
	node = tree_find(build->get.local, path);
	if (node == NULL)
		node = tree_find(build->get.dynamic, path);
	return node != NULL && node->type == TREE_MAP ? node : NULL;
}

static void add_method(const struct confbuild *build, const char *name)
{
	struct config_postgresql *pg = &build->config->pg;
	const struct tree_node *section = find_section(build, name);
	struct replica_method method = { 0 };

	/* A name that is a known setting can have no section, and as a command it is a mistake. */
	if (!str_eq(name, "basebackup") && section == NULL) {
		confbuild_report(build, false, "postgresql.create_replica_methods",
				 "'%.60s' has no section postgresql.%.60s, it is passed over", name,
				 name);
		return;
	}
	method.name = str_dup(name);
	if (section != NULL)
		take_method_keys(build, section, &method);
	if (method.command == NULL && section != NULL)
		method.command = str_dup(name);
	pg->methods = mem_grow(pg->methods, pg->nmethods + 1, sizeof(pg->methods[0]));
	pg->methods[pg->nmethods++] = method;
}

static void take_methods(const struct confbuild *build)
{
	struct config_postgresql *pg = &build->config->pg;
	struct strings names = { 0 };

	confget_strings(&build->get, "postgresql.create_replica_methods", &names);
	for (size_t i = 0; i < names.n; i++) {
		add_method(build, names.items[i]);
		free(names.items[i]);
	}
	free(names.items);
	if (pg->nmethods == 0)
		add_method(build, "basebackup");
}

/* Options that the agent gives itself; the others are the operator's. */
static void drop_options(const struct confbuild *build, const char *path,
			 const char *const *forbidden, struct pairs *options)
{
	size_t n = 0;

	for (size_t i = 0; i < options->n; i++) {
		struct pair *it = &options->items[i];
		bool is_bad = false;

		for (size_t j = 0; forbidden[j] != NULL; j++)
			is_bad = is_bad || str_eq(it->name, forbidden[j]);
		if (!is_bad) {
			options->items[n++] = *it;
			continue;
		}
		confbuild_report(build, false, path, "the option '%.40s' is set by pghad, ignored",
				 it->name);
		free(it->name);
		free(it->value);
	}
	options->n = n;
}

static void take_options(const struct confbuild *build)
{
	static const char *const basebackup[] = {
		"pgdata", "format",  "wal-method", "xlog-method", "gzip",     "version",
		"dbname", "host",    "port",	   "username",	  "password", NULL,
	};
	static const char *const rewind[] = {
		"target-pgdata", "source-pgdata",
		"source-server", "write-recovery-conf",
		"dry-run",       "restore-target-wal",
		"config-file",   "no-ensure-shutdown",
		"version",       NULL,
	};
	struct config_postgresql *pg = &build->config->pg;

	confget_options(&build->get, "postgresql.basebackup", &pg->basebackup);
	drop_options(build, "postgresql.basebackup", basebackup, &pg->basebackup);
	confget_options(&build->get, "postgresql.rewind", &pg->rewind_options);
	drop_options(build, "postgresql.rewind", rewind, &pg->rewind_options);
}

static void take_recovery(const struct confbuild *build)
{
	struct pairs *pairs = &build->config->pg.recovery_conf;
	size_t n = 0;

	confget_pairs(&build->get, "postgresql.recovery_conf", pairs);
	for (size_t i = 0; i < pairs->n; i++) {
		struct pair *it = &pairs->items[i];

		if (!confguc_is_ours(it->name)) {
			pairs->items[n++] = *it;
			continue;
		}
		confbuild_report(build, false, "postgresql.recovery_conf",
				 "'%.60s' is set by pghad, ignored", it->name);
		free(it->name);
		free(it->value);
	}
	pairs->n = n;
}

static void take_commands(const struct confbuild *build)
{
	const struct confget *get = &build->get;
	struct config_postgresql *pg = &build->config->pg;

	pg->callback_on_start = confget_text(get, "postgresql.callbacks.on_start");
	pg->callback_on_stop = confget_text(get, "postgresql.callbacks.on_stop");
	pg->callback_on_restart = confget_text(get, "postgresql.callbacks.on_restart");
	pg->callback_on_reload = confget_text(get, "postgresql.callbacks.on_reload");
	pg->callback_on_role_change = confget_text(get, "postgresql.callbacks.on_role_change");
	pg->pre_promote = confget_text(get, "postgresql.pre_promote");
	pg->before_stop = confget_text(get, "postgresql.before_stop");
	pg->pg_ctl_timeout_ms = confget_int(get, "postgresql.pg_ctl_timeout") * 1000;
}

void confbuild_postgresql(const struct confbuild *build)
{
	const struct confget *get = &build->get;
	struct config_postgresql *pg = &build->config->pg;

	take_address(build);
	check_loopback(build);
	take_paths(build);
	confget_pairs(get, "postgresql.bin_name", &pg->bin_name);
	pg->database = confget_text(get, "postgresql.database");
	take_auth(build, "superuser", &pg->superuser);
	take_auth(build, "replication", &pg->replication);
	if (pg->replication.sslpassword != NULL)
		confbuild_report(build, false, "postgresql.authentication.replication.sslpassword",
				 "PostgreSQL writes it to its log whenever a standby follows "
				 "another leader, as a part of primary_conninfo: take a key "
				 "without a passphrase, protected by its mode");
	take_auth(build, confget_node(get, "postgresql.authentication.rewind") != NULL ?
				 "rewind" : "superuser", &pg->rewind);
	pg->krbsrvname = confget_text(get, "postgresql.krbsrvname");
	pg->use_unix_socket = confget_bool(get, "postgresql.use_unix_socket");
	pg->use_unix_socket_repl = confget_bool(get, "postgresql.use_unix_socket_repl");
	confget_strings(get, "postgresql.pg_hba", &pg->pg_hba);
	confget_strings(get, "postgresql.pg_ident", &pg->pg_ident);
	pg->custom_conf = confget_text(get, "postgresql.custom_conf");
	confguc_build(get, build->config, build->problems);
	take_recovery(build);
	take_methods(build);
	take_options(build);
	take_commands(build);
}
