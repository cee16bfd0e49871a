/* SPDX-License-Identifier: PostgreSQL */
/*
 * str - bounded strings where truncation is an error, and a buffer that grows
 */
#ifndef PGHA_STR_H
#define PGHA_STR_H

#include <stdarg.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"

/* Prints into dst[size]. Returns the length, or -ERR_TOOLONG with dst made "" when it would not
 * fit: half a name or path is never usable. */
int str_printf(char *dst, size_t size, const char *fmt, ...) _printf_(3, 4);
int str_vprintf(char *dst, size_t size, const char *fmt, va_list ap) _printf_(3, 0);
/* Copies src (NULL counts as ""). Same return as str_printf(). */
int str_copy(char *dst, size_t size, const char *src);
/* Copies at most size-1 bytes of src, cut at a UTF-8 boundary: for messages meant for people. */
void str_clip(char *dst, size_t size, const char *src);
/* The same, for a line of a log: ends in "..." when cut, control characters become blanks. */
void str_line(char *dst, size_t size, const char *src);
bool str_eq(const char *a, const char *b); /* NULL equals "" */
bool str_ieq(const char *a, const char *b); /* ASCII case folded */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Heap copy, aborts when memory is gone (we restart clean). str_dup(NULL) is NULL. */
char *str_dup(const char *s);
char *str_ndup(const char *s, size_t len); /* up to len bytes, or to a NUL before that */
char *str_dupf(const char *fmt, ...) _printf_(1, 2);
/* Puts a copy of src (NULL: none) in the place of a heap string or NULL, in its memory where
 * that is enough. */
void str_set(char **dst, const char *src);

/* calloc() and reallocarray() that abort when memory is gone; grown memory is not zeroed. */
void *mem_new(size_t count, size_t size);
void *mem_grow(void *p, size_t count, size_t size);

/* A growing byte buffer, always followed by a 0 byte once anything was added. */
struct buf {
	char *data; /* NULL while empty */
	size_t len;
	size_t cap;
};

void buf_done(struct buf *buf); /* frees; accepts NULL */
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_str(struct buf *buf, const char *s);
void buf_ch(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) _printf_(2, 3);
/* Removes the first len bytes. */
void buf_consume(struct buf *buf, size_t len);
/* Hands the bytes over as a NUL-terminated heap string ("" if empty); buf is empty afterwards. */
char *buf_take(struct buf *buf);

#endif
