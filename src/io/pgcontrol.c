/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgcontrol - what pg_controldata says of a data directory
 */
#include "io/pgcontrol.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"

/* Size of a shutdown checkpoint record in PostgreSQL 13 to 18: header 24, data header 2, struct
 * CheckPoint 88, rounded up to 8. Page headers: 24, and 40 at the beginning of a segment. */
#define CHECKPOINT_RECORD_BYTES 120
#define PAGE_HEADER_BYTES       24
#define SEGMENT_HEADER_BYTES    40

/* clang-format off */
static const struct {
	const char *text;
	enum pg_control state;
} states[] = {
	{ "starting up",           CONTROL_STARTING_UP },
	{ "shut down",             CONTROL_SHUT_DOWN },
	{ "shut down in recovery", CONTROL_SHUT_DOWN_IN_RECOVERY },
	{ "shutting down",         CONTROL_SHUTTING_DOWN },
	{ "in crash recovery",     CONTROL_IN_CRASH_RECOVERY },
	{ "in archive recovery",   CONTROL_IN_ARCHIVE_RECOVERY },
	{ "in production",         CONTROL_IN_PRODUCTION },
};
/* clang-format on */

typedef int (*take_fn)(const char *value, void *field, struct err *err);

static int take_sysid(const char *value, void *field, struct err *err)
{
	uint64_t number = 0;
	int rc = parse_uint(value, UINT64_MAX, &number, err);

	return rc < 0 ? rc : str_copy(field, SYSID_SIZE, value);
}

static int take_state(const char *value, void *field, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (str_eq(value, states[i].text)) {
			*(enum pg_control *)field = states[i].state;
			return 0;
		}
	}
	return err_set(err, ERR_PARSE, "unknown state '%s'", value);
}

static int take_lsn(const char *value, void *field, struct err *err)
{
	return parse_lsn(value, field, err);
}

static int take_u32(const char *value, void *field, struct err *err)
{
	uint64_t number = 0;
	int rc = parse_uint(value, UINT32_MAX, &number, err);

	if (rc == 0)
		*(uint32_t *)field = (uint32_t)number;
	return rc;
}

static int take_i32(const char *value, void *field, struct err *err)
{
	uint64_t number = 0;
	int rc = parse_uint(value, INT32_MAX, &number, err);

	if (rc == 0)
		*(int32_t *)field = (int32_t)number;
	return rc;
}

static int take_bool(const char *value, void *field, struct err *err)
{
	return parse_bool(value, field, err);
}

/* The checksum version: 0 is none. */
static int take_nonzero(const char *value, void *field, struct err *err)
{
	uint64_t number = 0;
	int rc = parse_uint(value, UINT32_MAX, &number, err);

	if (rc == 0)
		*(bool *)field = number != 0;
	return rc;
}

#define FIELD(name) offsetof(struct pgcontrol, name)

/* clang-format off */
static const struct {
	const char *label;
	take_fn take;
	size_t offset;
} fields[] = {
	{ "Database system identifier",         take_sysid,   FIELD(sysid) },
	{ "Database cluster state",             take_state,   FIELD(state) },
	{ "Latest checkpoint location",         take_lsn,     FIELD(checkpoint_lsn) },
	{ "Latest checkpoint's TimeLineID",     take_u32,     FIELD(timeline) },
	{ "Minimum recovery ending location",   take_lsn,     FIELD(min_recovery_lsn) },
	{ "Min recovery ending loc's timeline", take_u32,     FIELD(min_recovery_timeline) },
	{ "wal_log_hints setting",              take_bool,    FIELD(wal_log_hints) },
	{ "max_connections setting",            take_i32,     FIELD(max_connections) },
	{ "max_worker_processes setting",       take_i32,     FIELD(max_worker_processes) },
	{ "max_wal_senders setting",            take_i32,     FIELD(max_wal_senders) },
	{ "max_prepared_xacts setting",         take_i32,     FIELD(max_prepared_transactions) },
	{ "max_locks_per_xact setting",         take_i32,     FIELD(max_locks_per_transaction) },
	{ "WAL block size",                     take_u32,     FIELD(wal_block_bytes) },
	{ "Bytes per WAL segment",              take_u32,     FIELD(wal_segment_bytes) },
	{ "Data page checksum version",         take_nonzero, FIELD(checksums) },
};
/* clang-format on */

#define FIELDS_ALL ((UINT32_C(1) << ARRAY_LEN(fields)) - 1)

/* "Label:      value", both borrowed from `line`. */
static bool cut(char *line, char **ret_label, char **ret_value)
{
	char *colon = strchr(line, ':');

	if (!colon)
		return false;
	*colon = '\0';
	*ret_label = line;
	*ret_value = colon + 1 + strspn(colon + 1, " \t");
	return true;
}

static int take_line(char *line, struct pgcontrol *ret, uint32_t *seen, struct err *err)
{
	char *label = NULL, *value = NULL;

	if (!cut(line, &label, &value))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (!str_eq(label, fields[i].label))
			continue;
		*seen |= UINT32_C(1) << i;
		if (fields[i].take(value, (char *)ret + fields[i].offset, err) < 0)
			return err_wrap(err, "%s", label);
		return 0;
	}
	return 0;
}

int pgcontrol_parse(const char *text, struct pgcontrol *ret, struct err *err)
{
	struct pgcontrol control = { 0 };
	uint32_t seen = 0;

	/* Printed when the checksum is wrong; what follows is then not to be believed. */
	if (strstr(text, "WARNING: Calculated CRC checksum") ||
	    strstr(text, "WARNING: possible byte ordering mismatch"))
		return err_set(err, ERR_PARSE, "the control file is damaged");

	while (*text) {
		size_t len = strcspn(text, "\n");
		char line[256];
		int rc;

		str_clip(line, MIN_OF(sizeof(line), len + 1), text);
		text += len + (text[len] == '\n');
		rc = take_line(line, &control, &seen, err);
		if (rc < 0)
			return err_wrap(err, "pg_controldata");
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (!(seen & UINT32_C(1) << i))
			return err_set(err, ERR_PARSE, "pg_controldata does not tell '%s'",
				       fields[i].label);
	}
	*ret = control;
	return 0;
}

uint64_t pgcontrol_end_lsn(const struct pgcontrol *control)
{
	uint64_t start = control->checkpoint_lsn;
	uint64_t block = control->wal_block_bytes;
	uint64_t end = start + CHECKPOINT_RECORD_BYTES;

	if (control->state != CONTROL_SHUT_DOWN || block == 0 || control->wal_segment_bytes == 0)
		return 0;
	if (start % block + CHECKPOINT_RECORD_BYTES <= block)
		return end;
	/* It goes on behind the header of the next page. */
	if ((start - start % block + block) % control->wal_segment_bytes == 0)
		return end + SEGMENT_HEADER_BYTES;
	return end + PAGE_HEADER_BYTES;
}

void pgcontrol_apply(const struct pgcontrol *control, struct pg_state *ret)
{
	(void)str_copy(ret->sysid, sizeof(ret->sysid), control->sysid);
	ret->control = control->state;
	ret->can_rewind = control->wal_log_hints || control->checksums;
	/* After a promotion, before its first checkpoint, only this place names the timeline. */
	ret->control_timeline = MAX_OF(control->timeline, control->min_recovery_timeline);
	ret->control_checkpoint_lsn = control->checkpoint_lsn;
	ret->control_end_lsn = pgcontrol_end_lsn(control);
	ret->min_recovery_lsn = control->min_recovery_lsn;
}

/* -- the file itself ---------------------------------------------------------------------- */

/* As PostgreSQL 13 to 18 write it (catalog/pg_control.h), in the machine's own byte order. */
struct head {
	uint64_t sysid;
	uint32_t version;
	uint32_t catalog_version;
	int32_t state;
	int32_t unused;
	int64_t time;
	uint64_t checkpoint_lsn;
	uint64_t redo_lsn;
	uint32_t timeline;
};

#define FILE_BYTES     512 /* never longer, so that it is written at once */
#define VERSION_13     1300 /* to 17 */
#define VERSION_18     1800
#define STATE_SHUT_DOWN 1 /* DB_SHUTDOWNED */
#define STATE_SHUTTING_DOWN 3 /* DB_SHUTDOWNING */
/* The checksum stands at the end, which differs between versions. */
#define CHECKSUM_MIN   200

static uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (UINT32_C(0x82F63B78) & (0 - (crc & 1)));
	}
	return crc;
}

static bool checksum_fits(const uint8_t *data, size_t len)
{
	uint32_t crc = crc32c(UINT32_MAX, data, CHECKSUM_MIN);
	uint32_t there;

	for (size_t at = CHECKSUM_MIN; at + sizeof(there) <= len; at += sizeof(there)) {
		memcpy(&there, data + at, sizeof(there));
		if (there == (crc ^ UINT32_MAX))
			return true;
		crc = crc32c(crc, data + at, sizeof(there));
	}
	return false;
}

static bool read_head(const char *data_dir, struct head *ret)
{
	_cleanup_(closep) int fd = -1;
	uint8_t data[FILE_BYTES] = { 0 };
	char path[PATH_MAX];

	if (str_printf(path, sizeof(path), "%s/global/pg_control", data_dir) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, data, sizeof(data), 0) != (ssize_t)sizeof(data))
		return false;
	memcpy(ret, data, sizeof(*ret));
	return (ret->version == VERSION_13 || ret->version == VERSION_18) &&
	       checksum_fits(data, sizeof(data));
}

bool pgcontrol_says_shut_down(const char *data_dir)
{
	struct head head;

	return read_head(data_dir, &head) && head.state == STATE_SHUT_DOWN;
}

bool pgcontrol_says_shutting_down(const char *data_dir)
{
	struct head head;

	return read_head(data_dir, &head) &&
	       (head.state == STATE_SHUT_DOWN || head.state == STATE_SHUTTING_DOWN);
}

bool pgcontrol_reread_shut_down(const char *data_dir, struct pgcontrol *control)
{
	struct head head;
	char sysid[SYSID_SIZE];

	if (!read_head(data_dir, &head) || head.state != STATE_SHUT_DOWN)
		return false;
	(void)str_printf(sysid, sizeof(sysid), "%" PRIu64, head.sysid);
	if (!str_eq(sysid, control->sysid))
		return false;
	control->state = CONTROL_SHUT_DOWN;
	control->checkpoint_lsn = head.checkpoint_lsn;
	control->timeline = head.timeline;
	/* A primary's recovery has ended long ago. */
	control->min_recovery_lsn = 0;
	control->min_recovery_timeline = 0;
	return true;
}
