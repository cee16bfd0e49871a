/* SPDX-License-Identifier: PostgreSQL */
/*
 * vitals - what is wrong with a Postgres that has not ended
 */
#include "core/vitals.h"

bool vitals_shut(const struct vitals *vitals)
{
	return vitals->door == DOOR_SILENT || vitals->door == DOOR_STOPPED;
}

int64_t vitals_give_up_at_ms(const struct view *view)
{
	const struct vitals *v = &view->pg.vitals;
	int64_t since_ms = 0;

	if (view->fence_hung && vitals_shut(v))
		since_ms = v->door_since_at_ms;
	if (view->fence_stalled && v->disk == DISK_STALLED)
		since_ms = since_ms != 0 ? MIN_OF(since_ms, v->disk_since_at_ms) :
					   v->disk_since_at_ms;
	return since_ms != 0 ? since_ms + view->hung_after_ms : 0;
}

static const char *disk_trouble(enum pg_disk disk)
{
	switch (disk) {
	case DISK_STALLED:
		return "the disk of the WAL stands still";
	case DISK_FAILED:
		return "the disk of the WAL takes no writes";
	case DISK_FULL:
		return "the disk of the WAL is full";
	case DISK_UNKNOWN:
	case DISK_OK:
	case DISK__MAX:
		break;
	}
	return "";
}

static const char *door_trouble(enum pg_door door)
{
	switch (door) {
	case DOOR_STOPPED:
		return "the postmaster is stopped";
	case DOOR_SILENT:
		return "Postgres answers no new connection";
	case DOOR_CLOSED:
		return "Postgres does not listen";
	case DOOR_FULL:
		return "every connection slot is taken";
	case DOOR_UNKNOWN:
	case DOOR_OPEN:
	case DOOR__MAX:
		break;
	}
	return "";
}

const char *vitals_trouble(const struct pg_state *pg)
{
	const struct vitals *v = &pg->vitals;

	if (v->disk == DISK_STALLED || v->disk == DISK_FAILED)
		return disk_trouble(v->disk);
	if (vitals_shut(v))
		return door_trouble(v->door);
	if (v->disk == DISK_FULL)
		return disk_trouble(v->disk);
	if (door_trouble(v->door)[0] != '\0')
		return door_trouble(v->door);
	return pg->receiver_silent ? "the upstream is silent" : "";
}
