/* SPDX-License-Identifier: PostgreSQL */
/*
 * confkeys - THE table of configuration keys
 *
 * Name, type, default, range, where a key may stand, when a change takes effect, one line of
 * help. Everything that knows keys (the check of a file, the reader, --help, the environment,
 * the test that the manual is complete) asks here.
 */
#ifndef PGHA_WIRE_CONFKEYS_H
#define PGHA_WIRE_CONFKEYS_H

#include "base/base.h"

/* name, what an operator is told is allowed */
#define CONF_TYPES(X)                                                         \
	X(BOOL, "true or false")                                              \
	X(INT, "a whole number")                                              \
	X(SECONDS, "seconds, or a number with ms, s, min, h or d")            \
	X(BYTES, "bytes, or a number with kB, MB, GB or TB")                  \
	X(TEXT, "a text")                                                     \
	X(WORD, "one of the words")                                           \
	X(NAME, "1 to 63 of A-Z a-z 0-9 . _ -")                               \
	X(ADDRESS, "host:port")                                               \
	X(LISTEN, "host[,host...]:port")                                      \
	X(PATH, "an absolute path")                                           \
	X(MAP, "a map of the keys below it")                                  \
	X(OPEN, "a map; keys that are not listed here are allowed too")       \
	X(PAIRS, "a map of names to values")                                  \
	X(OPTIONS, "a list of `option` and `option: value`, or a map")        \
	X(LIST, "a list of texts")                                            \
	X(COMMAS, "a list, or one text with commas")                          \
	X(ANY, "anything")                                                    \
	X(REFUSED, "nothing: it must not be there")

enum conf_type {
#define X(n, t) CONF_##n,
	CONF_TYPES(X)
#undef X
	CONF__MAX
};

/* Where a key counts. A key of the local file that is also dynamic overrides the latter. */
#define CONF_LOCAL     0x01u /* the file of this member */
#define CONF_DYNAMIC   0x02u /* the `config` document in etcd, and bootstrap.dcs */
#define CONF_BOOTSTRAP 0x04u /* the file, looked at only while a cluster is created */

#define CONF_RELOAD   0x01u /* a change takes effect at a reload; else when pghad starts */
#define CONF_REQUIRED 0x02u
#define CONF_ENV      0x04u /* has a PATRONI_ variable */
#define CONF_LATER    0x08u /* Patroni's; recognised, not supported by this version */
#define CONF_UNSAFE   0x10u /* with CONF_LATER: must not be ignored when active */
#define CONF_NOOP     0x20u /* Patroni's; accepted, means nothing here */
#define CONF_OURS     0x40u /* not known to Patroni */
#define CONF_EXEC     0x80u /* can run programs on the host: see confremote.h */

/* The part of a path that stands for any name: "postgresql.<method>.command". */
#define CONF_METHOD "<method>"

struct confkey {
	const char *path;
	enum conf_type type;
	unsigned scope;
	unsigned flags;
	const char *dflt;     /* as it would be written; NULL: none */
	int64_t min;          /* of INT, SECONDS (in seconds), BYTES; both 0: any */
	int64_t max;
	const char *words;    /* of WORD: "off|on|quorum"; off and on also as booleans */
	const char *alias_of; /* another spelling of this path */
	const char *help;
};

/* Row i, NULL after the last. */
const struct confkey *confkeys_at(size_t i);
/* The row of a path without "bootstrap.dcs." in front; exact ones before those with <method>. */
const struct confkey *confkeys_find(const char *path);
/* "true or false", "off, on or quorum", "a whole number, 2 to 3600": at most size - 1 bytes. */
void confkeys_allowed(const struct confkey *key, char *dst, size_t size);
/* "PATRONI_RESTAPI_USERNAME"; false when the key has no variable. */
bool confkeys_env(const struct confkey *key, char *dst, size_t size);
/* The listed key nearest to a misspelt one within the same map, or NULL. */
const struct confkey *confkeys_similar(const char *path);

#endif
