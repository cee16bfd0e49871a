/* SPDX-License-Identifier: PostgreSQL */
/*
 * confproblem - collects what is wrong with a configuration
 */
#include "wire/confproblem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_known(const struct conf_problems *problems, const struct conf_problem *one)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct conf_problem *it = &problems->items[i];

		if (it->line == one->line && it->fatal == one->fatal &&
		    str_eq(it->path, one->path) && str_eq(it->text, one->text))
			return true;
	}
	return false;
}

void confproblem_vadd(struct conf_problems *problems, int line, bool fatal, const char *path,
		      const char *before, const char *fmt, va_list ap)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(freep) char *where = str_dup(path);
	char cut[ERR_MSG_MAX];
	struct conf_problem problem;

	vsnprintf(cut, sizeof(cut), fmt, ap);
	text = str_dupf("%s%s", before, cut);
	problem = (struct conf_problem){
		.line = line, .fatal = fatal, .path = where, .text = text
	};

	if (is_known(problems, &problem))
		return;
	/* Beyond the bound a fatal one still counts, or a broken file would be taken as good. */
	if (fatal)
		problems->nfatal++;
	if (problems->n >= CONFPROBLEMS_MAX)
		return;
	problems->items = mem_grow(problems->items, problems->n + 1, sizeof(problems->items[0]));
	problems->items[problems->n++] = problem;
	(void)TAKE(text);
	(void)TAKE(where);
}

void confproblem_add(struct conf_problems *problems, int line, bool fatal, const char *path,
		     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	confproblem_vadd(problems, line, fatal, path, "", fmt, ap);
	va_end(ap);
}

static bool is_before(const struct conf_problem *a, const struct conf_problem *b)
{
	return a->line > 0 && (b->line == 0 || a->line < b->line);
}

void confproblem_sort(struct conf_problems *problems)
{
	/* By insertion, because that keeps equals in their order; there are few. */
	for (size_t i = 1; i < problems->n; i++) {
		struct conf_problem moving = problems->items[i];
		size_t j = i;

		for (; j > 0 && is_before(&moving, &problems->items[j - 1]); j--)
			problems->items[j] = problems->items[j - 1];
		problems->items[j] = moving;
	}
}

void conf_problems_done(struct conf_problems *problems)
{
	if (problems == NULL)
		return;
	for (size_t i = 0; i < problems->n; i++) {
		free(problems->items[i].path);
		free(problems->items[i].text);
	}
	free(problems->items);
	*problems = (struct conf_problems){ 0 };
}

void conf_problems_print(const struct conf_problems *problems, const char *file,
			 struct buf *ret_text)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct conf_problem *it = &problems->items[i];

		buf_str(ret_text, file);
		if (it->line > 0)
			buf_printf(ret_text, ":%d", it->line);
		buf_printf(ret_text, ": %s: ", it->fatal ? "error" : "warning");
		if (it->path[0] != '\0')
			buf_printf(ret_text, "%s: ", it->path);
		buf_printf(ret_text, "%s\n", it->text);
	}
}
