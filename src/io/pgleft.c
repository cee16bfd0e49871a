/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgleft - who is left of a server that stops, by the titles of its processes
 */
#include "io/pgleft.h"

#include <stdlib.h>

#include "base/str.h"
#include "io/fsx.h"
#include "io/pgcontrol.h"
#include "io/pgproc.h"

#define TITLE_MAX 512

/* Processes that end by themselves in the course of every stop, as Postgres 13 to 18 call them. */
static const char *const helpers[] = {
	"logger",	      "background writer",  "walwriter",
	"walreceiver",	      "autovacuum launcher", "autovacuum worker",
	"stats collector",    "startup",	     "logical replication launcher",
	"slotsync worker",    "io worker",	     "walsummarizer",
};

static bool is_helper(const char *title)
{
	for (size_t i = 0; i < ARRAY_LEN(helpers); i++)
		if (str_starts(title, helpers[i]))
			return true;
	return false;
}

static const char *without(const char *title, const char *cluster)
{
	size_t len = strlen(cluster);

	if (len > 0 && str_starts(title, cluster) && str_starts(title + len, ": "))
		return title + len + 2;
	return title;
}

void pgleft_note(struct pgleft *left, const char *title, const char *cluster)
{
	static const char prefix[] = "postgres: ";

	/* The postmaster itself, and what has no title yet, have none of these. */
	if (!str_starts(title, prefix))
		return;
	title = without(title + sizeof(prefix) - 1, cluster);
	if (str_starts(title, "checkpointer")) {
		left->checkpointer = true;
	} else if (str_starts(title, "archiver")) {
		left->archiver = true;
		str_clip(left->archives, sizeof(left->archives), title + strlen("archiver"));
	} else if (str_starts(title, "walsender")) {
		if (left->walsenders++ == 0)
			str_line(left->sender, sizeof(left->sender), title);
	} else if (!is_helper(title)) {
		if (left->clients++ == 0)
			str_line(left->client, sizeof(left->client), title);
	}
}

static void read_title(pid_t pid, char dst[TITLE_MAX])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[64];

	dst[0] = '\0';
	(void)str_printf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if (fsx_read(path, 4096, &text, NULL) == 0 && text.len > 0)
		str_clip(dst, TITLE_MAX, text.data);
}

int pgleft_look(const char *data_dir, const char *cluster, int64_t receiver, struct pgleft *ret,
		struct err *err)
{
	_cleanup_(freep) struct pgproc *procs = mem_new(PGPROC_SCAN_MAX, sizeof(*procs));
	int found = pgproc_scan(data_dir, 0, procs, PGPROC_SCAN_MAX, err);
	char title[TITLE_MAX];

	*ret = (struct pgleft){ .shut_down = pgcontrol_says_shut_down(data_dir) };
	if (found < 0)
		return found;
	for (int i = 0; i < MIN_OF(found, PGPROC_SCAN_MAX); i++) {
		read_title(procs[i].pid, title);
		pgleft_note(ret, title, cluster);
		ret->receiver = ret->receiver || (receiver != 0 && procs[i].pid == receiver);
	}
	return 0;
}

static void add(struct buf *text, const char *what, const char *example)
{
	buf_printf(text, "%s%s", text->len > 0 ? ", " : "", what);
	while (*example == ' ')
		example++;
	if (*example != '\0')
		buf_printf(text, " ('%s')", example);
}

/* Postgres ends in this order: clients, the checkpoint, then at the same time walsenders and the
 * archiver, which are there from the beginning. */
void pgleft_text(const struct pgleft *left, char *dst, size_t size)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char what[64];

	(void)str_printf(what, sizeof(what), "%u client%s", left->clients,
			 left->clients == 1 ? "" : "s");
	if (left->clients > 0)
		add(&text, what, left->client);
	else if (left->checkpointer && !left->shut_down)
		add(&text, "the checkpoint", "");
	(void)str_printf(what, sizeof(what), "%u walsender%s", left->walsenders,
			 left->walsenders == 1 ? "" : "s");
	if (left->walsenders > 0 && left->shut_down)
		add(&text, what, left->sender);
	if (left->archiver && left->shut_down)
		add(&text, "the archiver", left->archives);
	str_clip(dst, size, text.len > 0 ? text.data : "");
}
