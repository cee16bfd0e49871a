/* SPDX-License-Identifier: PostgreSQL */
/*
 * finding - what hactl doctor has to say
 */
#include "cli/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/node.h"

static const char *const names[FINDING__MAX] = {
#define X(n, t) [FINDING_##n] = t,
	FINDING_LEVELS(X)
#undef X
};

void findings_done(struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++) {
		free(findings->items[i].where);
		free(findings->items[i].what);
		free(findings->items[i].why);
		free(findings->items[i].mend);
	}
	free(findings->items);
	*findings = (struct findings){ 0 };
}

void finding_add(struct findings *findings, enum finding_level level, const char *where,
		 const char *why, const char *mend, const char *what_fmt, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, what_fmt);
	(void)vsnprintf(what, sizeof(what), what_fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < findings->n; i++) {
		struct finding *f = &findings->items[i];
		char *both;

		if (f->level != level || !str_eq(f->what, what) || !str_eq(f->why, why) ||
		    !str_eq(f->mend, mend))
			continue;
		both = str_dupf("%s, %s", f->where, where);
		free(f->where);
		f->where = both;
		return;
	}
	findings->items = mem_grow(findings->items, findings->n + 1, sizeof(*findings->items));
	findings->items[findings->n++] = (struct finding){
		.level = level,
		.where = str_dup(where),
		.what = str_dup(what),
		.why = str_dup(why),
		.mend = str_dup(mend),
	};
}

const char *finding_level_name(enum finding_level level)
{
	return names[level];
}

static int weight(enum finding_level level)
{
	static const int weights[FINDING__MAX] = {
		[FINDING_OK] = 0,
		[FINDING_WARNING] = 1,
		[FINDING_UNKNOWN] = 2,
		[FINDING_CRITICAL] = 3,
	};

	return weights[level];
}

enum finding_level findings_worst(const struct findings *findings)
{
	enum finding_level worst = FINDING_OK;

	for (size_t i = 0; i < findings->n; i++)
		if (weight(findings->items[i].level) > weight(worst))
			worst = findings->items[i].level;
	return worst;
}

/* "n1, n2" -> "n1 n2"; NULL when that is not members alone. */
static char *members_of(const char *where, const struct picture *picture)
{
	struct buf names_of = { 0 };

	while (*where != '\0') {
		const size_t len = strcspn(where, ",");
		_cleanup_(freep) char *name = str_ndup(where, len);

		if (picture_member(picture, name) == NULL) {
			buf_done(&names_of);
			return NULL;
		}
		buf_printf(&names_of, "%s%s", names_of.len > 0 ? " " : "", name);
		where += len;
		where += strspn(where, ", ");
	}
	return names_of.len > 0 ? buf_take(&names_of) : NULL;
}

static void replace(char **textp, const char *word, const char *name)
{
	const char *at = strstr(*textp, word);
	char *made;

	if (at == NULL || name == NULL)
		return;
	made = str_dupf("%.*s%s%s", (int)(at - *textp), *textp, name, at + strlen(word));
	free(*textp);
	*textp = made;
}

void findings_name(struct findings *findings, const struct picture *picture)
{
	for (size_t i = 0; i < findings->n; i++) {
		struct finding *f = &findings->items[i];
		_cleanup_(freep) char *members = members_of(f->where, picture);

		replace(&f->mend, "CLUSTER", picture->name);
		replace(&f->mend, "MEMBER", members);
	}
}

void findings_print(const struct findings *findings, struct buf *ret_text)
{
	for (int w = 3; w > 0; w--)
		for (size_t i = 0; i < findings->n; i++) {
			const struct finding *f = &findings->items[i];

			if (weight(f->level) != w)
				continue;
			buf_printf(ret_text, "%s: %s: %s\n    why   %s\n    mend  %s\n",
				   names[f->level], f->where, f->what, f->why, f->mend);
		}
}

void findings_to_tree(const struct findings *findings, struct tree *tree, struct tree_node *list)
{
	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *f = &findings->items[i];
		struct tree_node *map = node_add(tree, list, NULL, TREE_MAP);

		node_add_text(tree, map, "level", names[f->level]);
		node_add_text(tree, map, "where", f->where);
		node_add_text(tree, map, "what", f->what);
		node_add_text(tree, map, "why", f->why);
		node_add_text(tree, map, "mend", f->mend);
	}
}
