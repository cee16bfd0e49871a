/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor - what keeps this cluster from failing over, rejoining or keeping its secrets
 *
 * The members tell facts, here they are judged; see finding.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cmd.h"
#include "cli/finding.h"
#include "cli/node.h"
#include "cli/outlook.h"
#include "cli/screen.h"
#include "io/loop.h"
#include "wire/treedump.h"

#define EXAMINE_MS 60000 /* each member tries the others, and the dead take their time */
#define WHY        "    why   " /* as findings_print() begins that line */
#define METRICS_MS 5000 /* it answers from memory: who takes longer hangs */

/* A member and its answers; its memory. */
struct bed {
	struct tree facts;
	struct api_reply metrics;
};

struct ward {
	size_t n;
	struct bed beds[MEMBERS_MAX];
	struct patient patients[MEMBERS_MAX];
};

static void ward_done(struct ward *ward)
{
	for (size_t i = 0; i < ward->n; i++) {
		tree_done(&ward->beds[i].facts);
		api_reply_done(&ward->beds[i].metrics);
	}
}

static void add_silent(const struct tree_node *member, const char *error,
		       struct findings *findings)
{
	finding_add(findings, FINDING_CRITICAL, node_str(member, "name"),
		    "it takes no part in elections, and nothing is known of it",
		    "systemctl status pghad on its host, and journalctl -u pghad",
		    "does not answer: %s", error);
}

static void refused(const struct tree_node *member, int code, const char *text,
		    struct findings *findings)
{
	const char *name = node_str(member, "name");

	if (code == 401 || code == 403)
		finding_add(findings, FINDING_UNKNOWN, name,
			    "an examination makes connections, so it is allowed to those who may "
			    "make changes",
			    "restapi.authentication in the file that hactl reads, or run it on a "
			    "member's host",
			    "does not let itself be examined: HTTP %d, %.200s", code, text);
	else if (code == 501)
		finding_add(findings, FINDING_UNKNOWN, name,
			    "it is run by Patroni, or by an older version of pghad", "upgrade it",
			    "cannot examine itself");
	else
		finding_add(findings, FINDING_UNKNOWN, name, "nothing is known of it",
			    "try again in a moment", "answers HTTP %d, %.200s", code, text);
}

/* The middle of question and answer is when its clock was read, give or take half of it; but that
 * of the answer is read at its end. */
static void take_clock(struct patient *p, int64_t before_us, int64_t after_us)
{
	int64_t wall_us = 0;

	if (!node_int(p->facts, "wall_us", &wall_us))
		return;
	p->clock_off_ms = (wall_us - after_us) / 1000;
	p->clock_error_ms = (after_us - before_us) / 1000;
	/* Behind us by no more than the answer took: that is no difference. */
	if (wall_us <= after_us && wall_us >= before_us)
		p->clock_off_ms = 0;
}

static void examine(struct cli *cli, const struct tree_node *member, struct ward *ward,
		    struct findings *findings)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	struct bed *bed = &ward->beds[ward->n];
	struct patient *p = &ward->patients[ward->n++];
	struct err err = { 0 };
	int64_t before_us;

	*p = (struct patient){ .member = member, .metrics = "" };
	/* First what needs no time, so that a member that hangs is not waited for. */
	if (cli_request(cli, member, "GET", "metrics", NULL, METRICS_MS, &bed->metrics, &err) < 0) {
		add_silent(member, err.msg, findings);
		return;
	}
	p->metrics = api_text(&bed->metrics);
	before_us = loop_wall_us();
	if (cli_request(cli, member, "POST", "doctor", NULL, EXAMINE_MS, &reply, &err) < 0) {
		add_silent(member, err.msg, findings);
		return;
	}
	if (reply.code != 200 ||
	    tree_from_json(api_text(&reply), reply.body.len, &bed->facts, &err) < 0) {
		refused(member, reply.code, api_text(&reply), findings);
		return;
	}
	p->facts = bed->facts.root;
	take_clock(p, before_us, loop_wall_us());
}

/* Of the leader, else of the first that tells. */
static void look_ahead(struct cli *cli, const struct args *args, const struct picture *picture,
		       struct findings *findings)
{
	_cleanup_(tree_done) struct tree outlook = { 0 };
	struct err err = { 0 };

	for (int others = 0; others < 2 && outlook.root == NULL; others++)
		for (const struct tree_node *m = picture_members(picture);
		     m != NULL && outlook.root == NULL; m = m->next)
			if (picture_is_leader(m) == (others == 0))
				(void)!outlook_ask(cli, m, args, &outlook, &err);
	if (outlook.root != NULL)
		doctor_outlook(outlook.root, findings);
}

static void print_json(const struct picture *picture, const struct ward *ward,
		       const struct findings *findings)
{
	_cleanup_(tree_done) struct tree out = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree_node *root = node_add(&out, NULL, NULL, TREE_MAP);
	struct tree_node *members;

	node_add_text(&out, root, "cluster", picture->name);
	node_add_text(&out, root, "level", finding_level_name(findings_worst(findings)));
	findings_to_tree(findings, &out, node_add(&out, root, "findings", TREE_LIST));
	members = node_add(&out, root, "members", TREE_LIST);
	for (size_t i = 0; i < ward->n; i++)
		if (ward->patients[i].facts != NULL)
			node_add_copy(&out, members, NULL, ward->patients[i].facts);
	treedump_json(root, &text);
	printf("%s\n", text.data);
}

/* On a terminal the level has a colour, and what is long goes on below. Not so what mends it: it
 * may be copied from there, as one line. */
static void print_finding_line(struct cli *cli, const char *line, size_t len)
{
	static const char *const colours[FINDING__MAX] = {
		[FINDING_OK] = "",
		[FINDING_WARNING] = "\033[33m",
		[FINDING_UNKNOWN] = "\033[35m",
		[FINDING_CRITICAL] = "\033[31m",
	};
	_cleanup_(freep) char *text = str_ndup(line, len);

	for (enum finding_level l = 0; l < FINDING__MAX; l++) {
		const char *name = finding_level_name(l);

		if (!str_starts(text, name) || text[strlen(name)] != ':')
			continue;
		if (screen_has_colour(cli->setup_args.env))
			printf("%s%s\033[0m: ", colours[l], name);
		else
			printf("%s: ", name);
		screen_flow(text + strlen(name) + 2, (int)strlen(name) + 2);
		return;
	}
	if (!str_starts(text, WHY)) {
		printf("%s\n", text);
		return;
	}
	printf(WHY);
	screen_flow(text + strlen(WHY), (int)strlen(WHY));
}

static void print_text(struct cli *cli, const struct picture *picture, const struct ward *ward,
		       const struct findings *findings)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t told = 0;

	for (size_t i = 0; i < ward->n; i++)
		told += ward->patients[i].facts != NULL;
	findings_print(findings, &text);
	for (const char *line = text.data; line != NULL && *line != '\0';) {
		const size_t len = strcspn(line, "\n");

		print_finding_line(cli, line, len);
		line += len + (line[len] == '\n');
	}
	printf("%s: %zu of %zu members examined, %zu finding%s\n", picture->name, told, ward->n,
	       findings->n, findings->n == 1 ? "" : "s");
}

static int examine_all(struct cli *cli, const struct args *args, const struct picture *picture)
{
	_cleanup_(freep) struct ward *ward = mem_new(1, sizeof(*ward));
	_cleanup_(findings_done) struct findings findings = { 0 };

	doctor_host(cli->setup.file, NULL, &findings);
	doctor_tls(cli->setup.config, &findings);
	for (const struct tree_node *m = picture_members(picture);
	     m != NULL && ward->n < MEMBERS_MAX; m = m->next)
		examine(cli, m, ward, &findings);
	doctor_cluster(picture, ward->patients, ward->n, &findings);
	for (size_t i = 0; i < ward->n; i++) {
		doctor_member(picture, &ward->patients[i], &findings);
		doctor_links(picture, &ward->patients[i], &findings);
		doctor_etcd(&ward->patients[i], &findings);
	}
	look_ahead(cli, args, picture, &findings);
	findings_name(&findings, picture);
	if (cli->json)
		print_json(picture, ward, &findings);
	else
		print_text(cli, picture, ward, &findings);
	ward_done(ward);
	return (int)findings_worst(&findings);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	const char *name = NULL;
	int r = cli_cluster(cli, args, &name, err);

	if (r >= 0)
		r = cli_picture(cli, name, &picture, err);
	if (r >= 0 && picture_members(&picture) == NULL)
		r = err_set(err, ERR_STATE, "cluster %s has no members", name);
	return r < 0 ? r : examine_all(cli, args, &picture);
}

const struct cli_command cmd_doctor = {
	.name = "doctor",
	.words = "[CLUSTER]",
	.takes = { CMD_CLUSTER },
	.words_max = 1,
	.help = "Examine what a failover or rejoin would fail on, and how to mend it.",
	.more = "  Every member looks at its settings, files, limits, fences and disk, and tries\n"
		"  to connect to the others as a standby would. Nothing is changed. The exit code is\n"
		"  that of a monitoring check: 0 nothing found, 1 warnings, 2 something critical,\n"
		"  3 what matters could not be looked at.\n",
	.failure = FINDING_UNKNOWN,
	.run = run,
};
