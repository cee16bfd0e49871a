/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdial - how to reach the local server and others
 */
#include "io/pgdial.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "io/pgconf.h"
#include "io/pgdsn.h"
#include "io/pgfiles.h"
#include "io/pgtool.h"

/* Sessions as Patroni's monitoring finds them (contract 6.6). */
#define APPLICATION_NAME "Patroni heartbeat"

#define SPARE_EVERY_MS 10000

#define INSUFFICIENT_PRIVILEGE "42501"

struct params {
	size_t n;
	struct pgconn_param items[PGCONN_PARAMS_MAX];
	char port[8];
	char host[256];
	char options[320];
};

static void add(struct params *p, const char *key, const char *value)
{
	if (value && value[0] && p->n < PGCONN_PARAMS_MAX)
		p->items[p->n++] = (struct pgconn_param){ key, value };
}

static void add_auth(struct params *p, const struct pg *pg, const struct auth *auth)
{
	add(p, "user", auth->username);
	add(p, "password", auth->password);
	add(p, "sslmode", auth->sslmode);
	add(p, "sslcert", auth->sslcert);
	add(p, "sslkey", auth->sslkey);
	add(p, "sslpassword", auth->sslpassword);
	add(p, "sslrootcert", auth->sslrootcert);
	add(p, "sslcrl", auth->sslcrl);
	add(p, "gssencmode", pgdsn_gssencmode(auth));
	if (!pgdsn_is_socket(p->host))
		add(p, "channel_binding", auth->channel_binding);
	add(p, "krbsrvname", pg->config->pg.krbsrvname);
}

/* search_path: what another superuser put into public must not be found. Statements of the agent
 * are no news for the server's log, and must never wait for a standby. */
static void add_session(struct params *p, int64_t statement_ms, bool local, bool superuser)
{
	(void)str_printf(p->options, sizeof(p->options),
			 "-c statement_timeout=%lld -c search_path=pg_catalog%s%s",
			 (long long)statement_ms,
			 local ? " -c synchronous_commit=local -c lock_timeout=0" : "",
			 local && superuser ?
				 " -c log_statement=none -c log_min_duration_statement=-1"
				 " -c pg_stat_statements.track=none" :
				 "");
	add(p, "options", p->options);
	add(p, "application_name", APPLICATION_NAME);
	add(p, "client_encoding", "UTF8");
}

static bool is_plain(const struct pg *pg)
{
	return pg->plain_user[0] && str_eq(pg->plain_user, pg->config->pg.superuser.username);
}

bool pgdial_turns_plain(struct pg *pg, const struct err *err)
{
	if (is_plain(pg) || !str_eq(err->sqlstate, INSUFFICIENT_PRIVILEGE))
		return false;
	(void)str_copy(pg->plain_user, sizeof(pg->plain_user), pg->config->pg.superuser.username);
	log_notice("'%s' is no superuser: its statements are logged as that role's are",
		   pg->plain_user);
	return true;
}

static void add_target(struct params *p, const char *host, const char *hostaddr, uint16_t port)
{
	(void)str_printf(p->port, sizeof(p->port), "%u", port);
	add(p, "host", host);
	add(p, "hostaddr", hostaddr);
	add(p, "port", p->port);
}

static void add_database(struct params *p, const struct pg *pg, bool replication)
{
	const char *database = pg->config->pg.database ? pg->config->pg.database : "postgres";

	if (replication)
		add(p, "replication", "1");
	else
		add(p, "dbname", database);
}

static bool is_address(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1;
}

/* -- local -------------------------------------------------------------------------------- */

/* What the postmaster itself says is surer than what it was told. */
static bool socket_dir(const struct pg *pg, char dst[256])
{
	const char *dirs = pgconf_param(pg->config, "unix_socket_directories");

	if (pg->life.file.socket_dir[0])
		return str_copy(dst, 256, pg->life.file.socket_dir) > 0;
	while (dirs && *dirs) {
		size_t blanks = strspn(dirs, " ,");
		size_t len;

		dirs += blanks;
		len = strcspn(dirs, ",");
		if (*dirs == '/' && str_printf(dst, 256, "%.*s", (int)len, dirs) > 0)
			return true;
		dirs += len;
	}
	return false;
}

static bool listens_locally(const char *listen)
{
	static const char *const local[] = { "*", "localhost", "0.0.0.0", "127.0.0.1" };

	while (*listen) {
		size_t len = strcspn(listen, ",");

		for (size_t i = 0; i < ARRAY_LEN(local); i++) {
			if (strlen(local[i]) == len && strncmp(listen, local[i], len) == 0)
				return true;
		}
		listen += len + (listen[len] == ',');
		listen += strspn(listen, " ");
	}
	return false;
}

static void add_local(struct params *p, const struct pg *pg, bool replication)
{
	const struct config_postgresql *conf = &pg->config->pg;
	const char *listen = conf->listen ? conf->listen : "localhost";
	uint16_t port = pg->life.file.port ? pg->life.file.port : conf->port;
	bool use_socket = replication ? conf->use_unix_socket_repl : conf->use_unix_socket;

	if (use_socket && socket_dir(pg, p->host)) {
		add_target(p, p->host, NULL, port);
		return;
	}
	if (listens_locally(listen)) {
		/* Both, for a host where localhost means only one of them. */
		add_target(p, "localhost,localhost", "127.0.0.1,::1", port);
		return;
	}
	(void)str_printf(p->host, sizeof(p->host), "%.*s", (int)strcspn(listen, ","), listen);
	if (is_address(p->host)) {
		add_target(p, p->host, p->host, port);
		return;
	}
	/* A name would have to be resolved, which libpq does waiting: the socket needs none. */
	(void)socket_dir(pg, p->host);
	add_target(p, p->host, NULL, port);
}

void pgdial_local(struct pg *pg, struct pgconn *conn, bool replication, int64_t statement_ms,
		  int64_t deadline_ms, pgconn_fn done, void *ctx)
{
	const struct config_postgresql *conf = &pg->config->pg;
	struct params p = { 0 };

	add_local(&p, pg, replication);
	add_database(&p, pg, replication);
	add_auth(&p, pg, replication ? &conf->replication : &conf->superuser);
	add_session(&p, statement_ms, !replication, !is_plain(pg));
	pgconn_open(conn, p.items, p.n, deadline_ms, done, ctx);
}

void pgdial_knock(struct pg *pg, struct pgconn *conn, int64_t deadline_ms, pgconn_fn done,
		  void *ctx)
{
	struct auth auth = pg->config->pg.superuser;
	struct params p = { 0 };

	auth.password = NULL;
	add_local(&p, pg, false);
	add_database(&p, pg, false);
	add_auth(&p, pg, &auth);
	add(&p, "passfile", "/nonexistent");
	add_session(&p, PGDIAL_STATEMENT_MS, true, !is_plain(pg));
	pgconn_open(conn, p.items, p.n, deadline_ms, done, ctx);
}

static int own_conn(struct pgwork *work, struct err *err)
{
	return work->conn ? 0 : pgconn_new(work->pg->loop, &work->conn, err);
}

bool pgdial_is_ours(const struct pg *pg, const struct pgconn *conn)
{
	return pgconn_is_of(conn, pg->config->pg.superuser.username);
}

static void on_spare(void *ctx, int result, const struct err *err)
{
	if (result < 0 && pgdial_turns_plain(ctx, err))
		return;
	/* Whoever needs it opens one and tells what was wrong. */
	if (result < 0)
		log_debug("no spare connection: %s", err->msg);
}

void pgdial_spare(struct pg *pg)
{
	int64_t now_ms = loop_now_ms();

	if (now_ms < pg->spare_at_ms ||
	    (pg->spare && !pgconn_closed(pg->spare) && pgdial_is_ours(pg, pg->spare)))
		return;
	pg->spare_at_ms = now_ms + SPARE_EVERY_MS;
	if (!pg->spare && pgconn_new(pg->loop, &pg->spare, NULL) < 0)
		return;
	pgdial_local(pg, pg->spare, false, PGDIAL_STATEMENT_MS, now_ms + PGDIAL_CONNECT_MS,
		     on_spare, pg);
}

int pgdial_step_local(struct pgwork *work, int64_t statement_ms, struct err *err)
{
	struct pg *pg = work->pg;
	int rc;

	work->conn_usual = statement_ms == PGDIAL_STATEMENT_MS;
	if (!work->conn && work->conn_usual && pg->spare && pgconn_idle(pg->spare) &&
	    pgdial_is_ours(pg, pg->spare)) {
		work->conn = TAKE(pg->spare);
		work->tolerate = false;
		work->result = 0;
		return PGWORK_NEXT;
	}
	rc = own_conn(work, err);
	if (rc < 0)
		return rc;
	pgdial_local(work->pg, work->conn, false, statement_ms,
		     loop_now_ms() + PGDIAL_CONNECT_MS, pgwork_answered, work);
	return PGWORK_WAIT;
}

/* -- others ------------------------------------------------------------------------------- */

int pgdial_resolve(struct pgwork *work, struct err *err)
{
	_cleanup_(words_done) struct words words = { 0 };
	const char *host = work->req.upstream.host;

	work->hostaddr[0] = '\0';
	work->end = (struct child_end){ .output = "" };
	if (!host[0])
		return err_set(err, ERR_STATE, "no server was named");
	/* A socket directory or an address needs nothing. */
	if (host[0] == '/' || is_address(host))
		return PGWORK_NEXT;
	words_add(&words, "getent");
	words_add(&words, "ahosts");
	words_add(&words, "%s", host);
	return pgtool_run(work, "getent", &words, err);
}

/* The first address of "ADDRESS STREAM name" lines. */
static int take_address(struct pgwork *work, struct err *err)
{
	const char *host = work->req.upstream.host;
	const char *text = work->end.output;

	if (host[0] == '/')
		return 0;
	if (is_address(host)) {
		(void)str_copy(work->hostaddr, sizeof(work->hostaddr), host);
		return 0;
	}
	if (str_printf(work->hostaddr, sizeof(work->hostaddr), "%.*s",
		       (int)strcspn(text, " \t\n"), text) <= 0 ||
	    !is_address(work->hostaddr))
		return err_set(err, ERR_CONNECT, "the name '%s' has no address", host);
	return 0;
}

int pgdial_step_upstream(struct pgwork *work, const struct auth *auth, bool replication,
			 int64_t statement_ms, struct err *err)
{
	const struct upstream *up = &work->req.upstream;
	struct params p = { 0 };
	int rc = own_conn(work, err);

	if (rc < 0)
		return rc;
	if (!work->hostaddr[0]) {
		rc = take_address(work, err);
		if (rc < 0)
			return rc;
	}
	add_target(&p, up->host, work->hostaddr, up->port);
	add_database(&p, work->pg, replication);
	add_auth(&p, work->pg, auth);
	add_session(&p, statement_ms, false, false);
	pgconn_open(work->conn, p.items, p.n, loop_now_ms() + PGDIAL_CONNECT_MS, pgwork_answered,
		    work);
	return PGWORK_WAIT;
}

struct pgquery pgdial_query(struct pgwork *work, int64_t timeout_ms)
{
	return (struct pgquery){
		.conn = work->conn,
		.deadline_ms = loop_now_ms() + timeout_ms,
		.done = pgwork_answered,
		.ctx = work,
	};
}

const struct auth *pgdial_rewind_auth(const struct pg *pg)
{
	const struct config_postgresql *conf = &pg->config->pg;

	return conf->rewind.username ? &conf->rewind : &conf->superuser;
}

void pgdial_conninfo(struct pgwork *work, const struct auth *auth, const char *dbname,
		     struct buf *ret)
{
	const struct config *config = work->pg->config;
	_cleanup_(freep) char *passfile = pgconf_pgpass_path(config);
	struct pgdsn dsn = {
		.dbname = dbname,
		.service = pgconf_service(config, auth),
		.auth = auth,
		.passfile = passfile,
		.host = work->req.upstream.host,
		.port = work->req.upstream.port,
		.application_name = config->name,
		.krbsrvname = config->pg.krbsrvname,
	};

	pgdsn_text(&dsn, ret);
	/* A server that vanished is noticed in about a minute instead of hours. */
	buf_str(ret, " connect_timeout=10 keepalives_idle=20 keepalives_interval=10 "
		     "keepalives_count=3 tcp_user_timeout=60000");
}

void pgdial_local_conninfo(struct pg *pg, struct buf *ret)
{
	const struct config *config = pg->config;
	struct params p = { 0 };
	struct pgdsn dsn = {
		.dbname = config->pg.database ? config->pg.database : "postgres",
		.service = pgconf_service(config, &config->pg.superuser),
		.auth = &config->pg.superuser,
		.krbsrvname = config->pg.krbsrvname,
	};

	add_local(&p, pg, false);
	/* The pair of addresses is for libpq here; programs resolve the name. */
	dsn.host = str_starts(p.items[0].value, "localhost") ? "localhost" : p.items[0].value;
	dsn.port = pg->life.file.port ? pg->life.file.port : config->pg.port;
	pgdsn_text(&dsn, ret);
}

int pgdial_pgpass(struct pg *pg, const struct upstream *up, struct err *err)
{
	struct upstream ups[2] = { pg->follows };
	char dir[256];
	bool has_dir = socket_dir(pg, dir);

	if (up)
		ups[1] = *up;
	return pgfiles_pgpass(pg->config, has_dir ? dir : NULL, ups, 2, err);
}
