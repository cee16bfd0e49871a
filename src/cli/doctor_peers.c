/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor_peers - do the members know each other's calls by their signatures?
 */
#include "base/parse.h"
#include "cli/finding.h"
#include "cli/node.h"

#define RECENT_S 300

static bool has_secret(const struct patient *p)
{
	return node_bool(tree_child(p->facts, "restapi"), "peer_secret", false);
}

/* While it is given out member by member peer_auth is optional, and this is no fault. */
static void judge_alone(const struct patient *p, const char *other, struct findings *findings)
{
	if (!node_bool(tree_child(p->facts, "restapi"), "peer_required", false))
		return;
	finding_add(findings, FINDING_CRITICAL, node_str(p->facts, "name"),
		    "it counts what others do not sign as nothing: it gets no positions and no "
		    "promises of them",
		    "the same restapi.peer_secret_file on all members; restapi.peer_auth: optional "
		    "until it is there",
		    "it wants signatures of all members, and %s does not sign", other);
}

/* Seconds since the epoch of the newest refusal; 0 none. */
static int64_t refused_s(const char *metrics)
{
	static const char name[] = "\npgha_peer_refused_time_seconds{";
	const char *line = strstr(metrics, name);
	const char *value = line != NULL ? strchr(line, '}') : NULL;
	char word[24];
	int64_t s = 0;

	if (value == NULL || value[1] != ' ' ||
	    str_printf(word, sizeof(word), "%.*s", (int)strcspn(value + 2, ". \n"), value + 2) <
		    0 ||
	    parse_int(word, 0, INT64_MAX, &s, NULL) < 0)
		return 0;
	return s;
}

static void judge_refused(const struct patient *p, struct findings *findings)
{
	int64_t since_s = refused_s(p->metrics);
	int64_t now_us = 0;

	if (since_s == 0 || !node_int(p->facts, "wall_us", &now_us) ||
	    now_us / 1000000 - since_s > RECENT_S)
		return;
	finding_add(
		findings, FINDING_CRITICAL, node_str(p->facts, "name"),
		"members that do not believe each other cannot elect, nor promise anything: or "
		"somebody else speaks as one",
		"its log has who and why: grep -e signature -e 'counts as none'; the same "
		"restapi.peer_secret_file on all members, the clocks set, then hactl reload",
		"in the last minutes it refused calls or answers of members for their signature");
}

void doctor_peers(const struct patient *patients, size_t n, struct findings *findings)
{
	const char *other = NULL;

	for (size_t i = 0; i < n; i++)
		if (patients[i].facts != NULL && !has_secret(&patients[i]))
			other = node_str(patients[i].facts, "name");
	for (size_t i = 0; i < n; i++) {
		if (patients[i].facts == NULL)
			continue;
		if (other != NULL)
			judge_alone(&patients[i], other, findings);
		judge_refused(&patients[i], findings);
	}
}
