/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_str - bounded strings never hold half of something, and buffers grow
 */
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

Test(str, a_text_is_set_in_its_own_memory_where_that_is_enough)
{
	char *text = NULL;
	char *before;

	str_set(&text, NULL);
	cr_assert_null(text);
	str_set(&text, "four");
	cr_assert_str_eq(text, "four");
	before = text;
	str_set(&text, "one");
	cr_assert_eq(text, before);
	cr_assert_str_eq(text, "one");
	str_set(&text, "a longer one");
	cr_assert_str_eq(text, "a longer one");
	str_set(&text, NULL);
	cr_assert_null(text);
}

Test(str, printf_fits_exactly_and_one_byte_more_is_an_error)
{
	char dst[6] = "old";

	cr_assert_eq(str_printf(dst, sizeof(dst), "%s", "12345"), 5);
	cr_assert_str_eq(dst, "12345");
	cr_assert_eq(str_printf(dst, sizeof(dst), "%s", "123456"), -ERR_TOOLONG);
	cr_assert_str_eq(dst, "");
	cr_assert_eq(str_printf(dst, 0, "x"), -ERR_TOOLONG);
}

Test(str, copy_fits_exactly_and_one_byte_more_is_an_error)
{
	char dst[6] = "old";

	cr_assert_eq(str_copy(dst, sizeof(dst), "12345"), 5);
	cr_assert_str_eq(dst, "12345");
	cr_assert_eq(str_copy(dst, sizeof(dst), "123456"), -ERR_TOOLONG);
	cr_assert_str_eq(dst, "");
	cr_assert_eq(str_copy(dst, 1, ""), 0);
	cr_assert_eq(str_copy(dst, 0, ""), -ERR_TOOLONG);
}

Test(str, copy_of_null_is_the_empty_string)
{
	char dst[4] = "old";

	cr_assert_eq(str_copy(dst, sizeof(dst), NULL), 0);
	cr_assert_str_eq(dst, "");
}

Test(str, copy_may_overlap)
{
	char dst[8] = "abcdef";

	cr_assert_eq(str_copy(dst, sizeof(dst), dst + 2), 4);
	cr_assert_str_eq(dst, "cdef");
}

Test(str, clip_never_splits_a_character)
{
	char dst[8];

	str_clip(dst, 5, "abcd");
	cr_assert_str_eq(dst, "abcd");
	str_clip(dst, 5, "abcde");
	cr_assert_str_eq(dst, "abcd");
	/* e acute: two bytes. The second would be the fifth byte, where the NUL goes. */
	str_clip(dst, 5, "abc\xC3\xA9");
	cr_assert_str_eq(dst, "abc");
	str_clip(dst, 6, "abc\xC3\xA9");
	cr_assert_str_eq(dst, "abc\xC3\xA9");
	/* A four-byte character cut after three. */
	str_clip(dst, 5, "a\xF0\x9F\x90\x98");
	cr_assert_str_eq(dst, "a");
	str_clip(dst, 6, "a\xF0\x9F\x90\x98");
	cr_assert_str_eq(dst, "a\xF0\x9F\x90\x98");
}

Test(str, clip_of_what_is_no_utf8_is_cut_by_bytes)
{
	char dst[8];

	str_clip(dst, 6, "\x80\x80\x80\x80\x80\x80\x80");
	cr_assert_eq(strlen(dst), 5);
	str_clip(dst, sizeof(dst), NULL);
	cr_assert_str_eq(dst, "");
	str_clip(dst, 1, "x");
	cr_assert_str_eq(dst, "");
}

Test(str, line_marks_a_cut_and_blanks_control_characters)
{
	char dst[8];

	str_line(dst, sizeof(dst), "1234567");
	cr_assert_str_eq(dst, "1234567");
	str_line(dst, sizeof(dst), "12345678");
	cr_assert_str_eq(dst, "1234...");
	str_line(dst, sizeof(dst), "a\nb\x1b\x7f");
	cr_assert_str_eq(dst, "a b  ");
	str_line(dst, 3, "12345678");
	cr_assert_str_eq(dst, "12");
}

Test(str, comparisons)
{
	cr_assert(str_eq("a", "a"));
	cr_assert_not(str_eq("a", "A"));
	cr_assert_not(str_eq("a", "ab"));
	cr_assert(str_eq(NULL, ""));
	cr_assert(str_eq(NULL, NULL));
	cr_assert_not(str_eq(NULL, "a"));
	cr_assert(str_ieq("aZ1", "Az1"));
	cr_assert_not(str_ieq("a", "ab"));
	cr_assert_not(str_ieq("ab", "a"));
	/* One bit apart like a letter's two cases, but no letters. */
	cr_assert_not(str_ieq("@[", "`{"));
	cr_assert_not(str_ieq("Z", "["));
	cr_assert(str_ieq(NULL, ""));
}

Test(str, prefix_and_suffix)
{
	cr_assert(str_starts("abc", "abc"));
	cr_assert(str_starts("abc", ""));
	cr_assert_not(str_starts("ab", "abc"));
	cr_assert(str_ends("abc", "bc"));
	cr_assert(str_ends("abc", ""));
	cr_assert_not(str_ends("bc", "abc"));
	cr_assert_not(str_ends("abcd", "abc"));
}

Test(str, heap_copies)
{
	_cleanup_(freep) char *a = str_dup("abc");
	_cleanup_(freep) char *b = str_ndup("abcdef", 3);
	_cleanup_(freep) char *c = str_dupf("%s-%d", "x", 7);
	_cleanup_(freep) char *d = str_ndup("ab", 9);
	_cleanup_(freep) char *e = str_ndup("", 0);

	cr_assert_str_eq(a, "abc");
	cr_assert_str_eq(b, "abc");
	cr_assert_str_eq(c, "x-7");
	cr_assert_str_eq(d, "ab");
	cr_assert_str_eq(e, "");
	cr_assert_null(str_dup(NULL));
	cr_assert_null(str_ndup(NULL, 3));
}

Test(str, take_moves_ownership)
{
	_cleanup_(freep) char *a = str_dup("abc");
	_cleanup_(freep) char *b = TAKE(a);

	cr_assert_null(a);
	cr_assert_str_eq(b, "abc");
}

Test(str, new_memory_is_zero_and_grows)
{
	_cleanup_(freep) unsigned char *p = mem_new(3, 4);

	for (int i = 0; i < 12; i++)
		cr_assert_eq(p[i], 0);
	p[11] = 7;
	p = mem_grow(p, 100, 4);
	cr_assert_eq(p[11], 7);
	p[399] = 1;
}

Test(str, no_memory_wanted_is_not_out_of_memory)
{
	_cleanup_(freep) void *p = mem_new(0, 4);
	_cleanup_(freep) void *q = mem_grow(NULL, 4, 0);

	cr_assert_not_null(p);
	cr_assert_not_null(q);
}

Test(buf, starts_empty_and_is_always_terminated)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	cr_assert_null(buf.data);
	buf_str(&buf, "");
	cr_assert_str_eq(buf.data, "");
	buf_str(&buf, "ab");
	buf_str(&buf, NULL);
	buf_ch(&buf, 'c');
	buf_printf(&buf, "%d%s", 42, "!");
	buf_add(&buf, "\0x", 2);
	cr_assert_eq(buf.len, 8);
	cr_assert_str_eq(buf.data, "abc42!");
	cr_assert_eq(buf.data[7], 'x');
	cr_assert_eq(buf.data[8], '\0');
}

Test(buf, keeps_every_byte_while_growing)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	for (int i = 0; i < 5000; i++)
		buf_ch(&buf, (char)('a' + i % 26));
	cr_assert_eq(buf.len, 5000);
	for (int i = 0; i < 5000; i++)
		cr_assert_eq(buf.data[i], 'a' + i % 26);
	cr_assert_eq(buf.data[5000], '\0');
}

Test(buf, a_capacity_filled_to_the_last_byte_still_ends_in_0)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	for (int i = 0; i < 63; i++)
		buf_ch(&buf, 'a');
	cr_assert_eq(buf.cap, 64);
	cr_assert_eq(buf.data[63], '\0');
	buf_ch(&buf, 'a');
	cr_assert_eq(buf.cap, 128);
	cr_assert_eq(buf.data[64], '\0');
}

Test(buf, printf_longer_than_the_room_left)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	buf_printf(&buf, "%0*d", 300, 7);
	cr_assert_eq(buf.len, 300);
	cr_assert_eq(buf.data[299], '7');
	cr_assert_eq(buf.data[300], '\0');
}

Test(buf, consume_removes_from_the_front)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	buf_consume(&buf, 0);
	buf_str(&buf, "abcdef");
	buf_consume(&buf, 2);
	cr_assert_str_eq(buf.data, "cdef");
	buf_consume(&buf, 4);
	cr_assert_eq(buf.len, 0);
	cr_assert_str_eq(buf.data, "");
}

Test(buf, clear_keeps_the_memory)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	buf_clear(&buf);
	buf_str(&buf, "abc");
	buf_clear(&buf);
	cr_assert_eq(buf.len, 0);
	cr_assert_str_eq(buf.data, "");
	cr_assert_gt(buf.cap, 0);
}

Test(buf, take_hands_over_and_leaves_an_empty_buffer)
{
	struct buf buf = { 0 };
	_cleanup_(freep) char *empty = buf_take(&buf);
	_cleanup_(freep) char *full = NULL;

	cr_assert_str_eq(empty, "");
	buf_str(&buf, "abc");
	full = buf_take(&buf);
	cr_assert_str_eq(full, "abc");
	cr_assert_null(buf.data);
	cr_assert_eq(buf.len, 0);
	buf_done(NULL);
}

Test(base, closep_closes_once_and_keeps_errno)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int copy = fd;

	cr_assert_geq(fd, 0);
	errno = EINTR;
	closep(&copy);
	cr_assert_eq(copy, -1);
	cr_assert_eq(errno, EINTR);
	cr_assert_eq(fcntl(fd, F_GETFD), -1);
	closep(&copy);
	cr_assert_eq(copy, -1);
}

Test(base, sets_of_enum_values_are_bits)
{
	cr_assert_eq(IS(0), 1);
	cr_assert_eq(IS(31), UINT32_C(0x80000000));
	cr_assert_eq(MIN_OF(2, 3), 2);
	cr_assert_eq(MAX_OF(2, 3), 3);
}
