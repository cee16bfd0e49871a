/* SPDX-License-Identifier: PostgreSQL */
/*
 * peersecret - the file of restapi.peer_secret_file
 */
#include "io/peersecret.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "io/fsx.h"

#define FILE_MAX 4096

static int check_mode(const char *path, struct err *err)
{
	struct stat st;

	/* That it is not there is told by who reads it. */
	if (stat(path, &st) < 0)
		return 0;
	/* Root, who has only come to check the file, can read whatever it is. */
	if (st.st_uid != 0 && st.st_uid != geteuid() && geteuid() != 0)
		return err_set(err, ERR_CONFIG,
			       "'%s' belongs to user %u, who can replace it under the agent; "
			       "chown postgres: '%s'",
			       path, (unsigned)st.st_uid, path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(err, ERR_CONFIG,
			       "'%s' has mode %04o: others than its owner can read or replace the "
			       "secret; chmod 600 '%s'",
			       path, (unsigned)st.st_mode & 07777, path);
	return 0;
}

static int load(const char *path, struct peersign *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = check_mode(path, err);

	if (r == 0)
		r = fsx_read(path, FILE_MAX, &text, err);
	if (r == FSX_MISSING)
		return err_set(
			err, ERR_CONFIG,
			"there is no file '%s'; openssl rand -hex 32 makes what belongs into "
			"it, the same on all members",
			path);
	if (r < 0)
		return r;
	r = peersign_parse(text.data ? text.data : "", text.len, ret, err);
	if (text.data)
		explicit_bzero(text.data, text.len);
	return r < 0 ? err_wrap(err, "'%s'", path) : 0;
}

int peersecret_load(const struct config *config, struct peersign *ret, struct err *err)
{
	const struct config_restapi *rest = &config->restapi;
	struct peersign found = { .required = rest->peer_auth == PEER_REQUIRED };

	if (rest->peer_secret_file && load(rest->peer_secret_file, &found, err) < 0)
		return err_wrap(err, "restapi.peer_secret_file");
	str_clip(found.scope, sizeof(found.scope), config->scope);
	str_clip(found.name, sizeof(found.name), config->name);
	*ret = found;
	explicit_bzero(&found, sizeof(found));
	return 0;
}
