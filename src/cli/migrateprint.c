/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrateprint - findings for people and for programs
 */
#include "cli/migrateprint.h"

#include "cli/node.h"

#define WIDTH 98

static const char *const names[MIGRATE__MAX] = {
#define X(n, t, h) [MIGRATE_##n] = t,
	MIGRATE_VERDICTS(X)
#undef X
};

static const char *const headings[MIGRATE__MAX] = {
#define X(n, t, h) [MIGRATE_##n] = h,
	MIGRATE_VERDICTS(X)
#undef X
};

/* Are all findings of that verdict and place before this one told already? */
static bool is_first(const struct migrate *migrate, size_t at)
{
	const struct migrate_finding *it = &migrate->items[at];

	for (size_t i = 0; i < at; i++)
		if (migrate->items[i].verdict == it->verdict &&
		    str_eq(migrate->items[i].where, it->where))
			return false;
	return true;
}

static void add_list(const struct migrate *migrate, size_t first, struct buf *text)
{
	const char *where = migrate->items[first].where;
	size_t column = strlen(where) + 4;

	buf_printf(text, "  %s:", where);
	for (size_t i = first; i < migrate->n; i++) {
		const struct migrate_finding *it = &migrate->items[i];

		if (it->verdict != MIGRATE_CARRIES || !str_eq(it->where, where))
			continue;
		if (column + strlen(it->key) + 2 > WIDTH) {
			buf_str(text, "\n   ");
			column = 3;
		}
		buf_printf(text, " %s", it->key);
		column += strlen(it->key) + 1;
	}
	buf_ch(text, '\n');
}

static void add_finding(const struct migrate_finding *it, struct buf *text)
{
	buf_printf(text, "  %s%s%s\n", it->where, it->key[0] != '\0' ? " " : "", it->key);
	if (it->why[0] != '\0')
		buf_printf(text, "      %s\n", it->why);
	if (it->todo[0] != '\0')
		buf_printf(text, "      -> %s\n", it->todo);
}

void migrateprint_text(const struct migrate *migrate, struct buf *ret_text)
{
	for (enum migrate_verdict v = 0; v < MIGRATE__MAX; v++) {
		if (migrate_count(migrate, v) == 0)
			continue;
		buf_printf(ret_text, "%s:\n", headings[v]);
		for (size_t i = 0; i < migrate->n; i++) {
			if (migrate->items[i].verdict != v)
				continue;
			if (v != MIGRATE_CARRIES)
				add_finding(&migrate->items[i], ret_text);
			else if (is_first(migrate, i))
				add_list(migrate, i, ret_text);
		}
	}
}

void migrateprint_table(const struct migrate *migrate, enum table_format format,
			struct buf *ret_text)
{
	static const struct table_column verdict = { .name = "Verdict" };
	static const struct table_column where = { .name = "Where" };
	static const struct table_column key = { .name = "Key" };
	static const struct table_column why = { .name = "Why" };
	static const struct table_column todo = { .name = "What to do" };
	static const struct table_column *const columns[] = { &verdict, &where, &key, &why, &todo };
	_cleanup_(tree_done) struct tree rows = { 0 };
	struct table table = { .columns = columns, .ncolumns = ARRAY_LEN(columns) };

	(void)node_add(&rows, NULL, NULL, TREE_LIST);
	for (size_t i = 0; i < migrate->n; i++) {
		const struct migrate_finding *it = &migrate->items[i];
		struct tree_node *row = node_add(&rows, rows.root, NULL, TREE_MAP);

		node_add_text(&rows, row, verdict.name, names[it->verdict]);
		node_add_text(&rows, row, where.name, it->where);
		node_add_text(&rows, row, key.name, it->key);
		node_add_text(&rows, row, why.name, it->why);
		node_add_text(&rows, row, todo.name, it->todo);
	}
	table.rows = rows.root;
	table_print(&table, format, ret_text);
}
