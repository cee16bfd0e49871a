/* SPDX-License-Identifier: PostgreSQL */
/*
 * guard - the guardian of one lease page
 */
#include "guard/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guardpage.h"
#include "base/str.h"
#include "guard/dog.h"
#include "guard/ready.h"
#include "guard/say.h"
#include "guard/self.h"
#include "guard/strike.h"
#include "guard/wake.h"
#include "guard/watch.h"

#define ROUND_MS      2   /* between two rounds of killing */
#define ROUND_SLOW_MS 50  /* when it takes longer than ROUND_LONG_MS: a stalled disk */
#define ROUND_LONG_MS 500
#define EMPTY_LOOKS   2   /* in a row prove that nothing is left */
#define GONE_MS       1000

struct guard {
	char run_dir[PATH_MAX];
	char scope[256];
	char name[256];
	char path[PATH_MAX + 600]; /* of the lease page */
	struct say say;
	struct leasepage lease;
	struct leasepage own;
	struct guardpage_facts facts; /* of our own page */
	struct watch watch;
	struct strike strike;
	struct dog dog;
	enum leasepage_state lease_state;
	bool fresh; /* the lease page is another file than the one that was believed */
	int64_t gone_since_ms;
	int timer_fd;
	int signal_fd;
	bool ending;
	bool renewing; /* a newer program is to go on with it */
	bool killing; /* the episode in facts.kill_* is not proven yet */
	int empty_looks;
	int64_t next_ms;
};

/* ---- start ---- */

/* <run_dir>/<scope>/<name>/lease */
static int split_path(struct guard *g, const char *path, struct err *err)
{
	const char *slash[3] = { NULL };
	size_t len = strlen(path);

	for (int i = 0; i < 3; i++) {
		while (len > 0 && path[len - 1] != '/')
			len--;
		if (len <= 1)
			return err_set(err, ERR_RANGE, "'%s' is not DIR/SCOPE/NAME/lease", path);
		slash[i] = path + --len;
	}
	if (!str_eq(slash[0], "/lease") ||
	    str_printf(g->run_dir, sizeof(g->run_dir), "%.*s", (int)len, path) < 0 ||
	    str_printf(g->scope, sizeof(g->scope), "%.*s", (int)(slash[1] - slash[2] - 1),
		       slash[2] + 1) < 0 ||
	    str_printf(g->name, sizeof(g->name), "%.*s", (int)(slash[0] - slash[1] - 1),
		       slash[1] + 1) < 0)
		return err_set(err, ERR_RANGE, "'%s' is not DIR/SCOPE/NAME/lease", path);
	return 0;
}

static int find_place(struct guard *g, const char *place, struct err *err)
{
	char path[sizeof(g->path)];
	int r;

	r = place[0] == '/' ? str_copy(path, sizeof(path), place) :
			      str_printf(path, sizeof(path), "%s/%s/lease", GUARD_RUN_DIR, place);
	if (r >= 0)
		r = split_path(g, path, err);
	else
		r = err_set(err, ERR_RANGE, "'%s' is too long", place);
	if (r < 0)
		return r;
	(void)str_copy(g->path, sizeof(g->path), path);
	return 0;
}

static int catch_signals(struct guard *g, struct err *err)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGUSR2);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(err, ERR_IO, "cannot block signals");
	(void)signal(SIGPIPE, SIG_IGN);
	g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return g->signal_fd < 0 ? err_set(err, ERR_IO, "cannot take signals") : 0;
}

/* What a predecessor killed is still news for the next agent. */
static void keep_last(struct guard *g, const struct guardpage_facts *last)
{
	g->facts = *last;
	g->facts.kills = 0;
	g->killing = last->kill_begun_at_ms != 0 && last->kill_proven_at_ms == 0;
}

static int open_all(struct guard *g, struct err *err)
{
	struct guardpage_facts last = { 0 };
	int r = guardpage_open_writer(&g->own, g->run_dir, g->scope, g->name, &last, err);

	if (r == 0)
		r = strike_open(&g->strike, err);
	if (r == 0)
		r = wake_timer(&g->timer_fd, err);
	if (r == 0)
		r = catch_signals(g, err);
	if (r < 0)
		return r;
	keep_last(g, &last);
	g->facts.pid = getpid();
	r = leasepage_start_ticks(g->facts.pid, &g->facts.start_ticks, err);
	return r;
}

int guard_new(const char *place, bool by_agent, struct guard **ret, struct err *err)
{
	struct guard *g = mem_new(1, sizeof(*g));
	char label[sizeof(g->say.name)];
	int r;

	g->lease = (struct leasepage)LEASEPAGE_CLOSED;
	g->own = (struct leasepage)LEASEPAGE_CLOSED;
	g->timer_fd = -1;
	g->signal_fd = -1;
	g->strike.procs.dir_fd = -1;
	g->dog = (struct dog)DOG_CLOSED;
	r = find_place(g, place, err);
	if (r == 0)
		r = open_all(g, err);
	if (r < 0) {
		guard_free(g);
		return r;
	}
	g->facts.by_agent = by_agent;
	if (str_printf(label, sizeof(label), "%s/%s", g->scope, g->name) < 0)
		str_clip(label, sizeof(label), g->scope);
	say_init(&g->say, label);
	*ret = g;
	return 0;
}

void guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	leasepage_done(&g->lease);
	leasepage_done(&g->own);
	closep(&g->timer_fd);
	closep(&g->signal_fd);
	closep(&g->strike.procs.dir_fd);
	closep(&g->dog.fd);
	free(g);
}

/* ---- the lease page ---- */

/* Follows the name: an agent may have made the file anew. */
static void follow_page(struct guard *g, int64_t now)
{
	struct leasepage next = LEASEPAGE_CLOSED;
	struct stat st = { 0 };

	if (stat(g->path, &st) < 0) {
		if (errno == ENOENT && g->gone_since_ms == 0)
			g->gone_since_ms = now;
		return;
	}
	g->gone_since_ms = 0;
	if (g->lease.words != NULL && (int64_t)st.st_ino == g->facts.lease_inode)
		return;
	if (leasepage_open_reader(&next, g->run_dir, g->scope, g->name, NULL) < 0)
		return; /* half made; the next look finds it whole */
	if (fstat(next.fd, &st) < 0) {
		leasepage_done(&next);
		return;
	}
	leasepage_done(&g->lease);
	g->lease = next;
	g->fresh = g->facts.lease_inode != 0;
	g->facts.lease_inode = (int64_t)st.st_ino;
	say_line(&g->say, SAY_INFO, "watches '%s'", g->path);
}

static enum watch_verdict look(struct guard *g)
{
	struct leasepage_facts facts = { 0 };
	enum leasepage_state state = LEASEPAGE_NO_PAGE;

	if (g->lease.words != NULL)
		state = leasepage_read(&g->lease, &facts);
	if (state != g->lease_state && g->lease.words != NULL && state != LEASEPAGE_GOOD)
		say_line(&g->say, SAY_WARNING,
			 "the lease page is %s: what it said before stands",
			 leasepage_state_text(state));
	g->lease_state = state;
	if (state == LEASEPAGE_GOOD && facts.reason != LEASEPAGE_NEW)
		g->fresh = false;
	return watch_look(&g->watch, state, &facts, g->fresh, wake_now_ms());
}

static bool still_due(void *ctx)
{
	return look(ctx) == WATCH_DUE;
}

/* ---- killing ---- */

static void begin_kill(struct guard *g, int64_t now)
{
	const struct leasepage_facts *page = &g->watch.facts;

	strike_begin(&g->strike);
	g->killing = true;
	g->facts.kills++;
	g->facts.kill_epoch = page->epoch;
	g->facts.kill_due_at_ms = page->kill_at_ms;
	g->facts.kill_begun_at_ms = now;
	g->facts.kill_postmaster_pid = page->postmaster_pid;
	g->facts.kill_processes = 0;
	g->facts.kill_proven_at_ms = 0;
}

static void say_begun(struct guard *g, int found)
{
	say_line(&g->say, SAY_ERROR,
		 "the term of epoch %" PRId64 " was not renewed in time by agent %" PRId64
		 ": killing %d processes of postmaster %" PRId64 ", %" PRId64
		 " ms after the deadline",
		 g->facts.kill_epoch, g->watch.facts.agent_pid, found,
		 g->facts.kill_postmaster_pid,
		 g->facts.kill_begun_at_ms - g->facts.kill_due_at_ms);
}

static void prove(struct guard *g, int64_t now)
{
	g->killing = false;
	g->facts.kill_proven_at_ms = now;
	g->facts.kill_left = 0;
	say_line(&g->say, SAY_ERROR,
		 "no process of Postgres is left: %" PRId64 " killed, %" PRId64
		 " ms after the deadline",
		 g->facts.kill_processes, now - g->facts.kill_due_at_ms);
}

/* What came of a round: when to look again. */
static int64_t after_round(struct guard *g, int left, int64_t now)
{
	int64_t long_after = g->facts.kill_begun_at_ms + ROUND_LONG_MS;

	g->facts.kill_left = left;
	if (left > 0) {
		g->empty_looks = 0;
		g->facts.state = GUARDPAGE_KILLING;
		return now + (now < long_after ? ROUND_MS : ROUND_SLOW_MS);
	}
	if (++g->empty_looks < EMPTY_LOOKS)
		return now + ROUND_MS;
	if (g->killing)
		prove(g, now);
	g->facts.state = GUARDPAGE_FENCED;
	return watch_next_ms(&g->watch, now);
}

static int64_t strike(struct guard *g)
{
	bool fresh = !g->killing;
	int left;

	if (fresh) {
		struct guardpage_facts before = g->facts;

		begin_kill(g, wake_now_ms());
		left = strike_round(&g->strike, &g->watch.facts, still_due, g);
		if (left <= 0 || left == STRIKE_SPARED) {
			/* Nothing was there to kill, or it was not to be killed. */
			g->killing = false;
			g->facts = before;
		} else {
			say_begun(g, left);
		}
	} else {
		left = strike_round(&g->strike, &g->watch.facts, still_due, g);
	}
	if (left == STRIKE_SPARED) {
		say_line(&g->say, SAY_NOTICE, "the term was renewed at the last moment");
		return wake_now_ms();
	}
	if (g->killing)
		g->facts.kill_processes = g->strike.killed;
	return after_round(g, MAX_OF(left, -1) < 0 ? 1 : left, wake_now_ms());
}

/* ---- the loop ---- */

static void say_change(struct guard *g, enum guardpage_state was)
{
	const struct leasepage_facts *page = &g->watch.facts;

	if (g->facts.state == was)
		return;
	if (g->facts.state == GUARDPAGE_ARMED)
		say_line(&g->say, SAY_NOTICE,
			 "armed: epoch %" PRId64 ", postmaster %" PRId64 ", term %" PRId64 " ms",
			 page->epoch, page->postmaster_pid, page->ttl_ms);
	if (g->facts.state == GUARDPAGE_DISARMED)
		say_line(&g->say, SAY_NOTICE, "disarmed: %s", leasepage_reason_text(page->reason));
}

static void turn(struct guard *g)
{
	enum guardpage_state was = g->facts.state;
	int64_t now = wake_now_ms();
	enum watch_verdict verdict;

	follow_page(g, now);
	verdict = look(g);
	now = wake_now_ms();
	g->next_ms = watch_next_ms(&g->watch, now);
	switch (verdict) {
	case WATCH_WAITING:
		g->facts.state = GUARDPAGE_WAITING;
		break;
	case WATCH_DISARMED:
		g->facts.state = GUARDPAGE_DISARMED;
		break;
	case WATCH_ARMED:
		g->facts.state = GUARDPAGE_ARMED;
		break;
	case WATCH_DUE:
		g->next_ms = strike(g);
		break;
	case WATCH__MAX:
		break;
	}
	if (verdict != WATCH_DUE) {
		/* Whoever renewed or disarmed it has looked after what was left. */
		g->killing = false;
		g->empty_looks = 0;
	}
	dog_turn(&g->dog, &g->watch, verdict, g->facts.state == GUARDPAGE_FENCED, wake_now_ms(),
		 &g->say);
	g->facts.dog = g->dog.state;
	g->facts.dog_timeout_s = g->dog.timeout_s;
	g->facts.dog_petted_at_ms = g->dog.petted_at_ms;
	say_change(g, was);
	g->facts.epoch = g->watch.facts.epoch;
	g->facts.kill_at_ms = g->watch.facts.armed ? g->watch.facts.kill_at_ms : 0;
	g->facts.beat_at_ms = wake_now_ms();
	guardpage_write(&g->own, &g->facts);
}

static void take_signals(struct guard *g)
{
	struct signalfd_siginfo info;

	while (read(g->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR2)
			g->renewing = true;
		if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGUSR2 || g->ending)
			continue;
		g->ending = true;
		say_line(&g->say, SAY_NOTICE, "asked to end%s",
			 g->facts.state == GUARDPAGE_ARMED || g->facts.state == GUARDPAGE_KILLING ?
				 ": stays until the page is disarmed" :
				 "");
	}
}

static bool may_end(const struct guard *g, int64_t now)
{
	bool needed = g->facts.state == GUARDPAGE_ARMED || g->facts.state == GUARDPAGE_KILLING;
	bool gone = g->gone_since_ms != 0 && now - g->gone_since_ms >= GONE_MS;

	return !needed && (g->ending || (gone && g->facts.by_agent));
}

/* The next program knows what is on the two pages and no more: not while this one kills, nor while
 * it stands by what it has read before. */
static bool may_renew(struct guard *g)
{
	bool stands_by = g->fresh || (g->watch.known && g->lease_state != LEASEPAGE_GOOD);

	if (!g->renewing || g->killing || stands_by)
		return false;
	g->renewing = false;
	say_line(&g->say, SAY_NOTICE, "executes the program that is installed now");
	return true;
}

static void begin(struct guard *g)
{
	g->facts.strengths = self_strengthen();
	say_line(&g->say, SAY_NOTICE, "begins: pid %" PRId64 ", memory %s, priority %s, %s",
		 g->facts.pid, g->facts.strengths & GUARDPAGE_LOCKED ? "locked" : "not locked",
		 g->facts.strengths & GUARDPAGE_REALTIME ? "realtime" :
		 g->facts.strengths & GUARDPAGE_NICE	 ? "raised" :
							   "usual",
		 g->facts.strengths & GUARDPAGE_OOM_SAFE ? "safe from the OOM killer" :
							   "not safe from the OOM killer");
}

int guard_run(struct guard *g)
{
	uint64_t expired;

	begin(g);
	turn(g);
	ready_tell();
	while (!may_end(g, wake_now_ms())) {
		struct pollfd fds[2] = { { .fd = g->timer_fd, .events = POLLIN },
					 { .fd = g->signal_fd, .events = POLLIN } };

		wake_at(g->timer_fd, g->next_ms);
		(void)poll(fds, 2, -1);
		(void)!read(g->timer_fd, &expired, sizeof(expired));
		take_signals(g);
		turn(g);
		if (may_renew(g))
			return GUARD_ANEW;
	}
	dog_release(&g->dog, &g->say);
	say_line(&g->say, SAY_NOTICE, "ends");
	return 0;
}
