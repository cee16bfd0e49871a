/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_select - which members a command is meant for
 */
#include <criterion/criterion.h>

#include "cli/select.h"

static struct picture picture;

static void draw(void)
{
	static const char body[] =
		"{\"members\": [{\"name\": \"a\", \"role\": \"leader\"}, {\"name\": \"b\", \"role\": "
		"\"replica\"}, {\"name\": \"c\", \"role\": \"sync_standby\"}]}";

	cr_assert_eq(picture_from_rest("demo", body, strlen(body), "", &picture, NULL), 0);
}

static void forget(void)
{
	picture_done(&picture);
}

TestSuite(select, .init = draw, .fini = forget);

static int pick(const struct select_want *want, char *names, size_t size, struct err *err)
{
	_cleanup_(selection_done) struct selection selection = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = select_members(want, &selection, err);

	select_names(&selection, &text);
	(void)str_copy(names, size, text.data);
	return r;
}

#define WANT(...)                                                                              \
	&(struct select_want)                                                                  \
	{                                                                                      \
		.picture = &picture, .action = "restart", .force = true, __VA_ARGS__           \
	}
#define NAMES(...)                                                 \
	.names = (const char *const[]){ __VA_ARGS__ },             \
	.nnames = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)

Test(select, takes_everybody_of_the_role_without_names)
{
	char names[64];

	cr_assert_eq(pick(WANT(.role = "any"), names, sizeof(names), NULL), 0);
	cr_assert_str_eq(names, "a, b, c");
	cr_assert_eq(pick(WANT(.role = "replica"), names, sizeof(names), NULL), 0);
	cr_assert_str_eq(names, "b, c");
	cr_assert_eq(pick(WANT(.role = "primary"), names, sizeof(names), NULL), 0);
	cr_assert_str_eq(names, "a");
}

Test(select, takes_only_named_members_of_the_role)
{
	char names[64];

	cr_assert_eq(pick(WANT(.role = "replica", NAMES("c", "a")), names, sizeof(names), NULL), 0);
	cr_assert_str_eq(names, "c");
}

Test(select, refuses_when_no_named_member_has_the_role)
{
	struct err err = { 0 };
	char names[64];

	cr_assert_lt(pick(WANT(.role = "replica", NAMES("a")), names, sizeof(names), &err), 0);
	cr_assert_str_eq(err.msg, "No replica among provided members");
}

Test(select, refuses_a_name_that_nobody_has)
{
	struct err err = { 0 };
	char names[64];

	cr_assert_lt(pick(WANT(.role = "any", NAMES("a", "z")), names, sizeof(names), &err), 0);
	cr_assert_str_eq(err.msg, "z is not a member of cluster");
}

Test(select, takes_nobody_with_force_where_names_are_asked_for)
{
	char names[64];

	cr_assert_eq(pick(WANT(.role = "replica", .ask_names = true), names, sizeof(names), NULL), 0);
	cr_assert_str_eq(names, "");
}

Test(select, refuses_an_empty_cluster)
{
	static const char body[] = "{\"members\": [{\"name\": \"a\", \"role\": \"replica\"}]}";
	struct err err = { 0 };
	char names[64];

	picture_done(&picture);
	cr_assert_eq(picture_from_rest("demo", body, strlen(body), "", &picture, NULL), 0);
	cr_assert_lt(pick(WANT(.role = "leader"), names, sizeof(names), &err), 0);
	cr_assert_str_eq(err.msg, "demo cluster doesn't have any members");
}
