/* SPDX-License-Identifier: PostgreSQL */
/*
 * replay - the decisions of a flight recorder's file, made again
 */
#ifndef PGHA_IO_REPLAY_H
#define PGHA_IO_REPLAY_H

#include "base/err.h"
#include "base/str.h"

/* Prints each recorded decision and what decide() says to the same view today.
 * 0                  all as recorded
 * REPLAY_DIFFERS (1) at least one is decided otherwise now
 * < 0                the file cannot be read, or holds no decision */
#define REPLAY_DIFFERS 1
int replay_file(const char *path, struct buf *ret_text, struct err *err) _must_check_;

#endif
