/* SPDX-License-Identifier: PostgreSQL */
/*
 * str - bounded strings where truncation is an error, and a buffer that grows
 */
#include "base/str.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_CAP_MIN 64

int str_vprintf(char *dst, size_t size, const char *fmt, va_list ap)
{
	int len = vsnprintf(dst, size, fmt, ap);

	if (len >= 0 && (size_t)len < size)
		return len;
	if (size > 0)
		dst[0] = '\0';
	return -(int)ERR_TOOLONG;
}

int str_printf(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = str_vprintf(dst, size, fmt, ap);
	va_end(ap);
	return len;
}

int str_copy(char *dst, size_t size, const char *src)
{
	size_t len = src ? strlen(src) : 0;

	if (len >= size || len > INT32_MAX) {
		if (size > 0)
			dst[0] = '\0';
		return -(int)ERR_TOOLONG;
	}
	/* memmove: copying a string onto itself, or its own tail, is allowed. */
	if (len > 0)
		memmove(dst, src, len);
	dst[len] = '\0';
	return (int)len;
}

/* How many of the first max bytes of s can be kept without splitting a character. */
static size_t utf8_cut(const char *s, size_t max)
{
	size_t cut = max;

	while (cut > 0 && max - cut < 3 && ((unsigned char)s[cut] & 0xC0) == 0x80)
		cut--;
	/* Not UTF-8 at all: nothing to respect. */
	return ((unsigned char)s[cut] & 0xC0) == 0x80 ? max : cut;
}

void str_clip(char *dst, size_t size, const char *src)
{
	size_t len = src ? strlen(src) : 0;

	if (size == 0)
		return;
	if (len >= size)
		len = utf8_cut(src, size - 1);
	if (len > 0)
		memmove(dst, src, len);
	dst[len] = '\0';
}

void str_line(char *dst, size_t size, const char *src)
{
	size_t len = src ? strlen(src) : 0;

	if (len >= size && size > 3) {
		str_clip(dst, size - 3, src);
		memcpy(dst + strlen(dst), "...", 4);
	} else {
		str_clip(dst, size, src);
	}
	for (size_t i = 0; i < size && dst[i]; i++) {
		if ((unsigned char)dst[i] < ' ' || dst[i] == 0x7F)
			dst[i] = ' ';
	}
}

bool str_eq(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Not strcasecmp(): that one asks the locale. */
bool str_ieq(const char *a, const char *b)
{
	size_t i = 0;

	a = a ? a : "";
	b = b ? b : "";
	while (a[i] && fold(a[i]) == fold(b[i]))
		i++;
	return fold(a[i]) == fold(b[i]);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s);
	size_t want = strlen(suffix);

	return len >= want && memcmp(s + len - want, suffix, want) == 0;
}

/* Out of memory: nothing sensible can be done here, and starting up is how we recover. */
static void *checked(void *p)
{
	if (!p)
		abort();
	return p;
}

char *str_dup(const char *s)
{
	return s ? checked(strdup(s)) : NULL;
}

/* Not strndup(), which the sanitizers take to read up to a NUL. */
char *str_ndup(const char *s, size_t len)
{
	char *copy;

	if (!s)
		return NULL;
	len = strnlen(s, len);
	copy = checked(malloc(len + 1));
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void str_set(char **dst, const char *src)
{
	/* Most texts stay as they are for hours, and those that count keep their length. */
	if (*dst && src && strlen(src) <= strlen(*dst)) {
		memmove(*dst, src, strlen(src) + 1);
		return;
	}
	free(*dst);
	*dst = str_dup(src);
}

char *str_dupf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

void *mem_new(size_t count, size_t size)
{
	return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *mem_grow(void *p, size_t count, size_t size)
{
	return checked(reallocarray(p, count > 0 ? count : 1, size > 0 ? size : 1));
}

/* Makes room for more bytes and the 0 after them. */
static void reserve(struct buf *buf, size_t more)
{
	size_t cap = MAX_OF(buf->cap, (size_t)BUF_CAP_MIN);
	size_t need = 0;

	if (__builtin_add_overflow(buf->len, more, &need) || need > SIZE_MAX / 2 - 1)
		abort();
	need++;
	while (cap < need)
		cap *= 2;
	if (cap == buf->cap)
		return;
	buf->data = mem_grow(buf->data, cap, 1);
	buf->cap = cap;
}

void buf_done(struct buf *buf)
{
	if (!buf)
		return;
	free(buf->data);
	*buf = (struct buf){ 0 };
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	reserve(buf, len);
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_str(struct buf *buf, const char *s)
{
	buf_add(buf, s, s ? strlen(s) : 0);
}

void buf_ch(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int len;

	reserve(buf, 0);
	room = buf->cap - buf->len;
	va_start(ap, fmt);
	len = vsnprintf(buf->data + buf->len, room, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	if ((size_t)len >= room) {
		reserve(buf, (size_t)len);
		va_start(ap, fmt);
		(void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, ap);
		va_end(ap);
	}
	buf->len += (size_t)len;
}

void buf_consume(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	if (len == 0)
		return;
	buf->len -= len;
	memmove(buf->data, buf->data + len, buf->len + 1);
}

char *buf_take(struct buf *buf)
{
	char *s;

	reserve(buf, 0);
	buf->data[buf->len] = '\0';
	s = TAKE(buf->data);
	*buf = (struct buf){ 0 };
	return s;
}
