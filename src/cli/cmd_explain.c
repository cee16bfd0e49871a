/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_explain - which rule each member is on, and why; what would be if
 *
 * Asks the members themselves: the decision table runs there, for what is and for what might be.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "cli/cmd.h"
#include "cli/node.h"
#include "cli/outlook.h"
#include "cli/screen.h"
#include "cli/when.h"
#include "io/loop.h"
#include "wire/treedump.h"

#define TIMEOUT_MS    5000
#define LABEL_COLUMNS 13

/* One member's own words; root NULL when it did not answer. */
struct answer {
	const struct tree_node *member;
	struct tree status;
	struct err err;
};

static void answer_done(struct answer *answer)
{
	tree_done(&answer->status);
}

static void ask(struct cli *cli, struct answer *answer)
{
	_cleanup_(api_reply_done) struct api_reply reply = { 0 };

	if (cli_request(cli, answer->member, "GET", "patroni", NULL, TIMEOUT_MS, &reply,
			&answer->err) < 0)
		return;
	if (tree_from_json(api_text(&reply), reply.body.len, &answer->status, &answer->err) < 0)
		(void)err_wrap(&answer->err, "HTTP %d, %.100s", reply.code, api_text(&reply));
}

static void print_line(const char *label, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	printf("  %-10s ", label);
	screen_flow(text, LABEL_COLUMNS);
}

static void print_since(const struct tree_node *pgha)
{
	const char *since = node_text(pgha, "since");
	_cleanup_(freep) char *text = NULL;
	char stamp[WHEN_SIZE];
	int64_t since_us;
	bool has_zone;

	if (since == NULL || parse_time_us(since, &since_us, &has_zone, NULL) < 0)
		return;
	when_stamp(since_us, false, stamp);
	text = str_dupf("%s, %lld s ago", stamp,
			(long long)MAX_OF((loop_wall_us() - since_us) / 1000000, INT64_C(0)));
	print_line("since", text);
}

static void print_lease(const struct tree_node *pgha)
{
	_cleanup_(freep) char *text = NULL;
	int64_t epoch = 0, left_ms = 0;

	if (!node_bool(pgha, "leader", false))
		return;
	(void)node_int(pgha, "lease_epoch", &epoch);
	(void)node_int(pgha, "lease_remaining_ms", &left_ms);
	text = str_dupf("epoch %lld, proven for another %lld.%03d s%s", (long long)epoch,
			(long long)(left_ms / 1000), (int)(left_ms % 1000),
			node_bool(pgha, "writable", false) ? ", writable" : ", not writable yet");
	print_line("lease", text);
}

/* The module in the running Postgres. */
static void print_module(const struct tree_node *module)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int64_t refused = 0, withheld = 0, unconfirmed = 0;

	if (module == NULL)
		return;
	buf_str(&text, node_str(module, "state"));
	if (node_text(module, "page") != NULL)
		buf_printf(&text, ", the lease page: %s", node_str(module, "page"));
	if (node_bool(module, "required", false))
		buf_str(&text, ", required");
	if (node_int(module, "refused", &refused)) {
		(void)node_int(module, "withheld", &withheld);
		(void)node_int(module, "unconfirmed", &unconfirmed);
		buf_printf(&text, ", %s; commits refused %lld, withheld %lld, unconfirmed %lld",
			   node_bool(module, "armed", false) ? "armed" : "disarmed",
			   (long long)refused, (long long)withheld, (long long)unconfirmed);
	}
	print_line("module", text.data);
}

static void print_dog(const struct tree_node *fence)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int64_t timeout_s = 0;

	if (node_text(fence, "watchdog") == NULL || str_eq(node_str(fence, "watchdog"), "off"))
		return;
	buf_str(&text, node_str(fence, "watchdog"));
	if (node_int(fence, "watchdog_timeout_s", &timeout_s))
		buf_printf(&text, ", the host goes down %lld s after the last renewal",
			   (long long)timeout_s);
	if (node_bool(fence, "watchdog_required", false))
		buf_str(&text, ", required");
	if (node_text(fence, "watchdog_why") != NULL)
		buf_printf(&text, "; %s", node_str(fence, "watchdog_why"));
	print_line("watchdog", text.data);
}

static void print_command(const struct tree_node *command)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int64_t succeeded = 0, failed = 0;

	if (command == NULL)
		return;
	(void)node_int(command, "succeeded", &succeeded);
	(void)node_int(command, "failed", &failed);
	buf_str(&text, node_str(command, "state"));
	if (node_text(command, "victim") != NULL)
		buf_printf(&text, " against %s", node_str(command, "victim"));
	buf_printf(&text, "; succeeded %lld times, failed %lld times", (long long)succeeded,
		   (long long)failed);
	print_line("command", text.data);
}

static void print_fence(const struct tree_node *fence)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const struct tree_node *kill = tree_child(fence, "last_kill");
	int64_t pid = 0, at_ms = 0, epoch = 0, late_ms = -1;

	if (fence == NULL)
		return;
	buf_printf(&text, "guardian %s", node_str(fence, "guard"));
	if (node_int(fence, "pid", &pid))
		buf_printf(&text, " (pid %lld, memory %s, priority %s)", (long long)pid,
			   node_bool(fence, "memory_locked", false) ? "locked" : "not locked",
			   node_str(fence, "priority"));
	if (node_bool(fence, "required", false))
		buf_str(&text, ", required");
	buf_printf(&text, "; %s", node_str(fence, "page"));
	if (node_int(fence, "kills_in_ms", &at_ms))
		buf_printf(&text, ", Postgres is killed in %.3f s unless the lease is proven again",
			   (double)at_ms / 1000);
	print_line("fence", text.data);
	print_module(tree_child(fence, "module"));
	print_dog(fence);
	print_command(tree_child(fence, "command"));
	if (kill == NULL || !node_int(kill, "epoch", &epoch))
		return;
	buf_clear(&text);
	(void)node_int(kill, "proven_ms_late", &late_ms);
	buf_printf(&text, "of epoch %lld: ", (long long)epoch);
	if (late_ms >= 0)
		buf_printf(&text, "all dead %lld ms after the deadline", (long long)late_ms);
	else
		buf_str(&text, "not everything is seen dead");
	print_line("killed", text.data);
}

static void print_postgres(const struct tree_node *postgres)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *connections = node_str(postgres, "connections");
	const char *disk = node_str(postgres, "disk");
	int64_t for_ms = 0;

	if (postgres == NULL)
		return;
	buf_printf(&text, "new connections %s", connections);
	if (!str_eq(connections, "open") && node_int(postgres, "connections_for_ms", &for_ms))
		buf_printf(&text, " for %lld s", (long long)(for_ms / 1000));
	buf_printf(&text, "; disk of the WAL %s", disk);
	if (!str_eq(disk, "ok") && node_int(postgres, "disk_for_ms", &for_ms))
		buf_printf(&text, " for %lld s", (long long)(for_ms / 1000));
	if (node_text(postgres, "disk_error") != NULL)
		buf_printf(&text, " (%s)", node_str(postgres, "disk_error"));
	if (node_bool(postgres, "receiver_silent", false) &&
	    node_int(postgres, "receiver_age_ms", &for_ms))
		buf_printf(&text, "; no word of the upstream for %lld s",
			   (long long)(for_ms / 1000));
	print_line("postgres", text.data);
	print_line("trouble", node_text(postgres, "trouble"));
}

/* A promise of an election. */
static void print_seal(const struct tree_node *seal)
{
	_cleanup_(freep) char *text = NULL;
	int64_t ballot = 0, left_ms = 0;

	if (seal == NULL)
		return;
	(void)node_int(seal, "ballot", &ballot);
	(void)node_int(seal, "ends_in_ms", &left_ms);
	text = str_dupf("ballot %lld of '%s', %s; ends with a new leader, or in %lld.%03d s",
			(long long)ballot, node_str(seal, "candidate"),
			node_bool(seal, "final", false) ? "receives WAL from nobody" :
							  "about to stop receiving WAL",
			(long long)(left_ms / 1000), (int)(left_ms % 1000));
	print_line("sealed", text);
}

/* Votes and ranks, whatever the rule looked at, a few blanks in. What says nothing is left out. */
static void print_details(const struct tree_node *details)
{
	_cleanup_(tree_done) struct tree told = { 0 };
	_cleanup_(buf_done) struct buf yaml = { 0 };
	struct tree_node *root = node_add(&told, NULL, NULL, TREE_MAP);

	for (const struct tree_node *d = details != NULL ? details->first : NULL; d != NULL;
	     d = d->next)
		if (d->key != NULL && node_truthy(details, d->key))
			node_add_copy(&told, root, d->key, d);
	if (root->first == NULL)
		return;
	treedump_yaml(root, false, &yaml);
	printf("  details\n");
	for (const char *line = yaml.data; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		printf("    %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

static void print_pgha(const struct tree_node *pgha)
{
	_cleanup_(freep) char *rule =
		str_dupf("%s %s", node_str(pgha, "rule"), node_str(pgha, "name"));

	print_line("rule", rule);
	print_line("why", node_text(pgha, "why"));
	print_since(pgha);
	print_lease(pgha);
	print_fence(tree_child(pgha, "fence"));
	print_postgres(tree_child(pgha, "postgres"));
	print_seal(tree_child(pgha, "seal"));
	if (node_text(pgha, "store") != NULL) {
		_cleanup_(freep) char *store = str_dupf("%s: %s; hactl dcs accept",
							node_str(pgha, "store"),
							node_str(pgha, "store_why"));

		print_line("store", store);
	}
	print_line("situation", node_text(pgha, "situation"));
	print_line("note", node_text(pgha, "note"));
	print_details(tree_child(pgha, "explain"));
}

static void print_answer(const struct answer *answer)
{
	const struct tree_node *status = answer->status.root;
	const struct tree_node *pgha = tree_child(status, "pgha");
	const char *timeline = node_text(status, "timeline");

	printf("%s: ", node_str(answer->member, "name"));
	if (status == NULL) {
		printf("does not answer: %s\n", answer->err.msg);
		return;
	}
	printf("%s, %s", node_str(status, "role"), node_str(status, "state"));
	if (timeline != NULL)
		printf(", timeline %s", timeline);
	printf("%s\n", node_truthy(status, "pause") ? ", paused" : "");
	if (pgha != NULL)
		print_pgha(pgha);
	else
		printf("  Patroni %s gives no explanation\n",
		       node_str(tree_child(status, "patroni"), "version"));
}

static void add_json(struct tree *list, const struct answer *answer)
{
	static const char *const copied[] = { "role", "state", "timeline", "pause", "pgha" };
	struct tree_node *map = node_add(list, list->root, NULL, TREE_MAP);

	if (map == NULL)
		return;
	node_add_text(list, map, "name", node_str(answer->member, "name"));
	if (answer->status.root == NULL)
		node_add_text(list, map, "error", answer->err.msg);
	for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
		const struct tree_node *node = tree_child(answer->status.root, copied[i]);

		if (node != NULL)
			node_add_copy(list, map, copied[i], node);
	}
}

static bool is_wanted(const struct args *args, const char *name)
{
	for (size_t i = 0; i < args->nwords; i++)
		if (str_eq(args->words[i], name))
			return true;
	return args->nwords == 0;
}

/* Asks the leader, or who else was named, and then the others: 0, or why none of them tells. */
static int ask_outlook(struct cli *cli, const struct args *args, const struct picture *picture,
		       struct tree *ret, struct err *err)
{
	int r = err_set(err, ERR_STATE, "the cluster has no members");

	for (int others = 0; others < 2; others++)
		for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
			bool first = args->nwords > 0 || picture_is_leader(m);

			if (!is_wanted(args, node_str(m, "name")) || first != (others == 0))
				continue;
			r = outlook_ask(cli, m, args, ret, err);
			if (r == OUTLOOK_REFUSED)
				return -(int)err->code;
			if (r == 0)
				return 0;
		}
	return r;
}

/* Only the suppositions. */
static int suppose(struct cli *cli, const struct args *args, const struct picture *picture,
		   struct err *err)
{
	_cleanup_(tree_done) struct tree outlook = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = ask_outlook(cli, args, picture, &outlook, err);

	if (r < 0)
		return r;
	if (cli->json) {
		treedump_json(outlook.root, &text);
		printf("%s\n", text.data);
	} else {
		outlook_print(outlook.root);
	}
	return 0;
}

/* 1: somebody did not answer. */
static int explain_members(struct cli *cli, const struct args *args, const struct picture *picture,
			   struct tree *list)
{
	int silent = 0;

	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
		_cleanup_(answer_done) struct answer answer = { .member = m };

		if (!is_wanted(args, node_str(m, "name")))
			continue;
		ask(cli, &answer);
		silent |= answer.status.root == NULL;
		if (cli->json)
			add_json(list, &answer);
		else
			print_answer(&answer);
		(void)fflush(stdout);
	}
	return silent;
}

/* Into the element of the member that was asked. */
static void add_outlook(struct tree *list, const struct tree_node *outlook)
{
	for (struct tree_node *m = list->root->first; m != NULL; m = m->next)
		if (str_eq(node_str(m, "name"), node_str(outlook, "asked")))
			node_add_copy(list, m, "outlook", outlook);
}

static int explain_all(struct cli *cli, const struct args *args, const struct picture *picture)
{
	_cleanup_(tree_done) struct tree outlook = { 0 };
	_cleanup_(tree_done) struct tree list = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct err err = { 0 };
	int silent;
	int r;

	(void)node_add(&list, NULL, NULL, TREE_LIST);
	silent = explain_members(cli, args, picture, &list);
	r = ask_outlook(cli, args, picture, &outlook, &err);
	if (!cli->json) {
		if (r == 0)
			outlook_print(outlook.root);
		else
			printf("Who would lead next cannot be told: %s\n", err.msg);
		return silent;
	}
	if (r == 0)
		add_outlook(&list, outlook.root);
	treedump_json(list.root, &text);
	printf("%s\n", text.data);
	return silent;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { 0 };
	const char *name = args_value(args, "--cluster");
	int r;

	r = cli_cluster_named(cli, name, &name, err);
	if (r < 0)
		return r;
	r = cli_picture(cli, name, &picture, err);
	if (r < 0)
		return r;
	if (picture_members(&picture) == NULL)
		return err_set(err, ERR_STATE, "cluster %s has no members", name);
	for (size_t i = 0; i < args->nwords; i++)
		if (picture_member(&picture, args->words[i]) == NULL)
			return err_set(err, ERR_PARSE, "%s is not a member of cluster %s",
				       args->words[i], name);
	return args_has(args, "--if") ? suppose(cli, args, &picture, err) :
					explain_all(cli, args, &picture);
}

static const struct args_option options[] = {
	{ .name = "--cluster", .value = "NAME", .kind = ARGS_CLUSTER,
	  .help = "Another cluster than the configured one." },
	{ .name = "--if", .value = "SUPPOSITION", .many = true,
	  .help = "Tell what would be if that were so. May be given more than once." },
	CMD_END,
};

const struct cli_command cmd_explain = {
	.name = "explain",
	.words = "[MEMBER]...",
	.takes = { CMD_MEMBERS },
	.words_max = ARGS_MAX,
	.help = "Tell which rule each member is on, and why; and what would be if.",
	.more = "  At the end: who would lead if the leader were lost now, why the others would\n"
		"  not, what would be lost, and how long it would take. Suppositions are 'n1 gone',\n"
		"  'n1 crashed', 'n2 lagging 20MB', 'n2 nofailover', 'etcd gone' and 'paused'; the\n"
		"  decision table of the leader, or of MEMBER, answers for them. Nothing is changed.\n"
		"  The exit code is 1 when a member did not answer.\n",
	.options = options,
	.run = run,
};
