/* SPDX-License-Identifier: PostgreSQL */
/*
 * gate - whether the lease page still lets this Postgres commit
 */
#include "fence/gate.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGE_FILE "/lease"

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now = { 0 };

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Cuts the last part of a path off and returns it; NULL when there is none left. */
static char *cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

int gate_map(struct gate *gate, const char *path, struct err *err)
{
	char run_dir[PATH_MAX];
	size_t len = path ? strlen(path) : 0;
	const char *scope;
	const char *name;

	gate->path = path;
	if (len == 0)
		return 0;
	if (len >= sizeof(run_dir) || len <= strlen(PAGE_FILE) ||
	    strcmp(path + len - strlen(PAGE_FILE), PAGE_FILE) != 0)
		return err_set(err, ERR_RANGE,
			       "'%s' is no path of a lease page, <run_dir>/<scope>/<name>/lease",
			       path);
	memcpy(run_dir, path, len - strlen(PAGE_FILE));
	run_dir[len - strlen(PAGE_FILE)] = '\0';
	name = cut_last(run_dir);
	scope = cut_last(run_dir);
	if (!name || !scope)
		return err_set(err, ERR_RANGE, "'%s' is no path of a lease page", path);
	return leasepage_open_reader(&gate->page, run_dir, scope, name, err);
}

/* A server that came up before its agent did has no page yet. */
static void map_late(struct gate *gate)
{
	int64_t now_ms;

	if (!gate->path || !gate->path[0])
		return;
	now_ms = clock_ms(CLOCK_BOOTTIME);
	if (gate->tried_at_ms != 0 && now_ms - gate->tried_at_ms < GATE_RETRY_MS)
		return;
	gate->tried_at_ms = now_ms;
	if (gate_map(gate, gate->path, NULL) < 0)
		leasepage_done(&gate->page);
}

/* Written a few times in a term, read with each transaction: a store only where something changed
 * keeps the line in every processor's cache. */
static void put(_Atomic int64_t *at, int64_t value)
{
	if (atomic_load_explicit(at, memory_order_relaxed) != value)
		atomic_store_explicit(at, value, memory_order_relaxed);
}

/* Whether the page takes back what it said before. An agent that lost its lease says no more than
 * that this is no primary now, and is about to stop it: until then the old deadline counts, or a
 * thawed host would commit between the agent's first look and its last. */
static bool lifts(const struct leasepage_facts *facts)
{
	switch (facts->reason) {
	case LEASEPAGE_NEW:
	case LEASEPAGE_PAUSED:
		return true;
	case LEASEPAGE_PRIMARY:
	case LEASEPAGE_REPLICA:
	case LEASEPAGE_STOPPED:
	case LEASEPAGE_REASON__MAX:
		return false;
	}
	return false;
}

static void remember(struct gate_belief *belief, const struct leasepage_facts *facts)
{
	if (!belief || (!facts->armed && !lifts(facts)))
		return;
	put(&belief->gate_ms, facts->armed ? facts->gate_at_ms : 0);
	put(&belief->gate_raw_ms, facts->armed ? facts->gate_raw_ms : 0);
}

/* Milliseconds until the nearer of the two, of which 0 is never. false: neither counts. */
static bool until_gate(int64_t gate_ms, int64_t gate_raw_ms, int64_t *ret_left_ms)
{
	int64_t left = INT64_MAX;

	if (gate_ms != 0)
		left = gate_ms - clock_ms(CLOCK_BOOTTIME);
	if (gate_raw_ms != 0)
		left = MIN_OF(left, gate_raw_ms - clock_ms(CLOCK_MONOTONIC_RAW));
	*ret_left_ms = left;
	return left != INT64_MAX;
}

static void judge(struct gate_look *look, int64_t gate_ms, int64_t gate_raw_ms)
{
	if (until_gate(gate_ms, gate_raw_ms, &look->left_ms))
		look->answer = look->left_ms <= 0 ? GATE_PAST : GATE_OPEN;
	else
		look->left_ms = 0;
}

/* By what any process of this server believed last; false when that is nothing. */
static bool judge_belief(const struct gate *gate, struct gate_look *look)
{
	int64_t gate_ms = 0;
	int64_t gate_raw_ms = 0;

	if (gate->belief) {
		gate_ms = atomic_load_explicit(&gate->belief->gate_ms, memory_order_relaxed);
		gate_raw_ms =
			atomic_load_explicit(&gate->belief->gate_raw_ms, memory_order_relaxed);
	}
	if (gate_ms == 0 && gate_raw_ms == 0)
		return false;
	judge(look, gate_ms, gate_raw_ms);
	return true;
}

/* A torn page is one whose agent stopped in the middle of a write, or for a moment only: what was
 * proven before holds until it passes. Of a page that is not ours any more the same is true, but
 * who asked to be refused in doubt, is refused. */
static void judge_without_page(const struct gate *gate, bool fail_closed, struct gate_look *look)
{
	bool torn = look->mapped && look->state == LEASEPAGE_TORN;

	if ((torn || !fail_closed) && judge_belief(gate, look))
		return;
	look->answer = fail_closed ? GATE_BLIND : GATE_OPEN;
}

static bool read_page(struct gate *gate, struct gate_look *ret)
{
	*ret = (struct gate_look){ .state = LEASEPAGE_NO_PAGE };
	if (!gate->page.words)
		map_late(gate);
	ret->mapped = gate->page.words != NULL;
	if (ret->mapped)
		ret->state = leasepage_read(&gate->page, &ret->facts);
	return ret->mapped && ret->state == LEASEPAGE_GOOD;
}

void gate_look(struct gate *gate, bool fail_closed, struct gate_look *ret)
{
	if (!read_page(gate, ret)) {
		judge_without_page(gate, fail_closed, ret);
		return;
	}
	remember(gate->belief, &ret->facts);
	if (ret->facts.armed)
		judge(ret, ret->facts.gate_at_ms, ret->facts.gate_raw_ms);
	else if (!lifts(&ret->facts))
		(void)judge_belief(gate, ret);
}

void gate_remember(struct gate *gate)
{
	struct gate_look look;

	if (read_page(gate, &look))
		remember(gate->belief, &look.facts);
}

const char *gate_page_text(const struct gate *gate, const struct gate_look *look)
{
	if (look->mapped)
		return leasepage_state_text(look->state);
	return gate->path && gate->path[0] ? "not there" : "not configured";
}
