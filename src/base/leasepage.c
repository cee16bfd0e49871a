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

static void put(struct leasepage *page, enum leasepage_word word, uint64_t value)
{
	atomic_store_explicit(&page->words[word], value, memory_order_relaxed);
}

static uint64_t get(const struct leasepage *page, enum leasepage_word word)
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

static void put_facts(struct leasepage *page, const struct leasepage_facts *facts)
{
	put(page, LEASEPAGE_WORD_ARMED, facts->armed);
	put(page, LEASEPAGE_WORD_REASON, (uint64_t)facts->reason);
	put(page, LEASEPAGE_WORD_EPOCH, (uint64_t)facts->epoch);
	put(page, LEASEPAGE_WORD_LEASE_ID, (uint64_t)facts->lease_id);
	put(page, LEASEPAGE_WORD_ASKED_AT, (uint64_t)facts->asked_at_ms);
	put(page, LEASEPAGE_WORD_TTL, (uint64_t)facts->ttl_ms);
	put(page, LEASEPAGE_WORD_KILL_AT, (uint64_t)facts->kill_at_ms);
	put(page, LEASEPAGE_WORD_GATE_AT, (uint64_t)facts->gate_at_ms);
	put(page, LEASEPAGE_WORD_POSTMASTER_PID, (uint64_t)facts->postmaster_pid);
	put(page, LEASEPAGE_WORD_POSTMASTER_START, (uint64_t)facts->postmaster_start_ticks);
	put(page, LEASEPAGE_WORD_AGENT_PID, (uint64_t)page->agent_pid);
	put(page, LEASEPAGE_WORD_GATE_RAW, (uint64_t)facts->gate_raw_ms);
	put(page, LEASEPAGE_WORD_WRITTEN_AT, (uint64_t)facts->written_at_ms);
	put(page, LEASEPAGE_WORD_DATA_DEVICE, (uint64_t)facts->data_device);
	put(page, LEASEPAGE_WORD_DATA_INODE, (uint64_t)facts->data_inode);
	put(page, LEASEPAGE_WORD_PROVEN, facts->proven);
}

void leasepage_write(struct leasepage *page, const struct leasepage_facts *facts)
{
	uint64_t odd;

	assert(page->writer);
	odd = write_begin(page);
	put_facts(page, facts);
	write_end(page, odd);
}

static enum leasepage_state judge(const struct leasepage *page, const uint64_t *words)
{
	if (words[LEASEPAGE_WORD_MAGIC] != LEASEPAGE_MAGIC)
		return LEASEPAGE_NO_PAGE;
	if (words[LEASEPAGE_WORD_VERSION] != LEASEPAGE_VERSION ||
	    words[LEASEPAGE_WORD_SIZE] != LEASEPAGE_SIZE)
		return LEASEPAGE_OTHER_VERSION;
	if (words[LEASEPAGE_WORD_BOOT] != page->clock.boot_hash)
		return LEASEPAGE_OTHER_BOOT;
	if (words[LEASEPAGE_WORD_CLOCK] != page->clock.clock_ns)
		return LEASEPAGE_OTHER_CLOCK;
	return LEASEPAGE_GOOD;
}

/* A copy of all words; false when the agent was writing meanwhile. */
static bool copy_words(const struct leasepage *page, uint64_t *words)
{
	uint64_t before;

	before = atomic_load_explicit(&page->words[LEASEPAGE_WORD_SEQUENCE], memory_order_acquire);
	for (int i = 0; i < LEASEPAGE_WORD__MAX; i++)
		words[i] = get(page, (enum leasepage_word)i);
	/* Every word was read before the sequence is looked at again. */
	atomic_thread_fence(memory_order_acquire);
	return before % 2 == 0 && get(page, LEASEPAGE_WORD_SEQUENCE) == before;
}

static struct leasepage_facts facts_of(const uint64_t *words)
{
	return (struct leasepage_facts){
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
	};
}

enum leasepage_state leasepage_read(const struct leasepage *page, struct leasepage_facts *ret)
{
	uint64_t words[LEASEPAGE_WORD__MAX];
	enum leasepage_state state = LEASEPAGE_TORN;

	for (int i = 0; i < LEASEPAGE_TRIES; i++) {
		bool whole = copy_words(page, words);

		state = judge(page, words);
		if (state == LEASEPAGE_GOOD && whole) {
			*ret = facts_of(words);
			return state;
		}
		if (state != LEASEPAGE_GOOD)
			return state;
		/* The writer may need this very processor to finish. */
		(void)sched_yield();
	}
	return LEASEPAGE_TORN;
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
		     const char *name, struct err *err)
{
	if (!is_dir_name(scope) || !is_dir_name(name))
		return err_set(err, ERR_RANGE,
			       "scope '%s' and name '%s' must be usable as directory names", scope,
			       name);
	if (str_printf(dst, size, "%s/%s/%s/lease", run_dir, scope, name) < 0)
		return err_set(err, ERR_TOOLONG, "the lease page's path below '%s'", run_dir);
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

/* One agent a page. The lock lives as long as the open file, so it ends with its holder. */
static int lock_page(const struct leasepage *page, const char *path, struct err *err)
{
	struct stat held = { 0 };
	struct stat named = { 0 };
	uint64_t pid = 0;

	if (flock(page->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_set(err, ERR_IO, "cannot lock '%s'", path);
		if (pread(page->fd, &pid, sizeof(pid), LEASEPAGE_WORD_AGENT_PID * sizeof(pid)) < 0)
			pid = 0;
		return err_set(err, ERR_STATE,
			       "another agent (pid %" PRIu64 ") runs by this name and holds '%s'",
			       pid, path);
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

/* Puts an empty, disarmed page in place of what is not ours or not of this boot. */
static void reset_page(struct leasepage *page)
{
	const struct leasepage_facts nothing = { .reason = LEASEPAGE_NEW };
	uint64_t odd = write_begin(page);

	put(page, LEASEPAGE_WORD_MAGIC, LEASEPAGE_MAGIC);
	put(page, LEASEPAGE_WORD_VERSION, LEASEPAGE_VERSION);
	put(page, LEASEPAGE_WORD_SIZE, LEASEPAGE_SIZE);
	put(page, LEASEPAGE_WORD_BOOT, page->clock.boot_hash);
	put(page, LEASEPAGE_WORD_CLOCK, page->clock.clock_ns);
	put_facts(page, &nothing);
	write_end(page, odd);
}

/* Takes over what a predecessor left: an armed page stays armed, since Postgres may still run
 * under the deadline in it. */
static int adopt_page(struct leasepage *page, const char *path, struct err *err)
{
	struct leasepage_facts facts;
	enum leasepage_state state;
	uint64_t words[LEASEPAGE_WORD__MAX];

	(void)copy_words(page, words);
	state = judge(page, words);
	facts = facts_of(words);
	if (state == LEASEPAGE_OTHER_VERSION && facts.armed &&
	    words[LEASEPAGE_WORD_BOOT] == page->clock.boot_hash)
		return err_set(err, ERR_STATE,
			       "'%s' was left armed by another version of pgha: stop that "
			       "Postgres, then remove the file",
			       path);
	/* A write that its author's death left unfinished is finished here: each word is either
	 * the old or the new one, both were proven, and this agent replaces them as soon as it
	 * has looked around. */
	if (state == LEASEPAGE_GOOD)
		leasepage_write(page, &facts);
	else
		reset_page(page);
	return 0;
}

static int open_locked(struct leasepage *page, const char *path, struct err *err)
{
	int r;

	page->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (page->fd < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	r = lock_page(page, path, err);
	if (r < 0)
		return r;
	/* Claims the memory now: a full tmpfs would otherwise be a SIGBUS at the first store. */
	errno = posix_fallocate(page->fd, 0, LEASEPAGE_SIZE);
	if (errno != 0)
		return err_set(err, ERR_IO, "no room for '%s'", path);
	r = map_page(page, path, PROT_READ | PROT_WRITE, err);
	if (r < 0)
		return r;
	return adopt_page(page, path, err);
}

int leasepage_open_writer(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct err *err)
{
	_cleanup_(leasepage_done) struct leasepage made = LEASEPAGE_CLOSED;
	char path[PATH_MAX];
	int r;

	r = make_path(path, sizeof(path), run_dir, scope, name, err);
	if (r < 0)
		return r;
	r = make_dirs(path, run_dir, err);
	if (r < 0)
		return r;
	r = leasepage_clock_of_now(&made.clock, err);
	if (r < 0)
		return r;
	made.writer = true;
	made.agent_pid = getpid();
	r = open_locked(&made, path, err);
	if (r < 0)
		return r;

	*page = made;
	made = (struct leasepage)LEASEPAGE_CLOSED;
	return 0;
}

int leasepage_open_reader(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct err *err)
{
	_cleanup_(leasepage_done) struct leasepage made = LEASEPAGE_CLOSED;
	char path[PATH_MAX];
	struct stat st = { 0 };
	int r;

	r = make_path(path, sizeof(path), run_dir, scope, name, err);
	if (r < 0)
		return r;
	r = leasepage_clock_of_now(&made.clock, err);
	if (r < 0)
		return r;
	made.fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (made.fd < 0 || fstat(made.fd, &st) < 0)
		return err_set(err, ERR_IO, "cannot open '%s'", path);
	/* Mapped bytes behind the end of a file are a SIGBUS. */
	if (st.st_size < LEASEPAGE_SIZE)
		return err_set(err, ERR_STATE, "'%s' is %s", path, state_texts[LEASEPAGE_NO_PAGE]);
	r = map_page(&made, path, PROT_READ, err);
	if (r < 0)
		return r;

	*page = made;
	made = (struct leasepage)LEASEPAGE_CLOSED;
	return 0;
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
