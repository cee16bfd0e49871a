/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_query - a statement at the member of a role
 *
 * Output is that of patronictl 4.1.4: Python's words for NULL and booleans, a row with the time
 * for what failed, exit code 0 for it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/outside.h"
#include "cli/select.h"
#include "cli/table.h"
#include "cli/when.h"
#include "io/loop.h"
#include "io/pgconn.h"

#define CONNECT_MS     5000
#define STATEMENT_MS   (24 * 3600 * INT64_C(1000))
#define TEXT_MAX       (1024 * 1024)
#define COLUMNS_MAX    1664 /* Postgres' own limit */
#define WATCH_MS       2000
#define WATCH_LEAST_MS 100

#define OID_BOOL 16
#define OID_INT8 20
#define OID_INT2 21
#define OID_INT4 23

/* What came of a statement: rows, or a row that tells why there are none. */
struct outcome {
	struct tree names; /* list; root NULL: none are known */
	struct tree rows;  /* list of lists */
};

struct query {
	const char *cluster;
	const char *role;   /* NULL: by name */
	const char *member; /* NULL: by role */
	const char *user, *dbname;
	char *password;
	struct buf text;
	const char *format; /* NULL tsv */
	const char *delimiter;
	struct pgconn *conn; /* kept while it is asked again */
	bool done;
	int result;
	struct err err;
	struct outcome outcome;
};

static void outcome_done(struct outcome *outcome)
{
	tree_done(&outcome->names);
	tree_done(&outcome->rows);
}

static void query_done(struct query *query)
{
	pgconn_free(query->conn);
	outcome_done(&query->outcome);
	buf_done(&query->text);
	free(query->password);
}

static void start_outcome(struct outcome *outcome)
{
	outcome_done(outcome);
	(void)node_add(&outcome->rows, NULL, NULL, TREE_LIST);
}

static void add_value(struct tree *rows, struct tree_node *row, uint32_t type, const char *value)
{
	int64_t number;

	if (value == NULL)
		(void)node_add(rows, row, NULL, TREE_NULL);
	else if (type == OID_BOOL)
		node_add_bool(rows, row, NULL, value[0] == 't');
	else if ((type == OID_INT8 || type == OID_INT4 || type == OID_INT2) &&
		 parse_int(value, INT64_MIN, INT64_MAX, &number, NULL) == 0)
		node_add_int(rows, row, NULL, number);
	else
		node_add_text(rows, row, NULL, value);
}

static int take_rows(const struct pgrows *rows, void *ret, struct err *err _unused_)
{
	struct outcome *outcome = ret;
	const int ncolumns = MIN_OF(pgrows_ncolumns(rows), COLUMNS_MAX);

	start_outcome(outcome);
	(void)node_add(&outcome->names, NULL, NULL, TREE_LIST);
	for (int k = 0; k < ncolumns; k++)
		node_add_text(&outcome->names, outcome->names.root, NULL, pgrows_name(rows, k));
	for (int i = 0; i < pgrows_n(rows); i++) {
		struct tree_node *row =
			node_add(&outcome->rows, outcome->rows.root, NULL, TREE_LIST);

		for (int k = 0; row != NULL && k < ncolumns; k++)
			add_value(&outcome->rows, row, pgrows_type(rows, k),
				  pgrows_value(rows, i, k));
	}
	return 0;
}

static void on_done(void *ctx, int result, const struct err *err)
{
	struct query *query = ctx;

	query->done = true;
	query->result = result;
	if (err != NULL)
		query->err = *err;
}

static int wait_done(struct cli *cli, struct query *query)
{
	while (!query->done)
		(void)loop_step(cli->loop, -1);
	return query->result;
}

static int open_at(struct cli *cli, struct query *query, const struct tree_node *member)
{
	_cleanup_(freep) char *host = str_dup(node_str(member, "host"));
	const struct pgconn_param params[] = {
		{ "host", host },
		{ "port", node_str(member, "port") },
		{ "user", query->user },
		{ "password", query->password },
		{ "dbname", query->dbname },
		{ "fallback_application_name", "hactl" },
	};

	query->done = false;
	pgconn_open(query->conn, params, ARRAY_LEN(params), loop_now_ms() + CONNECT_MS, on_done,
		    query);
	return wait_done(cli, query);
}

static int exec(struct cli *cli, struct query *query, const char *text)
{
	const struct sql sql = { .name = "query", .text = text, .kind = SQL_SIMPLE };
	const struct pgconn_call call = {
		.read = take_rows, .ret = &query->outcome, .done = on_done, .ctx = query
	};

	query->done = false;
	pgconn_exec(query->conn, &sql, NULL, loop_now_ms() + STATEMENT_MS, &call);
	return wait_done(cli, query);
}

/* A member's key may be older than its role: the server itself has the last word. */
static bool has_role(struct cli *cli, struct query *query)
{
	const struct tree_node *row;
	const bool wants_primary = str_eq(query->role, "primary") || str_eq(query->role, "leader");
	const bool wants_replica = str_eq(query->role, "replica") ||
				   str_eq(query->role, "standby") ||
				   str_eq(query->role, "standby-leader");

	if (!wants_primary && !wants_replica)
		return true;
	if (exec(cli, query, "SELECT pg_catalog.pg_is_in_recovery()") < 0)
		return false;
	row = query->outcome.rows.root->first;
	return row != NULL && row->first != NULL && row->first->flag == wants_replica;
}

static bool is_wanted(const struct query *query, const struct tree_node *member)
{
	if (node_text(member, "host") == NULL)
		return false;
	if (query->member != NULL)
		return str_eq(query->member, node_str(member, "name"));
	return select_has_role(member, query->role);
}

/* The leader of a standby cluster is in recovery. */
static bool is_fit(struct cli *cli, struct query *query, const struct picture *picture)
{
	return query->role == NULL ||
	       (str_eq(query->role, "leader") && picture_is_standby_cluster(picture)) ||
	       has_role(cli, query);
}

/* False: nobody who was meant could be reached, or refused us: *err says who said what. */
static bool connect_any(struct cli *cli, struct query *query, const struct picture *picture,
			struct err *err)
{
	const struct tree_node *m;

	for (m = picture_members(picture); m != NULL; m = m->next) {
		if (!is_wanted(query, m))
			continue;
		if (open_at(cli, query, m) < 0) {
			(void)err_set(err, query->err.code, "%s: %s", node_str(m, "name"),
				      query->err.msg);
			continue;
		}
		if (is_fit(cli, query, picture))
			return true;
		pgconn_close(query->conn);
	}
	return false;
}

/* One row: the time, and what is wrong. */
static void tell(struct query *query, const char *text)
{
	struct tree_node *row;
	char stamp[WHEN_SIZE];

	start_outcome(&query->outcome);
	row = node_add(&query->outcome.rows, query->outcome.rows.root, NULL, TREE_LIST);
	when_stamp(loop_wall_us(), false, stamp);
	node_add_text(&query->outcome.rows, row, NULL, stamp);
	node_add_text(&query->outcome.rows, row, NULL, text);
}

static void tell_nobody(struct query *query, const struct err *err)
{
	_cleanup_(freep) char *text = NULL;

	if (query->member != NULL)
		text = str_dupf("No connection to member %s is available", query->member);
	else
		text = str_dupf("No connection to role %s is available", query->role);
	tell(query, text);
	if (err->code != ERR_NONE)
		fprintf(stderr, "%s\n", err->msg);
}

static int ask(struct cli *cli, struct query *query, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(freep) char *text = NULL;
	struct err why = { 0 };
	int r;

	if (!pgconn_idle(query->conn)) {
		r = cli_picture(cli, query->cluster, &picture, err);
		if (r < 0)
			return r;
		if (!connect_any(cli, query, &picture, &why)) {
			tell_nobody(query, &why);
			return 0;
		}
	}
	r = exec(cli, query, query->text.data);
	if (r >= 0)
		return 0;
	pgconn_close(query->conn);
	text = str_dupf("ERROR, SQLSTATE: %s",
			*query->err.sqlstate != '\0' ? query->err.sqlstate : "?");
	tell(query, text);
	fprintf(stderr, "%s\n", query->err.msg);
	return 0;
}

static void print_tsv(const struct query *query)
{
	const char *delimiter = query->delimiter != NULL ? query->delimiter : "\t";
	const struct tree_node *row = query->outcome.rows.root->first;
	const struct tree_node *cell;

	if (query->outcome.names.root != NULL && query->outcome.names.root->first != NULL) {
		for (cell = query->outcome.names.root->first; cell != NULL; cell = cell->next)
			printf("%s%s", cell->text, cell->next != NULL ? delimiter : "\n");
	}
	for (; row != NULL; row = row->next)
		for (cell = row->first; cell != NULL; cell = cell->next)
			printf("%s%s", cell->type == TREE_NULL ? "None" : cell->text,
			       cell->next != NULL ? delimiter : "\n");
}

/* What failed has no names of columns. */
static const char *name_of(const struct tree_node *names, size_t k)
{
	static const char *const none[] = { "Time", "Error" };
	const struct tree_node *name = names != NULL ? names->first : NULL;

	if (names == NULL)
		return k < ARRAY_LEN(none) ? none[k] : "";
	for (; k > 0 && name != NULL; k--)
		name = name->next;
	return name != NULL ? name->text : "";
}

static size_t count(const struct tree_node *list)
{
	size_t n = 0;

	for (const struct tree_node *item = list != NULL ? list->first : NULL; item != NULL;
	     item = item->next)
		n++;
	return n;
}

static void print_table(const struct query *query, enum table_format format)
{
	const struct tree_node *names = query->outcome.names.root;
	const size_t n = names != NULL ? count(names) : 2;
	_cleanup_(freep) struct table_column *columns = mem_new(n + 1, sizeof(*columns));
	_cleanup_(freep) const struct table_column **shown = mem_new(n + 1, sizeof(*shown));
	_cleanup_(tree_done) struct tree rows = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct table table = { .columns = shown, .ncolumns = n };

	for (size_t k = 0; k < n; k++) {
		columns[k].name = name_of(names, k);
		shown[k] = &columns[k];
	}
	table.rows = node_add(&rows, NULL, NULL, TREE_LIST);
	for (const struct tree_node *from = query->outcome.rows.root->first; from != NULL;
	     from = from->next) {
		struct tree_node *row = node_add(&rows, rows.root, NULL, TREE_MAP);
		size_t k = 0;

		for (const struct tree_node *cell = from->first; row != NULL && cell != NULL;
		     cell = cell->next)
			node_add_copy(&rows, row, columns[k++].name, cell);
	}
	table_print(&table, format, &text);
	printf("%s", text.data != NULL ? text.data : "");
}

static int read_text(const struct args *args, struct query *query, struct err *err)
{
	const char *command = args_value(args, "--command");
	const char *file = args_value(args, "--file");

	if (command != NULL && file != NULL)
		return err_set(err, ERR_PARSE,
			       "--file and --command are mutually exclusive options");
	if (command == NULL && file == NULL)
		return err_set(err, ERR_PARSE,
			       "You need to specify either --command or --file");
	if (file != NULL)
		return outside_read(file, TEXT_MAX, &query->text, err);
	buf_str(&query->text, command);
	return 0;
}

static int read_options(const struct cli *cli, const struct args *args, struct query *query,
			int64_t *ret_every_ms, struct err *err)
{
	const char *seconds = args_value(args, "--watch");
	int64_t ms = args_has(args, "-W") ? WATCH_MS : 0;
	int r;

	query->role = args_value(args, "--role");
	query->member = args_value(args, "--member");
	query->user = args_value(args, "--username");
	query->dbname = args_value(args, "--dbname");
	query->format = args_value(args, "--format");
	query->delimiter = args_value(args, "--delimiter");
	if (query->role != NULL && query->member != NULL)
		return err_set(err, ERR_PARSE,
			       "--role and --member are mutually exclusive options");
	if (query->role == NULL && query->member == NULL)
		query->role = "leader";
	if (query->member == NULL && str_eq(query->role, "any"))
		query->role = "any";
	if (seconds != NULL && parse_duration_ms(seconds, "s", &ms, err) < 0)
		return err_wrap(err, "--watch");
	*ret_every_ms = ms > 0 ? MAX_OF(ms, WATCH_LEAST_MS) : 0;
	r = cli_cluster(cli, args, &query->cluster, err);
	if (r >= 0)
		r = read_text(args, query, err);
	if (r >= 0 && args_has(args, "--password"))
		r = ask_secret("Password", &query->password, err);
	return r;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(query_done) struct query query = { 0 };
	enum table_format format = TABLE_TSV;
	int64_t every_ms = 0;
	int r;

	r = read_options(cli, args, &query, &every_ms, err);
	if (r >= 0)
		r = pgconn_new(cli->loop, &query.conn, err);
	if (query.format != NULL || cli->json)
		format = cli_format(args);
	while (r >= 0) {
		r = ask(cli, &query, err);
		if (r < 0)
			break;
		if (format == TABLE_TSV)
			print_tsv(&query);
		else
			print_table(&query, format);
		(void)fflush(stdout);
		if (every_ms == 0)
			break;
		cli_wait(cli, every_ms);
	}
	return r;
}

static const struct args_option options[] = {
	{ .name = "--command", .also = "-c", .value = "SQL", .help = "The statement." },
	{ .name = "--file", .also = "-f", .value = "FILE", .kind = ARGS_FILE,
	  .help = "A file with the statement; - is the standard input." },
	{ .name = "--format", .value = "FORMAT",
	  .help = "Output: tsv (the default), pretty, json, yaml or yml.",
	  .choices = table_format_names },
	{ .name = "--delimiter", .value = "TEXT", .help = "Between the columns of tsv; a tab." },
	CMD_ROLE("At a member of this role, the leader unless told otherwise."),
	{ .name = "--member", .also = "-m", .value = "NAME", .kind = ARGS_MEMBER,
	  .help = "At this member." },
	{ .name = "--username", .also = "-U", .value = "NAME", .help = "User of the database." },
	{ .name = "--dbname", .also = "-d", .value = "NAME", .help = "Database." },
	{ .name = "--password", .help = "Ask for the password." },
	CMD_WATCH,
	CMD_END,
};

const struct cli_command cmd_query = {
	.name = "query",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Run a statement at a member of a role.",
	.more = "  Behind the command -c is the statement and -d the database. What is not given "
		"is\n"
		"  taken as psql takes it: PGUSER, PGPASSWORD, ~/.pgpass, ...\n",
	.options = options,
	.run = run,
};
