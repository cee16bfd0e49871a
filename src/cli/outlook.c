/* SPDX-License-Identifier: PostgreSQL */
/*
 * outlook - what a member says would be if
 */
#include "cli/outlook.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/node.h"
#include "cli/screen.h"
#include "wire/record.h"

#define TIMEOUT_MS    5000
#define LABEL_COLUMNS 13

static void add_body(const struct args *args, struct buf *body)
{
	const char *words;
	size_t pos = 0;
	bool first = true;

	buf_str(body, "{\"if\": [");
	while ((words = args_each(args, "--if", &pos)) != NULL) {
		buf_str(body, first ? "" : ", ");
		record_quote(body, words);
		first = false;
	}
	buf_str(body, "]}");
}

int outlook_ask(struct cli *cli, const struct tree_node *member, const struct args *args,
		struct tree *ret, struct err *err)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 };
	const char *name = node_str(member, "name");
	int r;

	add_body(args, &body);
	r = cli_request(cli, member, "POST", "explain", body.data, TIMEOUT_MS, &reply, err);
	if (r < 0)
		return err_wrap(err, "%s does not answer", name);
	if (reply.code == 400) {
		(void)err_set(err, ERR_PARSE, "--if: %.400s", api_text(&reply));
		return OUTLOOK_REFUSED;
	}
	if (reply.code == 401 || reply.code == 403)
		return err_set(err, ERR_DENIED,
			       "%s answers HTTP %d, %.200s: the question needs the credentials of "
			       "restapi.authentication, as changes do",
			       name, reply.code, api_text(&reply));
	if (reply.code == 501)
		return err_set(err, ERR_STATE, "%s runs a version that cannot tell", name);
	if (reply.code != 200)
		return err_set(err, ERR_STATE, "%s answers HTTP %d, %.300s", name, reply.code,
			       api_text(&reply));
	return tree_from_json(api_text(&reply), reply.body.len, ret, err);
}

static void print_line(const char *label, const char *text)
{
	printf("  %-10s ", label);
	screen_flow(text, LABEL_COLUMNS);
}

static void print_seconds(struct buf *text, int64_t ms)
{
	buf_printf(text, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

static void print_steps(const struct tree_node *member)
{
	const struct tree_node *steps = tree_child(member, "steps");
	const char *label = node_str(member, "name");

	for (const struct tree_node *s = steps != NULL ? steps->first : NULL; s != NULL;
	     s = s->next) {
		_cleanup_(buf_done) struct buf text = { 0 };
		int64_t at_ms = 0;

		(void)node_int(s, "at_ms", &at_ms);
		if (at_ms > 0) {
			buf_str(&text, "after ");
			print_seconds(&text, at_ms);
		} else {
			buf_str(&text, "at once");
		}
		buf_printf(&text, "  %s %s: %s", node_str(s, "rule"), node_str(s, "name"),
			   node_str(s, "why"));
		if (node_text(s, "note") != NULL)
			buf_printf(&text, "; %s", node_str(s, "note"));
		print_line(label, text.data);
		label = "";
	}
}

static void print_member(const struct tree_node *member)
{
	const char *is = node_str(member, "is");

	if (str_eq(is, "gone"))
		print_line(node_str(member, "name"), "is gone");
	else if (str_eq(is, "silent"))
		print_line(node_str(member, "name"), "does not answer the member that was asked");
	else if (str_eq(is, "patroni"))
		print_line(node_str(member, "name"), "is run by Patroni, which decides by itself");
	else
		print_steps(member);
}

/* The others, and why not. */
static void print_losers(const struct tree_node *outlook, const char *winner)
{
	const struct tree_node *members = tree_child(outlook, "members");

	for (const struct tree_node *m = members != NULL ? members->first : NULL; m != NULL;
	     m = m->next) {
		_cleanup_(buf_done) struct buf text = { 0 };

		if (node_text(m, "rank") == NULL || str_eq(node_str(m, "name"), winner))
			continue;
		buf_printf(&text, "%s: %s", node_str(m, "name"), node_str(m, "why"));
		if (node_text(m, "other") != NULL)
			buf_printf(&text, " (%s)", node_str(m, "other"));
		print_line("not", text.data);
	}
}

static void print_loss(const struct tree_node *failover, const char *leader)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int64_t bytes = 0;

	if (!node_int(failover, "lost_bytes", &bytes))
		return;
	if (bytes == 0)
		buf_str(&text, "nothing that is known of");
	else
		buf_printf(&text, "%lld bytes of WAL, %s to %s, if %s never comes back",
			   (long long)bytes, node_str(failover, "lost_from"),
			   node_str(failover, "lost_to"), leader);
	if (node_bool(failover, "synchronous", false))
		buf_str(&text, "; no commit that a synchronous standby confirmed");
	else
		buf_str(&text, "; and what is written between now and then and not sent yet");
	print_line("lost", text.data);
}

static void print_times(const struct tree_node *failover)
{
	const struct tree_node *range = tree_child(failover, "key_free_after_ms");
	_cleanup_(buf_done) struct buf text = { 0 };
	int64_t least_ms = 0, most_ms = 0, election_ms = 0;

	if (range == NULL || range->first == NULL || range->first->next == NULL)
		return;
	least_ms = range->first->num;
	most_ms = range->first->next->num;
	(void)node_int(failover, "election_ms", &election_ms);
	if (most_ms - least_ms >= 100) {
		print_seconds(&text, least_ms);
		buf_str(&text, " to ");
	}
	print_seconds(&text, most_ms);
	buf_str(&text, " until the key is free");
	if (election_ms > 0) {
		buf_str(&text, ", at most ");
		print_seconds(&text, election_ms);
		buf_str(&text, " of election");
	}
	buf_str(&text, ", then Postgres is promoted");
	print_line("takes", text.data);
}

static void print_end(const struct tree_node *outlook)
{
	const struct tree_node *failover = tree_child(outlook, "failover");
	const char *end = node_str(failover, "end");
	const char *winner = node_str(failover, "leader");
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_printf(&text, "%s: %s", *winner != '\0' ? winner : "nobody", node_str(failover, "why"));
	print_line(str_eq(end, "stays") ? "stays" : "leads", text.data);
	print_losers(outlook, winner);
	print_loss(failover, node_str(outlook, "leader"));
	print_times(failover);
}

static void print_head(const struct tree_node *outlook)
{
	const struct tree_node *ifs = tree_child(outlook, "if");
	const char *leader = node_str(outlook, "leader");
	bool lost = node_bool(tree_child(outlook, "failover"), "leader_lost_for_the_answer", false);
	_cleanup_(buf_done) struct buf text = { 0 };

	for (const struct tree_node *i = ifs != NULL ? ifs->first : NULL; i != NULL; i = i->next)
		buf_printf(&text, "%s%s", text.len > 0 ? ", " : "", i->text);
	if (lost)
		buf_printf(&text, "%s%s lost", text.len > 0 ? ", and then " : "", leader);
	printf("Suppose %s (asked of %s):\n", text.len > 0 ? text.data : "an election now",
	       node_str(outlook, "asked"));
}

void outlook_print(const struct tree_node *outlook)
{
	const struct tree_node *ifs = tree_child(outlook, "if");
	const struct tree_node *members = tree_child(outlook, "members");

	print_head(outlook);
	/* What each member does now is told elsewhere. */
	for (const struct tree_node *m = ifs != NULL && ifs->first != NULL && members != NULL ?
						 members->first :
						 NULL;
	     m != NULL; m = m->next)
		print_member(m);
	print_end(outlook);
}
