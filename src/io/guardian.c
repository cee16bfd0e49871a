/* SPDX-License-Identifier: PostgreSQL */
/*
 * guardian - the guardian of this member's lease page, as its agent looks after it
 */
#include "io/guardian.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guardpage.h"
#include "base/log.h"
#include "base/str.h"
#include "io/child.h"

#define PROGRAM    "pgha-guard"
#define CHECK_MS   500
#define SLACK_MS   1000 /* the agent wakes more often than that by itself */
#define STARTUP_MS 20   /* between two looks while one is starting */
#define SILENT_MS  1500 /* six beats */
#define RETRY_MS   100  /* doubled with each start that fails */
#define RETRY_MAX  5000

struct guardian {
	struct loop *loop;
	const struct leasepage *lease;
	struct leasepage page; /* the guardian's, open while it is the one of that name */
	int64_t page_inode;
	const char *run_dir;
	const char *scope;
	const char *name;
	guardian_fn fn;
	void *ctx;
	struct loop_source *timer;
	struct loop_source *end;
	int pidfd; /* -1: none is known */
	int64_t pid;
	bool wanted;
	bool watching;
	int64_t retry_ms;
	int64_t next_start_ms;
	bool said_version;
	int64_t said_kill_ms; /* when the killing began that was logged last */
	struct guard_state told;
};

/* ---- what its page says ---- */

/* Another guardian may have made a file of its own under the name, or somebody deleted it. */
static bool has_page(struct guardian *g)
{
	char path[PATH_MAX];
	struct stat st = { 0 };

	if (str_printf(path, sizeof(path), "%s/%s/%s/guard", g->run_dir, g->scope, g->name) < 0 ||
	    lstat(path, &st) < 0 || st.st_size < LEASEPAGE_SIZE) {
		leasepage_done(&g->page);
		return false;
	}
	if (g->page.words && g->page_inode == (int64_t)st.st_ino)
		return true;
	leasepage_done(&g->page);
	g->page_inode = (int64_t)st.st_ino;
	return guardpage_open_reader(&g->page, g->run_dir, g->scope, g->name, NULL) == 0;
}

static bool read_page(struct guardian *g, struct guardpage_facts *ret)
{
	return has_page(g) && guardpage_read(&g->page, ret) == LEASEPAGE_GOOD;
}

/* One of another version holds the page. It watches nothing of ours, and none of ours can begin. */
static void say_version(struct guardian *g)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct guardpage_facts facts;

	if (g->said_version ||
	    guardpage_open_reader(&page, g->run_dir, g->scope, g->name, NULL) < 0 ||
	    guardpage_read(&page, &facts) != LEASEPAGE_OTHER_VERSION)
		return;
	g->said_version = true;
	log_error("a guardian of another version of pgha holds '%s/%s/%s/guard' and cannot watch "
		  "for this one: end it (systemctl restart pgha-guard@..., or kill it); this "
		  "agent watches the term alone until then",
		  g->run_dir, g->scope, g->name);
}

static bool watches_our_page(const struct guardian *g, const struct guardpage_facts *facts)
{
	struct stat st = { 0 };

	return fstat(g->lease->fd, &st) == 0 && (int64_t)st.st_ino == facts->lease_inode;
}

static enum guard_presence presence_of(const struct guardian *g,
				       const struct guardpage_facts *facts)
{
	if (g->pidfd < 0 || facts->pid != g->pid || !watches_our_page(g, facts))
		return g->pidfd < 0 && !g->wanted ? GUARD_OFF : GUARD_STARTING;
	return loop_now_ms() - facts->beat_at_ms > SILENT_MS ? GUARD_SILENT : GUARD_ALIVE;
}

static enum dog_state dog_of(const struct guardian *g, const struct guardpage_facts *facts)
{
	if (g->pidfd < 0 || facts->pid != g->pid)
		return DOG_OFF;
	switch (facts->dog) {
	case GUARDPAGE_DOG_READY:
		return DOG_READY;
	case GUARDPAGE_DOG_ACTIVE:
		return DOG_ACTIVE;
	case GUARDPAGE_DOG_FAILED:
		return DOG_FAILED;
	case GUARDPAGE_DOG_OFF:
		break;
	}
	return DOG_OFF;
}

static void say_kill(struct guardian *g, const struct guardpage_facts *f)
{
	if (f->kill_begun_at_ms == 0 || f->kill_proven_at_ms == 0 ||
	    f->kill_begun_at_ms == g->said_kill_ms)
		return;
	g->said_kill_ms = f->kill_begun_at_ms;
	log_error("the guardian killed Postgres %" PRId64 " s ago: the term of epoch %" PRId64
		  " was not renewed; %" PRId64 " processes, all dead %" PRId64
		  " ms after the deadline",
		  (loop_now_ms() - f->kill_begun_at_ms) / 1000, f->kill_epoch, f->kill_processes,
		  f->kill_proven_at_ms - f->kill_due_at_ms);
}

static bool same_state(const struct guard_state *x, const struct guard_state *y)
{
	return x->presence == y->presence && x->pid == y->pid && x->kills == y->kills &&
	       x->dog == y->dog && x->dog_timeout_s == y->dog_timeout_s &&
	       x->kill_epoch == y->kill_epoch && x->kill_left == y->kill_left &&
	       x->kill_proven_late_ms == y->kill_proven_late_ms;
}

static void say_presence(struct guardian *g, const struct guard_state *now)
{
	if (now->presence == g->told.presence && now->pid == g->told.pid)
		return;
	if (now->presence == GUARD_ALIVE)
		g->said_version = false;
	if (now->presence == GUARD_ALIVE)
		log_notice("guardian %" PRId64 " watches this member: started by %s, memory %s, "
			   "priority %s",
			   now->pid, now->by_agent ? "an agent" : "its unit",
			   now->memory_locked ? "locked" : "not locked",
			   now->realtime ? "realtime" : now->raised ? "raised" : "usual");
	if (now->presence == GUARD_SILENT)
		log_error("guardian %" PRId64 " gives no sign of life: nothing but this agent "
			  "watches the term",
			  now->pid);
}

static void tell(struct guardian *g, const struct guardpage_facts *f)
{
	struct guard_state now = {
		.presence = presence_of(g, f),
		.pid = g->pidfd >= 0 ? g->pid : 0,
		.by_agent = f->by_agent,
		.memory_locked = (f->strengths & GUARDPAGE_LOCKED) != 0,
		.realtime = (f->strengths & GUARDPAGE_REALTIME) != 0,
		.raised = (f->strengths & GUARDPAGE_NICE) != 0,
		.oom_safe = (f->strengths & GUARDPAGE_OOM_SAFE) != 0,
		.dog = dog_of(g, f),
		.dog_timeout_s = f->dog_timeout_s,
		.kills = f->kills,
		.kill_epoch = f->kill_begun_at_ms != 0 ? f->kill_epoch : 0,
		.kill_processes = f->kill_processes,
		.kill_left = f->kill_left,
		.kill_begun_late_ms = f->kill_begun_at_ms - f->kill_due_at_ms,
		.kill_proven_late_ms =
			f->kill_proven_at_ms != 0 ? f->kill_proven_at_ms - f->kill_due_at_ms : -1,
	};

	say_kill(g, f);
	if (same_state(&now, &g->told))
		return;
	say_presence(g, &now);
	g->told = now;
	g->fn(g->ctx, &now);
}

/* ---- its process ---- */

static void let_go(struct guardian *g)
{
	loop_source_freep(&g->end);
	closep(&g->pidfd);
	g->pid = 0;
}

static void check(struct guardian *g);

static void on_end(void *ctx, int fd _unused_, uint32_t ready _unused_)
{
	struct guardian *g = ctx;
	siginfo_t info = { 0 };

	/* One that an earlier agent has started is not our child, and not ours to reap. */
	if (child_pidfd_wait(g->pidfd, &info, WEXITED | WNOHANG) < 0)
		info.si_pid = 0;
	if (g->wanted && info.si_pid != 0 && info.si_code == CLD_EXITED) {
		/* Each of ours ends at once while one of another version is there. */
		if (!g->said_version)
			log_warning("guardian %" PRId64 " ended with exit code %d", g->pid,
				    info.si_status);
		say_version(g);
	} else if (g->wanted) {
		log_warning("guardian %" PRId64 " was killed: this agent watches the term alone "
			    "until the next one does",
			    g->pid);
	}
	let_go(g);
	check(g);
}

static void hold(struct guardian *g, int64_t pid, int pidfd)
{
	struct err err = { 0 };

	g->pid = pid;
	g->pidfd = pidfd;
	if (loop_fd_new(g->loop, "guardian", pidfd, LOOP_READ, on_end, g, &g->end, &err) == 0)
		return;
	log_error("the guardian cannot be watched: %s", err.msg);
	let_go(g);
}

/* The one that runs, if the page tells of one. */
static bool adopt(struct guardian *g, const struct guardpage_facts *facts)
{
	int64_t ticks = 0;
	int pidfd;

	if (facts->pid <= 0 || facts->pid > INT_MAX)
		return false;
	pidfd = child_pidfd_open((pid_t)facts->pid);
	/* Looked at while it is held: a recycled pid has started later. */
	if (pidfd < 0 || leasepage_start_ticks(facts->pid, &ticks, NULL) < 0 ||
	    ticks != facts->start_ticks) {
		closep(&pidfd);
		return false;
	}
	hold(g, facts->pid, pidfd);
	return g->pidfd >= 0;
}

/* Beside our own program, as it was installed or built; else PATH decides. */
static void find_program(char dst[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len > 0) {
		self[len] = '\0';
		slash = strrchr(self, '/');
		if (slash != NULL)
			*slash = '\0';
		if (slash != NULL && str_printf(dst, PATH_MAX, "%s/" PROGRAM, self) >= 0 &&
		    access(dst, X_OK) == 0)
			return;
	}
	(void)str_copy(dst, PATH_MAX, PROGRAM);
}

static int start(struct guardian *g, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
	char program[PATH_MAX], page[PATH_MAX];
	const char *argv[] = { program, "--by-agent", page, NULL };
	const struct child_spec spec = { .name = PROGRAM, .argv = argv, .work_dir = "/" };

	find_program(program);
	if (str_printf(page, sizeof(page), "%s/%s/%s/lease", g->run_dir, g->scope, g->name) < 0)
		return err_set(err, ERR_TOOLONG, "the path of the lease page");
	return child_detach(&spec, STDERR_FILENO, ret_pid, ret_pidfd, err);
}

static void start_one(struct guardian *g)
{
	int64_t now = loop_now_ms();
	struct err err = { 0 };
	int pidfd = -1;
	pid_t pid = 0;

	if (now < g->next_start_ms)
		return;
	g->next_start_ms = now + g->retry_ms;
	g->retry_ms = MIN_OF(2 * g->retry_ms, RETRY_MAX);
	if (start(g, &pid, &pidfd, &err) < 0) {
		log_error("no guardian can be started: %s", err.msg);
		return;
	}
	hold(g, pid, pidfd);
}

static bool arms_device(const struct guardian *g)
{
	struct leasepage_facts lease = { 0 };

	return leasepage_read(g->lease, &lease) == LEASEPAGE_GOOD && lease.armed &&
	       lease.watchdog_mode == LEASEPAGE_WATCHDOG_REQUIRED && g->told.dog != DOG_ACTIVE;
}

static void check(struct guardian *g)
{
	struct guardpage_facts facts = { 0 };
	bool hurry;

	if (!read_page(g, &facts))
		facts = (struct guardpage_facts){ 0 };
	if (g->pidfd < 0 && !adopt(g, &facts) && g->wanted)
		start_one(g);
	tell(g, &facts);
	if (g->told.presence == GUARD_ALIVE)
		g->retry_ms = RETRY_MS;
	/* A device that is being armed holds a promotion up where it is required. */
	hurry = g->told.presence == GUARD_STARTING || arms_device(g);
	loop_timer_within(g->timer, loop_now_ms() + (hurry ? STARTUP_MS : CHECK_MS),
			  hurry ? 0 : SLACK_MS);
}

static void on_timer(void *ctx)
{
	check(ctx);
}

/* ---- life ---- */

/* What belongs to an older term than the page's was told to an agent before us. */
static void skip_old_kill(struct guardian *g)
{
	struct guardpage_facts facts = { 0 };
	struct leasepage_facts lease = { 0 };

	if (read_page(g, &facts) && leasepage_read(g->lease, &lease) == LEASEPAGE_GOOD &&
	    facts.kill_epoch != lease.epoch)
		g->said_kill_ms = facts.kill_begun_at_ms;
}

int guardian_new(struct loop *loop, const struct leasepage *lease, const char *run_dir,
		 const char *scope, const char *name, guardian_fn fn, void *ctx,
		 struct guardian **ret, struct err *err)
{
	struct guardian *g = mem_new(1, sizeof(*g));
	int r;

	g->loop = loop;
	g->lease = lease;
	g->run_dir = run_dir;
	g->scope = scope;
	g->name = name;
	g->fn = fn;
	g->ctx = ctx;
	g->pidfd = -1;
	g->page = (struct leasepage)LEASEPAGE_CLOSED;
	g->retry_ms = RETRY_MS;
	r = loop_timer_new(loop, "guardian", on_timer, g, &g->timer, err);
	if (r < 0) {
		guardian_free(g);
		return r;
	}
	skip_old_kill(g);
	*ret = g;
	return 0;
}

void guardian_want(struct guardian *g, bool wanted)
{
	if (g->watching && g->wanted == wanted)
		return;
	g->watching = true;
	g->wanted = wanted;
	if (!wanted)
		guardian_dismiss(g);
	check(g);
}

void guardian_dismiss(struct guardian *g)
{
	struct guardpage_facts facts = { 0 };

	g->wanted = false;
	if (g->pidfd >= 0 && read_page(g, &facts) && facts.pid == g->pid && facts.by_agent)
		(void)child_pidfd_signal(g->pidfd, SIGTERM);
}

void guardian_anew(struct guardian *g)
{
	struct guardpage_facts facts = { 0 };

	if (g->pidfd >= 0 && read_page(g, &facts) && facts.pid == g->pid && facts.by_agent)
		(void)child_pidfd_signal(g->pidfd, SIGUSR2);
}

void guardian_free(struct guardian *g)
{
	if (g == NULL)
		return;
	loop_source_free(g->timer);
	let_go(g);
	leasepage_done(&g->page);
	free(g);
}
