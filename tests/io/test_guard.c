/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_guard - the guardian beside a real Postgres: what it kills, when, and what it spares
 *
 * This program plays the agent: it writes the lease page.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guardpage.h"
#include "io/pgproc.h"
#include "pgrig.h"

#define TERM_MS 1200

static struct node *one, *two, *three;
static struct leasepage page;
static char guard_path[512];
static char lease_path[256];

static int living(const struct node *node)
{
	return pgproc_scan(node->data_dir, 0, NULL, 0, NULL);
}

static void pause_ms(int ms)
{
	poll(NULL, 0, MAX_OF(ms, 0));
}

/* More than so many live shortly before the deadline. Who comes to look too late has seen nothing;
 * when the killing began the guardian tells itself. */
static void lives_until(const struct leasepage_facts *facts, int least)
{
	int n;

	pause_ms((int)(facts->kill_at_ms - loop_now_ms()) - 100);
	n = living(one);
	CHECK(n > least || loop_now_ms() >= facts->kill_at_ms, "%d live", n);
}

/* Writes the page as an agent that was just proven does; the deadline is in `ms`. */
static struct leasepage_facts arm_as(const struct node *node, int64_t pid, int64_t ticks, int ms)
{
	struct stat st = { 0 };
	int64_t now = loop_now_ms();
	struct leasepage_facts facts = {
		.armed = true, .reason = LEASEPAGE_PRIMARY, .epoch = 77, .asked_at_ms = now,
		.ttl_ms = ms * 4 / 3, .kill_at_ms = now + ms, .gate_at_ms = now + ms,
		.postmaster_pid = pid, .postmaster_start_ticks = ticks, .proven = true,
	};

	CHECK(stat(node->data_dir, &st) == 0);
	facts.data_device = (int64_t)st.st_dev;
	facts.data_inode = (int64_t)st.st_ino;
	leasepage_write(&page, &facts);
	return facts;
}

static struct leasepage_facts arm(const struct node *node, int ms)
{
	int64_t ticks = 0;

	CHECK(leasepage_start_ticks(node->state.postmaster_pid, &ticks, NULL) == 0);
	return arm_as(node, node->state.postmaster_pid, ticks, ms);
}

static void disarm(enum leasepage_reason reason)
{
	leasepage_write(&page, &(struct leasepage_facts){ .reason = reason, .proven = true });
}

static void open_page(void)
{
	struct err err = { 0 };

	CHECK(leasepage_open_writer(&page, rig_dir(), "test", "one", &err) == 0, "%s", err.msg);
}

static pid_t guard_start(bool by_agent)
{
	char *argv[] = { guard_path, by_agent ? (char[]){ "--by-agent" } : lease_path,
			 by_agent ? lease_path : NULL, NULL };

	return rig_spawn("guard", argv);
}

static struct guardpage_facts guard_says(void)
{
	_cleanup_(leasepage_done) struct leasepage own = LEASEPAGE_CLOSED;
	struct guardpage_facts facts = { 0 };

	if (guardpage_open_reader(&own, rig_dir(), "test", "one", NULL) == 0)
		(void)guardpage_read(&own, &facts);
	return facts;
}

static struct guardpage_facts guard_until(enum guardpage_state state, pid_t pid)
{
	int64_t until_ms = loop_now_ms() + 10000;
	struct guardpage_facts facts;

	for (;;) {
		facts = guard_says();
		if (facts.state == state && facts.pid == pid)
			return facts;
		CHECK(loop_now_ms() < until_ms, "the guardian is in state %d, not %d",
		      (int)facts.state, (int)state);
		pause_ms(5);
	}
}

static void start(struct node *node)
{
	CHECK(node_do(node, PGOP_START_PRIMARY) == 0, "%s", node->err.msg);
	node_until(node, PG_UP, ROLE_PRIMARY);
}

/* Its exit code; it must end within 10 s. */
static int guard_end(pid_t pid)
{
	int64_t until_ms = loop_now_ms() + 10000;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		CHECK(loop_now_ms() < until_ms, "the guardian does not end");
		pause_ms(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void everything_dies_at_the_deadline_and_nothing_else(void)
{
	pid_t guard, client, other;
	struct leasepage_facts facts;
	struct guardpage_facts said;

	node_bootstrap(one);
	node_bootstrap(two);
	CHECK(node_sql(one, "create table t (a int)", NULL));
	CHECK(node_sql(one, "create procedure busy() language plpgsql as $$ begin loop "
			    "insert into t values (1); commit; end loop; end $$", NULL));
	open_page();
	disarm(LEASEPAGE_REPLICA);
	guard = guard_start(false);
	guard_until(GUARDPAGE_DISARMED, guard);
	client = node_sql_begin(one, "call busy()");
	other = node_sql_begin(two, "select pg_sleep(100)");
	while (node_number(one, "select count(*) from t") == 0)
		;
	facts = arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	/* Renewed in time: the first deadline means nothing. */
	pause_ms(TERM_MS / 3);
	facts = arm(one, TERM_MS);
	lives_until(&facts, 5);
	said = guard_until(GUARDPAGE_FENCED, guard);
	CHECK(living(one) == 0 && living(two) > 5);
	CHECK(said.kills == 1 && said.kill_epoch == 77 && said.kill_left == 0);
	CHECK(said.kill_due_at_ms == facts.kill_at_ms);
	CHECK(said.kill_processes > 5, "%d", (int)said.kill_processes);
	CHECK(said.kill_begun_at_ms >= facts.kill_at_ms &&
	      said.kill_begun_at_ms < facts.kill_at_ms + 200);
	CHECK(said.kill_proven_at_ms >= said.kill_begun_at_ms);
	printf("   %d processes, begun %d ms and proven %d ms after the deadline\n",
	       (int)said.kill_processes, (int)(said.kill_begun_at_ms - facts.kill_at_ms),
	       (int)(said.kill_proven_at_ms - facts.kill_at_ms));
	rig_kill(client, SIGKILL);
	rig_kill(other, SIGKILL);

	/* What somebody starts while the term is over dies as well; the next term is let live. */
	(void)node_do(one, PGOP_START_PRIMARY);
	while (guard_says().kills < 2)
		pause_ms(10);
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(living(one) == 0);
	disarm(LEASEPAGE_STOPPED);
	guard_until(GUARDPAGE_DISARMED, guard);
	start(one);
	arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	CHECK(living(one) > 3);
	disarm(LEASEPAGE_PAUSED);
	pause_ms(TERM_MS + 300);
	CHECK(living(one) > 3);
	rig_kill(guard, SIGKILL);
}

/* What of both was over first, by their pidfds: epoll keeps events in the order in which they came,
 * so that it does not matter when this process wakes. */
static bool dies_first(int first, int second)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	CHECK(epoll_fd >= 0);
	event.data.fd = second;
	CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, second, &event) == 0);
	event.data.fd = first;
	CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, first, &event) == 0);
	CHECK(epoll_wait(epoll_fd, &event, 1, 10000) == 1);
	close(epoll_fd);
	return event.data.fd == first;
}

/* What was acknowledged last has been flushed, and is on its way to the standby. */
static void walsenders_die_after_the_backends(void)
{
	static const char *const sender = "backend_type = 'walsender'";
	struct leasepage_facts facts;
	pid_t guard, client, pid;
	int backend_fd, sender_fd;

	if (one->state.run != PG_UP || living(one) == 0)
		start(one);
	node_join(three, one);
	guard = guard_start(false);
	guard_until(GUARDPAGE_DISARMED, guard);
	client = node_sql_begin(one, "select pg_sleep(100)");
	while ((pid = node_backend(one, "query = 'select pg_sleep(100)'")) == 0)
		;
	backend_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* The order is not that of their pids. */
	CHECK(node_backend(one, sender) < pid);
	sender_fd = (int)syscall(SYS_pidfd_open, node_backend(one, sender), 0);
	CHECK(backend_fd >= 0 && sender_fd >= 0);
	facts = arm(one, TERM_MS);
	facts.gate_at_ms += 2000;
	leasepage_write(&page, &facts);
	CHECK(dies_first(backend_fd, sender_fd));
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(guard_says().kill_proven_at_ms < facts.gate_at_ms && living(one) == 0);
	close(backend_fd);
	close(sender_fd);
	rig_kill(client, SIGKILL);

	/* One that never comes to rest is not waited for until the gate. */
	disarm(LEASEPAGE_STOPPED);
	start(one);
	while ((pid = node_backend(one, sender)) == 0)
		pause_ms(10);
	kill(pid, SIGSTOP);
	facts = arm(one, TERM_MS);
	facts.gate_at_ms += 2000;
	leasepage_write(&page, &facts);
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(guard_says().kill_proven_at_ms < facts.gate_at_ms && living(one) == 0);
	disarm(LEASEPAGE_STOPPED);
	rig_kill(guard, SIGKILL);
}

static void leftovers_of_a_dead_postmaster_die_too(void)
{
	pid_t guard = guard_start(false);
	pid_t client;

	guard_until(GUARDPAGE_DISARMED, guard);
	arm(one, 30000);
	client = node_sql_begin(one, "call busy()");
	while (node_backend(one, "query = 'call busy()' and state = 'active'") == 0)
		;
	kill((pid_t)one->state.postmaster_pid, SIGKILL);
	pause_ms(100);
	CHECK(living(one) > 0, "a busy backend outlives its postmaster");
	arm_as(one, 0, 0, 300);
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(living(one) == 0);
	rig_kill(client, SIGKILL);
	disarm(LEASEPAGE_STOPPED);
	rig_kill(guard, SIGKILL);
}

static void a_guardian_that_resumes_late_reads_the_page_first(void)
{
	pid_t guard = guard_start(false);
	struct leasepage_facts facts;

	start(one);
	facts = arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	kill(guard, SIGSTOP);
	pause_ms(TERM_MS - 300);
	arm(one, 30000);
	pause_ms((int)(facts.kill_at_ms - loop_now_ms()) + 1000);
	kill(guard, SIGCONT);
	pause_ms(700);
	CHECK(living(one) > 3 && guard_says().kills == 0);
	CHECK(node_number(one, "select 1") == 1);
	/* And one that resumes when it is over kills. */
	kill(guard, SIGSTOP);
	arm(one, 300);
	pause_ms(600);
	CHECK(living(one) > 3);
	kill(guard, SIGCONT);
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(living(one) == 0);
	disarm(LEASEPAGE_STOPPED);
	rig_kill(guard, SIGKILL);
}

static void a_recycled_pid_is_not_hit(void)
{
	char *argv[] = { (char[]){ "sleep" }, (char[]){ "100" }, NULL };
	pid_t innocent = rig_spawn("innocent", argv);
	pid_t guard = guard_start(false);
	int64_t ticks = 0;

	start(one);
	CHECK(leasepage_start_ticks(innocent, &ticks, NULL) == 0);
	/* The page names the postmaster that had this pid before. */
	arm_as(one, innocent, ticks - 1, 300);
	guard_until(GUARDPAGE_FENCED, guard);
	/* A process that was killed can be signalled until it is waited for. */
	CHECK(waitpid(innocent, NULL, WNOHANG) == 0 && living(one) == 0);
	disarm(LEASEPAGE_STOPPED);
	rig_kill(guard, SIGKILL);
	rig_kill(innocent, SIGKILL);
}

static void a_second_guardian_is_refused(void)
{
	pid_t first = guard_start(false);
	pid_t second;

	guard_until(GUARDPAGE_DISARMED, first);
	second = guard_start(false);
	CHECK(guard_end(second) == 4);
	CHECK(guard_says().pid == first);
	/* The next one is told what the first has killed, and goes on where it was. */
	rig_kill(first, SIGKILL);
	second = guard_start(false);
	CHECK(guard_until(GUARDPAGE_DISARMED, second).kill_epoch == 77);
	rig_kill(second, SIGKILL);
}

/* Its unit is up when an agent that looks finds it: an agent that comes earlier starts another. */
static void it_is_ready_when_it_is_the_only_one(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char text[32] = "";
	pid_t first, second;

	(void)str_printf(addr.sun_path, sizeof(addr.sun_path), "%s/notify", rig_dir());
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(setenv("NOTIFY_SOCKET", addr.sun_path, 1) == 0);
	first = guard_start(false);
	CHECK(poll(&pfd, 1, 10000) == 1 && recv(fd, text, sizeof(text) - 1, 0) > 0);
	CHECK(str_eq(text, "READY=1"), "%s", text);
	CHECK(guard_says().pid == first);
	second = guard_start(false);
	CHECK(guard_end(second) == 4 && poll(&pfd, 1, 0) == 0);
	/* Executed anew it goes on, and says nothing. */
	CHECK(kill(first, SIGUSR2) == 0);
	pause_ms(500);
	CHECK(guard_says().pid == first && poll(&pfd, 1, 0) == 0);
	CHECK(unsetenv("NOTIFY_SOCKET") == 0);
	rig_kill(first, SIGKILL);
	(void)close(fd);
	(void)unlink(addr.sun_path);
}

/* Behind everybody's back: as if the agent had died in the middle of a write. */
static void a_torn_page_leaves_the_deadline_standing(void)
{
	pid_t guard = guard_start(false);
	uint64_t sequence;

	start(one);
	arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	sequence = page.words[LEASEPAGE_WORD_SEQUENCE];
	page.words[LEASEPAGE_WORD_SEQUENCE] = sequence + 1;
	page.words[LEASEPAGE_WORD_ARMED] = 0;
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(living(one) == 0);
	disarm(LEASEPAGE_STOPPED);
	guard_until(GUARDPAGE_DISARMED, guard);
	rig_kill(guard, SIGKILL);
}

static void a_page_made_anew_leaves_the_deadline_standing(void)
{
	pid_t guard = guard_start(false);

	start(one);
	arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	CHECK(unlink(lease_path) == 0);
	leasepage_done(&page);
	open_page();
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(living(one) == 0);
	disarm(LEASEPAGE_STOPPED);
	guard_until(GUARDPAGE_DISARMED, guard);
	rig_kill(guard, SIGKILL);
}

/* An agent of another version writes it, as after an upgrade of half of the packages. */
static void a_page_of_another_version_is_not_acted_on(void)
{
	pid_t guard;
	struct err err = { 0 };
	struct leasepage second = LEASEPAGE_CLOSED;
	char which[64];

	/* Before any other: nothing is known, nothing is killed. */
	start(one);
	arm(one, TERM_MS);
	page.words[LEASEPAGE_WORD_VERSION] = LEASEPAGE_VERSION + 1;
	guard = guard_start(false);
	guard_until(GUARDPAGE_WAITING, guard);
	pause_ms(TERM_MS + 300);
	CHECK(guard_until(GUARDPAGE_WAITING, guard).kills == 0 && living(one) > 3);
	/* Behind one that was believed: neither renewed nor disarmed by it. */
	arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	disarm(LEASEPAGE_PAUSED);
	guard_until(GUARDPAGE_DISARMED, guard);
	arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	page.words[LEASEPAGE_WORD_ARMED] = 0;
	page.words[LEASEPAGE_WORD_VERSION] = LEASEPAGE_VERSION + 1;
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(living(one) == 0);
	/* An agent of this version does not take an armed one over, and says which it found. */
	page.words[LEASEPAGE_WORD_ARMED] = 1;
	leasepage_done(&page);
	CHECK(leasepage_open_writer(&second, rig_dir(), "test", "one", &err) == -(int)ERR_STATE);
	str_printf(which, sizeof(which), "has version %d of another", LEASEPAGE_VERSION + 1);
	CHECK(strstr(err.msg, which), "%s", err.msg);
	CHECK(unlink(lease_path) == 0);
	open_page();
	disarm(LEASEPAGE_STOPPED);
	guard_until(GUARDPAGE_DISARMED, guard);
	rig_kill(guard, SIGKILL);
}

/* SIGUSR2, as an upgrade does it. What one killed itself tells the two programs apart. */
static void executed_anew_it_goes_on_where_it_was(void)
{
	pid_t guard = guard_start(false);
	struct leasepage_facts facts;
	struct guardpage_facts said;

	start(one);
	arm(one, 300);
	CHECK(guard_until(GUARDPAGE_FENCED, guard).kills == 1 && living(one) == 0);
	kill(guard, SIGUSR2);
	while (guard_says().kills != 0)
		pause_ms(5);
	CHECK(guard_until(GUARDPAGE_FENCED, guard).kill_epoch == 77);
	disarm(LEASEPAGE_STOPPED);
	guard_until(GUARDPAGE_DISARMED, guard);

	start(one);
	facts = arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	kill(guard, SIGUSR2);
	lives_until(&facts, 3);
	said = guard_until(GUARDPAGE_FENCED, guard);
	CHECK(said.kills == 1 && said.kill_begun_at_ms >= facts.kill_at_ms && living(one) == 0);

	/* Not while it stands by a page that cannot be read any more. */
	disarm(LEASEPAGE_STOPPED);
	guard_until(GUARDPAGE_DISARMED, guard);
	start(one);
	arm(one, TERM_MS);
	guard_until(GUARDPAGE_ARMED, guard);
	page.words[LEASEPAGE_WORD_VERSION] = LEASEPAGE_VERSION + 1;
	kill(guard, SIGUSR2);
	CHECK(guard_until(GUARDPAGE_FENCED, guard).kills == 2 && living(one) == 0);
	disarm(LEASEPAGE_STOPPED);
	guard_until(GUARDPAGE_DISARMED, guard);
	rig_kill(guard, SIGKILL);
}

static void it_ends_only_when_it_is_not_needed(void)
{
	pid_t guard = guard_start(true);

	start(one);
	arm(one, 3000);
	guard_until(GUARDPAGE_ARMED, guard);
	kill(guard, SIGTERM);
	pause_ms(500);
	CHECK(waitpid(guard, NULL, WNOHANG) == 0);
	disarm(LEASEPAGE_PAUSED);
	CHECK(guard_end(guard) == 0);
	CHECK(living(one) > 3);
	/* Nobody's guardian stays behind. */
	guard = guard_start(true);
	guard_until(GUARDPAGE_DISARMED, guard);
	CHECK(unlink(lease_path) == 0);
	CHECK(guard_end(guard) == 0);
	leasepage_done(&page);
	open_page();
}

static void it_may_run_before_any_agent(void)
{
	pid_t guard;

	leasepage_done(&page);
	CHECK(unlink(lease_path) == 0);
	guard = guard_start(false);
	guard_until(GUARDPAGE_WAITING, guard);
	open_page();
	disarm(LEASEPAGE_REPLICA);
	guard_until(GUARDPAGE_DISARMED, guard);
	rig_kill(guard, SIGTERM);
	CHECK(guard_end(guard) == 0);
}

/* Size of the heap and of all data, as the kernel counts it. */
static long data_kb(pid_t pid)
{
	char path[64], line[256];
	long kb = -1;
	FILE *f;

	str_printf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmData: %ld kB", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static void it_allocates_nothing_while_it_kills(void)
{
	pid_t guard = guard_start(false);
	long before;

	if (one->state.run != PG_UP)
		start(one);
	disarm(LEASEPAGE_REPLICA);
	guard_until(GUARDPAGE_DISARMED, guard);
	before = data_kb(guard);
	arm(one, 300);
	guard_until(GUARDPAGE_FENCED, guard);
	CHECK(data_kb(guard) == before, "%ld kB before, %ld after", before, data_kb(guard));
	disarm(LEASEPAGE_STOPPED);
	rig_kill(guard, SIGKILL);
}

int main(void)
{
	CHECK(getcwd(guard_path, sizeof(guard_path) - 32) != NULL);
	(void)str_printf(guard_path + strlen(guard_path), 32, "/pgha-guard");
	pgrig_begin();
	str_printf(lease_path, sizeof(lease_path), "%s/test/one/lease", rig_dir());
	page = (struct leasepage)LEASEPAGE_CLOSED;
	one = node_new(2041);
	two = node_new(2042);
	three = node_new(2043);
	RUN(everything_dies_at_the_deadline_and_nothing_else);
	RUN(leftovers_of_a_dead_postmaster_die_too);
	RUN(a_guardian_that_resumes_late_reads_the_page_first);
	RUN(a_recycled_pid_is_not_hit);
	RUN(a_second_guardian_is_refused);
	RUN(it_is_ready_when_it_is_the_only_one);
	RUN(a_torn_page_leaves_the_deadline_standing);
	RUN(a_page_made_anew_leaves_the_deadline_standing);
	RUN(a_page_of_another_version_is_not_acted_on);
	RUN(executed_anew_it_goes_on_where_it_was);
	RUN(it_ends_only_when_it_is_not_needed);
	RUN(it_may_run_before_any_agent);
	RUN(it_allocates_nothing_while_it_kills);
	RUN(walsenders_die_after_the_backends);
	return 0;
}
