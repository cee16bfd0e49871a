/* SPDX-License-Identifier: PostgreSQL */
/*
 * gate - whether the lease page still lets this Postgres commit
 *
 * Knows the page and the clocks, nothing of Postgres. The page is mapped once, by the postmaster,
 * and inherited by its children; only a process that inherited none looks for the file itself.
 */
#ifndef PGHA_FENCE_GATE_H
#define PGHA_FENCE_GATE_H

#include "base/leasepage.h"

#define GATE_RETRY_MS 1000 /* how often one process looks again for a page that is not there */

/* The newest deadlines that any process of this server read from a page it recognised, in shared
 * memory: what counts while the page cannot be read. 0 is none. */
struct gate_belief {
	_Atomic int64_t gate_ms;
	_Atomic int64_t gate_raw_ms;
};

struct gate {
	const char *path; /* borrowed; NULL or "" when no page is configured */
	struct leasepage page;
	struct gate_belief *belief; /* NULL: nothing is remembered */
	int64_t tried_at_ms;
};

#define GATE_CLOSED { .page = LEASEPAGE_CLOSED }

enum gate_answer {
	GATE_OPEN,
	GATE_PAST,  /* a deadline has passed */
	GATE_BLIND, /* there is no page to be believed, and it was asked to refuse then */
	GATE__MAX
};

struct gate_look {
	enum gate_answer answer;
	bool mapped;
	enum leasepage_state state;   /* with mapped */
	struct leasepage_facts facts; /* with LEASEPAGE_GOOD */
	int64_t left_ms;              /* until the gate, negative behind it; 0 when none counts */
};

/* Maps the page. Not to find it is no reason not to go on: gate_look() tries again. */
int gate_map(struct gate *gate, const char *path, struct err *err) _must_check_;
/* fail_closed: refuse also when there is no page that can be believed. */
void gate_look(struct gate *gate, bool fail_closed, struct gate_look *ret);
/* Only remembers what the page says now, for a time when it says less. */
void gate_remember(struct gate *gate);
/* What the page is, in a few words. */
const char *gate_page_text(const struct gate *gate, const struct gate_look *look);

#endif
