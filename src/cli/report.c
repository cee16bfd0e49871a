/* SPDX-License-Identifier: PostgreSQL */
/*
 * report - what a command did, would do or could not do, for people or as JSON
 */
#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/node.h"
#include "wire/treedump.h"

static const char *const outcomes[REPORT__MAX] = {
#define X(n, t) [REPORT_##n] = t,
	REPORT_OUTCOMES(X)
#undef X
};

void report_done(struct report *report)
{
	tree_done(&report->results);
	tree_done(&report->facts);
}

static _printf_(1, 0) char *print_text(const char *fmt, va_list ap)
{
	char *text = NULL;

	return vasprintf(&text, fmt, ap) < 0 ? str_dup("") : text;
}

static void add_result(struct report *report, const char *member, enum report_outcome outcome,
		       int code, const char *text)
{
	struct tree *tree = &report->results;
	struct tree_node *map;

	if (tree->root == NULL)
		(void)node_add(tree, NULL, NULL, TREE_LIST);
	map = node_add(tree, tree->root, NULL, TREE_MAP);
	if (map == NULL)
		return;
	if (member != NULL)
		node_add_text(tree, map, "member", member);
	node_add_text(tree, map, "outcome", outcomes[outcome]);
	if (code != 0)
		node_add_int(tree, map, "code", code);
	node_add_text(tree, map, "text", text);
}

void report_add(struct cli *cli, const char *member, enum report_outcome outcome, int code,
		const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = print_text(fmt, ap);
	va_end(ap);
	cli->report.nrefused += outcome == REPORT_WOULD_NOT;
	if (cli->json)
		add_result(&cli->report, member, outcome, code, text);
	else
		printf("%s\n", text);
	(void)fflush(stdout);
}

void report_fact(struct cli *cli, const char *name, int64_t number)
{
	struct tree *facts = &cli->report.facts;

	if (facts->root == NULL)
		(void)node_add(facts, NULL, NULL, TREE_MAP);
	node_add_int(facts, facts->root, name, number);
}

void report_line(struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli->json)
		return;
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	(void)fflush(stdout);
}

void report_show(struct cli *cli, const struct picture *picture)
{
	if (!cli->json)
		cli_show(picture);
}

bool report_asks(const struct cli *cli, const struct args *args)
{
	return !cli->dry && !args_has(args, "--force");
}

int report_check(const struct cli *cli, const struct args *args, struct err *err)
{
	if (cli->json && report_asks(cli, args))
		return err_set(
			err, ERR_PARSE,
			"With --json nothing is asked: add --force, or --dry-run to see what "
			"would happen");
	return 0;
}

void report_request(struct cli *cli, const struct tree_node *member, const char *method,
		    const char *path, const char *body)
{
	const char *name = node_str(member, "name");
	_cleanup_(freep) char *url = NULL;

	if (*node_str(member, "api_url") == '\0') {
		report_add(cli, name, REPORT_WOULD_NOT, 0,
			   "Would fail: member %s has no REST API address", name);
		return;
	}
	url = api_url(node_str(member, "api_url"), path);
	report_add(cli, name, REPORT_WOULD, 0, "Would send to member %s: %s %s%s%s", name, method,
		   url, body != NULL && *body != '\0' ? " " : "", body != NULL ? body : "");
}

int report_dry_end(struct cli *cli)
{
	report_line(cli, "Nothing was changed.");
	return cli->report.nrefused > 0 ? 1 : 0;
}

void report_print(struct cli *cli, int r, const struct err *err)
{
	_cleanup_(tree_done) struct tree doc = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree_node *root = node_add(&doc, NULL, NULL, TREE_MAP);

	if (!cli->json || (cli->report.results.root == NULL && r >= 0))
		return;
	if (cli->dry)
		node_add_bool(&doc, root, "dry_run", true);
	for (const struct tree_node *f = cli->report.facts.root != NULL ?
						 cli->report.facts.root->first :
						 NULL;
	     f != NULL; f = f->next)
		node_add_copy(&doc, root, f->key, f);
	if (cli->report.results.root != NULL)
		node_add_copy(&doc, root, "results", cli->report.results.root);
	if (r < 0)
		node_add_text(&doc, root, "error", err->msg);
	treedump_json(doc.root, &text);
	printf("%s\n", text.data);
}
