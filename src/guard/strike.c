/* SPDX-License-Identifier: PostgreSQL */
/*
 * strike - kills every process of one Postgres, round by round
 */
#include "guard/strike.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "guard/wake.h"

#define DRAIN_MS      100
#define DRAIN_GAP_MS  50 /* before the gate: the kill itself takes a moment */
#define DRAIN_LOOK_MS 3
#define DRAIN_LOOKS   3

int strike_open(struct strike *strike, struct err *err)
{
	strike_begin(strike);
	return procs_open(&strike->procs, err);
}

void strike_begin(struct strike *strike)
{
	strike->nstruck = 0;
	strike->killed = 0;
	strike->group[0] = '\0';
}

static bool is_postmaster(const struct strike *s, const struct leasepage_facts *facts, size_t i)
{
	return s->procs.items[i].pid == facts->postmaster_pid ||
	       procs_is_parent(&s->procs, &s->procs.items[i]);
}

static void stop_postmasters(struct strike *s, const struct leasepage_facts *facts)
{
	for (size_t i = 0; i < s->procs.n; i++) {
		/* Somebody else's stop is not ours to undo. */
		bool runs = s->procs.items[i].state != 'T' && s->procs.items[i].state != 't';

		s->stopped[i] = runs && is_postmaster(s, facts, i) &&
				procs_signal(&s->procs, &s->procs.items[i], SIGSTOP);
	}
}

static void continue_postmasters(struct strike *s)
{
	for (size_t i = 0; i < s->procs.n; i++) {
		if (s->stopped[i])
			(void)procs_signal(&s->procs, &s->procs.items[i], SIGCONT);
	}
}

static void forget_dead(struct strike *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nstruck; i++) {
		if (procs_lives(&s->procs, &s->struck[i]))
			s->struck[n++] = s->struck[i];
	}
	s->nstruck = n;
}

static bool was_struck(const struct strike *s, const struct proc *proc)
{
	for (size_t i = 0; i < s->nstruck; i++) {
		if (s->struck[i].pid == proc->pid && s->struck[i].start_ticks == proc->start_ticks)
			return true;
	}
	return false;
}

static void kill_one(struct strike *s, const struct proc *proc)
{
	bool again = was_struck(s, proc);

	if (!procs_signal(&s->procs, proc, SIGKILL) || again)
		return;
	s->killed++;
	if (s->nstruck < PROCS_MAX)
		s->struck[s->nstruck++] = *proc;
}

enum victim { VICTIM_BACKEND, VICTIM_SENDER, VICTIM_POSTMASTER };

static enum victim victim_of(const struct strike *s, const struct leasepage_facts *facts, size_t i)
{
	if (is_postmaster(s, facts, i))
		return VICTIM_POSTMASTER;
	return s->procs.items[i].sender ? VICTIM_SENDER : VICTIM_BACKEND;
}

static void kill_all(struct strike *s, const struct leasepage_facts *facts, enum victim which)
{
	for (size_t i = 0; i < s->procs.n; i++) {
		if (victim_of(s, facts, i) == which)
			kill_one(s, &s->procs.items[i]);
	}
}

/* Some walsender is there that may have something to send: it works, waits for a disk, or is in
 * the middle of a handful of both. */
static bool somebody_sends(const struct strike *s, const struct leasepage_facts *facts)
{
	for (size_t i = 0; i < s->procs.n; i++) {
		const struct proc *proc = &s->procs.items[i];

		if (victim_of(s, facts, i) == VICTIM_SENDER && procs_lives(&s->procs, proc) &&
		    !procs_sleeps(&s->procs, proc))
			return true;
	}
	return false;
}

/* What was acknowledged just now is flushed, and the walsenders know; with the backends dead
 * nothing more comes. They have sent it all when they are found asleep again and again. Never up
 * to the gate: from then on Postgres has to be gone. */
static void drain(const struct strike *s, const struct leasepage_facts *facts)
{
	int64_t now = wake_now_ms();
	int64_t until = MIN_OF(now + DRAIN_MS, facts->gate_at_ms - DRAIN_GAP_MS);
	int quiet = 0;

	while (quiet < DRAIN_LOOKS && now < until) {
		quiet = somebody_sends(s, facts) ? 0 : quiet + 1;
		if (quiet < DRAIN_LOOKS)
			(void)poll(NULL, 0, DRAIN_LOOK_MS);
		now = wake_now_ms();
	}
}

static bool has_senders(const struct strike *s, const struct leasepage_facts *facts)
{
	for (size_t i = 0; i < s->procs.n; i++) {
		if (victim_of(s, facts, i) == VICTIM_SENDER)
			return true;
	}
	return false;
}

/* Since Linux 5.14; the proof stays what a look around finds. */
static void kill_group(const struct strike *s)
{
	_cleanup_(closep) int fd = -1;
	char path[sizeof(s->group) + 16];

	if (s->group[0] == '\0')
		return;
	(void)str_printf(path, sizeof(path), "%s/cgroup.kill", s->group);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "1", 1);
}

int strike_round(struct strike *s, const struct leasepage_facts *facts, strike_due_fn due,
		 void *ctx)
{
	int found = procs_find(&s->procs, facts);

	if (found < 0)
		return found;
	forget_dead(s);
	if (found == 0)
		return (int)s->nstruck;
	if (s->group[0] == '\0')
		(void)procs_group(&s->procs, &s->procs.items[0], s->group, sizeof(s->group));
	stop_postmasters(s, facts);
	/* We may have been frozen for any time since the page was read: this is the last look,
	 * and what was done so far can be undone. */
	if (!due(ctx)) {
		continue_postmasters(s);
		return STRIKE_SPARED;
	}
	kill_all(s, facts, VICTIM_BACKEND);
	if (has_senders(s, facts))
		drain(s, facts);
	kill_all(s, facts, VICTIM_SENDER);
	kill_all(s, facts, VICTIM_POSTMASTER);
	kill_group(s);
	return found;
}
