/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor_host - the configuration file that this program reads, on the host where it runs
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/finding.h"
#include "cli/outside.h"
#include "wire/conffile.h"

#define FILE_MAX (4 * 1024 * 1024)

static void judge_mode(const char *file, const char *text, struct findings *findings)
{
	_cleanup_(freep) char *mend = NULL;
	struct stat st;

	if (strstr(text, "password") == NULL || stat(file, &st) < 0)
		return;
	if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		mend = str_dupf("chmod o-rwx %s", file);
		finding_add(findings, FINDING_CRITICAL, "this host",
			    "whoever has an account here reads the passwords of the superuser and "
			    "of the REST API",
			    mend, "%s holds passwords, and everybody may %s it", file,
			    (st.st_mode & S_IWOTH) != 0 ? "write" : "read");
	} else if ((st.st_mode & S_IWGRP) != 0) {
		mend = str_dupf("chmod g-w %s", file);
		finding_add(findings, FINDING_WARNING, "this host",
			    "the agent runs commands that stand in this file", mend,
			    "%s may be written by its group", file);
	}
}

/* Only the daemon's own file has to be whole. */
static void judge_text(const char *file, const struct buf *text, const char *const *env,
		       struct findings *findings)
{
	struct confdoc *doc = NULL;
	struct conf_problems problems = { 0 };
	struct err err = { 0 };

	if (strstr(text->data, "postgresql:") == NULL)
		return;
	if (confdoc_parse(text->data, text->len, env, &doc, &err) < 0) {
		finding_add(findings, FINDING_CRITICAL, "this host",
			    "the agent does not start with it", "mend the file", "%s: %s", file,
			    err.msg);
		return;
	}
	confdoc_check(doc, &problems);
	for (size_t i = 0; i < problems.n; i++) {
		const struct conf_problem *p = &problems.items[i];

		finding_add(findings, p->fatal ? FINDING_CRITICAL : FINDING_WARNING, "this host",
			    p->fatal ? "the agent does not start with it" :
				       "the agent goes on without it, or with another value",
			    "mend the file, then hactl reload; see pgha.yml(5)", "%s:%d: %s: %s",
			    file, p->line, p->path, p->text);
	}
	conf_problems_done(&problems);
	confdoc_free(doc);
}

void doctor_host(const char *file, const char *const *env, struct findings *findings)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct stat st;

	if (file == NULL || stat(file, &st) < 0 || !S_ISREG(st.st_mode) ||
	    outside_read(file, FILE_MAX, &text, NULL) < 0 || text.data == NULL)
		return;
	judge_mode(file, text.data, findings);
	judge_text(file, &text, env, findings);
}
