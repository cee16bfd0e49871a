/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_jtext - whatever can be read is written so that it reads the same
 */
#include <assert.h>
#include <stdlib.h>

#include "wire/jtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_style(json_t *value, enum jtext_style style)
{
	_cleanup_(jtext_unrefp) json_t *back = NULL;
	_cleanup_(freep) char *first = jtext_print(value, style);
	_cleanup_(freep) char *second = NULL;

	assert(jtext_load(first, strlen(first), &back, NULL) == 0);
	second = jtext_print(back, style);
	assert(strcmp(first, second) == 0);
	assert(json_equal(value, back));
	for (const char *c = first; *c; c++)
		assert(*c >= ' ' && *c <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(jtext_unrefp) json_t *value = NULL;
	_cleanup_(buf_done) struct buf python = { 0 };
	struct err err = { 0 };
	size_t begin;
	size_t end;
	int r;

	r = jtext_document((const char *)data, size, &begin, &end, &err);
	assert(r != 0 || (begin < end && end <= size));
	if (jtext_load((const char *)data, size, &value, &err) < 0) {
		assert(err.msg[0]);
		return 0;
	}
	check_style(value, JTEXT_COMPACT);
	check_style(value, JTEXT_SPACED);
	jtext_add_python(&python, value);
	return 0;
}
