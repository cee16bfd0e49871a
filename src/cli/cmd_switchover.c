/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_switchover - switchover and failover: another member becomes the leader
 *
 * The request goes to the leader's REST API (without a leader: to the candidate's). Where that
 * cannot be reached it is written into etcd, for whoever leads to find.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/fit.h"
#include "cli/follow.h"
#include "cli/node.h"
#include "cli/report.h"
#include "cli/when.h"
#include "io/loop.h"
#include "wire/record.h"
#include "wire/treedump.h"

/* The member answers when it is over, at the latest after 2 x max(10, loop_wait) seconds. */
#define ANSWER_MARGIN_S 30
/* How long the old leader is looked after at a terminal, until it follows the new one. */
#define REJOIN_MS 10000

struct move {
	const char *cluster;
	bool is_failover;
	bool force; /* nothing is asked */
	char leader[NAME_SIZE];    /* a switchover's; "" else */
	char candidate[NAME_SIZE]; /* "" anybody */
	struct when when;
};

static const char *action_of(const struct move *move)
{
	return move->is_failover ? "failover" : "switchover";
}

static int take_name(const char *name, char dst[NAME_SIZE], struct err *err)
{
	if (str_copy(dst, NAME_SIZE, name) < 0)
		return err_set(err, ERR_TOOLONG, "'%s' is too long for the name of a member",
			       name);
	return 0;
}

static int choose_leader(struct move *move, const struct picture *picture,
			 const struct args *args, struct err *err)
{
	const char *given = args_value(args, "--leader");
	_cleanup_(freep) char *answer = NULL;
	int r;

	if (move->is_failover)
		return 0;
	if (*picture->leader == '\0')
		return err_set(err, ERR_STATE, "This cluster has no leader");
	if (given == NULL && !move->force) {
		r = ask_text(picture_is_standby_cluster(picture) ? "Standby Leader" : "Primary",
			     picture->leader, &answer, err);
		if (r < 0)
			return r;
		given = answer;
	}
	if (given == NULL)
		given = picture->leader;
	if (!str_eq(given, picture->leader))
		return err_set(err, ERR_STATE, "Member %s is not the leader of cluster %s", given,
			       move->cluster);
	return take_name(given, move->leader, err);
}

static bool may_lead(const struct picture *picture, const struct tree_node *member)
{
	return !str_eq(node_str(member, "name"), picture->leader) &&
	       !picture_is_nofailover(member);
}

/* "['a', 'b']", as Python prints a list. */
static void list_candidates(const struct picture *picture, struct buf *text)
{
	size_t n = 0;

	buf_ch(text, '[');
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (may_lead(picture, m))
			buf_printf(text, "%s'%s'", n++ > 0 ? ", " : "", node_str(m, "name"));
	buf_ch(text, ']');
}

static int check_candidate(const struct move *move, const struct picture *picture,
			   const char *name, struct err *err)
{
	const struct tree_node *member = picture_member(picture, name);

	if (*name == '\0' && move->is_failover)
		return err_set(err, ERR_STATE,
			       "Failover could be performed only to a specific candidate");
	if (*name == '\0')
		return 0;
	if (str_eq(name, picture->leader))
		return err_set(err, ERR_STATE, "Member %s is already the leader of cluster %s",
			       name, move->cluster);
	if (member == NULL || !may_lead(picture, member))
		return err_set(err, ERR_STATE,
			       "Member %s does not exist in cluster %s or is tagged as nofailover",
			       name, move->cluster);
	return 0;
}

static int choose_candidate(struct move *move, const struct picture *picture,
			    const struct args *args, struct err *err)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	_cleanup_(freep) char *question = NULL;
	_cleanup_(freep) char *answer = NULL;
	const char *given = args_value(args, "--candidate");
	int r;

	list_candidates(picture, &names);
	if (names.len == 2)
		return err_set(err, ERR_STATE, "No candidates found to %s to", action_of(move));
	if (given == NULL && !move->force) {
		question = str_dupf("Candidate %s", names.data);
		r = ask_text(question, "", &answer, err);
		if (r < 0)
			return r;
		given = answer;
	}
	if (given == NULL)
		given = "";
	r = check_candidate(move, picture, given, err);
	return r < 0 ? r : take_name(given, move->candidate, err);
}

static int choose_time(struct move *move, const struct picture *picture, const struct args *args,
		       struct err *err)
{
	const char *given = args_value(args, "--scheduled");
	_cleanup_(freep) char *question = NULL;
	_cleanup_(freep) char *answer = NULL;
	char example[WHEN_SIZE];
	int r;

	move->when.now = true;
	if (move->is_failover)
		return 0;
	if (given == NULL && !move->force) {
		when_example(loop_wall_us(), example);
		question = str_dupf("When should the switchover take place (e.g. %s ) ", example);
		r = ask_text(question, "now", &answer, err);
		if (r < 0)
			return r;
		given = answer;
	}
	r = when_parse(given, loop_wall_us(), &move->when, err);
	if (r < 0)
		return r;
	if (!move->when.now && picture_is_paused(picture))
		return err_set(err, ERR_STATE, "Can't schedule switchover in the paused state");
	return 0;
}

/* A failover to an asynchronous standby may lose commits that were acknowledged. */
static int confirm_async(const struct move *move, const struct picture *picture, struct err *err)
{
	_cleanup_(freep) char *question = NULL;
	bool yes;
	int r;

	if (!move->is_failover || !picture_is_synchronous(picture) ||
	    !picture_is_async(picture, move->candidate))
		return 0;
	question = str_dupf("Are you sure you want to failover to the asynchronous node %s?",
			    move->candidate);
	r = ask_yes(question, &yes, err);
	if (r < 0)
		return r;
	return yes ? 0 : err_set(err, ERR_STATE, "Aborting %s", action_of(move));
}

static int confirm(const struct move *move, const struct picture *picture, struct err *err)
{
	const bool scheduled = !move->when.now;
	_cleanup_(freep) char *question = NULL;
	bool yes;
	int r;

	question = str_dupf("Are you sure you want to %s%s%scluster %s%s%s%s%s?",
			    scheduled ? "schedule " : "", action_of(move),
			    scheduled ? " of " : " ", move->cluster, scheduled ? " at " : "",
			    move->when.iso,
			    *picture->leader != '\0' ? ", demoting current leader " : "",
			    picture->leader);
	r = ask_yes(question, &yes, err);
	if (r < 0)
		return r;
	if (!yes)
		return err_set(err, ERR_STATE, "Aborting %s%s", scheduled ? "scheduled " : "",
			       action_of(move));
	return 0;
}

static void make_body(const struct move *move, struct buf *ret_json)
{
	_cleanup_(tree_done) struct tree body = { 0 };
	struct tree_node *root = node_add(&body, NULL, NULL, TREE_MAP);

	if (*move->candidate != '\0')
		node_add_text(&body, root, "candidate", move->candidate);
	else
		(void)node_add(&body, root, "candidate", TREE_NULL);
	if (*move->leader != '\0')
		node_add_text(&body, root, "leader", move->leader);
	if (!move->when.now)
		node_add_text(&body, root, "scheduled_at", move->when.iso);
	treedump_json(body.root, ret_json);
}

/* For whoever leads to find at its next look. */
static int write_request(struct cli *cli, const struct move *move, struct err *err)
{
	struct request request = { .present = true, .scheduled_at_us = move->when.at_us,
				   .scheduled_offset_min = parse_time_offset_min(move->when.iso) };
	_cleanup_(freep) char *text = NULL;
	char key[ETCD_KEY_SIZE];
	int r;

	memcpy(request.leader, move->leader, sizeof(request.leader));
	memcpy(request.candidate, move->candidate, sizeof(request.candidate));
	r = cli_key(cli, move->cluster, "failover", key, err);
	if (r < 0)
		return r;
	text = record_request_text(&request);
	return dcs_put(cli->dcs, key, text, DCS_ANY, err);
}

static void print_failure(struct cli *cli, const struct move *move, const struct api_reply *reply)
{
	const bool unknown = strstr(api_text(reply), "status unknown") != NULL;

	report_add(cli, NULL, unknown ? REPORT_UNKNOWN : REPORT_REFUSED, reply->code,
		   "%s %s, details: %d, %s", move->is_failover ? "Failover" : "Switchover",
		   unknown ? "result unknown" : "failed", reply->code, api_text(reply));
}

/* 0: done or under way; 1: refused, which is said already. */
static int send_request(struct cli *cli, const struct move *move, const struct picture *picture,
			struct follow *follow, struct err *err)
{
	const char *to = *picture->leader != '\0' ? picture->leader : move->candidate;
	const struct tree_node *member = picture_member(picture, to);
	const int64_t wait_s = 2 * MAX_OF(picture_loop_wait_s(picture), INT64_C(10));
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 };
	struct err api_err = { 0 };
	int r;

	make_body(move, &body);
	r = cli_request(cli, member, "POST", action_of(move), body.data,
			(wait_s + ANSWER_MARGIN_S) * 1000, &reply, &api_err);
	follow_hush(follow);
	if (r >= 0 && reply.code != 200 && reply.code != 202) {
		print_failure(cli, move, &reply);
		return 1;
	}
	if (r >= 0) {
		if (!cli->json)
			cli_print_stamp();
		report_add(cli, NULL, reply.code == 200 ? REPORT_DONE : REPORT_SCHEDULED,
			   reply.code, "%s", api_text(&reply));
		follow_until_follows(follow, picture->leader, REJOIN_MS);
		return 0;
	}
	fprintf(stderr, "%s\n", api_err.msg);
	if (picture->secondhand)
		return err_set(err, ERR_CONNECT,
			       "%s does not answer, and etcd cannot be reached: "
			       "nothing was asked for. Run this where one of them can be reached",
			       to);
	if (!cli->json)
		cli_print_stamp();
	report_add(cli, NULL, REPORT_UNKNOWN, 0,
		   "Could not %s using Patroni api, falling back to DCS", action_of(move));
	return write_request(cli, move, err);
}

static int choose(struct move *move, const struct picture *picture, const struct args *args,
		  struct err *err)
{
	int r;

	r = choose_leader(move, picture, args, err);
	if (r >= 0)
		r = choose_candidate(move, picture, args, err);
	if (r >= 0 && !move->force)
		r = confirm_async(move, picture, err);
	if (r >= 0)
		r = choose_time(move, picture, args, err);
	if (r >= 0 && !move->force)
		r = confirm(move, picture, err);
	return r;
}

/* What is to be minded, or would refuse it. member NULL: the cluster. */
static void dry_objection(struct cli *cli, const char *member, bool minds, const char *why)
{
	const int code = minds || member != NULL ? 0 : 412;

	report_add(cli, member, minds ? REPORT_WOULD : REPORT_WOULD_NOT, code, "%s: %s%s%s%s",
		   minds ? "Mind" : "Would be refused", member != NULL ? "member " : "",
		   member != NULL ? member : "", member != NULL ? ": " : "", why);
}

/* Who would take over, as far as it can be told from here. */
static void dry_candidate(struct cli *cli, const struct move *move, const struct picture *picture,
			  const struct fit *fit)
{
	const bool named = *move->candidate != '\0';
	const struct fit_member *m = named ? fit_find(fit, move->candidate) : fit_best(fit);
	const char *name = m != NULL ? node_str(m->member, "name") : "";
	/* Of a time to come nobody knows yet how the members are then, so none refuses it. */
	const bool later = !move->when.now;

	if (m == NULL) {
		dry_objection(cli, NULL, later, "no good candidates, see below");
		return;
	}
	/* A failover may be forced to who lags; the others are asked first. */
	if (m->why[0] != '\0')
		dry_objection(cli, name, later || (move->is_failover && m->answers), m->why);
	if (picture_is_synchronous(picture) && picture_is_async(picture, name))
		dry_objection(cli, name, later || move->is_failover, "it is not synchronous");
	if (m->lag_bytes >= 0)
		report_add(cli, name, REPORT_WOULD, 0, "Member %s is %lld bytes behind%s", name,
			   (long long)m->lag_bytes,
			   move->is_failover ? "; what it lacks when it takes over is lost" :
					       ", and gets those first: nothing is lost");
}

static void dry_leader(struct cli *cli, const struct move *move, const char *to,
		       const struct picture *picture, const struct fit *fit)
{
	const struct fit_member *leader = fit_find(fit, to);

	if (leader == NULL || !leader->answers)
		report_add(cli, to, picture->secondhand ? REPORT_WOULD_NOT : REPORT_WOULD, 0,
			   "Member %s does not answer: %s", to,
			   picture->secondhand ?
				   "nothing could be done, for etcd is not reached either" :
				   "the request would be written into etcd");
	else if (leader->leads && leader->why[0] != '\0')
		dry_objection(cli, to, !move->when.now, leader->why);
}

static int dry_run(struct cli *cli, const struct move *move, const struct picture *picture)
{
	const char *to = *picture->leader != '\0' ? picture->leader : move->candidate;
	_cleanup_(freep) struct fit *fit = mem_new(1, sizeof(*fit));
	_cleanup_(buf_done) struct buf body = { 0 };

	make_body(move, &body);
	fit_look(cli, picture, fit);
	report_request(cli, picture_member(picture, to), "POST", action_of(move), body.data);
	dry_leader(cli, move, to, picture, fit);
	if (!move->when.now && move->when.at_us < loop_wall_us())
		report_add(cli, NULL, REPORT_WOULD_NOT, 422,
			   "Would be refused: Cannot schedule switchover in the past");
	if (picture_is_paused(picture) && *move->candidate == '\0')
		report_add(cli, NULL, REPORT_WOULD_NOT, 400,
			   "Would be refused: Switchover is possible only to a specific candidate "
			   "in a paused state");
	dry_candidate(cli, move, picture, fit);
	for (size_t i = 0; i < fit->n && *move->candidate == '\0'; i++)
		if (!fit->items[i].leads)
			report_add(cli, node_str(fit->items[i].member, "name"), REPORT_WOULD, 0,
				   "Member %s: %s", node_str(fit->items[i].member, "name"),
				   fit->items[i].why[0] != '\0' ? fit->items[i].why :
								  "could take over");
	return report_dry_end(cli);
}

static int run(struct cli *cli, const struct args *args, bool is_failover, struct err *err)
{
	struct move move = { .is_failover = is_failover, .force = !report_asks(cli, args) };
	_cleanup_(picture_done) struct picture before = { 0 };
	_cleanup_(picture_done) struct picture after = { 0 };
	struct follow *follow;
	int r;

	r = report_check(cli, args, err);
	if (r >= 0)
		r = cli_cluster(cli, args, &move.cluster, err);
	if (r < 0)
		return r;
	r = cli_picture(cli, move.cluster, &before, err);
	if (r < 0)
		return r;
	report_line(cli, "Current cluster topology");
	report_show(cli, &before);
	r = choose(&move, &before, args, err);
	if (r < 0)
		return r;
	if (cli->dry)
		return dry_run(cli, &move, &before);
	follow = move.when.now ? follow_open(cli, &before) : NULL;
	r = send_request(cli, &move, &before, follow, err);
	follow_close(follow);
	if (r != 0)
		return r < 0 ? r : 0;
	r = cli_picture(cli, move.cluster, &after, err);
	if (r >= 0)
		report_show(cli, &after);
	return r;
}

static int run_switchover(struct cli *cli, const struct args *args, struct err *err)
{
	return run(cli, args, false, err);
}

static int run_failover(struct cli *cli, const struct args *args, struct err *err)
{
	return run(cli, args, true, err);
}

static const struct args_option switchover_options[] = {
	{ .name = "--leader", .also = "--primary", .value = "NAME", .kind = ARGS_MEMBER,
	  .help = "The present leader; the command fails if it is another one." },
	{ .name = "--candidate", .value = "NAME", .kind = ARGS_MEMBER,
	  .help = "The member that takes over; without it the best one does." },
	{ .name = "--scheduled", .value = "TIME",
	  .help = "When: ISO 8601, local time without a zone; or now." },
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

static const struct args_option failover_options[] = {
	{ .name = "--candidate", .value = "NAME", .kind = ARGS_MEMBER,
	  .help = "The member that takes over." },
	CMD_FORCE,
	CMD_DRY,
	CMD_END,
};

const struct cli_command cmd_switchover = {
	.name = "switchover",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Hand the leadership over to another member, now or later.",
	.more = "  The present leader stops in order and the candidate gets everything first: no\n"
		"  committed transaction is lost. Where nothing else is possible, see failover.\n",
	.options = switchover_options,
	.run = run_switchover,
};

const struct cli_command cmd_failover = {
	.name = "failover",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Make a member the leader of a cluster that has none, or a sick one.",
	.more = "  The candidate must be named. It may lack transactions that the old leader\n"
		"  committed: where the leader is well, use switchover.\n",
	.options = failover_options,
	.run = run_failover,
};
