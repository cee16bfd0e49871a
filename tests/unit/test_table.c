/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_table - rows in all formats; the layouts are those of prettytable and patronictl
 */
#include <criterion/criterion.h>

#include "cli/table.h"

static const struct table_column cluster = { .name = "Cluster" };
static const struct table_column member = { .name = "Member" };
static const struct table_column lag = { .name = "Receive Lag", .title = "Lag", .right = true };
static const struct table_column tags = { .name = "Tags" };
static const struct table_column *const columns[] = { &cluster, &member, &lag, &tags };

struct print {
	const char *rows;
	const char *header;
	enum table_format format;
	bool flow;
};

static void check(const struct print *print, const char *expected)
{
	_cleanup_(tree_done) struct tree rows = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct table table = { .header = print->header,
			       .columns = columns,
			       .ncolumns = ARRAY_LEN(columns),
			       .nhidden = 1,
			       .flow = print->flow };

	cr_assert_eq(tree_from_json(print->rows, strlen(print->rows), &rows, NULL), 0);
	table.rows = rows.root;
	table_print(&table, print->format, &text);
	cr_assert_str_eq(text.data, expected);
}

#define ROWS                                                                          \
	"[{\"Cluster\":\"c\",\"Member\":\"node0\",\"Tags\":{\"b\":true,\"a\":\"x\"}}," \
	"{\"Cluster\":\"c\",\"Member\":\"n\",\"Receive Lag\":10}]"

Test(table, draws_a_rule_below_every_row_when_a_cell_has_lines)
{
	check(&(struct print){ .rows = ROWS, .header = " Cluster: c (1) " },
	      "+ Cluster: c (1) --------+\n"
	      "| Member | Lag | Tags    |\n"
	      "+--------+-----+---------+\n"
	      "| node0  |     | a: x    |\n"
	      "|        |     | b: true |\n"
	      "+--------+-----+---------+\n"
	      "| n      |  10 |         |\n"
	      "+--------+-----+---------+\n");
}

Test(table, draws_a_frame_only_when_all_cells_have_one_line)
{
	check(&(struct print){ .rows = ROWS, .flow = true },
	      "+--------+-----+-----------------+\n"
	      "| Member | Lag | Tags            |\n"
	      "+--------+-----+-----------------+\n"
	      "| node0  |     | {a: x, b: true} |\n"
	      "| n      |  10 |                 |\n"
	      "+--------+-----+-----------------+\n");
}

Test(table, cuts_a_header_that_is_wider_than_the_table)
{
	check(&(struct print){ .rows = "[]", .header = " Cluster: a name that goes on (7) " },
	      "+ Cluster: a name that+\n"
	      "| Member | Lag | Tags |\n"
	      "+--------+-----+------+\n"
	      "+--------+-----+------+\n");
}

Test(table, counts_characters_not_bytes)
{
	check(&(struct print){ .rows = "[{\"Member\":\"\303\251\303\251\303\251\303\251\303\251\303\251\303\251\"}]",
			       .header = " \303\251 " },
	      "+ \303\251 ------+-----+------+\n"
	      "| Member  | Lag | Tags |\n"
	      "+---------+-----+------+\n"
	      "| \303\251\303\251\303\251\303\251\303\251\303\251\303\251 |     |      |\n"
	      "+---------+-----+------+\n");
}

Test(table, writes_tsv_with_all_columns)
{
	check(&(struct print){ .rows = ROWS, .format = TABLE_TSV },
	      "Cluster\tMember\tReceive Lag\tTags\n"
	      "c\tnode0\t\t{a: x, b: true}\n"
	      "c\tn\t10\t\n");
}

Test(table, writes_json_without_empty_cells)
{
	check(&(struct print){ .rows = ROWS, .format = TABLE_JSON },
	      "[{\"Cluster\": \"c\", \"Member\": \"node0\", \"Tags\": {\"b\": true, \"a\": \"x\"}}, "
	      "{\"Cluster\": \"c\", \"Member\": \"n\", \"Receive Lag\": 10}]\n");
}

Test(table, writes_yaml_sorted_with_a_blank_line_behind)
{
	check(&(struct print){ .rows = ROWS, .format = TABLE_YAML },
	      "- Cluster: c\n"
	      "  Member: node0\n"
	      "  Tags:\n"
	      "    a: x\n"
	      "    b: true\n"
	      "- Cluster: c\n"
	      "  Member: n\n"
	      "  Receive Lag: 10\n"
	      "\n");
}

Test(table, knows_its_formats)
{
	cr_assert_eq(table_format_of(NULL), TABLE_PRETTY);
	cr_assert_eq(table_format_of("pretty"), TABLE_PRETTY);
	cr_assert_eq(table_format_of("tsv"), TABLE_TSV);
	cr_assert_eq(table_format_of("json"), TABLE_JSON);
	cr_assert_eq(table_format_of("yaml"), TABLE_YAML);
	cr_assert_eq(table_format_of("yml"), TABLE_YAML);
}
