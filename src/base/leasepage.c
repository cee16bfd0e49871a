/* SPDX-License-Identifier: PostgreSQL */
/*
 * leasepage - one shared page that says until when this Postgres may take writes
 */
#include "base/leasepage.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"

#define PROC_BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PROC_CLOCK   "/proc/self/ns/time"
#define BOOT_ID_LEN  36

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit stores must not tear");
_Static_assert(LEASEPAGE_WORD__MAX * sizeof(uint64_t) <= LEASEPAGE_SIZE,
	       "the page holds every word");

static const char *const state_texts[LEASEPAGE_STATE__MAX] = {
#define X(n, t) [LEASEPAGE_##n] = t,
	LEASEPAGE_STATES(X)
#undef X
};

static const char *const reason_texts[LEASEPAGE_REASON__MAX] = {
#define X(n, t) [LEASEPAGE_##n] = t,
	LEASEPAGE_REASONS(X)
#undef X
};

static const struct leasepage_kind lease_kind = {
	.file = "lease",
	.writer = "agent",
	.magic = LEASEPAGE_MAGIC,
	.version = LEASEPAGE_VERSION,
	.nwords = LEASEPAGE_WORD__MAX,
	.pid_word = LEASEPAGE_WORD_AGENT_PID,
};

static void put(struct leasepage *page, size_t word, uint64_t value)
{
	atomic_store_explicit(&page->words[word], value, memory_order_relaxed);
}

static uint64_t get(const struct leasepage *page, size_t word)
{
	return atomic_load_explicit(&page->words[word], memory_order_relaxed);
}

/* Odd from here on. A predecessor killed in the middle of a write left it odd already. */
static uint64_t write_begin(struct leasepage *page)
{
	uint64_t odd = (get(page, LEASEPAGE_WORD_SEQUENCE) + 1) | 1;

	put(page, LEASEPAGE_WORD_SEQUENCE, odd);
	/* No word of this write may be seen before the odd sequence. */
	atomic_thread_fence(memory_order_release);
	return odd;
}

static void write_end(struct leasepage *page, uint64_t odd)
{
	/* No word of this write may be seen after the even sequence. */
	atomic_store_explicit(&page->words[LEASEPAGE_WORD_SEQUENCE], odd + 1, memory_order_release);
}

static enum leasepage_state judge(const struct leasepage *page, const struct leasepage_kind *kind,
				  const uint64_t *words)
{
	if (words[LEASEPAGE_WORD_MAGIC] != kind->magic)
		return LEASEPAGE_NO_PAGE;
	if (words[LEASEPAGE_WORD_VERSION] != kind->version ||
	    words[LEASEPAGE_WORD_SIZE] != LEASEPAGE_SIZE)
		return LEASEPAGE_OTHER_VERSION;
	if (words[LEASEPAGE_WORD_BOOT] != page->clock.boot_hash)
		return LEASEPAGE_OTHER_BOOT;
	if (words[LEASEPAGE_WORD_CLOCK] != page->clock.clock_ns)
		return LEASEPAGE_OTHER_CLOCK;
	return LEASEPAGE_GOOD;
}

/* A copy of all words; false when the writer was writing meanwhile. */
static bool copy_words(const struct leasepage *page, uint64_t *words, size_t n)
{
	uint64_t before;

	before = atomic_load_explicit(&page->words[LEASEPAGE_WORD_SEQUENCE], memory_order_acquire);
	for (size_t i = 0; i < n; i++)
		words[i] = get(page, i);
	/* Every word was read before the sequence is looked at again. */
	atomic_thread_fence(memory_order_acquire);
	return before % 2 == 0 && get(page, LEASEPAGE_WORD_SEQUENCE) == before;
}

void leasepage_store(struct leasepage *page, const struct leasepage_kind *kind,
		     const uint64_t *words, size_t first)
{
	uint64_t odd;

	assert(page->writer);
	assert(first > LEASEPAGE_WORD_CLOCK && kind->nwords * sizeof(*words) <= LEASEPAGE_SIZE);
	odd = write_begin(page);
	put(page, LEASEPAGE_WORD_MAGIC, kind->magic);
	put(page, LEASEPAGE_WORD_VERSION, kind->version);
	put(page, LEASEPAGE_WORD_SIZE, LEASEPAGE_SIZE);
	put(page, LEASEPAGE_WORD_BOOT, page->clock.boot_hash);
	put(page, LEASEPAGE_WORD_CLOCK, page->clock.clock_ns);
	for (size_t i = first; i < kind->nwords; i++)
		put(page, i, words[i]);
	write_end(page, odd);
}

enum leasepage_state leasepage_load(const struct leasepage *page,
				    const struct leasepage_kind *kind, uint64_t *words)
{
	for (int i = 0; i < LEASEPAGE_TRIES; i++) {
		bool whole = copy_words(page, words, kind->nwords);
		enum leasepage_state state = judge(page, kind, words);

		if (whole || state != LEASEPAGE_GOOD)
			return state;
		/* The writer may need this very processor to finish. */
		(void)sched_yield();
	}
	return LEASEPAGE_TORN;
}

void leasepage_write(struct leasepage *page, const struct leasepage_facts *facts)
{
	uint64_t words[LEASEPAGE_WORD__MAX] = {
		[LEASEPAGE_WORD_ARMED] = facts->armed,
		[LEASEPAGE_WORD_REASON] = (uint64_t)facts->reason,
		[LEASEPAGE_WORD_EPOCH] = (uint64_t)facts->epoch,
		[LEASEPAGE_WORD_LEASE_ID] = (uint64_t)facts->lease_id,
		[LEASEPAGE_WORD_ASKED_AT] = (uint64_t)facts->asked_at_ms,
		[LEASEPAGE_WORD_TTL] = (uint64_t)facts->ttl_ms,
		[LEASEPAGE_WORD_KILL_AT] = (uint64_t)facts->kill_at_ms,
		[LEASEPAGE_WORD_GATE_AT] = (uint64_t)facts->gate_at_ms,
		[LEASEPAGE_WORD_POSTMASTER_PID] = (uint64_t)facts->postmaster_pid,
		[LEASEPAGE_WORD_POSTMASTER_START] = (uint64_t)facts->postmaster_start_ticks,
		[LEASEPAGE_WORD_AGENT_PID] = (uint64_t)page->agent_pid,
		[LEASEPAGE_WORD_GATE_RAW] = (uint64_t)facts->gate_raw_ms,
		[LEASEPAGE_WORD_WRITTEN_AT] = (uint64_t)facts->written_at_ms,
		[LEASEPAGE_WORD_DATA_DEVICE] = (uint64_t)facts->data_device,
		[LEASEPAGE_WORD_DATA_INODE] = (uint64_t)facts->data_inode,
		[LEASEPAGE_WORD_PROVEN] = facts->proven,
		[LEASEPAGE_WORD_WATCHDOG_MODE] = (uint64_t)facts->watchdog_mode,
		[LEASEPAGE_WORD_WATCHDOG_MARGIN] = (uint64_t)facts->watchdog_margin_s,
		[LEASEPAGE_WORD_WATCHDOG_TESTING] = facts->watchdog_testing,
	};

	memcpy(&words[LEASEPAGE_WORD_WATCHDOG_DEVICE], facts->watchdog_device,
	       sizeof(facts->watchdog_device));
	leasepage_store(page, &lease_kind, words, LEASEPAGE_WORD_ARMED);
}

static struct leasepage_facts facts_of(const uint64_t *words)
{
	struct leasepage_facts facts = {
		.armed = words[LEASEPAGE_WORD_ARMED] != 0,
		.reason = (enum leasepage_reason)words[LEASEPAGE_WORD_REASON],
		.epoch = (int64_t)words[LEASEPAGE_WORD_EPOCH],
		.lease_id = (int64_t)words[LEASEPAGE_WORD_LEASE_ID],
		.asked_at_ms = (int64_t)words[LEASEPAGE_WORD_ASKED_AT],
		.ttl_ms = (int64_t)words[LEASEPAGE_WORD_TTL],
		.kill_at_ms = (int64_t)words[LEASEPAGE_WORD_KILL_AT],
		.gate_at_ms = (int64_t)words[LEASEPAGE_WORD_GATE_AT],
		.postmaster_pid = (int64_t)words[LEASEPAGE_WORD_POSTMASTER_PID],
		.postmaster_start_ticks = (int64_t)words[LEASEPAGE_WORD_POSTMASTER_START],
		.agent_pid = (int64_t)words[LEASEPAGE_WORD_AGENT_PID],
		.gate_raw_ms = (int64_t)words[LEASEPAGE_WORD_GATE_RAW],
		.written_at_ms = (int64_t)words[LEASEPAGE_WORD_WRITTEN_AT],
		.data_device = (int64_t)words[LEASEPAGE_WORD_DATA_DEVICE],
		.data_inode = (int64_t)words[LEASEPAGE_WORD_DATA_INODE],
		.proven = words[LEASEPAGE_WORD_PROVEN] != 0,
		.watchdog_mode = (enum leasepage_watchdog)words[LEASEPAGE_WORD_WATCHDOG_MODE],
		.watchdog_margin_s = (int64_t)words[LEASEPAGE_WORD_WATCHDOG_MARGIN],
		.watchdog_testing = words[LEASEPAGE_WORD_WATCHDOG_TESTING] != 0,
	};

	memcpy(facts.watchdog_device, &words[LEASEPAGE_WORD_WATCHDOG_DEVICE],
	       sizeof(facts.watchdog_device));
	facts.watchdog_device[sizeof(facts.watchdog_device) - 1] = '\0';
	return facts;
}

enum leasepage_state leasepage_read(const struct leasepage *page, struct leasepage_facts *ret)
{
	uint64_t words[LEASEPAGE_WORD__MAX];
	enum leasepage_state state = leasepage_load(page, &lease_kind, words);

	if (state == LEASEPAGE_GOOD)
		*ret = facts_of(words);
	return state;
}

const char *leasepage_state_text(enum leasepage_state state)
{
	return (unsigned)state < LEASEPAGE_STATE__MAX ? state_texts[state] : "invalid";
}

const char *leasepage_reason_text(enum leasepage_reason reason)
{
	return (unsigned)reason < LEASEPAGE_REASON__MAX ? reason_texts[reason] : "invalid";
}

/* Reads a small file of /proc whole. */
static int read_proc(const char *path, char *dst, size_t size, struct err *err)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	len = read(fd, dst, size - 1);
	if (len < 0)
		return err_set(err, ERR_IO, "cannot read '%s'", path);
	dst[len] = '\0';
	return 0;
}

int leasepage_clock_of_now(struct leasepage_clock *ret, struct err *err)
{
	char id[BOOT_ID_LEN + 2];
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	struct stat st;

	if (read_proc(PROC_BOOT_ID, id, sizeof(id), err) < 0)
		return err_wrap(err, "learning the boot id");
	if (strcspn(id, "\n") != BOOT_ID_LEN)
		return err_set(err, ERR_PARSE, "'%s' holds no boot id", PROC_BOOT_ID);
	/* FNV-1a. */
	for (int i = 0; i < BOOT_ID_LEN; i++)
		hash = (hash ^ (unsigned char)id[i]) * UINT64_C(0x100000001b3);
	ret->boot_hash = hash;

	/* Kernels before 5.6 have one clock for all. */
	ret->clock_ns = stat(PROC_CLOCK, &st) < 0 ? 0 : (uint64_t)st.st_ino;
	return 0;
}

static bool is_dir_name(const char *s)
{
	return s[0] && !strchr(s, '/') && !str_eq(s, ".") && !str_eq(s, "..");
}

static int make_path(char *dst, size_t size, const char *run_dir, const char *scope,
		     const char *name, const char *file, struct err *err)
{
	if (!is_dir_name(scope) || !is_dir_name(name))
		return err_set(err, ERR_RANGE,
			       "scope '%s' and name '%s' must be usable as directory names", scope,
			       name);
	if (str_printf(dst, size, "%s/%s/%s/%s", run_dir, scope, name, file) < 0)
		return err_set(err, ERR_TOOLONG, "the path of the %s page below '%s'", file,
			       run_dir);
	return 0;
}

/* Makes the last three directories of path: run_dir, scope, name. */
static int make_dirs(const char *path, const char *run_dir, struct err *err)
{
	size_t len = strlen(run_dir);
	char dir[PATH_MAX];

	while (path[len]) {
		str_clip(dir, len + 1, path);
		if (mkdir(dir, 0750) < 0 && errno != EEXIST)
			return err_set(err, ERR_IO, "cannot make directory '%s'", dir);
		len += strcspn(path + len + 1, "/") + 1;
	}
	return 0;
}

/* One writer a page. The lock lives as long as the open file, so it ends with its holder. */
static int lock_page(const struct leasepage *page, const struct leasepage_kind *kind,
		     const char *path, struct err *err)
{
	struct stat held = { 0 };
	struct stat named = { 0 };
	uint64_t pid = 0;

	if (flock(page->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_set(err, ERR_IO, "cannot lock '%s'", path);
		if (pread(page->fd, &pid, sizeof(pid), (off_t)(kind->pid_word * sizeof(pid))) < 0)
			pid = 0;
		return err_set(err, ERR_STATE,
			       "another %s (pid %" PRIu64 ") runs by this name and holds '%s'",
			       kind->writer, pid, path);
	}
	/* Locked, but is it still the file that others find under this name? */
	if (fstat(page->fd, &held) < 0 || stat(path, &named) < 0)
		return err_set(err, ERR_IO, "cannot look at '%s'", path);
	if (held.st_ino != named.st_ino || held.st_dev != named.st_dev)
		return err_set(err, ERR_STATE, "'%s' was replaced while it was being opened", path);
	return 0;
}

static int map_page(struct leasepage *page, const char *path, int protection, struct err *err)
{
	void *p = mmap(NULL, LEASEPAGE_SIZE, protection, MAP_SHARED, page->fd, 0);

	if (p == MAP_FAILED)
		return err_set(err, ERR_IO, "cannot map '%s'", path);
	page->words = p;
	return 0;
}

static int open_writer(struct leasepage *page, const struct leasepage_kind *kind, const char *path,
		       struct err *err)
{
	int r;

	page->writer = true;
	page->agent_pid = getpid();
	page->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (page->fd < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	r = lock_page(page, kind, path, err);
	if (r < 0)
		return r;
	/* Claims the memory now: a full tmpfs would otherwise be a SIGBUS at the first store. */
	errno = posix_fallocate(page->fd, 0, LEASEPAGE_SIZE);
	if (errno != 0)
		return err_set(err, ERR_IO, "no room for '%s'", path);
	return map_page(page, path, PROT_READ | PROT_WRITE, err);
}

static int open_reader(struct leasepage *page, const char *path, struct err *err)
{
	struct stat st = { 0 };

	page->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (page->fd < 0 || fstat(page->fd, &st) < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	/* Mapped bytes behind the end of a file are a SIGBUS. */
	if (st.st_size < LEASEPAGE_SIZE)
		return err_set(err, ERR_STATE, "'%s' is %s", path, state_texts[LEASEPAGE_NO_PAGE]);
	return map_page(page, path, PROT_READ, err);
}

int leasepage_open(struct leasepage *page, const struct leasepage_kind *kind, bool writer,
		   const char *run_dir, const char *scope, const char *name, struct err *err)
{
	_cleanup_(leasepage_done) struct leasepage made = LEASEPAGE_CLOSED;
	char path[PATH_MAX];
	int r;

	r = make_path(path, sizeof(path), run_dir, scope, name, kind->file, err);
	if (r == 0 && writer)
		r = make_dirs(path, run_dir, err);
	if (r == 0)
		r = leasepage_clock_of_now(&made.clock, err);
	if (r == 0)
		r = writer ? open_writer(&made, kind, path, err) : open_reader(&made, path, err);
	if (r < 0)
		return r;

	*page = made;
	made = (struct leasepage)LEASEPAGE_CLOSED;
	return 0;
}

/* Takes over what a predecessor left: an armed page stays armed, since Postgres may still run
 * under the deadline in it. What is not ours or not of this boot gives way to a disarmed page. */
static int adopt_page(struct leasepage *page, struct err *err)
{
	struct leasepage_facts facts = { .reason = LEASEPAGE_NEW };
	enum leasepage_state state;
	uint64_t words[LEASEPAGE_WORD__MAX];

	(void)copy_words(page, words, LEASEPAGE_WORD__MAX);
	state = judge(page, &lease_kind, words);
	if (state == LEASEPAGE_OTHER_VERSION && words[LEASEPAGE_WORD_ARMED] != 0 &&
	    words[LEASEPAGE_WORD_BOOT] == page->clock.boot_hash)
		return err_set(err, ERR_STATE,
			       "the lease page is armed and has version %" PRIu64 " of another "
			       "version of pgha, this one speaks %d: start that one again and "
			       "pause the cluster, or stop that Postgres and remove the file",
			       words[LEASEPAGE_WORD_VERSION], LEASEPAGE_VERSION);
	/* A write that its author's death left unfinished is finished here: each word is either
	 * the old or the new one, both were proven, and this agent replaces them as soon as it
	 * has looked around. */
	if (state == LEASEPAGE_GOOD)
		facts = facts_of(words);
	leasepage_write(page, &facts);
	return 0;
}

int leasepage_open_writer(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct err *err)
{
	_cleanup_(leasepage_done) struct leasepage made = LEASEPAGE_CLOSED;
	int r = leasepage_open(&made, &lease_kind, true, run_dir, scope, name, err);

	if (r == 0)
		r = adopt_page(&made, err);
	if (r < 0)
		return r;

	*page = made;
	made = (struct leasepage)LEASEPAGE_CLOSED;
	return 0;
}

int leasepage_open_reader(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct err *err)
{
	return leasepage_open(page, &lease_kind, false, run_dir, scope, name, err);
}

void leasepage_done(struct leasepage *page)
{
	if (!page)
		return;
	if (page->words)
		(void)munmap((void *)page->words, LEASEPAGE_SIZE);
	closep(&page->fd);
	*page = (struct leasepage)LEASEPAGE_CLOSED;
}

int leasepage_start_ticks(int64_t pid, int64_t *ret_ticks, struct err *err)
{
	char text[1024];
	char path[64];
	char *field;
	int r;

	(void)str_printf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
	r = read_proc(path, text, sizeof(text), err);
	if (r < 0)
		return r;
	/* The second field is the program's name in parentheses and may hold anything, also
	 * blanks and parentheses. The start time is the 20th field behind it. */
	field = strrchr(text, ')');
	for (int i = 0; field && i < 20; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return err_set(err, ERR_PARSE, "'%s' is not as expected", path);
	field[1 + strcspn(field + 1, " \n")] = '\0';
	return parse_int(field + 1, 0, INT64_MAX, ret_ticks, err);
}
