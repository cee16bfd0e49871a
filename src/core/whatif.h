/* SPDX-License-Identifier: PostgreSQL */
/*
 * whatif - the same decisions on a changed view
 *
 * What would each member do, who would lead, what would be lost and how long would it take, if
 * something were so? One member's view is changed as supposed, and turned into what each of the
 * others would see of the same; decide() says the rest. Nothing is ordered, nothing is written.
 */
#ifndef PGHA_CORE_WHATIF_H
#define PGHA_CORE_WHATIF_H

#include "base/err.h"
#include "core/decide.h"
#include "core/whatif_words.h"

struct whatif_case {
	const struct view *view; /* of the member that is asked */
	/* What the others tell of themselves at this moment, as in an election. */
	const struct vote *votes;
	uint32_t nvotes;
	const struct whatif *ifs;
	uint32_t nifs;
};

/* Whether the suppositions speak of this cluster. */
int whatif_check(const struct whatif_case *c, struct err *err) _must_check_;

enum whatif_who {
	WHATIF_OURS = 0,
	WHATIF_LOST,    /* gone, as supposed */
	WHATIF_SILENT,  /* did not answer: only what etcd tells of it is known */
	WHATIF_PATRONI, /* decides by other rules */
	WHATIF_WHO__MAX
};

/* A moment at which a member comes to another rule. */
struct whatif_step {
	int64_t at_ms; /* after it became so */
	const struct rule *rule;
	struct situation situation;
	struct verdict verdict; /* of elections and hand-overs; means nothing elsewhere */
	char note[REASON_SIZE];
};

#define WHATIF_STEPS 4

struct whatif_member {
	char name[NAME_SIZE];
	enum whatif_who who;
	uint64_t lsn; /* where its WAL ends, as supposed; 0 not known */
	uint32_t timeline;
	uint32_t nsteps;
	struct whatif_step steps[WHATIF_STEPS];
	bool stands;            /* in the election */
	struct verdict verdict; /* there */
};

enum whatif_end {
	WHATIF_ELECTED = 0, /* the key runs out, and `winner` takes it */
	WHATIF_HANDED,      /* the leader lives, and hands over to `winner` */
	WHATIF_STAYS,       /* the leader goes on, or starts its Postgres again */
	WHATIF_NOBODY,
	WHATIF_END__MAX
};

struct whatif_answer {
	uint32_t nmembers;
	struct whatif_member members[MEMBERS_MAX];
	char leader[NAME_SIZE]; /* that leads now, or did last; "" none */
	bool supposed_lost; /* nothing said that it is lost: the answer is for when it is */
	enum whatif_end end;
	char winner[NAME_SIZE];
	char why[REASON_SIZE];
	/* If the old leader never comes back: what it wrote and the winner has not. */
	uint64_t lost_from_lsn;
	uint64_t lost_to_lsn; /* 0: not known */
	bool synchronous;     /* nothing of it was acknowledged with synchronous replication */
	/* Until the key may be taken, counted from the loss; then at the most until it is, and then
	 * Postgres has to be promoted. */
	int64_t free_least_ms;
	int64_t free_most_ms;
	int64_t election_ms;
};

/* After whatif_check(). */
void whatif_run(const struct whatif_case *c, struct whatif_answer *ret);

#endif
