/* SPDX-License-Identifier: PostgreSQL */
/*
 * restmsg_cluster - GET /cluster, and what a peer answers to GET /patroni
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/parse.h"
#include "wire/jtext.h"
#include "wire/record.h"
#include "wire/restmsg.h"
#include "wire/tree.h"

static void add_text(struct buf *out, const char *key, const char *value)
{
	jtext_add_field(out, key, value, JTEXT_SPACED);
}

bool restmsg_wants_quorum(const char *config)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	const struct tree_node *mode;

	if (!config || tree_from_json(config, strlen(config), &tree, NULL) < 0)
		return false;
	mode = tree_child(tree.root, "synchronous_mode");
	return mode && mode->text && str_ieq(mode->text, "quorum");
}

enum sync_role restmsg_sync_role(const struct cluster *cluster, bool quorum, const char *name)
{
	const struct sync_key *sync = &cluster->sync;

	if (!sync->present || (cluster->leader[0] && !str_ieq(sync->leader, cluster->leader)))
		return SYNC_NONE;
	for (uint32_t i = 0; i < sync->nstandbys; i++)
		if (str_ieq(sync->standbys[i], name))
			return quorum ? SYNC_QUORUM : SYNC_STANDBY;
	return SYNC_NONE;
}

static const char *role_of(const struct cluster *cluster, const struct member *member, bool quorum)
{
	static const char *const roles[SYNC__MAX] = { "replica", "sync_standby", "quorum_standby" };

	if (str_eq(member->name, cluster->leader))
		return "leader";
	return roles[restmsg_sync_role(cluster, quorum, member->name)];
}

static const char *state_of(const struct member *member, bool is_leader)
{
	if (!is_leader && member->streaming)
		return "streaming";
	if (!is_leader && member->in_archive_recovery)
		return "in archive recovery";
	return record_state_text(member->state);
}

static void add_lag(struct buf *out, const char *prefix, uint64_t lsn, uint64_t leader_lsn)
{
	char text[LSN_TEXT_MAX];

	if (lsn == 0) {
		buf_printf(out, ", \"%slag\": \"unknown\", \"%slsn\": \"unknown\"", prefix, prefix);
		return;
	}
	buf_printf(out, ", \"%slag\": %" PRIu64 ", \"%slsn\": \"%s\"", prefix,
		   leader_lsn > lsn ? leader_lsn - lsn : 0, prefix, lsn_text(lsn, text));
}

/* A value of the member's key, as it stands there. */
static void add_copy(struct buf *out, const json_t *key, const char *name)
{
	json_t *value = json_object_get(key, name);

	if (!value)
		return;
	jtext_add_key(out, name, JTEXT_SPACED);
	jtext_add(out, value, JTEXT_SPACED);
}

static json_t *load_key(const char *name, const struct member_text *texts, size_t ntexts)
{
	json_t *key = NULL;

	for (size_t i = 0; i < ntexts; i++) {
		if (!str_eq(texts[i].name, name) || !texts[i].text)
			continue;
		if (jtext_load_object(texts[i].text, strlen(texts[i].text), &key, NULL) < 0)
			return NULL;
		return key;
	}
	return NULL;
}

static void add_member(struct buf *out, const struct cluster *cluster, const struct member *member,
		       const json_t *key, bool quorum)
{
	bool is_leader = str_eq(member->name, cluster->leader);

	buf_ch(out, '{');
	add_text(out, "name", member->name);
	add_text(out, "role", role_of(cluster, member, quorum));
	add_text(out, "state", state_of(member, is_leader));
	add_text(out, "api_url", member->api_url);
	if (member->host[0]) {
		add_text(out, "host", member->host);
		buf_printf(out, ", \"port\": %u", (unsigned int)member->port);
	}
	if (member->timeline != 0)
		buf_printf(out, ", \"timeline\": %" PRIu32, member->timeline);
	if (member->pending_restart)
		buf_str(out, ", \"pending_restart\": true");
	add_copy(out, key, "pending_restart_reason");
	add_copy(out, key, "scheduled_restart");
	add_copy(out, key, "tags");
	add_copy(out, json_object_get(key, "pgha"), "trouble");
	if (member->sealed != 0)
		buf_printf(out, ", \"sealed\": %" PRId64, member->sealed);
	if (!is_leader) {
		add_lag(out, "receive_", member->receive_lsn, cluster->status_optime_lsn);
		add_lag(out, "replay_", member->replay_lsn, cluster->status_optime_lsn);
		add_lag(out, "", member->xlog_location_lsn, cluster->status_optime_lsn);
	}
	buf_ch(out, '}');
}

static void add_switchover(struct buf *out, const struct request *request)
{
	char at[ISO_TEXT_MAX];

	if (!request->present || request->scheduled_at_us == 0)
		return;
	buf_str(out, ", \"scheduled_switchover\": {");
	add_text(out, "at", record_iso_zoned(request->scheduled_at_us,
					    request->scheduled_offset_min, at));
	if (request->leader[0])
		add_text(out, "from", request->leader);
	if (request->candidate[0])
		add_text(out, "to", request->candidate);
	buf_ch(out, '}');
}

void restmsg_cluster_print(const char *scope, const struct cluster *cluster,
			   const struct member_text *texts, size_t ntexts, bool pause,
			   bool quorum, struct buf *out)
{
	buf_str(out, "{\"members\": [");
	for (uint32_t i = 0; i < cluster->nmembers; i++) {
		const struct member *member = &cluster->members[i];
		_cleanup_(jtext_unrefp) json_t *key = load_key(member->name, texts, ntexts);

		if (i > 0)
			buf_str(out, ", ");
		add_member(out, cluster, member, key, quorum);
	}
	buf_ch(out, ']');
	if (pause)
		buf_str(out, ", \"pause\": true");
	add_switchover(out, &cluster->request);
	add_text(out, "scope", scope);
	buf_ch(out, '}');
}

char *restmsg_cluster_json_full(const char *scope, const struct cluster *cluster,
				const struct member_text *texts, size_t ntexts, bool pause,
				bool quorum)
{
	struct buf out = { 0 };

	restmsg_cluster_print(scope, cluster, texts, ntexts, pause, quorum, &out);
	return buf_take(&out);
}

char *restmsg_cluster_json(const char *scope, const struct cluster *cluster, bool pause,
			   bool quorum)
{
	return restmsg_cluster_json_full(scope, cluster, NULL, 0, pause, quorum);
}

/* The tags of a status document; false when they are there and unreadable. */
static bool read_vote_tags(const json_t *doc, struct vote *vote)
{
	json_t *value = json_object_get(doc, "tags");
	_cleanup_(freep) char *text = NULL;
	struct tags tags;

	if (value && !json_is_null(value))
		text = jtext_print(value, JTEXT_COMPACT);
	if (record_tags_parse(text, &tags, NULL) < 0)
		return false;
	vote->nofailover = tags.nofailover;
	vote->failover_priority = tags.failover_priority;
	return true;
}

/* It says of itself that it does not lead, so nobody waits for it. */
static void read_vote_disk(const json_t *pgha, struct vote *vote)
{
	const char *disk = jtext_string(json_object_get(pgha, "postgres"), "disk");

	if (disk && (str_eq(disk, "stalled") || str_eq(disk, "failed")))
		vote->nofailover = true;
}

static void read_vote_position(const json_t *doc, const json_t *xlog, struct vote *vote)
{
	bool is_primary = record_role_parse(jtext_string(doc, "role")) == MROLE_PRIMARY;
	uint64_t location = jtext_lsn(xlog, "location");
	int64_t timeline;

	/* "primary" or a position of its own: either makes it one, as Patroni counts. */
	vote->in_recovery = !is_primary && location == 0;
	vote->lsn = location;
	if (vote->in_recovery)
		vote->lsn = MAX_OF(jtext_lsn(xlog, "received_location"),
				   jtext_lsn(xlog, "replayed_location"));
	if (jtext_int(json_object_get(doc, "timeline"), &timeline) && timeline > 0 &&
	    timeline <= UINT32_MAX)
		vote->timeline = (uint32_t)timeline;
}

/* As Patroni (3.0 to 4.1) tells it of a member that gave the lead away: its server has ended, comes
 * up again, or is a standby. Anything else may write. */
static bool has_yielded(const json_t *doc)
{
	const char *state = jtext_string(doc, "state");
	const char *role = jtext_string(doc, "role");
	bool given_away = str_eq(role, "demoted") || record_role_parse(role) == MROLE_REPLICA;
	const json_t *xlog = json_object_get(doc, "xlog");

	if (state == NULL || !given_away || jtext_lsn(xlog, "location") != 0)
		return false;
	return str_eq(state, "stopped") || str_eq(state, "starting") || str_eq(state, "running") ||
	       str_eq(state, "streaming");
}

void restmsg_vote_parse(const char *body, size_t len, struct vote *vote)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	const json_t *xlog;
	const char *name;
	enum member_state state;

	vote->answered = true;
	vote->failed = true;
	vote->lsn = 0;
	vote->timeline = 0;
	vote->comes_up = false;
	if (jtext_load_object(body, len, &doc, NULL) < 0)
		return;
	name = jtext_string(json_object_get(doc, "patroni"), "name");
	if (name && vote->name[0] && !str_eq(name, vote->name))
		return;
	vote->yielded = has_yielded(doc);
	state = record_state_parse(jtext_string(doc, "state"));
	vote->comes_up = state == STATE_STARTING || state == STATE_RESTARTING ||
			 jtext_true(json_object_get(doc, "pgha"), "replaying");
	xlog = json_object_get(doc, "wal");
	if (!json_is_object(xlog))
		xlog = json_object_get(doc, "xlog");
	if (!json_is_object(xlog))
		return;
	if (!read_vote_tags(doc, vote))
		return;
	read_vote_disk(json_object_get(doc, "pgha"), vote);
	vote->watchdog_failed = jtext_true(doc, "watchdog_failed");
	vote->sealed = json_integer_value(
		json_object_get(json_object_get(doc, "pgha"), "sealed"));
	vote->regressed = str_eq(
		jtext_string(json_object_get(doc, "pgha"), "store"), "regressed");
	vote->streaming = str_eq(json_string_value(json_object_get(doc, "replication_state")),
				 "streaming");
	read_vote_position(doc, xlog, vote);
	vote->failed = false;
}
