/* SPDX-License-Identifier: PostgreSQL */
/*
 * leasepage - one shared page that says until when this Postgres may take writes
 *
 * <run_dir>/<scope>/<name>/lease, 4096 bytes, mapped by the agent, which writes it, and by
 * whoever stops Postgres when the agent no longer can. It outlives the agent on purpose: a
 * deadline once proven holds whether or not its author lives. It does not outlive the machine's
 * boot, nor is it believed in a time namespace other than the agent's, where the same
 * CLOCK_BOOTTIME number means another instant.
 *
 * Every field is one aligned 64-bit word. A sequence word is odd while the agent writes; readers
 * take a copy and keep it only if the sequence was even and the same before and after.
 */
#ifndef PGHA_LEASEPAGE_H
#define PGHA_LEASEPAGE_H

#include "base/base.h"
#include "base/err.h"

#define LEASEPAGE_SIZE    4096
#define LEASEPAGE_VERSION 3
#define LEASEPAGE_MAGIC   UINT64_C(0x6567617061686770) /* "pghapage" on a little-endian machine */
#define LEASEPAGE_TEXT_BYTES 256 /* of a text in the page, with its end */
#define LEASEPAGE_TRIES   1000 /* then a page that never stands still counts as torn */

/* Where everything stands, as indexes of 64-bit words. The words up to LEASEPAGE_WORD_ARMED keep
 * their places in every version: that is what lets one version know what another one left behind.
 * New words are appended, with a new version. A reader without a struct leasepage (the Postgres
 * module) looks at them with acquire loads; it must check the header's words as leasepage_read()
 * does. */
enum leasepage_word {
	LEASEPAGE_WORD_MAGIC,
	LEASEPAGE_WORD_VERSION,
	LEASEPAGE_WORD_SIZE,
	LEASEPAGE_WORD_SEQUENCE,
	LEASEPAGE_WORD_BOOT,
	LEASEPAGE_WORD_CLOCK,
	LEASEPAGE_WORD_ARMED,
	LEASEPAGE_WORD_REASON,
	LEASEPAGE_WORD_EPOCH,
	LEASEPAGE_WORD_LEASE_ID,
	LEASEPAGE_WORD_ASKED_AT,
	LEASEPAGE_WORD_TTL,
	LEASEPAGE_WORD_KILL_AT,
	LEASEPAGE_WORD_GATE_AT,
	LEASEPAGE_WORD_POSTMASTER_PID,
	LEASEPAGE_WORD_POSTMASTER_START,
	LEASEPAGE_WORD_AGENT_PID,
	/* since version 2 */
	LEASEPAGE_WORD_GATE_RAW,
	LEASEPAGE_WORD_WRITTEN_AT,
	LEASEPAGE_WORD_DATA_DEVICE,
	LEASEPAGE_WORD_DATA_INODE,
	LEASEPAGE_WORD_PROVEN,
	/* since version 3 */
	LEASEPAGE_WORD_WATCHDOG_MODE,
	LEASEPAGE_WORD_WATCHDOG_MARGIN,
	LEASEPAGE_WORD_WATCHDOG_TESTING,
	LEASEPAGE_WORD_WATCHDOG_DEVICE, /* LEASEPAGE_TEXT_BYTES from here on */
	LEASEPAGE_WORD_WATCHDOG_DEVICE_END =
		LEASEPAGE_WORD_WATCHDOG_DEVICE + LEASEPAGE_TEXT_BYTES / 8 - 1,
	LEASEPAGE_WORD__MAX
};

/* Why the page is armed, or is not. The numbers are in the page: append only. */
#define LEASEPAGE_REASONS(X)                                        \
	X(NEW, "nothing has been decided yet")                      \
	X(PRIMARY, "this Postgres may take writes under its lease") \
	X(REPLICA, "this Postgres is not the primary")              \
	X(PAUSED, "the cluster is paused")                          \
	X(STOPPED, "Postgres is down")

enum leasepage_reason {
#define X(n, t) LEASEPAGE_##n,
	LEASEPAGE_REASONS(X)
#undef X
	LEASEPAGE_REASON__MAX
};

/* What is wanted of the watchdog device. The numbers are in the page. */
enum leasepage_watchdog {
	LEASEPAGE_WATCHDOG_OFF = 0,
	LEASEPAGE_WATCHDOG_AUTOMATIC,
	LEASEPAGE_WATCHDOG_REQUIRED
};

/* What the page says. Times are milliseconds, 0 is never; of CLOCK_BOOTTIME unless the name says
 * raw: that one is of CLOCK_MONOTONIC_RAW, which nobody can slew. */
struct leasepage_facts {
	bool armed; /* the deadlines below count */
	enum leasepage_reason reason;
	int64_t epoch;
	int64_t lease_id;
	int64_t asked_at_ms; /* when the proven attempt left */
	int64_t ttl_ms;
	int64_t kill_at_ms;
	/* No commit from either of these on. BOOTTIME counts a suspend but may be slewed, RAW the
	 * other way round. */
	int64_t gate_at_ms;
	int64_t gate_raw_ms;
	int64_t postmaster_pid;         /* 0 none */
	int64_t postmaster_start_ticks; /* as leasepage_start_ticks(): a recycled pid differs */
	int64_t agent_pid;              /* filled in by leasepage_write() */
	int64_t written_at_ms;          /* a sign of life: loop_wait is as old as it gets */
	/* The data directory, as stat() names it: of processes that work in it and have lost their
	 * postmaster. 0 when it does not exist. */
	int64_t data_device;
	int64_t data_inode;
	bool proven; /* some lease was, since the machine was booted */
	enum leasepage_watchdog watchdog_mode;
	int64_t watchdog_margin_s; /* taken off the term; -1: half of it */
	bool watchdog_testing;     /* lines instead of ioctls, as Patroni's test driver */
	char watchdog_device[LEASEPAGE_TEXT_BYTES];
};

/* What a reader may find; everything but LEASEPAGE_GOOD means: do not believe the facts. A
 * reader who must act then acts as if the deadline it last believed stood. */
#define LEASEPAGE_STATES(X)                                              \
	X(GOOD, "recognised, of this boot")                              \
	X(TORN, "a write was begun and not finished")                    \
	X(NO_PAGE, "not a lease page")                                   \
	X(OTHER_VERSION, "written by another version of pgha")           \
	X(OTHER_BOOT, "written before this machine was booted")          \
	X(OTHER_CLOCK, "written in another time namespace")

enum leasepage_state {
#define X(n, t) LEASEPAGE_##n,
	LEASEPAGE_STATES(X)
#undef X
	LEASEPAGE_STATE__MAX
};

/* Which boot, and which reading of CLOCK_BOOTTIME, a page has to be of. */
struct leasepage_clock {
	uint64_t boot_hash; /* FNV-1a of /proc/sys/kernel/random/boot_id */
	uint64_t clock_ns;  /* inode of /proc/self/ns/time, 0 where there is none */
};

struct leasepage {
	int fd; /* -1 when not open; holds the lock of the one writer */
	bool writer;
	_Atomic uint64_t *words;
	struct leasepage_clock clock;
	int64_t agent_pid;
};

#define LEASEPAGE_CLOSED { .fd = -1 }

/* Opens for writing, making directories (0750) and file (0640) as needed. What a predecessor of
 * this boot wrote is kept, armed or not; anything else is replaced by a disarmed page.
 * -ERR_STATE: another agent has it, or another version of pgha left it armed.
 * -ERR_RANGE: scope or name cannot be a directory's name. */
int leasepage_open_writer(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct err *err) _must_check_;
/* Opens an existing page for reading. What it is worth is for leasepage_read() to say. */
int leasepage_open_reader(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct err *err) _must_check_;
/* Unmaps and closes; the content stays. Accepts NULL and a page that was never opened. */
void leasepage_done(struct leasepage *page);

/* Replaces all facts. Plain stores: no system call, cannot fail. Only for the writer. */
void leasepage_write(struct leasepage *page, const struct leasepage_facts *facts);
/* *ret is set only with LEASEPAGE_GOOD. */
enum leasepage_state leasepage_read(const struct leasepage *page, struct leasepage_facts *ret);

const char *leasepage_state_text(enum leasepage_state state);
const char *leasepage_reason_text(enum leasepage_reason reason);

/* Another page beside the lease page (base/guardpage.h): the same header, own magic and version,
 * own words behind it, and a writer of its own. pid_word is the word that names that writer. */
struct leasepage_kind {
	const char *file;
	const char *writer; /* "agent", for messages */
	uint64_t magic;
	uint64_t version;
	size_t nwords; /* all of them, at most LEASEPAGE_SIZE / 8 */
	size_t pid_word;
};
/* Writers make and lock the file; what is in it then is for them to look at. */
int leasepage_open(struct leasepage *page, const struct leasepage_kind *kind, bool writer,
		   const char *run_dir, const char *scope, const char *name,
		   struct err *err) _must_check_;
/* Writes words[first..nwords), and the header if it is not this kind's of this boot. */
void leasepage_store(struct leasepage *page, const struct leasepage_kind *kind,
		     const uint64_t *words, size_t first);
/* All words into words[nwords], which are whole only with LEASEPAGE_GOOD. */
enum leasepage_state leasepage_load(const struct leasepage *page,
				    const struct leasepage_kind *kind, uint64_t *words);

/* What the words of LEASEPAGE_WORD_BOOT and _CLOCK have to be for this process. */
int leasepage_clock_of_now(struct leasepage_clock *ret, struct err *err) _must_check_;
/* When a process started, in clock ticks since boot (field 22 of /proc/<pid>/stat). Together
 * with the pid it names one process for ever. */
int leasepage_start_ticks(int64_t pid, int64_t *ret_ticks, struct err *err) _must_check_;

#endif
