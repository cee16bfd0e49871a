/* SPDX-License-Identifier: PostgreSQL */
/*
 * confvalue - one value of the document against one row of the key table
 *
 * The readers fail exactly where confvalue_check() does, so that a checked value can be read
 * without looking at errors again. Messages say what stands there and what is allowed.
 */
#ifndef PGHA_WIRE_CONFVALUE_H
#define PGHA_WIRE_CONFVALUE_H

#include "base/err.h"
#include "wire/confkeys.h"
#include "wire/tree.h"

int confvalue_check(const struct confkey *key, const struct tree_node *node,
		    struct err *err) _must_check_;

/* One value of PAIRS: a scalar in one line; a line break at its end, as YAML's blocks have it, is
 * cut when it is read. */
int confvalue_pair(const struct tree_node *node, struct err *err) _must_check_;

int confvalue_bool(const struct confkey *key, const struct tree_node *node, bool *ret,
		   struct err *err) _must_check_;
/* INT as it is, SECONDS in milliseconds, BYTES in bytes. */
int confvalue_int(const struct confkey *key, const struct tree_node *node, int64_t *ret,
		  struct err *err) _must_check_;
/* Index into key->words. */
int confvalue_word(const struct confkey *key, const struct tree_node *node, unsigned *ret,
		   struct err *err) _must_check_;

/* "host[,host...]:port"; *ret_hosts is the caller's. default_port 0: the port is required. */
int confvalue_listen(const char *text, uint16_t default_port, char **ret_hosts,
		     uint16_t *ret_port, struct err *err) _must_check_;
/* A scope, member name or part of the namespace. */
int confvalue_name(const char *name, struct err *err) _must_check_;

/* 0.0.0.0, ::, * : can be listened on, not connected to. */
bool confvalue_is_wildcard(const char *host);
bool confvalue_is_loopback(const char *host);

#endif
