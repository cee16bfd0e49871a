/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_restart - restart Postgres on members, now or later
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/report.h"
#include "cli/select.h"
#include "cli/when.h"
#include "io/loop.h"
#include "wire/treedump.h"

/* An immediate restart is answered when it is over, which takes as long as the shutdown
 * checkpoint and the recovery do. */
#define RESTART_TIMEOUT_MS (3600 * INT64_C(1000))
#define FLUSH_TIMEOUT_MS   10000
/* A member rounds what it is told to whole seconds, and takes none for no time. */
#define TIMEOUT_LEAST_MS 500

struct restart {
	struct when when;
	char *version; /* only below this one; NULL any */
	const char *timeout;
	bool pending;
	bool force;
	bool dry;
};

static int choose_time(struct restart *restart, const struct args *args, struct err *err)
{
	const char *given = args_value(args, "--scheduled");
	_cleanup_(freep) char *question = NULL;
	_cleanup_(freep) char *answer = NULL;
	char example[WHEN_SIZE];
	int r;

	if (given == NULL && !restart->force && !restart->dry) {
		when_example(loop_wall_us(), example);
		question = str_dupf("When should the restart take place (e.g. %s) ", example);
		r = ask_text(question, "now", &answer, err);
		if (r < 0)
			return r;
		given = answer;
	}
	return when_parse(given, loop_wall_us(), &restart->when, err);
}

/* X.Y from 10 on, X.Y.Z before. */
static int check_version(const char *version, struct err *err)
{
	const char *s = version;
	int64_t parts[3] = { 0 };
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(s, ".");
		_cleanup_(freep) char *part = str_ndup(s, len);

		if (parse_int(part, 0, 999999, n < 3 ? &parts[n] : &parts[2], NULL) < 0)
			return err_set(err, ERR_PARSE, "Invalid PostgreSQL version: %s", version);
		n++;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	if (n < 2 || n > 3 || (n == 2 && parts[0] < 10))
		return err_set(err, ERR_PARSE,
			       "Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: %s",
			       version);
	return 0;
}

static int choose_version(struct restart *restart, const struct args *args, struct err *err)
{
	const char *given = args_value(args, "--pg-version");
	int r;

	if (given != NULL) {
		restart->version = str_dup(given);
	} else if (!restart->force && !restart->dry) {
		r = ask_text("Restart if the PostgreSQL version is less than provided "
			     "(e.g. 9.5.2) ",
			     "", &restart->version, err);
		if (r < 0)
			return r;
	}
	if (restart->version == NULL || *restart->version == '\0')
		return 0;
	return check_version(restart->version, err);
}

/* Members without a pending restart need none now; later they may. */
static void drop_not_pending(struct selection *selection)
{
	size_t n = 0;

	for (size_t i = 0; i < selection->n; i++)
		if (node_truthy(selection->members[i], "pending_restart"))
			selection->members[n++] = selection->members[i];
	selection->n = n;
}

static void keep_one(struct selection *selection)
{
	if (selection->n < 2)
		return;
	selection->members[0] = selection->members[(size_t)loop_wall_us() % selection->n];
	selection->n = 1;
}

static void make_body(const struct restart *restart, struct buf *ret_json)
{
	_cleanup_(tree_done) struct tree body = { 0 };
	struct tree_node *root = node_add(&body, NULL, NULL, TREE_MAP);

	if (restart->pending)
		node_add_bool(&body, root, "restart_pending", true);
	if (restart->version != NULL && *restart->version != '\0')
		node_add_text(&body, root, "postgres_version", restart->version);
	if (!restart->when.now)
		node_add_text(&body, root, "schedule", restart->when.iso);
	if (restart->timeout != NULL)
		node_add_text(&body, root, "timeout", restart->timeout);
	treedump_json(body.root, ret_json);
}

/* With force a restart that is scheduled already gives way to the new one. */
static void flush_scheduled(struct cli *cli, const struct tree_node *member)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };

	if (cli_request(cli, member, "DELETE", "restart", NULL, FLUSH_TIMEOUT_MS, &reply, &err) <
	    0)
		report_line(cli, "Failed: flush scheduled restart for member %s, %s", name,
			    err.msg);
	else if (reply.code >= 400)
		report_line(cli,
			    "Failed: flush scheduled restart for member %s, status code=%d, (%s)",
			    name, reply.code, api_text(&reply));
}

/* What the member would say, by what it tells now. */
static void dry_member(struct cli *cli, const struct restart *restart,
		       const struct tree_node *member, const char *body)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(tree_done) struct tree status = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };
	int64_t timeout_ms = 0;

	report_request(cli, member, "POST", "restart", body);
	if (cli_request(cli, member, "GET", "patroni", NULL, FLUSH_TIMEOUT_MS, &reply, &err) < 0 ||
	    tree_from_json(api_text(&reply), reply.body.len, &status, &err) < 0) {
		report_add(cli, name, REPORT_WOULD_NOT, 0, "Would fail: %s", err.msg);
		return;
	}
	if (!restart->when.now && restart->when.at_us < loop_wall_us())
		report_add(cli, name, REPORT_WOULD_NOT, 422,
			   "Would be refused: Cannot schedule restart in the past");
	if (restart->timeout != NULL &&
	    (parse_duration_ms(restart->timeout, "s", &timeout_ms, NULL) < 0 ||
	     timeout_ms <= TIMEOUT_LEAST_MS))
		report_add(cli, name, REPORT_WOULD_NOT, 400,
			   "Would be refused: Timeout should be a positive number of seconds");
	if (node_truthy(member, "scheduled_restart") && !restart->when.now)
		report_add(cli, name, restart->force ? REPORT_WOULD : REPORT_WOULD_NOT, 0, "%s %s",
			   restart->force ? "Takes the place of the restart scheduled on member" :
					    "Would be refused: a restart is already scheduled on "
					    "member",
			   name);
	if (restart->version != NULL && *restart->version != '\0')
		report_add(cli, name, REPORT_WOULD, 0,
			   "Member %s runs PostgreSQL %s, and restarts only below %s", name,
			   node_str(status.root, "server_version"), restart->version);
	if (picture_is_leader(member))
		report_add(cli, name, REPORT_WOULD, 0,
			   "Member %s leads: nothing is written until it is up again", name);
}

/* 1: it did not answer. */
static int restart_member(struct cli *cli, const struct restart *restart,
			  const struct tree_node *member)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 };
	const char *name = node_str(member, "name");
	struct err err = { 0 };
	int r;

	make_body(restart, &body);
	if (restart->dry) {
		dry_member(cli, restart, member, body.data);
		return 0;
	}
	if (!restart->when.now && restart->force && node_truthy(member, "scheduled_restart"))
		flush_scheduled(cli, member);
	r = cli_request(cli, member, "POST", "restart", body.data, RESTART_TIMEOUT_MS, &reply,
			&err);
	if (r < 0)
		report_add(cli, name, REPORT_SILENT, 0, "Failed: restart for member %s, %s", name,
			   err.msg);
	else if (reply.code == 200)
		report_add(cli, name, REPORT_DONE, 200, "Success: restart on member %s", name);
	else if (reply.code == 202)
		report_add(cli, name, REPORT_SCHEDULED, 202,
			   "Success: restart scheduled on member %s", name);
	else if (reply.code == 409)
		report_add(cli, name, REPORT_REFUSED, 409,
			   "Failed: another restart is already scheduled on member %s", name);
	else
		report_add(cli, name, REPORT_REFUSED, reply.code,
			   "Failed: restart for member %s, status code=%d, (%s)", name, reply.code,
			   api_text(&reply));
	return r < 0;
}

static int choose(struct restart *restart, const struct picture *picture,
		  const struct args *args, struct selection *selection, struct err *err)
{
	int r;

	r = choose_time(restart, args, err);
	if (r < 0)
		return r;
	if (restart->pending && restart->when.now)
		drop_not_pending(selection);
	/* Nobody is left to ask about. */
	if (selection->n == 0)
		return 0;
	if (!restart->force && !restart->dry) {
		r = select_confirm(selection, "restart",
				   restart->when.now ? NULL : restart->when.iso, err);
		if (r < 0)
			return r;
	}
	if (args_has(args, "--any"))
		keep_one(selection);
	r = choose_version(restart, args, err);
	if (r < 0)
		return r;
	if (!restart->when.now && picture_is_paused(picture))
		return err_set(err, ERR_STATE, "Can't schedule restart in the paused state");
	return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	const char *role = args_value(args, "--role");
	struct restart restart = {
		.timeout = args_value(args, "--timeout"),
		.pending = args_has(args, "--pending"),
		.force = args_has(args, "--force"),
		.dry = cli->dry,
	};
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(selection_done) struct selection selection = { 0 };
	const struct select_want want = {
		.picture = &picture,
		.names = args->words + 1,
		.nnames = args->nwords - 1,
		.role = role != NULL ? role : "any",
		.action = "restart",
		.force = restart.force,
	};
	int r;

	r = report_check(cli, args, err);
	if (r >= 0)
		r = cli_picture(cli, args->words[0], &picture, err);
	if (r < 0)
		return r;
	report_show(cli, &picture);
	r = select_members(&want, &selection, err);
	if (r >= 0)
		r = choose(&restart, &picture, args, &selection, err);
	for (size_t i = 0; r >= 0 && i < selection.n; i++)
		r |= restart_member(cli, &restart, selection.members[i]);
	free(restart.version);
	if (r >= 0 && selection.n == 0)
		report_add(cli, NULL, REPORT_NOTHING, 0, "No member has a pending restart");
	return r >= 0 && cli->dry ? report_dry_end(cli) : r;
}

static const struct args_option options[] = {
	CMD_ROLE("Only members of this role: leader, primary, standby-leader, replica, standby "
		 "or any."),
	{ .name = "--any", .help = "One member of those, whichever." },
	{ .name = "--scheduled", .value = "TIME",
	  .help = "When: ISO 8601, local time without a zone; or now." },
	{ .name = "--pg-version", .value = "VERSION",
	  .help = "Only where the running PostgreSQL is older than this." },
	{ .name = "--pending", .help = "Only members with a pending restart." },
	{ .name = "--timeout", .value = "TIME",
	  .help = "Time the server may take to come up; then a primary fails over." },
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_restart = {
	.name = "restart",
	.words = "CLUSTER [MEMBER]...",
	.takes = { CMD_CLUSTER, CMD_MEMBERS },
	.words_min = 1,
	.words_max = ARGS_MAX,
	.help = "Restart PostgreSQL on members, now or later.",
	.options = options,
	.run = run,
};
