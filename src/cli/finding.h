/* SPDX-License-Identifier: PostgreSQL */
/*
 * finding - what hactl doctor has to say, and the judges that say it
 *
 * Each finding: what is so, why it matters, and what mends it.
 */
#ifndef PGHA_CLI_FINDING_H
#define PGHA_CLI_FINDING_H

#include "base/str.h"
#include "cli/picture.h"
#include "core/config.h"
#include "wire/tree.h"

/* The numbers are exit codes. */
#define FINDING_LEVELS(X)                                                       \
	X(OK, "ok")                                                             \
	X(WARNING, "warning")   /* works, and costs something some day */       \
	X(CRITICAL, "critical") /* a failover, a rejoin or a secret is at stake */ \
	X(UNKNOWN, "unknown")   /* it could not be looked at */

enum finding_level {
#define X(n, t) FINDING_##n,
	FINDING_LEVELS(X)
#undef X
	FINDING__MAX
};

struct finding {
	enum finding_level level;
	char *where; /* a member, "cluster" or "this host" */
	char *what;
	char *why;
	char *mend;
};

struct findings {
	struct finding *items;
	size_t n;
};

void findings_done(struct findings *findings);
/* `what` is printed; the other two are texts as they are. The same of another member is added to
 * the finding that is there. */
void finding_add(struct findings *findings, enum finding_level level, const char *where,
		 const char *why, const char *mend, const char *what_fmt, ...) _printf_(6, 7);
/* The words CLUSTER and MEMBER of what mends it become names, so that it can be typed as it is. */
void findings_name(struct findings *findings, const struct picture *picture);
const char *finding_level_name(enum finding_level level);
/* CRITICAL before UNKNOWN before WARNING. */
enum finding_level findings_worst(const struct findings *findings);
void findings_print(const struct findings *findings, struct buf *ret_text);
void findings_to_tree(const struct findings *findings, struct tree *tree,
		      struct tree_node *list);

/* ---- the judges ---- */

/* What one member told of itself. */
struct patient {
	const struct tree_node *member;  /* of the picture */
	const struct tree_node *facts;   /* answer of POST /doctor; NULL: there is none */
	const char *metrics;             /* body of GET /metrics; "" none */
	int64_t clock_off_ms;            /* its clock against ours */
	int64_t clock_error_ms;          /* by so much this may be wrong */
};

/* doctor_member.c: its Postgres, files, limits, fences, REST API */
void doctor_member(const struct picture *picture, const struct patient *patient,
		   struct findings *findings);
/* doctor_links.c: does each let the others in? */
void doctor_links(const struct picture *picture, const struct patient *patient,
		  struct findings *findings);
/* doctor_peers.c: do the members know each other's calls? */
void doctor_peers(const struct patient *patients, size_t n, struct findings *findings);
/* doctor_etcd.c: latency, endpoints, and whether ttl fits */
void doctor_etcd(const struct patient *patient, struct findings *findings);
/* The smallest ttl that outlives an election among the etcd members, ms. */
int64_t doctor_least_ttl_ms(int64_t round_trip_ms);
/* The time that 99 of 100 answers of etcd kept below, by the histogram in the metrics; -1: too few
 * answers, or none. */
int64_t doctor_slow_ms(const char *metrics);
/* doctor_cluster.c: what shows only when members are compared */
void doctor_cluster(const struct picture *picture, const struct patient *patients, size_t n,
		    struct findings *findings);
/* Of an answer to POST /explain. */
void doctor_outlook(const struct tree_node *outlook, struct findings *findings);
/* doctor_host.c: the configuration file that this program reads */
void doctor_host(const char *file, const char *const *env, struct findings *findings);
/* doctor_tls.c: certificates and keys that this program uses itself; reads a wall clock */
void doctor_tls(const struct config *config, struct findings *findings);

#endif
