/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor_tls - the certificates that this program shows and trusts, on the host where it runs
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/finding.h"
#include "io/certfile.h"
#include "io/loop.h"

#define DAY_S     INT64_C(86400)
#define SOON_DAYS 30

/* One set of files, by the names of their keys. */
struct papers {
	const char *section; /* "ctl" */
	const char *whom;    /* who is spoken to with them */
	const char *cert_key, *key_key;
	const char *cacert, *cert, *key, *password; /* values; NULL: not given */
};

static void add_unusable(const struct papers *p, const char *key, const char *path,
			 const struct err *err, struct findings *findings)
{
	_cleanup_(freep) char *why = str_dupf("hactl does not get to %s without it", p->whom);
	_cleanup_(freep) char *mend = str_dupf("mend the file, or %s.%s", p->section, key);

	finding_add(findings, FINDING_CRITICAL, "this host", why, mend, "%s, %s.%s: %s", path,
		    p->section, key, err->msg);
}

static void judge_span(const struct papers *p, const char *key, const char *path,
		       const struct certfile_span *span, struct findings *findings)
{
	const int64_t now_wall_s = loop_wall_us() / 1000000;
	const int64_t days = (span->until_wall_s - now_wall_s) / DAY_S;
	_cleanup_(freep) char *why =
		str_dupf("from then on hactl does not get to %s: no switchover, no restart by it",
			 p->whom);
	static const char mend[] = "put a new one in its place, see REPLACING CERTIFICATES in "
				   "pgha-operations(7)";

	if (now_wall_s < span->from_wall_s)
		finding_add(findings, FINDING_CRITICAL, "this host",
			    "it is refused until then, or the clock of this host is wrong",
			    "date; chronyc tracking", "%s, %s.%s, does not count yet", path,
			    p->section, key);
	else if (now_wall_s >= span->until_wall_s)
		finding_add(findings, FINDING_CRITICAL, "this host", why, mend,
			    "%s, %s.%s, has expired", path, p->section, key);
	else if (days < SOON_DAYS)
		finding_add(findings, FINDING_WARNING, "this host", why, mend,
			    "%s, %s.%s, expires in %lld day%s", path, p->section, key,
			    (long long)days, days == 1 ? "" : "s");
}

static void judge_mode(const struct papers *p, const char *key, const char *path,
		       struct findings *findings)
{
	_cleanup_(freep) char *mend = NULL;
	struct stat st;

	if (stat(path, &st) < 0 || (st.st_mode & (S_IROTH | S_IWOTH)) == 0)
		return;
	mend = str_dupf("chmod o-rwx %s", path);
	finding_add(findings, FINDING_CRITICAL, "this host",
		    "whoever has an account here can pose as an operator", mend,
		    "%s, %s.%s, is a private key that everybody may %s", path, p->section, key,
		    (st.st_mode & S_IWOTH) != 0 ? "write" : "read");
}

static void judge_own(const struct papers *p, struct findings *findings)
{
	/* Both may be in one file. */
	const char *key = p->key != NULL ? p->key : p->cert;
	const char *key_key = p->key != NULL ? p->key_key : p->cert_key;
	struct certfile_span span = { 0 };
	struct err err = { 0 };

	if (p->cert == NULL)
		return;
	if (certfile_own(p->cert, &span, &err) < 0) {
		add_unusable(p, p->cert_key, p->cert, &err, findings);
		return;
	}
	judge_span(p, p->cert_key, p->cert, &span, findings);
	judge_mode(p, key_key, key, findings);
	if (certfile_pair(p->cert, key, p->password, &err) < 0)
		add_unusable(p, key_key, key, &err, findings);
}

static void judge_authorities(const struct papers *p, struct findings *findings)
{
	struct certfile_span span = { 0 };
	struct err err = { 0 };

	if (p->cacert == NULL)
		return;
	if (certfile_authorities(p->cacert, &span, &err) < 0)
		add_unusable(p, "cacert", p->cacert, &err, findings);
	else
		judge_span(p, "cacert", p->cacert, &span, findings);
}

void doctor_tls(const struct config *config, struct findings *findings)
{
	const struct papers papers[] = {
		{ "ctl", "the REST API of the members", "certfile", "keyfile", config->ctl.cacert,
		  config->ctl.certfile, config->ctl.keyfile, config->ctl.keyfile_password },
		{ "etcd3", "etcd", "cert", "key", config->etcd.cacert, config->etcd.cert,
		  config->etcd.key, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(papers); i++) {
		judge_own(&papers[i], findings);
		judge_authorities(&papers[i], findings);
	}
}
