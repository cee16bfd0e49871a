/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pg_disk - a server whose disk gets full, and one whose disk stands still
 *
 * On a file system of its own that only this program sees. Making it needs root; without, says so
 * and passes.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/pgproc.h"
#include "pgrig.h"

#define LATE_MS 1000

static struct node *one;
static char disk[128];
static int freezer_fd = -1;

/* Postgres, and so this program, gives up root; who freezes and thaws may not. It thaws what is
 * frozen when its pipe ends, however this program did. */
static void freezer_start(void)
{
	static char script[600], pipe_path[160];
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, script, NULL };
	pid_t pid;

	str_printf(pipe_path, sizeof(pipe_path), "%s.pipe", disk);
	CHECK(mkfifo(pipe_path, 0600) == 0);
	str_printf(script, sizeof(script),
		   "truncate -s 200m %s.image && mkfs.ext4 -q -F -m 0 %s.image && "
		   "mount -o loop %s.image %s && rm %s.image && chmod 777 %s && touch %s/made; "
		   "while read word; do fsfreeze --$word %s; touch %s.$word; done <%s; "
		   "fsfreeze --unfreeze %s 2>/dev/null; rm -f %s.*",
		   disk, disk, disk, disk, disk, disk, disk, disk, disk, pipe_path, disk, disk);
	CHECK(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0);
	freezer_fd = open(pipe_path, O_RDWR | O_CLOEXEC);
	CHECK(freezer_fd >= 0);
	str_printf(pipe_path, sizeof(pipe_path), "%s/made", disk);
	while (access(pipe_path, F_OK) != 0)
		poll(NULL, 0, 20);
}

static void freezer(const char *word)
{
	char path[160], line[32];
	int len = str_printf(line, sizeof(line), "%s\n", word);

	str_printf(path, sizeof(path), "%s.%s", disk, word);
	CHECK(write(freezer_fd, line, (size_t)len) == len);
	while (access(path, F_OK) != 0)
		poll(NULL, 0, 5);
}

static void until_disk(enum pg_disk state)
{
	int64_t until_ms = loop_now_ms() + 60000;

	do {
		CHECK(loop_now_ms() < until_ms, "disk %d instead of %d", one->state.vitals.disk,
		      state);
		CHECK(node_do(one, PGOP_PROBE) == 0);
		pgrig_step();
	} while (one->state.vitals.disk != state);
}

static void a_full_disk_is_told_and_reads_go_on(void)
{
	char file[160];
	char bytes[65536] = { 1 };
	int fd;

	node_bootstrap(one);
	CHECK(node_sql(one, "create table t as select 1 as a", NULL));
	until_disk(DISK_OK);
	str_printf(file, sizeof(file), "%s/filler", disk);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	CHECK(fsync(fd) == 0 || true);
	close(fd);
	until_disk(DISK_FULL);
	CHECK(strstr(one->state.vitals.disk_error, "No space left"), "%s",
	      one->state.vitals.disk_error);
	/* It lives, and lets new sessions in that read. */
	CHECK(one->state.run == PG_UP && one->sql_ok);
	CHECK(one->state.vitals.door == DOOR_OPEN, "%d", one->state.vitals.door);
	CHECK(node_number(one, "select a from t") == 1);
	CHECK(unlink(file) == 0);
	until_disk(DISK_OK);
	CHECK(node_sql(one, "insert into t select generate_series(1, 1000)", NULL));
}

static bool holds_one(void)
{
	struct pgproc procs[64];
	int n = pgproc_scan(one->data_dir, 0, procs, ARRAY_LEN(procs), NULL);

	for (int i = 0; i < n && i < (int)ARRAY_LEN(procs); i++)
		if (procs[i].state == 'D')
			return true;
	return false;
}

/* What waits for a disk does not die before the disk comes back, and is not reported dead. */
static void a_disk_that_stands_still_is_told_and_nobody_is_dead(void)
{
	struct pg_req stop = { .op = PGOP_STOP, .stop = STOP_KILL, .timeout_ms = 2000 };
	pid_t writer;
	int64_t began_ms;
	uint64_t ticket;

	freezer("freeze");
	began_ms = loop_now_ms();
	writer = node_sql_begin(one, "insert into t select generate_series(1, 100000)");
	until_disk(DISK_STALLED);
	printf("   stalled after %d ms\n", (int)(loop_now_ms() - began_ms));
	/* Reads that are in memory go on, so do probes, each in its time. */
	began_ms = loop_now_ms();
	CHECK(node_do(one, PGOP_PROBE) == 0);
	CHECK(loop_now_ms() - began_ms < 5000, "a probe waits for the disk");
	while (!holds_one()) {
		CHECK(loop_now_ms() < began_ms + 30000, "nobody waits for the disk");
		pgrig_step();
	}

	ticket = node_send(one, &stop);
	CHECK(node_wait(one, ticket) == -(int)ERR_TIMEOUT, "%d", one->result);
	CHECK(one->state.run != PG_DOWN, "%d", one->state.run);
	CHECK(pgproc_scan(one->data_dir, 0, NULL, 0, NULL) > 0);
	freezer("unfreeze");
	CHECK(node_stop(one, STOP_KILL) == 0, "%s", one->err.msg);
	CHECK(pgproc_scan(one->data_dir, 0, NULL, 0, NULL) == 0);
	rig_kill(writer, SIGKILL);
	CHECK(node_do(one, PGOP_START_PRIMARY) == 0, "%s", one->err.msg);
	node_until(one, PG_UP, ROLE_PRIMARY);
	CHECK(node_number(one, "select count(*) from t") == 1001);
	until_disk(DISK_OK);
}

/* In a mount namespace of our own nothing is left behind, whatever ends us. */
static bool make_disk(void)
{
	if (geteuid() != 0 || access("/dev/loop-control", F_OK) != 0) {
		printf("no root or no loop devices: no file system can be made\n");
		return false;
	}
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	str_copy(disk, sizeof(disk), "/tmp/pgha-disk-XXXXXX");
	CHECK(mkdtemp(disk) != NULL);
	freezer_start();
	return true;
}

int main(void)
{
	if (!make_disk())
		return 0;
	pgrig_begin();
	one = node_new(2061);
	one->config.ha.retry_timeout_ms = LATE_MS;
	str_printf(one->data_dir, sizeof(one->data_dir), "%s/data", disk);
	node_param(one, "min_wal_size", "32MB");
	node_param(one, "max_wal_size", "48MB");
	node_configure(one);
	node_restart_agent(one);
	RUN(a_full_disk_is_told_and_reads_go_on);
	RUN(a_disk_that_stands_still_is_told_and_nobody_is_dead);
	CHECK(node_stop(one, STOP_KILL) == 0);
	return 0;
}
