/* SPDX-License-Identifier: PostgreSQL */
/*
 * pct - parts of URLs: percent-encoded text, the first segment of a path
 */
#ifndef PGHA_WIRE_PCT_H
#define PGHA_WIRE_PCT_H

#include "base/base.h"

/* Decodes len bytes into dst[size]: %41 is an 'A'; in a form, '+' is a blank. A '%' that no two
 * hex digits follow stands for itself. False, with dst made "", when the text does not fit or
 * holds a NUL byte. */
bool pct_decode(const char *text, size_t len, bool form, char *dst, size_t size);
/* "/cluster/x" begins with the segment "cluster"; slashes in front do not count. */
bool pct_has_segment(const char *path, const char *segment);

#endif
