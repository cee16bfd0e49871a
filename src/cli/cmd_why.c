/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_why - how a timeline began: who took the lead, by which rule, on what evidence, how long
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "io/loop.h"
#include "wire/treedump.h"

/* The two sides of one hand-over begin within this. */
#define SAME_MS 60000
#define ANSWER_MS 5000

static void print_line(const char *label, const char *text)
{
	printf("  %-10s %s\n", label, text);
}

static void print_steps(const char *label, const struct tree_node *trace)
{
	const struct tree_node *steps = tree_child(trace, "steps");
	int64_t last_ms = 0;

	for (const struct tree_node *s = steps != NULL ? steps->first : NULL; s != NULL;
	     s = s->next) {
		_cleanup_(freep) char *text = NULL;
		int64_t ms = 0;

		(void)node_int(s, "ms", &ms);
		text = str_dupf("%6lld ms  %+6lld ms  %s", (long long)ms, (long long)(ms - last_ms),
				node_str(s, "step"));
		print_line(label, text);
		label = "";
		last_ms = ms;
	}
}

static void print_evidence(const struct tree_node *why, const struct tree_node *decision)
{
	const struct tree_node *votes = tree_child(decision, "votes");
	_cleanup_(freep) char *own = str_dupf("%s itself at %s on timeline %s",
					      node_str(why, "leader"), node_str(decision, "lsn"),
					      node_str(decision, "timeline"));

	print_line("evidence", own);
	for (const struct tree_node *v = votes != NULL ? votes->first : NULL; v != NULL;
	     v = v->next) {
		_cleanup_(buf_done) struct buf text = { 0 };

		buf_printf(&text, "%s ", node_str(v, "name"));
		if (str_eq(node_str(v, "answer"), "yes"))
			buf_printf(&text, "at %s on timeline %s%s", node_str(v, "lsn"),
				   node_str(v, "timeline"),
				   node_bool(v, "sealed", false) ? ", and received from nobody" :
								   "");
		else
			buf_str(&text, str_eq(node_str(v, "answer"), "none") ?
					       "did not answer" :
					       "had not answered yet");
		print_line("", text.data);
	}
}

/* What the old leader tells of the same, if that is still its newest hand-over. */
static const struct tree_node *other_side(const struct picture *picture,
					  const struct tree_node *why, const char *before)
{
	const struct tree_node *trace = tree_child(picture->traces.root, before);
	int64_t here_us = 0, there_us = 0;
	bool zone;

	if (trace == NULL || parse_time_us(node_str(why, "begun"), &here_us, &zone, NULL) < 0 ||
	    parse_time_us(node_str(trace, "begun"), &there_us, &zone, NULL) < 0 ||
	    llabs(here_us - there_us) / 1000 > SAME_MS ||
	    str_eq(node_str(trace, "what"), "took over"))
		return NULL;
	return trace;
}

static void print_why(const struct picture *picture, const char *timeline,
		      const struct tree_node *why)
{
	const struct tree_node *decision = tree_child(why, "decision");
	const char *before = node_str(decision, "before");
	const struct tree_node *given = other_side(picture, why, before);
	_cleanup_(freep) char *rule =
		str_dupf("%s %s: %s", node_str(decision, "rule"), node_str(decision, "name"),
			 node_str(decision, "why"));

	printf("Timeline %s: %s took the lead at %s, epoch %s\n", timeline, node_str(why, "leader"),
	       node_str(why, "begun"), node_str(why, "epoch"));
	if (*before != '\0') {
		_cleanup_(freep) char *ended =
			str_dupf("%s %s", before, node_str(decision, "before_ended"));

		print_line("before", ended);
	}
	print_line("rule", rule);
	print_line("because", node_str(decision, "verdict"));
	if (*node_str(decision, "asked_for") != '\0')
		print_line("asked for", node_str(decision, "asked_for"));
	print_evidence(why, decision);
	if (given != NULL)
		print_steps(before, given);
	print_steps(node_str(why, "leader"), why);
}

/* The line of the history that ends the timeline before. */
static const struct tree_node *history_line(const struct picture *picture, const char *timeline)
{
	int64_t wanted = 0;

	if (picture->history.root == NULL || parse_int(timeline, 1, INT32_MAX, &wanted, NULL) < 0)
		return NULL;
	for (const struct tree_node *e = picture->history.root->first; e != NULL; e = e->next)
		if (e->type == TREE_LIST && e->first != NULL && e->first->num == wanted - 1)
			return e;
	return NULL;
}

static int no_record(const struct picture *picture, const char *timeline, struct err *err)
{
	const struct tree_node *line = history_line(picture, timeline);
	const struct tree_node *part = line != NULL ? line->first : NULL;
	const char *at = "", *leader = "";

	if (line == NULL)
		return err_set(err, ERR_PARSE,
			       "timeline %s did not begin in this cluster's history: hactl history "
			       "shows which ones did, each a line after the one that ended",
			       timeline);
	for (int i = 0; part != NULL; part = part->next, i++) {
		if (part->text == NULL)
			continue;
		at = i == 3 ? part->text : at;
		leader = i == 4 ? part->text : leader;
	}
	return err_set(err, ERR_STATE,
		       "how timeline %s began is not recorded (%s%s%s): it was before the newest "
		       "32, or the leader was of Patroni or an older pghad, or it was lost before "
		       "it could write that down",
		       timeline, leader, *at != '\0' ? ", " : "", at);
}

/* The newest one that is recorded. */
static const char *newest(const struct picture *picture)
{
	const char *found = NULL;
	int64_t most = 0, number = 0;

	for (const struct tree_node *w =
		     picture->whys.root != NULL ? picture->whys.root->first : NULL;
	     w != NULL; w = w->next)
		if (parse_int(w->key, 1, INT32_MAX, &number, NULL) == 0 && number > most) {
			most = number;
			found = w->key;
		}
	return found;
}

static int print_recorder(struct cli *cli, const struct picture *picture, const char *name,
			  struct err *err)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	const struct tree_node *member = picture_member(picture, name);
	int r;

	if (member == NULL)
		return err_set(err, ERR_PARSE, "%s is not a member of cluster %s", name,
			       picture->name);
	r = cli_request(cli, member, "POST", "recorder", NULL, ANSWER_MS, &reply, err);
	if (r < 0)
		return r;
	if (reply.code != 200)
		return err_set(err, ERR_STATE, "%s answers HTTP %d, %.200s", name, reply.code,
			       api_text(&reply));
	printf("%s", api_text(&reply));
	return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *timeline = args_word(args, 0);
	const struct tree_node *why;
	const char *name = args_value(args, "--cluster");
	int r = cli_cluster_named(cli, name, &name, err);

	if (r >= 0)
		r = cli_picture_dcs(cli, name, &picture, err);
	if (r < 0)
		return r;
	if (args_has(args, "--recorder") && cli->json)
		return err_set(err, ERR_PARSE,
			       "a flight recorder is text, for pghad --replay: not with --json");
	if (args_has(args, "--recorder"))
		return print_recorder(cli, &picture, args_value(args, "--recorder"), err);
	timeline = timeline != NULL ? timeline : newest(&picture);
	if (timeline == NULL)
		return err_set(err, ERR_STATE, "no change of the leader is recorded in cluster %s",
			       name);
	why = tree_child(picture.whys.root, timeline);
	if (why == NULL)
		return no_record(&picture, timeline, err);
	if (cli->json) {
		treedump_json(why, &text);
		printf("%s\n", text.data);
	} else {
		print_why(&picture, timeline, why);
	}
	return 0;
}

static const struct args_option options[] = {
	{ .name = "--cluster", .value = "NAME", .kind = ARGS_CLUSTER,
	  .help = "Another cluster than the configured one." },
	{ .name = "--recorder", .value = "MEMBER", .kind = ARGS_MEMBER,
	  .help = "Print that member's flight recorder instead, for pghad --replay." },
	CMD_END,
};

const struct cli_command cmd_why = {
	.name = "why",
	.words = "[TIMELINE]",
	.words_max = 1,
	.help = "Tell how a timeline began: who led, by which rule, on what evidence.",
	.more = "  Without TIMELINE the newest one. Recorded are the newest 32.\n",
	.options = options,
	.run = run,
};
