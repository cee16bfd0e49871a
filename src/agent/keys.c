/* SPDX-License-Identifier: PostgreSQL */
/*
 * keys - the cluster's keys in etcd, as reads and the watch bring them, into the view
 */
#include "agent/state.h"

#include <stdlib.h>

#include "base/log.h"

/* Position in the array of members, sorted by name; true when it is there. */
static bool find_member(const struct cluster *c, const char *name, uint32_t *ret_at)
{
	uint32_t i = 0;

	while (i < c->nmembers && strcmp(c->members[i].name, name) < 0)
		i++;
	*ret_at = i;
	return i < c->nmembers && str_eq(c->members[i].name, name);
}

/* A value that cannot be read is said once and the last good one stays. */
static void say_garbage(struct agent *a, const char *key, const struct err *err)
{
	if (str_eq(a->said_garbage, key))
		return;
	str_clip(a->said_garbage, sizeof(a->said_garbage), key);
	log_warning("etcd key '%s' cannot be read, the last good value stays in force: %s", key,
		    err->msg);
}

/* GET /cluster shows parts of other members' keys that decide nothing here. */
static void keep_text(struct agent *a, const char *name, const struct etcd_kv *kv)
{
	uint32_t i = 0;

	while (i < a->nmember_texts && !str_eq(a->member_texts[i].name, name))
		i++;
	if (i < a->nmember_texts && !kv->deleted) {
		char *text = (char *)(uintptr_t)a->member_texts[i].text;

		str_set(&text, kv->value);
		a->member_texts[i].text = text;
		return;
	}
	if (i < a->nmember_texts) {
		free((char *)(uintptr_t)a->member_texts[i].name);
		free((char *)(uintptr_t)a->member_texts[i].text);
		a->member_texts[i] = a->member_texts[--a->nmember_texts];
	}
	if (kv->deleted || a->nmember_texts == MEMBERS_MAX)
		return;
	a->member_texts[a->nmember_texts].name = str_dup(name);
	a->member_texts[a->nmember_texts++].text = str_ndup(kv->value, kv->len);
}

void keys_forget_texts(struct agent *a)
{
	while (a->nmember_texts > 0) {
		a->nmember_texts--;
		free((char *)(uintptr_t)a->member_texts[a->nmember_texts].name);
		free((char *)(uintptr_t)a->member_texts[a->nmember_texts].text);
	}
}

static void forget_gone(struct cluster *c, const char *name)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->ngone; i++)
		if (!str_eq(c->gone[i].name, name))
			c->gone[n++] = c->gone[i];
	c->ngone = n;
}

/* Its key hangs on the lease of its agent. Where that alone has lost etcd, a standby goes on
 * receiving and confirming, so elections ask it. Whoever ended in good order has said so. */
static void remember_gone(const struct agent *a, struct cluster *c, const struct member *m)
{
	struct gone_member *gone;

	forget_gone(c, m->name);
	if (str_eq(m->name, a->view.name) || m->state != STATE_RUNNING ||
	    m->role != MROLE_REPLICA || m->api_url[0] == '\0' || m->tags.nofailover ||
	    m->tags.failover_priority <= 0)
		return;
	if (c->ngone == GONE_MAX)
		forget_gone(c, c->gone[0].name);
	gone = &c->gone[c->ngone++];
	*gone = (struct gone_member){ .port = m->port, .is_pgha = m->is_pgha };
	str_clip(gone->name, sizeof(gone->name), m->name);
	str_clip(gone->host, sizeof(gone->host), m->host);
	str_clip(gone->api_url, sizeof(gone->api_url), m->api_url);
}

/* Those of our picture that a complete read does not have. */
static void remember_missing(struct agent *a, const struct etcd_rep *rep)
{
	struct cluster *c = &a->view.cluster;
	char key[ETCD_KEY_SIZE];

	for (uint32_t i = 0; i < c->nmembers; i++) {
		bool found = false;

		(void)str_printf(key, sizeof(key), "%smembers/%s", a->config->prefix,
				 c->members[i].name);
		for (size_t k = 0; k < rep->kvs.n && !found; k++)
			found = str_eq(rep->kvs.items[k].key, key);
		if (!found)
			remember_gone(a, c, &c->members[i]);
	}
}

static void fold_member(struct agent *a, const char *name, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;
	struct member m;
	struct err err = { 0 };
	uint32_t at;
	bool known = find_member(c, name, &at);

	if (kv->deleted) {
		keep_text(a, name, kv);
		if (!known)
			return;
		remember_gone(a, c, &c->members[at]);
		memmove(&c->members[at], &c->members[at + 1],
			(c->nmembers - at - 1) * sizeof(c->members[0]));
		c->nmembers--;
		return;
	}
	if (record_member_parse(name, kv->value, kv->len, &m, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	if (!known) {
		if (c->nmembers == MEMBERS_MAX) {
			(void)err_set(&err, ERR_RANGE, "more than %d members", MEMBERS_MAX);
			say_garbage(a, kv->key, &err);
			return;
		}
		memmove(&c->members[at + 1], &c->members[at],
			(c->nmembers - at) * sizeof(c->members[0]));
		c->nmembers++;
	}
	forget_gone(c, name);
	keep_text(a, name, kv);
	m.lease_id = kv->lease_id;
	m.mod_revision = kv->mod_revision;
	/* The leader stopped serving: how far its WAL has come is asked for in a moment. */
	if (known && str_eq(name, c->leader) && !str_eq(name, a->view.name) &&
	    m.state != STATE_RUNNING && c->members[at].state == STATE_RUNNING) {
		a->probe_now = true;
		a->leader_down_at_ms = a->view.now_ms;
	}
	c->members[at] = m;
}

/* A sign of life of the leader: its holder's term runs no longer than from now. */
static void leader_lives(struct agent *a)
{
	a->view.sign_at_ms = a->view.now_ms;
	a->view.sign_ttl_ms = a->view.cfg.ttl_ms;
}

static void leader_vanished(struct agent *a)
{
	struct cluster *c = &a->view.cluster;

	/* Without beats the key itself was the only sign, and it was there until now. */
	if (a->view.sign_at_ms == 0 || !c->beat_present || c->beat_epoch != c->leader_epoch)
		leader_lives(a);
	c->leader[0] = '\0';
	c->leader_epoch = 0;
	c->leader_mod_revision = 0;
	c->leader_lease_id = 0;
	a->view.leader_gone_at_ms = a->view.now_ms;
}

void keys_fold_leader(struct agent *a, const struct etcd_kv *kv, int64_t revision)
{
	struct cluster *c = &a->view.cluster;
	bool gone = kv == NULL || kv->deleted;

	if (revision < a->leader_revision)
		return;
	a->leader_revision = revision;
	if (gone) {
		if (c->leader[0] != '\0' || !c->leader_known)
			leader_vanished(a);
		c->leader_known = true;
		return;
	}
	c->leader_known = true;
	if (str_copy(c->leader, sizeof(c->leader), kv->value) < 0 || c->leader[0] == '\0')
		str_clip(c->leader, sizeof(c->leader), "(unreadable)");
	if (kv->create_revision != c->leader_epoch || a->view.sign_at_ms == 0)
		leader_lives(a);
	/* What kept pg_rewind from its end may have been the leader that went. */
	if (kv->create_revision > a->view.last_epoch)
		a->view.rewind_failures = 0;
	c->leader_epoch = kv->create_revision;
	c->leader_mod_revision = kv->mod_revision;
	c->leader_lease_id = kv->lease_id;
	a->view.leader_gone_at_ms = 0;
	a->view.last_epoch = MAX_OF(a->view.last_epoch, kv->create_revision);
	str_clip(a->view.last_leader, sizeof(a->view.last_leader), c->leader);
}

/* A complete read is the truth; a stream may lag behind what our own answers told. */
static void fold_beat(struct agent *a, const struct etcd_kv *kv, bool complete)
{
	struct cluster *c = &a->view.cluster;
	struct err err = { 0 };
	struct beat beat;

	if (kv->deleted) {
		c->beat_present = false;
		return;
	}
	if (c->beat_present && kv->mod_revision == c->beat_mod_revision)
		return;
	if (!complete && kv->mod_revision < c->beat_mod_revision)
		return;
	if (record_beat_parse(kv->value, kv->len, &beat, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	if (beat.epoch == BEAT_EPOCH_OWN)
		beat.epoch = kv->mod_revision;
	c->beat_present = true;
	c->beat_epoch = beat.epoch;
	c->beat_mod_revision = kv->mod_revision;
	if (beat.epoch < a->view.last_epoch)
		return;
	leader_lives(a);
	a->view.sign_ttl_ms = beat.ttl_ms;
}

static void fold_release(struct agent *a, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;
	struct release r;
	struct err err = { 0 };

	if (kv->deleted) {
		c->release = (struct release){ 0 };
		return;
	}
	if (record_release_parse(kv->value, kv->len, &r, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	r.mod_revision = kv->mod_revision;
	/* What a store says that an operator had to accept is of another history. */
	r.present = kv->mod_revision > a->view.accepted_revision;
	if (c->release.mod_revision != r.mod_revision) {
		a->view.release_seen_at_ms = a->view.now_ms;
		if (str_eq(r.to, a->view.name))
			trace_mark(a, TRACE_WOKE);
		a->probe_now = true; /* is all of the old leader's WAL here? */
	}
	c->release = r;
}

static void fold_request(struct agent *a, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;
	struct request r = { 0 };
	struct err err = { 0 };

	if (!kv->deleted && kv->mod_revision > a->view.accepted_revision &&
	    record_request_parse(kv->value, kv->len, &r, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	r.mod_revision = kv->deleted ? 0 : kv->mod_revision;
	if (c->request.mod_revision != r.mod_revision)
		a->view.handover_checkpointed = false;
	c->request = r;
}

static void fold_init(struct agent *a, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;

	if (kv->deleted) {
		c->init = INIT_ABSENT;
		c->sysid[0] = '\0';
		a->view.init_mine = false;
		return;
	}
	if (kv->mod_revision != c->init_mod_revision && c->init == INIT_PENDING)
		a->view.init_mine = a->view.init_mine && kv->len == 0;
	c->init_mod_revision = kv->mod_revision;
	c->init = record_init_parse(kv->value, kv->len, c->sysid);
}

static bool is_too_long(struct agent *a, const struct etcd_kv *kv, const char *key)
{
	size_t limit = record_size_limit(key);
	struct err err = { 0 };

	if (kv->deleted || kv->len <= limit)
		return false;
	(void)err_set(&err, ERR_RANGE, "more than %zu kB", limit / 1024);
	say_garbage(a, kv->key, &err);
	return true;
}

static void fold_text(char **text, const struct etcd_kv *kv)
{
	str_set(text, kv->deleted ? NULL : kv->value);
}

/* What cannot be read counts as absent, and the last good one stays in force: the leader then
 * writes it again. */
static void fold_config(struct agent *a, const struct etcd_kv *kv)
{
	struct cluster *c = &a->view.cluster;
	struct err err = { 0 };

	c->config_mod_revision = kv->deleted ? 0 : kv->mod_revision;
	if (!kv->deleted && c->config_present && str_eq(a->config_text, kv->value))
		return;
	c->config_present = false;
	if (kv->deleted || kv->len == 0)
		return;
	if (restmsg_config_check(kv->value, kv->len, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	c->config_present = true;
	fold_text(&a->config_text, kv);
	agent_configure(a, a->config_text);
}

static void fold_history(struct agent *a, const struct etcd_kv *kv)
{
	struct err err = { 0 };

	if (!kv->deleted && str_eq(a->history_text, kv->value))
		return;
	fold_text(&a->history_text, kv);
	a->view.cluster.history_timeline = 0;
	if (a->history_text == NULL)
		return;
	if (record_history_timeline(kv->value, kv->len, &a->view.cluster.history_timeline,
				    &err) < 0)
		say_garbage(a, kv->key, &err);
}

/* The newest state counts, whichever way it came. A value that cannot be read still has a revision,
 * which whoever takes the key has to name. */
static void fold_begun(struct agent *a, const struct etcd_kv *kv, bool complete)
{
	struct cluster *c = &a->view.cluster;
	struct err err = { 0 };

	if (!complete && kv->mod_revision < c->begun_mod_revision)
		return;
	c->begun_timeline = 0;
	c->begun_by[0] = '\0';
	c->begun_mod_revision = kv->deleted ? 0 : kv->mod_revision;
	if (!kv->deleted &&
	    record_begun_parse(kv->value, kv->len, &c->begun_timeline, c->begun_by, &err) < 0)
		say_garbage(a, kv->key, &err);
}

static void fold_status(struct agent *a, const struct etcd_kv *kv)
{
	struct status_key status;
	struct err err = { 0 };

	if (kv->deleted)
		return;
	if (record_status_parse(kv->value, kv->len, &status, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	a->status_key = status;
	a->view.cluster.status_optime_lsn = status.optime_lsn;
}

static void fold_sync(struct agent *a, const struct etcd_kv *kv)
{
	struct sync_key sync = { 0 };
	struct err err = { 0 };

	if (!kv->deleted && record_sync_parse(kv->value, kv->len, &sync, &err) < 0) {
		say_garbage(a, kv->key, &err);
		return;
	}
	sync.mod_revision = kv->deleted ? 0 : kv->mod_revision;
	a->view.cluster.sync = sync;
}

/* The newest state counts, whichever way it came; of a list that cannot be read at least the
 * revision, which whoever takes the key has to name. */
static void fold_failsafe(struct agent *a, const struct etcd_kv *kv, bool complete)
{
	struct failsafe_key *key = &a->view.cluster.failsafe;
	struct failsafe_key now = { 0 };
	struct err err = { 0 };

	if (!complete && kv->mod_revision < key->mod_revision)
		return;
	if (!kv->deleted && record_failsafe_parse(kv->value, kv->len, &now, &err) < 0) {
		say_garbage(a, kv->key, &err);
		key->mod_revision = kv->mod_revision;
		return;
	}
	now.mark = key->mark;
	now.mod_revision = kv->deleted ? 0 : kv->mod_revision;
	*key = now;
	fold_text(&a->failsafe_text, kv);
	a->board_dirty = true;
}

static void fold_mark(struct agent *a, const struct etcd_kv *kv)
{
	a->view.cluster.failsafe.mark =
		(uint8_t)(kv->deleted ? FAILSAFE_OFF : record_failsafe_mode(kv->value, kv->len));
}

/* One key below the prefix. Keys of others below it are none of ours. */
static void fold_kv(struct agent *a, const struct etcd_kv *kv, int64_t revision)
{
	size_t skip = strlen(a->config->prefix);
	const char *key;

	if (!str_starts(kv->key, a->config->prefix))
		return;
	key = kv->key + skip;
	/* These two are believed to be there whatever they hold. */
	if (str_eq(key, "leader"))
		keys_fold_leader(a, kv, MAX_OF(kv->mod_revision, revision));
	else if (str_eq(key, "config"))
		fold_config(a, kv);
	else if (is_too_long(a, kv, key))
		return;
	else if (str_starts(key, "members/") && strchr(key + 8, '/') == NULL)
		fold_member(a, key + 8, kv);
	else if (str_eq(key, "pgha/beat"))
		fold_beat(a, kv, revision != 0);
	else if (str_eq(key, "pgha/release"))
		fold_release(a, kv);
	else if (str_eq(key, "pgha/timeline"))
		fold_begun(a, kv, revision != 0);
	else if (str_eq(key, "pgha/fence"))
		fence_fold(a, kv, revision != 0);
	else if (str_eq(key, "failover"))
		fold_request(a, kv);
	else if (str_eq(key, "initialize"))
		fold_init(a, kv);
	else if (str_eq(key, "status"))
		fold_status(a, kv);
	else if (str_eq(key, "history"))
		fold_history(a, kv);
	else if (str_eq(key, "sync"))
		fold_sync(a, kv);
	else if (str_eq(key, "failsafe"))
		fold_failsafe(a, kv, revision != 0);
	else if (str_eq(key, "pgha/failsafe"))
		fold_mark(a, kv);
}

/* The failure branch of a transaction tells what stands in the leader key. */
void keys_fold_else_leader(struct agent *a, const struct etcd_rep *rep)
{
	const struct etcd_kv *kv = rep->kvs.n > 0 ? &rep->kvs.items[0] : NULL;

	keys_fold_leader(a, kv, rep->revision);
	a->cluster_dirty = true;
	a->again = true;
}

/* A complete read replaces everything: what it does not hold is gone. */
void keys_fold_read(struct agent *a, const struct etcd_rep *rep)
{
	static const char *const singles[] = { "pgha/beat", "pgha/release", "pgha/timeline",
					       "pgha/fence", "failover", "initialize",
					       "config", "history", "sync", "failsafe",
					       "pgha/failsafe" };
	struct cluster *c = &a->view.cluster;
	const struct etcd_kv *leader = NULL;
	char key[ETCD_KEY_SIZE];

	if (rep->revision < a->stream_revision)
		return; /* an answer from the past */
	a->stream_revision = rep->revision;
	c->revision = rep->revision;
	remember_missing(a, rep);
	c->nmembers = 0;
	keys_forget_texts(a);
	for (size_t s = 0; s < ARRAY_LEN(singles); s++) {
		struct etcd_kv gone = { .key = key, .deleted = true };
		bool found = false;

		(void)str_printf(key, sizeof(key), "%s%s", a->config->prefix, singles[s]);
		for (size_t i = 0; i < rep->kvs.n && !found; i++)
			found = str_eq(rep->kvs.items[i].key, key);
		if (!found)
			fold_kv(a, &gone, rep->revision);
	}
	/* The beat comes after the leader, which says what epoch counts. */
	(void)str_printf(key, sizeof(key), "%sleader", a->config->prefix);
	for (size_t i = 0; i < rep->kvs.n; i++)
		if (str_eq(rep->kvs.items[i].key, key))
			leader = &rep->kvs.items[i];
	keys_fold_leader(a, leader, rep->revision);
	for (size_t i = 0; i < rep->kvs.n; i++)
		if (&rep->kvs.items[i] != leader)
			fold_kv(a, &rep->kvs.items[i], rep->revision);
	if (a->view.cluster_read_at_ms == 0)
		a->view.cluster_read_at_ms = a->view.now_ms;
	a->read_at_ms = a->view.now_ms;
	a->cluster_dirty = true;
}

/* In GET /cluster. Beats come several times in a term. */
static bool is_shown(const struct agent *a, const struct etcd_kv *kv)
{
	size_t skip = strlen(a->config->prefix);

	return str_starts(kv->key, a->config->prefix) && !str_starts(kv->key + skip, "pgha/");
}

/* Only what came counts as seen: the header of a message without events, the first one of a watch
 * above all, names a revision whose events are still to come. */
void keys_fold_watch(struct agent *a, const struct etcd_watch_msg *msg)
{
	int64_t newest = a->stream_revision;

	for (size_t i = 0; i < msg->events.n; i++) {
		const struct etcd_kv *kv = &msg->events.items[i];

		/* Streams may repeat themselves (etcd before 3.4.25 and others). */
		if (kv->mod_revision <= a->stream_revision)
			continue;
		fold_kv(a, kv, 0);
		newest = MAX_OF(newest, kv->mod_revision);
		a->cluster_dirty = a->cluster_dirty || is_shown(a, kv);
	}
	a->stream_revision = newest;
	a->view.cluster.revision = a->stream_revision;
}

bool keys_fold_echo(struct agent *a, const struct etcd_watch_msg *msg)
{
	const struct etcd_kv *kv = msg->events.items;
	const struct cluster *c = &a->view.cluster;

	/* What came by the answer to the beat has that answer's revision. */
	if (msg->events.n != 1 || kv->deleted || a->view.regressed || a->view.lease.epoch == 0 ||
	    !c->beat_present || c->beat_epoch != a->view.lease.epoch ||
	    kv->mod_revision != c->beat_mod_revision || kv->mod_revision <= a->stream_revision ||
	    !str_starts(kv->key, a->config->prefix) ||
	    !str_eq(kv->key + strlen(a->config->prefix), "pgha/beat"))
		return false;
	a->stream_revision = kv->mod_revision;
	a->view.cluster.revision = kv->mod_revision;
	a->view.dcs_seen_at_ms = a->view.now_ms;
	/* Else its own leader would take its own silence for that of a dead one. */
	leader_lives(a);
	a->view.sign_ttl_ms = MAX_OF(a->view.sign_ttl_ms, a->session.ttl_ms);
	return true;
}
