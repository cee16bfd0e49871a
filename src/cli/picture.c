/* SPDX-License-Identifier: PostgreSQL */
/*
 * picture - the cluster as an operator sees it
 *
 * Roles, states and lags follow GET /cluster of Patroni 4.1.4.
 */
#include "cli/picture.h"

#include <stdlib.h>

#include "base/parse.h"
#include "cli/node.h"

#define TRACE_KEYS  "pgha/trace/"
#define WHY_KEYS   "pgha/why/"
#define LOOP_WAIT_S 10 /* Patroni's default, for clusters that do not say */

void picture_done(struct picture *picture)
{
	if (picture == NULL)
		return;
	tree_done(&picture->doc);
	tree_done(&picture->config);
	tree_done(&picture->history);
	tree_done(&picture->traces);
	tree_done(&picture->whys);
	free(picture->members);
	buf_done(&picture->notes);
	*picture = (struct picture){ 0 };
}

static const struct etcd_kv *find(const struct etcd_kvs *kvs, const char *prefix, const char *name)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < kvs->n; i++)
		if (str_starts(kvs->items[i].key, prefix) &&
		    str_eq(kvs->items[i].key + len, name))
			return &kvs->items[i];
	return NULL;
}

static void note(struct picture *picture, const char *key, const struct err *err)
{
	buf_printf(&picture->notes, "key '%s' cannot be read: %s\n", key, err->msg);
}

/* The value as a tree whose root has this type; anything else leaves *ret empty. */
static void read_tree(struct picture *picture, const struct etcd_kv *kv, const char *key,
		      enum tree_type type, struct tree *ret)
{
	struct err err = { 0 };

	if (kv == NULL)
		return;
	if (tree_from_json(kv->value, kv->len, ret, &err) < 0) {
		note(picture, key, &err);
		return;
	}
	if (ret->root->type != type) {
		(void)err_set(&err, ERR_PARSE, "it must be %s", tree_type_name(type));
		note(picture, key, &err);
		tree_done(ret);
	}
}

static void read_sysid(struct picture *picture, const struct etcd_kv *kv)
{
	if (kv == NULL)
		(void)str_copy(picture->sysid, sizeof(picture->sysid), "uninitialized");
	else if (kv->len == 0)
		(void)str_copy(picture->sysid, sizeof(picture->sysid), "initializing");
	else
		str_clip(picture->sysid, sizeof(picture->sysid), kv->value);
}

static void read_request(struct picture *picture, const struct etcd_kv *kv)
{
	struct err err = { 0 };

	if (kv == NULL)
		return;
	if (record_request_parse(kv->value, kv->len, &picture->request, &err) < 0)
		note(picture, "failover", &err);
	picture->request.mod_revision = kv->mod_revision;
	if (picture->request.scheduled_at_us == 0)
		return;
	(void)record_iso_zoned(picture->request.scheduled_at_us,
			       picture->request.scheduled_offset_min, picture->scheduled_at);
}

/* Every key below `below` as a map by what its name ends with. */
static void read_below(struct picture *picture, const char *prefix, const char *below,
		       const struct etcd_kvs *kvs, struct tree *ret)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < kvs->n; i++) {
		const struct etcd_kv *kv = &kvs->items[i];
		_cleanup_(tree_done) struct tree value = { 0 };

		if (!str_starts(kv->key, prefix) || !str_starts(kv->key + len, below))
			continue;
		read_tree(picture, kv, kv->key + len, TREE_MAP, &value);
		if (value.root == NULL)
			continue;
		if (ret->root == NULL)
			(void)node_add(ret, NULL, NULL, TREE_MAP);
		node_add_copy(ret, ret->root, kv->key + len + strlen(below), value.root);
	}
}

static void read_small_keys(struct picture *picture, const char *prefix,
			    const struct etcd_kvs *kvs)
{
	const struct etcd_kv *leader = find(kvs, prefix, "leader");
	const struct etcd_kv *config = find(kvs, prefix, "config");
	const struct etcd_kv *sync = find(kvs, prefix, "sync");
	struct err err = { 0 };

	if (leader != NULL)
		str_clip(picture->leader, sizeof(picture->leader), leader->value);
	read_sysid(picture, find(kvs, prefix, "initialize"));
	read_tree(picture, config, "config", TREE_MAP, &picture->config);
	picture->config_exists = config != NULL;
	picture->config_revision = config != NULL ? config->mod_revision : 0;
	read_tree(picture, find(kvs, prefix, "history"), "history", TREE_LIST, &picture->history);
	read_below(picture, prefix, TRACE_KEYS, kvs, &picture->traces);
	read_below(picture, prefix, WHY_KEYS, kvs, &picture->whys);
	read_request(picture, find(kvs, prefix, "failover"));
	if (sync != NULL && record_sync_parse(sync->value, sync->len, &picture->sync, &err) < 0)
		note(picture, "sync", &err);
}

/* The leader's last position; before Patroni 2.1 it stood alone in optime/leader. */
static uint64_t read_optime(const struct etcd_kvs *kvs, const char *prefix)
{
	const struct etcd_kv *status = find(kvs, prefix, "status");
	const struct etcd_kv *optime = find(kvs, prefix, "optime/leader");
	_cleanup_(freep) struct status_key *parsed = mem_new(1, sizeof(*parsed));
	uint64_t lsn = 0;

	if (status != NULL &&
	    record_status_parse(status->value, status->len, parsed, NULL) == 0)
		return parsed->optime_lsn;
	if (status == NULL && optime != NULL)
		(void)parse_uint(optime->value, UINT64_MAX, &lsn, NULL);
	return lsn;
}

static bool in_sync(const struct sync_key *sync, const char *name)
{
	for (uint32_t i = 0; i < sync->nstandbys; i++)
		if (str_ieq(sync->standbys[i], name))
			return true;
	return false;
}

bool picture_is_standby_cluster(const struct picture *picture)
{
	const struct tree_node *root = picture->config.root;
	const struct tree_node *section = root ? tree_child(root, "standby_cluster") : NULL;

	if (picture->secondhand) {
		for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
			if (str_eq(node_str(m, "role"), "standby_leader"))
				return true;
		return false;
	}
	if (section == NULL || section->type != TREE_MAP)
		return false;
	return node_truthy(section, "host") || node_truthy(section, "port") ||
	       node_truthy(section, "restore_command");
}

static bool is_quorum(const struct picture *picture)
{
	return str_ieq(node_str(picture->config.root, "synchronous_mode"), "quorum");
}

bool picture_is_synchronous(const struct picture *picture)
{
	return !picture_is_standby_cluster(picture) &&
	       (is_quorum(picture) ||
		node_bool(picture->config.root, "synchronous_mode", false));
}

bool picture_is_async(const struct picture *picture, const char *name)
{
	const char *role = node_str(picture_member(picture, name), "role");

	if (picture->secondhand)
		return !str_eq(role, "sync_standby") && !str_eq(role, "quorum_standby");
	return picture->sync.present && !str_ieq(picture->sync.leader, name) &&
	       !in_sync(&picture->sync, name);
}

static const char *role_of(const struct picture *picture, const char *name)
{
	if (*picture->leader != '\0' && str_eq(name, picture->leader))
		return picture_is_standby_cluster(picture) ? "standby_leader" : "leader";
	if (picture_is_synchronous(picture) && picture->sync.present &&
	    in_sync(&picture->sync, name))
		return is_quorum(picture) ? "quorum_standby" : "sync_standby";
	return "replica";
}

struct lag {
	const char *lag_key, *lsn_key, *source;
};

static void add_lags(struct tree *doc, struct tree_node *member, const struct tree_node *value,
		     uint64_t optime_lsn)
{
	static const struct lag lags[] = {
		{ "receive_lag", "receive_lsn", "receive_lsn" },
		{ "replay_lag", "replay_lsn", "replay_lsn" },
		{ "lag", "lsn", "xlog_location" },
	};

	for (size_t i = 0; i < ARRAY_LEN(lags); i++) {
		char text[LSN_TEXT_MAX];
		int64_t lsn;

		if (!node_int(value, lags[i].source, &lsn) || lsn < 0) {
			node_add_text(doc, member, lags[i].lag_key, "unknown");
			node_add_text(doc, member, lags[i].lsn_key, "unknown");
			continue;
		}
		node_add_int(doc, member, lags[i].lag_key,
			     MAX_OF((int64_t)optime_lsn - lsn, INT64_C(0)));
		node_add_text(doc, member, lags[i].lsn_key, lsn_text((uint64_t)lsn, text));
	}
}

/* One member as GET /cluster shows it: `known` from the key's fixed part, `value` the key. */
static void add_member(struct picture *picture, struct tree_node *list, const struct member *known,
		       const struct tree_node *value, uint64_t optime_lsn)
{
	static const char *const copied[] = { "timeline", "pending_restart",
					      "pending_restart_reason", "scheduled_restart",
					      "tags", "pgha" };
	const char *role = role_of(picture, known->name);
	const bool leads = str_ends(role, "leader");
	const char *replication = node_str(value, "replication_state");
	struct tree *doc = &picture->doc;
	struct tree_node *member = node_add(doc, list, NULL, TREE_MAP);
	const char *trouble;

	if (member == NULL)
		return;
	node_add_text(doc, member, "name", known->name);
	node_add_text(doc, member, "role", role);
	node_add_text(doc, member, "state",
		      !str_eq(role, "leader") && *replication != '\0' ? replication :
									node_str(value, "state"));
	node_add_text(doc, member, "api_url", known->api_url);
	if (*known->host != '\0') {
		node_add_text(doc, member, "host", known->host);
		node_add_int(doc, member, "port", known->port);
	}
	for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
		const struct tree_node *node = value ? tree_child(value, copied[i]) : NULL;

		if (node != NULL)
			node_add_copy(doc, member, copied[i], node);
	}
	trouble = node_text(value ? tree_child(value, "pgha") : NULL, "trouble");
	if (trouble != NULL)
		node_add_text(doc, member, "trouble", trouble);
	if (known->sealed != 0)
		node_add_int(doc, member, "sealed", known->sealed);
	if (!leads)
		add_lags(doc, member, value, optime_lsn);
}

/* Name of the member whose key this is, or NULL: keys below a member's are not ours. */
static const char *member_name(const struct etcd_kv *kv, const char *prefix)
{
	const char *rest;

	if (!str_starts(kv->key, prefix))
		return NULL;
	rest = kv->key + strlen(prefix);
	if (!str_starts(rest, "members/"))
		return NULL;
	rest += strlen("members/");
	return *rest != '\0' && strchr(rest, '/') == NULL ? rest : NULL;
}

static void read_member(struct picture *picture, struct tree_node *list, const char *name,
			const struct etcd_kv *kv, uint64_t optime_lsn)
{
	_cleanup_(tree_done) struct tree value = { 0 };
	struct member member = { 0 };
	struct err err = { 0 };

	if (record_member_parse(name, kv->value, kv->len, &member, &err) < 0) {
		note(picture, kv->key, &err);
		member = (struct member){ 0 };
		str_clip(member.name, sizeof(member.name), name);
	}
	member.mod_revision = kv->mod_revision;
	if (tree_from_json(kv->value, kv->len, &value, NULL) == 0 && value.root->type != TREE_MAP)
		tree_done(&value);
	add_member(picture, list, &member, value.root, optime_lsn);

	picture->members =
		mem_grow(picture->members, picture->nmembers + 1, sizeof(*picture->members));
	picture->members[picture->nmembers++] = member;
}

static void add_switchover(struct picture *picture, struct tree_node *root)
{
	const struct request *request = &picture->request;
	struct tree_node *map;

	if (*picture->scheduled_at == '\0')
		return;
	map = node_add(&picture->doc, root, "scheduled_switchover", TREE_MAP);
	if (map == NULL)
		return;
	node_add_text(&picture->doc, map, "at", picture->scheduled_at);
	if (*request->leader != '\0')
		node_add_text(&picture->doc, map, "from", request->leader);
	if (*request->candidate != '\0')
		node_add_text(&picture->doc, map, "to", request->candidate);
}

void picture_from_kvs(const char *name, const char *prefix, const struct etcd_kvs *kvs,
		      struct picture *ret)
{
	const uint64_t optime_lsn = read_optime(kvs, prefix);
	struct tree_node *root, *list;

	*ret = (struct picture){ 0 };
	str_clip(ret->name, sizeof(ret->name), name);
	read_small_keys(ret, prefix, kvs);

	root = node_add(&ret->doc, NULL, NULL, TREE_MAP);
	list = node_add(&ret->doc, root, "members", TREE_LIST);
	/* etcd answers a range in the order of the keys, so members come sorted by name. */
	for (size_t i = 0; i < kvs->n; i++) {
		const char *member = member_name(&kvs->items[i], prefix);

		if (member != NULL)
			read_member(ret, list, member, &kvs->items[i], optime_lsn);
	}
	if (node_bool(ret->config.root, "pause", false))
		node_add_bool(&ret->doc, root, "pause", true);
	add_switchover(ret, root);
	node_add_text(&ret->doc, root, "scope", name);
}

int picture_from_rest(const char *name, const char *body, size_t len, const char *sysid,
		      struct picture *ret, struct err *err)
{
	_cleanup_(picture_done) struct picture picture = { .secondhand = true };
	int r;

	r = tree_from_json(body, len, &picture.doc, err);
	if (r < 0)
		return r;
	if (picture.doc.root->type != TREE_MAP || picture_members(&picture) == NULL)
		return err_set(err, ERR_PROTOCOL, "the answer names no members");
	str_clip(picture.name, sizeof(picture.name), name);
	str_clip(picture.sysid, sizeof(picture.sysid), *sysid != '\0' ? sysid : "unknown");
	for (const struct tree_node *m = picture_members(&picture); m != NULL; m = m->next)
		if (picture_is_leader(m))
			str_clip(picture.leader, sizeof(picture.leader), node_str(m, "name"));
	*ret = picture;
	picture = (struct picture){ 0 };
	return 0;
}

const struct tree_node *picture_members(const struct picture *picture)
{
	const struct tree_node *root = picture->doc.root;
	const struct tree_node *list = root != NULL ? tree_child(root, "members") : NULL;

	return list != NULL && list->type == TREE_LIST ? list->first : NULL;
}

const struct tree_node *picture_member(const struct picture *picture, const char *name)
{
	for (const struct tree_node *m = picture_members(picture); m != NULL; m = m->next)
		if (str_eq(node_str(m, "name"), name))
			return m;
	return NULL;
}

bool picture_is_leader(const struct tree_node *member)
{
	return str_ends(node_str(member, "role"), "leader");
}

/* nofailover counts when it is given at all; without it a priority of 0 or less says the same. */
bool picture_is_nofailover(const struct tree_node *member)
{
	const struct tree_node *tags = tree_child(member, "tags");
	const char *priority = node_text(tags, "failover_priority");
	int64_t number;

	if (node_text(tags, "nofailover") != NULL)
		return node_truthy(tags, "nofailover");
	return priority != NULL &&
	       parse_int(priority, INT32_MIN, INT32_MAX, &number, NULL) == 0 && number <= 0;
}

bool picture_is_paused(const struct picture *picture)
{
	return node_bool(picture->doc.root, "pause", false);
}

int64_t picture_loop_wait_s(const struct picture *picture)
{
	int64_t seconds;

	if (!node_int(picture->config.root, "loop_wait", &seconds) || seconds < 1)
		return LOOP_WAIT_S;
	return MIN_OF(seconds, INT64_C(3600));
}
