/* SPDX-License-Identifier: PostgreSQL */
/*
 * b64 - base64, as etcd's JSON gateway wants it
 *
 * The standard alphabet of RFC 4648 with padding, no line breaks. Bytes, not strings: the data
 * may hold NUL.
 */
#ifndef PGHA_WIRE_B64_H
#define PGHA_WIRE_B64_H

#include "base/err.h"
#include "base/str.h"

/* Appends the text of len bytes to *ret_text. */
void b64_encode(const void *data, size_t len, struct buf *ret_text);
/* Appends the bytes that the text stands for to *ret_data. Strict: a character outside the
 * alphabet, a length that is no multiple of 4, or stray bits before the padding fail. On failure
 * *ret_data is as it was. */
int b64_decode(const char *text, size_t len, struct buf *ret_data, struct err *err) _must_check_;

#endif
