/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor_cluster - what shows only when members are compared, and who could take over
 */
#include <stdlib.h>

#include "cli/finding.h"
#include "cli/node.h"

#define CLOCK_WARN_MS 1000

static void judge_versions(const struct patient *patients, size_t n, struct findings *findings)
{
	const struct tree_node *first = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct tree_node *facts = patients[i].facts;
		int64_t mine = 0, theirs = 0;

		if (facts == NULL)
			continue;
		first = first != NULL ? first : facts;
		(void)node_int(first, "server_version", &mine);
		(void)node_int(facts, "server_version", &theirs);
		if (mine != 0 && theirs != 0 && mine / 10000 != theirs / 10000)
			finding_add(findings, FINDING_CRITICAL, node_str(facts, "name"),
				    "a standby must be of the major version of its primary",
				    "see MAJOR VERSION OF POSTGRESQL in pgha-operations(7)",
				    "PostgreSQL %lld here, %lld on %s", (long long)(theirs / 10000),
				    (long long)(mine / 10000), node_str(first, "name"));
		else if (mine != 0 && theirs != 0 && mine != theirs)
			finding_add(findings, FINDING_WARNING, node_str(facts, "name"),
				    "after the next switchover the cluster runs another minor "
				    "version, with its bugs back or mended",
				    "upgrade the packages on all hosts, then hactl restart CLUSTER "
				    "MEMBER, standbys first",
				    "PostgreSQL %lld.%lld here, %lld.%lld on %s",
				    (long long)(theirs / 10000), (long long)(theirs % 10000),
				    (long long)(mine / 10000), (long long)(mine % 10000),
				    node_str(first, "name"));
		if (!str_eq(node_str(first, "version"), node_str(facts, "version")))
			finding_add(findings, FINDING_WARNING, node_str(facts, "name"),
				    "members of different versions work together, but only the "
				    "older one's promises hold",
				    "upgrade the package pgha on all hosts",
				    "pghad %s here, %s on %s", node_str(facts, "version"),
				    node_str(first, "version"), node_str(first, "name"));
	}
}

static void judge_clocks(const struct patient *patients, size_t n, struct findings *findings)
{
	for (size_t i = 0; i < n; i++) {
		const struct patient *p = &patients[i];
		int64_t off_ms = llabs(p->clock_off_ms) - p->clock_error_ms;

		if (p->facts == NULL || off_ms < CLOCK_WARN_MS)
			continue;
		finding_add(findings, FINDING_WARNING, node_str(p->facts, "name"),
			    "leases are counted on clocks that nobody sets, but schedules, logs, "
			    "backups and certificates go by this one",
			    "chronyc tracking on both hosts; start chronyd or systemd-timesyncd",
			    "its clock is %.1f s %s that of this host", (double)off_ms / 1000,
			    p->clock_off_ms > 0 ? "ahead of" : "behind");
	}
}

static void judge_picture(const struct picture *picture, struct findings *findings)
{
	size_t n = 0;

	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next) {
		n++;
		if (node_truthy(m, "pending_restart"))
			finding_add(findings, FINDING_WARNING, node_str(m, "name"),
				    "it runs with other settings than the configuration says",
				    "hactl restart CLUSTER MEMBER --pending",
				    "settings wait for a restart");
	}
	if (n < 2)
		finding_add(findings, FINDING_CRITICAL, "cluster",
			    "there is nobody to fail over to",
			    "add a member: see ADDING A MEMBER in pgha-operations(7)",
			    "the cluster has %zu member%s", n, n == 1 ? "" : "s");
	if (picture_is_paused(picture))
		finding_add(findings, FINDING_WARNING, "cluster",
			    "while it is paused nobody takes over, and nothing is fenced",
			    "hactl resume", "the cluster is paused");
	if (picture->leader[0] == '\0')
		finding_add(findings, FINDING_CRITICAL, "cluster", "nobody takes writes",
			    "hactl explain tells what each member waits for",
			    "there is no leader");
}

void doctor_cluster(const struct picture *picture, const struct patient *patients, size_t n,
		    struct findings *findings)
{
	judge_picture(picture, findings);
	judge_versions(patients, n, findings);
	judge_clocks(patients, n, findings);
	doctor_peers(patients, n, findings);
}

void doctor_outlook(const struct tree_node *outlook, struct findings *findings)
{
	const struct tree_node *failover = tree_child(outlook, "failover");
	const struct tree_node *members = tree_child(outlook, "members");
	_cleanup_(buf_done) struct buf why = { 0 };

	if (!str_eq(node_str(failover, "end"), "nobody"))
		return;
	for (const struct tree_node *m = members != NULL ? members->first : NULL; m != NULL;
	     m = m->next)
		if (node_text(m, "rank") != NULL)
			buf_printf(&why, "%s%s: %s", why.len > 0 ? "; " : "", node_str(m, "name"),
				   node_str(m, "why"));
	finding_add(findings, FINDING_CRITICAL, "cluster",
		    why.len > 0 ? why.data : node_str(failover, "why"),
		    "hactl explain tells more; mend what keeps them, or add a member",
		    "if %s were lost now, nobody would take over", node_str(outlook, "leader"));
}
