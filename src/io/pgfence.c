/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgfence - getting the module pgha_fence into Postgres
 */
#include "io/pgfence.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "io/pgconf.h"

#define PRELOAD "shared_preload_libraries"

/* -- where it is -------------------------------------------------------------------------- */

/* Library directories as seen from that of the programs: Debian's and PGDG's, that of a build
 * without "postgres" in its path, and those of distributions with one version in /usr/bin. */
static const char *const beside[] = {
	"../lib", "../lib/postgresql", "../lib64/pgsql", "../lib/pgsql", "../lib64/postgresql",
};

static bool is_beside(const char *bin_dir)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
		if (str_printf(path, sizeof(path), "%s/%s/" PGFENCE_MODULE ".so", bin_dir,
			       beside[i]) > 0 &&
		    access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* Postgres finds its libraries from where its program really is, links resolved. */
static bool is_with_program(const char *dir, const char *program)
{
	char path[PATH_MAX];
	char real[PATH_MAX];
	char *slash;

	if (str_printf(path, sizeof(path), "%s/%s", dir, program) < 0 || access(path, X_OK) < 0 ||
	    !realpath(path, real))
		return false;
	slash = strrchr(real, '/');
	*slash = '\0';
	return is_beside(real);
}

/* The first program of the name in PATH is the one that is started. */
static bool is_with_program_in_path(const char *program)
{
	const char *at = getenv("PATH");
	char dir[PATH_MAX];
	char path[PATH_MAX];

	while (at && *at) {
		size_t len = strcspn(at, ":");

		if (len > 0 && len < sizeof(dir)) {
			str_clip(dir, len + 1, at);
			if (str_printf(path, sizeof(path), "%s/%s", dir, program) > 0 &&
			    access(path, X_OK) == 0)
				return is_with_program(dir, program);
		}
		at += len + (at[len] == ':');
	}
	return false;
}

bool pgfence_installed(const struct config *config)
{
	const char *renamed = pgconf_pair(&config->pg.bin_name, "postgres");
	const char *program = renamed ? renamed : "postgres";

	return config->pg.bin_dir ? is_with_program(config->pg.bin_dir, program) :
				    is_with_program_in_path(program);
}

/* -- what is set without us --------------------------------------------------------------- */

static size_t name_length(const char *line)
{
	return strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.");
}

/* 'it''s' or a bare word, up to the end of the line. */
static char *value_of(const char *text)
{
	struct buf value = { 0 };

	text += strspn(text, " \t");
	if (*text == '=')
		text += 1 + strspn(text + 1, " \t");
	if (*text != '\'') {
		buf_add(&value, text, strcspn(text, " \t\r\n#"));
		return buf_take(&value);
	}
	for (text++; *text && *text != '\n'; text++) {
		if (*text == '\'' && text[1] != '\'')
			break;
		if ((*text == '\'' || *text == '\\') && text[1] && text[1] != '\n')
			text++;
		buf_ch(&value, *text);
	}
	return buf_take(&value);
}

char *pgfence_setting_in(const char *text, const char *name, bool *ret_includes)
{
	char *found = NULL;
	char word[NAME_SIZE];

	*ret_includes = false;
	while (text && *text) {
		const char *line = text + strspn(text, " \t");
		size_t len = name_length(line);

		if (len > 0 && len < sizeof(word)) {
			str_clip(word, len + 1, line);
			if (str_ieq(word, name)) {
				free(found);
				found = value_of(line + len);
			}
			*ret_includes |= str_ieq(word, "include") || str_ieq(word, "include_dir") ||
					 str_ieq(word, "include_if_exists");
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return found;
}

/* -- what is set with us ------------------------------------------------------------------ */

static bool is_listed(const char *list)
{
	char word[PATH_MAX];

	while (*list) {
		size_t len = strcspn(list, ", \t");

		if (len > 0 && len < sizeof(word)) {
			str_clip(word, len + 1, list);
			if (str_eq(word, PGFENCE_MODULE) || str_eq(word, "$libdir/" PGFENCE_MODULE))
				return true;
		}
		list += len;
		list += strspn(list, ", \t");
	}
	return false;
}

char *pgfence_libraries(const char *list)
{
	if (!list || !list[strspn(list, " \t")])
		return str_dup(PGFENCE_MODULE);
	if (is_listed(list))
		return str_dup(list);
	return str_dupf("%s,%s", list, PGFENCE_MODULE);
}

static char *page_of(const struct config *config)
{
	return str_dupf("%s/%s/%s/lease", config->run_dir, config->scope, config->name);
}

void pgfence_plan(const struct config *config, const char *base, struct pgfence *ret)
{
	const char *set = pgconf_param(config, PRELOAD);
	_cleanup_(freep) char *in_base = NULL;
	bool includes = false;

	*ret = (struct pgfence){ 0 };
	if (config->fence.commit_guard == FENCE_COMMIT_OFF || !pgfence_installed(config))
		return;
	in_base = pgfence_setting_in(base, PRELOAD, &includes);
	/* Ours would take the place of what an included file may load. */
	if (!set && includes) {
		log_warning(PGFENCE_MODULE " is not loaded: the included configuration includes "
			    "other files, which may set " PRELOAD "; set it in "
			    "postgresql.parameters, empty if there is nothing else to load");
		return;
	}
	ret->libraries = pgfence_libraries(set ? set : in_base);
	ret->page = page_of(config);
}

void pgfence_over_auto(const struct config *config, const char *auto_text, struct pgfence *ret)
{
	_cleanup_(freep) char *set = NULL;
	bool includes = false;

	*ret = (struct pgfence){ 0 };
	if (config->fence.commit_guard == FENCE_COMMIT_OFF || !pgfence_installed(config))
		return;
	set = pgfence_setting_in(auto_text, PRELOAD, &includes);
	if (!set || is_listed(set))
		return;
	ret->libraries = pgfence_libraries(set);
	ret->page = page_of(config);
}

void pgfence_done(struct pgfence *fence)
{
	free(fence->libraries);
	free(fence->page);
	*fence = (struct pgfence){ 0 };
}
