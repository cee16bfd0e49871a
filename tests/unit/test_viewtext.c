/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_viewtext - a view as one word of text and back
 */
#include <criterion/criterion.h>

#include "wire/viewtext.h"

static struct view view;
static struct view back;
static struct buf text;

static int read_back(struct err *err)
{
	memset(&back, 0x55, sizeof(back));
	return viewtext_read(text.data, text.len, &back, err);
}

static void write_view(void)
{
	buf_clear(&text);
	viewtext_add(&view, &text);
}

static void check_same(void)
{
	struct err err = { 0 };

	write_view();
	cr_assert_eq(read_back(&err), 0, "%s", err.msg);
	cr_assert_eq(memcmp(&view, &back, sizeof(view)), 0);
}

Test(viewtext, comes_back_as_it_was)
{
	unsigned char *bytes = (unsigned char *)&view;
	uint32_t state = 7;

	check_same();
	cr_assert_lt(text.len, 100);
	for (size_t i = 0; i < sizeof(view); i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = (state >> 24) % 3 == 0 ? (unsigned char)(state >> 16) : 0;
	}
	check_same();
	memset(&view, 0xff, sizeof(view));
	check_same();
	memset(&view, 0, sizeof(view));
	bytes[0] = bytes[sizeof(view) - 1] = 1;
	check_same();
	cr_assert_null(strpbrk(text.data, " \n"));
}

Test(viewtext, does_not_believe_what_was_cut_or_touched)
{
	struct err err = { 0 };

	view.now_ms = 123456789;
	view.nvotes = 3;
	write_view();
	for (size_t cut = 0; cut < text.len; cut++)
		cr_assert_lt(viewtext_read(text.data, cut, &back, &err), 0, "%zu", cut);
	for (size_t i = 0; i < text.len; i++) {
		char was = text.data[i];

		text.data[i] = was == 'A' ? 'B' : 'A';
		cr_assert_lt(read_back(&err), 0, "%zu", i);
		text.data[i] = was;
	}
	cr_assert_eq(read_back(&err), 0);
}

Test(viewtext, tells_another_version)
{
	static const char other[] = "12:34:AAAA";
	struct err err = { 0 };

	cr_assert_lt(viewtext_read(other, strlen(other), &back, &err), 0);
	cr_assert_neq(strstr(err.msg, "another version"), NULL, "%s", err.msg);
}
