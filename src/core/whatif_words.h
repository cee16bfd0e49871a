/* SPDX-License-Identifier: PostgreSQL */
/*
 * whatif_words - a supposition, and how it is written
 */
#ifndef PGHA_CORE_WHATIF_WORDS_H
#define PGHA_CORE_WHATIF_WORDS_H

#include "base/err.h"
#include "core/types.h"

#define WHATIFS(X)                                                              \
	X(GONE, "gone")             /* the host is lost, or cut off */          \
	X(CRASHED, "crashed")       /* its Postgres ended, its agent lives */   \
	X(LAGGING, "lagging")       /* so many bytes behind the leader */       \
	X(NOFAILOVER, "nofailover") /* tagged so */                             \
	X(STORE_GONE, "etcd gone")  /* nobody reaches etcd */                   \
	X(PAUSED, "paused")         /* the cluster is */

enum whatif_kind {
#define X(n, t) WHATIF_##n,
	WHATIFS(X)
#undef X
	WHATIF__MAX
};

struct whatif {
	enum whatif_kind kind;
	char name[NAME_SIZE]; /* of a member; "" where none is meant */
	uint64_t bytes;       /* LAGGING */
};

#define WHATIFS_MAX 8 /* in one question */
/* All forms that there are, for messages. */
#define WHATIF_FORMS                                                                      \
	"'MEMBER gone', 'MEMBER crashed', 'MEMBER lagging SIZE', 'MEMBER nofailover', "   \
	"'etcd gone', 'paused'"

/* "n1 gone", "n2 lagging 20MB", ...: blanks and the case of words do not matter. */
int whatif_parse(const char *text, struct whatif *ret, struct err *err) _must_check_;

/* The other way round. */
#define WHATIF_TEXT_MAX 128
const char *whatif_text(const struct whatif *w, char dst[WHATIF_TEXT_MAX]);

#endif
