/* SPDX-License-Identifier: PostgreSQL */
/*
 * rules_doc - the rule table, rendered: doc/rules.md, or man/pgha-rules.7 with --man
 */
#include <stdio.h>
#include <string.h>

#include "core/rules.h"

#define X(n, t) t,
static const char *const leaders[] = { LEADERS(X) };
static const char *const leases[] = { LEASE_STATES(X) };
static const char *const pgs[] = { PGS(X) };
static const char *const roles[] = { ROLES(X) };
static const char *const datas[] = { DATAS(X) };
static const char *const jobs[] = { JOBS(X) };
static const char *const modes[] = { MODES(X) };
static const char *const ranks[] = { RANKS(X) };
static const char *const asks[] = { ASKS(X) };
static const char *const stores[] = { STORES(X) };
#undef X

static const char *const chapters[] = { "", "Fence", "Operator", "Leading", "Election",
					"Following", "Bootstrap" };

static void print_mask(const char *name, uint32_t mask, const char *const *texts, size_t n,
		       bool *first)
{
	const char *sep = "";

	if (mask == 0)
		return;
	printf("%s%s=", *first ? "" : " ", name);
	*first = false;
	for (size_t i = 0; i < n; i++) {
		if (!(mask & IS(i)))
			continue;
		printf("%s%s", sep, texts[i]);
		sep = ",";
	}
}

static void print_when(const struct rule *r)
{
	bool first = true;

	print_mask("leader", r->leader, leaders, ARRAY_LEN(leaders), &first);
	print_mask("lease", r->lease, leases, ARRAY_LEN(leases), &first);
	print_mask("pg", r->pg, pgs, ARRAY_LEN(pgs), &first);
	print_mask("role", r->role, roles, ARRAY_LEN(roles), &first);
	print_mask("data", r->data, datas, ARRAY_LEN(datas), &first);
	print_mask("job", r->job, jobs, ARRAY_LEN(jobs), &first);
	print_mask("mode", r->mode, modes, ARRAY_LEN(modes), &first);
	print_mask("rank", r->rank, ranks, ARRAY_LEN(ranks), &first);
	print_mask("ask", r->ask, asks, ARRAY_LEN(asks), &first);
	print_mask("store", r->store, stores, ARRAY_LEN(stores), &first);
	if (first)
		printf("anything");
}

static void print_do(const struct rule *r)
{
	printf("postgres: %s; lease: %s", rules_pg_verb_name(r->pg_verb),
	       rules_lease_verb_name(r->lease_verb));
	if (r->more != MV_NONE)
		printf("; and %s", rules_more_verb_name(r->more));
}

static void print_markdown(void)
{
	unsigned int chapter = 0;

	printf("# The rules\n\nGenerated from the table in `src/core/rules.c`; do not edit. The "
	       "first row that matches wins.\nEvery combination of the situation's values, "
	       "feasible or not, is checked against the\nsafety properties by `make check`.\n");
	for (size_t i = 0; i < rules_count(); i++) {
		const struct rule *r = rules_at(i);

		if (r->id / 100u != chapter) {
			chapter = r->id / 100u;
			printf("\n## %uxx: %s\n\n| id | name | when | do | why |\n"
			       "|---|---|---|---|---|\n", chapter, chapters[chapter]);
		}
		printf("| %u | %s | ", r->id, r->name);
		print_when(r);
		printf(" | ");
		print_do(r);
		printf(" | %s |\n", r->why);
	}
}

static void print_man(void)
{
	unsigned int chapter = 0;

	printf(".\\\" Generated from the table in src/core/rules.c; do not edit.\n"
	       ".Dd November 22, 2026\n.Dt PGHA-RULES 7\n.Os pgha\n.Sh NAME\n.Nm pgha-rules\n"
	       ".Nd how pghad decides: the rule table\n.Sh DESCRIPTION\n.Xr pghad 8\n"
	       "reduces what it sees to a situation, one value for each dimension, and looks it up "
	       "in a table.\nThe first row that matches wins.\nThe rule's id stands in the log, in\n"
	       ".Cm GET /patroni\nand in\n.Ic hactl explain .\n");
	for (size_t i = 0; i < rules_count(); i++) {
		const struct rule *r = rules_at(i);

		if (r->id / 100u != chapter) {
			printf("%s.Sh %uxx: %s\n.Bl -tag -width Ds\n", chapter != 0 ? ".El\n" : "",
			       r->id / 100u, chapters[r->id / 100u]);
			chapter = r->id / 100u;
		}
		printf(".It Sy %u %s\n%s.\n.br\nWhen: ", r->id, r->name, r->why);
		print_when(r);
		printf(".\n.br\nThen: ");
		print_do(r);
		printf(".\n");
	}
	printf(".El\n.Sh SEE ALSO\n.Xr hactl 1 ,\n.Xr pghad 8\n");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--man") == 0)
		print_man();
	else
		print_markdown();
	return 0;
}
