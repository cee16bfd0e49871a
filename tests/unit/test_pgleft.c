/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgleft - titles of processes, and what is told of them
 */
#include "io/pgleft.h"

#include <criterion/criterion.h>

#include "base/str.h"

static char text[512];

static const char *told(const struct pgleft *left)
{
	pgleft_text(left, text, sizeof(text));
	return text;
}

Test(pgleft, knows_who_is_who)
{
	struct pgleft left = { 0 };

	pgleft_note(&left, "postgres: e2e: logger ", "e2e");
	pgleft_note(&left, "postgres: e2e: walwriter ", "e2e");
	pgleft_note(&left, "postgres: e2e: autovacuum worker app", "e2e");
	pgleft_note(&left, "/usr/lib/postgresql/15/bin/postgres", "e2e");
	cr_assert_str_eq(told(&left), "");
	pgleft_note(&left, "postgres: e2e: checkpointer ", "e2e");
	cr_assert_str_eq(told(&left), "the checkpoint");
	pgleft_note(&left, "postgres: e2e: walsender repl 10.0.0.2(4711) streaming 0/3000148", "e2e");
	pgleft_note(&left, "postgres: e2e: walsender repl 10.0.0.3(4712) streaming 0/3000148", "e2e");
	pgleft_note(&left, "postgres: e2e: archiver archiving 00000001000000000000000A", "e2e");
	cr_assert_str_eq(told(&left), "the checkpoint");
	left.shut_down = true;
	cr_assert_str_eq(told(&left),
			 "2 walsenders ('walsender repl 10.0.0.2(4711) streaming "
			 "0/3000148'), the archiver ('archiving 00000001000000000000000A')");
	cr_assert(left.checkpointer && left.archiver && left.walsenders == 2 && left.clients == 0);
}

Test(pgleft, clients_come_first)
{
	struct pgleft left = { 0 };

	pgleft_note(&left, "postgres: checkpointer ", "");
	pgleft_note(&left, "postgres: archiver ", "");
	pgleft_note(&left, "postgres: app appdb [local] idle in transaction", "");
	cr_assert_str_eq(told(&left), "1 client ('app appdb [local] idle in transaction')");
	pgleft_note(&left, "postgres: app appdb [local] idle", "");
	cr_assert_str_eq(told(&left), "2 clients ('app appdb [local] idle in transaction')");
}

Test(pgleft, another_clusters_name_is_not_taken_off)
{
	struct pgleft left = { 0 };

	pgleft_note(&left, "postgres: main: checkpointer ", "e2e");
	cr_assert_not(left.checkpointer);
	pgleft_note(&left, "postgres: e2e checkpointer ", "e2e");
	cr_assert_not(left.checkpointer);
}
