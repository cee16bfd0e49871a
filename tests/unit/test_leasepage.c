/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_leasepage - the page is believed only when it is whole, ours and of this boot
 */
#include "base/leasepage.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

/* The layout is a contract with other programs, so the places are spelled out here again. */
#define AT_MAGIC    0
#define AT_VERSION  8
#define AT_SIZE     16
#define AT_SEQUENCE 24
#define AT_BOOT     32
#define AT_CLOCK    40
#define AT_ARMED    48
#define AT_KILL     96
#define AT_GATE     104
#define AT_RAW      136
#define AT_WRITTEN  144
#define AT_DEVICE   152
#define AT_INODE    160

#define WRITES 20000

static char run_dir[] = "/tmp/pgha-test-leasepage-XXXXXX";

static void make_run_dir(void)
{
	cr_assert_not_null(mkdtemp(run_dir));
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *ftw _unused_)
{
	return remove(path);
}

static void remove_run_dir(void)
{
	(void)nftw(run_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(leasepage, .init = make_run_dir, .fini = remove_run_dir);

static const struct leasepage_facts leading = {
	.armed = true,
	.reason = LEASEPAGE_PRIMARY,
	.epoch = 42,
	.lease_id = INT64_C(7587869134554853375),
	.asked_at_ms = 1000,
	.ttl_ms = 5000,
	.kill_at_ms = 4750,
	.gate_at_ms = 5000,
	.gate_raw_ms = 4321,
	.postmaster_pid = 4711,
	.postmaster_start_ticks = 815,
	.written_at_ms = 1003,
	.data_device = 65,
	.data_inode = 77,
	.proven = true,
	.watchdog_mode = LEASEPAGE_WATCHDOG_REQUIRED,
	.watchdog_margin_s = -1,
	.watchdog_testing = true,
	.watchdog_device = "/dev/watchdog7",
};

static int write_open(struct leasepage *page, struct err *err)
{
	return leasepage_open_writer(page, run_dir, "demo", "n1", err);
}

static int read_open(struct leasepage *page, struct err *err)
{
	return leasepage_open_reader(page, run_dir, "demo", "n1", err);
}

static void page_path(char path[PATH_MAX])
{
	(void)str_printf(path, PATH_MAX, "%s/demo/n1/lease", run_dir);
}

/* Changes one word of the file behind everybody's back. */
static void poke(off_t at, uint64_t value)
{
	_cleanup_(closep) int fd = -1;
	char path[PATH_MAX];

	page_path(path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(pwrite(fd, &value, sizeof(value), at), (ssize_t)sizeof(value));
}

static uint64_t peek(off_t at)
{
	_cleanup_(closep) int fd = -1;
	char path[PATH_MAX];
	uint64_t value = 0;

	page_path(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(pread(fd, &value, sizeof(value), at), (ssize_t)sizeof(value));
	return value;
}

static unsigned mode_of(const char *path)
{
	struct stat st = { 0 };

	cr_assert_eq(stat(path, &st), 0, "%s", path);
	return st.st_mode & 07777;
}

/* Writes `leading`, then closes as a dying agent does. */
static void leave_armed(void)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct err err = { 0 };

	cr_assert_eq(write_open(&page, &err), 0, "%s", err.msg);
	leasepage_write(&page, &leading);
}

static enum leasepage_state look(struct leasepage_facts *facts)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct err err = { 0 };

	cr_assert_eq(read_open(&page, &err), 0, "%s", err.msg);
	return leasepage_read(&page, facts);
}

Test(leasepage, a_new_page_is_ours_and_disarmed)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { .epoch = 1 };
	struct err err = { 0 };
	char path[PATH_MAX];

	(void)umask(022);
	cr_assert_eq(write_open(&page, &err), 0, "%s", err.msg);
	cr_assert_eq(look(&facts), LEASEPAGE_GOOD);
	cr_assert_not(facts.armed);
	cr_assert_eq(facts.reason, LEASEPAGE_NEW);
	cr_assert_eq(facts.epoch, 0);
	cr_assert_eq(facts.agent_pid, getpid());

	page_path(path);
	cr_assert_eq(mode_of(path), 0640);
	(void)str_printf(path, sizeof(path), "%s/demo/n1", run_dir);
	cr_assert_eq(mode_of(path), 0750);
	(void)str_printf(path, sizeof(path), "%s/demo", run_dir);
	cr_assert_eq(mode_of(path), 0750);
}

Test(leasepage, the_run_directory_itself_is_made_too)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct err err = { 0 };
	char below[PATH_MAX];

	(void)umask(022);
	(void)str_printf(below, sizeof(below), "%s/run", run_dir);
	cr_assert_eq(leasepage_open_writer(&page, below, "demo", "n1", &err), 0, "%s", err.msg);
	cr_assert_eq(mode_of(below), 0750);
}

Test(leasepage, every_fact_arrives)
{
	struct leasepage_facts facts = { 0 };

	leave_armed();
	cr_assert_eq(look(&facts), LEASEPAGE_GOOD);
	cr_assert(facts.armed);
	cr_assert_eq(facts.reason, LEASEPAGE_PRIMARY);
	cr_assert_eq(facts.epoch, leading.epoch);
	cr_assert_eq(facts.lease_id, leading.lease_id);
	cr_assert_eq(facts.asked_at_ms, leading.asked_at_ms);
	cr_assert_eq(facts.ttl_ms, leading.ttl_ms);
	cr_assert_eq(facts.kill_at_ms, leading.kill_at_ms);
	cr_assert_eq(facts.gate_at_ms, leading.gate_at_ms);
	cr_assert_eq(facts.postmaster_pid, leading.postmaster_pid);
	cr_assert_eq(facts.postmaster_start_ticks, leading.postmaster_start_ticks);
	cr_assert_eq(facts.agent_pid, getpid());
	cr_assert_eq(facts.gate_raw_ms, leading.gate_raw_ms);
	cr_assert_eq(facts.written_at_ms, leading.written_at_ms);
	cr_assert_eq(facts.data_device, leading.data_device);
	cr_assert_eq(facts.data_inode, leading.data_inode);
	cr_assert(facts.proven);
	cr_assert_eq((int)facts.watchdog_mode, LEASEPAGE_WATCHDOG_REQUIRED);
	cr_assert_eq(facts.watchdog_margin_s, -1);
	cr_assert(facts.watchdog_testing);
	cr_assert_str_eq(facts.watchdog_device, "/dev/watchdog7");
}

Test(leasepage, words_stand_where_other_programs_look_for_them)
{
	leave_armed();
	cr_assert_eq(peek(AT_MAGIC), UINT64_C(0x6567617061686770));
	cr_assert_eq(peek(AT_VERSION), LEASEPAGE_VERSION);
	cr_assert_eq(peek(AT_SIZE), LEASEPAGE_SIZE);
	cr_assert_eq(peek(AT_SEQUENCE) % 2, 0);
	cr_assert_eq(peek(AT_ARMED), 1);
	cr_assert_eq(peek(AT_KILL), 4750);
	cr_assert_eq(peek(AT_GATE), 5000);
	cr_assert_eq(peek(AT_RAW), 4321);
	cr_assert_eq(peek(AT_WRITTEN), 1003);
	cr_assert_eq(peek(AT_DEVICE), 65);
	cr_assert_eq(peek(AT_INODE), 77);
	cr_assert_eq(AT_RAW, LEASEPAGE_WORD_GATE_RAW * 8);
	cr_assert_eq(AT_GATE, LEASEPAGE_WORD_GATE_AT * 8);
}

Test(leasepage, a_reader_of_its_own_knows_boot_and_clock)
{
	struct leasepage_clock clock = { 0 };
	struct err err = { 0 };

	leave_armed();
	cr_assert_eq(leasepage_clock_of_now(&clock, &err), 0, "%s", err.msg);
	cr_assert_eq(peek(AT_BOOT), clock.boot_hash);
	cr_assert_eq(peek(AT_CLOCK), clock.clock_ns);
}

Test(leasepage, an_open_reader_sees_the_next_write)
{
	_cleanup_(leasepage_done) struct leasepage writer = LEASEPAGE_CLOSED;
	_cleanup_(leasepage_done) struct leasepage reader = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { 0 };
	struct leasepage_facts next = leading;
	struct err err = { 0 };

	cr_assert_eq(write_open(&writer, &err), 0);
	cr_assert_eq(read_open(&reader, &err), 0);
	leasepage_write(&writer, &leading);
	cr_assert_eq(leasepage_read(&reader, &facts), LEASEPAGE_GOOD);
	cr_assert_eq(facts.kill_at_ms, 4750);
	next.kill_at_ms = 5583;
	leasepage_write(&writer, &next);
	cr_assert_eq(leasepage_read(&reader, &facts), LEASEPAGE_GOOD);
	cr_assert_eq(facts.kill_at_ms, 5583);
}

Test(leasepage, a_write_cut_short_is_torn_and_yields_nothing)
{
	struct leasepage_facts facts = { .epoch = 99 };

	leave_armed();
	poke(AT_SEQUENCE, peek(AT_SEQUENCE) + 1);
	poke(AT_KILL, 1);
	cr_assert_eq(look(&facts), LEASEPAGE_TORN);
	cr_assert_eq(facts.epoch, 99);
	poke(AT_SEQUENCE, peek(AT_SEQUENCE) + 1);
	cr_assert_eq(look(&facts), LEASEPAGE_GOOD);
	cr_assert_eq(facts.kill_at_ms, 1);
}

Test(leasepage, the_next_agent_finishes_a_write_cut_short)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { 0 };
	struct err err = { 0 };

	leave_armed();
	poke(AT_SEQUENCE, peek(AT_SEQUENCE) + 1);
	cr_assert_eq(write_open(&page, &err), 0, "%s", err.msg);
	cr_assert_eq(look(&facts), LEASEPAGE_GOOD);
	cr_assert(facts.armed);
	cr_assert_eq(facts.kill_at_ms, leading.kill_at_ms);
	leasepage_write(&page, &leading);
	cr_assert_eq(look(&facts), LEASEPAGE_GOOD);
}

/* Both words carry the number of the write, so a mixed copy gives itself away. */
static void *write_many(void *arg)
{
	struct leasepage *page = arg;

	for (int64_t i = 1; i <= WRITES; i++)
		leasepage_write(page, &(struct leasepage_facts){
					      .armed = true,
					      .epoch = i,
					      .kill_at_ms = i,
					      .postmaster_start_ticks = i,
				      });
	return NULL;
}

Test(leasepage, a_reader_beside_a_busy_writer_never_sees_a_mixture)
{
	_cleanup_(leasepage_done) struct leasepage writer = LEASEPAGE_CLOSED;
	_cleanup_(leasepage_done) struct leasepage reader = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { 0 };
	struct err err = { 0 };
	pthread_t thread;
	int64_t last = 0;

	cr_assert_eq(write_open(&writer, &err), 0);
	cr_assert_eq(read_open(&reader, &err), 0);
	cr_assert_eq(pthread_create(&thread, NULL, write_many, &writer), 0);
	for (int i = 0; i < WRITES; i++) {
		if (leasepage_read(&reader, &facts) != LEASEPAGE_GOOD)
			continue;
		cr_assert_eq(facts.kill_at_ms, facts.epoch);
		cr_assert_eq(facts.postmaster_start_ticks, facts.epoch);
		cr_assert_geq(facts.epoch, last);
		last = facts.epoch;
	}
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(leasepage_read(&reader, &facts), LEASEPAGE_GOOD);
	cr_assert_eq(facts.epoch, WRITES);
}

Test(leasepage, what_is_not_of_this_page_is_told_apart)
{
	struct leasepage_facts facts = { .epoch = 99 };
	uint64_t boot;
	uint64_t clock;

	leave_armed();
	boot = peek(AT_BOOT);
	clock = peek(AT_CLOCK);

	poke(AT_CLOCK, clock + 1);
	cr_assert_eq(look(&facts), LEASEPAGE_OTHER_CLOCK);
	poke(AT_BOOT, boot + 1);
	cr_assert_eq(look(&facts), LEASEPAGE_OTHER_BOOT);
	poke(AT_SIZE, 8192);
	cr_assert_eq(look(&facts), LEASEPAGE_OTHER_VERSION);
	poke(AT_SIZE, LEASEPAGE_SIZE);
	poke(AT_VERSION, LEASEPAGE_VERSION + 1);
	cr_assert_eq(look(&facts), LEASEPAGE_OTHER_VERSION);
	poke(AT_MAGIC, 0);
	cr_assert_eq(look(&facts), LEASEPAGE_NO_PAGE);
	cr_assert_eq(facts.epoch, 99);
}

Test(leasepage, garbage_with_an_odd_sequence_is_not_called_torn)
{
	struct leasepage_facts facts = { 0 };

	leave_armed();
	poke(AT_SEQUENCE, 7);
	poke(AT_MAGIC, 1);
	cr_assert_eq(look(&facts), LEASEPAGE_NO_PAGE);
}

Test(leasepage, the_next_agent_of_this_boot_keeps_the_deadline)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { 0 };
	struct err err = { 0 };

	leave_armed();
	cr_assert_eq(write_open(&page, &err), 0, "%s", err.msg);
	cr_assert_eq(leasepage_read(&page, &facts), LEASEPAGE_GOOD);
	cr_assert(facts.armed);
	cr_assert_eq(facts.kill_at_ms, leading.kill_at_ms);
}

static void replaced_by_a_disarmed_page(off_t at, uint64_t value)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { 0 };
	struct err err = { 0 };

	leave_armed();
	poke(at, value);
	cr_assert_eq(write_open(&page, &err), 0, "%s", err.msg);
	cr_assert_eq(leasepage_read(&page, &facts), LEASEPAGE_GOOD);
	cr_assert_not(facts.armed);
	cr_assert_eq(facts.kill_at_ms, 0);
	cr_assert_eq(facts.reason, LEASEPAGE_NEW);
}

Test(leasepage, an_armed_page_of_another_boot_is_replaced)
{
	replaced_by_a_disarmed_page(AT_BOOT, 12345);
}

Test(leasepage, garbage_is_replaced)
{
	replaced_by_a_disarmed_page(AT_MAGIC, 12345);
}

Test(leasepage, an_armed_page_of_another_version_is_refused_and_a_disarmed_one_replaced)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { 0 };
	struct err err = { 0 };

	leave_armed();
	poke(AT_VERSION, LEASEPAGE_VERSION + 1);
	cr_assert_eq(write_open(&page, &err), -ERR_STATE);
	cr_assert(strstr(err.msg, "another version"), "%s", err.msg);
	cr_assert(strstr(err.msg, "version 4") && strstr(err.msg, "speaks 3"), "%s", err.msg);
	cr_assert(strstr(err.msg, "pause the cluster"), "%s", err.msg);
	cr_assert_eq(page.fd, -1);
	cr_assert_eq(peek(AT_VERSION), LEASEPAGE_VERSION + 1);

	poke(AT_ARMED, 0);
	cr_assert_eq(write_open(&page, &err), 0, "%s", err.msg);
	cr_assert_eq(leasepage_read(&page, &facts), LEASEPAGE_GOOD);
}

Test(leasepage, an_armed_page_of_another_version_and_boot_is_replaced)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct err err = { 0 };

	leave_armed();
	poke(AT_VERSION, LEASEPAGE_VERSION + 1);
	poke(AT_BOOT, 12345);
	cr_assert_eq(write_open(&page, &err), 0, "%s", err.msg);
}

Test(leasepage, a_second_agent_is_refused_until_the_first_is_gone)
{
	_cleanup_(leasepage_done) struct leasepage first = LEASEPAGE_CLOSED;
	_cleanup_(leasepage_done) struct leasepage second = LEASEPAGE_CLOSED;
	struct leasepage_facts facts = { 0 };
	struct err err = { 0 };
	char pid[32];

	cr_assert_eq(write_open(&first, &err), 0);
	leasepage_write(&first, &leading);
	cr_assert_eq(write_open(&second, &err), -ERR_STATE);
	(void)str_printf(pid, sizeof(pid), "(pid %d)", (int)getpid());
	cr_assert(strstr(err.msg, pid), "%s", err.msg);
	cr_assert(str_starts(err.msg, "another agent"), "%s", err.msg);
	cr_assert_eq(look(&facts), LEASEPAGE_GOOD);
	cr_assert_eq(facts.epoch, leading.epoch);

	leasepage_done(&first);
	cr_assert_eq(write_open(&second, &err), 0, "%s", err.msg);
}

Test(leasepage, other_names_do_not_disturb_each_other)
{
	_cleanup_(leasepage_done) struct leasepage first = LEASEPAGE_CLOSED;
	_cleanup_(leasepage_done) struct leasepage second = LEASEPAGE_CLOSED;
	struct err err = { 0 };

	cr_assert_eq(write_open(&first, &err), 0);
	cr_assert_eq(leasepage_open_writer(&second, run_dir, "demo", "n2", &err), 0);
}

Test(leasepage, names_stay_inside_their_directory)
{
	const char *const bad[] = { "", ".", "..", "a/b", "/a", "../n1" };
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_assert_eq(leasepage_open_writer(&page, run_dir, "demo", bad[i], &err),
			     -ERR_RANGE);
		cr_assert_eq(leasepage_open_writer(&page, run_dir, bad[i], "n1", &err), -ERR_RANGE);
		cr_assert_eq(leasepage_open_reader(&page, run_dir, bad[i], "n1", &err), -ERR_RANGE);
	}
	cr_assert_eq(leasepage_open_writer(&page, run_dir, "demo", "...", &err), 0, "%s", err.msg);
}

Test(leasepage, a_missing_or_short_page_cannot_be_read)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct err err = { 0 };
	char path[PATH_MAX];

	cr_assert_eq(read_open(&page, &err), -ERR_IO);
	cr_assert_eq(err.sys, ENOENT);
	leave_armed();
	page_path(path);
	cr_assert_eq(truncate(path, LEASEPAGE_SIZE - 1), 0);
	cr_assert_eq(read_open(&page, &err), -ERR_STATE);
	cr_assert_eq(truncate(path, LEASEPAGE_SIZE), 0);
	cr_assert_eq(read_open(&page, &err), 0);
}

Test(leasepage, a_link_in_place_of_the_page_is_not_followed)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct err err = { 0 };
	char path[PATH_MAX];

	leave_armed();
	page_path(path);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("/etc/hostname", path), 0);
	cr_assert_eq(write_open(&page, &err), -ERR_IO);
	cr_assert_eq(err.sys, ELOOP);
}

Test(leasepage, an_unusable_run_directory_is_named)
{
	_cleanup_(leasepage_done) struct leasepage page = LEASEPAGE_CLOSED;
	struct err err = { 0 };

	cr_assert_eq(leasepage_open_writer(&page, "/proc/none", "demo", "n1", &err), -ERR_IO);
	cr_assert(strstr(err.msg, "'/proc/none'"), "%s", err.msg);
}

Test(leasepage, a_process_is_known_by_its_start)
{
	struct err err = { 0 };
	int64_t mine = 0;
	int64_t again = 0;
	int64_t first = -1;

	cr_assert_eq(leasepage_start_ticks(getpid(), &mine, &err), 0, "%s", err.msg);
	cr_assert_eq(leasepage_start_ticks(getpid(), &again, &err), 0);
	cr_assert_eq(mine, again);
	cr_assert_gt(mine, 0);
	cr_assert_eq(leasepage_start_ticks(1, &first, &err), 0);
	cr_assert_leq(first, mine);
	/* Above the kernel's largest pid. */
	cr_assert_eq(leasepage_start_ticks(INT64_C(1) << 40, &mine, &err), -ERR_IO);
}

Test(leasepage, texts)
{
	cr_assert_str_eq(leasepage_state_text(LEASEPAGE_GOOD), "recognised, of this boot");
	cr_assert_str_eq(leasepage_state_text(LEASEPAGE_STATE__MAX), "invalid");
	cr_assert_str_eq(leasepage_reason_text(LEASEPAGE_PAUSED), "the cluster is paused");
	cr_assert_str_eq(leasepage_reason_text(LEASEPAGE_REASON__MAX), "invalid");
}
