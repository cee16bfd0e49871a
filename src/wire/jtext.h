/* SPDX-License-Identifier: PostgreSQL */
/*
 * jtext - JSON text: read with bounds, written byte for byte as Python's json.dumps does
 *
 * Inside the wire room only. Reading is jansson's, behind a limit on nesting that is checked
 * before jansson, which recurses, sees the text. Writing is our own, because clients and
 * Patroni members compare texts: non-ASCII as \u00e9 in lower case, numbers as Python prints
 * them. A member name read from etcd need not be UTF-8; bytes that are not become U+FFFD.
 */
#ifndef PGHA_WIRE_JTEXT_H
#define PGHA_WIRE_JTEXT_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

/* Nesting that is read and written. Patroni's documents need 6. */
#define JTEXT_DEPTH_MAX 64

enum jtext_style {
	JTEXT_COMPACT = 0, /* {"a":1,"b":2}, as in etcd */
	JTEXT_SPACED,      /* {"a": 1, "b": 2}, as in REST */
	JTEXT_STYLE__MAX
};

/* For _cleanup_. */
void jtext_unrefp(json_t **value);

/* Before jansson sees a text that does not come by these functions. -ERR_RANGE. */
int jtext_check_depth(const char *text, size_t len, struct err *err) _must_check_;
/* Reads exactly one JSON value of any type. */
int jtext_load(const char *text, size_t len, json_t **ret, struct err *err) _must_check_;
/* The same, and fails unless it is an object. */
int jtext_load_object(const char *text, size_t len, json_t **ret, struct err *err) _must_check_;

/* An object whose long strings are not copied: each of more than JTEXT_LONG characters becomes a
 * text "@place+length" that says where in `text` its characters stand, for jtext_long(). Those that
 * hold escapes are left as they are. */
#define JTEXT_LONG 4096
int jtext_load_long(const char *text, size_t len, json_t **ret, struct err *err) _must_check_;
/* The characters of such a string, or of any other; they live as long as both. */
const char *jtext_long(const json_t *string, const char *text, size_t len, size_t *ret_len);

/* Finds the end of the object that stands first in a stream of concatenated documents.
 * 0               *ret_begin, *ret_end: where it lies
 * JTEXT_MORE (1)  it is not complete yet
 * < 0             no object stands there, or it is nested too deeply */
#define JTEXT_MORE 1
int jtext_document(const char *text, size_t len, size_t *ret_begin, size_t *ret_end,
		   struct err *err) _must_check_;

/* Appends a value, a quoted string. */
void jtext_add(struct buf *buf, json_t *value, enum jtext_style style);
void jtext_add_string(struct buf *buf, const char *s, size_t len);
/* For documents made by hand: a key with the comma before it, unless it is the first of its object;
 * the same with a text as its value. */
void jtext_add_key(struct buf *buf, const char *key, enum jtext_style style);
void jtext_add_field(struct buf *buf, const char *key, const char *text, enum jtext_style style);
/* The value as owned text. */
char *jtext_print(json_t *value, enum jtext_style style);
/* str(value) of Python: strings bare, True, None, 1.4; objects and arrays as JSON. */
void jtext_add_python(struct buf *buf, const json_t *value);

/* Members of an object. A missing one, null, or another type is NULL or false. */
const char *jtext_string(const json_t *object, const char *key);
bool jtext_true(const json_t *object, const char *key);
/* Integer, or a string of decimal digits; false: absent or neither, *ret untouched. */
bool jtext_int(const json_t *value, int64_t *ret);
/* The same for a position: not negative; 0 when absent or neither. */
uint64_t jtext_lsn(const json_t *object, const char *key);

/* Length of the UTF-8 sequence at s (of len bytes) and its code point; 0 when it is none. */
size_t jtext_utf8(const char *s, size_t len, uint32_t *ret_code);

#endif
