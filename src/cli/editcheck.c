/* SPDX-License-Identifier: PostgreSQL */
/*
 * editcheck - looks at a dynamic configuration before it is written
 */
#include "cli/editcheck.h"

#include "wire/confcheck.h"
#include "wire/confguc.h"

/* What a member's own file must have: what shows only when all is seen together is found by
 * building a configuration from it and the document. */
static const char member[] =
	"scope: x\n"
	"name: x\n"
	"restapi: {listen: '127.0.0.1:8008'}\n"
	"etcd3: {host: '127.0.0.1:2379'}\n"
	"postgresql:\n"
	"  listen: 127.0.0.1:5432\n"
	"  data_dir: /x\n"
	"  authentication: {superuser: {username: x}, replication: {username: x}}\n";

static void find_refused(const struct tree_node *config, struct conf_problems *problems)
{
	if (config == NULL)
		return;
	confcheck_change(config, problems);
	confguc_check(tree_find(config, "postgresql.parameters"), problems);
}

/* All that the log of a member would say. */
static void find_hints(const struct tree_node *config, struct conf_problems *problems)
{
	_cleanup_(buf_done) struct buf json = { 0 };
	struct confdoc *doc = NULL;
	struct config *built = NULL;

	if (config == NULL)
		return;
	tree_to_json(config, &json);
	if (confdoc_parse(member, sizeof(member) - 1, NULL, &doc, NULL) < 0)
		return;
	if (conf_build(doc, json.data, &built, problems, NULL) == 0)
		config_free(built);
	confdoc_free(doc);
}

/* In another line it may have stood before. */
static bool has(const struct conf_problems *problems, const struct conf_problem *one)
{
	for (size_t i = 0; i < problems->n; i++)
		if (str_eq(problems->items[i].path, one->path) &&
		    str_eq(problems->items[i].text, one->text))
			return true;
	return false;
}

static void print_hints(const struct conf_problems *old, const struct conf_problems *new,
			struct buf *ret_hints)
{
	for (size_t i = 0; i < new->n; i++) {
		const struct conf_problem *it = &new->items[i];
		const char *text = it->text;

		if (!str_starts(text, CONFPROBLEM_DYNAMIC) || has(old, it))
			continue;
		text += strlen(CONFPROBLEM_DYNAMIC);
		buf_printf(ret_hints, "Warning: %s: %s\n", it->path, text);
	}
}

static int refuse(const struct conf_problems *old, const struct conf_problems *new, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (size_t i = 0; i < new->n; i++) {
		const struct conf_problem *it = &new->items[i];

		if (it->fatal && !has(old, it))
			buf_printf(&text, "%s%s: %s", text.len > 0 ? "; " : "", it->path, it->text);
	}
	if (text.len == 0)
		return 0;
	return err_set(err, ERR_CONFIG, "Nothing was changed: %s", text.data);
}

int editcheck(const struct tree_node *before, const struct tree_node *after, struct buf *ret_hints,
	      struct err *err)
{
	struct conf_problems old = { 0 };
	struct conf_problems new = { 0 };
	int r;

	find_refused(before, &old);
	find_refused(after, &new);
	r = refuse(&old, &new, err);
	conf_problems_done(&old);
	conf_problems_done(&new);
	if (r < 0)
		return r;
	find_hints(before, &old);
	find_hints(after, &new);
	print_hints(&old, &new, ret_hints);
	conf_problems_done(&old);
	conf_problems_done(&new);
	return 0;
}
