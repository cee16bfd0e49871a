/* SPDX-License-Identifier: PostgreSQL */
/*
 * diff - unified difference of two texts, line by line
 *
 * Ratcliff and Obershelp's way, as difflib does it: take the longest run of equal lines, then
 * the same on both sides of it. Quadratic, which is nothing for a configuration document.
 */
#include "cli/diff.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT 3

struct line {
	const char *text;
	size_t len;
};

struct lines {
	struct line *items;
	size_t n;
};

/* Equal lines a[a..a+size-1] and b[b..b+size-1]. */
struct block {
	size_t a, b, size;
};

struct blocks {
	struct block *items;
	size_t n;
};

/* Part of both texts that is still to be compared. */
struct span {
	size_t alo, ahi, blo, bhi;
};

/* What happens between and in the equal runs. */
struct change {
	size_t a1, a2, b1, b2;
	bool equal;
};

struct changes {
	struct change *items;
	size_t n;
};

static void lines_done(struct lines *lines)
{
	free(lines->items);
}

static void blocks_done(struct blocks *blocks)
{
	free(blocks->items);
}

static void changes_done(struct changes *changes)
{
	free(changes->items);
}

/* Trailing line ends do not count; an empty text is one empty line, as in Python's split(). */
static void split(const char *text, struct lines *ret)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '\n')
		len--;
	for (size_t at = 0; at <= len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - text) - at : len - at;

		ret->items = mem_grow(ret->items, ret->n + 1, sizeof(*ret->items));
		ret->items[ret->n++] = (struct line){ .text = text + at, .len = n };
		at += n + 1;
	}
}

static bool same(const struct line *a, const struct line *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* The longest run within the span; of equally long ones the first in a, then the first in b.
 * `runs` has room for two rows of b->n + 1 numbers. */
static struct block longest(const struct lines *a, const struct lines *b, const struct span *span,
			    size_t *runs)
{
	struct block best = { .a = span->alo, .b = span->blo };
	size_t *above = runs, *row = runs + b->n + 1;

	memset(runs, 0, 2 * (b->n + 1) * sizeof(*runs));
	for (size_t i = span->alo; i < span->ahi; i++) {
		size_t *swap = above;

		for (size_t j = span->blo; j < span->bhi; j++) {
			size_t before = j > span->blo ? above[j - 1] : 0;

			row[j] = same(&a->items[i], &b->items[j]) ? before + 1 : 0;
			if (row[j] > best.size)
				best = (struct block){ .a = i + 1 - row[j],
						       .b = j + 1 - row[j],
						       .size = row[j] };
		}
		above = row;
		row = swap;
	}
	return best;
}

static int by_place(const void *x, const void *y)
{
	const struct block *p = x, *q = y;

	if (p->a != q->a)
		return p->a < q->a ? -1 : 1;
	return p->b < q->b ? -1 : p->b > q->b;
}

static void add_block(struct blocks *blocks, struct block block)
{
	blocks->items = mem_grow(blocks->items, blocks->n + 1, sizeof(*blocks->items));
	blocks->items[blocks->n++] = block;
}

static void match(const struct lines *a, const struct lines *b, struct blocks *ret)
{
	_cleanup_(freep) size_t *runs = mem_new(2 * (b->n + 1), sizeof(*runs));
	/* Every span taken off puts back at most two that are smaller by the run between them. */
	_cleanup_(freep) struct span *todo = mem_new(a->n + b->n + 2, sizeof(*todo));
	size_t ntodo = 0;

	todo[ntodo++] = (struct span){ 0, a->n, 0, b->n };
	while (ntodo > 0) {
		const struct span span = todo[--ntodo];
		const struct block run = longest(a, b, &span, runs);

		if (run.size == 0)
			continue;
		add_block(ret, run);
		if (span.alo < run.a && span.blo < run.b)
			todo[ntodo++] = (struct span){ span.alo, run.a, span.blo, run.b };
		if (run.a + run.size < span.ahi && run.b + run.size < span.bhi)
			todo[ntodo++] = (struct span){ run.a + run.size, span.ahi,
						       run.b + run.size, span.bhi };
	}
	if (ret->n > 0)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_place);
	add_block(ret, (struct block){ .a = a->n, .b = b->n });
}

static void add_change(struct changes *changes, struct change change)
{
	struct change *last = changes->n > 0 ? &changes->items[changes->n - 1] : NULL;

	if (change.a1 == change.a2 && change.b1 == change.b2)
		return;
	if (last != NULL && last->equal && change.equal) {
		last->a2 = change.a2;
		last->b2 = change.b2;
		return;
	}
	changes->items = mem_grow(changes->items, changes->n + 1, sizeof(*changes->items));
	changes->items[changes->n++] = change;
}

static void find_changes(const struct blocks *blocks, struct changes *ret)
{
	size_t a = 0, b = 0;

	for (size_t i = 0; i < blocks->n; i++) {
		const struct block *block = &blocks->items[i];

		add_change(ret, (struct change){ a, block->a, b, block->b, false });
		a = block->a + block->size;
		b = block->b + block->size;
		add_change(ret, (struct change){ block->a, a, block->b, b, true });
	}
}

static void add_line(struct buf *text, char mark, const struct line *line, bool colour)
{
	if (colour && mark != ' ')
		buf_str(text, mark == '+' ? "\033[32m" : "\033[31m");
	buf_ch(text, mark);
	buf_add(text, line->text, line->len);
	if (colour && mark != ' ')
		buf_str(text, "\033[0m");
	buf_ch(text, '\n');
}

/* difflib's: an empty range is told by the line before it, one line without a length. */
static void add_range(struct buf *text, char mark, size_t from, size_t to)
{
	if (to - from == 1)
		buf_printf(text, "%c%zu", mark, from + 1);
	else
		buf_printf(text, "%c%zu,%zu", mark, to == from ? from : from + 1, to - from);
}

/* Equal lines show only the CONTEXT nearest to a change of this hunk. */
static struct change clip(const struct change *change, bool first, bool last)
{
	struct change part = *change;
	size_t size = part.a2 - part.a1;

	if (part.equal && first && size > CONTEXT) {
		part.a1 = part.a2 - CONTEXT;
		part.b1 = part.b2 - CONTEXT;
	}
	if (part.equal && last && part.a2 - part.a1 > CONTEXT) {
		part.a2 = part.a1 + CONTEXT;
		part.b2 = part.b1 + CONTEXT;
	}
	return part;
}

static void print_hunk(const struct lines *a, const struct lines *b, const struct changes *changes,
		       size_t from, size_t to, bool colour, struct buf *text)
{
	const struct change head = clip(&changes->items[from], true, from == to);
	const struct change tail = clip(&changes->items[to], from == to, true);

	buf_str(text, colour ? "\033[36m@@ " : "@@ ");
	add_range(text, '-', head.a1, tail.a2);
	buf_ch(text, ' ');
	add_range(text, '+', head.b1, tail.b2);
	buf_str(text, colour ? " @@\033[0m\n" : " @@\n");
	for (size_t i = from; i <= to; i++) {
		const struct change part = clip(&changes->items[i], i == from, i == to);

		for (size_t k = part.a1; k < part.a2; k++)
			add_line(text, part.equal ? ' ' : '-', &a->items[k], colour);
		for (size_t k = part.b1; !part.equal && k < part.b2; k++)
			add_line(text, '+', &b->items[k], colour);
	}
}

/* A long equal run between two changes ends one hunk and begins the next. */
static bool parts(const struct changes *changes, size_t i)
{
	const struct change *change = &changes->items[i];

	return change->equal && change->a2 - change->a1 > 2 * CONTEXT;
}

static void print_changes(const struct lines *a, const struct lines *b,
			  const struct changes *changes, bool colour, struct buf *text)
{
	size_t from = 0;

	buf_str(text, "--- \n+++ \n");
	for (size_t i = 0; i < changes->n; i++) {
		const bool last = i + 1 == changes->n;

		if (!last && !(i > from && parts(changes, i)))
			continue;
		/* The text may end in a run that belongs to no change of its own. */
		if (i > from || !changes->items[i].equal)
			print_hunk(a, b, changes, from, i, colour, text);
		from = i;
	}
}

void diff_unified(const char *before, const char *after, bool colour, struct buf *ret_text)
{
	_cleanup_(lines_done) struct lines a = { 0 };
	_cleanup_(lines_done) struct lines b = { 0 };
	_cleanup_(blocks_done) struct blocks blocks = { 0 };
	_cleanup_(changes_done) struct changes changes = { 0 };

	split(before, &a);
	split(after, &b);
	match(&a, &b, &blocks);
	find_changes(&blocks, &changes);
	if (changes.n > 1 || (changes.n == 1 && !changes.items[0].equal))
		print_changes(&a, &b, &changes, colour, ret_text);
}
