/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_words - commands become words without a shell
 */
#include "io/words.h"

#include <criterion/criterion.h>

static void check(const char *command, size_t n, const char *const *expected)
{
	_cleanup_(words_done) struct words words = { 0 };
	struct err err = { 0 };

	cr_assert_eq(words_split(&words, command, &err), 0, "%s: %s", command, err.msg);
	cr_assert_eq(words.n, n, "%s: %zu words", command, words.n);
	for (size_t i = 0; i < n; i++)
		cr_assert_str_eq(words.items[i], expected[i]);
	cr_assert_null(words.items[n]);
}

#define CHECK(command, ...)                                                       \
	check(command, ARRAY_LEN(((const char *[]){ __VA_ARGS__ })),              \
	      (const char *[]){ __VA_ARGS__ })

Test(words, splits_as_a_shell_would)
{
	CHECK("/bin/true", "/bin/true");
	CHECK("  a\tb \n c ", "a", "b", "c");
	CHECK("a 'b c' \"d e\" f\\ g", "a", "b c", "d e", "f g");
	CHECK("pre'fix 'and\" suffix\"", "prefix and suffix");
	CHECK("a '' \"\"", "a", "", "");
	CHECK("'back\\slash' \"back\\slash\" \"quo\\\"te\" \"two\\\\\"", "back\\slash",
	      "back\\slash", "quo\"te", "two\\");
	CHECK("a $HOME *.c ; rm -rf / | x > y", "a", "$HOME", "*.c", ";", "rm", "-rf", "/", "|",
	      "x", ">", "y");
}

Test(words, refuses_half_a_command)
{
	_cleanup_(words_done) struct words words = { 0 };
	struct err err = { 0 };

	cr_assert_eq(words_split(&words, "a 'b", &err), -ERR_PARSE);
	words_done(&words);
	cr_assert_eq(words_split(&words, "a \"b\\\"", &err), -ERR_PARSE);
	words_done(&words);
	cr_assert_eq(words_split(&words, "a \\", &err), -ERR_PARSE);
	words_done(&words);
	cr_assert_eq(words_split(&words, "", &err), -ERR_PARSE);
	cr_assert_eq(words_split(&words, "   ", &err), -ERR_PARSE);
}

Test(words, has_an_end)
{
	_cleanup_(words_done) struct words words = { 0 };
	_cleanup_(buf_done) struct buf command = { 0 };

	for (int i = 0; i < WORDS_MAX; i++)
		buf_str(&command, "x ");
	cr_assert_eq(words_split(&words, command.data, NULL), 0);
	cr_assert_eq(words.n, WORDS_MAX);
	cr_assert_not(words_room(&words, 1));
	cr_assert_eq(words_split(&words, "x", NULL), -ERR_TOOLONG);
}

Test(words, grow_by_format)
{
	_cleanup_(words_done) struct words words = { 0 };

	words_add(&words, "--port=%u", 5432U);
	words_add(&words, "%s", "100%");
	cr_assert_eq(words.n, 2);
	cr_assert_str_eq(words.items[0], "--port=5432");
	cr_assert_str_eq(words.items[1], "100%");
}
