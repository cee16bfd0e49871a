/* SPDX-License-Identifier: PostgreSQL */
/*
 * statefile - what an agent keeps on disk beside the data directory
 */
#include "io/statefile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "io/fsx.h"

#define STATE_HEAD "pgha-state 1"
#define STATE_MAX  4096
#define JSON_MAX   (1024 * 1024)

/* FNV-1a: tells a torn or edited file from a whole one, nothing more. */
static uint64_t sum_of(const char *text, size_t len)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	return h;
}

int statefile_save(const char *state_dir, const char *id, const struct durable *d,
		   struct err *err)
{
	char path[PATH_MAX];
	struct buf text = { 0 };
	int r;

	if (str_printf(path, sizeof(path), "%s/pgha.%s.state", state_dir, id) < 0)
		return err_set(err, ERR_TOOLONG, "state directory '%s'", state_dir);
	buf_printf(&text,
		   STATE_HEAD "\ncluster_id %" PRIu64 "\nrevision %" PRId64 "\nepoch %" PRId64
			      "\naccepted %" PRId64 "\nregressed %d\npromised %" PRId64
			      "\nsealed %d\ntimeline %u\nsysid %s\n",
		   d->cluster_id, d->revision, d->epoch, d->accepted, d->regressed,
		   d->promised, d->sealed, d->timeline,
		   d->sysid[0] != '\0' ? d->sysid : "-");
	buf_printf(&text, "sum %016" PRIx64 "\n", sum_of(text.data, text.len));
	r = fsx_replace(path, text.data, text.len, err);
	buf_done(&text);
	return r;
}

/* The value behind "key " at the line's start; false when the line is another one. */
static bool value_of(const char *line, const char *key, const char **ret)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len) != 0 || line[len] != ' ')
		return false;
	*ret = line + len + 1;
	return true;
}

static bool take_line(const char *line, struct durable *d)
{
	const char *value;
	uint64_t number = 0;
	int64_t signed_number = 0;

	if (value_of(line, "cluster_id", &value))
		return parse_uint(value, UINT64_MAX, &d->cluster_id, NULL) == 0;
	if (value_of(line, "revision", &value))
		return parse_int(value, 0, INT64_MAX, &d->revision, NULL) == 0;
	if (value_of(line, "epoch", &value) &&
	    parse_int(value, 0, INT64_MAX, &signed_number, NULL) == 0) {
		d->epoch = signed_number;
		return true;
	}
	if (value_of(line, "accepted", &value))
		return parse_int(value, 0, INT64_MAX, &d->accepted, NULL) == 0;
	if (value_of(line, "promised", &value))
		return parse_int(value, 0, INT64_MAX, &d->promised, NULL) == 0;
	if (value_of(line, "sealed", &value)) {
		d->sealed = !str_eq(value, "0");
		return true;
	}
	if (value_of(line, "regressed", &value)) {
		d->regressed = !str_eq(value, "0");
		return true;
	}
	if (value_of(line, "timeline", &value) &&
	    parse_uint(value, UINT32_MAX, &number, NULL) == 0) {
		d->timeline = (uint32_t)number;
		return true;
	}
	if (value_of(line, "sysid", &value))
		return str_eq(value, "-") || str_copy(d->sysid, sizeof(d->sysid), value) >= 0;
	return str_eq(line, STATE_HEAD);
}

static bool read_state(char *text, struct durable *d)
{
	char *sum = strstr(text, "\nsum ");
	char expected[24];
	char *line = text;

	if (sum == NULL || !str_starts(text, STATE_HEAD "\n"))
		return false;
	(void)str_printf(expected, sizeof(expected), "%016" PRIx64 "\n",
			 sum_of(text, (size_t)(sum + 1 - text)));
	if (!str_eq(sum + 5, expected))
		return false;
	*sum = '\0';
	while (line != NULL) {
		char *end = strchr(line, '\n');

		if (end != NULL)
			*end = '\0';
		if (!take_line(line, d))
			return false;
		line = end != NULL ? end + 1 : NULL;
	}
	return true;
}

bool statefile_load(const char *state_dir, const char *id, struct durable *ret)
{
	struct durable d = { 0 };
	struct buf text = { 0 };
	struct err err = { 0 };
	char path[PATH_MAX];
	bool good = false;
	int r;

	if (str_printf(path, sizeof(path), "%s/pgha.%s.state", state_dir, id) < 0)
		return false;
	r = fsx_read(path, STATE_MAX, &text, &err);
	if (r == 0 && text.data != NULL)
		good = read_state(text.data, &d);
	if (r < 0)
		log_warning("the durable record cannot be read: %s", err.msg);
	else if (r == 0 && !good)
		log_warning("the durable record '%s' is damaged, it is written anew", path);
	buf_done(&text);
	if (good)
		*ret = d;
	return good;
}

int statefile_save_dynamic(const char *state_dir, const char *id, const char *data_dir,
			   const char *json, struct err *err)
{
	char path[PATH_MAX];
	char version[PATH_MAX];
	int r;

	if (str_printf(path, sizeof(path), "%s/pgha.%s.dynamic.json", state_dir, id) < 0)
		return err_set(err, ERR_TOOLONG, "state directory '%s'", state_dir);
	r = fsx_replace(path, json, strlen(json), err);
	if (r < 0)
		return r;
	/* Never make a data directory, or files in what is none yet. */
	if (str_printf(version, sizeof(version), "%s/PG_VERSION", data_dir) < 0 ||
	    access(version, F_OK) < 0)
		return 0;
	if (str_printf(path, sizeof(path), "%s/patroni.dynamic.json", data_dir) < 0)
		return err_set(err, ERR_TOOLONG, "data directory '%s'", data_dir);
	return fsx_replace(path, json, strlen(json), err);
}

static char *load_json(const char *path)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	int r = fsx_read(path, JSON_MAX, &text, &err);

	if (r < 0)
		log_warning("the cached configuration cannot be read: %s", err.msg);
	if (r == 0 && text.len > 0)
		return buf_take(&text);
	buf_done(&text);
	return NULL;
}

char *statefile_load_dynamic(const char *state_dir, const char *id, const char *data_dir)
{
	char path[PATH_MAX];
	char *json = NULL;

	if (str_printf(path, sizeof(path), "%s/pgha.%s.dynamic.json", state_dir, id) >= 0)
		json = load_json(path);
	if (json == NULL &&
	    str_printf(path, sizeof(path), "%s/patroni.dynamic.json", data_dir) >= 0)
		json = load_json(path);
	return json;
}

void statefile_dump(const char *state_dir, const char *id, const char *why, const char *text,
		    size_t len)
{
	_cleanup_(closep) int fd = -1;
	char path[PATH_MAX];
	ssize_t written;

	if (str_printf(path, sizeof(path), "%s/pgha.%s.recorder", state_dir, id) < 0)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	written = write(fd, text, len);
	if (written >= 0 && (size_t)written < len)
		log_debug("the flight recorder (%s) was cut: the disk is full", why);
}
