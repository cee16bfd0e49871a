/* SPDX-License-Identifier: PostgreSQL */
/*
 * strike - kills every process of one Postgres, round by round
 *
 * A round stops the postmaster first, so that nothing more is forked, asks once more whether the
 * term is over, kills the children, then the postmaster. The walsenders among them live some
 * milliseconds longer, where the gate is far enough: what was acknowledged last is sent. Where this
 * Postgres has a control group of its own, all that is in it is killed at last, such as what
 * archive_command has started. Rounds go on until a look around finds nothing and everything that
 * was killed is seen dead.
 */
#ifndef PGHA_GUARD_STRIKE_H
#define PGHA_GUARD_STRIKE_H

#include "guard/procs.h"

struct strike {
	struct procs procs;
	size_t nstruck;
	struct proc struck[PROCS_MAX]; /* killed, and not seen dead yet */
	bool stopped[PROCS_MAX]; /* item of the same index was stopped by this round */
	int64_t killed; /* since strike_begin() */
	char group[1024]; /* its own control group; "": none */
};

/* True while the term is over by the page as it is now. */
typedef bool (*strike_due_fn)(void *ctx);

int strike_open(struct strike *strike, struct err *err) _must_check_;
void strike_begin(struct strike *strike);
/* Processes that were found and those killed earlier that are not dead yet; 0: none was found.
 * STRIKE_SPARED: the term was renewed meanwhile, nothing was killed. < 0: /proc is unreadable. */
#define STRIKE_SPARED INT32_MAX
int strike_round(struct strike *strike, const struct leasepage_facts *facts, strike_due_fn due,
		 void *ctx);

#endif
