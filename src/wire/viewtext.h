/* SPDX-License-Identifier: PostgreSQL */
/*
 * viewtext - a view as one word of text and back, for the flight recorder
 *
 * Nearly all of a view is zeros: these are counted, the rest stands there in base64. The text is
 * for the build that wrote it, or one whose struct view is the same; others refuse it.
 */
#ifndef PGHA_WIRE_VIEWTEXT_H
#define PGHA_WIRE_VIEWTEXT_H

#include "base/err.h"
#include "base/str.h"
#include "core/view.h"

/* Appends "<size>:<checksum>:<base64>". */
void viewtext_add(const struct view *view, struct buf *ret_text);
int viewtext_read(const char *text, size_t len, struct view *ret, struct err *err) _must_check_;

#endif
