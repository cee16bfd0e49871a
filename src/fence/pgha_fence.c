/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgha_fence - the module: settings, hooks, status
 *
 * Works only when loaded by shared_preload_libraries: the postmaster maps the page for all.
 * Its state is a setting that can be read, pgha_fence.status, so that no object has to exist in
 * any database to ask for it, and a standby can be asked too.
 */
#include "fence/module.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <postgres.h>

/* As in commit.c. */
#undef ENABLE_GSS
#undef USE_OPENSSL
#undef USE_SSL
#include <libpq/auth.h>

#include <fmgr.h>
#include <miscadmin.h>
#include <storage/ipc.h>
#include <utils/guc.h>

#define STATUS_SIZE 2048

PG_MODULE_MAGIC;

void _PG_init(void);

bool module_enabled = true;
bool module_fail_closed;
bool module_sync_truth = true;
bool module_die_with_postmaster = true;

static struct gate gate = GATE_CLOSED;
static char *page_path;
static char *status_dummy;
static bool preloaded;
static ClientAuthentication_hook_type next_authentication;
static shmem_startup_hook_type next_startup;
#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type next_request;
#endif

/* With the postmaster dead nobody looks after a backend that is busy: it would go on committing
 * for as long as it likes. Postgres asks the kernel for a signal that only sets a flag. */
static void die_with_postmaster(void)
{
	if (!module_die_with_postmaster || !IsUnderPostmaster)
		return;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return;
	/* It may have died before the kernel was asked. */
	if (getppid() != PostmasterPid)
		(void)kill(getpid(), SIGKILL);
}

static void on_authentication(Port *port, int status)
{
	if (next_authentication)
		next_authentication(port, status);
	die_with_postmaster();
}

static void on_startup(void)
{
	if (next_startup)
		next_startup();
	counters_attach();
	gate.belief = counters_belief();
}

#if PG_VERSION_NUM >= 150000
static void on_request(void)
{
	if (next_request)
		next_request();
	counters_request();
}
#endif

static const char *answer_text(enum gate_answer answer)
{
	static const char *const texts[GATE__MAX] = {
		[GATE_OPEN] = "open", [GATE_PAST] = "past", [GATE_BLIND] = "blind"
	};

	return texts[answer];
}

/* Text of the operator's may hold anything: what would end a JSON string becomes '?'. */
static void put_path(char *dst, size_t size, const char *path)
{
	(void)snprintf(dst, size, "%s", path ? path : "");
	for (char *p = dst; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '"' || *p == '\\')
			*p = '?';
}

static const char *show_status(void)
{
	static char text[STATUS_SIZE];
	char path[MAXPGPATH];
	struct gate_look look;
	bool good;
	int len;

	gate_look(&gate, module_fail_closed, &look);
	good = look.mapped && look.state == LEASEPAGE_GOOD;
	put_path(path, sizeof(path), page_path);
	len = snprintf(text, sizeof(text),
		       "{\"preloaded\": %s, \"enabled\": %s, \"fail_closed\": %s, "
		       "\"sync_truth\": %s, \"path\": \"%s\", \"page\": \"%s\", \"gate\": \"%s\", "
		       "\"armed\": %s, \"reason\": \"%s\", \"epoch\": " INT64_FORMAT
		       ", \"left_ms\": " INT64_FORMAT,
		       preloaded ? "true" : "false", module_enabled ? "true" : "false",
		       module_fail_closed ? "true" : "false", module_sync_truth ? "true" : "false",
		       path, gate_page_text(&gate, &look), answer_text(look.answer),
		       good && look.facts.armed ? "true" : "false",
		       good ? leasepage_reason_text(look.facts.reason) : "", look.facts.epoch,
		       look.left_ms);
	for (int i = 0; i < MODULE__MAX && len < (int)sizeof(text); i++)
		len += snprintf(text + len, sizeof(text) - len, ", \"%s\": " UINT64_FORMAT,
				counters_name(i), counters_get(i));
	if (len < (int)sizeof(text))
		(void)snprintf(text + len, sizeof(text) - len, "}");
	return text;
}

static void define_switch(const char *name, const char *help, bool *at, GucContext context)
{
	DefineCustomBoolVariable(name, help, NULL, at, *at, context, 0, NULL, NULL, NULL);
}

static void define_settings(void)
{
	DefineCustomStringVariable("pgha_fence.page",
				   "Path of the lease page that the agent of this server writes.",
				   NULL, &page_path, "",
				   preloaded ? PGC_POSTMASTER : PGC_INTERNAL, 0, NULL, NULL, NULL);
	define_switch("pgha_fence.enabled", "Commits are refused when the lease is over.",
		      &module_enabled, PGC_SIGHUP);
	define_switch("pgha_fence.fail_closed",
		      "Commits are refused also when there is no page that can be believed.",
		      &module_fail_closed, PGC_SIGHUP);
	define_switch("pgha_fence.sync_truth",
		      "A client whose wait for synchronous standbys was cut short is cut off "
		      "instead of being told that its transaction is committed.",
		      &module_sync_truth, PGC_SIGHUP);
	define_switch("pgha_fence.die_with_postmaster",
		      "The kernel kills a client's process at once when the postmaster dies.",
		      &module_die_with_postmaster, PGC_SIGHUP);
	DefineCustomStringVariable("pgha_fence.status", "What the module sees and did, as JSON.",
				   NULL, &status_dummy, "", PGC_INTERNAL,
				   GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, NULL, NULL,
				   show_status);
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved(MODULE_NAME);
#else
	EmitWarningsOnPlaceholders(MODULE_NAME);
#endif
}

static void install_hooks(void)
{
	next_authentication = ClientAuthentication_hook;
	ClientAuthentication_hook = on_authentication;
	next_startup = shmem_startup_hook;
	shmem_startup_hook = on_startup;
#if PG_VERSION_NUM >= 150000
	next_request = shmem_request_hook;
	shmem_request_hook = on_request;
#else
	counters_request();
#endif
	commit_install(&gate);
}

void _PG_init(void)
{
	struct err err = { 0 };

	preloaded = process_shared_preload_libraries_in_progress;
	define_settings();
	if (!preloaded) {
		ereport(WARNING,
			(errmsg("pgha_fence does nothing unless it is in "
				"shared_preload_libraries")));
		return;
	}
	if (gate_map(&gate, page_path, &err) < 0)
		ereport(LOG, (errmsg("pgha_fence: there is no lease page yet"),
			      errdetail_internal("%s", err.msg)));
	install_hooks();
}
