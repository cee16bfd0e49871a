/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgfiles - the files of Postgres that we own
 */
#include "io/pgfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fsx.h"
#include "io/pgdir.h"
#include "io/pgfence.h"

#define FILE_BYTES_MAX (4 * 1024 * 1024)
#define BEFORE_TRUST   ".pgha-before" /* behind the name of what pgfiles_trust() replaced */

static int join(char dst[PATH_MAX], const char *dir, const char *name, struct err *err)
{
	if (str_printf(dst, PATH_MAX, "%s/%s", dir, name) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s/%s'", dir, name);
	return 0;
}

/* Files inside PGDATA are as open as it is: 0640 where the group may look in. */
static mode_t file_mode(const struct config *config)
{
	return pgdir_group_access(config->pg.data_dir) ? 0640 : 0600;
}

static int write_file(const char *path, const char *text, size_t len, mode_t mode, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	char tmp[PATH_MAX];
	size_t done = 0;

	if (str_printf(tmp, sizeof(tmp), "%s.pgha-tmp", path) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot create '%s'", tmp);
	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int rc = err_set(err, ERR_IO, "cannot write '%s'", tmp);

			(void)unlink(tmp);
			return rc;
		}
		done += (size_t)n;
	}
	if (fchmod(fd, mode) < 0 || rename(tmp, path) < 0)
		return err_set(err, ERR_IO, "cannot replace '%s'", path);
	return 0;
}

/* Leaves the file alone when it says this already. */
static int put(const char *path, const struct buf *text, mode_t mode, bool *changed,
	       struct err *err)
{
	_cleanup_(buf_done) struct buf old = { 0 };
	int rc = fsx_read(path, FILE_BYTES_MAX, &old, err);

	if (rc < 0)
		return rc;
	if (rc == 0 && old.len == text->len &&
	    (text->len == 0 || memcmp(old.data, text->data, text->len) == 0))
		return 0;
	*changed = true;
	return write_file(path, text->data, text->len, mode, err);
}

static int copy(const char *from, const char *to, mode_t mode, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	bool changed = false;
	int rc = fsx_read(from, FILE_BYTES_MAX, &text, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	return put(to, &text, mode, &changed, err);
}

/* -- postgresql.conf ---------------------------------------------------------------------- */

/* The operator's file becomes the base that ours includes; once. */
static int make_base(const struct config *config, const char *conf, mode_t mode, struct err *err)
{
	static const char *const initials[] = { "postgresql.base.conf", "postgresql.conf" };
	static const struct buf nothing = { 0 };
	char base[PATH_MAX], initial[PATH_MAX];
	bool changed = false;
	int rc;

	if (config->pg.custom_conf)
		return 0;
	if (str_printf(base, sizeof(base), "%s/%s.base.conf", pgconf_dir(config),
		       pgconf_stem(config)) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", pgconf_dir(config));
	if (pgdir_exists(base))
		return 0;
	if (rename(conf, base) == 0)
		return 0;
	if (errno != ENOENT)
		return err_set(err, ERR_IO, "cannot rename '%s' to '%s'", conf, base);
	/* Ours belong elsewhere: initdb put its file into PGDATA, or a base backup brought the base
	 * of another server's file there. */
	for (size_t i = 0; i < ARRAY_LEN(initials); i++) {
		rc = join(initial, config->pg.data_dir, initials[i], err);
		if (rc < 0)
			return rc;
		if (pgdir_exists(initial))
			return copy(initial, base, mode, err);
	}
	return put(base, &nothing, mode, &changed, err);
}

/* The operator's file, which ours includes. */
static int read_base(const struct config *config, struct buf *ret, struct err *err)
{
	char path[PATH_MAX];
	int rc;

	if (config->pg.custom_conf)
		rc = str_copy(path, sizeof(path), config->pg.custom_conf);
	else
		rc = str_printf(path, sizeof(path), "%s/%s.base.conf", pgconf_dir(config),
				pgconf_stem(config));
	if (rc < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", pgconf_dir(config));
	rc = fsx_read(path, FILE_BYTES_MAX, ret, err);
	return rc < 0 ? rc : 0;
}

static int write_main(const struct config *config, const struct pgconf_want *want, bool *changed,
		      struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(buf_done) struct buf old = { 0 };
	_cleanup_(buf_done) struct buf base = { 0 };
	_cleanup_(pgfence_done) struct pgfence fence = { 0 };
	struct pgconf_want with_fence = *want;
	mode_t mode = file_mode(config);
	char conf[PATH_MAX];
	int rc;

	if (str_printf(conf, sizeof(conf), "%s/%s.conf", pgconf_dir(config),
		       pgconf_stem(config)) < 0)
		return err_set(err, ERR_TOOLONG, "path '%s'", pgconf_dir(config));
	rc = make_base(config, conf, mode, err);
	if (rc < 0)
		return rc;
	rc = fsx_read(conf, FILE_BYTES_MAX, &old, err);
	if (rc < 0)
		return rc;
	rc = read_base(config, &base, err);
	if (rc < 0)
		return rc;
	pgfence_plan(config, base.data, &fence);
	with_fence.libraries = fence.libraries;
	with_fence.page = fence.page;
	pgconf_main_text(config, &with_fence, old.data, &text);
	return put(conf, &text, mode, changed, err);
}

/* -- pg_hba.conf and pg_ident.conf -------------------------------------------------------- */

/* By the operator: then the file is the operator's. */
static bool redirected(const struct config *config, const char *param, const char *path,
		       const char *file)
{
	const char *set = pgconf_param(config, param);

	return set && !str_eq(set, path) && !str_eq(set, file);
}

static int write_lines(const struct config *config, const char *param, const char *file,
		       const struct strings *lines, bool *changed, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX], initial[PATH_MAX], before[PATH_MAX];
	int rc = join(path, pgconf_dir(config), file, err);

	if (rc < 0 || redirected(config, param, path, file))
		return rc;
	if (str_printf(before, sizeof(before), "%s" BEFORE_TRUST, path) < 0 || pgdir_exists(before))
		return 0;
	if (lines->n > 0) {
		pgconf_lines_text(lines, &text);
		return put(path, &text, file_mode(config), changed, err);
	}
	if (pgdir_exists(path))
		return 0;
	rc = join(initial, config->pg.data_dir, file, err);
	return rc < 0 ? rc : copy(initial, path, file_mode(config), err);
}

static int clean_auto(const struct config *config, bool *changed, struct err *err)
{
	_cleanup_(buf_done) struct buf old = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	int rc = join(path, config->pg.data_dir, "postgresql.auto.conf", err);

	if (rc < 0)
		return rc;
	rc = fsx_read(path, FILE_BYTES_MAX, &old, err);
	if (rc != 0 || old.len == 0)
		return rc < 0 ? rc : 0;
	if (!pgconf_auto_clean(old.data, &text))
		return 0;
	return put(path, &text, file_mode(config), changed, err);
}

/* -- trust, while a restored cluster's passwords are not known ------------------------------ */

static int untrusted_path(const struct config *config, char dst[PATH_MAX], struct err *err)
{
	return join(dst, pgconf_dir(config), "pg_hba.conf" BEFORE_TRUST, err);
}

/* 1: there was nothing to bring back. */
static int bring_hba_back(const struct config *config, struct err *err)
{
	char path[PATH_MAX], before[PATH_MAX];
	int rc = join(path, pgconf_dir(config), "pg_hba.conf", err);

	if (rc == 0)
		rc = untrusted_path(config, before, err);
	if (rc < 0)
		return rc;
	if (!pgdir_exists(before))
		return 1;
	return rename(before, path) < 0 ? err_set(err, ERR_IO, "cannot bring '%s' back", path) : 0;
}

int pgfiles_untrust(const struct config *config, struct err *err)
{
	return MIN_OF(bring_hba_back(config, err), 0);
}

/* A bootstrap that was interrupted at its very end, or whose data directory was discarded while
 * the settings are elsewhere, has left it. */
static int end_trust(const struct config *config, bool *changed, struct err *err)
{
	int rc;

	if (pgdir_has(config->pg.data_dir, PGDIR_BOOTSTRAP))
		return 0;
	rc = bring_hba_back(config, err);
	*changed |= rc == 0;
	return MIN_OF(rc, 0);
}

/* -- all of them --------------------------------------------------------------------------- */

int pgfiles_write(const struct config *config, const struct pgconf_want *want, bool *ret_changed,
		  struct err *err)
{
	bool changed = false;
	int rc = write_main(config, want, &changed, err);

	if (rc == 0)
		rc = end_trust(config, &changed, err);
	if (rc == 0)
		rc = write_lines(config, "hba_file", "pg_hba.conf", &config->pg.pg_hba, &changed,
				 err);
	if (rc == 0)
		rc = write_lines(config, "ident_file", "pg_ident.conf", &config->pg.pg_ident,
				 &changed, err);
	if (rc == 0)
		rc = clean_auto(config, &changed, err);
	if (rc == 0)
		*ret_changed = changed;
	return rc;
}

/* -- signal files ------------------------------------------------------------------------- */

static int remove_file(const struct config *config, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int rc = join(path, config->pg.data_dir, name, err);

	if (rc < 0)
		return rc;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, ERR_IO, "cannot remove '%s'", path);
	return 0;
}

int pgfiles_touch(const char *data_dir, const char *name, struct err *err)
{
	static const struct buf nothing = { 0 };
	char path[PATH_MAX];
	bool changed = false;
	int rc = join(path, data_dir, name, err);

	if (rc < 0)
		return rc;
	return put(path, &nothing, pgdir_group_access(data_dir) ? 0640 : 0600, &changed, err);
}

int pgfiles_signals(const struct config *config, bool standby, struct err *err)
{
	int rc = remove_file(config, "recovery.signal", err);

	if (rc < 0)
		return rc;
	return standby ? pgfiles_touch(config->pg.data_dir, "standby.signal", err) :
			 remove_file(config, "standby.signal", err);
}

int pgfiles_recovery_signal(const struct config *config, bool wanted, struct err *err)
{
	int rc = remove_file(config, "standby.signal", err);

	if (rc < 0)
		return rc;
	return wanted ? pgfiles_touch(config->pg.data_dir, "recovery.signal", err) :
			remove_file(config, "recovery.signal", err);
}

/* -- the rest ----------------------------------------------------------------------------- */

int pgfiles_pgpass(const struct config *config, const char *socket_dir, const struct upstream *ups,
		   size_t nup, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(freep) char *path = pgconf_pgpass_path(config);
	_cleanup_(freep) char *service = NULL;
	bool changed = false;
	int rc;

	pgconf_pgpass_text(config, socket_dir, ups, nup, &text);
	rc = put(path, &text, 0600, &changed, err);
	if (rc < 0)
		return err_wrap(err, "password file");
	service = pgconf_service_path(config);
	if (!service)
		return 0;
	rc = pgconf_service_text(config, &text, err);
	if (rc == 0)
		rc = put(service, &text, 0600, &changed, err);
	return rc < 0 ? err_wrap(err, "service file") : 0;
}

/* Calls fn(where it is used, its copy in PGDATA) for each of our files. */
static int each_file(const struct config *config,
		     int (*fn)(const char *used, const char *kept, mode_t mode, struct err *err),
		     struct err *err)
{
	char names[4][NAME_SIZE] = { "", "", "pg_hba.conf", "pg_ident.conf" };

	if (str_printf(names[0], NAME_SIZE, "%s.conf", pgconf_stem(config)) < 0 ||
	    str_printf(names[1], NAME_SIZE, "%s.base.conf", pgconf_stem(config)) < 0)
		return err_set(err, ERR_TOOLONG, "name '%s'", pgconf_stem(config));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char used[PATH_MAX], kept[PATH_MAX];
		int rc = join(used, pgconf_dir(config), names[i], err);

		if (rc < 0)
			return rc;
		if (str_printf(kept, sizeof(kept), "%s/%s.backup", config->pg.data_dir,
			       names[i]) < 0)
			return err_set(err, ERR_TOOLONG, "path '%s'", config->pg.data_dir);
		rc = fn(used, kept, file_mode(config), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int keep(const char *used, const char *kept, mode_t mode, struct err *err)
{
	return copy(used, kept, mode, err);
}

static int bring(const char *used, const char *kept, mode_t mode, struct err *err)
{
	return pgdir_exists(used) ? 0 : copy(kept, used, mode, err);
}

int pgfiles_backup(const struct config *config, struct err *err)
{
	return each_file(config, keep, err);
}

int pgfiles_restore(const struct config *config, struct err *err)
{
	return each_file(config, bring, err);
}

int pgfiles_append(const char *data_dir, const char *name, const struct strings *lines,
		   struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX];
	int rc = join(path, data_dir, name, err);

	if (rc < 0)
		return rc;
	rc = fsx_read(path, FILE_BYTES_MAX, &text, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < lines->n; i++)
		buf_printf(&text, "%s\n", lines->items[i]);
	return write_file(path, text.data, text.len, pgdir_group_access(data_dir) ? 0640 : 0600,
			  err);
}

int pgfiles_trust(const struct config *config, struct err *err)
{
	static const struct buf nothing = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *user = config->pg.superuser.username;
	char path[PATH_MAX], before[PATH_MAX];
	bool changed = false;
	int rc = join(path, pgconf_dir(config), "pg_hba.conf", err);

	if (rc < 0 || redirected(config, "hba_file", path, "pg_hba.conf"))
		return rc;
	if (!user || strpbrk(user, "\"\n"))
		return err_set(err, ERR_CONFIG, "the superuser's name cannot stand in pg_hba.conf");
	rc = untrusted_path(config, before, err);
	if (rc < 0)
		return rc;
	/* Its presence says that the other one is not the operator's. */
	if (!pgdir_exists(before) && rename(path, before) < 0) {
		rc = put(before, &nothing, file_mode(config), &changed, err);
		if (rc < 0)
			return rc;
	}
	buf_printf(&text, "local all \"%s\" trust\n", user);
	buf_printf(&text, "host all \"%s\" 127.0.0.1/32 trust\n", user);
	buf_printf(&text, "host all \"%s\" ::1/128 trust\n", user);
	return put(path, &text, 0600, &changed, err);
}

void pgfiles_paths(const struct config *config, struct words *ret)
{
	const char *const names[] = { "standby.signal", "postgresql.auto.conf" };
	const char *dir = pgconf_dir(config);
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (join(path, config->pg.data_dir, names[i], NULL) == 0 && pgdir_exists(path))
			words_add(ret, "%s", path);
	}
	words_add(ret, "%s/%s.conf", dir, pgconf_stem(config));
	words_add(ret, "%s", dir);
	words_add(ret, "%s", config->pg.data_dir);
}
