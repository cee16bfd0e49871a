/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor_etcd - etcd as a member meets it: latency, endpoints, and whether ttl fits
 */
#include <stdlib.h>

#include "base/parse.h"
#include "cli/finding.h"
#include "cli/node.h"
#include "core/lease.h"

/* etcd's default; its API does not tell the one in force. */
#define ELECTION_MS 1000
/* Fewer answers than this say nothing about one in a hundred. */
#define ANSWERS_MIN 100
#define CLASSES_MAX 32

int64_t doctor_least_ttl_ms(int64_t round_trip_ms)
{
	int64_t outage_ms = 2 * ELECTION_MS + 2 * MAX_OF(round_trip_ms, INT64_C(0));
	/* The newest proof is up to a renewal old when it begins, and the stop must not begin. */
	int64_t left_pct = LEASE_STOP_PCT - 100 / LEASE_RENEWALS;

	return (outage_ms * 100 + left_pct - 1) / left_pct;
}

/* "0.005", "2.5", "+Inf" as milliseconds; -1 for the last. */
static int64_t bound_ms(const char *text)
{
	char word[24];
	int64_t ms = -1;

	if (str_printf(word, sizeof(word), "%.*ss", (int)strcspn(text, "\""), text) < 0 ||
	    parse_duration_ms(word, "s", &ms, NULL) < 0)
		return -1;
	return ms;
}

int64_t doctor_slow_ms(const char *metrics)
{
	static const char prefix[] = "pgha_etcd_request_seconds_bucket{";
	int64_t bounds[CLASSES_MAX];
	uint64_t counts[CLASSES_MAX];
	size_t n = 0;

	for (const char *line = strstr(metrics, prefix); line != NULL && n < CLASSES_MAX;
	     line = strstr(line + 1, prefix)) {
		const char *le = strstr(line, "le=\"");
		const char *value = strchr(line, '}');
		char word[24];

		if (le == NULL || value == NULL ||
		    str_printf(word, sizeof(word), "%.*s", (int)strcspn(value + 2, " \n"),
			       value + 2) < 0 ||
		    parse_uint(word, UINT64_MAX, &counts[n], NULL) < 0)
			continue;
		bounds[n++] = bound_ms(le + 4);
	}
	if (n < 2 || counts[n - 1] < ANSWERS_MIN)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (counts[i] * 100 >= counts[n - 1] * 99)
			return bounds[i] >= 0 ? bounds[i] : 2 * bounds[n - 2];
	return -1;
}

static void judge_ttl(const struct patient *p, struct findings *findings)
{
	const char *name = node_str(p->facts, "name");
	int64_t slow_ms = doctor_slow_ms(p->metrics);
	int64_t least_ms = doctor_least_ttl_ms(slow_ms);
	int64_t ttl_ms = 0;
	_cleanup_(freep) char *mend = NULL;

	if (!node_int(p->facts, "ttl_ms", &ttl_ms))
		return;
	mend = str_dupf("hactl edit-config -s ttl=%lld", (long long)(least_ms + 999) / 1000);
	if (ttl_ms < least_ms)
		finding_add(findings, FINDING_WARNING, name,
			    "an election among the etcd members takes up to two election timeouts "
			    "(2 s by default), and by then the primary must not have begun to "
			    "stop: losing the leader of etcd may cost a failover",
			    mend,
			    "ttl is %.1f s, and the smallest safe one is %.1f s: 99 of 100 answers "
			    "of etcd came within %lld ms",
			    (double)ttl_ms / 1000, (double)least_ms / 1000,
			    (long long)MAX_OF(slow_ms, INT64_C(0)));
	if (slow_ms >= 0 && slow_ms * LEASE_RENEWALS > ttl_ms)
		finding_add(findings, FINDING_WARNING, name,
			    "a renewal that is slower than a sixth of ttl overlaps with the next: "
			    "little is left for one that is lost",
			    "put etcd on faster disks, nearer to its clients, or raise ttl",
			    "one in a hundred answers of etcd takes %lld ms or more",
			    (long long)slow_ms);
}

static void judge_proofs(const struct patient *p, struct findings *findings)
{
	int64_t proofs = 0, failed = 0;

	(void)node_int(p->facts, "proofs", &proofs);
	(void)node_int(p->facts, "proofs_failed", &failed);
	if (failed * 100 > proofs && failed > 3)
		finding_add(findings, FINDING_WARNING, node_str(p->facts, "name"),
			    "each failed renewal leaves the next ones less time, and four in a row "
			    "end the primary",
			    "look at the log of the agent and at etcd: etcdctl endpoint status -w "
			    "table",
			    "%lld renewals of the lease failed, %lld succeeded", (long long)failed,
			    (long long)proofs);
}

/* pgha_etcd_endpoint_failing{...,endpoint="http://10.0.0.1:2379"} 1 */
static void judge_endpoints(const struct patient *p, struct findings *findings)
{
	static const char prefix[] = "pgha_etcd_endpoint_failing{";
	const char *name = node_str(p->facts, "name");
	size_t n = 0;

	for (const char *line = strstr(p->metrics, prefix); line != NULL;
	     line = strstr(line + 1, prefix)) {
		const char *url = strstr(line, "endpoint=\"");
		const char *value = strchr(line, '}');

		n++;
		if (url == NULL || value == NULL || value[1] != ' ' || value[2] != '1')
			continue;
		url += strlen("endpoint=\"");
		finding_add(findings, FINDING_WARNING, name,
			    "with an etcd member less, the loss of another one may end the quorum, "
			    "and with it every lease",
			    "etcdctl endpoint health --cluster, and start that member again",
			    "etcd at %.*s did not answer last", (int)strcspn(url, "\""), url);
	}
	if (n > 0 && n < 3)
		finding_add(findings, FINDING_WARNING, name,
			    "without three etcd members the loss of one ends the quorum, and the "
			    "primary with it unless failsafe_mode keeps it",
			    "add members to etcd: etcdctl member add",
			    "etcd has %zu member%s that the agent knows", n, n == 1 ? "" : "s");
}

void doctor_etcd(const struct patient *p, struct findings *findings)
{
	const char *name = node_str(p->facts, "name");

	if (p->facts == NULL)
		return;
	judge_ttl(p, findings);
	judge_proofs(p, findings);
	judge_endpoints(p, findings);
	if (node_bool(p->facts, "etcd_known", false) && !node_bool(p->facts, "etcd_fixed", true))
		finding_add(findings, FINDING_WARNING, name,
			    "its expiry of leases cannot be trusted, so that each renewal writes a "
			    "key: etcd grows by about 20 MB a day until it is compacted",
			    "upgrade etcd to 3.4.31 or 3.5.13, or see to it that it runs with "
			    "ETCD_AUTO_COMPACTION_RETENTION=1h",
			    "an etcd member is older than 3.4.31 or 3.5.13");
}
