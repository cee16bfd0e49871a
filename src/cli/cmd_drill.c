/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_drill - a switchover or a crash, rehearsed on the real cluster with writers of its own
 *
 * Everything is checked before anything is touched, and asked. What was begun is seen to its end:
 * an interrupt stops the writers and removes the table, it takes no switchover back.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/drillload.h"
#include "cli/drillwindow.h"
#include "cli/dsn.h"
#include "cli/fit.h"
#include "cli/node.h"
#include "cli/report.h"
#include "cli/select.h"
#include "cli/when.h"
#include "wire/record.h"

#define EXIT_UNFIT   3
#define WRITERS      2
#define LIMIT_S      60
#define LEAST_MIN    5    /* that the window must stay open */
#define WARM_MS      2000 /* of writing before and after */
#define LOOK_MS      250
#define REQUEST_MS   90000
#define SQL_MS       10000
#define PATIENCE_MS  15000 /* for what must be done in the end */
#define CLOCKS_US    2000000
#define LEAST_ROWS   20 /* that the writers must have got through before */

static const struct sql create = {
	.name = "create table",
	.text = "CREATE TABLE " DRILLLOAD_TABLE " (writer int NOT NULL, seq bigint NOT NULL)",
	.kind = SQL_SIMPLE,
};
static const struct sql drop = {
	.name = "drop table",
	.text = "DROP TABLE IF EXISTS " DRILLLOAD_TABLE,
	.kind = SQL_SIMPLE,
};
static const struct sql fetch = {
	.name = "read back",
	.text = "SELECT writer, seq FROM " DRILLLOAD_TABLE,
	.kind = SQL_QUERY,
	.ncolumns = 2,
};
static const struct sql rights = {
	.name = "rights",
	.text = "SELECT pg_catalog.has_schema_privilege('public', 'CREATE')::int, "
		"(pg_catalog.current_setting('is_superuser') = 'on')::int",
	.kind = SQL_QUERY,
	.ncolumns = 2,
};
/* What `kill -9` at the keyboard does. The directory of a backend is the data directory. */
static const struct sql crash = {
	.name = "crash",
	.text = "COPY (SELECT 1) TO PROGRAM 'kill -9 \"$(head -n 1 postmaster.pid)\"'",
	.kind = SQL_SIMPLE,
};

struct drill {
	struct cli *cli;
	const char *cluster;
	bool crash;
	char leader[NAME_SIZE]; /* before */
	char target[NAME_SIZE]; /* that is to take over; a crash chooses itself */
	int64_t writers, limit_ms, max_outage_ms;
	char *hosts, *ports; /* of all members */
	const char *user, *dbname;
	char *password;
	struct pgconn *conn; /* for what is done once */
	struct drillload load;
	bool table;     /* it was made */
	bool interrupted;
	int64_t begun_ms, whole_ms;
	char begun[ISO_TEXT_MAX]; /* wall clock, UTC, less what clocks may differ by */
	struct picture after;
	int64_t lost, rows;
};

static void drill_done(struct drill *drill)
{
	drillload_done(&drill->load);
	pgconn_free(drill->conn);
	free(drill->hosts);
	free(drill->ports);
	free(drill->password);
	picture_done(&drill->after);
}

/* -- one statement at a time ---------------------------------------------------------------- */

struct answer {
	bool done;
	int result;
	struct err err;
};

static void on_answer(void *ctx, int result, const struct err *err)
{
	struct answer *answer = ctx;

	answer->done = true;
	answer->result = result;
	if (err != NULL)
		answer->err = *err;
}

static int await(struct drill *drill, struct answer *answer, struct err *err)
{
	while (!answer->done)
		(void)loop_step(drill->cli->loop, -1);
	if (answer->result < 0)
		*err = answer->err;
	return answer->result;
}

#define PARAMS 7
static size_t fill_params(const struct drill *drill, struct pgconn_param params[PARAMS])
{
	params[0] = (struct pgconn_param){ "host", drill->hosts };
	params[1] = (struct pgconn_param){ "port", drill->ports };
	params[2] = (struct pgconn_param){ "user", drill->user };
	params[3] = (struct pgconn_param){ "password", drill->password };
	params[4] = (struct pgconn_param){ "dbname", drill->dbname };
	params[5] = (struct pgconn_param){ "target_session_attrs", "read-write" };
	params[6] = (struct pgconn_param){ "application_name", "hactl drill" };
	return PARAMS;
}

static int open_conn(struct drill *drill, struct err *err)
{
	struct answer answer = { 0 };
	struct pgconn_param params[PARAMS];
	const size_t n = fill_params(drill, params);

	pgconn_open(drill->conn, params, n, loop_now_ms() + SQL_MS, on_answer, &answer);
	return await(drill, &answer, err);
}

static int exec(struct drill *drill, const struct sql *sql,
		int (*read)(const struct pgrows *rows, void *ret, struct err *err), void *ret,
		struct err *err)
{
	struct answer answer = { 0 };
	const struct pgconn_call call = { .read = read, .ret = ret, .done = on_answer,
					  .ctx = &answer };

	if (!pgconn_idle(drill->conn)) {
		int r = open_conn(drill, err);

		if (r < 0)
			return r;
	}
	pgconn_exec(drill->conn, sql, NULL, loop_now_ms() + SQL_MS, &call);
	return await(drill, &answer, err);
}

/* The primary may be about to come up. */
static int exec_patiently(struct drill *drill, const struct sql *sql,
			  int (*read)(const struct pgrows *rows, void *ret, struct err *err),
			  void *ret, struct err *err)
{
	const int64_t until_ms = loop_now_ms() + PATIENCE_MS;
	int r;

	for (;;) {
		r = exec(drill, sql, read, ret, err);
		if (r >= 0 || loop_now_ms() >= until_ms)
			return r;
		cli_wait(drill->cli, LOOK_MS);
	}
}

/* -- before -------------------------------------------------------------------------------- */

static int minute_now(void)
{
	char stamp[WHEN_SIZE];
	int64_t hour = 0, minute = 0;

	when_stamp(loop_wall_us(), false, stamp);
	stamp[13] = '\0';
	stamp[16] = '\0';
	(void)parse_int(stamp + 11, 0, 23, &hour, NULL);
	(void)parse_int(stamp + 14, 0, 59, &minute, NULL);
	return (int)(hour * 60 + minute);
}

static void unfit(struct drill *drill, const char *member, const char *why)
{
	report_add(drill->cli, member, REPORT_WOULD_NOT, 0, "Not fit: %s%s%s",
		   member != NULL ? member : "", member != NULL ? ": " : "", why);
}

static int check_window(struct drill *drill, const struct args *args, struct err *err)
{
	const char *window = args_value(args, "--window");
	int left_min = 0;
	int r;

	if (window == NULL)
		return err_set(err, ERR_PARSE,
			       "A drill needs a window in which it may take place: --window "
			       "02:00-04:00, local time, or --window now");
	r = drillwindow_check(window, minute_now(), &left_min, err);
	if (r < 0)
		return r;
	if (left_min < LEAST_MIN)
		unfit(drill, NULL,
		      left_min == 0 ? "it is not the time of the window" :
				      "the window closes in less than 5 minutes");
	return 0;
}

/* Everybody has to be well: a drill that meets a second fault is no drill. */
static void check_members(struct drill *drill, const struct picture *picture,
			  const struct fit *fit)
{
	const struct fit_member *best = fit_best(fit);
	const struct fit_member *target =
		*drill->target != '\0' ? fit_find(fit, drill->target) : best;

	for (size_t i = 0; i < fit->n; i++) {
		const struct fit_member *m = &fit->items[i];
		const bool spared = picture_is_nofailover(m->member) && m->answers;

		if (m->why[0] != '\0' && !(spared && m != target))
			unfit(drill, node_str(m->member, "name"), m->why);
		if (*node_str(m->member, "trouble") != '\0')
			unfit(drill, node_str(m->member, "name"), node_str(m->member, "trouble"));
		if (m->answers && !m->ours)
			unfit(drill, node_str(m->member, "name"), "it is not run by pghad");
	}
	if (target == NULL || target->leads) {
		unfit(drill, NULL, "there is nobody who could take over");
		return;
	}
	str_clip(drill->target, sizeof(drill->target), node_str(target->member, "name"));
	if (picture_is_synchronous(picture) && picture_is_async(picture, drill->target))
		unfit(drill, drill->target, "it is not synchronous");
}

static void check_cluster(struct drill *drill, const struct picture *picture)
{
	_cleanup_(freep) struct fit *fit = mem_new(1, sizeof(*fit));

	if (*picture->leader == '\0')
		unfit(drill, NULL, "the cluster has no leader");
	if (picture_is_paused(picture))
		unfit(drill, NULL, "the cluster is paused: hactl resume");
	if (tree_child(picture->doc.root, "scheduled_switchover") != NULL)
		unfit(drill, NULL, "a switchover is scheduled: hactl flush");
	fit_look(drill->cli, picture, fit);
	check_members(drill, picture, fit);
}

static int read_rights(const struct pgrows *rows, void *ret, struct err *err)
{
	int64_t *pair = ret;
	int r = pgrows_int(rows, 0, 0, &pair[0], err);

	return r < 0 ? r : pgrows_int(rows, 0, 1, &pair[1], err);
}

static void check_database(struct drill *drill)
{
	struct err err = { 0 };
	int64_t pair[2] = { 0 };

	if (exec(drill, &rights, read_rights, pair, &err) < 0) {
		unfit(drill, NULL, err.msg);
		return;
	}
	if (pair[0] == 0)
		unfit(drill, NULL, "this user may make no table in the schema public");
	if (drill->crash && pair[1] == 0)
		unfit(drill, NULL, "only a superuser can kill the server: give --username");
}

static void list_hosts(struct drill *drill, const struct picture *picture)
{
	_cleanup_(buf_done) struct buf hosts = { 0 };
	_cleanup_(buf_done) struct buf ports = { 0 };

	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
		if (node_text(m, "host") == NULL)
			continue;
		buf_printf(&hosts, "%s%s", hosts.len > 0 ? "," : "", node_str(m, "host"));
		buf_printf(&ports, "%s%s", ports.len > 0 ? "," : "", node_str(m, "port"));
	}
	drill->hosts = buf_take(&hosts);
	drill->ports = buf_take(&ports);
}

/* -- the drill ------------------------------------------------------------------------------ */

/* Lets the writers write. */
static void let_write(struct drill *drill, int64_t ms)
{
	const int64_t until_ms = loop_now_ms() + ms;

	while (!drill->interrupted && loop_now_ms() < until_ms)
		(void)loop_step(drill->cli->loop, until_ms - loop_now_ms());
}

static int warm_up(struct drill *drill, const struct pgconn_param *params, size_t n,
		   struct err *err)
{
	int64_t rows;
	int r = exec(drill, &drop, NULL, NULL, err);

	if (r >= 0)
		r = exec(drill, &create, NULL, NULL, err);
	if (r < 0)
		return r;
	drill->table = true;
	r = drillload_start(&drill->load, drill->cli->loop, params, n, (int)drill->writers, err);
	if (r < 0)
		return r;
	let_write(drill, WARM_MS);
	rows = drillload_acknowledged(&drill->load);
	if (drill->interrupted)
		return err_set(err, ERR_CANCELED, "Aborted!");
	if (rows < LEAST_ROWS)
		return err_set(err, ERR_STATE,
			       "The writers got only %lld rows through in %d s, before anything "
			       "was done: %s",
			       (long long)rows, WARM_MS / 1000, drill->load.newest.msg);
	return 0;
}

static int ask_switchover(struct drill *drill, const struct picture *picture, struct err *err)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(freep) char *body = str_dupf("{\"leader\": \"%s\", \"candidate\": \"%s\"}",
					       drill->leader, drill->target);
	int r;

	r = cli_request(drill->cli, picture_member(picture, drill->leader), "POST", "switchover",
			body, REQUEST_MS, &reply, err);
	if (r >= 0 && reply.code != 200)
		return err_set(err, ERR_STATE, "The switchover failed: %d, %.300s", reply.code,
			       api_text(&reply));
	return r;
}

static int begin(struct drill *drill, const struct picture *picture, struct err *err)
{
	struct err ignored = { 0 };

	drillload_mark(&drill->load);
	drill->begun_ms = loop_now_ms();
	(void)record_iso_zoned(loop_wall_us() - CLOCKS_US, 0, drill->begun);
	if (!drill->crash)
		return ask_switchover(drill, picture, err);
	/* Who kills his server hears nothing back. */
	(void)exec(drill, &crash, NULL, NULL, &ignored);
	if (ignored.code == ERR_SQL && ignored.sqlstate[0] != '5') {
		*err = ignored;
		return -(int)err->code;
	}
	return 0;
}

/* A leader that takes writes, and everybody else streams from it. */
static bool is_whole(struct drill *drill)
{
	_cleanup_(freep) struct fit *fit = mem_new(1, sizeof(*fit));
	struct err err = { 0 };

	picture_done(&drill->after);
	if (cli_picture_dcs(drill->cli, drill->cluster, &drill->after, &err) < 0 ||
	    *drill->after.leader == '\0')
		return false;
	fit_look(drill->cli, &drill->after, fit);
	for (size_t i = 0; i < fit->n; i++)
		if (fit->items[i].why[0] != '\0' &&
		    !(picture_is_nofailover(fit->items[i].member) && fit->items[i].answers))
			return false;
	return true;
}

static int wait_whole(struct drill *drill, struct err *err)
{
	const int64_t until_ms = drill->begun_ms + drill->limit_ms;

	while (!drill->interrupted && loop_now_ms() < until_ms) {
		let_write(drill, LOOK_MS);
		/* It must have been felt before its end can be seen. */
		if (drill->load.failed_at_ms != 0 &&
		    drill->load.last_ack_ms > drill->load.failed_at_ms && is_whole(drill)) {
			drill->whole_ms = loop_now_ms();
			return 0;
		}
	}
	if (drill->interrupted)
		return err_set(err, ERR_CANCELED, "Aborted! What was begun goes on");
	return err_set(err, ERR_TIMEOUT,
		       "The cluster is not whole %lld s later; see hactl list and hactl explain",
		       (long long)(drill->limit_ms / 1000));
}

static int take_rows(const struct pgrows *rows, void *ret, struct err *err)
{
	struct drill *drill = ret;

	drill->rows = pgrows_n(rows);
	for (int i = 0; i < pgrows_n(rows); i++) {
		int64_t writer, seq;
		int r = pgrows_int(rows, i, 0, &writer, err);

		if (r >= 0)
			r = pgrows_int(rows, i, 1, &seq, err);
		if (r < 0)
			return r;
		drillload_found(&drill->load, writer, seq);
	}
	return 0;
}

static int count_rows(struct drill *drill, struct err *err)
{
	int r;

	let_write(drill, WARM_MS);
	drillload_stop(&drill->load);
	/* Whoever it was connected to may be the old leader. */
	pgconn_close(drill->conn);
	r = exec_patiently(drill, &fetch, take_rows, drill, err);
	if (r < 0)
		return err_wrap(err, "reading the rows back");
	drill->lost = drillload_lost(&drill->load);
	return 0;
}

static void clean_up(struct drill *drill)
{
	struct err err = { 0 };

	drillload_stop(&drill->load);
	if (!drill->table)
		return;
	if (exec_patiently(drill, &drop, NULL, NULL, &err) < 0)
		report_add(drill->cli, NULL, REPORT_UNKNOWN, 0,
			   "The table " DRILLLOAD_TABLE " is left behind: %s; drop it by hand",
			   err.msg);
}

/* -- what came of it ------------------------------------------------------------------------ */

static void tell_steps(struct drill *drill)
{
	const struct tree_node *traces = drill->after.traces.root;

	for (const struct tree_node *t = traces != NULL ? traces->first : NULL; t != NULL;
	     t = t->next) {
		const struct tree_node *steps = tree_child(t, "steps");

		if (strcmp(node_str(t, "begun"), drill->begun) < 0)
			continue;
		report_line(drill->cli, "%s %s, from %s on:", t->key, node_str(t, "what"),
			    node_str(t, "begun"));
		for (const struct tree_node *s = steps != NULL ? steps->first : NULL; s != NULL;
		     s = s->next) {
			int64_t ms = 0;

			(void)node_int(s, "ms", &ms);
			report_line(drill->cli, "  %6lld ms  %s", (long long)ms,
				    node_str(s, "step"));
		}
	}
}

static int verdict(struct drill *drill)
{
	struct cli *cli = drill->cli;
	const bool slow = drill->max_outage_ms > 0 && drill->load.gap_ms > drill->max_outage_ms;

	if (str_eq(drill->after.leader, drill->leader))
		report_add(cli, drill->leader, REPORT_DONE, 0, "Leader: %s, started again in place",
			   drill->leader);
	else
		report_add(cli, drill->after.leader, REPORT_DONE, 0, "Leader: %s, before it was %s",
			   drill->after.leader, drill->leader);
	report_fact(cli, "outage_ms", drill->load.gap_ms);
	report_fact(cli, "acknowledged", drillload_acknowledged(&drill->load));
	report_fact(cli, "lost", drill->lost);
	report_fact(cli, "unknown", drillload_unknown(&drill->load));
	report_fact(cli, "whole_ms", drill->whole_ms - drill->begun_ms);
	report_add(cli, NULL, slow ? REPORT_REFUSED : REPORT_DONE, 0,
		   "Outage: %lld ms without an acknowledged commit, from %lld ms after the start "
		   "on%s",
		   (long long)drill->load.gap_ms,
		   (long long)(drill->load.gap_from_ms - drill->begun_ms),
		   slow ? "; that is more than --max-outage" : "");
	report_add(cli, NULL, drill->lost > 0 ? REPORT_REFUSED : REPORT_DONE, 0,
		   "Loss: %lld of %lld acknowledged rows are missing; of %lld more nobody knew",
		   (long long)drill->lost, (long long)drillload_acknowledged(&drill->load),
		   (long long)drillload_unknown(&drill->load));
	report_add(cli, NULL, REPORT_DONE, 0,
		   "Whole again: after %lld ms everybody streams from the leader",
		   (long long)(drill->whole_ms - drill->begun_ms));
	tell_steps(drill);
	return drill->lost > 0 || slow ? 1 : 0;
}

static void on_signal(void *ctx, int signo _unused_)
{
	struct drill *drill = ctx;

	drill->interrupted = true;
}

static int play(struct drill *drill, const struct picture *picture, struct err *err)
{
	struct loop_source *interrupt = NULL, *terminate = NULL;
	struct pgconn_param params[PARAMS];
	const size_t n = fill_params(drill, params);
	int r;

	r = loop_signal_new(drill->cli->loop, "SIGINT", SIGINT, on_signal, drill, &interrupt, err);
	if (r >= 0)
		r = loop_signal_new(drill->cli->loop, "SIGTERM", SIGTERM, on_signal, drill,
				    &terminate, err);
	if (r >= 0)
		report_line(drill->cli, "%d writers begin ...", (int)drill->writers);
	if (r >= 0)
		r = warm_up(drill, params, n, err);
	if (r >= 0) {
		report_line(drill->cli, "%s",
			    drill->crash ? "the primary is killed ..." :
					   "the leader is asked to hand over ...");
		r = begin(drill, picture, err);
	}
	if (r >= 0)
		r = wait_whole(drill, err);
	if (r >= 0)
		r = count_rows(drill, err);
	clean_up(drill);
	loop_source_free(interrupt);
	loop_source_free(terminate);
	return r < 0 ? r : verdict(drill);
}

static int confirm(const struct drill *drill, struct err *err)
{
	_cleanup_(freep) char *question = NULL;
	bool yes = false;
	int r;

	question = drill->crash ?
			   str_dupf("Are you sure you want to kill PostgreSQL on the leader %s of "
				    "cluster %s? Its clients are cut off",
				    drill->leader, drill->cluster) :
			   str_dupf("Are you sure you want to hand over from %s to %s in cluster "
				    "%s? Clients are cut off",
				    drill->leader, drill->target, drill->cluster);
	r = ask_yes(question, &yes, err);
	if (r >= 0 && !yes)
		r = err_set(err, ERR_STATE, "Aborted drill");
	return r;
}

static int tell_dry(struct drill *drill)
{
	struct cli *cli = drill->cli;

	report_add(cli, NULL, REPORT_WOULD, 0,
		   "Would make the table " DRILLLOAD_TABLE
		   ", and %lld writers would insert into it",
		   (long long)drill->writers);
	if (drill->crash)
		report_add(cli, drill->leader, REPORT_WOULD, 0,
			   "Would kill the postmaster of %s with SIGKILL", drill->leader);
	else
		report_add(cli, drill->leader, REPORT_WOULD, 0, "Would hand over from %s to %s",
			   drill->leader, drill->target);
	report_add(cli, NULL, REPORT_WOULD, 0,
		   "Would wait at most %lld s until the cluster is whole, and drop the table",
		   (long long)(drill->limit_ms / 1000));
	return report_dry_end(cli);
}

static int read_number(const struct args *args, const char *name, int64_t max, int64_t *ret,
		       struct err *err)
{
	const char *text = args_value(args, name);

	if (text != NULL && parse_int(text, 1, max, ret, err) < 0)
		return err_wrap(err, "%s", name);
	return 0;
}

static int read_options(struct drill *drill, const struct args *args, struct err *err)
{
	const char *candidate = args_value(args, "--candidate");
	const char *limit = args_value(args, "--limit");
	const char *outage = args_value(args, "--max-outage");
	int r = read_number(args, "--writers", DRILLLOAD_WRITERS_MAX, &drill->writers, err);

	drill->crash = args_has(args, "--crash");
	drill->user = args_value(args, "--username");
	drill->dbname = args_value(args, "--dbname");
	if (drill->dbname == NULL)
		drill->dbname = "postgres";
	str_clip(drill->target, sizeof(drill->target), candidate != NULL ? candidate : "");
	if (r >= 0 && candidate != NULL && drill->crash)
		r = err_set(err, ERR_PARSE,
			    "After a crash the members choose: not with --candidate");
	if (r >= 0 && limit != NULL && parse_duration_ms(limit, "s", &drill->limit_ms, err) < 0)
		r = err_wrap(err, "--limit");
	if (r >= 0 && outage != NULL &&
	    parse_duration_ms(outage, "s", &drill->max_outage_ms, err) < 0)
		r = err_wrap(err, "--max-outage");
	if (r >= 0)
		r = report_check(drill->cli, args, err);
	if (r >= 0)
		r = cli_cluster(drill->cli, args, &drill->cluster, err);
	if (r >= 0 && args_has(args, "--password"))
		r = ask_secret("Password", &drill->password, err);
	return r;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(drill_done) struct drill drill = { .cli = cli, .writers = WRITERS,
						     .limit_ms = LIMIT_S * INT64_C(1000) };
	_cleanup_(picture_done) struct picture picture = { 0 };
	int r = read_options(&drill, args, err);

	if (r >= 0)
		r = check_window(&drill, args, err);
	if (r >= 0)
		r = cli_picture_dcs(cli, drill.cluster, &picture, err);
	if (r >= 0)
		r = pgconn_new(cli->loop, &drill.conn, err);
	if (r < 0)
		return r;
	report_show(cli, &picture);
	str_clip(drill.leader, sizeof(drill.leader), picture.leader);
	list_hosts(&drill, &picture);
	check_cluster(&drill, &picture);
	/* Where nobody is there, libpq would look on this host. */
	if (cli->report.nrefused == 0)
		check_database(&drill);
	if (cli->report.nrefused > 0) {
		report_line(cli, "Nothing was changed.");
		return EXIT_UNFIT;
	}
	if (cli->dry)
		return tell_dry(&drill);
	if (report_asks(cli, args))
		r = confirm(&drill, err);
	return r < 0 ? r : play(&drill, &picture, err);
}

static const struct args_option options[] = {
	{ .name = "--window", .value = "FROM-TO",
	  .help = "When it may take place: 02:00-04:00, local time, or now." },
	{ .name = "--crash", .help = "Kill the primary instead of handing over." },
	{ .name = "--candidate", .value = "NAME", .kind = ARGS_MEMBER,
	  .help = "The member that takes over; the best one." },
	{ .name = "--writers", .value = "N", .help = "Connections that write; 2." },
	{ .name = "--limit", .value = "SECONDS", .help = "Until it must be over; 60." },
	{ .name = "--max-outage", .value = "SECONDS",
	  .help = "A longer outage makes the exit code 1." },
	{ .name = "--username", .also = "-U", .value = "NAME", .help = "User of the database." },
	{ .name = "--dbname", .also = "-d", .value = "NAME", .help = "Database; postgres." },
	{ .name = "--password", .help = "Ask for the password." },
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_drill = {
	.name = "drill",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Rehearse a switchover or a crash, with writers, and tell outage and loss.",
	.more = "  It is the real cluster: its clients are cut off as they would be. Refuses\n"
		"  when the cluster is not fit. Exit code: 0 as it should be, 1 rows were lost, it\n"
		"  took too long or failed, 3 it was not fit and nothing was done.\n",
	.options = options,
	.run = run,
};
