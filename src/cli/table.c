/* SPDX-License-Identifier: PostgreSQL */
/*
 * table - rows as a table for people, or as tsv, JSON or YAML for programs
 *
 * The layout is that of Python's prettytable with patronictl's settings.
 */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "wire/treedump.h"

const char *const table_format_names[] = { "pretty", "tsv", "json", "yaml", "yml", NULL };

/* All cells as text, row by row, the visible columns only. */
struct grid {
	size_t ncolumns;
	size_t nrows;
	char **cells;
	size_t *widths;
	bool tall; /* some cell has several lines */
};

enum table_format table_format_of(const char *name)
{
	if (str_eq(name, "tsv"))
		return TABLE_TSV;
	if (str_eq(name, "json"))
		return TABLE_JSON;
	if (str_eq(name, "yaml") || str_eq(name, "yml"))
		return TABLE_YAML;
	return TABLE_PRETTY;
}

static void grid_done(struct grid *grid)
{
	for (size_t i = 0; i < grid->ncolumns * grid->nrows; i++)
		free(grid->cells[i]);
	free(grid->cells);
	free(grid->widths);
}

/* Characters on the screen: every byte that does not continue a UTF-8 sequence. */
static size_t width_of(const char *text, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)text[i] & 0xC0) != 0x80;
	return width;
}

static size_t widest_line(const char *text)
{
	size_t widest = 0;

	for (;;) {
		size_t len = strcspn(text, "\n");

		widest = MAX_OF(widest, width_of(text, len));
		if (text[len] == '\0')
			return widest;
		text += len + 1;
	}
}

static char *cell_text(const struct tree_node *node, bool flow)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (node == NULL)
		return str_dup("");
	if (node->type == TREE_NULL)
		return str_dup("None");
	if (tree_is_scalar(node))
		return str_dup(node->text);
	treedump_yaml(node, flow, &text);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	return buf_take(&text);
}

static const char *title_of(const struct table_column *column)
{
	return column->title != NULL ? column->title : column->name;
}

static void fill(const struct table *table, struct grid *ret)
{
	const struct table_column *const *columns = table->columns + table->nhidden;
	const struct tree_node *row;
	size_t i = 0;

	ret->ncolumns = table->ncolumns - table->nhidden;
	for (row = table->rows->first; row != NULL; row = row->next)
		ret->nrows++;
	ret->widths = mem_new(ret->ncolumns + 1, sizeof(*ret->widths));
	ret->cells = mem_new(ret->ncolumns * ret->nrows + 1, sizeof(*ret->cells));

	for (size_t k = 0; k < ret->ncolumns; k++)
		ret->widths[k] = widest_line(title_of(columns[k]));
	for (row = table->rows->first; row != NULL; row = row->next)
		for (size_t k = 0; k < ret->ncolumns; k++) {
			char *cell = cell_text(tree_child(row, columns[k]->name), table->flow);

			ret->cells[i++] = cell;
			ret->widths[k] = MAX_OF(ret->widths[k], widest_line(cell));
			ret->tall |= strchr(cell, '\n') != NULL;
		}
}

static void add_blanks(struct buf *text, size_t n)
{
	while (n-- > 0)
		buf_ch(text, ' ');
}

static void add_rule(const struct grid *grid, struct buf *text)
{
	buf_ch(text, '+');
	for (size_t k = 0; k < grid->ncolumns; k++) {
		for (size_t n = 0; n < grid->widths[k] + 2; n++)
			buf_ch(text, '-');
		buf_ch(text, '+');
	}
	buf_ch(text, '\n');
}

/* The header lies over the border but for its two corners, cut where it is longer. */
static void add_top(const struct grid *grid, const char *header, struct buf *text)
{
	_cleanup_(buf_done) struct buf rule = { 0 };
	size_t covered = 0;
	size_t bytes = 0;

	add_rule(grid, &rule);
	if (header != NULL && rule.len > 3) {
		while (header[bytes] != '\0' && covered + 3 < rule.len) {
			bytes++;
			while (((unsigned char)header[bytes] & 0xC0) == 0x80)
				bytes++;
			covered++;
		}
	}
	buf_ch(text, '+');
	buf_add(text, header, bytes);
	buf_str(text, rule.data + 1 + covered);
}

/* Line number `line` of a cell, padded to the width of its column. */
static void add_cell(const char *cell, size_t line, size_t width, bool right, struct buf *text)
{
	size_t len;

	for (; line > 0 && *cell != '\0'; line--) {
		cell += strcspn(cell, "\n");
		cell += *cell == '\n';
	}
	len = strcspn(cell, "\n");
	if (right)
		add_blanks(text, width - width_of(cell, len));
	buf_add(text, cell, len);
	if (!right)
		add_blanks(text, width - width_of(cell, len));
}

static size_t lines_of(const char *cell)
{
	size_t n = 1;

	for (; *cell != '\0'; cell++)
		n += *cell == '\n';
	return n;
}

static void add_row(const struct grid *grid, const struct table_column *const *columns,
		    const char *const *cells, struct buf *text)
{
	size_t height = 1;

	for (size_t k = 0; k < grid->ncolumns; k++)
		height = MAX_OF(height, lines_of(cells[k]));
	for (size_t line = 0; line < height; line++) {
		buf_ch(text, '|');
		for (size_t k = 0; k < grid->ncolumns; k++) {
			buf_ch(text, ' ');
			add_cell(cells[k], line, grid->widths[k], columns[k]->right, text);
			buf_str(text, " |");
		}
		buf_ch(text, '\n');
	}
}

static void add_titles(const struct grid *grid, const struct table_column *const *columns,
		       struct buf *text)
{
	_cleanup_(freep) const char **titles = mem_new(grid->ncolumns + 1, sizeof(*titles));

	for (size_t k = 0; k < grid->ncolumns; k++)
		titles[k] = title_of(columns[k]);
	add_row(grid, columns, titles, text);
}

static void print_pretty(const struct table *table, struct buf *text)
{
	const struct table_column *const *columns = table->columns + table->nhidden;
	_cleanup_(grid_done) struct grid grid = { 0 };

	fill(table, &grid);
	add_top(&grid, table->header, text);
	add_titles(&grid, columns, text);
	add_rule(&grid, text);
	for (size_t i = 0; i < grid.nrows; i++) {
		add_row(&grid, columns, (const char *const *)&grid.cells[i * grid.ncolumns], text);
		if (grid.tall && i + 1 < grid.nrows)
			add_rule(&grid, text);
	}
	add_rule(&grid, text);
}

static void print_tsv(const struct table *table, struct buf *text)
{
	for (size_t k = 0; k < table->ncolumns; k++)
		buf_printf(text, "%s%s", k > 0 ? "\t" : "", table->columns[k]->name);
	buf_ch(text, '\n');
	for (const struct tree_node *row = table->rows->first; row != NULL; row = row->next) {
		for (size_t k = 0; k < table->ncolumns; k++) {
			_cleanup_(freep) char *cell =
				cell_text(tree_child(row, table->columns[k]->name), true);

			buf_printf(text, "%s%s", k > 0 ? "\t" : "", cell);
		}
		buf_ch(text, '\n');
	}
}

void table_print(const struct table *table, enum table_format format, struct buf *ret_text)
{
	switch (format) {
	case TABLE_PRETTY:
		print_pretty(table, ret_text);
		return;
	case TABLE_TSV:
		print_tsv(table, ret_text);
		return;
	case TABLE_JSON:
		treedump_json(table->rows, ret_text);
		buf_ch(ret_text, '\n');
		return;
	case TABLE_YAML:
		/* The blank line behind it is patronictl's as well. */
		treedump_yaml(table->rows, false, ret_text);
		buf_ch(ret_text, '\n');
		return;
	case TABLE__MAX:
		return;
	}
}
