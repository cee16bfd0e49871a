/* SPDX-License-Identifier: PostgreSQL */
/*
 * setup - which cluster, which etcd, which credentials
 */
#include "cli/setup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/confdir.h"
#include "cli/outside.h"
#include "wire/conffile.h"
#include "wire/pct.h"

#define ETCD_PORT 2379
#define FILE_MAX  (1024 * 1024)
/* A document that says nothing; an empty one is taken for a mistake. */
#define NOTHING   "ctl: {}\n"

static const char *env_get(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env != NULL && *env != NULL; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

void setup_done(struct setup *setup)
{
	free(setup->file);
	free(setup->scopes);
	config_free(setup->config);
	*setup = (struct setup){ 0 };
}

static char *in_home(const char *const *env, const char *rest)
{
	const char *config_home = env_get(env, "XDG_CONFIG_HOME");
	const char *home = env_get(env, "HOME");

	if (config_home != NULL && *config_home == '/')
		return str_dupf("%s/%s", config_home, rest);
	return home != NULL ? str_dupf("%s/.config/%s", home, rest) : NULL;
}

char *setup_find_file(const struct setup_args *args, bool *ret_asked)
{
	static const char *const variables[] = { "HACTL_CONFIG", "PATRONICTL_CONFIG_FILE" };
	static const char *const homes[] = { "pgha/hactl.yml", "patroni/patronictl.yaml" };
	static const char *const shared[] = { "/etc/pgha/hactl.yml", "/etc/pgha/pgha.yml" };

	*ret_asked = true;
	if (args->file != NULL)
		return str_dup(args->file);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *file = env_get(args->env, variables[i]);

		if (file != NULL && *file != '\0')
			return str_dup(file);
	}
	*ret_asked = false;
	for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
		_cleanup_(freep) char *file = in_home(args->env, homes[i]);

		if (file != NULL && access(file, R_OK) == 0)
			return TAKE(file);
	}
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		if (access(shared[i], R_OK) == 0)
			return str_dup(shared[i]);
	return NULL;
}

static int read_file(const char *file, bool asked, struct buf *ret_text, struct err *err)
{
	int r;

	if (asked && access(file, R_OK) < 0)
		return err_set(err, ERR_CONFIG,
			       "Provided config file %s not existing or no read rights. Check the "
			       "-c/--config-file parameter",
			       file);
	r = outside_read(file, FILE_MAX, ret_text, err);
	if (r >= 0 && ret_text->len == 0)
		buf_str(ret_text, NOTHING);
	return r;
}

static int add_endpoint(const char *text, bool tls, struct config_etcd *etcd, struct err *err)
{
	struct endpoint endpoint = { .tls = tls };

	if (etcd->nendpoints == ENDPOINTS_MAX)
		return err_set(err, ERR_RANGE, "more than %d addresses", ENDPOINTS_MAX);
	if (parse_hostport(*text != '\0' ? text : "localhost", ETCD_PORT, endpoint.host,
			   sizeof(endpoint.host), &endpoint.port, err) < 0)
		return err_wrap(err, "address of etcd");
	etcd->endpoints[etcd->nendpoints++] = endpoint;
	return 0;
}

/* %2F -> / , as in etcd3.url; what is no escape stays. */
static char *decoded(const char *text, size_t len)
{
	char *plain = mem_new(len + 1, 1);

	(void)pct_decode(text, len, false, plain, len + 1); /* cannot be too long */
	return plain;
}

/* user:password of the URL. */
static void take_login(const char *login, size_t len, struct config_etcd *etcd)
{
	const char *colon = memchr(login, ':', len);
	size_t user_len = colon != NULL ? (size_t)(colon - login) : len;

	free(etcd->username);
	free(etcd->password);
	etcd->username = decoded(login, user_len);
	etcd->password = colon != NULL ? decoded(colon + 1, len - user_len - 1) : NULL;
}

static int take_hosts(char *hosts, bool tls, struct config_etcd *etcd, struct err *err)
{
	char *at = strrchr(hosts, '@');

	if (at != NULL) {
		take_login(hosts, (size_t)(at - hosts), etcd);
		hosts = at + 1;
	}
	etcd->nendpoints = 0;
	free(etcd->srv);
	etcd->srv = NULL;
	for (;;) {
		size_t len = strcspn(hosts, ",");
		const bool last = hosts[len] == '\0';
		int r;

		hosts[len] = '\0';
		r = add_endpoint(hosts, tls, etcd, err);
		if (r < 0 || last)
			return r;
		hosts += len + 1;
	}
}

static int take_namespace(const char *path, struct config *config, struct err *err)
{
	size_t len;

	path += strspn(path, "/");
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return 0;
	if (len >= sizeof(config->namespace_))
		return err_set(err, ERR_TOOLONG, "namespace '%s'", path);
	memcpy(config->namespace_, path, len);
	config->namespace_[len] = '\0';
	return 0;
}

int setup_apply_url(const char *url, struct config *config, struct err *err)
{
	const char *rest = strstr(url, "://");
	size_t scheme_len = rest != NULL ? (size_t)(rest - url) : 0;
	_cleanup_(freep) char *scheme = str_ndup(url, scheme_len);
	_cleanup_(freep) char *hosts = NULL;
	const bool was_tls = config->etcd.nendpoints > 0 && config->etcd.endpoints[0].tls;
	const bool tls = str_eq(scheme, "https") || (was_tls && !str_eq(scheme, "http"));
	size_t len;
	int r;

	if (rest != NULL && !str_eq(scheme, "etcd3") && !str_eq(scheme, "http") &&
	    !str_eq(scheme, "https"))
		return err_set(err, ERR_CONFIG,
			       "Unknown dcs scheme: %s. It has the form etcd3://host:2379", scheme);
	rest = rest != NULL ? rest + 3 : str_starts(url, "//") ? url + 2 : url;
	len = strcspn(rest, "/");
	hosts = str_ndup(rest, len);
	r = take_hosts(hosts, tls, &config->etcd, err);
	return r < 0 ? r : take_namespace(rest + len, config, err);
}

static void take_rest_url(struct setup *setup)
{
	const struct config_restapi *rest = &setup->config->restapi;
	const bool v6 = strchr(rest->connect_host, ':') != NULL;

	if (*rest->connect_host == '\0' || rest->connect_port == 0)
		return;
	(void)str_printf(setup->rest_url, sizeof(setup->rest_url), "%s://%s%s%s:%u",
			 rest->certfile != NULL ? "https" : "http", v6 ? "[" : "",
			 rest->connect_host, v6 ? "]" : "", (unsigned int)rest->connect_port);
}

static int parse_file(const struct setup_args *args, const struct setup *setup, bool asked,
		      struct confdoc **ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = 0;

	if (setup->file != NULL)
		r = read_file(setup->file, asked, &text, err);
	else if (env_get(args->env, "PATRONI_CONFIGURATION") == NULL)
		buf_str(&text, NOTHING);
	if (r < 0)
		return r;
	r = confdoc_parse(text.data, text.len, args->env, ret, err);
	return r < 0 ? err_wrap(err, "%s", setup->file != NULL ? setup->file : "environment") : 0;
}

static int parse_dir(const struct setup_args *args, struct setup *setup, struct confdoc **ret,
		     struct err *err)
{
	_cleanup_(freep) struct confdir *dir = mem_new(1, sizeof(*dir));
	int r = confdir_read(setup->file, dir, err);

	if (r >= 0) {
		setup->scopes = mem_new(CONFDIR_FILES_MAX + 1, NAME_SIZE);
		setup->nscopes = confdir_scopes(dir, setup->scopes);
		if (setup->nscopes < 2)
			setup->nscopes = 0;
		r = confdir_parse(dir, args->scope != NULL ? args->scope : "", args->env, ret, err);
	}
	confdir_done(dir);
	return r;
}

static int read_config(const struct setup_args *args, struct setup *setup, struct err *err)
{
	struct confdoc *doc;
	bool asked;
	int r;

	setup->file = setup_find_file(args, &asked);
	if (setup->file != NULL && confdir_is(setup->file))
		r = parse_dir(args, setup, &doc, err);
	else
		r = parse_file(args, setup, asked, &doc, err);
	if (r < 0)
		return r;
	r = conf_build_client(doc, &setup->config, err);
	confdoc_free(doc);
	if (r < 0)
		return err_wrap(err, "%s", setup->file != NULL ? setup->file : "environment");
	return 0;
}

int setup_load(const struct setup_args *args, struct setup *ret, struct err *err)
{
	const char *url = args->dcs_url != NULL ? args->dcs_url : env_get(args->env, "DCS_URL");
	int r;

	r = read_config(args, ret, err);
	if (r < 0)
		return r;
	if (url != NULL && *url != '\0') {
		r = setup_apply_url(url, ret->config, err);
		if (r < 0)
			/* The URL itself may hold a password. */
			return err_wrap(err, "%s", args->dcs_url != NULL ? "-d" : "DCS_URL");
	}
	if (args->insecure)
		ret->config->ctl.insecure = true;
	take_rest_url(ret);
	return 0;
}
