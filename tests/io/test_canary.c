/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_canary - disks that are well, full, read-only, or stand still
 *
 * On file systems that it makes, mounts and takes away again, so it needs root; without it says so
 * and passes.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/canary.h"
#include "io/child.h"
#include "io/loop.h"
#include "rig.h"

#define LATE_MS 300

static struct loop *loop;
static struct canary *canary;
static struct vitals seen;
static char place[128], image[160];
static int frozen_fd = -1;

static void thaw(void)
{
	if (frozen_fd < 0)
		return;
	(void)ioctl(frozen_fd, FITHAW, 0);
	close(frozen_fd);
	frozen_fd = -1;
}

static void take_down(void)
{
	thaw();
	if (place[0] != '\0')
		(void)umount2(place, MNT_DETACH);
}

static void look_until(const char *dir, enum pg_disk disk)
{
	int64_t until_ms = loop_now_ms() + 20000;

	do {
		CHECK(loop_now_ms() < until_ms, "disk %d instead of %d: %s", seen.disk, disk,
		      seen.disk_error);
		(void)loop_step(loop, 20);
		canary_look(canary, dir, 1024 * 1024, LATE_MS);
		canary_tell(canary, &seen);
	} while (seen.disk != disk);
}

static void begin(void)
{
	canary_free(canary);
	canary = canary_new();
	seen = (struct vitals){ 0 };
}

static int entries(const char *dir)
{
	_cleanup_(buf_done) struct buf output = { 0 };
	const char *argv[] = { "/bin/ls", "-A", dir, NULL };
	struct child_spec spec = { .name = "ls", .argv = argv };
	int code = 1;

	CHECK(child_run(&spec, 10000, &output, &code, NULL) == 0 && code == 0);
	return output.data != NULL && output.data[0] != '\0';
}

static void a_disk_that_is_well_takes_a_write_and_keeps_nothing(void)
{
	char dir[160], link[160];

	str_printf(dir, sizeof(dir), "%s/wal", rig_dir());
	str_printf(link, sizeof(link), "%s/pg_wal", rig_dir());
	CHECK(mkdir(dir, 0700) == 0 && symlink(dir, link) == 0);
	begin();
	look_until(link, DISK_OK);
	CHECK(seen.disk_since_at_ms > 0 && seen.disk_error[0] == '\0');
	CHECK(entries(dir) == 0);
	CHECK(rmdir(dir) == 0);
	/* What is not there tells nothing, and is not made. */
	begin();
	for (int i = 0; i < 20; i++) {
		(void)loop_step(loop, 20);
		canary_look(canary, link, 0, LATE_MS);
	}
	canary_tell(canary, &seen);
	CHECK(seen.disk == DISK_UNKNOWN && access(dir, F_OK) != 0);
}

static void a_small_disk_is_full(void)
{
	CHECK(mount("tmpfs", place, "tmpfs", MS_NODEV, "size=256k") == 0);
	begin();
	look_until(place, DISK_FULL);
	CHECK(strstr(seen.disk_error, "No space left"), "%s", seen.disk_error);
	CHECK(mount(NULL, place, NULL, MS_REMOUNT, "size=8m") == 0);
	look_until(place, DISK_OK);
	CHECK(seen.disk_error[0] == '\0');
	CHECK(mount(NULL, place, NULL, MS_REMOUNT | MS_RDONLY, "") == 0);
	look_until(place, DISK_FAILED);
	CHECK(strstr(seen.disk_error, "Read-only"), "%s", seen.disk_error);
	CHECK(umount(place) == 0);
}

static bool command(const char *const argv[])
{
	_cleanup_(buf_done) struct buf output = { 0 };
	struct child_spec spec = { .name = argv[0], .argv = argv };
	int code = 1;

	CHECK(child_run(&spec, 30000, &output, &code, NULL) == 0);
	if (code != 0)
		fprintf(stderr, "   %s: %s\n", argv[0], output.data);
	return code == 0;
}

static void a_disk_that_stands_still_holds_nobody(void)
{
	const char *make[] = { "/usr/sbin/mkfs.ext4", "-q", "-F", "-m", "0", image, NULL };
	const char *mounting[] = { "/bin/mount", "-o", "loop", image, place, NULL };
	int fd = open(image, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	int64_t began_ms;

	CHECK(fd >= 0 && ftruncate(fd, 16 * 1024 * 1024) == 0);
	close(fd);
	CHECK(command(make) && command(mounting));
	begin();
	look_until(place, DISK_OK);
	frozen_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(frozen_fd >= 0 && ioctl(frozen_fd, FIFREEZE, 0) == 0);
	began_ms = loop_now_ms();
	look_until(place, DISK_STALLED);
	CHECK(seen.disk_since_at_ms >= began_ms);
	CHECK(loop_now_ms() - seen.disk_since_at_ms >= LATE_MS);
	thaw();
	look_until(place, DISK_OK);
	CHECK(seen.disk_took_ms >= LATE_MS, "%lld", (long long)seen.disk_took_ms);

	/* The end does not wait for it either. */
	frozen_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(frozen_fd >= 0 && ioctl(frozen_fd, FIFREEZE, 0) == 0);
	look_until(place, DISK_STALLED);
	began_ms = loop_now_ms();
	canary_free(TAKE(canary));
	CHECK(loop_now_ms() - began_ms < 2000);
	thaw();
}

int main(void)
{
	if (geteuid() != 0) {
		printf("not root: no file systems can be mounted\n");
		return 0;
	}
	CHECK(loop_new(&loop, NULL) == 0);
	rig_at_end(take_down);
	str_printf(place, sizeof(place), "%s/disk", rig_dir());
	str_printf(image, sizeof(image), "%s/image", rig_dir());
	CHECK(mkdir(place, 0700) == 0);
	RUN(a_disk_that_is_well_takes_a_write_and_keeps_nothing);
	RUN(a_small_disk_is_full);
	RUN(a_disk_that_stands_still_holds_nobody);
	canary_free(canary);
	loop_free(loop);
	return 0;
}
