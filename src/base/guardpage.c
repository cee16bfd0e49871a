/* SPDX-License-Identifier: PostgreSQL */
/*
 * guardpage - what the guardian says about itself and about what it killed
 */
#include "base/guardpage.h"

#define MAGIC UINT64_C(0x6472677561686770) /* "pghaugrd" as bytes, on a little-endian machine */

/* Append only. */
enum word {
	WORD_FIRST = LEASEPAGE_WORD_CLOCK + 1,
	WORD_PID = WORD_FIRST,
	WORD_START,
	WORD_BY_AGENT,
	WORD_STATE,
	WORD_STRENGTHS,
	WORD_BEAT_AT,
	WORD_LEASE_INODE,
	WORD_EPOCH,
	WORD_KILL_AT,
	WORD_KILLS,
	WORD_KILL_EPOCH,
	WORD_KILL_BEGUN,
	WORD_KILL_DUE,
	WORD_KILL_POSTMASTER,
	WORD_KILL_PROCESSES,
	WORD_KILL_LEFT,
	WORD_KILL_PROVEN,
	WORD_DOG,
	WORD_DOG_TIMEOUT,
	WORD_DOG_PETTED,
	WORD__MAX
};

static const struct leasepage_kind guard_kind = {
	.file = "guard",
	.writer = "guardian",
	.magic = MAGIC,
	.version = GUARDPAGE_VERSION,
	.nwords = WORD__MAX,
	.pid_word = WORD_PID,
};

static const char *const state_texts[GUARDPAGE_STATE__MAX] = {
#define X(n, t) [GUARDPAGE_##n] = t,
	GUARDPAGE_STATES(X)
#undef X
};

void guardpage_write(struct leasepage *page, const struct guardpage_facts *facts)
{
	const uint64_t words[WORD__MAX] = {
		[WORD_PID] = (uint64_t)facts->pid,
		[WORD_START] = (uint64_t)facts->start_ticks,
		[WORD_BY_AGENT] = (uint64_t)facts->by_agent,
		[WORD_STATE] = (uint64_t)facts->state,
		[WORD_STRENGTHS] = (uint64_t)facts->strengths,
		[WORD_BEAT_AT] = (uint64_t)facts->beat_at_ms,
		[WORD_LEASE_INODE] = (uint64_t)facts->lease_inode,
		[WORD_EPOCH] = (uint64_t)facts->epoch,
		[WORD_KILL_AT] = (uint64_t)facts->kill_at_ms,
		[WORD_KILLS] = (uint64_t)facts->kills,
		[WORD_KILL_EPOCH] = (uint64_t)facts->kill_epoch,
		[WORD_KILL_BEGUN] = (uint64_t)facts->kill_begun_at_ms,
		[WORD_KILL_DUE] = (uint64_t)facts->kill_due_at_ms,
		[WORD_KILL_POSTMASTER] = (uint64_t)facts->kill_postmaster_pid,
		[WORD_KILL_PROCESSES] = (uint64_t)facts->kill_processes,
		[WORD_KILL_LEFT] = (uint64_t)facts->kill_left,
		[WORD_KILL_PROVEN] = (uint64_t)facts->kill_proven_at_ms,
		[WORD_DOG] = (uint64_t)facts->dog,
		[WORD_DOG_TIMEOUT] = (uint64_t)facts->dog_timeout_s,
		[WORD_DOG_PETTED] = (uint64_t)facts->dog_petted_at_ms,
	};

	leasepage_store(page, &guard_kind, words, WORD_FIRST);
}

enum leasepage_state guardpage_read(const struct leasepage *page, struct guardpage_facts *ret)
{
	uint64_t words[WORD__MAX];
	enum leasepage_state state = leasepage_load(page, &guard_kind, words);

	if (state != LEASEPAGE_GOOD)
		return state;
	*ret = (struct guardpage_facts){
		.pid = (int64_t)words[WORD_PID],
		.start_ticks = (int64_t)words[WORD_START],
		.by_agent = words[WORD_BY_AGENT] != 0,
		.state = (enum guardpage_state)words[WORD_STATE],
		.strengths = (uint32_t)words[WORD_STRENGTHS],
		.beat_at_ms = (int64_t)words[WORD_BEAT_AT],
		.lease_inode = (int64_t)words[WORD_LEASE_INODE],
		.epoch = (int64_t)words[WORD_EPOCH],
		.kill_at_ms = (int64_t)words[WORD_KILL_AT],
		.kills = (int64_t)words[WORD_KILLS],
		.kill_epoch = (int64_t)words[WORD_KILL_EPOCH],
		.kill_begun_at_ms = (int64_t)words[WORD_KILL_BEGUN],
		.kill_due_at_ms = (int64_t)words[WORD_KILL_DUE],
		.kill_postmaster_pid = (int64_t)words[WORD_KILL_POSTMASTER],
		.kill_processes = (int64_t)words[WORD_KILL_PROCESSES],
		.kill_left = (int64_t)words[WORD_KILL_LEFT],
		.kill_proven_at_ms = (int64_t)words[WORD_KILL_PROVEN],
		.dog = (enum guardpage_dog)words[WORD_DOG],
		.dog_timeout_s = (int64_t)words[WORD_DOG_TIMEOUT],
		.dog_petted_at_ms = (int64_t)words[WORD_DOG_PETTED],
	};
	return state;
}

int guardpage_open_writer(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct guardpage_facts *ret_last, struct err *err)
{
	struct guardpage_facts last = { 0 };
	int r = leasepage_open(page, &guard_kind, true, run_dir, scope, name, err);

	if (r < 0)
		return r;
	if (guardpage_read(page, &last) != LEASEPAGE_GOOD)
		last = (struct guardpage_facts){ 0 };
	*ret_last = last;
	return 0;
}

int guardpage_open_reader(struct leasepage *page, const char *run_dir, const char *scope,
			  const char *name, struct err *err)
{
	return leasepage_open(page, &guard_kind, false, run_dir, scope, name, err);
}

const char *guardpage_state_text(enum guardpage_state state)
{
	return (unsigned)state < GUARDPAGE_STATE__MAX ? state_texts[state] : "invalid";
}
