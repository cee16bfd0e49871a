/* SPDX-License-Identifier: PostgreSQL */
/*
 * conffile - YAML text and dynamic JSON -> struct config
 */
#include "wire/conffile.h"

#include <stdlib.h>
#include <string.h>

#include "wire/confbuild.h"
#include "wire/confcheck.h"
#include "wire/confenv.h"
#include "wire/confremote.h"
#include "wire/treedump.h"
#include "wire/yamltree.h"

/* A file of several. Lines are counted through all of them. */
struct part {
	char *name;
	int lines_before;
};

struct confdoc {
	struct tree tree;
	struct part *parts; /* of several files only */
	size_t nparts;
	struct yamltree_twins twins;
	struct conf_problems from_env;
	char *home;
};

void confdoc_free(struct confdoc *doc)
{
	if (doc == NULL)
		return;
	tree_done(&doc->tree);
	for (size_t i = 0; i < doc->nparts; i++)
		free(doc->parts[i].name);
	free(doc->parts);
	free(doc->twins.items);
	conf_problems_done(&doc->from_env);
	free(doc->home);
	free(doc);
}

void confdoc_print(const struct confdoc *doc, struct buf *ret_text)
{
	treedump_yaml(doc->tree.root, false, ret_text);
}

/* "https://user:password@host" */
static bool has_login(const char *text)
{
	const char *login = strstr(text, "://");
	size_t len;

	if (login == NULL)
		return false;
	login += 3;
	len = strcspn(login, "/@");
	return login[len] == '@' && memchr(login, ':', len) != NULL;
}

bool confdoc_holds_secret(const struct confdoc *doc)
{
	const struct tree_node *node = doc->tree.root;

	for (; node != NULL; node = tree_next(doc->tree.root, node)) {
		if (!tree_is_scalar(node) || node->text == NULL || node->text[0] == '\0' ||
		    node->type == TREE_NULL)
			continue;
		if ((node->key != NULL && str_ends(node->key, "password")) ||
		    has_login(node->text))
			return true;
	}
	return false;
}

static void confdoc_freep(struct confdoc **docp)
{
	confdoc_free(*docp);
}

static int add_variables(struct confdoc *doc, const char *const *env, struct err *err)
{
	struct tree_node *root;
	size_t nvariables = 0;
	int r;

	if (doc->tree.root == NULL) {
		r = tree_add(&doc->tree, NULL, NULL, TREE_MAP, 0, &root, err);
		if (r < 0)
			return r;
	}
	r = confenv_merge(&doc->tree, env, &doc->from_env, &nvariables, err);
	if (r < 0)
		return r;
	if (doc->tree.root->first == NULL)
		return err_set(err, ERR_CONFIG, "holds no settings");
	return 0;
}

static int parse_into(struct confdoc *doc, const char *text, size_t len, const char *const *env,
		      struct err *err)
{
	int r = yamltree_parse(text, len, &doc->tree, &doc->twins, err);

	return r < 0 ? r : add_variables(doc, env, err);
}

int confdoc_parse(const char *text, size_t len, const char *const *env, struct confdoc **ret,
		  struct err *err)
{
	_cleanup_(confdoc_freep) struct confdoc *doc = mem_new(1, sizeof(*doc));
	const char *whole = confenv_get(env, "PATRONI_CONFIGURATION");
	int r;

	doc->home = str_dup(confenv_get(env, "HOME"));
	/* Without a file the variable holds all of it, and the others do not count. */
	if (text == NULL && whole != NULL)
		r = parse_into(doc, whole, strlen(whole), NULL, err);
	else
		r = parse_into(doc, text != NULL ? text : "", text != NULL ? len : 0, env, err);
	if (r < 0)
		return r;
	*ret = TAKE(doc);
	return 0;
}

static int count_lines(const struct conf_text *text)
{
	int n = 1;

	for (size_t i = 0; i < text->len; i++)
		n += text->text[i] == '\n';
	return n;
}

static void add_twins(struct confdoc *doc, struct yamltree_twins *twins, int lines_before)
{
	for (size_t i = 0; i < twins->n; i++) {
		twins->items[i].line += lines_before;
		doc->twins.items = mem_grow(doc->twins.items, doc->twins.n + 1,
					    sizeof(doc->twins.items[0]));
		doc->twins.items[doc->twins.n++] = twins->items[i];
	}
}

static int lay_over(struct confdoc *doc, const struct conf_text *text, int lines_before,
		    struct err *err)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct yamltree_twins twins = { 0 };
	struct tree_node *root;
	int r = yamltree_parse(text->text, text->len, &tree, &twins, err);

	if (r < 0)
		return err_wrap(err, "%s", text->name);
	add_twins(doc, &twins, lines_before);
	free(twins.items);
	if (tree.root == NULL)
		return 0;
	for (struct tree_node *node = tree.chain; node != NULL; node = node->chain)
		node->line += lines_before;
	r = doc->tree.root != NULL ? 0 :
				     tree_add(&doc->tree, NULL, NULL, TREE_MAP, 0, &root, err);
	return r < 0 ? r : tree_patch(&doc->tree, tree.root, err);
}

int confdoc_parse_texts(const struct conf_text *texts, size_t n, const char *const *env,
			struct confdoc **ret, struct err *err)
{
	_cleanup_(confdoc_freep) struct confdoc *doc = mem_new(1, sizeof(*doc));
	int lines_before = 0;
	int r;

	doc->home = str_dup(confenv_get(env, "HOME"));
	doc->parts = mem_new(n, sizeof(doc->parts[0]));
	for (size_t i = 0; i < n; i++) {
		doc->parts[doc->nparts++] =
			(struct part){ str_dup(texts[i].name), lines_before };
		r = lay_over(doc, &texts[i], lines_before, err);
		if (r < 0)
			return r;
		lines_before += count_lines(&texts[i]);
	}
	r = add_variables(doc, env, err);
	if (r < 0)
		return r;
	*ret = TAKE(doc);
	return 0;
}

/* Name and own line of what is counted through all files. */
static const char *place_of(const struct confdoc *doc, int *line, const char *file)
{
	size_t i = doc->nparts;

	while (i > 0 && doc->parts[i - 1].lines_before >= *line)
		i--;
	if (*line <= 0 || i == 0)
		return file;
	*line -= doc->parts[i - 1].lines_before;
	return doc->parts[i - 1].name;
}

void confdoc_print_problems(const struct confdoc *doc, const struct conf_problems *problems,
			    const char *file, struct buf *ret_text)
{
	for (size_t i = 0; i < problems->n; i++) {
		struct conf_problem it = problems->items[i];
		const struct conf_problems one = { .items = &it, .n = 1 };
		const char *name = place_of(doc, &it.line, file);

		conf_problems_print(&one, name, ret_text);
	}
}

void confdoc_check(const struct confdoc *doc, struct conf_problems *problems)
{
	for (size_t i = 0; i < doc->twins.n; i++) {
		const struct yamltree_twin *twin = &doc->twins.items[i];

		confproblem_add(problems, twin->line, false, twin->path,
				"given twice, first in line %d; this one counts", twin->first_line);
	}
	for (size_t i = 0; i < doc->from_env.n; i++) {
		const struct conf_problem *it = &doc->from_env.items[i];

		confproblem_add(problems, it->line, it->fatal, it->path, "%s", it->text);
	}
	confcheck_file(doc->tree.root, problems);
	confproblem_sort(problems);
}

/* What may run programs is taken away before it is looked at further. */
static void withhold(const struct confbuild *build, const struct tree *dynamic)
{
	if (!confget_bool(&build->get, CONFREMOTE_KEY))
		confremote_withhold(dynamic->root, build->get.local, build->problems,
				    &build->config->withheld);
}

/* The document that stands in the local file; it was checked with that. */
static void read_first(const struct confbuild *build, struct tree *ret)
{
	const struct tree_node *dcs = tree_find(build->get.local, "bootstrap.dcs");
	struct tree_node *root;

	if (dcs == NULL || dcs->type != TREE_MAP)
		return;
	if (tree_copy(ret, NULL, NULL, dcs, &root, NULL) < 0) /* a part of a tree has room in one */
		tree_done(ret);
	else
		withhold(build, ret);
}

/* An unreadable document is as good as none: everything has a default. */
static void read_dynamic(const struct confbuild *build, const char *json, struct tree *ret)
{
	struct conf_problems *problems = build->problems;
	struct err err = { 0 };

	if (tree_from_json(json, strlen(json), ret, &err) < 0) {
		confproblem_add(problems, 0, false, "", "the dynamic configuration is ignored: %s",
				err.msg);
		return;
	}
	if (ret->root->type != TREE_MAP) {
		confproblem_add(problems, 0, false, "",
				"the dynamic configuration is ignored: it is no map of keys");
		tree_done(ret);
		return;
	}
	withhold(build, ret);
	confcheck_dynamic(ret->root, problems);
}

static void build_all(const struct confbuild *build)
{
	confbuild_identity(build);
	confbuild_ha(build);
	confbuild_etcd(build);
	confbuild_restapi(build);
	confbuild_postgresql(build);
	confbuild_bootstrap(build);
	confbuild_log(build);
	confbuild_watchdog(build);
	confbuild_fence(build);
	confbuild_poolers(build);
	confbuild_tags(build);
}

static int first_fatal(const struct confdoc *doc, const struct conf_problems *problems,
		       struct err *err)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct conf_problem *it = &problems->items[i];
		int line = it->line;
		const char *name = place_of(doc, &line, "");

		if (!it->fatal)
			continue;
		if (line > 0)
			return err_set(err, ERR_CONFIG, "%s%sline %d: %s: %s", name,
				       *name != '\0' ? ", " : "", line, it->path, it->text);
		return err_set(err, ERR_CONFIG, "%s: %s", it->path, it->text);
	}
	return err_set(err, ERR_CONFIG, "%zu errors", problems->nfatal);
}

static void config_freep(struct config **configp)
{
	config_free(*configp);
}

int conf_build(const struct confdoc *doc, const char *dynamic_json, struct config **ret,
	       struct conf_problems *problems, struct err *err)
{
	_cleanup_(config_freep) struct config *config = mem_new(1, sizeof(*config));
	_cleanup_(tree_done) struct tree dynamic = { 0 };
	struct confbuild build = {
		.get = { .local = doc->tree.root },
		.config = config,
		.problems = problems,
		.home = doc->home,
		.is_dynamic_etcd = dynamic_json != NULL,
	};

	*ret = NULL;
	confdoc_check(doc, problems);
	if (dynamic_json != NULL)
		read_dynamic(&build, dynamic_json, &dynamic);
	else
		read_first(&build, &dynamic);
	build.get.dynamic = dynamic.root;
	build_all(&build);
	confproblem_sort(problems);
	if (problems->nfatal > 0)
		return first_fatal(doc, problems, err);
	*ret = TAKE(config);
	return 0;
}

/* A finding in a section that a client reads. What is missing is none: it may come from the
 * command line. */
static bool concerns_client(const struct confdoc *doc, const struct conf_problem *problem)
{
	static const char *const sections[] = { "etcd3", "ctl", "restapi.authentication" };

	if (tree_find(doc->tree.root, problem->path) == NULL)
		return false;
	if (str_eq(problem->path, "scope") || str_eq(problem->path, "namespace") ||
	    str_eq(problem->path, "restapi"))
		return true;
	/* The section itself, which may be a text or a list, and what is below it. */
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		const size_t len = strlen(sections[i]);

		if (str_starts(problem->path, sections[i]) &&
		    (problem->path[len] == '\0' || problem->path[len] == '.'))
			return true;
	}
	return false;
}

int conf_build_client(const struct confdoc *doc, struct config **ret, struct err *err)
{
	_cleanup_(config_freep) struct config *config = mem_new(1, sizeof(*config));
	_cleanup_(conf_problems_done) struct conf_problems all = { 0 };
	struct conf_problems ours = { 0 };
	const struct confbuild build = {
		.get = { .local = doc->tree.root },
		.config = config,
		.problems = &all,
		.home = doc->home,
	};
	int r = 0;

	*ret = NULL;
	confdoc_check(doc, &all);
	confbuild_identity(&build);
	confbuild_etcd(&build);
	confbuild_restapi(&build);
	for (size_t i = 0; i < all.n; i++)
		if (all.items[i].fatal && concerns_client(doc, &all.items[i]))
			confproblem_add(&ours, all.items[i].line, true, all.items[i].path, "%s",
					all.items[i].text);
	if (ours.nfatal > 0)
		r = first_fatal(doc, &ours, err);
	conf_problems_done(&ours);
	if (r < 0)
		return r;
	*ret = TAKE(config);
	return 0;
}
