/* SPDX-License-Identifier: PostgreSQL */
/*
 * decide - view -> plan: classify, match one rule, fill in targets
 *
 * Same view, same plan, on any machine, for ever. A plan is a set of goals; carrying out the
 * same plan twice is harmless.
 */
#ifndef PGHA_CORE_DECIDE_H
#define PGHA_CORE_DECIDE_H

#include "core/rules.h"

struct plan {
	struct situation situation;
	struct verdict verdict;
	const struct rule *rule;
	enum pg_verb pg_verb;
	enum lease_verb lease_verb;
	enum more_verb more;

	/* START_STANDBY, FOLLOW, ANCESTRY: "" none. Index into cluster.members, -1 none. */
	int32_t upstream;
	/* CLONE: the member to copy from; REWIND: the leader. -1 none */
	int32_t source;
	char release_to[NAME_SIZE]; /* RELEASE: the successor that is named; "" anybody */

	/* STOP: when it must turn harder; 0 never */
	int64_t immediate_at_ms;
	int64_t kill_at_ms;

	int64_t wake_at_ms; /* decide again then at the latest */
	char note[REASON_SIZE]; /* what the plan waits for, beyond the rule's why; "" none */
};

void decide(const struct view *view, struct plan *ret);

#endif
