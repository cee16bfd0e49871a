/* SPDX-License-Identifier: PostgreSQL */
/*
 * fit - who could take over now, as the members themselves tell
 */
#include "cli/fit.h"

#include <stdio.h>

#include "base/parse.h"
#include "cli/node.h"

#define TIMEOUT_MS    4000
#define MAX_LAG_BYTES 1048576 /* maximum_lag_on_failover unless it is configured */

static int64_t position_of(const struct tree_node *status)
{
	static const char *const names[] = { "location", "received_location", "replayed_location" };
	const struct tree_node *xlog = tree_child(status, "xlog");
	int64_t best = -1, lsn = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (node_int(xlog, names[i], &lsn))
			best = MAX_OF(best, lsn);
	return best;
}

static bool is_up(const struct tree_node *status)
{
	return str_eq(node_str(status, "state"), "running");
}

static void complain(struct fit_member *m, const char *text)
{
	if (m->why[0] == '\0')
		str_clip(m->why, sizeof(m->why), text);
}

static void judge_leader(struct fit_member *m, const struct tree_node *status)
{
	_cleanup_(freep) char *text = NULL;

	if (!is_up(status)) {
		text = str_dupf("its PostgreSQL is '%s'", node_str(status, "state"));
		complain(m, text);
	} else if (m->ours && !node_bool(tree_child(status, "pgha"), "writable", false)) {
		complain(m, "it takes no writes at the moment");
	}
}

static void judge_replica(struct fit_member *m, const struct tree_node *status,
			  const struct tree_node *leader, int64_t max_lag_bytes)
{
	_cleanup_(freep) char *text = NULL;
	int64_t timeline = 0;

	if (picture_is_nofailover(m->member))
		complain(m, "it is tagged nofailover, or its failover_priority is 0");
	if (!is_up(status)) {
		text = str_dupf("its PostgreSQL is '%s'", node_str(status, "state"));
		complain(m, text);
		return;
	}
	if (!str_eq(node_str(status, "replication_state"), "streaming"))
		complain(m, "it does not stream from the leader");
	if (node_int(leader, "timeline", &timeline) && m->timeline != 0 && m->timeline != timeline)
		complain(m, "it is on another timeline than the leader");
	if (m->lag_bytes > max_lag_bytes) {
		text = str_dupf("it is %lld bytes behind, more than maximum_lag_on_failover, %lld",
				(long long)m->lag_bytes, (long long)max_lag_bytes);
		complain(m, text);
	}
}

static void take(struct fit_member *m, const struct tree_node *status, const struct err *err)
{
	if (status == NULL) {
		(void)str_printf(m->why, sizeof(m->why), "it does not answer: %.200s", err->msg);
		return;
	}
	m->answers = true;
	m->ours = tree_child(status, "pgha") != NULL;
	str_clip(m->state, sizeof(m->state), node_str(status, "state"));
	(void)node_int(status, "timeline", &m->timeline);
}

void fit_look(struct cli *cli, const struct picture *picture, struct fit *ret)
{
	struct tree statuses[FIT_MAX] = { 0 };
	_cleanup_(freep) struct err *errs = mem_new(FIT_MAX, sizeof(*errs));
	const struct tree_node *leader = NULL;
	int64_t leader_at = -1;

	*ret = (struct fit){ .max_lag_bytes = MAX_LAG_BYTES };
	(void)node_int(picture->config.root, "maximum_lag_on_failover", &ret->max_lag_bytes);
	(void)cli_gather(cli, picture, FIT_MAX, TIMEOUT_MS, statuses, errs);
	for (const struct tree_node *m = picture_members(picture); m != NULL && ret->n < FIT_MAX;
	     m = m->next) {
		struct fit_member *item = &ret->items[ret->n];

		*item = (struct fit_member){ .member = m, .lag_bytes = -1,
					     .leads = picture_is_leader(m) };
		take(item, statuses[ret->n].root, &errs[ret->n]);
		if (item->leads && item->answers) {
			leader = statuses[ret->n].root;
			leader_at = position_of(leader);
		}
		ret->n++;
	}
	for (size_t i = 0; i < ret->n; i++) {
		struct fit_member *m = &ret->items[i];
		const int64_t at = m->answers ? position_of(statuses[i].root) : -1;

		if (leader_at >= 0 && at >= 0)
			m->lag_bytes = MAX_OF(leader_at - at, INT64_C(0));
		if (m->answers && m->leads)
			judge_leader(m, statuses[i].root);
		else if (m->answers)
			judge_replica(m, statuses[i].root, leader, ret->max_lag_bytes);
	}
	for (size_t i = 0; i < ret->n; i++)
		tree_done(&statuses[i]);
}

const struct fit_member *fit_find(const struct fit *fit, const char *name)
{
	for (size_t i = 0; i < fit->n; i++)
		if (str_eq(node_str(fit->items[i].member, "name"), name))
			return &fit->items[i];
	return NULL;
}

const struct fit_member *fit_best(const struct fit *fit)
{
	const struct fit_member *best = NULL;

	for (size_t i = 0; i < fit->n; i++) {
		const struct fit_member *m = &fit->items[i];

		if (!m->leads && m->why[0] == '\0' &&
		    (best == NULL || (m->lag_bytes >= 0 && m->lag_bytes < best->lag_bytes)))
			best = m;
	}
	return best;
}
