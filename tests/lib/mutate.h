/* SPDX-License-Identifier: PostgreSQL */
/*
 * mutate - damages a text, the same way for the same seed everywhere
 */
#ifndef PGHA_TESTS_MUTATE_H
#define PGHA_TESTS_MUTATE_H

#include <stdint.h>
#include <string.h>

#include "base/str.h"

/* xorshift64*; *state must not be 0. */
static inline uint64_t mutate_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* One to four times: a byte changed, a piece dropped, a piece said again at the end, a bit
 * flipped. */
static inline void mutate(struct buf *text, uint64_t *state)
{
	static const char nasty[] = "\n\t :-[]{}&*!|>'\"%@`#,?.0x\x7f\xff\x01";
	size_t times = 1 + mutate_random(state) % 4;

	while (times-- > 0 && text->len > 0) {
		size_t at = mutate_random(state) % text->len;
		size_t len = 1 + mutate_random(state) % MIN_OF(text->len - at, (size_t)20);

		switch (mutate_random(state) % 4) {
		case 0:
			text->data[at] = nasty[mutate_random(state) % (sizeof(nasty) - 1)];
			break;
		case 1:
			memmove(text->data + at, text->data + at + len, text->len - at - len);
			text->len -= len;
			break;
		case 2: {
			char piece[20];

			/* A copy: the buffer may move while it grows. */
			memcpy(piece, text->data + at, len);
			buf_add(text, piece, len);
			break;
		}
		case 3:
			text->data[at] ^= (char)(1 << mutate_random(state) % 8);
			break;
		}
	}
}

#endif
