/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor_links - whether a member's Postgres lets the others in, as they really tried it
 */
#include <stdlib.h>

#include "cli/finding.h"
#include "cli/node.h"

/* What is down is told as such, and not once more for everybody who tried. */
static bool is_running(const struct picture *picture, const char *name)
{
	const char *state = node_str(picture_member(picture, name), "state");

	return str_eq(state, "running") || str_eq(state, "streaming") ||
	       str_eq(state, "in archive recovery");
}

static char *mend_of(const char *error, const char *to, const char *user, bool replication)
{
	const char *which = replication ? "replication" : "rewind";

	if (strstr(error, "pg_hba.conf") != NULL)
		return str_dupf("hactl edit-config, and add to postgresql.pg_hba of all members: "
				"host %s %s ADDRESS/32 scram-sha-256, with the address of each",
				replication ? "replication" : "all", user);
	if (strstr(error, "password") != NULL || strstr(error, "authentication") != NULL)
		return str_dupf("put the same postgresql.authentication.%s.password into the file "
				"of every member, then hactl reload; it must be the one of role %s "
				"in Postgres",
				which, user);
	if (strstr(error, "does not exist") != NULL || strstr(error, "permission") != NULL)
		return str_dupf("on the primary: CREATE ROLE %s, or ALTER ROLE %s, WITH LOGIN%s",
				user, user, replication ? " REPLICATION" : "");
	return str_dupf("look at the address of %s in hactl list, at listen_addresses and at "
			"firewalls between the two",
			to);
}

static void judge(const struct tree_node *link, const char *from, bool replication,
		  struct findings *findings)
{
	const char *to = node_str(link, "to");
	const char *error = node_str(link, replication ? "replication" : "rewind");
	const char *user = node_str(link, replication ? "replication_user" : "rewind_user");
	_cleanup_(freep) char *mend = NULL;
	_cleanup_(freep) char *why = NULL;

	if (*error == '\0')
		return;
	mend = mend_of(error, to, user, replication);
	why = replication ?
		      str_dupf("when %s leads, %s cannot follow it, nor be copied from it", to,
			       from) :
		      str_dupf("when %s leads and %s went another way, it cannot be rewound", to,
			       from);
	finding_add(findings, replication ? FINDING_CRITICAL : FINDING_WARNING, from, why, mend,
		    "cannot connect to the Postgres of %s as %s%s: %s", to, user,
		    replication ? " for replication" : ", the user of pg_rewind", error);
}

void doctor_links(const struct picture *picture, const struct patient *p,
		  struct findings *findings)
{
	const struct tree_node *links = tree_child(p->facts, "links");
	bool rewinds = node_bool(p->facts, "use_pg_rewind", false);

	for (const struct tree_node *l = links != NULL ? links->first : NULL; l != NULL;
	     l = l->next) {
		if (!is_running(picture, node_str(l, "to")))
			continue;
		judge(l, node_str(p->facts, "name"), true, findings);
		/* One reason is told once. */
		if (rewinds &&
		    !str_eq(node_str(l, "rewind"), node_str(l, "replication")))
			judge(l, node_str(p->facts, "name"), false, findings);
	}
}
