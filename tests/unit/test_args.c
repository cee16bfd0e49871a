/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_args - options and words of a command line
 */
#include <criterion/criterion.h>

#include "base/str.h"
#include "cli/args.h"

static const char *const colours[] = { "red", "green", NULL };

static const struct args_option options[] = {
	{ .name = "--force", .help = "" },
	{ .name = "--extended", .also = "-e", .help = "" },
	{ .name = "--timestamp", .also = "-t", .help = "" },
	{ .name = "--set", .also = "-s", .value = "K=V", .help = "", .many = true },
	{ .name = "--leader", .also = "--primary -l", .value = "NAME", .help = "" },
	{ .name = "--colour", .also = "-c", .value = "C", .help = "", .choices = colours },
	{ .name = NULL },
};

static const struct args_option others[] = {
	{ .name = "--config", .also = "-c", .value = "FILE", .help = "" },
	{ .name = "--help", .also = "-h", .help = "" },
	{ .name = NULL },
};

/* Takes up to 8 words. */
static int parse(struct args *args, char *const *argv, struct err *err)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return args_parse(args, options, others, argc, argv, false, NULL, err);
}

#define PARSE(args, err, ...) parse(args, (char *const[]){ __VA_ARGS__, NULL }, err)

Test(args, takes_options_anywhere_among_words)
{
	struct args args = { 0 };

	cr_assert_eq(PARSE(&args, NULL, "a", "--force", "b", "--leader", "x", "c"), 0);
	cr_assert_eq(args.nwords, 3);
	cr_assert_str_eq(args_word(&args, 1), "b");
	cr_assert_null(args_word(&args, 3));
	cr_assert(args_has(&args, "--force"));
	cr_assert_str_eq(args_value(&args, "--leader"), "x");
	cr_assert_null(args_value(&args, "--colour"));
}

Test(args, takes_a_value_with_equals_sign_or_attached)
{
	struct args args = { 0 };

	cr_assert_eq(PARSE(&args, NULL, "--leader=x=y", "-sa=1", "-s", "b=2", "--primary", "z"), 0);
	cr_assert_str_eq(args_value(&args, "--leader"), "z", "the last one counts");
	cr_assert_eq(args.nitems, 4);
}

Test(args, takes_flags_in_a_bunch_with_a_value_last)
{
	struct args args = { 0 };

	cr_assert_eq(PARSE(&args, NULL, "-etlnode0"), 0);
	cr_assert(args_has(&args, "--extended"));
	cr_assert(args_has(&args, "--timestamp"));
	cr_assert_str_eq(args_value(&args, "--leader"), "node0");
}

Test(args, walks_repeated_options_in_order)
{
	struct args args = { 0 };
	size_t pos = 0;

	cr_assert_eq(PARSE(&args, NULL, "-s", "a=1", "--force", "--set", "b=2"), 0);
	cr_assert_str_eq(args_each(&args, "--set", &pos), "a=1");
	cr_assert_str_eq(args_each(&args, "--set", &pos), "b=2");
	cr_assert_null(args_each(&args, "--set", &pos));
}

Test(args, ends_options_at_a_double_dash_and_takes_a_lone_dash_for_a_word)
{
	struct args args = { 0 };

	cr_assert_eq(PARSE(&args, NULL, "-", "--", "--force"), 0);
	cr_assert_eq(args.nwords, 2);
	cr_assert_str_eq(args_word(&args, 1), "--force");
	cr_assert_not(args_has(&args, "--force"));
}

Test(args, prefers_the_first_list)
{
	struct args args = { 0 };

	cr_assert_eq(PARSE(&args, NULL, "-c", "red", "--config", "f"), 0);
	cr_assert_str_eq(args_value(&args, "--colour"), "red");
	cr_assert_str_eq(args_value(&args, "--config"), "f");
}

Test(args, stops_at_the_first_word_where_asked_to)
{
	char *const argv[] = { "--config", "f", "list", "--extended" };
	struct args args = { 0 };
	int used = 0;

	cr_assert_eq(args_parse(&args, others, NULL, 4, argv, true, &used, NULL), 0);
	cr_assert_eq(used, 2);
	cr_assert_eq(args.nwords, 0);
}

Test(args, says_what_is_wrong_as_click_does)
{
	struct args args = { 0 };
	struct err err = { 0 };

	cr_assert_lt(PARSE(&args, &err, "--forse"), 0);
	cr_assert_str_eq(err.msg, "No such option: --forse Did you mean --force?");
	cr_assert_lt(PARSE(&args, &err, "-x"), 0);
	cr_assert_str_eq(err.msg, "No such option: -x");
	cr_assert_lt(PARSE(&args, &err, "--leader"), 0);
	cr_assert_str_eq(err.msg, "Option '--leader' requires an argument.");
	cr_assert_lt(PARSE(&args, &err, "--force=1"), 0);
	cr_assert_str_eq(err.msg, "Option '--force' does not take a value.");
	cr_assert_lt(PARSE(&args, &err, "--colour", "blue"), 0);
	cr_assert_str_eq(err.msg, "Invalid value for '--colour': 'blue' is not one of 'red', "
				  "'green'.");
}

Test(args, refuses_more_than_it_can_hold)
{
	static char word[] = "w";
	char *argv[ARGS_MAX + 1];
	struct args args = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = word;
	cr_assert_eq(args_parse(&args, options, NULL, ARGS_MAX, argv, false, NULL, NULL), 0);
	args = (struct args){ 0 };
	cr_assert_lt(args_parse(&args, options, NULL, ARGS_MAX + 1, argv, false, NULL, NULL), 0);
}

Test(args, counts_slips_of_the_pen)
{
	cr_assert_eq(args_distance("list", "list"), 0);
	cr_assert_eq(args_distance("list", "lst"), 1);
	cr_assert_eq(args_distance("list", "lsit"), 1);
	cr_assert_eq(args_distance("pause", "parse"), 1);
	cr_assert_eq(args_distance("", "abc"), 3);
	cr_assert_eq(args_distance("reload", "restart"), 4);
	cr_assert_eq(args_distance("a", "this word is longer than any command name"), 9);
}
