/* SPDX-License-Identifier: PostgreSQL */
/*
 * guardpage - what the guardian says about itself and about what it killed
 *
 * <run_dir>/<scope>/<name>/guard, beside the lease page and built like it; the guardian is its
 * only writer, and the lock on it is what keeps a second guardian away. Agents read it: the one
 * that lives, and the next one, which learns from it why its Postgres is gone.
 */
#ifndef PGHA_GUARDPAGE_H
#define PGHA_GUARDPAGE_H

#include "base/leasepage.h"

#define GUARDPAGE_VERSION 2
#define GUARDPAGE_BEAT_MS 250 /* a guardian that runs writes at least that often */

/* What the guardian is about. The numbers are in the page: append only. */
#define GUARDPAGE_STATES(X)                                                        \
	X(WAITING, "waits for an agent to make the lease page")                    \
	X(DISARMED, "the lease page is disarmed")                                  \
	X(ARMED, "kills Postgres when the term is over")                           \
	X(KILLING, "the term is over, killing what is left of Postgres")           \
	X(FENCED, "the term is over, and no process of Postgres is left")

enum guardpage_state {
#define X(n, t) GUARDPAGE_##n,
	GUARDPAGE_STATES(X)
#undef X
	GUARDPAGE_STATE__MAX
};

/* The watchdog device. The numbers are in the page. */
enum guardpage_dog {
	GUARDPAGE_DOG_OFF = 0, /* not wanted */
	GUARDPAGE_DOG_READY,   /* there, and not needed now */
	GUARDPAGE_DOG_ACTIVE,  /* reboots the host unless it is petted */
	GUARDPAGE_DOG_FAILED,  /* wanted, and cannot be used */
};

/* How sure it can be of being run in time; as bits. */
#define GUARDPAGE_LOCKED   UINT32_C(1) /* in memory */
#define GUARDPAGE_REALTIME UINT32_C(2) /* scheduled before everything that is not */
#define GUARDPAGE_NICE     UINT32_C(4) /* at least goes first among the others */
#define GUARDPAGE_OOM_SAFE UINT32_C(8) /* never chosen when memory runs out */

/* Times are CLOCK_BOOTTIME milliseconds, 0 is never. */
struct guardpage_facts {
	int64_t pid;
	int64_t start_ticks; /* as leasepage_start_ticks() */
	bool by_agent;       /* started by an agent, which may end it when it ends itself */
	enum guardpage_state state;
	uint32_t strengths;
	int64_t beat_at_ms;
	int64_t lease_inode; /* of the lease page that is watched; 0: none */
	int64_t epoch;       /* as it read them last */
	int64_t kill_at_ms;

	/* The newest killing. */
	int64_t kills; /* how often it had to, since it was started */
	int64_t kill_epoch;
	int64_t kill_begun_at_ms;
	int64_t kill_due_at_ms;    /* the deadline that had passed */
	int64_t kill_postmaster_pid;
	int64_t kill_processes;    /* that were killed */
	int64_t kill_left;         /* that are not dead yet */
	int64_t kill_proven_at_ms; /* nothing was left then: the proof of death; 0: not yet */

	enum guardpage_dog dog;
	int64_t dog_timeout_s;
	int64_t dog_petted_at_ms;
};

/* -ERR_STATE: another guardian has it. What a predecessor wrote in this boot about its newest
 * killing is kept in *ret_last, else that is zero. */
int guardpage_open_writer(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct guardpage_facts *ret_last,
			  struct err *err) _must_check_;
int guardpage_open_reader(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct err *err) _must_check_;
void guardpage_write(struct leasepage *page, const struct guardpage_facts *facts);
/* *ret is set only with LEASEPAGE_GOOD. */
enum leasepage_state guardpage_read(const struct leasepage *page, struct guardpage_facts *ret);
const char *guardpage_state_text(enum guardpage_state state);

#endif
