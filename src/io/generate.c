/* SPDX-License-Identifier: PostgreSQL */
/*
 * generate - a configuration file made of a server that runs on this host
 *
 * Settings and roles come from the server, the lines of pg_hba.conf and pg_ident.conf from their
 * files, the programs from the process of the postmaster, and the rest from this host.
 */
#include "io/generate.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parse.h"
#include "io/fsx.h"
#include "io/loop.h"
#include "io/pgoptions.h"
#include "io/pgquery.h"
#include "wire/confgen.h"
#include "wire/confget.h"

#define LIMIT_MS      10000
#define FILE_MAX      ((size_t)1 << 20)
#define PID_LINES_MAX ((size_t)4096)
#define SIZE_OF_NAME  256

struct session {
	struct loop *loop;
	struct pgconn *conn;
	struct pairs options; /* of the connection */
	struct pairs facts;   /* what the server told */
	bool done;
	int result;
	struct err err;
};

static void session_done(struct session *s)
{
	pgconn_free(s->conn);
	loop_free(s->loop);
	pairs_done(&s->options);
	pairs_done(&s->facts);
}

static const char *pair_of(const struct pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (str_eq(pairs->items[i].name, name))
			return pairs->items[i].value != NULL ? pairs->items[i].value : "";
	return "";
}

static void on_done(void *ctx, int result, const struct err *err)
{
	struct session *s = ctx;

	s->done = true;
	s->result = result;
	if (err != NULL)
		s->err = *err;
}

static int wait_done(struct session *s, struct err *err)
{
	while (!s->done)
		(void)loop_step(s->loop, -1);
	s->done = false;
	if (s->result < 0)
		*err = s->err;
	return s->result;
}

static int ask(struct session *s, struct err *err)
{
	struct pgconn_param params[PGCONN_PARAMS_MAX] = {
		{ "fallback_application_name", "pghad" },
		{ "dbname", "postgres" }, /* libpq takes the last of a name */
	};
	struct pgquery query;
	size_t n = 2;
	int r;

	for (size_t i = 0; i < s->options.n && n < ARRAY_LEN(params); i++)
		params[n++] = (struct pgconn_param){ s->options.items[i].name,
						     s->options.items[i].value };
	pgconn_open(s->conn, params, n, loop_now_ms() + LIMIT_MS, on_done, s);
	r = wait_done(s, err);
	if (r < 0)
		return err_wrap(err, "cannot connect to the server, see --dsn");
	query = (struct pgquery){ s->conn, loop_now_ms() + LIMIT_MS, on_done, s };
	pgquery_generate(&query, &s->facts);
	return wait_done(s, err);
}

static int talk(struct session *s, const char *dsn, struct err *err)
{
	int r = pgoptions_read(dsn != NULL ? dsn : "", &s->options, err);

	if (r < 0)
		return err_wrap(err, "connection string");
	r = loop_new(&s->loop, err);
	if (r >= 0)
		r = pgconn_new(s->loop, &s->conn, err);
	if (r >= 0)
		r = ask(s, err);
	if (r < 0)
		return r;
	if (!str_eq(pair_of(&s->facts, "[superuser]"), "on"))
		return err_set(err, ERR_DENIED,
			       "the role that connects is no superuser: name one that is with "
			       "--dsn 'user=...'");
	return 0;
}

/* The directory of a path, or "". */
static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return str_ndup(path, slash != NULL ? (size_t)(slash - path) : 0);
}

/* "/etc/x/postgresql.conf" -> "postgresql" */
static char *stem_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	return str_ndup(name, strlen(name) - (str_ends(name, ".conf") ? strlen(".conf") : 0));
}

/* Where the programs of the running postmaster are. An upgrade of the package may have removed its
 * file, which the kernel tells behind the path. */
static int find_programs(const char *data_dir, char **ret, struct err *err)
{
	_cleanup_(freep) char *path = str_dupf("%s/postmaster.pid", data_dir);
	_cleanup_(freep) char *link = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	char exe[PATH_MAX] = "";
	int64_t pid = 0;
	int r;

	r = fsx_read(path, PID_LINES_MAX, &text, err);
	if (r == FSX_MISSING)
		r = err_set(err, ERR_STATE, "there is no '%s'", path);
	if (r < 0)
		return err_wrap(err, "run this on the host of the server, as its owner");
	buf_ch(&text, '\n'); /* also of an empty file */
	text.data[strcspn(text.data, "\n")] = '\0';
	r = parse_int(text.data, 1, INT32_MAX, &pid, err);
	if (r < 0)
		return err_wrap(err, "%s", path);
	link = str_dupf("/proc/%lld/exe", (long long)pid);
	if (readlink(link, exe, sizeof(exe) - 1) < 0)
		return err_set(err, ERR_IO, "run this as the owner of the server: '%s'", link);
	*ret = dir_of(exe);
	return 0;
}

/* The lines that count, each of them whole: a backslash at its end continues one. */
static int read_lines(const char *path, struct strings *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(buf_done) struct buf line = { 0 };
	int r = fsx_read(path, FILE_MAX, &text, err);

	if (r < 0)
		return r;
	/* One that is not there has no lines, which is what the server makes of it. */
	for (const char *at = text.data ?: ""; *at != '\0';) {
		size_t len = strcspn(at, "\n");
		const bool goes_on = len > 0 && at[len - 1] == '\\';
		size_t end = len - goes_on;
		const char *from = at + strspn(at, " \t\r");

		while (end > 0 && strchr(" \t\r", at[end - 1]) != NULL)
			end--;
		if (from < at + end)
			buf_add(&line, from, (size_t)(at + end - from));
		if (goes_on)
			buf_ch(&line, ' ');
		else if (line.len > 0 && line.data[0] != '#')
			confget_add_string(ret, line.data);
		if (!goes_on)
			buf_clear(&line);
		at += len + (at[len] == '\n');
	}
	return 0;
}

/* A file elsewhere stays the operator's, and is named instead. */
static int take_file(const struct session *s, struct confgen *gen, const char *setting,
		     const char *file, struct strings *ret, struct err *err)
{
	_cleanup_(freep) char *usual = str_dupf("%s/%s", gen->config_dir, file);
	const char *path = pair_of(&s->facts, setting);

	if (str_eq(path, usual))
		return read_lines(path, ret, err);
	if (path[0] != '\0')
		confget_add_pair(&gen->own, setting, path);
	return 0;
}

static void take_settings(const struct session *s, struct confgen *gen)
{
	for (size_t i = 0; i < s->facts.n; i++) {
		const struct pair *it = &s->facts.items[i];

		if (it->value == NULL)
			continue;
		switch (confgen_place(it->name)) {
		case CONFGEN_SHARED:
			confget_add_pair(&gen->shared, it->name, it->value);
			break;
		case CONFGEN_OWN:
			confget_add_pair(&gen->own, it->name, it->value);
			break;
		case CONFGEN_NOWHERE:
		case CONFGEN_PLACE__MAX:
			break;
		}
	}
}

/* The role, as this connection came in. */
static void take_auth(const struct session *s, struct confgen *gen)
{
	static const char *const same[] = {
		"password", "sslmode",	 "sslcert",    "sslkey",	  "sslpassword",
		"sslrootcert", "sslcrl", "sslcrldir", "gssencmode", "channel_binding",
	};
	const char *host = pair_of(&s->options, "host");

	confget_add_pair(&gen->auth, "username",
			 pgconn_parameter(s->conn, "session_authorization"));
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		if (pair_of(&s->options, same[i])[0] != '\0')
			confget_add_pair(&gen->auth, same[i], pair_of(&s->options, same[i]));
	gen->by_socket = host[0] == '\0' || host[0] == '/';
}

/* An address that others may reach, IPv4 before IPv6; "" when there is none. */
static void find_address(char dst[INET6_ADDRSTRLEN + 2])
{
	struct ifaddrs *all = NULL;
	char text[INET6_ADDRSTRLEN];

	dst[0] = '\0';
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *it = all; it != NULL; it = it->ifa_next) {
		const struct sockaddr *a = it->ifa_addr;
		const void *raw = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;

		if (a == NULL || (it->ifa_flags & IFF_LOOPBACK) || !(it->ifa_flags & IFF_UP))
			continue;
		if (a->sa_family == AF_INET)
			raw = &((const struct sockaddr_in *)(const void *)a)->sin_addr;
		else if (a->sa_family != AF_INET6 || dst[0] != '\0' ||
			 IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)raw))
			continue;
		if (inet_ntop(a->sa_family, raw, text, sizeof(text)) == NULL)
			continue;
		(void)str_printf(dst, INET6_ADDRSTRLEN + 2, a->sa_family == AF_INET ? "%s" : "[%s]",
				 text);
		if (a->sa_family == AF_INET)
			break;
	}
	freeifaddrs(all);
}

static const char *either(const char *variable, const char *fallback)
{
	const char *value = getenv(variable);

	return value != NULL && value[0] != '\0' ? value : fallback;
}

static bool is_on(const struct session *s, const char *name)
{
	return str_eq(pair_of(&s->facts, name), "on");
}

static int take_all(const struct session *s, struct confgen *gen, struct err *err)
{
	int r;

	gen->scope = either("PATRONI_SCOPE", pair_of(&s->facts, "cluster_name"));
	gen->etcd_hosts = either("PATRONI_ETCD3_HOSTS", NULL);
	gen->listen = pair_of(&s->facts, "listen_addresses");
	gen->port = pair_of(&s->facts, "port");
	gen->data_dir = pair_of(&s->facts, "data_directory");
	gen->replicator = pair_of(&s->facts, "[replicator]");
	gen->rewindable = is_on(s, "data_checksums") || is_on(s, "wal_log_hints");
	take_settings(s, gen);
	take_auth(s, gen);
	r = take_file(s, gen, "hba_file", "pg_hba.conf", &gen->pg_hba, err);
	return r < 0 ? r : take_file(s, gen, "ident_file", "pg_ident.conf", &gen->pg_ident, err);
}

int generate_config(const char *dsn, struct buf *ret_text, struct err *err)
{
	_cleanup_(session_done) struct session s = { 0 };
	_cleanup_(confgen_done) struct confgen gen = { 0 };
	_cleanup_(freep) char *config_dir = NULL;
	_cleanup_(freep) char *stem = NULL;
	_cleanup_(freep) char *programs = NULL;
	char host[SIZE_OF_NAME] = "";
	char address[INET6_ADDRSTRLEN + 2];
	int r;

	r = talk(&s, dsn, err);
	if (r >= 0)
		r = find_programs(pair_of(&s.facts, "data_directory"), &programs, err);
	if (r < 0)
		return r;
	config_dir = dir_of(pair_of(&s.facts, "config_file"));
	stem = stem_of(pair_of(&s.facts, "config_file"));
	(void)gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = '\0';
	find_address(address);
	gen.config_dir = config_dir;
	gen.base_name = stem;
	gen.bin_dir = programs;
	gen.name = either("PATRONI_NAME", host);
	gen.address = address;
	r = take_all(&s, &gen, err);
	if (r >= 0)
		confgen_print(&gen, ret_text);
	return r;
}
