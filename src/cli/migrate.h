/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrate - what of a Patroni cluster carries over, and what does not
 *
 * Looks at what was read before: the keys in etcd, the files of members, the versions of servers.
 * Each finding says where, which key, why, and what to do.
 */
#ifndef PGHA_CLI_MIGRATE_H
#define PGHA_CLI_MIGRATE_H

#include "cli/picture.h"

/* name, as programs read it, heading for people; gravest first */
#define MIGRATE_VERDICTS(X)                                            \
	X(STOPS, "stands in the way", "Stands in the way")             \
	X(LOST, "does not carry over", "Does not carry over")          \
	X(NOTE, "to be known", "To be known")                          \
	X(MOOT, "without effect", "Accepted, without effect in pgha") \
	X(CARRIES, "carries over", "Carries over")

enum migrate_verdict {
#define X(n, t, h) MIGRATE_##n,
	MIGRATE_VERDICTS(X)
#undef X
	MIGRATE__MAX
};

struct migrate_finding {
	enum migrate_verdict verdict;
	char *where; /* "etcd", "FILE" or "FILE:LINE" */
	char *key;   /* dotted path, or what stands in for it: "members/n1" */
	char *why;   /* "" where there is nothing to say */
	char *todo;
};

struct migrate {
	struct migrate_finding *items; /* in the order in which they were found */
	size_t n;
};

void migrate_done(struct migrate *migrate);
size_t migrate_count(const struct migrate *migrate, enum migrate_verdict verdict);
void migrate_add(struct migrate *migrate, enum migrate_verdict verdict, const char *where,
		 const char *key, const char *why, const char *todo);

/* The keys in etcd. */
void migrate_cluster(struct migrate *migrate, const struct picture *picture);
/* What the member answered; 150020, 0: it did not. */
void migrate_server(struct migrate *migrate, const char *member, int64_t server_version);

struct migrate_file {
	const char *name; /* of the file */
	const char *text;
	size_t len;
	const char *namespace_;        /* of the cluster */
	const struct picture *picture; /* NULL: the cluster could not be read */
};

/* A configuration file of a member. */
void migrate_file(struct migrate *migrate, const struct migrate_file *file);

#endif
