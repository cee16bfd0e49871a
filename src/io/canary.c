/* SPDX-License-Identifier: PostgreSQL */
/*
 * canary - whether a disk takes a small write, and how long it takes
 */
#include "io/canary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/str.h"
#include "io/loop.h"
#include "io/worker.h"

#define EVERY_MS    5000
#define AGAIN_MS    1000 /* while the disk is not well */
#define FLUSH_MS    100  /* that the end waits for the disk */
#define WRITE_BYTES 8192

/* Of a file system; 0: not known. */
struct room {
	uint64_t size_bytes;
	uint64_t free_bytes;
};

/* What the thread and the loop share. It outlives the canary when the thread hangs. */
struct cage {
	pthread_mutex_t lock; /* never held while the disk is waited for */
	bool busy;
	bool ended; /* and not looked at yet */
	int error;  /* errno; 0: written */
	int64_t took_ms;
	struct room room;
};

struct canary {
	struct cage *cage;
	struct worker *worker;
	int64_t begun_at_ms;
	int64_t next_at_ms;
	enum pg_disk disk;
	int64_t since_at_ms;
	int64_t took_ms;
	struct room room;
	int error;
};

struct flight {
	struct cage *cage;
	char *dir;
	uint64_t room_bytes;
};

/* -- in the thread ------------------------------------------------------------------------ */

/* Without a name nothing is left behind, whatever ends us. Where the file system knows no such
 * files the name goes as soon as it is there. */
static int open_file(const char *dir)
{
	char path[PATH_MAX];
	int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (str_printf(path, sizeof(path), "%s/pgha-canary", dir) < 0)
		return -1;
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

/* 0 or errno. */
static int write_file(const struct flight *flight, struct room *ret_room)
{
	static const char bytes[WRITE_BYTES] = "pgha";
	_cleanup_(closep) int fd = open_file(flight->dir);
	struct statvfs fs;
	ssize_t n;

	if (fd < 0)
		return errno;
	if (fstatvfs(fd, &fs) == 0)
		*ret_room = (struct room){ (uint64_t)fs.f_blocks * fs.f_frsize,
					   (uint64_t)fs.f_bavail * fs.f_frsize };
	n = write(fd, bytes, sizeof(bytes));
	if (n < 0)
		return errno;
	if ((size_t)n < sizeof(bytes))
		return ENOSPC;
	if (fsync(fd) < 0)
		return errno;
	if (ret_room->size_bytes > 0 && ret_room->free_bytes < flight->room_bytes)
		return ENOSPC;
	return 0;
}

static void fly(void *job)
{
	struct flight *flight = job;
	struct cage *cage = flight->cage;
	int64_t begun_ms = loop_now_ms();
	struct room room = { 0 };
	int error = write_file(flight, &room);

	pthread_mutex_lock(&cage->lock);
	cage->busy = false;
	cage->ended = true;
	cage->error = error;
	cage->took_ms = loop_now_ms() - begun_ms;
	cage->room = room;
	pthread_mutex_unlock(&cage->lock);
	free(flight->dir);
	free(flight);
}

static void cage_free(void *job)
{
	struct cage *cage = job;

	pthread_mutex_destroy(&cage->lock);
	free(cage);
}

/* -- on the loop -------------------------------------------------------------------------- */

static enum pg_disk disk_by_error(int error)
{
	switch (error) {
	case 0:
		return DISK_OK;
	case ENOSPC:
	case EDQUOT:
		return DISK_FULL;
	case EIO:
	case EROFS:
	case ENXIO:
	case ENODEV:
	case EUCLEAN:
	case ESTALE:
		return DISK_FAILED;
	default:
		return DISK_UNKNOWN;
	}
}

static void become(struct canary *canary, enum pg_disk disk, int error, int64_t since_ms)
{
	if (disk != canary->disk)
		canary->since_at_ms = since_ms;
	canary->disk = disk;
	canary->error = error;
}

/* Whether a write is under way. */
static bool take_answer(struct canary *canary)
{
	struct cage *cage = canary->cage;
	bool ended, busy;
	int64_t now_ms = loop_now_ms();
	int error;

	pthread_mutex_lock(&cage->lock);
	busy = cage->busy;
	ended = cage->ended;
	cage->ended = false;
	error = cage->error;
	if (ended) {
		canary->took_ms = cage->took_ms;
		canary->room = cage->room;
	}
	pthread_mutex_unlock(&cage->lock);
	if (!ended)
		return busy;
	become(canary, disk_by_error(error), error, now_ms);
	canary->next_at_ms = now_ms + (canary->disk == DISK_OK ? EVERY_MS : AGAIN_MS);
	return busy;
}

static void begin(struct canary *canary, const char *dir, uint64_t room_bytes)
{
	struct flight *flight = mem_new(1, sizeof(*flight));

	*flight = (struct flight){ .cage = canary->cage, .dir = str_dup(dir),
				   .room_bytes = room_bytes };
	canary->begun_at_ms = loop_now_ms();
	pthread_mutex_lock(&canary->cage->lock);
	canary->cage->busy = true;
	pthread_mutex_unlock(&canary->cage->lock);
	if (worker_do(canary->worker, fly, flight, sizeof(*flight)))
		return;
	/* No thread could be made: nothing is known. */
	pthread_mutex_lock(&canary->cage->lock);
	canary->cage->busy = false;
	pthread_mutex_unlock(&canary->cage->lock);
	canary->next_at_ms = canary->begun_at_ms + AGAIN_MS;
	free(flight->dir);
	free(flight);
}

void canary_look(struct canary *canary, const char *dir, uint64_t room_bytes, int64_t late_ms)
{
	int64_t now_ms = loop_now_ms();

	if (take_answer(canary)) {
		if (now_ms - canary->begun_at_ms >= late_ms)
			become(canary, DISK_STALLED, 0, canary->begun_at_ms);
		return;
	}
	if (now_ms >= canary->next_at_ms)
		begin(canary, dir, room_bytes);
}

void canary_tell(const struct canary *canary, struct vitals *ret)
{
	ret->disk = canary->disk;
	ret->disk_since_at_ms = canary->since_at_ms;
	ret->disk_took_ms = canary->took_ms;
	ret->disk_size_bytes = canary->room.size_bytes;
	ret->disk_free_bytes = canary->room.free_bytes;
	ret->disk_error[0] = '\0';
	if (canary->disk == DISK_FULL || canary->disk == DISK_FAILED)
		str_clip(ret->disk_error, sizeof(ret->disk_error), strerror(canary->error));
}

struct canary *canary_new(void)
{
	struct canary *canary = mem_new(1, sizeof(*canary));

	canary->cage = mem_new(1, sizeof(*canary->cage));
	pthread_mutex_init(&canary->cage->lock, NULL);
	canary->worker = worker_new(1, sizeof(struct flight));
	return canary;
}

void canary_free(struct canary *canary)
{
	if (!canary)
		return;
	(void)worker_free(canary->worker, FLUSH_MS, cage_free, canary->cage);
	free(canary);
}
