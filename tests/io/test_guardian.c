/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_guardian - the agent looks after its guardian: starts, adopts, replaces and names it
 *
 * As root it also looks at what a guardian that is permitted everything takes.
 */
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guardpage.h"
#include "base/log.h"
#include "io/guardian.h"
#include "io/loop.h"
#include "rig.h"

#define AT_ONCE_MS 2000 /* on a machine that has other things to do */

static struct loop *loop;
static struct leasepage page;
static struct guardian *guardian;
static struct guard_state seen;
static char said[64 * 1024];

static void on_state(void *ctx _unused_, const struct guard_state *state)
{
	seen = *state;
}

static void keep_line(void *ctx _unused_, const struct log_line *line)
{
	size_t len = strlen(said);

	(void)str_printf(said + len, sizeof(said) - len, "%s: %s\n", log_level_name(line->level),
			 line->text);
}

static int times_said(const char *text)
{
	int n = 0;

	for (const char *at = strstr(said, text); at != NULL; at = strstr(at + 1, text))
		n++;
	return n;
}

static void run_ms(int64_t ms)
{
	int64_t until_ms = loop_now_ms() + ms;

	while (loop_now_ms() < until_ms)
		(void)loop_step(loop, 20);
}

static void until_presence(enum guard_presence presence)
{
	int64_t until_ms = loop_now_ms() + 20000;

	while (seen.presence != presence) {
		CHECK(loop_now_ms() < until_ms, "presence %d instead of %d\n%s", seen.presence,
		      presence, said);
		(void)loop_step(loop, 20);
	}
}

static void disarm(enum leasepage_reason reason)
{
	leasepage_write(&page, &(struct leasepage_facts){ .reason = reason, .proven = true });
}

static void open_page(void)
{
	struct err err = { 0 };

	CHECK(leasepage_open_writer(&page, rig_dir(), "test", "one", &err) == 0, "%s", err.msg);
	disarm(LEASEPAGE_REPLICA);
}

/* As if an agent began. */
static void begin(void)
{
	struct err err = { 0 };

	said[0] = '\0';
	seen = (struct guard_state){ 0 };
	CHECK(guardian_new(loop, &page, rig_dir(), "test", "one", on_state, NULL, &guardian,
			   &err) == 0, "%s", err.msg);
	guardian_want(guardian, true);
}

static bool lives(int64_t pid)
{
	char path[64], line[256] = "";
	FILE *f;

	str_printf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	CHECK(fgets(line, sizeof(line), f) != NULL);
	fclose(f);
	return strstr(line, ") Z") == NULL;
}

/* Of a test that failed. */
static void take_down(void)
{
	if (guardian != NULL && seen.pid > 0 && seen.pid != getpid())
		(void)kill((pid_t)seen.pid, SIGKILL);
}

/* Ends what is left of the test before. */
static void end(void)
{
	int64_t pid = seen.pid;
	int64_t until_ms = loop_now_ms() + 10000;

	guardian_dismiss(guardian);
	while (pid != 0 && lives(pid)) {
		CHECK(loop_now_ms() < until_ms, "guardian %d does not end", (int)pid);
		run_ms(20);
	}
	guardian_free(TAKE(guardian));
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void another_is_started_at_once_when_it_dies(void)
{
	int64_t first, killed_at_ms;

	begin();
	until_presence(GUARD_ALIVE);
	CHECK(seen.by_agent && seen.pid > 0);
	first = seen.pid;
	killed_at_ms = loop_now_ms();
	CHECK(kill((pid_t)first, SIGKILL) == 0);
	while (seen.presence != GUARD_ALIVE || seen.pid == first) {
		CHECK(loop_now_ms() < killed_at_ms + AT_ONCE_MS, "%s", said);
		(void)loop_step(loop, 5);
	}
	printf("   the next one watches after %d ms\n", (int)(loop_now_ms() - killed_at_ms));
	CHECK(times_said("was killed: this agent watches the term alone") == 1, "%s", said);
	end();
}

static void the_next_agent_adopts_it(void)
{
	int64_t pid;

	begin();
	until_presence(GUARD_ALIVE);
	pid = seen.pid;
	guardian_free(TAKE(guardian)); /* the agent was killed */
	begin();
	until_presence(GUARD_ALIVE);
	CHECK(seen.pid == pid && lives(pid));
	end();
	CHECK(!lives(pid), "nobody's guardian stays behind");
}

static void one_that_is_frozen_is_told_and_not_replaced(void)
{
	int64_t pid;

	begin();
	until_presence(GUARD_ALIVE);
	pid = seen.pid;
	CHECK(kill((pid_t)pid, SIGSTOP) == 0);
	until_presence(GUARD_SILENT);
	CHECK(times_said("gives no sign of life") == 1, "%s", said);
	CHECK(kill((pid_t)pid, SIGCONT) == 0);
	until_presence(GUARD_ALIVE);
	CHECK(seen.pid == pid);
	end();
}

static void one_of_another_version_is_named(void)
{
	struct leasepage other = LEASEPAGE_CLOSED;
	struct guardpage_facts last = { 0 };
	struct err err = { 0 };

	/* This program is that guardian: it holds the page, and writes what this version of pgha
	 * cannot read. */
	CHECK(guardpage_open_writer(&other, rig_dir(), "test", "one", &last, &err) == 0, "%s",
	      err.msg);
	guardpage_write(&other, &(struct guardpage_facts){ .pid = getpid() });
	other.words[LEASEPAGE_WORD_VERSION] = GUARDPAGE_VERSION + 1;
	begin();
	while (times_said("of another version of pgha") == 0)
		run_ms(20);
	run_ms(1500);
	CHECK(times_said("ERROR: a guardian of another version of pgha holds") == 1, "%s", said);
	CHECK(times_said("ended with exit code 4") == 1, "once is enough:\n%s", said);
	CHECK(seen.presence != GUARD_ALIVE && seen.presence != GUARD_SILENT);
	/* It ends, and the one that this version understands begins. */
	leasepage_done(&other);
	until_presence(GUARD_ALIVE);
	CHECK(seen.pid != getpid());
	end();
}

/* Of /proc/<pid>/status; -1: there is no such line. */
static long status_of(int64_t pid, const char *field)
{
	char path[64], line[256];
	long value = -1;
	FILE *f;

	str_printf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (str_starts(line, field))
			value = strtol(line + strlen(field), NULL, 10);
	fclose(f);
	return value;
}

static long oom_score(int64_t pid)
{
	char path[64], line[32] = "";
	FILE *f;

	str_printf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	f = fopen(path, "re");
	CHECK(f != NULL && fgets(line, sizeof(line), f) != NULL);
	fclose(f);
	return strtol(line, NULL, 10);
}

static void it_takes_what_it_is_permitted(void)
{
	begin();
	until_presence(GUARD_ALIVE);
	printf("   memory %s, priority %s, OOM %s\n", seen.memory_locked ? "locked" : "not locked",
	       seen.realtime ? "realtime" : seen.raised ? "raised" : "usual",
	       seen.oom_safe ? "safe" : "not safe");
	/* What it says is so. */
	CHECK((status_of(seen.pid, "VmLck:") > 0) == seen.memory_locked);
	if (seen.memory_locked)
		CHECK(status_of(seen.pid, "VmLck:") >= status_of(seen.pid, "VmData:"));
	CHECK((oom_score(seen.pid) == -1000) == seen.oom_safe);
	CHECK(!seen.realtime || sched_getscheduler((pid_t)seen.pid) == SCHED_RR);
	CHECK(!seen.raised || getpriority(PRIO_PROCESS, (id_t)seen.pid) == -20);
	if (geteuid() == 0)
		CHECK(seen.memory_locked && (seen.realtime || seen.raised));
	end();
}

int main(void)
{
	char path[4096] = "";

	/* The guardian of this build, and no other. */
	CHECK(getcwd(path, sizeof(path)) != NULL && setenv("PATH", path, 1) == 0);
	CHECK(loop_new(&loop, NULL) == 0);
	log_sink_set(keep_line, NULL);
	rig_at_end(take_down);
	page = (struct leasepage)LEASEPAGE_CLOSED;
	open_page();
	RUN(another_is_started_at_once_when_it_dies);
	RUN(the_next_agent_adopts_it);
	RUN(one_that_is_frozen_is_told_and_not_replaced);
	RUN(one_of_another_version_is_named);
	RUN(it_takes_what_it_is_permitted);
	leasepage_done(&page);
	loop_free(loop);
	return 0;
}
