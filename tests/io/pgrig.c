/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgrig - members with a real Postgres each, for the tests of io/pg
 */
#include "pgrig.h"

#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/child.h"
#include "io/pgproc.h"

#define BASE_PORT 22000
#define NODES_MAX 8
#define WAIT_MS   90000

static struct loop *loop;
static struct node *nodes[NODES_MAX];
static int nnodes;
static char bin_dir[PATH_MAX];
static char super[] = "postgres", repl[] = "replicator", rewinder[] = "rewinder";
static char secret[] = "se'cr:et\\", database[] = "postgres", listen_on[] = "127.0.0.1";

struct loop *pgrig_loop(void)
{
	return loop;
}

/* "/usr/lib/postgresql/15/bin" -> 15 */
static int version_of(const char *path)
{
	const char *digits = path + strcspn(path, "0123456789");

	return (int)strtol(digits, NULL, 10);
}

/* The programs of the newest server, as Debian and as the RPMs of postgresql.org lay them out. */
static void find_programs(void)
{
	const char *given = getenv("PGHA_PGBIN");
	int newest = 0;
	glob_t found;

	if (given != NULL) {
		CHECK(str_copy(bin_dir, sizeof(bin_dir), given) >= 0);
		return;
	}
	(void)glob("/usr/lib/postgresql/*/bin", 0, NULL, &found);
	(void)glob("/usr/pgsql-*/bin", GLOB_APPEND, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char postgres[PATH_MAX];

		str_printf(postgres, sizeof(postgres), "%s/postgres", found.gl_pathv[i]);
		if (access(postgres, X_OK) != 0 || version_of(found.gl_pathv[i]) <= newest)
			continue;
		newest = version_of(found.gl_pathv[i]);
		CHECK(str_copy(bin_dir, sizeof(bin_dir), found.gl_pathv[i]) >= 0);
	}
	globfree(&found);
	CHECK(newest > 0, "there is no server of PostgreSQL; PGHA_PGBIN names its programs");
}

char *pgrig_bin(void)
{
	if (bin_dir[0] == '\0')
		find_programs();
	return bin_dir;
}

const char *pgrig_program(const char *name)
{
	static char path[PATH_MAX];

	CHECK(str_printf(path, sizeof(path), "%s/%s", pgrig_bin(), name) > 0);
	return path;
}

/* Also after a failed check: no server survives its test. */
static void end_servers(void)
{
	for (int i = 0; i < nnodes; i++) {
		for (int round = 0; round < 500; round++) {
			if (pgproc_kill_round(nodes[i]->data_dir, 0, NULL) == 0)
				break;
		}
	}
}

void pgrig_begin(void)
{
	struct passwd *pw = getpwnam("postgres");
	struct err err = { 0 };

	if (geteuid() == 0) {
		CHECK(pw != NULL);
		CHECK(initgroups(pw->pw_name, pw->pw_gid) == 0 && setgid(pw->pw_gid) == 0 &&
		      setuid(pw->pw_uid) == 0);
	}
	setenv("HOME", "/nonexistent", 1);
	umask(077);
	rig_at_end(end_servers);
	CHECK(loop_new(&loop, &err) == 0, "%s", err.msg);
}

/* -- events ------------------------------------------------------------------------------- */

static void deliver(void *ctx, const struct event *event)
{
	struct node *node = ctx;

	CHECK(event->pg != NULL);
	node->state = *event->pg;
	if (event->type == EVENT_PG_EXIT) {
		node->exits++;
		node->at_exit = *event->pg;
		return;
	}
	if (event->result == -(int)ERR_CANCELED)
		node->canceled++;
	node->answered = event->ticket;
	node->result = event->result;
	node->err = event->err ? *event->err : (struct err){ 0 };
	node->sql_ok = event->probe_sql_ok;
	node->has_history = event->history != NULL;
	node->wal_gone = event->wal_gone;
	if (event->history)
		node->history = *event->history;
	node->nwalsenders = event->nwalsenders;
	for (uint32_t i = 0; i < event->nwalsenders; i++)
		node->walsenders[i] = event->walsenders[i];
	node->nslots = event->nslots;
	for (uint32_t i = 0; i < event->nslots; i++)
		node->slots[i] = event->slots[i];
	str_clip(node->text, sizeof(node->text), event->text);
	node->clients_gone_at_ms = event->clients_gone_at_ms;
}

void pgrig_step(void)
{
	(void)loop_step(loop, 1000);
}

/* -- nodes -------------------------------------------------------------------------------- */

void node_param(struct node *node, const char *name, const char *value)
{
	struct pairs *params = &node->config.pg.parameters;

	for (size_t i = 0; i < params->n; i++) {
		if (str_eq(params->items[i].name, name)) {
			free(params->items[i].value);
			params->items[i].value = str_dup(value);
			return;
		}
	}
	CHECK(params->n < PGRIG_PARAMS_MAX);
	params->items[params->n].name = str_dup(name);
	params->items[params->n++].value = str_dup(value);
}

static void add_hba(struct config *config)
{
	static char local[] = "local all all scram-sha-256";
	static char host[] = "host all all 127.0.0.1/32 scram-sha-256";
	static char replication[] = "host replication replicator 127.0.0.1/32 scram-sha-256";
	static char *lines[] = { local, host, replication };

	config->pg.pg_hba.items = lines;
	config->pg.pg_hba.n = ARRAY_LEN(lines);
}

static void add_initdb(struct config *config)
{
	static char checksums[] = "data-checksums", encoding[] = "encoding", utf8[] = "UTF8";
	static char auth[] = "auth", scram[] = "scram-sha-256", no_locale[] = "no-locale";
	static struct pair options[] = {
		{ checksums, NULL }, { encoding, utf8 }, { auth, scram }, { no_locale, NULL },
	};

	config->bootstrap.initdb.items = options;
	config->bootstrap.initdb.n = ARRAY_LEN(options);
}

void node_configure(struct node *node)
{
	pg_configure(node->pg, &node->config);
}

void node_restart_agent(struct node *node)
{
	struct err err = { 0 };

	pg_free(node->pg);
	CHECK(pg_new(loop, deliver, node, &node->pg, &err) == 0, "%s", err.msg);
	node_configure(node);
}

struct node *node_new(int n)
{
	struct node *node = mem_new(1, sizeof(*node));
	struct config_postgresql *pg = &node->config.pg;
	struct err err = { 0 };

	str_printf(node->config.name, NAME_SIZE, "node%d", n);
	str_printf(node->config.scope, NAME_SIZE, "test");
	str_printf(node->data_dir, sizeof(node->data_dir), "%s/node%d/data", rig_dir(), n);
	str_printf(node->pgpass, sizeof(node->pgpass), "%s/node%d.pgpass", rig_dir(), n);
	pg->data_dir = node->data_dir;
	pg->pgpass = node->pgpass;
	pg->bin_dir = pgrig_bin();
	pg->database = database;
	pg->listen = listen_on;
	pg->port = (uint16_t)(BASE_PORT + n);
	str_printf(pg->connect_host, HOST_SIZE, "127.0.0.1");
	pg->connect_port = pg->port;
	pg->superuser = (struct auth){ .username = super, .password = secret };
	pg->replication = (struct auth){ .username = repl, .password = secret };
	pg->rewind = (struct auth){ .username = rewinder, .password = secret };
	pg->parameters.items = node->params;
	pg->pg_ctl_timeout_ms = 30000;
	add_hba(&node->config);
	add_initdb(&node->config);
	node_param(node, "unix_socket_directories", rig_dir());
	node_param(node, "wal_level", "replica");
	node_param(node, "max_connections", "30");
	node_param(node, "max_wal_senders", "8");
	node_param(node, "shared_buffers", "16MB");
	node_param(node, "wal_keep_size", "64MB");
	CHECK(pg_new(loop, deliver, node, &node->pg, &err) == 0, "%s", err.msg);
	node_configure(node);
	CHECK(nnodes < NODES_MAX);
	nodes[nnodes++] = node;
	return node;
}

/* -- requests ----------------------------------------------------------------------------- */

uint64_t node_send(struct node *node, const struct pg_req *req)
{
	pg_request(node->pg, ++node->ticket, req);
	return node->ticket;
}

int node_wait(struct node *node, uint64_t ticket)
{
	int64_t until_ms = loop_now_ms() + WAIT_MS;

	while (node->answered != ticket) {
		CHECK(loop_now_ms() < until_ms, "%s: no answer to ticket %llu", node->config.name,
		      (unsigned long long)ticket);
		pgrig_step();
	}
	return node->result;
}

int node_req(struct node *node, const struct pg_req *req)
{
	return node_wait(node, node_send(node, req));
}

int node_do(struct node *node, enum pg_op op)
{
	struct pg_req req = { .op = op };

	return node_req(node, &req);
}

int node_from(struct node *node, enum pg_op op, const struct node *upstream)
{
	struct pg_req req = { .op = op };

	if (upstream) {
		str_copy(req.upstream.name, NAME_SIZE, upstream->config.name);
		str_copy(req.upstream.host, HOST_SIZE, "127.0.0.1");
		req.upstream.port = upstream->config.pg.port;
	}
	return node_req(node, &req);
}

int node_stop(struct node *node, enum stop_mode mode)
{
	struct pg_req req = { .op = PGOP_STOP, .stop = mode };

	return node_req(node, &req);
}

void node_until(struct node *node, enum pg_run run, enum pg_role role)
{
	int64_t until_ms = loop_now_ms() + 30000;

	do {
		CHECK(loop_now_ms() < until_ms, "%s: run %d role %d instead of %d %d (%s)",
		      node->config.name, node->state.run, node->state.role, run, role,
		      node->err.msg);
		CHECK(node_do(node, PGOP_PROBE) == 0, "%s", node->err.msg);
	} while (node->state.run != run || node->state.role != role);
}

void node_bootstrap(struct node *node)
{
	CHECK(node_do(node, PGOP_INITDB) == 0, "%s", node->err.msg);
	CHECK(node_do(node, PGOP_START_PRIMARY) == 0, "%s", node->err.msg);
	node_until(node, PG_UP, ROLE_PRIMARY);
	CHECK(node_do(node, PGOP_POST_BOOTSTRAP) == 0, "%s", node->err.msg);
}

void node_join(struct node *node, const struct node *upstream)
{
	CHECK(node_from(node, PGOP_CLONE, upstream) == 0, "%s", node->err.msg);
	CHECK(node_from(node, PGOP_START_STANDBY, upstream) == 0, "%s", node->err.msg);
	do {
		node_until(node, PG_UP, ROLE_REPLICA);
	} while (!node->state.streaming);
}

/* -- SQL ---------------------------------------------------------------------------------- */

static void psql_argv(struct node *node, const char *sql, char conninfo[256],
		      const char *argv[8])
{
	str_printf(conninfo, 256, "host=%s port=%u user=postgres dbname=postgres", rig_dir(),
		   node->config.pg.port);
	argv[0] = pgrig_program("psql");
	argv[1] = "-XAtq";
	argv[2] = "-vON_ERROR_STOP=1";
	argv[3] = conninfo;
	argv[4] = "-c";
	argv[5] = sql;
	argv[6] = NULL;
}

bool node_sql(struct node *node, const char *sql, struct buf *ret)
{
	_cleanup_(buf_done) struct buf output = { 0 };
	const char *argv[8];
	const char *env[] = { "PGPASSWORD=se'cr:et\\", NULL };
	struct child_spec spec = { .name = "psql", .argv = argv, .env = env };
	char conninfo[256];
	struct err err = { 0 };
	int code = 0;

	psql_argv(node, sql, conninfo, argv);
	CHECK(child_run(&spec, 30000, &output, &code, &err) == 0, "%s: %s", sql, err.msg);
	if (ret)
		buf_add(ret, output.data, output.len);
	else if (code != 0)
		fprintf(stderr, "   psql: %s\n", output.data);
	return code == 0;
}

long long node_number(struct node *node, const char *sql)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	CHECK(node_sql(node, sql, &text), "%s: %s", sql, text.data);
	return strtoll(text.data ? text.data : "", NULL, 10);
}

pid_t node_sql_begin(struct node *node, const char *sql)
{
	const char *argv[8];
	char conninfo[256];

	psql_argv(node, sql, conninfo, argv);
	setenv("PGPASSWORD", "se'cr:et\\", 1);
	return rig_spawn("psql", (char *const *)(uintptr_t)argv);
}

pid_t node_backend(struct node *node, const char *where)
{
	_cleanup_(buf_done) struct buf sql = { 0 };

	buf_printf(&sql, "select coalesce(max(pid), 0) from pg_stat_activity where %s", where);
	return (pid_t)node_number(node, sql.data);
}

bool node_has(const struct node *node, const char *file)
{
	char path[256];
	struct stat st;

	str_printf(path, sizeof(path), "%s/%s", node->data_dir, file);
	return lstat(path, &st) == 0;
}
