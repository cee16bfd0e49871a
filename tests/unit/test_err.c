/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_err - errors carry a code, the errno of the moment and one readable line
 */
#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"

Test(err, set_returns_the_negated_code_and_keeps_the_message)
{
	struct err err = { 0 };

	cr_assert_eq(err_set(&err, ERR_TIMEOUT, "no answer after %d ms", 250), -ERR_TIMEOUT);
	cr_assert_eq(err.code, ERR_TIMEOUT);
	cr_assert_str_eq(err.msg, "no answer after 250 ms");
	cr_assert_eq(err.sys, 0);
	cr_assert_str_eq(err.sqlstate, "");
}

Test(err, a_null_err_still_yields_the_code)
{
	cr_assert_eq(err_set(NULL, ERR_PARSE, "whatever"), -ERR_PARSE);
	cr_assert_eq(err_wrap(NULL, "whatever"), -ERR_STATE);
	err_clear(NULL);
}

Test(err, io_errors_name_the_errno)
{
	struct err err = { 0 };

	errno = ENOENT;
	cr_assert_eq(err_set(&err, ERR_IO, "cannot open '%s'", "/x"), -ERR_IO);
	cr_assert_eq(err.sys, ENOENT);
	cr_assert_str_eq(err.msg, "cannot open '/x': No such file or directory");
}

Test(err, other_errors_ignore_a_stale_errno)
{
	struct err err = { 0 };

	errno = ENOENT;
	(void)err_set(&err, ERR_STATE, "not now");
	cr_assert_eq(err.sys, 0);
	cr_assert_str_eq(err.msg, "not now");
	errno = 0;
	(void)err_set(&err, ERR_IO, "short write");
	cr_assert_str_eq(err.msg, "short write");
}

Test(err, wrap_puts_the_place_in_front_and_keeps_code_and_errno)
{
	struct err err = { 0 };

	errno = EACCES;
	(void)err_set(&err, ERR_IO, "cannot open");
	cr_assert_eq(err_wrap(&err, "reading '%s'", "f"), -ERR_IO);
	cr_assert_str_eq(err.msg, "reading 'f': cannot open: Permission denied");
	cr_assert_eq(err.sys, EACCES);
}

Test(err, wrapping_no_error_is_never_success)
{
	struct err err = { 0 };

	cr_assert_eq(err_wrap(&err, "somewhere"), -ERR_STATE);
	cr_assert_str_eq(err.msg, "somewhere");
}

Test(err, the_old_message_may_be_an_argument)
{
	struct err err = { 0 };

	(void)err_set(&err, ERR_STATE, "inner");
	(void)err_set(&err, ERR_CONFIG, "outer (%s)", err.msg);
	cr_assert_str_eq(err.msg, "outer (inner)");
	(void)err_wrap(&err, "again %s", err.msg);
	cr_assert_str_eq(err.msg, "again outer (inner): outer (inner)");
}

Test(err, setting_again_forgets_errno_and_sqlstate)
{
	struct err err = { 0 };

	errno = EIO;
	(void)err_set(&err, ERR_IO, "first");
	(void)str_copy(err.sqlstate, sizeof(err.sqlstate), "57P01");
	(void)err_set(&err, ERR_STATE, "second");
	cr_assert_eq(err.sys, 0);
	cr_assert_str_eq(err.sqlstate, "");
}

Test(err, a_message_that_just_fits_is_whole_and_one_more_is_cut)
{
	struct err err = { 0 };
	char text[ERR_MSG_MAX + 1];

	memset(text, 'a', sizeof(text));
	text[ERR_MSG_MAX - 1] = '\0';
	(void)err_set(&err, ERR_STATE, "%s", text);
	cr_assert_str_eq(err.msg, text);

	(void)err_clear(&err);
	cr_assert_eq(err.code, ERR_NONE);
	cr_assert_str_eq(err.msg, "");
	(void)err_set(&err, ERR_STATE, "%s", "aaaa");
	(void)err_wrap(&err, "%s", text);
	cr_assert_eq(strlen(err.msg), ERR_MSG_MAX - 1);
	cr_assert(str_ends(err.msg, "aaa..."));
}

Test(err, a_single_text_one_byte_too_long_is_cut_visibly)
{
	struct err err = { 0 };
	char text[ERR_MSG_MAX + 1];

	memset(text, 'a', sizeof(text));
	text[ERR_MSG_MAX] = '\0';
	(void)err_set(&err, ERR_STATE, "%s", text);
	cr_assert_eq(strlen(err.msg), ERR_MSG_MAX - 1);
	cr_assert(str_ends(err.msg, "a..."));
}

Test(err, messages_are_one_line)
{
	struct err err = { 0 };

	(void)err_set(&err, ERR_SQL, "FATAL:\n\tno\x7f");
	cr_assert_str_eq(err.msg, "FATAL:  no ");
}

Test(err, every_code_has_its_own_name)
{
	for (int i = 0; i < ERR__MAX; i++) {
		cr_assert_not_null(err_code_name((enum err_code)i));
		for (int j = 0; j < i; j++)
			cr_assert_str_neq(err_code_name((enum err_code)i),
					  err_code_name((enum err_code)j));
	}
	cr_assert_str_eq(err_code_name(ERR_TIMEOUT), "timeout");
	cr_assert_str_eq(err_code_name(ERR__MAX), "invalid");
	cr_assert_str_eq(err_code_name((enum err_code)-1), "invalid");
}
